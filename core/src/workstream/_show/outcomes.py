"""Statuses and outcomes in short words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._plan.outcome import Outcome
from .._protocols.vault import PlanRow
from .._values.display import one_line
from .._values.interventions import Intervention, Verb
from .._values.state import Status

if TYPE_CHECKING:
    from .._plan.plan import Plan


_TAKEN_BACK = 300
"""Characters of what an undo came to."""


def status_words(status: Status) -> str:
    """``not started``, ``running``, ``failed``."""
    return status.name.lower().replace("_", " ")


def hold_word(held: Iterable[Intervention]) -> str:
    """What holds a plan, in a word: ``paused``, ``frozen``, ``paused and frozen``."""
    return " and ".join(_HOLDS[each.verb] for each in held)


_HOLDS = {Verb.PAUSE: "paused", Verb.FREEZE: "frozen"}


def outcome_words(shown: Plan | PlanRow, *, crashed: bool = False) -> str:
    """The outcome with its reasons: ``failed (block, deferred check)``.

    What was taken back, and where not, comes first (UN-3).
    """
    if crashed:
        return "crashed: no process runs it"
    words = shown.outcome.value
    if shown.outcome is Outcome.COMPLETED_WITH_SKIPPED:
        words = f"completed, {shown.skipped:,} skipped"
    elif shown.outcome is Outcome.RUNNING and shown.held:
        words += f", {hold_word(shown.held)}"
    if shown.taken_back is not None:
        words = f"{one_line(str(shown.taken_back), _TAKEN_BACK)}; {words}"
    if shown.stopping and shown.outcome is Outcome.RUNNING:
        words += ", stopping"
    # That it was stopped need not be said twice.
    names = [each.name for each in shown.reasons if each.name != Status.STOPPED.name]
    reasons = ", ".join(name.lower().replace("_", " ") for name in names)
    return f"{words} ({reasons})" if reasons else words
