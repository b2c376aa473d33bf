"""The Hypothesis strategies: plans and fakes of all kinds."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from functools import partial

import attrs
import pytest

pytest.importorskip("hypothesis", reason="an optional extra")

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Context,
    OnInterrupt,
    Plan,
    Sequence,
    Status,
)
from workstream._plan.shape import SHAPES
from workstream.plugins import AnyPlugin
from workstream.results import walk
from workstream.testing import FakePlugin, ScriptError, fake_all, simulate
from workstream.testing.strategies import acts, fakes, plans

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


FIRST = settings(max_examples=10, derandomize=True, phases=(Phase.generate,))
"""For what is drawn as it comes: nothing of it is to be made smaller."""


@attrs.frozen
class Ask:
    """A request."""

    host: str = "web"


class Copy(ActionPlugin[Ask, None]):
    """A plugin that no test ever calls."""

    name = "acme.copy"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[Ask, None]):
    """A check that no test ever calls."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def _copy(retries: int) -> Action:
    return Copy.action(Ask(), name="Copy", key="same for all", retries=retries)


def _look(host: str) -> CheckAction:
    return Look.action(Ask(host), name="Look")


copies = st.builds(_copy, st.integers(0, 2))
looks = st.builds(_look, st.sampled_from(["a", "b"]))
any_plan = plans(copies, looks)


@pytest.mark.slow
@FEW
@given(any_plan)
def test_every_plan_can_be_run(plan: Plan) -> None:
    """Plans of every shape are valid, and end well where all succeeds."""
    result = simulate(plan, [FakePlugin(Copy), FakePlugin(Look)])
    assert result.plan.state.status is Status.COMPLETED


@FEW
@given(st.data())
@pytest.mark.slow
def test_every_fate_comes_to_an_end(data: st.DataObject) -> None:
    """Whatever calls do, the plan ends, and nothing is left running (F-1)."""
    plan = data.draw(any_plan)
    result = simulate(plan, data.draw(fakes(plan, Copy, Look)))

    assert result.plan.state.status.is_terminal
    statuses = {item.node.state.status for item in walk(result.plan)}
    assert Status.RUNNING not in statuses


@pytest.mark.slow
def test_every_field_is_drawn() -> None:
    """No property passes because its plans leave a field of the plan's objects alone."""
    told = st.sampled_from(["", "What it is for"])
    some_actions = st.builds(
        partial(Copy.action, Ask(), name="Copy", retries=1, deadline=60.0),
        description=told,
        timeout=st.sampled_from([30.0, 60.0]),
        on_interrupt=st.none() | st.sampled_from(OnInterrupt),
    )
    some_checks = st.builds(
        partial(Look.action, Ask(), name="Look", retries=1, deadline=60.0),
        description=told,
        timeout=st.sampled_from([30.0, 60.0]),
        safe_in_preview=st.none() | st.booleans(),
    )
    left = {
        (cls, field.name) for cls in SHAPES for field in attrs.fields(cls) if field.init
    }

    def was_last(plan: Plan) -> bool:
        for item in walk(plan):
            cls = type(item.node)
            for field in attrs.fields(cls):
                if getattr(item.node, field.name) != field.default:
                    left.discard((cls, field.name))
        return not left

    quick = settings(max_examples=300, derandomize=True, phases=(Phase.generate,))
    with contextlib.suppress(NoSuchExample):
        find(plans(some_actions, some_checks), was_last, settings=quick)
    assert sorted(f"{cls.__name__}.{name}" for cls, name in left) == []


def small(retries: int = 0) -> Plan:
    """One action, whose failure is the plan's."""
    sequence = Sequence(name="Sequence", actions=[_copy(retries)])
    return Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])


@pytest.mark.slow
def test_plans_shrink_to_the_smallest() -> None:
    """One block of one sequence of one action; each part can be had."""
    # Not to explain what was found: that draws many times more.
    phases = (Phase.generate, Phase.shrink)
    quick = settings(max_examples=60, derandomize=True, phases=phases)
    few = plans(copies, looks, max_blocks=1, max_sequences=2, max_actions=2)
    smallest = find(few, lambda plan: True, settings=quick)
    assert len(list(walk(smallest))) == 4
    found = find(few, lambda p: p.deferred_actions is not None, settings=quick)
    assert found.deferred_actions is not None
    assert len(found.deferred_actions.batches) == 1
    with pytest.raises(NoSuchExample):
        find(plans(copies), lambda p: p.pre_checks is not None, settings=quick)


def test_a_failure_is_found_and_shrinks() -> None:
    """A plan that a failing call breaks is broken by one call, the simplest."""
    plan = small()

    def fails(made: list[AnyPlugin]) -> bool:
        return simulate(plan, made).plan.state.status is Status.FAILED

    quick = settings(max_examples=100, derandomize=True)
    brief = acts(seconds=st.sampled_from([0.0, 1.0]), hang=False)
    found = find(fakes(plan, Copy, acts=brief), fails, settings=quick)

    [call] = simulate(plan, found).calls
    assert str(call.error) == "it fails"
    assert (call.started, call.ended) == (0, 0)


def test_failures_are_scripted_on_top_of_a_fake() -> None:
    """What a given fake says holds for all calls of which nothing else is drawn."""
    plan = small()
    mine = FakePlugin(Copy).when(host="web", takes=7)

    [quiet] = find(fakes(plan, mine), lambda made: True, settings=FIRST)
    assert simulate(plan, [quiet]).elapsed == 7

    def fails(made: list[AnyPlugin]) -> bool:
        return simulate(plan, made).plan.state.status is Status.FAILED

    quick = settings(max_examples=100, derandomize=True)
    failing = acts(seconds=st.just(0.0), hang=False)
    found = find(fakes(plan, mine, acts=failing), fails, settings=quick)
    assert simulate(plan, found).elapsed == 0
    assert simulate(plan, [mine]).plan.state.status is Status.COMPLETED


@attrs.frozen
class Sent:
    """A response that needs an argument, and could not be guessed by anybody."""

    bytes: int


class Send(ActionPlugin[Ask, Sent]):
    """A plugin that no test ever calls."""

    name = "acme.send"

    async def execute(self, context: Context, request: Ask, /) -> Sent:
        """Fail the test."""
        raise NotImplementedError


def test_a_response_is_that_of_the_fake_below() -> None:
    """A call that only lasts longer ends as the given fake says."""
    action = Send.action(Ask(), name="Send")
    sequence = Sequence(name="Sequence", actions=[action])
    plan = Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])
    slow = acts(seconds=st.just(5.0), fail=False, hang=False)

    def is_slow(made: list[AnyPlugin]) -> bool:
        return simulate(plan, made).elapsed == 5

    mine = FakePlugin(Send).otherwise(gives=Sent(3))
    for base, expected in ((mine, Sent(3)), (Send, Sent(0))):
        found = find(fakes(plan, base, acts=slow), is_slow)
        [call] = simulate(plan, found).calls
        assert call.response == expected


def test_a_strategy_that_draws_nothing_is_an_error() -> None:
    """A test that uses it would test nothing, and never fail."""
    with pytest.raises(ScriptError, match="nothing is drawn"):
        fakes(small(), Copy, max_lines=0)
    with pytest.raises(ScriptError, match="has no action"):
        fakes(Plan(name="Plan", blocks=[]), Copy)
    with pytest.raises(ScriptError, match=r"acme\.copy is not installed"):
        fakes(small())


def test_an_error_tells_a_plan_in_a_line() -> None:
    """Hypothesis prints the arguments of strategies: a plan would be a thousand lines."""
    assert repr(fakes(small(), Copy)) == "_scripted(<the calls of plan 'Plan'>)"


def test_acts_can_be_limited() -> None:
    """What never fails and never hangs takes its time."""
    calm = acts(seconds=st.just(3.0), fail=False, hang=False)
    assert find(calm, lambda act: True) == {"takes": 3.0}


def test_scripts_fit_the_plan() -> None:
    """fake_all takes what was drawn, as it is."""
    plan = small()
    made = find(fakes(plan, Copy), lambda made: True, settings=FIRST)
    assert fake_all(plan, *made) == made


def test_without_hypothesis_it_says_what_to_install() -> None:
    """The extra is named; nothing else needs it."""
    program = """
import sys
sys.modules["hypothesis"] = None
import workstream.testing
try:
    import workstream.testing.strategies
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'workstream-engine[hypothesis]'" in done.stdout
