"""Doing one action to its verdict, and waiting while the plan is held (sections 10, 26)."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from .._plan.plan import (
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from .._plan.walk import actions
from .._protocols.plugin import NotDone
from .._protocols.runtime import AttemptOutcome, Runtime, UsualWay
from .._secrets.references import needed_keys
from .._values.state import (
    Attempt,
    NoteValue,
    PluginError,
    State,
    Status,
)
from . import interventions, verdicts
from .verdicts import Verdict

N, R, C, K, F, S = (
    Status.NOT_STARTED,
    Status.RUNNING,
    Status.COMPLETED,
    Status.SKIPPED,
    Status.FAILED,
    Status.STOPPED,
)

PASSED = (C, K)
"""What lets a sequence go on."""


def always() -> bool:
    """Nothing keeps it from beginning."""
    return True


def unless_decided(node: Node, may: Callable[[], bool] = always) -> Callable[[], bool]:
    """Whether the object, which waits to begin, still may: a skip decides it, too."""
    return lambda: not node.state.status.is_terminal and may()


class ActionRunner:
    """What running a plan needs at the level of one action."""

    def __init__(
        self, plan: Plan, runtime: Runtime, usual: UsualWay | None = None
    ) -> None:
        """Make one for a plan, from wherever it stands.

        Args:
            plan: The plan.
            runtime: Carries out what it asks.
            usual: The runtime's short way for an action that nothing happens to, if it
                has one. What it records is what the general way would have recorded.
        """
        self._plan = plan
        self._runtime = runtime
        self._usual = usual
        self._notes: dict[int, dict[str, NoteValue]] = {}

    # --- holding (HO-1, HO-2) -----------------------------------------------------

    def _held(self) -> bool:
        """Whether nothing new may begin."""
        freeze = self._runtime.freeze()
        if freeze is None and not self._plan.interventions:
            return False
        if interventions.notice(self._plan, freeze, self._runtime.now()):
            self._runtime.record(self._plan)
            self._runtime.wake()
        return bool(self._plan.held)

    def look(self) -> None:
        """See whether the store was frozen, or is so no longer (HO-6)."""
        if self._held():
            self._runtime.wake()

    def _skip_in_vain(self, action: BaseAction) -> None:
        """Skip what would take back what was never done (VF-6).

        An action of an ON_UNDO batch that needs the response of one that did not
        complete has nothing to take back.
        """
        keys = needed_keys(action.request)
        if not keys or action.state.status is not N:
            return
        if any(
            each.key in keys and each.state.status is not C
            for each in actions(self._plan)
        ):
            action.state = State(K, None, self._runtime.now())
            self._runtime.record(action)

    async def _released(self, may: Callable[[], bool]) -> None:
        """Wait while the plan is held, as long as what waits may begin (HO-2).

        It decides nothing: whoever has waited asks its guards again.
        """
        while self._held() and may():
            await self._runtime.wait(math.inf, lambda: not (self._held() and may()))

    # --- actions (section 10) ---------------------------------------------------

    async def _action(
        self,
        action: BaseAction,
        main: bool,
        watching: bool = False,
        begins: datetime | None = None,
        made: AttemptOutcome | None = None,
        rested: bool = True,
    ) -> datetime:
        """Run one action to its verdict, from wherever its attempts stand.

        Args:
            action: The action.
            main: Whether a stop keeps it from beginning.
            watching: Whether it goes on under a hold (HO-1).
            begins: When it begins, if it is N and was found just now to be free to.
            made: How its first attempt ended, if it was made just now.
            rested: Whether its next attempt need not wait. A resumed action has waited
                long enough: the downtime was the wait (R-5).

        Returns:
            When it came to its verdict.
        """
        if made is not None:
            rested, now = False, self._conclude(action, made)
            if made.interrupted:
                await self._runtime.durable()
        elif begins is None:
            now = self._runtime.now()
        else:
            rested, now = False, await self._attempt(action, begins, main)
        while True:
            meaning = self._runtime.on_interrupt
            verdict = verdicts.judge(self._plan, action, meaning, now)
            if verdict is Verdict.RECONCILE:
                verdict = await self._reconcile(action)
                now = self._runtime.now()
            seconds = 0.0
            if verdict is Verdict.AGAIN and not rested:
                policy = self._runtime.retry_policy(action)
                seconds = policy.wait(verdicts.tries(action), self._runtime.random())
                if verdicts.deadline_passed(self._plan, action, now, seconds):
                    verdict = Verdict.FAILED  # the wait would not fit
            if verdict is not Verdict.AGAIN:
                return self._decide(
                    action, C if verdict is Verdict.COMPLETED else F, now
                )
            if not self._may(action, main):
                return self._cut(action, now)
            if rested:
                if self._held() and not watching:
                    await self._released(lambda: self._may(action, main))
                    now = self._runtime.now()
                    if not self._may(action, main):
                        return self._cut(action, now)
                now = await self._attempt(action, now, main)
            else:
                await self._back_off(action, seconds, main)
                now = self._runtime.now()
            rested = not rested

    def _cut(self, action: BaseAction, now: datetime) -> datetime:
        """Leave an action of which no attempt may begin: what was begun is STOPPED."""
        if action.state.status is R:
            self._decide(action, S, now)
        elif self._notes.pop(id(action), None) is not None:
            self._runtime.record(action)  # nothing takes the old attempt's place
        return now

    def _may(self, action: BaseAction, main: bool) -> bool:
        """Whether an attempt of it may begin, but for a hold."""
        return not (main and self._plan.stopping) and action.state.status is not K

    async def _attempt(self, action: BaseAction, now: datetime, main: bool) -> datetime:
        """Make one attempt; returns when it ended."""
        state, runtime = action.state, self._runtime
        if state.status is N:
            state.status, state.started = R, now
        attempt = Attempt(started=now)
        if self._notes:
            attempt.notes = self._notes.pop(id(action), attempt.notes)
        action.attempts.append(attempt)
        runtime.record(action)
        await runtime.durable()
        outcome = await runtime.execute(action, attempt, main)
        ended = self._conclude(action, outcome)
        if outcome.interrupted:
            await runtime.durable()
        return ended

    def _conclude(self, action: BaseAction, outcome: AttemptOutcome) -> datetime:
        """Write down how the latest attempt ended; returns when."""
        attempt, runtime = action.attempts[-1], self._runtime
        # Nobody records this yet: the outcome and what follows from it are one write.
        attempt.response = outcome.response
        attempt.error = outcome.error
        attempt.ended = ended = runtime.now()
        if outcome.interrupted:  # then all is as after a crash (SN-1)
            attempt.interrupted = True
            runtime.record(action)
        return ended

    async def _back_off(self, action: BaseAction, seconds: float, main: bool) -> None:
        self._runtime.record(action)
        await self._runtime.wait(seconds, lambda: main and self._plan.stopping)

    async def _reconcile(self, action: BaseAction) -> Verdict:
        """Let the plugin settle an interrupted attempt (R-7)."""
        started = self._runtime.now()
        found = await self._runtime.reconcile(action)
        now = self._runtime.now()
        if isinstance(found, NotDone):
            passed = verdicts.deadline_passed(self._plan, action, now)
            return Verdict.FAILED if passed else Verdict.AGAIN
        error = found.error
        if error is not None:
            error = PluginError("reconcile failed", permanent=True, wrapped=error)
        action.attempts.append(
            Attempt(started=started, ended=now, response=found.response, error=error)
        )
        return Verdict.COMPLETED if error is None else Verdict.FAILED

    def _decide(self, action: BaseAction, status: Status, now: datetime) -> datetime:
        state = action.state
        state.status, state.ended = status, now
        self._runtime.record(action)
        return now

    # --- the two changes that every object goes through --------------------------

    def _begin(
        self, node: Plan | Block | Sequence | DeferBatch | Checks | DeferredActions
    ) -> datetime:
        """Begin it; returns when."""
        now = self._runtime.now()
        node.state = State(R, now)
        self._runtime.record(node)
        return now

    def _finish(
        self,
        node: Node,
        status: Status,
        not_before: datetime | None = None,
        now: datetime | None = None,
    ) -> None:
        """End it, at this time if it is known, and not before that one."""
        now = now or self._runtime.now()
        node.state.status = status
        node.state.ended = now if not_before is None else max(now, not_before)
        self._runtime.record(node)
