"""What follows from the attempts of one action (section 10).

Like ``_interpreter.judgement``, pure functions of what is stored.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta

from .._plan.plan import BaseAction, Plan
from .._values.interventions import held_time
from .._values.state import OnInterrupt


class Verdict(enum.Enum):
    """What follows from an action's attempts."""

    COMPLETED = enum.auto()
    FAILED = enum.auto()
    AGAIN = enum.auto()
    """One more attempt is due."""
    RECONCILE = enum.auto()
    """The plugin must say what became of the last attempt (R-7)."""


def judge(
    plan: Plan,
    action: BaseAction,
    on_interrupt: Callable[[BaseAction], OnInterrupt],
    now: datetime,
) -> Verdict:
    """What follows from the attempts of an action, the last of which has ended.

    The running loop asks it after each attempt, recovery of what a crash left (A-2,
    A-9, R-5, R-6, R-7). Whether a *wait* still fits before the deadline is not asked
    here: only the loop draws waits (A-15).

    Args:
        plan: The plan.
        action: The action.
        on_interrupt: Says what an interrupted attempt of an action means.
        now: The time, for its deadline.
    """
    if not action.attempts:
        return Verdict.AGAIN
    last = action.attempts[-1]
    if last.interrupted:
        meaning = on_interrupt(action)
        if meaning is OnInterrupt.FAIL:
            return Verdict.FAILED
        if meaning is OnInterrupt.RECONCILE:
            return Verdict.RECONCILE
    elif last.error is None:
        return Verdict.COMPLETED
    elif last.error.permanent or (
        action.retries is not None and tries(action) > action.retries
    ):
        return Verdict.FAILED
    return Verdict.FAILED if deadline_passed(plan, action, now) else Verdict.AGAIN


def tries(action: BaseAction) -> int:
    """How many attempts count: those that a crash cut short do not (R-6)."""
    return sum(not attempt.interrupted for attempt in action.attempts)


def after(now: datetime, seconds: float) -> datetime | None:
    """When so many seconds have passed; None: never, or past the end of the calendar."""
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:  # infinity, or so far away that no calendar has it
        return None


def own_time(plan: Plan, action: BaseAction, now: datetime) -> datetime:
    """The time by the clock of an action's deadline: it stands still under a hold (HO-4)."""
    if (
        not plan.interventions
        or action.deadline is None
        or action.state.started is None
    ):
        return now
    return now - held_time(plan.interventions, action.state.started, now)


def deadline_of(action: BaseAction) -> datetime | None:
    """When the action as a whole must have ended (A-15); None: never."""
    if action.deadline is None or action.state.started is None:
        return None
    return after(action.state.started, action.deadline)


def deadline_passed(
    plan: Plan, action: BaseAction, now: datetime, wait: float = 0.0
) -> bool:
    """Whether the action's deadline is over, or will be after a wait (A-15, HO-4)."""
    deadline = deadline_of(action)
    if deadline is None:
        return False
    end = after(own_time(plan, action, now), wait)
    return end is None or end >= deadline
