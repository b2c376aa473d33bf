"""Values that must say what they are: members of unions, and fields declared Any.

Which member of a union a value is, is written down, never guessed from its looks. In a
field declared Any or object, plain data says in part what it is; all else that such a
field may hold is written as ``{"$type": name, "value": ...}``. A dict that happens to
have the key ``"$type"`` is tagged as a dict, so nothing is mistaken.
"""

from __future__ import annotations

import base64
import functools
import math
import types
from collections.abc import Callable, Iterable
from typing import Any, cast, get_args

import cattrs

from ..._secrets.references import SecretRef
from ..._values.annotations import (
    NATIVE,
    is_native,
    is_union,
    members,
    tags_of,
    type_text,
    value_class,
)
from ..._values.leaves import LEAVES_BY_NAME, leaf_from, leaf_name, leaf_of
from .forms import (
    ANY,
    TAG,
    VALUE,
    DataError,
    Form,
    Hook,
    StructureHook,
    class_of,
    each,
    is_array,
    is_dict,
    is_record,
    kind_name,
    late_structure,
    late_unstructure,
    ordered,
    shown,
    wrong,
)
from .single_values import json_bytes

# -- Unions ------------------------------------------------------------------------------


def register_unions(made: cattrs.Converter, form: Form) -> None:
    """Make the converter treat unions by this module."""

    def unstructure(union: Any) -> Hook:
        only = _only_member(union)
        if only is None:
            return _writer(made, form, _Union(union))
        inner = late_unstructure(made, only)
        return lambda value: None if value is None else inner(value)

    def structure(union: Any) -> StructureHook:
        only = _only_member(union)
        if only is None:
            return _reader(made, _Union(union))
        inner = late_structure(made, only)
        return lambda value, _: None if value is None else inner(value, only)

    made.register_unstructure_hook_factory(is_union, unstructure)
    made.register_structure_hook_factory(is_union, structure)


def _only_member(union: Any) -> Any:
    """Of ``T | None`` the T, and Any when anything is allowed; otherwise None."""
    found = [member for member in members(union) if member is not types.NoneType]
    if any(member in ANY for member in found):
        return Any
    return found[0] if len(found) == 1 else None


class _Union:
    """The members of a union, sorted by how their values are told apart.

    Attributes:
        native: The classes that need no tag.
        literals: The single values that need none.
        tagged: The other members, by their tags.
        text: The union as its author wrote it.
    """

    def __init__(self, union: Any) -> None:
        self.text = type_text(union)
        self.tagged = tags_of(union)
        found = members(union)
        self.native = tuple(member for member in found if member in NATIVE)
        self.literals = [
            value
            for member in found
            if member not in NATIVE and is_native(member)
            for value in get_args(member)
        ]

    def is_untagged(self, value: Any) -> bool:
        """Whether plain data tells what the value is."""
        return isinstance(value, self.native) or (
            isinstance(value, NATIVE) and value in self.literals
        )


def _writer(made: cattrs.Converter, form: Form, union: _Union) -> Hook:
    """What writes the values of a union."""
    hooks = {tag: late_unstructure(made, each) for tag, each in union.tagged.items()}
    classes = {tag: value_class(member) for tag, member in union.tagged.items()}

    @functools.cache
    def tag_of(cls: type) -> str | None:
        fits = [tag for tag, known in classes.items() if issubclass(cls, known)]
        # The nearest of several: a datetime is a date too.
        return min(fits, key=lambda tag: _distance(cls, classes[tag]), default=None)

    def write(value: Any) -> Any:
        cls = value.__class__
        if cls in union.native:
            return plain_json(value) if form is Form.JSON else value
        tag = tag_of(cls)
        if tag is not None:
            data = hooks[tag](value)
            return {TAG: tag, **data} if is_record(cls) else {TAG: tag, VALUE: data}
        if union.is_untagged(value):
            return value
        message = f"is {shown(value)}, which is no member of {union.text}"
        raise DataError(message)

    return write


def _reader(made: cattrs.Converter, union: _Union) -> StructureHook:
    """What reads the values of a union."""
    hooks = {tag: late_structure(made, each) for tag, each in union.tagged.items()}

    def read(value: Any, _: Any) -> Any:
        tag = value.get(TAG) if value.__class__ is dict else None
        if tag in union.tagged:
            member = union.tagged[tag]
            data = {key: part for key, part in value.items() if key != TAG}
            return hooks[tag](data if is_record(member) else data[VALUE], member)
        if union.is_untagged(value):
            return value
        if tag == "float" and float in union.native:
            return float(value[VALUE])
        choices = [
            *map(kind_name, union.native),
            *map(repr, union.literals),
            *union.tagged,
        ]
        message = f"must be {' or '.join(choices)}, not {shown(value)}"
        if value.__class__ is dict:
            message = f'must say which it is: "{TAG}" one of {", ".join(union.tagged)}'
        raise DataError(message)

    return read


def _distance(cls: type, known: type) -> int:
    """How far above a class another one is."""
    mro = cls.__mro__
    return mro.index(known) if known in mro else len(mro)


# -- Fields declared Any or object -------------------------------------------------------


def register_any(made: cattrs.Converter, form: Form) -> None:
    """Make the converter treat fields declared Any or object by this module."""
    unstructure = plain_json if form is Form.JSON else plain
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


def _plain(value: Any, inner: Callable[[Any], Any]) -> Any:
    """The value as plain data; ``inner`` does the same for its parts."""
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
    """Data that says what it is."""
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
    """The value that was tagged."""
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
