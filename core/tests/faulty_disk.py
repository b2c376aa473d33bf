"""Engines on disks that fail: run by ``test_disk_faults.py`` as processes of their own.

    faulty_disk.py CASE DIRECTORY

A case asserts what it promises; it has passed when the process ends with status 0. What
fails is real: a file system of a few hundred kilobytes that fills up, one that is
read-only, or system calls that the kernel answers with "input/output error" (by a
seccomp filter, which holds for one thread).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import shutil
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
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
    Status,
    Workstream,
    open_workstream,
)
from workstream.errors import StorageError
from workstream.results import walk
from workstream.vaults import LmdbVault, restore_store

DIRECTORY = Path(sys.argv[2])
STORE = DIRECTORY / "store"
CALLS: Counter[str] = Counter()
STEPS = 80
BREAKS_AT = 30
BREAKS: list[Callable[[], Awaitable[None]]] = []
"""What is done to the disk in the middle of the first run."""


# -- Plans that need room --------------------------------------------------------------


@attrs.frozen
class Ask:
    """How much to answer."""

    size: int = 3_000


@attrs.frozen
class Answer:
    """An answer that takes room in the store."""

    text: str


class Talk(ActionPlugin[Ask, Answer]):
    """Counts its calls, by path."""

    name = "faulty.talk"

    async def execute(self, context: Context, request: Ask) -> Answer:
        """Answer at length."""
        CALLS[context.path] += 1
        # While this plugin works, nothing is being written.
        if CALLS.total() == BREAKS_AT and BREAKS:
            await BREAKS.pop()()
        return Answer("x" * request.size)


def talk(name: str, steps: int = STEPS, size: int = 3_000) -> Plan:
    """A plan of one sequence."""
    actions = [Talk.action(Ask(size), name=f"step {n}") for n in range(steps)]
    sequences = [Sequence(name="s", actions=actions)]
    return Plan(name=name, blocks=[Block(name="b", sequences=sequences)])


@asynccontextmanager
async def engine(recover: bool = False) -> AsyncGenerator[Workstream]:
    """An engine on the store."""
    registry = Registry([Talk()])
    async with open_workstream(STORE, registry=registry, recover=recover) as ws:
        yield ws


async def breaks_off(ws: Workstream, plan: Plan) -> tuple[UUID, str]:
    """Run the plan until it breaks off; its id, and why."""
    plan_id = await ws.submit(plan)
    await ws.start(plan_id)
    with pytest.raises(StorageError) as caught:
        await ws.wait(plan_id)
    return plan_id, str(caught.value)


async def check_resumed(plan_id: UUID) -> None:
    """The run goes on, and nothing that was stored as done is done again."""
    async with engine() as ws:
        before = await ws.plan(plan_id)
        assert before.state.status is Status.RUNNING
        done = [
            item.node.id
            for item in walk(before)
            if item.node.state.status is Status.COMPLETED
        ]
        calls = CALLS.copy()
        await ws.resume(plan_id)
        result = await ws.wait(plan_id)
    assert result.state.status is Status.COMPLETED
    assert len(done) > 5
    again = {path: CALLS[path] for path in calls if CALLS[path] != calls[path]}
    # Of one action the outcome was not stored: that one, at most, is done again.
    assert len(again) <= 1, again
    assert len(CALLS) == STEPS


# -- Full disks ------------------------------------------------------------------------


def mount(options: str) -> None:
    """Mount a small file system, which goes away with this process."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(DIRECTORY)]
    subprocess.run(command, check=True)


def remount(options: str) -> None:
    """Change the options of that file system."""
    command = ["mount", "-o", f"remount,{options}", str(DIRECTORY)]
    subprocess.run(command, check=True)


def fill() -> Path:
    """Leave no room on the disk; the file that takes it."""
    path = DIRECTORY / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass
    return path


async def full_during_a_run() -> None:
    """The run breaks off, says why, and goes on when there is room."""
    mount("size=450k")
    filler = DIRECTORY / "filler"
    filler.write_bytes(b"x" * 300_000)
    async with engine() as ws:
        plan_id, reason = await breaks_off(ws, talk("large"))
        assert f"the disk of the store at {STORE} is full: make room on it" in reason
        # What is stored can be read, and is what the run had come to.
        assert (await ws.plan(plan_id)).state.status is Status.RUNNING
        assert [row.name for row in await ws.list()] == ["large"]
        filler.unlink()
        # The same engine goes on with other plans.
        small = await ws.run(talk("small", steps=2, size=10))
        assert small.state.status is Status.COMPLETED
        for path in [path for path in CALLS if path.startswith("small")]:
            del CALLS[path]
    remount("size=4m")
    await check_resumed(plan_id)


async def full_at_open() -> None:
    """A new store is refused, one that is there can be read; no signal kills."""
    mount("size=200k")
    async with engine() as ws:
        plan_id = await ws.submit(talk("stored", steps=1))
    filler = fill()
    async with engine() as ws:
        assert (await ws.plan(plan_id)).name == "stored"
        with pytest.raises(StorageError, match="is full: make room on it"):
            await ws.submit(talk("more", steps=3_000))
        assert (await ws.plan(plan_id)).state.status is Status.NOT_STARTED
    # LMDB writes into the map of its lock file: without room that would be SIGBUS.
    (STORE / "lock.mdb").unlink()
    fill()
    await is_refused(STORE)
    await is_refused(DIRECTORY / "new")
    filler.unlink()
    # What could not be begun for want of room is begun when there is some.
    for path in (STORE, DIRECTORY / "new"):
        vault = LmdbVault(path)
        await vault.open()
        await vault.search()
        await vault.close()
    assert leftovers() == []


def leftovers() -> list[Path]:
    """What a store that could not be begun has left behind."""
    return list(DIRECTORY.glob("*/.workstream-*"))


async def full_while_begun() -> None:
    """With any little room a store is begun or not; what was not is no damage later."""
    mount("size=200k")
    for left in range(10):
        filler = fill()
        os.truncate(filler, filler.stat().st_size - 4096 * left)
        vault = LmdbVault(DIRECTORY / "new")
        if left == 0:
            await is_refused(DIRECTORY / "new")
        with suppress(StorageError):
            await vault.open()
        await vault.close()
        filler.unlink()
        await vault.open()
        assert await vault.search() == []
        await vault.close()
        shutil.rmtree(DIRECTORY / "new")


async def is_refused(path: Path) -> None:
    """A store cannot be opened there, as the disk is full."""
    with pytest.raises(StorageError, match=r"No space left|is full") as caught:
        await LmdbVault(path).open()
    assert str(path) in str(caught.value)


async def full_for_a_copy() -> None:
    """Neither half a backup nor half a store is left; with room, both are made."""
    mount("size=8m")
    async with engine() as ws:
        for name in "abc":
            await ws.run(talk(name))
    vault = LmdbVault(STORE)
    await vault.open()
    backup = DIRECTORY / "backup"
    for left in range(8):
        filler = fill()
        os.truncate(filler, filler.stat().st_size - 100_000 * left)
        names = set(os.listdir(DIRECTORY))
        with pytest.raises(StorageError, match=r"no copy is made at .*: .*space left"):
            await vault.backup(backup)
        assert set(os.listdir(DIRECTORY)) == names
        filler.unlink()
    made = await vault.backup(backup)
    assert made.plans == 3
    await vault.close()
    for left in range(8):
        filler = fill()
        os.truncate(filler, filler.stat().st_size - 100_000 * left)
        with pytest.raises(StorageError, match="space left"):
            await restore_store(backup, DIRECTORY / "restored")
        assert not (DIRECTORY / "restored").exists()
        filler.unlink()
    assert (await restore_store(backup, DIRECTORY / "restored")).plans == 3


async def file_too_large() -> None:
    """A limit on the size of files is met as a full disk is, and without a signal."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with engine():
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))
    async with engine() as ws:
        plan_id, reason = await breaks_off(ws, talk("large"))
        assert str(STORE) in reason
        assert "could not be written" in reason
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await check_resumed(plan_id)


async def read_only() -> None:
    """A read-only disk is said to be one, at open."""
    mount("size=1m")
    async with engine() as ws:
        await ws.submit(talk("stored", steps=1))
    remount("ro")
    for path in (STORE, DIRECTORY / "new"):
        with pytest.raises(StorageError, match=r"[Rr]ead-only") as caught:
            await LmdbVault(path).open()
        assert str(path) in str(caught.value)


def as_nobody() -> Path:
    """The store, in the hands of a user to whom something can be read-only."""
    os.chdir(DIRECTORY)
    store = Path("store")
    if os.geteuid() == 0:
        nobody = 65534
        for path in (DIRECTORY, store, *store.iterdir()):
            os.chown(path, nobody, nobody)
        os.setgid(nobody)
        os.setuid(nobody)
    return store


async def read_only_directory() -> None:
    """A directory that this user may not change is said to be read-only."""
    async with engine() as ws:
        await ws.submit(talk("stored", steps=1))
    store = as_nobody()
    os.chmod(store, 0o500)
    with pytest.raises(StorageError, match="its directory is read-only for this user"):
        await LmdbVault(store).open()
    os.chmod(store, 0o700)
    vault = LmdbVault(store)
    await vault.open()
    assert [row.name for row in await vault.search()] == ["stored"]
    await vault.close()


async def of_another_user() -> None:
    """A store is for one user: root is refused as any other is (``_vaults.store_marker``)."""
    async with engine() as ws:
        await ws.submit(talk("stored", steps=1))
    before = {path: path.read_bytes() for path in STORE.iterdir()}
    os.chown(STORE, 65534, 65534)
    with pytest.raises(
        StorageError, match=r"belongs to user .*, and a store is for one"
    ):
        await LmdbVault(STORE).open()
    os.chown(STORE, 0, 0)
    assert {path: path.read_bytes() for path in STORE.iterdir()} == before
    STORE.chmod(0o755)  # so that the other user sees whose it is
    os.chdir(STORE)
    os.chmod(DIRECTORY, 0o755)
    os.setgid(65534)
    os.setuid(65534)
    with pytest.raises(StorageError, match="belongs to user root"):
        await LmdbVault(".").open()


# -- Disks that fail -------------------------------------------------------------------

SYSTEM_CALLS = {
    "x86_64": {"pread64": 17, "pwrite64": 18, "fdatasync": 75},
    "aarch64": {"pread64": 67, "pwrite64": 68, "fdatasync": 83},
}
LOAD, JUMP_IF_EQUAL, JUMP_IF_GREATER_OR_EQUAL, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NUMBER, COUNT = 0, 16 + 8 * 2
"""Where a filter finds the call's number, and its third argument."""
THREADS = 6


def refuse(call: str, error: int, *, below: int = 2**31) -> None:
    """Let the kernel answer a system call of this thread with an error, from now on.

    Args:
        call: Its name.
        error: The error.
        below: Only when it is about fewer bytes than this.
    """
    number = SYSTEM_CALLS[platform.machine()][call]
    by_count = call != "fdatasync"
    steps = [
        (LOAD, 0, 0, NUMBER),
        (JUMP_IF_EQUAL, 0, 3 if by_count else 1, number),
        *(
            [(LOAD, 0, 0, COUNT), (JUMP_IF_GREATER_OR_EQUAL, 1, 0, below)]
            if by_count
            else []
        ),
        (RETURN, 0, 0, REFUSE | error),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(code, len(code))
    address = ctypes.addressof(memory)
    program = struct.pack("HxxxxxxP", len(steps), address)
    argument = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    for arguments in (
        (no_new_privileges, 1, 0, 0, 0),
        (seccomp, by_filter, ctypes.byref(argument)),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "no system call can be refused here")


async def in_all_threads(function: Callable[[], object]) -> None:
    """Call it in each of the threads that trio has idle, and in some more."""
    together = threading.Barrier(THREADS)

    def call() -> None:
        together.wait()
        function()

    async with trio.open_nursery() as nursery:
        for _ in range(THREADS):
            nursery.start_soon(trio.to_thread.run_sync, call)


def failing(call: str, error: int, *, below: int = 2**31) -> None:
    """In the middle of the first run the disk begins to fail."""

    async def spoil() -> None:
        await in_all_threads(lambda: refuse(call, error, below=below))

    BREAKS.append(spoil)


@asynccontextmanager
async def disk_repaired() -> AsyncGenerator[None]:
    """The disk works again: by threads that no filter holds."""
    end = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_all_threads, end.wait)
        await trio.testing.wait_all_tasks_blocked()
        yield
        end.set()


async def fails_during_a_run(
    call: str,
    error: int,
    below: int = 2**31,
    says: str = "whether the last change is in it is not known",
) -> None:
    """The run breaks off, what is stored can be read, and the same engine goes on."""
    failing(call, error, below=below)
    async with engine() as ws:
        plan_id, reason = await breaks_off(ws, talk("large"))
        assert os.strerror(error) in reason, reason
        assert str(STORE) in reason
        assert says in reason, reason
        assert CALLS.total() == BREAKS_AT
        stored = await ws.plan(plan_id)
        assert stored.state.status is Status.RUNNING
        # A disk that goes on failing is said to fail, call by call.
        with pytest.raises(StorageError, match=os.strerror(error)):
            await ws.submit(talk("another", steps=1))
        async with disk_repaired():
            small = await ws.run(talk("small", steps=1, size=10))
            assert small.state.status is Status.COMPLETED
            del CALLS["small / b / s / step 0"]
            await ws.resume(plan_id)
            result = await ws.wait(plan_id)
    assert result.state.status is Status.COMPLETED
    # The attempt whose outcome could not be stored was made again, and no other.
    assert CALLS.pop(f"large / b / s / step {BREAKS_AT - 1}") == 2
    assert set(CALLS.values()) == {1}
    assert len(CALLS) == STEPS - 1


async def pages_cannot_be_written() -> None:
    """What LMDB says when the pages of a commit are not written."""
    await fails_during_a_run("pwrite64", errno.EIO)


async def pages_are_read_only() -> None:
    """A disk that the kernel has made read-only, after errors, is named as such."""
    await fails_during_a_run("pwrite64", errno.EROFS)


async def sync_fails() -> None:
    """After a failed sync nobody knows what the disk holds: the store tells, later."""
    await fails_during_a_run("fdatasync", errno.EIO)


async def quota_is_used_up() -> None:
    """A quota is room that is lacking, too."""
    says = "the disk quota of who owns the store"
    await fails_during_a_run("pwrite64", errno.EDQUOT, says=says)


async def file_is_too_large() -> None:
    """A limit on the size of files is named as such."""
    says = (
        "may not become larger: delete finished plans, or raise the limit (ulimit -f)"
    )
    await fails_during_a_run("pwrite64", errno.EFBIG, says=says)


async def sync_is_interrupted() -> None:
    """A signal in between is no sign of a bad disk."""
    says = "a signal came in between, and whether the last change is in it is not known"
    await fails_during_a_run("fdatasync", errno.EINTR, says=says)


async def last_page_cannot_be_written() -> None:
    """LMDB gives the environment up, and it is opened anew for all others."""
    await fails_during_a_run("pwrite64", errno.EIO, below=4096)


async def fails_at_open() -> None:
    """A store that cannot be read at open says so, and takes no harm."""
    async with engine() as ws:
        plan_id = await ws.submit(talk("stored", steps=1))

    await in_all_threads(lambda: refuse("pread64", errno.EIO))
    with pytest.raises(StorageError, match=os.strerror(errno.EIO)) as caught:
        await LmdbVault(STORE).open()
    assert str(STORE) in str(caught.value)
    async with disk_repaired(), engine() as ws:
        assert (await ws.plan(plan_id)).name == "stored"


CASES = {
    case.__name__: case
    for case in (
        full_during_a_run,
        full_at_open,
        full_while_begun,
        full_for_a_copy,
        file_too_large,
        read_only,
        read_only_directory,
        of_another_user,
        pages_cannot_be_written,
        pages_are_read_only,
        sync_fails,
        last_page_cannot_be_written,
        quota_is_used_up,
        file_is_too_large,
        sync_is_interrupted,
        fails_at_open,
    )
}

trio.run(CASES[sys.argv[1]])
