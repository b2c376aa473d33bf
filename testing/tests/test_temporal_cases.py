"""The conformance cases on a real Temporal server: they end as on one machine."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from quickly import one_in

pytest.importorskip("workstream_temporal", reason="an optional plugin")

from temporal_cases import Lanes, TemporalPlans
from temporal_server import Server
from temporalio import workflow

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.case_runs import CaseRun
from _workstream_testing.conformance.conformance import (
    SimulatedPlans,
    check_runtime,
    run_case_on,
)
from _workstream_testing.conformance.expectations import (
    always_wrong,
    facts,
    kind_of,
    wrong,
)
from workstream.results import BaseAction, walk
from workstream_temporal._names import PLAN
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._runtime import TemporalRuntime

RACES = ("Y-38",)
"""Cases with several ends: something races with something else at one instant."""

OTHERWISE = {
    "X-73": "a cluster never gives a plan up for its age: it goes on where it was (R-3)",
    "Y-118": "a cluster never gives a plan up for its age: it goes on where it was (R-3)",
}
"""The cases that cannot end so, each with the reason; ``engines.md`` has them too."""


SHORT = 22
"""Events of a history that is to be short; the beginning of one is half of it."""

LATER = {"Z-120": "what waits for the new history ends in another order"}
"""The cases that do not end so over several short histories, each with the reason. Nor do
some with continuous checks, whose delay begins anew in each history."""


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    """A cluster."""
    server = Server(None)
    server.begin()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def lanes(server: Server) -> Generator[Lanes]:
    """Workers on it."""
    lanes = Lanes(server.location)
    yield lanes
    lanes.close()


@pytest.fixture(scope="session")
def short(server: Server) -> Generator[Lanes]:
    """Workers in another namespace, where histories are short."""
    other = server.location.replace("default", "other")
    lanes = Lanes(other, new_history_after=SHORT)
    yield lanes
    lanes.close()


@pytest.mark.slow
@pytest.mark.parametrize("case", one_in(37, CASES), ids=lambda case: case.id)
def test_a_case_ends_as_on_one_machine(case: Case, lanes: Lanes) -> None:
    """By its rules: the same statuses, times, attempts, reasons, order and calls.

    To tell how it ended, its history is played once more; so that is tested too.
    """
    run = run_case_on(TemporalPlans(lanes), case, 0)
    problems = [*wrong(run, case.expected), *always_wrong(run)]
    orders = range(60 if case.id in RACES else 1)
    ends = [facts(run_case_on(SimulatedPlans(), case, order)) for order in orders]

    if case.id in OTHERWISE:
        assert problems, f"{case.id} ends as elsewhere: take it out of OTHERWISE"
    else:
        assert problems == []
        assert facts(run) in ends


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        case
        for case in [each for each in CASES if "cont" not in each.plan][::5]
        if case.id not in {*OTHERWISE, *LATER, *RACES}
    ],
    ids=lambda case: case.id,
)
def test_a_case_ends_so_over_several_histories(case: Case, short: Lanes) -> None:
    """With the same statuses, attempts, reasons and calls.

    Not at the same times: what would begin waits for the new history, and that waits for
    what goes on.
    """
    run = run_case_on(TemporalPlans(short), case, 0)

    assert always_wrong(run) == []
    assert outline(run) == outline(run_case_on(SimulatedPlans(), case, 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["X-02", "X-06", "Y-22", "Y-112", "Y-138"])
def test_a_new_history_is_no_crash(name: str, short: Lanes) -> None:
    """A group that is RUNNING goes on, and continuous checks are not run for it.

    After a crash the first would begin anew (R-8), and the second would be run (R-9).
    """
    [case] = [case for case in CASES if case.id == name]
    before = short.new_histories
    run = run_case_on(TemporalPlans(short), case, 0)

    assert short.new_histories > before
    assert always_wrong(run) == []
    assert outline(run) == outline(run_case_on(SimulatedPlans(), case, 0))


@pytest.mark.slow
def test_an_attempt_that_was_made_is_not_forgotten(short: Lanes) -> None:
    """It was cut by a stop, and its reconciliation waits for the new history."""
    [case] = [case for case in CASES if case.id == "H-17"]
    before = short.new_histories
    run = run_case_on(TemporalPlans(short), case, 0)

    assert short.new_histories > before
    assert wrong(run, "S/STOPPED a=C a{int ok} b=N s1,B1=S") == []


class Uncut(TemporalRuntime):
    """The planted fault: a stop cuts no call."""

    def wake(self) -> None:
        """Do nothing."""


@workflow.defn(name=PLAN)
class UncutWorkflow(PlanWorkflow):
    """A plan that cannot be stopped at once."""

    runtime = Uncut

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)


@pytest.mark.slow
def test_a_broken_rule_is_found(server: Server, short: Lanes) -> None:
    """Each case that fails by it is named, with its rules; the others pass."""
    short.close()  # it has the same queue
    other = server.location.replace("default", "other")
    lanes = Lanes(other, plan_workflow=UncutWorkflow)
    cases = [case for case in CASES if case.id in ("X-01", "H-16", "H-05")]
    try:
        with pytest.raises(AssertionError) as caught:
            check_runtime(lambda: TemporalPlans(lanes), seeds=[0], cases=cases)
    finally:
        lanes.close()

    assert "fails 1 conformance cases" in str(caught.value)
    assert "H-16 with seed 0, by SN-1 B-9" in str(caught.value)


def outline(run: CaseRun) -> object:
    """What is the same at whatever times things happen."""
    return (
        run.plan.reasons,
        [
            (
                item.node.state.status,
                [
                    (kind_of(each), each.response, each.error, each.notes)
                    for each in item.node.attempts
                ]
                if isinstance(item.node, BaseAction)
                else [],
            )
            for item in walk(run.plan)
        ],
        sorted((call.label, call.of) for call in run.stage.calls),
    )


def test_the_page_tells_what_ends_otherwise() -> None:
    """The cases of the table are those of this test."""
    root = Path(__file__).parents[2]
    for page in (
        "docs/explanation/engines.md",
        "plugins-contrib/workstream-temporal/README.md",
    ):
        told = re.findall(r"`([XYZGH]-\d+\w*)`", (root / page).read_text())

        assert sorted(told) == sorted(OTHERWISE), page
