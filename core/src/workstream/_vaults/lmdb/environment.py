"""An open LMDB environment, and what LMDB leaves to whoever uses it.

LMDB maps its files into memory. So what is an error elsewhere can be the death of the
process there: a page of the lock file for which the disk has no room, a page of the
data file that is not there because somebody cut the file short. Both are seen to when
the environment is opened (``_reserve_lock_file``, ``_check_length``).

A write that fails may leave LMDB unable to go on: when it could not write the page that
makes a commit count, it refuses everything from then on, reads included, as it cannot
know what the disk holds. Opened anew it reads that page again, and goes on from there:
``broken`` says that this is needed, ``mend`` does it. Whether the commit that failed
counts is not known before. ``mend`` also lets a map grow that another process, which has
opened the store with a larger one, has filled beyond this one's end.

A reader that died keeps its slot, and pages that it might still read are not used
again: the file grows. Any other process can clear the slot; so this one looks for such
slots every few hundred commits.

Files that are removed, or replaced by others, while they are open go on to be written by
who has them open, and nobody else sees it: what is acknowledged then is lost, and of two
lock files neither keeps two writers apart. So before each write, and each read, the names
must still mean the files that were opened (``files.check``).
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ..._values.errors import StorageError, StoreFormatError
from ..owners import OWNERS, Owners
from ..scratch import scratch_directory
from ..store_files import FilesInPlace, identity
from ..store_marker import UNFINISHED, sync_path
from .pages import MomentGoneError, damage_in
from .reader import Reader, lmdb, storage_errors

T = TypeVar("T")

log = logging.getLogger("workstream")

DATA, LOCK = "data.mdb", "lock.mdb"
"""What LMDB calls its files."""

_SMALLEST_MAP = 2**26
_READERS = 510
"""How many read transactions may be open at once, over all processes."""
_LOCK_FILE = 4096 + 64 * _READERS
"""Bytes of the lock file: a cache line a reader, and a head."""
_TWO_PAGES = 8192
"""What a data file has at least: a store that is younger holds nothing."""
_CHECK_READERS_EVERY = 256
"""Commits between two looks for the slots of readers that died."""
_ROOM = 2**22
"""How many bytes a full store grows by, at least, so that plans can be deleted."""

OPEN_HERE: dict[tuple[int, int], Environment] = {}
"""The stores that this process has open, by device and inode."""
# What a forked child inherits it has not opened.
os.register_at_fork(after_in_child=OPEN_HERE.clear)


class Environment:
    """One store's environment and its claims, open until it is closed."""

    def __init__(self, path: Path, *, map_size: int, sync: bool) -> None:
        """Open it, and make it where there is none.

        Args:
            path: The directory.
            map_size: How large it may become, in bytes; less where address space lacks.
            sync: Whether a commit waits for the disk.

        Raises:
            StorageError: It cannot be opened, or is open in this process already.
        """
        self._path = path
        self._map_size = map_size
        self._sync = sync
        self._commits = 0
        self._panicked = False
        self.broken = False
        """Whether ``mend`` must be called before anything else."""
        self.readers_cleared = 0
        with storage_errors(path):
            self._key = identity(path)
            if self._key in OPEN_HERE:
                message = (
                    f"the store at {path} is already open in this process: share the one "
                    "vault, or the one engine"
                )
                raise StorageError(message)
            self._env = self._open()
            try:
                self.owners = Owners(path / OWNERS)
                self.files = FilesInPlace(path, (DATA, LOCK, OWNERS))
            except BaseException:
                self._env.close()
                raise
        OPEN_HERE[self._key] = self

    @property
    def is_open_here(self) -> bool:
        """Whether this process has it open: one that was forked since has not."""
        return OPEN_HERE.get(self._key) is self

    # -- Opening and closing -----------------------------------------------------------

    def _open(self) -> Any:
        data = self._path / DATA
        _reserve_lock_file(self._path / LOCK)
        if not data.exists():
            _begin_data_file(self._path)
        is_new = data.stat().st_size == 0
        try:
            env = self._open_as_large_as_possible()
        except BaseException:
            if is_new:
                # What could not be begun, for want of room, must not look like damage.
                with suppress(OSError):
                    if data.stat().st_size < _TWO_PAGES:
                        os.truncate(data, 0)
            raise
        try:
            _check_length(self._path, env)
            self.readers_cleared += env.reader_check()
        except BaseException:
            env.close()
            raise
        return env

    def _open_as_large_as_possible(self) -> Any:
        library = lmdb()
        size = self._map_size
        while True:
            try:
                return library.open(
                    os.fsencode(self._path),
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

    def mend(self) -> None:
        """Make it usable again. Nobody may be using the environment.

        Raises:
            StorageError: It cannot be opened; it can be tried again.
        """
        with storage_errors(self._path):
            if self._panicked:
                self.files.check()
                self._env.close()
                self._env = self._open()
                log.warning("the store at %s was opened anew", self._path)
            elif self.broken:
                self._env.set_mapsize(0)  # as large as the store says it is
        self._panicked = self.broken = False

    def grow(self) -> None:
        """Make room in a full store. Nobody may be using the environment.

        Other processes find that they have to ``mend``.
        """
        with storage_errors(self._path):
            size = self._env.info()["map_size"]
            self._env.set_mapsize(size + max(_ROOM, size // 16))

    def close(self) -> None:
        """Close it. Raises StorageError when the last sync fails; closed it is even so."""
        try:
            if not self._sync:
                with storage_errors(self._path):
                    self._env.sync(True)
        finally:
            self._env.close()
            self.owners.close()
            del OPEN_HERE[self._key]

    # -- Housekeeping ------------------------------------------------------------------

    def copy(self, directory: Path) -> None:
        """Copy what is committed now, without unused pages; others go on meanwhile.

        It takes as long as it takes: call it in a thread. Raises LMDB's own errors,
        and StoreFormatError where a page is not in order: LMDB would follow it anywhere.
        """
        refuse_damage(self._path, self._env)
        self._env.copy(os.fsencode(directory), compact=True)

    def check_pages(self, key: bytes | None = None) -> None:
        """Refuse a store of which a page is not in order: call it in a thread.

        Args:
            key: Look only at the few pages on the way to this key; None: at all.

        Raises:
            StoreFormatError: It names the page.
        """
        with storage_errors(self._path):
            refuse_damage(self._path, self._env, key)

    def measures(self) -> tuple[int, int, int]:
        """How large it may become and how much of that is used, in bytes; its readers.

        Clears the slots of readers that died.
        """
        self.readers_cleared += self._env.reader_check()
        info = self._env.info()
        used = (info["last_pgno"] + 1) * self._env.stat()["psize"]
        return info["map_size"], used, info["num_readers"]

    # -- Transactions ------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Generator[Reader, None, None]:
        """A read transaction; it must be short."""
        self.files.check()
        with storage_errors(self._path), self._begin() as transaction:
            yield Reader(transaction)

    def peek(self, key: bytes) -> bytes | None:
        """What stands at one key, as quickly as can be: a few microseconds.

        It does not look whether the files are in place: whoever writes next does.
        """
        value: bytes | None
        try:
            with self._env.begin() as transaction:
                value = transaction.get(key)
        except lmdb().Error:
            with storage_errors(self._path), self._begin() as transaction:
                value = transaction.get(key)
        return value

    def _begin(self) -> Any:
        try:
            return self._env.begin()
        except lmdb().ReadersFullError:
            if not self._env.reader_check():
                raise
            return self._env.begin()
        except lmdb().BadRslotError:
            # Older versions of the library keep a spent transaction for the next, and a
            # forked child that closed the store has given back its slot.
            return self._env.begin()
        except (lmdb().PanicError, lmdb().MapResizedError) as error:
            self._note(error)
            raise

    def write(self, function: Callable[[Any], T]) -> T:
        """Call the function in a write transaction, and commit it.

        Raises:
            StorageError: It failed. Where LMDB did, nothing tells whether the commit
                counts.
        """
        self._commits += 1
        if self._commits % _CHECK_READERS_EVERY == 0:
            self._env.reader_check()
        library = lmdb()
        with storage_errors(self._path):
            try:
                with self._env.begin(write=True) as transaction:
                    # Once others have to wait: they may have kept this one waiting.
                    self.files.check()
                    return function(transaction)
            except library.Error as error:
                self._note(error)
                raise

    def _note(self, error: Exception) -> None:
        """Find out whether the environment is of use any more."""
        library = lmdb()
        if isinstance(error, library.MapResizedError):
            self.broken = True
            return
        try:
            # Of a commit that failed, the next transaction tells what it has done.
            self._env.begin().abort()
        except library.PanicError:
            self._panicked = self.broken = True
        except library.Error:
            pass  # it has its own trouble, which the next reader will be told


def _begin_data_file(path: Path) -> None:
    """Make a data file that holds nothing: whole and on the disk before it has its name.

    LMDB would write its head in place: a power cut then leaves what looks like damage.
    And a commit syncs what is in the file, not that the file has a name.
    """
    with scratch_directory(path / f"{UNFINISHED}{os.getpid()}-begins") as draft:
        # For itself alone, so that it needs no lock file.
        size, place = _SMALLEST_MAP, os.fsencode(draft)
        lmdb().open(place, map_size=size, mode=0o600, lock=False).close()
        sync_path(draft / DATA)
        with suppress(FileExistsError):  # another process was faster
            os.link(draft / DATA, path / DATA)
    sync_path(path)


def _reserve_lock_file(path: Path) -> None:
    """See that the disk has room for all of the lock file.

    LMDB makes it without, and writes into its map: where there is no room for the page
    that is written, that is no error but a signal that kills.

    Only for a store that this process has not open: closing a file lets go of all locks
    that the process has on it, LMDB's too.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # It is as large as the engine that made it wanted it.
        size = max(os.fstat(file).st_size, _LOCK_FILE)
        if os.fstat(file).st_blocks * 512 < size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
    finally:
        os.close(file)


def _check_length(path: Path, env: Any) -> None:
    """Refuse a data file whose end is missing. Raises StoreFormatError."""
    length = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if (path / DATA).stat().st_size < length:
        refuse_damage(path, env)


def refuse_damage(path: Path, env: Any, key: bytes | None = None) -> None:
    """Refuse a store of which a page is not in order; others may be writing meanwhile.

    It takes as long as it takes: a few seconds for a hundred megabytes, and next to
    nothing where only the way to one key is looked at.

    Raises:
        StoreFormatError: It names the page.
    """
    while True:
        # What this transaction could read is not used again while it lasts.
        with env.begin() as transaction, suppress(MomentGoneError):
            damage = damage_in(path / DATA, moment=transaction.id(), key=key)
            break
    if damage is not None:
        message = f"the store at {path} is damaged: {damage}; restore it from a backup"
        raise StoreFormatError(message)
