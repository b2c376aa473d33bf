"""The page that ``workstream show`` prints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from .._plan.paths import SEPARATOR, labelled, paths
from .._plan.plan import (
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
)
from .._plan.plan import Sequence as PlanSequence
from .._plan.text import plan_text
from .._plan.walk import position_of
from .._show.failures import Failure
from .._values.clock import utc_now
from .._values.display import display_lines, shorten
from .._values.state import Status
from ._summary import headline, show_failures
from ._times import date_and_time, took
from .draw.screen import STYLES, Screen, joined, plain
from .options import Hints

_IN_FULL = 3
"""Up to so many things in a block that did not go well are shown with their actions."""
_OPENED = 10
"""So many sequences of a block have a line of their own, of each telling status."""
_NAMED = 6
"""So many of those that are put together are named."""
_FAILURES = 20
_RUNNING = 20


def show_page(
    screen: Screen,
    plan: Plan,
    *,
    owner: int | None,
    found: Sequence[Failure],
    lines: Mapping[int, Sequence[str]],
    hints: Hints,
    everything: bool,
) -> None:
    """Print the page.

    Args:
        screen: Where to.
        plan: The plan, scrubbed.
        owner: The process that runs it.
        found: Its failures.
        lines: What failed and running actions last said, by position.
        hints: Knows what to type next.
        everything: Whether the tree is shown whole.
    """
    assert plan.id is not None
    is_running = plan.state.status is Status.RUNNING
    crashed = is_running and owner is None
    headline(screen, plan, crashed=crashed)
    for fact in _facts(plan, owner):
        screen.line(fact, indent=2)
    if crashed:
        resume = hints.command("resume", plan.id)
        screen.line(joined(("go on with it:  ", "dim"), resume), indent=2)
    if found:
        screen.line()
        screen.line(plain("Failures", "bold"))
        more = f"{hints.command('show', plan.id)} --all"
        most = sys.maxsize if everything else _FAILURES
        show_failures(screen, found, lines, most=most, more=more)
    if is_running:
        _show_running(screen, plan, lines, crashed=crashed)
    screen.line()
    if everything:
        for line in plan_text(plan, times=True).splitlines():
            text = line.lstrip(" ")
            screen.line(text, indent=len(line) - len(text))
    else:
        screen.line(plain("Plan", "bold"))
        for depth, branch in _tree(screen, plan):
            screen.line(branch, indent=2 * depth)
        all_of_it = f"{hints.command('show', plan.id)} --all"
        screen.line(joined(("all of it:  ", "dim"), plain(all_of_it)), indent=2)
    screen.flush()


def _facts(plan: Plan, owner: int | None) -> Iterator[Text]:
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


def _show_running(
    screen: Screen, plan: Plan, lines: Mapping[int, Sequence[str]], *, crashed: bool
) -> None:
    running = [
        (path.partition(SEPARATOR)[2], item.node)
        for path, item in paths(plan)
        if isinstance(item.node, BaseAction)
        and item.node.state.status is Status.RUNNING
    ]
    if not running:
        return
    screen.line()
    title = "Was running when it crashed" if crashed else "Running now"
    screen.line(plain(title, "bold"))
    for path, action in running[:_RUNNING]:
        attempt = action.final_attempt
        line = joined((f"{screen.signs.running} ", "cyan"), shorten(path, 300))
        if attempt is not None and not crashed:
            line.append(f"  {took(utc_now() - attempt.started)}", "cyan")
        if len(action.attempts) > 1:
            line.append(f"  attempt {len(action.attempts):,}", "yellow")
        if attempt is not None and attempt.unresponsive:
            line.append("  goes on although it was cancelled", "bold red")
        for text in lines.get(position_of(action), ()):
            line.append("  " + shorten(text), "dim")
        screen.line(line, indent=2)
    if len(running) > _RUNNING:
        text = f"{screen.signs.more} and {len(running) - _RUNNING:,} more"
        screen.line(plain(text, "dim"), indent=2)


# -- The tree --------------------------------------------------------------------------


def _tree(screen: Screen, plan: Plan) -> Iterator[tuple[int, Text]]:
    """The plan's tree with its depths; what went well is cut short."""
    for label, node in labelled(plan):
        if node is None:
            continue
        if isinstance(node, Block):
            yield 1, _line(screen, label, node, _count(node.sequences))
            yield from _block(screen, node)
        elif isinstance(node, DeferredActions):
            yield 1, _line(screen, label, node)
            for inner, batch in labelled(node):
                if batch is not None:
                    yield from _opened(screen, inner, batch, 2)
        else:
            yield from _opened(screen, label, node, 1)


def _block(screen: Screen, block: Block) -> Iterator[tuple[int, Text]]:
    """What is in a block; nothing where its own line says it all."""
    children = [(label, node) for label, node in labelled(block) if node is not None]
    if not any(_is_telling(node) for _, node in children):
        return
    is_long = sum(_is_telling(node) for _, node in children) > _IN_FULL
    alike: dict[Status, list[str]] = {}
    opened: Counter[Status] = Counter()
    for label, node in children:
        status = node.state.status
        if isinstance(node, PlanSequence):
            opened[status] += 1
            if not _is_telling(node) or opened[status] > _OPENED:
                alike.setdefault(status, []).append(label)
                continue
        yield from _opened(screen, label, node, 2, brief=is_long)
    for status in sorted(alike, key=lambda each: each.value, reverse=True):
        yield 2, _many(screen, alike[status], status, more=_is_opened(status))


def _is_telling(node: Node) -> bool:
    """Whether one wants to see what is in it."""
    return _is_opened(node.state.status)


def _is_opened(status: Status) -> bool:
    return status in (Status.RUNNING, Status.FAILED, Status.STOPPED)


def _many(screen: Screen, labels: Sequence[str], status: Status, *, more: bool) -> Text:
    words = status.name.lower().replace("_", " ")
    # To leave out a single one would save nothing.
    first = labels if len(labels) <= _NAMED + 2 else labels[:_NAMED]
    named = ", ".join(shorten(label, 40) for label in first)
    if len(labels) > len(first):
        named += f" {screen.signs.more} {shorten(labels[-1], 40)}"
    return joined(
        (f"{screen.signs.of(status)} ", STYLES[status]),
        (f"{len(labels):,} {'more ' if more else ''}{words}: ", STYLES[status]),
        (named, "dim"),
    )


def _opened(
    screen: Screen, label: str, node: Node, depth: int, *, brief: bool = False
) -> Iterator[tuple[int, Text]]:
    """The object, and what is in it where that tells something."""
    is_running = node.state.status is Status.RUNNING
    if isinstance(node, PlanSequence) and (brief or is_running):
        # What failed or runs in it is shown above: here, how far it has come.
        yield depth, _line(screen, label, node, _how_far(node))
        return
    yield depth, _line(screen, label, node)
    if not _is_telling(node) or isinstance(node, BaseAction):
        return
    if isinstance(node, Checks | PlanSequence | DeferBatch):
        for inner, action in labelled(node):
            if action is not None:
                yield depth + 1, _line(screen, inner, action)


def _line(screen: Screen, label: str, node: Node, after: str = "") -> Text:
    status = node.state.status
    style = STYLES[status]
    words = status.name.lower().replace("_", " ")
    line = joined(
        (f"{screen.signs.of(status)} ", style),
        (shorten(label), "dim" if status is Status.NOT_STARTED else ""),
        (f"  {words}", style),
    )
    duration = node.state.duration
    # Of a continuous check, only its latest run has a duration.
    if duration is not None and label != "cont_checks":
        line.append(f"  {took(duration)}", "dim")
    if isinstance(node, BaseAction) and len(node.attempts) > 1:
        line.append(f"  {len(node.attempts):,} attempts", "yellow")
    return line.append(after, "dim")


def _how_far(sequence: PlanSequence) -> str:
    done = sum(each.state.status is Status.COMPLETED for each in sequence.actions)
    return f"  {done:,} of {len(sequence.actions):,} actions"


def _count(sequences: Sequence[PlanSequence]) -> str:
    done = sum(each.state.status is Status.COMPLETED for each in sequences)
    failed = sum(each.state.status is Status.FAILED for each in sequences)
    text = f"  {done:,} of {len(sequences):,} sequences"
    return f"{text}, {failed:,} failed" if failed else text
