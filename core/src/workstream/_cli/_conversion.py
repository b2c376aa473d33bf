"""From the text of a ``-p NAME=VALUE`` to a value of the parameter's type."""

from __future__ import annotations

import collections.abc
import enum
import re
import types
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from .._values.display import shorten
from .._values.leaves import LEAVES, leaf_from
from .._values.type_arguments import type_text, union_members

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})

_DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII
)

_MANY: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    set: set,
    collections.abc.Set: frozenset,
    frozenset: frozenset,
}
"""What takes several values, and what is made of them."""


def takes_many(annotation: Any) -> bool:
    """Whether ``-p`` may be given several times."""
    return any(_is_many(member) for member in _members(annotation))


def is_convertible(annotation: Any) -> bool:
    """Whether a value of this type can be given as text."""
    return any(_is_known(member) for member in _members(annotation))


def placeholder(annotation: Any) -> str:
    """What a help text shows in place of the value."""
    shown: list[str] = []
    for member in _members(annotation):
        inner = [each for each in _inner(member) if each is not Ellipsis]
        if member is bool:
            shown.append("true|false")
        elif get_origin(member) is Literal:
            shown += [str(each) for each in get_args(member)]
        elif _is_enum(member):
            shown += [each.name for each in member]
        elif _is_many(member):
            shown.append(placeholder(inner[0]) if inner else "TEXT")
        elif member in _NAMES:
            shown.append(_NAMES[member])
        elif member is not types.NoneType:
            shown.append(type_text(member).upper())
    return "|".join(dict.fromkeys(shown)) or "TEXT"


def convert(annotation: Any, texts: Sequence[str]) -> Any:
    """The value that the texts mean.

    Args:
        annotation: The parameter's type, as ``get_type_hints`` tells it.
        texts: What was given, in order; a type that takes one value takes the only one.

    Raises:
        ValueError: They mean none. The message goes on after the parameter's name.
    """
    members = _members(annotation)
    for member in members:
        if _is_many(member):
            return _convert_many(member, texts)
    if len(texts) > 1:
        message = f"is given {len(texts)} times, and takes one value"
        raise ValueError(message)
    [text] = texts
    # An empty text is None, unless it may be meant as the text that it is.
    if types.NoneType in members and text == "" and str not in members:
        return None
    faults: list[str] = []
    # A text is a text, whatever it looks like: so that is tried last.
    for member in sorted(members, key=lambda each: each in (str, Any)):
        if member is types.NoneType:
            continue
        try:
            return _convert_one(member, text)
        except ValueError as error:
            faults.append(str(error))
    message = f"must be {' or '.join(faults)}, not '{shorten(text)}'"
    raise ValueError(message)


def _convert_many(member: Any, texts: Sequence[str]) -> Any:
    inner = _inner(member)
    if get_origin(member) is tuple or member is tuple:
        if inner and inner[-1] is not Ellipsis:
            if len(texts) != len(inner):
                message = (
                    f"takes {len(inner)} values, one -p each, and has {len(texts)}"
                )
                raise ValueError(message)
            return tuple(
                convert(each, [text]) for each, text in zip(inner, texts, strict=True)
            )
        each = inner[0] if inner else str
        return tuple(convert(each, [text]) for text in texts)
    make = _MANY[get_origin(member) or member]
    each = inner[0] if inner else str
    return make([convert(each, [text]) for text in texts])


def _convert_one(member: Any, text: str) -> Any:
    """One value; the error says what it must be: the rest of "must be"."""
    if member in (str, Any):
        return text
    if member is bool:
        return _boolean(text)
    if get_origin(member) is Literal:
        for each in get_args(member):
            if str(each) == text:
                return each
        raise ValueError(" or ".join(f"'{each}'" for each in get_args(member)))
    if _is_enum(member):
        return _enum_member(member, text)
    if member is timedelta:
        return _duration(text)
    if member in (int, float):
        return _number(member, text)
    return _leaf(member, text)


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    message = "true or false"
    raise ValueError(message)


def _enum_member(cls: Any, text: str) -> Any:
    members = list(cast("type[enum.Enum]", cls))
    spelt = text.lower().replace("-", "_")
    found = (
        [each for each in members if each.name == text]
        or [each for each in members if each.name.lower() == spelt]
        or [each for each in members if str(each.value) == text]
    )
    if found:
        return found[0]
    raise ValueError(" or ".join(each.name for each in members))


def _number(cls: Any, text: str) -> Any:
    try:
        return cls(text)
    except ValueError:
        message = "a whole number" if cls is int else "a number"
        raise ValueError(message) from None


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        message = "a length of time, such as 90, 1.5s, 10m or 1h30m"
        raise ValueError(message)
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        message = "a length of time that is not beyond all calendars"
        raise ValueError(message) from None


def _leaf(cls: Any, text: str) -> Any:
    try:
        value = leaf_from(text, cls)
    except ValueError:
        article = "an" if cls.__name__[0] in "AEIOU" else "a"
        message = f"{article} {cls.__name__}{_EXAMPLES.get(cls.__name__, '')}"
        raise ValueError(message) from None
    return value.expanduser() if isinstance(value, Path) else value


_EXAMPLES = {
    "datetime": " such as 2031-05-01T18:00+02:00",
    "date": " such as 2031-05-01",
    "time": " such as 18:00",
}
_NAMES: dict[Any, str] = {
    str: "TEXT",
    Any: "TEXT",
    int: "INT",
    float: "NUMBER",
    timedelta: "DURATION",
    Path: "PATH",
    PurePath: "PATH",
}


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types that the annotation allows, seen through what only decorates them."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):  # a NewType
            annotation = annotation.__supertype__
        else:
            break
    members = union_members(annotation)
    if members == (annotation,):
        return members
    return tuple(inner for member in members for inner in _members(member))


def _inner(member: Any) -> tuple[Any, ...]:
    return get_args(member) if _is_many(member) else ()


def _is_many(member: Any) -> bool:
    origin = get_origin(member) or member
    # A union's members may be anything, also what cannot be hashed.
    return origin is tuple or any(origin is many for many in _MANY)


def _is_enum(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, enum.Enum)


def _is_known(member: Any) -> bool:
    if _is_many(member):
        inner = [each for each in _inner(member) if each is not Ellipsis]
        return all(is_convertible(each) and not takes_many(each) for each in inner)
    if get_origin(member) is Literal or _is_enum(member):
        return True
    return member in (str, Any, bool, int, float) or (
        isinstance(member, type) and member in LEAVES
    )
