"""A plan is submitted, started and followed to its end by the process that runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
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
from .._protocols.hosting import HostingVault, hosting
from .._protocols.vault import Vault
from .._registry.registry import Registry
from .._show.words import since_words
from .._store.ids import named, short_id
from .._store.store import open_store
from .._values.errors import LockedError, WorkstreamError
from .._values.state import PluginError, Status
from .._vaults.lmdb.vault import LmdbVault
from .draw.line import joined
from .draw.screen import Screen
from .draw.views import view_on
from .exit_codes import ExitCode
from .follow import Result, follow, tell
from .interrupts import Interrupts, interruptible
from .options import Hints
from .stores import run_async
from .streams import Refusal, complain, print_json

if TYPE_CHECKING:
    from .._preview.forecast import PlanPreview

NOTHING_MORE: Mapping[str, object] = MappingProxyType({})

_LOOK_AGAIN = 0.1
"""Seconds between two looks whether a detached run has begun."""


@attrs.frozen(kw_only=True)
class Launch:
    """A plan that is about to run, and how.

    Attributes:
        submit: Submits the plan.
        vault: The store, not open yet.
        registry: The plugins.
        hints: Knows what to type next.
        plan: The plan.
        as_json: Whether to print how it ended as JSON.
        preflight: Whether to look its secrets up before anything is stored (PV-8).
        waits: Whether to wait while other plans hold its locks (LK-1).
        more: What else the JSON tells.
    """

    submit: Callable[[Workstream], Awaitable[UUID]]
    vault: Vault
    registry: Registry
    hints: Hints
    plan: Plan
    as_json: bool
    preflight: bool = True
    waits: bool = False
    more: Mapping[str, object] = NOTHING_MORE


def run_plan(launch: Launch) -> int:
    """Submit a plan, start it, and follow it to its end; the exit status."""
    vault, plan, hints = launch.vault, launch.plan, launch.hints
    screen, interrupts = Screen(), Interrupts()
    go_on = "resume" if hosting(vault) is None else "watch"
    begun: list[UUID] = []

    async def begin(ws: Workstream, say: Callable[[str], None]) -> None:
        if launch.preflight and ws.host is None:
            say("looking secrets up")
        await ws.preflight(plan, secrets=launch.preflight, locks=not launch.waits)
        say("checking and storing the plan")
        plan_id = await launch.submit(ws)
        show = f"  ({hints.command('show', plan_id)})" if hints.lasts else ""
        if hints.lasts:
            interrupts.leaves(hints.command(go_on, plan_id))
        if isinstance(vault, LmdbVault) and ws.host is None:
            interrupts.outlives(log_of(vault, plan_id))
        if not screen.is_live:
            screen.line(joined((plan.name, "bold"), (show, "dim")))
        _tell_before(screen, ws, plan, plan_id, hints)
        say("starting the plan")
        if launch.waits:
            await start_in_turn(ws, plan_id, say)
        else:
            await ws.start(plan_id)
        begun.append(plan_id)

    async def start_in_turn(
        ws: Workstream, plan_id: UUID, say: Callable[[str], None]
    ) -> None:
        """Start it once its locks are free; Ctrl-C stops it instead."""

        def told(error: LockedError) -> None:
            say(f"waiting: {error}")
            if not screen.is_live:
                screen.line(f"waiting: {error}")

        async def give_up() -> None:
            await interrupts.come(1)
            await ws.stop(plan_id, reason="Ctrl-C while it waited for its locks")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(give_up)
            await ws.start(plan_id, when_locked="wait", on_wait=told)
            nursery.cancel_scope.cancel()

    async def go() -> list[Result]:
        async with AsyncExitStack() as stack:
            with screen.busy("getting plugins and store ready") as say:
                opening = open_workstream(
                    vault, registry=launch.registry, recover=False
                )
                ws = await stack.enter_async_context(opening)
                if interrupts.count:
                    raise click.Abort
                await begin(ws, say)
            view = view_on(screen)
            return await follow(ws, begun, view, screen, interrupts, begun=begun)

    try:
        with interrupts:
            [result] = run_async(go)
    except WorkstreamError as error:
        if not begun:
            raise
        complain(error)
        if hints.lasts:
            screen.hint("go on with it", hints.command(go_on, begun[0]))
        return ExitCode.BROKEN_OFF
    tell(Screen() if interrupts.is_hung_up else screen, [result], hints)
    if launch.as_json:
        print_json({**result.data(), **launch.more})
    return result.code


def _tell_before(
    screen: Screen, ws: Workstream, plan: Plan, plan_id: UUID, hints: Hints
) -> None:
    """Say what the numbers and zones of a plan come to, and what a freeze says."""
    for line in (*numbers_text(plan), *zones_text(plan)):  # BG-6, ZN-4, HO-6
        screen.line(line, "dim", indent=2)
    freeze = ws.frozen()
    if freeze is not None:
        words = since_words("frozen", freeze.begun)
        screen.line(f"it waits: the store is {words}", "yellow", indent=2)
        screen.hint("let it through", hints.command("exempt", plan_id), indent=2)


def log_of(vault: LmdbVault, plan_id: UUID) -> Path:
    """Where a run of the plan without a terminal writes to."""
    return vault.path / "logs" / f"{short_id(plan_id)}.log"


def detach(launch: Launch) -> int:
    """Submit a plan, let a process of its own run it, and return once it has begun."""
    vault, plan, hints = launch.vault, launch.plan, launch.hints
    elsewhere = hosting(vault)
    if elsewhere is not None:
        return _hand_over(launch, elsewhere)
    if not isinstance(vault, LmdbVault):
        message = "--detach needs a store that is a directory: the log goes there"
        raise Refusal(message)
    try:
        python = python_interpreter()  # before anything is stored
    except PluginError as error:
        message = f"--detach: {error}"
        raise Refusal(message) from error
    screen = Screen()

    async def store() -> UUID:
        async with open_workstream(
            vault, registry=launch.registry, recover=False
        ) as ws:
            await ws.preflight(plan, secrets=launch.preflight, locks=not launch.waits)
            plan_id = await launch.submit(ws)
            _tell_before(screen, ws, plan, plan_id, hints)
            return plan_id

    with screen.busy("checking and storing the plan"):
        plan_id = run_async(lambda: interruptible(store))
    log = log_of(vault, plan_id)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    words = ["serve", str(plan_id), "--store", str(vault.path)]
    words += ["--wait"] if launch.waits else []
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
                if row.status is not Status.NOT_STARTED or (launch.waits and owned):
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
    if launch.as_json:
        data = {"id": str(plan_id), "short_id": short_id(plan_id)}
        print_json({**data, "process": child.pid, "log": str(log), **launch.more})
        return ExitCode.COMPLETED
    screen.line(f"{named(plan.name, plan_id)} runs on in process {child.pid}")
    screen.hint("follow it", hints.command("watch", plan_id), indent=2)
    screen.hint("its log", str(log), indent=2)
    return ExitCode.COMPLETED


def _hand_over(launch: Launch, vault: HostingVault) -> int:
    """Submit a plan, let the engine elsewhere begin it, and leave it to that."""
    plan, hints, screen = launch.plan, launch.hints, Screen()
    if launch.waits:
        message = "--detach with --wait: nobody would wait for the locks; leave one out"
        raise Refusal(message)

    async def go() -> UUID:
        async with open_workstream(
            vault, registry=launch.registry, recover=False
        ) as ws:
            await ws.preflight(plan)
            plan_id = await launch.submit(ws)
            _tell_before(screen, ws, plan, plan_id, hints)
            await ws.start(plan_id)
            return plan_id

    with screen.busy("checking, storing and starting the plan"):
        plan_id = run_async(lambda: interruptible(go))
    if launch.as_json:
        data = {"id": str(plan_id), "short_id": short_id(plan_id)}
        print_json({**data, "process": None, "log": None, **launch.more})
        return ExitCode.COMPLETED
    screen.line(f"{named(plan.name, plan_id)} runs on: {vault.host}")
    screen.hint("follow it", hints.command("watch", plan_id), indent=2)
    return ExitCode.COMPLETED


def dry_run(
    plan: Plan,
    registry: Registry,
    *,
    as_json: bool,
    more: Mapping[str, object] = NOTHING_MORE,
) -> ExitCode:
    """Say what the plan would change, without a store; the exit status (PV-7)."""
    from .._preview.dry_run import preview_plan
    from .draw.forecast import forecast_data, show_forecast

    screen = Screen()

    async def ask() -> PlanPreview:
        return await preview_plan(plan, registry=registry)

    with screen.busy("asking what would change"):
        found = run_async(lambda: interruptible(ask))
    code = ExitCode.COMPLETED if found.ok else ExitCode.FAILED
    numbers = [*numbers_text(plan), *zones_text(plan)]
    if as_json:
        print_json({**forecast_data(found, code), "numbers": numbers, **more})
    else:
        show_forecast(screen, found, numbers)
    return code
