"""One suite for every runtime: trio and the simulation pass it, and agree."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from quickly import one_in

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.conformance import (
    RunsPlans,
    SimulatedPlans,
    TrioPlans,
    run_case_on,
)
from _workstream_testing.conformance.expectations import facts
from _workstream_testing.simulation.told import Told
from workstream import Plan
from workstream.plugins import AnyPlugin
from workstream.results import BaseAction, walk
from workstream.testing import check_runtime

SEEDS = range(5)
RACES = ("Y-38",)
"""Cases with several ends: something races with something else at one instant."""

RUNTIMES: dict[str, Callable[[], RunsPlans]] = {
    "trio": TrioPlans,
    "simulated": SimulatedPlans,
    "simulated with a store": lambda: SimulatedPlans(stores=True),
}


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.slow
def test_every_case_passes(name: str) -> None:
    """All conformance cases, each in several orders, end as their rules say.

    On trio in one order: ``test_cases.py`` runs each case there in all of them.
    """
    seeds = SEEDS[:1] if name == "trio" else SEEDS
    assert check_runtime(RUNTIMES[name], seeds=seeds) == len(CASES) * len(seeds)


@pytest.mark.parametrize(
    "case",
    one_in(12, [case for case in CASES if case.id not in RACES]),
    ids=lambda case: case.id,
)
def test_the_runtimes_agree(case: Case) -> None:
    """No case tells them apart: statuses, times, attempts, errors and calls."""
    on_trio = facts(run_case_on(TrioPlans(), case, 1))

    for seed in range(3):
        runtime = SimulatedPlans(stores=seed == 2)
        assert facts(run_case_on(runtime, case, seed)) == on_trio


@pytest.mark.parametrize("name", RACES)
def test_a_simulation_finds_every_end_of_a_race(name: str) -> None:
    """Where the order decides, it knows all orders that trio knows, and more."""
    [race] = [case for case in CASES if case.id == name]
    simulated = [facts(run_case_on(SimulatedPlans(), race, n)) for n in range(60)]

    for seed in range(20):
        assert facts(run_case_on(TrioPlans(), race, seed)) in simulated


class Forgetful(SimulatedPlans):
    """A runtime that never tries anything again: the planted fault."""

    def run(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        seed: int,
        told: Sequence[Told] = (),
    ) -> Plan:
        """Run the plan without its retries."""
        for item in walk(plan):
            if isinstance(item.node, BaseAction) and item.node.deadline is None:
                item.node.retries = 0
        return super().run(
            plan, plugins, recover=recover, stop_at=stop_at, seed=seed, told=told
        )


class Slow(SimulatedPlans):
    """A runtime that begins a second late: the planted fault."""

    def now(self) -> datetime:
        """A second before the run really begins."""
        return super().now() - timedelta(seconds=1)


class Broken(SimulatedPlans):
    """A runtime that cannot stop: the planted fault."""

    def run(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        seed: int,
        told: Sequence[Told] = (),
    ) -> Plan:
        """Run the plan unless it is to be stopped."""
        if stop_at is not None:
            raise NotImplementedError
        return super().run(
            plan, plugins, recover=recover, stop_at=None, seed=seed, told=told
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "told", "not_told"),
    [
        (Forgetful, ["X-45", "A-2 A-11", "attempts of a: "], "X-01 "),
        (Slow, ["X-22", "start of plan: 1.0, not 0"], "X-14 "),
        (Broken, ["X-64", "it raises NotImplementedError"], "X-45 "),
    ],
)
def test_a_faulty_runtime_is_found(
    runtime: type[SimulatedPlans], told: list[str], not_told: str
) -> None:
    """Each case that fails is named, with its rules and what differs."""
    with pytest.raises(AssertionError) as caught:
        check_runtime(runtime, seeds=[0])
    for text in told:
        assert text in str(caught.value)
    assert not_told not in str(caught.value)
