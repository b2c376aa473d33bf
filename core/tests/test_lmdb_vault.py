"""The store of one machine: the contract, real processes, and what goes wrong."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import lmdb_stores
import pytest
import trio
from quickly import one_in

from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import NodeRecord, PlanRow, Write
from workstream._values.errors import NotFoundError, StorageError, StoreFormatError
from workstream._values.state import Status
from workstream._vaults.lmdb.vault import LmdbVault
from workstream.testing import check_vault

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SMALL = 2**20


@pytest.fixture
def row() -> PlanRow:
    return PlanRow(id=new_plan_id(), name="plan", submitted=NOON)


with_store = partial(lmdb_stores.with_store, risk_power_cut=False)


def refused(path: Path, **options: Any) -> StorageError:
    """The error with which the store cannot be opened."""

    async def main() -> None:
        await LmdbVault(path, **options).open()

    with pytest.raises(StorageError) as caught:
        trio.run(main)
    return caught.value


def record(row: PlanRow, first: int = 1, data: bytes = b"data") -> Write:
    return Write(plan_id=row.id, first=first, changes=(NodeRecord(first, 0, data),))


@pytest.mark.parametrize("risk_power_cut", one_in(2, [False, True]))
def test_it_keeps_the_contract(tmp_path: Path, risk_power_cut: bool) -> None:
    """STO-1 to STO-5, STO-10, X-75, X-76."""
    numbers = itertools.count()
    trio.run(
        check_vault,
        lambda: LmdbVault(tmp_path / str(next(numbers)), risk_power_cut=risk_power_cut),
    )


def test_importing_it_is_cheap() -> None:
    """Neither trio nor LMDB is imported before a store is opened."""
    code = (
        "import sys, workstream._vaults.lmdb.vault\n"
        "bad = {'trio', 'lmdb', 'cattrs'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- Opening ---------------------------------------------------------------------------


def test_a_store_is_for_its_owner_alone(path: Path, row: PlanRow) -> None:
    """Plans hold what others should not read: nobody else can."""

    async def use(vault: LmdbVault) -> None:
        await vault.create(row, b"")

    with_store(path, use)
    modes = {entry.name: entry.stat().st_mode & 0o077 for entry in path.iterdir()}
    assert {name for name, mode in modes.items() if mode} <= {"workstream"}
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_stored_costs_its_size_and_not_the_map_s(path: Path) -> None:
    """The large map is address space: the file stays small."""

    async def use(vault: LmdbVault) -> None:
        pass

    with_store(path, use)
    assert (path / "data.mdb").stat().st_blocks * 512 < SMALL


def test_a_process_opens_a_store_once(path: Path) -> None:
    """Also by another name: a second environment would break the first one's locks."""
    other = path.with_name("other")

    async def use(vault: LmdbVault) -> None:
        other.symlink_to(path)
        for second in (vault, LmdbVault(path), LmdbVault(other)):
            with pytest.raises(StorageError, match="already open in this process"):
                await second.open()

    with_store(path, use)
    with_store(path, LmdbVault.requests)


def test_what_is_not_open_says_so(path: Path, row: PlanRow) -> None:
    """Before it is opened and after it is closed, with the path in the sentence."""
    vault = LmdbVault(path)

    async def main() -> None:
        await vault.close()
        with pytest.raises(StorageError, match="store is not open"):
            await vault.row(row.id)
        await vault.open()
        await vault.close()
        with pytest.raises(StorageError, match="store is not open"):
            await vault.write([record(row)])
        with pytest.raises(StorageError, match="store is not open"):
            await vault.claim(row.id)

    trio.run(main)
    assert vault.path == path
    assert vault.shared


def test_nothing_is_made_where_nothing_may_be(path: Path) -> None:
    """Whoever only reads is told that there is no store."""
    assert "there is no store at" in str(refused(path, create=False))
    assert not path.exists()


def test_another_directory_is_refused(path: Path) -> None:
    """A directory that holds other things is not a store (STO-1)."""
    path.mkdir()
    (path / "notes.txt").touch()
    error = refused(path)
    assert isinstance(error, StoreFormatError)
    assert [entry.name for entry in path.iterdir()] == ["notes.txt"]


def test_a_damaged_store_is_not_taken_for_a_new_one(path: Path) -> None:
    """Bytes that are not LMDB's are said to be damage."""
    with_store(path, LmdbVault.requests)
    (path / "data.mdb").write_bytes(b"not a database" * 1_000)
    error = refused(path)
    assert isinstance(error, StoreFormatError)
    assert "is damaged" in str(error)
    (path / "data.mdb").unlink()
    with_store(path, LmdbVault.requests)


def test_a_store_that_failed_to_open_can_be_opened_later(path: Path) -> None:
    """A failure leaves nothing open behind."""
    with_store(path, LmdbVault.requests)
    (path / "owners").unlink()
    (path / "owners").mkdir()
    assert "failed" in str(refused(path))
    (path / "owners").rmdir()
    with_store(path, LmdbVault.requests)


@pytest.mark.slow
def test_where_address_space_is_short_a_smaller_map_is_taken(path: Path) -> None:
    """A 64-bit map does not fit everywhere: less is taken instead of refusing."""
    code = f"""
import resource, trio
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._protocols.vault import PlanRow
from workstream._plan.walk import new_plan_id

resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))

async def main():
    vault = LmdbVault({str(path)!r})
    await vault.open()
    row = PlanRow(id=new_plan_id(), name="plan")
    await vault.create(row, b"")
    assert await vault.row(row.id) == row
    await vault.close()

trio.run(main)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# -- Writing ---------------------------------------------------------------------------


def test_a_full_store_loses_nothing_and_says_what_to_do(
    path: Path, row: PlanRow
) -> None:
    """What was acknowledged stays; a larger map makes room (STO-6)."""

    async def fill(vault: LmdbVault) -> None:
        await vault.create(row, b"definition")
        answers: list[StorageError | None] = []
        for first in range(1, 1_000):
            answers += await vault.write([record(row, first, b"x" * 10_000)])
            if answers[-1] is not None:
                break
        assert "is full: delete finished plans, or open it with a larger" in str(
            answers[-1]
        )
        stored = await vault.read(row.id)
        assert len(stored.records) == len(answers) - 1 == stored.position
        assert len(answers) > 10

    async def go_on(vault: LmdbVault) -> None:
        position = (await vault.read(row.id)).position
        large = record(row, position + 1, b"x" * 500_000)
        assert await vault.write([large]) == [None]

    with_store(path, fill, map_size=SMALL)
    with_store(path, go_on, map_size=16 * SMALL)


def test_one_write_too_large_does_not_harm_the_others(path: Path, row: PlanRow) -> None:
    """Writes of several plans that cannot be committed as one are tried one by one."""
    other = attrs.evolve(row, id=new_plan_id())

    async def use(vault: LmdbVault) -> None:
        await vault.create(row, b"")
        await vault.create(other, b"")
        too_large = record(row, 1, b"x" * 2 * SMALL)
        answers = await vault.write([record(other, 1), too_large, record(other, 2)])
        assert [answer is None for answer in answers] == [True, False, True]
        assert isinstance(answers[1], StorageError)
        assert (await vault.read(row.id)).records == ()
        assert (await vault.read(other.id)).position == 2

    with_store(path, use, map_size=SMALL)


def test_a_cancelled_write_happens_wholly_or_not_at_all(
    path: Path, row: PlanRow
) -> None:
    """A commit that is under way is waited for; one that had not begun never does."""

    async def use(vault: LmdbVault) -> None:
        await vault.create(row, b"")
        with trio.CancelScope() as scope:
            scope.cancel()
            await vault.write([record(row)])
        assert scope.cancelled_caught
        assert (await vault.read(row.id)).position == 0
        answers: list[StorageError | None] = []

        async def write(scope: trio.CancelScope) -> None:
            with scope:
                answers.extend(await vault.write([record(row)]))

        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, scope)
            # The task has begun its thread when every task is waiting.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            scope.cancel()
        position = (await vault.read(row.id)).position
        assert position == len(answers)

    with_store(path, use)


def test_closing_waits_for_a_commit(path: Path, row: PlanRow) -> None:
    """Nothing is closed under a thread that is writing."""

    async def use(vault: LmdbVault) -> None:
        await vault.create(row, b"")
        answers: list[StorageError | None] = []

        async def write() -> None:
            answers.extend(await vault.write([record(row, 1, b"x" * SMALL)]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            await vault.close()
        assert answers in ([None], [])
        await vault.open()
        assert (await vault.read(row.id)).position == len(answers)

    with_store(path, use)


# -- Other processes -------------------------------------------------------------------

OTHER = """
import sys, trio
from uuid import UUID
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._values.state import Status
from workstream._protocols.vault import NodeRecord, PlanRow, Write

async def main(path, plan, verb):
    vault = LmdbVault(path)
    await vault.open()
    plan = UUID(plan)
    if verb == "write":
        print("ready", flush=True)
        for first in range(1, 100_000):
            change = NodeRecord(first, 0, b"%d" % first)
            write = Write(plan_id=plan, first=first, changes=(change,))
            [answer] = await vault.write([write])
            assert answer is None
            print(first, flush=True)
    elif verb == "claim":
        print(await vault.claim(plan), flush=True)
        await trio.sleep_forever()
    elif verb == "start":
        sys.stdin.readline()
        row = PlanRow(id=plan, name="plan", status=Status.RUNNING)
        write = Write(
            plan_id=plan, first=1, changes=(row,), expect=Status.NOT_STARTED
        )
        print(*await vault.write([write]), flush=True)

trio.run(main, *sys.argv[1:])
"""


def other(path: Path, plan_id: UUID, verb: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path), str(plan_id), verb],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_was_acknowledged_survives_kill_9(path: Path, row: PlanRow) -> None:
    """Killed in the middle of writing: all that was durable is there (STO-6)."""

    async def begin(vault: LmdbVault) -> None:
        await vault.create(row, b"definition")

    with_store(path, begin)
    process = other(path, row.id, "write")
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    # Not by ``communicate``: it passes over what ``readline`` has read ahead.
    rest = process.stdout.read()
    process.communicate()
    acknowledged = int((seen + rest.split())[-1])

    async def check(vault: LmdbVault) -> None:
        stored = await vault.read(row.id)
        assert stored.position in (acknowledged, acknowledged + 1)
        assert len(stored.records) == stored.position
        log = await vault.log(row.id, 0, 10**6)
        assert [change for _, change in log.changes] == list(stored.records)

    with_store(path, check)


def test_the_owner_s_death_frees_its_plan(path: Path, row: PlanRow) -> None:
    """A claim is seen by other processes and dies with its own (ST-2)."""

    async def use(vault: LmdbVault) -> None:
        process = other(path, row.id, "claim")
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not await vault.claim(row.id)
        assert await vault.owner(row.id) == process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert await vault.owner(row.id) is None
        assert await vault.claim(row.id)

    with_store(path, use)


@pytest.mark.slow
def test_of_two_processes_that_start_a_plan_one_does(path: Path, row: PlanRow) -> None:
    """The look and the write are one transaction, over processes too (SP-1, ST-2)."""

    async def use(vault: LmdbVault) -> None:
        await vault.create(row, b"")
        processes = [other(path, row.id, "start") for _ in range(3)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = sorted(process.communicate()[0] for process in processes)
        assert [answer[:4] for answer in answers] == ["None", "plan", "plan"]
        assert (await vault.row(row.id)).status is Status.RUNNING

    with_store(path, use)


@pytest.mark.slow
def test_a_forked_child_is_refused(path: Path, row: PlanRow) -> None:
    """What it inherited is not usable; its parent's store takes no harm."""
    code = f"""
import os, trio
from workstream._values.errors import StorageError
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._protocols.vault import PlanRow
from workstream._plan.walk import new_plan_id

async def main():
    vault = LmdbVault({str(path)!r})
    await vault.open()
    row = PlanRow(id=new_plan_id(), name="plan")
    assert await vault.claim(row.id)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            await vault.row(row.id)
        except StorageError as error:
            code = 0 if "was forked from: open it anew" in str(error) else 2
        vault._close()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not await vault.claim(row.id)
    await vault.create(row, b"")
    assert await vault.row(row.id) == row
    await vault.close()

trio.run(main)
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    subprocess.run(command, check=True)


def test_an_unknown_plan_is_not_found(path: Path, row: PlanRow) -> None:
    """Also when its id falls between those of others."""

    async def use(vault: LmdbVault) -> None:
        for number in (1, 3):
            plan = attrs.evolve(row, id=UUID(int=number << 32))
            await vault.create(plan, b"")
            await vault.write([record(plan)])
        with pytest.raises(NotFoundError, match="holds no plan"):
            await vault.read(UUID(int=2 << 32))

    with_store(path, use)
