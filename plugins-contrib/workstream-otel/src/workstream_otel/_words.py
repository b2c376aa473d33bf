"""Words and numbers of spans and measurements alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from workstream import PluginError, Status
from workstream.results import Attempt, BaseAction, FailureReason, Node

Value = str | int | bool | tuple[str, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMED_OUT = "plugin execution timed out"
RESULTS = {
    Status.COMPLETED: "success",
    Status.FAILED: "failure",
    Status.STOPPED: "cancellation",
    Status.SKIPPED: "skip",
}
_NOT_ITS_OWN = (FailureReason.ABANDONED, FailureReason.EXCEED_RECOVERY)
"""Why a plan is FAILED that nobody ran to its end."""


def nanoseconds(time: datetime) -> int:
    """Nanoseconds since 1970, exactly."""
    return (time - _EPOCH) // timedelta(microseconds=1) * 1_000


def result_of(status: Status, reasons: Iterable[FailureReason]) -> str:
    """The result of a plan, as the conventions have it."""
    if status is Status.FAILED and any(each in _NOT_ITS_OWN for each in reasons):
        return "error"
    return RESULTS[status]


def attempt_outcome(attempt: Attempt) -> str:
    """How an attempt ended, in a word."""
    if attempt.interrupted:
        return "interrupted"
    if attempt.error is None:
        return "completed"
    return "timed out" if attempt.error.message == _TIMED_OUT else "failed"


def attempt_error(node: BaseAction, attempt: Attempt) -> str | None:
    """The class of an attempt's error; None: it has none."""
    if attempt.interrupted:
        return "interrupted"
    return None if attempt.error is None else error_type(node, attempt.error)


def error_type(node: Node, error: PluginError) -> str:
    """The class of an error: few of them, whatever its words are."""
    if error.message == _TIMED_OUT:
        return "timeout"
    if error.code and isinstance(node, BaseAction):
        return f"{node.plugin}:{error.code}"
    return "_OTHER"
