"""From a stored plan to its run: started for the first time, or recovered (ST, R).

Whoever runs a plan holds its claim, from before the plan is read to after the last write.
What follows a claim is here: the look at the plan, the one write that begins its run or
puts it in order, and the launch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import attrs
import trio

from .._attempts.verbs import on_interrupt_by
from .._codec.codec import Codec
from .._codec.collector import collector_paused
from .._codec.records import apply_row, plan_changes, row_of
from .._interpreter import recovery
from .._plan.plan import Plan
from .._plan.walk import actions, begin_new
from .._protocols.vault import (
    Change,
    PlanRow,
    StoredPlan,
    Vault,
    Write,
)
from .._registry.registry import Registry
from .._validation.requests import plugin_problem
from .._values.clock import Clock
from .._values.errors import (
    InternalError,
    LockedError,
    LockTakenError,
    NotFoundError,
    WorkstreamError,
)
from .._values.state import State, Status
from .locks import begin_unlocked, locked
from .runner import refuse_stale, refuse_unfit
from .sequels import alone, refuse_overtaken
from .service import Service

log = logging.getLogger("workstream")


@attrs.frozen
class Launcher:
    """Starts and recovers plans of one store.

    Attributes:
        vault: The store.
        registry: The plugins.
        codec: Reads plans, and encodes what changes.
        service: Runs them.
        max_submit: Seconds after its submission in which a plan may be started.
        now: Tells the time that is recorded.
    """

    vault: Vault
    registry: Registry
    codec: Codec
    service: Service
    max_submit: float
    now: Callable[[], datetime]
    _kept: dict[UUID, tuple[Plan, bytes]] = attrs.field(
        init=False, factory=dict[UUID, tuple[Plan, bytes]]
    )
    """The plan that was stored last, and the digest of its definition."""

    def keep(self, plan: Plan, definition: bytes) -> None:
        """Remember a plan that was just stored: its start need not make it of bytes again.

        Only the latest is kept; it was checked with this registry, and nobody else has it.
        """
        assert plan.id is not None
        self._kept.clear()
        self._kept[plan.id] = plan, _digest(definition)

    def _kept_plan(self, stored: StoredPlan) -> Plan | None:
        """The plan that these bytes were made of, if it is still fit to be started."""
        plan, digest = self._kept.pop(stored.row.id, (None, b""))
        if plan is None or digest != _digest(stored.definition) or stored.records:
            return None
        names = {action.plugin for action in actions(plan)}
        if any(plugin_problem(name, self.registry)[1] for name in names):
            return None  # whoever looks at the whole plan says where
        with collector_paused():
            begin_new(plan, stored.row.id)
        apply_row(plan, stored.row)
        return plan

    async def start(
        self,
        plan_id: UUID,
        *,
        waits: bool = False,
        on_wait: Callable[[LockedError], None] | None = None,
    ) -> None:
        """Start a plan if nobody runs it and it was never started (ST-1 to ST-5).

        Args:
            plan_id: The plan.
            waits: Whether to wait while other plans hold its locks (LK-1). Only then
                it can be cancelled; the plan is not started then.
            on_wait: Is told for which lock it waits, each time that its holder changes.
        """
        self.service.require_open()
        with trio.CancelScope(shield=True) as scope:
            if not await self.vault.claim(plan_id):
                await self.vault.row(plan_id)  # it must exist all the same
                return
            async with self.service.begins(plan_id):
                scope.shield = False
                try:
                    await begin_unlocked(
                        self.vault,
                        plan_id,
                        lambda: self._start_claimed(plan_id),
                        waits=waits,
                        on_wait=on_wait,
                    )
                finally:
                    scope.shield = True

    async def _start_claimed(self, plan_id: UUID) -> None:
        """Start it, if it is to be. Raises ConflictError: it was changed meanwhile."""
        row = await self.vault.row(plan_id)
        if row.status is not Status.NOT_STARTED:
            return
        now = self.now()
        refuse_stale(row, now, self.max_submit)
        stored = await self.vault.read(plan_id)
        plan = self._kept_plan(stored)
        if plan is None:
            plan = self.codec.load(stored)
            refuse_unfit(plan, self.registry, plan_id, fresh=True)
        original = plan.retry_of or plan.undo_of
        if original is None:
            await self._begin(plan, stored, now)
            return
        async with alone(self.vault, original):
            await refuse_overtaken(self.vault, plan, original)
            await self._begin(plan, stored, self.now())

    async def _begin(self, plan: Plan, stored: StoredPlan, now: datetime) -> None:
        """Make the plan RUNNING, and run it."""
        row, plan_id = stored.row, stored.row.id
        plan.state = State(Status.RUNNING, now)
        write = Write(
            plan_id=plan_id,
            first=stored.position + 1,
            changes=(row_of(plan),),
            expect=Status.NOT_STARTED,
        )
        try:
            await self.service.write(write)
        except LockTakenError as taken:
            raise await locked(self.vault, row, taken) from taken
        self.service.launch(plan, stored, stored.position + 1)

    async def recover_all(
        self, max_last_update: float | None
    ) -> dict[UUID, WorkstreamError]:
        """Recover every plan that a crash left behind (R-1).

        Returns:
            The plans that could not be recovered, and why; they keep none of the others
            from it (R-4).
        """
        errors: dict[UUID, WorkstreamError] = {}
        for row in await self.vault.search(statuses=[Status.RUNNING]):
            with trio.CancelScope(shield=True):
                try:
                    await self.recover(row.id, max_last_update=max_last_update)
                except NotFoundError:
                    pass  # deleted in the meantime
                except Exception as error:
                    errors[row.id] = _own(error, row)
                    log.error(
                        "plan %r (%s) is not recovered: %s",
                        row.name,
                        row.id,
                        errors[row.id],
                    )
        return errors

    async def recover(self, plan_id: UUID, *, max_last_update: float | None) -> bool:
        """Recover a plan unless somebody runs it or it is not R; whether it did (R-1)."""
        self.service.require_open()
        if not await self.vault.claim(plan_id):
            return False
        async with self.service.begins(plan_id):
            return await self._recover_claimed(plan_id, max_last_update)

    async def _recover_claimed(
        self, plan_id: UUID, max_last_update: float | None
    ) -> bool:
        stored = await self.vault.read(plan_id)
        if stored.row.status is not Status.RUNNING:
            return False
        plan = self.codec.load(stored)
        told = plan.interventions
        clock = self._clock_of(plan)
        now = clock()
        aged_out = recovery.is_too_old(plan, now, max_last_update)
        if aged_out:
            changed = recovery.age_out(plan, now, requests=stored.requests)
        else:
            refuse_unfit(plan, self.registry, plan_id, fresh=False)
            changed = recovery.put_in_order(
                plan,
                on_interrupt_by(self.registry),
                now,
                requests=stored.requests,
            )
        known = len(told)
        changes: list[Change] = []
        for node in changed:
            if node is not plan:
                changes.append(self.codec.record_of(node))
        if stored.requests or any(node is plan for node in changed):
            changes += plan_changes(plan, known)
        if changes:
            first = stored.position + 1
            await self.service.write(
                Write(
                    plan_id=plan_id,
                    first=first,
                    changes=tuple(changes),
                    taken=max((each.number for each in stored.requests), default=0),
                )
            )
        if aged_out:
            log.error(
                "plan %r (%s) was left alone for too long: it is FAILED, and nothing of "
                "it is run any more",
                plan.name,
                plan_id,
            )
            return False
        log.info("plan %r (%s) is resumed", plan.name, plan_id)
        self.service.launch(plan, stored, stored.position + len(changes), now=clock)
        return True

    def _clock_of(self, plan: Plan) -> Callable[[], datetime]:
        """A clock that is not behind what is stored of the plan."""
        latest = recovery.last_update(plan)
        if latest is None or latest <= self.now():
            return self.now
        return Clock(self.now, elapsed=trio.current_time, not_before=latest)


def _digest(definition: bytes) -> bytes:
    """What tells a definition from any other, and takes no memory."""
    return hashlib.sha256(definition).digest()


def _own(error: Exception, row: PlanRow) -> WorkstreamError:
    """The error, as one of ours: whatever it is, other plans are recovered (R-4)."""
    if isinstance(error, WorkstreamError):
        return error
    wrapped = InternalError(
        f"plan {row.name!r} was not recovered, by a bug in the engine, in a plugin or in "
        f"the vault: {type(error).__name__}: {error}; it can be resumed"
    )
    wrapped.__cause__ = error
    return wrapped
