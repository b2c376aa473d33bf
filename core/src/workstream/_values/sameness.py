"""Whether a value that comes back is the one that was given, where ``==`` does not tell.

Python's ``==`` denies what is the same in two cases: not-a-number equals nothing, and a
time in a named zone equals no time of another zone while that zone's clocks change. So
these are compared by what they show. And ``==`` takes an enum that is also a number or
a text for that number or text.
"""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AnySet
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, cast

from .annotations import fields_of, is_record

_MISSING = object()


def changed_at(
    before: Any, after: Any, path: str, *, equal: bool = False
) -> str | None:
    """Where a value differs from another, as ``path.field[0]``; None: nowhere.

    A list and a tuple of the same items do not differ.

    Args:
        before: The value as it was given.
        after: The value that came back.
        path: What stands before the place.
        equal: Whether what holds them is equal: then only enums can differ.
    """
    if isinstance(before, enum.Enum) and type(before) is not type(after):
        return path
    equal = equal or _equal(before, after)
    try:
        inner = list(_side_by_side(before, after))
    except Exception:  # the code of strangers
        return None if equal else path
    found = (changed_at(old, new, path + at, equal=equal) for at, old, new in inner)
    return next(filter(None, found), None if equal or inner else path)


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same in all that ``==`` overlooks, too.

    ``==`` takes True for 1, 1 for 1.0, -0.0 for 0.0, ``Decimal("1.0")`` for
    ``Decimal("1.00")``, and a time for the same moment in another zone.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        items, others = cast("list[Any]", one), cast("list[Any]", other)
        both = zip(items, others, strict=False)
        return len(items) == len(others) and all(identical(*each) for each in both)
    if isinstance(one, dict):
        pairs = cast("Mapping[Any, Any]", one).items()
        return identical(list(pairs), list(other.items()))
    if isinstance(one, AnySet):
        members = cast("Collection[Any]", one)
        return sorted(map(repr, members)) == sorted(map(repr, other))
    if isinstance(one, (float, Decimal, datetime, time)):
        return repr(one) == repr(other)
    if is_record(type(one)):
        names = [field.name for field in fields_of(type(one))]
        return all(identical(getattr(one, n), getattr(other, n)) for n in names)
    return bool(one == other)


def _equal(before: Any, after: Any) -> bool:
    with contextlib.suppress(Exception):  # of a class whose own ``==`` fails
        if before == after:
            return True
    with contextlib.suppress(Exception):
        return bool(_key(before) == _key(after))
    return False


def _side_by_side(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """The parts of two values, with the way to them; none: they have none in common."""
    if _are(before, after, list, tuple):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield f"[{index}]", old, new
    elif _are(before, after, dict) or _are(before, after, AnySet):
        keys = {_key(key): key for key in after}
        for key, _ in zip(before, after, strict=True):
            back = keys.get(_key(key), _MISSING)
            yield f"[{key!r}]", key, back
            if _are(before, after, dict):
                yield f"[{key!r}]", before[key], after.get(back, _MISSING)
    elif is_record(type(before)) and type(before) is type(after):
        for field in fields_of(type(before)):
            if field.init:
                name = field.name
                yield f".{name}", getattr(before, name), getattr(after, name)


def _are(before: object, after: object, *classes: type) -> bool:
    return isinstance(before, classes) and isinstance(after, classes)


def _key(value: Any) -> Any:
    """What stands for a value where it is compared; the value itself as a rule."""
    if _are(value, value, tuple):
        return tuple(map(_key, value))
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value.astimezone(UTC), value.utcoffset()
    if isinstance(value, float) and math.isnan(value):
        return type(value), "nan"
    if isinstance(value, Decimal) and value.is_nan():
        return type(value), str(value)
    if is_record(type(value)):
        fields = fields_of(type(value))
        return type(value), *(_key(getattr(value, each.name)) for each in fields)
    return value
