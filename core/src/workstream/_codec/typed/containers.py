"""Lists, tuples, sets and dicts of declared types."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

import cattrs

from ..._secrets.references import DataPath
from ..._values.annotations import LISTS, SEQUENCES, SETS
from .forms import (
    TAG,
    VALUE,
    Form,
    Hook,
    Sealed,
    StructureHook,
    each,
    is_array,
    is_dict,
    late_structure,
    late_unstructure,
    opened,
    ordered,
    unsealed,
    wrong,
)
from .single_values import is_key

_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def register_containers(made: cattrs.Converter, form: Form) -> None:
    """Make the converter treat collections by this module."""

    def register(fits: Callable[[Any], bool], writer: Any, reader: Any) -> None:
        made.register_unstructure_hook_factory(fits, partial(writer, made, form))
        made.register_structure_hook_factory(fits, partial(reader, made, form))

    def one_of(kinds: tuple[Any, ...]) -> Callable[[Any], bool]:
        return lambda wanted: (get_origin(wanted) or wanted) in kinds

    register(one_of(LISTS), _items_writer, partial(_items_reader, build=list))
    register(one_of(SEQUENCES), _sequence_writer, _sequence_reader)
    register(one_of(SETS), _set_writer, _set_reader)
    register(one_of(_DICTS), _dict_writer, _dict_reader)
    register(_is_named_tuple, _named_tuple_writer, _named_tuple_reader)
    register(_is_even_tuple, _items_writer, partial(_items_reader, build=tuple))


def _is_even_tuple(wanted: Any) -> bool:
    """Whether it is a tuple of any length, all of whose parts are of one type."""
    arguments = get_args(wanted)
    return wanted is tuple or (
        get_origin(wanted) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis
    )


def _is_named_tuple(wanted: Any) -> bool:
    """Whether it is a named tuple; of a tuple itself its fields are all there is to see."""
    return hasattr(wanted, "_fields") and issubclass(wanted, tuple)


def _argument(wanted: Any, index: int = 0) -> Any:
    """A type argument; Any where there is none."""
    arguments = get_args(wanted)
    return arguments[index] if arguments else Any


def _items_writer(made: cattrs.Converter, _: Form, wanted: Any) -> Hook:
    """What writes a list, or a tuple of parts of one type."""
    item = late_unstructure(made, _argument(wanted))
    return lambda value: [item(part) for part in value]


def _items_reader(
    made: cattrs.Converter, form: Form, wanted: Any, *, build: Callable[[Any], Any]
) -> StructureHook:
    """What reads a list, and builds a collection of its parts."""
    inner = _argument(wanted)
    item = late_structure(made, inner)

    def read(value: Any, _: Any) -> Any:
        if form is Form.JSON:
            value = opened(value, "tuple", "set", "frozenset")
        if not is_array(value):
            raise wrong(value, list)
        if form is Form.JSON:
            return build(each(enumerate(value), lambda part: item(part, inner), inner))
        return build([item(part, inner) for part in value])

    return read


def _sequence_writer(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    """A list stays a list; a tuple, rarer here, is tagged."""
    items = _items_writer(made, form, wanted)
    return lambda value: (
        {TAG: "tuple", VALUE: items(value)}
        if isinstance(value, tuple)
        else items(value)
    )


def _sequence_reader(made: cattrs.Converter, form: Form, wanted: Any) -> StructureHook:
    """What reads a list, or a tuple by its tag."""
    items = _items_reader(made, form, wanted, build=list)

    def read(value: Any, cls: Any) -> Any:
        if is_dict(value) and value.get(TAG) == "tuple":
            return tuple(items(value.get(VALUE), cls))
        return items(value, cls)

    return read


def _set_writer(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    """What writes a set, in one order."""
    items = _items_writer(made, form, wanted)

    def write(value: Any) -> Any:
        secret: list[DataPath] = []
        whole = ordered(unsealed(items(value), secret))
        # Where a secret comes to lie depends on the order, so the whole set is one.
        return Sealed(whole) if secret else whole

    return write


def _set_reader(made: cattrs.Converter, form: Form, wanted: Any) -> StructureHook:
    """What reads a set; one that is not said to change is frozen."""
    mutable = (get_origin(wanted) or wanted) in (set, collections.abc.MutableSet)
    return _items_reader(made, form, wanted, build=set if mutable else frozenset)


def _bare_tuple(wanted: Any) -> Any:
    """The tuple without its name; cattrs does not look up types that stand in quotes."""
    hints = get_type_hints(wanted)
    return tuple[tuple(hints.get(name, Any) for name in wanted._fields)]  # type: ignore[misc]


def _named_tuple_writer(made: cattrs.Converter, _: Form, wanted: Any) -> Hook:
    """What writes a named tuple, as a list."""
    return late_unstructure(made, _bare_tuple(wanted))


def _named_tuple_reader(made: cattrs.Converter, _: Form, wanted: Any) -> StructureHook:
    """What reads it."""
    bare = _bare_tuple(wanted)
    read = late_structure(made, bare)

    def structure(value: Any, cls: Any) -> Any:
        if not is_array(value):
            raise wrong(value, list)
        return cls(*read(value, bare))

    return structure


def _dict_writer(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    """What writes a dict; one with keys that are no texts, as a list of pairs."""
    key_type = _argument(wanted, 0)
    key: Hook = late_unstructure(made, key_type)
    value = late_unstructure(made, _argument(wanted, 1))
    if not is_key(key_type):
        return lambda whole: [[key(k), value(v)] for k, v in whole.items()]
    if form is Form.JSON and key_type is int:
        key = str
    return lambda whole: {key(k): value(v) for k, v in whole.items()}


def _dict_reader(made: cattrs.Converter, form: Form, wanted: Any) -> StructureHook:
    """What reads either."""
    key_type, value_type = _argument(wanted, 0), _argument(wanted, 1)
    key, value = late_structure(made, key_type), late_structure(made, value_type)
    as_pairs = not is_key(key_type)

    def read_key(raw: Any) -> Any:
        return key(int(raw) if form is Form.JSON and key_type is int else raw, key_type)

    def read(whole: Any, _: Any) -> Any:
        described = form is Form.JSON and is_dict(whole) and whole.get(TAG) == "dict"
        if described:
            whole = opened(whole, "dict")
        kind = list if as_pairs or described else dict
        if whole.__class__ is not kind:
            raise wrong(whole, kind)
        parts: Any = whole.items() if is_dict(whole) else whole
        pairs: list[tuple[Any, Any]] = [(k, v) for k, v in parts]
        if form is not Form.JSON:
            return {key(k, key_type): value(v, value_type) for k, v in pairs}
        keys = each(((k, k) for k, _ in pairs), read_key, key_type)
        values = each(pairs, lambda part: value(part, value_type), value_type)
        return dict(zip(keys, values, strict=True))

    return read
