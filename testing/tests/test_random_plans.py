"""Plans of every shape end alike with and without crashes, whatever holds them.

Set ``WORKSTREAM_PLANS`` to the number of plans, for example 10,000.
"""

from __future__ import annotations

import os
from typing import Any

import attrs
import pytest

pytest.importorskip("hypothesis", reason="an optional extra")

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from _workstream_testing.simulation.told import Told
from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Context,
    DeferBatch,
    DeferredActions,
    OnFailure,
    OnInterrupt,
    Plan,
    Sequence,
    Status,
    Undo,
    WhenDeferred,
    late,
    plan_text,
    text,
)
from workstream._plan.paths import paths
from workstream._plan.plan import BaseAction
from workstream._values.interventions import Verb
from workstream.plugins import AnyPlugin
from workstream.testing import FakePlugin, Simulation, crash_everywhere
from workstream.testing.strategies import plans

PLANS = int(os.environ.get("WORKSTREAM_PLANS", "120"))


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
    on_interrupt = OnInterrupt.RERUN

    async def execute(self, context: Context, request: Ask, /) -> Answer:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[Ask, None]):
    """A check that no test ever calls."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def _copy(retries: int) -> Action:
    return Copy.action(Ask(), name="Copy", retries=retries)


def _look(host: str) -> CheckAction:
    return Look.action(Ask(host), name="Look")


def _refer(source: Action) -> Action:
    """An action that needs the response of another."""
    address = Copy.response(source).address
    return Copy.action(late(Ask)(host=text("{}", address)), name="Copy")


EVERY_PLAN = plans(
    st.builds(_copy, st.integers(0, 1)),
    st.builds(_look, st.just("web")),
    referring=_refer,
    pausing=True,
)

HOLDS = st.sampled_from([(Verb.PAUSE, Verb.UNPAUSE), (Verb.FREEZE, Verb.UNFREEZE)])
POINTS = st.tuples(st.sampled_from(["before", "after"]), st.integers(2, 24))
LATER = [Told(3.0 * number, Verb.UNPAUSE) for number in range(1, 150)]
"""A check that pauses the plan again and again needs as many words."""


def _in_turn(plan: Plan) -> Plan:
    """Without sequences side by side: a crash changes which of them ends first (R-2)."""
    for block in plan.blocks:
        block.concurrency = 1
    return plan


def _undoing(plan: Plan) -> Plan:
    """Let every sequence say how it is taken back, and something call for it.

    Nothing is bypassed, and no failure is borne.
    """
    plan.bypass_checks = None
    for block in plan.blocks:
        block.bypass_checks = None
        block.tolerated_failures = 0
        if block.undo is Undo.NEVER:
            block.undo = Undo.BLOCK_FAILURE
        for sequence in block.sequences:
            back = DeferBatch(
                name="Take back", when=WhenDeferred.ON_UNDO, actions=[_copy(0)]
            )
            known = sequence.deferred_actions
            kept = [] if known is None else known.batches
            sequence.deferred_actions = DeferredActions(batches=[*kept, back])
    return plan


def _fakes(plan: Plan, failing: set[int], *, pauses: bool) -> list[AnyPlugin]:
    """Fakes that fail wherever an action stands at one of these places.

    Args:
        plan: The plan.
        failing: The places.
        pauses: Whether the checks fail that pause the plan.
    """
    copy, look = FakePlugin(Copy, strict=False), FakePlugin(Look, strict=False)
    owners: list[Plan | Block] = [plan, *plan.blocks]
    found = [(p, i.node) for p, i in paths(plan) if isinstance(i.node, BaseAction)]
    pausing = [
        action
        for owner in owners
        if pauses
        and owner.cont_checks is not None
        and owner.cont_checks.on_failure is OnFailure.PAUSE
        for action in owner.cont_checks.actions
    ]
    places = {place % len(found) for place in failing}
    for place, (path, action) in enumerate(found):
        if place in places or any(action is each for each in pausing):
            note(f"fails: {path}")
            fake: Any = copy if isinstance(action, Action) else look
            fake.when(path=path, fails="it fails", takes=1)
    return [copy.otherwise(takes=2), look.otherwise(takes=1)]


@settings(
    max_examples=PLANS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    plan=(EVERY_PLAN | EVERY_PLAN.map(_undoing)).map(_in_turn),
    failing=st.sets(st.integers(0, 30), min_size=1, max_size=5),
    pauses=st.booleans(),
    hold=st.none() | st.tuples(HOLDS, st.integers(0, 12), st.integers(1, 30)),
    points=st.lists(POINTS, min_size=1, max_size=2),
)
@pytest.mark.slow
def test_every_plan_ends_alike_with_and_without_crashes(
    plan: Plan,
    failing: set[int],
    pauses: bool,
    hold: tuple[tuple[Verb, Verb], int, int] | None,
    points: list[tuple[str, int]],
) -> None:
    """Deferred work, undo, batches, parts, references, checks that pause, and holds."""
    note(plan_text(plan))
    told = list(LATER)
    if hold is not None:
        (begins, ends), at, seconds = hold
        told += [Told(at, begins), Told(at + seconds + 0.5, ends)]
    only = ", ".join(f"{kind} write {number}" for kind, number in points)
    crash_everywhere(plan, _fakes(plan, failing, pauses=pauses), told=told, only=only)


def _disorder(end: Simulation, stopped: bool) -> list[str]:
    """What must not be, however a plan ends that runs several sequences at once."""
    found: list[str] = []
    plan = end.plan
    if not plan.state.status.is_terminal:
        found.append(f"the plan is {plan.state.status.name}")
    if plan.stopping and not stopped:
        found.append("it stops, and nobody asked for that")
    for path, item in paths(plan):
        node = item.node
        if node.state.status is Status.RUNNING:
            found.append(f"{path} still runs")
        if isinstance(node, BaseAction):
            if any(attempt.ended is None for attempt in node.attempts):
                found.append(f"{path} has an open attempt")
            own = [each for each in node.attempts if not each.interrupted]
            if len(own) > (node.retries or 0) + 1:
                found.append(f"{path} was tried {len(own)} times")
        if (
            isinstance(node, Sequence)
            and node.state.status is Status.COMPLETED
            and any(each.state.status is not Status.COMPLETED for each in node.actions)
        ):
            found.append(f"{path} completed, and not all of its actions did")
        if isinstance(node, Block):
            found += _undone_in_vain(path, node, plan)
    return found


def _undone_in_vain(path: str, block: Block, plan: Plan) -> list[str]:
    failed = {
        Undo.BLOCK_FAILURE: block.state.status,
        Undo.PLAN_FAILURE: plan.state.status,
    }
    due = failed.get(block.undo) is Status.FAILED
    return [
        f"{path}: {each.name} is taken back, and that is not due"
        for each in block.sequences
        if each.undo_begun and not due
    ]


@settings(
    max_examples=PLANS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    plan=EVERY_PLAN | EVERY_PLAN.map(_undoing),
    failing=st.sets(st.integers(0, 30), max_size=4),
    stop_at=st.none() | st.integers(0, 40).map(float),
    seed=st.integers(0, 2**16),
    point=POINTS,
)
@pytest.mark.slow
def test_plans_side_by_side_end_in_order(
    plan: Plan,
    failing: set[int],
    stop_at: float | None,
    seed: int,
    point: tuple[str, int],
) -> None:
    """Several sequences at once, a stop, a crash: another end perhaps, but an orderly one.

    After a crash other sequences may be first, so the ends are not compared (R-2).
    """
    note(plan_text(plan))
    kind, number = point
    disorder: list[str] = []

    def equal(without: Simulation, end: Simulation) -> bool:
        disorder.extend(_disorder(without, stop_at is not None))
        disorder.extend(_disorder(end, stop_at is not None))
        return True

    crash_everywhere(
        plan,
        _fakes(plan, failing, pauses=False),
        seed=seed,
        stop_at=stop_at,
        told=LATER,
        only=f"{kind} write {number}",
        equal=equal,
    )
    assert disorder == []
