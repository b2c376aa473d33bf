"""Data files that were cut short or spoilt: they are told apart before LMDB is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import lmdb
import pytest
import trio
from lmdb_stores import with_store
from quickly import one_in

from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import NodeRecord, PlanRow, Write
from workstream._values.errors import StoreFormatError
from workstream._vaults.lmdb.index.keys import STATE
from workstream._vaults.lmdb.pages import damage_in
from workstream._vaults.lmdb.vault import LmdbVault
from workstream.vaults import restore_store

PAGE = 4096


async def fill(vault: LmdbVault, plans: int, *, size: int = 300) -> list[PlanRow]:
    """Store plans with twenty records each; their rows."""
    rows = [PlanRow(id=new_plan_id(), name="plan") for _ in range(plans)]
    for row in rows:
        await vault.create(row, bytes(50))
        for first in range(1, 21):
            change = NodeRecord(first, 0, bytes(size))
            write = Write(plan_id=row.id, first=first, changes=(change,))
            assert await vault.write([write]) == [None]
    return rows


def missing_page(data: Path) -> int | None:
    """The page that is found to be missing."""
    damage = damage_in(data)
    assert damage is None or damage.missing
    return None if damage is None else damage.page


# -- Files that were cut short -----------------------------------------------------------


@pytest.mark.parametrize("size", [300, 20_000])
def test_a_data_file_that_was_cut_short(path: Path, size: int) -> None:
    """It is refused as damaged, wherever the cut: else a signal would kill (STO-6)."""
    with_store(path, lambda vault: fill(vault, 3, size=size))
    data = path / "data.mdb"
    whole = data.read_bytes()
    needed = needed_of(path, whole)
    assert missing_page(data) is None
    assert needed > 10
    for pages in reversed(range(2, needed)):
        os.truncate(data, PAGE * pages)
        missing = missing_page(data)
        assert missing is not None
        assert missing >= pages
    for pages in (2, needed // 2, needed - 1):
        data.write_bytes(whole[: PAGE * pages])
        with pytest.raises(StoreFormatError, match=r"was cut short .* from a backup"):
            with_store(path, LmdbVault.requests)
    data.write_bytes(whole[: PAGE * needed])
    with_store(path, check_readable)


def needed_of(path: Path, whole: bytes) -> int:
    """How many pages a data file must have at least."""
    cut = path.with_name("cut")
    cut.write_bytes(whole)
    pages = len(whole) // PAGE
    assert missing_page(cut) is None
    while missing_page(cut) is None:
        pages -= 1
        os.truncate(cut, PAGE * pages)
    return pages + 1


async def check_readable(vault: LmdbVault) -> None:
    """All that is stored can be read."""
    for row in await vault.search():
        assert len((await vault.read(row.id)).records) == 20
        assert len((await vault.log(row.id, 0)).changes) == 20


def test_an_end_that_is_not_needed_may_be_missing(path: Path) -> None:
    """LMDB does not write what it has freed again: a file may well be shorter."""

    async def shrink(vault: LmdbVault) -> None:
        rows = await fill(vault, 30)
        for row in rows[1:]:
            await vault.delete(row.id)
        for _ in range(3):  # so that what is kept moves to the front
            await fill(vault, 1)

    with_store(path, shrink)
    data = path / "data.mdb"
    whole = data.read_bytes()
    needed = needed_of(path, whole)
    data.write_bytes(whole[: PAGE * needed])
    with_store(path, check_readable)
    with_store(path, lambda vault: fill(vault, 30))
    with_store(path, check_readable)


def test_a_page_that_is_empty_is_missing(path: Path) -> None:
    """A hole, as a copy leaves it that did not come to its end."""
    with_store(path, lambda vault: fill(vault, 3))
    data = path / "data.mdb"
    whole = data.read_bytes()
    needed = needed_of(path, whole)
    data.write_bytes(whole[: PAGE * (needed - 1)] + bytes(PAGE))
    assert missing_page(data) == needed - 1


def test_what_is_no_data_file_is_said_to_be_none(path: Path) -> None:
    """The walk does not take just any file for one of LMDB's."""
    path.write_bytes(bytes(3 * PAGE))
    with pytest.raises(ValueError, match="does not begin as"):
        missing_page(path)


@pytest.mark.parametrize("length", [0, 1, PAGE, 2 * PAGE - 1])
def test_a_data_file_without_its_head(path: Path, length: int) -> None:
    """A store of which next to nothing is left is begun anew only when it is empty."""
    with_store(path, lambda vault: fill(vault, 1))
    os.truncate(path / "data.mdb", length)
    if length:
        with pytest.raises(StoreFormatError, match="restore it from a backup"):
            with_store(path, LmdbVault.requests)


# -- Pages that hold something else --------------------------------------------------------

READ_ALL = """
import os, sys
import lmdb

# Each file is read by a process of its own, as a signal may end it.
for path in sys.stdin.read().split():
    child = os.fork()
    if child == 0:
        try:
            with lmdb.open(path, subdir=False, readonly=True, lock=False) as env:
                with env.begin() as transaction:
                    print(sum(len(k) + len(v) for k, v in transaction.cursor()))
        except lmdb.Error as error:
            print(error)
        sys.stdout.flush()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        sys.exit(f"{path}: {status}")
"""


def whole_copy(path: Path, copy: Path) -> bytes:
    """The data file of a backup: of that every page is in use."""

    async def make(vault: LmdbVault) -> None:
        await fill(vault, 10)
        await fill(vault, 1, size=10_000)
        await vault.backup(copy)

    with_store(path, make)
    return (copy / "data.mdb").read_bytes()


def spoilt(whole: bytes, number: int, page: bytes) -> bytes:
    """The file, with another page in this place."""
    return whole[: number * PAGE] + page + whole[(number + 1) * PAGE :]


@pytest.mark.parametrize("kind", one_in(3, ["zeros", "noise", "another page"]))
def test_any_page_may_be_spoilt(path: Path, tmp_path: Path, kind: str) -> None:
    """Whichever it is, it is found; but for the inside of a large value, which is data."""
    whole = whole_copy(path, tmp_path / "copy")
    random = Random(1)
    unseen = 0
    for number in range(2, len(whole) // PAGE):
        page = {
            "zeros": bytes(PAGE),
            "noise": random.randbytes(PAGE),
            "another page": whole[2 * PAGE : 3 * PAGE],
        }[kind]
        if number == 2 and kind == "another page":
            continue
        data = tmp_path / "spoilt"
        data.write_bytes(spoilt(whole, number, page))
        unseen += damage_in(data) is None
    # Of each of the twenty large values, and of their twins in the log, two pages.
    assert unseen == 20 * 2 * 2


def test_the_way_to_a_key_is_looked_at_alone(path: Path, tmp_path: Path) -> None:
    """As a store opens it looks there: at a page of each level, the root one of them."""
    whole = whole_copy(path, tmp_path / "copy")
    data = tmp_path / "spoilt"
    data.write_bytes(whole)
    assert damage_in(data, key=STATE) is None
    on_the_way = set[int]()
    for number in range(2, len(whole) // PAGE):
        data.write_bytes(spoilt(whole, number, b"\xff" * PAGE))
        found = damage_in(data, key=STATE)
        if found is not None:
            assert found.page == number
            on_the_way.add(number)
    with lmdb.open(
        str(tmp_path / "copy"), readonly=True, lock=False, create=False
    ) as env:
        assert len(on_the_way) == env.stat()["depth"] > 1


@pytest.mark.slow
def test_a_bit_that_was_flipped_kills_nobody(path: Path, tmp_path: Path) -> None:
    """Where it is not found, what LMDB reads may differ: no signal ends who reads it."""
    whole = whole_copy(path, tmp_path / "copy")
    random = Random(1)
    found, harmless = 0, list[Path]()
    for number in range(2, len(whole) // PAGE):
        for _ in range(3):
            # The head of the page, and where its nodes are.
            at, bit = random.randrange(40), random.randrange(8)
            page = bytearray(whole[number * PAGE : (number + 1) * PAGE])
            page[at] ^= 1 << bit
            data = tmp_path / f"flipped-{number}-{at}-{bit}"
            data.write_bytes(spoilt(whole, number, bytes(page)))
            if damage_in(data) is None:
                harmless.append(data)
            else:
                found += 1
                data.unlink()
    names = "\n".join(map(str, harmless))
    subprocess.run([sys.executable, "-c", READ_ALL], input=names, text=True, check=True)
    assert found > 50


@pytest.mark.slow
def test_a_store_can_be_looked_at_beside_its_writers(path: Path) -> None:
    """Pages that are written anew meanwhile are not taken for spoilt ones."""

    async def use(vault: LmdbVault) -> None:
        looks = 0
        done = trio.Event()

        async def write() -> None:
            while looks < 10:
                for row in await fill(vault, 2, size=2_000):
                    await vault.delete(row.id)
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            while not done.is_set():
                assert await vault.damage() is None
                looks += 1

    with_store(path, use)


@pytest.mark.parametrize("cut", [True, False])
def test_nothing_is_copied_from_a_spoilt_store(
    path: Path, tmp_path: Path, cut: bool
) -> None:
    """Neither a backup nor a restore follows what LMDB would follow anywhere.

    What was begun of them is gone, and the store says what is wrong with it.
    """
    whole = whole_copy(path, tmp_path / "copy")
    data = tmp_path / "copy" / "data.mdb"
    if cut:
        os.truncate(data, PAGE * (len(whole) // PAGE // 2))
    else:
        data.write_bytes(spoilt(whole, 12, bytes(PAGE)))
    with pytest.raises(StoreFormatError, match=r"is damaged: .*; restore it from"):
        trio.run(restore_store, tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    if cut:
        return

    async def use(vault: LmdbVault) -> None:
        assert "12 is not there" in str(await vault.damage())
        with pytest.raises(StoreFormatError, match="12 is not there"):
            await vault.backup(tmp_path / "another")

    with_store(tmp_path / "copy", use)
    assert not (tmp_path / "another").exists()


def test_a_moment_of_another_file_is_not_waited_for(path: Path) -> None:
    """The lock file stayed and the data file was replaced: its newest state is read."""
    with_store(path, lambda vault: fill(vault, 1))

    assert damage_in(path / "data.mdb", moment=1_000_000) is None
