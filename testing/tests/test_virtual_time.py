"""Virtual time, and the fixtures that come with it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import trio

from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import START
from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import PlanRow
from workstream._vaults.memory_vault import MemoryVault
from workstream.testing import FakeClock


def test_an_hour_takes_no_time(fake_clock: FakeClock) -> None:
    """The clock jumps to what is due next, and tells dates by it (T-1)."""

    async def scenario() -> str:
        await trio.sleep(3600)
        return "done"

    assert fake_clock.run(scenario) == "done"
    assert fake_clock.time() == 3600
    assert fake_clock.now() == START + timedelta(hours=1)


def test_held_clock_waits_for_a_thread(fake_clock: FakeClock) -> None:
    """While the clock is held, a thread's work takes no virtual time."""

    async def scenario() -> list[str]:
        order: list[str] = []

        async def work() -> None:
            with fake_clock.held(), fake_clock.held():
                await trio.to_thread.run_sync(lambda: order.append("thread"))
                assert fake_clock.time() == 0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await trio.sleep(60)
            order.append("slept")
        return order

    assert fake_clock.run(scenario) == ["thread", "slept"]
    assert fake_clock.time() == 60


def test_what_a_thread_handed_over_goes_first(fake_clock: FakeClock) -> None:
    """A thread may end after trio has looked, and before it asks for the jump."""

    async def scenario() -> float:
        def ask() -> float:
            jumping: Any = fake_clock.trio_clock
            jumping._autojump()
            return fake_clock.time()

        handed_over = trio.Event()
        with trio.move_on_after(30):
            trio.lowlevel.current_trio_token().run_sync_soon(handed_over.set)
            assert ask() == 0
            await handed_over.wait()
            return ask()
        raise AssertionError

    assert fake_clock.run(scenario) == 30


def test_vault_is_held(fake_clock: FakeClock) -> None:
    """A held vault answers as the vault does, and lets no time pass meanwhile."""

    class Slow(MemoryVault):
        async def exists(self, plan_id: object) -> bool:
            await trio.to_thread.run_sync(lambda: None)
            return plan_id in self._plans

    async def scenario() -> None:
        vault = HeldVault(Slow(), fake_clock)
        row = PlanRow(id=new_plan_id(), name="plan")
        await vault.open()
        await vault.create(row, b"definition")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 5)
            assert await vault.exists(row.id)
            assert fake_clock.time() == 0
        assert await vault.row(row.id) == row
        assert await vault.search() == [row]
        assert (await vault.read(row.id)).definition == b"definition"
        assert await vault.claim(row.id)
        assert await vault.owner(row.id) is not None
        await vault.release(row.id)
        assert await vault.owner(row.id) is None
        assert await vault.lines(row.id, 0) == []
        assert (await vault.log(row.id, 0)).changes == ()
        assert list(await vault.requests()) == []
        await vault.delete(row.id)
        assert not await vault.exists(row.id)
        await vault.close()
        assert vault.shared is False

    fake_clock.run(scenario)


def order_of(seed: int) -> list[int]:
    """The order in which eight tasks that are ready at once are run."""
    order: list[int] = []

    async def scenario() -> None:
        async def task(number: int) -> None:
            await trio.lowlevel.checkpoint()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(task, number)

    FakeClock().run(scenario, seed=seed)
    return order


def test_seed_chooses_the_order() -> None:
    """The same seed gives the same order of tasks, another one another order."""
    assert order_of(1) == order_of(1)
    assert len({tuple(order_of(seed)) for seed in range(10)}) > 5


def test_seed_is_gone_afterwards() -> None:
    """A seeded run leaves trio's own choice of the order as it was, also on an error."""
    scheduler = importlib.import_module("trio._core._run")
    names = ("_r", "_ALLOW_DETERMINISTIC_SCHEDULING")
    before = [vars(scheduler)[name] for name in names]

    async def broken() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        FakeClock().run(broken, seed=1)
    assert [vars(scheduler)[name] for name in names] == before


def test_pytest_plugin_is_cheap() -> None:
    """What every test run loads imports neither workstream nor trio nor lmdb."""
    code = (
        "import sys; before = set(sys.modules); "
        "import _workstream_testing.pytest_plugin; "
        "print([m for m in ('workstream', 'trio', 'lmdb') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
