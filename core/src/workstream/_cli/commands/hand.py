"""Commands by which an operator tells plans something while they exist (sections 25 to 28)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import click

from ..._plan.paths import display_path
from ..._plan.plan import Percent
from ..._protocols.vault import PlanRow, owner_text
from ..._show.data import intervention_data, request_data
from ..._show.words import since_words
from ..._store.asking import Answer
from ..._store.entries import PlanEntry
from ..._store.ids import named
from ..._store.store import Store
from ..._values.display import shorten
from ..._values.interventions import Effect
from ..._values.state import OnFailure
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

Ask = Callable[..., Awaitable[Answer]]
"""Asks a plan of a store; gets the options of its command by name."""
AskStore = Callable[..., Awaitable[bool]]
"""Tells a store something about a freeze; whether that changed anything."""

_PLAN = """

    PLAN is an id as `workstream list` shows it, its first digits, or `last`.
    """


def _command(
    name: str,
    help: str,  # noqa: A002
    run: Callable[..., int],
    *parameters: Callable[[Any], Any],
) -> click.Command:
    """A command that takes these parameters, and what all of them take."""
    function: Any = run
    options = [reason_option, by_option, store_option, json_option]
    for parameter in reversed([*parameters, *options]):
        function = parameter(function)
    return click.command(name, cls=Command, help=help)(function)


def _verb(
    name: str,
    help: str,  # noqa: A002
    ask: Ask,
    *parameters: Callable[[Any], Any],
    done: str,
    unchanged: str,
) -> click.Command:
    """A command that asks a plan something.

    Args:
        name: What it is called.
        help: Its help.
        ask: Asks the plan.
        parameters: What it takes beside what all take.
        done: What is true of the plan when that is taken, with ``{path}``.
        unchanged: What it was already.
    """

    def run(plan: str, store: str | None, as_json: bool, **words: Any) -> int:
        path = display_path(words.get("path") or "")

        async def asked(plans: Store, row: PlanRow) -> Answer:
            return await ask(plans, row.id, **words)

        return _tell(
            plan,
            store,
            asked,
            done=done.format(path=path),
            unchanged=unchanged.format(path=path),
            as_json=as_json,
        )

    return _command(name, help + _PLAN, run, plan_argument, *parameters)


def _store_verb(
    name: str,
    help: str,  # noqa: A002
    tell: AskStore,
    *parameters: Callable[[Any], Any],
    done: str,
    unchanged: str,
) -> click.Command:
    """A command that tells the store something about a freeze; see ``_verb``."""

    def run(store: str | None, as_json: bool, **words: Any) -> int:
        return _store_told(
            store,
            lambda plans: tell(plans, **words),
            done=done,
            unchanged=unchanged,
            as_json=as_json,
        )

    return _command(name, help, run, *parameters)


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
    name = named(row.name, row.id)
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
        show, runs = hints.command("show", row.id), owner_text(entry.owner)
        text = f"{name}: {runs}, which runs it, has not answered yet:  {show}"
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
            return changed, since_words("frozen", frozen.begun)

    changed, frozen = run_async(go)
    if as_json:
        print_json({"changed": changed, "frozen": frozen or None})
        return ExitCode.COMPLETED
    screen = Screen()
    screen.line(done if changed else unchanged)
    if frozen and not changed:
        screen.line(frozen, "dim", indent=2)
    return ExitCode.COMPLETED


# -- Holding ---------------------------------------------------------------------------

pause = _verb(
    "pause",
    """Hold a plan: nothing new of it begins.

    What runs ends by itself, and continuous checks go on watching. The plan waits until
    `workstream unpause`; a crash does not end that. A stop does. A plan that never
    started can be paused: it waits as soon as it is started.""",
    Store.pause,
    done="is paused: what runs is finished, and nothing new begins",
    unchanged="is paused already",
)
unpause = _verb(
    "unpause",
    "Let a paused plan go on.",
    Store.unpause,
    done="goes on",
    unchanged="is not paused",
)
freeze = _store_verb(
    "freeze",
    """Hold every plan of the store, those of later, too.

    Each plan of each process finishes what it runs, and begins nothing new until
    `workstream unfreeze`. `workstream exempt` lets one plan through.
    """,
    Store.freeze,
    done="the store is frozen: no plan of it begins anything new",
    unchanged="the store was frozen already",
)
unfreeze = _store_verb(
    "unfreeze",
    "End a freeze: the plans of the store go on.",
    Store.unfreeze,
    done="the store is no longer frozen: its plans go on",
    unchanged="the store is not frozen: nothing to change",
)


async def _exempt(plans: Store, plan: str, **words: Any) -> bool:
    return await plans.exempt((await plans.find(plan)).row.id, **words)


exempt = _store_verb(
    "exempt",
    "Let one plan through while the store is frozen." + _PLAN,
    _exempt,
    plan_argument,
    done="the freeze does not hold this plan any more",
    unchanged="the freeze did not hold this plan before: nothing to change",
)

# -- What is done of a plan ------------------------------------------------------------

skip = _verb(
    "skip",
    """Leave out something of a plan that has not begun.

    PATH is a block, sequence, batch, check group, action or check, as `workstream show`
    names it; the plan's name in front may be left out, and so may all but the last name
    where that is enough. For what follows it counts as done. What has begun cannot be
    skipped.""",
    Store.skip,
    click.argument("path", metavar="PATH"),
    done="leaves out {path}",
    unchanged="leaves out {path} already",
)


_LIMITS = (
    *("concurrency", "tolerated_failures", "max_consecutive_failures"),
    "on_failure",
)


def _tolerance(text: str) -> int | Percent:
    number = text.removesuffix("%")
    try:
        return Percent(int(number)) if number != text else int(text)
    except ValueError:
        message = f"'{shorten(text)}' is no number: write 3, 10% or -1"
        raise click.BadParameter(message) from None


async def _limits(plans: Store, plan_id: UUID, path: str, **words: Any) -> Answer:
    if all(words[name] is None for name in _LIMITS):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in _LIMITS)
        message = f"say which limit to change: {options}"
        raise Refusal(message)
    if words["on_failure"] is not None:
        words["on_failure"] = OnFailure[words["on_failure"].upper()]
    return await plans.set_limits(plan_id, path, **words)


limits = _verb(
    "limits",
    """Change the limits of a block while it runs.

    They hold for what begins afterwards. A tolerance that is lowered below what has
    failed halts the block; on a block that has halted it is too late. PATH is the block
    as `workstream show` names it; for --on-failure it is a group of continuous checks,
    and that is the way out when such a check is known to be wrong.""",
    _limits,
    click.argument("path", metavar="PATH"),
    click.option(
        "--concurrency",
        metavar="N",
        type=int,
        help="How many of its sequences may run at once.",
    ),
    click.option(
        "--tolerated-failures",
        metavar="N",
        type=_tolerance,
        help="How many of them may fail before the block does: 3, 10%; -1: any number.",
    ),
    click.option(
        "--max-consecutive-failures",
        metavar="N",
        type=int,
        help="How many of them in a row make the block fail; 0: any number may.",
    ),
    click.option(
        "--on-failure",
        type=click.Choice([each.value for each in OnFailure]),
        help="What a failed run of these continuous checks means from now on.",
    ),
    done="has new limits for {path}",
    unchanged="has these limits for {path} already",
)

# -- What people decide ----------------------------------------------------------------

_decision = click.argument("path", metavar="[PATH]", default="")

approve = _verb(
    "approve",
    """Approve what a plan waits for.

    PATH is the approval, as `workstream show` names it; it may be left out where the
    plan waits for one only. Who may approve, the plan says.""",
    Store.approve,
    _decision,
    done="has your approval",
    unchanged="had your approval already",
)
reject = _verb(
    "reject",
    """Reject what a plan waits for: the approval fails.

    PATH is the approval, as `workstream show` names it; it may be left out where the
    plan waits for one only. Who may reject, the plan says. It cannot be taken back.""",
    Store.reject,
    _decision,
    done="has your rejection",
    unchanged="had your rejection already",
)
signal = _verb(
    "signal",
    """Send a signal to an action of a plan.

    PATH is the action or check, as `workstream show` names it. NAME is the signal for
    which its plugin waits, and VALUE the text that it gets. The signal is kept: the
    action gets it also if it waits for it later, or again after a crash.""",
    Store.signal,
    click.argument("path", metavar="PATH"),
    click.argument("name", metavar="NAME"),
    click.argument("value", metavar="[VALUE]", default=""),
    done="has the signal for {path}",
    unchanged="had this signal for {path} already",
)


@click.command("abandon", cls=Command)
@plan_argument
@reason_option
@by_option
@store_option
@json_option
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
        Screen().line(f"{named(row.name, row.id)} is given up: failed")
    return ExitCode.COMPLETED
