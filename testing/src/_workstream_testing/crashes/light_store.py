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
        if isinstance(node, BaseAction) and node.attempts:
            # Only the latest one may still change.
            attempts = (*node.attempts[:-1], _copied(node.attempts[-1]))
        state = node.state
        kept = State(state.status, state.started, state.ended)
        missed = node.missed if isinstance(node, Checks) else 0
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
        reset(plan, nodes)
        for position, kept in self.kept.items():
            node = nodes[position]
            state = kept.state
            node.state = State(state.status, state.started, state.ended)
            if isinstance(node, Checks):
                node.missed = kept.missed
            if isinstance(node, BaseAction):
                # Of those that have ended nothing changes any more.
                node.attempts = [
                    _copied(each) if each.ended is None else each
                    for each in kept.attempts
                ]
        row = self.row
        if row is not None:
            plan.state = State(row.status, row.started, row.ended)
            plan.reasons = row.reasons
            plan.stopping = row.stopping
        plan.interventions = tuple(self._told)


def reset(plan: Plan, nodes: Sequence[Node]) -> None:
    """Make the plan as if it had never been run."""
    for node in nodes:
        if node.state.status is not Status.NOT_STARTED:
            node.state = State()
        if isinstance(node, Checks):
            node.missed = 0
        if isinstance(node, BaseAction) and node.attempts:
            node.attempts = []
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
