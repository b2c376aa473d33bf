"""Classes that are so plain that their values need no trial before they are stored.

A response is stored when its plugin returns, so whether it could be read again is found
out then, by reading it (``_codec.value_codec``). That trial costs more than all else that
is done with a response, and for most of them its outcome is known beforehand: of an attrs
class without code of its own, whose fields hold nothing but texts, numbers, flags and
bytes of just the types that it declares, nothing can be lost.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin

import attrs

from .._secrets.scan import may_hold_secrets

_PLAIN: tuple[Any, ...] = (str, bool, int, float, bytes, types.NoneType)
"""What msgpack carries exactly, whatever the value."""


def plain_form_of(wanted: Any) -> Callable[[object], dict[str, Any] | None] | None:
    """How a value of a plain class becomes plain data; None for any other class.

    The function answers None for a value that is not of just the declared types: it
    has to go the long way.
    """
    if not _without_own_code(wanted) or may_hold_secrets(wanted):
        return None
    try:
        attributes = attrs.fields(attrs.resolve_types(wanted))
    except NameError:  # a type in quotes that cannot be found
        return None
    fields: list[tuple[str, tuple[type, ...]]] = []
    for field in attributes:
        classes = _classes(field.type)
        if not classes or not field.init or field.converter or field.validator:
            return None
        fields.append((field.name, classes))

    def form(value: object) -> dict[str, Any] | None:
        if type(value) is not wanted:
            return None
        data: dict[str, Any] = {}
        for name, classes in fields:
            part = getattr(value, name)
            if type(part) not in classes:
                return None
            data[name] = part
        return data

    return form


@attrs.frozen
class _Frozen:
    """Has the ``__setattr__`` that attrs gives to frozen classes."""


def _without_own_code(wanted: Any) -> bool:
    """Whether nothing but attrs has a hand in making and reading an instance."""
    if not isinstance(wanted, type) or "__attrs_attrs__" not in vars(wanted):
        return False
    # attrs makes ``__attrs_init__`` where a class has an ``__init__`` of its own.
    for step in ("init", "pre_init", "post_init"):
        if hasattr(wanted, f"__attrs_{step}__"):
            return False
    cls: Any = wanted
    return (
        cls.__new__ is object.__new__
        and cls.__getattribute__ is object.__getattribute__
        and cls.__setattr__ in (object.__setattr__, _Frozen.__setattr__)
    )


def _classes(declared: Any) -> tuple[type, ...]:
    """The classes that a field so declared may hold; none if one of them is not plain.

    A union of two that are not None is tagged in the stored form (``_codec.tags``) where
    plain data does not tell its members apart, so it goes the long way.
    """
    if declared in _PLAIN:
        return (declared,)
    if get_origin(declared) in (Union, types.UnionType):
        members = get_args(declared)
        if len(members) == 2 and types.NoneType in members:
            found = tuple(member for member in members if member in _PLAIN)
            return found if len(found) == 2 else ()
    return ()
