"""What a watcher sees: the events of one plan (section 23).

``_store.events`` makes them of what the plan's log holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import attrs

from .._plan.plan import Plan
from .._values.interventions import Intervention
from .._values.state import Attempt, FailureReason, ObjectType, State


@attrs.frozen(kw_only=True)
class PlanSnapshot:
    """The plan as it is stored, secrets removed (WA-1).

    Attributes:
        position: Where in the plan's history this is.
        plan: The plan; other watchers may be given the same object, so clone it before
            you change it.
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
        held: Of the plan, what keeps anything new from being begun (CT-3).
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
    held: tuple[Intervention, ...] = ()


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


@attrs.frozen(kw_only=True)
class Intervened:
    """Somebody told the plan something, and that is durable (CT-1).

    Attributes:
        position: Where in the plan's history this is.
        path: The plan's address (OM-15); ``intervention`` says what it is about.
        intervention: What was told, and what became of it.
    """

    position: int
    path: str
    intervention: Intervention


WatchEvent: TypeAlias = PlanSnapshot | StateChange | OutputLine | Intervened
