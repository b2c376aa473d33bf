"""Many watchers, slow watchers, watchers elsewhere: what they see and what they cost.

Section 23. Counted, not timed.
"""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import pytest
import trio
import trio.testing

from _workstream_testing.conformance.world import World
from _workstream_testing.kits.faulty_vault import FaultyVault
from _workstream_testing.notation.notation import parse
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._codec.codec import Codec
from workstream._engine.engine import Workstream
from workstream._protocols.vault import StoredPlan, Vault
from workstream._protocols.watching import PlanSnapshot, StateChange, WatchEvent
from workstream._values.errors import NotFoundError, StorageError
from workstream._values.state import Status
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._vaults.memory_vault import MemoryVault

PLAN = "cont(d=1)[k] B1(conc=2): s1[a ok@1; b ok@1] s2[c ok@1; d ok@1] s3[e ok@1; f]"


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """What fails here is meant to."""
    caplog.set_level(logging.CRITICAL, "workstream")


class CountedWorld(World):
    """A world that counts what is asked of its store."""

    def __init__(self) -> None:
        self.counted = FaultyVault(MemoryVault())
        super().__init__(lambda _: self.counted)


async def follow(
    ws: Workstream, plan_id: UUID, *, after: int | None = None
) -> list[WatchEvent]:
    """All that a watcher sees."""
    async with aclosing(ws.watch(plan_id, after=after)) as events:
        return [event async for event in events]


def positions(events: list[WatchEvent]) -> list[int]:
    """Where the events are in the plan's history."""
    return [event.position for event in events]


# --- many -------------------------------------------------------------------------------


def cost(
    watchers: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, int, list[list[WatchEvent]]]:
    """Looks into the store and decodings of a run that is watched; what was seen."""
    world = CountedWorld()
    seen: list[list[WatchEvent]] = []
    decoded = 0
    decode = Codec.decode_record

    def counted(*arguments: object) -> object:
        nonlocal decoded
        decoded += 1
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Codec, "decode_record", counted)

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)

            async def watch() -> None:
                seen.append(await follow(ws, plan_id))

            async with trio.open_nursery() as nursery:
                for _ in range(watchers):
                    nursery.start_soon(watch)
                await trio.testing.wait_all_tasks_blocked()
                world.counted.calls.clear()
                await ws.start(plan_id)

    world.clock.run(scenario)
    calls = world.counted.calls
    assert calls["read"] <= 2  # by ``start``
    return calls["log"], decoded, seen


def test_a_thousand_watchers_cost_the_store_what_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each change is read and decoded once, whoever watches; each sees all (WA-2)."""
    looks, decoded, [alone] = cost(1, monkeypatch)
    monkeypatch.undo()
    many_looks, many_decoded, seen = cost(1_000, monkeypatch)
    assert len(seen) == 1_000
    assert many_looks <= looks
    assert many_decoded == decoded
    for events in seen:
        assert positions(events) == positions(alone)
        assert events[1:] == seen[0][1:]


def test_the_plan_is_read_once_for_all_who_begin_at_one_moment() -> None:
    """A watcher more costs a look for news; when there is some, the plan is read again."""
    world = CountedWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            watchers = [ws.watch(plan_id) for _ in range(50)]
            for watcher in watchers:
                snapshot = await anext(watcher)
                assert isinstance(snapshot, PlanSnapshot)
                assert snapshot.plan.state.status is Status.NOT_STARTED
            assert world.counted.calls["read"] == 1
            await ws.start(plan_id)
            await trio.sleep(0.5)
            later = ws.watch(plan_id)
            snapshot = await anext(later)
            assert isinstance(snapshot, PlanSnapshot)
            assert snapshot.plan.state.status is Status.RUNNING
            for watcher in [*watchers, later]:
                await watcher.aclose()

    world.clock.run(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_watchers_that_come_and_go(seed: int) -> None:
    """Whoever leaves, in the middle of leading the others, leaves them none the worse."""
    world = CountedWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            seen: list[list[int]] = []

            async def stays(after: int) -> None:
                await trio.sleep(after / 7)
                seen.append(positions(await follow(ws, plan_id, after=0)))

            async def leaves(seconds: float) -> None:
                with trio.move_on_after(seconds):
                    await follow(ws, plan_id)

            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(leaves, number / 5)
                    nursery.start_soon(stays, number)
                await ws.start(plan_id)
            last = (await world.vault.read(plan_id)).position
            assert seen == [list(range(1, last + 1))] * 20

    world.clock.run(scenario, seed=seed)


# --- slow -------------------------------------------------------------------------------


async def slow(events: AsyncGenerator[WatchEvent], seconds: float) -> list[WatchEvent]:
    """All that a watcher sees who takes his time over each event."""
    seen: list[WatchEvent] = []
    async for event in events:
        seen.append(event)
        await trio.sleep(seconds)
    return seen


@pytest.mark.parametrize("kept", [4, 256])
def test_a_slow_watcher_slows_nobody(
    monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """It sees all, later, also what is kept for the quick ones no more (WA-2)."""
    monkeypatch.setattr("workstream._store.feeds.KEPT", kept)
    world = CountedWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            quick: list[WatchEvent] = []
            late: list[WatchEvent] = []

            async def watch_quickly() -> None:
                quick.extend(await follow(ws, plan_id))
                assert world.clock.time() < 5

            async def watch_slowly() -> None:
                late.extend(await slow(ws.watch(plan_id), 1))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch_quickly)
                nursery.start_soon(watch_slowly)
                await trio.testing.wait_all_tasks_blocked()
                await ws.start(plan_id)
                await ws.wait(plan_id)
                assert world.clock.time() == 3  # as without watchers
            assert world.clock.time() > 30
            assert late[1:] == quick[1:]

    world.clock.run(scenario)


def test_a_watcher_that_is_too_slow_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """While others watch, too: it gets the plan as it is, and misses nothing unsaid."""
    monkeypatch.setattr("workstream._store.feeds.KEPT", 4)
    monkeypatch.setattr("workstream._vaults.memory_vault.LOG_KEPT", 25)
    world = CountedWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            seen: dict[float, list[WatchEvent]] = {}

            async def watch(seconds: float) -> None:
                seen[seconds] = await slow(ws.watch(plan_id), seconds)

            async with trio.open_nursery() as nursery:
                for seconds in (0, 0.6, 3):
                    nursery.start_soon(watch, seconds)
                await trio.testing.wait_all_tasks_blocked()
                await ws.start(plan_id)
            last = seen[0][-1]
            for events in seen.values():
                check_told(events)
                assert events[-1].position == last.position
            assert not any(was_missed(event) for event in seen[0])
            assert any(was_missed(event) for event in seen[3])

    world.clock.run(scenario)


def was_missed(event: WatchEvent) -> bool:
    """Whether the event says that something was missed before it."""
    return isinstance(event, PlanSnapshot) and event.missed


def check_told(events: list[WatchEvent]) -> None:
    """A gap in the history is told, and nothing else is a gap."""
    for before, event in itertools.pairwise(events):
        if was_missed(event):
            assert event.position > before.position + 1
        else:
            assert event.position == before.position + 1


# --- elsewhere --------------------------------------------------------------------------


class SharedVault(MemoryVault):
    """A memory vault that is polled, as a store of several processes is."""

    reads = 0
    """How often a whole plan was read."""

    async def read(self, plan_id: UUID) -> StoredPlan:
        """Count it."""
        self.reads += 1
        return await super().read(plan_id)

    @property
    def shared(self) -> bool:
        """Whether it must be polled: yes."""
        return True


def test_elsewhere_a_change_is_seen_within_half_a_second() -> None:
    """By virtual time, for a thousand, who never read the plan again (X-80, WA-2)."""
    vault = SharedVault()
    world = World(lambda _: vault)

    async def scenario() -> None:
        async with world.engine() as ws, world.engine(recover=False) as other:
            plan_id = await ws.submit(parse(PLAN).plan)
            late: list[float] = []

            async def watch() -> None:
                async for event in other.watch(plan_id):
                    if isinstance(event, StateChange):
                        state = event.state
                        changed = state.ended or state.started
                        if changed is not None:
                            now = world.clock.now()
                            late.append((now - changed).total_seconds())

            async with trio.open_nursery() as nursery:
                for _ in range(1_000):
                    nursery.start_soon(watch)
                await trio.testing.wait_all_tasks_blocked()
                vault.reads = 0
                await ws.start(plan_id)
                assert vault.reads == 1, "the engine that runs it, and nobody else"
            assert vault.reads == 1
            assert len(late) > 20_000
            assert 0 < max(late) <= 0.5

    world.clock.run(scenario)


def test_the_position_is_good_after_a_restart(tmp_path: Path) -> None:
    """A watcher of another engine, on the store on disk, goes on where one was (X-80)."""

    def vault(clock: FakeClock) -> Vault:
        return HeldVault(LmdbVault(tmp_path / "store", risk_power_cut=True), clock)

    world = World(vault)

    async def scenario() -> None:
        seen: list[WatchEvent] = []
        async with world.engine() as ws:
            plan_id = await world.start(ws, PLAN)
            async with aclosing(ws.watch(plan_id)) as events:
                async for event in events:
                    seen.append(event)
                    if len(seen) == 12:
                        break
        for _ in range(2):
            async with world.engine() as ws:
                seen += await follow(ws, plan_id, after=seen[-1].position)
        assert seen[-1].position == positions(seen)[0] + len(seen) - 1
        assert positions(seen)[1:] == list(
            range(seen[0].position + 1, seen[-1].position + 1)
        )
        last = seen[-1]
        assert isinstance(last, StateChange)
        assert last.state.status is Status.COMPLETED

    world.clock.run(scenario)


ELSEWHERE = """
import sys, trio
from pathlib import Path
from uuid import UUID
from workstream import Registry, open_workstream

async def main():
    store, plan, after = sys.argv[1:]
    async with open_workstream(Path(store), registry=Registry(), recover=False) as ws:
        async for event in ws.watch(UUID(plan), after=int(after)):
            print(event.position, flush=True)

trio.run(main)
"""


def test_a_real_process_follows_another(tmp_path: Path) -> None:
    """On the store on disk, live: what this one does, that one tells (WA-2)."""
    world = World(lambda _: LmdbVault(tmp_path / "store", risk_power_cut=True))

    async def main() -> None:
        async with world.engine(now=lambda: world.clock.start) as ws:
            plan_id = await ws.submit(parse("B1: s1[a; b; c]").plan)
            command = [sys.executable, "-c", ELSEWHERE]
            arguments = [str(tmp_path / "store"), str(plan_id), "0"]
            process = await trio.lowlevel.open_process(
                [*command, *arguments], stdout=subprocess.PIPE
            )
            await ws.start(plan_id)
            await ws.wait(plan_id)
            assert process.stdout is not None
            told = b"".join([piece async for piece in process.stdout])
            assert await process.wait() == 0
            last = (await world.vault.read(plan_id)).position
            assert list(map(int, told.split())) == list(range(1, last + 1))

    trio.run(main)


# --- what goes wrong --------------------------------------------------------------------


@pytest.mark.parametrize("call", ["log", "read"])
def test_a_store_that_cannot_be_read_is_told_to_each_watcher(call: str) -> None:
    """Once; the run goes on, and whoever watches again sees all of it (ST-8)."""
    world = CountedWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            told = 0

            async def watch() -> None:
                nonlocal told
                with pytest.raises(StorageError, match=f"{call} failed"):
                    await follow(ws, plan_id)
                told += 1

            if call == "read":
                world.counted.fail("read", times=None)
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(watch)
                await trio.testing.wait_all_tasks_blocked()
                if call == "log":
                    world.counted.fail("log", times=None)
                    await ws.start(plan_id)
            assert told == 10
            world.counted.heal()
            await ws.start(plan_id)
            events = await follow(ws, plan_id, after=0)
            assert events[-1].position == len(events)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_a_plan_that_is_deleted_under_its_watchers() -> None:
    """They are told that there is no such plan (STO-5)."""
    world = CountedWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            told = 0

            async def watch() -> None:
                nonlocal told
                with pytest.raises(NotFoundError):
                    await follow(ws, plan_id)
                told += 1

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(watch)
                await trio.testing.wait_all_tasks_blocked()
                await ws.delete(plan_id)
            assert told == 3

    world.clock.run(scenario)


# --- positions that are none ------------------------------------------------------------


def test_a_position_of_another_history() -> None:
    """The watcher is told, and gets the plan as it is; the others see all (WA-1, WA-2)."""
    world = World()
    seen: list[list[WatchEvent]] = [[], []]

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, PLAN)

            async def watch(number: int, after: int) -> None:
                seen[number] = await follow(ws, plan_id, after=after)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, 0, 1_000_000)
                await trio.sleep(0.5)
                nursery.start_soon(watch, 1, 0)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)
    first, *rest = seen[0]
    assert isinstance(first, PlanSnapshot)
    assert first.missed
    assert positions(rest) == list(range(first.position + 1, rest[-1].position + 1))
    assert positions(seen[1]) == list(range(1, rest[-1].position + 1))


def test_a_negative_position_is_refused() -> None:
    """It is a mistake, and said so."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse(PLAN).plan)
            with pytest.raises(ValueError, match="after is -1: it must be a position"):
                await follow(ws, plan_id, after=-1)

    world.clock.run(scenario)
