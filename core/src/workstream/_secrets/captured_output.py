"""The output of a program that a plugin runs: bounded, and free of secrets.

It needs no event loop: a plugin feeds it what it has read, wherever it read it.
"""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Callable

from .._values.state import FIRST_LINES, LAST_LINES
from .filling import texts_to_hide
from .forms import StreamRedactor

KEEP = 64 * 1024
LONGEST_LINE = 8 * 1024
"""Characters of one line that are passed on; the engine cuts at 4 KiB and says so."""
SHOWN_LINES = 10
SHOWN_LENGTH = 300


class CapturedOutput:
    """One stream of a program's output, for plugins that run programs.

    Bytes go in, in pieces of any size. What comes out is text without the request's
    secrets, however the pieces cut them: each line is reported to watchers as soon as it
    is whole (WA-3), the beginning and the end are kept for the response, the last lines
    for an error's message. Memory is bounded, whatever a program writes, and of a burst
    no more lines are reported than are kept of an action anyway. ::

        output = CapturedOutput(request, report=context.report)
        async for data in process.stdout:
            output.feed(data)
        output.close()
        return Ran(stdout=output.text)

    What is not UTF-8 shows as U+FFFD. A lone carriage return ends a line too: that is how
    progress bars are drawn.
    """

    def __init__(
        self, request: object, *, report: Callable[[str], object], keep: int = KEEP
    ) -> None:
        """Make one.

        Args:
            request: The request that ``execute`` was given. The values of its
                ``SecretRef`` and SECURE fields are taken out, in the forms in which they
                turn up in output (CL-8).
            report: Is called with each line; ``context.report`` as a rule.
            keep: How many characters ``text`` may have: half of them from the beginning,
                half from the end.
        """
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._redactor = StreamRedactor(texts_to_hide(request))
        self._kept = _HeadAndTail(keep)
        self._lines = _Lines(report)

    def feed(self, data: bytes) -> None:
        """Take in the next piece.

        Args:
            data: As much as was there to be read; the fewer pieces, the quicker.
        """
        self._feed(data, final=False)

    def close(self) -> None:
        """The stream has ended: an unfinished line counts as one. Feed no more."""
        self._feed(b"", final=True)

    def _feed(self, data: bytes, *, final: bool) -> None:
        text = self._redactor.feed(self._decoder.decode(data, final), final=final)
        self._kept.feed(text)
        self._lines.feed(text, final=final)

    @property
    def text(self) -> str:
        """The kept text; a line between head and tail tells how much is missing."""
        return self._kept.text()

    @property
    def left_out(self) -> int:
        """How many characters ``text`` lacks."""
        return self._kept.left_out()

    @property
    def last_lines(self) -> str:
        """The last ten lines that are not blank, each cut at 300 characters."""
        return "\n".join(self._lines.last)


class _HeadAndTail:
    """The head and the tail of a text that comes in pieces."""

    def __init__(self, size: int) -> None:
        self._head_size = size // 2
        self._tail_size = size - self._head_size
        self._head = self._tail = ""
        self._dropped = 0

    def feed(self, text: str) -> None:
        room = self._head_size - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        self._tail += text
        # Cut seldom, not with every piece, so that small pieces cost little.
        if len(self._tail) > 2 * self._tail_size:
            self._cut()

    def text(self) -> str:
        self._cut()
        if not self._dropped:
            return self._head + self._tail
        marker = f"\n[... {self._dropped:,} characters left out ...]\n"
        return f"{self._head}{marker}{self._tail}"

    def left_out(self) -> int:
        self._cut()
        return self._dropped

    def _cut(self) -> None:
        surplus = len(self._tail) - self._tail_size
        if surplus > 0:
            self._tail = self._tail[surplus:]
            self._dropped += surplus


class _Lines:
    """Passes on each line of a text that comes in pieces; remembers the last ones."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._pending = ""
        self.last: deque[str] = deque(maxlen=SHOWN_LINES)

    def feed(self, text: str, *, final: bool) -> None:
        first, *rest = self._newlines.decode(text, final=final).split("\n")
        self._pending += first[: max(LONGEST_LINE - len(self._pending), 0)]
        lines: list[str] = []
        if rest:
            lines = [self._pending, *rest[:-1]]
            self._pending = rest[-1][:LONGEST_LINE]
        if final and self._pending:
            lines.append(self._pending)
            self._pending = ""
        surplus = len(lines) - FIRST_LINES - LAST_LINES
        if surplus > 0:
            note = f"[... {surplus:,} lines left out ...]"
            lines = [*lines[:FIRST_LINES], note, *lines[-LAST_LINES:]]
        for line in lines:
            self._report(line[:LONGEST_LINE])
        shown = (line.rstrip()[:SHOWN_LENGTH] for line in lines[-LAST_LINES:])
        self.last.extend(line for line in shown if line)
