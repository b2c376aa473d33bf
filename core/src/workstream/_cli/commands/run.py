"""Commands that take a plan file: ``run`` and ``validate``."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import click

from ..._codec.codec import Codec
from ..._codec.json_text import to_json
from ..._engine.engine import Workstream, open_workstream
from ..._plan.plan import Plan
from ..._plan.text import plan_text
from ..._preview.dry_run import preview_plan
from ..._preview.forecast import PlanPreview
from ..._registry.registry import Registry
from ..._store.places import vault_at
from ..._validation.validation import prepared
from ..._values.errors import ValidationError, WorkstreamError
from .._data import fault_data
from .._follow import follow
from .._outcome import Result, result_of, tell
from .._views import view_on
from ..draw.forecast import forecast_data, show_forecast
from ..draw.screen import Screen, joined
from ..exit_codes import ExitCode
from ..interrupts import Interrupts, interruptible
from ..options import Command, Hints, json_option, settings_option, store_option
from ..plan_file import PlanFile, read_plan_file
from ..stores import run_async
from ..streams import complain, print_json

file_argument = click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=False)
)


@click.command("run", cls=Command)
@file_argument
@settings_option
@click.option(
    "--group",
    "group_id",
    metavar="ID",
    type=click.UUID,
    help="Put the plan in the group of this id, with its retries and kin.",
)
@click.option(
    "--dry-run",
    "is_dry",
    is_flag=True,
    help="Only say what would change; nothing is run or stored.",
)
@store_option
@json_option
def run(
    file: Path,
    settings: tuple[str, ...],
    group_id: UUID | None,
    is_dry: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Run a plan, and follow it to its end.

    FILE is a Python file with a function `plan(...)` that returns a Plan; its
    parameters are given by -p, and `workstream validate FILE --params` lists them. Or
    it is a plan in JSON, its name ending in .json. Either may do all that you may do:
    run only files that you trust.

    Only this plan is run. Ctrl-C stops it: what runs is finished, nothing new begins.
    A second Ctrl-C leaves at once, as a crash would; `workstream resume` then goes on.

    Exit status: 0 completed, 3 completed with tolerated failures, 1 failed, 4 stopped,
    5 broken off and resumable, 2 nothing was run. With --dry-run: 0 nothing stands
    against the plan, 1 a check or a preview failed, 2 it is not valid.
    """
    registry = functools.cache(Registry.installed)
    plan = read_plan_file(file, registry).plan(settings)
    if group_id is not None:
        plan.group_id = group_id
    if is_dry:
        return _dry_run(plan, registry(), as_json=as_json)
    screen = Screen()
    interrupts = Interrupts()

    vault = vault_at(store)
    hints = Hints(store, lasts=vault.shared)
    begun: list[UUID] = []

    async def begin(ws: Workstream, say: Callable[[str], None]) -> UUID:
        say("checking and storing the plan")
        plan_id = await ws.submit(plan)
        show = ""
        if hints.lasts:
            resume = hints.command("resume", plan_id)
            interrupts.last_words = f"left at once; go on with it:  {resume}"
            show = f"  ({hints.command('show', plan_id)})"
        if not screen.is_live:
            screen.line(joined((plan.name, "bold"), (show, "dim")))
        say("starting the plan")
        await ws.start(plan_id)
        begun.append(plan_id)
        return plan_id

    async def go() -> Result | None:
        async with AsyncExitStack() as stack:
            with screen.busy("getting plugins and store ready") as say:
                opening = open_workstream(vault, registry=registry(), recover=False)
                ws = await stack.enter_async_context(opening)
                if interrupts.count:
                    return None
                plan_id = await begin(ws, say)
            endings = await follow(
                ws, [plan_id], view_on(screen, several=False), interrupts
            )
            with screen.busy("reading how it ended"):
                row = await vault.row(plan_id)
                return await result_of(ws, row, endings[plan_id])

    try:
        with interrupts:
            result = run_async(go)
    except WorkstreamError as error:
        if not begun:
            raise
        complain(error)
        if hints.lasts:
            screen.hint("go on with it", hints.command("resume", begun[0]))
        return ExitCode.BROKEN_OFF
    if result is None:
        raise click.Abort
    tell(screen, [result], hints)
    if as_json:
        print_json(result.data())
    return result.code


def _dry_run(plan: Plan, registry: Registry, *, as_json: bool) -> ExitCode:
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


@click.command("validate", cls=Command)
@file_argument
@settings_option
@click.option(
    "--params", "only_parameters", is_flag=True, help="Only list what -p may give."
)
@json_option
def validate(
    file: Path, settings: tuple[str, ...], only_parameters: bool, as_json: bool
) -> int:
    """Check a plan without running anything.

    FILE is what `workstream run` takes. All that is wrong is listed, each with its
    path in the plan; a plan that can be run is printed. No store is touched, and no
    plugin is called but for its opinion of the requests.

    Exit status: 0 valid, 2 not.
    """
    registry = functools.cache(Registry.installed)
    plan_file = read_plan_file(file, registry)
    if only_parameters:
        _show_parameters(plan_file, as_json=as_json)
        return ExitCode.COMPLETED
    plan = plan_file.plan(settings)
    try:
        copy, warnings = prepared(plan, registry())
        Codec(registry()).encode_definition(copy)
    except ValidationError as error:
        if as_json:
            faults = [fault_data(fault) for fault in error.faults]
            print_json({"valid": False, "faults": faults, "warnings": []})
        else:
            complain(error, "Invalid")
        return ExitCode.REFUSED
    if as_json:
        print_json(
            {
                "valid": True,
                "faults": [],
                "warnings": [fault_data(fault) for fault in warnings],
                "plan": json.loads(to_json(copy)),
            }
        )
        return ExitCode.COMPLETED
    screen = Screen()
    for line in plan_text(copy).splitlines():
        screen.line(line)
    for warning in warnings:
        complain(str(warning), "warning")
    return ExitCode.COMPLETED


def _show_parameters(plan_file: PlanFile, *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "usage": each.usage,
                    "required": each.required,
                    "default": None if each.required else each.default_text,
                    "description": each.description,
                }
                for each in plan_file.command.params
            ]
        )
        return
    screen = Screen()
    width = screen.console.width if screen.is_live else sys.maxsize
    for line in plan_file.command.usage_lines(width) or ["it takes no parameters"]:
        screen.line(line.strip())
