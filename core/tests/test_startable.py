"""What keeps a stored plan from being started, or resumed (ST-4, R-4)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from workstream._plan.plan import Action, Block, CheckAction, Checks, Plan, Sequence
from workstream._plan.walk import give_ids, new_plan_id, walk
from workstream._protocols.plugin import ActionPlugin, CheckPlugin, Context
from workstream._registry.registry import Registry
from workstream._validation.validation import check_resumable, check_startable
from workstream._values.state import Attempt, Status

NOW = datetime(2025, 1, 2, tzinfo=UTC)


class Act(ActionPlugin[None, None]):
    """Does nothing."""

    name = "t.act"

    async def execute(self, context: Context, request: None) -> None:
        """Do nothing."""


class Broken(Act):
    """Could not be made ready."""

    name = "t.broken"


class Look(CheckPlugin[None, None]):
    """Looks at nothing."""

    name = "t.look"

    async def execute(self, context: Context, request: None) -> None:
        """See nothing."""


@pytest.fixture
def registry() -> Registry:
    """Two plugins, and one that is unusable."""
    registry = Registry([Act(), Broken(), Look()])
    registry.freeze()
    registry.mark_unusable("t.broken", "its init failed: no licence")
    return registry


def stored(**plugins: str) -> Plan:
    """A plan as submit left it, its actions of these names with these plugins."""
    chosen = plugins or {"a": "t.act"}
    sequence = Sequence(
        name="s", actions=[Action(name=name, plugin=of) for name, of in chosen.items()]
    )
    look = CheckAction(name="c", plugin="t.look")
    plan = Plan(
        name="P",
        pre_checks=Checks(actions=[look]),
        blocks=[Block(name="B", sequences=[sequence])],
    )
    give_ids(plan, new_plan_id())
    return plan


def test_submitted_plan_can_be_started(registry: Registry) -> None:
    """A plan that is as submit left it has nothing against its start (ST-4)."""
    assert check_startable(stored(), registry) == []


def test_start_needs_every_object_as_submit_left_it(registry: Registry) -> None:
    """Ids, states and attempts are looked at again before a start (ST-4)."""
    plan = stored()
    plan.id = None
    [block] = plan.blocks
    block.id = UUID(int=4 << 76)
    block.state.status = Status.RUNNING
    block.sequences[0].actions[0].attempts.append(Attempt(started=NOW))
    found = check_startable(plan, registry)
    assert [(fault.path, fault.field, fault.rule) for fault in found] == [
        ("P", "id", "ST-4"),
        ("P / B", "id", "ST-4"),
        ("P / B", "state", "ST-4"),
        ("P / B / s / a", "attempts", "ST-4"),
    ]


def test_start_needs_every_plugin(registry: Registry) -> None:
    """Plugins that went, broke, or changed their kind keep a plan from starting (ST-4, REG-6)."""
    found = check_startable(stored(a="gone.away", b="t.broken", c="t.look"), registry)
    assert [(fault.path, fault.rule) for fault in found] == [
        ("P / B / s / a", "V-15"),
        ("P / B / s / b", "REG-6"),
        ("P / B / s / c", "V-20"),
    ]
    assert "its init failed: no licence" in found[1].message


def test_plan_left_by_a_crash_needs_its_plugins_only(registry: Registry) -> None:
    """To be resumed, a plan needs every plugin, whatever its states are (R-4)."""
    plan = stored(a="t.act", b="gone.away")
    for item in walk(plan):
        item.node.state.status = Status.RUNNING
    (fault,) = check_resumable(plan, registry)
    assert (fault.path, fault.rule) == ("P / B / s / b", "V-15")
