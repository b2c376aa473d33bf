"""What an LMDB transaction is asked, and what its errors mean, in our words."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from . import _lmdb_layout as layout
from ._errors import PlanCorruptError, StorageError, StoreFormatError
from ._records import decode_row
from ._vault import PlanRow, not_found

__all__ = ["Reader", "lmdb", "row_in", "storage_errors"]


class Reader:
    """What the vault asks of one transaction."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction

    def get(self, purpose: bytes, plan_id: UUID) -> bytes | None:
        """What there is of the plan for a purpose that has one key a plan."""
        value: bytes | None = self._transaction.get(purpose + plan_id.bytes)
        return value

    def row(self, plan_id: UUID) -> PlanRow:
        """The plan's row. Raises NotFoundError."""
        data = self.get(layout.ROW, plan_id)
        if data is None:
            raise not_found(plan_id)
        return row_in(plan_id, data)

    def rows_of(self, ids: Collection[UUID]) -> Iterator[tuple[bytes, bytes]]:
        """The keys and values of those plans' rows that there are."""
        for plan_id in set(ids):
            data = self.get(layout.ROW, plan_id)
            if data is not None:
                yield layout.ROW + plan_id.bytes, data

    def all_of(
        self, purpose: bytes, plan_id: UUID | None = None, *, start: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """The keys and values of one purpose, of one plan or all, in order."""
        prefix = purpose if plan_id is None else purpose + plan_id.bytes
        cursor = self._transaction.cursor()
        if cursor.set_range(start or prefix):
            for key, value in cursor:
                if not key.startswith(prefix):
                    return
                yield key, value

    def log_position(self, plan_id: UUID) -> int:
        """The position of the plan's latest change; 0 before the first."""
        key = self._last_before(layout.log_key(plan_id, 2**64 - 1), 17)
        return 0 if key is None else layout.log_position(key)

    def line_counts(self, plan_id: UUID) -> dict[int, int]:
        """The number of the last line of each action that has reported any."""
        counts: dict[int, int] = {}
        cursor = self._transaction.cursor()
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
        """The last key before this one that shares so many bytes with it."""
        cursor = self._transaction.cursor()
        found = cursor.prev() if cursor.set_range(end) else cursor.last()
        key: bytes = cursor.key()
        return key if found and key[:shared] == end[:shared] else None


def row_in(plan_id: UUID, data: bytes) -> PlanRow:
    """The row that is stored so. Raises PlanCorruptError."""
    try:
        return decode_row(plan_id, data)
    except Exception as error:
        message = f"plan {plan_id} cannot be read, all others can: its row: {error}"
        raise PlanCorruptError(message, plan_id) from error


def lmdb() -> Any:
    """LMDB itself, imported with the first store that is opened."""
    # It brings no types; as ``Any`` it says so once, here.
    return importlib.import_module("lmdb")


@contextmanager
def storage_errors(path: Path) -> Generator[None, None, None]:
    """Say in our words what LMDB and the system say in theirs."""
    library = lmdb()
    try:
        yield
    except library.MapFullError as error:
        message = (
            f"the store at {path} is full: delete finished plans, or open it with a "
            "larger map_size"
        )
        raise StorageError(message) from error
    except (
        library.InvalidError,
        library.CorruptedError,
        library.PageNotFoundError,
    ) as error:
        message = f"the store at {path} is damaged: {error}; restore it from a backup"
        raise StoreFormatError(message) from error
    except library.VersionMismatchError as error:
        message = f"the store at {path} is of another version of LMDB: {error}"
        raise StoreFormatError(message) from error
    except library.ReadonlyError as error:
        message = f"the store at {path} cannot be written: it is read-only"
        raise StorageError(message) from error
    except (library.Error, OSError) as error:
        message = f"the store at {path} failed: {error}"
        raise StorageError(message) from error
