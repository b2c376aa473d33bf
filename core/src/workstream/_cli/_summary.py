"""What became of a plan, in one glance: its outcome, and what failed where and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.text import Text

from .._plan.paths import SEPARATOR, display_path
from .._plan.plan import Plan
from .._show.failures import Failure
from .._show.overview import Overview
from .._show.words import outcome_words, took, why
from .._store.ids import short_id
from .._values.display import shorten
from .draw.screen import STYLES, Screen, joined, plain

_NAMED = 3
"""So many objects with the same failure have a line of their own."""


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


def show_failures(screen: Screen, shown: Overview, *, most: int, more: str) -> None:
    """Each cause: where, how it failed, and what was last said.

    Args:
        screen: Where to write.
        shown: The plan.
        most: How many failures to show.
        more: What to type to see all of them; "" when nothing shows them.
    """
    told = 0
    for cause in shown.causes:
        if told >= most:
            break
        told += _show_cause(screen, shown, cause, most - told)
    if len(shown.failures) > told:
        hidden = f"{screen.signs.more} and {len(shown.failures) - told:,} more"
        hidden += f": {more}" if more else ""
        screen.line(plain(hidden, "dim"), indent=2)


def _show_cause(
    screen: Screen, shown: Overview, cause: Sequence[Failure], most: int
) -> int:
    """Show failures that say the same; how many of them."""
    named = cause[: most if len(cause) <= _NAMED + 1 else min(most, _NAMED)]
    for failure in named:
        screen.line(_where(screen, failure), indent=2)
    others = cause[len(named) : most]
    if others:
        labels = ", ".join(display_path(_below(each)) for each in others)
        line = f"{screen.signs.failed} {len(others):,} more say the same: "
        screen.line(joined((line, "red"), shorten(labels, 400)), indent=2)
    for text in why(cause[0].error):
        screen.line(plain(text, "red"), indent=6)
    error = str(cause[0].error)
    for text in shown.said_by(cause[0].node):
        if text.strip() in error:
            continue  # the error tells it already
        line_said = joined((f"{screen.signs.output} ", "dim"), shorten(text, 400))
        screen.line(line_said, indent=6)
    return len(named) + len(others)


def _below(failure: Failure) -> str:
    return failure.path.partition(SEPARATOR)[2] or failure.path


def _where(screen: Screen, failure: Failure) -> Text:
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
        (display_path(_below(failure)), "bold"),
        (f"  ({', '.join(facts)})" if facts else "", "dim"),
    )
