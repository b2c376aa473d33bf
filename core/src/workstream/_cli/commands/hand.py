"""Commands by which an operator tells plans something while they exist (sections 25 to 28)."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import click

from ..._plan.paths import display_path
from ..._plan.plan import Percent
from ..._protocols.vault import PlanRow, owner_text
from ..._show.data import entry_data, intervention_data, request_data
from ..._show.words import since_words
from ..._store.asking import Answer
from ..._store.entries import PlanEntry
from ..._store.ids import named
from ..._store.store import Store
from ..._values.display import shorten
from ..._values.interventions import Effect
from ..._values.state import OnFailure, Status
from ..call import (
    Call,
    Command,
    by_option,
    command,
    json_option,
    opened,
    plan_argument,
    reason_option,
    run_async,
    store_option,
)
from ..streams import ExitCode, Refusal

Ask = Callable[..., Awaitable[Answer]]
"""Asks a plan of a store; gets the options of its command by name."""
AskStore = Callable[..., Awaitable[bool]]
"""Tells a store something about a freeze; whether that changed anything."""

_PLAN = "PLAN is an id as `workstream list` shows it, its first digits, or `last`."
_shared = (reason_option, by_option, store_option, json_option)
_path = click.argument("path", metavar="PATH")
_decision = click.argument("path", metavar="[PATH]", default="")


def _verb(name: str, *, done: str, unchanged: str) -> Callable[[Ask], Command]:
    """Make a command of a function that asks a plan something.

    Args:
        name: What it is called.
        done: What is true of the plan when that is taken, with ``{path}``.
        unchanged: What was true of it already.
    """

    def made(ask: Ask) -> Command:
        @functools.wraps(ask)
        def run(call: Call, plan: str, **words: Any) -> int:
            async def asked(plans: Store, row: PlanRow) -> tuple[PlanEntry, Answer]:
                answer = await ask(plans, row.id, **words)
                return await plans.entry(row.id), answer

            entry, answer = call.find(plan, asked)
            path = display_path(words.get("path") or "")
            texts = done.format(path=path), unchanged.format(path=path)
            call.answer(_data(entry, answer), _became(call, entry, answer, *texts))
            return ExitCode.FAILED if _is_late(answer) else ExitCode.COMPLETED

        run.__doc__ = f"{inspect.cleandoc(ask.__doc__ or '')}\n\n{_PLAN}"
        return command(name, plan_argument, *_shared)(run)

    return made


def _is_late(answer: Answer) -> bool:
    told = answer.intervention
    return told is not None and told.effect is not Effect.TAKEN


def _became(
    call: Call, entry: PlanEntry, answer: Answer, done: str, unchanged: str
) -> str:
    """What became of it, for people."""
    row, told = entry.row, answer.intervention
    name = named(row.name, row.id)
    if told is not None:
        return (
            f"{name}: too late: {told.words}" if _is_late(answer) else f"{name} {done}"
        )
    if answer.pending is None:
        return f"{name} {unchanged}: nothing to change"
    if entry.owner is None:
        resume = call.command("resume", row.id)
        return f"{name} is told so when it is resumed, as no process runs it:  {resume}"
    show, runs = call.command("show", row.id), owner_text(entry.owner)
    return f"{name}: {runs}, which runs it, has not answered yet:  {show}"


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


def _store_verb(
    name: str, *more: click.Parameter, done: str, unchanged: str
) -> Callable[[AskStore], Command]:
    """Make a command of a function that tells the store about a freeze; see ``_verb``."""

    def made(tell: AskStore) -> Command:
        @functools.wraps(tell)
        def run(call: Call, **words: Any) -> int:
            async def go() -> tuple[bool, str]:
                async with opened(call.store) as plans:
                    changed = await tell(plans, **words)
                    word = plans.frozen()
                    return changed, since_words("frozen", word.begun) if word else ""

            changed, frozen = run_async(go)
            text = done if changed else unchanged
            call.answer({"changed": changed, "frozen": frozen or None}, text)
            if frozen and not (changed or call.as_json):
                call.screen.line(frozen, "dim", indent=2)
            return ExitCode.COMPLETED

        return command(name, *more, *_shared)(run)

    return made


# -- Holding ---------------------------------------------------------------------------


@_verb(
    "pause",
    done="is paused: what runs is finished, and nothing new begins",
    unchanged="is paused already",
)
async def pause(plans: Store, plan_id: UUID, **who: Any) -> Answer:
    """Hold a plan: nothing new of it begins.

    What runs ends by itself, and continuous checks go on watching. The plan waits until
    `workstream unpause`; a crash does not end that. A stop does. A plan that never
    started can be paused: it waits as soon as it is started.
    """
    return await plans.pause(plan_id, **who)


@_verb("unpause", done="goes on", unchanged="is not paused")
async def unpause(plans: Store, plan_id: UUID, **who: Any) -> Answer:
    """Let a paused plan go on."""
    return await plans.unpause(plan_id, **who)


@_store_verb(
    "freeze",
    done="the store is frozen: no plan of it begins anything new",
    unchanged="the store was frozen already",
)
async def freeze(plans: Store, **who: Any) -> bool:
    """Hold every plan of the store, those of later, too.

    Each plan of each process finishes what it runs, and begins nothing new until
    `workstream unfreeze`. `workstream exempt` lets one plan through.
    """
    return await plans.freeze(**who)


@_store_verb(
    "unfreeze",
    done="the store is no longer frozen: its plans go on",
    unchanged="the store is not frozen: nothing to change",
)
async def unfreeze(plans: Store, **who: Any) -> bool:
    """End a freeze: the plans of the store go on."""
    return await plans.unfreeze(**who)


@_store_verb(
    "exempt",
    plan_argument,
    done="the freeze does not hold this plan any more",
    unchanged="the freeze did not hold this plan before: nothing to change",
)
async def exempt(plans: Store, plan: str, **who: Any) -> bool:
    """Let one plan through while the store is frozen.

    PLAN is an id as `workstream list` shows it, its first digits, or `last`.
    """
    return await plans.exempt((await plans.find(plan)).row.id, **who)


# -- What is done of a plan ------------------------------------------------------------


@_verb("skip", done="leaves out {path}", unchanged="leaves out {path} already")
@_path
async def skip(plans: Store, plan_id: UUID, path: str, **who: Any) -> Answer:
    """Leave out something of a plan that has not begun.

    PATH is a block, sequence, batch, check group, action or check, as `workstream show`
    names it; the plan's name in front may be left out, and so may all but the last name
    where that is enough. For what follows it counts as done. What has begun cannot be
    skipped.
    """
    return await plans.skip(plan_id, path, **who)


def _tolerance(text: str) -> int | Percent:
    number = text.removesuffix("%")
    try:
        return Percent(int(number)) if number != text else int(text)
    except ValueError:
        message = f"'{shorten(text)}' is no number: write 3, 10% or -1"
        raise click.BadParameter(message) from None


@_verb(
    "limits",
    done="has new limits for {path}",
    unchanged="has these limits for {path} already",
)
@_path
@click.option(
    "--concurrency",
    metavar="N",
    type=int,
    help="How many of its sequences may run at once.",
)
@click.option(
    "--tolerated-failures",
    metavar="N",
    type=_tolerance,
    help="How many of them may fail before the block does: 3, 10%; -1: any number.",
)
@click.option(
    "--max-consecutive-failures",
    metavar="N",
    type=int,
    help="How many of them in a row make the block fail; 0: any number may.",
)
@click.option(
    "--on-failure",
    type=click.Choice([each.value for each in OnFailure]),
    help="What a failed run of these continuous checks means from now on.",
)
async def limits(plans: Store, plan_id: UUID, path: str, **words: Any) -> Answer:
    """Change the limits of a block while it runs.

    They hold for what begins afterwards. A tolerance that is lowered below what has
    failed halts the block; on a block that has halted it is too late. PATH is the block
    as `workstream show` names it; for --on-failure it is a group of continuous checks,
    and that is the way out when such a check is known to be wrong.
    """
    names = [name for name in words if name not in ("reason", "by")]
    if all(words[name] is None for name in names):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        message = f"say which limit to change: {options}"
        raise Refusal(message)
    if words["on_failure"] is not None:
        words["on_failure"] = OnFailure[words["on_failure"].upper()]
    return await plans.set_limits(plan_id, path, **words)


# -- What people decide ----------------------------------------------------------------


@_verb("approve", done="has your approval", unchanged="had your approval already")
@_decision
async def approve(plans: Store, plan_id: UUID, path: str, **who: Any) -> Answer:
    """Approve what a plan waits for.

    PATH is the approval, as `workstream show` names it; it may be left out where the
    plan waits for one only. Who may approve, the plan says.
    """
    return await plans.approve(plan_id, path, **who)


@_verb("reject", done="has your rejection", unchanged="had your rejection already")
@_decision
async def reject(plans: Store, plan_id: UUID, path: str, **who: Any) -> Answer:
    """Reject what a plan waits for: the approval fails.

    PATH is the approval, as `workstream show` names it; it may be left out where the
    plan waits for one only. Who may reject, the plan says. It cannot be taken back.
    """
    return await plans.reject(plan_id, path, **who)


@_verb(
    "signal",
    done="has the signal for {path}",
    unchanged="had this signal for {path} already",
)
@_path
@click.argument("name", metavar="NAME")
@click.argument("value", metavar="[VALUE]", default="")
async def signal(plans: Store, plan_id: UUID, **words: Any) -> Answer:
    """Send a signal to an action of a plan.

    PATH is the action or check, as `workstream show` names it. NAME is the signal for
    which its plugin waits, and VALUE the text that it gets. The signal is kept: the
    action gets it also if it waits for it later, or again after a crash.
    """
    return await plans.signal(plan_id, **words)


# -- Ending it -------------------------------------------------------------------------


@command("stop", plan_argument, *_shared)
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
def stop(call: Call, plan: str, **words: Any) -> int:
    """Ask a running plan to stop.

    Running attempts end by themselves, or are cut with --now; nothing new begins,
    deferred actions and checks run. The command returns at once, and the request is
    durable then. The process that runs the plan sees it within a second. A plan that
    never started is stopped for good. PLAN is an id as `workstream list` shows it, its
    first digits, or `last`.
    """

    async def request(plans: Store, row: PlanRow) -> tuple[PlanEntry, Status]:
        found = await plans.stop(row.id, **words)
        return await plans.entry(row.id), found

    entry, found = call.find(plan, request)
    row = entry.row
    name = named(row.name, row.id)
    if found is Status.NOT_STARTED:
        text = f"{name} is stopped: it was never started"
    elif found is not Status.RUNNING:
        text = f"{name} has ended already: {found.name.lower()}"
    elif entry.owner is None:
        resume = call.command("resume", row.id)
        text = f"{name} will stop when it is resumed, as no process runs it:  {resume}"
    else:
        show, runs = call.command("show", row.id), owner_text(entry.owner)
        text = f"{name} is asked to stop; {runs} runs it:  {show}"
    return call.answer({"found": found.name, "plan": entry_data(entry)}, text)


@command("abandon", plan_argument, *_shared)
def abandon(call: Call, plan: str, **who: Any) -> int:
    """Give up a plan that a crash left behind.

    It is FAILED, and nothing of it is run any more, deferred actions included. Then it
    can be deleted. The command refuses a plan that a process runs. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.
    """

    async def give_up(plans: Store, row: PlanRow) -> PlanRow:
        await plans.abandon(row.id, **who)
        return row

    row = call.find(plan, give_up)
    data = {"plan": str(row.id), "name": row.name, "effect": "TAKEN"}
    return call.answer(data, f"{named(row.name, row.id)} is given up: failed")
