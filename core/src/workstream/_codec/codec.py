"""What a vault stores, as bytes: definitions, records, rows, lines (section 16).

A **definition** is what the user wrote: the plan's objects as nested dicts, each field
by its name, fields that hold their default left out. It holds nothing of what the
engine writes, and is never written again.

A **record** is the state of one object, and of an action its latest attempt too, as one
short array. It is made twice an action, so it is made by hand.

A **request or response** is an array of its plain data and, where it has SECURE fields,
the paths of these in it: so a reader that lacks the plugin shows no secret (CL-8). How
values become plain data is told in ``_codec.converter``; how plain data becomes bytes,
in ``_values.wire``. An engine that has the plugin makes the value of the plugin's type
from it; any other makes a ``StoredValue``, and stores that again as it was (STO-8).

All begin with a version byte. A change that an older engine could not read is a new
version; a reader keeps reading all versions there have been.

Nothing is pickled, and no class is imported by a name that is stored: reading a store
runs no code but that of the plugins at hand.

cattrs is imported with the first request or response that has a type. Listing plans,
and showing one without its plugins, never pays for it.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from .._plan.fields import FIELDS, Field, Kind
from .._plan.paths import path_of
from .._plan.plan import BaseAction, Node, NodeT, Plan
from .._plan.walk import Item, give_ids, position_of, walk
from .._protocols.vault import NodeRecord, PlanRow, StoredPlan
from .._values.errors import Fault, PlanCorruptError, ValidationError
from .._values.state import Attempt, PluginError, State
from .._values.wire import from_micros, moment, pack, to_micros, unpack
from . import records
from .output import Line
from .value_codec import MisfitError, Plugins, Side, ValueCodec

__all__ = ["Codec", "Plugins"]

_DEFINITION = b"\x01"
_RECORD = b"\x01"
_NOTHING = (None, None, None)
_LONGEST_CHAIN = 1_000
"""How many wrapped errors are kept; one that wraps itself would never end."""


class Codec:
    """Makes bytes of plans and their changes, and plans of bytes."""

    def __init__(self, plugins: Plugins | None) -> None:
        """Make a codec.

        Args:
            plugins: Where the types of requests and responses are looked up. None: all
                of them become ``StoredValue``.
        """
        self._values = ValueCodec(plugins)
        # What was checked last: as a rule it is recorded next, with no ``await`` between.
        self._checked: tuple[object, object, Any] = _NOTHING

    # -- What needs no plugin ----------------------------------------------------------

    @staticmethod
    def row_of(plan: Plan) -> PlanRow:
        """The plan's own state, for the store; the plan must have an id."""
        return records.row_of(plan)

    @staticmethod
    def apply_row(plan: Plan, row: PlanRow) -> None:
        """Give the plan the state that the row holds."""
        records.apply_row(plan, row)

    @staticmethod
    def encode_row(row: PlanRow) -> bytes:
        """The row as it is stored; the plan's id is left to whoever stores it."""
        return records.encode_row(row)

    @staticmethod
    def decode_row(plan_id: UUID, data: bytes) -> PlanRow:
        """The row that was encoded."""
        return records.decode_row(plan_id, data)

    @staticmethod
    def encode_line(line: Line) -> bytes:
        """The line as it is stored."""
        return records.encode_line(line)

    @staticmethod
    def decode_line(data: bytes) -> Line:
        """The line that was encoded."""
        return records.decode_line(data)

    # -- Definitions -------------------------------------------------------------------

    def encode_definition(self, plan: Plan) -> bytes:
        """The plan as the user wrote it; what the engine wrote is left out.

        Raises:
            ValidationError: A request cannot be stored; every such request is named.
        """
        faults: list[Fault] = []
        requests: dict[int, Any] = {}
        for item in walk(plan):
            if isinstance(item.node, BaseAction):
                action = item.node
                try:
                    requests[id(action)] = self._values.checked(
                        action.plugin, Side.REQUEST, action.request
                    )
                except (TypeError, ValueError) as error:
                    faults.append(
                        Fault(
                            path=path_of(item),
                            field="request",
                            rule="STO-7",
                            message=str(error),
                        )
                    )
        if faults:
            message = "the plan cannot be stored"
            raise ValidationError(message, faults)
        return pack(_DEFINITION, _taken_apart(plan, requests))

    def load(self, stored: StoredPlan) -> Plan:
        """The plan as it was when it was stored.

        Raises:
            PlanCorruptError: It cannot be read, or a request or response does not fit
                the type that its plugin has now. The message says which object it is.
        """
        plan_id = stored.row.id
        with _collector_paused():
            try:
                plan = _put_together(Plan, unpack(_DEFINITION, stored.definition))
                give_ids(plan, plan_id)
            except Exception as error:
                raise _corrupt(plan_id, "its definition", error) from error
            records.apply_row(plan, stored.row)
            items = list(walk(plan))
            self._load_requests(plan_id, items)
            for record in stored.records:
                if not 0 < record.position < len(items):
                    what = f"a record of object {record.position}, of {len(items)}"
                    raise _corrupt(plan_id, what, None)
                item = items[record.position]
                try:
                    self._apply(item.node, record)
                except Exception as error:
                    raise _corrupt(plan_id, repr(path_of(item)), error) from error
        return plan

    def _load_requests(self, plan_id: UUID, items: Iterable[Item]) -> None:
        misfits: list[tuple[Item, Exception]] = []
        for item in items:
            action = item.node
            if isinstance(action, BaseAction) and action.request is not None:
                try:
                    action.request = self._values.decode(
                        action.plugin, Side.REQUEST, action.request
                    )
                except Exception as error:
                    misfits.append((item, error))
        if misfits:
            item, first = misfits[0]
            what = f"the request of {path_of(item)!r}"
            if len(misfits) > 1:
                what += f", as {len(misfits) - 1} more of its requests,"
            raise _corrupt(plan_id, what, first) from first

    # -- Records -----------------------------------------------------------------------

    def record_of(self, node: Node) -> NodeRecord:
        """What the object is now; of the plan itself, take ``row_of``.

        An action's record holds its latest attempt only. So record it when an attempt
        ends, before the next one is added.
        """
        state = node.state
        started = to_micros(state.started)
        ended = None if state.ended is None else to_micros(state.ended)
        position = position_of(node)
        if not isinstance(node, BaseAction) or not node.attempts:
            data = pack(_RECORD, (state.status.word, started, ended))
            return NodeRecord(position, 0, data)
        attempt = node.attempts[-1]
        data = pack(
            _RECORD,
            (
                state.status.word,
                started,
                ended,
                # An action's only attempt begins and ends with it: in the same objects.
                started
                if attempt.started is state.started
                else to_micros(attempt.started),
                ended if attempt.ended is state.ended else to_micros(attempt.ended),
                None if attempt.response is None else self._form_of(node, attempt),
                None if attempt.error is None else _chain_of(attempt.error),
                attempt.interrupted | attempt.unresponsive << 1,
                attempt.notes or None,
            ),
        )
        return NodeRecord(position, len(node.attempts), data)

    def _form_of(self, action: BaseAction, attempt: Attempt) -> Any:
        of, value, form = self._checked
        if of is action and value is attempt.response:
            self._checked = _NOTHING
            return form
        return self._values.encode(action.plugin, Side.RESPONSE, attempt.response)

    def apply_record(self, node: Node, record: NodeRecord) -> None:
        """Give the object the state, and the latest attempt, that the record holds.

        Raises:
            PlanCorruptError: The record cannot be read, or is not of this object.
        """
        try:
            self._apply(node, record)
        except Exception as error:
            assert node.plan_id is not None
            what = f"a record of {getattr(node, 'name', node.object_type.name)!r}"
            raise _corrupt(node.plan_id, what, error) from error

    def decode_record(
        self, node: Node, record: NodeRecord
    ) -> tuple[State, Attempt | None]:
        """The state, and the latest attempt, that a record of the object holds.

        Raises:
            ValueError, TypeError, KeyError: The record cannot be read.
        """
        status, started, ended, *rest = unpack(_RECORD, record.data)
        state = State(
            records.STATUSES[status], from_micros(started), from_micros(ended)
        )
        if not record.attempt:
            return state, None
        if not isinstance(node, BaseAction):
            message = "an object that is no action has an attempt"
            raise ValueError(message)
        return state, self._attempt_of(node, *rest)

    def _apply(self, node: Node, record: NodeRecord) -> None:
        node_state, attempt = self.decode_record(node, record)
        if isinstance(node, BaseAction):
            number = record.attempt
            if number > len(node.attempts) + 1:
                message = f"attempt {number} follows attempt {len(node.attempts)}"
                raise ValueError(message)
            node.attempts[max(number - 1, 0) :] = [] if attempt is None else [attempt]
        node.state = node_state

    def _attempt_of(
        self,
        action: BaseAction,
        started: int,
        ended: int | None,
        response: Any,
        error: Any,
        flags: int,
        notes: dict[str, Any] | None,
    ) -> Attempt:
        return Attempt(
            started=moment(started),
            ended=from_micros(ended),
            response=self._values.decode(action.plugin, Side.RESPONSE, response),
            error=None if error is None else _error_of(error),
            interrupted=bool(flags & 1),
            unresponsive=bool(flags & 2),
            notes=notes or {},
        )

    def check_storable(self, action: BaseAction, value: object, /) -> None:
        """Say whether a response to the action could be stored and read again (STO-7).

        Raises:
            TypeError: It holds what cannot be stored, or what would come back as
                something else; the message says where in it, and what to do.
        """
        form = self._values.checked(action.plugin, Side.RESPONSE, value)
        self._checked = (action, value, form)


def _corrupt(plan_id: UUID, what: str, error: Exception | None) -> PlanCorruptError:
    reason = "" if error is None else f": {type(error).__name__}: {error}"
    if isinstance(error, MisfitError):
        reason = (
            f": {error}. If they have, install the version of the package that it was"
            " stored with to go on with it"
        )
    return PlanCorruptError(
        f"plan {plan_id} cannot be read, all others can: {what} is not as it was "
        f"stored, or its plugin's types have changed{reason}",
        plan_id,
    )


@contextmanager
def _collector_paused() -> Generator[None]:
    """Loading makes many objects and no garbage: looking for some doubles its time.

    What was loaded is then put among the old objects at once, which costs nothing: the
    collector would look through all of it twice more before it let it be old.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # else somebody froze theirs, to keep it frozen
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


# -- Errors ----------------------------------------------------------------------------


def _chain_of(error: PluginError) -> list[tuple[str, int, bool]]:
    """The error and those behind it, outermost first."""
    chain: list[tuple[str, int, bool]] = []
    link: PluginError | None = error
    while link is not None and len(chain) < _LONGEST_CHAIN:
        chain.append((str(link.message), int(link.code), bool(link.permanent)))
        link = link.wrapped
    return chain


def _error_of(chain: list[list[Any]]) -> PluginError:
    error: PluginError | None = None
    for message, code, permanent in reversed(chain):
        error = PluginError(message, code=code, permanent=permanent, wrapped=error)
    if error is None:
        text = "an error without a message"
        raise ValueError(text)
    return error


# -- Objects as dicts ------------------------------------------------------------------

_BY_NAME = {
    cls: {field.name: field for field in fields} for cls, fields in FIELDS.items()
}
_CLASSES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.NUMBER: (float, int),
    Kind.COUNT: (int,),
    Kind.FLAG: (bool,),
    Kind.BYTES: (bytes,),
}


def _taken_apart(node: Node, requests: dict[int, Any]) -> dict[str, Any]:
    apart: dict[str, Any] = {}
    for field in FIELDS[type(node)]:
        value = getattr(node, field.name)
        if value is None or (value == field.default and not field.required):
            # None is the default wherever it is allowed, so it need not be told apart;
            # but of a field with another default it has to be.
            if field.default is not None and value is None:
                apart[field.name] = None
        elif field.kind is Kind.NODES:
            apart[field.name] = [_taken_apart(inner, requests) for inner in value]
        elif field.kind is Kind.NODE:
            apart[field.name] = _taken_apart(value, requests)
        elif field.kind is Kind.REQUEST:
            apart[field.name] = requests[id(node)]
        elif field.kind is Kind.ENUM:
            apart[field.name] = value.name
        elif field.kind is Kind.UUID:
            apart[field.name] = value.bytes
        else:
            apart[field.name] = value
    return apart


def _put_together(cls: type[NodeT], apart: dict[str, Any]) -> NodeT:
    fields = _BY_NAME[cls]
    return cls(**{name: _read(fields[name], value) for name, value in apart.items()})


def _read(field: Field, value: Any) -> Any:
    kind = field.kind
    if kind is Kind.REQUEST:
        return value
    if value is None:
        if field.optional:
            return None
        message = f"{field.name} is None"
        raise TypeError(message)
    if kind is Kind.NODES:
        return [_put_together(field.type, inner) for inner in value]
    if kind is Kind.NODE:
        return _put_together(field.type, value)
    if kind is Kind.ENUM:
        return field.type[value]
    if kind is Kind.UUID:
        return UUID(bytes=value)
    if value.__class__ not in _CLASSES[kind]:
        message = f"{field.name} is not {kind.value}"
        raise TypeError(message)
    return value
