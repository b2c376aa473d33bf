"""``workstream stop``."""

from __future__ import annotations

import click

from ._options import Hints, plan_argument, store_option

__all__ = ["command"]


@click.command("stop")
@plan_argument
@store_option
def command(plan: str, store: str | None) -> int:
    """Ask a running plan to stop.

    Attempts in flight end by themselves, nothing new begins, deferred actions and
    checks run. The request is durable when the command returns, which is at once; the
    process that runs the plan sees it within a second. A plan that was never started is
    stopped for good. PLAN is an id as `workstream list` shows it, its first digits, or
    `last`.
    """
    import attrs

    from .._protocols.vault import PlanRow
    from .._runtime.clock import utc_now
    from .._values.state import FailureReason, Status
    from ._exit_codes import ExitCode
    from ._plan_ids import find_plan, short_id
    from ._reading import opened, run_async
    from ._screen import Screen

    async def stop() -> tuple[PlanRow, Status, int | None]:
        async with opened(store) as vault:
            row = await find_plan(vault, plan)
            stopped = attrs.evolve(
                row,
                status=Status.STOPPED,
                ended=utc_now(),
                reasons=(FailureReason.STOPPED,),
                stopping=True,
            )
            found = await vault.request_stop(row.id, stopped)
            return row, found, await vault.owner(row.id)

    row, found, owner = run_async(stop)
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
