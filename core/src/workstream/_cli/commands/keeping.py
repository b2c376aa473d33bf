"""Commands that keep a store in order: ``delete``, ``prune``, ``backup``, ``restore``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import click

from ..._protocols.vault import PlanRow, owner_text
from ..._show.data import entry_data
from ..._store.entries import PlanEntry
from ..._store.ids import named
from ..._store.places import vault_at
from ..._store.pruning import ENDED
from ..._store.store import Store
from ..._values.clock import utc_now
from ..._values.errors import ValidationError, WorkstreamError
from ..._values.state import Status
from ..._vaults.lmdb.copy import StoreCopy
from ..._vaults.lmdb.restore import restore_store
from ..call import (
    Call,
    age,
    command,
    directory_of,
    json_option,
    opened,
    plans_argument,
    run_async,
    status_option,
    statuses_of,
    store_option,
    typed,
)
from ..draw.screen import counted, show_rows, size
from ..streams import INTERRUPTED, ExitCode, Refusal, complain

_ELSEWHERE = {
    "hosted": "{host} keeps these plans: back up and restore what it keeps them in; "
    "`workstream report` and `workstream export` write down one plan",
    "other": "backup and restore are for stores that are directories; another kind of "
    "store has tools of its own",
}
"""What is said of stores that are no directories of this machine."""


@command("delete", plans_argument, store_option, json_option)
def delete(call: Call, plans: tuple[str, ...]) -> int:
    """Remove plans from the store, with everything recorded about them.

    The command does not remove a plan that is running or has crashed: stop or resume it
    first. If it cannot remove one of the plans, it removes none. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.

    Exit status: 0 all are removed, 1 the store failed when some were, 2 none is.
    """

    async def removed(stored: Store) -> AsyncIterator[PlanRow]:
        for row in await _deletable(stored, plans, call):
            await stored.delete(row.id)
            yield row

    code, gone = _until_it_fails(call, removed)
    _tell_gone(call, {}, "deleted:", gone)
    return code


async def _deletable(store: Store, plans: tuple[str, ...], call: Call) -> list[PlanRow]:
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
            resume = call.command("resume", row.id)
            abandon = call.command("abandon", row.id)
            faults.append(
                f"{name} has crashed: end it first, by {resume}; or give it up, by "
                f"{abandon}"
            )
        else:
            stop, runs = call.command("stop", row.id), owner_text(entry.owner or 0)
            faults.append(f"{name} is run by {runs}: stop it first, by {stop}")
    if faults:
        raise Refusal("\n".join(["nothing is deleted", *faults]))
    return list(found.values())


@command("prune", store_option, json_option)
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
def prune(
    call: Call, older_than: timedelta, wanted: tuple[str, ...], dry_run: bool
) -> int:
    """Remove the plans that ended long ago.

    The age of a plan that never started counts from its submission. The command never
    removes a plan that is running or has crashed. It shows the removed plans. It does
    not delay running plans, and later plans use the freed space on the disk.

    Exit status: 0 all are removed, 1 the store failed when some were, 2 none is.
    """
    statuses = statuses_of(wanted) or ENDED
    try:
        before = utc_now() - older_than
    except OverflowError:
        message = "--older-than reaches back before all calendars"
        raise Refusal(message) from None

    async def removed(plans: Store) -> AsyncIterator[PlanRow]:
        if dry_run:
            for row in await plans.prune(older_than, statuses=statuses, dry_run=True):
                yield row
            return
        async for row in plans.pruned(before, statuses):
            yield row

    code, found = _until_it_fails(call, removed)
    words = "would be removed" if dry_run else "removed"
    title = f"{counted(len(found), 'plan')} {words}:"
    if not (found or call.as_json):
        call.screen.line("nothing to prune: no such plan is that old")
    _tell_gone(call, {"dry_run": dry_run}, title, found)
    return code


def _until_it_fails(
    call: Call, remove: Callable[[Store], AsyncIterator[PlanRow]]
) -> tuple[ExitCode | int, list[PlanRow]]:
    """Remove plans; when that fails half-way, say so. The exit status, and what is gone."""
    gone: list[PlanRow] = []

    async def go() -> None:
        async with opened(call.store) as plans:
            async for row in remove(plans):
                gone.append(row)

    try:
        run_async(go)
    except (WorkstreamError, KeyboardInterrupt) as error:
        if not gone:
            raise
        # The caller tells what is gone all the same.
        if isinstance(error, WorkstreamError):
            complain(error)
            return ExitCode.FAILED, gone
        complain("all other plans are still there", "Interrupted")
        return INTERRUPTED, gone
    return ExitCode.COMPLETED, gone


def _tell_gone(
    call: Call, facts: dict[str, object], title: str, gone: list[PlanRow]
) -> None:
    """Say which plans are gone."""
    entries = [PlanEntry(row) for row in gone]
    call.answer({**facts, "plans": [entry_data(each) for each in entries]})
    if gone and not call.as_json:
        call.screen.line(title, "dim")
        show_rows(call.screen, entries)


# -- Copies ----------------------------------------------------------------------------


@command("backup", store_option, json_option)
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
def backup(call: Call, destination: Path) -> int:
    """Copy the store, as it is at one moment, whatever runs meanwhile.

    DEST is a directory that does not exist yet. The command writes it under another
    name, and renames it when it is complete and on the disk. It holds the secrets that
    plans hold, and only its owner can open it. `workstream restore` makes a store of it.
    """

    try:
        destination.absolute()
    except OSError as error:
        message = f"{destination}: the current directory is gone: {error.strerror}"
        raise Refusal(message) from error

    async def back_up() -> StoreCopy:
        async with opened(call.store) as plans:
            return await directory_of(plans.vault, **_ELSEWHERE).backup(destination)

    with call.screen.busy("copying the store"):
        copy = run_async(back_up)
    call.answer(_copy_data(copy), f"{_copied(copy)}, {size(copy.size)}")
    if not call.as_json:
        restore = typed("restore", str(copy.path), "--store", "DIR")
        call.screen.hint("make a store of it", restore)
    return ExitCode.COMPLETED


@command("restore", store_option, json_option)
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))
@click.option(
    "--accept-unreadable",
    is_flag=True,
    help="Restore also when plans cannot be read; they are named either way.",
)
def restore(call: Call, source: Path, accept_unreadable: bool) -> int:
    """Make a store of a backup.

    The store's directory must not exist, or be empty: the command never overwrites
    anything. The backup stays as it is. The command opens the copy and reads every plan
    in it before it becomes the store. The new store shows plans that were running
    during the backup as crashed: `workstream resume` continues them, and repeats what
    was done after the backup.
    """

    async def make() -> tuple[StoreCopy, list[PlanEntry]]:
        path = directory_of(vault_at(call.store), **_ELSEWHERE).path
        copy = await restore_store(source, path, accept_unreadable=accept_unreadable)
        async with opened(call.store) as plans:
            rows = await plans.search(statuses=[Status.RUNNING])
        return copy, [PlanEntry(row) for row in rows]

    screen = call.screen
    with screen.busy("copying the backup, and reading every plan in it"):
        copy, crashed = run_async(make)
    unreadable = [
        {"id": str(error.plan_id), "reason": str(error)} for error in copy.unreadable
    ]
    lists = {
        "unreadable": unreadable,
        "crashed": [entry_data(each) for each in crashed],
    }
    readable = "" if copy.unreadable else ", all of which can be read"
    call.answer(
        {**_copy_data(copy), **lists}, f"{_copied(copy)}{readable}, {size(copy.size)}"
    )
    if crashed and not call.as_json:
        screen.line("as the backup was made, these were running:")
        show_rows(screen, crashed)
        call.hint("go on with them", "resume", indent=0)
    for error in copy.unreadable:
        complain(error, "warning")
    return ExitCode.FAILED if copy.unreadable else ExitCode.COMPLETED


def _copied(copy: StoreCopy) -> str:
    return f"{copy.path}: {counted(copy.plans, 'plan')}"


def _copy_data(copy: StoreCopy) -> dict[str, object]:
    return {"path": str(copy.path), "plans": copy.plans, "bytes": copy.size}
