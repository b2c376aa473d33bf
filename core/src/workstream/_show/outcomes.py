"""Statuses and outcomes in short words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._plan.outcome import Outcome
from .._protocols.vault import PlanRow
from .._values.display import one_line
from .._values.state import Status

if TYPE_CHECKING:
    from .._plan.plan import Plan


_TAKEN_BACK = 300
"""Characters of what an undo came to."""


def status_words(status: Status) -> str:
    """``not started``, ``running``, ``failed``."""
    return status.name.lower().replace("_", " ")


def outcome_words(shown: Plan | PlanRow, *, crashed: bool = False) -> str:
    """The outcome with its reasons: ``failed (block, deferred check)``.

    What was taken back, and where not, comes first (UN-3).
    """
    if crashed:
        return "crashed: no process runs it"
    words = shown.outcome.value
    if shown.taken_back is not None:
        words = f"{one_line(str(shown.taken_back), _TAKEN_BACK)}; {words}"
    if shown.stopping and shown.outcome is Outcome.RUNNING:
        words += ", stopping"
    # That it was stopped need not be said twice.
    names = [each.name for each in shown.reasons if each.name != Status.STOPPED.name]
    reasons = ", ".join(name.lower().replace("_", " ") for name in names)
    return f"{words} ({reasons})" if reasons else words
