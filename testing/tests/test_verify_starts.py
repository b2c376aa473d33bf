"""Runs that begin in their midst are the runs that begin at the beginning."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import pytest
from verify_plans import PLUGINS, SERVING, Drain, Start, look, rollout

from _workstream_testing.verify.faults import Budget, Fault
from _workstream_testing.verify.prefixes import Prefixes
from _workstream_testing.verify.starts import Starts, Whole
from _workstream_testing.verify.trials import Trials
from workstream import HaltAfter, Plan
from workstream.testing import at_most


def trials(plan: Plan, *, stores: bool, **more: Any) -> Trials:
    """Trials of a plan."""
    return Trials(
        plan,
        PLUGINS,
        invariants=lambda world: [at_most(1, serving=False)],
        effects=SERVING,
        stores=stores,
        **more,
    )


def check(found: Trials, sets: list[tuple[tuple[Fault, ...], Budget]]) -> Counter[str]:
    """Run each set of faults from where it may begin, and from the beginning.

    Returns:
        How many began at a wave, after a crash, and behind another fault.
    """
    starts, begun = found.starts, Counter[str]()
    assert starts is not None
    for faults, budget in sets:
        latest = found.prefixes.latest(faults)
        if latest is not None:
            begun["crash" if latest.exact is None else "fault"] += 1
        elif starts.before(faults[0]) is not None:
            begun["wave"] += 1
        found.ends.clear()  # what was tried before would be left early
        one = found.run(faults, budget, merge=True, ends=True)
        tree = tree_of(found)
        found.starts = None
        found.ends.clear()
        other = found.run(faults, budget, merge=True, ends=True)
        found.starts = starts
        assert one == other
        assert tree == tree_of(found)
    return begun


def tree_of(found: Trials) -> list[Any]:
    """All states and attempts."""
    return [(each.state, getattr(each, "attempts", ())) for each in found.nodes]


def check_starts(halt_after: HaltAfter, budget: Budget, step: int) -> None:
    """Each so many-th set has the same end and moments, wherever its run begins."""
    plan = rollout(
        6,
        plugins=(Drain, Start),
        concurrency=2,
        tolerated=budget.failures - 1,
        halt_after=halt_after,
    )
    found = trials(plan, stores=budget.crashes > 0)
    found.starts = Starts(found, budget)
    assert len(found.starts.found) == 2  # of three waves, all but the first
    known: list[tuple[tuple[Fault, ...], Budget]] = [((), budget)]
    for faults, left in known:
        if left.total:
            known += [
                ((*faults, fault), left.after(fault))
                for fault, _ in found.run(faults, left, merge=True).moments
            ]
    sets = known[1::step]
    begun = check(found, sets)
    assert begun["wave"]
    assert begun.total() > len(sets) / 4
    assert begun["fault"] or budget.total == 1
    if budget == Budget(2, 1, 0):
        assert begun["crash"]


@pytest.mark.parametrize("halt_after", HaltAfter)
@pytest.mark.parametrize("bounds", [(1, 0, 0), (1, 1, 0)])
def test_a_run_may_begin_at_a_wave(
    halt_after: HaltAfter, bounds: tuple[int, int, int]
) -> None:
    """Some sets of up to two faults."""
    check_starts(halt_after, Budget(*bounds), 5)


@pytest.mark.slow
@pytest.mark.parametrize("halt_after", HaltAfter)
def test_a_run_may_begin_at_a_wave_thoroughly(halt_after: HaltAfter) -> None:
    """Each set of up to two failures and a crash."""
    check_starts(halt_after, Budget(2, 1, 0), 1)


def test_a_start_behind_a_fault_that_is_not_the_same_run_is_refused() -> None:
    """A run that begins with another host in the midst of its work begins elsewhere."""
    plan = rollout(8, plugins=PLUGINS[:3], concurrency=2, tolerated=1)
    found = trials(plan, stores=True)
    found.starts = Starts(found, Budget(2, 0, 0))
    [first, *_] = [f for f, _ in found.run((), Budget(2, 0, 0), merge=True).moments]
    then = [f for f, _ in found.run((first,), Budget(1, 0, 0), merge=True).moments]
    faults, budget = (first, then[len(then) // 2]), Budget(0, 0, 0)
    expected = found.run(faults, budget, merge=True, ends=True)
    tree = tree_of(found)
    last = found.prefixes.latest(faults)
    assert last is not None
    found.prefixes.drop(last)
    before = found.prefixes.latest(faults)
    assert before is not None
    wrong = attrs.evolve(last, kept=before.kept)
    found.prefixes = Prefixes()
    found.prefixes.add(faults[:1], wrong)
    assert found.prefixes.latest(faults) is wrong
    found.ends.clear()
    assert found.run(faults, budget, merge=True, ends=True) == expected
    assert tree_of(found) == tree
    assert found.prefixes.latest(faults) is not wrong


def test_where_sequences_are_under_way_no_run_begins() -> None:
    """Hosts whose calls take times of their own never begin a wave together."""
    plan = rollout(8, plugins=PLUGINS[:3], concurrency=2, tolerated=1)
    paths = {f"web-{n} / {step}": 1.0 + n for n in range(1, 9) for step in ["Drain"]}
    found = trials(plan, stores=True, durations=paths)
    starts = Starts(found, Budget(1, 1, 0))
    assert not starts.found
    assert starts.times


def test_a_start_that_is_not_the_whole_run_is_refused() -> None:
    """Continuous checks are under way when a wave begins, and no tree says so."""
    plan = rollout(8, plugins=PLUGINS[:3], concurrency=2, tolerated=1)
    [block] = plan.blocks
    block = attrs.evolve(block, cont_checks=look())
    found = trials(attrs.evolve(plan, blocks=[block]), stores=True)
    assert Whole(found, Budget(1, 1, 0)).starts
    assert not Starts(found, Budget(1, 1, 0)).found
