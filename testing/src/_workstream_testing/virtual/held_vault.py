"""A vault under a fake clock: time stands still while the store works in a thread."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from workstream._plan.outcome import Outcome
from workstream._protocols.searching import ANY_PLAN, Where
from workstream._protocols.vault import (
    LineRecord,
    LogSlice,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Vault,
    Write,
)
from workstream._values.errors import StorageError
from workstream._values.interventions import Freeze
from workstream._values.state import Status

from .virtual_time import FakeClock


class HeldVault:
    """Passes every call on to a vault, and holds the clock until it is answered.

    To trio, a task that waits for a thread is idle, and a clock that jumps whenever all
    tasks are idle would run away from a store that works in threads. Other tasks must
    find, too, that a write took no time. So hand an engine the store like this::

        open_workstream(HeldVault(LmdbVault(path), clock), now=clock.now)
    """

    def __init__(self, vault: Vault, clock: FakeClock) -> None:
        """Wrap a vault that is not open yet."""
        self._vault = vault
        self._clock = clock

    @property
    def shared(self) -> bool:
        """See ``Vault.shared``."""
        return self._vault.shared

    async def open(self) -> None:
        """See ``Vault.open``."""
        with self._clock.held():
            await self._vault.open()

    async def close(self) -> None:
        """See ``Vault.close``."""
        with self._clock.held():
            await self._vault.close()

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """See ``Vault.create``."""
        with self._clock.held():
            await self._vault.create(row, definition, labels)

    async def read(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        with self._clock.held():
            return await self._vault.read(plan_id)

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        with self._clock.held():
            return await self._vault.row(plan_id)

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        with self._clock.held():
            return await self._vault.exists(plan_id)

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """See ``Vault.write``."""
        with self._clock.held():
            return await self._vault.write(writes)

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        where: Where = ANY_PLAN,
        limit: int = 0,
    ) -> list[PlanRow]:
        """See ``Vault.search``."""
        with self._clock.held():
            return await self._vault.search(
                ids=ids,
                group_ids=group_ids,
                statuses=statuses,
                where=where,
                limit=limit,
            )

    async def counts(self) -> Mapping[Outcome, int]:
        """See ``Vault.counts``."""
        with self._clock.held():
            return await self._vault.counts()

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``."""
        with self._clock.held():
            await self._vault.delete(plan_id)

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``."""
        with self._clock.held():
            return await self._vault.log(plan_id, after, limit)

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        with self._clock.held():
            return await self._vault.lines(plan_id, position)

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """See ``Vault.ask``."""
        with self._clock.held():
            return await self._vault.ask(request, if_not_started)

    async def requests(self) -> Sequence[PlanRequest]:
        """See ``Vault.requests``."""
        with self._clock.held():
            return await self._vault.requests()

    def freeze(self) -> Freeze | None:
        """See ``Vault.freeze``."""
        return self._vault.freeze()

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        with self._clock.held():
            return await self._vault.set_freeze(freeze, expect)

    async def claim(self, plan_id: UUID) -> bool:
        """See ``Vault.claim``."""
        with self._clock.held():
            return await self._vault.claim(plan_id)

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        with self._clock.held():
            await self._vault.release(plan_id)

    async def owner(self, plan_id: UUID) -> int | str | None:
        """See ``Vault.owner``."""
        with self._clock.held():
            return await self._vault.owner(plan_id)
