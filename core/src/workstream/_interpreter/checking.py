"""Running check groups, once or again and again (sections 8 and 9)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from .._plan.plan import BaseAction, Block, Checks, Plan
from .._values.state import State
from . import interventions, judgement, recovery
from .actions import ActionRunner, C, F, K, N, R, S, unless_decided


class CheckRunner(ActionRunner):
    """What running a plan needs at the level of its check groups."""

    async def _bypassed(self, owner: Plan | Block) -> bool:
        await self._group_if_due(owner.bypass_checks)
        return judgement.is_bypassed(owner)

    async def _post_checks(
        self, owner: Plan | Block, failed: Callable[[], bool]
    ) -> None:
        group = owner.post_checks
        if group is not None and (group.state.status is R or not failed()):
            await self._group_if_due(group, failed)

    async def _deferred_checks(self, owner: Plan | Block) -> None:
        group = owner.deferred_checks
        if group is None:
            return
        await self._released(unless_decided(group))
        if not group.state.status.is_terminal:
            await self._group(group, False)

    async def _pre_stage(self, owner: Plan | Block) -> None:
        """Pre-checks and, alongside, the continuous checks once (E-3, E-4, R-9, R-14)."""
        cont = owner.cont_checks
        if cont is None or not self._continuous_due(owner, cont):
            await self._group_if_due(owner.pre_checks)
            if cont is not None and self._plan.stopping:
                self._settle(cont, owner)
            return
        async with self._runtime.nursery() as nursery:
            nursery.start_soon(self._first_look, owner, cont)
            await self._group_if_due(owner.pre_checks)

    async def _first_look(self, owner: Plan | Block, cont: Checks) -> None:
        """The run of continuous checks that the pre stage makes; later ones are B4's."""

        def may() -> bool:
            return cont.state.status is N and not self._plan.stopping

        if cont.state.status is N:
            await self._released(may)
            if not may():
                return
        await self._look(owner, cont)

    def _continuous_due(self, owner: Plan | Block, cont: Checks) -> bool:
        """Whether the pre stage runs the continuous group.

        A new one is N. One that is R or C was left by a crash, and must pass once
        more before anything goes on (R-9), unless its time is over.
        """
        status = cont.state.status
        over = isinstance(owner, Plan) and judgement.main_work_over(owner)
        never_looped = status is C and judgement.pre_stage_failed(owner)
        return not (status in (K, F, S) or self._plan.stopping or over or never_looped)

    @asynccontextmanager
    async def _continuous_loop(self, owner: Plan | Block) -> AsyncGenerator[None]:
        """Repeat the continuous checks while the body runs (K-1, K-4).

        Leaving it ends a wait at once and awaits a run in progress, on every path
        (K-6, E-7, B-10).
        """
        group = owner.cont_checks
        if (
            group is None
            or group.state.status is not C
            or judgement.pre_stage_failed(owner)
            or (isinstance(owner, Plan) and judgement.main_work_over(owner))
        ):
            yield
            return
        body = _Body()
        async with self._runtime.nursery() as nursery:
            nursery.start_soon(self._repeat, owner, group, body)
            yield
            body.over = True
            self._runtime.wake()

    async def _repeat(self, owner: Plan | Block, group: Checks, body: _Body) -> None:
        def over() -> bool:
            return body.over or self._plan.stopping

        while group.state.status is C and not over():
            await self._turn(owner, group, over)
        self._runtime.wake()  # a failure ends delays (E-6)

    async def _turn(
        self, owner: Plan | Block, group: Checks, over: Callable[[], bool]
    ) -> None:
        """One turn of the loop: its wait, and its run (K-1)."""
        await self._runtime.wait(group.delay, over)
        if not over():
            await self._look(owner, group)

    async def _group_if_due(
        self, group: Checks | None, failed: Callable[[], bool] | None = None
    ) -> None:
        """Run a group of a main phase unless it is decided, or the plan is stopping.

        Args:
            group: The group.
            failed: Says whether there is nothing left that a new run could tell.
        """
        if group is None or group.state.status.is_terminal:
            return

        def may() -> bool:
            status = group.state.status
            if self._plan.stopping or status.is_terminal:
                return False
            return status is R or failed is None or not failed()

        if self._held():
            await self._released(may)
        if may():
            await self._group(group, True)
        elif self._plan.stopping:
            self._settle(group, self._plan)

    def _settle(self, group: Checks, owner: Plan | Block) -> None:
        """End a group that a crash left R and that a stop keeps from running (R-8).

        The stop may come long after recovery had put the tree in order: while the
        plan's continuous checks were run again, say. So the same function does it here.
        """
        now = self._runtime.now()
        meaning = self._runtime.on_interrupt
        self._runtime.record(
            *recovery.settle(self._plan, group, owner, meaning, now, stopping=True)
        )

    async def _look(self, owner: Plan | Block, group: Checks) -> None:
        """Run a continuous group once, and see what that means (BG-4)."""
        await self._run_checks(group, True, watching=True)
        self._judged(owner, group)

    def _judged(self, owner: Plan | Block, group: Checks) -> None:
        """Finish a run of a continuous group by what it means."""
        outcome = judgement.settled(group)
        look = judgement.after_look(group, owner, self._plan, outcome)
        group.missed = look.missed
        if look.pauses:
            # Before the group's end: without this, that run would count for nothing.
            interventions.pause_for(self._plan, group, self._runtime.now())
            self._runtime.record(self._plan)
        self._finish(group, look.status)

    async def _group(self, group: Checks, main: bool) -> None:
        """Run a check group once, from nothing (C-1, C-2)."""
        await self._run_checks(group, main)
        self._finish(group, judgement.settled(group))

    async def _run_checks(
        self, group: Checks, main: bool, *, watching: bool = False
    ) -> None:
        """Run the actions of a group, all at once.

        Args:
            group: The group; what is skipped in it stays so (SK-2).
            main: Whether a stop cuts it.
            watching: Whether it goes on under a hold (HO-1).
        """
        # Reset before the group begins: what an earlier run left must never be taken for
        # a part of this one, which a crash may break off (BG-4).
        actions = [each for each in group.actions if each.state.status is not K]
        for action in actions:
            if action.state.status is not N or action.attempts:
                left_behind = self._left_behind(action)
                action.state = State()
                action.attempts = []
                if not left_behind:
                    self._runtime.record(action)
        self._begin(group)
        if len(actions) == 1:
            await self._action(actions[0], main, watching)
        else:
            async with self._runtime.nursery() as nursery:
                for action in actions:
                    nursery.start_soon(self._action, action, main, watching)

    def _left_behind(self, action: BaseAction) -> bool:
        """Keep the notes of an interrupted attempt for the group's new run (REG-11).

        Then it is the new attempt that takes the old one's place in the store: a crash
        between the two would lose the notes.
        """
        last = action.final_attempt
        if last is None or not (last.interrupted and last.notes):
            return False
        self._notes[id(action)] = dict(last.notes)
        return True


class _Body:
    """Whether the work that a continuous loop watches over has ended."""

    over = False
