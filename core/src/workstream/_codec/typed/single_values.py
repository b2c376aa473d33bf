"""Numbers, texts, bytes, enums, times, ids ...: values that hold no others."""

from __future__ import annotations

import base64
import enum
import math
import types
from typing import Any

import cattrs

from ..._secrets.references import SecretRef
from ..._values.leaves import LEAVES, LEAVES_BY_NAME, leaf_from, leaf_of
from .forms import DataError, Form, StructureHook, kind_name, opened, shown, wrong


def register_single_values(made: cattrs.Converter, form: Form) -> None:
    """Make the converter treat single values by this module."""
    for exact in (bool, int, str):
        made.register_structure_hook(exact, _exactly(exact))
    made.register_structure_hook(float, _float_structure(form))
    made.register_structure_hook(bytes, _structure_bytes)
    made.register_structure_hook(types.NoneType, _structure_none)
    if form is Form.JSON:
        made.register_unstructure_hook(float, json_float)
        made.register_unstructure_hook(bytes, json_bytes)
    for cls in LEAVES:
        made.register_unstructure_hook(cls, leaf_of)
        made.register_structure_hook(
            cls, _described_leaf if form is Form.JSON else leaf_from
        )
    made.register_unstructure_hook(SecretRef, lambda reference: reference.reference)
    made.register_structure_hook(SecretRef, _structure_reference)
    # By class, as older versions of cattrs find their own hook for enums by class too;
    # so these see the enums that are also texts or numbers, where that comes second.
    made.register_unstructure_hook(enum.Enum, _enum_data)
    made.register_structure_hook(enum.Enum, _structure_enum)


def is_key(wanted: Any) -> bool:
    """Whether values of the type are fit for keys of a dict, also of a JSON one."""
    return wanted in (str, int) or (
        isinstance(wanted, type)
        and (issubclass(wanted, tuple(LEAVES)) or _goes_by_name(wanted))
    )


def json_float(value: float) -> float | str:
    """A float as JSON can carry it: infinity and not-a-number as texts."""
    return value if math.isfinite(value) else str(value)


def json_bytes(value: bytes) -> str:
    """Bytes as JSON can carry them: base64."""
    return base64.b64encode(value).decode()


def _described_leaf(value: Any, cls: Any) -> Any:
    """A leaf, be it tagged or not."""
    return leaf_from(opened(value, *LEAVES_BY_NAME), cls)


def _exactly(wanted: type) -> StructureHook:
    """What reads values of exactly this class."""

    def structure(value: Any, cls: Any) -> Any:
        if value.__class__ is not wanted and not (
            wanted is int and value.__class__ is bool
        ):
            raise wrong(value, wanted)
        # A subclass: an enum that is a text or a number as well, as a rule.
        return value if cls is wanted else cls(value)

    return structure


def _float_structure(form: Form) -> StructureHook:
    """What reads floats; infinity and not-a-number may be texts."""
    wanted = kind_name(float) + (' (or "inf")' if form is Form.JSON else "")

    def structure(value: Any, cls: Any) -> Any:
        value = opened(value, "float")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number and value not in ("inf", "-inf", "nan"):
            message = f"must be {wanted}, not {shown(value)}"
            raise DataError(message)
        return value if is_number and cls is float else cls(value)

    return structure


def _structure_bytes(value: Any, cls: Any) -> Any:
    """Bytes, or their base64."""
    value = opened(value, "bytes")
    if isinstance(value, str):
        try:
            value = base64.b64decode(value, validate=True)
        except ValueError:
            message = "is not base64"
            raise DataError(message) from None
    elif not isinstance(value, bytes):
        raise wrong(value, bytes)
    return value if cls is bytes else cls(value)


def _structure_none(value: Any, _: Any) -> None:
    """None, and nothing else."""
    if value is not None:
        raise wrong(value, types.NoneType)


def _structure_reference(value: Any, _: Any) -> SecretRef:
    """A reference, of its text."""
    value = opened(value, "SecretRef")
    if not isinstance(value, str):
        # Not ``wrong``, which shows the value.
        message = 'must be the text of a SecretRef, such as "env:NAME"'
        raise TypeError(message)
    return SecretRef(value)


def _goes_by_name(cls: type) -> bool:
    """Whether it is an enum whose members are no plain data, and cannot be combined."""
    plain = (str, int, float, bytes, enum.Flag)
    return issubclass(cls, enum.Enum) and not issubclass(cls, plain)


def _enum_data(member: enum.Enum) -> Any:
    """The name of a member, or its value where that is plain data."""
    return member.name if _goes_by_name(type(member)) else member.value


def _structure_enum(value: Any, cls: Any) -> Any:
    """The member of this name or value."""
    if not _goes_by_name(cls):
        return cls(value)
    members = cls.__members__
    if not isinstance(value, str) or value not in members:
        message = f"must be one of {', '.join(members)}, not {shown(value)}"
        raise ValueError(message)
    return members[value]
