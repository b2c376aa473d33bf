"""Stores in which bytes of one plan are damaged: that plan's trouble alone (R-4, STO-6)."""

from __future__ import annotations

import importlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
import trio
from quickly import one_in

from _workstream_testing.conformance.world import World
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._codec.lines import Line, encode_line
from workstream._engine.engine import Workstream
from workstream._protocols.vault import STOP, LineRecord, Vault, Write
from workstream._store.asking import asked
from workstream._values.errors import (
    NotFoundError,
    NotRunningHereError,
    PlanCorruptError,
    PlanRefusedError,
    WorkstreamError,
)
from workstream._values.state import Status
from workstream._vaults.lmdb.index.keys import STATE
from workstream._vaults.lmdb.layout import PURPOSES
from workstream._vaults.lmdb.vault import LmdbVault

Damage = Callable[[Random, bytes], bytes | None]

PLAN = "plan=R: pre=C B1=R: s1=R[a=C; b=R{err open}(retries=1)] s2 def[d]"


def missing(_random: Random, _value: bytes) -> None:
    """It is not there."""


def empty(_random: Random, _value: bytes) -> bytes:
    """Nothing is left of it."""
    return b""


def cut(random: Random, value: bytes) -> bytes:
    """Its end is missing."""
    return value[: random.randrange(max(len(value), 1))]


def longer(_random: Random, value: bytes) -> bytes:
    """Something follows it."""
    return value + b"\x00"


def other(random: Random, value: bytes) -> bytes:
    """It is something else."""
    return random.randbytes(len(value))


def flipped(random: Random, value: bytes) -> bytes:
    """One of its bits is another."""
    if not value:
        return value
    at, bit = random.randrange(len(value)), random.randrange(8)
    return value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :]


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Damage is what these tests are about: no news of it."""
    caplog.set_level(logging.CRITICAL, "workstream")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store"


@pytest.fixture
def world(path: Path) -> World:
    """A world with a real store."""

    def vault(clock: FakeClock) -> Vault:
        return HeldVault(LmdbVault(path, risk_power_cut=True), clock)

    return World(vault)


@contextmanager
def raw(path: Path) -> Generator[Any]:
    """A write transaction in the store, past everything that guards it."""
    library: Any = importlib.import_module("lmdb")
    env = library.open(str(path), map_size=2**30, max_readers=510, sync=False)
    try:
        with env.begin(write=True) as transaction:
            yield transaction
    finally:
        env.close()


def stored_of(transaction: Any, plan_id: UUID) -> dict[bytes, bytes]:
    """All that is stored of a plan."""
    return {
        bytes(key): bytes(value)
        for key, value in transaction.cursor()
        if key[1:17] == plan_id.bytes
    }


def replace(path: Path, plan_id: UUID, entries: dict[bytes, bytes]) -> None:
    """Store this of the plan, and nothing else."""
    with raw(path) as transaction:
        for key in stored_of(transaction, plan_id):
            transaction.delete(key)
        for key, value in entries.items():
            transaction.put(key, value)
        transaction.delete(STATE)  # the index is built anew: it is not what is damaged


async def crashed_with_output(world: World) -> UUID:
    """A plan as a crash left it, that has reported a line and was to be stopped."""
    plan_id = await world.crashed(PLAN)
    await world.vault.open()
    line = Line(number=1, time=world.clock.now(), attempt=1, text="hello")
    first = (await world.vault.read(plan_id)).position + 1
    change = LineRecord(5, 1, encode_line(line))
    await world.vault.write([Write(plan_id=plan_id, first=first, changes=(change,))])
    # Of a plan that is R only the request is stored.
    row = await world.vault.row(plan_id)
    await world.vault.ask(*asked(row, STOP, at=world.clock.now()))
    await world.vault.close()
    return plan_id


async def takes(world: World, good: UUID, bad: UUID) -> str:
    """Open an engine on the store: what it says of the damaged plan."""
    async with world.engine(max_last_update=None) as ws:
        assert (await ws.wait(good)).state.status is Status.COMPLETED
        assert good in [row.id for row in await ws.list()]
        assert set(ws.recovery_errors) <= {bad}
        said = await outcome(ws, bad)
        await every_verb(world, ws, bad)
        return said


async def outcome(ws: Workstream, plan_id: UUID) -> str:
    """How the damaged plan ends."""
    try:
        plan = await ws.wait(plan_id)
    except NotFoundError:
        return "gone"
    except NotRunningHereError:
        error = ws.recovery_errors[plan_id]
        if isinstance(error, PlanRefusedError):  # a letter of a plugin's name
            return "refused"
        assert isinstance(error, PlanCorruptError)
        assert str(plan_id) in str(error)
        return "corrupt"
    except WorkstreamError as error:
        return "corrupt" if isinstance(error, PlanCorruptError) else "broken off"
    assert plan.state.status.is_terminal
    return "ended"


async def damage_row(vault: Vault, plan_id: UUID) -> None:
    """Damage the row of a plan in a store that is open."""
    real: Any = vault
    while not isinstance(real, LmdbVault):
        real = real._vault
    write: Callable[[Callable[[Any], None]], None] = vars(real)["_env"].write

    def damage(transaction: Any) -> None:
        transaction.put(b"r" + plan_id.bytes, b"\x01damage")

    await trio.to_thread.run_sync(write, damage)


async def every_verb(world: World, ws: Workstream, plan_id: UUID) -> None:
    """Whatever is asked of the plan, what is raised is an error of ours."""

    async def watch() -> None:
        with trio.move_on_after(1):
            async for _ in ws.watch(plan_id, after=0):
                pass

    async def lines() -> None:
        await world.vault.lines(plan_id, 5)

    async def listed() -> None:
        await ws.search(ids=[plan_id])
        await world.vault.requests()

    calls: list[Callable[[], Awaitable[object]]] = [
        watch,
        lines,
        listed,
        partial(ws.plan, plan_id),
        partial(ws.start, plan_id),
        partial(ws.stop, plan_id),
        partial(ws.resume, plan_id),
        partial(ws.delete, plan_id),
    ]
    for call in calls:
        with suppress(WorkstreamError):
            await call()


@pytest.mark.parametrize(
    "damage", one_in(3, [missing, empty, cut, longer, other, flipped])
)
def test_one_damaged_value(world: World, path: Path, damage: Damage) -> None:
    """Another plan is recovered; this one is refused by its id, or comes to an end.

    Every value that is stored of it is damaged in turn.
    """
    random = Random(1)

    async def scenario() -> None:
        bad = await crashed_with_output(world)
        with raw(path) as transaction:
            whole = stored_of(transaction, bad)
        assert {key[:1] for key in whole} == set(PURPOSES)
        said: Counter[str] = Counter()
        for key, value in whole.items():
            good = await world.crashed(PLAN)
            now = damage(random, value)
            kept = {k: v for k, v in whole.items() if k != key}
            replace(path, bad, kept if now is None else {**kept, key: now})
            said[await takes(world, good, bad)] += 1
        assert said["ended"] > 0  # what only watchers read is no need of the run
        assert said["corrupt"] > 0
        assert said["gone"] == (damage is missing)

    world.clock.run(scenario)


def test_a_plan_with_a_damaged_row_can_be_deleted(world: World, path: Path) -> None:
    """It is left out of lists, told by its id, and deleting it is a way out."""

    async def scenario() -> None:
        bad, good = await world.crashed(PLAN), await world.crashed(PLAN)
        with raw(path) as transaction:
            transaction.put(b"r" + bad.bytes, b"\x01damage")
        async with world.engine(recover=False) as ws:
            assert [row.id for row in await ws.list()] == [good]
            with pytest.raises(
                PlanCorruptError, match=f"{bad} cannot be read, all oth"
            ):
                await ws.plan(bad)
            with pytest.raises(PlanCorruptError, match="or delete it"):
                await ws.stop(bad)
            await ws.delete(bad)
            with pytest.raises(NotFoundError):
                await ws.plan(bad)
        with raw(path) as transaction:
            assert stored_of(transaction, bad) == {}

    world.clock.run(scenario)


def test_a_row_that_is_damaged_during_the_run(world: World, path: Path) -> None:
    """That plan's run breaks off; what is written together with it is not harmed."""

    async def scenario() -> None:
        async with world.engine() as ws:
            bad = await world.start(ws, "B1: s1[a ok@1; b]")
            good = await world.start(ws, "B1: s1[c ok@1; d]")
            await trio.sleep(0.5)
            await damage_row(world.vault, bad)
            with pytest.raises(PlanCorruptError, match=str(bad)):
                await ws.wait(bad)
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            # It was being run: nobody may delete it under the run.
            assert [row.id for row in await ws.list()] == [good]

    world.clock.run(scenario)
