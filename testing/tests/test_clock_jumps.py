"""A machine whose clock is set back, or forward, in the middle of things (T-1).

Waits and timeouts go by trio's clock, which nobody can set; what is recorded, and what
is counted over a crash (deadlines, ages), by the machine's.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
import trio

from _workstream_testing.conformance.world import World
from _workstream_testing.notation.notation import parse
from workstream._plan.plan import BaseAction, Plan
from workstream._plan.walk import actions, walk
from workstream._values.errors import PlanStaleError
from workstream._values.state import FailureReason, Status

HOUR = 3600.0


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that are given up are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


class SettableWorld(World):
    """A world on a machine whose clock can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def now(self) -> datetime:
        """What the machine's clock shows."""
        return self.clock.now() + self.ahead

    def set_clock(self, seconds: float) -> None:
        """Set the clock forward by so much, or back."""
        self.ahead += timedelta(seconds=seconds)


def check_times(plan: Plan) -> None:
    """Nothing ends before it starts, and attempts follow each other."""
    for item in walk(plan):
        state = item.node.state
        assert state.started is None or state.ended is None or (
            state.started <= state.ended
        )  # fmt: skip
        if isinstance(item.node, BaseAction):
            times = [
                time
                for attempt in item.node.attempts
                for time in (attempt.started, attempt.ended)
                if time is not None
            ]
            assert times == sorted(times)


def status_of(plan: Plan, name: str) -> Status:
    """How an action is."""
    return next(a.state.status for a in actions(plan) if a.name == name)


@pytest.mark.parametrize("seconds", [-HOUR, -0.001, HOUR])
def test_a_clock_that_is_set_during_a_run(seconds: float) -> None:
    """It takes as long as without, every wait and timeout included; times are in order."""
    world = SettableWorld()
    plan = "cont(d=1)[k] B1(in=2 out=2): s1[a(retries=1) err@3,ok@3; b(timeout=5) hang]"

    async def scenario() -> None:
        async with world.engine(now=world.now) as ws:
            plan_id = await world.start(ws, plan)
            for _ in range(4):
                await trio.sleep(2.2)
                world.set_clock(seconds)
            result = await ws.wait(plan_id)
        assert world.clock.time() == pytest.approx(2 + 3 + 1 + 3 + 5)
        assert status_of(result, "a") is Status.COMPLETED
        assert status_of(result, "b") is Status.FAILED
        check_times(result)

    world.clock.run(scenario)


def test_a_deadline_passes_although_the_clock_is_set_back() -> None:
    """At half the speed, at worst: an action is not tried for ever (A-15)."""
    world = SettableWorld()

    async def scenario() -> None:
        async with world.engine(now=world.now) as ws:
            plan_id = await world.start(
                ws, "B1: s1[a(retries=none deadline=100) err@1]"
            )
            await trio.sleep(10)
            world.set_clock(-HOUR)
            result = await ws.wait(plan_id)
            assert world.clock.time() < 200
        assert status_of(result, "a") is Status.FAILED
        check_times(result)

    world.clock.run(scenario)


def test_a_clock_that_is_set_forward_is_time_that_has_passed() -> None:
    """A deadline is over then, and what may still be started is not (A-15, ST-3)."""
    world = SettableWorld()

    async def scenario() -> None:
        async with world.engine(now=world.now) as ws:
            waiting = await ws.submit(parse("B1: s1[z]").plan)
            plan_id = await world.start(ws, "B1: s1[a(retries=9 deadline=100) err@1]")
            await trio.sleep(2)
            world.set_clock(HOUR)
            result = await ws.wait(plan_id)
            assert world.clock.time() < 10
            with pytest.raises(PlanStaleError):
                await ws.start(waiting)
        assert status_of(result, "a") is Status.FAILED
        check_times(result)

    world.clock.run(scenario)


@pytest.mark.parametrize("seconds", [-HOUR, -86_400.0])
def test_a_clock_that_was_set_back_before_a_recovery(seconds: float) -> None:
    """What is recovered goes on from the latest time that is stored of it (R-2, R-7)."""
    world = SettableWorld()

    async def scenario() -> None:
        async with world.engine(now=world.now) as ws:
            plan_id = await world.start(
                ws, "cont(d=1)[k] B1(out=5): s1[a ok@5; b(deadline=60) ok@5]"
            )
            await trio.sleep(7)
        world.set_clock(seconds)
        async with world.engine(now=world.now) as ws:
            assert not ws.recovery_errors
            result = await ws.wait(plan_id)
            other = await world.start(ws, "B1: s9[x ok@1]")
            # Other plans record the machine's time.
            started = (await ws.wait(other)).state.started
            assert started is not None
            assert world.now() - started < timedelta(seconds=2)
        assert result.state.status is Status.COMPLETED
        check_times(result)

    world.clock.run(scenario)


@pytest.mark.parametrize(
    ("seconds", "given_up"), [(-HOUR, False), (HOUR / 4, False), (HOUR, True)]
)
def test_an_age_is_counted_by_the_clock(seconds: float, given_up: bool) -> None:
    """A plan looks too old to a clock that is far ahead; ``resume`` never gives up (R-3)."""
    world = SettableWorld()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        world.set_clock(seconds)
        async with world.engine(now=world.now, recover=False) as ws:
            await ws.resume(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED
        world.set_clock(-seconds)
        again = await world.crashed("plan=R: B1=R: s1=R[b=R{open}]")
        world.set_clock(seconds)
        async with world.engine(now=world.now) as ws:
            result = await ws.wait(again)
        assert (result.reason is FailureReason.EXCEED_RECOVERY) == given_up
        check_times(result)

    world.clock.run(scenario)


def test_a_run_that_began_at_the_end_of_the_calendar() -> None:
    """A clock that was wrong by millennia keeps no plan from being resumed (R-2)."""
    world = SettableWorld()
    last = datetime.max.replace(tzinfo=UTC) - world.clock.now()

    async def scenario() -> None:
        world.set_clock(last.total_seconds() - 10)
        async with world.engine(now=world.now) as ws:
            plan_id = await world.start(
                ws, "cont(d=1)[k] B1(in=3 out=5): s1[a ok@5; b(deadline=60) ok@5]"
            )
            await trio.sleep(6)
        world.ahead = timedelta()
        async with world.engine(now=world.now) as ws:
            assert not ws.recovery_errors
            result = await ws.wait(plan_id)
        assert result.state.status is Status.COMPLETED
        check_times(result)

    world.clock.run(scenario)
