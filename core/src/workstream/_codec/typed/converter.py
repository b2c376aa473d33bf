"""Requests and responses as plain data, and back: cattrs, and what it lacks for us.

**Plain data** is None, bool, int, float, str, bytes, list and dict (``_values.wire``).
A class becomes a dict of its fields; what else there is, the *declared type* says how to
read it. So a store holds no class names to import and runs nothing when it is read.

Two kinds of converters are made, each once:

- STORED, for what goes into a vault: nothing is left out, bytes are bytes. What a SECURE
  field becomes is sealed: where the seals come to lie is where the secrets lie in the
  stored form, whatever that looks like;
- JSON, for people: defaults are left out, bytes are base64, and all that is wrong is
  reported at once, where the other, reading our own data, stops at the first fault.
  Only when there is one is it read again, by a converter that finds them all.

What they do beyond cattrs:

- **Nothing is dropped in passing.** A field that a request has and its class has not is
  an error, so that a plugin that renamed ``dry_run`` does not do it for real. What a
  response has more than its class is left out: it changes nothing that is done.
- **Nothing is converted in passing.** cattrs reads ``"5"`` for an ``int`` as 5; here a
  value of another type than declared is an error. A type that changed between two
  versions of a plugin is found, not misread.
- **Unions are tagged, never guessed.** A member of None, bool, int, float or str
  needs no tag, as plain data tells these apart. Every other is a dict with
  ``"$type"``: the class's fields beside it, or one ``"value"``. ``T | None`` is no
  union in this sense.
- **Fields declared Any or object** hold plain data as it is; tuples, sets, times, and
  dicts whose keys are no texts are tagged likewise. Objects of other classes are
  refused: nobody could say how to read them.
- **Keys**: a dict whose keys are texts, whole numbers or single values (UUID, Path ...)
  becomes a dict, any other a list of pairs.
- **Enums** go by name, those that are also a str or int by value.
"""

from __future__ import annotations

import functools
from functools import partial
from typing import Any, cast, get_origin, is_typeddict

import attrs
import cattrs
from attrs import NOTHING
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ..._values.annotations import fields_of
from ..._values.sameness import identical
from .containers import register_containers
from .forms import (
    TAG,
    DataError,
    Form,
    Hook,
    Sealed,
    StructureHook,
    is_dict,
    is_record,
    is_secure,
    late_unstructure,
    wrong,
)
from .single_values import register_single_values
from .tags import register_any, register_unions

# Type checkers are told that it is a function.
_FACTORY: Any = attrs.Factory


@functools.cache
def converter(
    form: Form, *, finds_all: bool = False, drops_fields: bool = False
) -> cattrs.Converter:
    """The converter for this form; see ``new_converter``."""
    return new_converter(form, finds_all=finds_all, drops_fields=drops_fields)


def new_converter(
    form: Form, *, finds_all: bool = False, drops_fields: bool = False
) -> cattrs.Converter:
    """A converter for this form, to which further hooks may be added.

    Args:
        form: The form.
        finds_all: Whether all that is wrong is to be reported at once, also for a form
            whose converter would stop at the first fault.
        drops_fields: Whether fields that data has, and its class has not, are left out.
    """
    made = cattrs.Converter(detailed_validation=finds_all or form is Form.JSON)
    register_containers(made, form)
    _register_records(made, form, drops_fields)
    register_single_values(made, form)
    register_unions(made, form)
    made.register_structure_hook_factory(
        is_typeddict, partial(_typed_dict_structure, made)
    )
    register_any(made, form)
    return made


def _register_records(made: cattrs.Converter, form: Form, drops_fields: bool) -> None:
    """Make the converter treat classes with fields by this module."""
    made.register_unstructure_hook_factory(
        is_record, partial(_record_unstructure, made, form)
    )
    made.register_structure_hook_factory(
        is_record, partial(_record_structure, made, drops_fields)
    )


def _record_unstructure(made: cattrs.Converter, form: Form, cls: Any) -> Hook:
    """What writes the values of a class with fields."""
    sealed: dict[str, Any] = {}
    if form is Form.STORED:
        sealed = {
            field.name: override(unstruct_hook=_sealing(made, field.type))
            for field in fields_of(cls)
            if is_secure(field)
        }
    write = make_dict_unstructure_fn(cls, made, _cattrs_use_linecache=False, **sealed)
    defaults = [(f.name, f.default) for f in fields_of(cls) if f.default is not NOTHING]
    if form is not Form.JSON or not defaults:
        return write

    def without_defaults(value: Any) -> Any:
        data = write(value)
        for name, default in defaults:
            if isinstance(default, _FACTORY):
                default = default.factory(*([value] if default.takes_self else ()))
            # By ``==`` -0.0 would be left out where the default is 0.0.
            if identical(getattr(value, name), default):
                data.pop(name, None)
        return data

    return without_defaults


def _record_structure(
    made: cattrs.Converter, drops_fields: bool, cls: Any
) -> StructureHook:
    """What reads them."""
    plain = get_origin(cls) or cls
    build = make_dict_structure_fn(
        cls,
        made,
        _cattrs_forbid_extra_keys=made.detailed_validation and not drops_fields,
        _cattrs_use_linecache=False,
    )
    names = frozenset(field.name for field in fields_of(plain) if field.init)

    def structure(value: Any, wanted: Any) -> Any:
        # A class whose fields all have defaults would otherwise be made of anything.
        if not is_dict(value):
            raise wrong(value, plain)
        if not drops_fields and not value.keys() <= names:
            if value.get(TAG) == plain.__name__:
                value = {key: part for key, part in value.items() if key != TAG}
            lost = value.keys() - names
            if lost and not made.detailed_validation:
                message = (
                    f"has {', '.join(sorted(map(str, lost)))}, which is not a field"
                )
                raise DataError(message)
        return build(value, wanted)

    return structure


def _typed_dict_structure(made: cattrs.Converter, cls: Any) -> StructureHook:
    """What reads a typed dict."""
    build = cast("StructureHook", made.gen_structure_typeddict(cls))  # pyright: ignore[reportUnknownMemberType]

    def structure(value: Any, wanted: Any) -> Any:
        if not is_dict(value):
            raise wrong(value, cls)
        return build(value, wanted)

    return structure


def _sealing(made: cattrs.Converter, wanted: Any) -> Hook:
    """What writes a SECURE field."""
    write = late_unstructure(made, wanted)
    return lambda value: Sealed(write(value))
