"""``workstream stop``."""

from __future__ import annotations

import click

from ._options import Hints, plan_argument, store_option

__all__ = ["command"]


@click.command("stop")
@plan_argument
@click.option(
    "-m", "--reason", metavar="TEXT", default="", help="Why, for those who look later."
)
@click.option(
    "--by",
    metavar="NAME",
    help="Who asks; by default WORKSTREAM_BY, or else you at this host.",
)
@store_option
def command(plan: str, reason: str, by: str | None, store: str | None) -> int:
    """Ask a running plan to stop.

    Attempts in flight end by themselves, nothing new begins, deferred actions and
    checks run. The request is durable when the command returns, which is at once; the
    process that runs the plan sees it within a second. A plan that was never started is
    stopped for good. PLAN is an id as `workstream list` shows it, its first digits, or
    `last`.
    """
    from .._store.entries import PlanEntry
    from .._store.ids import short_id
    from .._store.store import open_store
    from .._values.state import Status
    from ._exit_codes import ExitCode
    from ._reading import existing_store, run_async
    from ._screen import Screen

    async def stop() -> tuple[PlanEntry, Status]:
        async with open_store(existing_store(store)) as plans:
            entry = await plans.find(plan)
            found = await plans.stop(entry.row.id, reason=reason, by=by)
            return await plans.entry(entry.row.id), found

    entry, found = run_async(stop)
    row, owner = entry.row, entry.owner
    hints = Hints(store)
    name = f"{row.name} ({short_id(row.id)})"
    if found is Status.NOT_STARTED:
        text = f"{name} is stopped: it was never started"
    elif found is not Status.RUNNING:
        text = f"{name} has ended already: {found.name.lower()}"
    elif owner is None:
        resume = hints.command("resume", row.id)
        text = f"{name} will stop when it is resumed, as no process runs it:  {resume}"
    else:
        show = hints.command("show", row.id)
        text = f"{name} is asked to stop; process {owner} runs it:  {show}"
    screen = Screen()
    screen.line(text)
    screen.flush()
    return ExitCode.COMPLETED
