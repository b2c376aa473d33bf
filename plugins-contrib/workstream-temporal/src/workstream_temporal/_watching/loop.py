"""The loop of continuous checks, as the interpreter in a workflow sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from workstream._interpreter.interpreter import Interpreter
from workstream._plan.plan import Block, CheckAction, Checks, Plan
from workstream._protocols.runtime import Runtime
from workstream._values.state import Attempt, State, Status


@attrs.frozen
class Seen:
    """How an activity that watched has ended.

    Attributes:
        lost: Its worker died: nobody knows of the run that was under way, if any.
        began: When the latest run began; None: there was none.
        attempts: What came of the first attempt of each action in it.
    """

    lost: bool = False
    began: State | None = None
    attempts: tuple[tuple[CheckAction, Attempt], ...] = ()


class Watching(Protocol):
    """What a runtime has beside its verbs, if its groups are watched elsewhere."""

    async def watch(self, group: Checks, over: Callable[[], bool]) -> Seen:
        """Have a group run again and again, until a run tells something.

        Args:
            group: The group.
            over: Whether it is not to be run any more: a wait ends at once, and a run
                under way goes on (K-6).
        """
        ...


class WatchingInterpreter(Interpreter):
    """Has continuous checks watched elsewhere, and goes on with a plan that has moved."""

    def __init__(self, plan: Plan, runtime: Runtime, watching: Watching) -> None:
        """Make one for a plan, from wherever it stands."""
        super().__init__(plan, runtime)
        self._watching = watching
        self._moved = False
        self._left: list[Checks] = []

    def goes_on(self, left: list[Checks]) -> None:
        """Go on where an earlier history left the plan: no crash, nothing broken off.

        Args:
            left: The groups that are RUNNING. What is decided in them stays so.
        """
        self._moved, self._left = True, left

    def _continuous_due(self, owner: Plan | Block, cont: Checks) -> bool:
        """Not again only because the plan has moved (R-9 is for a crash)."""
        if self._moved and cont.state.status is Status.COMPLETED:
            return False
        return super()._continuous_due(owner, cont)

    async def _run_checks(
        self, group: Checks, main: bool, *, watching: bool = False
    ) -> None:
        """Run a group, or what was left of it to run (R-8 is for a crash)."""
        if not any(each is group for each in self._left):
            return await super()._run_checks(group, main, watching=watching)
        self._left = [each for each in self._left if each is not group]
        async with self._runtime.nursery() as nursery:
            for action in group.actions:
                if not action.state.status.is_terminal:
                    nursery.start_soon(self._action, action, main, watching)
        return None

    async def _turn(
        self, owner: Plan | Block, group: Checks, over: Callable[[], bool]
    ) -> None:
        """Several turns of the loop, the last of which may tell something."""
        seen = await self._watching.watch(group, over)
        if seen.lost and not over():
            # The run that may have been broken off is made again.
            return await self._look(owner, group)
        if seen.began is None:
            return None
        if all(e.error is None and not e.interrupted for _, e in seen.attempts):
            # It ended when its last attempt did, and not now, when that is told.
            take(group, seen, Status.COMPLETED)
            group.missed = 0
            self._runtime.record(*(action for action, _ in seen.attempts), group)
            return None
        take(group, seen, Status.RUNNING)
        self._runtime.record(group, *(action for action, _ in seen.attempts))
        async with self._runtime.nursery() as nursery:
            for action, _ in seen.attempts:
                nursery.start_soon(self._action, action, True, True, None, None, False)
        self._judged(owner, group)
        return None


def take(group: Checks, seen: Seen, status: Status) -> None:
    """Let a group be as its latest run left it: still RUNNING, or COMPLETED."""
    assert seen.began is not None
    done = status is Status.COMPLETED
    for action, attempt in seen.attempts:
        action.attempts = [attempt]
        action.state = State(status, attempt.started, attempt.ended if done else None)
    ends = [attempt.ended for _, attempt in seen.attempts if attempt.ended is not None]
    ended = max(ends, default=None) if done else None
    group.state = State(status, seen.began.started, ended)
