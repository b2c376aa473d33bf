"""How secrets are removed from what is shown, and references resolved (CL-6, CL-8).

All of it goes by what ``_plan.secret_scan`` knows of a value's class, so that a value of a
class without secrets costs next to nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from .._values.errors import SecretError
from .secret_refs import HIDDEN, DataPath, SecretRef, StoredValue
from .secret_scan import Kind, facts_of

__all__ = [
    "hide",
    "hide_bytes",
    "hide_within",
    "resolve",
    "scrub_value",
    "secret_paths",
    "secret_values",
]

SHORTEST = 4
"""A shorter text is not looked for: hiding each "a" would make every message useless."""

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
    return _rebuilt(value, [scrub_value(entry) for entry in value])


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


def _rebuilt(value: Any, entries: list[Any]) -> Any:
    """A list, tuple or set of the same class, with other entries."""
    make = getattr(value, "_make", None)  # of a named tuple
    return make(entries) if make is not None else type(value)(entries)


def resolve(
    request: object, resolvers: Mapping[str, Callable[[str], str]]
) -> tuple[object, frozenset[str]]:
    """The request with its references resolved, and every secret text that is in it.

    Args:
        request: As the plan holds it; it is not changed.
        resolvers: What looks a secret up, by scheme; called with the reference's rest.

    Returns:
        A copy whose ``SecretRef`` objects can be revealed, or the request itself where
        there is nothing to resolve; and the texts to hide from messages, notes and
        output, by ``hide``: the resolved ones and those of SECURE fields.

    Raises:
        SecretError: It names the reference that failed and why, never a value.
    """
    facts = facts_of(request)
    values: frozenset[str] = secret_values(request) if facts.secrets else frozenset()
    if not facts.references:
        return request, values
    resolution = _Resolution(resolvers)
    resolved = resolution.of(request)
    for ref in resolution.found.values():
        values |= _forms(ref.reveal())
    return resolved, values


class _Resolution:
    """One pass over one request: each reference is looked up once."""

    def __init__(self, resolvers: Mapping[str, Callable[[str], str]]) -> None:
        self.resolvers = resolvers
        self.found: dict[SecretRef, SecretRef] = {}

    def of(self, value: Any) -> Any:
        """The value with its references resolved; itself where there are none."""
        if isinstance(value, SecretRef):
            return self.resolved(value)
        facts = facts_of(value)
        if not facts.references:
            return value
        if facts.kind is Kind.RECORD:
            return self.record(value, [f.name for f in facts.fields if f.references])
        if facts.kind is Kind.MAPPING:
            changed = {key: self.of(entry) for key, entry in value.items()}
            if all(changed[key] is entry for key, entry in value.items()):
                return value
            same_class = copy.copy(value)
            same_class.update(changed)
            return same_class
        old: list[Any] = list(value)
        new = [self.of(entry) for entry in old]
        unchanged = all(a is b for a, b in zip(old, new, strict=True))
        return value if unchanged else _rebuilt(value, new)

    def record(self, value: Any, names: list[str]) -> Any:
        changed = value
        for name in names:
            old = getattr(value, name, None)
            new = self.of(old)
            if new is not old:
                if changed is value:
                    changed = copy.copy(value)
                object.__setattr__(changed, name, new)
        return changed

    def resolved(self, ref: SecretRef) -> SecretRef:
        if ref not in self.found:
            self.found[ref] = ref.resolved(self.value_of(ref))
        return self.found[ref]

    def value_of(self, ref: SecretRef) -> str:
        resolver = self.resolvers.get(ref.scheme)
        if resolver is None:
            known = ", ".join(sorted(self.resolvers)) or "none"
            message = (
                f"the secret {ref.reference!r} cannot be resolved: no installed package "
                f"knows the scheme {ref.scheme!r} (known: {known})"
            )
            raise SecretError(message)
        try:
            # A resolver of a package without type annotations may return anything.
            value: Any = resolver(ref.rest)
        except SecretError as error:
            message = f"the secret {ref.reference!r} cannot be resolved: {error}"
            raise SecretError(message) from None
        except Exception as error:
            # Its text, and its traceback, may hold what was being looked up.
            message = (
                f"the secret {ref.reference!r} cannot be resolved: the resolver of "
                f"{ref.scheme!r} failed with {type(error).__name__}"
            )
            raise SecretError(message) from None
        if not isinstance(value, str) or not value:
            what = "an empty text" if value == "" else f"a {type(value).__name__}"
            message = (
                f"the secret {ref.reference!r} cannot be resolved: the resolver of "
                f"{ref.scheme!r} gave {what} instead of a text"
            )
            raise SecretError(message)
        return value


def secret_values(value: object) -> frozenset[str]:
    """The texts in the SECURE fields of a request or response, in any form met in output."""
    found: set[str] = set()
    if isinstance(value, StoredValue):
        for path in value.secret:
            _gather(_at(value.data, path), found)
    elif facts_of(value).secrets:
        _gather_secure(value, found)
    return frozenset(form for text in found for form in _forms(text))


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
    else:
        facts = facts_of(value)
        if facts.kind is Kind.RECORD:
            for field in facts.fields:
                _gather(getattr(value, field.name, None), found)
        elif facts.kind is not Kind.OPAQUE:
            for entry in value.values() if facts.kind is Kind.MAPPING else value:
                _gather(entry, found)


def _forms(text: str) -> frozenset[str]:
    """The text as it may appear in messages: in a URL, in quotes, line by line."""
    forms = {text, text.strip(), quote(text, safe=""), repr(text)[1:-1]}
    lines = text.splitlines()
    if len(lines) > 1:
        forms.update(line.strip() for line in lines)
    return frozenset(form for form in forms if form)


def hide(text: str, values: Collection[str]) -> str:
    """The text with each of the values replaced by ``"[secret hidden]"``.

    Where values overlap or hold one another, the whole stretch is replaced once.
    Values shorter than four characters are not looked for.
    """
    stretches: list[tuple[int, int]] = []
    for value in values:
        if len(value) < SHORTEST:
            continue
        start = text.find(value)
        while start != -1:
            stretches.append((start, start + len(value)))
            start = text.find(value, start + 1)
    if not stretches:
        return text
    pieces: list[str] = []
    shown = 0
    hidden = -1
    for start, end in sorted(stretches):
        if start >= hidden:
            pieces += (text[shown:start], HIDDEN)
        hidden = max(hidden, end)
        shown = hidden
    pieces.append(text[shown:])
    return "".join(pieces)


def hide_bytes(data: bytes, values: Collection[str]) -> bytes:
    """The same for bytes; what is no UTF-8 in them stays as it is."""
    # Each such byte has a character of its own, and gets back from it.
    text = data.decode(errors="surrogateescape")
    hidden = hide(text, values)
    return data if hidden == text else hidden.encode(errors="surrogateescape")


def hide_within(value: Any, values: Collection[str]) -> Any:
    """What a plugin gave, with the values hidden in all of its texts.

    The value itself is not changed; it is returned where there is nothing to hide. A
    copy has the same class, and none of its own code is run.
    """
    if type(value) is str:
        return hide(value, values)
    if type(value) is bytes:
        return hide_bytes(value, values)
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
    return value if unchanged else _rebuilt(value, entries)


def _differs(new: object, old: object) -> bool:
    # Strangers' == is not asked: a copy was made if, and only if, something was hidden.
    return new != old if isinstance(new, (str, bytes)) else new is not old
