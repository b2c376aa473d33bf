"""Begin a run in its midst: at the wave in which its first fault comes.

While nothing goes wrong, all runs of a plan are one run. So a run need not go through what
comes before its first fault: it may begin with the tree that the run without a fault had
stored by then. A tree says nothing of tasks and of queues. But where a whole wave of
sequences has ended, and the next one begins, there is nothing else to say.

That this is so is seen, and not believed. From each such tree the plan is run to its end
once, with nothing going wrong. Only if all calls and writes that come after the wave began
are those of the whole run (of the same object, at the same time, with the same exact
signature, which says all tasks and queues) do runs begin there: those whose first fault is
at one of these moments. From a moment that is the same all that follows is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from workstream._values.state import Status

from .faults import Budget, Fault
from .moments import Start, told
from .prefixes import as_stored
from .runs import Run

if TYPE_CHECKING:
    from .trials import Trials

Name: TypeAlias = tuple[int, int, str, float]
"""What tells a moment from others: its object, attempt, write, and maybe its time."""


class Starts:
    """Where the runs of one search may begin."""

    def __init__(self, trials: Trials, budget: Budget) -> None:
        """Run the plan without a fault, and from each wave on.

        Args:
            trials: Runs it.
            budget: How much may go wrong in the runs that begin there.
        """
        whole = Whole(trials, budget)
        self.times: dict[Name, float] = {}
        for time, position, attempt, what, at in whole.names():
            self.times.setdefault((position, attempt, what, at), time)
        self.found = [
            start
            for start in whole.starts
            if Whole(trials, budget, start).after(start) == whole.after(start)
        ]

    def before(self, fault: Fault) -> Start | None:
        """The latest one that is before a first fault; None: it begins as usual."""
        name = (fault.position, fault.attempt, fault.what, fault.at)
        time = self.times.get(name)
        if time is None:
            return None
        earlier = [start for start in self.found if start.time < time]
        return earlier[-1] if earlier else None


class Whole(Run):
    """A run in which nothing goes wrong, with all its moments.

    Attributes:
        starts: Where others may begin, if it is seen to be the same.
    """

    def __init__(
        self, trials: Trials, budget: Budget, start: Start | None = None
    ) -> None:
        """Run the plan.

        Args:
            trials: Runs it.
            budget: How much may go wrong in other runs.
            start: Where it begins; None: from the beginning.
        """
        super().__init__(
            trials, (), budget, None, merge=True, ends=False, in_order=True, start=start
        )
        self.starts: list[Start] = []
        self._all: list[tuple[float, object]] = []
        self._last = 0.0
        trials.follow(self)
        self.go(None)

    def after(self, start: Start) -> list[tuple[float, object]]:
        """All moments that come after a start."""
        return [each for each in self._all if each[0] > start.time]

    def called(self, position: int, attempt: int) -> Fault | None:
        """A plugin is called."""
        time, now = self.moment()
        if time > self._last:
            self._last = time
            self._add_start(time)
        found = super().called(position, attempt)
        assert self.signatures is not None, "it has been asked to merge"
        exact = hash(self.signatures.of_call(now))
        self._all.append((time, (position, attempt, exact, self._facts_now())))
        return found

    def _stored(self, change: Any) -> bool:
        """A write is durable."""
        dies = super()._stored(change)
        time, now = self.moment()
        assert self.signatures is not None, "it has been asked to merge"
        left = hash(self.signatures.of_crash(now, self.vault.kept))
        self._all.append((time, (*told(change), left, self._facts_now())))
        return dies

    def _add_start(self, time: float) -> None:
        """Remember where others may begin, unless sequences are under way."""
        trials = self.trials
        under_way: set[int] = set()
        for line in trials.shape.blocks.values():
            for member in line.members:
                state = member.sequence.state
                if state.status is not Status.RUNNING:
                    continue
                first = member.sequence.actions[0]
                if [each.started for each in first.attempts] != [state.started]:
                    return
                if first.state.status is not Status.RUNNING or member.deferred:
                    return
                last = member.place + len(member.sequence.actions)
                under_way.update(range(member.place, last + 1))
        if not under_way:
            return
        kept, row = self.vault.kept, self.vault.row
        if row is None:
            kept = as_stored(trials.nodes)
        kept = {place: each for place, each in kept.items() if place not in under_way}
        excess = tuple(self.excess)
        assert self.signatures is not None, "it has been asked to merge"
        owner = self.signatures.first_owner
        self.starts.append(Start(time, kept, row, dict(self.facts), excess, owner))

    def _facts_now(self) -> object:
        """The facts and the broken rules."""
        return frozenset(self.facts.items()), tuple(self.excess)
