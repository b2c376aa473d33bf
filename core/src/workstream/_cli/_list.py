"""``workstream list``."""

from __future__ import annotations

from uuid import UUID

import click

from ._options import Hints, json_option, store_option

__all__ = ["command"]

_STATUSES = ("not-started", "running", "crashed", "completed", "failed", "stopped")


@click.command("list")
@click.option(
    "--status",
    "wanted",
    type=click.Choice(_STATUSES, case_sensitive=False),
    multiple=True,
    help="Only plans with this status; again for another. A crashed plan is one that "
    "is running by the store, while no process runs it.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="At most so many plans; 0, the default, is all.",
)
@click.option(
    "--group", "group_id", metavar="ID", type=click.UUID, help="Only this group."
)
@store_option
@json_option
def command(
    wanted: tuple[str, ...],
    limit: int,
    group_id: UUID | None,
    store: str | None,
    as_json: bool,
) -> int:
    """List the plans of the store, newest first.

    The ids are short forms: the part of a plan's full id that tells plans apart. All
    commands take them, their first digits (at least four), the full id and its
    beginning, and `last` for the newest plan.
    """
    from .._protocols.vault import PlanRow
    from .._values.state import Status
    from ._data import print_json, row_data
    from ._exit_codes import ExitCode
    from ._reading import opened, run_async
    from ._rows import is_crashed, show_rows
    from ._screen import Screen, joined

    async def read() -> list[tuple[PlanRow, int | None]]:
        async with opened(store) as vault:
            found: list[tuple[PlanRow, int | None]] = []
            groups = None if group_id is None else [group_id]
            statuses = {
                Status.RUNNING
                if each == "crashed"
                else Status[each.upper().replace("-", "_")]
                for each in wanted
            }
            for row in await vault.search(group_ids=groups, statuses=statuses or None):
                is_running = row.status is Status.RUNNING
                owner = await vault.owner(row.id) if is_running else None
                kind = "crashed" if owner is None else "running"
                if not is_running or not wanted or kind in wanted:
                    found.append((row, owner))
                if limit and len(found) == limit:
                    break
            return found

    found = run_async(read)
    if as_json:
        print_json([row_data(row, owner) for row, owner in found])
        return ExitCode.COMPLETED
    screen = Screen()
    if not found:
        screen.line("no such plan" if wanted or group_id else "no plans yet")
        return ExitCode.COMPLETED
    show_rows(screen, found)
    if any(is_crashed(row, owner) for row, owner in found):
        resume = Hints(store).command("resume")
        screen.line(joined(("go on with what crashed:  ", "dim"), resume))
    screen.flush()
    return ExitCode.COMPLETED
