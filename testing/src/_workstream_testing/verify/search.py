"""The search: all sets of faults, by their number, as far as the bound goes.

A set of faults is found in the order in which its faults strike, so it is tried once.
What follows the faults of a trial is read off its log: faults that only another fault
makes possible are found too.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

import attrs

from ..problems import SimulationError
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


class _crew:  # noqa: N801 - a context manager, used like a function
    """Processes that share trials; one worker is this process itself.

    They are forks, so they have the trials without a word. This process starts no thread
    for them: what is forked beside threads may wait for ever for a lock that one of them
    held.
    """

    def __init__(self, trials: Trials, workers: int) -> None:
        self._trials = trials
        self._workers = workers
        self._lines: list[Connection] = []
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> RunAll:
        if self._workers > 1 and "fork" in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context("fork")
            for _ in range(self._workers):
                line, end = context.Pipe()
                self._lines.append(line)
                process = context.Process(
                    target=_work, args=(self._trials, end, self._lines), daemon=True
                )
                process.start()
                end.close()
                self._processes.append(process)
        return self._run_all

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()
        for line in self._lines:
            line.close()

    def _run_all(
        self, chosen: Sequence[tuple[Faults, Budget]], merge: bool
    ) -> Iterator[tuple[Trial, Budget]]:
        if not self._lines or len(chosen) < 4 * self._workers:
            for faults, budget in chosen:
                yield self._trials.run(faults, budget, merge=merge, ends=merge), budget
            return
        # Who makes which run is settled beforehand: each process remembers what it has
        # tried, and what is left out, and so what is found first, depends on that.
        lines = self._lines
        size = max(1, len(chosen) // (len(lines) * CHUNKS))
        chunks = [chosen[at : at + size] for at in range(0, len(chosen), size)]
        for number, line in enumerate(lines):
            line.send((merge, chunks[number :: len(lines)]))
        done: list[deque[list[Trial]]] = [deque() for _ in lines]
        for number, chunk in enumerate(chunks):
            while not (mine := done[number % len(lines)]):
                self._receive(done)
            for trial, (_, budget) in zip(mine.popleft(), chunk, strict=True):
                yield trial, budget

    def _receive(self, done: list[deque[list[Trial]]]) -> None:
        """Take what there is, from whoever has done something: nobody waits to tell."""
        for ready in wait(self._lines):
            number = self._lines.index(cast("Connection", ready))
            try:
                answer = self._lines[number].recv()
            except EOFError:
                message = (
                    f"process {self._processes[number].pid}, which made runs, was killed: "
                    "perhaps for want of memory; verify with fewer workers, or fewer runs"
                )
                raise SimulationError(message) from None
            if isinstance(answer, Exception):
                raise answer
            done[number].append(answer)


def _work(trials: Trials, line: Connection, of_parent: Sequence[Connection]) -> None:
    """Make the runs that are asked for, until nobody is there to ask for more."""
    for each in of_parent:
        each.close()  # or it would not be seen that nobody is
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            merge, chunks = line.recv()
            for chunk in chunks:
                line.send(_answer(trials, chunk, merge))


def _answer(
    trials: Trials, chunk: Sequence[tuple[Faults, Budget]], merge: bool
) -> list[Trial] | Exception:
    try:
        return [
            trials.run(faults, budget, merge=merge, ends=merge)
            for faults, budget in chunk
        ]
    except Exception as error:  # the process that asked raises it
        return error
