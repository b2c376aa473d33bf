"""Where an LMDB store keeps what: its keys, in one tree.

The first byte of a key says what it is for, then comes the plan's id, then what else
tells the entries of a plan apart, big-endian. So what belongs to one plan and is for
one purpose stands together and in order, and a run, which writes its records in about
walk order and its log strictly in order, changes few pages a commit.

=======  ==============================================  =============================
Purpose  Key                                             Value
=======  ==============================================  =============================
row      ``r`` plan                                      the row, by ``_codec.records``
plan     ``d`` plan                                      the definition
record   ``s`` plan, position (4 bytes), attempt (4)     log position (8), the data
log      ``l`` plan, log position (8)                    changes, as below
line     ``o`` plan, position (4), number (8)            the line's data
request  ``q`` plan, number (8)                          the request, by ``_codec.records``
card     ``w`` plan                                      digests of its labels
index    ``i``, as ``_vaults.lmdb.index.keys`` tells     mostly nothing
=======  ==============================================  =============================

A **record** is put and never looked at again by who writes. That it removes those of
later attempts is seen by who reads: a record says at which log position it was written,
and one that was written before a record of an earlier attempt is gone, though its key
is still there. So a write is a list of keys and values that LMDB takes in one call.

The **log** repeats what the records hold: a watcher must see every change, and the
records hold the latest only. The changes of one ``Write`` stand together, up to 256 in an
entry, whose key tells the position of the last: so the log costs an action next to
nothing. Each change is its length (4 bytes), one byte for its kind, and then: ``R`` a
row; ``N`` position, attempt and data of a record; ``L`` position, number and data of a
line.

The plan's log position is the last key of its log; how many lines an action has reported
is the last key of its lines. So nothing is counted twice, and writing a ``Write`` again
changes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from ..._codec.records import decode_request, decode_row, encode_row
from ..._protocols.vault import (
    LOG_KEPT,
    Change,
    LineRecord,
    NodeRecord,
    PlanRequest,
    PlanRow,
    Write,
)
from ..._values.state import FIRST_LINES, LAST_LINES

ROW = b"r"
DEFINITION = b"d"
RECORD = b"s"
LOG = b"l"
LINE = b"o"
REQUEST = b"q"
CARD = b"w"
INDEX = b"i"
FREEZE = b"f"
"""The key of what the store says of a freeze; it is of no plan."""
PURPOSES = (ROW, DEFINITION, RECORD, LOG, LINE, REQUEST, CARD)
"""What a plan has keys for; those of the index begin with no plan's id."""

LOG_ENTRY = 256
"""How many changes an entry of the log holds at most."""

_RECORD_KEY = struct.Struct(">17sII")
_NUMBERED_KEY = struct.Struct(">17sQ")
_LINE_KEY = struct.Struct(">17sIQ")
_WRITTEN = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")
_ROW_HEAD = struct.Struct(">Ic")
_NODE_HEAD = struct.Struct(">IcII")
_LINE_HEAD = struct.Struct(">IcIQ")


def keys_under(transaction: Any, beginning: bytes) -> Iterator[bytes]:
    """All keys that begin like this, in order."""
    cursor = transaction.cursor()
    if cursor.set_range(beginning):
        for key in cursor.iternext(values=False):
            if not key.startswith(beginning):
                return
            yield key


def all_under(
    transaction: Any, beginning: bytes, start: bytes = b""
) -> Iterator[tuple[bytes, bytes]]:
    """The same, from a first key on, with their values."""
    cursor = transaction.cursor()
    if cursor.set_range(start or beginning):
        for key, value in cursor:
            if not key.startswith(beginning):
                return
            yield key, value


def last_up_to(cursor: Any, end: bytes) -> bytes:
    """The last key up to this one, where the cursor then stands; empty: there is none."""
    if not cursor.set_range(end):
        cursor.last()
    elif cursor.key() != end:
        cursor.prev()
    key: bytes = cursor.key()
    return key


def sweep(cursor: Any, first: bytes, last: bytes) -> None:
    """Delete all from the first key to the last, both included."""
    if cursor.set_range(first):
        # A cursor that has run off the end stands at the empty key.
        while b"" < cursor.key() <= last:
            cursor.delete()


def numbered_key(purpose: bytes, plan_id: UUID, number: int) -> bytes:
    """The key of the log's entry whose last change has this position; of a request."""
    return _NUMBERED_KEY.pack(purpose + plan_id.bytes, number)


def line_key(plan_id: UUID, position: int, number: int) -> bytes:
    """The key of one line."""
    return _LINE_KEY.pack(LINE + plan_id.bytes, position, number)


def request_at(key: bytes, data: bytes) -> PlanRequest:
    """The request that stands at a key."""
    head, number = _NUMBERED_KEY.unpack(key)
    return decode_request(UUID(bytes=head[1:]), number, data)


def number_in(key: bytes) -> int:
    """In a key of the log, the position of the entry's last change; a request's number."""
    number: int = _NUMBERED_KEY.unpack(key)[1]
    return number


def line_place(key: bytes) -> tuple[int, int]:
    """The action's position and the line's number, in a key of a line."""
    _, position, number = _LINE_KEY.unpack(key)
    return position, number


def records_in(found: Iterable[tuple[bytes, bytes]]) -> Iterator[NodeRecord]:
    """The records among the keys and values of a plan, without those that are gone."""
    place = latest = -1
    for key, value in found:
        _, position, attempt = _RECORD_KEY.unpack(key)
        (written,) = _WRITTEN.unpack_from(value)
        if position != place:
            place, latest = position, -1
        if written > latest:
            latest = written
            yield NodeRecord(position, attempt, value[_WRITTEN.size :])


def changes_in(plan_id: UUID, entry: bytes) -> list[Change]:
    """The changes that an entry of the log holds, in order."""
    changes: list[Change] = []
    start = 0
    while start < len(entry):
        end = start + _LENGTH.size + _LENGTH.unpack_from(entry, start)[0]
        changes.append(_change_in(plan_id, entry[start:end]))
        start = end
    return changes


def _change_in(plan_id: UUID, value: bytes) -> Change:
    kind = value[4:5]
    if kind == b"R":
        return decode_row(plan_id, value[_ROW_HEAD.size :])
    if kind == b"N":
        _, _, position, attempt = _NODE_HEAD.unpack_from(value)
        return NodeRecord(position, attempt, value[_NODE_HEAD.size :])
    if kind == b"L":
        _, _, position, number = _LINE_HEAD.unpack_from(value)
        return LineRecord(position, number, value[_LINE_HEAD.size :])
    message = f"a change of kind {kind!r}"
    raise ValueError(message)


class Steps:
    """What a ``Write`` does to the tree.

    Attributes:
        puts: Keys, and the values they get.
        gone: A first key, and a last one: after that, all from one to the other goes.
        row: The row that the plan has then; None: the one that it had.
    """

    __slots__ = ("gone", "puts", "row")

    def __init__(self) -> None:
        """Nothing yet."""
        self.puts: list[tuple[bytes, bytes]] = []
        self.gone: dict[bytes, bytes] = {}
        self.row: PlanRow | None = None


def steps_of(write: Write) -> Steps:
    """All that a ``Write`` changes."""
    plan = write.plan_id.bytes
    records = RECORD + plan
    steps = Steps()
    logged = list[bytes]()  # of each change two parts: its head, and its data
    put, note, key_of, written_at, head_of = (
        steps.puts.append,
        logged.append,
        _RECORD_KEY.pack,
        _WRITTEN.pack,
        _NODE_HEAD.pack,
    )
    for written, change in enumerate(write.changes, write.first):
        if isinstance(change, NodeRecord):
            position, attempt, data = change.position, change.attempt, change.data
            put((key_of(records, position, attempt), written_at(written) + data))
            note(head_of(9 + len(data), b"N", position, attempt))
            note(data)
        elif isinstance(change, PlanRow):
            logged += _put_row(steps, plan, change)
        else:
            logged += _put_line(steps, LINE + plan, change)
    log = LOG + plan
    last = write.first - 1
    for start in range(0, len(logged), 2 * LOG_ENTRY):
        entry = logged[start : start + 2 * LOG_ENTRY]
        last += len(entry) // 2
        put((_NUMBERED_KEY.pack(log, last), b"".join(entry)))
    if write.taken:  # unless the plan has ended, and all of them go
        taken = numbered_key(REQUEST, write.plan_id, write.taken)
        steps.gone.setdefault(REQUEST + plan, taken)
    if last > LOG_KEPT:
        steps.gone[log] = _NUMBERED_KEY.pack(log, last - LOG_KEPT)
    return steps


def _put_row(steps: Steps, plan: bytes, row: PlanRow) -> tuple[bytes, bytes]:
    data = encode_row(row)
    steps.puts.append((ROW + plan, data))
    steps.row = row
    if row.status.is_terminal:
        steps.gone[REQUEST + plan] = REQUEST + plan + b"\xff" * 8
    return _ROW_HEAD.pack(1 + len(data), b"R"), data


def _put_line(steps: Steps, prefix: bytes, line: LineRecord) -> tuple[bytes, bytes]:
    key = _LINE_KEY.pack(prefix, line.position, line.number)
    steps.puts.append((key, line.data))
    steps.gone.pop(key, None)
    old = line.number - LAST_LINES
    if old > FIRST_LINES:
        key = _LINE_KEY.pack(prefix, line.position, old)
        steps.gone[key] = key
    head = _LINE_HEAD.pack(13 + len(line.data), b"L", line.position, line.number)
    return head, line.data
