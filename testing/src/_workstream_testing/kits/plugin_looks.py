"""What ``check_plugin`` sees of a plugin without calling it."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any

import attrs

from workstream._codec.codec import Codec
from workstream._codec.json_text import from_json, to_json
from workstream._codec.records import row_of
from workstream._plan.plan import BaseAction, Plan
from workstream._plan.text import value_text
from workstream._plan.walk import actions, give_ids, new_plan_id
from workstream._protocols.plugin import (
    AnyPlugin,
    BasePlugin,
    can_preview,
    request_types,
    response_types,
)
from workstream._protocols.vault import StoredPlan
from workstream._registry.registration import registration_faults
from workstream._registry.registry import Registry
from workstream._values.annotations import type_text
from workstream._values.state import PluginError

from .left_behind import is_supported
from .plugin_attempts import plan_of
from .plugin_findings import Finding

RULES = {
    "REG-10": "name",
    "REG-4": "marks",
    "RP-2": "retry",
    "REG-9": "on-interrupt",
    "PV-3": "preview",
}
"""What a fault of registration is called, by its rule; the others go by their text."""

_RULE = re.compile(r"\[([A-Z]+-\d+)\]$")


def registered(plugin: AnyPlugin) -> Iterator[Finding]:
    """What keeps the plugin from being registered (REG-2)."""
    for fault in registration_faults(plugin, entry_point=_entry_point(plugin)):
        match = _RULE.search(fault)
        name = RULES.get(match[1] if match else "") or _by_text(fault)
        yield Finding(name, fault)


def _by_text(fault: str) -> str:
    if "no name" in fault:
        return "name"
    if "requires_programs" in fault:
        return "programs"
    if "execute" in fault or "not a coroutine" in fault:
        return "methods"
    return "types"


def _entry_point(plugin: AnyPlugin) -> str | None:
    """The name of the entry point of the plugin's package, if it is installed."""
    package = type(plugin).__module__.partition(".")[0]
    for found in entry_points(group="workstream"):
        if found.value.partition(":")[0].partition(".")[0] == package:
            return found.name
    return None


def documented(plugin: AnyPlugin) -> Iterator[Finding]:
    """What has no docstring: for a plan's author these are the plugin's manual."""
    cls = type(plugin)
    if not any(_doc(base) for base in _own(cls)):
        yield Finding("docs", f"{cls.__name__} has no docstring: say what it does")
    for role, members in (
        ("request", request_types(plugin)),
        ("response", response_types(plugin)),
    ):
        for member in members:
            if (attrs.has(member) or dataclasses.is_dataclass(member)) and not _doc(
                member
            ):
                text = (
                    f"its {role} type {member.__name__} has no docstring: tell what "
                    "its fields mean, and in which unit"
                )
                yield Finding("docs", text)


def _own(cls: type) -> list[type]:
    """The plugin's class and those of its bases that the engine did not bring."""
    bases: list[type] = [c for c in cls.__mro__ if issubclass(c, BasePlugin)]
    return [c for c in bases if c.__module__.partition(".")[0] != "workstream"]


def _doc(cls: type) -> str:
    """The class's own docstring, unless nobody wrote it."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "")
    generated = dataclasses.is_dataclass(cls) and text.startswith(f"{cls.__name__}(")
    return "" if generated else text


def request_looks(
    plugin: AnyPlugin, request: object, which: str, registry: Registry
) -> Iterator[Finding]:
    """Whether a request is of the right type, and survives the store and JSON."""
    wanted = request_types(plugin)
    if type(request) not in wanted:
        got, types = type_text(type(request)), type_text(plugin.request_type)
        text = f"{which} is a {got}: {plugin.name} takes {types}, exactly (V-23)"
        yield Finding("request", text)
        return
    plan = plan_of(plugin, request)
    codec = Codec(registry)
    give_ids(plan, new_plan_id())
    try:
        stored = StoredPlan(
            row=row_of(plan),
            definition=codec.encode_definition(plan),
            records=(),
            position=0,
            lines={},
        )
        back = codec.load(stored)
    except Exception as error:
        yield Finding("request", f"{which} cannot be stored: {error}")
    else:
        yield from _survived(request, _request_in(back, plugin), which, "the store")
    try:
        back = from_json(to_json(plan, with_secrets=True), registry)
    except Exception as error:
        yield Finding("request", f"{which} cannot be written as JSON: {error}")
    else:
        yield from _survived(request, _request_in(back, plugin), which, "JSON")


def _request_in(plan: Plan, plugin: AnyPlugin) -> object:
    found: list[BaseAction] = [a for a in actions(plan) if a.plugin == plugin.name]
    return found[0].request


def _survived(
    request: object, back: object, which: str, where: str
) -> Iterator[Finding]:
    if type(back) is type(request) and back == request:
        return
    text = (
        f"{which} does not survive {where}: {value_text(request)} comes back as "
        f"{value_text(back)}; let its class compare by its fields, and its fields have "
        "types that say what they hold"
    )
    yield Finding("request", text)


def validation(
    plugin: AnyPlugin, accepted: Sequence[tuple[str, Any]], refused: Sequence[Any]
) -> Iterator[Finding]:
    """Whether ``validate`` accepts what works and refuses what cannot (V-19)."""
    for which, request in accepted:
        before = copy.deepcopy(request)
        try:
            plugin.validate(request)
        except (ValueError, PluginError) as error:
            yield Finding("validate", f"validate() refuses {which}: {error}")
        except Exception as error:
            yield Finding("validate", _broken(which, error))
        if request != before:
            text = f"validate() changes {which}: it may only look at it"
            yield Finding("validate", text)
    for number, request in enumerate(refused, start=1):
        which = f"refused request {number}"
        try:
            plugin.validate(request)
        except (ValueError, PluginError) as error:
            if not str(error).strip():
                text = f"validate() refuses {which} without a word: say what to do"
                yield Finding("validate", text)
        except Exception as error:
            yield Finding("validate", _broken(which, error))
        else:
            text = f"validate() accepts {which}, {value_text(request)}"
            yield Finding("validate", text)


def _broken(which: str, error: Exception) -> str:
    return (
        f"validate() fails on {which} with {type(error).__name__}: {error}; what it "
        "refuses, it refuses with ValueError or PluginError"
    )


def left_out(
    plugin: AnyPlugin, *, slow: object, secrets: bool, fails: bool
) -> dict[str, str]:
    """The findings for which a plugin cannot be looked at, with the reasons.

    Args:
        plugin: The plugin.
        slow: The request that takes long, or None.
        secrets: Whether a request holds a secret.
        fails: Whether an interrupted attempt is not run again.
    """
    found: dict[str, str] = {}
    if slow is None:
        found["timeout"] = "give slow=, a request that takes long"
    if not is_supported():
        found["left-behind"] = "processes are not to be seen here"
    if not secrets:
        found["secrets"] = "no request holds a secret"
    if not plugin.is_check:
        found["side-effects"] = "it is no check"
    if not can_preview(plugin):
        found["preview"] = f"it is {'a check' if plugin.is_check else 'without one'}"
    if fails:
        found["interrupted"] = "it is not run again (OnInterrupt.FAIL)"
    return found
