"""A process that follows a store tells observers of every plan in it (OB-7)."""

from __future__ import annotations

import copy
import math
import os
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Unpack
from uuid import UUID

import attrs
import pytest
import trio
import trio.testing

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Workstream,
    open_workstream,
)
from workstream._observers import followed, following
from workstream._observers.following import Following
from workstream._protocols.searching import Wanted
from workstream._protocols.vault import PlanRow
from workstream._vaults.memory_vault import MemoryVault
from workstream.errors import StorageError
from workstream.plugins import Observation, Observer
from workstream.results import StateChange

BEGAN = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
LATE = timedelta(minutes=1)
"""By how much clocks may differ here; all is told, or forgotten, in three times that."""


class Step(ActionPlugin[None, None]):
    """Takes a while."""

    name = "acme.step"

    async def execute(self, context: Context, request: None) -> None:
        """Take it."""
        await trio.sleep(20)


class Elsewhere(MemoryVault):
    """A store whose plans run in a process that tells nobody."""

    broken = False

    @property
    def shared(self) -> bool:
        """Who follows it hears of nothing, and has to look."""
        return True

    async def search(self, **wanted: Unpack[Wanted]) -> list[PlanRow]:
        """See ``Vault.search``; it fails while the store is away."""
        if self.broken:
            message = "the store is away"
            raise StorageError(message)
        return await super().search(**wanted)


class Recorder(Observer):
    """Keeps the position of all that it is told."""

    def __init__(self, name: str = "acme") -> None:
        self.name = name
        self.told: dict[UUID, list[int]] = {}
        self.ended: dict[UUID, trio.Event] = {}
        self.closed = 0

    def observe(self, seen: Observation, /) -> None:
        """Keep it."""
        self.told.setdefault(seen.plan_id, []).extend(e.position for e in seen.events)
        for event in seen.events:
            match event:
                case StateChange(path=seen.plan.name) if event.state.status.is_terminal:
                    trio.from_thread.run_sync(self.end(seen.plan_id).set)
                case _:
                    pass

    def end(self, plan_id: UUID) -> trio.Event:
        """Set when the plan's end was told."""
        return self.ended.setdefault(plan_id, trio.Event())

    def close(self) -> None:
        """Count it."""
        self.closed += 1


@attrs.define
class House:
    """A store, an engine that runs its plans, and who follows it; in virtual time."""

    vault: Elsewhere
    ws: Workstream
    place: Path
    nursery: trio.Nursery

    @staticmethod
    def now() -> datetime:
        """The time that is recorded."""
        return BEGAN + timedelta(seconds=trio.current_time())

    async def follow(self, *observers: Observer) -> Callable[[], None]:
        """Follow the store; what ends that, as a kill would."""
        following = Following(self.vault, observers, self.place, now=self.now)
        scope = trio.CancelScope()

        async def go() -> None:
            with scope:
                await following.run(trio.sleep_forever)

        self.nursery.start_soon(go)
        await trio.testing.wait_all_tasks_blocked()
        return scope.cancel

    async def submit(self, name: str = "Deploy") -> UUID:
        """A plan that takes a while."""
        steps = [Step.action(None, name="a")]
        block = Block(name="Tier", sequences=[Sequence(name="web-1", actions=steps)])
        return await self.ws.submit(Plan(name=name, blocks=[block]))

    async def run(self, name: str = "Deploy") -> UUID:
        """A plan that has run."""
        plan_id = await self.submit(name)
        await self.ws.start(plan_id)
        await self.ws.wait(plan_id)
        return plan_id

    async def positions(self, plan_id: UUID) -> list[int]:
        """All of a plan."""
        return [event.position async for event in self.ws.watch(plan_id, after=0)]


@asynccontextmanager
async def house(place: Path) -> AsyncGenerator[House]:
    """One in virtual time, which ends with the body."""
    vault = Elsewhere()
    registry = Registry([Step()])
    async with (
        open_workstream(vault, registry=registry, now=House.now, max_submit=1e9) as ws,
        trio.open_nursery() as nursery,
    ):
        yield House(vault, ws, place, nursery)
        nursery.cancel_scope.cancel()


def play(case: Callable[[House], Awaitable[None]], place: Path) -> None:
    """Let a case be played in virtual time; a thread holds the clock."""

    async def main() -> None:
        async with house(place) as found:
            await case(found)

    clock = trio.testing.MockClock(autojump_threshold=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.to_thread, "run_sync", _held(clock))
        # Ten minutes are six hundred looks, and show no more than one.
        patch.setattr(followed, "LATE", LATE)
        trio.run(main, clock=clock)


def _held(clock: trio.testing.MockClock) -> Callable[..., object]:
    """Threads, with the clock standing still while one works."""
    real = trio.to_thread.run_sync

    async def run_sync(*args: object, **more: object) -> object:
        clock.autojump_threshold = math.inf
        try:
            return await real(*args, **more)  # type: ignore[arg-type]
        finally:
            clock.autojump_threshold = 0

    return run_sync


def test_each_plan_is_told_once_from_its_beginning(tmp_path: Path) -> None:
    """Be it that it runs already, begins later, or was followed by a process before."""

    async def case(house: House) -> None:
        old = await house.run("Old")
        running = await house.submit("Running")
        await house.ws.start(running)
        await trio.sleep(10)
        recorder = Recorder()
        kill = await house.follow(recorder)
        await recorder.end(running).wait()
        later = await house.run("Later")
        await recorder.end(later).wait()
        await trio.sleep(5)
        kill()
        await house.follow(recorder)
        await trio.sleep(200)

        assert recorder.told == {
            running: await house.positions(running),
            later: await house.positions(later),
        }
        assert old not in recorder.told

    play(case, tmp_path)


def test_what_happened_while_nobody_followed_is_told(tmp_path: Path) -> None:
    """Plans that began and ended meanwhile, and one that was submitted long before."""

    async def case(house: House) -> None:
        recorder = Recorder()
        kill = await house.follow(recorder)
        waits = await house.submit("Waits")
        await trio.sleep(200)
        kill()
        assert not recorder.told
        await house.ws.start(waits)
        await house.ws.wait(waits)
        brief = await house.run("Brief")
        await trio.sleep(200)
        await house.follow(recorder)
        await recorder.end(waits).wait()
        await recorder.end(brief).wait()

        assert recorder.told == {
            waits: await house.positions(waits),
            brief: await house.positions(brief),
        }

    play(case, tmp_path)


def test_what_was_told_is_forgotten_after_a_while(tmp_path: Path) -> None:
    """A directory holds little, however many plans there were, and none comes again."""

    async def case(house: House) -> None:
        recorder = Recorder()
        await house.follow(recorder)
        plan_id = await house.run("0")
        for number in range(1, 8):
            await recorder.end(plan_id).wait()
            plan_id = await house.run(f"{number}")
        await recorder.end(plan_id).wait()
        await trio.sleep(5)
        at = house.now().timestamp()
        for each in (house.place / "acme").iterdir():  # the system's time is another
            os.utime(each, (at, at))
        await trio.sleep(3 * LATE.total_seconds())

        left = {each.name for each in (house.place / "acme").iterdir()}
        assert left == {"since"}
        assert set(Counter(map(len, recorder.told.values()))) == {
            len(await house.positions(plan_id))
        }

    play(case, tmp_path)


def test_two_processes_tell_each_plan_once_between_them(tmp_path: Path) -> None:
    """Also where one is cut off until the other has told of a plan, and forgotten it."""

    async def case(house: House) -> None:
        one, other = Recorder(), Recorder()
        line = copy.copy(house.vault)  # to the same plans
        cut_off = Following(line, [other], house.place, now=house.now)
        await house.follow(one)
        house.nursery.start_soon(cut_off.run, trio.sleep_forever)
        await trio.sleep(5)
        line.broken = True
        plan_id = await house.run()
        await one.end(plan_id).wait()
        await trio.sleep(5)
        at = house.now().timestamp()
        os.utime(house.place / "acme" / str(plan_id), (at, at))
        await trio.sleep(3 * LATE.total_seconds())
        assert not (house.place / "acme" / str(plan_id)).exists()
        line.broken = False
        await trio.sleep(5)

        assert one.told == {plan_id: await house.positions(plan_id)}
        assert not other.told
        both = await house.run("Both")
        await trio.sleep(5)
        told = [each.told[both] for each in (one, other) if both in each.told]
        assert told == [await house.positions(both)]

    play(case, tmp_path)


def test_each_observer_has_a_place_of_its_own(tmp_path: Path) -> None:
    """One that is new begins with what has not ended; the other goes on."""

    async def case(house: House) -> None:
        one, other = Recorder("acme.one"), Recorder("acme.other")
        kill = await house.follow(one)
        first = await house.run("First")
        await one.end(first).wait()
        kill()
        missed = await house.run("Missed")
        await house.follow(one, other)
        both = await house.run("Both")
        await one.end(both).wait()
        await other.end(both).wait()

        assert list(one.told) == [first, missed, both]
        assert list(other.told) == [both]

    play(case, tmp_path)


def test_a_store_that_is_away_is_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, and once that it is back (OB-7)."""

    async def case(house: House) -> None:
        recorder = Recorder()
        await house.follow(recorder)
        house.vault.broken = True
        await trio.sleep(20)
        house.vault.broken = False
        plan_id = await house.run()
        await recorder.end(plan_id).wait()

    play(case, tmp_path)

    assert [record.getMessage() for record in caplog.records] == [
        "plans cannot be looked for, and are later: the store is away",
        "plans can be looked for again",
    ]


@pytest.mark.slow
def test_few_looks_are_made_of_many_plans(tmp_path: Path) -> None:
    """The store is asked for news twenty times a second, whatever goes on in it."""

    async def case(house: House) -> None:
        recorder = Recorder()
        ids = [await house.submit(f"{number}") for number in range(200)]
        for plan_id in ids:
            await house.ws.start(plan_id)
        await house.follow(recorder)
        asked = 0
        real = house.vault.log

        async def log(plan_id: UUID, after: int, limit: int = 1000) -> object:
            nonlocal asked
            asked += 1
            return await real(plan_id, after, limit)

        await trio.sleep(5)
        house.vault.log = log  # type: ignore[method-assign, assignment]
        await trio.sleep(10)

        assert asked <= 1.1 * 10 * following.LOOKS
        for plan_id in ids:
            await recorder.end(plan_id).wait()

    play(case, tmp_path)


def test_what_is_there_is_told_at_the_end(tmp_path: Path) -> None:
    """Who ends a process in good order lets observers take what is there (OB-5)."""

    async def case(house: House) -> None:
        recorder = Recorder()
        over = trio.Event()
        following = Following(house.vault, [recorder], house.place, now=house.now)
        left = trio.Event()

        async def run() -> None:
            await following.run(over.wait)
            left.set()

        house.nursery.start_soon(run)
        plan_id = await house.submit()
        await house.ws.start(plan_id)
        await trio.sleep(1.5)
        over.set()
        await left.wait()

        assert recorder.closed == 1
        assert recorder.told[plan_id][:2] == [1, 2]

    play(case, tmp_path)
