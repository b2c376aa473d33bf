"""A crash after any change of a run, and what recovery makes of it (R-2, R-19)."""

from __future__ import annotations

import logging

import pytest
from quickly import one_in

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.crashes import (
    WatchedRun,
    broken_promises,
    differences,
    recover,
    run_watched,
)
from workstream._plan.outcome import Outcome

HOSTS = " ".join(
    f"h{i}[h{i}.copy ok@1; h{i}.start {'perm@2' if i == 4 else 'ok@2'}; h{i}.health ok@1]"
    for i in range(1, 9)
)
PLANS = {
    "X-02": next(case.plan for case in CASES if case.id == "X-02"),
    "rolling deploy": (
        "pre[balancer ok@1] cont(d=3)[tier] post[version ok@1] da[cleanup(always)]"
        f" B1(conc=3 tol=1): {HOSTS}"
    ),
}

RACES = frozenset(
    {"X-29", "X-30", "X-32", "Y-08", "Y-14", "Y-15", "Z-32", "Z-46", "Z-48", "Z-50"}
    | {f"Y-0{n}" for n in range(1, 7)}
)
"""Cases in which a continuous check fails at a certain run: after a crash it is run once
more before anything else (R-9), and so the verdict comes before other things than it did
(R-2). So with a gate, which is run once more (BG-3), and with what ends in one instant."""

# A case that was found later than others is about what is *not* recovered. Cases
# that are told something are crashed in test_hand: a hold stays over a crash, and the
# recovery waits until somebody says again what was not said before the crash (HO-5).
CRASHED = [case for case in CASES if case.found_after is None and not case.told]


def can_differ(case: Case) -> bool:
    """Whether a recovery may end otherwise than the run without a crash.

    That is so in ``RACES``; and when the plan is stopped: what crashed before the stop is
    a plan that nobody stopped, and after it no interrupted attempt is run again (R-17).
    """
    return case.id in RACES or case.stop_at is not None


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@pytest.fixture(scope="module", params=PLANS)
def whole(request: pytest.FixtureRequest) -> WatchedRun:
    """A run without a crash."""
    return run_watched(PLANS[request.param], seed=0)


@pytest.mark.slow
def test_end_does_not_depend_on_a_crash(whole: WatchedRun) -> None:
    """After a crash at any change the plan ends as without one, nothing done twice (R-2)."""
    assert len(whole.crashes) >= 60
    for number, crash in enumerate(whole.crashes):
        recovery = recover(whole.end.notation, crash, seed=number)
        assert differences(whole.end, recovery) == [], f"crash after change {number}"


@pytest.mark.slow
def test_crash_during_recovery(whole: WatchedRun) -> None:
    """Recovery survives a crash of its own: early in it, and at its very end (R-19)."""
    step = 1 + len(whole.crashes) // 60 * 3
    for number, crash in list(enumerate(whole.crashes))[::step]:
        first = recover(whole.end.notation, crash, seed=number, watched=True)
        for again in (*first.crashes[:5], *first.crashes[-1:]):
            second = recover(whole.end.notation, again, seed=number)
            problems = differences(whole.end, second)
            assert problems == [], f"second crash after change {number}"


def test_rolling_deploy_ends_as_planned() -> None:
    """The plan of the rolling deploy tolerates its one bad host."""
    run = run_watched(PLANS["rolling deploy"], seed=0).end
    assert run.plan.outcome is Outcome.COMPLETED_WITH_FAILURES
    assert [call.label for call in run.stage.executed("cleanup")] == ["cleanup"]
    assert run.stage.executed("h4.health") == []


@pytest.mark.parametrize("case", one_in(60, CRASHED), ids=lambda case: case.id)
def test_every_case(case: Case) -> None:
    """Every conformance case ends the same after a crash at any of its changes (R-2)."""
    whole = run_watched(case.plan, seed=0, stop_at=case.stop_at)
    for number, crash in enumerate(whole.crashes):
        recovery = recover(whole.end.notation, crash, seed=number)
        if can_differ(case):
            problems = broken_promises(recovery)
        else:
            problems = differences(whole.end, recovery)
        assert problems == [], f"crash after change {number}"


def test_a_broken_promise_is_seen() -> None:
    """The proof can fail: a recovery that is not of this run is told by what differs."""
    run = run_watched("B1(tol=1): s1 err; s2")
    other = run_watched("B1(tol=1): s1; s2 err")
    recovery = recover(run.end.notation, other.crashes[-1])
    assert differences(run.end, recovery) != []
    forged = WatchedRun(run.end, [], other.end.plan)
    assert any("was called again" in problem for problem in broken_promises(forged))
