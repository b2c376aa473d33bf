"""A command's output: decoded, freed of secrets, streamed by line, kept head and tail.

Everything here is bounded, whatever a command writes: memory by the sizes below, and
the time of the event loop by passing on no more lines of one burst than watchers
would keep (WA-3).
"""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import re
import struct
import termios
from collections import deque
from collections.abc import Callable, Collection

import trio

__all__ = ["HIDDEN", "Kept", "Lines", "Output", "Redactor"]

HIDDEN = "[secret hidden]"
SHORTEST_SECRET = 4
"""Shorter values would be found everywhere; the engine hides none of those either."""

CHUNK = 64 * 1024
LONGEST_LINE = 8 * 1024
"""Characters of one line that are passed on; the engine cuts at 4 KiB and says so."""
BURST_HEAD, BURST_TAIL = 100, 1000
"""Lines of one burst that are passed on: as many as are kept of an action (WA-3)."""
LAST_LINES = 10
LAST_LINE_LENGTH = 300


class Redactor:
    """Takes secrets out of a text that comes in pieces.

    The end of a piece that may be the beginning of a secret is held back until more
    of the text is seen.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        long_enough = {s for s in secrets if len(s) >= SHORTEST_SECRET}
        self._secrets = sorted(long_enough, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._secrets)))
        self._held = ""

    def feed(self, text: str, *, final: bool = False) -> str:
        """Give the next piece; get what can be shown now."""
        if not self._secrets:
            return text
        text = self._held + text
        safe = len(text) if final else self._safe(text)
        self._held = text[safe:]
        return self._pattern.sub(HIDDEN, text[:safe])

    def _safe(self, text: str) -> int:
        """Up to where the text cannot be part of a secret still to be completed."""
        safe = len(text)
        for secret in self._secrets:
            place = max(0, len(text) - len(secret) + 1)
            while 0 <= (place := text.find(secret[0], place)) < safe:
                if secret.startswith(text[place:]):
                    safe = place
                place += 1
        for match in self._pattern.finditer(text):
            # A whole secret must not be torn by the beginning of another.
            if match.start() < safe < match.end():
                return match.end()
        return safe


class Kept:
    """The head and the tail of a text that comes in pieces.

    Attributes:
        left_out: How many characters between them were dropped so far.
    """

    def __init__(self, size: int) -> None:
        self._head_size = size // 2
        self._tail_size = size - self._head_size
        self._head = ""
        self._tail = ""
        self.left_out = 0

    def feed(self, text: str) -> None:
        """Give the next piece."""
        room = self._head_size - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        self._tail += text
        # Cut seldom, not with every piece, so that small pieces cost little.
        if len(self._tail) > 2 * self._tail_size:
            self._cut()

    def text(self) -> str:
        """What is kept, with a line that tells about what is not."""
        self._cut()
        if not self.left_out:
            return self._head + self._tail
        marker = f"\n[... {self.left_out:,} characters left out ...]\n"
        return f"{self._head}{marker}{self._tail}"

    def _cut(self) -> None:
        surplus = len(self._tail) - self._tail_size
        if surplus > 0:
            self._tail = self._tail[surplus:]
            self.left_out += surplus


class Lines:
    """Passes on each line of a text that comes in pieces; remembers the last ones.

    A lone carriage return ends a line too: that is how progress bars are drawn.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._pending = ""
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    def feed(self, text: str, *, final: bool = False) -> None:
        """Give the next piece; with ``final``, an unfinished line counts as one."""
        first, *rest = self._newlines.decode(text, final=final).split("\n")
        room = LONGEST_LINE - len(self._pending)
        self._pending += first[: max(room, 0)]
        if rest:
            finished = [self._pending, *rest[:-1]]
            self._pending = rest[-1][:LONGEST_LINE]
            self._pass_on(finished)
        if final and self._pending:
            self._pass_on([self._pending])
            self._pending = ""

    def last(self) -> str:
        """The last lines that were not blank, for an error message."""
        return "\n".join(self._last)

    def _pass_on(self, lines: list[str]) -> None:
        surplus = len(lines) - BURST_HEAD - BURST_TAIL
        if surplus > 0:
            note = f"[... {surplus:,} lines left out ...]"
            lines = [*lines[:BURST_HEAD], note, *lines[-BURST_TAIL:]]
        for line in lines:
            self._report(line[:LONGEST_LINE])
        shown = (line.rstrip()[:LAST_LINE_LENGTH] for line in lines[-BURST_TAIL:])
        self._last.extend(line for line in shown if line)


class Output:
    """One output stream of a command, from the pipe to those who want to see it."""

    def __init__(
        self,
        fd: int,
        *,
        keep: int,
        secrets: Collection[str],
        report: Callable[[str], None],
    ) -> None:
        """Take over the reading end of a pipe.

        Args:
            fd: The file descriptor; it stays the caller's to close.
            keep: How many characters to keep.
            secrets: What must not be seen.
            report: Is called with each line.
        """
        os.set_blocking(fd, False)
        self._fd = fd
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._redactor = Redactor(secrets)
        self._scope = trio.CancelScope(shield=True)
        self.kept = Kept(keep)
        self.lines = Lines(report)

    async def pump(self) -> None:
        """Read until the end of the stream, or ``finish``.

        It is shielded: a command that is being ended has last words too, and must not
        be kept from ending by a full pipe.
        """
        with self._scope:
            while True:
                await trio.lowlevel.wait_readable(self._fd)
                data = os.read(self._fd, CHUNK)
                if not data:
                    return
                self._feed(data)

    def finish(self) -> None:
        """Take what is in the pipe now, and no more.

        Called when no process of the command's session is left. A process that has
        detached itself may hold the pipe open for as long as it likes: there is no
        waiting for the end of the stream.
        """
        self._scope.cancel()
        packed = fcntl.ioctl(self._fd, termios.FIONREAD, struct.pack("i", 0))
        (left,) = struct.unpack("i", packed)
        while left > 0:
            data = os.read(self._fd, min(left, CHUNK))
            if not data:
                break
            self._feed(data)
            left -= len(data)
        self._feed(b"", final=True)

    def _feed(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        text = self._redactor.feed(text, final=final)
        self.kept.feed(text)
        self.lines.feed(text, final=final)
