"""A plan is submitted, started and followed to its end by the process that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import UUID

import click
import trio

from .._engine.engine import Workstream, open_workstream
from .._plan.plan import Plan
from .._preview.dry_run import preview_plan
from .._preview.forecast import PlanPreview
from .._protocols.vault import Vault
from .._registry.registry import Registry
from .._values.errors import LockedError, WorkstreamError
from .draw.forecast import forecast_data, show_forecast
from .draw.screen import Screen, joined
from .draw.views import view_on
from .exit_codes import ExitCode
from .follow import Result, follow, tell
from .interrupts import Interrupts, interruptible
from .options import Hints
from .stores import run_async
from .streams import complain, print_json


def run_plan(
    submit: Callable[[Workstream], Awaitable[UUID]],
    *,
    vault: Vault,
    registry: Registry,
    hints: Hints,
    plan: Plan,
    as_json: bool,
    preflight: bool = True,
    waits: bool = False,
) -> int:
    """Submit a plan, start it, and follow it to its end; the exit status.

    Args:
        submit: Submits the plan.
        vault: The store, not open yet.
        registry: The plugins.
        hints: Knows what to type next.
        plan: The plan.
        as_json: Whether to print how it ended as JSON.
        preflight: Whether to look its secrets up before anything is stored (PV-8).
        waits: Whether to wait while other plans hold its locks (LK-1).
    """
    screen, interrupts = Screen(), Interrupts()
    begun: list[UUID] = []

    async def begin(ws: Workstream, say: Callable[[str], None]) -> None:
        if preflight:
            say("looking secrets up")
        await ws.preflight(plan, secrets=preflight, locks=not waits)
        say("checking and storing the plan")
        plan_id = await submit(ws)
        show = f"  ({hints.command('show', plan_id)})" if hints.lasts else ""
        if hints.lasts:
            interrupts.leaves(hints.command("resume", plan_id))
        if not screen.is_live:
            screen.line(joined((plan.name, "bold"), (show, "dim")))
        say("starting the plan")
        if waits:
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
                opening = open_workstream(vault, registry=registry, recover=False)
                ws = await stack.enter_async_context(opening)
                if interrupts.count:
                    raise click.Abort
                await begin(ws, say)
            return await follow(ws, begun, view_on(screen), screen, interrupts)

    try:
        with interrupts:
            [result] = run_async(go)
    except WorkstreamError as error:
        if not begun:
            raise
        complain(error)
        if hints.lasts:
            screen.hint("go on with it", hints.command("resume", begun[0]))
        return ExitCode.BROKEN_OFF
    tell(screen, [result], hints)
    if as_json:
        print_json(result.data())
    return result.code


def dry_run(plan: Plan, registry: Registry, *, as_json: bool) -> ExitCode:
    """Say what the plan would change, without a store; the exit status (PV-7)."""
    screen = Screen()

    async def ask() -> PlanPreview:
        return await preview_plan(plan, registry=registry)

    with screen.busy("asking what would change"):
        found = run_async(lambda: interruptible(ask))
    code = ExitCode.COMPLETED if found.ok else ExitCode.FAILED
    if as_json:
        print_json(forecast_data(found, code))
    else:
        show_forecast(screen, found)
    return code
