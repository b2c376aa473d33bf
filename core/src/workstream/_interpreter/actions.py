"""Doing one action to its verdict, and the changes that objects go through (section 10)."""

from __future__ import annotations

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
from .._protocols.plugin import NotDone
from .._protocols.runtime import Runtime
from .._values.state import Attempt, NoteValue, PluginError, State, Status
from . import judgement
from .judgement import Verdict

N, R, C, F, S = (
    Status.NOT_STARTED,
    Status.RUNNING,
    Status.COMPLETED,
    Status.FAILED,
    Status.STOPPED,
)


class ActionRunner:
    """What running a plan needs at the level of one action."""

    def __init__(self, plan: Plan, runtime: Runtime) -> None:
        """Make one for a plan, from wherever it stands."""
        self._plan = plan
        self._runtime = runtime
        self._notes: dict[int, dict[str, NoteValue]] = {}

    # --- actions (section 10) ---------------------------------------------------

    async def _action(self, action: BaseAction, main: bool) -> None:
        """Run one action to its verdict, from wherever its attempts stand."""
        if main and self._plan.stopping and action.state.status is N:
            if self._notes.pop(id(action), None) is not None:
                self._runtime.record(action)  # nothing takes the old attempt's place
            return None
        # A resumed action has waited long enough: the downtime was the wait.
        rested = True
        now = self._runtime.now()
        while True:
            verdict = judgement.judge(action, self._runtime.on_interrupt, now)
            if verdict is Verdict.RECONCILE:
                verdict = await self._reconcile(action)
                now = self._runtime.now()
            seconds = 0.0
            if verdict is Verdict.AGAIN and not rested:
                policy = self._runtime.retry_policy(action)
                seconds = policy.wait(judgement.tries(action), self._runtime.random())
                if judgement.deadline_passed(action, now, seconds):
                    verdict = Verdict.FAILED  # the wait would not fit
            if verdict is not Verdict.AGAIN:
                return self._decide(
                    action, C if verdict is Verdict.COMPLETED else F, now
                )
            if main and self._plan.stopping:
                return self._decide(action, S, now)
            if rested:
                now = await self._attempt(action, now)
            else:
                await self._back_off(action, seconds, main)
                now = self._runtime.now()
            rested = not rested

    async def _attempt(self, action: BaseAction, now: datetime) -> datetime:
        """Make one attempt; returns when it ended."""
        if action.state.status is N:
            action.state = State(R, now)
        notes = self._notes.pop(id(action), None) if self._notes else None
        attempt = Attempt(started=now, notes=notes or {})
        action.attempts.append(attempt)
        self._runtime.record(action)
        await self._runtime.durable()
        outcome = await self._runtime.execute(action, attempt)
        # Nobody records this yet: the outcome and what follows from it are one write.
        attempt.response = outcome.response
        attempt.error = outcome.error
        attempt.ended = self._runtime.now()
        return attempt.ended

    async def _back_off(self, action: BaseAction, seconds: float, main: bool) -> None:
        self._runtime.record(action)
        await self._runtime.wait(seconds, lambda: main and self._plan.stopping)

    async def _reconcile(self, action: BaseAction) -> Verdict:
        """Let the plugin settle an interrupted attempt (R-7)."""
        started = self._runtime.now()
        found = await self._runtime.reconcile(action)
        now = self._runtime.now()
        if isinstance(found, NotDone):
            passed = judgement.deadline_passed(action, now)
            return Verdict.FAILED if passed else Verdict.AGAIN
        error = found.error
        if error is not None:
            error = PluginError("reconcile failed", permanent=True, wrapped=error)
        action.attempts.append(
            Attempt(started=started, ended=now, response=found.response, error=error)
        )
        return Verdict.COMPLETED if error is None else Verdict.FAILED

    def _decide(self, action: BaseAction, status: Status, now: datetime) -> None:
        action.state.status = status
        action.state.ended = now
        self._runtime.record(action)

    # --- the two changes that every object goes through --------------------------

    def _begin(
        self, node: Plan | Block | Sequence | DeferBatch | Checks | DeferredActions
    ) -> None:
        node.state = State(R, self._runtime.now())
        self._runtime.record(node)

    def _finish(
        self, node: Node, status: Status, not_before: datetime | None = None
    ) -> None:
        now = self._runtime.now()
        node.state.status = status
        node.state.ended = now if not_before is None else max(now, not_before)
        self._runtime.record(node)
