"""Requests and responses in their stored form, and out of it again (STO-7, STO-8).

The stored form is None, or an array: the plain data, then, where there are SECURE
fields, the paths of these; then, of a request that waits for responses, what is to go
where (``_codec.typed.late_values``). What the plain data looks like is told in ``_codec.typed.converter``.

cattrs is imported with the first request or response that has a type: listing plans
never pays for it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from ..._flow.late import Late
from ..._protocols.plugin import Plugins
from ..._secrets.references import StoredValue

if TYPE_CHECKING:
    from .value_types import ValueType


class MisfitError(TypeError):
    """Stored data does not fit the type that its plugin has now."""


class Side(enum.Enum):
    """Which of a plugin's two types is meant."""

    REQUEST = "request"
    RESPONSE = "response"


class ValueCodec:
    """Knows the types of the plugins at hand."""

    def __init__(self, plugins: Plugins | None) -> None:
        self._plugins = plugins
        self._requests: dict[str, ValueType] = {}
        self._responses: dict[str, ValueType] = {}

    def encode(self, plugin: str, side: Side, value: object) -> Any:
        """The stored form of a value that ``checked`` has passed."""
        if value is None:
            return None
        if isinstance(value, StoredValue):
            if value.references:
                return [value.data, value.secret, value.references]
            return [value.data, value.secret] if value.secret else [value.data]
        return (self.type_of(plugin, side) or _type_of(value)).encode(value)

    def decode(self, plugin: str, side: Side, stored: Any) -> Any:
        """The value whose stored form this is.

        Raises:
            MisfitError: It does not fit the plugin's type; all that is wrong is told.
            Exception: It is no such form.
        """
        if stored is None:
            return None
        data, *more = stored
        references: Any = more[1] if len(more) > 1 else {}
        wanted = self.type_of(plugin, side)
        if wanted is not None:
            if references:
                return wanted.decode_late(data, references)
            return wanted.decode(data)
        paths = more[0] if more else ()
        return StoredValue(data, tuple(tuple(path) for path in paths), references)

    def checked(self, plugin: str, side: Side, value: object) -> Any:
        """The stored form of a value, once it is sure that it can be read again.

        Raises:
            TypeError: It cannot be; the message says where in the value, and why.
        """
        if value is None or isinstance(value, StoredValue):
            return self.encode(plugin, side, value)
        try:
            wanted = self.type_of(plugin, side) or _type_of(value)
        except Exception as error:
            message = f"the {side.value} cannot be stored: {error}"
            raise TypeError(message) from error
        return wanted.checked(value, side)

    def type_of(self, plugin: str, side: Side) -> ValueType | None:
        """The type that the plugin has there; None where the plugin is not at hand."""
        types = self._requests if side is Side.REQUEST else self._responses
        known = types.get(plugin)
        if known is not None:
            return known
        found = None if self._plugins is None else self._plugins.get(plugin)
        if found is None:
            return None
        from .value_types import ValueType

        if side is Side.REQUEST:
            made = ValueType(found.request_type)
        else:
            made = ValueType(found.response_type, drops_fields=True)
        types[plugin] = made
        return made


def _type_of(value: object) -> ValueType:
    """The type of a value whose plugin is not at hand."""
    from .value_types import ValueType

    return ValueType(value.made if isinstance(value, Late) else type(value))
