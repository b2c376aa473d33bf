"""Deep copies of requests and responses, most of which need no copying at all.

A request is mostly a frozen class of texts and numbers. Nobody can change it, so the
copy may be the thing itself, as a text's is; ``copy.deepcopy`` would take every one
apart and put it together again, which was a third of the time that a submit takes.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import functools
import types
import uuid
from typing import Any, TypeVar, cast

import attrs

T = TypeVar("T")

# Exactly these: a subclass may hold more.
_CONSTANT: frozenset[type] = frozenset({
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    types.NoneType,
    datetime.date,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
})  # fmt: skip


@attrs.frozen
class _Frozen:
    """Shows what keeps the fields of a frozen attrs class as they are."""


def deep_copy(value: T) -> T:
    """A copy that shares nothing with the value which anybody could change."""
    return value if is_constant(value) else copy.deepcopy(value)


def is_constant(value: Any) -> bool:
    """Whether nobody can change the value."""
    cls = cast("Any", type(value))
    if cls in _CONSTANT:
        return True
    if cls is tuple or cls is frozenset:
        return all(map(is_constant, value))
    names = _frozen_fields(cls)
    if names is None:
        return False
    if len(getattr(value, "__dict__", names)) != len(names):
        return False  # it holds something beside its fields
    for name in names:
        field = getattr(value, name, None)
        if type(field) not in _CONSTANT and not is_constant(field):
            return False
    return True


@functools.cache
def _frozen_fields(cls: Any) -> tuple[str, ...] | None:
    """The fields of a class that lets none be changed; None: it is no such class.

    One that says itself how it is copied is none either.
    """
    own = ("__deepcopy__", "__copy__")
    if any(hasattr(cls, name) for name in own):
        return None
    if cls.__reduce_ex__ is not object.__reduce_ex__:
        return None
    if cls.__reduce__ is not object.__reduce__:
        return None
    names: tuple[str, ...] | None = None
    if "__attrs_attrs__" in vars(cls) and cls.__setattr__ is _Frozen.__setattr__:
        names = tuple(field.name for field in attrs.fields(cls))
    elif "__dataclass_fields__" in vars(cls) and _is_frozen_dataclass(cls):
        names = tuple(field.name for field in dataclasses.fields(cls))
    return names if names is not None and _holds_only(cls, names) else None


def _is_frozen_dataclass(cls: Any) -> bool:
    """Whether a dataclass is frozen."""
    return bool(cls.__dataclass_params__.frozen)


def _holds_only(cls: type, names: tuple[str, ...]) -> bool:
    """Whether every slot of the class and its bases is a field, or of no account."""
    slots = {name for base in cls.__mro__ for name in vars(base).get("__slots__", ())}
    return slots <= {*names, "__weakref__", "__dict__"}
