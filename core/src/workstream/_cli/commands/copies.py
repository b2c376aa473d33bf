"""Commands that write a plan down, or compare two: ``export``, ``report``, ``diff``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from ..._codec.json_text import to_json
from ..._plan.difference import difference
from ..._values.clock import utc_now
from ..call import (
    Call,
    command,
    json_option,
    last_plan_argument,
    output_option,
    report_in,
    store_option,
)
from ..streams import ExitCode, Refusal, complain, data_stream


@command("export", last_plan_argument, output_option, store_option)
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Keep the secrets that the plan holds, so that it can be run again.",
)
def export(call: Call, plan: str, with_secrets: bool, output: Path | None) -> int:
    """Write a plan as JSON: to keep it, to look into it, or to run it again.

    The file has everything recorded about the plan too. `workstream run FILE.json`
    ignores that, and runs the plan from its beginning. The command hides secrets, and
    `workstream run` refuses a plan with a hidden secret. References to secrets are no
    secrets and stay. Only you can read a file with secrets. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`, the default.

    It imports no plugin package.
    """
    shown = call.find(
        plan, lambda plans, row: plans.export(row.id, with_secrets=with_secrets)
    )
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


@command("report", last_plan_argument, output_option, store_option)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json", "perfetto", "junit"]),
    default="html",
    help="html, the default, is a page that needs no network; markdown is for a ticket; "
    "json is all of it as data; perfetto is a trace for ui.perfetto.dev; junit is for CI.",
)
def report(call: Call, plan: str, form: str, output: Path | None) -> int:
    """Write all that happened to a plan into one file, to hand over.

    The page opens from a mail: it has the outcome, the failures by their causes, a
    timeline of every attempt, and each request and response, secrets removed. The file
    is data as well: `workstream report FILE.html --format json` and `workstream show
    FILE.html` read it, and need no store. PLAN is an id as `workstream list` shows it,
    its first digits, `last`, the default, or such a file.

    It imports no plugin package.
    """
    from ..._report.document import report_of
    from ..._report.written import FORMS

    def text() -> str:
        made = report_in(plan) or call.find(
            plan, lambda plans, row: report_of(plans, row.id, utc_now())
        )
        return FORMS[form](made)

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


@command("diff", store_option, json_option)
@click.argument("first", metavar="PLAN_A")
@click.argument("second", metavar="PLAN_B")
@click.option("--times", is_flag=True, help="Also when things began and ended.")
def diff(call: Call, first: str, second: str, times: bool) -> int:
    """Say how one plan differs from another: what they do, and how they ended.

    It prints a line for each difference, with the path of the object. Ids do not count,
    nor do times unless --times is given. PLAN is as for the other commands, or a file
    that `workstream report` wrote.

    It imports no plugin package, and shows no secret. Exit status: 0 no difference, 1
    some, 2 wrong usage or no such plan.
    """

    # A file has no secrets: what it is compared with must not have them, either.
    reports = [report_in(text) for text in (first, second)]
    before, after = (
        report.plan
        if report is not None
        else call.find(
            text,
            lambda plans, row: (
                plans.export(row.id) if any(reports) else plans.plan(row.id)
            ),
        )
        for text, report in zip((first, second), reports, strict=True)
    )
    lines = difference(before, after, ids=False, times=times).splitlines()
    ids = [str(before.id), str(after.id)]
    data = {"plans": ids, "same": not lines, "differences": lines}
    call.answer(data, *(lines or ["no difference"]))
    return ExitCode.FAILED if lines else ExitCode.COMPLETED
