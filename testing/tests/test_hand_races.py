"""Two at once: whoever asks, the run, a start, a recovery, an end (CT-2, CT-5)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest
import trio

from _workstream_testing.conformance.world import World
from _workstream_testing.notation.notation import parse
from workstream import Plan, Status
from workstream._codec.codec import Codec
from workstream._protocols.vault import Write
from workstream._store.news import News
from workstream._store.store import Store
from workstream._vaults.memory_vault import MemoryVault
from workstream.errors import RefusedError, StorageError
from workstream.results import Effect, Verb


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


class SharedVault(MemoryVault):
    """A vault that others have open, too; ``before_write`` happens before a write."""

    before_write: Callable[[], Awaitable[object]] | None = None

    @property
    def shared(self) -> bool:
        """Others have it open."""
        return True

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Write, after what somebody else does."""
        before, self.before_write = self.before_write, None
        if before is not None:
            await before()
        return await super().write(writes)


def shared_world() -> tuple[World, SharedVault]:
    """A world with a store that others have open, too."""
    vault = SharedVault()
    return World(lambda _: vault), vault


def other_process(world: World) -> Store:
    """The store as another process has it open."""
    vault = world.vault
    return Store(vault, Codec(None), News(vault, {}), world.clock.now)


def lines(plan: Plan) -> list[tuple[str, str, Effect]]:
    """The plan's record: who said what, and what became of it."""
    return [(each.by, each.verb.value, each.effect) for each in plan.interventions]


def test_a_word_is_heard_after_one_that_changed_nothing() -> None:
    """Stop, stop, and then stop now: the run takes every one of them (CT-2)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@100; b]")
            await trio.sleep(1)
            await ws.stop(plan_id, by="ana")
            await ws.stop(plan_id, by="ana")
            await ws.stop(plan_id, by="ben", now=True)
            assert await ws.requests(plan_id) == []
            plan = await ws.wait(plan_id)
        assert lines(plan) == [
            ("ana", "stop", Effect.TAKEN),
            ("ben", "stop", Effect.TAKEN),
        ]
        [attempt] = plan.blocks[0].sequences[0].actions[0].attempts
        assert attempt.interrupted

    world.clock.run(scenario)


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        (Verb.PAUSE, Status.RUNNING),
        (Verb.SKIP, Status.COMPLETED),
        (Verb.STOP, Status.STOPPED),
    ],
)
def test_a_word_that_comes_just_before_the_start(verb: Verb, status: Status) -> None:
    """The start goes on from what the word has made of the plan (ST-1, SP-1)."""
    world, vault = shared_world()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(parse("B1: s1[a]; s2[b]").plan)
            other = other_process(world)
            says: dict[Verb, Callable[[], Awaitable[object]]] = {
                Verb.PAUSE: lambda: other.pause(plan_id),
                Verb.SKIP: lambda: other.skip(plan_id, "s2"),
                Verb.STOP: lambda: other.stop(plan_id),
            }
            vault.before_write = says[verb]
            await ws.start(plan_id)
            await trio.sleep(1)
            plan = await world.stored(plan_id)
            assert plan.state.status is status
            assert [each.verb for each in plan.interventions] == [verb]
            assert world.stage.trace == (["a"] if verb is Verb.SKIP else [])

    world.clock.run(scenario)


def test_a_word_that_comes_just_before_the_end() -> None:
    """Whoever said it is told that the plan has ended, not that all is so already."""
    world, vault = shared_world()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@0.3]")
            await trio.sleep(0.1)
            refused: list[RefusedError] = []

            async def pause() -> None:
                with pytest.raises(
                    RefusedError, match="has ended, completed"
                ) as caught:
                    await other_process(world).pause(plan_id)
                refused.append(caught.value)

            async with trio.open_nursery() as nursery:

                async def say() -> None:
                    nursery.start_soon(pause)
                    await trio.sleep(0.01)  # it asks while the end is being written

                vault.before_write = say
                plan = await ws.wait(plan_id)
            assert refused
        assert plan.interventions == ()

    world.clock.run(scenario)


@pytest.mark.parametrize("text", ["B1: s1[a ok@0.3]", "da[r(always)] B1: s1[a ok@0.3]"])
def test_a_stop_that_is_acknowledged_before_the_end_is_in_the_record(text: str) -> None:
    """The run looks once more before it writes its end (CT-2)."""
    world, _ = shared_world()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, text)
            await trio.sleep(0.1)  # the engine looks again after half a second
            await other_process(world).stop(plan_id, by="ana")
            plan = await ws.wait(plan_id)
        assert lines(plan) == [("ana", "stop", Effect.TAKEN)]
        assert plan.state.status is Status.STOPPED

    world.clock.run(scenario)


def test_two_limits_of_one_person_are_told_apart() -> None:
    """Each is told what became of its own words."""
    world, _ = shared_world()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@9]; s2[b]; s3[c]")
            other = other_process(world)
            got: list[object] = []

            async def say(limit: int) -> None:
                answer = await other.set_limits(plan_id, "B1", concurrency=limit)
                assert answer.intervention is not None
                got.append(answer.intervention.data["concurrency"])
                assert answer.intervention.data == {"concurrency": limit}

            async with trio.open_nursery() as nursery:
                for limit in (2, 3):
                    nursery.start_soon(say, limit)
            assert sorted(map(str, got)) == ["2", "3"]

    world.clock.run(scenario)


@pytest.mark.parametrize("given_up", ["abandoned", "too old"])
def test_what_a_plan_was_told_stands_in_its_record_when_it_is_given_up(
    given_up: str,
) -> None:
    """What nobody took is TOO_LATE (R-3, SN-2)."""
    world = World()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}; b]")
        async with world.engine(recover=False) as ws:
            answer = await ws.skip(plan_id, "b", by="ana")
            assert answer.pending is not None
            if given_up == "abandoned":
                await ws.abandon(plan_id, by="ben")
        if given_up == "too old":
            await trio.sleep(timedelta(hours=1).total_seconds())
            async with world.engine():
                pass
        await world.vault.open()
        plan = await world.stored(plan_id)
        assert list(await world.vault.requests()) == []
        assert plan.state.status is Status.FAILED
        told = [("ana", "skip", Effect.TOO_LATE)]
        if given_up == "abandoned":
            told.append(("ben", "abandon", Effect.TAKEN))
        assert lines(plan) == told
        assert plan.interventions[0].words == "the plan is given up"

    world.clock.run(scenario)
