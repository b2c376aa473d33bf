"""Requests that wait for responses, as plain data and back (VF-7).

The plain data of such a request is that of its class, with None where a response is to
go; what is to go there stands beside it, by place::

    {"argv": ["ping", None], "cwd": "/"}
    {"argv[1]": {"plugin": "acme.create", "key": "vm", "path": "address"}}

A text with parts in it is ``{"text": "http://{}/", "parts": [...]}``. What holds no
response is written by the converter, as in any request; on the way to a response, the
data has the shape of what the author wrote: an object for a request, with ``"$type"``
where its declared type does not tell its class, and lists and objects for collections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_origin

from ..._flow.late import (
    Flowing,
    FlowText,
    Item,
    Late,
    Source,
    Step,
    argument_fields,
    list_class,
    part_type,
    parts_of_late,
    path_of_text,
    path_text,
    places,
)
from ..._values.annotations import is_record, parts, type_text
from .converter import converter
from .forms import (
    TAG,
    DataError,
    Form,
    Sealed,
    faults_in,
    is_array,
    is_dict,
    is_secure,
    shown,
)

# -- Written -------------------------------------------------------------------------------


def late_data(late: Late, form: Form, *, tagged: bool = False) -> dict[str, Any]:
    """The plain data of a request that waits, with None where responses are to go."""
    data: dict[str, Any] = {TAG: late.made.__name__} if tagged else {}
    for name, field in argument_fields(late.made).items():
        if name in late.arguments:
            part = _written(late.arguments[name], field.type, form, name)
            sealed = form is Form.STORED and is_secure(field)
            data[name] = Sealed(part) if sealed else part
    return data


def _written(value: Any, wanted: Any, form: Form, place: str) -> Any:
    """A part of such a request."""
    if isinstance(value, Flowing):
        return None
    if isinstance(value, Late):
        if not any(part is value.made for part in parts(wanted)):
            message = (
                f"{place} is a late {type_text(value.made)}, where "
                f"{type_text(wanted)} is declared"
            )
            raise DataError(message)
        return late_data(value, form, tagged=wanted is not value.made)
    if not _waits(value):
        return converter(form).unstructure(value, unstructure_as=wanted)
    if is_dict(value):
        of = part_type(wanted, Item(""))
        return {
            key: _written(part, of, form, f"{place}[{key!r}]")
            for key, part in value.items()
        }
    return [
        _written(part, part_type(wanted, Item(index)), form, f"{place}[{index}]")
        for index, part in enumerate(value)
    ]


def _waits(value: Any) -> bool:
    """Whether it is, or holds, what waits for a response."""
    return isinstance(value, Flowing | Late) or any(
        _waits(part) for _, part in parts_of_late(value)
    )


def references_data(late: Late) -> dict[str, Any]:
    """What is to go where, by place."""
    return {place: _flowing_data(flowing) for place, flowing in places(late)}


def _flowing_data(flowing: Flowing | str | int) -> Any:
    if isinstance(flowing, FlowText):
        parts_data = [_flowing_data(part) for part in flowing.parts]
        return {"text": flowing.template, "parts": parts_data}
    if isinstance(flowing, Source):
        data = {"plugin": flowing.plugin, "key": flowing.key}
        return {**data, "path": path_text(flowing.path)} if flowing.path else data
    return flowing


# -- Read ----------------------------------------------------------------------------------


def late_of(data: Any, references: Any, wanted: Any, form: Form) -> Late:
    """The request of such data.

    Args:
        data: The plain data.
        references: What is to go where.
        wanted: The plugin's request type.
        form: Which form the data is in.

    Raises:
        Exception: They are no such request; of a ``DataError``, the message names the
            place.
    """
    if not is_dict(references):
        message = f"references must be an object of places, not {shown(references)}"
        raise DataError(message)
    flowing: dict[tuple[Step, ...], Flowing] = {}
    for place, entry in references.items():
        try:
            flowing[path_of_text(str(place))] = _flowing_of(entry)
        except (ValueError, TypeError) as error:
            message = f"references: {place}: {error}"
            raise DataError(message) from None
    made = _read(data, wanted, flowing, form, "")
    if not isinstance(made, Late):
        message = "references must name places within the request"
        raise DataError(message)
    return made


def _read(
    data: Any,
    wanted: Any,
    flowing: Mapping[tuple[Step, ...], Flowing],
    form: Form,
    place: str,
) -> Any:
    """A part of the request; the places of ``flowing`` begin at it."""
    if () in flowing:
        if data is not None or len(flowing) > 1:
            raise _wrong(place, "must be null, as a reference is to stand there")
        return flowing[()]
    if not flowing:
        try:
            return converter(form).structure(data, wanted)
        except Exception as error:
            told = [f"{at} {text}" for at, text in faults_in(error, place)]
            raise DataError("; ".join(told)) from error
    under: dict[Step, dict[tuple[Step, ...], Flowing]] = {}
    for path, entry in flowing.items():
        under.setdefault(path[0], {})[path[1:]] = entry
    made = None
    found: dict[Step, tuple[Any, Any]] = {}
    if not isinstance(next(iter(under)), Item):
        made, found = _arguments(data, wanted, under, place)
    elif is_dict(data) or is_array(data):
        keys: Any = data if is_dict(data) else range(len(data))
        steps = {Item(key): key for key in keys}
        found = {
            step: (data[key], part_type(wanted, step)) for step, key in steps.items()
        }
    else:
        raise _wrong(place, "must be a list or an object, as references stand in it")
    for step in under:
        if step not in found:
            text = path_text((step,))
            raise _wrong(place, f"has no place {text} for a reference")
    read: list[Any] = []
    wrong: list[str] = []
    for step, (part, of) in found.items():
        at = place + path_text((step,), dot=place)
        try:
            read.append(_read(part, of, under.get(step, {}), form, at))
        except DataError as error:
            wrong.append(str(error))
    if wrong:
        raise DataError("; ".join(wrong))
    if made is not None:
        return Late(made, dict(zip(map(str, found), read, strict=True)))
    if is_dict(data):
        return dict(zip(data, read, strict=True))
    return list_class(wanted)(read)


def _arguments(
    data: Any, wanted: Any, under: Iterable[Step], place: str
) -> tuple[type[Any], dict[Step, tuple[Any, Any]]]:
    """The class of a request that waits; the data and the types of its arguments."""
    if not is_dict(data):
        raise _wrong(place, "must be an object, as references stand in it")
    classes = {_name(part): part for part in parts(wanted) if is_record(part)}
    tag = data.get(TAG)
    if tag not in classes and (tag is not None or len(classes) != 1):
        known = ", ".join(classes)
        raise _wrong(place, f'must say which it is: "{TAG}" one of {known}')
    cls = classes[next(iter(classes)) if tag is None else tag]
    made: type[Any] = get_origin(cls) or cls
    fields = argument_fields(made)
    given = dict.fromkeys(map(str, under)) | data
    given.pop(TAG, None)
    unknown = [name for name in data if name not in fields and name != TAG]
    if unknown:
        names = ", ".join(unknown)
        raise _wrong(place, f"has {names}, which is not a field of {_name(cls)}")
    return made, {
        name: (part, fields[name].type)
        for name, part in given.items()
        if name in fields
    }


def _wrong(place: str, text: str) -> DataError:
    """The error for a part of a request."""
    return DataError(f"{place or 'the request'} {text}")


def _name(cls: Any) -> str:
    return str((get_origin(cls) or cls).__name__)


def _flowing_of(data: Any) -> Flowing:
    """What stands beside a place, from its data."""
    if is_dict(data) and data.keys() == {"text", "parts"}:
        entries: Any = data["parts"]
        if not is_array(entries) or not isinstance(data["text"], str):
            message = '"text" must be a text, and "parts" a list'
            raise DataError(message)
        kept = tuple(
            part if type(part) in (str, int) else _source_of(part) for part in entries
        )
        try:
            data["text"].format(*kept)
        except (ValueError, IndexError, KeyError) as error:
            message = f'"text" does not fit its parts: {error}'
            raise DataError(message) from None
        return FlowText(data["text"], kept)
    return _source_of(data)


def _source_of(data: Any) -> Source:
    if not is_dict(data) or not (
        {"plugin", "key"} <= data.keys() <= {"plugin", "key", "path"}
        and all(isinstance(part, str) for part in data.values())
    ):
        message = 'must be an object with "plugin", "key" and "path", each a text'
        raise DataError(message)
    return Source(data["key"], data["plugin"], path_of_text(data.get("path", "")))
