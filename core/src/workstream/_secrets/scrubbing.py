"""How secrets are removed from what is shown (CL-6, CL-8).

All of it goes by what ``_secrets.scan`` knows of a value's class, so that a value of a
class without secrets costs next to nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

from .forms import forms, hide, hide_bytes
from .references import HIDDEN, DataPath, StoredValue
from .scan import Kind, facts_of

__all__ = [
    "hide_within",
    "rebuilt",
    "scrub_value",
    "secret_paths",
    "secret_values",
]

_EMPTY: tuple[type, ...] = (
    bool,
    int,
    float,
    complex,
    bytes,
    list,
    tuple,
    dict,
    set,
    frozenset,
)

_AS_TEXT = (int, Decimal, PurePath, UUID)
"""What is no text, but shows as one: a PIN, a path, an id."""

_MISSING = object()


def secret_paths(value: object) -> tuple[DataPath, ...]:
    """Where the SECURE fields of a value sit in its plain form.

    The plain form is the one in which it is stored: a record is a dict by field names,
    a collection a list. Where something secret is inside a set, or under a key that is
    no text or whole number, the set or the whole mapping is meant.
    """
    if isinstance(value, StoredValue):
        return value.secret
    return tuple(_paths(value, ())) if facts_of(value).secrets else ()


def _paths(value: Any, at: DataPath) -> Iterator[DataPath]:
    facts = facts_of(value)
    if not facts.secrets:
        return
    if facts.kind is Kind.RECORD:
        for field in facts.fields:
            if field.secure:
                yield (*at, field.name)
            elif field.secrets:
                yield from _paths(getattr(value, field.name, None), (*at, field.name))
    elif facts.kind is Kind.MAPPING:
        if all(type(key) in (str, int) for key in value):
            for key, entry in value.items():
                yield from _paths(entry, (*at, key))
        elif any(True for pair in value.items() for _ in _paths(pair, at)):
            yield at
    elif facts.kind is Kind.SET:
        if any(True for entry in value for _ in _paths(entry, at)):
            yield at
    else:
        for index, entry in enumerate(value):
            yield from _paths(entry, (*at, index))


def scrub_value(value: Any) -> Any:
    """A deep copy of a request or response without its secrets, for showing (CL-6).

    A SECURE text becomes ``"[secret hidden]"``, anything else in a SECURE field its
    empty value: None where the field may be None. The class stays the same, and none
    of its own code is run: a validator would refuse what is put there.
    """
    if isinstance(value, StoredValue):
        return StoredValue(_scrubbed_data(value.data, value.secret), value.secret)
    facts = facts_of(value)
    if not facts.secrets:
        return _copied(value)
    if facts.kind is Kind.RECORD:
        scrubbed = copy.copy(value)
        for field in facts.fields:
            old = getattr(value, field.name, _MISSING)
            if old is not _MISSING:
                new = (
                    _emptied(old, field.optional) if field.secure else scrub_value(old)
                )
                object.__setattr__(scrubbed, field.name, new)
        return scrubbed
    if facts.kind is Kind.MAPPING:
        return {scrub_value(key): scrub_value(entry) for key, entry in value.items()}
    return rebuilt(value, [scrub_value(entry) for entry in value])


def _scrubbed_data(data: Any, paths: Collection[DataPath]) -> Any:
    if not paths:
        return _copied(data)
    if () in paths:
        return _emptied(data, optional=False)
    # Steps are compared as texts: a key that travelled as JSON is one by now.
    below: dict[str, list[DataPath]] = {}
    for path in paths:
        below.setdefault(str(path[0]), []).append(path[1:])
    kind = facts_of(data).kind
    if kind is Kind.MAPPING:
        return {
            key: _scrubbed_data(entry, below.get(str(key), ()))
            for key, entry in data.items()
        }
    if kind is Kind.SEQUENCE:
        return [
            _scrubbed_data(entry, below.get(str(index), ()))
            for index, entry in enumerate(data)
        ]
    return _copied(data)  # None stands where the record with the secret may be


def _emptied(value: Any, optional: bool) -> Any:
    if isinstance(value, str):
        return HIDDEN
    if optional or type(value) not in _EMPTY:
        return None
    return type(value)()


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # a copy for showing: better the thing itself than none at all
        return value


def rebuilt(value: Any, entries: list[Any]) -> Any:
    """A list, tuple or set of the same class, with other entries."""
    make = getattr(value, "_make", None)  # of a named tuple
    return make(entries) if make is not None else type(value)(entries)


def secret_values(value: object) -> frozenset[str]:
    """The texts in the SECURE fields of a request or response, in any form met in output."""
    found: set[str] = set()
    if isinstance(value, StoredValue):
        for path in value.secret:
            _gather(_at(value.data, path), found)
    elif facts_of(value).secrets:
        _gather_secure(value, found)
    if not found:
        return _NO_TEXTS
    return frozenset(form for text in found for form in forms(text))


_NO_TEXTS: frozenset[str] = frozenset()


def _at(data: Any, path: DataPath) -> Any:
    for step in path:
        kind = facts_of(data).kind
        if kind is Kind.MAPPING:
            data = data.get(step, data.get(str(step)))
        elif kind is Kind.SEQUENCE and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _gather_secure(value: Any, found: set[str]) -> None:
    facts = facts_of(value)
    if not facts.secrets:
        return
    if facts.kind is Kind.RECORD:
        for field in facts.fields:
            if field.secure:
                _gather(getattr(value, field.name, None), found)
            elif field.secrets:
                _gather_secure(getattr(value, field.name, None), found)
    else:
        for entry in value.values() if facts.kind is Kind.MAPPING else value:
            _gather_secure(entry, found)


def _gather(value: Any, found: set[str]) -> None:
    """All texts in what a SECURE field holds, whatever it is."""
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, bytes):
        found.add(value.decode(errors="ignore"))
    elif isinstance(value, _AS_TEXT):
        if type(value) is not bool:
            found.add(str(value))
    else:
        facts = facts_of(value)
        if facts.kind is Kind.RECORD:
            for field in facts.fields:
                _gather(getattr(value, field.name, None), found)
        elif facts.kind is not Kind.OPAQUE:
            for entry in value.values() if facts.kind is Kind.MAPPING else value:
                _gather(entry, found)


def hide_within(value: Any, values: Collection[str]) -> Any:
    """What a plugin gave, with the values hidden in all of its texts.

    The value itself is not changed; it is returned where there is nothing to hide. A
    copy has the same class, and none of its own code is run.
    """
    if type(value) is str:
        return hide(value, values)
    if type(value) is bytes:
        return hide_bytes(value, values)
    if isinstance(value, PurePath):
        hidden = hide(str(value), values)
        return value if hidden == str(value) else type(value)(hidden)
    facts = facts_of(value)
    if facts.kind is Kind.OPAQUE:
        return value
    if facts.kind is Kind.RECORD:
        changed = value
        for field in facts.fields:
            old = getattr(value, field.name, None)
            new = hide_within(old, values)
            if _differs(new, old):
                if changed is value:
                    changed = copy.copy(value)
                object.__setattr__(changed, field.name, new)
        return changed
    if facts.kind is Kind.MAPPING:
        pairs = [
            (hide_within(key, values), hide_within(entry, values))
            for key, entry in value.items()
        ]
        if not any(
            _differs(key, old_key) or _differs(entry, old)
            for (key, entry), (old_key, old) in zip(pairs, value.items(), strict=True)
        ):
            return value
        same_class = copy.copy(value)
        same_class.clear()
        same_class.update(pairs)
        return same_class
    old_entries: list[Any] = list(value)
    entries = [hide_within(entry, values) for entry in old_entries]
    unchanged = not any(map(_differs, entries, old_entries))
    return value if unchanged else rebuilt(value, entries)


def _differs(new: object, old: object) -> bool:
    # Strangers' == is not asked: a copy was made if, and only if, something was hidden.
    return new != old if isinstance(new, (str, bytes)) else new is not old
