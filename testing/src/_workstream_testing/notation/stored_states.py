"""What is stored of a plan that a crash left behind, by the marks of the notation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import attrs

from workstream._plan.clone import clone
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._plan.walk import give_ids, walk
from workstream._values.interventions import Intervention, Verb
from workstream._values.state import Attempt, PluginError, State, Status

from ..simulation.told import AUTHOR
from .fixtures import ScriptedResponse
from .tokens import NotationError

USUAL_ATTEMPTS = {Status.COMPLETED: ("ok",), Status.FAILED: ("err",)}

INTERRUPTED = "interrupted: the engine ended while the attempt was running"


@attrs.frozen
class Mark:
    """What is stored of one object when an engine finds it.

    Attributes:
        status: Its status.
        attempts: How its attempts ended, or ``open``.
        ended: When it ended, in seconds; 0 is the moment at which it is found.
    """

    status: Status = Status.NOT_STARTED
    attempts: tuple[str, ...] | None = None
    ended: float = -5.0


@attrs.frozen
class Notation:
    """A plan that was written in the notation.

    Attributes:
        plan: Ready to be submitted.
        containers: The place in walk order of all but the actions, by label.
        actions: The place in walk order of each action, by label.
        marks: What is stored of the objects, by place.
        stopping: Whether a stop had taken effect.
        taken: What had been taken, 3 seconds before it is found.
    """

    plan: Plan
    containers: Mapping[str, int]
    actions: Mapping[str, int]
    marks: Mapping[int, Mark]
    stopping: bool
    taken: tuple[Verb, ...] = ()

    @property
    def is_stored(self) -> bool:
        """Whether it is written with states, as what a crash left."""
        return any(
            mark.status is not Status.NOT_STARTED for mark in self.marks.values()
        )

    def place(self, label: str) -> int:
        """The place of the object of this label; a container comes before its action.

        Raises:
            NotationError: There is none.
        """
        place = self.containers.get(label, self.actions.get(label))
        if place is None:
            known = ", ".join({**self.containers, **self.actions})
            message = f"no object is called {label!r}; there are {known}"
            raise NotationError(message)
        return place

    def stored(self, plan_id: UUID, found: datetime) -> Plan:
        """The plan as a crash left it, with its states.

        Args:
            plan_id: Its id.
            found: When it is found.
        """
        plan = clone(self.plan)
        give_ids(plan, plan_id)
        plan.submitted = found - timedelta(seconds=11)
        plan.submitter = AUTHOR
        plan.stopping = self.stopping
        plan.interventions = tuple(
            Intervention(verb=verb, by="somebody", at=found - timedelta(seconds=3))
            for verb in self.taken
        )
        for place, item in enumerate(walk(plan)):
            _apply(item.node, self.marks[place], found)
        return plan


def _apply(node: Node, mark: Mark, found: datetime) -> None:
    if mark.status is Status.NOT_STARTED:
        return
    ended = found + timedelta(seconds=mark.ended) if mark.status.is_terminal else None
    node.state = State(mark.status, found - timedelta(seconds=10), ended)
    if isinstance(node, BaseAction):
        kinds = mark.attempts
        if kinds is None:
            kinds = USUAL_ATTEMPTS.get(mark.status, ())
        for index, kind in enumerate(kinds):
            started = found - timedelta(seconds=9 - index)
            node.attempts.append(_attempt(kind, started, index + 1))


def _attempt(kind: str, started: datetime, number: int) -> Attempt:
    if kind == "open":
        return Attempt(started=started)
    error = None
    if kind == "int":
        error = PluginError(INTERRUPTED)
    elif kind != "ok":
        error = PluginError(f"stored {kind}", code=1, permanent=kind == "perm")
    return Attempt(
        started=started,
        ended=started + timedelta(seconds=0.5),
        response=ScriptedResponse(number) if kind == "ok" else None,
        error=error,
        interrupted=kind == "int",
    )
