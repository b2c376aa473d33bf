"""``what_if``: a run is the script, and a changed plan plays it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from verify_plans import PLUGINS, Copy, Drain, Look, On, look, rollout

from workstream import Context, HaltAfter, Outcome, Plan, PluginError
from workstream.testing import FakePlugin, SimulationError, rehearse, simulate, what_if
from workstream.testing import fake_all as faked


def ran(plan: Plan, *fakes: Any, **more: Any) -> Plan:
    """The plan at its end, with its attempts."""
    return simulate(plan, faked(plan, *PLUGINS, *fakes), **more).plan


def night(**more: Any) -> Plan:
    """A rollout whose third host does not take its copy, after 25 s."""
    plan = rollout(8, concurrency=2, tolerated=0, halt_after=HaltAfter.ACTION, **more)
    copy = (
        FakePlugin(Copy)
        .when(host="web-3", takes=25, fails="disk full", permanent=True)
        .otherwise(takes=10)
    )
    return ran(plan, copy, FakePlugin(Drain).otherwise(takes=5))


def test_the_same_plan_ends_the_same() -> None:
    """At the same time, with the same sequences touched."""
    plan = rollout(8, concurrency=2, tolerated=0, halt_after=HaltAfter.ACTION)
    found = what_if(plan, night(), *PLUGINS)
    assert found.before.outcome is Outcome.FAILED
    assert found.after == found.before
    assert not found.helps
    assert "It would not have helped: it ends the same." in str(found)


@pytest.mark.parametrize("retries", [0, 2])
def test_every_attempt_is_repeated(retries: int) -> None:
    """A failure, one that hangs until its timeout, then a success: if it may go on."""
    plan = rollout(1, retries=2, timeout=60)
    copy = (
        FakePlugin(Copy)
        .when(attempt=1, takes=3, fails="busy")
        .when(attempt=2, takes=100)
        .otherwise(takes=7)
    )
    run = ran(plan, copy)
    assert run.outcome is Outcome.COMPLETED
    found = what_if(rollout(1, retries=retries, timeout=60), run, *PLUGINS)
    if retries:
        assert found.after == found.before
    else:
        assert found.after.outcome is Outcome.COMPLETED_WITH_FAILURES
        assert found.answer == "It would have made things worse."


def test_a_plan_that_helps() -> None:
    """Four hosts more complete, and the one that failed is tolerated."""
    found = what_if(rollout(8, concurrency=2, tolerated=1), night(), *PLUGINS)
    assert found.helps
    assert found.after.touched == ("web-3",)
    assert found.after.completed == 7
    lines = str(found).splitlines()
    assert lines[0].split() == ["it", "ran", "with", "the", "new", "plan"]
    assert lines[2].split()[2:] == ["3", "of", "8", "7", "of", "8"]
    assert found.data()["after"]["outcome"] == "completed with failures"


def test_as_well_and_sooner() -> None:
    """More at once is only faster."""
    plan = rollout(8, concurrency=2)
    run = ran(plan, FakePlugin(Copy).otherwise(takes=10))
    found = what_if(rollout(8, concurrency=8), run, *PLUGINS)
    assert (found.before.elapsed, found.after.elapsed) == (40, 10)
    assert found.answer == "It would have helped: it ends as well, and sooner."
    slower = what_if(rollout(8, concurrency=1), run, *PLUGINS)
    assert slower.answer == "It would not have helped: it ends as well, and later."


def test_a_continuous_check_turns_red_when_it_did() -> None:
    """After 40 seconds; a plan that is done by then does not see it."""
    checks = {"cont_checks": look(delay=5)}
    plan = rollout(8, concurrency=1, checks=checks)
    looks: list[object] = []

    def ninth(context: Context, request: On) -> None:
        looks.append(request)
        if len(looks) == 9:
            message = "too many errors"
            raise PluginError(message, permanent=True)

    red = FakePlugin(Look).otherwise(does=ninth)
    run = ran(plan, FakePlugin(Copy).otherwise(takes=10), red)
    assert run.outcome is Outcome.FAILED
    same = what_if(plan, run, *PLUGINS)
    assert same.after == same.before
    wide = rollout(8, concurrency=8, checks=checks)
    assert what_if(wide, run, *PLUGINS).after.outcome is Outcome.COMPLETED


def test_actions_that_the_run_did_not_reach() -> None:
    """They complete, and take what others of their plugin took; it is told."""
    found = what_if(rollout(8, concurrency=8, tolerated=8), night(), *PLUGINS)
    assert any("not in the run" in note for note in found.notes)
    # web-8 was not begun: 5 s of Drain and 10 of Copy; web-3 has its own 30 s.
    ends = {e.path: e.time for e in found.result.timeline.events}
    assert found.after.elapsed == 30
    assert min(t for p, t in ends.items() if p.endswith("web-8 / Copy")) == 15


def test_an_action_in_another_block() -> None:
    """It is found by the end of its path, and what is gone is told."""
    plan = rollout(8, concurrency=2, tolerated=0)
    [block] = plan.blocks
    first = attrs.evolve(block, name="Canary", sequences=block.sequences[:2])
    rest = attrs.evolve(block, name="Rest", sequences=block.sequences[2:])
    found = what_if(attrs.evolve(plan, blocks=[first, rest]), night(), *PLUGINS)
    assert found.after.outcome is Outcome.FAILED
    assert "web-3" in found.after.touched

    without = attrs.evolve(
        block, sequences=[s for s in block.sequences if s.name != "web-3"]
    )
    spared = what_if(attrs.evolve(plan, blocks=[without]), night(), *PLUGINS)
    assert spared.helps
    assert any("Web tier / web-3 / Copy" in note for note in spared.notes)


def test_what_cannot_be_compared() -> None:
    """A plan that has not ended; one with other actions."""
    with pytest.raises(SimulationError, match="give a run that has ended"):
        what_if(rollout(2), rollout(2), *PLUGINS)
    other = rollout(2)
    for sequence in other.blocks[0].sequences:
        sequence.name += " (new)"
    with pytest.raises(SimulationError, match="has no action that ran in 'Rollout'"):
        what_if(other, night(), *PLUGINS)


def test_rehearse_like_a_run() -> None:
    """Actions take as long as they did, and nothing fails."""
    plan = rollout(8, concurrency=8, tolerated=0)
    calm = rehearse(plan, *PLUGINS, like=night())
    assert calm.plan.outcome is Outcome.COMPLETED
    assert calm.elapsed == 30
