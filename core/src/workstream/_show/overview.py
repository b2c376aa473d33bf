"""One stored plan at one look: all that a page or a report shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from .._codec.codec import Codec
from .._codec.collector import collector_paused
from .._codec.lines import Line, decode_line
from .._interpreter.signals import Asked, approvals
from .._plan.clone import clone
from .._plan.plan import BaseAction, Node, Plan
from .._plan.walk import actions, position_of
from .._protocols.hosting import hosting
from .._protocols.vault import PlanRequest, Vault
from .._protocols.watching import PlanSnapshot
from .._store.entries import PlanEntry, entry_of
from .._store.family import Kin, descendants
from .._store.ids import short_id
from .._values.state import Status
from .failures import Failure, causes, failures
from .outcomes import outcome_words
from .progress import Progress
from .waiting import Wait, waits

if TYPE_CHECKING:
    from .._store.store import Store

LINES = 8
"""How many of a failed action's last lines of output are shown."""
_WITH_LINES = 20
"""For how many failures; a thousand of them have much the same to say."""
_KIN = 6
"""So many plans that were made from it are named."""


@attrs.frozen(kw_only=True)
class Overview:
    """A plan as it is stored, secrets removed.

    Attributes:
        entry: The plan at a glance, and the process that runs it.
        plan: The plan.
        failures: Where it failed, in walk order.
        running: The actions that run, or ran when it crashed.
        requests: What was asked of it and not taken yet (CT-2).
        said: What failed and running actions last said, by position.
        kin: The plans that were made from it, newest first, where they were asked for.
        unattended: What actions wait for on which nobody works yet, by position (ZN-3).
    """

    entry: PlanEntry
    plan: Plan
    failures: tuple[Failure, ...]
    running: tuple[BaseAction, ...]
    requests: tuple[PlanRequest, ...]
    said: Mapping[int, Sequence[str]]
    kin: tuple[Kin, ...] = ()
    unattended: Mapping[int, str] = attrs.Factory(dict[int, str])

    @property
    def causes(self) -> list[list[Failure]]:
        """The failures, put together by what they say."""
        return causes(self.failures, self._told)

    def waits(self, now: datetime) -> list[Wait]:
        """What waits in a plan that runs, and why."""
        if self.plan.state.status is not Status.RUNNING:
            return []
        return list(waits(Progress(PlanSnapshot(position=0, plan=self.plan)), now))

    def _told(self, node: Node) -> Sequence[str] | None:
        """The last lines of an action; None: they were not read."""
        has_lines = isinstance(node, BaseAction) and node.id is not None
        return self.said.get(position_of(node)) if has_lines else ()

    @property
    def lineage(self) -> list[str]:
        """Which plan it was made from, and what was made from it, each in words."""
        plan, found = self.plan, list[str]()
        if plan.retry_of is not None:
            found.append(f"retry of {short_id(plan.retry_of)}")
        if plan.undo_of is not None:
            found.append(f"undo of {short_id(plan.undo_of)}")
        for kin in reversed(self.kin[:_KIN]):
            verb = "retried" if kin.retry_of == plan.id else "undone"
            found.append(f"{verb} as {short_id(kin.row.id)}: {outcome_words(kin.row)}")
        return found

    @property
    def asked(self) -> list[Asked]:
        """The approvals that it waits for (AP-1)."""
        if self.plan.state.status is not Status.RUNNING:
            return []
        return [
            each
            for each in approvals(self.plan)
            if each.action.state.status is Status.RUNNING
        ]

    def wait_of(self, action: BaseAction) -> str:
        """What an action waits for before anybody works on it; "": nothing (ZN-3)."""
        return self.unattended.get(position_of(action), "") if action.id else ""

    def said_by(self, node: Node) -> Sequence[str]:
        """The last lines of an action; none of what was not asked for."""
        return self.said.get(position_of(node), ()) if node.id else ()

    def output_of(self, failure: Failure) -> list[str]:
        """Its last lines, but for those that its error tells already."""
        error = str(failure.error)
        return [
            line for line in self.said_by(failure.node) if line.strip() not in error
        ]


async def overview(
    store: Store, plan_id: UUID, *, kin: bool = False, brief: bool = False
) -> Overview:
    """Look at a plan. It reads what ended, ran or failed as of one moment.

    Args:
        store: The store, open.
        plan_id: The plan.
        kin: Whether to look for its retries too (RT-3).
        brief: Leave out the actions of sequences that were not begun, or completed: it
            is enough for a page, and takes little time for the largest plan.

    Raises:
        NotFoundError: No such plan.
        StorageError: It cannot be read.
    """
    return await overview_in(store.vault, plan_id, kin=kin, brief=brief)


async def overview_in(
    vault: Vault, plan_id: UUID, *, kin: bool = False, brief: bool = False
) -> Overview:
    """The same, of a vault that is open: for who reads it without an event loop."""
    # Many objects and no garbage: looking for some would take a tenth of the time.
    with collector_paused():
        while True:
            stored = await vault.read(plan_id)
            entry = await entry_of(vault, plan_id)
            if entry.row.status is stored.row.status:
                break  # else it has begun or ended meanwhile
        # Without plugins: a type that fails to load may be what broke the run.
        plan = Codec(None).load(stored, brief=brief)
        row, requests = stored.row, stored.requests
        del stored  # of a large plan, its bytes take as much memory as the copy
        plan = clone(plan, keep_state=True, scrub=True)
    found = tuple(failures(plan))
    running = tuple(
        each for each in actions(plan) if each.state.status is Status.RUNNING
    )
    elsewhere = hosting(vault) if running else None
    return Overview(
        entry=attrs.evolve(entry, row=row),
        plan=plan,
        failures=found,
        running=running,
        requests=requests,
        said=await _said(vault, plan_id, found, running),
        kin=tuple(await descendants(vault, await vault.row(plan_id))) if kin else (),
        unattended={} if elsewhere is None else await elsewhere.waits(plan_id),
    )


async def _said(
    vault: Vault,
    plan_id: UUID,
    found: Sequence[Failure],
    running: Iterable[BaseAction],
) -> dict[int, list[str]]:
    said: dict[int, list[str]] = {}
    for failure in found[:_WITH_LINES]:
        if isinstance(failure.node, BaseAction):
            position = position_of(failure.node)
            lines = await _last_lines(vault, plan_id, position, LINES)
            # Of an earlier attempt, the output explains nothing.
            said[position] = [
                line.text for line in lines if line.attempt == failure.attempts
            ]
    for action in [*running][:_WITH_LINES]:
        position = position_of(action)
        lines = await _last_lines(vault, plan_id, position, 1)
        said[position] = [line.text for line in lines]
    return said


async def _last_lines(
    vault: Vault, plan_id: UUID, position: int, most: int
) -> list[Line]:
    found = await vault.lines(plan_id, position)
    return [decode_line(each.data) for each in found[-most:]]
