"""Single values that travel as a text: times, ids, paths, addresses, decimals.

The text is the usual one of each (ISO 8601, dotted quads ...), so that people can read
and write it; a timedelta is its number of seconds. Each comes back exactly; of a time
with a zone, what comes back is the same moment with the zone's offset.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

_MICRO = timedelta(microseconds=1)
_EXACT_IN_FLOATS = timedelta(microseconds=2**53)


def _seconds(duration: timedelta) -> int | float | str:
    if not duration.microseconds:
        return duration.days * 86_400 + duration.seconds
    # Beyond some 285 years a float no longer tells single microseconds apart.
    if abs(duration) < _EXACT_IN_FLOATS:
        return duration.total_seconds()
    return str(Decimal(duration // _MICRO) / 1_000_000)


def _duration(value: Any) -> timedelta:
    if isinstance(value, str):
        return int(Decimal(value) * 1_000_000) * _MICRO
    return timedelta(seconds=value)


def _isoformat(value: Any) -> str:
    return str(value.isoformat())


_IP_CLASSES: tuple[type, ...] = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)

LEAVES: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: (_isoformat, datetime.fromisoformat),
    date: (_isoformat, date.fromisoformat),
    time: (_isoformat, time.fromisoformat),
    timedelta: (_seconds, _duration),
    UUID: (str, UUID),
    Decimal: (str, Decimal),
    Path: (str, Path),
    PurePosixPath: (str, PurePosixPath),
    PureWindowsPath: (str, PureWindowsPath),
    PurePath: (str, PurePath),
    **{cls: (str, cls) for cls in _IP_CLASSES},
}
"""Each class with what makes it plain and what makes it of the plain form."""

LEAVES_BY_NAME: dict[str, type] = {cls.__name__: cls for cls in LEAVES}


def _known(cls: type) -> type:
    """The class of the table that this one is, or the nearest above it."""
    return next(base for base in cls.__mro__ if base in LEAVES)


def leaf_name(cls: type) -> str | None:
    """By which name the class of a value goes; None: it is not one of these."""
    return next((base.__name__ for base in cls.__mro__ if base in LEAVES), None)


def leaf_of(value: Any) -> Any:
    """The value's plain form."""
    cls: type[Any] = value.__class__
    return LEAVES[_known(cls)][0](value)


def leaf_from(data: Any, cls: Any) -> Any:
    """The value of this class whose plain form is given."""
    numbers = (int, float) if issubclass(cls, timedelta) else ()
    if not isinstance(data, (str, *numbers)) or isinstance(data, bool):
        message = f"must be the text of a {cls.__name__}, not {type(data).__name__}"
        raise TypeError(message)
    try:
        return LEAVES[_known(cls)][1](data)
    except (ValueError, ArithmeticError) as error:
        message = f"is not the text of a {cls.__name__}"
        raise ValueError(message) from error
