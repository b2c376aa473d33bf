"""Plans run elsewhere: what is left to an engine whose store runs them itself."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import trio

from .._codec.codec import Codec
from .._codec.collector import collector_paused
from .._plan.plan import Plan
from .._plan.walk import begin_new
from .._protocols.conduct import conduct_of
from .._protocols.hosting import HostingVault
from .._protocols.vault import PlanRow
from .._registry.registry import Registry
from .._store.news import News
from .._values.errors import (
    LockTakenError,
    NotRunningHereError,
    NotStartedError,
    WorkstreamError,
)
from .._values.state import Status
from .locks import begin_unlocked, locked
from .runner import OnWait, Runner, refuse_stale, refuse_unfit
from .sequels import alone, refuse_overtaken

log = logging.getLogger("workstream")

_SURE = 8
"""Looks in a row that find a plan that nobody runs: it may be changing hands."""
_CLAIMED_EVERY = 20.0
"""Seconds after which one who waits says so again: a claim ends with its holder, or by and
by."""


class HostedRunner(Runner):
    """Hands plans over to the store that runs them, and watches it."""

    def __init__(
        self,
        vault: HostingVault,
        registry: Registry,
        codec: Codec,
        max_submit: float,
        now: Callable[[], datetime],
    ) -> None:
        """Make a runner.

        Args:
            vault: The store.
            registry: The plugins: what of them an interpreter must know is handed over.
            codec: Reads plans.
            max_submit: Seconds after its submission in which a plan may be started.
            now: Tells the time.
        """
        self.news = News(vault)
        self._vault = vault
        self._registry = registry
        self._codec = codec
        self._max_submit = max_submit
        self._now = now
        self._kept: dict[UUID, Plan] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """See ``Runner``; leaving it ends no run."""
        await self._vault.open()
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await self._vault.close()

    def keep(self, plan: Plan, definition: bytes) -> None:
        """See ``Runner``; only the latest is kept."""
        assert plan.id is not None
        self._kept.clear()
        self._kept[plan.id] = plan

    async def start(
        self, plan_id: UUID, *, waits: bool, on_wait: OnWait | None
    ) -> None:
        """See ``Runner``. Who waits has the plan for itself, which says that it waits."""
        last = -math.inf

        async def claim() -> None:
            nonlocal last
            if trio.current_time() > last + _CLAIMED_EVERY:
                await self._vault.claim(plan_id)
                last = trio.current_time()

        try:
            await begin_unlocked(
                self._vault,
                plan_id,
                lambda: self._handed_over(plan_id),
                waits=waits,
                on_wait=on_wait,
                claim=claim if (await self._vault.row(plan_id)).locks else None,
            )
        finally:
            if last > -math.inf:
                with trio.CancelScope(shield=True):
                    await self._vault.release(plan_id)

    async def _handed_over(self, plan_id: UUID) -> None:
        """Let it begin, if it is to be. Raises ConflictError: it was changed meanwhile."""
        row = await self._vault.row(plan_id)
        if row.status is not Status.NOT_STARTED:
            return
        refuse_stale(row, self._now(), self._max_submit)
        # Nobody has told a plan anything that was submitted just now, as a rule.
        plan, position = self._kept.pop(plan_id, None), 0
        if plan is None:
            stored = await self._vault.read(plan_id)
            plan, position = self._codec.load(stored), stored.position
            refuse_unfit(plan, self._registry, plan_id, fresh=True)
        else:
            with collector_paused():
                begin_new(plan, plan_id)
        original = plan.retry_of or plan.undo_of
        if original is None:
            await self._begin(plan, row, position)
            return
        async with alone(self._vault, original):
            await refuse_overtaken(self._vault, plan, original)
            await self._begin(plan, row, position)

    async def _begin(self, plan: Plan, row: PlanRow, position: int) -> None:
        try:
            conduct = conduct_of(plan, self._registry)
            await self._vault.start(row.id, position, conduct)
        except LockTakenError as taken:
            self._kept[row.id] = plan
            raise await locked(self._vault, row, taken) from taken

    async def wait(self, plan_id: UUID) -> Plan | None:
        """See ``Runner``: look at the store until it says that the plan has ended."""
        left = 0
        while left < _SURE:
            changed = self.news.ticket(plan_id)
            row = await self._vault.row(plan_id)
            if row.status.is_terminal:
                return None
            if row.status is Status.NOT_STARTED:
                message = f"plan {row.name!r} was never started: start() it first"
                raise NotStartedError(message, plan_id)
            left = left + 1 if await self._vault.owner(plan_id) is None else 0
            await changed()
        raise self._left_alone(await self._vault.row(plan_id))

    async def resume(self, plan_id: UUID) -> None:
        """See ``Runner``: whoever runs the plans goes on with them."""
        row = await self._vault.row(plan_id)
        if row.status is Status.NOT_STARTED:
            message = f"plan {row.name!r} was never started: start() it"
            raise NotStartedError(message, plan_id)
        is_left = await self._vault.owner(plan_id) is None
        if is_left and not (await self._vault.row(plan_id)).status.is_terminal:
            raise self._left_alone(row)

    def _left_alone(self, row: PlanRow) -> NotRunningHereError:
        """The error for a plan that its store says it runs, while nobody does."""
        message = (
            f"plan {row.name!r} is RUNNING, but nobody runs it: {self._vault.host} goes "
            "on with its plans by itself, so look there"
        )
        return NotRunningHereError(message, row.id)

    async def recover_all(
        self, max_last_update: float | None
    ) -> dict[UUID, WorkstreamError]:
        """See ``Runner``: there is nothing to do here."""
        return {}

    async def heard(self, plan_id: UUID) -> None:
        """See ``Runner``: no run is here."""

    async def looked(self) -> None:
        """See ``Runner``: no run is here."""
