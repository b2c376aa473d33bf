"""The order of things: walks a plan, and decides what comes next.

This is plain ``async`` code. It imports no event loop and awaits only what its runtime
gives it (``_protocols.runtime``), so the same lines run on trio, in a simulator, or in
whatever can drive a coroutine.

How it is built
===============

**Resume is running again.** There is no second path for recovery. After a crash
``put_in_order`` (``_interpreter.recovery``) tidies the stored tree, and then the code
below walks it as it walks a new one. Every step first asks "is this decided already?" and
acts on the status that it finds:

========  ======================================================================
finds     means
========  ======================================================================
N         not begun: begin it, *if it may begin*
R         begun before a crash: always bring it to its end
C, F, S   decided: never touched again
K         skipped by a person: passed over, like something that completed
========  ======================================================================

That is why no ``if recovering`` stands anywhere below. A run that was never interrupted
meets only N on its way down; a status other than N on entering a step is what tells a
resumed step what it needs to know (sequences that are R take the slots first, a check
group that is R is run anew, a continuous group that is C is run once more).

**Walk every phase; guard only what begins.** A failure never jumps anywhere. It changes
the tree, and the guards of later phases look at the tree (``_interpreter.judgement``): the
blocks after a failed one do not begin, the post-checks do not begin, the deferred work
does. So "what still runs after a failure" (section 22) is the sum of a few guards rather
than a net of exits.

**Change, then record, then await.** Memory is changed and ``record``-ed with no ``await``
in between; the records of a plan become durable in that order. Any crash therefore leaves
a prefix of one history, and that is all that recovery has to understand (STO-10). Only
one thing waits for the disk: the call of a plugin, which must not begin before its
attempt is durable (A-13). Everything that happened before, the end of the action before
it or the start of its sequence, rides in the same commit.

**It never cancels.** A wait has a condition that ends it; an attempt in flight ends by
itself or by its timeout, which the runtime keeps (SP-2).

What may begin, under a stop or a halt
======================================

A **stop** (``plan.stopping``) keeps everything in the main phases from beginning, attempts
included. A **halt** of a block (Q-4) keeps sequences from beginning, and with
``HaltAfter.ACTION`` also actions; the retries of an action in flight go on. Deferred work
knows neither: that is the ``main`` argument below, False for deferred actions and checks.

A **hold** (``plan.held``: paused or frozen) keeps everything from beginning, deferred work
included. It decides nothing (HO-2): where something is about to begin, ``_released`` waits
until the hold is over, or until the guards of what waits say no. Then whoever waited asks
them again, as if it came to them now. So each place below that begins something reads:
wait while held, ask the guards, begin, with no ``await`` after the first. Two things do not
wait: the plan itself, and the continuous checks once they have begun (HO-1): that is the
``watching`` argument.

What people say to a plan arrives between two steps, through ``take``. It may change what is
N: an object that a step is about to begin may be SKIPPED after a wait (SK-1).

The deferred work of a sequence, and undo
=========================================

A sequence's own deferred work (SD) is the last step of the sequence, as P7 is of the
plan, and runs by the same lines. Two things are new. A sequence that is R may have come
to its verdict: so whoever counts failures asks ``judgement.counts_as_failed``, never the
status. And its actions say which batches are due, so these must not change any more:
once ``deferred_actions`` has left N, no action of the sequence begins.

Undo (UN) breaks the one habit that every other step has: it runs something beneath
objects that have *ended*. It is kept apart for that. Nobody but the undo looks at ON_UNDO
batches, no status above them follows from them, and whether the undo is due is asked
once, before the first: that one of them has left N is the record of the answer. So a
resumed undo finds its way by the same question as everything else, "is this batch
decided?", and needs no place in the tree of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from .._plan.plan import Block, DeferBatch, Plan, Sequence
from .._protocols.runtime import Nursery
from .._protocols.vault import PlanRequest
from .._values.state import WhenDeferred
from . import interventions, judgement
from .actions import PASSED, C, F, K, N, R, always, unless_decided
from .checking import CheckRunner
from .pacing import Pacing


def _nothing() -> None:
    """Nobody wants to be told."""


class Interpreter(CheckRunner):
    """Runs one plan, from wherever it stands, to its end."""

    _open: tuple[Pacing, Nursery] | None = None
    """The block whose sequences run, and where their slots are."""

    async def run(self) -> None:
        """Run the plan to its end; on return its terminal status is durable (E-10)."""
        plan = self._plan
        if plan.state.status is N:
            self._begin(plan)
        bypassed = await self._bypassed(plan)  # P1
        if not bypassed:
            await self._pre_stage(plan)  # P2
            async with self._continuous_loop(plan):  # P3, P5
                await self._blocks()  # P4
            await self._post_checks(  # P6
                plan, lambda: judgement.main_failure(plan)
            )
            await self._runtime.hear()  # the last moment in which a stop is in time
            # Asked again when a hold is over: until it begins it is not due for good (UN-1).
            await self._released(lambda: bool(judgement.undo_due(plan)))
            for block in judgement.undo_due(plan):
                await self._take_back(block)
            await self._deferred_actions(  # P7
                plan, lambda: judgement.plan_failed(plan)
            )
            await self._deferred_checks(plan)  # P8
        if bypassed or judgement.deferred_begun(plan):
            await self._runtime.hear()
        plan.reasons = judgement.reasons(plan)  # P9
        self._finish(plan, judgement.plan_status(plan.reasons))
        await self._runtime.durable()

    def take(self, request: PlanRequest) -> None:
        """Take what was asked of the plan, between two steps of its run (CT-2)."""
        changed = interventions.take(self._plan, request, self._runtime.now())
        # Recorded also where nothing changed: the number of a request comes of the plan's
        # log position, and one that was taken without a change would be given again.
        self._runtime.record(*(changed or [self._plan]))
        if changed:
            self._fill()
            self._runtime.wake()

    # --- blocks (section 6) -----------------------------------------------------

    async def _blocks(self) -> None:
        plan = self._plan
        for index, block in enumerate(plan.blocks):
            if block.state.status is N and not await self._reached(block):
                return
            if block.state.status is K:
                continue
            if not block.state.status.is_terminal:
                await self._block(block)
            if block.state.status is not C:
                return
            if block.exit_delay > 0 and not (
                judgement.is_bypassed(block) or judgement.later_begun(plan, index)
            ):
                await self._exit_delay(block)  # B10

    async def _reached(self, block: Block) -> bool:
        """Wait until the block is to begin, or is skipped; whether it may (E-6, B-2)."""

        def may() -> bool:
            return block.state.status is N and not self._held_up()

        await self._delay(block.entrance_delay, may)  # B0
        await self._released(may)
        return block.state.status is K or may()

    async def _block(self, block: Block) -> None:
        if block.state.status is N:
            self._begin(block)  # B1
        if not await self._bypassed(block):  # B2
            await self._pre_stage(block)  # B3
            async with self._continuous_loop(block):  # B4, B8
                await self._sequences(block)  # B5
                await self._post_checks(  # B6
                    block, lambda: judgement.block_failed(block, self._plan)
                )
                await self._released(lambda: judgement.undo_due_in(block, self._plan))
                if judgement.undo_due_in(block, self._plan):
                    await self._take_back(block)
                if judgement.reached_pre_stage(block):
                    await self._deferred_checks(block)  # B7
        self._finish(block, judgement.block_status(block, self._plan))  # B9

    def _held_up(self) -> bool:
        """Whether no further block may begin, and its delays end (E-6, SP-2)."""
        return self._plan.stopping or judgement.pre_stage_failed(self._plan)

    async def _delay(self, seconds: float, may: Callable[[], bool]) -> None:
        if seconds > 0:
            await self._runtime.wait(seconds, lambda: not may())

    async def _exit_delay(self, block: Block) -> None:
        # Counted from the block's stored end, so that a crash during a long bake
        # waits for what is left of it (B-12).
        if block.state.ended is not None:
            await self._runtime.durable()
            gone = self._runtime.now() - block.state.ended
            left = block.exit_delay - gone.total_seconds()
            await self._delay(left, lambda: not self._held_up())

    # --- sequences (section 7) --------------------------------------------------

    async def _sequences(self, block: Block) -> None:
        pacing = Pacing(block, self._plan)
        for before, batch in pacing.batches():
            if not await self._gate(block, before, batch, pacing):
                break
            pacing.open(batch)
            if pacing.waiting() == 1:
                pacing.active = 1
                await self._worker(pacing)
            elif pacing.waiting():
                async with self._runtime.nursery() as nursery:
                    self._open = (pacing, nursery)
                    if pacing.free() == 1:
                        # A single slot needs no task: so the first sequence begins in
                        # the commit of the block's start. A raised limit adds tasks.
                        pacing.active += 1
                        await self._worker(pacing)
                    else:
                        self._fill()
                self._open = None
        gate = block.batch_checks
        if gate is not None and gate.state.status is R:
            await self._group_if_due(gate)  # a crash left it, and nothing waits for it

    async def _gate(
        self,
        block: Block,
        before: list[Sequence],
        batch: list[Sequence],
        pacing: Pacing,
    ) -> bool:
        """Wait for what must be before a batch is launched; whether it may be (BG-2)."""
        if any(map(judgement.begun, batch)) or not any(map(judgement.begun, before)):
            return True  # the gate has passed (BG-3), or there is nothing to look at
        if all(each.state.status is K for each in batch):
            return True
        if block.batch_delay > 0 and pacing.latest_end is not None:
            await self._runtime.durable()
            gone = self._runtime.now() - pacing.latest_end
            left = block.batch_delay - gone.total_seconds()
            if left > 0:
                await self._runtime.wait(left, lambda: not pacing.may_begin())
        gate = block.batch_checks
        if gate is not None and gate.state.status is not K:
            await self._released(pacing.may_begin)
        if gate is None or gate.state.status is K or not pacing.may_begin():
            return pacing.may_begin()
        await self._group(gate, True)
        return gate.state.status is C

    async def _in_slots(
        self, slots: int, worker: Callable[[], Awaitable[None]]
    ) -> None:
        """Let so many workers go through what is to be done."""
        if slots == 1:
            await worker()
        elif slots:
            async with self._runtime.nursery() as nursery:
                for _ in range(slots):
                    nursery.start_soon(worker)

    def _fill(self) -> None:
        """Open the slots of the block that runs, also those that it was given since."""
        if self._open is not None:
            pacing, nursery = self._open
            for _ in range(pacing.free()):
                pacing.active += 1
                nursery.start_soon(self._worker, pacing)

    async def _worker(self, pacing: Pacing) -> None:
        """One of the block's slots."""
        while not pacing.is_crowded():
            if self._held():
                # Drawn after the wait: what is next may have changed (HO-2, Q-1).
                await self._released(pacing.may_launch)
            sequence = pacing.draw()
            if sequence is None:
                break
            await self._sequence(sequence, pacing)
            if self._plan.interventions:
                self._runtime.wake()  # a halt is heard by what a hold keeps waiting
        pacing.active -= 1

    async def _sequence(self, sequence: Sequence, pacing: Pacing) -> None:
        """Run its actions, then the deferred work that these make due (SD-2)."""
        begun = self._begin(sequence) if sequence.state.status is N else None
        passed = None
        if not judgement.actions_over(sequence):
            passed = await self._in_order(
                sequence, pacing.may_go_on, main=True, now=begun
            )
        if sequence.deferred_actions is not None and sequence.actions_begun:
            passed = None
            pacing.count(sequence)
            await self._deferred_actions(
                sequence,
                lambda: judgement.settled(sequence) is not C,
                lambda: pacing.count(sequence),
            )
        status = judgement.sequence_status(sequence) if passed is None else C
        # A clock that was set back must not mix up the order of ends (BG-1).
        self._finish(sequence, status, pacing.latest_end, passed)
        pacing.count(sequence)

    async def _in_order(
        self,
        container: Sequence | DeferBatch,
        may_go_on: Callable[[], bool],
        *,
        main: bool,
        now: datetime | None = None,
    ) -> datetime | None:
        """Run the actions one after the other, as long as all is well (Q-7).

        Args:
            container: What holds them.
            may_go_on: Whether one more may begin.
            main: Whether a stop keeps them from beginning.
            now: The time, if it was told just now.

        Returns:
            When all of them had passed; None: not all have.
        """
        takes_back = (
            isinstance(container, DeferBatch) and container.when is WhenDeferred.ON_UNDO
        )
        usual = self._usual if main else None
        now = now or self._runtime.now()
        for action in container.actions:
            is_new = action.state.status is N
            if is_new:
                if self._held():
                    await self._released(unless_decided(action, may_go_on))
                    now = self._runtime.now()
                if action.state.status is N and not may_go_on():
                    return None
                if takes_back:
                    self._skip_in_vain(action)
            if not action.state.status.is_terminal:
                # It begins when the one before it ended: nothing was waited for.
                begins = now if is_new else None
                made = (
                    None
                    if usual is None or begins is None
                    else await usual(action, begins)
                )
                if isinstance(made, datetime):
                    now = made  # it has completed
                    continue
                now = await self._action(action, main, begins=begins, made=made)
            if action.state.status not in PASSED:
                return None
        return now

    # --- deferred actions (section 12, SD) ---------------------------------------

    async def _deferred_actions(
        self,
        owner: Plan | Sequence,
        failed: Callable[[], bool],
        on_end: Callable[[], None] = _nothing,
    ) -> None:
        """Run the batches that the outcome makes due; ``on_end`` is told of each."""
        deferred = owner.deferred_actions
        if deferred is None:
            return
        if deferred.state.status is N:
            # The choice is made when the hold is over, not before (HO-2).
            await self._released(unless_decided(deferred))
        if deferred.state.status.is_terminal:
            return
        wanted = judgement.wanted(failed())
        if deferred.state.status is N:
            self._begin(deferred)
        for batch in deferred.batches:
            if batch.when in (WhenDeferred.ALWAYS, wanted):
                await self._batch(batch)
                on_end()
        self._finish(deferred, F if judgement.deferred_failed(deferred) else C)

    async def _take_back(self, block: Block) -> None:
        """Undo the sequences that have begun, each of them, at the block's pace (UN-2)."""
        waiting = judgement.to_take_back(block)
        source = iter(waiting)

        async def worker() -> None:
            for sequence in source:
                for batch in sequence.undo_batches:
                    await self._batch(batch)

        slots = min(block.concurrency or max(block.batch_sizes), len(waiting))
        await self._in_slots(slots, worker)

    async def _batch(self, batch: DeferBatch) -> None:
        """Bring a batch that is due to its end."""
        if batch.state.status is N:
            await self._released(unless_decided(batch))
        if batch.state.status.is_terminal:
            return
        if batch.state.status is N:
            self._begin(batch)
        await self._in_order(batch, always, main=False)
        self._finish(batch, judgement.settled(batch))
