"""What the screen shows of running plans: never more than fits on it.

``layout`` makes the lines from what is known, the time, and the screen's size, and does
nothing else; ``views`` decides who writes them, and how often. The lines are texts and no
tables of rich's: those cost half a millisecond a row, eight times a second, beside the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, islice
from textwrap import wrap
from uuid import UUID

import attrs
from rich.cells import cell_len
from rich.text import Text

from ..._plan.paths import SEPARATOR
from ..._plan.plan import BaseAction, Block, Checks
from ..._protocols.approval import Approval, approval_of
from ..._show.outcomes import status_words
from ..._show.progress import FailedAction, Progress, RunningAction, Section
from ..._show.time_left import Pace, TimeLeft, so_far, time_left
from ..._show.waiting import next_block
from ..._show.words import counts_words, gist, hold_words, so_far_words
from ..._store.ids import short_id
from ..._values import folding
from ..._values.display import display, one_line, shorten
from ..._values.durations import took
from ..._values.folding import named, without_name
from ..._values.state import Status
from .screen import STYLES, Signs, joined, plain

_NARROW = 50
"""Columns below which a name takes nearly all of a line."""
_SAYING = 30
"""Columns from which on a line of output has room."""
_LEGIBLE = 16
"""Columns that an error needs beside names."""
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
        top = [self.header(), *self._pace(), *self._holds()]
        failed = self._failed(max(room // 4, 1))
        sections = self._sections(max(room // 3, 3))
        left = room - len(top) - len(sections) - len(failed) - bool(failed)
        running = self._running(max(left - 1, 1))
        blank = [Text()] if left > len(running) else []
        return [*top, *sections, *blank, *running, *failed]

    @property
    def is_narrow(self) -> bool:
        """Whether only what matters most has room."""
        return self.width < _NARROW

    def header(self) -> Text:
        """Its name, and how far it has come."""
        progress, status = self.progress, self.progress.status
        is_plain = self.is_narrow and status is Status.RUNNING
        words = "" if is_plain else status_words(status)
        if progress.stopping and status is Status.RUNNING:
            words = "stopping" if is_plain else "stopping: what runs is finished"
        elif progress.held and status is Status.RUNNING:
            words = "held" if is_plain else "held, nothing new begins; it has run"
        if progress.started is not None:
            words += f"{' ' if words else ''}{took((progress.ended or self.now) - progress.started)}"
        count = len(progress.failed)
        failures = f", {count:,} failed" if count else ""
        if self.is_narrow:
            failures = f" {self.signs.failed}{count:,}" if count else ""
        style = STYLES[status]
        if status is Status.COMPLETED and progress.failed:
            style = "yellow"  # green is for what needs no second look
        name = plain(shorten(progress.name, 100), "bold").styled()
        if self.is_narrow:
            room = self.width - 3 - cell_len(f"{words}{failures}")
            name.truncate(max(room, 4), overflow="ellipsis")
        return (
            name
            + joined(
                ("" if self.is_narrow else f"  {short_id(progress.plan_id)}", "dim"),
                (f"  {words}", style),
                (failures, "red"),
            ).styled()
        )

    def _pace(self) -> list[Text]:
        """How far all blocks have come, how fast, and how long it still takes."""
        found = so_far(self.progress, self.now)
        if self.progress.status is not Status.RUNNING or not found.of:
            return []
        words = so_far_words(found, self.left)
        if self.is_narrow:
            left = self.left.p50 if self.left is not None else found.left
            words = f"{found.done:,}/{found.of:,}"
            words += f", {took(left)} left" if left is not None else ""
        return [plain(f"  {words}", "dim").styled()]

    def _holds(self) -> list[Text]:
        """Who holds it, since when and why; as many lines as that takes."""
        if self.progress.status is not Status.RUNNING:
            return []
        return [
            plain(f"  {line}", "yellow").styled()
            for hold in self.progress.held
            for line in wrap(display(hold_words(hold)), max(self.width - 4, 10))[:4]
        ]

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
        most = self.width // 3
        if self.is_narrow:
            counts = (
                len(f"{each.done:,}/{each.total:,}") for each in shown if _counts(each)
            )
            most = self.width - 4 - max(counts, default=0)
        column = min(longest, most)
        lines = [self._section(each, column) for each in shown]
        if first:
            lines[0] = self._hidden(f"{first + 1:,} before")
        if last < len(sections):
            lines[-1] = self._hidden(f"{len(sections) - last + 1:,} more")
        for number in range(len(shown) - 1, -1, -1):
            detail = self._detail(shown[number])
            if detail and shown[number].status is Status.RUNNING:
                lines.insert(number + 1, plain(f"    {detail}", "dim").styled())
        return lines

    def _detail(self, section: Section) -> str:
        """In which batch a block is, and when its checks last passed."""
        return ", ".join(filter(None, (_batch(section), self._passed(section))))

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
            if not self.is_narrow:
                line.append("  ").append_text(self._bar(section))
            of = "/" if self.is_narrow else " of "
            line.append(f" {section.done:,}{of}{section.total:,}")
            if section.failed and not self.is_narrow:  # else the header tells it
                line.append(f", {section.failed:,} failed", "red")
                line.append(_allowance(section), "dim")
        else:
            words = counts_words(section.node, section.counts, section.total)
            line.append(f"  {words}", "dim")
        # A continuous check passes time and again: its time says nothing.
        passes = section.label == "cont_checks" and status is not Status.FAILED
        if passes and self.progress.status is Status.RUNNING:
            line.append(f"  {self._passed(section)}", "dim")
        if section.started is not None and not passes and not self.is_narrow:
            line.append(
                f"  {took((section.ended or self.now) - section.started)}", "dim"
            )
        return line

    def _passed(self, section: Section) -> str:
        """When its continuous checks last passed; the group of a plan is its own."""
        labels = (section.label, f"{section.label}{SEPARATOR}cont_checks")
        watched = [
            each.passed
            for each in self.progress.watching.values()
            if each.label in labels and each.passed is not None
        ]
        if not watched:
            return ""
        own = section.label == "cont_checks"
        words = "passed" if own else "checks passed"
        return f"{words} {took(self.now - max(watched))} ago"

    def _bar(self, section: Section) -> Text:
        cells = 24 if self.width >= 100 else 0 if self.is_narrow else 12
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
        asking = sum(self._asked(each) is not None for each in running)
        fit = max(room - asking, 1)  # a question may take a line more
        shown = running if len(running) <= fit else running[: max(fit - 1, 0)]
        longest = max(
            (cell_len(shorten(each.place.label)) for each in shown), default=0
        )
        # Of what there is no room for, names of hosts are the last.
        most = self.width - 11 if self.is_narrow else self.width // 2
        column = min(longest, most)
        lines = [line for each in shown for line in self._running_lines(each, column)]
        if len(shown) < len(running):
            hidden = len(running) - len(shown)
            lines.append(self._hidden(f"and {hidden:,} more run now"))
        return lines

    def _shows(self, running: RunningAction) -> bool:
        if running.place.checks != "cont_checks" or running.since is None:
            return True
        return self.now - running.since > _BRIEF_CHECK

    def _asked(self, running: RunningAction) -> Approval | None:
        """What it asks of somebody now."""
        node = running.place.node
        waits = running.error is not None or bool(running.waits_for)
        return approval_of(node) if isinstance(node, BaseAction) and not waits else None

    def _running_lines(self, running: RunningAction, column: int) -> list[Text]:
        """One line; two where a question has no room beside what to type."""
        line = self._running_line(running, column)
        asked = self._asked(running)
        if asked is None:
            return [line]
        question = one_line(asked.words())
        if self.width >= _SAYING:
            command = f"  workstream approve {short_id(self.progress.plan_id)}"
            line.append(command, "bold")
        if line.cell_len + 2 + cell_len(question) < self.width:
            return [line.append(f"  {question}", "yellow")]
        return [
            line,
            *(
                plain(f"    {part}", "yellow").styled()
                for part in wrap(question, self.width - 6)[:2]
            ),
        ]

    def _running_line(self, running: RunningAction, column: int) -> Text:
        label = self._fitted(
            running.place.label, column, is_check=running.place.checks is not None
        )
        line = joined("  ", label).styled()
        since = took(self.now - running.since) if running.since is not None else ""
        waits = running.error is not None or bool(running.waits_for)
        line.append(f"  {since:>6}", "yellow" if waits else "cyan")
        if self.width < _SAYING or self._asked(running) is not None:
            return line
        attempt = f"  attempt {running.attempt:,}"
        if running.attempt > 1 and running.error is None:
            line.append(attempt, "yellow")
        if running.waits_for:
            line.append(f"  waits for {one_line(running.waits_for)}", "yellow")
        elif running.unresponsive:
            line.append("  goes on although it was cancelled", "bold red")
        elif running.error is not None:
            line.append(f"{attempt} failed, retries: {gist(running.error)}", "yellow")
        else:
            if running.done is not None:
                line.append(f"  {_share(running.done, running.total)}")
            line.append(f"  {one_line(running.line)}" if running.line else "", "dim")
        return line

    def _fitted(self, label: str, column: int, *, is_check: bool = False) -> str:
        """The label in a column of this width: the host's name goes last, its end at last."""
        parts = label.split(SEPARATOR)
        host = parts[1] if len(parts) > 2 and not is_check else parts[-1]
        forms = [
            label,
            SEPARATOR.join(parts[1:]),
            f"{host}{SEPARATOR}{parts[-1]}",
            host,
        ]
        fitting = (form for form in forms if form and cell_len(form) <= column)
        text = next(fitting, "")
        if not text:
            text = host
            while text and cell_len(self.signs.more) + cell_len(text) > column:
                text = text[1:]
            text = self.signs.more + text
        text = shorten(text)
        return text + " " * (column - cell_len(text))

    def _failed(self, room: int) -> list[Text]:
        """The causes of failures so far, the most frequent first, and whom they struck."""
        causes = sorted(self.progress.causes.values(), key=len, reverse=True)
        lines: list[Text] = []
        for number, cause in enumerate(causes):
            told = self._cause(cause)
            if len(lines) + len(told) > room - (number < len(causes) - 1) and lines:
                others = sum(map(len, causes[number:]))
                words = f"and {others:,} failed of other causes"
                return [*lines, self._hidden(words)]
            lines += told
        return lines

    def _cause(self, cause: Mapping[int, FailedAction]) -> list[Text]:
        """What failures of one cause say, and where: names are the last to be cut."""
        first = next(iter(cause.values()))
        names = [_host(each) for each in islice(cause.values(), 3)]
        more = len(cause) - 1
        whos = [
            ", ".join(names[:2]) + f" and {more - 1:,} others"
            if more > 2
            else named(names)
        ]
        whos += [f"{names[0]} +{more:,}"] if more else []
        text = gist(first.error) if first.error is not None else "failed"
        text = folding.shown(without_name(text, names[0])) if more else text
        text += " (tolerated)" if first.is_tolerated else ""
        sign = (f"  {self.signs.failed} ", "red")
        room = self.width - 2 - cell_len(sign[0])
        for who in whos:
            if cell_len(f"{text}: {who}") <= room:
                return [joined(sign, (text, "red"), ": ", who).styled()]
        for who in whos:
            left = room - cell_len(f": {who}")
            if left >= _LEGIBLE:
                line = joined(sign, (text, "red")).styled()
                line.truncate(left + cell_len(sign[0]), overflow="ellipsis")
                return [line.append_text(joined(": ", who).styled())]
        fitting = (each for each in whos if cell_len(each) <= room)
        who = self._fitted(next(fitting, whos[-1]), room).rstrip()
        return [joined(sign, (text, "red")).styled(), joined("    ", who).styled()]


def _host(failed: FailedAction) -> str:
    """The name of the sequence that failed; of what is in none, its whole place."""
    label = failed.place.label
    parts = label.split(SEPARATOR)
    return shorten(parts[1] if failed.place.in_block and len(parts) > 2 else label)


def _counts(section: Section) -> bool:
    """Whether a narrow screen counts its parts."""
    return section.status is Status.RUNNING and not isinstance(section.node, Checks)


def _batch(section: Section) -> str:
    """Which of its batches a block is in."""
    sizes = section.node.batch_sizes if isinstance(section.node, Block) else []
    if len(sizes) < 2:
        return ""
    begun = section.total - section.counts[Status.NOT_STARTED]
    reached = [*accumulate(sizes)]
    number = next((n for n, end in enumerate(reached, 1) if begun <= end), len(sizes))
    return f"batch {number:,} of {len(sizes):,}"


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
