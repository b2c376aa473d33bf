"""The engine's own verbs: the conformance cases that are no plan that runs to its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import pytest
import trio
import trio.testing

from _workstream_testing.cases import CASES
from _workstream_testing.fixtures import ScriptedRequest
from _workstream_testing.held_vault import HeldVault
from _workstream_testing.notation import parse
from _workstream_testing.virtual_time import FakeClock
from _workstream_testing.world import World
from workstream._engine import Workstream
from workstream._errors import (
    NotFoundError,
    NotRunningHereError,
    NotStartedError,
    PlanExistsError,
    PlanRefusedError,
    PlanStaleError,
    StorageError,
    ValidationError,
)
from workstream._lmdb_vault import LmdbVault
from workstream._memory_vault import MemoryVault
from workstream._plugin import ActionPlugin, Context
from workstream._state import ObjectType, Status
from workstream._vault import PlanRow, Vault, Write
from workstream._walk import actions, new_plan_id
from workstream._watch import PlanSnapshot, StateChange, WatchEvent

NOBODY = UUID(int=7 << 76)
X_02 = next(case.plan for case in CASES if case.id == "X-02")


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@pytest.fixture(params=["memory", "lmdb"])
def stored_world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A world for each kind of store."""

    def lmdb(clock: FakeClock) -> Vault:
        return HeldVault(LmdbVault(tmp_path / "store"), clock)

    return World(lmdb if request.param == "lmdb" else None)


# --- submit and start -----------------------------------------------------------------


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


# --- wait and status ----------------------------------------------------------------------


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
            async with aclosing(ws.status(plan_id, 10)) as snapshots:
                plan = await anext(snapshots)
                assert plan.state.status is Status.NOT_STARTED
                await ws.start(plan_id)
                plan = await anext(snapshots)  # N does not end the iteration
                assert plan.state.status is Status.RUNNING
                assert world.clock.time() == 10
            times: list[tuple[float, Status]] = []
            async for plan in ws.status(plan_id, 10):
                times.append((world.clock.time(), plan.state.status))
            assert times == [
                (10, Status.RUNNING),
                (20, Status.RUNNING),
                (25, Status.COMPLETED),
            ]
            for interval in (0, -1):
                with pytest.raises(ValueError, match="interval"):
                    await anext(ws.status(plan_id, interval))
            with pytest.raises(NotFoundError):
                await anext(ws.status(NOBODY, 1))

    world.clock.run(scenario)


# --- stop ---------------------------------------------------------------------------------


def test_stop_before_start(stored_world: World) -> None:
    """A plan stopped before its start is S at once; starting it is quiet (X-65, SP-1)."""
    world = stored_world

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse("def[w] B1: s1[a]").plan)
            await ws.stop(plan_id)
            stopped = await ws.plan(plan_id)
            assert stopped.state.status is Status.STOPPED
            assert [reason.name for reason in stopped.reasons] == ["STOPPED"]
            await ws.start(plan_id)
            assert await ws.wait(plan_id) == stopped
            await ws.stop(plan_id)  # a terminal plan: no effect
            assert await ws.plan(plan_id) == stopped
            with pytest.raises(NotFoundError):
                await ws.stop(NOBODY)
        assert world.stage.calls == []

    world.clock.run(scenario)


@pytest.mark.parametrize("seed", range(8))
def test_stop_and_start_at_the_same_moment(seed: int) -> None:
    """Whichever comes first: nothing ran, or the run sees the stop (SP-1)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse("B1: s1[a ok@5; b]").plan)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ws.start, plan_id)
                nursery.start_soon(ws.stop, plan_id)
            result = await ws.wait(plan_id)
            assert result.state.status is Status.STOPPED
        assert world.stage.trace in ([], ["a"])

    world.clock.run(scenario, seed=seed)


class SlowVault(HeldVault):
    """A vault that nobody else uses, and that takes its time to answer."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Commit, and answer later."""
        answers = await super().write(writes)
        await trio.sleep(1)
        return answers


@pytest.mark.parametrize("recovered", [False, True])
def test_stop_while_the_run_begins(recovered: bool) -> None:
    """A stop between the commit of the start and the run's first step is seen (SP-1)."""
    world = World(lambda clock: SlowVault(MemoryVault(), clock))

    async def scenario() -> None:
        plan_id = new_plan_id()
        if recovered:
            plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}] s2 ok@9; s3")
        async with world.engine(recover=False) as ws:
            if not recovered:
                plan_id = await ws.submit(parse("B1: s1[a ok@9; b]").plan)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ws.resume if recovered else ws.start, plan_id)
                await trio.sleep(0.5)
                assert (await ws.plan(plan_id)).state.status is Status.RUNNING
                await ws.stop(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.STOPPED
        assert world.stage.trace in ([], ["a"])

    world.clock.run(scenario)


@pytest.mark.parametrize("recovered", [False, True])
def test_wait_while_the_run_begins(recovered: bool) -> None:
    """A plan that is stored R, its run only just beginning, can be waited for (ST-7)."""
    world = World(lambda clock: SlowVault(MemoryVault(), clock))

    async def scenario() -> None:
        plan_id = new_plan_id()
        if recovered:
            plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        async with world.engine(recover=False) as ws:
            if not recovered:
                plan_id = await ws.submit(parse("B1: s1[a]").plan)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ws.resume if recovered else ws.start, plan_id)
                await trio.sleep(0.5)
                assert (await ws.plan(plan_id)).state.status is Status.RUNNING
                nursery.start_soon(ws.resume, plan_id)  # it begins here: left alone
                assert (await ws.wait(plan_id)).state.status is Status.COMPLETED
        assert world.stage.trace == ["a"]

    world.clock.run(scenario)


def test_stop_from_another_engine() -> None:
    """A stop asked for elsewhere takes effect within a second (SP-1)."""

    class Shared(MemoryVault):
        @property
        def shared(self) -> bool:
            return True

    vault = Shared()
    world = World(lambda _: vault)

    async def scenario() -> None:
        async with world.engine() as ws, world.engine(recover=False) as other:
            plan_id = await world.start(ws, "B1(in=100)")
            await trio.sleep(10)
            await other.stop(plan_id)
            result = await ws.wait(plan_id)
            assert result.state.status is Status.STOPPED
            assert world.clock.time() <= 11

    world.clock.run(scenario)


# --- the store ------------------------------------------------------------------------------


def test_search(stored_world: World) -> None:
    """Within a kind any of, between kinds all, newest first (X-75, STO-3, STO-4)."""
    world = stored_world
    group, other_group = new_plan_id(), new_plan_id()

    async def scenario() -> None:
        found: dict[str, UUID] = {}
        async with world.engine() as ws:
            for name, in_group, script in (
                ("GN", group, None),
                ("GC", group, "ok"),
                ("GF", group, "err"),
                ("HN", other_group, None),
                ("HC", other_group, "ok"),
            ):
                await trio.sleep(1)
                plan = parse(f"B1: s1[a {script or 'ok'}]").plan
                plan.name, plan.group_id = name, in_group
                found[name] = await ws.submit(plan)
                if script is not None:
                    await ws.start(found[name])
                    await ws.wait(found[name])

            def names(rows: list[PlanRow]) -> list[str]:
                return [row.name for row in rows]

            done = [Status.COMPLETED, Status.FAILED]
            assert names(await ws.search(group_ids=[group], statuses=done)) == [
                "GF",
                "GC",
            ]
            assert names(await ws.search(ids=[found["HN"], found["GN"]])) == [
                "HN",
                "GN",
            ]
            assert names(await ws.search(ids=[NOBODY])) == []
            assert names(await ws.list()) == ["HC", "HN", "GF", "GC", "GN"]
            assert names(await ws.list(limit=2)) == ["HC", "HN"]
            with pytest.raises(ValidationError):
                await ws.search()
            with pytest.raises(ValueError, match="limit"):
                await ws.list(limit=-1)

    world.clock.run(scenario)


def test_create_and_delete(stored_world: World) -> None:
    """No id is taken twice; what is deleted is gone; what runs is kept (X-76, STO-5)."""
    world = stored_world

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@5]")
            with pytest.raises(StorageError):
                await ws.delete(plan_id)
            await ws.wait(plan_id)
            stored = await world.vault.read(plan_id)
            with pytest.raises(PlanExistsError):
                await world.vault.create(stored.row, stored.definition)
            await ws.delete(plan_id)
            with pytest.raises(NotFoundError):
                await ws.delete(plan_id)
            with pytest.raises(NotFoundError):
                await ws.plan(plan_id)
            assert not await world.vault.exists(plan_id)
            await world.vault.create(stored.row, stored.definition)
            assert (await world.vault.read(plan_id)).records == ()

    world.clock.run(scenario)


def test_plan_outlives_its_engine(stored_world: World) -> None:
    """What a later engine reads is what the run left, to the last field (X-77, STO-7)."""
    world = stored_world

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(
                ws, "post da[r(always fe)] B1(tol=1): s1[a(retries=1) both] s2 bad; s3"
            )
            result = await ws.wait(plan_id)
        async with world.engine() as ws:
            assert await ws.plan(plan_id) == result
            assert (await ws.plan(plan_id)).runtime_update == result.runtime_update

    world.clock.run(scenario)


# --- watch ------------------------------------------------------------------------------------


class SharedVault(MemoryVault):
    """A memory vault that is polled, as a store of several processes is."""

    @property
    def shared(self) -> bool:
        """Whether it must be polled: yes."""
        return True


async def follow(
    ws: Workstream, plan_id: UUID, *, after: int | None = None, count: int = 0
) -> list[WatchEvent]:
    """What a watcher sees: all, or so many events."""
    seen: list[WatchEvent] = []
    async with aclosing(ws.watch(plan_id, after=after)) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == count:
                break
    return seen


def test_watch() -> None:
    """Here and elsewhere, every change comes once and in order (X-80, WA-1, WA-2)."""
    vault = SharedVault()
    world = World(lambda _: vault)

    async def scenario() -> None:
        async with world.engine() as ws, world.engine(recover=False) as other:
            plan_id = await ws.submit(parse(X_02).plan)
            seen: dict[str, list[WatchEvent]] = {}

            async def watcher(name: str, engine: Workstream) -> None:
                seen[name] = await follow(engine, plan_id)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(watcher, "here", ws)
                nursery.start_soon(watcher, "elsewhere", other)
                await trio.testing.wait_all_tasks_blocked()
                await ws.start(plan_id)
            result = await ws.wait(plan_id)
            assert seen["here"] == seen["elsewhere"]
            first, *rest = seen["here"]
            assert isinstance(first, PlanSnapshot)
            assert first.plan.state.status is Status.NOT_STARTED
            positions = [event.position for event in rest]
            assert positions == list(range(first.position + 1, positions[-1] + 1))
            last = rest[-1]
            assert isinstance(last, StateChange)
            assert last.object_type is ObjectType.PLAN
            assert last.state == result.state
            # Break off, and go on from a position, also with another engine.
            begun = await follow(ws, plan_id, count=3)
            later = await follow(other, plan_id, after=begun[-1].position)
            assert later == seen["here"][len(seen["here"]) - len(later) :]
            assert begun[0].position == last.position  # by now it had ended
            again = await follow(other, plan_id, after=positions[4])
            assert again == rest[5:]

    world.clock.run(scenario)


def test_sleeping_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that falls behind what is kept is told so, and slows no run (X-80, WA-2)."""
    monkeypatch.setattr("workstream._memory_vault.LOG_KEPT", 20)
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "cont(d=1)[k] B1: s1 ok@20")
            events = ws.watch(plan_id)
            first = await anext(events)
            assert isinstance(first, PlanSnapshot)
            assert not first.missed
            await trio.sleep(15)
            second = await anext(events)
            assert isinstance(second, PlanSnapshot)
            assert second.missed
            assert second.position > first.position + 20
            rest = [event async for event in events]
            assert [event.position for event in rest] == list(
                range(second.position + 1, second.position + 1 + len(rest))
            )
            assert world.clock.time() == 20

    world.clock.run(scenario)


def test_running_group_has_no_end() -> None:
    """While a group runs again it has no end, and is C in between (C-1, K-5)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "cont(d=1)[k ok@0.5] B1: s1 ok@5")
            states = [
                event.state
                async for event in ws.watch(plan_id, after=0)
                if isinstance(event, StateChange)
                and event.object_type is ObjectType.CHECK
            ]
            running = [s for s in states if s.status is Status.RUNNING]
            assert len(running) == 4
            assert all(state.ended is None for state in running)
            assert {s.status for s in states} == {Status.RUNNING, Status.COMPLETED}

    world.clock.run(scenario)


# --- several plans, and leaving ------------------------------------------------------------------


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


def test_deaf_plugin_is_shown_and_left() -> None:
    """A deaf attempt is marked while it goes on, and leaving does not wait for it (A-16)."""
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
