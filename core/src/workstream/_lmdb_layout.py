"""Where an LMDB store keeps what: its keys, in one tree.

The first byte of a key says what it is for, then comes the plan's id, then what else
tells the entries of a plan apart, big-endian. So what belongs to one plan and is for
one purpose stands together and in order, and a run, which writes its records in about
walk order and its log strictly in order, changes few pages a commit.

=======  ==============================================  =============================
Purpose  Key                                             Value
=======  ==============================================  =============================
row      ``r`` plan                                      the row, by ``_records``
plan     ``d`` plan                                      the definition
record   ``s`` plan, position (4 bytes), attempt (4)     the record's data
log      ``l`` plan, log position (8)                    a change, as below
line     ``o`` plan, position (4), number (8)            the line's data
stop     ``t`` plan                                      empty: a stop is asked for
=======  ==============================================  =============================

A change in the log is one byte for its kind and then: ``R`` a row; ``N`` position,
attempt and data of a record; ``L`` position, number and data of a line. The log repeats
what the records hold: a watcher must see every change, and the records hold the latest
only. The plan's log position is the last key of its log; how many lines an action has
reported is the last key of its lines. So nothing is counted twice, and writing a
``Write`` again changes nothing.
"""

from __future__ import annotations

import struct
from typing import TypeAlias
from uuid import UUID

from ._records import decode_row, encode_row
from ._state import Status
from ._vault import (
    FIRST_LINES,
    LAST_LINES,
    LOG_KEPT,
    Change,
    LineRecord,
    NodeRecord,
    PlanRow,
    Write,
)

__all__ = [
    "DEFINITION",
    "LINE",
    "LOG",
    "PURPOSES",
    "RECORD",
    "ROW",
    "STOP",
    "Step",
    "change_of",
    "line_key",
    "line_place",
    "log_key",
    "log_position",
    "record_of",
    "status_of",
    "steps_of",
]

ROW = b"r"
DEFINITION = b"d"
RECORD = b"s"
LOG = b"l"
LINE = b"o"
STOP = b"t"
PURPOSES = (ROW, DEFINITION, RECORD, LOG, LINE, STOP)

_RECORD_KEY = struct.Struct(">17sII")
_LOG_KEY = struct.Struct(">17sQ")
_LINE_KEY = struct.Struct(">17sIQ")
_NODE_HEAD = struct.Struct(">cII")
_LINE_HEAD = struct.Struct(">cIQ")


def log_key(plan_id: UUID, position: int) -> bytes:
    """The key of one change."""
    return _LOG_KEY.pack(LOG + plan_id.bytes, position)


def line_key(plan_id: UUID, position: int, number: int) -> bytes:
    """The key of one line."""
    return _LINE_KEY.pack(LINE + plan_id.bytes, position, number)


def log_position(key: bytes) -> int:
    """The position in a key of the log."""
    position: int = _LOG_KEY.unpack(key)[1]
    return position


def line_place(key: bytes) -> tuple[int, int]:
    """The action's position and the line's number, in a key of a line."""
    _, position, number = _LINE_KEY.unpack(key)
    return position, number


def record_of(key: bytes, data: bytes) -> NodeRecord:
    """The record that stands at a key."""
    _, position, attempt = _RECORD_KEY.unpack(key)
    return NodeRecord(position, attempt, data)


def change_of(plan_id: UUID, value: bytes) -> Change:
    """The change that the log holds there."""
    kind = value[:1]
    if kind == b"R":
        return decode_row(plan_id, value[1:])
    if kind == b"N":
        _, position, attempt = _NODE_HEAD.unpack_from(value)
        return NodeRecord(position, attempt, value[_NODE_HEAD.size :])
    if kind == b"L":
        _, position, number = _LINE_HEAD.unpack_from(value)
        return LineRecord(position, number, value[_LINE_HEAD.size :])
    message = f"a change of kind {kind!r}"
    raise ValueError(message)


Step: TypeAlias = tuple[bytes, bytes | None, bytes | None]
"""A key, the value it gets, and a later key.

No value: the key goes, whether it is there or not. With a later key, all that stands
between the two, and that one, goes.
"""


def steps_of(write: Write) -> list[Step]:
    """All that a ``Write`` changes, in order."""
    plan = write.plan_id.bytes
    steps: list[Step] = []
    for position, change in enumerate(write.changes, write.first):
        if isinstance(change, NodeRecord):
            logged = _put_record(steps, RECORD + plan, change)
        elif isinstance(change, PlanRow):
            logged = _put_row(steps, plan, change)
        else:
            logged = _put_line(steps, LINE + plan, change)
        steps.append((_LOG_KEY.pack(LOG + plan, position), logged, None))
        if position > LOG_KEPT:
            gone = _LOG_KEY.pack(LOG + plan, position - LOG_KEPT)
            steps.append((gone, None, None))
    return steps


def _put_record(steps: list[Step], prefix: bytes, record: NodeRecord) -> bytes:
    key = _RECORD_KEY.pack(prefix, record.position, record.attempt)
    steps.append((key, record.data, key[:-4] + b"\xff\xff\xff\xff"))
    return _NODE_HEAD.pack(b"N", record.position, record.attempt) + record.data


def _put_row(steps: list[Step], plan: bytes, row: PlanRow) -> bytes:
    data = encode_row(row)
    steps.append((ROW + plan, data, None))
    if row.status.is_terminal:
        steps.append((STOP + plan, None, None))
    return b"R" + data


def _put_line(steps: list[Step], prefix: bytes, line: LineRecord) -> bytes:
    key = _LINE_KEY.pack(prefix, line.position, line.number)
    steps.append((key, line.data, None))
    gone = line.number - LAST_LINES
    if gone > FIRST_LINES:
        steps.append((_LINE_KEY.pack(prefix, line.position, gone), None, None))
    return _LINE_HEAD.pack(b"L", line.position, line.number) + line.data


def status_of(row: bytes) -> Status:
    """The status in a stored row."""
    return decode_row(UUID(int=0), row).status
