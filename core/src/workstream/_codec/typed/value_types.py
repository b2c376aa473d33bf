"""What writes and reads the values of one request or response type.

A response is stored when its plugin returns, so whether it could be read again is found
out then, by reading it. That trial costs more than all else that is done with a response,
and for most of them its outcome is known beforehand: of an attrs class without code of
its own, whose fields hold nothing but texts, numbers, flags and bytes of just the types
that it declares, nothing can be lost. Such a class is a **plain record**.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from functools import cached_property
from typing import Any, cast, get_args

import attrs
import cattrs

from ..._flow.late import Late
from ..._secrets.references import DataPath
from ..._secrets.scan import facts_of, may_hold_secrets
from ..._values.annotations import is_union
from ..._values.sameness import changed_at
from ..._values.wire import pack, unpack
from .converter import converter
from .forms import (
    DataError,
    Form,
    Hook,
    StructureHook,
    faults_in,
    is_array,
    is_dict,
    unsealed,
)
from .late_values import late_data, late_of, references_data
from .value_codec import MisfitError, Side

_TRIAL = b"\x00"
_PLAIN: tuple[Any, ...] = (str, bool, int, float, bytes, types.NoneType)
"""What msgpack carries exactly, whatever the value."""


class ValueType:
    """A request or response type, with the hooks that write and read its values."""

    def __init__(self, wanted: Any, *, drops_fields: bool = False) -> None:
        """See ``_codec.typed.converter.converter`` for ``drops_fields``."""
        self.wanted = wanted
        self._drops_fields = drops_fields
        self._plain = plain_record(wanted)
        self.write_plain = None if self._plain is None else self._plain.write
        # Cattrs can surely make hooks for a plain record, and does so once one is needed.
        if self._plain is None:
            _ = self._write, self._read

    @cached_property
    def _write(self) -> Hook:
        """What makes plain data of a value."""
        return self._stored.get_unstructure_hook(self.wanted)

    @cached_property
    def _read(self) -> StructureHook:
        """What makes a value of plain data, and of the type."""
        return self._stored.get_structure_hook(self.wanted)

    @property
    def _stored(self) -> cattrs.Converter:
        return converter(Form.STORED, drops_fields=self._drops_fields)

    def encode(self, value: object) -> list[Any]:
        """The stored form of a value."""
        secret: list[DataPath] = []
        if isinstance(value, Late):
            # Always with its class: the plugin may take several.
            data = unsealed(late_data(value, Form.STORED, tagged=True), secret)
            return [data, secret, references_data(value)]
        data = self._write(value)
        if facts_of(value).secrets:
            data = unsealed(data, secret)
        return [data, secret] if secret else [data]

    def decode_late(self, data: Any, references: Any) -> Any:
        """The request of this plain data that waits for responses."""
        try:
            return late_of(data, references, self.wanted, Form.STORED)
        except Exception as error:
            raise MisfitError(str(error)) from error

    def decode(self, data: Any) -> Any:
        """The value of this plain data. Raises ``MisfitError``."""
        if self._plain is not None:
            value = self._plain.read(data)
            if value is not None:
                return value
        try:
            return self._read(data, self.wanted)
        except Exception as error:
            raise self._misfit(data, error) from error

    def checked(self, value: object, side: Side) -> list[Any]:
        """The stored form of a value; see ``ValueCodec.checked``."""
        if self._plain is not None:
            data = self._plain.write(value)
            if data is not None:
                return [data]
        name = side.value
        try:
            form = self.encode(value)
            packed = pack(_TRIAL, form)
        except Exception as error:
            raise self._refused(value, name, error) from error
        try:
            stored = unpack(_TRIAL, packed)
            if isinstance(value, Late):
                back = self.decode_late(stored[0], stored[2])
            else:
                back = self._read(stored[0], self.wanted)
        except Exception as error:
            message = (
                f"the {name} cannot be stored, as it could not be read again: {error}"
            )
            raise TypeError(message) from error
        place = changed_at(value, back, name)
        if place is not None:
            message = (
                f"the {name} cannot be stored: {place} would come back as "
                "something else. Declare the type that it really has, and let every "
                "field that matters be an argument of its class"
            )
            raise TypeError(message)
        return form

    def _misfit(self, data: Any, error: Exception) -> Exception:
        """All that is wrong with data that could not be read, in one error."""
        thorough = converter(
            Form.STORED, finds_all=True, drops_fields=self._drops_fields
        )
        try:
            thorough.structure(data, self.wanted)
        except Exception as found:
            faults = faults_in(found, "")
            told = [f"{place.lstrip('.') or 'it'} {text}" for place, text in faults]
            return MisfitError("; ".join(told))
        return error

    def _refused(self, value: object, name: str, error: Exception) -> TypeError:
        """The error for a value that could not be written."""
        reason = str(error)
        if not isinstance(error, DataError):
            reason = f"it does not fit its declared type: {reason}"
        if isinstance(error, RecursionError) or "recursion" in reason:
            reason = "it refers to itself, or is nested too deeply"
        else:
            try:
                place = _foreign(unsealed(self._write(value), []), name)
            except Exception:
                place = None
            if place is not None:
                reason = f"{place[0]} is of type {place[1]}, which is no plain data"
        return TypeError(f"the {name} cannot be stored: {reason}")


def _foreign(data: Any, path: str) -> tuple[str, str] | None:
    """Where something sits in the data that is not plain, and what."""
    if data is None or isinstance(data, bool | int | float | str | bytes):
        return None
    parts: Iterable[tuple[Any, Any]]
    if is_dict(data):
        parts = data.items()
    elif is_array(data):
        parts = enumerate(data)
    else:
        return path, type(data).__name__
    found = (_foreign(part, f"{path}[{key!r}]") for key, part in parts)
    return next(filter(None, found), None)


# -- Plain records -------------------------------------------------------------------------


class PlainRecord:
    """Writes and reads the values of a plain class; None: that value goes the long way."""

    def __init__(self, cls: Any, fields: dict[str, tuple[type, ...]]) -> None:
        """``fields`` are the classes that each field may hold."""
        self._cls = cls
        self._names = tuple(fields)
        self._fields = tuple(fields.items())
        # Few combinations of classes are met, so each is looked at once.
        self._sound: set[tuple[type, ...]] = set()

    def write(self, value: object) -> dict[str, Any] | None:
        """The value as plain data."""
        if value.__class__ is not self._cls:
            return None
        data: dict[str, Any] = {}
        for name, classes in self._fields:
            part = data[name] = getattr(value, name)
            if part.__class__ not in classes:
                return None
        return data

    def read(self, data: Any) -> object | None:
        """The value of this plain data."""
        if not is_dict(data) or tuple(data) != self._names:
            return None
        found = tuple(map(type, data.values()))
        if found in self._sound or self._is_sound(found):
            return cast("object", self._cls(**data))
        return None

    def _is_sound(self, found: tuple[type, ...]) -> bool:
        """Whether the fields may hold values of these classes."""
        pairs = zip(found, self._fields, strict=True)
        sound = all(cls in classes for cls, (_, classes) in pairs)
        if sound:
            self._sound.add(found)
        return sound


def plain_record(wanted: Any) -> PlainRecord | None:
    """The writer and reader of a plain class; None for any other class."""
    if not _is_without_own_code(wanted) or may_hold_secrets(wanted):
        return None
    try:
        attributes = attrs.fields(attrs.resolve_types(wanted))
    except NameError:  # a type in quotes that cannot be found
        return None
    fields: dict[str, tuple[type, ...]] = {}
    for field in attributes:
        classes = _classes(field.type)
        own = not field.init or field.converter or field.validator
        if not classes or own or field.alias != field.name:
            return None
        fields[field.name] = classes
    return PlainRecord(wanted, fields)


@attrs.frozen
class _Frozen:
    """Has the ``__setattr__`` that attrs gives to frozen classes."""


def _is_without_own_code(wanted: Any) -> bool:
    """Whether nothing but attrs has a hand in making and reading an instance."""
    if not isinstance(wanted, type) or "__attrs_attrs__" not in vars(wanted):
        return False
    # attrs makes ``__attrs_init__`` where a class has an ``__init__`` of its own.
    if any(
        hasattr(wanted, f"__attrs_{step}__")
        for step in ("init", "pre_init", "post_init")
    ):
        return False
    cls: Any = wanted
    return (
        cls.__new__ is object.__new__
        and cls.__getattribute__ is object.__getattribute__
        and cls.__setattr__ in (object.__setattr__, _Frozen.__setattr__)
    )


def _classes(declared: Any) -> tuple[type, ...]:
    """The classes that a field so declared may hold; none if one of them is not plain.

    A union of two that are not None is tagged in the stored form (``_codec.typed.tags``) where
    plain data does not tell its members apart, so it goes the long way.
    """
    if declared in _PLAIN:
        return (declared,)
    members = get_args(declared) if is_union(declared) else ()
    if len(members) == 2 and types.NoneType in members:
        found = tuple(member for member in members if member in _PLAIN)
        return found if len(found) == 2 else ()
    return ()
