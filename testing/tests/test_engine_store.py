"""What an engine stores, finds, deletes, and shows to those who watch."""

from __future__ import annotations

import logging
from collections.abc import Sequence as SequenceOf
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import attrs
import pytest
import trio
import trio.testing

from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.world import World
from _workstream_testing.notation.fixtures import ScriptedRequest
from _workstream_testing.notation.notation import parse
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._engine.engine import Workstream
from workstream._plan.plan import Block, Plan, Sequence
from workstream._plan.walk import actions, new_plan_id
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._protocols.vault import PlanRow, Vault, Write
from workstream._protocols.watching import PlanSnapshot, StateChange, WatchEvent
from workstream._values.errors import (
    NotFoundError,
    PlanExistsError,
    StorageError,
    ValidationError,
)
from workstream._values.state import Attempt, ObjectType, PluginError, Status
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._vaults.memory_vault import MemoryVault

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


# --- the store -------------------------------------------------------------------------


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


class SlowVault(HeldVault):
    """A vault whose commits take a second."""

    async def write(self, writes: SequenceOf[Write]) -> SequenceOf[StorageError | None]:
        """Commit, after a while."""
        await trio.sleep(1)
        return await super().write(writes)


class Looks(ActionPlugin[ScriptedRequest, None]):
    """Looks into the store while it is called."""

    name = "case.looks"
    world: World

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, int]]] = []

    async def execute(self, context: Context, request: ScriptedRequest, /) -> None:
        """Note each action's status and attempts; fail at the first call."""
        await self._look(context)
        await context.remember(call=len(self.seen))
        plan = await self._look(context)
        attempt = plan[context.attempt - 1 if request.label == "a" else 2]
        assert attempt.notes == {"call": len(self.seen) - 1}
        if len(self.seen) == 2:
            message = "once more"
            raise PluginError(message)

    async def _look(self, context: Context) -> list[Attempt]:
        plan = await self.world.stored(context.plan_id)
        found = list(actions(plan))
        self.seen.append([(a.state.status.name, len(a.attempts)) for a in found])
        [running] = [a for a in found if a.id == context.action_id]
        assert running.attempts[-1].ended is None
        return [attempt for action in found for attempt in action.attempts]


@attrs.define
class Items:
    """What anybody may change who has it."""

    items: list[str]


class Hoarder(ActionPlugin[Items, Items]):
    """Changes what it was given, and later what it gave."""

    name = "test.hoarder"

    def __init__(self) -> None:
        self.gave = Items([])

    async def execute(self, context: Context, request: Items, /) -> Items:
        """Take one for itself."""
        request.items.append("taken")
        self.gave = Items(["given"])
        return self.gave


def test_what_a_plugin_changes_later_is_not_in_the_plan() -> None:
    """Who waits is given what is stored (ST-6): the request and response at their time."""
    hoarder = Hoarder()
    world = World(plugins=[hoarder])
    action = Hoarder.action(Items(["asked"]), name="a")
    block = Block(name="B", sequences=[Sequence(name="S", actions=[action])])

    async def scenario() -> Plan:
        async with world.engine() as ws:
            plan_id = await ws.submit(Plan(name="Plan", blocks=[block]))
            await ws.start(plan_id)
            return await ws.wait(plan_id)

    [ended] = actions(world.clock.run(scenario))
    assert ended.request == Items(["asked"])
    [attempt] = ended.attempts
    assert attempt.response == hoarder.gave
    assert attempt.response is not hoarder.gave


def test_each_who_waits_gets_the_stored_plan_alone(stored_world: World) -> None:
    """What one of them changes nobody else sees, nor does the store (ST-6, ST-9)."""
    world = stored_world
    found: list[Plan] = []

    async def scenario() -> None:
        async with world.engine() as ws:

            async def wait() -> None:
                plan = await ws.wait(plan_id)
                assert plan.name == "Plan"
                plan.name = "changed"
                found.append(plan)

            plan = parse("B1: s1[a err@5]").plan
            plan.name = "Plan"
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                nursery.start_soon(wait)
            found.append(await ws.plan(plan_id))

    world.clock.run(scenario)
    one, other, stored = found
    assert one is not other
    assert one == other
    assert stored.name == "Plan"
    errors = [
        attempt.error
        for each in found
        for action in actions(each)
        for attempt in action.attempts
    ]
    assert len(set(map(id, errors))) == len(found)


def test_attempt_is_durable_before_its_call() -> None:
    """So are the outcomes of all before it, and its notes when told so (A-13, REG-11)."""
    looks = Looks()
    world = looks.world = World(
        lambda clock: SlowVault(MemoryVault(), clock), plugins=[looks]
    )
    plan = parse("B1: s1[a(retries=1); b]").plan
    for action in actions(plan):
        action.plugin = Looks.name

    async def scenario() -> None:
        async with world.engine() as ws:
            assert (await ws.run(plan)).state.status is Status.COMPLETED

    world.clock.run(scenario)
    assert looks.seen[::2] == looks.seen[1::2]
    assert looks.seen[::2] == [
        [("RUNNING", 1), ("NOT_STARTED", 0)],
        [("RUNNING", 2), ("NOT_STARTED", 0)],
        [("COMPLETED", 2), ("RUNNING", 1)],
    ]


# --- watch -----------------------------------------------------------------------------


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
    monkeypatch.setattr("workstream._vaults.memory_vault.LOG_KEPT", 20)
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


# --- opening and leaving ----------------------------------------------------------------


class SlowToOpen(HeldVault):
    """A vault that takes a second to open, and does so in spite of a cancellation."""

    is_open = False

    async def open(self) -> None:
        """Open it, slowly."""
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        await super().open()
        self.is_open = True

    async def close(self) -> None:
        """Close it."""
        await super().close()
        self.is_open = False


def test_opening_that_is_cancelled_leaves_nothing_open(tmp_path: Path) -> None:
    """The store can be opened again; in one process it could not be, twice (T-3)."""
    world = World(lambda clock: SlowToOpen(LmdbVault(tmp_path / "store"), clock))
    assert isinstance(world.vault, SlowToOpen)
    vault = world.vault

    async def scenario() -> None:
        with trio.move_on_after(0.5) as scope:
            async with world.engine():
                pytest.fail("it was opened")
        assert scope.cancelled_caught
        assert not vault.is_open
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a]")
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_an_engine_that_was_left_begins_nothing(stored_world: World) -> None:
    """It says so, and the plan is as it was (T-3)."""
    world = stored_world

    async def scenario() -> None:
        async with world.engine() as left:
            plan_id = await left.submit(parse("B1: s1[a]").plan)
        with pytest.raises(StorageError, match="this engine was left: open the store"):
            await left.start(plan_id)
        async with world.engine() as ws:
            await ws.start(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)
