"""The engine's face: an open store that can also run what it holds.

What a caller asks of a run is here (sections 4, 14, 15); what can be done with any stored
plan is the ``Store`` that this is (``_store``). Who runs the plans is a ``Runner``: this process
(``_engine.local``), where what happens next to the caller lives in ``_engine.service``
and how a stored plan comes to run in ``_engine.launching``; or the store itself
(``_engine.hosted``). Whatever
begins, stops or removes something is shielded from the cancellation of whoever asked: it
happens wholly or not at all (ST-5).
"""

from __future__ import annotations

import logging
import random as random_module
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import trio

from .._codec.codec import Codec
from .._codec.collector import collector_paused
from .._codec.labels import labels_of
from .._codec.records import row_of
from .._plan.paths import label_of_plan
from .._plan.plan import Plan
from .._plan.sequels.retry import From
from .._plan.sequels.undo import UndoPlan
from .._plan.walk import new_plan_id
from .._protocols.hosting import hosting
from .._protocols.vault import PlanRequest, Vault
from .._registry.registry import Registry
from .._runtime.lookups import Lookups
from .._runtime.trio_runtime import RunSettings
from .._store.asking import requester
from .._store.places import vault_at
from .._store.store import Store
from .._validation.validation import prepared
from .._values.clock import Clock, utc_now
from .._values.display import shorten
from .._values.errors import (
    Fault,
    LockedError,
    ValidationError,
    WorkstreamError,
    fault_lines,
)
from .hosted import HostedRunner
from .local import LocalRunner
from .locks import lock_held
from .runner import Runner
from .sequels import alone, rest_of, undo_of

if TYPE_CHECKING:
    from .._preview.forecast import PlanPreview

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
    A store of ``workstream_engines`` runs its plans itself: there, neither is so.

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
    vault = vault_at(store)
    plugins = Registry.installed() if registry is None else registry
    plugins.freeze()
    clock = Clock(now, elapsed=trio.current_time)
    codec = Codec(plugins)
    runner: Runner
    elsewhere = hosting(vault)
    if elsewhere is not None:
        runner = HostedRunner(elsewhere, plugins, codec, max_submit, clock)
    else:
        settings = RunSettings(
            plugins=plugins,
            lookups=Lookups(plugins.resolvers),
            codec=codec,
            now=clock,
            random=random,
            freeze=vault.freeze,
            requests=vault.requests if vault.shared else _nothing_asked,
            heartbeat=min(300.0, (max_last_update or 1200.0) / 4),
        )
        runner = LocalRunner(vault, plugins, settings, max_submit=max_submit)
    engine = Workstream(vault, codec, clock, registry=plugins, runner=runner)
    if plugins.observers and isinstance(runner, LocalRunner):
        from .._observers.feeding import Observing

        runner.service.observing = Observing(engine, plugins.observers)
    async with runner.opened():
        if recover:
            engine.recovery_errors = await runner.recover_all(max_last_update)
        yield engine


async def _nothing_asked() -> tuple[PlanRequest, ...]:
    """What nobody else asks of a store that nobody else has: runs hear it at once."""
    return ()


class Workstream(Store):
    """An open engine; made by ``open_workstream``.

    Attributes:
        registry: The plugins.
        recovery_errors: The plans that could not be recovered, and why (R-4).
    """

    def __init__(
        self,
        vault: Vault,
        codec: Codec,
        now: Callable[[], datetime],
        *,
        registry: Registry,
        runner: Runner,
    ) -> None:
        super().__init__(vault, codec, runner.news, now)
        self.registry = registry
        self.recovery_errors: Mapping[UUID, WorkstreamError] = {}
        self._runner = runner

    async def submit(self, plan: Plan, *, by: str | None = None) -> UUID:
        """Store a copy of the plan, ready to be started; nothing is executed (SUB-1).

        Args:
            plan: The plan.
            by: Who submits it; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Raises:
            ValidationError: It lists all that is wrong; nothing was stored, and the
                plan is as it was (V-1, V-2).
        """
        with collector_paused():
            copy, warnings = prepared(plan, self.registry, lean=True)
            plan_id = copy.id = copy.plan_id = new_plan_id()
            copy.submitted = self._now()
            copy.submitter = by or requester()
            definition = self._codec.encode_definition(copy)
        for warning in fault_lines(warnings):
            log.warning("%s", warning)
        with trio.CancelScope(shield=True):
            await self.vault.create(row_of(copy), definition, labels_of(copy))
        self._runner.keep(copy, definition)
        return plan_id

    async def preview(self, plan: Plan) -> PlanPreview:
        """Say what the plan would change; nothing is stored, and nothing changed (PV-1).

        Raises:
            ValidationError: It lists all that is wrong, as ``submit`` does (V-1).
        """
        from .._preview.dry_run import dry_run

        return await dry_run(plan, self.registry)

    async def preflight(
        self, plan: Plan, *, secrets: bool = True, locks: bool = True
    ) -> None:
        """Find out what would keep a plan from running now; nothing is stored (PV-8).

        Args:
            plan: The plan, not submitted yet.
            secrets: Whether to look each of its secrets up once, where it runs here.
            locks: Whether to see that no other plan holds one of its locks.

        Raises:
            ValidationError: Everything that was found.
        """
        from .._preview.preflight import missing_secrets

        # An engine elsewhere looks them up where the plan runs.
        here = secrets and self.host is None
        faults = await missing_secrets(plan, self.registry.resolvers) if here else []
        held = await lock_held(self.vault, plan) if locks else None
        if held is not None:
            fault = Fault(
                path=label_of_plan(plan), field="locks", rule="LK-1", message=held
            )
            faults.insert(0, fault)
        if faults:
            message = (
                f"the plan '{shorten(plan.name)}' cannot begin: nothing was stored"
            )
            raise ValidationError(message, faults)

    async def run(self, plan: Plan) -> Plan:
        """Submit, start and wait: the plan as it ended."""
        plan_id = await self.submit(plan)
        await self.start(plan_id)
        return await self.wait(plan_id)

    async def rest(
        self,
        plan_id: UUID,
        *,
        from_: From = "sequence",
        only: Collection[str] = (),
        skip: Collection[str] = (),
        again: bool = False,
        reason: str = "",
    ) -> Plan:
        """What a plan that has ended left undone, as a plan to be submitted (RT-1).

        Args:
            plan_id: The plan.
            from_: See ``remaining``; ``only`` and ``skip`` too.
            only: Paths of what alone is done.
            skip: Paths of what is not done.
            again: Also of a plan that was retried already. Its retry knows better what
                is left: this does a second time what the retry did.
            reason: Why: the description of the new plan.

        Raises:
            NotFoundError: No such plan.
            RetryError: It has not ended, was retried already, or nothing is left.
            PathError: A path names no block or sequence, or several.
            PlanCorruptError: A request no longer fits its plugin's type.
        """
        entry, kin = await self.entry(plan_id), await self.kin(plan_id)
        return rest_of(
            entry,
            kin,
            await self.plan(plan_id),
            from_=from_,
            only=only,
            skip=skip,
            again=again,
            reason=reason,
        )

    async def retry(
        self,
        plan_id: UUID,
        *,
        from_: From = "sequence",
        only: Collection[str] = (),
        skip: Collection[str] = (),
        again: bool = False,
        reason: str = "",
        by: str | None = None,
    ) -> UUID:
        """Submit what a plan that has ended left undone; ``start`` starts it (RT-1).

        The arguments and errors are those of ``rest`` and of ``submit``.

        Returns:
            The new plan's id.
        """
        async with alone(self.vault, plan_id):
            rest = await self.rest(
                plan_id, from_=from_, only=only, skip=skip, again=again, reason=reason
            )
            return await self.submit(rest, by=by)

    async def undo_plan(
        self,
        plan_id: UUID,
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        again: bool = False,
        reason: str = "",
    ) -> UndoPlan:
        """What takes back a plan that has ended, to be submitted, and what cannot be (UN-5).

        Args:
            plan_id: The plan.
            only: Paths of blocks and sequences that alone are taken back.
            skip: Paths of blocks and sequences that are not.
            again: Also of a plan that was taken back already.
            reason: Why: the description of the new plan.

        Raises:
            NotFoundError: No such plan.
            UndoError: It has not ended, was taken back already, or nothing of it can be.
            PathError: A path names no block or sequence, or several.
            PlanCorruptError: A request no longer fits its plugin's type.
        """
        entry, kin = await self.entry(plan_id), await self.kin(plan_id)
        plan = await self.plan(plan_id)
        return undo_of(
            entry, kin, plan, only=only, skip=skip, again=again, reason=reason
        )

    async def undo(
        self,
        plan_id: UUID,
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        again: bool = False,
        reason: str = "",
        by: str | None = None,
    ) -> UUID:
        """Submit what takes back a plan that has ended; ``start`` starts it (UN-5).

        The arguments and errors are those of ``undo_plan`` and of ``submit``.

        Returns:
            The new plan's id.
        """
        async with alone(self.vault, plan_id):
            found = await self.undo_plan(
                plan_id, only=only, skip=skip, again=again, reason=reason
            )
            for path, why in found.lacking.items():
                log.warning("'%s' is not taken back: %s", path, why)
            assert found.plan is not None
            return await self.submit(found.plan, by=by)

    async def start(
        self,
        plan_id: UUID,
        *,
        when_locked: Literal["raise", "wait"] = "raise",
        on_wait: Callable[[LockedError], None] | None = None,
    ) -> None:
        """Start a submitted plan; a plan that was started already is left alone (ST-1).

        On return the start is durable, and the run goes on whatever happens to the
        caller (ST-5).

        Args:
            plan_id: The plan.
            when_locked: What to do while another plan holds one of its locks (LK-1).
                ``"wait"`` waits behind those that were submitted earlier, holding none;
                it may be cancelled, and the plan is not started then.
            on_wait: Is told what the plan waits for, each time that this changes.

        Raises:
            LockedError: Another plan holds one of its locks.
            NotFoundError: No such plan.
            PlanStaleError: It was submitted too long ago (ST-3).
            PlanRefusedError: It does not fit the plugins at hand (ST-4).
        """
        if when_locked not in ("raise", "wait"):
            message = f"when_locked is {when_locked!r}: it must be 'raise' or 'wait'"
            raise ValueError(message)
        await self._runner.start(plan_id, waits=when_locked == "wait", on_wait=on_wait)

    async def wait(self, plan_id: UUID) -> Plan:
        """Wait until the run of the plan has ended; the plan as it is stored then (ST-6).

        Raises:
            NotFoundError: No such plan.
            NotStartedError: It was never started.
            NotRunningHereError: It is RUNNING, but not in this engine.
            StorageError, InternalError: The run broke off; it can be resumed (STO-6).
        """
        return await self._runner.wait(plan_id) or await self.plan(plan_id)

    async def _heard(self, plan_id: UUID) -> None:
        await self._runner.heard(plan_id)

    async def _looked(self) -> None:
        await self._runner.looked()

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
        await self._runner.resume(plan_id)
