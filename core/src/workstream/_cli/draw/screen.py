"""Where a command writes for people: styles, signs, and lines that fit.

rich draws a line where there are colours. Elsewhere nobody needs rich, and importing it
takes longer than all else that a list does.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, NamedTuple, TextIO, cast
from uuid import UUID

from ..._plan.outcome import Outcome
from ..._protocols.vault import PlanRow
from ..._show.outcomes import outcome_words
from ..._store.entries import PlanEntry
from ..._store.ids import short_id
from ..._values.clock import utc_now
from ..._values.display import display, shorten
from ..._values.durations import took
from ..._values.state import Status
from ..streams import Forgiving

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ..._plan.plan import Plan

STYLES: dict[Status, str] = {
    Status.NOT_STARTED: "dim",
    Status.RUNNING: "cyan",
    Status.COMPLETED: "green",
    Status.SKIPPED: "magenta",
    Status.FAILED: "red",
    Status.STOPPED: "yellow",
}
"""The colour of each status."""


class Signs(NamedTuple):
    """The signs that stand for things, in what the terminal's encoding has."""

    completed: str = "✓"
    failed: str = "✗"
    running: str = "▶"
    waiting: str = "·"
    stopped: str = "■"
    again: str = "↻"
    output: str = "│"
    full: str = "━"
    empty: str = "─"
    more: str = "…"
    skipped: str = "»"
    warned: str = "!"

    def of(self, status: Status) -> str:
        """The sign of a status."""
        return {
            Status.NOT_STARTED: self.waiting,
            Status.RUNNING: self.running,
            Status.COMPLETED: self.completed,
            Status.SKIPPED: self.skipped,
            Status.FAILED: self.failed,
            Status.STOPPED: self.stopped,
        }[status]


_HANG = 2
_MAY_COLOUR = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""With one of these variables, rich may colour also what is no terminal."""
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_ASCII = Signs("+", "x", ">", ".", "#", "~", "|", "=", "-", "...", "/")


class Line:
    """Texts on one line, each with its style; what is in it was made safe already."""

    __slots__ = ("_parts",)

    def __init__(self, text: str = "", style: str = "") -> None:
        """Begin with a text that is safe already."""
        self._parts = [(text, style)]

    def append(self, text: str, style: str = "") -> Line:
        """Add a text that is safe already."""
        self._parts.append((text, style))
        return self

    def append_line(self, line: Line) -> Line:
        """Add all of another line."""
        self._parts += line._parts
        return self

    def __str__(self) -> str:
        """The texts alone."""
        return "".join(text for text, _ in self._parts)

    def styled(self) -> Text:
        """As rich has it."""
        from rich.text import Text

        return Text.assemble(*self._parts)


def plain(text: str, style: str = "") -> Line:
    """Anybody's text on one line, safe for a terminal."""
    return Line(display(text), style)


def joined(*parts: Line | str | tuple[str, str]) -> Line:
    """Parts of one line: anybody's texts, or each with its style."""
    line = Line()
    for part in parts:
        if isinstance(part, Line):
            line.append_line(part)
        elif isinstance(part, str):
            line.append(display(part))
        else:
            line.append(display(part[0]), part[1])
    return line


class Screen:
    """Standard output, or error, for a command that writes to people.

    Attributes:
        signs: The signs to use.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to a stream; by default to standard output."""
        self._file = Forgiving(sys.stdout if stream is None else stream)
        has_signs = _can_encode(Signs(), self._file.encoding)
        self.signs = Signs() if has_signs else _ASCII
        may_colour = any(os.environ.get(name) for name in _MAY_COLOUR)
        self._is_plain = not (may_colour or self._file.isatty())

    @functools.cached_property
    def console(self) -> Console:
        """rich's; nothing that is printed on it is read as markup."""
        from rich.console import Console

        return Console(
            file=cast("IO[str]", self._file),
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )

    @functools.cached_property
    def is_live(self) -> bool:
        """Whether what was written can be written over."""
        # Not what rich says alone: FORCE_COLOR makes it take any file for a terminal.
        return (
            self._file.isatty()
            and self.console.is_terminal
            and not self.console.is_dumb_terminal
        )

    @property
    def is_left(self) -> bool:
        """Whether whoever read it was found to have left."""
        return self._file.is_left

    def line(
        self, text: Line | Text | str = "", style: str = "", *, indent: int = 0
    ) -> None:
        """Write one line; on a terminal a long one goes on below itself, indented.

        Args:
            text: A ``str`` may be anybody's; all else was made safe already.
            style: The style of a ``str``.
            indent: By how much.
        """
        line = plain(text, style) if isinstance(text, str) else text
        if self._is_plain:
            self._file.write(f"{' ' * indent}{line}\n")
            return
        from rich.text import Text

        shown = line.styled() if isinstance(line, Line) else line
        if not self.is_live:
            # As one line, whatever its length: so that it can be searched for.
            self.console.print(Text(" " * indent).append_text(shown), soft_wrap=True)
            return
        # What goes on below stands a little further in, so that it is no line of its own.
        width = max(self.console.width - indent - _HANG, 10)
        for number, part in enumerate(shown.wrap(self.console, width)):
            inset = indent + _HANG if number else indent
            part.rstrip()
            self.console.print(Text(" " * inset).append_text(part), soft_wrap=True)

    def control(self, sequence: str) -> None:
        """Move the cursor of a screen that ``is_live``, or wipe a part of it."""
        self._file.write(sequence)
        self._file.flush()

    def heading(self, text: str) -> None:
        """Begin a part of a page."""
        self.line()
        self.line(text, "bold")

    def hint(self, what: str, command: str, *, indent: int = 0) -> None:
        """Write what could be typed next, and what for."""
        self.line(joined((f"{what}:  ", "dim"), command), indent=indent)

    @contextmanager
    def busy(self, what: str) -> Generator[Callable[[str], None], None, None]:
        """Say on a terminal what is being done, for as long as it takes.

        Args:
            what: For example ``copying the store``.

        Yields:
            A function that says what is being done now.
        """
        if not self.is_live:
            yield lambda _: None
            return
        from rich.live import Live

        def shown(what: str) -> Text:
            text = plain(f"{what} {self.signs.more}", "dim").styled()
            text.truncate(self.console.width - 1, overflow="ellipsis")
            return text

        live = Live(
            shown(what), console=self.console, auto_refresh=False, transient=True
        )
        live.start(refresh=True)
        try:
            yield lambda what: live.update(shown(what), refresh=True)
        finally:
            live.stop()

    def flush(self) -> None:
        """Let a reader of a pipe see it now."""
        self._file.flush()


def counted(count: int, what: str) -> str:
    """So many things: ``1 plan``, ``1,200 plans``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def size(count: int) -> str:
    """So many bytes: ``512 bytes``, ``4.0 KiB``, ``12 MiB``, ``1.5 GiB``."""
    if count < 1024:
        return f"{count} bytes"
    power = min((count.bit_length() - 1) // 10, len(_UNITS))
    value = count / 1024**power
    text = f"{value:.1f}" if value < 10 else f"{value:,.0f}"
    return f"{text} {_UNITS[power - 1]}"


def _can_encode(signs: Signs, encoding: str) -> bool:
    try:
        "".join(signs).encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


# -- A table of plans ------------------------------------------------------------------


def moment(time: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """The time here: ``2031-05-01 18:03:11``."""
    return time.astimezone().strftime(form)


def style_of(shown: Plan | PlanRow, status: Status, *, crashed: bool = False) -> str:
    """The colour of an outcome; green is for what needs no second look."""
    if crashed:
        return "bold red"
    taken = shown.taken_back
    if taken is not None and taken.done < taken.of:
        return "bold red"  # a host is left as nobody wants it
    tolerated = shown.outcome is Outcome.COMPLETED_WITH_FAILURES
    return "yellow" if tolerated else STYLES[status]


def show_rows(
    screen: Screen, found: Sequence[PlanEntry], asking: Collection[UUID] = ()
) -> None:
    """Write a table of plans, a line for each.

    Args:
        screen: The screen.
        found: The plans.
        asking: Those that wait for somebody's approval.
    """
    # Not rich's: it takes half a millisecond a row, and a store can hold 100,000 plans.
    words = [
        "crashed: resume it"
        if each.crashed
        else outcome_words(each.row) + (", asks" if each.row.id in asking else "")
        for each in found
    ]
    width = max([len("STATUS"), *map(len, words)])
    longest = max((len(shorten(each.row.name)) for each in found), default=0)
    # A table that fits is worth more than the year; a pipe has room for everything.
    has_room = not screen.is_live or width + longest + 43 < screen.console.width
    form = "%Y-%m-%d %H:%M:%S" if has_room else "%m-%d %H:%M"
    column = len(moment(utc_now(), form))
    heads = f"{'ID':9}  {'STATUS':{width}}  {'SUBMITTED':{column}}  {'TOOK':>7}  NAME"
    screen.line(heads, "dim")
    for entry, status in zip(found, words, strict=True):
        row = entry.row
        submitted = moment(row.submitted, form) if row.submitted is not None else ""
        time = ""
        if row.started is not None and row.ended is not None:
            time = took(row.ended - row.started)
        screen.line(
            joined(
                short_id(row.id),
                (
                    f"  {status:{width}}",
                    style_of(row, row.status, crashed=entry.crashed),
                ),
                (f"  {submitted:{column}}  {time:>7}  ", "dim"),
                shorten(row.name),
            )
        )
