"""Whether an action and its plugin fit together: V-15, V-19, V-20, V-23, REG-6, CL-3.

A plugin's ``validate`` and a request's ``defaults`` are other people's code: whatever
they raise is a fault of that one action, never the end of the validation.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, get_origin

from .._flow.late import Late
from .._flow.writing import StrayReferenceError
from .._plan.copying import deep_copy
from .._plan.plan import BaseAction, CheckAction
from .._protocols.plugin import AnyPlugin, Plugins, request_types
from .._secrets.forms import hide
from .._secrets.references import HIDDEN, StoredValue
from .._secrets.scrubbing import secret_values
from .._values.annotations import fits, type_text
from .._values.display import shorten
from .._values.state import PluginError
from .._values.values import kind_of, kind_of_class, text_problem

Problem: TypeAlias = tuple[str, str]
"""The rule that is broken, and what is wrong: the rest of a sentence about the field."""


class KnownPlugins(Plugins, Protocol):
    """Plugins, and what is known of those that cannot be had. A ``Registry`` is one."""

    @property
    def unusable(self) -> Mapping[str, str]:
        """The names of those that cannot be used, each with its reason (REG-6)."""
        ...

    def nearest(self, name: str, /) -> list[str]:
        """The names of plugins that are most like this one, the best first."""
        ...


def plugin_problem(
    name: str, plugins: KnownPlugins
) -> tuple[AnyPlugin | None, Problem | None]:
    """The plugin of this name; or None, and why there is none (V-15, REG-6)."""
    problem = text_problem(name)
    if problem is not None:
        return None, ("V-15", problem)
    reason = plugins.unusable.get(name)
    if reason is not None:
        return None, ("REG-6", f"'{shorten(name)}' cannot be used: {reason}")
    plugin = plugins.get(name)
    if plugin is None:
        return None, ("V-15", _not_installed(name, plugins))
    return plugin, None


def _not_installed(name: str, plugins: KnownPlugins) -> str:
    """The message for a plugin that is not there."""
    near = plugins.nearest(name)
    if near:
        named = " or ".join(f"'{each}'" for each in near)
        advice = f"did you mean {named}? If not, install the package that brings it"
    else:
        advice = "install the package that brings it"
        package, dot, _ = name.partition(".")
        if dot and package.isidentifier() and package.isascii():
            advice += f" (by custom it is called workstream-{package})"
    return (
        f"no plugin '{shorten(name)}' is installed: {advice}; "
        "`workstream plugins` lists what is installed"
    )


def kind_problem(
    action: BaseAction, plugin: AnyPlugin, in_checks: bool
) -> Problem | None:
    """Find faults in the kind of the plugin, or of the action itself (V-20).

    Args:
        action: The action.
        plugin: Its plugin.
        in_checks: Whether it stands in a Checks group.
    """
    right_call = isinstance(action, CheckAction) == in_checks
    if plugin.is_check == in_checks and right_call:
        return None
    name = shorten(action.plugin)
    if plugin.is_check != in_checks:
        return "V-20", (
            f"'{name}' is not a check plugin: checks may run any number of times, "
            "so only check plugins may stand in a Checks group"
            if in_checks
            else f"'{name}' is a check plugin: a Sequence or DeferBatch holds actions; "
            "put a check into a Checks group"
        )
    kinds = ("a CheckAction", "an Action")
    wanted, got = kinds if in_checks else kinds[::-1]
    return "V-20", f"here, the call of '{name}' must be {wanted}, not {got}"


def ready_request(
    given: Any, action: BaseAction, plugin: AnyPlugin | None
) -> tuple[object, Problem | None]:
    """A copy of a request with its defaults, or what is wrong with it.

    Args:
        given: The request; it is not changed.
        action: The action that it is for: its own, or one made of responses (VF-6).
        plugin: Its plugin; None when there is none to ask.
    """
    try:
        request: Any = given
        # What fills itself in may do so although it is frozen.
        fills_in = _has_defaults(request)
        exact = copy.deepcopy if fills_in else deep_copy
        request = exact(request)
        secrets = secret_values(request)
    except StrayReferenceError:
        cls = type_text(type(given))
        message = (
            "holds a reference where a value must be: it was not made by late(); write "
            f"late({cls})(...), and late() for each object inside that holds one"
        )
        return None, ("VF-4", message)
    except Exception as error:
        message = (
            f"cannot be copied ({_text_of(error)}): a request is plain data, such as "
            "an attrs class of texts, numbers and lists"
        )
        return None, ("SUB-1", message)
    if HIDDEN in secrets:
        message = (
            f"holds '{HIDDEN}' in place of a secret: it was made to be shown; put the "
            "secret in again, best as a SecretRef"
        )
        return None, ("CL-3", message)
    if plugin is None:
        return request, None
    problem = _wrong_type(request, action, plugin)
    if problem is not None:
        return None, ("V-23", problem)
    if isinstance(request, Late):
        return request, None  # the plugin's code is asked when there is a request
    # What the plugin's author wrote about the request may quote it.
    try:
        if fills_in:
            # A frozen request cannot fill itself in, so it may return another.
            filled = request.defaults()
            request = request if filled is None else filled
            problem = _wrong_type(request, action, plugin)
            if problem is not None:
                return None, ("V-23", f"after defaults() it {problem}")
    except Exception as error:
        message = f"its defaults() failed: {hide(_text_of(error), secrets)}"
        return None, ("SUB-1", message)
    try:
        plugin.validate(request)
    except Exception as error:
        # A ValueError or PluginError is written for the plan's author, others are not.
        told = isinstance(error, (ValueError, PluginError)) and str(error).strip()
        message = str(error) if told else f"could not be checked: {_text_of(error)}"
        return None, ("V-19", hide(message, secrets))
    return request, None


def _has_defaults(request: object) -> bool:
    """Whether the class of the request fills itself in."""
    return callable(getattr(type(request), "defaults", None))


def _text_of(error: Exception) -> str:
    """An error's class and message."""
    text = str(error).strip()
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def _wrong_type(request: object, action: BaseAction, plugin: AnyPlugin) -> str | None:
    """Find faults in the request's class: it must be exactly a wanted one (V-23)."""
    if isinstance(request, Late):
        if request.made in [get_origin(each) or each for each in request_types(plugin)]:
            return None
    elif fits(request, plugin.request_type):
        return None
    if isinstance(request, StoredValue):
        return (
            f"was read from a store while the plugin '{shorten(action.plugin)}' was not "
            "installed: read the plan again"
        )
    wanted: list[Any] = [get_origin(each) or each for each in request_types(plugin)]
    names = [_name(cls) for cls in wanted]
    got = kind_of(request)
    if isinstance(request, Late):
        got = f"a late {type_text(request.made)}"
    elif type(request).__name__ in (getattr(cls, "__name__", "") for cls in wanted):
        # Two classes of one name: only their modules tell them apart.
        got = f"the one of module {type(request).__module__}"
        names = [f"{_name(cls)} of module {cls.__module__}" for cls in wanted]
    return (
        f"must be {' or '.join(names)}, as '{shorten(action.plugin)}' wants, not {got}"
    )


def _name(cls: Any) -> str:
    """The name of a request type in messages."""
    if cls is type(None):
        return "None"
    return kind_of_class(cls) if isinstance(cls, type) else str(cls)
