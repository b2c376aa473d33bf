"""Commands that end plans, or remove them: ``stop``, ``delete``, ``prune``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import click

from ..._protocols.vault import PlanRow, owner_text
from ..._show.data import entry_data
from ..._store.entries import PlanEntry
from ..._store.ids import named
from ..._store.pruning import ENDED
from ..._store.store import Store
from ..._values.clock import utc_now
from ..._values.errors import ValidationError, WorkstreamError
from ..._values.state import Status
from ..draw.line import plain
from ..draw.rows import show_rows
from ..draw.screen import Screen, counted
from ..exit_codes import INTERRUPTED, ExitCode
from ..options import (
    Command,
    Hints,
    age,
    by_option,
    json_option,
    plan_argument,
    plans_argument,
    reason_option,
    status_option,
    statuses_of,
    store_option,
)
from ..stores import opened, run_async
from ..streams import Refusal, complain, print_json


@click.command("stop", cls=Command)
@plan_argument
@click.option(
    "--now",
    is_flag=True,
    help="Cut running attempts too, as a crash would; a stop can be made harder so.",
)
@click.option(
    "--undo",
    is_flag=True,
    help="Take back what the plan has done, as far as its sequences say how.",
)
@reason_option
@by_option
@store_option
@json_option
def stop(
    plan: str,
    now: bool,
    undo: bool,
    reason: str,
    by: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Ask a running plan to stop.

    Running attempts end by themselves, or are cut with --now; nothing new begins,
    deferred actions and checks run. The command returns at once, and the request is durable then. The process that
    runs the plan sees it within a second. A plan that never started is stopped for
    good. PLAN is an id as `workstream list` shows it, its first digits, or `last`.
    """

    async def request() -> tuple[PlanEntry, Status]:
        async with opened(store) as plans:
            plan_id = (await plans.find(plan)).row.id
            found = await plans.stop(plan_id, reason=reason, by=by, now=now, undo=undo)
            return await plans.entry(plan_id), found

    entry, found = run_async(request)
    if as_json:
        data = entry_data(entry)
        print_json({"found": found.name, "plan": data})
        return ExitCode.COMPLETED
    hints = Hints(store)
    row = entry.row
    name = named(row.name, row.id)
    if found is Status.NOT_STARTED:
        text = f"{name} is stopped: it was never started"
    elif found is not Status.RUNNING:
        text = f"{name} has ended already: {found.name.lower()}"
    elif entry.owner is None:
        resume = hints.command("resume", row.id)
        text = f"{name} will stop when it is resumed, as no process runs it:  {resume}"
    else:
        show, runs = hints.command("show", row.id), owner_text(entry.owner)
        text = f"{name} is asked to stop; {runs} runs it:  {show}"
    Screen().line(text)
    return ExitCode.COMPLETED


@click.command("delete", cls=Command)
@plans_argument
@store_option
@json_option
def delete(plans: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Remove plans from the store, with everything recorded about them.

    The command does not remove a plan that is running or has crashed: stop or resume it
    first. If it cannot remove one of the plans, it removes none. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.

    Exit status: 0 all are removed, 1 the store failed when some were, 2 none is.
    """
    gone: list[PlanRow] = []

    async def remove() -> None:
        async with opened(store) as stored:
            for row in await _deletable(stored, plans, Hints(store)):
                await stored.delete(row.id)
                gone.append(row)

    code = _until_it_fails(remove, gone)
    if as_json:
        print_json({"plans": [entry_data(PlanEntry(row)) for row in gone]})
    elif gone:
        _show_gone("deleted:", gone)
    return code


async def _deletable(
    store: Store, plans: tuple[str, ...], hints: Hints
) -> list[PlanRow]:
    """The plans that are meant; or everything that is wrong with them."""
    found: dict[UUID, PlanRow] = {}
    faults: list[str] = []
    for text in plans:
        try:
            entry = await store.find(text)
        except ValidationError as error:
            faults.append(str(error))
            continue
        row = entry.row
        name = named(row.name, row.id)
        if row.status is not Status.RUNNING:
            found[row.id] = row
        elif entry.crashed:
            resume = hints.command("resume", row.id)
            faults.append(f"{name} has crashed: end it first, by {resume}")
        else:
            stop = hints.command("stop", row.id)
            faults.append(
                f"{name} is run by {owner_text(entry.owner or 0)}: stop it first, by {stop}"
            )
    if faults:
        raise Refusal("\n".join(["nothing is deleted", *faults]))
    return list(found.values())


@click.command("prune", cls=Command)
@click.option(
    "--older-than",
    metavar="AGE",
    type=age,
    required=True,
    help="Only plans that ended longer ago than this: 12h, 30d, 2w.",
)
@status_option(
    *("completed", "failed", "stopped", "not-started"),
    help="Only plans with this status; again for another. By default those that ended "
    "in whichever way; plans that were never started must be asked for.",
)
@click.option("--dry-run", is_flag=True, help="Remove nothing, only show the plans.")
@store_option
@json_option
def prune(
    older_than: timedelta,
    wanted: tuple[str, ...],
    dry_run: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Remove the plans that ended long ago.

    The age of a plan that never started counts from its submission. The command never
    removes a plan that is running or has crashed. It shows the removed plans. It does
    not delay running plans, and later plans use the freed space on the disk.

    Exit status: 0 all are removed, 1 the store failed when some were, 2 none is.
    """
    statuses = statuses_of(wanted) or ENDED
    found: list[PlanRow] = []
    try:
        before = utc_now() - older_than
    except OverflowError:
        message = "--older-than reaches back before all calendars"
        raise Refusal(message) from None

    async def remove() -> None:
        async with opened(store) as plans:
            if dry_run:
                found.extend(
                    await plans.prune(older_than, statuses=statuses, dry_run=True)
                )
                return
            async for row in plans.pruned(before, statuses):
                found.append(row)

    code = _until_it_fails(remove, found)
    if as_json:
        rows = [entry_data(PlanEntry(row)) for row in found]
        print_json({"dry_run": dry_run, "plans": rows})
    elif not found:
        Screen().line("nothing to prune: no such plan is that old")
    else:
        words = "would be removed" if dry_run else "removed"
        _show_gone(f"{counted(len(found), 'plan')} {words}:", found)
    return code


def _until_it_fails(remove: Callable[[], Awaitable[None]], gone: list[PlanRow]) -> int:
    """Remove plans; when that fails half-way, say so. The exit status."""
    try:
        run_async(remove)
    except (WorkstreamError, KeyboardInterrupt) as error:
        if not gone:
            raise
        # The caller tells what is gone all the same.
        if isinstance(error, WorkstreamError):
            complain(error)
            return ExitCode.FAILED
        complain("all other plans are still there", "Interrupted")
        return INTERRUPTED
    return ExitCode.COMPLETED


def _show_gone(title: str, gone: list[PlanRow]) -> None:
    screen = Screen()
    screen.line(plain(title, "dim"))
    show_rows(screen, [PlanEntry(row) for row in gone])
