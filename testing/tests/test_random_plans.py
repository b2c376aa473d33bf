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
    OnFailure,
    OnInterrupt,
    Plan,
    late,
    plan_text,
    text,
)
from workstream._plan.paths import paths
from workstream._plan.plan import BaseAction
from workstream._values.interventions import Verb
from workstream.plugins import AnyPlugin
from workstream.testing import FakePlugin, crash_everywhere
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
    plan=EVERY_PLAN.map(_in_turn),
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
