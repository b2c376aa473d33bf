"""A simulation's short ways for usual calls come to what the general way comes to."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import attrs
import pytest

pytest.importorskip("hypothesis", reason="an optional extra")

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from _workstream_testing.fakes.plain_calls import PlainWay
from _workstream_testing.simulation.history import Call
from _workstream_testing.simulation.simulated_calls import SimulatedCalls
from _workstream_testing.simulation.told import Told
from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Checks,
    Context,
    Plan,
    Sequence,
    Status,
    plan_text,
)
from workstream._plan.plan import BaseAction
from workstream._plan.walk import walk
from workstream._values.interventions import Verb
from workstream.testing import FakePlugin, Simulation, simulate
from workstream.testing.strategies import plans


@attrs.frozen
class Ask:
    """A request."""

    host: str = "web"


@attrs.frozen
class Answer:
    """A response."""

    address: str = "10.0.0.1"


class Copy(ActionPlugin[Ask, Answer]):
    """A plugin that no test ever calls."""

    name = "acme.copy"

    async def execute(self, context: Context, request: Ask, /) -> Answer:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[Ask, None]):
    """A check that no test ever calls."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def _copy(timeout: float, retries: int) -> Action:
    return Copy.action(Ask(), name="Copy", timeout=timeout, retries=retries)


def _look(timeout: float) -> CheckAction:
    return Look.action(Ask(), name="Look", timeout=timeout)


TIMEOUTS = st.sampled_from([1.5, 2, 60])
EVERY_PLAN = plans(
    st.builds(_copy, TIMEOUTS, st.integers(0, 1)), st.builds(_look, TIMEOUTS)
)
STOPS = st.none() | st.tuples(st.integers(1, 20).map(lambda n: n / 2), st.booleans())


async def not_usual(*_: object) -> None:
    """No action is a usual one."""


def not_plain(_: object) -> bool:
    """No call is like all others."""
    return False


def comparable(call: Call) -> tuple[Call, str]:
    """A call, and its error apart, as exceptions equal none but themselves."""
    return attrs.evolve(call, error=None), repr(call.error)


def facts(end: Simulation, fakes: list[Any]) -> list[object]:
    """All that can be told of a simulation."""
    calls = [end.calls, *(fake.calls for fake in fakes)]
    nodes = [item.node for item in walk(end.plan)]
    return [
        str(end),
        [node.state for node in nodes],
        [node.attempts for node in nodes if isinstance(node, BaseAction)],
        end.timeline.events,
        [list(map(comparable, each)) for each in calls],
        [repr(item) for item in end.reports],
    ]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    plan=EVERY_PLAN,
    takes=st.sampled_from([0, 1, 2]),
    stop=STOPS,
    seed=st.integers(0, 2**16),
)
@pytest.mark.slow
def test_it_ends_alike(
    plan: Plan, takes: float, stop: tuple[float, bool] | None, seed: int
) -> None:
    """Whatever the plan, the order, and the stop: ends, events, calls and their times."""
    note(plan_text(plan))
    told: list[Told] = []
    if stop is not None:
        told.append(Told(stop[0], Verb.STOP, data={"now": True} if stop[1] else {}))
    seen: list[list[object]] = []
    for general, each in ((False, False), (False, True), (True, True)):
        fakes: list[Any] = [FakePlugin(Copy).otherwise(takes=takes), FakePlugin(Look)]
        with pytest.MonkeyPatch.context() as patch:
            if each:
                patch.setattr(PlainWay, "is_so", not_plain)
            if general:
                patch.setattr(SimulatedCalls, "usual", not_usual)
            end = simulate(plan, fakes, seed=seed, told=told)
        seen.append(facts(end, fakes))

    assert seen[0] == seen[2]
    assert seen[1] == seen[2]


def _one_by_one(count: int, **options: Any) -> Block:
    actions: list[Action] = [_copy(60, 0) for _ in range(count)]
    sequence = Sequence(name="web-1", actions=list(actions))
    return Block(name="Web tier", sequences=[sequence], **options)


def test_a_fake_may_be_told_more_while_it_runs() -> None:
    """What it is told holds from the next call on."""
    copy: Any = FakePlugin(Copy).otherwise(takes=2)

    def tell(context: Context, request: Ask) -> None:
        copy.when(host="web", fails="it was told to")

    checks = Checks(actions=[_look(60)])
    plan = Plan(
        name="Deploy", blocks=[_one_by_one(2), _one_by_one(2, pre_checks=checks)]
    )
    end = simulate(plan, [copy, FakePlugin(Look).does(tell)])

    assert end.plan.state.status is Status.FAILED
    errors = [call.error and str(call.error) for call in copy.calls]
    assert errors == [None, None, "it was told to"]
    assert [call.ended for call in copy.calls] == [2, 4, 4]


def test_a_stop_cuts_a_call_like_all_others() -> None:
    """It is noted when it was cut; and a call that the cut came too late for is whole."""
    copy: Any = FakePlugin(Copy).otherwise(takes=2)
    plan = Plan(name="Deploy", blocks=[_one_by_one(3)])
    end = simulate(plan, [copy], told=[Told(3, Verb.STOP, data={"now": True})])

    assert [call.ended for call in copy.calls] == [2, 3]
    assert [call.response for call in copy.calls] == [Answer(), None]
    assert copy.calls[1].error is not None
    [first, second, third] = end.plan.blocks[0].sequences[0].actions
    assert (first.state.status, third.attempts) == (Status.COMPLETED, [])
    assert second.attempts[-1].interrupted


def test_it_leaves_no_work_for_the_garbage_collector() -> None:
    """What a fake keeps of its calls holds a run until the next one, and no longer."""
    copy: Any = FakePlugin(Copy).otherwise(takes=2)
    gc.collect()
    gc.disable()
    try:
        plan = Plan(name="Deploy", blocks=[_one_by_one(3)])
        ran = weakref.ref(simulate(plan, [copy]).plan)
        assert len(copy.calls) == 3
        copy.reset()
        assert ran() is None
    finally:
        gc.enable()


def test_a_plugin_that_has_its_own_way_is_called() -> None:
    """A fake whose method a test has replaced does what that does."""
    fake: Any = FakePlugin(Copy)
    seen: list[object] = []

    async def execute(context: Context, request: Ask) -> Answer:
        seen.append(request)
        return Answer("10.0.0.9")

    fake.execute = execute
    end = simulate(Plan(name="Deploy", blocks=[_one_by_one(2)]), [fake])

    assert [call.response for call in end.calls] == [Answer("10.0.0.9")] * 2
    assert seen == [Ask(), Ask()]
    assert fake.calls == []
