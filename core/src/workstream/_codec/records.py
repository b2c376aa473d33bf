"""The stored forms that need no plugin: a plan's row, and the lines plugins reported.

What each form holds is listed at its ``pack``; a change of any of them is a new version.
"""

from __future__ import annotations

from uuid import UUID

from .._plan.plan import Outcome, Plan
from .._protocols.vault import PlanRequest, PlanRow
from .._values.state import FailureReason, State, Status
from .._values.wire import from_micros, moment, pack, to_micros, unpack
from .output import Line

__all__ = [
    "apply_row",
    "decode_line",
    "decode_request",
    "decode_row",
    "encode_line",
    "encode_request",
    "encode_row",
    "row_of",
    "row_prefixes",
    "status_in",
]

_ROW = b"\x01"
_ROW_WITH_FAILURES = b"\x02"
_LINE = b"\x01"
_REQUEST = b"\x01"
_ROW_FIELDS = 10

STATUSES: dict[str, Status] = {status.name: status for status in Status}


def encode_line(line: Line) -> bytes:
    """The line as it is stored."""
    return pack(
        _LINE,
        (
            line.number,
            to_micros(line.time),
            line.attempt,
            line.text,
            line.done,
            line.total,
        ),
    )


def decode_line(data: bytes) -> Line:
    """The line that was encoded. Raises ValueError for anything else."""
    number, time, attempt, text, done, total = unpack(_LINE, data)
    return Line(
        number=number,
        time=moment(time),
        attempt=attempt,
        text=text,
        done=done,
        total=total,
    )


def encode_request(request: PlanRequest) -> bytes:
    """The request as it is stored; plan and number are left to whoever stores it."""
    return pack(
        _REQUEST,
        (
            request.verb,
            request.path,
            request.by,
            to_micros(request.at),
            request.reason,
            request.data,
        ),
    )


def decode_request(plan_id: UUID, number: int, data: bytes) -> PlanRequest:
    """The request that was encoded. Raises ValueError for anything else."""
    verb, path, by, at, reason, more = unpack(_REQUEST, data)
    return PlanRequest(
        plan_id=plan_id,
        number=number,
        verb=verb,
        path=path,
        by=by,
        at=moment(at),
        reason=reason,
        data=more,
    )


def encode_row(row: PlanRow) -> bytes:
    """The row as it is stored; the plan's id is left to whoever stores it.

    There are two versions of one form. The second says by itself that a sequence or a
    batch failed though the plan completed (OM-4); the first, which is older than that
    is told, says nothing of it.
    """
    # The status comes first: see ``row_prefixes``.
    return pack(
        _ROW_WITH_FAILURES if row.with_failures else _ROW,
        (
            row.status.name,
            row.name,
            row.description,
            None if row.group_id is None else row.group_id.bytes,
            to_micros(row.submitted),
            to_micros(row.started),
            to_micros(row.ended),
            [reason.name for reason in row.reasons],
            row.stopping,
            to_micros(row.runtime_update),
        ),
    )


def decode_row(plan_id: UUID, data: bytes) -> PlanRow:
    """The row that was encoded. Raises ValueError or KeyError for anything else."""
    version = _ROW if data.startswith(_ROW) else _ROW_WITH_FAILURES
    (
        status,
        name,
        description,
        group_id,
        submitted,
        started,
        ended,
        reasons,
        stopping,
        runtime_update,
    ) = unpack(version, data)
    return PlanRow(
        id=plan_id,
        name=name,
        description=description,
        group_id=None if group_id is None else UUID(bytes=group_id),
        submitted=from_micros(submitted),
        status=STATUSES[status],
        started=from_micros(started),
        ended=from_micros(ended),
        reasons=tuple(FailureReason[reason] for reason in reasons),
        stopping=stopping,
        runtime_update=from_micros(runtime_update),
        with_failures=version == _ROW_WITH_FAILURES,
    )


def row_prefixes(status: Status) -> tuple[bytes, ...]:
    """How the stored row of a plan of this status may begin.

    A search for the running plans looks at every row; so it need not decode them.
    """
    name = status.name.encode()
    start = bytes((0x90 | _ROW_FIELDS, 0xA0 | len(name))) + name
    return (_ROW + start, _ROW_WITH_FAILURES + start)


_PREFIXES = {status: row_prefixes(status) for status in Status}


def status_in(data: bytes) -> Status:
    """The status of the stored row. Raises ValueError or KeyError for anything else.

    It is asked before each write, so it does not decode the row either.
    """
    for status, prefixes in _PREFIXES.items():
        if data.startswith(prefixes):
            return status
    return decode_row(UUID(int=0), data).status


def row_of(plan: Plan) -> PlanRow:
    """The plan's own state, for the store; the plan must have an id."""
    assert plan.id is not None, "the plan has no id: it was never submitted"
    return PlanRow(
        id=plan.id,
        name=plan.name,
        description=plan.description,
        group_id=plan.group_id,
        submitted=plan.submitted,
        status=plan.state.status,
        started=plan.state.started,
        ended=plan.state.ended,
        reasons=plan.reasons,
        stopping=plan.stopping,
        runtime_update=plan.runtime_update,
        with_failures=plan.outcome is Outcome.COMPLETED_WITH_FAILURES,
    )


def apply_row(plan: Plan, row: PlanRow) -> None:
    """Give the plan the state that the row holds."""
    plan.state = State(row.status, row.started, row.ended)
    plan.submitted = row.submitted
    plan.runtime_update = row.runtime_update
    plan.reasons = row.reasons
    plan.stopping = row.stopping
