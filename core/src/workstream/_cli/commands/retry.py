"""Commands that do again what a plan left undone, and compare: ``retry``, ``diff``."""

from __future__ import annotations

import difflib
from uuid import UUID

import click

from ..._codec.json_text import from_json, to_json
from ..._engine.engine import Workstream, open_workstream
from ..._plan.difference import difference
from ..._plan.plan import Plan
from ..._plan.retry import left_of
from ..._plan.text import plan_text
from ..._registry.registry import Registry
from ..._store.ids import short_id
from ..._validation.validation import prepared
from ..._values.errors import ValidationError
from ..draw.screen import Screen, counted
from ..exit_codes import ExitCode
from ..launch import detach as run_detached
from ..launch import dry_run, run_plan
from ..options import (
    Command,
    Hints,
    detach_option,
    json_option,
    plan_argument,
    preflight_option,
    store_option,
    wait_option,
)
from ..stores import existing_store, opened, run_async
from ..streams import Refusal, complain, print_json


@click.command("retry", cls=Command)
@plan_argument
@click.option(
    "--from-action",
    is_flag=True,
    help="Begin each sequence at its first action that did not complete.",
)
@click.option(
    "--only",
    metavar="PATH",
    multiple=True,
    help="Only this block or sequence; again for another. The end of its path will do.",
)
@click.option(
    "--skip",
    metavar="PATH",
    multiple=True,
    help="Without this block or sequence; again for another.",
)
@click.option(
    "--edit",
    "is_edited",
    is_flag=True,
    help="Edit the plan as JSON first; the file may hold secrets of its requests.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Also of a plan that was retried already: it does again what that retry did.",
)
@click.option(
    "--dry-run",
    "is_dry",
    is_flag=True,
    help="Only say what would change; run and store nothing.",
)
@preflight_option
@wait_option
@detach_option
@store_option
@json_option
def retry(
    plan: str,
    from_action: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    is_edited: bool,
    again: bool,
    is_dry: bool,
    preflight: bool,
    waits: bool,
    detach: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Do what a plan that has ended left undone, as a plan of its own.

    It leaves out the sequences that completed. It does the others again from their
    first action, in the same order, under the same checks, with the deferred work of
    the plan. The plan may have failed, or was stopped, or completed with tolerated
    failures. PLAN is an id as `workstream list` shows it, its first digits, or `last`.

    Everything else, Ctrl-C and the exit status too, is as for `workstream run`.
    """
    registry = Registry.installed()
    hints = Hints(store)

    async def read() -> tuple[UUID, Plan]:
        async with open_workstream(
            existing_store(store), registry=registry, recover=False
        ) as ws:
            plan_id = (await ws.find(plan)).row.id
            found = await ws.rest(
                plan_id,
                from_="action" if from_action else "sequence",
                only=only,
                skip=skip,
                again=again,
            )
            return plan_id, found

    plan_id, rest = run_async(read)
    if is_edited:
        rest = _edited(rest, registry)
    if not as_json:
        count = left_of(rest).total
        words = counted(count, "sequence") if count else "checks and deferred work only"
        Screen().line(f"left of {short_id(plan_id)}: {words}", "dim")
    if is_dry:
        return dry_run(rest, registry, as_json=as_json)

    async def submit(ws: Workstream) -> UUID:
        if not again:
            await ws.rest(plan_id)  # somebody may have retried it meanwhile
        return await ws.submit(rest)

    return (run_detached if detach else run_plan)(
        submit,
        vault=existing_store(store),
        registry=registry,
        hints=hints,
        plan=rest,
        as_json=as_json,
        preflight=preflight,
        waits=waits,
    )


def _edited(rest: Plan, registry: Registry) -> Plan:
    """The plan as its operator wants it, once it is valid and confirmed."""
    before = text = to_json(rest, with_secrets=True)
    while True:
        answer = click.edit(text, extension=".json")
        text = text if answer is None else answer
        try:
            plan = from_json(text, registry)
            plan.retry_of, plan.group_id = rest.retry_of, rest.group_id
            prepared(plan, registry)
        except ValidationError as error:
            complain(error, "Invalid")
            if not click.confirm("edit it again?", default=True, err=True):
                message = "the edited plan is not valid: nothing was run"
                raise Refusal(message) from None
            continue
        if text == before:
            click.echo("nothing was changed", err=True)
        lines = difflib.unified_diff(
            plan_text(rest).splitlines(),
            plan_text(plan).splitlines(),
            "what is left",
            "as edited",
            lineterm="",
        )
        for line in lines:
            click.echo(line, err=True)
        click.confirm("run it?", abort=True, err=True)
        return plan


@click.command("diff", cls=Command)
@click.argument("first", metavar="PLAN_A")
@click.argument("second", metavar="PLAN_B")
@click.option("--times", is_flag=True, help="Also when things began and ended.")
@store_option
@json_option
def diff(first: str, second: str, times: bool, store: str | None, as_json: bool) -> int:
    """Say how one plan differs from another: what they do, and how they ended.

    It prints a line for each difference, with the path of the object. Ids do not count,
    nor do times unless --times is given. PLAN is as for the other commands.

    It imports no plugin package, and shows no secret. Exit status: 0 no difference, 1
    some, 2 wrong usage or no such plan.
    """

    async def read() -> tuple[Plan, Plan]:
        async with opened(store) as plans:
            a, b = [(await plans.find(text)).row.id for text in (first, second)]
            return await plans.plan(a), await plans.plan(b)

    before, after = run_async(read)
    lines = difference(before, after, ids=False, times=times).splitlines()
    if as_json:
        ids = [str(before.id), str(after.id)]
        print_json({"plans": ids, "same": not lines, "differences": lines})
    else:
        screen = Screen()
        for line in lines or ["no difference"]:
            screen.line(line)
    return ExitCode.FAILED if lines else ExitCode.COMPLETED
