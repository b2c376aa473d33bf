"""A plain response of a type that needs arguments: nothing, nought and empty."""

from __future__ import annotations

import enum
import types
import typing
from datetime import date, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import attrs

from workstream._protocols.plugin import BasePlugin, response_types

from ..virtual.virtual_time import START
from .fake_scripts import UNSET

DEPTH = 8
"""How deep objects may hold others; a type that holds itself goes on for ever."""

_PLAIN: dict[object, object] = {
    str: "",
    bytes: b"",
    bool: False,
    int: 0,
    float: 0.0,
    datetime: START,
    date: START.date(),
    timedelta: timedelta(),
    UUID: UUID(int=0),
    Path: Path("/"),
    PurePath: PurePath("/"),
    None: None,
    types.NoneType: None,
    Any: None,
    object: None,
}
_EMPTY: dict[object, Any] = {
    list: list,
    tuple: tuple,
    dict: dict,
    set: set,
    frozenset: frozenset,
}


def plain_response(plugin: BasePlugin[Any, Any]) -> object:
    """A response whose arguments are nothing, nought and empty; UNSET: there is none.

    So a command that is faked ends with the exit code 0, and writes nothing.

    Args:
        plugin: The plugin whose response it is.
    """
    for cls in response_types(plugin):
        value = _plain(cls, DEPTH)
        if value is not UNSET:
            return value
    return UNSET


def _plain(wanted: Any, depth: int) -> object:
    """A plain value of the type; UNSET: there is none."""
    if isinstance(wanted, typing.Hashable) and wanted in _PLAIN:
        return _PLAIN[wanted]
    origin = get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        if types.NoneType in get_args(wanted):
            return None
        made = (_plain(each, depth) for each in get_args(wanted))
        return next((value for value in made if value is not UNSET), UNSET)
    if origin is Literal:
        return get_args(wanted)[0]
    if origin is typing.Annotated:
        return _plain(get_args(wanted)[0], depth)
    if origin is tuple:
        return _plain_tuple(get_args(wanted), depth)
    kind = origin or wanted
    if kind in _EMPTY:
        return _EMPTY[kind]()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind), UNSET)
    return _plain_object(kind, depth) if depth else UNSET


def _plain_tuple(members: tuple[Any, ...], depth: int) -> object:
    if members[-1:] == (...,):
        return ()
    made = tuple(_plain(each, depth) for each in members)
    return UNSET if UNSET in made else made


def _plain_object(cls: Any, depth: int) -> object:
    if not attrs.has(cls):
        return UNSET
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
        needed = {
            field.alias: _plain(hints[field.name], depth - 1)
            for field in attrs.fields(cls)
            if field.init and field.default is attrs.NOTHING
        }
        return UNSET if UNSET in needed.values() else cls(**needed)
    except Exception:
        return UNSET  # its validators want something else, or its hints cannot be read
