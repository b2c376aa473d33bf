"""Which classes can hold secrets: found by their types, not by their values (REG-5).

``facts_of`` is asked on every attempt of every action, so what it finds out about a
class is kept: for a class without secrets, the answer costs one look into a dict.

A field may hold an instance of a subclass of its declared type, and a subclass may
have secrets of its own. So only fields of plain types (texts, numbers, times ...,
and collections of them) count as free of secrets; what is in all others is looked at
value by value.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import re
import sys
import types
import typing
import uuid
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs

from .references import IGNORE, MARK, SECURE, SecretRef

__all__ = ["ClassFacts", "FieldFacts", "facts_of", "may_hold_secrets", "secret_faults"]

SECRET_WORDS = frozenset({
    "auth", "authorization", "bearer", "cert", "cred", "credential", "credentials",
    "hash", "jwt", "key", "pass", "passphrase", "password", "secret", "secure",
    "signing", "token",
})  # fmt: skip
"""A field whose name has one of these words needs a mark (REG-4)."""

DEEPEST = 50
"""How many fields below one another are searched."""

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


@attrs.frozen
class FieldFacts:
    """What is known of one field of a class.

    Attributes:
        name: The field's name.
        secure: Whether it is marked SECURE.
        optional: Whether it may be None.
        secrets: Whether a SECURE field may sit in its value, or it is one.
        references: Whether a ``SecretRef`` may sit in its value.
    """

    name: str
    secure: bool
    optional: bool
    secrets: bool
    references: bool


@attrs.frozen
class ClassFacts:
    """What is known of a class of values.

    Attributes:
        kind: How an instance is looked into.
        fields: The fields of a record; otherwise none.
        secrets: Whether an instance may hold a SECURE field.
        references: Whether an instance may hold a ``SecretRef``.
    """

    kind: Kind
    fields: tuple[FieldFacts, ...]
    secrets: bool
    references: bool


_KNOWN: dict[type, ClassFacts] = {}


def facts_of(value: object) -> ClassFacts:
    """What is known of values of exactly this value's class."""
    try:
        return _KNOWN[type(value)]
    except KeyError:
        facts = _KNOWN[type(value)] = _class_facts(type(value))
        return facts


def _class_facts(cls: type) -> ClassFacts:
    if _is_record(cls):
        fields = tuple(_field_facts(*field) for field in _fields(cls))
        return ClassFacts(
            Kind.OPAQUE if cls is SecretRef else Kind.RECORD,
            fields,
            any(field.secrets for field in fields),
            cls is SecretRef or any(field.references for field in fields),
        )
    if issubclass(cls, dict):
        kind = Kind.MAPPING
    elif issubclass(cls, (list, tuple)):
        kind = Kind.SEQUENCE
    elif issubclass(cls, (set, frozenset)):
        kind = Kind.SET
    else:
        # Nothing can look into any other object, and the store refuses it.
        return ClassFacts(Kind.OPAQUE, (), False, False)
    return ClassFacts(kind, (), True, True)


@functools.cache
def may_hold_secrets(wanted: Any) -> bool:
    """Whether a value of this type may hold a SECURE field: False is certain.

    Args:
        wanted: A class, or any other annotation: a union, ``list[T]``, ``Any`` ...
    """
    if isinstance(wanted, type) and _is_record(wanted):
        return _class_facts(wanted).secrets
    return any(_holds_secrets(part) for part in _parts(wanted))


def secret_faults(wanted: Any) -> list[str]:
    """The fields that look like secrets and bear no mark (REG-4, REG-5).

    Args:
        wanted: A request or response type: a class, a union, ``None`` ...

    Returns:
        Dotted paths, each from the class that was asked about: ``CopyRequest.auth.token``.
        A field that can be reached in several ways is named once, by the shortest.
    """
    found: list[str] = []
    seen: set[Any] = set()
    # Breadth first: each field is named by the shortest way to it.
    waiting = deque([(wanted, "")])
    while waiting:
        holder, path = waiting.popleft()
        for part in _parts(holder):
            # A generic class may hold itself with ever longer arguments: no end of types.
            if part in seen or path.count(".") > DEEPEST:
                continue
            seen.add(part)
            for name, mark, field_type in _fields(part):
                here = f"{path or (get_origin(part) or part).__name__}.{name}"
                if name.startswith("_") or mark == SECURE[MARK]:
                    continue
                if mark != IGNORE[MARK] and _is_secret(name, field_type):
                    found.append(here)
                waiting.append((field_type, here))
    return found


def _is_secret(name: str, field_type: Any) -> bool:
    return _looks_secret(name) and not _is_reference(field_type)


def _looks_secret(name: str) -> bool:
    """Whether a word of the snake_case or camelCase name is a secret one (REG-4)."""
    words = [word.lower() for word in _WORD.findall(name)]
    # Several passwords are as secret as one.
    return any(SECRET_WORDS & {word, word.removesuffix("s")} for word in words)


def _is_reference(wanted: Any) -> bool:
    """Whether the type holds references only: SecretRef, optional, or several."""
    parts = [part for part in _parts(wanted, keys=False) if part is not types.NoneType]
    return bool(parts) and all(part is SecretRef for part in parts)


def _field_facts(name: str, mark: object, field_type: Any) -> FieldFacts:
    parts = list(_parts(field_type))
    secure = mark == SECURE[MARK]
    return FieldFacts(
        name=name,
        secure=secure,
        optional=types.NoneType in _parts(field_type, collections=False),
        secrets=secure or any(_holds_secrets(part) for part in parts),
        references=any(not _is_plain(part) for part in parts),
    )


def _holds_secrets(part: Any) -> bool:
    return part is not SecretRef and not _is_plain(part)


def _is_plain(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, _PLAIN)


def _is_record(cls: type) -> bool:
    return attrs.has(cls) or dataclasses.is_dataclass(cls)


def _is_named_tuple(cls: Any) -> bool:
    named = hasattr(cls, "_fields")
    return named and isinstance(cls, type) and issubclass(cls, tuple)


def _parts(
    wanted: Any,
    *,
    keys: bool = True,
    collections: bool = True,
    _seen: frozenset[Any] = frozenset(),
) -> Iterator[Any]:
    """The types that a value of this type is, or holds, down to single classes.

    Unions and collections are taken apart; a generic class stays as it was written.

    Args:
        wanted: Any annotation.
        keys: Whether the keys of mappings count.
        collections: Whether what a collection holds counts.
        _seen: The named aliases on the way here: they may refer to themselves.
    """
    deeper = functools.partial(_parts, keys=keys, collections=collections, _seen=_seen)
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is None:
        yield types.NoneType
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from deeper(argument)
    elif origin is typing.Literal:
        yield from {type(argument) for argument in arguments}
    elif origin in (
        typing.Annotated,
        typing.Final,
        typing.Required,
        typing.NotRequired,
    ):
        yield from deeper(arguments[0])
    elif isinstance(wanted, typing.NewType):
        yield from deeper(wanted.__supertype__)
    elif isinstance(wanted, TypeVar):
        if wanted.__constraints__:
            for constraint in wanted.__constraints__:
                yield from deeper(constraint)
        else:
            yield from deeper(wanted.__bound__ or Any)
    elif hasattr(wanted, "__value__"):  # an alias made by a ``type`` statement
        if wanted not in _seen:
            alias = wanted.__value__
            yield from _parts(
                alias, keys=keys, collections=collections, _seen=_seen | {wanted}
            )
    elif _is_collection(origin) and arguments:
        if not collections:
            return
        if not keys and issubclass(origin, Mapping):
            arguments = arguments[1:]
        for argument in arguments:
            if argument is not Ellipsis:
                yield from deeper(argument)
    else:
        yield wanted


def _is_collection(origin: Any) -> bool:
    # A generic record may be a collection too; its fields say more.
    if not isinstance(origin, type) or _is_record(origin):
        return False
    return issubclass(origin, Collection)


def _fields(wanted: Any) -> Iterator[tuple[str, object, Any]]:
    """Name, mark and type of each field of a class; none if it has no fields.

    Named tuples and typed dicts have fields too, which cannot be marked.
    """
    cls: Any = get_origin(wanted) or wanted
    marked: list[tuple[str, Any, Any]]
    if attrs.has(cls):
        marked = [
            (field.name, field.metadata, field.type) for field in attrs.fields(cls)
        ]
    elif dataclasses.is_dataclass(cls):
        marked = [
            (field.name, field.metadata, field.type)
            for field in dataclasses.fields(cls)
        ]
    elif typing.is_typeddict(cls):
        marked = [(name, {}, Any) for name in sorted(cls.__annotations__)]
    elif _is_named_tuple(cls):
        marked = [(name, {}, Any) for name in cls._fields]
    else:
        return
    hints = _hints(cls, {name: declared for name, _, declared in marked})
    bound = _bound(wanted)
    for name, metadata, _ in marked:
        yield name, metadata.get(MARK), _substituted(hints[name], bound)


def _hints(cls: Any, declared: dict[str, Any]) -> dict[str, Any]:
    """The types of the fields, with names in quotes looked up where that is possible.

    Where a name cannot be found, such as that of a local class, the field counts as
    ``Any``: what it holds is looked at value by value.
    """
    try:
        return declared | typing.get_type_hints(cls)
    except Exception:  # an annotation can be any expression
        scope: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            scope |= vars(sys.modules.get(base.__module__, typing))
            scope[base.__name__] = base
        return {name: _hint(wanted, scope) for name, wanted in declared.items()}


def _hint(wanted: Any, scope: dict[str, Any]) -> Any:
    carrier = types.SimpleNamespace(__annotations__={"it": wanted})
    try:
        return typing.get_type_hints(carrier, scope)["it"]
    except Exception:
        return Any


def _bound(wanted: Any) -> dict[Any, Any]:
    """What the type variables of a generic class, and of its bases, stand for."""
    bound: dict[Any, Any] = {}
    origin = get_origin(wanted)
    if origin is not None:
        bound.update(
            zip(getattr(origin, "__parameters__", ()), get_args(wanted), strict=False)
        )
    for base in getattr(origin or wanted, "__orig_bases__", ()):
        inner = _bound(base)
        bound.update(
            {name: _substituted(value, bound) for name, value in inner.items()}
        )
    return bound


def _substituted(wanted: Any, bound: dict[Any, Any]) -> Any:
    if isinstance(wanted, TypeVar):
        return bound.get(wanted, wanted)
    names = getattr(wanted, "__parameters__", ())
    if get_origin(wanted) is None or not any(name in bound for name in names):
        return wanted
    return wanted[tuple(bound.get(name, name) for name in names)]
