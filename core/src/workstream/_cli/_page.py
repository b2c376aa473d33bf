"""The page that ``workstream show`` prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.text import Text

from .._plan.paths import SEPARATOR, paths
from .._plan.text import plan_text
from .._show.outline import Branch, outline
from .._show.overview import Overview
from .._show.words import status_words, took
from .._values.clock import utc_now
from .._values.display import display_lines, shorten
from .._values.state import Status
from ._summary import headline, show_failures
from ._times import date_and_time
from .draw.screen import STYLES, Screen, joined, plain
from .options import Hints

_NAMED = 6
"""So many of those that are put together are named."""
_FAILURES = 20
_RUNNING = 20


def show_page(
    screen: Screen, shown: Overview, *, hints: Hints, everything: bool
) -> None:
    """Print the page.

    Args:
        screen: Where to.
        shown: The plan.
        hints: Knows what to type next.
        everything: Whether the tree is shown whole.
    """
    plan, crashed = shown.plan, shown.entry.crashed
    assert plan.id is not None
    headline(screen, plan, crashed=crashed)
    for fact in _facts(shown):
        screen.line(fact, indent=2)
    if crashed:
        resume = hints.command("resume", plan.id)
        screen.line(joined(("go on with it:  ", "dim"), resume), indent=2)
    if shown.failures:
        screen.line()
        screen.line(plain("Failures", "bold"))
        more = f"{hints.command('show', plan.id)} --all"
        most = sys.maxsize if everything else _FAILURES
        show_failures(screen, shown, most=most, more=more)
    if shown.running:
        _show_running(screen, shown)
    _show_waits(screen, shown)
    screen.line()
    if everything:
        for line in plan_text(plan, times=True).splitlines():
            text = line.lstrip(" ")
            screen.line(text, indent=len(line) - len(text))
    else:
        screen.line(plain("Plan", "bold"))
        for branch in outline(plan):
            screen.line(_branch(screen, branch), indent=2 * branch.depth)
        all_of_it = f"{hints.command('show', plan.id)} --all"
        screen.line(joined(("all of it:  ", "dim"), plain(all_of_it)), indent=2)
    screen.flush()


def _facts(shown: Overview) -> Iterator[Text]:
    plan, owner = shown.plan, shown.entry.owner
    for line in display_lines(plan.description, most=5):
        yield Text(line)
    facts = [f"id {plan.id}"]
    if plan.group_id is not None:
        facts.append(f"group {plan.group_id}")
    yield plain(", ".join(facts), "dim")
    times: list[str] = []
    if plan.state.started is not None:
        times.append(f"started {date_and_time(plan.state.started)}")
    elif plan.submitted is not None:
        times.append(f"submitted {date_and_time(plan.submitted)}")
    if plan.state.ended is not None:
        times.append(f"ended {date_and_time(plan.state.ended)}")
    if plan.state.status is Status.RUNNING and owner is not None:
        times.append(f"run by process {owner}")
    yield plain(", ".join(times), "dim")


# -- What runs -------------------------------------------------------------------------


def _show_running(screen: Screen, shown: Overview) -> None:
    crashed = shown.entry.crashed
    screen.line()
    title = "Was running when it crashed" if crashed else "Running now"
    screen.line(plain(title, "bold"))
    labels = {id(item.node): path for path, item in paths(shown.plan)}
    for action in shown.running[:_RUNNING]:
        path = labels[id(action)].partition(SEPARATOR)[2]
        attempt = action.final_attempt
        line = joined((f"{screen.signs.running} ", "cyan"), shorten(path, 300))
        if attempt is not None and not crashed:
            line.append(f"  {took(utc_now() - attempt.started)}", "cyan")
        if len(action.attempts) > 1:
            line.append(f"  attempt {len(action.attempts):,}", "yellow")
        if attempt is not None and attempt.unresponsive:
            line.append("  goes on although it was cancelled", "bold red")
        for text in shown.said_by(action):
            line.append("  " + shorten(text), "dim")
        screen.line(line, indent=2)
    if len(shown.running) > _RUNNING:
        text = f"{screen.signs.more} and {len(shown.running) - _RUNNING:,} more"
        screen.line(plain(text, "dim"), indent=2)


def _show_waits(screen: Screen, shown: Overview) -> None:
    """What waits and why; what was asked, and not taken yet."""
    lines = [
        joined(
            (f"{screen.signs.waiting} ", "yellow"),
            shorten(wait.label, 300),
            (f"  {wait.why}", "dim"),
        )
        for wait in ([] if shown.entry.crashed else shown.waits(utc_now()))
    ]
    for request in shown.requests:
        because = f": {request.reason}" if request.reason else ""
        words = f"{request.verb} was asked for by {request.by}{because}"
        line = joined((f"{screen.signs.waiting} {shorten(words, 400)}", "yellow"))
        lines.append(line)
    if lines:
        screen.line()
        screen.line(plain("Waiting", "bold"))
    for line in lines[:_RUNNING]:
        screen.line(line, indent=2)


# -- The tree --------------------------------------------------------------------------


def _branch(screen: Screen, branch: Branch) -> Text:
    style = STYLES[branch.status]
    sign = (f"{screen.signs.of(branch.status)} ", style)
    words = status_words(branch.status)
    if branch.alike:
        # To leave out a single one would save nothing.
        labels = branch.alike
        first = labels if len(labels) <= _NAMED + 2 else labels[:_NAMED]
        named = ", ".join(shorten(label, 40) for label in first)
        if len(labels) > len(first):
            named += f" {screen.signs.more} {shorten(labels[-1], 40)}"
        more = "more " if branch.more else ""
        return joined(sign, (f"{len(labels):,} {more}{words}: ", style), (named, "dim"))
    dim = "dim" if branch.status is Status.NOT_STARTED else ""
    line = joined(sign, (shorten(branch.label), dim), (f"  {words}", style))
    if branch.duration is not None:
        line.append(f"  {took(branch.duration)}", "dim")
    if branch.attempts > 1:
        line.append(f"  {branch.attempts:,} attempts", "yellow")
    return line.append(f"  {branch.done}" if branch.done else "", "dim")
