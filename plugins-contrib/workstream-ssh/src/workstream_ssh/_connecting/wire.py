"""What comes from a host, taken apart: what its program says, and what it passes on.

Both come on one stream. What the program says is on lines that begin with a mark of
its own, one that nobody else can know; all between such lines is data, byte by byte.
Whatever comes before the first of them was said by a login shell's scripts.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

LONGEST_LINE = 64 * 1024


@attrs.frozen
class Data:
    """Bytes that the program passes on."""

    data: bytes


@attrs.frozen
class Line:
    """What the program itself says, as words."""

    words: tuple[str, ...]


class Parser:
    """Takes apart one stream that comes in pieces.

    Attributes:
        noise: The end of what came before the program said anything.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._held = b""
        self._in_line = False
        self._begun = False
        self.noise = b""

    def feed(self, data: bytes) -> Iterator[Data | Line]:
        """Give the next piece; get what is complete."""
        data = self._held + data
        self._held = b""
        while data:
            if self._in_line:
                line, end, data = data.partition(b"\n")
                if not end:
                    self._held = line[:LONGEST_LINE]
                    return
                self._in_line = False
                yield Line(tuple(line.decode("utf-8", "replace").split()))
                continue
            before, found, after = data.partition(self._mark)
            if not found:
                held = self._beginning_of_mark(data)
                self._held = data[len(data) - held :]
                before = data[: len(data) - held]
            yield from self._pass_on(before)
            data = after
            if found:
                self._begun = self._in_line = True

    def _pass_on(self, data: bytes) -> Iterator[Data]:
        if not self._begun:
            self.noise = (self.noise + data)[-1000:]
        elif data:
            yield Data(data)

    def _beginning_of_mark(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of the mark."""
        for length in range(min(len(self._mark) - 1, len(data)), 0, -1):
            if data.endswith(self._mark[:length]):
                return length
        return 0
