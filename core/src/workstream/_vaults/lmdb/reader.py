"""What an LMDB transaction is asked, and what its errors mean, in our words."""

from __future__ import annotations

import errno
import functools
import importlib
import logging
import os
import struct
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from ..._codec.records import decode_freeze, decode_row
from ..._protocols.vault import (
    Change,
    LineRecord,
    LogSlice,
    PlanRequest,
    PlanRow,
    StoredPlan,
    not_found,
)
from ..._values.errors import PlanCorruptError, StorageError, StoreFormatError
from ..._values.interventions import Freeze
from . import layout

log = logging.getLogger("workstream")

_NEXT_TO_NOTHING = 2**16
"""Bytes; a disk that has less is called full."""


class StoreFullError(StorageError):
    """The store has no room left in its map."""


class OutgrownError(StorageError):
    """Another process has made the store larger than this one's map."""


class Reader:
    """What the vault asks of one transaction."""

    def __init__(self, transaction: Any) -> None:
        self.transaction = transaction

    def get(self, purpose: bytes, plan_id: UUID) -> bytes | None:
        """What there is of the plan for a purpose that has one key a plan."""
        value: bytes | None = self.transaction.get(purpose + plan_id.bytes)
        return value

    def row(self, plan_id: UUID) -> PlanRow:
        """The plan's row. Raises NotFoundError."""
        data = self.get(layout.ROW, plan_id)
        if data is None:
            raise not_found(plan_id)
        return row_in(plan_id, data)

    def stored(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        row = self.row(plan_id)
        with keys_of(plan_id):
            return StoredPlan(
                row=row,
                definition=self.get(layout.DEFINITION, plan_id) or b"",
                records=tuple(layout.records_in(self.all_of(layout.RECORD, plan_id))),
                position=self.last_number(layout.LOG, plan_id),
                lines=self.line_counts(plan_id),
                requests=self.requests(plan_id),
            )

    def log(self, plan_id: UUID, after: int, limit: int) -> LogSlice:
        """See ``Vault.log``."""
        status = self.row(plan_id).status
        changes: list[tuple[int, Change]] = []
        start = layout.numbered_key(layout.LOG, plan_id, after + 1)
        with keys_of(plan_id):
            for key, entry in self.all_of(layout.LOG, plan_id, start=start):
                found = layout.changes_in(plan_id, entry)
                first = layout.number_in(key) - len(found) + 1
                if not changes and first > after + 1:
                    return LogSlice(missed=True, changes=(), status=status)
                changes += (
                    (position, change)
                    for position, change in enumerate(found, first)
                    if position > after
                )
                if len(changes) >= limit:
                    break
        return LogSlice(missed=False, changes=tuple(changes[:limit]), status=status)

    def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        self.row(plan_id)
        start = layout.line_key(plan_id, position, 0)
        found: list[LineRecord] = []
        with keys_of(plan_id):
            for key, data in self.all_of(layout.LINE, plan_id, start=start):
                place, number = layout.line_place(key)
                if place != position:
                    break
                found.append(LineRecord(position, number, data))
        return found

    def rows_of(self, ids: Collection[UUID]) -> Iterator[tuple[bytes, bytes]]:
        """The keys and values of those plans' rows that there are."""
        for plan_id in set(ids):
            data = self.get(layout.ROW, plan_id)
            if data is not None:
                yield layout.ROW + plan_id.bytes, data

    def all_of(
        self, purpose: bytes, plan_id: UUID | None = None, *, start: bytes = b""
    ) -> Iterator[tuple[bytes, bytes]]:
        """The keys and values of one purpose, of one plan or all, in order."""
        prefix = purpose if plan_id is None else purpose + plan_id.bytes
        return layout.all_under(self.transaction, prefix, start)

    def last_number(self, purpose: bytes, plan_id: UUID) -> int:
        """The number of the plan's last entry in its log, or of its last request; or 0."""
        key = self._last_before(layout.numbered_key(purpose, plan_id, 2**64 - 1), 17)
        return 0 if key is None else layout.number_in(key)

    def requests(self, plan_id: UUID) -> tuple[PlanRequest, ...]:
        """What was asked of the plan and not taken yet, in order."""
        found = self.all_of(layout.REQUEST, plan_id)
        return tuple(layout.request_at(*one) for one in found)

    def line_counts(self, plan_id: UUID) -> dict[int, int]:
        """The number of the last line of each action that has reported any."""
        counts: dict[int, int] = {}
        cursor = self.transaction.cursor()
        prefix = layout.LINE + plan_id.bytes
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            position, _ = layout.line_place(cursor.key())
            end = layout.line_key(plan_id, position, 2**64 - 1)
            last = self._last_before(end, 21)
            assert last is not None
            counts[position] = layout.line_place(last)[1]
            found = cursor.set_range(end)
        return counts

    def _last_before(self, end: bytes, shared: int) -> bytes | None:
        """The last key up to this one that shares so many bytes with it."""
        key = layout.last_up_to(self.transaction.cursor(), end)
        return key if key[:shared] == end[:shared] else None


def freeze_in(data: bytes | None) -> Freeze | None:
    """What the store says of a freeze. Raises StorageError: that is damaged."""
    try:
        return None if data is None else decode_freeze(data)
    except Exception as error:
        message = (
            f"what the store says of a freeze is damaged ({error}): nothing begins while "
            "that is not known; restore the store from a backup"
        )
        raise StorageError(message) from error


def row_in(plan_id: UUID, data: bytes) -> PlanRow:
    """The row that is stored so. Raises PlanCorruptError."""
    try:
        return decode_row(plan_id, data)
    except Exception as error:
        raise damaged(plan_id, "its row", error) from error


def row_at(key: bytes, data: bytes) -> PlanRow | None:
    """The row that stands at a key, for a list: one that is damaged is left out."""
    try:
        return row_in(UUID(bytes=key[1:]), data)
    except (ValueError, PlanCorruptError) as error:
        log.warning("left out of a list: %s", error)
        return None


def request_at(key: bytes, data: bytes) -> PlanRequest | None:
    """The request that stands at a key; one that is damaged is left out."""
    try:
        return layout.request_at(key, data)
    except (ValueError, struct.error) as error:
        log.warning("a request is left out, its key %s: %s", key.hex(), error)
        return None


@contextmanager
def keys_of(plan_id: UUID) -> Generator[None, None, None]:
    """What stands at the keys of one plan is read; it may be damaged."""
    try:
        yield
    except (ValueError, KeyError, struct.error) as error:
        raise damaged(plan_id, "what is stored of its run", error) from error


def damaged(plan_id: UUID, what: str, error: Exception) -> PlanCorruptError:
    """Something that is stored of this plan is not what was stored (R-4)."""
    message = (
        f"plan {plan_id} cannot be read, all others can: {what} is damaged "
        f"({type(error).__name__}: {error}); restore it from a backup, or delete it"
    )
    return PlanCorruptError(message, plan_id)


@functools.cache
def lmdb() -> Any:
    """LMDB itself, imported with the first store that is opened."""
    # It brings no types; as ``Any`` it says so once, here.
    return importlib.import_module("lmdb")


DAMAGED = ("InvalidError", "CorruptedError", "PageNotFoundError")
"""What LMDB raises of a file that is not in order."""
_WORDS: dict[str, tuple[type[StorageError], str]] = {
    "MapFullError": (
        StoreFullError,
        "the store at {path} is full: delete finished plans, or open it with a larger "
        "map_size",
    ),
    "MapResizedError": (
        OutgrownError,
        "the store at {path} was just made larger than this process had expected: try "
        "again",
    ),
    "ReadersFullError": (
        StorageError,
        "the store at {path} is being read by as many processes as it can take: close "
        "some that watch or read it",
    ),
    "VersionMismatchError": (
        StoreFormatError,
        "the store at {path} is of another version of LMDB: {error}",
    ),
    "ReadonlyError": (
        StorageError,
        "the store at {path} cannot be written: it is read-only",
    ),
    **dict.fromkeys(
        DAMAGED,
        (
            StoreFormatError,
            "the store at {path} is damaged: {error}; restore it from a backup",
        ),
    ),
}
"""What LMDB raises, what that is here, and what is said of the store then."""

_NO_ROOM = {
    errno.ENOSPC: "the disk of the store at {path} is full: make room on it",
    errno.EDQUOT: "the disk quota of who owns the store at {path} is used up: make room, "
    "or have it raised",
    errno.EFBIG: "the data file of the store at {path} may not become larger: delete "
    "finished plans, or raise the limit (ulimit -f)",
}
"""What keeps a store from growing, and what to do."""
_BROKEN_OFF = {
    (
        os.strerror(errno.EINTR),
    ): "the store at {path} could not be written, as a signal "
    "came in between, and whether the last change is in it is not known, while all "
    "before it is: resume what broke off, or try again",
    (
        os.strerror(errno.EIO),
        os.strerror(errno.EROFS),
        "MDB_PANIC",
    ): "the store at {path} could not be written, and whether the last change is in it "
    "is not known, while all before it is: see whether its disk fails or is full",
}
"""What breaks off a write, by what is said of it, and what to do."""


@contextmanager
def storage_errors(path: Path) -> Generator[None, None, None]:
    """Say in our words what LMDB and the system say in theirs, and what to do."""
    try:
        yield
    except (lmdb().Error, OSError) as error:
        known = _WORDS.get(type(error).__name__)
        if known is None:
            message = _failure(path, str(error))
            raise StorageError(message.format(path=path, error=error)) from error
        cls, words = known
        raise cls(words.format(path=path, error=error)) from error


def _failure(path: Path, reason: str) -> str:
    """What the system, or the disk, did to a store."""
    for number, words in _NO_ROOM.items():
        if os.strerror(number) in reason or (number == errno.ENOSPC and _is_full(path)):
            return words + "; what was stored is safe ({error})"
    for signs, words in _BROKEN_OFF.items():
        if any(sign in reason for sign in signs):
            return words + " ({error})"
    return "the store at {path} failed: {error}"


def _is_full(path: Path) -> bool:
    """Whether the disk has no room left: LMDB says of that "input/output error"."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _NEXT_TO_NOTHING
