"""Large work in steps: each is an activation of its own.

The two seconds of the watchdog are counted in work here, not in time: no activation does
more than ``STEP`` objects of what grows with the whole plan.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from typing import TypeVar, cast

from temporalio import workflow

from workstream._codec.collector import collector_paused
from workstream._plan.plan import Node, Plan
from workstream._plan.walk import actions, position_of
from workstream._values.state import State, Status

T = TypeVar("T")

STEP = 10_000
"""Objects of a plan that one activation makes, or walks: a fifth of a second."""
_MOMENT = timedelta(milliseconds=1)


async def pause() -> None:
    """Let this activation end, and go on in the next one: a timer, five events."""
    await workflow.sleep(_MOMENT)


async def in_steps(steps: Generator[None, None, T]) -> T:
    """What comes of steps, with a pause after each."""
    while True:
        try:
            with collector_paused():
                next(steps)
        except StopIteration as end:
            return cast("T", end.value)
        await pause()


def take_back(
    plan: Plan, waiting: Mapping[int, str], record: Callable[[Node], None]
) -> Generator[None]:
    """Let the attempts that were not called be ones that never were, in steps.

    Args:
        plan: The plan.
        waiting: For what actions wait, by their places.
        record: Keeps what an object is now.
    """
    for number, action in enumerate(actions(plan), 1):
        if waiting.get(position_of(action)) == "execute":
            action.attempts.pop()
            if not action.attempts:
                action.state = State(Status.NOT_STARTED)
            record(action)
        if number % STEP == 0:
            yield
