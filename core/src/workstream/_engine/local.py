"""Plans run in this process: the part of an engine that starts and waits for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import trio

from .._plan.plan import Plan
from .._protocols.vault import Owner, PlanRow, Vault, owner_text
from .._registry.registry import Registry
from .._runtime.plugin_init import init_plugins
from .._runtime.trio_runtime import RunSettings
from .._values.errors import (
    NotRunningHereError,
    NotStartedError,
    PlanError,
    WorkstreamError,
)
from .._values.state import Status
from .launching import Launcher
from .runner import OnWait, Runner
from .service import Service


class LocalRunner(Runner):
    """Runs plans on trio, beside its callers.

    Attributes:
        service: The runs.
        launcher: Lets them begin.
    """

    def __init__(
        self,
        vault: Vault,
        registry: Registry,
        settings: RunSettings,
        *,
        max_submit: float,
    ) -> None:
        """Make a runner; ``opened`` brings it to life."""
        self._vault = vault
        self._registry = registry
        self.service = Service(vault, settings)
        self.launcher = Launcher(
            vault,
            registry,
            settings.codec,
            self.service,
            max_submit=max_submit,
            now=settings.now,
        )
        self.news = self.service.news

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """See ``Runner``; what still runs after the body is broken off (T-3)."""
        async with self.service.opened():
            await init_plugins(self._registry)
            yield

    def keep(self, plan: Plan, definition: bytes) -> None:
        """See ``Runner``."""
        self.launcher.keep(plan, definition)

    async def start(
        self, plan_id: UUID, *, waits: bool, on_wait: OnWait | None
    ) -> None:
        """See ``Runner``."""
        await self.launcher.start(plan_id, waits=waits, on_wait=on_wait)

    async def recover_all(
        self, max_last_update: float | None
    ) -> dict[UUID, WorkstreamError]:
        """See ``Runner``."""
        return await self.launcher.recover_all(max_last_update)

    async def wait(self, plan_id: UUID) -> Plan | None:
        """See ``Runner``."""
        ended: Plan | None = None
        while True:
            run = await self.service.begun(plan_id)
            if run is not None:
                await run.finished.wait()
                if run.error is not None:
                    raise run.error
                ended = run.take_plan()
                continue
            row = await self._vault.row(plan_id)
            if row.status.is_terminal:
                return ended
            if plan_id in self.service.runs or self.service.is_changing(plan_id):
                continue  # a start slipped in between (ST-7)
            owner = await self._vault.owner(plan_id)
            # While the vault was looking, a run may have begun, or ended, or both.
            if (await self._vault.row(plan_id)).status is row.status:
                raise _nothing_to_wait_for(row, owner)

    async def heard(self, plan_id: UUID) -> None:
        """See ``Runner``."""
        run = await self.service.begun(plan_id)
        if run is not None:
            await self.service.hear()
            await run.heard()

    async def looked(self) -> None:
        """See ``Runner``."""
        self.service.look()
        for run in list(self.service.runs.values()):
            await run.heard()

    async def resume(self, plan_id: UUID) -> None:
        """See ``Runner``."""
        with trio.CancelScope(shield=True):
            if await self.service.begun(plan_id) is not None:
                return
            row = await self._vault.row(plan_id)
            if row.status is Status.NOT_STARTED:
                message = f"plan {row.name!r} was never started: start() it"
                raise NotStartedError(message, plan_id)
            if not await self.launcher.recover(plan_id, max_last_update=None):
                here = await self.service.begun(plan_id) is not None
                row = await self._vault.row(plan_id)
                if not (here or row.status.is_terminal):
                    raise _nothing_to_wait_for(row, await self._vault.owner(plan_id))


def _nothing_to_wait_for(row: PlanRow, owner: Owner | None) -> PlanError:
    """Why this engine has no run of a plan that has not ended.

    Args:
        row: The plan.
        owner: Who has claimed it, this process included; None: nobody has.
    """
    name = f"plan {row.name!r}"
    if row.status is Status.NOT_STARTED:
        if owner is None:
            message = f"{name} was never started: start() it first"
            return NotStartedError(message, row.id)
        message = f"{name} is being started by another engine, in {owner_text(owner)}"
        return NotRunningHereError(message, row.id)
    message = (
        f"{name} is RUNNING, but no process runs it: a crash left it behind; resume() it"
        if owner is None
        else f"{name} is run by {owner_text(owner)}, not by this engine"
    )
    return NotRunningHereError(message, row.id)
