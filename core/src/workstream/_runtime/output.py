"""What plugins report while they run: numbered, cut, bounded, and handed on in batches.

Lines are for watchers and for the operator, never for the plan's state: they may be lost
in a crash (WA-3). A plugin may report far faster than a disk can follow, so of what one
action reports between two batches only the first and the last lines are kept, as many as
a vault keeps anyway. The numbers show the gap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from .._codec.lines import Line
from .._values.state import FIRST_LINES, LAST_LINES

MAX_LINE_BYTES = 4096
"""How long a line may be, in bytes of UTF-8 (WA-3)."""
_CUT = " […]"


def cut(text: str) -> str:
    """The text in at most 4 KiB of UTF-8; a cut one says so."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= MAX_LINE_BYTES:
        return encoded.decode()
    room = MAX_LINE_BYTES - len(_CUT.encode())
    return encoded[:room].decode("utf-8", "ignore") + _CUT


class OutputBuffer:
    """The lines of one plan's actions that wait to be stored."""

    def __init__(self, numbers: Mapping[int, int]) -> None:
        """Make a buffer; ``numbers`` are the lines so far, by the action's position."""
        self._numbers = dict(numbers)
        self._first: list[tuple[int, Line]] = []
        self._last: dict[int, deque[tuple[int, Line]]] = {}

    def __bool__(self) -> bool:
        return bool(self._first or self._last)

    def add(
        self,
        position: int,
        text: str,
        *,
        time: datetime,
        attempt: int,
        done: float | None,
        total: float | None,
    ) -> None:
        """Take in what an action reported, which may be several lines."""
        for part in text.splitlines() or [""]:
            number = self._numbers.get(position, 0) + 1
            self._numbers[position] = number
            line = Line(
                number=number,
                time=time,
                attempt=attempt,
                text=cut(part),
                done=done,
                total=total,
            )
            if number <= FIRST_LINES:
                self._first.append((position, line))
            else:
                last = self._last.get(position)
                if last is None:
                    last = self._last[position] = deque(maxlen=LAST_LINES)
                last.append((position, line))

    def take(self) -> list[tuple[int, Line]]:
        """Hand over all lines, each with its action's position; the buffer is empty."""
        taken = self._first
        for lines in self._last.values():
            taken.extend(lines)
        self._first, self._last = [], {}
        return taken
