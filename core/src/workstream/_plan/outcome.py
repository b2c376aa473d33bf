"""A plan's status in words; apart from plans, for who only reads that of stored ones."""

from __future__ import annotations

import enum

from .._values.state import Status


class Outcome(enum.Enum):
    """A plan's status in words (OM-4)."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed with failures"
    FAILED = "failed"
    STOPPED = "stopped"


def outcome_of(status: Status, *, with_failures: bool) -> Outcome:
    """A plan's status in words (OM-4).

    Args:
        status: The status.
        with_failures: Whether, though it completed, a sequence or a batch failed.
    """
    if status is Status.COMPLETED and with_failures:
        return Outcome.COMPLETED_WITH_FAILURES
    return Outcome[status.name]
