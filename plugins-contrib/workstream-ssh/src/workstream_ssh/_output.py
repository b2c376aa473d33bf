"""A command's output: decoded, freed of secrets, passed on by line, kept head and tail.

Everything here is bounded, whatever a command writes: memory by the sizes below, and
the time of the event loop by passing on no more lines of one piece than watchers
would keep (WA-3).
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from collections.abc import Callable, Collection

__all__ = ["HIDDEN", "Output"]

HIDDEN = "[secret hidden]"
SHORTEST_SECRET = 4
"""Shorter values would be found everywhere; the engine hides none of those either."""

LONGEST_LINE = 8 * 1024
"""Characters of one line that are passed on; the engine cuts at 4 KiB and says so."""
BURST_HEAD, BURST_TAIL = 100, 1000
"""Lines of one piece that are passed on: as many as are kept of an action (WA-3)."""
LAST_LINES = 10
LAST_LINE_LENGTH = 300


class Output:
    """One output stream of a command.

    Attributes:
        left_out: How many characters ``text`` lacks, once the stream has ended.
    """

    def __init__(
        self, *, keep: int, secrets: Collection[str], report: Callable[[str], None]
    ) -> None:
        """Make one.

        Args:
            keep: How many characters to keep.
            secrets: What must not be seen.
            report: Is called with each line.
        """
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        long_enough = {s for s in secrets if len(s) >= SHORTEST_SECRET}
        self._secrets = sorted(long_enough, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._secrets)))
        self._held = ""
        self._head_size = keep // 2
        self._tail_size = keep - self._head_size
        self._head = self._tail = ""
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._line = ""
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._report = report
        self.left_out = 0

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """Take in the next piece; with ``final`` an unfinished line counts as one."""
        text = self._redacted(self._decoder.decode(data, final), final)
        self._keep(text)
        self._pass_on(text, final)

    def text(self) -> str:
        """What is kept, with a line that tells about what is not."""
        self._cut()
        if not self.left_out:
            return self._head + self._tail
        marker = f"\n[... {self.left_out:,} characters left out ...]\n"
        return f"{self._head}{marker}{self._tail}"

    def last_lines(self) -> str:
        """The last lines that were not blank, for an error message."""
        return "\n".join(self._last)

    def _redacted(self, text: str, final: bool) -> str:
        """The text without secrets, up to where one may have begun."""
        if not self._secrets:
            return text
        text = self._held + text
        safe = len(text) if final else self._safe(text)
        self._held = text[safe:]
        return self._pattern.sub(HIDDEN, text[:safe])

    def _safe(self, text: str) -> int:
        safe = len(text)
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(text)), 0, -1):
                if text.endswith(secret[:length]):
                    safe = min(safe, len(text) - length)
                    break
        for match in self._pattern.finditer(text):
            # A whole secret must not be torn by the beginning of another.
            if match.start() < safe < match.end():
                return match.end()
        return safe

    def _keep(self, text: str) -> None:
        room = self._head_size - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        self._tail += text
        # Cut seldom, not with every piece, so that small pieces cost little.
        if len(self._tail) > 2 * self._tail_size:
            self._cut()

    def _cut(self) -> None:
        surplus = len(self._tail) - self._tail_size
        if surplus > 0:
            self._tail = self._tail[surplus:]
            self.left_out += surplus

    def _pass_on(self, text: str, final: bool) -> None:
        # A lone carriage return ends a line too: that is how progress bars are drawn.
        first, *rest = self._newlines.decode(text, final=final).split("\n")
        self._line += first[: max(LONGEST_LINE - len(self._line), 0)]
        lines: list[str] = []
        if rest:
            lines = [self._line, *rest[:-1]]
            self._line = rest[-1][:LONGEST_LINE]
        if final and self._line:
            lines.append(self._line)
            self._line = ""
        surplus = len(lines) - BURST_HEAD - BURST_TAIL
        if surplus > 0:
            note = f"[... {surplus:,} lines left out ...]"
            lines = [*lines[:BURST_HEAD], note, *lines[-BURST_TAIL:]]
        for line in lines:
            self._report(line[:LONGEST_LINE])
        shown = (line.rstrip()[:LAST_LINE_LENGTH] for line in lines[-LAST_LINES:])
        self._last.extend(line for line in shown if line)
