"""A plan is submitted, started and followed to its end by the process that runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

import attrs
import click
import trio

from .._authoring.programs import python_interpreter
from .._engine.engine import Workstream, open_workstream
from .._plan.plan import Plan
from .._plan.text import numbers_text
from .._plan.zones import zones_text
from .._protocols.hosting import hosting
from .._protocols.vault import Vault
from .._registry.registry import Registry
from .._show.words import since_words
from .._store.ids import named, short_id
from .._store.store import open_store
from .._values.errors import LockedError, WorkstreamError
from .._values.state import PluginError, Status
from .._vaults.lmdb.vault import LmdbVault
from .call import Call, run_async
from .draw.screen import joined
from .follow import Result, follow, tell
from .interrupts import Interrupts, interruptible
from .streams import ExitCode, Refusal, complain, print_json

if TYPE_CHECKING:
    from .._preview.forecast import PlanPreview

NOTHING_MORE: Mapping[str, object] = MappingProxyType({})

_LOOK_AGAIN = 0.1
"""Seconds between two looks whether a detached run has begun."""


@attrs.frozen(kw_only=True)
class Launch:
    """A plan that is about to run, and how.

    Attributes:
        call: Who asked for it.
        submit: Submits the plan.
        vault: The store, not open yet.
        registry: The plugins.
        plan: The plan.
        preflight: Whether to look its secrets up before anything is stored (PV-8).
        waits: Whether to wait while other plans hold its locks (LK-1).
        more: What else the JSON tells.
    """

    call: Call
    submit: Callable[[Workstream], Awaitable[UUID]]
    vault: Vault
    registry: Registry
    plan: Plan
    preflight: bool = True
    waits: bool = False
    more: Mapping[str, object] = NOTHING_MORE

    def run(self, *, detach: bool = False) -> int:
        """Run it here, or leave it to another process; the exit status."""
        if not detach:
            return self._follow()
        return self._detach() if hosting(self.vault) is None else self._hand_over()

    def _opened(self) -> AbstractAsyncContextManager[Workstream]:
        return open_workstream(self.vault, registry=self.registry, recover=False)

    async def _store(self, ws: Workstream, say: Callable[[str], None]) -> UUID:
        """Store the plan, if nothing keeps it from running."""
        if self.preflight and ws.host is None:
            say("looking secrets up")
        await ws.preflight(self.plan, secrets=self.preflight, locks=not self.waits)
        say("checking and storing the plan")
        return await self.submit(ws)

    def _tell_before(self, ws: Workstream, plan_id: UUID) -> None:
        """Say what the numbers and zones of a plan come to, and what a freeze says."""
        screen = self.call.screen
        for line in (*numbers_text(self.plan), *zones_text(self.plan)):  # BG-6, ZN-4
            screen.line(line, "dim", indent=2)
        freeze = ws.frozen()  # HO-6
        if freeze is not None:
            words = since_words("frozen", freeze.begun)
            screen.line(f"it waits: the store is {words}", "yellow", indent=2)
            self.call.hint("let it through", "exempt", plan_id)

    # -- In this process ---------------------------------------------------------------

    def _follow(self) -> int:
        """Submit the plan, start it, and follow it to its end."""
        call, interrupts = self.call, Interrupts()
        go_on = "resume" if hosting(self.vault) is None else "watch"
        begun: list[UUID] = []

        async def begin(ws: Workstream, say: Callable[[str], None]) -> None:
            plan_id = await self._store(ws, say)
            show = ""
            if call.lasts:
                show = f"  ({call.command('show', plan_id)})"
                interrupts.leaves(call.command(go_on, plan_id))
            if isinstance(self.vault, LmdbVault) and ws.host is None:
                interrupts.outlives(log_of(self.vault, plan_id))
            if not call.screen.is_live:
                call.screen.line(joined((self.plan.name, "bold"), (show, "dim")))
            self._tell_before(ws, plan_id)
            say("starting the plan")
            if self.waits:
                await self._start_in_turn(ws, plan_id, say, interrupts)
            else:
                await ws.start(plan_id)
            begun.append(plan_id)

        async def go() -> list[Result]:
            async with AsyncExitStack() as stack:
                with call.screen.busy("getting plugins and store ready") as say:
                    ws = await stack.enter_async_context(self._opened())
                    if interrupts.count:
                        raise click.Abort
                    await begin(ws, say)
                return await follow(ws, begun, call, interrupts, begun=begun)

        try:
            with interrupts:
                [result] = run_async(go)
        except WorkstreamError as error:
            if not begun:
                raise
            complain(error)
            if call.lasts:
                call.hint("go on with it", go_on, begun[0], indent=0)
            return ExitCode.BROKEN_OFF
        tell(call, [result])
        if call.as_json:
            print_json({**result.data(), **self.more})
        return result.code

    async def _start_in_turn(
        self,
        ws: Workstream,
        plan_id: UUID,
        say: Callable[[str], None],
        interrupts: Interrupts,
    ) -> None:
        """Start it once its locks are free; Ctrl-C stops it instead."""

        def told(error: LockedError) -> None:
            say(f"waiting: {error}")
            if not self.call.screen.is_live:
                self.call.screen.line(f"waiting: {error}")

        async def give_up() -> None:
            await interrupts.come(1)
            await ws.stop(plan_id, reason="Ctrl-C while it waited for its locks")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(give_up)
            await ws.start(plan_id, when_locked="wait", on_wait=told)
            nursery.cancel_scope.cancel()

    # -- Elsewhere ---------------------------------------------------------------------

    def _detach(self) -> int:
        """Submit the plan, let a process of its own run it, and return once it has begun."""
        vault, screen = self.vault, self.call.screen
        if not isinstance(vault, LmdbVault):
            message = "--detach needs a store that is a directory: the log goes there"
            raise Refusal(message)
        try:
            python = python_interpreter()  # before anything is stored
        except PluginError as error:
            message = f"--detach: {error}"
            raise Refusal(message) from error

        async def store() -> UUID:
            async with self._opened() as ws:
                plan_id = await self._store(ws, say)
                self._tell_before(ws, plan_id)
                return plan_id

        with screen.busy("checking and storing the plan") as say:
            plan_id = run_async(lambda: interruptible(store))
        log = log_of(vault, plan_id)
        log.parent.mkdir(mode=0o700, exist_ok=True)
        words = ["serve", str(plan_id), "--store", str(vault.path)]
        words += ["--wait"] if self.waits else []
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(os.open(log, flags, 0o600), "ab") as output:
            child = subprocess.Popen(
                [python, "-m", "workstream", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

        async def begun() -> bool:
            async with open_store(vault) as plans:
                while True:
                    row = await plans.vault.row(plan_id)
                    owned = await plans.vault.owner(plan_id) is not None
                    if row.status is not Status.NOT_STARTED or (self.waits and owned):
                        return True
                    if child.poll() is not None:
                        return False
                    await trio.sleep(_LOOK_AGAIN)

        with screen.busy("starting the plan"):
            has_begun = run_async(lambda: interruptible(begun))
        if not has_begun:
            said = log.read_text(errors="replace").strip().splitlines()[-5:]
            message = "\n".join(["the plan was not started; its process said:", *said])
            raise Refusal(message)
        return self._goes_on(plan_id, f" in process {child.pid}", child.pid, log)

    def _hand_over(self) -> int:
        """Submit the plan, let the engine elsewhere begin it, and leave it to that."""
        if self.waits:
            message = (
                "--detach with --wait: nobody would wait for the locks; leave one out"
            )
            raise Refusal(message)

        async def go() -> tuple[UUID, str | None]:
            async with self._opened() as ws:
                plan_id = await self._store(ws, say)
                self._tell_before(ws, plan_id)
                await ws.start(plan_id)
                return plan_id, ws.host

        with self.call.screen.busy("checking, storing and starting the plan") as say:
            plan_id, host = run_async(lambda: interruptible(go))
        return self._goes_on(plan_id, f": {host}")

    def _goes_on(
        self,
        plan_id: UUID,
        where: str,
        process: int | None = None,
        log: Path | None = None,
    ) -> int:
        """Say that it runs, where, and how to follow it."""
        facts = {"process": process, "log": None if log is None else str(log)}
        self.call.answer(
            {"id": str(plan_id), "short_id": short_id(plan_id), **facts, **self.more},
            f"{named(self.plan.name, plan_id)} runs on{where}",
        )
        if not self.call.as_json:
            self.call.hint("follow it", "watch", plan_id)
            if log is not None:
                self.call.screen.hint("its log", str(log), indent=2)
        return ExitCode.COMPLETED


def log_of(vault: LmdbVault, plan_id: UUID) -> Path:
    """Where a run of the plan without a terminal writes to."""
    return vault.path / "logs" / f"{short_id(plan_id)}.log"


def dry_run(
    call: Call,
    plan: Plan,
    registry: Registry,
    more: Mapping[str, object] = NOTHING_MORE,
) -> ExitCode:
    """Say what the plan would change, without a store; the exit status (PV-7)."""
    from .._preview.dry_run import preview_plan
    from .draw.forecast import forecast_data, show_forecast

    async def ask() -> PlanPreview:
        return await preview_plan(plan, registry=registry)

    with call.screen.busy("asking what would change"):
        found = run_async(lambda: interruptible(ask))
    code = ExitCode.COMPLETED if found.ok else ExitCode.FAILED
    numbers = [*numbers_text(plan), *zones_text(plan)]
    if call.as_json:
        print_json({**forecast_data(found, code), "numbers": numbers, **more})
    else:
        show_forecast(call.screen, found, numbers)
    return code
