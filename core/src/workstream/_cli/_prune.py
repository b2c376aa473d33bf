"""``workstream prune``."""

from __future__ import annotations

from datetime import timedelta

import click

from ._ages import age
from ._options import json_option, store_option

__all__ = ["command"]

_STATUSES = ("completed", "failed", "stopped", "not-started")


@click.command("prune")
@click.option(
    "--older-than",
    metavar="AGE",
    callback=age,
    required=True,
    help="Only plans that ended longer ago than this: 12h, 30d, 2w.",
)
@click.option(
    "--status",
    "wanted",
    type=click.Choice(_STATUSES, case_sensitive=False),
    multiple=True,
    help="Only plans with this status; again for another. By default those that ended "
    "in whichever way; plans that were never started must be asked for.",
)
@click.option(
    "--dry-run", is_flag=True, help="Remove nothing, only show what would be."
)
@store_option
@json_option
def command(
    older_than: timedelta,
    wanted: tuple[str, ...],
    dry_run: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Remove the plans that ended long ago.

    The age of a plan that was never started counts from its submission. A plan that is
    running or has crashed is never removed. What is removed is shown. The plans that
    run meanwhile are not held up; the room on the disk is used for later plans.
    """
    from .._protocols.vault import PlanRow
    from .._store.pruning import ENDED, prunable, pruned
    from .._values.clock import utc_now
    from .._values.errors import WorkstreamError
    from .._values.state import Status
    from ._data import print_json, row_data
    from ._exit_codes import INTERRUPTED, ExitCode
    from ._reading import opened, run_async
    from ._refusal import Refusal, complain
    from ._rows import show_rows
    from ._screen import Screen, plain

    statuses = [Status[each.upper().replace("-", "_")] for each in wanted]
    found: list[PlanRow] = []

    async def prune() -> None:
        async with opened(store) as vault:
            if dry_run:
                found.extend(await prunable(vault, before, statuses or ENDED))
                return
            async for row in pruned(vault, before, statuses or ENDED):
                found.append(row)

    try:
        before = utc_now() - older_than
    except OverflowError:
        message = "--older-than reaches back before all calendars"
        raise Refusal(message) from None
    code: int = ExitCode.COMPLETED
    try:
        run_async(prune)
    except (WorkstreamError, KeyboardInterrupt) as error:
        if not found:
            raise
        # What is gone is told all the same.
        if isinstance(error, WorkstreamError):
            complain(error)
            code = ExitCode.FAILED
        else:
            complain("all other plans are still there", "Interrupted")
            code = INTERRUPTED
    if as_json:
        rows = [row_data(row, None) for row in found]
        print_json({"dry_run": dry_run, "plans": rows})
        return code
    screen = Screen()
    if not found:
        screen.line("nothing to prune: no such plan is that old")
        return code
    plans = f"{len(found):,} {'plan' if len(found) == 1 else 'plans'}"
    words = f"{plans} would be removed:" if dry_run else f"{plans} removed:"
    screen.line(plain(words, "dim"))
    show_rows(screen, [(row, None) for row in found])
    screen.flush()
    return code
