"""Stored plans for people: the page of one, and how a run ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ..._interpreter.interventions import data_of
from ..._plan.outcome import Outcome
from ..._plan.paths import below_plan, display_path, paths
from ..._plan.plan import Plan
from ..._plan.sequels.retry import left_of
from ..._protocols.approval import said
from ..._protocols.vault import owner_text
from ..._show.failures import Failure
from ..._show.outcomes import outcome_words
from ..._show.overview import Overview
from ..._show.words import hold_words, left_words, why
from ..._store.ids import short_id
from ..._values.clock import utc_now
from ..._values.display import display_lines, one_line, shorten
from ..._values.durations import took
from ..._values.folding import folded
from ..._values.interventions import Verb
from ..._values.state import Status
from ..call import Call
from .screen import STYLES, Line, Screen, joined, moment, style_of

if TYPE_CHECKING:
    from ..._show.outline import Branch

_NAMED = 6
"""So many of those that are put together are named."""
_PLACES = 4
"""So many lines tell where one cause struck."""
_FAILURES = 20
_RUNNING = 20
_FOLLOWED = 20


# -- How a run ended -------------------------------------------------------------------


def headline(screen: Screen, plan: Plan, *, crashed: bool = False) -> None:
    """The plan's name and its outcome.

    Args:
        screen: Where to write.
        plan: The plan, scrubbed.
        crashed: Whether it is R and no process runs it.
    """
    status = plan.state.status
    style = style_of(plan, status, crashed=crashed)
    duration = plan.state.duration
    time = f" in {took(duration)}" if duration is not None else ""
    tolerated = plan.outcome is Outcome.COMPLETED_WITH_FAILURES
    sign = screen.signs.warned if tolerated else screen.signs.of(status)
    sign = screen.signs.failed if crashed else sign
    words = outcome_words(plan, crashed=crashed)
    short = f"  {short_id(plan.id)}" if plan.id is not None else ""
    name = (shorten(plan.name), "bold")
    line = joined((f"{sign} ", style), name, ": ", (words, style), time, (short, "dim"))
    screen.line(line)


def show_failures(screen: Screen, shown: Overview, *, most: int, more: str) -> None:
    """Each cause: where, how it failed, and what the action last said.

    Args:
        screen: Where to write.
        shown: The plan.
        most: How many causes to show.
        more: What to type to see all of them; "" when nothing shows them.
    """
    causes = shown.causes
    for cause in causes[:most]:
        _show_cause(screen, shown, cause, everything=most == sys.maxsize)
    hidden = sum(map(len, causes[most:]))
    if hidden:
        text = f"{screen.signs.more} and {hidden:,} more"
        screen.line(f"{text}: {more}" if more else text, "dim", indent=2)


def _show_cause(
    screen: Screen, shown: Overview, cause: Sequence[Failure], *, everything: bool
) -> None:
    """Show failures that say the same but for the names."""
    wheres = [below_plan(each.path) for each in cause]
    places = folded(wheres, sys.maxsize if everything else _NAMED)
    for place, count in places[: sys.maxsize if everything else _PLACES]:
        alike = [cause[wheres.index(place)]] if count == 1 else cause
        facts = _facts_of(alike, count)
        mark, where = (f"{screen.signs.failed} ", "red"), (display_path(place), "bold")
        screen.line(joined(mark, where, (facts, "dim")), indent=2)
    if len(places) > _PLACES and not everything:
        others = sum(count for _, count in places[_PLACES:])
        line = f"{screen.signs.failed} and {others:,} more that say the same"
        screen.line(line, "red", indent=2)
    for text in why(cause[0].error):
        screen.line(text, "red", indent=6)
    for text in shown.output_of(cause[0]):
        output = (f"{screen.signs.output} ", "dim")
        screen.line(joined(output, one_line(text, 400)), indent=6)


def _facts_of(alike: Sequence[Failure], count: int) -> str:
    facts = [f"{count:,} failures"] if count > 1 else []
    attempts = max(each.attempts for each in alike)
    if attempts > 1:
        facts.append(f"{attempts:,} attempts")
    duration = alike[0].node.state.duration
    if len(alike) == 1 and duration is not None and duration >= timedelta(seconds=1):
        facts.append(f"in {took(duration)}")
    if alike[0].tolerated:
        facts.append("tolerated")
    return f"  ({', '.join(facts)})" if facts else ""


# -- One plan --------------------------------------------------------------------------


def show_page(call: Call, shown: Overview, *, everything: bool) -> None:
    """Print the page of ``workstream show``.

    Args:
        call: Where to.
        shown: The plan.
        everything: Whether the tree is shown whole.
    """
    from ..._plan.text import plan_text  # the end of a run has none of these
    from ..._show.consequences import consequences
    from ..._show.outline import outline

    plan, crashed, screen = shown.plan, shown.entry.crashed, call.screen
    assert plan.id is not None
    headline(screen, plan, crashed=crashed)
    for line in display_lines(plan.description, most=5):
        screen.line(Line(line), indent=2)
    for facts in filter(None, _facts(shown)):
        screen.line(", ".join(facts), "dim", indent=2)
    if crashed:
        call.hint("go on with it", "resume", plan.id)
    for hold in plan.held:
        screen.line(hold_words(hold), "yellow", indent=2)
        if hold.verb is Verb.PAUSE:
            call.hint("let it go on", "unpause", plan.id)
        else:
            call.hint("let it go on", "unfreeze")
    all_of_it = f"{call.command('show', plan.id)} --all"
    if shown.failures:
        screen.heading("Failures")
        most = sys.maxsize if everything else _FAILURES
        show_failures(screen, shown, most=most, more=all_of_it)
    followed = consequences(plan)
    if followed:
        screen.heading("What followed")
        for text in followed[: sys.maxsize if everything else _FOLLOWED]:
            screen.line(text, indent=2)
    if shown.running:
        screen.heading("Was running when it crashed" if crashed else "Running now")
        _show_some(screen, list(_running(screen, shown)))
    waiting = list(_waiting(call, shown))
    if waiting:
        screen.heading("Waiting")
        _show_some(screen, waiting)
    for asked in shown.asked[:_RUNNING]:
        approve = call.command("approve", plan.id, below_plan(asked.path))
        screen.hint("decide", f"{approve}  (or reject)", indent=2)
    if everything:
        screen.line()
        for line in plan_text(plan, times=True).splitlines():
            text = line.lstrip(" ")
            screen.line(text, indent=len(line) - len(text))
        return
    screen.heading("Plan")
    for branch in outline(plan):
        screen.line(_branch(screen, branch), indent=2 * branch.depth)
    screen.hint("all of it", all_of_it, indent=2)
    hint_next(call, shown)


def hint_next(call: Call, shown: Overview) -> None:
    """Say what can be done about a plan as it stands, and what to type for it."""
    plan = shown.plan
    if plan.outcome is Outcome.RUNNING and not shown.entry.crashed:
        if call.file is None:
            call.hint("follow it", "watch", plan.id)
        return
    if not plan.state.status.is_terminal or plan.outcome is Outcome.COMPLETED:
        return
    call.hint(left_words(left_of(plan)) or "do it again", "retry", plan.id)
    sequences = (each for block in plan.blocks for each in block.sequences)
    if call.file is None and any(
        batch.state.status is not Status.COMPLETED and sequence.state.started
        for sequence in sequences
        for batch in sequence.undo_batches
    ):
        call.hint("take it back", "undo", plan.id)


def _facts(shown: Overview) -> Iterator[list[str]]:
    plan, owner, state = shown.plan, shown.entry.owner, shown.plan.state
    yield [f"id {plan.id}", *([f"group {plan.group_id}"] if plan.group_id else [])]
    times: list[str] = []
    if state.started is not None:
        times.append(f"started {moment(state.started)}")
    elif plan.submitted is not None:
        times.append(f"submitted {moment(plan.submitted)}")
    if state.ended is not None:
        times.append(f"ended {moment(state.ended)}")
    if state.status is Status.RUNNING and owner is not None:
        times.append(f"run by {one_line(owner_text(owner), 120)}")
    yield times
    yield _origin_facts(plan)
    yield shown.lineage


def _origin_facts(plan: Plan) -> list[str]:
    """Who submitted it, and from which file with which parameters (RT-5)."""
    facts = [f"by {one_line(plan.submitter, 80)}"] if plan.submitter else []
    origin = plan.origin
    if origin is None:
        return facts
    if origin.by != plan.submitter:
        facts.append(f"made by {one_line(origin.by, 80)}")
    digest = f" ({origin.digest[:19]})" if origin.digest else ""
    host = f" on {one_line(origin.host, 80)}" if origin.host else ""
    facts.append(f"from {shorten(origin.file, 120)}{digest}{host}")
    facts += [one_line(f"-p {name}={text}", 60) for name, text in origin.parameters]
    return facts


def _show_some(screen: Screen, lines: Sequence[Line]) -> None:
    for line in lines[:_RUNNING]:
        screen.line(line, indent=2)
    if len(lines) > _RUNNING:
        more = f"{screen.signs.more} and {len(lines) - _RUNNING:,} more"
        screen.line(more, "dim", indent=2)


def _running(screen: Screen, shown: Overview) -> Iterator[Line]:
    crashed = shown.entry.crashed
    labels = {id(item.node): path for path, item in paths(shown.plan)}
    for action in shown.running:
        path = below_plan(labels[id(action)])
        attempt = action.final_attempt
        line = joined((f"{screen.signs.running} ", "cyan"), shorten(path, 300))
        wait = shown.wait_of(action)
        if wait:
            line.append(f"  waits for {one_line(wait, 120)}", "yellow")
        elif attempt is not None and not crashed:
            line.append(f"  {took(utc_now() - attempt.started)}", "cyan")
        if len(action.attempts) > 1:
            line.append(f"  attempt {len(action.attempts):,}", "yellow")
        if attempt is not None and attempt.unresponsive:
            line.append("  goes on although it was cancelled", "bold red")
        for text in shown.said_by(action):
            line.append(f"  {one_line(text)}", "dim")
        yield line


def _waiting(call: Call, shown: Overview) -> Iterator[Line]:
    """What waits and why; what was asked, and not taken yet."""
    sign = (f"{call.screen.signs.waiting} ", "yellow")
    for wait in [] if shown.entry.crashed else shown.waits(utc_now()):
        yield joined(sign, shorten(wait.label, 300), (f"  {wait.why}", "dim"))
    for asked in shown.asked:
        label = shorten(below_plan(asked.path), 300)
        yield joined(sign, label, (f"  {one_line(asked.words, 400)}", "yellow"))
    for request in shown.requests:
        because = f": {request.reason}" if request.reason else ""
        verb = said(request.verb, data_of(request))
        words = f"{verb} was asked for by {request.by}{because}"
        taken = ""
        if shown.entry.owner is None and shown.plan.id is not None:
            taken = f"  taken by:  {call.command('resume', shown.plan.id)}"
        yield joined(sign, (one_line(words, 400), "yellow"), (taken, "dim"))


def _branch(screen: Screen, branch: Branch) -> Line:
    style = STYLES[branch.status]
    sign = (f"{screen.signs.of(branch.status)} ", style)
    words = branch.words
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
