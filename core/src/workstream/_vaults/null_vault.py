"""A vault that keeps nothing: to measure what storing costs (STO-9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NoReturn
from uuid import UUID

from .._protocols.vault import PlanRow, Write
from .._values.errors import StorageError
from .memory_vault import MemoryVault


class NullVault(MemoryVault):
    """Accepts every write and drops it; every read raises StorageError (STO-9).

    Claims are kept, within the object.
    """

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """Accept the plan and drop it."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Accept the changes and drop them."""
        return [None] * len(writes)

    async def delete(self, plan_id: UUID) -> None:
        """Nothing is kept, so nothing has to go."""

    async def exists(self, plan_id: UUID) -> bool:
        """Always raises StorageError."""
        self._stored(plan_id)

    async def search(self, **kinds: Any) -> NoReturn:
        """Always raises StorageError."""
        self._stored(None)

    async def counts(self) -> NoReturn:
        """Always raises StorageError."""
        self._stored(None)

    async def requests(self) -> NoReturn:
        """Always raises StorageError."""
        self._stored(None)

    def _stored(self, plan_id: UUID | None) -> NoReturn:
        message = "the null vault keeps nothing, so there is nothing to read"
        raise StorageError(message)
