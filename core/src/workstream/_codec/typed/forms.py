"""What all of the converter's parts share: the forms, the tags, the errors.

The design is told at the head of ``_codec.typed.converter``.
"""

from __future__ import annotations

import difflib
import enum
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeGuard, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)

from ..._secrets.references import MARK, SECURE, DataPath, SecretRef
from ..._values.annotations import Field
from ..._values.annotations import is_record as has_fields

TAG = "$type"
"""The key that says which member of a union, or which class, follows."""
VALUE = "value"
"""The key beside the tag, of what is no dict of fields."""

ANY = (Any, object)
"""Declarations that say nothing of what a field holds."""

Hook = Callable[[Any], Any]
StructureHook = Callable[[Any, Any], Any]


class Form(enum.Enum):
    """What the plain data is for; see ``_codec.typed.converter``."""

    STORED = "stored"
    JSON = "json"


def is_record(cls: Any) -> bool:
    """Whether plain data holds the type's values as dicts of their fields."""
    return has_fields(cls) and (get_origin(cls) or cls) is not SecretRef


class DataError(TypeError):
    """A value, or data, is not what its declared type says: in words for people."""


class Sealed:
    """What a SECURE field becomes in the STORED form, until ``unsealed`` opens it."""

    def __init__(self, data: Any) -> None:
        self.data = data


def is_secure(field: Field) -> bool:
    """Whether the field is marked as a secret."""
    return bool(field.metadata.get(MARK) == SECURE[MARK])


def unsealed(data: Any, secret: list[DataPath], at: DataPath = ()) -> Any:
    """The data, with all that is sealed opened; where that lies goes into ``secret``."""
    if isinstance(data, Sealed):
        secret.append(at)
        return unsealed(data.data, [])
    if is_dict(data):
        return {key: unsealed(part, secret, (*at, key)) for key, part in data.items()}
    if is_array(data):
        return [unsealed(part, secret, (*at, i)) for i, part in enumerate(data)]
    return data


def class_of(value: object) -> type[Any]:
    """The value's class."""
    return type(value)


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether it is a dict, of anything."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether it is a list or a tuple, of anything."""
    return isinstance(value, list | tuple)


def opened(value: Any, *names: str) -> Any:
    """What stands beside one of these tags; any other value as it is.

    JSON that was written where the declared type was not at hand says of each value what
    it is, also where the type would have told.
    """
    if is_dict(value) and value.get(TAG) in names and VALUE in value:
        return value[VALUE]
    return value


def late_unstructure(made: cattrs.Converter, wanted: Any) -> Hook:
    """The hook for a type; one that refers to itself is looked up when it is used."""
    try:
        return made.get_unstructure_hook(wanted)
    except RecursionError:
        return lambda value: made.unstructure(value, unstructure_as=wanted)


def late_structure(made: cattrs.Converter, wanted: Any) -> StructureHook:
    """See ``late_unstructure``."""
    try:
        return made.get_structure_hook(wanted)
    except RecursionError:
        return made.structure


# A subclass of str whose arguments pyright does not see.
_note: Any = IterableValidationNote


def each(parts: Iterable[tuple[Any, Any]], structure: Hook, wanted: Any) -> list[Any]:
    """Structure every part, given with its index or key; raise all faults at once."""
    made: list[Any] = []
    errors: list[Exception] = []
    for index, part in parts:
        try:
            made.append(structure(part))
        except Exception as error:
            note = _note(f"at {index!r}", index, wanted)
            error.add_note(note)
            errors.append(error)
    if errors:
        message = "some parts are wrong"
        raise IterableValidationError(message, errors, list)  # pyright: ignore[reportCallIssue]
    return made


def ordered(items: Iterable[Any]) -> list[Any]:
    """What a set holds, in an order that is the same in every process."""
    found = list(items)
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=repr)


_KIND_NAMES: Mapping[type, str] = {
    types.NoneType: "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    bytes: "bytes",
    list: "a list",
    dict: "an object",
}


def wrong(value: object, wanted: type) -> DataError:
    """The error for a value that is not of the wanted type."""
    return DataError(f"must be {kind_name(wanted)}, not {shown(value)}")


def kind_name(wanted: type) -> str:
    """What people call values of this type."""
    known = _KIND_NAMES.get(wanted)
    return known or f"an object with the fields of {wanted.__name__.lstrip('_')}"


def shown(value: object) -> str:
    """What kind of value this is; never the value itself, as it may be a secret."""
    return _KIND_NAMES.get(type(value), type(value).__name__)


# -- What cattrs found wrong ---------------------------------------------------------------


def faults_in(error: Exception, path: str) -> Iterator[tuple[str, str]]:
    """Each single fault with its place in the data, from a converter that finds all."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        # A name that is not known may be one that is missing: it is told first.
        for inner in sorted(error.exceptions, key=_is_no_name):
            yield from faults_in(inner, path + _step(inner))
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        for name in sorted(error.extra_fields):
            yield below(path, name), f"is not a field{nearest(name, known)}"
    elif isinstance(error, KeyError):
        yield path, "is missing"
    else:
        yield path, str(error)


def below(path: str, name: str) -> str:
    """The path of a field of what is at a path."""
    return f"{path}.{name}" if path else name


def nearest(name: str, known: Collection[str]) -> str:
    """Which of the known names may be meant, if any."""
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _step(error: BaseException) -> str:
    """Where in the object or list around it the error came up."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index!r}]"
    return ""


def _is_no_name(error: Exception) -> bool:
    """Whether it tells of anything else than names that are no fields."""
    return not isinstance(error, ForbiddenExtraKeysError)
