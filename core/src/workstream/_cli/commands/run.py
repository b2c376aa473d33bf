"""Commands that run plans, or see whether they could: ``run``, ``validate``, ``resume``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import UUID

import click

from ..._codec.codec import Codec
from ..._codec.json_text import to_json
from ..._engine.engine import Workstream, open_workstream
from ..._plan.outcome import Outcome
from ..._plan.text import plan_text
from ..._protocols.vault import PlanRow
from ..._registry.registry import Registry
from ..._show.overview import overview
from ..._store.ids import short_id
from ..._store.places import vault_at
from ..._validation.validation import prepared
from ..._values.errors import (
    Fault,
    ValidationError,
    WorkstreamError,
    fault_lines,
)
from ..._values.state import Status
from ..._vaults.lmdb.vault import LmdbVault
from ..draw.screen import Screen
from ..draw.views import view_on
from ..exit_codes import ExitCode, worst
from ..follow import Result, follow, tell
from ..interrupts import Interrupts
from ..launch import Launch, dry_run, log_of, run_plan
from ..launch import detach as run_detached
from ..options import (
    Command,
    Hints,
    detach_option,
    json_option,
    left_plan_argument,
    preflight_option,
    run_store_option,
    settings_option,
    store_option,
    wait_option,
)
from ..plan_file import PlanFile, read_plan_file, registry_for
from ..stores import existing_store, refuse_elsewhere, run_async
from ..streams import Refusal, complain, print_json

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
    help="Only say what would change; run and store nothing.",
)
@preflight_option
@wait_option
@detach_option
@run_store_option
@json_option
def run(
    file: Path,
    settings: tuple[str, ...],
    group_id: UUID | None,
    is_dry: bool,
    preflight: bool,
    waits: bool,
    detach: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Run a plan, and follow it to its end.

    FILE is a Python file with a function `plan(...)` that returns a Plan; its
    parameters are given by -p, and `workstream validate FILE --params` lists them. Or
    it is a plan in JSON, its name ending in .json. Either may do all that you may do:
    run only files that you trust.

    It runs this plan alone. Ctrl-C stops it: running actions finish, no new one begins.
    A second Ctrl-C leaves at once, as a crash would; `workstream resume` continues.
    When the terminal closes, the run goes on; `workstream watch` follows it. A plan
    that an engine elsewhere runs (--engine) is left by the first Ctrl-C, and goes on.

    Exit status: 0 completed, 3 completed with tolerated failures, 1 failed, 4 stopped,
    5 broken off and resumable, 2 nothing was run. With --dry-run: 0 no obstacle was
    found, 1 a check or a preview failed, 2 the plan is not valid.
    """
    plan_file = read_plan_file(file, Registry.installed)
    plan = plan_file.plan(settings)
    plan.origin = plan_file.origin(settings)
    registry = registry_for(plan)
    if group_id is not None:
        plan.group_id = group_id
    if is_dry:
        return dry_run(plan, registry, as_json=as_json)
    vault = vault_at(store)
    launch = Launch(
        submit=lambda ws: ws.submit(plan),
        vault=vault,
        registry=registry,
        hints=Hints(store, lasts=vault.shared),
        plan=plan,
        as_json=as_json,
        preflight=preflight,
        waits=waits,
    )
    return run_detached(launch) if detach else run_plan(launch)


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

    FILE is as for `workstream run`. The command lists all faults, each with its path in
    the plan, and prints a valid plan. It touches no store, and asks the plugins only
    whether they accept the requests.

    Exit status: 0 valid, 2 not.
    """
    plan_file = read_plan_file(file, Registry.installed)
    if only_parameters:
        _show_parameters(plan_file, as_json=as_json)
        return ExitCode.COMPLETED
    plan = plan_file.plan(settings)
    try:
        registry = registry_for(plan)
        copy, warnings = prepared(plan, registry)
        Codec(registry).encode_definition(copy)
    except ValidationError as error:
        if as_json:
            faults = [_fault_data(fault) for fault in error.faults]
            print_json({"valid": False, "faults": faults, "warnings": []})
        else:
            complain(error, "Invalid")
        return ExitCode.REFUSED
    if as_json:
        print_json(
            {
                "valid": True,
                "faults": [],
                "warnings": [_fault_data(fault) for fault in warnings],
                "plan": json.loads(to_json(copy)),
            }
        )
        return ExitCode.COMPLETED
    screen = Screen()
    for line in plan_text(copy).splitlines():
        screen.line(line)
    for warning in fault_lines(warnings):
        complain(warning, "warning")
    return ExitCode.COMPLETED


def _fault_data(fault: Fault) -> dict[str, str]:
    return {
        "path": fault.path,
        "field": fault.field,
        "rule": fault.rule,
        "message": fault.message,
    }


def _show_parameters(plan_file: PlanFile, *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "usage": each.usage,
                    "required": each.must_be_given,
                    "default": None if each.must_be_given else each.default_text,
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


@click.command("resume", cls=Command)
@left_plan_argument
@store_option
@json_option
def resume(plan: str | None, store: str | None, as_json: bool) -> int:
    """Continue the plans that a crash left behind, however long ago.

    Without PLAN it continues every crashed plan: the store says that the plan runs, but
    no process runs it. It leaves plans alone that other processes run, and it repeats
    nothing that is recorded as done. PLAN is an id as `workstream list` shows it, its
    first digits, or `last`.

    The exit status is that of `workstream run`. For several plans, the most important
    one counts: 5, then 2 (it cannot be resumed here), 1, 4, 3, 0.
    """
    hints, screen, interrupts = Hints(store), Screen(), Interrupts()
    refused: dict[UUID, WorkstreamError] = {}

    async def go_on(ws: Workstream, row: PlanRow) -> bool:
        """Whether it was resumed."""
        if row.status is Status.NOT_STARTED:
            message = (
                f"plan {row.name!r} ({short_id(row.id)}) was submitted and never "
                "started: run its file again"
            )
            raise Refusal(message)
        try:
            await ws.resume(row.id)
        except WorkstreamError as error:
            refused[row.id] = error
            complain(error)
            return False
        if not screen.is_live:
            screen.line(f"resuming {row.name}  ({short_id(row.id)})")
        return True

    async def go() -> list[Result]:
        vault = existing_store(store)
        refuse_elsewhere(vault, hints)
        async with open_workstream(vault, recover=False) as ws:
            if plan is None:
                found = await ws.entries(statuses=[Status.RUNNING], crashed=True)
                found.reverse()  # the oldest first
            else:
                found = [await ws.find(plan)]
                if found[0].row.status.is_terminal:
                    screen.line("it has ended already: there is nothing to resume")
                    _hint_retry(screen, found[0].row, hints)
                    return [Result(await overview(ws, found[0].row.id))]
            with screen.busy("reading what was left behind"):
                ids = [each.row.id for each in found if await go_on(ws, each.row)]
            interrupts.leaves(hints.command("resume"))
            if ids and isinstance(ws.vault, LmdbVault):
                interrupts.outlives(log_of(ws.vault, ids[0]))
            view = view_on(screen, several=len(ids) > 1)
            return await follow(ws, ids, view, screen, interrupts) if ids else []

    with interrupts:
        results = run_async(go)
    if not results and not refused:
        screen.line("nothing to resume: no plan was left behind by a crash")
    tell(Screen() if interrupts.is_hung_up else screen, results, hints)
    if as_json:
        print_json(
            {
                "plans": [result.data() for result in results],
                "refused": [
                    {"id": str(plan_id), "reason": str(error)}
                    for plan_id, error in refused.items()
                ],
            }
        )
    codes = [result.code for result in results]
    return worst([*codes, *([ExitCode.REFUSED] * len(refused))])


def _hint_retry(screen: Screen, row: PlanRow, hints: Hints) -> None:
    """Name the command for a plan that has ended with something left to do."""
    if row.outcome is not Outcome.COMPLETED:
        screen.hint("do what it left undone", hints.command("retry", row.id), indent=2)
