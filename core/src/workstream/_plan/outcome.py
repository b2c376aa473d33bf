"""A plan's status in words; apart from plans, for who only reads that of stored ones."""

from __future__ import annotations

import enum

import attrs

from .._values.state import Status


class Outcome(enum.Enum):
    """A plan's status in words (OM-4)."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed with failures"
    COMPLETED_WITH_SKIPPED = "completed with skipped"
    FAILED = "failed"
    STOPPED = "stopped"


def outcome_of(status: Status, *, with_failures: bool, skipped: int = 0) -> Outcome:
    """A plan's status in words (OM-4).

    Args:
        status: The status.
        with_failures: Whether, though it completed, a sequence or a batch failed.
        skipped: How much of it was skipped.
    """
    if status is Status.COMPLETED and with_failures:
        return Outcome.COMPLETED_WITH_FAILURES
    if status is Status.COMPLETED and skipped:
        return Outcome.COMPLETED_WITH_SKIPPED
    return Outcome[status.name]


MOST_NAMES = 20
"""So many sequences that were not taken back are named."""


@attrs.frozen
class TakenBack:
    """What came of an undo (UN-3).

    Attributes:
        done: How many sequences were taken back.
        of: How many were to be.
        names: The others: the first 20, in list order.
    """

    done: int
    of: int
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The words of UN-3: ``taken back on 27 of 30; NOT on web-2, web-9, web-11``."""
        more = self.of - self.done - len(self.names)
        names = ", ".join(self.names) + (f" and {more:,} more" if more > 0 else "")
        text = f"taken back on {self.done:,} of {self.of:,}"
        return f"{text}; NOT on {names}" if names else text
