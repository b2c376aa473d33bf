"""What a vault stores, as bytes: definitions and records (section 16).

A **definition** is what the user wrote: the plan's objects as nested dicts, each field
by its name, fields that hold their default left out (``_codec.objects``). It holds
nothing of what the engine writes, and is never written again.

A **record** is the state of one object, and of an action its latest attempt too, as one
short array. It is made twice an action, so it is made by hand.

A **request or response** is an array of its plain data and, where it has SECURE fields,
the paths of these in it: so a reader that lacks the plugin shows no secret (CL-8). How
values become plain data is told in ``_codec.typed.converter``; how plain data becomes bytes,
in ``_values.wire``. An engine that has the plugin makes the value of the plugin's type
from it; any other makes a ``StoredValue``, and stores that again as it was (STO-8).

Rows, requests and lines need no plugin: ``_codec.records`` and ``_codec.lines``. All forms begin with a
version byte. A change that an older engine would misread is a new version; a reader
keeps reading all versions there have been, and golden files prove it
(``core/tests/test_golden_stores.py``).

Nothing is pickled, and no class is imported by a name that is stored: reading a store
runs no code but that of the plugins at hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast
from uuid import UUID

from .._plan.paths import path_of, paths
from .._plan.plan import BaseAction, Checks, Node, Plan
from .._plan.walk import Item, giving_ids, position_of
from .._protocols.plugin import Plugins
from .._protocols.vault import NodeRecord, StoredPlan
from .._values.errors import Fault, PlanCorruptError, ValidationError
from .._values.state import Attempt, State, chained, links_of
from .._values.wire import (
    PartPacker,
    from_micros,
    moment,
    pack,
    pack_part,
    to_micros,
    unpack,
)
from . import records
from .brief import Brief
from .collector import collector_paused
from .typed.value_codec import MisfitError, Side, ValueCodec

_DEFINITION = b"\x01"
_RECORD = b"\x01"
_NOTHING = (None, None, None)

T = TypeVar("T")


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

    # -- Definitions -------------------------------------------------------------------

    def encode_definition(self, plan: Plan) -> bytes:
        """The plan as the user wrote it; what the engine wrote is left out.

        Raises:
            ValidationError: A request cannot be stored; every such request is named.
        """
        # cattrs takes its time to import: whoever only lists plans need not wait for it.
        from .objects import pack_definition

        refused: dict[int, str] = {}

        def request_of(action: BaseAction) -> Any:
            try:
                return self._values.checked(action.plugin, Side.REQUEST, action.request)
            except (TypeError, ValueError) as error:
                refused[id(action)] = str(error)

        out = PartPacker(_DEFINITION)
        pack_definition(plan, request_of, out)
        if refused:
            faults = [
                Fault(path=path, field="request", rule="STO-7", message=refused[key])
                for path, item in paths(plan)
                if (key := id(item.node)) in refused
            ]
            message = "the plan cannot be stored"
            raise ValidationError(message, faults)
        return out.done()

    @staticmethod
    def lineage(definition: bytes) -> tuple[UUID | None, UUID | None]:
        """Of which plan the defined one is a retry, and which one it takes back.

        The rest of the definition is not looked at.
        """
        whole = unpack(_DEFINITION, definition)
        retry_of, undo_of = whole.get("retry_of"), whole.get("undo_of")
        return (
            None if retry_of is None else UUID(retry_of),
            None if undo_of is None else UUID(undo_of),
        )

    @staticmethod
    def size(definition: bytes) -> int:
        """How many objects the defined plan has."""
        from .objects import size

        return size(Plan, unpack(_DEFINITION, definition))

    def load(self, stored: StoredPlan, *, brief: bool = False) -> Plan:
        """The plan as it was when it was stored.

        Args:
            stored: What was stored.
            brief: Leave out the actions of sequences that were not begun, or completed:
                for a page of a very large plan. All else is there.

        Raises:
            PlanCorruptError: It cannot be read, or a request or response does not fit
                the type that its plugin has now. The message says which object it is.
        """
        with collector_paused():
            return drained(self.loading(stored, sys.maxsize, brief=brief))

    def loading(
        self, stored: StoredPlan, step: int, *, brief: bool = False
    ) -> Generator[None, None, Plan]:
        """The same in steps: it pauses after so many objects, or somewhat more.

        For whoever must not be at work for long without a pause.
        """
        from .objects import plan_in_steps

        plan_id = stored.row.id
        items: list[Item] = []
        try:
            found = Brief(stored, _DEFINITION) if brief else None
            data = (
                unpack(_DEFINITION, stored.definition) if found is None else found.data
            )
            plan = yield from plan_in_steps(data, step)
            positions = None if found is None else found.positions
            del data, found  # plain data of a plan takes as much memory as the plan
            for item in giving_ids(plan, plan_id, positions):
                items.append(item)
                if len(items) % step == 0:
                    yield
        except Exception as error:
            raise _corrupt(plan_id, "its definition", error) from error
        records.apply_row(plan, stored.row)
        yield from self._load_requests(plan_id, items, step)
        at = {position_of(item.node): item for item in items}
        told = stored.records
        if brief:  # of what was left out there are ten times as many
            told = tuple([each for each in told if each.position in at])
        for number, record in enumerate(told, 1):
            if number % step == 0:
                yield
            if not record.position:
                self._intervened(plan, plan_id, record)
                continue
            held = at.get(record.position)
            if held is None:
                what = f"a record of object {record.position}, of {len(items)}"
                raise _corrupt(plan_id, what, None)
            try:
                self.apply_record(held.node, record)
            except Exception as error:
                raise _corrupt(plan_id, repr(path_of(held)), error) from error
        return plan

    @staticmethod
    def _intervened(plan: Plan, plan_id: UUID, record: NodeRecord) -> None:
        """Give the plan an intervention that is stored of it."""
        try:
            told = records.decode_intervention(record.data)
        except Exception as error:
            what = f"intervention {record.attempt}"
            raise _corrupt(plan_id, what, error) from error
        plan.interventions += (told,)

    def _load_requests(
        self, plan_id: UUID, items: list[Item], step: int
    ) -> Generator[None]:
        """Make of each request in its stored form one of its plugin's type."""
        misfits: list[tuple[Item, Exception]] = []
        decode = self._values.decode
        for number, item in enumerate(items, 1):
            if number % step == 0:
                yield
            action = item.node
            if isinstance(action, BaseAction) and action.request is not None:
                try:
                    action.request = decode(action.plugin, Side.REQUEST, action.request)
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
        started, ended = to_micros(state.started), to_micros(state.ended)
        position = position_of(node)
        if not isinstance(node, BaseAction) or not node.attempts:
            form: tuple[Any, ...] = (state.status.word, started, ended)
            if isinstance(node, Checks) and node.missed:
                form += (node.missed,)
            return NodeRecord(position, 0, pack(_RECORD, form))
        attempt = node.attempts[-1]
        # An action's only attempt begins and ends with it: in the same objects.
        same_start = attempt.started is state.started
        same_end = attempt.ended is state.ended
        form = (
            state.status.word,
            started,
            ended,
            started if same_start else to_micros(attempt.started),
            ended if same_end else to_micros(attempt.ended),
            None if attempt.response is None else self._form_of(node, attempt),
            None if attempt.error is None else links_of(attempt.error),
            attempt.interrupted | attempt.unresponsive << 1,
            attempt.notes or None,
        )
        return NodeRecord(position, len(node.attempts), pack(_RECORD, form))

    def plain_response(self, plugin: str) -> Callable[[object], bytes | None]:
        """What packs the responses of a plugin that are surely stored as they are.

        It gives the bytes of the stored form, or None for a response that has to be
        looked at: ``check_storable``.
        """
        wanted = self._values.type_of(plugin, Side.RESPONSE)
        write = None if wanted is None else wanted.write_plain

        def packed(response: object) -> bytes | None:
            data = None if write is None else write(response)
            return None if data is None else pack_part([data])

        return packed

    def _form_of(self, action: BaseAction, attempt: Attempt) -> Any:
        """The stored form of the attempt's response."""
        of, value, form = self._checked
        if of is action and value is attempt.response:
            self._checked = _NOTHING
            return form
        return self._values.encode(action.plugin, Side.RESPONSE, attempt.response)

    def decode_record(
        self, node: Node, record: NodeRecord
    ) -> tuple[State, Attempt | None]:
        """The state, and the latest attempt, that a record of the object holds.

        Raises:
            ValueError, TypeError, KeyError: The record cannot be read.
        """
        status, started, ended, *rest = unpack(_RECORD, record.data)
        status = records.STATUSES[status]
        state = State(status, from_micros(started), from_micros(ended))
        if not record.attempt:
            return state, None
        if not isinstance(node, BaseAction):
            message = "an object that is no action has an attempt"
            raise ValueError(message)
        started, ended, response, error, flags, notes = rest
        attempt = Attempt(
            started=moment(started),
            ended=from_micros(ended),
            response=self._values.decode(node.plugin, Side.RESPONSE, response),
            error=None if error is None else chained(error),
            interrupted=bool(flags & 1),
            unresponsive=bool(flags & 2),
            notes=notes or {},
        )
        return state, attempt

    def apply_record(self, node: Node, record: NodeRecord) -> None:
        """Give the object the state, and the latest attempt, that the record holds.

        Raises:
            ValueError, TypeError, KeyError: The record cannot be read, or is not of this
                object.
        """
        state, attempt = self.decode_record(node, record)
        if isinstance(node, BaseAction):
            number = record.attempt
            if number > len(node.attempts) + 1:
                message = f"attempt {number} follows attempt {len(node.attempts)}"
                raise ValueError(message)
            node.attempts[max(number - 1, 0) :] = [] if attempt is None else [attempt]
        elif isinstance(node, Checks):
            node.missed = sum(unpack(_RECORD, record.data)[3:])
        node.state = state

    def check_storable(self, action: BaseAction, value: object, /) -> None:
        """Say whether a response to the action could be stored and read again (STO-7).

        Raises:
            TypeError: It holds what cannot be stored, or what would come back as
                something else; the message says where in it, and what to do.
        """
        form = self._values.checked(action.plugin, Side.RESPONSE, value)
        self._checked = (action, value, form)


def _corrupt(plan_id: UUID, what: str, error: Exception | None) -> PlanCorruptError:
    """The error for a plan that cannot be read."""
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


def drained(steps: Generator[None, None, T]) -> T:
    """What comes of the steps, made one after the other."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("T", end.value)
