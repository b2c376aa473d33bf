"""The stored forms that need no plugin: a plan's row, and its requests.

Each is an array of the fields listed here, in this order, behind one byte: the version
of the form. A change that an older engine would misread is a new version: give it the
next byte, keep the list of the old fields to read the old form by, and add a golden
store (``core/tests/test_golden_stores.py`` says how).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import attrs

from .._plan.outcome import Outcome, TakenBack
from .._protocols.vault import Change, NodeRecord, PlanRequest, PlanRow
from .._values.interventions import Effect, Freeze, Intervention, Verb, Word
from .._values.state import FailureReason, State, Status
from .._values.wire import from_micros, moment, pack, pack_part, to_micros, unpack

if TYPE_CHECKING:
    from .._plan.plan import Plan

T = TypeVar("T")


STATUSES: dict[str, Status] = {status.word: status for status in Status}

_STEPS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "status": (lambda status: status.word, STATUSES.__getitem__),
    "reasons": (
        lambda reasons: [reason.name for reason in reasons],
        lambda names: tuple(FailureReason[name] for name in names),
    ),
    "locks": (list, tuple),
    "group_id": (
        lambda group_id: None if group_id is None else group_id.bytes,
        lambda data: None if data is None else UUID(bytes=data),
    ),
    **dict.fromkeys(
        ("submitted", "started", "ended", "runtime_update"), (to_micros, from_micros)
    ),
    **dict.fromkeys(("at", "time"), (to_micros, moment)),
}
"""Of the fields whose values are no plain data: what makes them so, and what reads them."""


class Form(Generic[T]):
    """How the objects of one class are stored: these fields, in this order."""

    def __init__(self, version: bytes, cls: Callable[..., T], *fields: str) -> None:
        self.version = version
        self.fields = fields
        self._cls = cls
        self._steps = [(name, *_STEPS.get(name, (_same, _same))) for name in fields]

    def encode(self, value: T, **more: Any) -> bytes:
        """The object as bytes; ``more`` are fields of the form that it does not have."""
        data = [
            more[name] if name in more else write(getattr(value, name))
            for name, write, _ in self._steps
        ]
        return pack(self.version, data)

    def decode(self, data: bytes, **known: Any) -> T:
        """The object of these bytes; ``known`` are its fields that are not stored.

        Raises:
            ValueError, KeyError: They are no such object.
        """
        parts = zip(self._steps, unpack(self.version, data), strict=True)
        read = {name: read(part) for (name, _, read), part in parts}
        return self._cls(**known, **read)


def _same(value: Any) -> Any:
    """The value: it is plain already."""
    return value


def _intervention_form(intervention: Intervention) -> list[Any]:
    return [
        intervention.verb.value,
        intervention.path,
        intervention.by,
        to_micros(intervention.at),
        intervention.reason,
        intervention.data,
        intervention.effect.name,
        intervention.words,
    ]


def _intervention_of(form: list[Any]) -> Intervention:
    verb, path, by, at, reason, data, effect, words = form
    return Intervention(
        verb=Verb(verb),
        path=path,
        by=by,
        at=moment(at),
        reason=reason,
        data=data,
        effect=Effect[effect],
        words=words,
    )


def _taken_back_form(taken: TakenBack) -> list[Any]:
    return [taken.done, taken.of, taken.names]


def _taken_back_of(form: list[Any]) -> TakenBack:
    done, of, names = form
    return TakenBack(done, of, tuple(names))


_MORE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "taken_back": (_taken_back_form, _taken_back_of),
    "held": (
        lambda held: [_intervention_form(each) for each in held],
        lambda forms: tuple(map(_intervention_of, forms)),
    ),
    "skipped": (_same, _same),
}
"""The fields of a row that most plans leave as they are: what differs is stored by name,
so that a new one of these needs no new version."""

_USUAL: dict[str, Any] = {
    field.name: field.default for field in attrs.fields(PlanRow) if field.name in _MORE
}


def _row_and_more(*, more: dict[str, Any], **fields: Any) -> PlanRow:
    """The row of what is stored, without the fields that a newer engine may have added."""
    known = {name: _MORE[name][1](form) for name, form in more.items() if name in _MORE}
    return PlanRow(**fields, **known)


# The status comes first: see ``row_prefixes``.
_ROW = Form(
    b"\x01", PlanRow, "status", "name", "description", "group_id", "submitted",
    "started", "ended", "reasons", "stopping", "runtime_update", "with_failures",
)  # fmt: skip
# A plan without locks is stored as ever, so that an older engine reads it.
_ROW_2 = Form(b"\x02", PlanRow, *_ROW.fields, "locks")
_ROW_AND_MORE = Form(b"\x03", _row_and_more, *_ROW_2.fields, "more")
_INTERVENTION = b"\x01"
_FREEZE = b"\x01"
_REQUEST = Form(b"\x01", PlanRequest, "verb", "path", "by", "at", "reason", "data")


def encode_freeze(freeze: Freeze) -> bytes:
    """The store's freeze, as it is stored."""
    exempt = [[plan.bytes, _word_form(word)] for plan, word in freeze.exempt.items()]
    ended = None if freeze.ended is None else _word_form(freeze.ended)
    return pack(_FREEZE, [_word_form(freeze.begun), ended, exempt])


def decode_freeze(data: bytes) -> Freeze:
    """The freeze that was encoded. Raises ValueError for anything else."""
    begun, ended, exempt = unpack(_FREEZE, data)
    return Freeze(
        begun=_word_of(begun),
        ended=None if ended is None else _word_of(ended),
        exempt={UUID(bytes=plan): _word_of(word) for plan, word in exempt},
    )


def _word_form(word: Word) -> list[Any]:
    return [word.by, to_micros(word.at), word.reason]


def _word_of(form: list[Any]) -> Word:
    by, at, reason = form
    return Word(by=by, at=moment(at), reason=reason)


# What ``Codec.record_of`` says of the one attempt of an action that goes well, when it
# begins and when it has ended: twice an action, and all but the times is known before.
_BEGUN = struct.Struct(">11sQ2sQ5s").pack
_TWO_TIMES = struct.Struct(">QBQ").pack
_TIME = b"\xcf"  # of msgpack, before a number of 64 bits
_COMPLETED_AT = b"\x01\x99\xa9COMPLETED" + _TIME
_HAS_32_BITS = 1 << 32


def begun(started: int) -> bytes:
    """The record of an action's only attempt, which begins at this time."""
    if started < _HAS_32_BITS:
        form = ("RUNNING", started, None, started, None, None, None, 0, None)
        return pack(b"\x01", form)
    return _BEGUN(
        b"\x01\x99\xa7RUNNING\xcf",
        started,
        b"\xc0\xcf",
        started,
        b"\xc0\xc0\xc0\x00\xc0",
    )


def completed(started: int, ended: int, response: bytes) -> bytes:
    """The record of an action whose only attempt has given this packed response."""
    if started < _HAS_32_BITS:
        times = (started, ended, started, ended)
        head = b"\x01\x99" + b"".join(map(pack_part, ("COMPLETED", *times)))
    else:
        both = _TWO_TIMES(started, 0xCF, ended)
        head = _COMPLETED_AT + both + _TIME + both
    return head + response + b"\xc0\x00\xc0"


def encode_request(request: PlanRequest) -> bytes:
    """The request as it is stored; plan and number are left to whoever stores it."""
    return _REQUEST.encode(request)


def decode_request(plan_id: UUID, number: int, data: bytes) -> PlanRequest:
    """The request that was encoded. Raises ValueError for anything else."""
    return _REQUEST.decode(data, plan_id=plan_id, number=number)


def encode_row(row: PlanRow) -> bytes:
    """The row as it is stored; the plan's id is left to whoever stores it."""
    more: dict[str, Any] = {}
    for name, usual in _USUAL.items():
        value = getattr(row, name)
        if value != usual:
            more[name] = _MORE[name][0](value)
    if more:
        return _ROW_AND_MORE.encode(row, more=more)
    return (_ROW_2 if row.locks else _ROW).encode(row)


def decode_row(plan_id: UUID, data: bytes) -> PlanRow:
    """The row that was encoded. Raises ValueError or KeyError for anything else."""
    versions = {form.version: form for form in (_ROW, _ROW_2)}
    form = versions.get(data[:1], _ROW_AND_MORE)
    return form.decode(data, id=plan_id)


def row_prefixes(status: Status) -> tuple[bytes, ...]:
    """How the stored row of a plan of this status may begin.

    A search for the running plans looks at every row; so it need not decode them.
    """
    name = status.word.encode()
    return tuple(
        form.version + bytes((0x90 | len(form.fields), 0xA0 | len(name))) + name
        for form in (_ROW, _ROW_2, _ROW_AND_MORE)
    )


_PREFIXES = {prefix: status for status in Status for prefix in row_prefixes(status)}


def status_in(data: bytes) -> Status:
    """The status of the stored row. Raises ValueError or KeyError for anything else.

    It is asked before each write, so it does not decode the row either.
    """
    for prefix, status in _PREFIXES.items():
        if data.startswith(prefix):
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
        locks=plan.locks,
        taken_back=plan.taken_back,
        held=plan.held,
        skipped=plan.skipped,
    )


def plan_changes(plan: Plan, known: int) -> Iterator[Change]:
    """What is to be written of the plan itself, after a change of it.

    Args:
        plan: The plan.
        known: How many of its interventions are stored already.
    """
    for number, each in enumerate(plan.interventions[known:], known + 1):
        yield NodeRecord(0, number, pack(_INTERVENTION, _intervention_form(each)))
    yield row_of(plan)


def decode_intervention(data: bytes) -> Intervention:
    """The intervention that a record of the plan holds. Raises ValueError, KeyError."""
    return _intervention_of(unpack(_INTERVENTION, data))


def apply_row(plan: Plan, row: PlanRow) -> None:
    """Give the plan the state that the row holds."""
    plan.state = State(row.status, row.started, row.ended)
    plan.submitted = row.submitted
    plan.runtime_update = row.runtime_update
    plan.reasons = row.reasons
    plan.stopping = row.stopping
