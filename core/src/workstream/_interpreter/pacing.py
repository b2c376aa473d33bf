"""What may begin among the sequences of a block (Q-2, Q-4, R-10, R-11).

The answers are read off the tree, so a run and a resumed run pace a block alike. Only one
thing is kept beside it: which sequences failed, as they would otherwise be counted before
every action. It begins with the tree's own count and grows as sequences fail.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._plan.plan import Block, Plan, Sequence
from .._values.state import HaltAfter, Status
from . import judgement


class Pacing:
    """The pacing of one block: which sequences begin, and whether they go on."""

    def __init__(self, block: Block, plan: Plan) -> None:
        """Read where the block stands."""
        self._block = block
        self._plan = plan
        self._halting = judgement.halting_groups(block, plan)
        self._halts_actions = block.halt_after is HaltAfter.ACTION
        self._failed = set[int]()  # the id() of each: it counts once (SD-4)
        for sequence in block.sequences:
            self.count(sequence)

    def waiting(self) -> list[Sequence]:
        """The sequences that take the slots, those that are RUNNING first (R-10)."""
        sequences = self._block.sequences
        waiting = [s for s in sequences if s.state.status is Status.RUNNING]
        if self.may_begin():
            waiting += [s for s in sequences if s.state.status is Status.NOT_STARTED]
        return waiting

    def draw(self, source: Iterator[Sequence]) -> Iterator[Sequence]:
        """Draw sequences from the source for one slot, until none may begin (Q-2)."""
        for sequence in source:
            if sequence.state.status is Status.NOT_STARTED and not self.may_begin():
                return
            yield sequence

    def count(self, sequence: Sequence) -> None:
        """Count a sequence that failed, as soon as it counts as failed (SD-4)."""
        if judgement.counts_as_failed(sequence):
            self._failed.add(id(sequence))

    def may_begin(self) -> bool:
        """Whether one more sequence may begin."""
        return not (self._plan.stopping or self._halted())

    def may_go_on(self) -> bool:
        """Whether one more action of a sequence that has begun may begin."""
        if self._plan.stopping:
            return False
        return not (self._halts_actions and self._halted())

    def _halted(self) -> bool:
        """Whether the block has halted (Q-4)."""
        # Asked before every action, so it makes no generator.
        for group in self._halting:
            if group.state.status is Status.FAILED:
                return True
        return judgement.exceeds_tolerance(self._block, len(self._failed))
