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

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.conformance import SimulatedPlans, run_case_on
from _workstream_testing.conformance.expectations import always_wrong, facts, wrong

RACES = ("Y-38",)
"""Cases with several ends: something races with something else at one instant."""

OTHERWISE = {
    "X-73": "a cluster never gives a plan up for its age: it goes on where it was (R-3)",
    "Y-118": "a cluster never gives a plan up for its age: it goes on where it was (R-3)",
}
"""The cases that cannot end so, each with the reason; ``engines.md`` has them too."""


@pytest.fixture(scope="session")
def lanes() -> Generator[Lanes]:
    """A cluster, and a worker on it."""
    server = Server(None)
    server.begin()
    lanes = Lanes(server.location)
    yield lanes
    lanes.close()
    server.kill()


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


def test_the_page_tells_what_ends_otherwise() -> None:
    """The cases of the table are those of this test."""
    root = Path(__file__).parents[2]
    for page in (
        "docs/explanation/engines.md",
        "plugins-contrib/workstream-temporal/README.md",
    ):
        told = re.findall(r"`([XYZGH]-\d+\w*)`", (root / page).read_text())

        assert sorted(told) == sorted(OTHERWISE), page
