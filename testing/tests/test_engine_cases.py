"""The engine's own verbs, by the cases that are no plan that runs to its end."""

from __future__ import annotations

import logging
from contextlib import aclosing
from uuid import UUID

import pytest
import trio

from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.world import World
from _workstream_testing.notation.fixtures import ScriptedRequest
from _workstream_testing.notation.notation import parse
from workstream._plan.walk import actions
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._values.errors import (
    NotFoundError,
    NotRunningHereError,
    NotStartedError,
    PlanRefusedError,
    PlanStaleError,
    ValidationError,
)
from workstream._values.state import Status

NOBODY = UUID(int=7 << 76)
X_02 = next(case.plan for case in CASES if case.id == "X-02")


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


# --- submit and start ------------------------------------------------------------------


def test_submitting_twice() -> None:
    """One object submitted twice makes two plans, and stays as it was (X-59, SUB-2)."""
    world = World()
    plan = parse("B1: s1[a]").plan

    async def scenario() -> None:
        async with world.engine() as ws:
            first, second = await ws.submit(plan), await ws.submit(plan)
            assert first != second
            assert plan == parse("B1: s1[a]").plan
            await ws.start(first)
            await ws.wait(first)
            assert (await ws.plan(second)).state.status is Status.NOT_STARTED

    world.clock.run(scenario)


def test_refused_plan_can_be_repaired() -> None:
    """A refused plan is not stored, and is accepted once repaired (X-56, V-1, V-2)."""
    world = World()
    plan = parse("B1: s1[a]").plan

    async def scenario() -> None:
        async with world.engine() as ws:
            plan.name = " "
            plan.blocks[0].concurrency = -1
            with pytest.raises(ValidationError) as caught:
                await ws.submit(plan)
            assert [fault.field for fault in caught.value.faults] == [
                "name",
                "concurrency",
            ]
            assert await ws.list() == []
            plan.name, plan.blocks[0].concurrency = "plan", 1
            assert (await ws.run(plan)).state.status is Status.COMPLETED

    world.clock.run(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_start_is_idempotent(seed: int) -> None:
    """Started ten times at once, and again later, a plan runs once (X-60, ST-1, ST-2)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse("B1: s1[a ok@1; b]").plan)
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(ws.start, plan_id)
            await ws.start(plan_id)
            await ws.wait(plan_id)
            await ws.start(plan_id)
            with pytest.raises(NotFoundError):
                await ws.start(NOBODY)
        assert world.stage.trace == ["a", "b"]

    world.clock.run(scenario, seed=seed)


def test_stale_plan() -> None:
    """A plan submitted longer ago than max_submit is not started, and stays N (X-61, ST-3)."""
    world = World()

    async def scenario() -> None:
        async with world.engine(max_submit=60) as ws:
            stale = await ws.submit(parse("B1").plan)
            await trio.sleep(1)
            fresh = await ws.submit(parse("B1").plan)
            await trio.sleep(60)
            with pytest.raises(PlanStaleError):
                await ws.start(stale)
            assert (await ws.plan(stale)).state.status is Status.NOT_STARTED
            assert await world.vault.owner(stale) is None
            await ws.start(fresh)  # submitted exactly max_submit ago
            assert (await ws.wait(fresh)).state.status is Status.COMPLETED

    world.clock.run(scenario)


@pytest.mark.parametrize("limits", [{"max_submit": 0}, {"max_last_update": -1}])
def test_limits_must_make_sense(limits: dict[str, float]) -> None:
    """Limits that would refuse every plan are refused when the engine is built (ST-3)."""
    world = World()

    async def scenario() -> None:
        with pytest.raises(ValueError, match="must be greater than 0"):
            async with world.engine(**limits):
                pass

    world.clock.run(scenario)


def test_cancelled_start() -> None:
    """A caller who is cancelled during start leaves a plan that really runs (ST-5)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse("B1: s1[a ok@5]").plan)
            with trio.CancelScope() as scope:
                scope.cancel()
                await ws.start(plan_id)
            assert (await ws.plan(plan_id)).state.status is Status.RUNNING
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


class Unready(ActionPlugin[ScriptedRequest, None]):
    """A plugin whose init fails."""

    name = "case.unready"

    async def init(self) -> None:
        """Fail."""
        message = "no network"
        raise OSError(message)

    async def execute(self, context: Context, request: ScriptedRequest, /) -> None:
        """Never be called."""
        raise AssertionError


def test_plugin_whose_init_fails() -> None:
    """It is refused with its reason; plans without it run (X-82, REG-6)."""
    world = World(plugins=[Unready()])
    plan = parse("B1: s1[a]").plan
    plan.blocks[0].sequences[0].actions[0].plugin = Unready.name

    async def scenario() -> None:
        async with world.engine() as ws:
            with pytest.raises(ValidationError, match="no network"):
                await ws.submit(plan)
            result = await ws.run(parse("B1").plan)
            assert result.state.status is Status.COMPLETED

    world.clock.run(scenario)


# --- wait and status -------------------------------------------------------------------


def test_wait() -> None:
    """Waiting tells what keeps it from waiting, and ends with the plan (X-62, ST-6)."""
    world = World()

    async def scenario() -> None:
        ended: list[float] = []
        async with world.engine() as ws, world.engine(recover=False) as other:
            with pytest.raises(NotFoundError):
                await ws.wait(NOBODY)
            plan_id = await ws.submit(parse("B1: s1[a ok@5]").plan)
            with pytest.raises(NotStartedError):
                await ws.wait(plan_id)
            await ws.start(plan_id)
            with pytest.raises(NotRunningHereError):
                await other.wait(plan_id)

            async def waiter() -> None:
                result = await ws.wait(plan_id)
                assert result.state.status is Status.COMPLETED
                ended.append(world.clock.time())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(waiter)
                with trio.move_on_after(2) as scope:
                    await ws.wait(plan_id)
                assert scope.cancelled_caught
            assert ended == [5]
            assert await ws.wait(plan_id) == await other.wait(plan_id)

    world.clock.run(scenario)


def test_status() -> None:
    """Snapshots come at once, then at each interval, at last with the end (X-63, ST-8)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse("B1: s1[a ok@25]").plan)
            async with aclosing(ws.watch(plan_id, interval=10)) as snapshots:
                plan = (await anext(snapshots)).plan
                assert plan.state.status is Status.NOT_STARTED
                await ws.start(plan_id)
                plan = (await anext(snapshots)).plan  # N does not end the iteration
                assert plan.state.status is Status.RUNNING
                assert world.clock.time() == 10
            times: list[tuple[float, Status]] = []
            async for event in ws.watch(plan_id, interval=10):
                times.append((world.clock.time(), event.plan.state.status))
            assert times == [
                (10, Status.RUNNING),
                (20, Status.RUNNING),
                (25, Status.COMPLETED),
            ]
            for interval in (0, -1):
                with pytest.raises(ValueError, match="interval"):
                    await anext(ws.watch(plan_id, interval=interval))
            with pytest.raises(NotFoundError):
                await anext(ws.watch(NOBODY, interval=1))

    world.clock.run(scenario)


# --- several plans, and leaving --------------------------------------------------------


def test_plans_do_not_disturb_each_other() -> None:
    """A run that breaks off by a bug takes no other plan with it (T-2, STO-6)."""
    world = World()

    def broken() -> float:
        message = "a bug"
        raise RuntimeError(message)

    async def scenario() -> None:
        async with world.engine(random=broken) as ws:
            bad = await world.start(ws, "B1: s1[a(retries=1) err@1]")
            good = await world.start(ws, "B1: s1[b ok@5]")
            with pytest.raises(Exception, match="a bug"):
                await ws.wait(bad)
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            assert (await ws.plan(bad)).state.status is Status.RUNNING
            await ws.resume(bad)
            with pytest.raises(Exception, match="a bug"):
                await ws.wait(bad)

    world.clock.run(scenario)


def test_deaf_plugin_is_shown_and_left(caplog: pytest.LogCaptureFixture) -> None:
    """A deaf attempt is marked while it goes on, and leaving does not wait for it (A-16).

    The log names its plan.
    """
    caplog.set_level("ERROR", "workstream")
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a(timeout=5) hang+1000]")
            await trio.sleep(34)
            [action] = actions(await ws.plan(plan_id))
            assert not action.attempts[0].unresponsive
            await trio.sleep(2)
            [action] = actions(await ws.plan(plan_id))
            assert action.attempts[0].unresponsive
            assert action.attempts[0].ended is None
        assert world.clock.time() < 60
        assert (await world.stored(plan_id)).state.status is Status.RUNNING
        # It still works: nobody else may run the plan.
        assert await world.vault.owner(plan_id) is not None

    world.clock.run(scenario)
    told = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert [each.partition(";")[0] for each in told] == [
        "plugins of 'plan' ignore their cancellation"
    ]


def test_a_deaf_plugin_is_marked_at_any_time_of_day() -> None:
    """In floating point, 15.3 and 30 and less 30 is more than 15.3 (A-16)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            text = "B1: s1[w ok@0.3; a(timeout=15) hang+40]"
            plan = await ws.wait(await world.start(ws, text))
        [_, action] = actions(plan)
        assert action.attempts[0].unresponsive

    world.clock.run(scenario)


def test_plan_refused_at_start() -> None:
    """A plan whose plugin is gone since its submit is refused, and stays N (ST-4)."""
    world = World(plugins=[Spare()])
    bare = World(lambda _: world.vault)
    plan = parse("B1: s1[a]").plan
    plan.blocks[0].sequences[0].actions[0].plugin = Spare.name

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(plan)
        async with bare.engine(now=world.clock.now) as ws:
            with pytest.raises(
                PlanRefusedError, match=r"plan / B1 / s1 / a.*case.spare"
            ):
                await ws.start(plan_id)
            assert (await ws.plan(plan_id)).state.status is Status.NOT_STARTED
            assert await world.vault.owner(plan_id) is None

    world.clock.run(scenario)


class Spare(ActionPlugin[ScriptedRequest, None]):
    """A plugin that one registry has and another one lacks."""

    name = "case.spare"

    async def execute(self, context: Context, request: ScriptedRequest, /) -> None:
        """Do nothing."""
