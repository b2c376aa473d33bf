"""Commands for what follows from a plan that has ended: ``retry``, ``undo``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import click

from ..._codec.json_text import from_json, to_json
from ..._engine.engine import Workstream, open_workstream
from ..._engine.sequels import alone, rest_of, undo_of
from ..._plan.paths import below_plan, display_path, paths
from ..._plan.plan import BaseAction, Plan
from ..._plan.sequels.retry import left_of
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
from ..call import (
    Call,
    command,
    existing_store,
    launch_options,
    plan_argument,
    reason_option,
    report_in,
    run_async,
)
from ..draw.screen import counted
from ..launch import Launch, dry_run
from ..streams import Refusal, complain

if TYPE_CHECKING:
    from ..._report.document import Report

_SHARED = (
    plan_argument,
    reason_option,
    click.Option(
        ["--only"],
        metavar="PATH",
        multiple=True,
        help="Only this block or sequence; again for another. The end of its path will "
        "do.",
    ),
    click.Option(
        ["--skip"],
        metavar="PATH",
        multiple=True,
        help="Without this block or sequence; again for another.",
    ),
    click.Option(
        ["--edit", "is_edited"],
        is_flag=True,
        help="Edit the plan as JSON first; the file may hold secrets of its requests.",
    ),
    *launch_options,
)


@attrs.frozen
class _Sequel:
    """The plan that follows, what it is about in words, and what it cannot do, and why."""

    plan: Plan
    words: str
    lacking: Mapping[str, str] | None = None


@command("retry", *_SHARED)
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
def retry(call: Call, plan: str, from_action: bool, **options: Any) -> int:
    """Do what a plan that has ended left undone, as a plan of its own.

    It leaves out the sequences that completed. It does the others again from their
    first action, in the same order, under the same checks, with the deferred work of
    the plan. The plan may have failed, or was stopped, or completed with tolerated
    failures. PLAN is an id as `workstream list` shows it, its first digits, or `last`.

    Everything else, Ctrl-C and the exit status too, is as for `workstream run`.
    """

    def made(label: str, *found: Any, **which: Any) -> _Sequel:
        rest = rest_of(*found, from_="action" if from_action else "sequence", **which)
        count = left_of(rest).total
        words = counted(count, "sequence") if count else "checks and deferred work only"
        return _Sequel(rest, f"left of {label}: {words}")

    return _follow_up(call, plan, made, **options)


@command("undo", *_SHARED)
@click.option(
    "--again",
    is_flag=True,
    help="Also of a plan that was taken back already; it does again what that undo did.",
)
def undo(call: Call, plan: str, **options: Any) -> int:
    """Take back what a plan that has ended did, as a plan of its own.

    It runs the ON_UNDO batches of each sequence that has begun, unless they completed
    already: the last block first, in each block the last sequence first. It tries every
    sequence, whatever happens to the others, and says first what it cannot take back.
    The plan may have failed, or completed, or was stopped. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.

    Everything else, Ctrl-C and the exit status too, is as for `workstream run`.
    """

    def made(label: str, *found: Any, **which: Any) -> _Sequel:
        undone = undo_of(*found, **which)
        assert undone.plan is not None
        count = sum(len(block.sequences) for block in undone.plan.blocks)
        words = f"to take back of {label}: {counted(count, 'sequence')}"
        return _Sequel(undone.plan, words, undone.lacking)

    return _follow_up(call, plan, made, **options)


def _follow_up(
    call: Call,
    plan: str,
    made: Callable[..., _Sequel],
    *,
    again: bool,
    is_edited: bool,
    is_dry: bool,
    preflight: bool,
    waits: bool,
    detach: bool,
    **which: Any,
) -> int:
    """Make a plan that follows from a stored one, and do with it as the options say.

    Args:
        call: The call.
        plan: The stored plan, as it was named, or the file of its report.
        made: Makes the plan that follows of a label, the plan at a glance, its kin, and
            the plan.
        again: Whether another one may have been made already.
        is_edited: Whether it is edited first.
        is_dry: Whether only to say what would change.
        preflight: Whether to look its secrets up before anything is stored.
        waits: Whether it waits for its locks.
        detach: Whether a process of its own runs it.
        which: What of the plan it does, and why.
    """
    registry = Registry.installed()
    # The store has the secrets, too; where it lacks the plan, the file must do.
    report = report_in(plan, registry)

    def vault() -> Vault:
        if report is not None and not is_dry:
            return vault_at(call.store)
        try:
            return existing_store(call.store)
        except Refusal:
            if report is None:
                raise
            return MemoryVault()  # a dry run makes no store

    async def sequel_of(ws: Workstream, plan_id: UUID) -> _Sequel:
        if report is None or await _is_stored(ws, plan_id):
            found = (
                await ws.entry(plan_id),
                await ws.kin(plan_id),
                await ws.plan(plan_id),
            )
            return made(short_id(plan_id), *found, again=again, **which)
        entry = report.shown.entry
        kin = await descendants(ws.vault, entry.row)
        sequel = made(plan, entry, kin, report.plan, again=again, **which)
        return _runnable(sequel, report)

    async def make() -> tuple[UUID, _Sequel]:
        async with open_workstream(vault(), registry=registry, recover=False) as ws:
            if report is None:
                plan_id = (await ws.find(plan)).row.id
            else:
                plan_id = report.shown.entry.row.id
            return plan_id, await sequel_of(ws, plan_id)

    plan_id, sequel = run_async(make)
    new = _edited(sequel.plan, registry) if is_edited else sequel.plan
    more: dict[str, object] = {}
    if sequel.lacking is not None:
        lacking = [{"path": path, "why": why} for path, why in sequel.lacking.items()]
        more = {"not_taken_back": lacking}
    if not call.as_json:
        _tell(call, sequel)
    if is_dry:
        return dry_run(call, new, registry, more)

    async def submit(ws: Workstream) -> UUID:
        async with alone(ws.vault, plan_id):
            if not again:
                await sequel_of(ws, plan_id)  # somebody may have made one meanwhile
            return await ws.submit(new)

    launch = Launch(
        call=call,
        submit=submit,
        vault=vault(),
        registry=registry,
        plan=new,
        preflight=preflight,
        waits=waits,
        more=more,
    )
    return launch.run(detach=detach)


def _tell(call: Call, sequel: _Sequel) -> None:
    """Say what follows, and what cannot be taken back."""
    call.screen.line(sequel.words, "dim")
    for path, why in (sequel.lacking or {}).items():
        where = display_path(below_plan(path))
        sign, words = call.screen.signs.failed, one_line(why, 400)
        line = f"{sign} not taken back: {where}: {words}"
        call.screen.line(line, "bold red", indent=2)


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
