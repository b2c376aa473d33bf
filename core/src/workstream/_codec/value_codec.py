"""Requests and responses in their stored form, and out of it again (STO-7, STO-8).

The stored form is None, or an array: the plain data, then, where there are SECURE
fields, the paths of these. What the plain data looks like is told in ``_codec.converter``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .._protocols.plugin import AnyPlugin
from .._secrets.references import DataPath, StoredValue
from .._secrets.scan import facts_of
from .._values.sameness import changed_at
from .._values.wire import pack, unpack
from .plain_records import plain_form_of

_TRIAL = b"\x00"


class MisfitError(TypeError):
    """Stored data does not fit the type that its plugin has now."""


class Plugins(Protocol):
    """Where plugins are looked up: a registry, as a rule."""

    def get(self, name: str, /) -> AnyPlugin | None:
        """The plugin of this name, or None."""
        ...


class Side(enum.Enum):
    """Which of a plugin's two types is meant."""

    REQUEST = "request"
    RESPONSE = "response"


class ValueCodec:
    """Knows the types of the plugins at hand."""

    def __init__(self, plugins: Plugins | None) -> None:
        self._plugins = plugins
        self._requests: dict[str, _Type] = {}
        self._responses: dict[str, _Type] = {}

    def encode(self, plugin: str, side: Side, value: object) -> Any:
        """The stored form of a value that ``checked`` has passed."""
        if value is None:
            return None
        if isinstance(value, StoredValue):
            return [value.data, value.secret] if value.secret else [value.data]
        return self._type_of(plugin, side, value).encode(value)

    def decode(self, plugin: str, side: Side, stored: Any) -> Any:
        """The value whose stored form this is.

        Raises:
            MisfitError: It does not fit the plugin's type; all that is wrong is told.
            Exception: It is no such form.
        """
        if stored is None:
            return None
        data, *secret = stored
        wanted = self._type(plugin, side)
        if wanted is None:
            paths = secret[0] if secret else ()
            return StoredValue(data, tuple(tuple(path) for path in paths))
        try:
            return wanted.read(data, wanted.wanted)
        except Exception as error:
            raise wanted.misfit(data, error) from error

    def checked(self, plugin: str, side: Side, value: object) -> Any:
        """The stored form of a value, once it is sure that it can be read again.

        Raises:
            TypeError: It cannot be; the message says where in the value, and why.
        """
        if value is None or isinstance(value, StoredValue):
            return self.encode(plugin, side, value)
        try:
            wanted = self._type(plugin, side) or _Type(type(value))
        except Exception as error:
            message = f"the {side.value} cannot be stored: {error}"
            raise TypeError(message) from error
        if wanted.plain_form is not None:
            data = wanted.plain_form(value)
            if data is not None:
                return [data]
        try:
            form = wanted.encode(value)
            packed = pack(_TRIAL, form)
        except Exception as error:
            raise _refused(side, value, wanted, error) from error
        try:
            back = wanted.read(unpack(_TRIAL, packed)[0], wanted.wanted)
        except Exception as error:
            message = (
                f"the {side.value} cannot be stored, as it could not be read again: "
                f"{error}"
            )
            raise TypeError(message) from error
        place = changed_at(value, back, side.value)
        if place is not None:
            message = (
                f"the {side.value} cannot be stored: {place} would come back as "
                "something else. Declare the type that it really has, and let every "
                "field that matters be an argument of its class"
            )
            raise TypeError(message)
        return form

    def _type_of(self, plugin: str, side: Side, value: object) -> _Type:
        return self._type(plugin, side) or _Type(type(value))

    def _type(self, plugin: str, side: Side) -> _Type | None:
        types = self._requests if side is Side.REQUEST else self._responses
        known = types.get(plugin)
        if known is not None:
            return known
        found = None if self._plugins is None else self._plugins.get(plugin)
        if found is None:
            return None
        wanted = found.request_type if side is Side.REQUEST else found.response_type
        made = types[plugin] = _Type(wanted, drops_fields=side is Side.RESPONSE)
        return made


class _Type:
    """A request or response type, with the hooks that write and read its values."""

    def __init__(self, wanted: Any, *, drops_fields: bool = False) -> None:
        from .converter import converter
        from .forms import Form

        stored = converter(Form.STORED, drops_fields=drops_fields)
        self.wanted = wanted
        self._drops_fields = drops_fields
        self.plain_form = plain_form_of(wanted)
        self._write: Callable[[Any], Any] = stored.get_unstructure_hook(wanted)
        self.read: Callable[[Any, Any], Any] = stored.get_structure_hook(wanted)

    def encode(self, value: object) -> list[Any]:
        data = self._write(value)
        if facts_of(value).secrets:
            secret = self._secret_paths(value)
            if secret:
                return [data, secret]
        return [data]

    def misfit(self, data: Any, error: Exception) -> Exception:
        """All that is wrong with data that could not be read, in one error."""
        from .converter import converter
        from .forms import Form, faults_in

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

    def _secret_paths(self, value: object) -> list[DataPath]:
        from .converter import converter
        from .forms import Form, marks_in

        marked = converter(Form.MARKED)
        return marks_in(marked.unstructure(value, unstructure_as=self.wanted))


# -- What cannot be stored -------------------------------------------------------------


def _refused(side: Side, value: object, wanted: _Type, error: Exception) -> TypeError:
    from .forms import DataError

    reason = str(error)
    if not isinstance(error, DataError):
        reason = f"it does not fit its declared type: {reason}"
    if isinstance(error, RecursionError) or "recursion" in reason:
        reason = "it refers to itself, or is nested too deeply"
    else:
        try:
            data = wanted.encode(value)[0]
        except Exception:
            pass
        else:
            place = _foreign(data, side.value)
            if place is not None:
                reason = f"{place[0]} is of type {place[1]}, which is no plain data"
    return TypeError(f"the {side.value} cannot be stored: {reason}")


def _foreign(data: Any, path: str) -> tuple[str, str] | None:
    """Where something sits in the data that is not plain, and what."""
    if data is None or isinstance(data, bool | int | float | str | bytes):
        return None
    from .forms import is_array, is_dict

    parts: Iterable[tuple[Any, Any]]
    if is_dict(data):
        parts = data.items()
    elif is_array(data):
        parts = enumerate(data)
    else:
        return path, type(data).__name__
    found = (_foreign(part, f"{path}[{key!r}]") for key, part in parts)
    return next(filter(None, found), None)
