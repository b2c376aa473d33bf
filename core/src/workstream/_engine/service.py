"""The part of an engine that lives beside its callers: its tasks, and the runs in them.

A service lives in a trio system task of its own. That way leaving an engine's context can
give up waiting for a plugin that ignores its cancellation (A-16), which a nursery cannot:
the plugin ends when it ends, and keeps its plan's claim until then.

Nothing that goes wrong in one run reaches another, or the system task: a run never raises
(``_engine.runs``), and what fails after it, or beside it, is logged (T-2).
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import attrs
import trio

from .._attempts.outcomes import DEAF_AFTER
from .._plan.plan import Plan
from .._protocols.vault import StoredPlan, Vault, Write
from .._runtime.journal import Committer
from .._runtime.trio_runtime import RunSettings
from .._store.news import News
from .._values.errors import StorageError
from .runs import Run
from .system_tasks import PluginSystemTasks

if TYPE_CHECKING:
    from .._observers.feeding import Observing

log = logging.getLogger("workstream")

LEAVE_AFTER = 10.0
"""Seconds that leaving the engine waits for plugins that were cancelled (A-16)."""
LOOK_FOR_REQUESTS = 0.5
"""Seconds between two looks for what other processes ask (SP-1, CT-2)."""


class Service:
    """The runs of one engine, and what they need of it.

    Attributes:
        runs: The plans that run here, by id.
        news: Tells when a plan may have changed in the store.
        observing: Tells observers what happens; None: there are none (OB-1).
    """

    def __init__(self, vault: Vault, settings: RunSettings) -> None:
        """Make a service; ``opened`` brings it to life."""
        self.runs: dict[UUID, Run] = {}
        self.news: News = News(vault, self.runs)
        self.observing: Observing | None = None
        self._vault = vault
        self._settings = settings
        self._committer = Committer(vault)
        self._changing: dict[UUID, trio.Event] = {}
        self._body = trio.CancelScope()
        self._interrupt: KeyboardInterrupt | None = None
        self._is_open = False

    # --- its life ---------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Open the vault and live while the body runs; then break off what runs (T-3)."""
        await self._vault.open()
        ready, gone = trio.Event(), trio.Event()
        context = contextvars.copy_context()
        trio.lowlevel.spawn_system_task(self._serve, ready, gone, context=context)
        # Whoever is cancelled here would leave the vault open, and the task behind.
        with trio.CancelScope(shield=True):
            await ready.wait()
        try:
            with self._body:
                yield
        finally:
            with trio.CancelScope(shield=True):
                await self._close(gone)
            if self._interrupt is not None:  # Ctrl-C goes before what it caused
                raise self._interrupt

    async def _serve(self, ready: trio.Event, gone: trio.Event) -> None:
        watch = PluginSystemTasks(trio.lowlevel.current_task())
        trio.lowlevel.add_instrument(watch)
        async with trio.open_nursery() as keepers:
            keepers.start_soon(self._committer.run)
            if self._vault.shared:
                keepers.start_soon(self._keep_hearing)
            if self.observing is not None:
                await keepers.start(self.observing.run)
            async with trio.open_nursery() as self._nursery:
                self._is_open = True
                ready.set()
                self._nursery.start_soon(trio.sleep_forever)
            self._is_open = False
            if self.observing is not None:
                await self.observing.leave()
            keepers.cancel_scope.cancel()
        trio.lowlevel.remove_instrument(watch)
        gone.set()

    async def _close(self, gone: trio.Event) -> None:
        began = list(self.runs.values())
        self._nursery.cancel_scope.cancel()
        with trio.move_on_after(LEAVE_AFTER):
            await gone.wait()
        if gone.is_set():
            await self._vault.close()
            return
        # A run may be out of the table, and its plugin not yet out of its call.
        left = list(self.runs.values()) or began
        names = ", ".join(repr(run.name) for run in left)
        log.error(
            "plugins of %s ignore their cancellation; the engine is left without waiting "
            "for them, and their plans stay claimed until this process ends",
            names,
        )

    async def _keep_hearing(self) -> None:
        """Look for what other processes ask (SP-1, CT-2)."""
        while True:
            await trio.sleep(LOOK_FOR_REQUESTS)
            if self.runs:
                try:
                    await self.hear()
                except Exception as error:
                    log.warning("requests cannot be read: %s", error)

    async def hear(self) -> None:
        """Let the runs see what was asked of their plans. Raises StorageError."""
        for request in await self._vault.requests():
            run = self.runs.get(request.plan_id)
            if run is not None:
                run.hear(request)
        self.look()

    def look(self) -> None:
        """Let the runs see whether the store is frozen (HO-6)."""
        for run in list(self.runs.values()):
            run.look()

    # --- runs ---------------------------------------------------------------------------

    def require_open(self) -> None:
        """Raise StorageError unless runs can begin."""
        if not self._is_open:
            message = "this engine was left: open the store again"
            raise StorageError(message)

    @asynccontextmanager
    async def begins(self, plan_id: UUID) -> AsyncGenerator[None]:
        """Begin a run of a plan that was claimed; without one, give the claim back.

        The store may say RUNNING for a while before the run is there. Whoever looks for
        it meanwhile waits for this to be over (ST-7, SP-1).
        """
        over = self._begin_change(plan_id)
        try:
            yield
        finally:
            try:
                if plan_id not in self.runs:
                    await self._vault.release(plan_id)
            finally:
                self._end_change(plan_id, over)

    def _begin_change(self, plan_id: UUID) -> trio.Event:
        over = self._changing[plan_id] = trio.Event()
        return over

    def _end_change(self, plan_id: UUID, over: trio.Event) -> None:
        # A vault may take its time to return from ``release``: by then somebody else
        # may have claimed the plan, and what is noted of it is theirs.
        if self._changing.get(plan_id) is over:
            del self._changing[plan_id]
        over.set()

    async def begun(self, plan_id: UUID) -> Run | None:
        """The plan's run in this engine, also if it is only just beginning."""
        while plan_id in self._changing:
            await self._changing[plan_id].wait()
        return self.runs.get(plan_id)

    def is_changing(self, plan_id: UUID) -> bool:
        """Whether a run of the plan is just beginning or ending here."""
        return plan_id in self._changing

    def launch(
        self,
        plan: Plan,
        stored: StoredPlan,
        position: int,
        *,
        now: Callable[[], datetime] | None = None,
    ) -> Run:
        """Run a plan that is claimed, from wherever it stands.

        Args:
            plan: The plan.
            stored: As it was read.
            position: The log position of its latest durable change.
            now: The time to record, where it is not that of the other runs.
        """
        settings = self._settings
        if now is not None:
            settings = attrs.evolve(settings, now=now)
        run = Run(
            plan,
            stored.row.id,
            position=position,
            taken=max((each.number for each in stored.requests), default=0),
            lines=stored.lines,
            committer=self._committer,
            settings=settings,
            on_durable=lambda: self.news.poke(stored.row.id),
            on_broken=lambda: self._broken(run),
        )
        self.runs[run.plan_id] = run
        self._nursery.start_soon(self._main, run)
        if self.observing is not None:
            self.observing.begin(run.plan_id)
        self.news.poke(run.plan_id)
        return run

    async def _main(self, run: Run) -> None:
        try:
            await run.run()
        finally:
            # Until the claim is given back, the run is neither here nor gone.
            over = self._begin_change(run.plan_id)
            del self.runs[run.plan_id]
            with trio.CancelScope(shield=True):
                await self._release(run)
            self._end_change(run.plan_id, over)
            run.finished.set()
            self.news.poke(run.plan_id)
            if run.interrupt is not None:
                self._interrupt = run.interrupt
                self._body.cancel()

    def _broken(self, run: Run) -> None:
        if run.plan_id in self.runs:  # else all have ended, and the service with them
            self._nursery.start_soon(self._tell_of_deaf, run)

    async def _tell_of_deaf(self, run: Run) -> None:
        """Say why a run that the store has failed does not end (A-16, STO-6)."""
        with trio.move_on_after(DEAF_AFTER):
            await run.finished.wait()
            return
        log.warning(
            "the store failed plan %r %.0f seconds ago, and a plugin goes on although "
            "it was cancelled; wait for it, or end this process and resume the plan",
            run.name,
            DEAF_AFTER,
        )

    async def _release(self, run: Run) -> None:
        try:
            await self._vault.release(run.plan_id)
        except Exception as error:
            log.warning("plan %r stays claimed by this process: %s", run.name, error)

    async def write(self, write: Write) -> None:
        """Make changes durable outside of a run. Raises StorageError."""
        [answer] = await self._vault.write([write])
        if answer is not None:
            raise answer
