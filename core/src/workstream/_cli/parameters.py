"""The parameters of a ``plan`` function, and the values that ``-p`` gives them."""

from __future__ import annotations

import difflib
import enum
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

import attrs

from .._values.display import display, shorten
from ._conversion import convert, is_convertible, placeholder, takes_many

_EMPTY = inspect.Parameter.empty
_ENTRY = re.compile(r"\*{0,2}(\w+)(?: \(.*?\))?:\s*(.*)")


@attrs.frozen
class Parameter:
    """One parameter of the function.

    Attributes:
        name: Its name.
        annotation: Its type.
        default: Its default, where it has one.
        required: Whether it must be given.
        description: What the function's docstring says of it.
    """

    name: str
    annotation: Any
    default: Any
    required: bool
    description: str

    @property
    def usage(self) -> str:
        """How it is given: ``-p hosts=INT``."""
        return f"-p {self.name}={placeholder(self.annotation)}"

    @property
    def default_text(self) -> str:
        """The default for people; nothing where it must be given."""
        if self.required:
            return ""
        default = self.default
        if isinstance(default, bool):
            return "true" if default else "false"
        if isinstance(default, enum.Enum):
            return default.name
        return shorten(repr(default) if isinstance(default, str) else str(default), 80)


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The function's parameters, in order; ``*args`` and ``**kwargs`` are left out.

    Raises:
        ValueError: Its annotations cannot be read; the message says why.
    """
    signature = inspect.signature(function)
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:
        message = f"its annotations cannot be read: {type(error).__name__}: {error}"
        raise ValueError(message) from error
    described = _described(inspect.getdoc(function) or "")
    return [
        Parameter(
            name=name,
            annotation=hints.get(name, _guess(each.default)),
            default=None if each.default is _EMPTY else each.default,
            required=each.default is _EMPTY,
            description=described.get(name, ""),
        )
        for name, each in signature.parameters.items()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def _guess(default: Any) -> Any:
    """The type of a parameter that says none: that of its default, or text."""
    kind: type[Any] = default.__class__
    return kind if kind in (bool, int, float) else str


def values_of(
    parameters: Sequence[Parameter], settings: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """The value of each parameter that was given, and all that is wrong.

    Args:
        parameters: What the function takes.
        settings: Each a ``NAME=VALUE``.
    """
    known = {parameter.name: parameter for parameter in parameters}
    given: dict[str, list[str]] = {}
    faults: list[str] = []
    for setting in settings:
        name, equals, text = setting.partition("=")
        # `-p max-hosts=3` is what the name looks like on a command line.
        name = name.strip() if name.strip() in known else name.strip().replace("-", "_")
        if not equals:
            faults.append(f"-p {shorten(setting)}: write it as -p NAME=VALUE")
        elif name not in known:
            faults.append(f"-p {shorten(name)}: {_unknown(name, known)}")
        else:
            given.setdefault(name, []).append(text)
    values: dict[str, Any] = {}
    mistyped = {setting.partition("=")[0].strip() for setting in settings}
    for name, parameter in known.items():
        if name in given:
            try:
                values[name] = _value(parameter, given[name])
            except ValueError as error:
                faults.append(f"-p {name}: {error}")
        elif parameter.required and name not in mistyped:
            faults.append(f"-p {name} is missing: give {parameter.usage}")
    return values, faults


def _value(parameter: Parameter, texts: list[str]) -> Any:
    if not is_convertible(parameter.annotation):
        message = (
            "its type is none that can be given as text; give it a default, and another "
            "parameter to choose by"
        )
        raise ValueError(message)
    if len(texts) > 1 and not takes_many(parameter.annotation):
        message = f"is given {len(texts)} times, and takes one value"
        raise ValueError(message)
    return convert(parameter.annotation, texts)


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    if not known:
        return "the plan function takes no parameters"
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"there is no such parameter; did you mean {near[0]}?"
    return f"there is no such parameter; there are {', '.join(known)}"


def call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call the function with these values, by position where it must be so."""
    positional: list[Any] = []
    named = dict(values)
    for name, each in inspect.signature(function).parameters.items():
        if each.kind is each.POSITIONAL_ONLY:
            positional.append(named.pop(name, each.default))
    return function(*positional, **named)


def _described(doc: str) -> dict[str, str]:
    """What the ``Args:`` of a docstring say of each parameter."""
    _, found, section = doc.partition("Args:\n")
    if not found:
        return {}
    described: dict[str, str] = {}
    name = ""
    indent = None
    for line in section.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        if depth == 0 or depth < indent:
            break
        entry = _ENTRY.fullmatch(line.strip())
        if depth == indent and entry is not None:
            name, text = entry.groups()
            described[name] = display(text.strip())
        elif name:
            described[name] += " " + display(line.strip())
    return described
