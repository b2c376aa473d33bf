"""The stored form of a line of output; apart, for who only lists plans."""

from __future__ import annotations

from datetime import datetime

import attrs

from .records import Form


@attrs.frozen(kw_only=True)
class Line:
    """One line that a plugin reported (WA-3).

    Attributes:
        number: Counted from 1 over all attempts of the action; gaps were dropped.
        time: When it was reported.
        attempt: Of which attempt, counted from 1.
        text: The line, at most 4 KiB of UTF-8, secrets hidden.
        done: How much is done, where the plugin said so.
        total: Of how much.
    """

    number: int
    time: datetime
    attempt: int
    text: str
    done: float | None = None
    total: float | None = None


_LINE = Form(b"\x01", Line, "number", "time", "attempt", "text", "done", "total")


def encode_line(line: Line) -> bytes:
    """The line as it is stored."""
    return _LINE.encode(line)


def decode_line(data: bytes) -> Line:
    """The line that was encoded. Raises ValueError for anything else."""
    return _LINE.decode(data)
