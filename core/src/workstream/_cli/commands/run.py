"""Commands that run plans, or see whether they could: ``run``, ``validate``, ``resume``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import UUID

import attrs
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
from ..._values.errors import ValidationError, WorkstreamError, fault_lines
from ..._values.state import Status
from ..._vaults.lmdb.vault import LmdbVault
from ..call import (
    Call,
    command,
    existing_store,
    json_option,
    launch_options,
    left_plan_argument,
    of_file,
    refuse_elsewhere,
    run_async,
    store_option,
)
from ..follow import Result, follow, tell
from ..interrupts import Interrupts
from ..launch import Launch, dry_run, log_of
from ..plan_file import PlanFile, read_plan_file, registry_for
from ..streams import ExitCode, Refusal, complain, print_json, worst


@command("run", *launch_options)
@of_file
@click.option(
    "--group",
    "group_id",
    metavar="ID",
    type=click.UUID,
    help="Put the plan in the group of this id, with its retries and kin.",
)
def run(
    call: Call,
    file: Path,
    settings: tuple[str, ...],
    group_id: UUID | None,
    is_dry: bool,
    preflight: bool,
    waits: bool,
    detach: bool,
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
        return dry_run(call, plan, registry)
    vault = vault_at(call.store)
    call.lasts = vault.shared
    launch = Launch(
        call=call,
        submit=lambda ws: ws.submit(plan),
        vault=vault,
        registry=registry,
        plan=plan,
        preflight=preflight,
        waits=waits,
    )
    return launch.run(detach=detach)


@command("validate", json_option)
@of_file
@click.option(
    "--params", "only_parameters", is_flag=True, help="Only list what -p may give."
)
def validate(
    call: Call, file: Path, settings: tuple[str, ...], only_parameters: bool
) -> int:
    """Check a plan without running anything.

    FILE is as for `workstream run`. The command lists all faults, each with its path in
    the plan, and prints a valid plan. It touches no store, and asks the plugins only
    whether they accept the requests.

    Exit status: 0 valid, 2 not.
    """
    plan_file = read_plan_file(file, Registry.installed)
    if only_parameters:
        return _show_parameters(call, plan_file)
    plan = plan_file.plan(settings)
    try:
        registry = registry_for(plan)
        copy, warnings = prepared(plan, registry)
        Codec(registry).encode_definition(copy)
    except ValidationError as error:
        if call.as_json:
            faults = [attrs.asdict(fault) for fault in error.faults]
            print_json({"valid": False, "faults": faults, "warnings": []})
        else:
            complain(error, "Invalid")
        return ExitCode.REFUSED
    found = [attrs.asdict(fault) for fault in warnings]
    data = {"valid": True, "faults": [], "warnings": found}
    if call.as_json:
        data["plan"] = json.loads(to_json(copy))
    call.answer(data, *plan_text(copy).splitlines())
    for warning in [] if call.as_json else fault_lines(warnings):
        complain(warning, "warning")
    return ExitCode.COMPLETED


def _show_parameters(call: Call, plan_file: PlanFile) -> int:
    data = [
        {
            "name": each.name,
            "usage": each.usage,
            "required": each.must_be_given,
            "default": None if each.must_be_given else each.default_text,
            "description": each.description,
        }
        for each in plan_file.command.params
    ]
    screen = call.screen
    width = screen.console.width if screen.is_live else sys.maxsize
    lines = plan_file.command.usage_lines(width) or ["it takes no parameters"]
    return call.answer(data, *(line.strip() for line in lines))


@command("resume", left_plan_argument, store_option, json_option)
def resume(call: Call, plan: str | None) -> int:
    """Continue the plans that a crash left behind, however long ago.

    Without PLAN it continues every crashed plan: the store says that the plan runs, but
    no process runs it. It leaves plans alone that other processes run, and it repeats
    nothing that is recorded as done. PLAN is an id as `workstream list` shows it, its
    first digits, or `last`.

    The exit status is that of `workstream run`. For several plans, the most important
    one counts: 5, then 2 (it cannot be resumed here), 1, 4, 3, 0.
    """
    interrupts = Interrupts()
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
        if not call.screen.is_live:
            call.screen.line(f"resuming {row.name}  ({short_id(row.id)})")
        return True

    async def go() -> list[Result]:
        vault = existing_store(call.store)
        refuse_elsewhere(vault, call)
        async with open_workstream(vault, recover=False) as ws:
            if plan is None:
                found = await ws.entries(statuses=[Status.RUNNING], crashed=True)
                found.reverse()  # the oldest first
            else:
                found = [await ws.find(plan)]
                row = found[0].row
                if row.status.is_terminal:
                    call.screen.line("it has ended already: there is nothing to resume")
                    if row.outcome is not Outcome.COMPLETED:
                        call.hint("do what it left undone", "retry", row.id)
                    return [Result(await overview(ws, row.id))]
            with call.screen.busy("reading what was left behind"):
                ids = [each.row.id for each in found if await go_on(ws, each.row)]
            interrupts.leaves(call.command("resume"))
            if ids and isinstance(ws.vault, LmdbVault):
                interrupts.outlives(log_of(ws.vault, ids[0]))
            return await follow(ws, ids, call, interrupts) if ids else []

    with interrupts:
        results = run_async(go)
    if not results and not refused:
        call.screen.line("nothing to resume: no plan was left behind by a crash")
    tell(call, results)
    refusals = [
        {"id": str(plan_id), "reason": str(error)} for plan_id, error in refused.items()
    ]
    call.answer({"plans": [each.data() for each in results], "refused": refusals})
    codes = [result.code for result in results]
    return worst([*codes, *([ExitCode.REFUSED] * len(refused))])
