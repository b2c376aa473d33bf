"""Commands for what follows from a plan, and to compare: ``retry``, ``undo``, ``diff``."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack
from uuid import UUID

import attrs
import click

from ..._codec.json_text import from_json, to_json
from ..._engine.engine import Workstream, open_workstream
from ..._engine.sequels import alone, nothing_to_undo, refuse_retry, refuse_undo
from ..._plan.difference import difference
from ..._plan.paths import below_plan, display_path, paths
from ..._plan.plan import BaseAction, Plan
from ..._plan.sequels.retry import left_of, remainder
from ..._plan.sequels.undo import undo_plan
from ..._plan.text import plan_text
from ..._protocols.vault import Vault
from ..._registry.registry import Registry
from ..._store.family import descendants
from ..._store.ids import short_id
from ..._store.places import vault_at
from ..._validation.validation import prepared
from ..._values.display import one_line
from ..._values.errors import Fault, NotFoundError, ValidationError
from ..._vaults.memory_vault import MemoryVault
from ..draw.screen import Screen, counted
from ..exit_codes import ExitCode
from ..launch import Launch, dry_run, run_plan
from ..launch import detach as run_detached
from ..options import (
    Command,
    Hints,
    detach_option,
    json_option,
    plan_argument,
    preflight_option,
    reason_option,
    run_store_option,
    store_option,
    wait_option,
)
from ..stores import existing_store, opened, report_in, run_async
from ..streams import Refusal, complain, print_json

if TYPE_CHECKING:
    from ..._report.document import Report

_F = TypeVar("_F", bound=Callable[..., Any])


class _Common(TypedDict):
    """What both commands take."""

    only: tuple[str, ...]
    skip: tuple[str, ...]
    is_edited: bool
    is_dry: bool
    preflight: bool
    waits: bool
    detach: bool
    store: str | None
    as_json: bool


def _options(command: _F) -> _F:
    """The options that both commands have."""
    paths = "again for another. The end of its path will do."
    for option in reversed(
        (
            click.option(
                "--only",
                metavar="PATH",
                multiple=True,
                help=f"Only this block or sequence; {paths}",
            ),
            click.option(
                "--skip",
                metavar="PATH",
                multiple=True,
                help="Without this block or sequence; again for another.",
            ),
            click.option(
                "--edit",
                "is_edited",
                is_flag=True,
                help="Edit the plan as JSON first; the file may hold secrets of its requests.",
            ),
            click.option(
                "--dry-run",
                "is_dry",
                is_flag=True,
                help="Only say what would change; run and store nothing.",
            ),
            preflight_option,
            wait_option,
            detach_option,
            run_store_option,
            json_option,
        )
    ):
        command = option(command)
    return command


@click.command("retry", cls=Command)
@plan_argument
@click.option(
    "--from-action",
    is_flag=True,
    help="Begin each sequence at its first action that did not complete.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Also of a plan that was retried already; it does again what that retry did.",
)
@reason_option
@_options
def retry(
    plan: str, from_action: bool, again: bool, reason: str, **common: Unpack[_Common]
) -> int:
    """Do what a plan that has ended left undone, as a plan of its own.

    It leaves out the sequences that completed. It does the others again from their
    first action, in the same order, under the same checks, with the deferred work of
    the plan. The plan may have failed, or was stopped, or completed with tolerated
    failures. PLAN is an id as `workstream list` shows it, its first digits, or `last`.

    Everything else, Ctrl-C and the exit status too, is as for `workstream run`.
    """

    async def read(ws: Workstream, plan_id: UUID) -> _Sequel:
        rest = await ws.rest(
            plan_id,
            from_="action" if from_action else "sequence",
            only=common["only"],
            skip=common["skip"],
            again=again,
            reason=reason,
        )
        count = left_of(rest).total
        words = counted(count, "sequence") if count else "checks and deferred work only"
        return _Sequel(rest, f"left of {short_id(plan_id)}: {words}")

    async def look_again(ws: Workstream, plan_id: UUID) -> None:
        if not again:
            await ws.rest(plan_id)  # somebody may have retried it meanwhile

    async def of_file(ws: Workstream, report: Report) -> _Sequel:
        kin = await descendants(ws.vault, report.shown.entry.row)
        retries = [each.row for each in kin if each.retry_of == report.plan.id]
        refuse_retry(report.shown.entry, [] if again else retries)
        rest = remainder(
            report.plan,
            from_="action" if from_action else "sequence",
            only=common["only"],
            skip=common["skip"],
        ).plan
        if rest is None:
            message = f"nothing of plan {report.plan.name!r} is left to do"
            raise Refusal(message)
        rest.description = reason or rest.description
        count = left_of(rest).total
        words = counted(count, "sequence") if count else "checks and deferred work only"
        return _Sequel(rest, f"left of {plan}: {words}")

    return _follow_up(plan, read, look_again, of_file, common)


@click.command("undo", cls=Command)
@plan_argument
@click.option(
    "--again",
    is_flag=True,
    help="Also of a plan that was taken back already; it does again what that undo did.",
)
@reason_option
@_options
def undo(plan: str, again: bool, reason: str, **common: Unpack[_Common]) -> int:
    """Take back what a plan that has ended did, as a plan of its own.

    It runs the ON_UNDO batches of each sequence that has begun, unless they completed
    already: the last block first, in each block the last sequence first. It tries every
    sequence, whatever happens to the others, and says first what it cannot take back.
    The plan may have failed, or completed, or was stopped. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.

    Everything else, Ctrl-C and the exit status too, is as for `workstream run`.
    """

    async def read(ws: Workstream, plan_id: UUID) -> _Sequel:
        found = await ws.undo_plan(
            plan_id,
            only=common["only"],
            skip=common["skip"],
            again=again,
            reason=reason,
        )
        assert found.plan is not None
        count = sum(len(block.sequences) for block in found.plan.blocks)
        words = f"to take back of {short_id(plan_id)}: {counted(count, 'sequence')}"
        return _Sequel(found.plan, words, found.lacking)

    async def look_again(ws: Workstream, plan_id: UUID) -> None:
        if not again:
            await ws.undo_plan(plan_id)  # somebody may have taken it back meanwhile

    async def of_file(ws: Workstream, report: Report) -> _Sequel:
        kin = await descendants(ws.vault, report.shown.entry.row)
        undos = [each.row for each in kin if each.undo_of == report.plan.id]
        refuse_undo(report.shown.entry, [] if again else undos)
        found = undo_plan(report.plan, only=common["only"], skip=common["skip"])
        if found.plan is None:
            raise Refusal(nothing_to_undo(report.plan.name, found.lacking))
        found.plan.description = reason or found.plan.description
        count = sum(len(block.sequences) for block in found.plan.blocks)
        words = f"to take back of {plan}: {counted(count, 'sequence')}"
        return _Sequel(found.plan, words, found.lacking)

    return _follow_up(plan, read, look_again, of_file, common)


@attrs.frozen
class _Sequel:
    """The plan that follows, a line about it, and what it cannot do: path and why."""

    plan: Plan
    words: str
    lacking: Mapping[str, str] | None = None


def _follow_up(
    plan: str,
    read: Callable[[Workstream, UUID], Awaitable[_Sequel]],
    look_again: Callable[[Workstream, UUID], Awaitable[None]],
    of_file: Callable[[Workstream, Report], Awaitable[_Sequel]],
    common: _Common,
) -> int:
    """Make a plan that follows from a stored one, and do with it as the options say.

    Args:
        plan: The stored plan, as it was named, or the file of its report.
        read: Makes the plan that follows.
        look_again: Raises if that must not be run any more.
        of_file: Makes the plan that follows from a report whose plan is not stored.
        common: The options.
    """
    registry = Registry.installed()
    store, as_json = common["store"], common["as_json"]
    # The store has the secrets, too; where it lacks the plan, the file must do.
    report = report_in(plan, registry)

    def vault() -> Vault:
        if report is not None and not common["is_dry"]:
            return vault_at(store)
        try:
            return existing_store(store)
        except Refusal:
            if report is None:
                raise
            return MemoryVault()  # a dry run makes no store

    async def make() -> tuple[UUID, _Sequel]:
        async with open_workstream(vault(), registry=registry, recover=False) as ws:
            if report is None:
                plan_id = (await ws.find(plan)).row.id
                return plan_id, await read(ws, plan_id)
            plan_id = report.shown.entry.row.id
            if await _is_stored(ws, plan_id):
                return plan_id, await read(ws, plan_id)
            return plan_id, _runnable(await of_file(ws, report), report)

    plan_id, sequel = run_async(make)
    made = _edited(sequel.plan, registry) if common["is_edited"] else sequel.plan
    if not as_json:
        screen = Screen()
        screen.line(sequel.words, "dim")
        for path, why in (sequel.lacking or {}).items():
            where = display_path(below_plan(path))
            line = (
                f"{screen.signs.failed} not taken back: {where}: {one_line(why, 400)}"
            )
            screen.line(line, "bold red", indent=2)
    more: dict[str, object] = {}
    if sequel.lacking is not None:
        lacking = [{"path": path, "why": why} for path, why in sequel.lacking.items()]
        more = {"not_taken_back": lacking}
    if common["is_dry"]:
        return dry_run(made, registry, as_json=as_json, more=more)

    async def submit(ws: Workstream) -> UUID:
        async with alone(ws.vault, plan_id):
            if report is None or await _is_stored(ws, plan_id):
                await look_again(ws, plan_id)
            else:
                await of_file(ws, report)
            return await ws.submit(made)

    launch = Launch(
        submit=submit,
        vault=vault(),
        registry=registry,
        hints=Hints(store),
        plan=made,
        as_json=as_json,
        preflight=common["preflight"],
        waits=common["waits"],
        more=more,
    )
    return run_detached(launch) if common["detach"] else run_plan(launch)


async def _is_stored(ws: Workstream, plan_id: UUID) -> bool:
    try:
        await ws.vault.row(plan_id)
    except NotFoundError:
        return False
    return True


def _runnable(sequel: _Sequel, report: Report) -> _Sequel:
    """The plan that follows, which must need no secret that the file does not hold.

    Raises:
        ValidationError: It does; every action that lacks one is named.
    """
    faults = [
        Fault(
            path=path,
            field="request",
            rule="UI-3",
            message="its secrets are not in the file",
        )
        for path, item in paths(sequel.plan)
        if isinstance(item.node, BaseAction) and path in report.hidden
    ]
    if faults:
        message = (
            "a report holds no secrets, so this cannot be run from it: run it where the "
            "plan is stored, or leave it out by --skip; references to secrets would do"
        )
        raise ValidationError(message, faults)
    sequel.plan.scrubbed = False
    return sequel


def _edited(rest: Plan, registry: Registry) -> Plan:
    """The plan as its operator wants it, once it is valid and confirmed."""
    before = text = to_json(rest, with_secrets=True)
    while True:
        answer = click.edit(text, extension=".json")
        text = text if answer is None else answer
        try:
            plan = from_json(text, registry)
            plan.retry_of, plan.undo_of = rest.retry_of, rest.undo_of
            plan.group_id = rest.group_id
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
            "as it was made",
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
    nor do times unless --times is given. PLAN is as for the other commands, or a file
    that `workstream report` wrote.

    It imports no plugin package, and shows no secret. Exit status: 0 no difference, 1
    some, 2 wrong usage or no such plan.
    """

    # A file has no secrets: what it is compared with must not have them, either.
    reports = [report_in(text) for text in (first, second)]

    async def read(text: str) -> Plan:
        async with opened(store) as plans:
            plan_id = (await plans.find(text)).row.id
            if any(reports):
                return await plans.export(plan_id)
            return await plans.plan(plan_id)

    before, after = [
        run_async(partial(read, text)) if report is None else report.plan
        for text, report in zip((first, second), reports, strict=True)
    ]
    lines = difference(before, after, ids=False, times=times).splitlines()
    if as_json:
        ids = [str(before.id), str(after.id)]
        print_json({"plans": ids, "same": not lines, "differences": lines})
    else:
        screen = Screen()
        for line in lines or ["no difference"]:
            screen.line(line)
    return ExitCode.FAILED if lines else ExitCode.COMPLETED
