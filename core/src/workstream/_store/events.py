"""Making the events of one plan of what its log holds (section 23).

How watchers come by them, ``_store.feeds`` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from .._codec.codec import Codec
from .._codec.lines import Line, decode_line
from .._codec.records import decode_intervention
from .._plan.clone import clone, scrubbed_attempt
from .._plan.plan import BaseAction, Plan
from .._plan.walk import Item
from .._protocols.vault import Change, LineRecord, NodeRecord, PlanRow, StoredPlan
from .._protocols.watching import Intervened, OutputLine, PlanSnapshot, StateChange
from .._values.errors import PlanCorruptError
from .._values.state import ObjectType, State


def snapshot_of(stored: StoredPlan, plan: Plan) -> PlanSnapshot:
    """The plan as it is stored, for showing (WA-4)."""
    shown = clone(plan, keep_state=True, scrub=True)
    return PlanSnapshot(position=stored.position, plan=shown)


def event_of(
    position: int, change: Change, items: Sequence[tuple[str, Item]], codec: Codec
) -> StateChange | OutputLine | Intervened:
    """The event that a change in a plan's log is.

    Args:
        position: The change's place in the log.
        change: The change.
        items: The plan's objects with their paths, in walk order.
        codec: Decodes it.

    Raises:
        PlanCorruptError: It cannot be read.
    """
    plan_id = items[0][1].node.id
    assert plan_id is not None
    if isinstance(change, PlanRow):
        return StateChange(
            position=position,
            path=items[0][0],
            object_id=plan_id,
            object_type=ObjectType.PLAN,
            state=State(change.status, change.started, change.ended),
            reasons=change.reasons,
            stopping=change.stopping,
            held=change.held,
        )
    path = "an object that is not there"
    try:
        path, item = items[change.position]
        if isinstance(change, LineRecord):
            return _line(position, path, item, change.number, decode_line(change.data))
        if not change.position:
            told = decode_intervention(change.data)
            return Intervened(position=position, path=path, intervention=told)
        return _state_change(position, path, item, codec, change)
    except Exception as error:
        message = (
            f"plan {plan_id}: change {position} of its log cannot be read, all other "
            f"plans can: {path}: {type(error).__name__}: {error}"
        )
        raise PlanCorruptError(message, plan_id) from error


def _line(position: int, path: str, item: Item, number: int, line: Line) -> OutputLine:
    return OutputLine(
        position=position,
        path=path,
        action_id=_id_of(item),
        attempt=line.attempt,
        number=number,
        time=line.time,
        text=line.text,
        done=line.done,
        total=line.total,
    )


def _state_change(
    position: int, path: str, item: Item, codec: Codec, record: NodeRecord
) -> StateChange:
    node = item.node
    state, attempt = codec.decode_record(node, record)
    if attempt is not None and isinstance(node, BaseAction):
        attempt = scrubbed_attempt(node, attempt)
    return StateChange(
        position=position,
        path=path,
        object_id=_id_of(item),
        object_type=node.object_type,
        state=state,
        attempts=record.attempt,
        attempt=attempt,
    )


def _id_of(item: Item) -> UUID:
    assert item.node.id is not None
    return item.node.id
