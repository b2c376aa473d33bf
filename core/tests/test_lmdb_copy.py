"""Backups are whole or not there, and a store made of one is what was backed up."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import attrs
import lmdb
import pytest
import trio
import trio.testing

from workstream import Block, Plan, Sequence, Status
from workstream._codec.codec import Codec
from workstream._codec.records import row_of
from workstream._plan.plan import Action
from workstream._plan.walk import give_ids, new_plan_id
from workstream._vaults.scratch import scratch_directory
from workstream.errors import PlanCorruptError, StorageError, StoreFormatError
from workstream.vaults import LmdbVault, NodeRecord, PlanRow, Write, restore_store

T = TypeVar("T")
NOW = datetime(2031, 5, 1, 18, 0, tzinfo=UTC)


def stored_plan(name: str) -> tuple[PlanRow, bytes]:
    """A submitted plan, as a vault takes it."""
    action = Action(name="act", plugin="toy.act")
    plan = Plan(
        name=name,
        blocks=[Block(name="b", sequences=[Sequence(name="s", actions=[action])])],
    )
    give_ids(plan, new_plan_id())
    plan.submitted = NOW
    codec = Codec(None)
    return row_of(plan), codec.encode_definition(plan)


def use(path: Path, body: Callable[[LmdbVault], Awaitable[T]]) -> T:
    """Run the body with the store open."""

    async def main() -> T:
        vault = LmdbVault(path)
        await vault.open()
        try:
            return await body(vault)
        finally:
            await vault.close()

    return trio.run(main)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with three plans, of which one is R."""

    async def fill(vault: LmdbVault) -> None:
        for name in ("one", "two", "three"):
            row, definition = stored_plan(name)
            await vault.create(row, definition)
        running = attrs.evolve(row, status=Status.RUNNING, started=NOW)
        write = Write(plan_id=row.id, first=1, changes=(running,))
        assert await vault.write([write]) == [None]

    path = tmp_path / "store"
    use(path, fill)
    return path


async def everything(vault: LmdbVault) -> list[object]:
    """All that the store tells of its plans."""
    return [await vault.read(row.id) for row in await vault.search()]


def names(path: Path) -> list[str]:
    """What is in a directory."""
    return sorted(entry.name for entry in path.iterdir())


# -- Backing up ------------------------------------------------------------------------


def test_a_backup_is_a_store_of_its_owner_s_own(store: Path, tmp_path: Path) -> None:
    """It holds what the store held; nobody else can open it; nothing else is left."""
    copy = use(store, lambda vault: vault.backup(tmp_path / "copy"))

    assert (copy.path, copy.plans, copy.unreadable) == (tmp_path / "copy", 3, ())
    assert copy.size == (tmp_path / "copy" / "data.mdb").stat().st_size
    assert names(tmp_path) == ["copy", "store"]
    assert names(copy.path) == ["data.mdb", "workstream"]
    assert copy.path.stat().st_mode & 0o777 == 0o700
    assert (copy.path / "data.mdb").stat().st_mode & 0o777 == 0o600
    assert use(copy.path, everything) == use(store, everything)


def test_a_backup_leaves_out_what_is_unused(store: Path, tmp_path: Path) -> None:
    """What deleted plans took costs nothing in the copy."""

    async def grow_and_delete(vault: LmdbVault) -> None:
        row, definition = stored_plan("large")
        await vault.create(row, definition + b" " * 2**22)
        await vault.delete(row.id)

    use(store, grow_and_delete)

    copy = use(store, lambda vault: vault.backup(tmp_path / "copy"))

    assert (store / "data.mdb").stat().st_size > 2**22
    assert copy.size < 2**17


def test_a_backup_is_of_one_moment(store: Path, tmp_path: Path) -> None:
    """Writes go on beside it; each is in it wholly or not at all (STO-1)."""

    async def body(vault: LmdbVault) -> None:
        row, definition = stored_plan("busy")
        await vault.create(row, definition)
        done = trio.Event()

        async def write() -> None:
            first = 1
            while not done.is_set():
                pair = (NodeRecord(1, 0, b"x"), NodeRecord(2, 0, b"y"))
                write = Write(plan_id=row.id, first=first, changes=pair)
                assert await vault.write([write]) == [None]
                first += 2

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for number in range(5):
                await vault.backup(tmp_path / f"copy-{number}")
            done.set()

    use(store, body)

    positions: list[int] = []
    for number in range(5):

        async def position(vault: LmdbVault) -> int:
            [row] = [row for row in await vault.search() if row.name == "busy"]
            return (await vault.read(row.id)).position

        positions.append(use(tmp_path / f"copy-{number}", position))
    assert positions == sorted(positions)
    assert all(position % 2 == 0 for position in positions)
    assert positions[-1] > 0


def test_closing_waits_for_a_backup(store: Path, tmp_path: Path) -> None:
    """The store is not taken away under a copy that is being written."""

    async def main() -> None:
        vault = LmdbVault(store)
        await vault.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(vault.backup, tmp_path / "copy")
            await trio.testing.wait_all_tasks_blocked()
            await vault.close()
            assert (tmp_path / "copy").exists()

    trio.run(main)
    assert use(tmp_path / "copy", everything) == use(store, everything)


@pytest.mark.parametrize("there", ["file", "directory", "dead link"])
def test_a_backup_overwrites_nothing(store: Path, tmp_path: Path, there: str) -> None:
    """Whatever has the name already stays what it is."""
    target = tmp_path / "copy"
    if there == "file":
        target.write_text("mine")
    elif there == "directory":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")

    with pytest.raises(StorageError, match="there is something already"):
        use(store, lambda vault: vault.backup(target))

    assert names(tmp_path) == ["copy", "store"]
    assert there != "file" or target.read_text() == "mine"


def test_a_backup_needs_a_place(store: Path, tmp_path: Path) -> None:
    """A directory that is not mounted is not made; nor is a copy within the store."""
    with pytest.raises(StorageError, match="make or mount it"):
        use(store, lambda vault: vault.backup(tmp_path / "mount" / "copy"))
    with pytest.raises(StorageError, match="outside"):
        use(store, lambda vault: vault.backup(store / "copy"))

    assert names(tmp_path) == ["store"]


LIMITED = """
import resource, sys, trio
from workstream.errors import StorageError
from workstream.vaults import LmdbVault

async def main():
    vault = LmdbVault(sys.argv[1])
    await vault.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**15, 2**15))
    try:
        await vault.backup(sys.argv[2])
    except StorageError as error:
        print(error)
    print(len(await vault.search()))
    await vault.close()

trio.run(main)
"""


@pytest.mark.slow
def test_a_backup_that_fails_leaves_nothing(store: Path, tmp_path: Path) -> None:
    """The system takes only half of it: an error that says so, and the store goes on."""

    async def grow(vault: LmdbVault) -> None:
        row, definition = stored_plan("large")
        await vault.create(row, definition + b" " * 2**18)

    use(store, grow)

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, store, tmp_path / "copy"],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )

    error, count = done.stdout.splitlines()
    assert f"no copy is made at {tmp_path / 'copy'}" in error
    assert "File too large" in error
    assert count == "4"
    assert names(tmp_path) == ["store"]


# -- What is not finished ----------------------------------------------------------------


HOLDING = """
import sys
from pathlib import Path
from workstream._vaults.scratch import scratch_directory

with scratch_directory(Path(sys.argv[1])) as path:
    (path / "half").mkdir()
    (path / "half" / "data").write_text("half")
    (path / "other").write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_in_nobody_s_way(
    store: Path, tmp_path: Path
) -> None:
    """While it lives it is not disturbed; once it is killed its remains are removed."""
    target = tmp_path / "copy"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path / ".copy.unfinished"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(StorageError, match="another process is writing"):
            use(store, lambda vault: vault.backup(target))
        assert (tmp_path / ".copy.unfinished" / "half" / "data").exists()
        child.send_signal(signal.SIGKILL)
    assert (tmp_path / ".copy.unfinished").exists()

    use(store, lambda vault: vault.backup(target))

    assert names(tmp_path) == ["copy", "store"]
    assert names(target) == ["data.mdb", "workstream"]


def test_a_directory_that_was_renamed_stays(tmp_path: Path) -> None:
    """Even where the name is another process's by then, only our own is removed."""
    with scratch_directory(tmp_path / "draft") as draft:
        (draft / "file").touch()
        draft.rename(tmp_path / "final")
        draft.mkdir()
        (draft / "theirs").touch()

    assert names(tmp_path / "final") == ["file"]
    assert names(tmp_path / "draft") == ["theirs"]


def test_a_name_that_changed_hands_is_taken_anew(tmp_path: Path) -> None:
    """A directory is locked by what it is, not by its name."""
    path = tmp_path / "draft"
    path.mkdir()
    theirs = os.open(path, os.O_RDONLY)
    fcntl.flock(theirs, fcntl.LOCK_EX)
    path.rename(tmp_path / "final")
    try:
        with scratch_directory(path):
            assert path.is_dir()
    finally:
        os.close(theirs)
    assert names(tmp_path) == ["final"]


# -- Restoring -------------------------------------------------------------------------


@pytest.fixture
def backup(store: Path, tmp_path: Path) -> Path:
    """A backup of the store."""
    return use(store, lambda vault: vault.backup(tmp_path / "backup")).path


@pytest.mark.parametrize("prepared", ["missing", "empty", "fresh file system"])
def test_a_restored_store_is_what_was_backed_up(
    backup: Path, store: Path, tmp_path: Path, prepared: str
) -> None:
    """All of it, for its owner alone; the backup is as it was, and can be used again."""
    target = tmp_path / "deep" / "new"
    if prepared != "missing":
        target.mkdir(parents=True, mode=0o755)
    if prepared == "fresh file system":
        (target / "lost+found").mkdir()
    before = {name: (backup / name).read_bytes() for name in names(backup)}

    copy = trio.run(restore_store, backup, target)

    assert (copy.path, copy.plans, copy.unreadable) == (target, 3, ())
    assert {name: (backup / name).read_bytes() for name in names(backup)} == before
    left = {"lost+found"} & set(names(target))
    assert set(names(target)) == {"data.mdb", "workstream"} | left
    assert target.stat().st_mode & 0o777 == 0o700
    assert use(target, everything) == use(store, everything)


def test_what_was_running_has_crashed(backup: Path, tmp_path: Path) -> None:
    """It is R, and nobody owns it: for recovery to take."""
    trio.run(restore_store, backup, tmp_path / "new")

    async def owners(vault: LmdbVault) -> list[int | None]:
        rows = await vault.search(statuses=[Status.RUNNING])
        return [await vault.owner(row.id) for row in rows]

    assert use(tmp_path / "new", owners) == [None]


def test_a_store_that_others_use_can_be_restored_from(
    store: Path, tmp_path: Path
) -> None:
    """By its lock file it is told apart from a backup, and read as any reader would."""
    trio.run(restore_store, store, tmp_path / "new")

    assert use(tmp_path / "new", everything) == use(store, everything)


def test_a_store_that_is_open_here_is_not_opened_twice(
    store: Path, tmp_path: Path
) -> None:
    """A second environment in one process would break the locks of the first."""

    async def body(vault: LmdbVault) -> None:
        with pytest.raises(StorageError, match=r"use its backup\(\)"):
            await restore_store(store, tmp_path / "new")

    use(store, body)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("there", ["a store", "a file", "a foreign directory"])
def test_restoring_overwrites_nothing(
    backup: Path, store: Path, tmp_path: Path, there: str
) -> None:
    """A place that is taken is refused, and stays as it is."""
    target = tmp_path / "new"
    if there == "a store":
        target = store
    elif there == "a file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").touch()
    before = names(target) if target.is_dir() else []

    with pytest.raises(StorageError, match="nothing is restored into"):
        trio.run(restore_store, backup, target)

    assert (names(target) if target.is_dir() else []) == before


@pytest.mark.slow
def test_a_store_that_is_begun_meanwhile_wins(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data file is put where there is none; never in place of another's."""
    target = tmp_path / "new"
    link = os.link

    def begin_first(source: Path, name: Path) -> None:
        use_in_thread = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, trio; from workstream import LmdbVault\n"
                "vault = LmdbVault(sys.argv[1]); trio.run(vault.open)",
                target,
            ],
            check=True,
        )
        assert use_in_thread.returncode == 0
        link(source, name)

    monkeypatch.setattr("os.link", begin_first)

    with pytest.raises(StorageError, match="another process has just begun"):
        trio.run(restore_store, backup, target)

    assert use(target, everything) == []


RESTORE = """
import sys, trio
from workstream.errors import StorageError
from workstream.vaults import restore_store

sys.stdin.readline()
try:
    trio.run(restore_store, *sys.argv[1:])
except StorageError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("target", ["new", "copies"])
@pytest.mark.slow
def test_of_many_that_restore_at_once_one_does(
    backup: Path, store: Path, tmp_path: Path, target: str
) -> None:
    """Into one place: the others are refused, and what is there is whole.

    To one name, too, of two backups: there is one, or the other says why not.
    """
    place = tmp_path / target
    code = RESTORE
    source = backup
    if target == "copies":
        code = RESTORE.replace("restore_store, *sys.argv[1:]", "back_up")
        code = f"""
from workstream.vaults import LmdbVault

async def back_up():
    vault = LmdbVault(sys.argv[1])
    await vault.open()
    await vault.backup(sys.argv[2])

{code}"""
        source = store
    command = [sys.executable, "-c", code, str(source), str(place)]
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate()[1] for process in processes]
    ends = [process.returncode for process in processes]

    assert sorted(ends) == [0, 1, 1, 1, 1, 1], told
    for why in filter(None, told):
        assert "Traceback" not in why
        assert "is made at" in why or "is restored into" in why or "writing" in why
    assert set(names(place)) - {"owners", "lock.mdb"} == {"data.mdb", "workstream"}
    if target == "copies":
        trio.run(restore_store, place, tmp_path / "again")
        place = tmp_path / "again"
    assert use(place, everything) == use(store, everything)


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        ("missing", StorageError, "is not there, or no directory"),
        ("empty", StorageError, "the directory is empty"),
        ("foreign", StoreFormatError, "is not a workstream store"),
        ("newer", StoreFormatError, "use a newer workstream"),
        ("no data", StorageError, "No such file"),
        ("no head", StoreFormatError, "what is copied is damaged"),
    ],
)
def test_what_is_no_backup_is_refused(
    backup: Path, tmp_path: Path, spoil: str, error: type[StorageError], words: str
) -> None:
    """The reason is told, and the place for the store is as it was."""
    source = tmp_path / "source"
    if spoil != "missing":
        source.mkdir()
    if spoil in ("newer", "no data", "no head"):
        version = 3 if spoil == "newer" else 1
        (source / "workstream").write_text(f"workstream store, version {version}\n")
    if spoil == "foreign":
        (source / "photos").mkdir()
    if spoil == "no head":
        (source / "data.mdb").write_bytes(b"\0" * 8192)

    with pytest.raises(error, match=words):
        trio.run(restore_store, source, tmp_path / "new")

    assert not (tmp_path / "new").exists()


def spoil_a_plan(path: Path) -> UUID:
    """Write nonsense in place of one plan's definition; its id."""
    env = lmdb.open(str(path), lock=False)
    with env.begin(write=True) as transaction, transaction.cursor() as cursor:
        assert cursor.set_range(b"d")
        key = cursor.key()
        transaction.put(key, b"nonsense")
    env.close()
    return UUID(bytes=key[1:])


def test_plans_that_cannot_be_read_are_named(backup: Path, tmp_path: Path) -> None:
    """Nothing is restored unless that is accepted; then all that can be read is there."""
    spoilt = spoil_a_plan(backup)

    with pytest.raises(StorageError, match="these 1 cannot be read") as caught:
        trio.run(restore_store, backup, tmp_path / "new")
    assert str(spoilt) in str(caught.value)
    assert not (tmp_path / "new").exists()

    async def accept() -> tuple[PlanCorruptError, ...]:
        copy = await restore_store(backup, tmp_path / "new", accept_unreadable=True)
        return copy.unreadable

    assert [error.plan_id for error in trio.run(accept)] == [spoilt]
    assert len(use(tmp_path / "new", LmdbVault.search)) == 3


# -- Health ----------------------------------------------------------------------------


READING = """
import sys, lmdb
env = lmdb.open(sys.argv[1], map_size=2**30, max_readers=510)
transaction = env.begin()
transaction.get(b"r")
print("ready", flush=True)
sys.stdin.read()
"""


def test_health_tells_how_the_store_is(store: Path) -> None:
    """Its version, plans, size and room; and what readers left that were killed."""

    def reader() -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-c", READING, store],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        return child

    async def body(vault: LmdbVault) -> None:
        health = await vault.health()
        rows = await vault.search()
        assert set(health.plans) == {row.id for row in rows}
        assert (health.path, health.version, health.readers_cleared) == (store, 2, 1)
        assert 0 < health.used < 2**20 < health.map_size
        assert 0 < health.size < 2**20
        assert health.disk_free > 0
        assert health.open_to_others == ()

    # As long as one of them lives: the first to open a store that nobody uses begins anew.
    with reader() as living:
        with reader() as killed:
            killed.kill()
        use(store, body)
        living.kill()


def test_health_tells_what_others_may_open(store: Path) -> None:
    """The directory, and files with what plans hold; the marker tells nothing."""
    store.chmod(0o750)
    (store / "data.mdb").chmod(0o644)

    health = use(store, LmdbVault.health)

    assert set(health.open_to_others) == {".", "data.mdb"}
