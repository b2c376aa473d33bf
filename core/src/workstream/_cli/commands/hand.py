"""Commands by which an operator tells plans something while they exist (sections 25 to 27)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from ..._plan.paths import display_path
from ..._protocols.vault import PlanRow
from ..._show.data import intervention_data, request_data
from ..._store.asking import Answer
from ..._store.entries import PlanEntry
from ..._store.ids import short_id
from ..._store.store import Store
from ..._values.display import shorten
from ..._values.interventions import Effect
from ..draw.screen import Screen
from ..exit_codes import ExitCode
from ..options import (
    Command,
    Hints,
    by_option,
    json_option,
    plan_argument,
    reason_option,
    store_option,
)
from ..stores import opened, run_async
from ..streams import Refusal, print_json

F = TypeVar("F", bound=Callable[..., Any])
Ask = Callable[[Store, PlanRow], Awaitable[Answer]]


def _said_to(plan: bool = True) -> Callable[[F], F]:
    """What all these commands take beside their own."""

    def add(function: F) -> F:
        options = [reason_option, by_option, store_option, json_option]
        for option in reversed([plan_argument, *options] if plan else options):
            function = option(function)
        return function

    return add


def _tell(
    plan: str,
    store: str | None,
    ask: Ask,
    *,
    done: str,
    unchanged: str,
    as_json: bool,
) -> int:
    """Ask a plan something, and say what became of it.

    Args:
        plan: Which plan, as it was typed.
        store: The store.
        ask: Asks it.
        done: What is true of it when that is taken, in words.
        unchanged: What it was already.
        as_json: Whether to print JSON.
    """

    async def go() -> tuple[PlanEntry, Answer]:
        async with opened(store) as plans:
            row = (await plans.find(plan)).row
            answer = await ask(plans, row)
            return await plans.entry(row.id), answer

    entry, answer = run_async(go)
    told = answer.intervention
    late = told is not None and told.effect is not Effect.TAKEN
    if as_json:
        print_json(_data(entry, answer))
        return ExitCode.FAILED if late else ExitCode.COMPLETED
    row, hints = entry.row, Hints(store)
    name = f"{shorten(row.name)} ({short_id(row.id)})"
    if told is not None and late:
        text = f"{name}: too late: {told.words}"
    elif told is not None:
        text = f"{name} {done}"
    elif answer.pending is None:
        text = f"{name} {unchanged}: nothing to change"
    elif entry.owner is None:
        resume = hints.command("resume", row.id)
        text = f"{name} is told so when it is resumed, as no process runs it:  {resume}"
    else:
        show = hints.command("show", row.id)
        text = f"{name}: process {entry.owner}, which runs it, has not answered yet:  {show}"
    Screen().line(text)
    return ExitCode.FAILED if late else ExitCode.COMPLETED


def _data(entry: PlanEntry, answer: Answer) -> dict[str, Any]:
    """What became of it, for programs."""
    told, pending = answer.intervention, answer.pending
    effect = "PENDING" if pending else "UNCHANGED" if told is None else told.effect.name
    return {
        "plan": str(entry.row.id),
        "name": entry.row.name,
        "effect": effect,
        "intervention": None if told is None else intervention_data(told),
        "pending": None if pending is None else request_data(pending),
    }


# -- Holding ---------------------------------------------------------------------------


@click.command("pause", cls=Command)
@_said_to()
def pause(
    plan: str, reason: str, by: str | None, store: str | None, as_json: bool
) -> int:
    """Hold a plan: nothing new of it begins.

    What runs ends by itself, and continuous checks go on watching. The plan waits until
    `workstream unpause`; a crash does not end that. A stop does. A plan that never
    started can be paused: it waits as soon as it is started. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.
    """
    return _tell(
        plan,
        store,
        lambda plans, row: plans.pause(row.id, reason=reason, by=by),
        done="is paused: what runs is finished, and nothing new begins",
        unchanged="is paused already",
        as_json=as_json,
    )


@click.command("unpause", cls=Command)
@_said_to()
def unpause(
    plan: str, reason: str, by: str | None, store: str | None, as_json: bool
) -> int:
    """Let a paused plan go on.

    PLAN is an id as `workstream list` shows it, its first digits, or `last`.
    """
    return _tell(
        plan,
        store,
        lambda plans, row: plans.unpause(row.id, reason=reason, by=by),
        done="goes on",
        unchanged="is not paused",
        as_json=as_json,
    )


@click.command("freeze", cls=Command)
@_said_to(plan=False)
def freeze(reason: str, by: str | None, store: str | None, as_json: bool) -> int:
    """Hold every plan of the store, those of later, too.

    Each plan of each process finishes what it runs, and begins nothing new until
    `workstream unfreeze`. `workstream exempt` lets one plan through.
    """
    return _store_told(
        store,
        lambda plans: plans.freeze(reason=reason, by=by),
        done="the store is frozen: no plan of it begins anything new",
        unchanged="the store was frozen already",
        as_json=as_json,
    )


@click.command("unfreeze", cls=Command)
@_said_to(plan=False)
def unfreeze(reason: str, by: str | None, store: str | None, as_json: bool) -> int:
    """End a freeze: the plans of the store go on."""
    return _store_told(
        store,
        lambda plans: plans.unfreeze(reason=reason, by=by),
        done="the store is no longer frozen: its plans go on",
        unchanged="the store is not frozen: nothing to change",
        as_json=as_json,
    )


@click.command("exempt", cls=Command)
@_said_to()
def exempt(
    plan: str, reason: str, by: str | None, store: str | None, as_json: bool
) -> int:
    """Let one plan through while the store is frozen.

    PLAN is an id as `workstream list` shows it, its first digits, or `last`.
    """

    async def let(plans: Store) -> bool:
        row = (await plans.find(plan)).row
        return await plans.exempt(row.id, reason=reason, by=by)

    return _store_told(
        store,
        let,
        done="the freeze does not hold this plan any more",
        unchanged="the freeze did not hold this plan before: nothing to change",
        as_json=as_json,
    )


def _store_told(
    store: str | None,
    tell: Callable[[Store], Awaitable[bool]],
    *,
    done: str,
    unchanged: str,
    as_json: bool,
) -> int:
    """Tell the store something about a freeze, and say what became of it."""

    async def go() -> tuple[bool, str]:
        async with opened(store) as plans:
            changed = await tell(plans)
            frozen = plans.frozen()
            if frozen is None:
                return changed, ""
            begun = frozen.begun
            since = begun.at.strftime("%Y-%m-%d %H:%M:%S UTC")
            text = f"frozen since {since} by {shorten(begun.by)}"
            because = f": {shorten(begun.reason, 300)}" if begun.reason else ""
            return changed, f"{text}{because}"

    changed, frozen = run_async(go)
    if as_json:
        print_json({"changed": changed, "frozen": frozen or None})
        return ExitCode.COMPLETED
    screen = Screen()
    screen.line(done if changed else unchanged)
    if frozen and not changed:
        screen.line(frozen, "dim", indent=2)
    return ExitCode.COMPLETED


# -- What is done of a plan ------------------------------------------------------------


@click.command("skip", cls=Command)
@plan_argument
@click.argument("path", metavar="PATH")
@_said_to(plan=False)
def skip(
    plan: str,
    path: str,
    reason: str,
    by: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Leave out something of a plan that has not begun.

    PATH is a block, sequence, batch, check group, action or check, as `workstream show`
    names it; the plan's name in front may be left out, and so may all but the last name
    where that is enough. For what follows it counts as done. What has begun cannot be
    skipped. PLAN is an id as `workstream list` shows it, its first digits, or `last`.
    """
    return _tell(
        plan,
        store,
        lambda plans, row: plans.skip(row.id, path, reason=reason, by=by),
        done=f"leaves out {display_path(path)}",
        unchanged=f"leaves out {display_path(path)} already",
        as_json=as_json,
    )


@click.command("limits", cls=Command)
@plan_argument
@click.argument("path", metavar="BLOCK")
@click.option(
    "--concurrency",
    metavar="N",
    type=int,
    help="How many of its sequences may run at once.",
)
@click.option(
    "--tolerated-failures",
    metavar="N",
    type=int,
    help="How many of them may fail before the block does; -1: any number.",
)
@_said_to(plan=False)
def limits(
    plan: str,
    path: str,
    concurrency: int | None,
    tolerated_failures: int | None,
    reason: str,
    by: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Change the limits of a block while it runs.

    They hold for what begins afterwards. A tolerance that is lowered below what has
    failed halts the block; on a block that has halted it is too late. BLOCK is its name
    as `workstream show` tells it. PLAN is an id as `workstream list` shows it, its
    first digits, or `last`.
    """
    if concurrency is None and tolerated_failures is None:
        message = "say which limit to change: --concurrency or --tolerated-failures"
        raise Refusal(message)
    return _tell(
        plan,
        store,
        lambda plans, row: plans.set_limits(
            row.id,
            path,
            concurrency=concurrency,
            tolerated_failures=tolerated_failures,
            reason=reason,
            by=by,
        ),
        done=f"has new limits for {display_path(path)}",
        unchanged=f"has these limits for {display_path(path)} already",
        as_json=as_json,
    )


@click.command("abandon", cls=Command)
@_said_to()
def abandon(
    plan: str, reason: str, by: str | None, store: str | None, as_json: bool
) -> int:
    """Give up a plan that a crash left behind.

    It is FAILED, and nothing of it is run any more, deferred actions included. Then it
    can be deleted. The command refuses a plan that a process runs. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.
    """

    async def go() -> PlanEntry:
        async with opened(store) as plans:
            row = (await plans.find(plan)).row
            await plans.abandon(row.id, reason=reason, by=by)
            return await plans.entry(row.id)

    row = run_async(go).row
    if as_json:
        print_json({"plan": str(row.id), "name": row.name, "effect": "TAKEN"})
    else:
        Screen().line(f"{shorten(row.name)} ({short_id(row.id)}) is given up: failed")
    return ExitCode.COMPLETED
