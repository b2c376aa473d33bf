"""``workstream resume``."""

from __future__ import annotations

from uuid import UUID

import click

from ..._engine.engine import Workstream, open_workstream
from ..._protocols.vault import PlanRow
from ..._store.ids import short_id
from ..._values.errors import WorkstreamError
from ..._values.state import Status
from .._follow import Ending, follow
from .._outcome import Result, result_of, tell
from .._views import view_on
from ..draw.screen import Screen
from ..exit_codes import ExitCode, worst
from ..interrupts import Interrupts
from ..options import (
    Command,
    Hints,
    json_option,
    left_plan_argument,
    store_option,
)
from ..stores import existing_store, run_async
from ..streams import Refusal, complain, print_json


@click.command("resume", cls=Command)
@left_plan_argument
@store_option
@json_option
def resume(plan: str | None, store: str | None, as_json: bool) -> int:
    """Go on with what a crash left behind, however long ago.

    Without PLAN, with every plan that is running by the store and that no process
    runs; plans that other processes run are left alone. What is recorded as done is
    not done again. PLAN is an id as `workstream list` shows it, its first digits, or
    `last`.

    The exit status is that of `workstream run`; of several plans, the one that matters
    most: 5, then 2 (it cannot be resumed here), 1, 4, 3, 0.
    """
    hints = Hints(store)
    screen = Screen()
    interrupts = Interrupts()
    refused: dict[UUID, WorkstreamError] = {}

    async def left_behind(workstream: Workstream) -> list[PlanRow]:
        """The plans to go on with, the oldest first."""
        if plan is not None:
            return [(await workstream.find(plan)).row]
        found = await workstream.entries(statuses=[Status.RUNNING], crashed=True)
        return [entry.row for entry in reversed(found)]

    async def go_on(workstream: Workstream, row: PlanRow) -> bool:
        """Whether it was resumed."""
        if row.status is Status.NOT_STARTED:
            message = (
                f"plan {row.name!r} ({short_id(row.id)}) was submitted and never "
                "started: run its file again"
            )
            raise Refusal(message)
        try:
            await workstream.resume(row.id)
        except WorkstreamError as error:
            refused[row.id] = error
            complain(error)
            return False
        if not screen.is_live:
            screen.line(f"resuming {row.name}  ({short_id(row.id)})")
        return True

    async def go() -> list[Result]:
        vault = existing_store(store)
        async with open_workstream(vault, recover=False) as workstream:
            rows = await left_behind(workstream)
            if plan is not None and rows[0].status.is_terminal:
                screen.line("it has ended already: there is nothing to resume")
                ending = Ending(plan=await workstream.plan(rows[0].id))
                return [await result_of(workstream, rows[0], ending)]
            with screen.busy("reading what was left behind"):
                resumed = [row for row in rows if await go_on(workstream, row)]
            if not resumed:
                return []
            again = hints.command("resume")
            interrupts.last_words = f"left at once; go on with it:  {again}"
            endings = await follow(
                workstream,
                [row.id for row in resumed],
                view_on(screen, several=len(resumed) > 1),
                interrupts,
            )
            with screen.busy("reading how it ended"):
                return [
                    await result_of(workstream, row, endings[row.id]) for row in resumed
                ]

    with interrupts:
        results = run_async(go)
    if not results and not refused:
        screen.line("nothing to resume: no plan was left behind by a crash")
    tell(screen, results, hints)
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
