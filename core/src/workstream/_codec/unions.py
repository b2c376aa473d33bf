"""Unions: which member a value is, is written down, never guessed from its looks."""

from __future__ import annotations

import functools
import math
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

import cattrs

from .forms import (
    ANY,
    TAG,
    VALUE,
    DataError,
    Form,
    Hook,
    StructureHook,
    class_of,
    is_record,
    kind_name,
    late_structure,
    late_unstructure,
    shown,
)

__all__ = ["is_union", "members_of", "register_unions", "tags_of"]

NATIVE: tuple[type, ...] = (types.NoneType, bool, int, float, str)
"""What plain data tells apart without a tag, in JSON too."""


def is_union(wanted: Any) -> bool:
    """Whether the type is a union, ``T | None`` included."""
    return get_origin(wanted) in (Union, types.UnionType)


def members_of(union: Any) -> tuple[Any, ...]:
    """The members, without what says nothing about the form (Annotated, NewType)."""
    return tuple(_bare(member) for member in get_args(union))


def _bare(wanted: Any) -> Any:
    if get_origin(wanted) is typing.Annotated:
        return _bare(get_args(wanted)[0])
    if isinstance(wanted, typing.NewType):
        return _bare(wanted.__supertype__)
    return _bare(wanted.__value__) if hasattr(wanted, "__value__") else wanted


def tags_of(union: Any) -> dict[str, Any]:
    """The members that need a tag, by their tags.

    Raises:
        TypeError: Two members could not be told apart when they are stored.
    """
    tagged = [member for member in members_of(union) if member not in NATIVE]
    tagged = [member for member in tagged if not _is_native_literal(member)]
    names = [_name(member) for member in tagged]
    tags: dict[str, Any] = {}
    for member, name in zip(tagged, names, strict=True):
        tag = name
        if names.count(name) > 1:
            tag = f"{getattr(member, '__module__', '')}.{name}"
        if tag in tags:
            message = f"the union {union} has two members called {tag}"
            raise TypeError(message)
        tags[tag] = member
    classes = [_class_of(member) for member in tagged]
    for cls in classes:
        if classes.count(cls) > 1:
            message = (
                f"the union {union} has two members of type {cls.__name__}: a value "
                "does not tell which of them it is"
            )
            raise TypeError(message)
    return tags


def _name(member: Any) -> str:
    return str(member) if get_args(member) else member.__name__


def _class_of(member: Any) -> Any:
    if get_origin(member) is Literal:
        return class_of(get_args(member)[0])
    return get_origin(member) or member


def _is_native_literal(member: Any) -> bool:
    return get_origin(member) is Literal and all(
        isinstance(value, NATIVE) for value in get_args(member)
    )


def register_unions(made: cattrs.Converter, form: Form) -> None:
    """Make the converter treat unions by this module."""

    def unstructure(union: Any) -> Hook:
        optional = _only_member(union)
        if optional is not None:
            inner = late_unstructure(made, optional)
            return lambda value: None if value is None else inner(value)
        return _writer(made, form, union)

    def structure(union: Any) -> StructureHook:
        optional = _only_member(union)
        if optional is not None:
            inner = late_structure(made, optional)
            return lambda value, _: None if value is None else inner(value, optional)
        return _reader(made, union)

    made.register_unstructure_hook_factory(is_union, unstructure)
    made.register_structure_hook_factory(is_union, structure)


def _only_member(union: Any) -> Any:
    """Of ``T | None`` the T, and Any when anything is allowed; otherwise None."""
    members = [member for member in members_of(union) if member is not types.NoneType]
    if any(member in ANY for member in members):
        return Any
    return members[0] if len(members) == 1 else None


def _writer(made: cattrs.Converter, form: Form, union: Any) -> Hook:
    tags = tags_of(union)
    hooks = {tag: late_unstructure(made, member) for tag, member in tags.items()}
    classes = {tag: _class_of(member) for tag, member in tags.items()}
    native = _natives_of(union)
    texts = _literals_of(union)

    @functools.cache
    def tag_of(cls: type) -> str | None:
        fits = [tag for tag, known in classes.items() if issubclass(cls, known)]
        # The nearest of several: a datetime is a date too.
        return min(fits, key=lambda tag: _distance(cls, classes[tag]), default=None)

    def write(value: Any) -> Any:
        cls = value.__class__
        if cls in native:
            if form is Form.JSON and cls is float and not math.isfinite(value):
                return {TAG: "float", VALUE: str(value)}
            return value
        tag = tag_of(cls)
        if tag is None:
            if isinstance(value, native) or value in texts:
                return value
            message = f"is {shown(value)}, which is no member of {union}"
            raise DataError(message)
        data = hooks[tag](value)
        return {TAG: tag, **data} if is_record(cls) else {TAG: tag, VALUE: data}

    return write


def _reader(made: cattrs.Converter, union: Any) -> StructureHook:
    tags = tags_of(union)
    hooks = {tag: late_structure(made, member) for tag, member in tags.items()}
    native = _natives_of(union)
    texts = _literals_of(union)

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is dict and value.get(TAG) in tags:
            tag = value[TAG]
            member = tags[tag]
            data = dict(value)
            del data[TAG]
            return hooks[tag](data if is_record(member) else data[VALUE], member)
        if isinstance(value, native) or (isinstance(value, NATIVE) and value in texts):
            return value
        if value.__class__ is dict and value.get(TAG) == "float" and float in native:
            return float(value[VALUE])
        message = f"must be {_choices(native, texts, tags)}, not {shown(value)}"
        if value.__class__ is dict:
            message = f'must say which it is: "{TAG}" one of {", ".join(tags)}'
        raise DataError(message)

    return read


def _natives_of(union: Any) -> tuple[type, ...]:
    return tuple(member for member in members_of(union) if member in NATIVE)


def _literals_of(union: Any) -> tuple[Any, ...]:
    return tuple(
        value
        for member in members_of(union)
        if _is_native_literal(member)
        for value in get_args(member)
    )


def _choices(native: tuple[type, ...], texts: tuple[Any, ...], tags: Any) -> str:
    names = [*(kind_name(cls) for cls in native), *map(repr, texts), *tags]
    return " or ".join(names)


def _distance(cls: type, known: type) -> int:
    mro = cls.__mro__
    return mro.index(known) if known in mro else len(mro)
