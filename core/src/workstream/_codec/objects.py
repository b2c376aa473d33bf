"""The objects of a plan as dicts: the one description of a plan's data.

Which fields an object has, its class says (``_plan.shape``); what plain data a field
becomes, its declared type says (``_codec.typed.converter``). The stored definition and the
JSON form differ in three points: the form of single values, whether what the engine
writes is part of it, and how requests are written.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .._flow.late import Late
from .._plan.plan import AT_SUBMIT, BaseAction, Node, Percent, Plan
from .._plan.shape import SHAPES
from .._secrets.references import StoredValue
from .._values.annotations import is_record
from .._values.state import Attempt, Link, PluginError, State, chained, links_of
from .._values.wire import PartPacker
from .typed.converter import converter, new_converter
from .typed.forms import (
    TAG,
    DataError,
    Form,
    Hook,
    StructureHook,
    class_of,
    is_array,
    is_dict,
    shown,
    wrong,
)
from .typed.late_values import late_data, references_data
from .typed.tags import plain_json

REFERENCES = "references"
"""The name, beside a request, of what is to go where in it."""
STORED_VALUE = "StoredValue"
"""The tag of a request or response whose plugin was not at hand."""


# -- Written -----------------------------------------------------------------------------


def pack_definition(
    node: Node, request_of: Callable[[BaseAction], Any], out: PartPacker
) -> None:
    """Pack an object and all that it holds, as its author wrote them.

    Fields that have their default are left out. No more than one object is plain data at
    a time: that of a whole plan takes as much memory as the plan.
    """
    cls: Any = type(node)
    data: dict[str, Any] = _definition_hook(cls)(node)
    if isinstance(node, BaseAction):
        if node.request is not None:
            data["request"] = request_of(node)
        out.add(data)
        return
    held = [(field, getattr(node, field.name)) for field in SHAPES[cls].held]
    held = [(field, value) for field, value in held if field.many or value is not None]
    out.begin_map(len(data) + len(held))
    for name, value in data.items():
        out.add(name)
        out.add(value)
    for field, value in held:
        out.add(field.name)
        if field.many:
            out.begin_array(len(value))
            for each in value:
                pack_definition(each, request_of, out)
        else:
            pack_definition(value, request_of, out)


def json_of(node: Node) -> dict[str, Any]:
    """The same in JSON, with what the engine wrote.

    What is short comes first, so that a block's state does not stand behind its
    thousand sequences.
    """
    cls = type(node)
    settings, written = _json_hooks()[cls]
    data: dict[str, Any] = settings(node) | written(node)
    if isinstance(node, BaseAction) and node.request is not None:
        data["request"] = described(node.request)
        references = _references_of(node.request)
        if references:
            data[REFERENCES] = references
    for field in SHAPES[cls].held:
        held: Any = getattr(node, field.name)
        if field.many:
            data[field.name] = [json_of(each) for each in held]
        elif held is not None:
            data[field.name] = json_of(held)
    return data


def _references_of(request: object) -> dict[str, Any]:
    """What is to go where in a request, by place (VF-7)."""
    if isinstance(request, Late):
        return references_data(request)
    return dict(request.references) if isinstance(request, StoredValue) else {}


@functools.cache
def _definition_hook(cls: type[Node]) -> Hook:
    """What writes an object as its author wrote it, but for its request and what it holds.

    It is made when there is such an object: most plans have no more than half of them.
    """
    return _fields_hook(cls, _stored(), SHAPES[cls].settings + _at_submit(cls))


def _at_submit(cls: type[Node]) -> tuple[attrs.Attribute[Any], ...]:
    """The fields that the engine writes once, beside those of the author."""
    written = SHAPES[cls].written
    return tuple(
        field for field in written if field.metadata.items() >= AT_SUBMIT.items()
    )


@functools.cache
def _json_hooks() -> dict[type[Node], tuple[Hook, Hook]]:
    """The same in JSON, and what writes the fields of the engine."""
    made = json_converter()
    return {
        cls: (
            _fields_hook(cls, made, shape.settings),
            _fields_hook(cls, made, shape.written),
        )
        for cls, shape in SHAPES.items()
    }


_SIZE = int | Percent


def _nodes_converter(form: Form) -> cattrs.Converter:
    """A converter that knows the sizes of a block: ``5`` or ``"10%"`` (BG-1)."""
    made = new_converter(form)

    def is_size(wanted: Any) -> bool:
        return bool(wanted == _SIZE)

    made.register_unstructure_hook_func(is_size, _size_data)
    made.register_structure_hook_func(is_size, _size_of)
    return made


def _size_data(size: Any) -> Any:
    """The plain data of a number of sequences, or of a part of them."""
    return str(size) if isinstance(size, Percent) else size


def _size_of(data: Any, _: Any) -> Any:
    """The number, or the part. What it must be like, validation says."""
    if isinstance(data, str) and data[-1:] == "%":
        with suppress(ValueError):
            return Percent(int(data[:-1]))
    if data.__class__ is not int:
        message = f'must be a whole number, or a part such as "10%", not {shown(data)}'
        raise DataError(message)
    return data


def _fields_hook(
    cls: type[Node], made: cattrs.Converter, fields: tuple[attrs.Attribute[Any], ...]
) -> Hook:
    """What writes these fields; ``plan_id`` is the plan's, and a request its plugin's."""
    names = {field.name for field in fields} - {"plan_id", "request"}
    others = [field.name for field in attrs.fields(cls) if field.name not in names]
    left_out: dict[str, Any] = {name: override(omit=True) for name in others}
    return make_dict_unstructure_fn(
        cls,
        made,
        _cattrs_include_init_false=True,
        _cattrs_omit_if_default=True,
        _cattrs_use_linecache=False,
        **left_out,
    )


def attempt_data(attempt: Attempt) -> dict[str, Any]:
    """One attempt of an action in JSON."""
    return cast("dict[str, Any]", json_converter().unstructure(attempt))


def described(value: Any) -> Any:
    """A request or response in JSON, so that it can be read without its declared type."""
    if isinstance(value, StoredValue):
        form = {TAG: STORED_VALUE, "data": plain_json(value.data)}
        if value.secret:
            form["secret"] = [list(path) for path in value.secret]
        return form
    if isinstance(value, Late):
        return late_data(value, Form.JSON, tagged=True)
    cls = class_of(value)
    if is_record(cls):
        data = converter(Form.JSON).unstructure(value, unstructure_as=cls)
        return {TAG: cls.__name__, **data}
    if cls is list or (
        is_array(value) and any(is_record(class_of(part)) for part in value)
    ):
        return [described(part) for part in value]
    if is_dict(value) and all(key.__class__ is str and key != TAG for key in value):
        return {key: described(part) for key, part in value.items()}
    return plain_json(value)


# -- Read from a definition ----------------------------------------------------------------


def plan_in_steps(data: Any, step: int) -> Generator[None, None, Plan]:
    """The plan of a definition, its requests still in their stored form.

    It is made in steps of so many objects, or somewhat more, with a pause after each.

    Raises:
        Exception: The data is no such definition.
    """
    left = step

    def made(cls: type[Node], data: Any) -> Generator[None, None, Node]:
        """An object, and all that it holds."""
        nonlocal left
        objects = size(cls, data)
        if objects <= step:
            left -= objects
            if left <= 0:
                yield
                left = step
            return _stored().structure(data, cls)
        lists = [held for held in SHAPES[cls].held if held.many and data.get(held.name)]
        nothing: dict[str, list[Any]] = {held.name: [] for held in lists}
        node: Node = _stored().structure({**data, **nothing}, cls)
        for held in lists:
            children = getattr(node, held.name)
            for each in data[held.name]:
                child = yield from made(held.type, each)
                children.append(child)
        return node

    plan = yield from made(Plan, data)
    return cast("Plan", plan)


def held_in(cls: type[Node], data: Any) -> Iterator[tuple[type[Node], Any]]:
    """What an object of a definition holds: the class and the data of each part."""
    for held in SHAPES[cls].held:
        parts = data.get(held.name)
        if parts:
            yield from (
                (held.type, each) for each in (parts if held.many else (parts,))
            )


def size(cls: type[Node], data: Any) -> int:
    """How many objects a definition describes; no call for one that holds nothing."""
    found = 1
    for held in SHAPES[cls].held:
        parts = data.get(held.name)
        if not parts:
            continue
        many = parts if held.many else (parts,)
        if SHAPES[held.type].held:
            found += sum([size(held.type, each) for each in many])
        else:
            found += len(many)
    return found


@functools.cache
def _stored() -> cattrs.Converter:
    """Reads definitions."""
    made = _nodes_converter(Form.STORED)

    def structure(cls: type[Node]) -> StructureHook:
        names = {field.name for field in _at_submit(cls)}
        written = (field.name for field in SHAPES[cls].written)
        left_out: dict[str, Any] = {
            name: override(omit=True) for name in written if name not in names
        }
        return make_dict_structure_fn(
            cls,
            made,
            _cattrs_include_init_false=True,
            _cattrs_forbid_extra_keys=True,
            _cattrs_use_linecache=False,
            request=override(struct_hook=_as_it_is),
            **left_out,
        )

    made.register_structure_hook_factory(SHAPES.__contains__, structure)
    return made


def _as_it_is(data: Any, _: Any) -> Any:
    """The data: it is read when the object's plugin is known."""
    return data


# -- Read from JSON ------------------------------------------------------------------------


@attrs.frozen
class _PluginError:
    """The fields of a ``PluginError``, which is no class of fields itself."""

    message: str
    code: int = 0
    permanent: bool = False
    wrapped: _PluginError | None = None


@functools.cache
def json_converter() -> cattrs.Converter:
    """Writes and reads what the engine writes, and reads single values of authors.

    What is wrong with these can be shown: no secret stands in them.
    """
    made = _nodes_converter(Form.JSON)
    made.register_unstructure_hook(PluginError, _error_data)
    made.register_structure_hook(PluginError, lambda data, _: _error_of(data))
    made.register_unstructure_hook(
        State, make_dict_unstructure_fn(State, converter(Form.JSON))
    )
    made.register_unstructure_hook(
        Attempt,
        make_dict_unstructure_fn(
            Attempt,
            made,
            _cattrs_omit_if_default=True,
            response=override(unstruct_hook=described),
        ),
    )
    made.register_structure_hook(int, _structure_count)
    made.register_structure_hook(datetime, _structure_time)
    made.register_structure_hook(enum.Enum, _structure_name)
    return made


def _error_data(error: PluginError) -> Any:
    """The dict of an error, and of those behind it."""
    data: Any = None
    for link in reversed(links_of(error)):
        fields = zip(("message", "code", "permanent"), link, strict=True)
        found = {name: value for name, value in fields if value or name == "message"}
        data = found if data is None else {**found, "wrapped": data}
    return data


def _error_of(data: Any) -> PluginError:
    """The error of such a dict."""
    read: _PluginError | None = json_converter().structure(data, _PluginError)
    links: list[Link] = []
    while read is not None:
        links.append((read.message, read.code, read.permanent))
        read = read.wrapped
    return chained(links)


def _structure_count(value: Any, _: Any) -> Any:
    """A whole number; true is none."""
    if value.__class__ is not int:
        raise wrong(value, int)
    return value


def _structure_time(value: Any, _: Any) -> datetime:
    """A time that says in which zone it is."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        message = "is not a time such as 2026-01-31T12:00:00Z"
        raise DataError(message) from None
    if moment.tzinfo is None:
        message = "is a time without a zone: add Z for UTC"
        raise DataError(message)
    return moment


def _structure_name(value: Any, cls: Any) -> enum.Enum:
    """The member of this name."""
    members: dict[str, enum.Enum] = cls.__members__
    if isinstance(value, str) and value in members:
        return members[value]
    known = ", ".join(name for name in members if name != "UNKNOWN")
    what = repr(value) if isinstance(value, str) else shown(value)
    message = f"must be one of {known}, not {what}"
    raise DataError(message)
