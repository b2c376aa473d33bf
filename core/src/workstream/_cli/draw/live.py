"""What the screen shows of running plans: never more than fits on it.

``layout`` makes the lines from what is known, the time, and the screen's size, and does
nothing else; ``views`` decides who writes them, and how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.text import Text

from ..._plan.plan import Block, Checks
from ..._show.progress import Progress, RunningAction, Section
from ..._show.waiting import next_block
from ..._show.words import counts_words, gist, status_words
from ..._store.ids import short_id
from ..._values.display import one_line, shorten
from ..._values.durations import took
from ..._values.state import Status
from .screen import STYLES, Signs, joined, plain

_BRIEF_CHECK = timedelta(seconds=2)
"""A continuous check is shown as running only when it takes longer than this."""


def layout(
    plans: Sequence[Progress],
    now: datetime,
    width: int,
    height: int,
    signs: Signs,
) -> list[Text]:
    """The lines for these plans, none wider than the screen, no more than fit.

    Args:
        plans: The plans that are followed.
        now: The time.
        width: The screen's columns.
        height: Its lines.
        signs: The signs to use.
    """
    room = max(height - 1, 1)
    each = room // max(len(plans), 1)
    lines: list[Text] = []
    for progress in plans:
        if len(plans) > 1 and (each < 6 or progress.status.is_terminal):
            lines.append(_header(progress, now, signs))
        else:
            lines += _plan(progress, now, width, each, signs)
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], plain(f"{signs.more} {hidden} more lines", "dim")]
    for line in lines:
        line.no_wrap = True
        line.truncate(width - 1, overflow="ellipsis")
    return lines


def _plan(
    progress: Progress, now: datetime, width: int, room: int, signs: Signs
) -> list[Text]:
    failed = _failed(progress, max(room // 4, 1), signs)
    sections = _sections(progress, now, width, max(room // 3, 3), signs)
    left = room - 1 - len(sections) - len(failed) - bool(failed)
    running = _running(progress, now, width, max(left - 1, 1), signs)
    blank = [Text()] if left > len(running) else []
    return [_header(progress, now, signs), *sections, *blank, *running, *failed]


def _header(progress: Progress, now: datetime, signs: Signs) -> Text:
    status = progress.status
    words = status_words(status)
    if progress.stopping and status is Status.RUNNING:
        words = "stopping: what runs is finished"
    end = progress.ended or now
    time = f" {took(end - progress.started)}" if progress.started is not None else ""
    failures = f", {len(progress.failed):,} failed" if progress.failed else ""
    return joined(
        (shorten(progress.name, 100), "bold"),
        ("  " + short_id(progress.plan_id), "dim"),
        (f"  {words}{time}", STYLES[status]),
        (failures, "red"),
    )


# -- Sections --------------------------------------------------------------------------


def _sections(
    progress: Progress, now: datetime, width: int, room: int, signs: Signs
) -> list[Text]:
    sections = progress.sections
    first, last = 0, len(sections)
    if len(sections) > room:
        # What is under way is in the middle, with what comes next.
        current = next(
            (n for n, each in enumerate(sections) if not each.status.is_terminal),
            len(sections) - 1,
        )
        first = max(min(current - 1, len(sections) - room), 0)
        last = first + room
    shown = sections[first:last]
    column = min(
        max((cell_len(shorten(each.label)) for each in shown), default=0), width // 3
    )
    lines = [_section(each, progress, now, width, column, signs) for each in shown]
    if first:
        lines[0] = plain(f"  {signs.more} {first + 1:,} before", "dim")
    if last < len(sections):
        lines[-1] = plain(f"  {signs.more} {len(sections) - last + 1:,} more", "dim")
    return lines


def _section(
    section: Section,
    progress: Progress,
    now: datetime,
    width: int,
    column: int,
    signs: Signs,
) -> Text:
    style = STYLES[section.status]
    label = plain(shorten(section.label))
    label.truncate(column, overflow="ellipsis", pad=True)
    line = joined((f"{signs.of(section.status)} ", style), label)
    if section.status is Status.NOT_STARTED:
        line.stylize("dim")
        wait = next_block(progress, now)
        if wait is not None and wait.label == section.label:
            line.append(f"  {wait.why}", "dim")
        return line
    if section.status is Status.RUNNING and not isinstance(section.node, Checks):
        cells = 24 if width >= 80 else 10 if width >= 50 else 0
        line.append("  ").append_text(_bar(section, cells, signs))
        line.append(f" {section.done:,} of {section.total:,}")
        if section.failed:
            line.append(f", {section.failed:,} failed", "red")
            line.append(_allowance(section), "dim")
    elif not isinstance(section.node, Checks):
        line.append(
            "  " + counts_words(section.node, section.counts, section.total), "dim"
        )
    end = section.ended or now
    if section.started is not None and not _passes_quietly(section):
        line.append(f"  {took(end - section.started)}", "dim")
    return line


def _passes_quietly(section: Section) -> bool:
    """Whether it is a continuous check between or in two runs: its time says nothing."""
    return section.label == "cont_checks" and section.status is not Status.FAILED


def _bar(section: Section, cells: int, signs: Signs) -> Text:
    bar = Text()
    if not cells or not section.total:
        return bar
    at, seen = 0, 0
    for status in (Status.COMPLETED, Status.FAILED, Status.STOPPED):
        seen += section.counts[status]
        end = seen * cells // section.total
        bar.append(signs.full * (end - at), STYLES[status])
        at = end
    return bar.append(signs.empty * (cells - at), "dim")


def _allowance(section: Section) -> str:
    if not isinstance(section.node, Block):
        return ""
    limit = section.node.tolerated_failures
    return " (any may)" if limit < 0 else f" ({limit:,} may)"


# -- What runs, and what failed --------------------------------------------------------


def _running(
    progress: Progress, now: datetime, width: int, room: int, signs: Signs
) -> list[Text]:
    all_running = [each for each in progress.running.values() if _is_shown(each, now)]
    shown = all_running
    if len(shown) > room:
        shown = shown[: max(room - 1, 0)]
    labels = [shorten(each.place.label) for each in shown]
    column = min(max(map(cell_len, labels), default=0), width // 2)
    lines = [
        _running_line(each, label, now, column, signs)
        for each, label in zip(shown, labels, strict=True)
    ]
    hidden = len(all_running) - len(shown)
    if hidden:
        lines.append(plain(f"  {signs.more} and {hidden:,} more run now", "dim"))
    return lines


def _is_shown(running: RunningAction, now: datetime) -> bool:
    if running.place.checks != "cont_checks" or running.since is None:
        return True
    return now - running.since > _BRIEF_CHECK


def _running_line(
    running: RunningAction, label: str, now: datetime, column: int, signs: Signs
) -> Text:
    line = joined("  ", _ending(label, column, signs))
    since = took(now - running.since) if running.since is not None else ""
    line.append(f"  {since:>6}", "cyan")
    if running.attempt > 1 and running.error is None:
        line.append(f"  attempt {running.attempt:,}", "yellow")
    if running.unresponsive:
        line.append("  goes on although it was cancelled", "bold red")
    elif running.error is not None:
        error = gist(running.error)
        line.append(f"  attempt {running.attempt:,} failed, retries: {error}", "yellow")
    else:
        if running.done is not None:
            line.append("  " + _share(running.done, running.total))
        line.append("  " + one_line(running.line), "dim")
    return line


def _ending(label: str, column: int, signs: Signs) -> str:
    """The label in a column of this width; its end tells it from its siblings."""
    if cell_len(label) > column:
        while label and cell_len(signs.more) + cell_len(label) > column:
            label = label[1:]
        label = signs.more + label
    return label + " " * (column - cell_len(label))


def _share(done: float, total: float | None) -> str:
    if total is None:
        return f"{done:,g}"
    share = f" ({done / total:.0%})" if total > 0 else ""
    return f"{done:,g} of {total:,g}{share}"


def _failed(progress: Progress, room: int, signs: Signs) -> list[Text]:
    failed = list(progress.failed.values())
    # The latest are news; the others are in the summary at the end.
    shown = failed if len(failed) <= room else failed[-max(room - 1, 1) :]
    lines: list[Text] = []
    if len(shown) < len(failed):
        hidden = len(failed) - len(shown)
        lines.append(plain(f"  {signs.more} {hidden:,} failed before", "dim"))
    for each in shown:
        tolerated = " (tolerated)" if each.is_tolerated else ""
        error = gist(each.error) if each.error is not None else "failed"
        label = shorten(each.place.label)
        lines.append(
            joined(
                (f"  {signs.failed} ", "red"),
                label,
                (tolerated, "dim"),
                (f": {error}", "red"),
            )
        )
    return lines
