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

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast, get_origin

from ..._flow.late import (
    Flowing,
    FlowText,
    Item,
    Late,
    Source,
    Step,
    argument_fields,
    flows_in,
    list_class,
    part_type,
    parts_of_late,
    path_of_text,
    path_text,
    places,
)
from ..._secrets.references import MARK, SECURE, DataPath
from ..._values.annotations import is_record, parts, type_text
from .converter import converter
from .forms import (
    TAG,
    DataError,
    Form,
    Mark,
    below,
    faults_in,
    is_array,
    is_dict,
    marks_in,
    shown,
)

# -- Written -------------------------------------------------------------------------------


def late_data(late: Late, form: Form, *, tagged: bool = False) -> dict[str, Any]:
    """The plain data of a request that waits, with None where responses are to go."""
    data: dict[str, Any] = {TAG: late.made.__name__} if tagged else {}
    for name, field in argument_fields(late.made).items():
        if name in late.arguments:
            secure = field.metadata.get(MARK) == SECURE[MARK]
            if form is Form.MARKED and secure:
                data[name] = Mark()
            else:
                data[name] = _written(late.arguments[name], field.type, form, name)
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
    if not any(True for _ in flows_in(value)) and not _holds_late(value):
        made = converter(form)
        return made.unstructure(value, unstructure_as=wanted)
    if isinstance(value, dict):
        of = part_type(wanted, Item(""))
        return {
            key: _written(part, of, form, f"{place}[{key!r}]")
            for key, part in cast("dict[str, Any]", value).items()
        }
    return [
        _written(part, part_type(wanted, Item(index)), form, f"{place}[{index}]")
        for index, part in enumerate(value)
    ]


def _holds_late(value: Any) -> bool:
    """Whether a late request stands in a collection."""
    return isinstance(value, Late) or any(
        _holds_late(part) for _, part in parts_of_late(value)
    )


def references_data(late: Late) -> dict[str, Any]:
    """What is to go where, by place."""
    return {place: _flowing_data(flowing) for place, flowing in places(late)}


def secret_paths(late: Late) -> list[DataPath]:
    """Where the SECURE fields lie in the stored form."""
    return marks_in(late_data(late, Form.MARKED))


def _flowing_data(flowing: Flowing | str | int) -> Any:
    if isinstance(flowing, FlowText):
        parts_data = [_flowing_data(part) for part in flowing.parts]
        return {"text": flowing.template, "parts": parts_data}
    if isinstance(flowing, Source):
        data = {"plugin": flowing.plugin, "key": flowing.key}
        return {**data, "path": path_text(flowing.path)} if flowing.path else data
    return flowing


_WHOLE = "the request"


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
            message = (
                f"{place or _WHOLE} must be null, as a reference is to stand there"
            )
            raise DataError(message)
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
    first = next(iter(under))
    if not isinstance(first, Item):
        return _read_late(data, wanted, under, form, place)
    if is_dict(data):
        keys: dict[Item, Any] = {Item(key): key for key in data}
    elif is_array(data):
        keys = {Item(index): index for index in range(len(data))}
    else:
        message = (
            f"{place or _WHOLE} must be a list or an object, as references stand in it"
        )
        raise DataError(message)
    _check_known(under, keys, place)
    read = _all(
        {
            key: partial(
                _read,
                data[key],
                part_type(wanted, step),
                under.get(step, {}),
                form,
                f"{place}[{key!r}]",
            )
            for step, key in keys.items()
        }
    )
    return read if is_dict(data) else list_class(wanted)(read.values())


def _read_late(
    data: Any,
    wanted: Any,
    under: Mapping[Step, Mapping[tuple[Step, ...], Flowing]],
    form: Form,
    place: str,
) -> Late:
    if not is_dict(data):
        message = f"{place or _WHOLE} must be an object, as references stand in it"
        raise DataError(message)
    classes = [part for part in parts(wanted) if is_record(part)]
    tag = data.get(TAG)
    if tag is not None:
        classes = [cls for cls in classes if _name(cls) == tag]
    if len(classes) != 1:
        known = ", ".join(_name(part) for part in parts(wanted) if is_record(part))
        message = f'{place or _WHOLE} must say which it is: "{TAG}" one of {known}'
        raise DataError(message)
    made = get_origin(classes[0]) or classes[0]
    fields = argument_fields(made)
    _check_known(under, fields, place)
    given = {name: part for name, part in data.items() if name != TAG}
    unknown = [name for name in given if name not in fields]
    if unknown:
        message = (
            f"{place or _WHOLE} has {', '.join(unknown)}, which is not a field of {tag}"
        )
        raise DataError(message)
    for name in under:
        given.setdefault(str(name), None)
    read = _all(
        {
            name: partial(
                _read,
                part,
                fields[name].type,
                under.get(name, {}),
                form,
                below(place, name),
            )
            for name, part in given.items()
        }
    )
    return Late(made, read)


def _all(reads: Mapping[Any, Callable[[], Any]]) -> dict[Any, Any]:
    """What each of them reads; all that is wrong is told in one error."""
    read: dict[Any, Any] = {}
    wrong: list[str] = []
    for name, one in reads.items():
        try:
            read[name] = one()
        except DataError as error:
            wrong.append(str(error))
    if wrong:
        raise DataError("; ".join(wrong))
    return read


def _name(cls: Any) -> str:
    return str((get_origin(cls) or cls).__name__)


def _check_known(under: Mapping[Step, Any], known: Any, place: str) -> None:
    for step in under:
        if step not in known:
            message = (
                f"{place or _WHOLE} has no place {path_text((step,))} for a reference"
            )
            raise DataError(message)


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
