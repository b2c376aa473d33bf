"""What may begin among the sequences of a block (Q-2, Q-4, R-10, R-11).

The answers are read off the tree, so a run and a resumed run pace a block alike. Only one
thing is kept beside it: which sequences failed, as they would otherwise be counted before
every action. It begins with the tree's own count and grows as sequences fail.
"""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Iterator
from datetime import datetime

from .._plan.plan import Block, Plan, Sequence
from .._values.state import HaltAfter, Status
from . import judgement
from .limits import concurrency_of, consecutive_of


class Pacing:
    """The pacing of one block: which sequences begin, and whether they go on."""

    def __init__(self, block: Block, plan: Plan) -> None:
        """Read where the block stands."""
        self._block = block
        self._plan = plan
        self._halting = judgement.halting_groups(block, plan)
        self._halts_actions = block.halt_after is HaltAfter.ACTION
        self._failed = set[int]()  # the id() of each: it counts once (SD-4)
        self._row: list[tuple[datetime, bool]] = []  # what ended, in order (BG-1)
        self._too_many_in_a_row = False
        self._most_in_a_row = consecutive_of(block, plan)
        self._resumed = deque[Sequence]()
        self._fresh = deque[Sequence]()
        self.active = 0
        self.latest_end: datetime | None = None
        for sequence in block.sequences:
            self.count(sequence)

    def batches(self) -> Iterator[tuple[list[Sequence], list[Sequence]]]:
        """Each batch of the block, with all sequences before it (BG-2)."""
        sequences, at = self._block.sequences, 0
        for size in self._block.batch_sizes:
            yield sequences[:at], sequences[at : at + size]
            at += size

    def open(self, batch: list[Sequence]) -> None:
        """Begin with a batch: those that are RUNNING take the slots first (R-10)."""
        running = (s for s in batch if s.state.status is Status.RUNNING)
        fresh = (s for s in batch if s.state.status is Status.NOT_STARTED)
        self._resumed, self._fresh = deque(running), deque(fresh)
        self.active = 0

    def free(self) -> int:
        """How many more slots there are now, with something to take them (BG-5)."""
        limit = concurrency_of(self._block, self._plan)
        waiting = self.waiting()
        return waiting if limit is None else min(limit - self.active, waiting)

    def is_crowded(self) -> bool:
        """Whether fewer may run at once than do: the limit was lowered (BG-5)."""
        if not self._plan.interventions:
            return False
        limit = concurrency_of(self._block, self._plan)
        return limit is not None and self.active > limit

    def waiting(self) -> int:
        """How many sequences wait for a slot."""
        return len(self._resumed) + (len(self._fresh) if self.may_begin() else 0)

    def draw(self) -> Sequence | None:
        """The sequence that takes a free slot now; None: none may, and none will (Q-2)."""
        if self._resumed:
            return self._resumed.popleft()
        while self._fresh and self.may_begin():
            sequence = self._fresh.popleft()
            if sequence.state.status is Status.NOT_STARTED:  # else it was skipped
                return sequence
        return None

    def may_launch(self) -> bool:
        """Whether a slot waits, under a hold, for a sequence that is yet to begin (HO-1)."""
        return (
            not self._resumed
            and any(each.state.status is Status.NOT_STARTED for each in self._fresh)
            and self.may_begin()
        )

    def count(self, sequence: Sequence) -> None:
        """Count a sequence that failed, as soon as it counts as failed (SD-4)."""
        anew = bool(self._plan.interventions) and self._judged_anew()
        verdict = judgement.verdict_of(sequence)
        failed = verdict is not None and not verdict[1]
        moments = [sequence.state.ended, None if verdict is None else verdict[0]]
        for moment in moments:
            if moment is not None and (self.latest_end or moment) <= moment:
                self.latest_end = moment
        if verdict is None or id(sequence) in self._failed:
            return
        if failed:
            self._failed.add(id(sequence))
        if self._most_in_a_row is not None and not anew:
            self._enter(verdict, self._most_in_a_row)

    def _judged_anew(self) -> bool:
        """Judge the row anew where somebody has set its limit (BG-5); whether it was."""
        block, plan = self._block, self._plan
        most = consecutive_of(block, plan)
        if most == self._most_in_a_row:
            return False
        self._most_in_a_row = most
        verdicts = map(judgement.verdict_of, block.sequences)
        self._row = sorted(each for each in verdicts if each is not None)
        self._too_many_in_a_row = judgement.too_many_in_a_row(block, plan)
        return True

    def _enter(self, verdict: tuple[datetime, bool], limit: int) -> None:
        """Put a verdict into the row; only the failures beside it can be too many."""
        row = self._row
        first = last = bisect(row, verdict)
        row.insert(first, verdict)
        while first > 0 and not row[first - 1][1]:
            first -= 1
        while last < len(row) and not row[last][1]:
            last += 1
        if last - first >= limit:
            self._too_many_in_a_row = True

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
        if self._plan.interventions:
            self._judged_anew()
        for group in self._halting:
            if group.state.status is Status.FAILED:
                return True
        return self._too_many_in_a_row or (
            bool(self._failed)
            and judgement.exceeds_tolerance(self._block, self._plan, len(self._failed))
        )
