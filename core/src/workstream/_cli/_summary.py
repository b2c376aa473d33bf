"""What became of a plan, in one glance: its outcome, and what failed where and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from rich.text import Text

from .._codec.codec import Codec
from .._plan.paths import SEPARATOR, display_path
from .._plan.plan import BaseAction, Outcome, Plan
from .._plan.walk import actions, position_of
from .._protocols.vault import PlanRow, Vault
from .._show.failures import Failure
from .._store.ids import short_id
from .._values.display import display_lines, shorten
from .._values.state import PluginError, Status
from ._times import took
from .draw.screen import STYLES, Screen, joined, plain

LINES = 8
"""How many of a failed action's last lines of output are shown."""
_WITH_LINES = 20
"""For how many failures; a thousand of them have much the same to say."""


def headline(screen: Screen, plan: Plan, *, crashed: bool = False) -> None:
    """The plan's name and what became of it.

    Args:
        screen: Where to write.
        plan: The plan, scrubbed.
        crashed: Whether it is R and no process runs it.
    """
    status = plan.state.status
    style = "bold red" if crashed else STYLES[status]
    words = outcome_words(plan, crashed=crashed)
    duration = plan.state.duration
    time = f" in {took(duration)}" if duration is not None else ""
    sign = screen.signs.failed if crashed else screen.signs.of(status)
    line = joined(
        (f"{sign} ", style), (shorten(plan.name), "bold"), ": ", (words, style), time
    )
    if plan.id is not None:
        line.append(f"  {short_id(plan.id)}", "dim")
    screen.line(line)


def outcome_words(plan: Plan, *, crashed: bool = False) -> str:
    """The outcome with its reasons: ``failed (block, deferred check)``."""
    if crashed:
        return "crashed: no process runs it"
    words = plan.outcome.value
    if plan.stopping and plan.outcome is Outcome.RUNNING:
        words += ", stopping"
    reasons = reason_words(plan)
    return f"{words} ({reasons})" if reasons else words


def reason_words(plan: Plan | PlanRow) -> str:
    """Why it failed; that it was stopped need not be said twice."""
    stopped = Status.STOPPED.name
    names = [reason.name for reason in plan.reasons if reason.name != stopped]
    return ", ".join(name.lower().replace("_", " ") for name in names)


async def last_lines(
    vault: Vault, plan: Plan, found: Sequence[Failure], most: int = LINES
) -> dict[int, list[str]]:
    """The last lines that the failed actions reported, by their positions.

    Args:
        vault: The store, open.
        plan: The plan.
        found: Its failures; of the first few the lines are read.
        most: How many lines of each.
    """
    assert plan.id is not None
    kept: dict[int, list[str]] = {}
    for failure in found[:_WITH_LINES]:
        if isinstance(failure.node, BaseAction):
            position = position_of(failure.node)
            records = (await vault.lines(plan.id, position))[-most:]
            lines = [Codec.decode_line(record.data) for record in records]
            # Of an earlier attempt, the output explains nothing.
            kept[position] = [
                line.text for line in lines if line.attempt == failure.attempts
            ]
    return kept


async def last_of_running(vault: Vault, plan: Plan) -> dict[int, list[str]]:
    """The last line of each action that runs, by position; of the first few."""
    assert plan.id is not None
    running = [each for each in actions(plan) if each.state.status is Status.RUNNING]
    found: dict[int, list[str]] = {}
    for action in running[:_WITH_LINES]:
        position = position_of(action)
        records = (await vault.lines(plan.id, position))[-1:]
        found[position] = [Codec.decode_line(record.data).text for record in records]
    return found


def show_failures(
    screen: Screen,
    found: Sequence[Failure],
    lines: Mapping[int, Sequence[str]],
    *,
    most: int,
    more: str,
) -> None:
    """Each failure: where, how it failed, and what it last said.

    Args:
        screen: Where to write.
        found: The failures.
        lines: The last lines of output, by the action's position.
        most: How many failures to show.
        more: What to type to see all of them; "" when nothing shows them.
    """
    # What made the plan fail comes first; then what it bore.
    ordered = sorted(found, key=lambda failure: failure.tolerated)
    for failure in ordered[:most]:
        screen.line(_where(screen, failure), indent=2)
        for text in _why(failure.error):
            screen.line(plain(text, "red"), indent=6)
        said = lines.get(position_of(failure.node), ()) if failure.node.id else ()
        error = str(failure.error)
        for text in said:
            if text.strip() in error:
                continue  # the error tells it already
            line = joined((f"{screen.signs.output} ", "dim"), shorten(text, 400))
            screen.line(line, indent=6)
    if len(ordered) > most:
        hidden = f"{screen.signs.more} and {len(ordered) - most:,} more"
        hidden += f": {more}" if more else ""
        screen.line(plain(hidden, "dim"), indent=2)


def _where(screen: Screen, failure: Failure) -> Text:
    _, _, below = failure.path.partition(SEPARATOR)
    facts: list[str] = []
    if failure.attempts > 1:
        facts.append(f"{failure.attempts:,} attempts")
    duration = failure.node.state.duration
    if duration is not None and duration >= timedelta(seconds=1):
        facts.append(f"in {took(duration)}")
    if failure.tolerated:
        facts.append("tolerated")
    return joined(
        (f"{screen.signs.failed} ", "red"),
        (display_path(below or failure.path), "bold"),
        (f"  ({', '.join(facts)})" if facts else "", "dim"),
    )


def _why(error: PluginError | None) -> list[str]:
    if error is None:
        return ["it failed; no action of it did"]
    lines: list[str] = []
    depth = 0
    while error is not None and depth < 20:
        because = "because: " if depth else ""
        code = f" (code {error.code})" if error.code else ""
        text = error.message or "an error without a message"
        first, *rest = display_lines(f"{text}{code}", limit=1_000) or [""]
        lines += [f"{because}{first}", *(f"  {line}" for line in rest)]
        error = error.wrapped
        depth += 1
    return lines
