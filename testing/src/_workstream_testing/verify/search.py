"""The search: all sets of faults, by their number, as far as the bound goes.

A set of faults is found in the order in which its faults strike, so it is tried once.
What follows the faults of a trial is read off its log: faults that only another fault
makes possible are found too.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from ..virtual.garbage import few_looks
from .faults import Budget, Fault
from .prefixes import Prefixes
from .starts import Starts
from .trials import Trial, Trials

Faults = tuple[Fault, ...]

KEPT = 5
"""How many of the worst trials of each number of faults are kept."""
SHARE = 0.5
"""How much of the runs that are left one number of faults may take before the last."""
CHUNKS = 8
"""Into how many pieces each worker's share is cut."""


@attrs.define
class Level:
    """What was found with one number of faults.

    Attributes:
        faults: How many faults.
        runs: How many sets were tried.
        merged: How many were left out, as another one has the same future.
        skipped: How many were left out for want of runs.
        worst: The worst trials, the worst first.
    """

    faults: int
    runs: int = 0
    merged: int = 0
    skipped: int = 0
    worst: list[Trial] = attrs.Factory(list[Trial])


@attrs.define
class Search:
    """What a search found.

    Attributes:
        levels: By number of faults, from none on.
        broken: The first trial that breaks each invariant, by the invariant's number.
        endless: The first trial that does not end; None: all end.
    """

    levels: list[Level] = attrs.Factory(list[Level])
    broken: dict[int, Trial] = attrs.Factory(dict[int, Trial])
    endless: Trial | None = None

    @property
    def runs(self) -> int:
        """How many runs were made."""
        return sum(level.runs for level in self.levels)

    @property
    def worst(self) -> Trial:
        """The worst trial of all; of equals, that with the fewest faults."""
        best = self.levels[0].worst[0]
        for level in self.levels[1:]:
            if level.worst and level.worst[0].harm > best.harm:
                best = level.worst[0]
        return best


def searched(
    trials: Trials, budget: Budget, *, merge: bool, max_runs: int, workers: int = 1
) -> Search:
    """Try sets of faults, the smallest first.

    Args:
        trials: Runs the plan.
        budget: How much may go wrong.
        merge: Whether moments that are alike count as one.
        max_runs: How many runs may be made.
        workers: How many processes share the work.
    """
    search = Search()
    seen: dict[object, list[Budget]] = {}
    nodes: list[tuple[Faults, Budget]] = [((), budget)]
    left = max_runs
    trials.starts, trials.prefixes = None, Prefixes()
    if merge and budget.total > 1 and not (trials.sharing or budget.stops):
        trials.starts = Starts(trials, budget)
    with few_looks(), _crew(trials, workers) as run_all:
        for number in range(budget.total + 1):
            level = Level(number)
            search.levels.append(level)
            is_last = number == budget.total
            may = left if is_last else max(math.ceil(left * SHARE), 1)
            chosen = _chosen(nodes, may)
            level.skipped = len(nodes) - len(chosen)
            left -= len(chosen)
            nodes = []
            for trial, after in run_all(chosen, merge):
                level.runs += 1
                level.merged += trial.aside
                _note(search, level, trial)
                for fault, key in trial.moments:
                    rest = after.after(fault)
                    if key is not None:
                        known = seen.setdefault(key, [])
                        if any(each.covers(rest) for each in known):
                            level.merged += 1
                            continue
                        known.append(rest)
                    nodes.append(((*trial.faults, fault), rest))
                trial.moments = []
            if not nodes:
                break
    return search


def _note(search: Search, level: Level, trial: Trial) -> None:
    if not trial.reached:
        return
    if trial.endless and search.endless is None:
        search.endless = trial
    for number, excess in enumerate(trial.excess):
        if excess and number not in search.broken:
            search.broken[number] = trial
    level.worst.append(trial)
    # The sort is stable: of equals the first one stays.
    level.worst.sort(key=_least_harm)
    del level.worst[KEPT:]


def _least_harm(trial: Trial) -> tuple[int, ...]:
    return tuple(-each for each in trial.harm)


def _chosen(
    nodes: list[tuple[Faults, Budget]], most: int
) -> list[tuple[Faults, Budget]]:
    """At most so many of them, spread evenly: a sample that is the same each time."""
    if len(nodes) <= most:
        return nodes
    step = len(nodes) / most
    return [nodes[int(number * step)] for number in range(most)]


RunAll = Callable[
    [Sequence[tuple[Faults, Budget]], bool], Iterator[tuple[Trial, Budget]]
]

_trials: Trials | None = None
"""What the workers of a crew work with: they are forked, and inherit it."""


class _crew:  # noqa: N801 - a context manager, used like a function
    """Processes that share trials; one worker is this process itself."""

    def __init__(self, trials: Trials, workers: int) -> None:
        self._trials = trials
        self._pools: list[Any] = []
        self._workers = workers

    def __enter__(self) -> RunAll:
        if self._workers > 1 and "fork" in multiprocessing.get_all_start_methods():
            global _trials
            _trials = self._trials
            context = multiprocessing.get_context("fork")
            self._pools = [context.Pool(1) for _ in range(self._workers)]
        return self._run_all

    def __exit__(self, *exception: object) -> None:
        global _trials
        _trials = None
        for pool in self._pools:
            pool.terminate()
            pool.join()

    def _run_all(
        self, chosen: Sequence[tuple[Faults, Budget]], merge: bool
    ) -> Iterator[tuple[Trial, Budget]]:
        if not self._pools or len(chosen) < 4 * self._workers:
            for faults, budget in chosen:
                yield self._trials.run(faults, budget, merge=merge, ends=merge), budget
            return
        # Who makes which run is settled beforehand: each process remembers what it has
        # tried, and what is left out, and so what is found first, depends on that.
        pools = self._pools
        size = max(1, len(chosen) // (len(pools) * CHUNKS))
        chunks = [
            [(faults, budget, merge) for faults, budget in chosen[at : at + size]]
            for at in range(0, len(chosen), size)
        ]
        done = [
            pool.imap(_several, chunks[number :: len(pools)])
            for number, pool in enumerate(pools)
        ]
        for number, chunk in enumerate(chunks):
            trials = next(done[number % len(pools)])
            for trial, (_, budget, _) in zip(trials, chunk, strict=True):
                yield trial, budget


def _several(chunk: list[tuple[Faults, Budget, bool]]) -> list[Trial]:
    return list(map(_one, chunk))


def _one(work: tuple[Faults, Budget, bool]) -> Trial:
    faults, budget, merge = work
    assert _trials is not None, "workers are forked from a process that has it"
    return _trials.run(faults, budget, merge=merge, ends=merge)
