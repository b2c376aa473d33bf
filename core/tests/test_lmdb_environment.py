"""What LMDB leaves to whoever uses it: readers that died, and small maps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from lmdb_stores import with_store
from quickly import one_in

from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import STOP, NodeRecord, PlanRow, Write
from workstream._store.asking import asked
from workstream._values.clock import utc_now
from workstream._values.errors import StorageError
from workstream._values.state import Status
from workstream._vaults.lmdb.environment import Environment
from workstream._vaults.lmdb.reader import lmdb
from workstream._vaults.lmdb.vault import LmdbVault

PAGE = 4096


def environment_of(vault: LmdbVault) -> Environment:
    """What is inside."""
    found = vars(vault)["_env"]
    assert isinstance(found, Environment)
    return found


def new_row() -> PlanRow:
    """A plan's row."""
    return PlanRow(id=new_plan_id(), name="plan")


async def fill(vault: LmdbVault, plans: int, *, size: int = 300) -> list[PlanRow]:
    """Store plans with twenty records each; their rows."""
    rows = [new_row() for _ in range(plans)]
    for row in rows:
        await vault.create(row, bytes(50))
        for first in range(1, 21):
            change = NodeRecord(first, 0, bytes(size))
            write = Write(plan_id=row.id, first=first, changes=(change,))
            assert await vault.write([write]) == [None]
    return rows


# -- Readers that died -------------------------------------------------------------------

READER = """
import sys, time
from pathlib import Path
from workstream._vaults.lmdb.environment import Environment

env = Environment(Path(sys.argv[1]), map_size=2**30, sync=False)
transactions = [env._begin() for _ in range(int(sys.argv[2]))]
print("reading", flush=True)
time.sleep(600)
"""


def killed_reader(path: Path, slots: int = 1) -> int:
    """Kill a process in the middle of reading, as many times as it has slots; its id."""
    command = [sys.executable, "-c", READER, str(path), str(slots)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return process.pid


def test_a_reader_that_died_is_cleared_at_open(path: Path) -> None:
    """Its slot would keep pages from being used again: the file would grow."""
    with_store(path, lambda vault: fill(vault, 1))
    pid = killed_reader(path)

    async def use(vault: LmdbVault) -> None:
        assert str(pid) not in readers_of(vault)

    with_store(path, use)


def test_a_reader_that_died_is_cleared_while_a_store_is_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever writes, every few hundred commits; pages are used again then."""
    monkeypatch.setattr("workstream._vaults.lmdb.environment._CHECK_READERS_EVERY", 50)

    async def use(vault: LmdbVault) -> None:
        [row] = await fill(vault, 1)
        pid = killed_reader(path)
        assert str(pid) in readers_of(vault)
        sizes: list[int] = []
        for first in range(21, 400):
            change = NodeRecord(1, 0, bytes(2_000))
            write = Write(plan_id=row.id, first=first, changes=(change,))
            assert await vault.write([write]) == [None]
            sizes.append((path / "data.mdb").stat().st_size)
        assert str(pid) not in readers_of(vault)
        # While its slot was taken every commit took new pages; the log grows, too.
        assert sizes[20] - sizes[0] > sizes[-1] - sizes[-21]

    with_store(path, use)


def test_slots_of_readers_that_died_make_room_for_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there is no slot left, those of the dead are cleared before giving up."""
    monkeypatch.setattr("workstream._vaults.lmdb.environment._READERS", 100)
    monkeypatch.setattr("workstream._vaults.lmdb.environment._LOCK_FILE", 0)

    async def use(vault: LmdbVault) -> None:
        [row] = await fill(vault, 1)
        env: Any = environment_of(vault)
        library: Any = lmdb()
        killed_reader(path, 60)
        mine = [env._begin() for _ in range(60)]
        assert (await vault.row(row.id)).status is Status.NOT_STARTED
        with suppress(library.ReadersFullError):
            while True:
                mine.append(env._begin())
        with pytest.raises(StorageError, match="read by as many processes as it can"):
            await vault.row(row.id)
        mine.pop().abort()
        assert (await vault.row(row.id)).status is Status.NOT_STARTED
        for transaction in mine:
            transaction.abort()

    with_store(path, use)


def readers_of(vault: LmdbVault) -> str:
    """LMDB's own list of who reads."""
    text: str = vars(environment_of(vault))["_env"].readers()
    return text


# -- Maps --------------------------------------------------------------------------------


def test_a_full_store_has_room_to_delete(path: Path) -> None:
    """To delete finished plans is what the error says to do: it works, and helps."""

    async def use(vault: LmdbVault) -> None:
        row = new_row()
        rows = await fill(vault, 1)
        await vault.create(row, b"")
        change = NodeRecord(1, 0, bytes(3_000))
        answer: StorageError | None = None
        first = 0
        while answer is None:
            first += 1
            write = Write(plan_id=row.id, first=first, changes=(change,))
            [answer] = await vault.write([write])
        assert "is full: delete finished plans" in str(answer)
        assert (
            await vault.ask(*asked(row, STOP, at=utc_now(), position=first - 1))
            is Status.NOT_STARTED
        )
        await vault.delete(rows[0].id)
        await vault.delete(row.id)
        await fill(vault, 3)

    with_store(path, use, map_size=2**20)


@pytest.mark.parametrize("verb", one_in(2, ["write", "read"]))
def test_a_store_that_outgrew_this_process(path: Path, verb: str) -> None:
    """What another process stored beyond this one's map can be reached, at the next try."""
    code = f"""
import trio
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._protocols.vault import PlanRow
from workstream._plan.walk import new_plan_id

async def main():
    vault = LmdbVault({str(path)!r}, risk_power_cut=True)
    await vault.open()
    await vault.create(PlanRow(id=new_plan_id(), name="large"), bytes(2**22))
    await vault.close()

trio.run(main)
"""

    async def use(vault: LmdbVault) -> None:
        [row] = await fill(vault, 1)
        await trio.run_process([sys.executable, "-c", code])
        if verb == "write":
            change = NodeRecord(1, 0, b"")
            write = Write(plan_id=row.id, first=21, changes=(change,))
            assert await vault.write([write]) == [None]
        else:
            with pytest.raises(StorageError, match=r"was just made larger .* again"):
                await vault.row(row.id)
        assert len(await vault.search()) == 2

    with_store(path, use, map_size=2**20)
    with_store(path, LmdbVault.search, map_size=2**20)  # at open it takes what it needs
