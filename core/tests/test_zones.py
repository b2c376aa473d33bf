"""Zones: where an engine of several machines runs an action (ZN-1 to ZN-4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    Registry,
    Sequence,
    Status,
    ValidationError,
    WhenDeferred,
    clone,
    difference,
    find,
    from_json,
    plan_text,
    to_json,
    undo_plan,
)
from workstream._cli.draw.live import layout
from workstream._cli.draw.screen import Signs
from workstream._plan.paths import path_of
from workstream._plan.plan import BaseAction
from workstream._plan.walk import actions, give_ids, new_plan_id, walk
from workstream._plan.zones import zone_of, zones_text
from workstream._protocols.watching import PlanSnapshot
from workstream._show.outline import outline
from workstream._show.progress import Progress
from workstream._validation.validation import prepared
from workstream._values.state import Attempt, FailureReason, State
from workstream.testing import FakePlugin, simulate


class Act(ActionPlugin[None, None]):
    """Does nothing."""

    name = "t.act"

    async def execute(self, context: Context, request: None, /) -> None:
        """Do nothing."""


class Look(CheckPlugin[None, None]):
    """Sees nothing wrong."""

    name = "t.look"

    async def execute(self, context: Context, request: None, /) -> None:
        """Do nothing."""


NOW = datetime(2031, 5, 1, tzinfo=UTC)
REGISTRY = Registry([Act(), Look()])


def act(name: str = "act") -> Action:
    return Act.action(None, name=name)


def look() -> CheckAction:
    return Look.action(None, name="look")


def deferred(when: WhenDeferred) -> DeferredActions:
    return DeferredActions(
        batches=[DeferBatch(name="batch", when=when, actions=[act()])]
    )


def rollout(block_zone: str | None = "eu-1", host_zone: str | None = "us-1") -> Plan:
    """Two hosts, one of them in a zone of its own, with checks and deferred work."""
    return Plan(
        name="Rollout",
        pre_checks=Checks(actions=[look()]),
        blocks=[
            Block(
                name="tier",
                zone=block_zone,
                pre_checks=Checks(actions=[look()]),
                sequences=[
                    Sequence(name="near", actions=[act()]),
                    Sequence(
                        name="far",
                        zone=host_zone,
                        actions=[act()],
                        deferred_actions=deferred(WhenDeferred.ON_UNDO),
                    ),
                ],
            ),
            Block(name="anywhere", sequences=[Sequence(name="s", actions=[act()])]),
        ],
        deferred_actions=deferred(WhenDeferred.ALWAYS),
    )


def named(plan: Plan) -> dict[str, str]:
    """The zones, by the paths of the actions."""
    return {
        path_of(item): zone
        for item in walk(plan)
        if isinstance(item.node, BaseAction)
        and (zone := zone_of(item.ancestors)) is not None
    }


def test_the_nearest_zone_is_that_of_an_action() -> None:
    """The sequence's before the block's; checks and work of the plan have none (ZN-1)."""
    assert named(rollout()) == {
        "Rollout / tier / pre_checks / look": "eu-1",
        "Rollout / tier / near / act": "eu-1",
        "Rollout / tier / far / act": "us-1",
        "Rollout / tier / far / deferred_actions / batch / act": "us-1",
    }


def test_without_a_zone_an_action_has_none() -> None:
    """None is the default, at both places (ZN-1)."""
    assert named(rollout(None, None)) == {}
    assert named(rollout(None)) == {
        "Rollout / tier / far / act": "us-1",
        "Rollout / tier / far / deferred_actions / batch / act": "us-1",
    }


def test_the_name_of_a_zone_is_checked_with_all_other_faults() -> None:
    """Letters, digits, '-', '_', '.'; every fault is told at once (ZN-1, V-1)."""
    plan = rollout("eu 1", "")
    plan.blocks[1].zone = "z" * 101
    plan.blocks[1].sequences[0].zone = 7  # type: ignore[assignment]

    with pytest.raises(ValidationError) as raised:
        prepared(plan, REGISTRY)

    faults = {fault.path: fault for fault in raised.value.faults}
    assert {fault.rule for fault in faults.values()} == {"ZN-1"}
    assert {fault.field for fault in faults.values()} == {"zone"}
    assert list(faults) == [
        "Rollout / tier",
        "Rollout / tier / far",
        "Rollout / anywhere",
        "Rollout / anywhere / s",
    ]
    assert "must be letters, digits, '-', '_' and '.', as in 'eu-1'" in str(
        faults["Rollout / tier"]
    )


@pytest.mark.parametrize("name", ["eu-1", "EU_1.a", "1", "z" * 100])
def test_good_names_are_accepted(name: str) -> None:
    """What a queue and a command line can hold (ZN-1)."""
    prepared(rollout(name, name), REGISTRY)


def test_a_zone_means_nothing_on_one_machine() -> None:
    """The same statuses at the same times, with zones and without (ZN-2)."""

    def run(plan: Plan) -> list[tuple[Status, Any, Any]]:
        fake = FakePlugin(Act).otherwise(takes=3.0)
        result = simulate(plan, [fake, FakePlugin(Look)])
        assert result.plan.state.status is Status.COMPLETED
        return [attrs.astuple(item.node.state) for item in walk(result.plan)]

    assert run(rollout()) == run(rollout(None, None))


def test_copies_keep_the_zone_and_show_it() -> None:
    """Clone, JSON, text, difference (ZN-4)."""
    plan = rollout()

    again = from_json(to_json(plan, with_secrets=True), REGISTRY)
    assert named(clone(plan)) == named(again) == named(plan)
    assert "tier (zone='eu-1')" in plan_text(plan)
    assert "far (zone='us-1')" in plan_text(plan)
    assert "zone" in difference(plan, rollout("eu-2"))


def test_the_zones_of_a_block_are_counted() -> None:
    """A line a block, where any of its sequences has a zone (ZN-4)."""
    assert list(zones_text(rollout())) == [
        "tier: sequences: 1 in zone eu-1, 1 in zone us-1"
    ]
    assert list(zones_text(rollout(None))) == [
        "tier: sequences: 1 anywhere, 1 in zone us-1"
    ]
    assert list(zones_text(rollout(None, None))) == []


def test_the_tree_names_zones() -> None:
    """Of a block, and of a sequence that has one of its own (ZN-4)."""
    plan = rollout()
    plan.blocks[0].state.status = Status.RUNNING
    for each in plan.blocks[0].sequences:
        each.state.status = Status.RUNNING

    said = {branch.label: branch.done for branch in outline(plan)}

    assert said["tier"].endswith(", zone eu-1")
    assert "zone" not in said["near"]
    assert said["far"].endswith("zone us-1")


def test_the_screen_says_for_what_an_action_waits() -> None:
    """In place of what else is told of it, until a worker has it (ZN-3)."""
    plan = rollout()
    give_ids(plan, new_plan_id())
    plan.state = State(Status.RUNNING, NOW)
    places = {path_of(item): number for number, item in enumerate(walk(plan))}
    near = places["Rollout / tier / near / act"]
    action = find(plan, "Rollout / tier / near / act")
    assert isinstance(action, Action)
    action.state = State(Status.RUNNING, NOW)
    action.attempts.append(Attempt(started=NOW))
    progress = Progress(PlanSnapshot(position=0, plan=plan))

    def drawn() -> str:
        lines = layout([progress], NOW, 120, 40, Signs())
        return "\n".join(line.plain for line in lines)

    progress.wait_for({near: "a worker in eu-1"})
    assert "waits for a worker in eu-1" in drawn()
    progress.wait_for({})
    assert "waits" not in drawn()


def test_an_undo_runs_where_the_work_was_done() -> None:
    """The undo keeps the zones of blocks and sequences (ZN-4, UN-5)."""
    plan = rollout()
    give_ids(plan, new_plan_id())
    plan.state.status, plan.reasons = Status.FAILED, (FailureReason.BLOCK,)
    for action in actions(plan):
        action.state.status = Status.COMPLETED
    far = plan.blocks[0].sequences[1]
    far.state.status = Status.COMPLETED
    assert far.deferred_actions is not None
    batch = far.deferred_actions.batches[0]
    batch.state.status = batch.actions[0].state.status = Status.NOT_STARTED

    found = undo_plan(plan).plan

    assert found is not None
    [block] = found.blocks
    assert (block.zone, block.sequences[0].zone) == ("eu-1", "us-1")
