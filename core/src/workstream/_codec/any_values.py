"""Fields declared Any or object: plain data as it is, the rest tagged.

What no declared type describes must describe itself. Plain data does, in part; all
else that such a field may hold is written as ``{"$type": name, "value": ...}``. A dict
that happens to have the key ``"$type"`` is tagged as a dict, so nothing is mistaken.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import cattrs

from .._secrets.references import SecretRef
from .._values.leaves import LEAVES_BY_NAME, leaf_from, leaf_name, leaf_of
from .forms import (
    ANY,
    TAG,
    VALUE,
    DataError,
    Form,
    Mark,
    class_of,
    each,
    is_array,
    is_dict,
    ordered,
    wrong,
)
from .single_values import json_bytes

__all__ = ["plain", "plain_json", "register_any", "unplain"]


def register_any(made: cattrs.Converter, form: Form) -> None:
    """Make the converter treat fields declared Any or object by this module."""
    unstructure = plain_json if form is Form.JSON else plain
    if form is Form.MARKED:
        unstructure = _plain_marked
    made.register_unstructure_hook_func(lambda wanted: wanted in ANY, unstructure)
    made.register_structure_hook_func(
        lambda wanted: wanted in ANY, lambda value, _: unplain(value)
    )


def plain(value: Any) -> Any:
    """A value of no declared type, as plain data.

    Raises:
        TypeError: It is, or holds, an object that nobody could read again.
    """
    return _plain(value, plain)


def plain_json(value: Any) -> Any:
    """The same, of what JSON can carry."""
    if isinstance(value, bytes):
        return {TAG: "bytes", VALUE: json_bytes(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {TAG: "float", VALUE: str(value)}
    return _plain(value, plain_json)


def _plain_marked(value: Any) -> Any:
    if isinstance(value, Mark):
        return value
    return _plain(value, _plain_marked)


def _plain(value: Any, inner: Callable[[Any], Any]) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    cls = class_of(value)
    if cls is list:
        return [inner(part) for part in value]
    if is_dict(value):
        if all(key.__class__ is str and key != TAG for key in value):
            return {key: inner(part) for key, part in value.items()}
        return _tagged("dict", [[inner(k), inner(v)] for k, v in value.items()])
    if is_array(value):
        return _tagged("tuple", [inner(part) for part in value])
    if isinstance(value, set | frozenset):
        name = "set" if isinstance(value, set) else "frozenset"
        parts: Iterable[Any] = cast("Iterable[Any]", value)
        return _tagged(name, ordered(inner(part) for part in parts))
    if cls is SecretRef:
        return _tagged("SecretRef", value.reference)
    leaf = leaf_name(cls)
    if leaf is not None:
        return _tagged(leaf, leaf_of(value))
    message = (
        f"holds an object of type {cls.__name__} where no type is declared, so it could "
        "not be read again: declare the type of the field that holds it"
    )
    raise DataError(message)


def _tagged(name: str, value: Any) -> dict[str, Any]:
    return {TAG: name, VALUE: value}


def unplain(data: Any) -> Any:
    """The value that ``plain`` or ``plain_json`` was given.

    Raises:
        ValueError: The data has an unknown tag.
        TypeError: What stands beside a tag is not of its kind.
    """
    if is_array(data):
        return each(enumerate(data), unplain, Any)
    if not is_dict(data):
        return data
    if TAG not in data:
        return dict(zip(data, each(data.items(), unplain, Any), strict=True))
    return _untagged(data[TAG], data.get(VALUE))


def _untagged(name: Any, value: Any) -> Any:
    if name in ("tuple", "set", "frozenset", "dict"):
        items = unplain(value)
        if items.__class__ is not list:
            raise wrong(value, list)
        build: Callable[[Any], Any] = {
            "tuple": tuple,
            "set": set,
            "frozenset": frozenset,
            "dict": dict,
        }[name]
        return build(items)
    if name == "SecretRef":
        return SecretRef(value)
    if name == "bytes":
        return base64.b64decode(value, validate=True)
    if name == "float":
        return float(value)
    if name in LEAVES_BY_NAME:
        return leaf_from(value, LEAVES_BY_NAME[name])
    message = f'"{TAG}": {name!r} is unknown where no type is declared'
    raise ValueError(message)
