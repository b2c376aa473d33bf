"""The copy of a plan that submit stores, and what it costs to make (SUB-1, V-2)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from workstream._plan.plan import Action, Block, CheckAction, Checks, Plan, Sequence
from workstream._plan.walk import walk
from workstream._protocols.plugin import ActionPlugin, CheckPlugin, Context
from workstream._registry.registry import Registry
from workstream._validation.validation import check, prepared
from workstream._values.errors import ValidationError


@attrs.frozen
class Sized:
    """Its defaults are another request."""

    size: int = 0

    def defaults(self) -> Sized:
        """Give the size that is meant by none."""
        return self if self.size else attrs.evolve(self, size=5)


@attrs.define
class Mutable:
    """Its defaults change it."""

    parts: list[str] = attrs.field(factory=list[str])

    def defaults(self) -> None:
        """Leave a trace."""
        self.parts.append("default")


class Act(ActionPlugin[Sized | Mutable, None]):
    """Does nothing, and changes what it is asked about."""

    name = "t.act"

    def __init__(self) -> None:
        self.validated: list[object] = []

    def validate(self, request: Sized | Mutable, /) -> None:
        """Accept it, and leave a trace."""
        self.validated.append(request)
        if isinstance(request, Mutable):
            request.parts.append("validated")

    async def execute(self, context: Context, request: Sized | Mutable) -> None:
        """Do nothing."""


class Look(CheckPlugin[None, None]):
    """Looks at nothing."""

    name = "t.look"

    async def execute(self, context: Context, request: None) -> None:
        """See nothing."""


REGISTRY = Registry([Act(), Look()])


def act(request: Sized | Mutable, **fields: Any) -> Action:
    """An action."""
    return Act.action(request, name="a", **fields)


def plan_of(*actions: Action, **fields: Any) -> Plan:
    """A plan with one sequence of these actions."""
    sequence = Sequence(name="s", actions=list(actions))
    return Plan(name="P", blocks=[Block(name="B", sequences=[sequence], **fields)])


def actions_of(plan: Plan) -> list[Action]:
    """Those of its sequence."""
    return plan.blocks[0].sequences[0].actions


def test_preparing_leaves_the_plan_as_it_was() -> None:
    """What is prepared is a deep copy; the caller's plan can be used again (SUB-2, X-59)."""
    mine = plan_of(act(Mutable(["mine"])), concurrency=0)
    before = repr(mine)
    first, _ = prepared(mine, REGISTRY)
    second, _ = prepared(mine, REGISTRY)
    assert repr(mine) == before
    assert first == second
    for item, other, third in zip(walk(mine), walk(first), walk(second), strict=True):
        assert item.node is not other.node
        assert other.node is not third.node
    assert actions_of(first)[0].request is not actions_of(second)[0].request


def test_refused_plan_can_be_repaired_and_used() -> None:
    """A refusal leaves the plan untouched, so that mending it is enough (V-2, X-56)."""
    mine = plan_of(act(Mutable(["mine"]), timeout=-1))
    before = repr(mine)
    with pytest.raises(ValidationError):
        prepared(mine, REGISTRY)
    assert repr(mine) == before
    actions_of(mine)[0].timeout = 5
    assert actions_of(prepared(mine, REGISTRY)[0])[0].timeout == 5


def test_preparing_fills_in_defaults() -> None:
    """Requests get their defaults, and zeros what they stand for (SUB-1, V-21, V-22)."""
    mine = plan_of(
        act(Sized()), act(Mutable()), act(Sized(7)), concurrency=0, entrance_delay=3
    )
    look = CheckAction(name="c", plugin="t.look")
    mine.cont_checks = Checks(actions=[look], delay=0)
    ready, _ = prepared(mine, REGISTRY)
    first, second, third = actions_of(ready)
    assert first.request == Sized(5)
    assert second.request == Mutable(["default", "validated"])
    assert third.request == Sized(7)
    assert ready.blocks[0].concurrency == 1
    assert ready.cont_checks is not None
    assert ready.cont_checks.delay == 30
    seconds = (ready.blocks[0].entrance_delay, ready.cont_checks.delay, first.timeout)
    assert [type(each) for each in seconds] == [float, float, float]


@pytest.mark.slow
def test_ten_thousand_sequences_are_validated_in_one_pass() -> None:
    """Each request is looked at once, however many siblings there are."""
    plugin = Act()
    registry = Registry([plugin])
    many = plan_of(act(Sized(1)))
    many.blocks[0].sequences = [
        Sequence(name="s", actions=[act(Sized(1))]) for _ in range(10_000)
    ]
    assert check(many, registry) == ([], [])
    assert len(plugin.validated) == 10_000
