"""A plan that is run again and again is validated once, as long as nothing changes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from _workstream_testing.simulation.moulds import Latest, Mould
from _workstream_testing.simulation.simulator import fresh
from workstream import (
    Action,
    ActionPlugin,
    Block,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
    Status,
    ValidationError,
    WhenDeferred,
)
from workstream._plan.walk import walk
from workstream._registry.registry import Registry
from workstream.plugins import AnyPlugin
from workstream.results import State
from workstream.testing import FakePlugin, SimulationError, simulate


@attrs.frozen
class Ask:
    """A request that nobody can change."""

    host: str


@attrs.define
class Long:
    """A request that anybody can change."""

    hosts: list[str]


@attrs.frozen
class Filled:
    """A request that fills itself in."""

    host: str = ""

    def defaults(self) -> Filled:
        """Name the next host."""
        return Filled(self.host or next(NAMES))


NAMES = iter([f"web-{number}" for number in range(1, 9)])


class Restart(ActionPlugin[Ask, None]):
    """A plugin that refuses some hosts."""

    name = "acme.restart"

    def __init__(self) -> None:
        """Refuse none yet."""
        self.refused: set[str] = set()

    def validate(self, request: Ask, /) -> None:
        """Refuse what is refused now."""
        if request.host in self.refused:
            message = f"{request.host} is out of bounds"
            raise ValueError(message)

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Do nothing."""


class Sort(ActionPlugin[Long, None]):
    """A plugin that changes what it is asked."""

    name = "acme.sort"

    async def execute(self, context: Context, request: Long, /) -> None:
        """Take the first of the hosts off."""
        request.hosts.pop(0)


class Fill(ActionPlugin[Filled, None]):
    """A plugin whose requests fill themselves in."""

    name = "acme.fill"

    async def execute(self, context: Context, request: Filled, /) -> None:
        """Do nothing."""


def rollout(*actions: Action) -> Plan:
    """Two hosts; the second has a clean-up."""
    first, second = actions or (_restart(1), _restart(2))
    batch = DeferBatch(name="Tidy", when=WhenDeferred.ALWAYS, actions=[_restart(3)])
    return Plan(
        name="Rollout",
        blocks=[
            Block(
                name="Web",
                sequences=[
                    Sequence(name="one", actions=[first]),
                    Sequence(
                        name="two",
                        actions=[second],
                        deferred_actions=DeferredActions(batches=[batch]),
                    ),
                ],
            )
        ],
    )


def _restart(number: int) -> Action:
    return Restart.action(Ask(f"web-{number}"), name="Restart")


def _copied(latest: Latest, plan: Plan, plugin: Any) -> list[str]:
    """Copy the plan, and tell by the list of paths which mould the copy came from."""
    return latest.copy(plan, [plugin], Registry([plugin]))[1]


class TestMoulds:
    """Copies of one validated plan."""

    def test_each_is_what_submit_would_make(self) -> None:
        """And they share no object, no state and no list."""
        registry = Registry([Restart()])
        mould = Mould(rollout(), registry)
        one, other = mould.plan(), mould.plan()

        assert one == other == fresh(rollout(), registry)
        for mine, its in zip(walk(one), walk(other), strict=True):
            assert mine.node is not its.node
            assert mine.node.state is not its.node.state
            assert mine.node.plan_id == its.node.plan_id
        one.blocks[0].sequences[0].actions.clear()
        assert other.blocks[0].sequences[0].actions
        assert mould.plan() == other

    def test_a_request_that_can_be_changed_is_copied(self) -> None:
        """What one run does to it, the next does not see."""
        asked = [Sort.action(Long(["b", "a"]), name=name) for name in ("x", "y")]
        plan = rollout(*asked)
        for _ in range(4):
            ended = simulate(plan, [Sort(), Restart()]).plan
            action = ended.blocks[0].sequences[0].actions[0]
            assert action.request == Long(["a"])
        assert asked[0].request == Long(["b", "a"])


def _grown(plan: Plan) -> None:
    plan.blocks[0].sequences.append(Sequence(name="three", actions=[_restart(1)]))


def _shrunk(plan: Plan) -> None:
    plan.blocks[0].sequences.pop()


def _without_clean_up(plan: Plan) -> None:
    plan.blocks[0].sequences[1].deferred_actions = None


def _other_host(plan: Plan) -> None:
    plan.blocks[0].sequences[0].actions[0].request = Ask("web-9")


def _longer(plan: Plan) -> None:
    plan.blocks[0].sequences[0].actions[0].timeout = 60.0


def _exchanged(plan: Plan) -> None:
    plan.blocks[0].sequences[0] = Sequence(name="another", actions=[_restart(1)])


def _nothing_done(plan: Plan) -> None:
    plan.blocks[0].sequences[0].actions = []


def _twice(plan: Plan) -> None:
    sequences = plan.blocks[0].sequences
    sequences[1].actions[0] = sequences[0].actions[0]


def _all_the_same(plan: Plan) -> None:
    one, two = plan.blocks[0].sequences
    one.actions[0].request = two.actions[0].request = Ask("web-1")
    two.actions[0] = one.actions[0]


def _no_list(plan: Plan) -> None:
    sequences: Any = tuple(plan.blocks[0].sequences)
    plan.blocks[0].sequences = sequences


def _begun(plan: Plan) -> None:
    plan.blocks[0].state = State(Status.FAILED)


CHANGES = (_grown, _shrunk, _without_clean_up, _other_host, _longer, _exchanged)
FAULTS = (_nothing_done, _twice, _all_the_same, _no_list, _begun)


class TestRunsInARow:
    """``simulate`` with one plan, again and again."""

    def test_it_is_validated_once_for_all_that_follow(self) -> None:
        """The first run may be the only one, so the second makes the mould."""
        latest, plan, plugin = Latest(), rollout(), Restart()
        _copied(latest, plan, plugin)
        second = _copied(latest, plan, plugin)

        assert _copied(latest, plan, plugin) is second
        assert _copied(latest, plan, Restart()) is not second
        assert _copied(latest, rollout(), plugin) is not second

    def test_a_plan_that_nobody_holds_is_forgotten(self) -> None:
        """What is remembered of it does not keep it."""
        latest, plan, plugin = Latest(), rollout(), Restart()
        for _ in range(3):
            _copied(latest, plan, plugin)
        gone = weakref.ref(plan)
        del plan
        gc.collect()
        assert gone() is None

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_change_is_seen(self, change: Callable[[Plan], None]) -> None:
        """The next run is that of the changed plan."""
        plan, plugin, fake = rollout(), Restart(), FakePlugin(Restart)
        for _ in range(3):
            simulate(plan, [plugin])
        change(plan)
        changed = rollout()
        change(changed)

        assert simulate(plan, [plugin]).plan == simulate(changed, [fake]).plan

    @pytest.mark.parametrize("change", FAULTS)
    def test_a_fault_is_found(self, change: Callable[[Plan], None]) -> None:
        """Although nothing was wrong in the runs before."""
        plan, plugin = rollout(), Restart()
        for _ in range(3):
            simulate(plan, [plugin])
        change(plan)

        with pytest.raises(ValidationError):
            simulate(plan, [plugin])

    def test_a_plugin_may_refuse_what_it_took_before(self) -> None:
        """It is asked before each run, as by submit (V-19)."""
        plan, plugin = rollout(), Restart()
        for _ in range(3):
            simulate(plan, [plugin])
        plugin.refused.add("web-2")

        with pytest.raises(ValidationError, match="web-2 is out of bounds"):
            simulate(plan, [plugin])

    def test_requests_that_fill_themselves_in_do_so_each_time(self) -> None:
        """What they say may differ from run to run."""
        plan = rollout(*(Fill.action(Filled(), name=name) for name in ("x", "y")))
        plugins: list[AnyPlugin] = [Fill(), Restart()]
        hosts = [
            _host(simulate(plan, plugins).plan.blocks[0].sequences[0].actions[0])
            for _ in range(4)
        ]

        assert len(set(hosts)) == 4

    def test_plugins_that_are_missing_are_told_of_each_time(self) -> None:
        """No run is remembered that was none."""
        plan = rollout()
        for _ in range(3):
            with pytest.raises(SimulationError, match=r"acme\.restart"):
                simulate(plan, [])


def _host(action: Action) -> str:
    request = action.request
    assert isinstance(request, Filled)
    return request.host
