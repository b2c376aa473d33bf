"""Commands that copy: a plan into a file, the store into a directory and back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from ..._codec.json_text import to_json
from ..._plan.plan import Plan
from ..._protocols.vault import PlanRow
from ..._show.data import entry_data
from ..._store.entries import PlanEntry
from ..._store.places import vault_at
from ..._values.state import Status
from ..._vaults.lmdb.copy import StoreCopy
from ..._vaults.lmdb.restore import restore_store
from ..draw.rows import show_rows
from ..draw.screen import Screen, counted, size
from ..exit_codes import ExitCode
from ..options import (
    Command,
    Hints,
    json_option,
    last_plan_argument,
    output_option,
    store_option,
)
from ..stores import directory_of, opened, report_from, report_in, run_async
from ..streams import Refusal, complain, data_stream, print_json


@click.command("export", cls=Command)
@last_plan_argument
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Keep the secrets that the plan holds, so that it can be run again.",
)
@output_option
@store_option
def export(
    plan: str, with_secrets: bool, output: Path | None, store: str | None
) -> int:
    """Write a plan as JSON: to keep it, to look into it, or to run it again.

    The file has everything recorded about the plan too. `workstream run FILE.json`
    ignores that, and runs the plan from its beginning. The command hides secrets, and
    `workstream run` refuses a plan with a hidden secret. References to secrets are no
    secrets and stay. Only you can read a file with secrets. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`, the default.

    It imports no plugin package.
    """

    async def read() -> Plan:
        async with opened(store) as plans:
            found = await plans.find(plan)
            return await plans.export(found.row.id, with_secrets=with_secrets)

    shown = run_async(read)
    try:
        text = to_json(shown, with_secrets=True) + "\n"
    except TypeError as error:
        message = f"the plan cannot be written as JSON: {error}"
        raise Refusal(message) from error
    _put(output, text, private=with_secrets)
    if shown.scrubbed:
        complain(
            "its secrets are hidden, so that it cannot be run; --with-secrets keeps them",
            "note",
        )
    return ExitCode.COMPLETED


def _put(output: Path | None, text: str, *, private: bool) -> None:
    """Write to the file, or to standard output where none is named."""
    if output is not None and str(output) != "-":
        _write_file(output, text, private=private)
        return
    stream = data_stream()
    stream.write(text)
    stream.flush()


def _write_file(path: Path, text: str, *, private: bool) -> None:
    """Write a file, in place of one that is there.

    Args:
        path: The file.
        text: All of it.
        private: Whether only its owner may read it.

    Raises:
        Refusal: It cannot be written; then what was there is still there.
    """
    try:
        # Through links; and what is no file, such as /dev/stdout, must not become one.
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        # Made for its owner alone: what is in it is nobody else's business until then.
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        draft = Path(name)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if not private:
                mask = os.umask(0o077)
                os.umask(mask)
                draft.chmod(0o666 & ~mask)
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise Refusal(message) from error


@click.command("report", cls=Command)
@last_plan_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json", "perfetto", "junit"]),
    default="html",
    help="html, the default, is a page that needs no network; markdown is for a ticket; "
    "json is all of it as data; perfetto is a trace for ui.perfetto.dev; junit is for CI.",
)
@output_option
@store_option
def report(plan: str, form: str, output: Path | None, store: str | None) -> int:
    """Write all that happened to a plan into one file, to hand over.

    The page opens from a mail: it has the outcome, the failures by their causes, a
    timeline of every attempt, and each request and response, secrets removed. The file
    is data as well: `workstream report FILE.html --format json` and `workstream show
    FILE.html` read it, and need no store. PLAN is an id as `workstream list` shows it,
    its first digits, `last`, the default, or such a file.

    It imports no plugin package.
    """
    from ..._report.written import written

    def text() -> str:
        made = report_in(plan) or run_async(lambda: report_from(plan, store))
        return written(made, form)

    write_out(text, output, page=form == "html")
    return ExitCode.COMPLETED


def write_out(text: Callable[[], str], output: Path | None, *, page: bool) -> None:
    """Write where it was asked for: to a file, or to standard output.

    Args:
        text: Makes what to write.
        output: The file; None, or ``-``: standard output.
        page: Whether it is a page, which nobody reads on a terminal.

    Raises:
        Refusal: It is a page for a terminal, or the file cannot be written.
    """
    if output is None and page and data_stream().isatty():
        message = "the page is no text to read here: write it to a file, with -o FILE"
        raise Refusal(message)
    _put(output, text(), private=False)


@click.command("backup", cls=Command)
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@store_option
@json_option
def backup(destination: Path, store: str | None, as_json: bool) -> int:
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
        async with opened(store) as plans:
            return await directory_of(plans.vault).backup(destination)

    screen = Screen()
    with screen.busy("copying the store"):
        copy = run_async(back_up)
    if as_json:
        print_json({"path": str(copy.path), "plans": copy.plans, "bytes": copy.size})
        return ExitCode.COMPLETED
    screen.line(f"{copy.path}: {counted(copy.plans, 'plan')}, {size(copy.size)}")
    restore = Hints.words("restore", str(copy.path), "--store", "DIR")
    screen.hint("make a store of it", restore)
    return ExitCode.COMPLETED


@click.command("restore", cls=Command)
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))
@click.option(
    "--accept-unreadable",
    is_flag=True,
    help="Restore also when plans cannot be read; they are named either way.",
)
@store_option
@json_option
def restore(
    source: Path, accept_unreadable: bool, store: str | None, as_json: bool
) -> int:
    """Make a store of a backup.

    The store's directory must not exist, or be empty: the command never overwrites
    anything. The backup stays as it is. The command opens the copy and reads every plan
    in it before it becomes the store. The new store shows plans that were running
    during the backup as crashed: `workstream resume` continues them, and repeats what
    was done after the backup.
    """

    async def make() -> tuple[StoreCopy, list[PlanRow]]:
        path = directory_of(vault_at(store)).path
        copy = await restore_store(source, path, accept_unreadable=accept_unreadable)
        async with opened(store) as plans:
            return copy, await plans.search(statuses=[Status.RUNNING])

    screen = Screen()
    with screen.busy("copying the backup, and reading every plan in it"):
        copy, crashed = run_async(make)
    if as_json:
        print_json(
            {
                "path": str(copy.path),
                "plans": copy.plans,
                "bytes": copy.size,
                "unreadable": [
                    {"id": str(error.plan_id), "reason": str(error)}
                    for error in copy.unreadable
                ],
                "crashed": [entry_data(PlanEntry(row)) for row in crashed],
            }
        )
    else:
        readable = "" if copy.unreadable else ", all of which can be read"
        plans = f"{counted(copy.plans, 'plan')}{readable}"
        screen.line(f"{copy.path}: {plans}, {size(copy.size)}")
        if crashed:
            screen.line("as the backup was made, these were running:")
            show_rows(screen, [PlanEntry(row) for row in crashed])
            screen.hint("go on with them", Hints(store).command("resume"))
    for error in copy.unreadable:
        complain(error, "warning")
    return ExitCode.FAILED if copy.unreadable else ExitCode.COMPLETED
