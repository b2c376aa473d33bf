"""The engine's face: a store, the plans in it, and those that run here.

What a caller asks is here (sections 4, 14, 15). What happens next to the caller lives in
``_engine.service``; how a stored plan comes to run is in ``_engine.launching``. Whatever
begins, stops or removes something is shielded from the cancellation of whoever asked: it
happens wholly or not at all (ST-5).
"""

from __future__ import annotations

import builtins
import logging
import random as random_module
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import attrs
import trio

from .._codec.codec import Codec
from .._plan.plan import Plan
from .._plan.walk import give_ids, new_plan_id
from .._preview.dry_run import dry_run
from .._preview.forecast import PlanPreview
from .._protocols.vault import PlanRow, Vault
from .._registry.registry import Registry
from .._runtime.clock import Clock, utc_now
from .._runtime.lookups import Lookups
from .._runtime.plugin_init import init_plugins
from .._runtime.trio_runtime import RunSettings
from .._validation.validation import prepared
from .._values.errors import (
    NotRunningHereError,
    NotStartedError,
    ValidationError,
    WorkstreamError,
)
from .._values.state import FailureReason, Status
from .launching import Launcher
from .pruning import ENDED, prunable, pruned
from .service import Service
from .stores import open_store
from .watch import WatchEvent
from .watch_feed import Feeds

__all__ = ["Workstream", "open_workstream"]

log = logging.getLogger("workstream")

HALF_AN_HOUR = 1800.0


@asynccontextmanager
async def open_workstream(
    store: str | Path | Vault | None = None,
    *,
    registry: Registry | None = None,
    recover: bool = True,
    max_submit: float = HALF_AN_HOUR,
    max_last_update: float | None = HALF_AN_HOUR,
    now: Callable[[], datetime] = utc_now,
    random: Callable[[], float] = random_module.random,
) -> AsyncGenerator[Workstream]:
    """Open a store and run plans in it, on trio.

    ::

        async with open_workstream("/var/lib/workstream") as ws:
            result = await ws.run(plan)

    Leaving the context breaks off what still runs, as a crash would: it can be resumed
    (T-3). Plans that a crash left behind are recovered before the body begins (R-1).

    Args:
        store: A directory for the LMDB store; a vault; ``scheme:location`` for a vault
            of a plugin; None: ``WORKSTREAM_STORE``, or else the platform's state
            directory.
        registry: The plugins; None: those that are installed.
        recover: Whether to resume every plan that a crash left behind.
        max_submit: Seconds after its submission in which a plan may be started (ST-3).
        max_last_update: Seconds without a sign of life after which a plan is given up
            instead of being recovered (R-3); None: never.
        now: Tells the time that is recorded (T-1).
        random: Draws numbers from 0 to 1, for jitter (RP-3).

    Raises:
        ValueError: A limit is not greater than 0 (ST-3).
        StorageError: The store cannot be opened.
    """
    for name, limit in (
        ("max_submit", max_submit),
        ("max_last_update", max_last_update),
    ):
        if limit is not None and not limit > 0:
            message = f"{name} is {limit}: it must be greater than 0"
            raise ValueError(message)
    vault = open_store(store)
    plugins = Registry.installed() if registry is None else registry
    plugins.freeze()
    clock = Clock(now, elapsed=trio.current_time)
    codec = Codec(plugins)
    settings = RunSettings(
        plugins=plugins,
        lookups=Lookups(plugins.resolvers),
        codec=codec,
        now=clock,
        random=random,
        heartbeat=min(300.0, (max_last_update or 1200.0) / 4),
    )
    service = Service(vault, settings)
    launcher = Launcher(
        vault, plugins, codec, service, max_submit=max_submit, now=clock
    )
    engine = Workstream(vault, plugins, codec, service, launcher, clock)
    async with service.opened():
        await init_plugins(plugins)
        if recover:
            engine.recovery_errors = await launcher.recover_all(max_last_update)
        yield engine


class Workstream:
    """An open engine; made by ``open_workstream``.

    Attributes:
        registry: The plugins.
        recovery_errors: The plans that could not be recovered, and why (R-4).
    """

    def __init__(
        self,
        vault: Vault,
        registry: Registry,
        codec: Codec,
        service: Service,
        launcher: Launcher,
        now: Callable[[], datetime],
    ) -> None:
        self.registry = registry
        self.recovery_errors: Mapping[UUID, WorkstreamError] = {}
        self._vault = vault
        self._codec = codec
        self._service = service
        self._launcher = launcher
        self._now = now
        self._feeds = Feeds(vault, codec, service.ticket)

    # --- plans in the store -------------------------------------------------------

    async def submit(self, plan: Plan) -> UUID:
        """Store a copy of the plan, ready to be started; nothing is executed (SUB-1).

        Raises:
            ValidationError: It lists all that is wrong; nothing was stored, and the
                plan is as it was (V-1, V-2).
        """
        copy, warnings = prepared(plan, self.registry)
        for warning in warnings:
            log.warning("%s", warning)
        plan_id = new_plan_id()
        give_ids(copy, plan_id)
        copy.submitted = self._now()
        definition = self._codec.encode_definition(copy)
        with trio.CancelScope(shield=True):
            await self._vault.create(self._codec.row_of(copy), definition)
        return plan_id

    async def plan(self, plan_id: UUID) -> Plan:
        """The plan as it is stored now (ST-9). Raises NotFoundError."""
        return self._codec.load(await self._vault.read(plan_id))

    async def list(self, limit: int = 0) -> builtins.list[PlanRow]:
        """The stored plans, newest first (STO-4).

        Args:
            limit: How many at most; 0: all. A negative one is a ValueError.
        """
        if limit < 0:
            message = f"limit is {limit}: it must be 0 (all) or more"
            raise ValueError(message)
        return await self._vault.search(limit=limit)

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        limit: int = 0,
    ) -> builtins.list[PlanRow]:
        """The stored plans that fit every given kind, newest first (STO-3).

        Args:
            ids: Any of these ids.
            group_ids: In any of these groups.
            statuses: With any of these statuses.
            limit: How many at most; 0: all.

        Raises:
            ValidationError: Nothing was asked for.
        """
        if ids is None and group_ids is None and statuses is None:
            message = "search needs ids, group_ids or statuses; list() gives all plans"
            raise ValidationError(message)
        if limit < 0:
            message = f"limit is {limit}: it must be 0 (all) or more"
            raise ValueError(message)
        return await self._vault.search(
            ids=ids, group_ids=group_ids, statuses=statuses, limit=limit
        )

    async def delete(self, plan_id: UUID) -> None:
        """Remove the plan and all under it (STO-5).

        Raises:
            NotFoundError: No such plan.
            StorageError: It is RUNNING.
        """
        with trio.CancelScope(shield=True):
            await self._vault.delete(plan_id)
        self._service.poke(plan_id)

    async def prune(
        self,
        older_than: timedelta,
        *,
        statuses: Collection[Status] = ENDED,
        dry_run: bool = False,
    ) -> builtins.list[PlanRow]:
        """Remove the plans that ended longer ago than this, the oldest first.

        Args:
            older_than: How long ago they ended; of plans that were never started, how
                long ago they were submitted.
            statuses: Those that are meant; NOT_STARTED may be among them.
            dry_run: Whether to remove nothing, and only tell.

        Returns:
            What was removed, or would be.

        Raises:
            ValueError: RUNNING is among the statuses: such a plan is never pruned.
        """
        before = self._now() - older_than
        if dry_run:
            return await prunable(self._vault, before, statuses)
        gone = [row async for row in pruned(self._vault, before, statuses)]
        for row in gone:
            self._service.poke(row.id)
        return gone

    # --- running --------------------------------------------------------------------

    async def preview(self, plan: Plan) -> PlanPreview:
        """Say what the plan would change; nothing is stored, and nothing changed (PV-1).

        Raises:
            ValidationError: It lists all that is wrong, as ``submit`` does (V-1).
        """
        return await dry_run(plan, self.registry)

    async def run(self, plan: Plan) -> Plan:
        """Submit, start and wait: the plan as it ended."""
        plan_id = await self.submit(plan)
        await self.start(plan_id)
        return await self.wait(plan_id)

    async def start(self, plan_id: UUID) -> None:
        """Start a submitted plan; a plan that was started already is left alone (ST-1).

        On return the start is durable, and the run goes on whatever happens to the
        caller (ST-5).

        Raises:
            NotFoundError: No such plan.
            PlanStaleError: It was submitted too long ago (ST-3).
            PlanRefusedError: It does not fit the plugins at hand (ST-4).
        """
        with trio.CancelScope(shield=True):
            await self._launcher.start(plan_id)

    async def wait(self, plan_id: UUID) -> Plan:
        """Wait until the run of the plan has ended; the plan as it is stored then (ST-6).

        Raises:
            NotFoundError: No such plan.
            NotStartedError: It was never started.
            NotRunningHereError: It is RUNNING, but not in this engine.
            StorageError, InternalError: The run broke off; it can be resumed (STO-6).
        """
        while True:
            run = await self._service.begun(plan_id)
            if run is not None:
                await run.finished.wait()
                if run.error is not None:
                    raise run.error
                continue
            row = await self._vault.row(plan_id)
            if row.status.is_terminal:
                return await self.plan(plan_id)
            if plan_id in self._service.runs or self._service.is_changing(plan_id):
                continue  # a start slipped in between (ST-7)
            if row.status is Status.NOT_STARTED:
                message = f"plan {row.name!r} was never started: start() it first"
                raise NotStartedError(message, plan_id)
            refusal = await self._not_running_here(row)
            # While the vault was looking, a run may have ended, or begun and ended.
            if (await self._vault.row(plan_id)).status.is_terminal:
                continue
            raise refusal

    async def _not_running_here(self, row: PlanRow) -> NotRunningHereError:
        owner = await self._vault.owner(row.id)
        where = (
            "no process runs it: a crash left it behind; resume() it"
            if owner is None
            else f"process {owner} does"
        )
        message = f"plan {row.name!r} is RUNNING, but not in this engine: {where}"
        return NotRunningHereError(message, row.id)

    async def stop(self, plan_id: UUID) -> None:
        """Ask the plan to stop: attempts in flight end, nothing more begins (SP-1, SP-2).

        The request is durable on return; ``wait`` tells when the plan has ended. It
        may come from any process that can open the store.

        Raises:
            NotFoundError: No such plan.
        """
        with trio.CancelScope(shield=True):
            row = await self._vault.row(plan_id)
            stopped = attrs.evolve(
                row,
                status=Status.STOPPED,
                ended=self._now(),
                reasons=(FailureReason.STOPPED,),
                stopping=True,
            )
            await self._vault.request_stop(plan_id, stopped)
            run = await self._service.begun(plan_id)
            if run is not None:
                run.stop()
        self._service.poke(plan_id)

    # --- looking on -------------------------------------------------------------------

    def watch(
        self, plan_id: UUID, *, after: int | None = None
    ) -> AsyncGenerator[WatchEvent]:
        """Follow the plan: first as it is, then every change, as it becomes durable (WA-1).

        Ends after the plan's terminal change. Use it as ``async for event in
        ws.watch(plan_id)``; secrets are hidden (WA-4).

        Args:
            plan_id: The plan.
            after: Go on after this position, which an earlier event told, instead of
                beginning with the plan as it is.

        Raises:
            NotFoundError: No such plan.
            ValueError: ``after`` is negative.
        """
        return self._feeds.watch(plan_id, after)

    async def status(self, plan_id: UUID, interval: float) -> AsyncGenerator[Plan]:
        """The stored plan at once, then every so many seconds, at last as it ended (ST-8).

        Args:
            plan_id: The plan.
            interval: Seconds between two snapshots.

        Raises:
            ValueError: The interval is not greater than 0.
            NotFoundError: No such plan.
        """
        if not interval > 0:
            message = f"interval is {interval}: it must be greater than 0"
            raise ValueError(message)
        while True:
            next_look = trio.current_time() + interval
            plan = await self.plan(plan_id)
            yield plan
            if plan.state.status.is_terminal:
                return
            while trio.current_time() < next_look:
                ticket = self._service.ticket(plan_id)
                if (await self._vault.row(plan_id)).status.is_terminal:
                    break
                with trio.move_on_at(next_look):
                    await ticket()

    # --- recovery ---------------------------------------------------------------------

    async def resume(self, plan_id: UUID) -> None:
        """Recover a plan that a crash left behind, whatever its age (R-3, R-18).

        A plan that runs here or has ended is left alone.

        Raises:
            NotFoundError: No such plan.
            NotStartedError: It was never started.
            NotRunningHereError: Another process runs it.
            PlanRefusedError: It does not fit the plugins at hand (R-4).
        """
        with trio.CancelScope(shield=True):
            if await self._service.begun(plan_id) is not None:
                return
            row = await self._vault.row(plan_id)
            if row.status is Status.NOT_STARTED:
                message = f"plan {row.name!r} was never started: start() it"
                raise NotStartedError(message, plan_id)
            if not await self._launcher.recover(plan_id, max_last_update=None):
                here = await self._service.begun(plan_id) is not None
                row = await self._vault.row(plan_id)
                if not (here or row.status.is_terminal):
                    raise await self._not_running_here(row)
