"""``workstream run``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import click

from ._options import Hints, json_option, settings_option, store_option

__all__ = ["command"]


@click.command("run")
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=False)
)
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
def command(
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
    from contextlib import AsyncExitStack

    from .._engine.engine import Workstream, open_workstream
    from .._registry.registry import Registry
    from .._store.places import vault_at
    from .._values.errors import WorkstreamError
    from ._data import print_json
    from ._exit_codes import ExitCode
    from ._follow import follow
    from ._interrupts import Interrupts
    from ._outcome import Result, result_of, tell
    from ._plan_file import read_plan_file
    from ._reading import run_async
    from ._refusal import complain
    from ._screen import Screen, joined
    from ._streams import stdout_kept_clear
    from ._views import view_on

    registry = functools.cache(Registry.installed)
    plan = read_plan_file(file, registry).plan(settings)
    if group_id is not None:
        plan.group_id = group_id
    if is_dry:
        from ._dry_run import dry_run

        return dry_run(plan, registry(), as_json=as_json)
    # What is printed for programs has standard output for itself.
    screen = Screen(sys.stderr if as_json else sys.stdout)
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

    async def run() -> Result | None:
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
                return await result_of(vault, row, endings[plan_id])

    try:
        with interrupts, stdout_kept_clear(as_json):
            result = run_async(run)
    except WorkstreamError as error:
        if not begun:
            raise
        complain(error)
        if hints.lasts:
            resume = hints.command("resume", begun[0])
            screen.line(joined(("go on with it:  ", "dim"), resume))
        return ExitCode.BROKEN_OFF
    if result is None:
        raise click.Abort
    tell(screen, [result], hints)
    if as_json:
        print_json(result.data())
    return result.code
