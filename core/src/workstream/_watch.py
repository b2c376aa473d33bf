"""Following a plan as it changes (section 23).

A watcher reads the plan once and its log from then on; what tells it to look again is a
poke from this process's own commits, or a short sleep when another process runs the plan.
It never holds a run up: it reads at its own pace, and one that falls behind what the log
keeps is told so and gets the plan as it is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import attrs

from ._clone import clone, scrubbed_attempt
from ._codec import Codec
from ._errors import PlanCorruptError
from ._paths import paths
from ._plan import BaseAction, Plan
from ._records import decode_line
from ._state import Attempt, FailureReason, ObjectType, State
from ._vault import Change, LineRecord, PlanRow, StoredPlan, Vault
from ._walk import Item

__all__ = ["OutputLine", "PlanSnapshot", "StateChange", "WatchEvent", "Watcher"]


@attrs.frozen(kw_only=True)
class PlanSnapshot:
    """The plan as it is stored, secrets removed (WA-1).

    Attributes:
        position: Where in the plan's history this is.
        plan: The plan.
        missed: Whether changes before this were missed: the watcher fell behind what
            is kept (WA-2).
    """

    position: int
    plan: Plan
    missed: bool = False


@attrs.frozen(kw_only=True)
class StateChange:
    """One object of the plan has changed, and that is durable (WA-1).

    Attributes:
        position: Where in the plan's history this is.
        path: The object's address (OM-15).
        object_id: The object's id.
        object_type: What kind of object it is.
        state: Its state after the change.
        attempts: Of an action, how many attempts it has.
        attempt: Of an action, the latest attempt, secrets removed.
        reasons: Of the plan, why it failed (OM-4).
        stopping: Of the plan, whether a stop has taken effect.
    """

    position: int
    path: str
    object_id: UUID
    object_type: ObjectType
    state: State
    attempts: int = 0
    attempt: Attempt | None = None
    reasons: tuple[FailureReason, ...] = ()
    stopping: bool = False


@attrs.frozen(kw_only=True)
class OutputLine:
    """A plugin reported a line, or its progress (WA-3).

    Attributes:
        position: Where in the plan's history this is.
        path: The action's address (OM-15).
        action_id: The action's id.
        attempt: Which attempt reported it, counted from 1.
        number: The line's number within the action; a gap tells that lines were dropped.
        time: When it was reported.
        text: The line, secrets hidden.
        done: How much is done, where the plugin said so.
        total: How much there is to do.
    """

    position: int
    path: str
    action_id: UUID
    attempt: int
    number: int
    time: datetime
    text: str
    done: float | None = None
    total: float | None = None


WatchEvent: TypeAlias = PlanSnapshot | StateChange | OutputLine

Ticket: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when the store may hold more than at the moment the ticket was drawn."""


class Watcher:
    """Follows one plan of one store."""

    def __init__(
        self,
        vault: Vault,
        codec: Codec,
        plan_id: UUID,
        draw_ticket: Callable[[], Ticket],
    ) -> None:
        self._vault = vault
        self._codec = codec
        self._plan_id = plan_id
        self._draw_ticket = draw_ticket
        self._items: list[tuple[str, Item]] = []

    async def events(self, after: int | None) -> AsyncGenerator[WatchEvent]:
        """The events after a position; with None the plan as it is comes first."""
        stored, plan = await self._read()
        if after is None:
            position = stored.position
            yield self._snapshot(stored, plan, missed=False)
        else:
            position = after
        while True:
            # Drawn before the look, so that no change slips in between unseen.
            ticket = self._draw_ticket()
            piece = await self._vault.log(self._plan_id, position)
            if piece.missed:
                stored, plan = await self._read()
                position = stored.position
                yield self._snapshot(stored, plan, missed=True)
                continue
            for position, change in piece.changes:
                yield self._event(position, change)
            if piece.changes:
                continue
            if piece.status.is_terminal:
                return
            await ticket()

    async def _read(self) -> tuple[StoredPlan, Plan]:
        stored = await self._vault.read(self._plan_id)
        plan = self._codec.load(stored)
        if not self._items:
            self._items = list(paths(plan))
        return stored, plan

    def _snapshot(
        self, stored: StoredPlan, plan: Plan, *, missed: bool
    ) -> PlanSnapshot:
        shown = clone(plan, keep_state=True, scrub=True)
        return PlanSnapshot(position=stored.position, plan=shown, missed=missed)

    def _event(self, position: int, change: Change) -> StateChange | OutputLine:
        if isinstance(change, PlanRow):
            path, item = self._items[0]
            return StateChange(
                position=position,
                path=path,
                object_id=change.id,
                object_type=ObjectType.PLAN,
                state=State(change.status, change.started, change.ended),
                reasons=change.reasons,
                stopping=change.stopping,
            )
        path, item = self._items[change.position]
        node = item.node
        assert node.id is not None
        if isinstance(change, LineRecord):
            line = decode_line(change.data)
            return OutputLine(
                position=position,
                path=path,
                action_id=node.id,
                attempt=line.attempt,
                number=change.number,
                time=line.time,
                text=line.text,
                done=line.done,
                total=line.total,
            )
        try:
            state, attempt = self._codec.decode_record(node, change)
        except Exception as error:
            message = f"{path}: a change in the log cannot be read: {error}"
            raise PlanCorruptError(message, self._plan_id) from error
        if attempt is not None and isinstance(node, BaseAction):
            attempt = scrubbed_attempt(node, attempt)
        return StateChange(
            position=position,
            path=path,
            object_id=node.id,
            object_type=node.object_type,
            state=state,
            attempts=change.attempt,
            attempt=attempt,
        )
