"""What the screen shows of running plans: never more than fits on it.

``layout`` makes the lines from what is known, the time, and the screen's size, and does
nothing else; ``views`` decides who writes them, and how often. The lines are texts and no
tables of rich's: those cost half a millisecond a row, eight times a second, beside the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import attrs
from rich.cells import cell_len
from rich.text import Text

from ..._plan.plan import Block, Checks
from ..._show.outcomes import status_words
from ..._show.progress import Progress, RunningAction, Section
from ..._show.time_left import Pace, TimeLeft, time_left
from ..._show.waiting import next_block
from ..._show.words import counts_words, gist, hold_words, time_left_words
from ..._store.ids import short_id
from ..._values.display import one_line, shorten
from ..._values.durations import took
from ..._values.state import Status
from .line import joined, plain
from .screen import STYLES, Signs

_BRIEF_CHECK = timedelta(seconds=2)
"""A continuous check is shown as running only when it takes longer than this."""


def layout(
    plans: Sequence[Progress],
    now: datetime,
    width: int,
    height: int,
    signs: Signs,
    *,
    paces: Mapping[UUID, Sequence[Pace]] | None = None,
) -> list[Text]:
    """The lines for these plans, none wider than the screen, no more than fit.

    Args:
        plans: The plans that are followed.
        now: The time.
        width: The screen's columns.
        height: Its lines.
        signs: The signs to use.
        paces: How earlier runs of the plans went.
    """
    room = max(height - 1, 1)
    each = room // max(len(plans), 1)
    lines: list[Text] = []
    for progress in plans:
        known = (paces or {}).get(progress.plan_id, ())
        drawn = _Plan(progress, now, width, signs, time_left(known, progress, now))
        is_brief = len(plans) > 1 and (each < 6 or progress.status.is_terminal)
        lines += [drawn.header()] if is_brief else drawn.lines(each)
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], _dim(f"{signs.more} {hidden} more lines")]
    for line in lines:
        line.no_wrap = True
        line.truncate(width - 1, overflow="ellipsis")
    return lines


@attrs.frozen
class _Plan:
    """One plan, to be drawn."""

    progress: Progress
    now: datetime
    width: int
    signs: Signs
    left: TimeLeft | None

    def lines(self, room: int) -> list[Text]:
        """All that there is room for."""
        failed = self._failed(max(room // 4, 1))
        sections = self._sections(max(room // 3, 3))
        left = room - 1 - len(sections) - len(failed) - bool(failed)
        running = self._running(max(left - 1, 1))
        blank = [Text()] if left > len(running) else []
        return [self.header(), *sections, *blank, *running, *failed]

    def header(self) -> Text:
        """Its name, and how far it has come."""
        progress, status = self.progress, self.progress.status
        words = status_words(status)
        if progress.stopping and status is Status.RUNNING:
            words = "stopping: what runs is finished"
        elif progress.held and status is Status.RUNNING:
            words = f"held: {'; '.join(map(hold_words, progress.held))}; it has run"
        if progress.started is not None:
            words += f" {took((progress.ended or self.now) - progress.started)}"
        if self.left is not None:
            words += f", {time_left_words(self.left)}"
        failures = f", {len(progress.failed):,} failed" if progress.failed else ""
        return joined(
            (shorten(progress.name, 100), "bold"),
            ("  " + short_id(progress.plan_id), "dim"),
            (f"  {words}", STYLES[status]),
            (failures, "red"),
        ).styled()

    def _hidden(self, text: str) -> Text:
        return _dim(f"  {self.signs.more} {text}")

    # -- Sections ----------------------------------------------------------------------

    def _sections(self, room: int) -> list[Text]:
        sections = self.progress.sections
        first, last = 0, len(sections)
        if len(sections) > room:
            # What is under way is in the middle, with what comes next.
            ended = [each.status.is_terminal for each in sections]
            current = len(sections) - 1 if all(ended) else ended.index(False)
            first = max(min(current - 1, len(sections) - room), 0)
            last = first + room
        shown = sections[first:last]
        longest = max((cell_len(shorten(each.label)) for each in shown), default=0)
        column = min(longest, self.width // 3)
        lines = [self._section(each, column) for each in shown]
        if first:
            lines[0] = self._hidden(f"{first + 1:,} before")
        if last < len(sections):
            lines[-1] = self._hidden(f"{len(sections) - last + 1:,} more")
        return lines

    def _section(self, section: Section, column: int) -> Text:
        status = section.status
        label = plain(shorten(section.label)).styled()
        label.truncate(column, overflow="ellipsis", pad=True)
        line = Text(f"{self.signs.of(status)} ", STYLES[status]).append_text(label)
        if status is Status.NOT_STARTED:
            line.stylize("dim")
            wait = next_block(self.progress, self.now)
            if wait is not None and wait.label == section.label:
                line.append(f"  {wait.why}", "dim")
            return line
        if isinstance(section.node, Checks):
            pass
        elif status is Status.RUNNING:
            line.append("  ").append_text(self._bar(section))
            line.append(f" {section.done:,} of {section.total:,}")
            if section.failed:
                line.append(f", {section.failed:,} failed", "red")
                line.append(_allowance(section), "dim")
        else:
            words = counts_words(section.node, section.counts, section.total)
            line.append(f"  {words}", "dim")
        # A continuous check passes time and again: its time says nothing.
        passes = section.label == "cont_checks" and status is not Status.FAILED
        if section.started is not None and not passes:
            line.append(
                f"  {took((section.ended or self.now) - section.started)}", "dim"
            )
        return line

    def _bar(self, section: Section) -> Text:
        cells = 24 if self.width >= 80 else 10 if self.width >= 50 else 0
        bar = Text()
        at, seen = 0, 0
        for status in (
            Status.COMPLETED,
            Status.SKIPPED,
            Status.FAILED,
            Status.STOPPED,
        ):
            seen += section.counts[status]
            end = seen * cells // max(section.total, 1)
            bar.append(self.signs.full * (end - at), STYLES[status])
            at = end
        return bar.append(self.signs.empty * (cells - at), "dim")

    # -- What runs, and what failed ----------------------------------------------------

    def _running(self, room: int) -> list[Text]:
        running = [each for each in self.progress.running.values() if self._shows(each)]
        shown = running if len(running) <= room else running[: max(room - 1, 0)]
        longest = max(
            (cell_len(shorten(each.place.label)) for each in shown), default=0
        )
        column = min(longest, self.width // 2)
        lines = [self._running_line(each, column) for each in shown]
        if len(shown) < len(running):
            hidden = len(running) - len(shown)
            lines.append(self._hidden(f"and {hidden:,} more run now"))
        return lines

    def _shows(self, running: RunningAction) -> bool:
        if running.place.checks != "cont_checks" or running.since is None:
            return True
        return self.now - running.since > _BRIEF_CHECK

    def _running_line(self, running: RunningAction, column: int) -> Text:
        label = self._ending(shorten(running.place.label), column)
        line = joined("  ", label).styled()
        since = took(self.now - running.since) if running.since is not None else ""
        line.append(f"  {since:>6}", "cyan")
        attempt = f"  attempt {running.attempt:,}"
        if running.attempt > 1 and running.error is None:
            line.append(attempt, "yellow")
        if running.unresponsive:
            line.append("  goes on although it was cancelled", "bold red")
        elif running.error is not None:
            line.append(f"{attempt} failed, retries: {gist(running.error)}", "yellow")
        else:
            if running.done is not None:
                line.append(f"  {_share(running.done, running.total)}")
            line.append(f"  {one_line(running.line)}", "dim")
        return line

    def _ending(self, label: str, column: int) -> str:
        """The label in a column of this width; its end tells it from its siblings."""
        if cell_len(label) > column:
            while label and cell_len(self.signs.more) + cell_len(label) > column:
                label = label[1:]
            label = self.signs.more + label
        return label + " " * (column - cell_len(label))

    def _failed(self, room: int) -> list[Text]:
        failed = list(self.progress.failed.values())
        # The latest are news; the others are in the summary at the end.
        shown = failed if len(failed) <= room else failed[-max(room - 1, 1) :]
        lines: list[Text] = []
        if len(shown) < len(failed):
            lines.append(self._hidden(f"{len(failed) - len(shown):,} failed before"))
        for each in shown:
            sign = (f"  {self.signs.failed} ", "red")
            tolerated = (" (tolerated)" if each.is_tolerated else "", "dim")
            error = (f": {gist(each.error) if each.error else 'failed'}", "red")
            label = shorten(each.place.label)
            lines.append(joined(sign, label, tolerated, error).styled())
        return lines


def _dim(text: str) -> Text:
    return plain(text, "dim").styled()


def _allowance(section: Section) -> str:
    if not isinstance(section.node, Block):
        return ""
    limit = section.node.tolerance
    return " (any may)" if limit < 0 else f" ({limit:,} may)"


def _share(done: float, total: float | None) -> str:
    if total is None:
        return f"{done:,g}"
    share = f" ({done / total:.0%})" if total > 0 else ""
    return f"{done:,g} of {total:,g}{share}"
