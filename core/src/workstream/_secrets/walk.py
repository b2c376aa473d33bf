"""Into the parts of a value and back: the one walk of all that looks for secrets.

It goes by what ``_secrets.scan`` knows of a value's class. Only attrs classes, dataclasses
and collections have parts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from .scan import FieldFacts, Kind, facts_of

_MISSING = object()


def parts_of(value: Any) -> Iterator[tuple[Any, FieldFacts | None]]:
    """The parts of a value; those of a record with the facts about their fields."""
    facts = facts_of(value)
    if facts.kind in (Kind.RECORD, Kind.LATE):
        held = value.arguments if facts.kind is Kind.LATE else None
        for field in facts.fields:
            part = (
                getattr(value, field.name, _MISSING)
                if held is None
                else held.get(field.name, _MISSING)
            )
            if part is not _MISSING:
                yield part, field
    elif facts.kind is not Kind.OPAQUE:
        for part in value.values() if facts.kind is Kind.MAPPING else value:
            yield part, None


def rebuilt(
    value: Any, change: Callable[[Any, FieldFacts | None], Any], *, keys: bool = False
) -> Any:
    """A copy with other parts; the value itself where all parts stay the same.

    The copy has the same class, and none of its own code is run: a validator might
    refuse what is put there.

    Args:
        value: Anything; it is not changed.
        change: Says what stands in a part's place; given as ``parts_of`` gives them.
        keys: Whether the keys of mappings are changed as well.
    """
    facts = facts_of(value)
    if facts.kind in (Kind.RECORD, Kind.LATE):
        changed: dict[str, Any] = {}
        for part, field in parts_of(value):
            assert field is not None
            new = change(part, field)
            if new is not part:
                changed[field.name] = new
        if not changed:
            return value
        if facts.kind is Kind.LATE:
            return attrs.evolve(value, arguments={**value.arguments, **changed})
        made = copy.copy(value)
        for name, new in changed.items():
            object.__setattr__(made, name, new)
        return made
    old = [part for part, _ in parts_of(value)]
    new_parts = [change(part, None) for part in old]
    if facts.kind is Kind.MAPPING and keys:
        old += value
        new_parts += [change(key, None) for key in value]
    if all(a is b for a, b in zip(old, new_parts, strict=True)):
        return value
    if facts.kind is Kind.MAPPING:
        made = copy.copy(value)
        made.clear()
        made.update(zip(new_parts[len(value) :] or value, new_parts, strict=False))
        return made
    make = getattr(value, "_make", None)  # of a named tuple
    return make(new_parts) if make is not None else type(value)(new_parts)
