"""Which classes can hold secrets: found by their types, not by their values (REG-5).

``facts_of`` is asked on every attempt of every action, so what it finds out about a
class is kept: for a class without secrets, the answer costs one look into a dict.

A field may hold an instance of a subclass of its declared type, and a subclass may
have secrets of its own. So only fields of plain types (texts, numbers, times ...,
and collections of them) count as free of secrets; what is in all others is looked at
value by value.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import pathlib
import re
import types
import uuid
from typing import Any

import attrs

from .._flow.late import Flowing, Late
from .._values.annotations import (
    Field,
    fields_of,
    is_record,
    members,
    parts,
    records_below,
)
from .references import IGNORE, MARK, SECURE, Reference

SECRET_WORDS = frozenset({
    "auth", "authorization", "bearer", "cert", "cred", "credential", "credentials",
    "hash", "jwt", "key", "pass", "passphrase", "password", "secret", "secure",
    "signing", "token",
})  # fmt: skip
"""A field whose name has one of these words needs a mark (REG-4)."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_PLAIN: tuple[type, ...] = (
    str,
    bytes,
    int,
    float,
    complex,
    types.NoneType,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    decimal.Decimal,
    uuid.UUID,
    pathlib.PurePath,
    enum.Enum,
)
"""Classes whose instances hold nothing to look into; their subclasses neither."""


class Kind(enum.Enum):
    """How a value is looked into."""

    OPAQUE = enum.auto()
    RECORD = enum.auto()
    """Field by field: an instance of an attrs class or a dataclass."""
    MAPPING = enum.auto()
    SEQUENCE = enum.auto()
    SET = enum.auto()
    LATE = enum.auto()
    """Argument by argument: a request that waits for a response."""


_KINDS: dict[tuple[type, ...], Kind] = {
    (dict,): Kind.MAPPING,
    (list, tuple): Kind.SEQUENCE,
    (set, frozenset): Kind.SET,
}
"""How collections are looked into, those of subclasses too."""


@attrs.frozen
class FieldFacts:
    """The facts about one field of a class.

    Attributes:
        name: The field's name.
        secure: Whether it is marked SECURE.
        optional: Whether it may be None.
        secrets: Whether a SECURE field may sit in its value, or it is one.
        references: Whether a ``Reference`` may sit in its value.
    """

    name: str
    secure: bool
    optional: bool
    secrets: bool
    references: bool


@attrs.frozen
class ClassFacts:
    """The facts about a class of values.

    Attributes:
        kind: How an instance is looked into.
        fields: The fields of a record; otherwise none.
        secrets: Whether an instance may hold a SECURE field.
        references: Whether an instance is or may hold a ``Reference``.
    """

    kind: Kind
    fields: tuple[FieldFacts, ...]
    secrets: bool
    references: bool


_KNOWN: dict[type, ClassFacts] = {}


def facts_of(value: object) -> ClassFacts:
    """The facts about values of exactly this value's class."""
    try:
        return _KNOWN[type(value)]
    except KeyError:
        if isinstance(value, Late):
            made: Any = value.made
            return _late_facts(made)
        facts = _KNOWN[type(value)] = _class_facts(type(value))
        return facts


@functools.cache
def _late_facts(made: Any) -> ClassFacts:
    """What is known of a request of this class that waits for a response."""
    facts = _class_facts(made)
    return attrs.evolve(facts, kind=Kind.LATE, references=True)


def _class_facts(cls: type) -> ClassFacts:
    if issubclass(cls, Flowing):  # it says where a value is, and holds none
        return ClassFacts(Kind.OPAQUE, (), False, False)
    if issubclass(cls, Reference):
        return ClassFacts(Kind.OPAQUE, (), False, True)
    if is_record(cls):
        fields = tuple(map(_field_facts, fields_of(cls)))
        return ClassFacts(
            Kind.RECORD,
            fields,
            any(field.secrets for field in fields),
            any(field.references for field in fields),
        )
    for classes, kind in _KINDS.items():
        if issubclass(cls, classes):
            return ClassFacts(kind, (), True, True)
    # Nothing can look into any other object, and the store refuses it.
    return ClassFacts(Kind.OPAQUE, (), False, False)


@functools.cache
def may_hold_secrets(wanted: Any) -> bool:
    """Whether a value of this type may hold a SECURE field: False is certain.

    Args:
        wanted: A class, or any other annotation: a union, ``list[T]``, ``Any`` ...
    """
    if isinstance(wanted, type) and is_record(wanted):
        return _class_facts(wanted).secrets
    return any(_holds_secrets(part) for part in parts(wanted))


def secret_faults(wanted: Any) -> list[str]:
    """The fields that look like secrets and bear no mark (REG-4, REG-5).

    Args:
        wanted: A request or response type: a class, a union, ``None`` ...

    Returns:
        Dotted paths, each from the class that was asked about: ``CopyRequest.auth.token``.
        A field that can be reached in several ways is named once, by the shortest.
    """
    return [
        f"{path}.{field.name}"
        for path, _, fields in records_below(wanted, enter=_is_searched)
        for field in fields
        if _is_searched(field)
        and field.metadata.get(MARK) != IGNORE[MARK]
        and looks_secret(field.name)
        and not is_reference(field.type)
    ]


def _is_searched(field: Field) -> bool:
    return not field.name.startswith("_") and field.metadata.get(MARK) != SECURE[MARK]


def looks_secret(name: str) -> bool:
    """Whether a word of the snake_case or camelCase name is a secret one (REG-4)."""
    words = [word.lower() for word in _WORD.findall(name)]
    # Several passwords are as secret as one.
    return any(SECRET_WORDS & {word, word.removesuffix("s")} for word in words)


def is_reference(wanted: Any) -> bool:
    """Whether the type holds references only: SecretRef, optional, or several."""
    found = [part for part in parts(wanted, keys=False) if part is not types.NoneType]
    return bool(found) and all(_is_a(part, Reference) for part in found)


def _field_facts(field: Field) -> FieldFacts:
    below = list(parts(field.type))
    secure = field.metadata.get(MARK) == SECURE[MARK]
    return FieldFacts(
        name=field.name,
        secure=secure,
        optional=types.NoneType in members(field.type),
        secrets=secure or any(map(_holds_secrets, below)),
        references=not all(_is_a(part, *_PLAIN) for part in below),
    )


def _holds_secrets(part: Any) -> bool:
    return not _is_a(part, Reference, *_PLAIN)


def _is_a(part: Any, *classes: type) -> bool:
    return isinstance(part, type) and issubclass(part, classes)
