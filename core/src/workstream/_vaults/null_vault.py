"""A vault that keeps nothing: to measure what storing costs (STO-9)."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import NoReturn
from uuid import UUID

from .._protocols.vault import (
    LineRecord,
    LogSlice,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Write,
)
from .._values.errors import StorageError
from .._values.state import Status


class NullVault:
    """Accepts every write and drops it; every read raises StorageError (STO-9)."""

    def __init__(self) -> None:
        self._claims: set[UUID] = set()

    @property
    def shared(self) -> bool:
        """See ``Vault.shared``."""
        return False

    async def open(self) -> None:
        """Nothing to make ready."""

    async def close(self) -> None:
        """Let go of the claims."""
        self._claims.clear()

    async def create(self, row: PlanRow, definition: bytes) -> None:
        """Accept the plan and drop it."""

    async def read(self, plan_id: UUID) -> StoredPlan:
        """Always raises StorageError."""
        _keeps_nothing()

    async def row(self, plan_id: UUID) -> PlanRow:
        """Always raises StorageError."""
        _keeps_nothing()

    async def exists(self, plan_id: UUID) -> bool:
        """Always raises StorageError."""
        _keeps_nothing()

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Accept the changes and drop them."""
        return [None] * len(writes)

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        limit: int = 0,
    ) -> list[PlanRow]:
        """Always raises StorageError."""
        _keeps_nothing()

    async def delete(self, plan_id: UUID) -> None:
        """Nothing is kept, so nothing has to go."""

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """Always raises StorageError."""
        _keeps_nothing()

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """Always raises StorageError."""
        _keeps_nothing()

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """Always raises StorageError: it would have to look at the plan."""
        _keeps_nothing()

    async def requests(self) -> list[PlanRequest]:
        """Always raises StorageError."""
        _keeps_nothing()

    async def claim(self, plan_id: UUID) -> bool:
        """See ``Vault.claim``: within this object claims are kept."""
        if plan_id in self._claims:
            return False
        self._claims.add(plan_id)
        return True

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        self._claims.discard(plan_id)

    async def owner(self, plan_id: UUID) -> int | None:
        """See ``Vault.owner``."""
        return os.getpid() if plan_id in self._claims else None


def _keeps_nothing() -> NoReturn:
    message = "the null vault keeps nothing, so there is nothing to read"
    raise StorageError(message)
