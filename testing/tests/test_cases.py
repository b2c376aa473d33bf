"""The conformance cases, in virtual time, under several orders of the tasks."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from quickly import one_in

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES, RECOVERY
from _workstream_testing.conformance.case_runs import CaseRun, run_case
from _workstream_testing.conformance.crashes import broken_promises, run_watched
from _workstream_testing.conformance.expectations import always_wrong, wrong
from _workstream_testing.notation.fixtures import ScriptedResponse
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._plan.plan import Action
from workstream._protocols.vault import Vault
from workstream._values.state import PluginError
from workstream._vaults.lmdb.vault import LmdbVault

ROOT = Path(__file__).parents[2]

SEEDS = range(5)
"""Orders of the tasks that are ready at one instant."""

SPECIFIED = (
    *range(1, 84),
    *("21b", "21c", "28b", "53b", "53c", "53d", "53e", "56b", "65b", "65c", "65d"),
    *("67b", "74b"),
)
"""The numbers of the cases of the specification."""


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


def ends_as_expected(case: Case, run: CaseRun) -> list[str]:
    """What is wrong with the end of a case."""
    also = ALSO.get(case.id)
    if also is not None:
        also(run)
    return [*wrong(run, case.expected), *always_wrong(run)]


@pytest.mark.parametrize("case", one_in(12, CASES), ids=lambda case: case.id)
def test_case(case: Case) -> None:
    """A case ends as its rules say, in whatever order trio runs the tasks."""
    for seed in SEEDS:
        run = run_case(
            case.plan,
            seed=seed,
            stop_at=case.stop_at,
            told=case.told,
            found_after=case.found_after,
        )
        assert ends_as_expected(case, run) == [], f"{case.id} with seed {seed}"


ON_DISK = (*RECOVERY, *(c for c in CASES if c.id in ("X-02", "X-28", "X-64", "X-53")))


@pytest.mark.parametrize("case", one_in(12, ON_DISK), ids=lambda case: case.id)
def test_case_on_lmdb(case: Case, tmp_path: Path) -> None:
    """What the engine finds in an LMDB store, and leaves there, is the same (STO-7)."""

    def vault(clock: FakeClock) -> Vault:
        return HeldVault(LmdbVault(tmp_path / "store"), clock)

    run = run_case(
        case.plan,
        seed=1,
        stop_at=case.stop_at,
        told=case.told,
        found_after=case.found_after,
        vault=vault,
    )
    assert ends_as_expected(case, run) == []


MOST_MOMENTS = 8


def _moments(case: Case) -> list[float]:
    """When a recovery may be stopped: at each beginning and end, and in between."""
    run = run_watched(case.plan, seed=0, told=case.told).end
    known = {0.0}
    for call in run.stage.calls:
        known |= {call.started, call.started if call.ended is None else call.ended}
    times = sorted(known)[:MOST_MOMENTS]
    return sorted({*times, *(sum(pair) / 2 for pair in pairwise(times))})


@pytest.mark.parametrize(
    "case",
    one_in(12, [c for c in RECOVERY if c.stop_at is None and c.found_after is None]),
    ids=lambda case: case.id,
)
def test_a_recovery_is_stopped_at_any_moment(case: Case) -> None:
    """Whenever a stop comes, nothing stays RUNNING or is decided twice (R-9, E-10)."""
    for moment in _moments(case):
        stopped = run_watched(case.plan, seed=0, stop_at=moment)

        assert broken_promises(stopped) == [], f"{case.id}, stopped at {moment:g}"


# --- what the words of a table cannot say ---------------------------------------------


def last_error(run: CaseRun) -> PluginError:
    """The error of the action ``a``."""
    error = run.action("a").error
    assert error is not None
    return error


def _launched_in_list_order(run: CaseRun) -> None:
    starts = [run.node(f"s{number}").state.started for number in range(1, 8)]
    assert starts == sorted(starts, key=str)


def _keeps_the_last_error(run: CaseRun) -> None:
    assert last_error(run).message == "a: err at call 3"


def _names_both_types(run: CaseRun) -> None:
    error = last_error(run)
    assert run.action("a").response is None
    assert error.wrapped is None
    for name in ("case.act", "WrongResponse", "ScriptedResponse"):
        assert name in error.message


def _names_none(run: CaseRun) -> None:
    assert "None" in last_error(run).message


def _tells_the_exception(run: CaseRun) -> None:
    error = run.action("a").attempts[0].error
    assert error == PluginError("RuntimeError: a: boom at call 1")


def _tells_the_timeout(run: CaseRun) -> None:
    first = run.action("a").attempts[0]
    assert first.error == PluginError("plugin execution timed out")
    assert first.response is None


def _keeps_response_and_error(run: CaseRun) -> None:
    assert run.action("a").response == ScriptedResponse(1)
    assert last_error(run) == PluginError("a: both at call 1", code=1)


def _closes_the_interrupted_attempt(run: CaseRun) -> None:
    attempt = run.action("a").attempts[0]
    assert attempt.ended == run.began
    assert attempt.error is not None
    assert not attempt.error.permanent


def _wraps_the_plugins_own_error(run: CaseRun) -> None:
    error = last_error(run)
    assert "WrongResponse" in error.message
    assert error.wrapped == PluginError("a: badboth at call 1", code=1)


def _marks_the_deaf_attempt(run: CaseRun) -> None:
    assert [a.unresponsive for a in run.action("a").attempts] == [True, False]


def _gave_signs_of_life(run: CaseRun) -> None:
    assert run.seconds(run.plan.runtime_update) == 900


def _wraps_what_reconcile_raised(run: CaseRun) -> None:
    wrapped = last_error(run).wrapped
    assert wrapped == PluginError("RuntimeError: a: boom")


def _wraps_the_timeout(run: CaseRun) -> None:
    wrapped = last_error(run).wrapped
    assert wrapped == PluginError("plugin execution timed out")


ALSO: dict[str, Callable[[CaseRun], None]] = {
    "X-22": _launched_in_list_order,
    "X-46": _keeps_the_last_error,
    "X-48": _names_both_types,
    "X-49": _names_none,
    "X-50": _tells_the_exception,
    "X-51": _tells_the_timeout,
    "X-53": _keeps_response_and_error,
    "X-67": _closes_the_interrupted_attempt,
    "X-73": _closes_the_interrupted_attempt,
    "Y-17": _wraps_the_plugins_own_error,
    "Y-19": _marks_the_deaf_attempt,
    "Y-21": _gave_signs_of_life,
    "Y-52": _wraps_what_reconcile_raised,
    "Y-53": _wraps_the_timeout,
}


# --- the table itself --------------------------------------------------------------------


def test_table_is_sound() -> None:
    """Each case has an id of its own, and names rules."""
    ids = [case.id for case in CASES]
    assert len(ids) == len(set(ids))
    assert [case.id for case in CASES if not re.match(r"[A-Z]+-\d", case.rules)] == []
    assert set(ALSO) <= set(ids)


def test_each_specified_case_is_tested() -> None:
    """Every case of the specification is in the table, or is cited by another test."""
    files = [*ROOT.glob("*/tests/test_*.py"), *ROOT.glob("*/src/*/cases/*.py")]
    cited: set[str] = set()
    for file in files:
        cited.update(re.findall(r"\bX-\d\d[a-z]?\b", file.read_text(encoding="utf-8")))
    specified = {f"X-{number:0>2}" for number in SPECIFIED}
    assert specified - cited == set()
    assert {case for case in cited if case not in specified} == set()


def test_failing_check_is_seen() -> None:
    """A wrong expectation of each kind is told: the table's tests can fail."""
    run = run_case("B1(conc=2): s1[a(retries=1) err,ok] s2", seed=0)
    assert isinstance(run.node("a"), Action)
    for expected in (
        *("F/BLOCK", "reasons(BLOCK)", "trace(a s2)", "s1=F", "s1..s2=N", "rest=N"),
        *("a@0", "a@never", "a*1", "a{ok}", "s1[1,1]", "s1[,2]", "most=1"),
    ):
        assert wrong(run, expected) != [], expected
