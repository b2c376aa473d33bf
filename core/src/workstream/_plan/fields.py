"""The fields that a user writes, class by class, and what kind each of them is.

Whatever takes a plan apart and puts it together again goes by this table: the stored
definition (``_codec.codec``) and the JSON form (``_codec.json_text``). The table is read
off the classes of ``_plan.plan``, so a field that is added there is stored from that moment
on; a field of a type that the table does not know is found at import, not when somebody
loses data.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs

from .._values.state import HaltAfter, OnInterrupt, WhenDeferred
from .plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)

__all__ = ["FIELDS", "Field", "Kind"]


class Kind(enum.Enum):
    """What a field holds."""

    TEXT = "a text"
    NUMBER = "a number"
    COUNT = "a whole number"
    FLAG = "true or false"
    BYTES = "bytes"
    UUID = "a UUID"
    ENUM = "one of some names"
    NODE = "an object"
    NODES = "a list of objects"
    REQUEST = "a request"


@attrs.frozen
class Field:
    """One field that a user writes.

    Attributes:
        name: The field's name.
        kind: What it holds.
        optional: Whether it may be None.
        required: Whether it has no default.
        default: What it holds when the user says nothing; None when ``required``.
        type: The class of an ENUM's members, of a NODE, or of each of the NODES.
    """

    name: str
    kind: Kind
    optional: bool
    required: bool
    default: Any
    type: Any


_KINDS: dict[str, tuple[Kind, Any]] = {
    "str": (Kind.TEXT, None),
    "float": (Kind.NUMBER, None),
    "int": (Kind.COUNT, None),
    "bool": (Kind.FLAG, None),
    "bytes": (Kind.BYTES, None),
    "UUID": (Kind.UUID, None),
    "object": (Kind.REQUEST, None),
    "HaltAfter": (Kind.ENUM, HaltAfter),
    "OnInterrupt": (Kind.ENUM, OnInterrupt),
    "WhenDeferred": (Kind.ENUM, WhenDeferred),
    "Checks": (Kind.NODE, Checks),
    "DeferredActions": (Kind.NODE, DeferredActions),
    "list[Action]": (Kind.NODES, Action),
    "list[CheckAction]": (Kind.NODES, CheckAction),
    "list[Sequence]": (Kind.NODES, Sequence),
    "list[DeferBatch]": (Kind.NODES, DeferBatch),
    "list[Block]": (Kind.NODES, Block),
}


def _fields_of(cls: type[Node]) -> tuple[Field, ...]:
    found: list[Field] = []
    for attribute in attrs.fields(cls):
        if not attribute.init:
            continue
        annotation = str(attribute.type).removesuffix(" | None")
        kind, inner = _KINDS[annotation]
        required = attribute.default is attrs.NOTHING
        found.append(
            Field(
                name=attribute.name,
                kind=kind,
                optional=annotation != attribute.type,
                required=required,
                default=None if required else attribute.default,
                type=inner,
            )
        )
    return tuple(found)


FIELDS: dict[type[Node], tuple[Field, ...]] = {
    cls: _fields_of(cls)
    for cls in (
        Plan,
        Block,
        Checks,
        Sequence,
        DeferredActions,
        DeferBatch,
        Action,
        CheckAction,
    )
}
"""The fields that a user writes, of each class, in the order of its constructor."""
