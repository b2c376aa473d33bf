"""Lists, tuples, sets and dicts of declared types."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

import cattrs

from .forms import (
    TAG,
    VALUE,
    Form,
    Hook,
    Mark,
    StructureHook,
    each,
    is_array,
    is_dict,
    late_structure,
    late_unstructure,
    marks_in,
    opened,
    ordered,
    wrong,
)
from .single_values import is_key

_LISTS = (list, collections.abc.MutableSequence)
_SEQUENCES = (
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Iterable,
)
_SETS = (set, collections.abc.Set, collections.abc.MutableSet, frozenset)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def register_containers(made: cattrs.Converter, form: Form) -> None:
    def register(kinds: tuple[Any, ...], unstructure: Any, structure: Any) -> None:
        def fits(wanted: Any) -> bool:
            return (get_origin(wanted) or wanted) in kinds

        made.register_unstructure_hook_factory(fits, partial(unstructure, made, form))
        made.register_structure_hook_factory(fits, partial(structure, made, form))

    register(_LISTS, _list_unstructure, _list_structure)
    register(_SEQUENCES, _sequence_unstructure, _sequence_structure)
    register(_SETS, _set_unstructure, _set_structure)
    register(_DICTS, _dict_unstructure, _dict_structure)
    made.register_unstructure_hook_factory(
        _is_homogeneous_tuple, partial(_list_unstructure, made, form)
    )
    made.register_unstructure_hook_factory(
        _is_named_tuple, partial(_named_tuple_unstructure, made)
    )
    made.register_structure_hook_factory(
        _is_named_tuple, partial(_named_tuple_structure, made)
    )
    made.register_structure_hook_factory(
        _is_homogeneous_tuple,
        partial(_items_structure, made, form, build=tuple),
    )


def _is_homogeneous_tuple(wanted: Any) -> bool:
    if wanted is tuple:
        return True
    arguments = get_args(wanted)
    return (
        get_origin(wanted) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis
    )


def _is_named_tuple(wanted: Any) -> bool:
    # Of a tuple itself this is all there is to see.
    return hasattr(wanted, "_fields") and issubclass(wanted, tuple)


def _named_tuple_unstructure(made: cattrs.Converter, wanted: Any) -> Hook:
    hooks = [late_unstructure(made, part) for part in _named_types(wanted)]
    return lambda value: [hook(part) for hook, part in zip(hooks, value, strict=True)]


def _named_tuple_structure(made: cattrs.Converter, wanted: Any) -> StructureHook:
    inner = _named_types(wanted)
    hooks = [late_structure(made, part) for part in inner]

    def structure(value: Any, cls: Any) -> Any:
        if not is_array(value):
            raise wrong(value, list)
        parts = zip(hooks, value, inner, strict=True)
        return cls(*[hook(part, kind) for hook, part, kind in parts])

    return structure


def _named_types(wanted: Any) -> list[Any]:
    """The types of the parts; cattrs does not look up those that stand in quotes."""
    hints = get_type_hints(wanted)
    return [hints.get(name, Any) for name in wanted._fields]


def _argument(wanted: Any, index: int = 0) -> Any:
    arguments = get_args(wanted)
    return arguments[index] if arguments else Any


def _list_unstructure(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    item = late_unstructure(made, _argument(wanted))
    return lambda value: [item(part) for part in value]


def _list_structure(made: cattrs.Converter, form: Form, wanted: Any) -> StructureHook:
    return _items_structure(made, form, wanted, list)


def _items_structure(
    made: cattrs.Converter, form: Form, wanted: Any, build: Callable[[Any], Any]
) -> StructureHook:
    inner = _argument(wanted)
    item = late_structure(made, inner)

    def structure(value: Any, _: Any) -> Any:
        if form is Form.JSON:
            value = opened(value, "tuple", "set", "frozenset")
        if not is_array(value):
            raise wrong(value, list)
        if form is Form.JSON:
            return build(each(enumerate(value), lambda part: item(part, inner), inner))
        return build([item(part, inner) for part in value])

    return structure


def _sequence_unstructure(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    """A list stays a list; a tuple, rarer here, is tagged."""
    item = late_unstructure(made, _argument(wanted))

    def unstructure(value: Any) -> Any:
        items = [item(part) for part in value]
        return {TAG: "tuple", VALUE: items} if isinstance(value, tuple) else items

    return unstructure


def _sequence_structure(
    made: cattrs.Converter, form: Form, wanted: Any
) -> StructureHook:
    items = _items_structure(made, form, wanted, list)

    def structure(value: Any, cls: Any) -> Any:
        if value.__class__ is dict and value.get(TAG) == "tuple":
            return tuple(items(value.get(VALUE), cls))
        return items(value, cls)

    return structure


def _set_unstructure(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    item = late_unstructure(made, _argument(wanted))

    def unstructure(value: Any) -> Any:
        items = [item(part) for part in value]
        # Where a secret comes to lie depends on it, so the whole set is one.
        if form is Form.MARKED and any(marks_in(part) for part in items):
            return Mark()
        return ordered(items)

    return unstructure


def _set_structure(made: cattrs.Converter, form: Form, wanted: Any) -> StructureHook:
    mutable = (get_origin(wanted) or wanted) in (set, collections.abc.MutableSet)
    return _items_structure(made, form, wanted, set if mutable else frozenset)


def _dict_unstructure(made: cattrs.Converter, form: Form, wanted: Any) -> Hook:
    key_type = _argument(wanted, 0)
    key = late_unstructure(made, key_type)
    value = late_unstructure(made, _argument(wanted, 1))
    if not is_key(key_type):
        return lambda whole: [[key(k), value(v)] for k, v in whole.items()]
    if form is Form.JSON and key_type is int:
        return lambda whole: {str(k): value(v) for k, v in whole.items()}
    return lambda whole: {key(k): value(v) for k, v in whole.items()}


def _dict_structure(made: cattrs.Converter, form: Form, wanted: Any) -> StructureHook:
    key_type, value_type = _argument(wanted, 0), _argument(wanted, 1)
    key, value = late_structure(made, key_type), late_structure(made, value_type)
    as_pairs = not is_key(key_type)

    def read_key(raw: Any) -> Any:
        if form is Form.JSON and key_type is int:
            raw = int(raw)
        return key(raw, key_type)

    def structure(whole: Any, _: Any) -> Any:
        pairs: Iterable[tuple[Any, Any]]
        described = form is Form.JSON and is_dict(whole) and whole.get(TAG) == "dict"
        if described:
            whole = opened(whole, "dict")
        if as_pairs or described:
            if whole.__class__ is not list:
                raise wrong(whole, list)
            pairs = [(k, v) for k, v in whole]
        else:
            if whole.__class__ is not dict:
                raise wrong(whole, dict)
            pairs = whole.items()
        if form is not Form.JSON:
            return {key(k, key_type): value(v, value_type) for k, v in pairs}
        pairs = list(pairs)
        keys = each(((k, k) for k, _ in pairs), read_key, key_type)
        values = each(pairs, lambda part: value(part, value_type), value_type)
        return dict(zip(keys, values, strict=True))

    return structure
