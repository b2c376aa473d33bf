"""The store of one machine: an LMDB environment in a directory of its own.

The directory holds the marker (``_vaults.store_marker``), LMDB's ``data.mdb`` and
``lock.mdb``, and ``owners`` (``_vaults.owners``). Keys and values are described in
``_vaults.lmdb.layout``. The rules that this file obeys, and why:

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
again is too. What LMDB itself needs after a failure, ``_vaults.lmdb.environment`` tells.

**A plan whose bytes are damaged is its own trouble too.** Whoever reads or writes that
plan is told, lists leave it out with a warning, and it can be deleted.

**The map is large from the beginning.** It is address space, not disk or memory. Making
it larger later is unsafe while other processes read. The limit is an option.

**A process opens a store once, and its forked children not at all.** A second LMDB
environment on the same file breaks the locks of the first, and so would a second
descriptor of ``owners``. Both are noticed and refused.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Unpack
from uuid import UUID

from ..._codec.records import encode_row
from ..._plan.outcome import Outcome
from ..._protocols.searching import Search, Wanted
from ..._protocols.vault import (
    LineRecord,
    LogSlice,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Write,
    refuse_delete,
)
from ..._values.errors import PlanCorruptError, StorageError, StoreFormatError
from ..._values.interventions import Freeze
from ..._values.state import Status
from ..store_marker import check_directory
from . import changes, layout
from .environment import Environment
from .index.keys import card_of, wrong_keys
from .index.lookup import counted, found
from .reader import (
    OutgrownError,
    Reader,
    StoreFullError,
    freeze_in,
    request_at,
    storage_errors,
)

if TYPE_CHECKING:
    import trio

    from .copy import StoreCopy
    from .health import StoreHealth

FREEZE_HOLDS = 0.001
"""Seconds for which what was read of a freeze holds: less than a commit takes."""

T = TypeVar("T")

log = logging.getLogger("workstream")

DEFAULT_MAP_SIZE = 64 * 2**30 if sys.maxsize > 2**32 else 2**30

_Ready: TypeAlias = tuple[Write, layout.Steps]
"""A write, and all that it changes."""


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
        self._env: Environment | None = None
        self._is_alone = False
        self._frozen: tuple[bytes | None, Freeze | None] = (None, None)
        self._look_again = 0.0
        self._one_at_a_time: trio.CapacityLimiter
        self._copying: trio.CapacityLimiter

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
        self._copying = trio.CapacityLimiter(1)
        await trio.to_thread.run_sync(self._open, limiter=self._one_at_a_time)

    @contextmanager
    def opened_alone(self) -> Generator[None]:
        """Open it to read without an event loop: then no method that reads ever waits.

        A program that only reads a few rows saves the import of trio, which takes longer
        than all else that it does.
        """
        self._open()
        self._is_alone = True
        try:
            yield
        finally:
            self._is_alone = False
            self._close()

    def _open(self) -> None:
        check_directory(self._path, create=self._create)
        env = Environment(self._path, map_size=self._map_size, sync=self._sync)
        try:
            changes.make_ready(self._path, env)
        except BaseException:
            env.close()
            raise
        self._env = env

    async def close(self) -> None:
        """See ``Vault.close``."""
        import trio

        if self._env is None:
            return
        # A commit may be under way in its thread: nothing may be closed under it.
        with trio.CancelScope(shield=True):
            async with self._one_at_a_time, self._copying:
                self._close()

    def _close(self) -> None:
        env, self._env = self._env, None
        self._look_again = 0.0
        # A forked child leaves its parent's store alone.
        if env is not None and env.is_open_here:
            env.close()

    # -- Reading -----------------------------------------------------------------------

    async def _reading(self) -> AbstractContextManager[Reader]:
        return (await self._healthy()).reading()

    async def _healthy(self) -> Environment:
        """The environment; opened anew if LMDB has given it up."""
        env = self._environment()
        if env.broken and self._is_alone:
            env.mend()
        elif env.broken:
            # Then nobody writes, and readers, who never wait, are not reading either.
            async with self._one_at_a_time, self._copying:
                self._environment().mend()
        return self._environment()

    def _environment(self) -> Environment:
        env = self._env
        if env is None:
            message = f"the store at {self._path} is not open"
            raise StorageError(message)
        if not env.is_open_here:
            message = (
                f"the store at {self._path} was opened by the process that this one was "
                "forked from: open it anew"
            )
            raise StorageError(message)
        return env

    async def read(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        with await self._reading() as reader:
            return reader.stored(plan_id)

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        with await self._reading() as reader:
            return reader.row(plan_id)

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        with await self._reading() as reader:
            return reader.get(layout.ROW, plan_id) is not None

    async def search(self, **wanted: Unpack[Wanted]) -> list[PlanRow]:
        """See ``Vault.search``."""
        with await self._reading() as reader:
            return found(reader, Search(**wanted))

    async def counts(self) -> dict[Outcome, int]:
        """See ``Vault.counts``."""
        with await self._reading() as reader:
            return counted(reader)

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``."""
        with await self._reading() as reader:
            return reader.log(plan_id, after, limit)

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        with await self._reading() as reader:
            return reader.lines(plan_id, position)

    async def requests(self) -> list[PlanRequest]:
        """See ``Vault.requests``."""
        with await self._reading() as reader:
            found = (request_at(*one) for one in reader.all_of(layout.REQUEST))
            return [request for request in found if request is not None]

    # -- Writing -----------------------------------------------------------------------

    async def _writing(
        self, function: Callable[[Any], T], *, must_fit: bool = False
    ) -> T:
        """Call the function in a transaction, in the one thread.

        Args:
            function: May be called twice.
            must_fit: Whether a full store is made larger for it.
        """
        try:
            return await self._write_once(function)
        except OutgrownError:
            return await self._write_once(function)
        except StoreFullError:
            if not must_fit:
                raise
        async with self._one_at_a_time, self._copying:
            self._environment().grow()
        return await self._write_once(function)

    async def _write_once(self, function: Callable[[Any], T]) -> T:
        from .thread import call_in_thread

        env = await self._healthy()
        return await call_in_thread(lambda: env.write(function), self._one_at_a_time)

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """See ``Vault.create``."""
        data, card = encode_row(row), card_of(labels)
        await self._writing(
            lambda transaction: changes.create(transaction, row, data, definition, card)
        )

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """See ``Vault.write``."""
        import trio

        if not writes:
            return []
        await self._healthy()
        # Encoded before the transaction: while it lasts, no other process can write.
        ready = [(write, layout.steps_of(write)) for write in writes]
        try:
            return await self._commit(ready)
        except StorageError as error:
            if len(ready) == 1:
                return [error]
        answers: list[
            StorageError | None
        ] = []  # whose trouble it is, the next tries tell
        with trio.CancelScope(shield=True):
            for one in ready:
                try:
                    answers += await self._commit([one])
                except StorageError as error:
                    answers.append(error)
        return answers

    async def _commit(self, ready: Sequence[_Ready]) -> list[StorageError | None]:
        return await self._writing(
            lambda transaction: [changes.take(transaction, *one) for one in ready]
        )

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``."""

        def delete(transaction: Any) -> None:
            try:
                refuse_delete(plan_id, Reader(transaction).row(plan_id).status)
            except PlanCorruptError:
                # To delete it may be all that can be done, if nobody is running it.
                if self._environment().owners.owner(plan_id) is not None:
                    raise
            changes.delete(transaction, plan_id)

        # Deleting is what makes room, and it needs some.
        await self._writing(delete, must_fit=True)

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """See ``Vault.ask``."""
        steps = layout.steps_of(if_not_started)
        return await self._writing(
            lambda transaction: changes.ask(
                transaction, request, if_not_started, steps
            ),
            must_fit=True,
        )

    def freeze(self) -> Freeze | None:
        """See ``Vault.freeze``."""
        now = time.monotonic()
        if now >= self._look_again:
            env = self._environment()
            # Broken, what is known must do, until somebody mends it.
            if not env.broken:
                self._look_again = now + FREEZE_HOLDS
                data = env.peek(layout.FREEZE)
                if data != self._frozen[0]:
                    self._frozen = (data, freeze_in(data))
        return self._frozen[1]

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        try:
            put = partial(changes.set_freeze, freeze=freeze, expect=expect)
            return await self._writing(put, must_fit=True)
        finally:
            self._look_again = 0.0

    # -- Housekeeping ------------------------------------------------------------------

    async def health(self) -> StoreHealth:
        """What an operator wants to know of the store: its size, room and readers."""
        from .health import measured

        env = await self._healthy()
        with env.reading() as reader:
            return measured(self._path, env, reader)

    async def damage(self) -> str | None:
        """What is wrong with the pages of the store's file; None: they are in order.

        LMDB trusts them: what reads or writes a store with a spoilt page may be ended by
        a signal. This does not go through LMDB. It takes a few seconds for a hundred
        megabytes; runs go on meanwhile.
        """
        try:
            await self._beside_writers(Environment.check_pages)
        except StoreFormatError as error:
            return str(error)
        return None

    async def wrong_index(self) -> int:
        """How many keys of the index do not say what the plans do; 0: it is in order.

        It looks at every row: a second for a hundred thousand plans. A store that has
        no index, as there was no room for it, has 1.
        """
        with await self._reading() as reader:
            return wrong_keys(reader.transaction)

    async def build_index(self) -> None:
        """Make the index anew from the plans, in one transaction.

        Raises:
            StorageError: There is no room for it.
        """
        await self._writing(changes.build_index)

    async def backup(self, path: str | os.PathLike[str]) -> StoreCopy:
        """Copy the store as it is at one moment; runs go on meanwhile.

        Args:
            path: The directory to make: a store too, for ``restore_store``. It is whole
                or not there, also after a crash.

        Raises:
            StorageError: There is something already, or it cannot be written.
        """
        from .copy import back_up

        return await self._beside_writers(
            lambda env: back_up(self._path, env.copy, Path(path))
        )

    async def _beside_writers(self, function: Callable[[Environment], T]) -> T:
        """Call it in a thread: writers need not wait, whoever closes or mends must."""
        import trio

        await self._healthy()
        async with self._copying:
            return await trio.to_thread.run_sync(function, self._environment())

    # -- Owning ------------------------------------------------------------------------

    async def claim(self, plan_id: UUID) -> bool:
        """See ``Vault.claim``."""
        with self._claims() as env:
            env.files.check()
            return env.owners.claim(plan_id)

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        with self._claims() as env:
            env.owners.release(plan_id)

    async def owner(self, plan_id: UUID) -> int | None:
        """See ``Vault.owner``."""
        with self._claims() as env:
            env.files.check()
            return env.owners.owner(plan_id)

    @contextmanager
    def _claims(self) -> Generator[Environment]:
        """What holds the claims; what goes wrong with their file is a ``StorageError``."""
        with storage_errors(self._path):
            yield self._environment()
