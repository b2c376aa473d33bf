"""Many processes on one store: no error, no lost update, fair progress (ST-2, WA-2).

What they do, and assert, is in ``neighbours.py``. ``WORKSTREAM_ROUNDS`` says how many
plans each engine runs: a hundred take about a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEIGHBOURS = Path(__file__).with_name("neighbours.py")
ROUNDS = int(os.environ.get("WORKSTREAM_ROUNDS", "5"))


@pytest.mark.slow
def test_ten_engines_and_twenty_readers_share_a_store(tmp_path: Path) -> None:
    """While two of them are killed, and one process deletes what has ended."""
    command = [sys.executable, "-W", "error", str(NEIGHBOURS), str(tmp_path)]
    ended = subprocess.run([*command, str(ROUNDS), "1"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.slow
def test_a_forked_child_that_ends_harms_nobody(tmp_path: Path) -> None:
    """Not even when it drops what it has inherited: locks and readers stay as they were.

    A claim of the parent's is still seen by others then, and the store can be written.
    """
    other = """
import sys, trio
from uuid import UUID
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._protocols.vault import PlanRow
from workstream._plan.walk import new_plan_id

async def main():
    vault = LmdbVault(sys.argv[1])
    await vault.open()
    assert not await vault.claim(UUID(sys.argv[2]))
    assert str(await vault.owner(UUID(sys.argv[2]))) == sys.argv[3]
    await vault.create(PlanRow(id=new_plan_id(), name="of another"), b"")
    await vault.close()

trio.run(main)
"""
    code = f"""
import gc, os, subprocess, sys, trio
from workstream._values.errors import StorageError
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._protocols.vault import PlanRow
from workstream._plan.walk import new_plan_id

async def refused(vault, row):
    for call in (vault.search(), vault.create(row, b""), vault.claim(row.id),
                 vault.release(row.id), vault.delete(row.id)):
        try:
            await call
        except StorageError as error:
            assert "was forked from" in str(error)
        else:
            raise AssertionError("it was not refused")

async def main():
    vault = LmdbVault({str(tmp_path / "store")!r})
    await vault.open()
    row = PlanRow(id=new_plan_id(), name="plan")
    await vault.create(row, b"")
    assert await vault.claim(row.id)
    for _ in range(3):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                await refused(vault, row)
                await vault.close()
                vars(vault).clear()
                del vault
                gc.collect()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        await trio.run_process(
            [sys.executable, "-c", {other!r}, {str(tmp_path / "store")!r},
             str(row.id), str(os.getpid())]
        )
        await vault.create(PlanRow(id=new_plan_id(), name="mine"), b"")
    assert len(await vault.search()) == 7
    await vault.close()

trio.run(main)
"""
    # From Python 3.12 on a fork beside threads is warned of.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    subprocess.run(command, check=True)
