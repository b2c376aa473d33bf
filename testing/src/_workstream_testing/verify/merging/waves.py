"""Fewer hosts with the same ends: a long block of alike sequences, cut short.

Why that is sound
=================

A block whose sequences are all alike is a conveyor: a slot that is free draws the next
sequence, and which one it draws makes no difference. While nothing goes wrong, the slots
repeat themselves: after each period every slot is where it was, and the only thing that
has changed is how many sequences are left and how many have completed. Neither is ever
looked at, except that the block ends when none is left.

So a run in which nothing goes wrong for a whole period between two faults has the same
end as one without that period: as many hosts fewer complete. What is left when every such
period is cut out has, between two faults, at most the time that the first one takes to be
over (an action that hangs, and waits to be tried again, keeps its slot for that long) and
one period more. That bounds how many sequences a plan needs so that every set of so many
faults still fits: the waves that ``cut`` keeps, half of them from the beginning of the
block, half from its end.

The same bounds what a signature counts of the sequences that wait (``bound``). A moment at
which a fault is tried is followed by that fault and by as many as are then left, and the
bound has room for a call that is still on its way. So the waves are counted that are
needed with what is left *after* that fault.

It does not hold where a rule counts hosts that were never begun, or that completed (there
are fewer of them), where continuous checks or delays count time, or where plugins tell
hosts apart. Then nothing is cut. What was found is run again on the whole plan, so
whatever is reported did happen there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from workstream._plan.plan import BaseAction, Block, Percent, Plan
from workstream._plan.walk import position_of
from workstream.retries import RetryPolicy

from ..faults import Budget, Fault
from ..invariants import Rule
from ..trials import Trials

WORTH = 2
"""A block is cut only if it becomes so many times shorter."""


@attrs.frozen
class Cut:
    """A plan with fewer sequences.

    Attributes:
        plan: The plan.
        kept: Of each block: which sequences were kept, or None: all.
        text: What was left out, for people.
    """

    plan: Plan
    kept: tuple[tuple[int, ...] | None, ...]
    text: tuple[str, ...]


def cut(plan: Plan, whole: Trials, budget: Budget) -> Cut | None:
    """The plan with fewer sequences, on which as many faults have the same ends.

    Args:
        plan: The plan, as its author made it.
        whole: Trials of it, of which one without a fault was just run.
        budget: How much may go wrong.

    Returns:
        None where nothing may be cut.
    """
    ready = whole.plan
    if ready.cont_checks is not None or whole.world.shared or _counts_idle(whole):
        return None
    blocks: list[Block] = []
    kept: list[tuple[int, ...] | None] = []
    texts: list[str] = []
    for block, mine in zip(ready.blocks, plan.blocks, strict=True):
        chosen = _kept(block, whole, budget)
        kept.append(chosen)
        if chosen is None:
            blocks.append(mine)
            continue
        few = [mine.sequences[number] for number in chosen]
        blocks.append(attrs.evolve(mine, sequences=few))
        texts.append(
            f"block {mine.name!r}: its {len(mine.sequences):,} sequences are alike; "
            f"{len(few):,} of them stand for all"
        )
    if not texts:
        return None
    return Cut(attrs.evolve(plan, blocks=blocks), tuple(kept), tuple(texts))


def _counts_idle(whole: Trials) -> bool:
    """Whether a rule counts hosts that were never begun, or that completed."""
    for rule in whole.invariants:
        if not isinstance(rule, Rule):
            return True
        for facts in (whole.world.first, whole.usual_facts):
            if any(
                name in rule.facts[:1] and rule.counts(values)
                for (_, name), values in facts.items()
            ):
                return True
    return False


def bound(trials: Trials) -> None:
    """Let signatures count no more sequences that wait than can make a difference.

    Args:
        trials: Of which one without a fault was just run.
    """
    plan = trials.plan
    if trials.world.shared or _counts_idle(trials):
        return
    for line in trials.shape.blocks.values():
        line.forgets = True
    if plan.cont_checks is not None:
        return
    for block in plan.blocks:
        lost = _lost_waves(block, trials)
        if lost is not None:
            line = trials.shape.blocks[position_of(block)]
            line.bound = _Bound(lost)


@attrs.frozen
class _Bound:
    """How many waves are needed, if a call that hangs takes as long as some of them."""

    lost: int

    def __call__(self, budget: Budget) -> int:
        more = budget.crashes + budget.stops
        return budget.failures * (1 + self.lost) + more + 2 + self.lost


def _kept(block: Block, whole: Trials, budget: Budget) -> tuple[int, ...] | None:
    lost = _lost_waves(block, whole)
    if lost is None:
        return None
    waves = _Bound(lost)(budget)
    slots = block.slots(len(block.sequences))
    size = waves * slots
    number = len(block.sequences)
    if size * WORTH > number:
        return None
    # A multiple of the concurrency is left out, so that the last wave is as full.
    left_out = (number - size) // slots * slots
    first = (waves + 1) // 2 * slots
    return (*range(first), *range(first + left_out, number))


def _lost_waves(block: Block, whole: Trials) -> int | None:
    """For how many waves a call can keep its slot; None: nothing may be cut."""
    if block.cont_checks is not None:
        return None
    if block.batches or block.max_consecutive_failures is not None:
        return None  # where a sequence stands, or when it ends, makes a difference
    if isinstance(block.tolerated_failures, Percent):
        return None  # of fewer sequences, fewer may fail
    classes = {whole.shape.classes[position_of(s)] for s in block.sequences}
    period = _period(block)
    if len(classes) != 1 or not period:
        return None
    if block.sequences[0].deferred_actions is not None:
        return None
    actions = block.sequences[0].actions
    longest = max(_longest(action, whole.retry_policy(action)) for action in actions)
    return None if longest == math.inf else math.ceil(longest / period)


def _longest(action: BaseAction, policy: RetryPolicy) -> float:
    """Seconds for which an action can keep its slot: all attempts, and the waits between."""
    within = math.inf if action.deadline is None else action.deadline + action.timeout
    if action.retries is None:
        return within
    waits = sum(policy.waits(action.retries)) * (1 + policy.randomization_factor)
    return min(within, action.timeout * (action.retries + 1) + waits)


def _period(block: Block) -> float | None:
    """How long a sequence took when nothing went wrong."""
    state = block.sequences[0].state
    if state.started is None or state.ended is None:
        return None
    return (state.ended - state.started).total_seconds()


def lifted(
    faults: Sequence[Fault], small: Trials, whole: Trials, kept: Cut
) -> tuple[Fault, ...]:
    """The faults of a plan that was cut, as faults of the whole plan."""
    places = _places(small, whole, kept)
    moved: list[Fault] = []
    for fault in faults:
        place = places[fault.position]
        delay = _time_of(whole, place) - _time_of(small, fault.position)
        at = fault.at + delay if fault.at else fault.at
        path = whole.paths[place]
        moved.append(attrs.evolve(fault, position=place, path=path, at=at))
    return tuple(moved)


def _time_of(trials: Trials, position: int) -> float:
    """When the object began in the run without a fault."""
    return trials.began.get(position, 0.0)


def _places(small: Trials, whole: Trials, kept: Cut) -> dict[int, int]:
    """Where each object of the small plan is in the whole one."""
    found: dict[int, int] = {0: 0}
    for mine, chosen, other in zip(
        small.plan.blocks, kept.kept, whole.plan.blocks, strict=True
    ):
        found[position_of(mine)] = position_of(other)
        numbers = range(len(mine.sequences)) if chosen is None else chosen
        for sequence, number in zip(mine.sequences, numbers, strict=True):
            target = other.sequences[number]
            found[position_of(sequence)] = position_of(target)
            for one, two in zip(sequence.actions, target.actions, strict=True):
                found[position_of(one)] = position_of(two)
    # Everything else has the same path in both.
    by_path = {path: place for place, path in enumerate(whole.paths)}
    for place, path in enumerate(small.paths):
        if place not in found and path in by_path:
            found[place] = by_path[path]
    return found
