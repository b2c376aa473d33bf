"""Skipping: what is not to be done, though the plan says so (SK-1 to SK-3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from .._plan.paths import find
from .._plan.plan import (
    Block,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from .._plan.shape import held_by
from .._plan.walk import walk
from .._values.state import HaltAfter, State, Status, WhenDeferred
from . import judgement
from .answers import Answer, refused, taken, too_late

N, K = Status.NOT_STARTED, Status.SKIPPED


def skip(plan: Plan, path: str, now: datetime) -> Answer | None:
    """Skip an object that is N, with all that is N under it; None: it was skipped before.

    Args:
        plan: The plan; it is changed.
        path: The object's address (OM-15).
        now: The time.

    Raises:
        PathError: The plan has no such object.
    """
    node = find(plan, path)
    if node is plan:
        return refused("a plan is not skipped as a whole: stop it")
    status = node.state.status
    if status is K:
        return None
    if status is not N:
        word = status.name.lower()
        return refused(f"it is {word}: only what has not begun can be skipped")
    chain = chain_of(plan, node)
    over = next(never_begun(plan, chain), "")
    if over:
        return too_late(f"{over}: it is not begun any more")
    changed = list(_skipped(node, now))
    for above in reversed(chain[1:-1]):
        below = [child for _, child in held_by(above)]
        if isinstance(above, Sequence):
            # With its last action goes its deferred work, too.
            below = [*above.actions]
        if above.state.status is not N or any(c.state.status is not K for c in below):
            break
        changed += _skipped(above, now)
    return taken(changed)


def chain_of(plan: Plan, node: Node) -> tuple[Node, ...]:
    """The object with all that it is in, from the plan down."""
    for item in walk(plan):
        if item.node is node:
            return (*item.ancestors, node)
    raise AssertionError


def _skipped(node: Node, now: datetime) -> Iterator[Node]:
    """Skip the object and what is N under it; a container comes after what is in it."""
    for _, child in held_by(node):
        if child.state.status is N:
            yield from _skipped(child, now)
    node.state = State(K, None, now)
    yield node


def never_begun(plan: Plan, chain: tuple[Node, ...]) -> Iterator[str]:
    """Why an object that is N is not begun any more, if that is decided (SK-1).

    To skip it all the same would let an outcome that was decided be decided again: what
    was cut short would count as done (B-6, SP-6).
    """
    top = chain[1]
    if top is plan.deferred_checks:
        return
    if isinstance(top, DeferredActions):
        failed = judgement.plan_failed(plan)
        yield from _not_chosen(failed, top, chain[2:])
        return
    if isinstance(top, Block):
        yield from _block_over(plan, top, chain[2:])
        return
    if plan.stopping:
        yield _STOPPING
    if judgement.is_bypassed(plan):
        yield _BYPASSED
    if top is plan.post_checks and judgement.main_failure(plan):
        yield "the plan has failed"


_STOPPING = "the plan is stopping"
_BYPASSED = "its bypass checks passed"


def _not_chosen(
    failed: bool, deferred: DeferredActions, below: tuple[Node, ...]
) -> Iterator[str]:
    if deferred.state.status is N or not below:
        return
    batch = below[0]
    assert isinstance(batch, DeferBatch)
    if batch.when not in (WhenDeferred.ALWAYS, judgement.wanted(failed)):
        yield "the outcome has not chosen its batch"
    yield from _sequence_over(batch, below)


def _block_over(plan: Plan, block: Block, below: tuple[Node, ...]) -> Iterator[str]:
    status = block.state.status
    if status.is_terminal:
        yield f"the block is {status.name.lower()}"
    if status is N:
        if plan.stopping:
            yield _STOPPING
        if judgement.main_failure(plan):
            yield "the plan has failed"
        if judgement.is_bypassed(plan):
            yield _BYPASSED
        return
    if not below:
        return
    if judgement.is_bypassed(block):
        yield _BYPASSED
    part = below[0]
    if isinstance(part, Sequence) and any(
        isinstance(each, DeferredActions) for each in below
    ):
        yield from _deferred_over(part, below)
        return
    if part is block.deferred_checks:
        if plan.stopping and not judgement.reached_pre_stage(block):
            yield _STOPPING
        return
    if plan.stopping:
        yield _STOPPING
    if part is block.post_checks and judgement.block_failed(block, plan):
        yield "the block has failed"
    if not judgement.block_halted(block, plan):
        if isinstance(part, Sequence):
            yield from _sequence_over(part, below)
        return
    finishes = (
        isinstance(part, Sequence)
        and block.halt_after is HaltAfter.SEQUENCE
        and part.state.status is Status.RUNNING
    )
    if finishes and isinstance(part, Sequence):
        yield from _sequence_over(part, below)
    elif isinstance(part, Sequence) or part is block.post_checks:
        yield "the block has halted"


def _deferred_over(sequence: Sequence, below: tuple[Node, ...]) -> Iterator[str]:
    """Of a sequence's deferred work, which neither stop nor halt cuts (SD-2)."""
    if sequence.state.status.is_terminal:
        yield f"its sequence is {sequence.state.status.name.lower()}"
    if sequence.deferred_actions is not None:
        failed = judgement.settled(sequence) is not Status.COMPLETED
        yield from _not_chosen(failed, sequence.deferred_actions, below[2:])


def _sequence_over(
    sequence: Sequence | DeferBatch, below: tuple[Node, ...]
) -> Iterator[str]:
    if len(below) < 2:
        return
    if sequence.state.status.is_terminal:
        yield f"its sequence is {sequence.state.status.name.lower()}"
    if isinstance(sequence, Sequence) and judgement.actions_over(sequence):
        yield "the deferred work of its sequence has begun"
    if any(a.state.status is Status.FAILED for a in sequence.actions):
        yield "an action before it failed"
