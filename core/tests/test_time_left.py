"""How long a plan still takes, by earlier runs of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    PluginError,
    Registry,
    Sequence,
    Status,
    open_workstream,
)
from workstream._plan.walk import give_ids, new_plan_id
from workstream._show.progress import Progress
from workstream._show.words import time_left_words
from workstream._vaults.memory_vault import MemoryVault
from workstream.results import PlanSnapshot, State
from workstream.show import Pace, TimeLeft, earlier_paces, time_left

BEGIN = datetime(2031, 5, 1, 18, 0, tzinfo=UTC)


@attrs.frozen
class Do:
    """How to fail; "": not at all."""

    fail: str = ""


class Act(ActionPlugin[Do, None]):
    """Does nothing."""

    name = "x.act"

    async def execute(self, context: Context, request: Do, /) -> None:
        """Fail, if that was asked for."""
        if request.fail:
            raise PluginError(request.fail, permanent=True)


def at(seconds: float) -> datetime:
    """A moment after the beginning."""
    return BEGIN + timedelta(seconds=seconds)


def rollout(*ends: float, hosts: int = 4, name: str = "Rollout") -> Plan:
    """A plan that runs; so many of its sequences ended then."""
    sequences = [
        Sequence(name=f"web-{n}", actions=[Act.action(Do(), name="Do")])
        for n in range(hosts)
    ]
    for sequence, end in zip(sequences, ends, strict=False):
        sequence.state = State(Status.COMPLETED, BEGIN, at(end))
    plan = Plan(name=name, blocks=[Block(name="Tier", sequences=sequences)])
    plan.state = State(Status.RUNNING, BEGIN)
    give_ids(plan, new_plan_id())
    return plan


def left(plan: Plan, now: float, *paces: Pace) -> tuple[float, float, int] | None:
    """P50, p90 and the number of runs."""
    progress = Progress(PlanSnapshot(position=0, plan=plan))
    found = time_left(paces, progress, at(now))
    if found is None:
        return None
    return found.p50.total_seconds(), found.p90.total_seconds(), found.runs


STEADY = Pace((10.0, 20.0, 30.0, 40.0), 45.0)


def test_it_goes_as_the_run_before() -> None:
    """From the moment on at which as many had ended; what follows them counts."""
    assert left(rollout(), 0, STEADY) == (45, 45, 1)
    assert left(rollout(), 4, STEADY) == (41, 41, 1)
    assert left(rollout(7, 14), 14, STEADY) == (25, 25, 1)
    assert left(rollout(7, 14, 21, 28), 29, STEADY) == (4, 4, 1)


def test_a_host_that_is_late_is_waited_for() -> None:
    """What is left is never less than what the earlier run had left by then."""
    assert left(rollout(7, 14), 1_000, STEADY) == (15, 15, 1)
    assert left(rollout(1, 2, 3, 4), 1_000, STEADY) == (0, 0, 1)


def test_runs_that_differ() -> None:
    """The middle, and what nine of ten took no longer than."""
    paces = [Pace((n, 2.0 * n), 3.0 * n) for n in range(1, 11)]
    assert left(rollout(hosts=2), 0, *paces) == (16.5, 27, 10)


def test_a_plan_that_has_grown() -> None:
    """Twice as many hosts take twice as long."""
    assert left(rollout(hosts=8), 0, STEADY) == (90, 90, 1)


def test_when_nothing_is_known() -> None:
    """No earlier run; a plan that has not begun, has ended, or is asked to stop."""
    assert left(rollout(), 0) is None
    for state in (State(), State(Status.COMPLETED, BEGIN, at(9))):
        plan = rollout()
        plan.state = state
        assert left(plan, 0, STEADY) is None
    stopping = rollout()
    stopping.stopping = True
    assert left(stopping, 0, STEADY) is None


def test_in_words() -> None:
    """The high figure is told where it differs."""
    four, nine = timedelta(minutes=4), timedelta(minutes=9)
    assert time_left_words(TimeLeft(four, four, 3)) == "about 4m left"
    assert time_left_words(TimeLeft(four, nine, 3)) == "about 4m left, perhaps 9m"


def test_the_runs_of_a_store() -> None:
    """Completed runs of the same name and blocks count, the newest first."""
    trio.run(_runs_of_a_store)


async def _runs_of_a_store() -> None:
    async with open_workstream(MemoryVault(), registry=Registry([Act()])) as ws:

        async def ran(plan: Plan) -> None:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            await ws.wait(plan_id)

        def plan(name: str = "Rollout", fail: str = "", block: str = "Tier") -> Plan:
            sequence = Sequence(name="s", actions=[Act.action(Do(fail=fail), name="a")])
            return Plan(name=name, blocks=[Block(name=block, sequences=[sequence])])

        assert await earlier_paces(ws, plan()) == []
        for each in (
            plan(),
            plan(fail="full"),
            plan(name="Rollout 2"),
            plan(block="Other"),
            plan(),
        ):
            await ran(each)
        paces = await earlier_paces(ws, plan())
        assert len(paces) == 2
        assert all(len(pace.ends) == 1 for pace in paces)
        assert all(pace.length >= pace.ends[0] for pace in paces)
