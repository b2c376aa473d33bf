"""The questions that the interpreter and recovery ask of a plan's tree.

Every answer is a pure function of what is stored: there are no counters, flags or
latches beside the tree that a crash could lose. A continuous group that is FAILED *is*
the latch (K-3); a plan that is ``stopping`` *is* the stop (SP-8).
"""

from __future__ import annotations

from datetime import datetime

import attrs

from .._plan.plan import (
    Action,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from .._values.interventions import Effect, Verb
from .._values.state import (
    FailureReason,
    OnFailure,
    Status,
    Undo,
    WhenDeferred,
)
from . import limits

N, R, C, K, F, S = (
    Status.NOT_STARTED,
    Status.RUNNING,
    Status.COMPLETED,
    Status.SKIPPED,
    Status.FAILED,
    Status.STOPPED,
)


def settled(container: Checks | Sequence | DeferBatch) -> Status:
    """How a container ends by its actions, none of which runs any more.

    An action failed: F. All completed, or were skipped: C. Otherwise it was cut short: S
    (SP-4, SP-5, Q-4, Q-8, C-2, SK-2).
    """
    completed = True
    for action in container.actions:
        status = action.state.status
        if status is F:
            return F
        completed = completed and (status is C or status is K)
    return C if completed else S


# --- sequences and their deferred work (SD) --------------------------------------


def actions_over(sequence: Sequence) -> bool:
    """Whether its deferred work has begun, so that its actions are over (SD-3)."""
    return _begun(sequence.deferred_actions)


def sequence_status(sequence: Sequence) -> Status:
    """How a sequence ends, of which nothing runs any more (SD-2)."""
    deferred = sequence.deferred_actions
    if deferred is not None and deferred_failed(deferred):
        return F
    return settled(sequence)


def counts_as_failed(sequence: Sequence) -> bool:
    """Whether it counts as failed, though its deferred work may go on (SD-4)."""
    status = sequence.state.status
    return status is F or (status is R and sequence_status(sequence) is F)


# --- check groups -------------------------------------------------------------


@attrs.frozen
class Look:
    """What a run of a continuous group means.

    Attributes:
        status: The group's.
        missed: How many runs have failed, one after the other.
        pauses: Whether the plan is to be paused.
    """

    status: Status
    missed: int
    pauses: bool = False


def _is(group: Checks | None, status: Status) -> bool:
    return group is not None and group.state.status is status


def is_bypassed(owner: Plan | Block) -> bool:
    """Whether its bypass checks passed (E-2, B-3)."""
    return _is(owner.bypass_checks, C)


def pre_stage_failed(owner: Plan | Block) -> bool:
    """Whether its pre-checks or continuous checks have failed (E-3, B-4, K-2)."""
    return _is(owner.pre_checks, F) or _is(owner.cont_checks, F)


def after_look(group: Checks, owner: Plan | Block, plan: Plan, outcome: Status) -> Look:
    """What a run of a continuous group makes of it (BG-4).

    Args:
        group: The group.
        owner: Its plan or block.
        plan: The plan.
        outcome: How the run ended, by its actions.
    """
    if outcome is not F:
        return Look(outcome, 0 if outcome is C else group.missed)
    missed = group.missed + 1
    means = limits.on_failure_of(group, owner, plan)
    if means is OnFailure.WARN:
        return Look(C, missed)
    blocks = owner.blocks if isinstance(owner, Plan) else [owner]
    # Work never begins on a failed check (E-4).
    enough = missed >= group.failures_before_halt or not any(
        begun(s) for block in blocks for s in block.sequences
    )
    if means is OnFailure.HALT:
        return Look(F if enough else C, missed)
    if plan.stopping or any(each.verb is Verb.PAUSE for each in plan.held):
        return Look(C, group.missed)  # what it would ask for is so already
    return Look(C, 0, pauses=True) if enough else Look(C, missed)


def continuous_failed(owner: Plan | Block) -> bool:
    """Whether its continuous checks have failed: the latch of K-3."""
    return _is(owner.cont_checks, F)


# --- blocks -------------------------------------------------------------------


def reached_pre_stage(block: Block) -> bool:
    """Whether a block that is past B1 reached B3, so that B7 is due (B-9)."""
    return block.bypass_checks is None or block.bypass_checks.state.status in (F, K)


def exceeds_tolerance(block: Block, plan: Plan, failed: int) -> bool:
    """Whether so many failed sequences are more than the block tolerates (Q-3)."""
    return 0 <= limits.tolerated_of(block, plan) < failed


def failed_sequences(block: Block) -> int:
    """How many of the block's sequences failed, those before a crash included (Q-3)."""
    return sum(counts_as_failed(sequence) for sequence in block.sequences)


def verdict_of(sequence: Sequence) -> tuple[datetime, bool] | None:
    """When it counted as failed, or completed, and whether it completed (BG-1).

    So ordered, the failures of one moment come before what completed then.
    """
    if counts_as_failed(sequence):
        parts: list[Action | DeferBatch] = [*sequence.actions]
        if sequence.deferred_actions is not None:
            batches = sequence.deferred_actions.batches
            parts += [batch for batch in batches if batch.fail_element]
        failed = [part.state.ended for part in parts if part.state.status is F]
        moments = [end for end in failed or [sequence.state.ended] if end is not None]
        return min(moments), False
    if sequence.state.status is C and sequence.state.ended is not None:
        return sequence.state.ended, True
    return None


def too_many_in_a_row(block: Block, plan: Plan) -> bool:
    """Whether more sequences failed one after the other than the block bears (BG-1)."""
    most = limits.consecutive_of(block, plan)
    if most is None:
        return False
    row = 0
    found = [verdict_of(sequence) for sequence in block.sequences]
    for _, completed in sorted(each for each in found if each is not None):
        row = 0 if completed else row + 1
        if row >= most:
            return True
    return False


def latest_end(block: Block) -> datetime | None:
    """The latest moment at which one of its sequences ended, or counted as failed."""
    ends = [sequence.state.ended for sequence in block.sequences]
    ends += [
        found[0] for found in map(verdict_of, block.sequences) if found is not None
    ]
    return max((end for end in ends if end is not None), default=None)


def begun(sequence: Sequence) -> bool:
    """Whether the sequence was launched; one that was skipped was not (SK-3)."""
    return sequence.state.status not in (N, K)


def halting_groups(block: Block, plan: Plan) -> list[Checks]:
    """The check groups whose failure halts the block's sequences (Q-4, K-2)."""
    groups = (
        block.pre_checks,
        block.cont_checks,
        block.batch_checks,
        plan.cont_checks,
    )
    return [group for group in groups if group is not None]


def block_halted(block: Block, plan: Plan) -> bool:
    """Whether the block has halted, so that nothing more of its work is begun (Q-4)."""
    return (
        any(_is(group, F) for group in halting_groups(block, plan))
        or exceeds_tolerance(block, plan, failed_sequences(block))
        or too_many_in_a_row(block, plan)
    )


def _cut_short(block: Block) -> bool:
    """Whether a sequence was not run to its own end, whatever its status (SD-4)."""
    return any(
        sequence.state.status is not C and settled(sequence) is S
        for sequence in block.sequences
    )


def work_failed(block: Block, plan: Plan) -> bool:
    """Whether the block has failed before its deferred checks (B-4 to B-8)."""
    return (
        pre_stage_failed(block)
        or exceeds_tolerance(block, plan, failed_sequences(block))
        or too_many_in_a_row(block, plan)
        or _is(block.batch_checks, F)
        or (continuous_failed(plan) and _cut_short(block))
        or _is(block.post_checks, F)
    )


def block_failed(block: Block, plan: Plan) -> bool:
    """Whether the block, its sequences no longer running, has failed (B-4 to B-10)."""
    return work_failed(block, plan) or _is(block.deferred_checks, F)


def block_status(block: Block, plan: Plan) -> Status:
    """How a block ends (B-11, SP-6)."""
    if is_bypassed(block):
        return C
    if block_failed(block, plan):
        return F
    groups = (
        block.bypass_checks,
        block.pre_checks,
        block.cont_checks,
        block.batch_checks,
        block.post_checks,
    )
    cut = (
        _cut_short(block)
        or any(_is(group, S) for group in groups)
        or _is(block.post_checks, N)
    )
    return S if cut else C


# --- the plan -----------------------------------------------------------------


def main_failure(plan: Plan) -> bool:
    """Whether anything failed in P2 to P6 (E-1)."""
    return (
        pre_stage_failed(plan)
        or _is(plan.post_checks, F)
        or any(block.state.status is F for block in plan.blocks)
    )


def _begun(part: Checks | DeferredActions | Block | None) -> bool:
    """Whether it has left N; what was skipped has not (SK-3)."""
    return part is not None and part.state.status not in (N, K)


def deferred_begun(plan: Plan) -> bool:
    """Whether P7 has begun, of which the undo is the first part (SP-8, UN-2)."""
    return (
        _begun(plan.deferred_actions)
        or _begun(plan.deferred_checks)
        or any(undo_begun(b) for b in plan.blocks if b.undo is Undo.PLAN_FAILURE)
    )


def main_work_over(plan: Plan) -> bool:
    """Whether P5 was passed, so that the continuous checks are done for good (R-9)."""
    return _begun(plan.post_checks) or deferred_begun(plan)


def later_begun(plan: Plan, index: int) -> bool:
    """Whether anything after the block at this index was begun (B-12)."""
    return main_work_over(plan) or any(map(_begun, plan.blocks[index + 1 :]))


def can_stop(plan: Plan) -> bool:
    """Whether a stop that is seen now still takes effect, or is made harder (SP-8)."""
    return not (plan.state.status.is_terminal or deferred_begun(plan))


def plan_failed(plan: Plan) -> bool:
    """Whether the plan's deferred actions run with failure as the outcome (DA-1)."""
    return plan.stopping or main_failure(plan)


def wanted(failed: bool) -> WhenDeferred:
    """Which of the deferred batches are due, beside those that always are (DA-2)."""
    return WhenDeferred.ON_FAILURE if failed else WhenDeferred.ON_SUCCESS


def stops_now(plan: Plan) -> bool:
    """Whether a stop was taken that cuts attempts, too (SN-1)."""
    return was_said(plan, "now")


def was_said(plan: Plan, word: str) -> bool:
    """Whether a stop was taken with this word: ``now`` (SN-1) or ``undo`` (UN-1)."""
    return plan.stopping and any(
        each.verb is Verb.STOP and each.effect is Effect.TAKEN and each.data.get(word)
        for each in plan.interventions
    )


def cuts(plan: Plan, *, waits: bool = False) -> bool:
    """Whether an attempt of a main phase is to be cut (SN-1, SG-2).

    Args:
        plan: The plan.
        waits: Whether the attempt waits for a signal.
    """
    return plan.stopping and (waits or stops_now(plan))


# --- undo (UN) ------------------------------------------------------------------


def undo_begun(block: Block) -> bool:
    """Whether taking back its sequences has begun, so that it is due for good (UN-1)."""
    return any(sequence.undo_begun for sequence in block.sequences)


def undo_due_in(block: Block, plan: Plan) -> bool:
    """Whether the block's sequences are taken back before its deferred checks (UN-1)."""
    if block.undo is not Undo.BLOCK_FAILURE:
        return False
    if undo_begun(block):
        return True
    # Once B7 has begun, what was not due then is not due any more.
    asked = _may_undo(plan) and not _begun(block.deferred_checks)
    return asked and work_failed(block, plan)


def undo_due(plan: Plan) -> list[Block]:
    """The blocks whose sequences are taken back in P7, the last one first (UN-1)."""
    if was_said(plan, "undo"):
        return [b for b in reversed(plan.blocks) if b.undo is not Undo.NEVER]
    blocks = [b for b in reversed(plan.blocks) if b.undo is Undo.PLAN_FAILURE]
    if any(undo_begun(block) for block in blocks):
        return blocks
    return blocks if not plan.stopping and main_failure(plan) else []


def _may_undo(plan: Plan) -> bool:
    """Whether no stop forbids an undo: a plain one leaves things as they are (UN-1)."""
    return not plan.stopping or was_said(plan, "undo")


def to_take_back(block: Block) -> list[Sequence]:
    """The sequences that an undo has still to do with, the last one first (UN-2)."""
    return [
        sequence
        for sequence in reversed(block.sequences)
        if sequence.actions_begun
        and any(not batch.state.status.is_terminal for batch in sequence.undo_batches)
    ]


def _undo_failed(plan: Plan) -> bool:
    """Whether any sequence could not be taken back (UN-3), be it by an undo plan (UN-5)."""
    return any(
        (plan.undo_of is not None and sequence.state.status is F)
        or any(batch.state.status is F for batch in sequence.undo_batches)
        for block in plan.blocks
        for sequence in block.sequences
        if plan.undo_of is not None or sequence.deferred_actions is not None
    )


# --- deferred work, and how a plan ends -------------------------------------------


def deferred_failed(deferred: DeferredActions) -> bool:
    """Whether a failed batch makes the deferred actions fail (DA-6)."""
    return any(
        batch.fail_element and batch.state.status is F
        for batch in deferred.batches
        if batch.when is not WhenDeferred.ON_UNDO
    )


def reasons(plan: Plan) -> tuple[FailureReason, ...]:
    """Every reason that applies, in the precedence of F-3, by what is stored (F-4)."""
    if is_bypassed(plan):
        return ()
    deferred = plan.deferred_actions
    applies = (
        (FailureReason.STOPPED, plan.stopping),
        (
            FailureReason.DEFERRED_ACTION,
            deferred is not None and deferred.state.status is F,
        ),
        (FailureReason.PRE_CHECK, _is(plan.pre_checks, F)),
        (FailureReason.CONT_CHECK, _is(plan.cont_checks, F)),
        (FailureReason.POST_CHECK, _is(plan.post_checks, F)),
        (FailureReason.DEFERRED_CHECK, _is(plan.deferred_checks, F)),
        (FailureReason.BLOCK, any(b.state.status is F for b in plan.blocks)),
        (FailureReason.UNDO, _undo_failed(plan)),
    )
    return tuple(reason for reason, does in applies if does)


def plan_status(found: tuple[FailureReason, ...]) -> Status:
    """How a plan with these reasons ends (F-6)."""
    if not found:
        return C
    return S if found[0] is FailureReason.STOPPED else F
