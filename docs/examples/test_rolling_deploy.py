"""The plan of the rolling deploy, tested: no host, no process, and no waiting."""

from __future__ import annotations

from typing import Any

from rolling_deploy import plan

from workstream import Outcome, Status, failures, find
from workstream.plugins import AnyPlugin
from workstream.testing import FakePlugin, crash_everywhere, explore, simulate
from workstream_command import CheckCommand, CommandResult, RunCommand
from workstream_http import HttpAction, HttpCheck, HttpResponse

DONE = CommandResult(exit_code=0)
FINE = HttpResponse(status=200)
UPGRADES = "Rolling deploy / Version 2"
BACK = "deferred_actions / Back to version 1"


def tier(*bad: str, stuck: tuple[str, ...] = (), takes: float = 10) -> list[AnyPlugin]:
    """A tier whose commands take so long; some hosts fail, and some cannot go back."""
    health = FakePlugin(HttpAction).otherwise(takes=takes / 10, gives=FINE)
    for host in bad:
        health.when(path=f"{host} / Health", fails="connection refused", permanent=True)
    run = FakePlugin(RunCommand).otherwise(takes=takes, gives=DONE)
    for host in stuck:
        run.when(path=f"{host} / {BACK} / Start", fails="disk is gone")
    look = FakePlugin(CheckCommand).otherwise(gives=DONE)
    return [run, look, health, FakePlugin(HttpCheck).otherwise(gives=FINE)]


def test_one_host_goes_first_then_two_then_the_rest() -> None:
    result = simulate(plan(hosts=8, keep=True), tier())
    assert result.plan.outcome is Outcome.COMPLETED
    drained = [call.started for call in result.calls if call.path.endswith("/ Drain")]
    assert drained == [30, 71, 71, 112, 112, 112, 153, 153]


def test_one_bad_host_is_tolerated_named_and_back_in_the_pool() -> None:
    result = simulate(plan(), tier("web-5"))
    assert result.plan.outcome is Outcome.COMPLETED_WITH_FAILURES
    assert [f.path for f in failures(result.plan)] == [f"{UPGRADES} / web-5 / Health"]
    here = f"{UPGRADES} / web-5 / deferred_actions"
    cleaned = [call.path for call in result.calls if call.path.startswith(here)]
    assert cleaned == [
        f"{here} / Restart version 1 / Start",
        f"{here} / Back into the pool / Undrain",
    ]


def test_two_bad_hosts_end_the_rollout_before_it_reaches_the_rest() -> None:
    result = simulate(plan(), tier("web-1", "web-2"))
    assert result.plan.state.status is Status.FAILED
    assert find(result.plan, f"{UPGRADES} / web-7").state.status is Status.NOT_STARTED
    assert any("Clean web-7" in call.path for call in result.calls)


def test_a_bad_release_is_taken_back_but_where_it_cannot_be() -> None:
    result = simulate(plan(), tier("web-1", "web-2", stuck=("web-3",)))
    assert str(result.plan.taken_back) == "taken back on 2 of 3; NOT on web-3"
    calls = [call.path for call in result.calls]
    last = max(place for place, path in enumerate(calls) if BACK in path)
    assert last < calls.index("Rolling deploy / deferred_actions / Clean web-1 / Clean")
    left = [path for path in calls if f"web-3 / {BACK}" in path]
    assert [path.rpartition(" / ")[2] for path in left] == ["Drain", "Start"]


def test_it_is_taken_back_the_same_wherever_the_engine_dies() -> None:
    plugins = tier("web-2", "web-3", stuck=("web-1",), takes=0.1)
    crash_everywhere(plan(hosts=3), plugins)


def test_it_ends_the_same_wherever_the_engine_dies() -> None:
    crash_everywhere(plan(hosts=2), tier("web-2", takes=0.1))


def test_it_ends_the_same_in_whatever_order_hosts_are_ready() -> None:
    def check(result: Any) -> None:
        assert result.plan.outcome is Outcome.COMPLETED_WITH_FAILURES

    explore(plan(hosts=4), tier("web-2", takes=0.1), check=check, runs=25)
