"""Stopping, and the moments at which a run only just begins (section 14)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
import trio
import trio.testing

from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.world import World
from _workstream_testing.notation.notation import parse
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import PlanRow, Vault, Write
from workstream._values.errors import (
    NotFoundError,
    StorageError,
)
from workstream._values.state import Status
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


# --- stop ------------------------------------------------------------------------------


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


# --- a vault that takes its time ---------------------------------------------------------


class LateVault(HeldVault):
    """A vault whose answers come a second after the fact, as over a network."""

    async def row(self, plan_id: UUID) -> PlanRow:
        """Look, and answer later."""
        row = await super().row(plan_id)
        await trio.sleep(1)
        return row

    async def release(self, plan_id: UUID) -> None:
        """Release, and answer later."""
        await super().release(plan_id)
        await trio.sleep(1)


def test_wait_while_a_whole_run_goes_by() -> None:
    """A run that ended while the vault looked was never one of elsewhere (ST-7)."""
    world = World(lambda clock: LateVault(MemoryVault(), clock))

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        async with world.engine(recover=False) as ws:
            found: list[Status] = []

            async def wait() -> None:
                found.append((await ws.wait(plan_id)).state.status)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked()
                launcher = vars(ws)[
                    "_runner"
                ].launcher  # resume() asks for the row first
                assert await launcher.recover(plan_id, max_last_update=None)
            assert found == [Status.COMPLETED]

    world.clock.run(scenario)


def test_a_plan_is_claimed_again_before_its_release_is_answered() -> None:
    """What is noted of the new claim is not taken for the old one's (ST-2)."""
    world = World(lambda clock: LateVault(MemoryVault(), clock))

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@5]")
            while await world.vault.owner(plan_id) is not None:  # noqa: ASYNC110
                await trio.sleep(0.1)
            # Now the run has ended, and its release is not answered.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ws.start, plan_id)
                await trio.sleep(0.7)
                assert (await ws.wait(plan_id)).state.status is Status.COMPLETED
            assert await world.vault.owner(plan_id) is None

    world.clock.run(scenario)
