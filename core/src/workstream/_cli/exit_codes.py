"""What the command's exit status tells."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._plan.outcome import Outcome

INTERRUPTED = 130
"""What shells say of a program that was ended by Ctrl-C."""
BUG = 70
"""What sysexits.h calls an internal software error."""
OUTPUT_LOST = 74
"""What sysexits.h calls an error of input or output."""


class ExitCode(IntEnum):
    """The exit status of ``workstream``; scripts may rely on it."""

    COMPLETED = 0
    """All went well."""
    FAILED = 1
    """The plan failed."""
    REFUSED = 2
    """Nothing was run: wrong usage, an invalid plan, no such store or plan."""
    TOLERATED = 3
    """The plan completed, with failures that it tolerates."""
    STOPPED = 4
    """The plan was stopped."""
    BROKEN_OFF = 5
    """The run broke off, and ``workstream resume`` goes on with it."""


# By the outcome's name, as the help text does not owe the plan's classes their time.
_BY_OUTCOME = {
    "COMPLETED": ExitCode.COMPLETED,
    "COMPLETED_WITH_FAILURES": ExitCode.TOLERATED,
    "COMPLETED_WITH_SKIPPED": ExitCode.COMPLETED,
    "FAILED": ExitCode.FAILED,
    "STOPPED": ExitCode.STOPPED,
    "NOT_STARTED": ExitCode.REFUSED,
    "RUNNING": ExitCode.BROKEN_OFF,
}

_BEST_FIRST = (
    ExitCode.COMPLETED,
    ExitCode.TOLERATED,
    ExitCode.STOPPED,
    ExitCode.FAILED,
    ExitCode.REFUSED,
    ExitCode.BROKEN_OFF,
)


def code_of(outcome: Outcome) -> ExitCode:
    """The exit status for a plan that ended so; of one that still is R: broken off."""
    return _BY_OUTCOME[outcome.name]


def worst(codes: Iterable[int]) -> int:
    """The one that matters most of several; with none of them, COMPLETED."""
    return max(codes, key=_BEST_FIRST.index, default=ExitCode.COMPLETED)
