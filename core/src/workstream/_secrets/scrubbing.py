"""How secrets are removed from what is shown (CL-6, CL-8).

All of it goes by what ``_secrets.scan`` knows of a value's class, so that a value of a
class without secrets costs next to nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

import attrs

from .._flow.late import Flowing
from .._values.state import PluginError, chained, links_of
from .forms import forms, hide, hide_bytes
from .references import HIDDEN, DataPath, StoredValue
from .scan import FieldFacts, Kind, facts_of
from .walk import parts_of, rebuilt

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
"""Types that are no text, but show as one: a PIN, a path, an id."""


def scrub_value(value: Any) -> Any:
    """A deep copy of a request or response without its secrets, for showing (CL-6).

    A SECURE text becomes ``"[secret hidden]"``, anything else in a SECURE field its
    empty value: None where the field may be None. The class stays the same, and none
    of its own code is run: a validator would refuse what is put there.
    """
    if isinstance(value, StoredValue):
        data = _scrubbed_data(value.data, value.secret)
        return attrs.evolve(value, data=data)
    if not facts_of(value).secrets:
        return _copied(value)
    scrubbed = rebuilt(value, _scrubbed_part, keys=True)
    return _copied(value) if scrubbed is value else scrubbed


def _scrubbed_part(part: Any, field: FieldFacts | None) -> Any:
    if field is not None and field.secure and not isinstance(part, Flowing):
        return _emptied(part, field.optional)
    return scrub_value(part)


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


def secret_values(value: object) -> frozenset[str]:
    """The texts in the SECURE fields of a request or response, in any form met in output."""
    found: set[str] = set()
    if isinstance(value, StoredValue):
        for path in value.secret:
            _gather(_at(value.data, path), found)
    elif facts_of(value).secrets:
        _gather_secure(value, found)
    return _forms_of(found) if found else _NO_TEXTS


_NO_TEXTS: frozenset[str] = frozenset()


def texts_within(value: object) -> frozenset[str]:
    """All texts in a value that is secret as a whole, in any form met in output."""
    found: set[str] = set()
    _gather(value, found)
    return _forms_of(found)


def _forms_of(texts: set[str]) -> frozenset[str]:
    """The texts, in any form met in output."""
    return frozenset[str]().union(*map(forms, texts))


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
    if facts_of(value).secrets:
        for part, field in parts_of(value):
            if field is not None and field.secure:
                _gather(part, found)
            elif field is None or field.secrets:
                _gather_secure(part, found)


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
        for part, _ in parts_of(value):
            _gather(part, found)


def hide_within(value: Any, values: Collection[str]) -> Any:
    """A plugin's value, with the secrets hidden in all of its texts.

    The value itself is not changed; it is returned where there is nothing to hide.
    """
    if type(value) is str:
        return hide(value, values)
    if type(value) is bytes:
        return hide_bytes(value, values)
    if isinstance(value, PurePath):
        hidden = hide(str(value), values)
        return value if hidden == str(value) else type(value)(hidden)
    return rebuilt(value, lambda part, _: hide_within(part, values), keys=True)


def hide_in_error(
    error: PluginError | None, values: Collection[str]
) -> PluginError | None:
    """A copy of an error, and of those behind it, with the values hidden."""
    if error is None:
        return None
    return chained(
        [(hide(text, values), code, final) for text, code, final in links_of(error)]
    )
