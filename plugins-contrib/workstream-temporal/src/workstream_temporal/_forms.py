"""What travels between a client, a workflow and a worker: bytes, by the house's own codec.

A payload is one msgpack array behind a version byte, like all that a vault stores. The
changes in it are what a vault keeps, as they are: nobody on the way decodes a request or a
response, so no history holds more than a store would.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import attrs

from workstream._codec.records import (
    decode_request,
    decode_row,
    encode_request,
    encode_row,
)
from workstream._protocols.conduct import Conduct
from workstream._protocols.vault import (
    Change,
    LineRecord,
    LogSlice,
    NodeRecord,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Write,
)
from workstream._values.state import Status
from workstream._values.wire import pack, unpack

_FORM = b"\x01"
_DEFLATED = b"\x02"
_WORTH_DEFLATING = 4_096
_ROW, _NODE, _LINE = range(3)


def packed(*parts: Any) -> bytes:
    """The parts as one payload: a large one deflated, as hosts of one plan are alike."""
    plain = pack(_FORM, parts)
    if len(plain) < _WORTH_DEFLATING:
        return plain
    return _DEFLATED + zlib.compress(plain, 6)


def unpacked(payload: bytes) -> list[Any]:
    """The parts of a payload. Raises ValueError: it is of another version."""
    if payload[:1] == _DEFLATED:
        payload = zlib.decompress(payload[1:])
    parts: list[Any] = unpack(_FORM, payload)
    return parts


def change_form(change: Change) -> list[Any]:
    """A change as plain data."""
    if isinstance(change, PlanRow):
        return [_ROW, change.id.bytes, encode_row(change)]
    if isinstance(change, NodeRecord):
        return [_NODE, change.position, change.attempt, change.data]
    return [_LINE, change.position, change.number, change.data]


def change_of(form: list[Any]) -> Change:
    """The change of this form."""
    kind, *rest = form
    if kind == _ROW:
        return decode_row(UUID(bytes=rest[0]), rest[1])
    return NodeRecord(*rest) if kind == _NODE else LineRecord(*rest)


def write_form(write: Write) -> list[Any]:
    """A write as plain data."""
    return [
        write.plan_id.bytes,
        write.first,
        [change_form(each) for each in write.changes],
        None if write.expect is None else write.expect.name,
        write.taken,
    ]


def write_of(form: list[Any]) -> Write:
    """The write of this form."""
    plan_id, first, changes, expect, taken = form
    return Write(
        plan_id=UUID(bytes=plan_id),
        first=first,
        changes=tuple(map(change_of, changes)),
        expect=None if expect is None else Status[expect],
        taken=taken,
    )


def request_form(request: PlanRequest) -> list[Any]:
    """A request as plain data."""
    return [request.plan_id.bytes, request.number, encode_request(request)]


def request_of(form: list[Any]) -> PlanRequest:
    """The request of this form."""
    plan_id, number, data = form
    return decode_request(UUID(bytes=plan_id), number, data)


def record_forms(records: Iterable[NodeRecord]) -> list[list[Any]]:
    """Records as plain data."""
    return [[each.position, each.attempt, each.data] for each in records]


def stored_form(stored: StoredPlan) -> list[Any]:
    """A stored plan as plain data."""
    return [
        stored.row.id.bytes,
        encode_row(stored.row),
        stored.definition,
        record_forms(stored.records),
        stored.position,
        stored.lines,
        [request_form(each) for each in stored.requests],
    ]


def stored_of(form: list[Any]) -> StoredPlan:
    """The stored plan of this form."""
    plan_id, row, definition, records, position, lines, requests = form
    return StoredPlan(
        row=decode_row(UUID(bytes=plan_id), row),
        definition=definition,
        records=tuple(NodeRecord(*each) for each in records),
        position=position,
        lines=lines,
        requests=tuple(map(request_of, requests)),
    )


def slice_form(piece: LogSlice) -> list[Any]:
    """A piece of a log as plain data."""
    changes = [[position, change_form(each)] for position, each in piece.changes]
    return [piece.missed, changes, piece.status.name]


def slice_of(form: list[Any]) -> LogSlice:
    """The piece of a log of this form."""
    missed, changes, status = form
    return LogSlice(
        missed=missed,
        changes=tuple((position, change_of(each)) for position, each in changes),
        status=Status[status],
    )


def line_forms(lines: Iterable[LineRecord]) -> list[list[Any]]:
    """Lines as plain data."""
    return [[each.position, each.number, each.data] for each in lines]


def lines_of(forms: Iterable[list[Any]]) -> list[LineRecord]:
    """The lines of these forms."""
    return [LineRecord(*each) for each in forms]


def conduct_form(conduct: Mapping[str, Conduct]) -> dict[str, Any]:
    """What an interpreter must know of plugins, as plain data."""
    return {
        name: [attrs.asdict(each.retry), each.on_interrupt.name]
        for name, each in conduct.items()
    }
