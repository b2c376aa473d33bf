"""The store of one machine: an LMDB environment in a directory of its own.

The directory holds the marker (``_store_marker``), LMDB's ``data.mdb`` and ``lock.mdb``,
and ``owners`` (``_owners``). Keys and values are described in ``_lmdb_layout``. The
rules that this file obeys, and why:

**One write transaction is one call in a worker thread, from begin to commit.** LMDB's
writer lock belongs to a thread: begun here and committed there, a transaction seems to
succeed and the next writer waits for ever. In a thread, because a commit ends with a
sync to disk, and while a slow disk takes its time the event loop has to go on. The
thread cannot be abandoned, so the outcome is always known; a limiter of our own lets
one such call run at a time, whatever other threads are doing.

**Reads run on the event loop.** LMDB reads never wait for a writer. They are calls into
mapped memory, a few microseconds for a row, about two milliseconds for ten thousand
records, and a hop to a thread and back would cost more. The price: if the file has
fallen out of the page cache, the loop waits for the disk. A read transaction ends within
its call, as a long one would keep LMDB from reusing pages and make the file grow.

**Writes of several plans share one transaction.** If it fails they are tried one by one,
so that one plan's trouble stays its own. A commit that failed may have happened all the
same; it is reported as failed, and as writing a ``Write`` twice is harmless, trying
again is too.

**The map is large from the beginning.** It is address space, not disk or memory. Making
it larger later is unsafe while other processes read. The limit is an option.

**A process opens a store once, and its forked children not at all.** A second LMDB
environment on the same file breaks the locks of the first, and so would a second
descriptor of ``owners``. Both are noticed and refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from . import _lmdb_layout as layout
from ._errors import PlanExistsError, StorageError
from ._lmdb_reader import Reader, lmdb, row_in, storage_errors
from ._records import encode_row, row_prefix
from ._state import Status
from ._store_marker import check_directory
from ._vault import (
    LineRecord,
    LogSlice,
    PlanRow,
    StoredPlan,
    Write,
    newest_first,
    refusal,
    refuse_delete,
)

if TYPE_CHECKING:
    import trio

    from ._owners import Owners

__all__ = ["LmdbVault"]

T = TypeVar("T")

DEFAULT_MAP_SIZE = 64 * 2**30 if sys.maxsize > 2**32 else 2**30
_SMALLEST_MAP = 2**26
_READERS = 510
"""How many read transactions may be open at once, over all processes."""

_open_here: dict[tuple[int, int], int] = {}
"""The stores that are open, by device and inode, and the process that opened them."""


class LmdbVault:
    """Plans in a directory of one machine, shared by its processes (see ``Vault``).

    Needs trio to write; opening and reading from several tasks is fine.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        map_size: int = DEFAULT_MAP_SIZE,
        risk_power_cut: bool = False,
    ) -> None:
        """Name a store; ``open`` opens it.

        Args:
            path: The directory.
            create: Whether to begin a store when there is none.
            map_size: How large the store may become, in bytes. It costs address space
                only; where there is too little of that, less is taken.
            risk_power_cut: Leave it to the operating system when to write to disk.
                Several times faster. What is stored survives the death of the process,
                but a power cut may lose the latest changes or damage the store.
        """
        self._path = Path(path)
        self._create = create
        self._map_size = map_size
        self._sync = not risk_power_cut
        self._env: Any = None
        self._owners: Owners | None = None
        self._key: tuple[int, int] | None = None
        self._pid = 0
        self._one_at_a_time: trio.CapacityLimiter

    @property
    def path(self) -> Path:
        """The directory."""
        return self._path

    @property
    def shared(self) -> bool:
        """See ``Vault.shared``: any process of the machine may open it too."""
        return True

    # -- Opening and closing -----------------------------------------------------------

    async def open(self) -> None:
        """See ``Vault.open``."""
        import trio

        self._one_at_a_time = trio.CapacityLimiter(1)
        await trio.to_thread.run_sync(self._open, limiter=self._one_at_a_time)

    def _open(self) -> None:
        from ._owners import Owners

        check_directory(self._path, create=self._create)
        status = self._path.stat()
        key = (status.st_dev, status.st_ino)
        if _open_here.get(key) == os.getpid():
            message = (
                f"the store at {self._path} is already open in this process: share the "
                "one vault, or the one engine"
            )
            raise StorageError(message)
        with storage_errors(self._path):
            env = self._open_env()
            try:
                owners = Owners(self._path / "owners")
            except BaseException:
                env.close()
                raise
            # Slots of readers that died would keep the file from being reused.
            env.reader_check()
        _open_here[key] = self._pid = os.getpid()
        self._env, self._owners, self._key = env, owners, key

    def _open_env(self) -> Any:
        library = lmdb()
        size = self._map_size
        while True:
            try:
                return library.open(
                    os.fspath(self._path),
                    map_size=size,
                    mode=0o600,
                    max_readers=_READERS,
                    sync=self._sync,
                    metasync=self._sync,
                )
            except library.MemoryError:
                if size <= _SMALLEST_MAP:
                    raise
                size //= 2

    async def close(self) -> None:
        """See ``Vault.close``."""
        import trio

        if self._env is None:
            return
        # A commit may be under way in its thread: nothing may be closed under it.
        with trio.CancelScope(shield=True):
            async with self._one_at_a_time:
                self._close()

    def _close(self) -> None:
        env, self._env = self._env, None
        owners, self._owners = self._owners, None
        # A forked child leaves its parent's store alone.
        if env is None or owners is None or os.getpid() != self._pid:
            return
        if not self._sync:
            with storage_errors(self._path):
                env.sync(True)
        env.close()
        owners.close()
        assert self._key is not None
        del _open_here[self._key]

    # -- Reading -----------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Generator[Reader, None, None]:
        env = self._environment()
        with storage_errors(self._path), env.begin() as transaction:
            yield Reader(transaction)

    def _environment(self) -> Any:
        if self._env is None:
            message = f"the store at {self._path} is not open"
            raise StorageError(message)
        if os.getpid() != self._pid:
            message = (
                f"the store at {self._path} was opened by the process that this one was "
                "forked from: open it anew"
            )
            raise StorageError(message)
        return self._env

    async def read(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        with self._reading() as reader:
            return StoredPlan(
                row=reader.row(plan_id),
                definition=reader.get(layout.DEFINITION, plan_id) or b"",
                records=tuple(
                    layout.record_of(key, data)
                    for key, data in reader.all_of(layout.RECORD, plan_id)
                ),
                position=reader.log_position(plan_id),
                lines=reader.line_counts(plan_id),
                stop_requested=reader.get(layout.STOP, plan_id) is not None,
            )

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        with self._reading() as reader:
            return reader.row(plan_id)

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        with self._reading() as reader:
            return reader.get(layout.ROW, plan_id) is not None

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        limit: int = 0,
    ) -> list[PlanRow]:
        """See ``Vault.search``."""
        # Of most rows it is enough to look at the first bytes.
        starts = (b"",) if statuses is None else tuple(map(row_prefix, statuses))
        with self._reading() as reader:
            found = reader.all_of(layout.ROW) if ids is None else reader.rows_of(ids)
            rows = (
                row_in(UUID(bytes=key[1:]), data)
                for key, data in found
                if data.startswith(starts)
            )
            fit = (r for r in rows if group_ids is None or r.group_id in group_ids)
            return newest_first(fit, limit)

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``."""
        with self._reading() as reader:
            status = reader.row(plan_id).status
            found = reader.all_of(
                layout.LOG, plan_id, start=layout.log_key(plan_id, after + 1)
            )
            changes: list[tuple[int, Any]] = []
            for key, value in found:
                position = layout.log_position(key)
                if not changes and position > after + 1:
                    return LogSlice(missed=True, changes=(), status=status)
                if len(changes) == limit:
                    break
                changes.append((position, layout.change_of(plan_id, value)))
            return LogSlice(missed=False, changes=tuple(changes), status=status)

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        with self._reading() as reader:
            reader.row(plan_id)
            start = layout.line_key(plan_id, position, 0)
            found: list[LineRecord] = []
            for key, data in reader.all_of(layout.LINE, plan_id, start=start):
                place, number = layout.line_place(key)
                if place != position:
                    break
                found.append(LineRecord(position, number, data))
            return found

    async def stop_requests(self) -> frozenset[UUID]:
        """See ``Vault.stop_requests``."""
        with self._reading() as reader:
            return frozenset(
                UUID(bytes=key[1:]) for key, _ in reader.all_of(layout.STOP)
            )

    # -- Writing -----------------------------------------------------------------------

    async def _writing(self, function: Callable[[Any], T]) -> T:
        """Call the function in a transaction, in the one thread."""
        return await self._in_thread(lambda: self._transact(function))

    async def _in_thread(self, function: Callable[[], T]) -> T:
        import trio

        self._environment()
        return await trio.to_thread.run_sync(function, limiter=self._one_at_a_time)

    def _transact(self, function: Callable[[Any], T]) -> T:
        env = self._environment()
        with storage_errors(self._path), env.begin(write=True) as transaction:
            return function(transaction)

    async def create(self, row: PlanRow, definition: bytes) -> None:
        """See ``Vault.create``."""
        data = encode_row(row)

        def create(transaction: Any) -> None:
            plan = row.id.bytes
            if not transaction.put(layout.ROW + plan, data, overwrite=False):
                message = f"plan {row.id} is stored already"
                raise PlanExistsError(message)
            transaction.put(layout.DEFINITION + plan, definition)

        await self._writing(create)

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """See ``Vault.write``."""
        if not writes:
            return []
        # Encoded before the transaction: while it lasts, no other process can write.
        ready = [(write, layout.steps_of(write)) for write in writes]
        return await self._in_thread(lambda: self._commit(ready))

    def _commit(
        self, ready: Sequence[tuple[Write, list[layout.Step]]]
    ) -> list[StorageError | None]:
        try:
            return self._transact(
                lambda transaction: [_take(transaction, *one) for one in ready]
            )
        except StorageError as error:
            if len(ready) == 1:
                return [error]
            return [answer for one in ready for answer in self._commit([one])]

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``."""

        def delete(transaction: Any) -> None:
            refuse_delete(plan_id, Reader(transaction).row(plan_id).status)
            cursor = transaction.cursor()
            for purpose in layout.PURPOSES:
                prefix = purpose + plan_id.bytes
                if cursor.set_range(prefix):
                    _delete_up_to(cursor, prefix + b"\xff" * 16)

        await self._writing(delete)

    async def request_stop(self, plan_id: UUID, row_if_not_started: PlanRow) -> Status:
        """See ``Vault.request_stop``."""

        def request_stop(transaction: Any) -> Status:
            reader = Reader(transaction)
            found = reader.row(plan_id).status
            if found is Status.NOT_STARTED:
                write = Write(
                    plan_id=plan_id,
                    first=reader.log_position(plan_id) + 1,
                    changes=(row_if_not_started,),
                )
                _take(transaction, write, layout.steps_of(write))
            elif found is Status.RUNNING:
                transaction.put(layout.STOP + plan_id.bytes, b"")
            return found

        return await self._writing(request_stop)

    # -- Owning ------------------------------------------------------------------------

    async def claim(self, plan_id: UUID) -> bool:
        """See ``Vault.claim``."""
        return self._claims().claim(plan_id)

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        self._claims().release(plan_id)

    async def owner(self, plan_id: UUID) -> int | None:
        """See ``Vault.owner``."""
        return self._claims().owner(plan_id)

    def _claims(self) -> Owners:
        self._environment()
        assert self._owners is not None
        return self._owners


def _take(
    transaction: Any, write: Write, steps: list[layout.Step]
) -> StorageError | None:
    """Do one ``Write`` in a transaction, or say why not."""
    row = transaction.get(layout.ROW + write.plan_id.bytes)
    found = None if row is None else layout.status_of(row)
    error = refusal(write, found)
    if error is None:
        cursor = transaction.cursor()
        for key, value, end in steps:
            if value is None:
                transaction.delete(key)
            else:
                cursor.put(key, value)
                if end is not None and cursor.next():
                    _delete_up_to(cursor, end)
    return error


def _delete_up_to(cursor: Any, end: bytes) -> None:
    """Delete from where the cursor stands up to a key, that one included."""
    # A cursor that has run off the end stands at the empty key.
    while b"" < cursor.key() <= end:
        cursor.delete()
