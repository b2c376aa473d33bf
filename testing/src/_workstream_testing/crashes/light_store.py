"""A store for runs that die: it keeps what was durable as objects, without encoding it.

What a crash leaves is what the vault was told before it. A ``MemoryVault`` keeps that as
bytes, which is the truth and takes time; this one keeps copies. A test sees that both
leave the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from workstream._codec.records import decode_intervention
from workstream._plan.plan import BaseAction, Checks, Node, Plan
from workstream._plan.walk import position_of
from workstream._protocols.vault import NodeRecord, PlanRow, Write
from workstream._values.interventions import Intervention
from workstream._values.state import Attempt, State, Status

from ..virtual.loop_errors import Abandon


@attrs.define
class Kept:
    """One object as it was when it was recorded."""

    position: int
    state: State
    attempts: tuple[Attempt, ...]
    missed: int = 0

    @property
    def last(self) -> Attempt | None:
        """An action's latest attempt."""
        return self.attempts[-1] if self.attempts else None


class LightCodec:
    """Records objects by copying them."""

    def record_of(self, node: Node) -> Any:
        """The object as it is now."""
        attempts: tuple[Attempt, ...] = ()
        missed = 0
        if isinstance(node, BaseAction):
            if node.attempts:
                attempts = tuple(node.attempts)
                # Only the latest one may still change, and only until it has ended.
                if attempts[-1].ended is None:
                    attempts = (*attempts[:-1], _copied(attempts[-1]))
        elif isinstance(node, Checks):
            missed = node.missed
        state = node.state
        kept = State(state.status, state.started, state.ended)
        return Kept(position_of(node), kept, attempts, missed)


class LightVault:
    """Keeps the latest state of each object, and dies where it is told to.

    Attributes:
        kept: The objects, by position.
        row: The plan's own state.
    """

    def __init__(self, seen: Callable[[Any], bool]) -> None:
        """Make one.

        Args:
            seen: Is told the last change of each write, and answers whether the engine
                dies right after it.
        """
        self.kept: dict[int, Kept] = {}
        self.row: PlanRow | None = None
        self._told: list[Intervention] = []
        self._seen = seen

    async def write(self, writes: Sequence[Write]) -> list[None]:
        """See ``Vault.write``."""
        for write in writes:
            self.keep(write.changes)
            if write.changes and self._seen(write.changes[-1]):
                raise Abandon
        return [None for _ in writes]

    def keep(self, changes: Sequence[Any]) -> None:
        """Make changes durable."""
        for change in changes:
            if isinstance(change, PlanRow):
                self.row = change
            elif isinstance(change, NodeRecord):  # the plan's own: an intervention
                self._told.append(decode_intervention(change.data))
            else:
                self.kept[change.position] = change

    def restore(self, plan: Plan, nodes: Sequence[Node]) -> None:
        """Make the plan what was durable."""
        known = self.kept.get
        for position, node in enumerate(nodes):
            kept = known(position)
            if kept is None:
                _renew(node)
                continue
            # Most objects are already what they were: the runs of a search have their
            # beginnings in common. So it is looked first, and made anew if it differs.
            state, was = node.state, kept.state
            if (
                state.status is not was.status
                or state.started is not was.started
                or state.ended is not was.ended
            ):
                node.state = State(was.status, was.started, was.ended)
            if isinstance(node, BaseAction):
                before, attempts = kept.attempts, node.attempts
                if len(before) == len(attempts) == 1:
                    [one] = before
                    if one is attempts[0] and one.ended is not None:
                        continue
                # Of those that have ended nothing changes any more.
                node.attempts = [
                    _copied(each) if each.ended is None else each for each in before
                ]
            elif isinstance(node, Checks):
                node.missed = kept.missed
        _renew_plan(plan)
        row = self.row
        if row is not None:
            plan.state = State(row.status, row.started, row.ended)
            plan.reasons = row.reasons
            plan.stopping = row.stopping
        plan.interventions = tuple(self._told)


def reset(plan: Plan, nodes: Sequence[Node]) -> None:
    """Make the plan as if it had never been run."""
    for node in nodes:
        _renew(node)
    _renew_plan(plan)


def _renew(node: Node) -> None:
    """Make an object as if it had never begun."""
    if node.state.status is not Status.NOT_STARTED:
        node.state = State()
    if isinstance(node, BaseAction):
        if node.attempts:
            node.attempts = []
    elif isinstance(node, Checks):
        node.missed = 0


def _renew_plan(plan: Plan) -> None:
    """Forget what was asked of the plan, and why it ended."""
    plan.reasons = ()
    plan.stopping = False
    plan.interventions = ()
    plan.runtime_update = None


def _copied(attempt: Attempt) -> Attempt:
    # Written out, as copy.copy takes five times as long.
    return Attempt(
        started=attempt.started,
        ended=attempt.ended,
        response=attempt.response,
        error=attempt.error,
        interrupted=attempt.interrupted,
        unresponsive=attempt.unresponsive,
        notes=dict(attempt.notes),
    )
