"""A vault whose calls fail when they are told to: what does a plan do then?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar
from uuid import UUID

import attrs

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

T = TypeVar("T")

VaultCall: TypeAlias = Literal[
    "open",
    "close",
    "create",
    "read",
    "row",
    "exists",
    "write",
    "search",
    "counts",
    "delete",
    "log",
    "lines",
    "ask",
    "requests",
    "set_freeze",
    "claim",
    "release",
    "owner",
]
"""What can be made to fail; see ``Vault``."""


@attrs.define
class _Fault:
    call: VaultCall | None
    plan_id: UUID | None
    skip: int
    left: int | None
    lose_answer: bool

    def strikes(self, call: VaultCall, plan_id: UUID | None) -> bool:
        """Whether this call fails; it is counted then."""
        if self.call not in (None, call) or self.plan_id not in (None, plan_id):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            if not self.left:
                return False
            self.left -= 1
        return True


class FaultyVault:
    """Passes every call on to a vault, but for those that are to fail.

    ::

        vault = FaultyVault(MemoryVault())
        async with open_workstream(vault) as ws:
            plan_id = await ws.submit(plan)
            vault.fail("write", plan_id=plan_id, skip=3)
            await ws.start(plan_id)
            with pytest.raises(StorageError):
                await ws.wait(plan_id)    # the run broke off
            await ws.resume(plan_id)      # and goes on
            await ws.wait(plan_id)

    Attributes:
        calls: How often each call was made, failed ones included.
    """

    def __init__(self, vault: Vault) -> None:
        """Wrap a vault; nothing fails yet."""
        self.calls: Counter[VaultCall] = Counter()
        self._vault = vault
        self._faults: list[_Fault] = []

    @property
    def shared(self) -> bool:
        """See ``Vault.shared``."""
        return self._vault.shared

    def fail(
        self,
        call: VaultCall | None = None,
        *,
        plan_id: UUID | None = None,
        skip: int = 0,
        times: int | None = 1,
        lose_answer: bool = False,
    ) -> None:
        """Let calls fail with a ``StorageError``, as a disk may let them fail.

        Args:
            call: Which one; None: any.
            plan_id: Only for this plan; of ``write``, only this plan's ones fail. None:
                for any plan, and calls that are of no single plan.
            skip: How many such calls succeed before.
            times: How many fail then; None: all.
            lose_answer: Whether what was asked is done all the same: only the answer is
                lost, as after a sync that failed.
        """
        self._faults.append(_Fault(call, plan_id, skip, times, lose_answer))

    def heal(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    async def _pass(
        self,
        call: VaultCall,
        plan_id: UUID | None,
        function: Callable[[], Awaitable[T]],
    ) -> T:
        self.calls[call] += 1
        fault = self._fault(call, plan_id)
        if fault is None:
            return await function()
        if fault.lose_answer:
            await function()
        raise _failure(call)

    def _fault(self, call: VaultCall, plan_id: UUID | None) -> _Fault | None:
        # Each one counts each call, so that none depends on the others.
        striking = [fault for fault in self._faults if fault.strikes(call, plan_id)]
        return striking[0] if striking else None

    async def open(self) -> None:
        """See ``Vault.open``."""
        await self._pass("open", None, self._vault.open)

    async def close(self) -> None:
        """See ``Vault.close``: it is closed, also when that fails."""
        call: VaultCall = "close"
        self.calls[call] += 1
        await self._vault.close()
        if self._fault(call, None) is not None:
            raise _failure(call)

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """See ``Vault.create``."""
        await self._pass(
            "create", row.id, lambda: self._vault.create(row, definition, labels)
        )

    async def read(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        return await self._pass("read", plan_id, lambda: self._vault.read(plan_id))

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        return await self._pass("row", plan_id, lambda: self._vault.row(plan_id))

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        return await self._pass("exists", plan_id, lambda: self._vault.exists(plan_id))

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """See ``Vault.write``: each write fails or not by itself."""
        self.calls["write"] += 1
        faults = [self._fault("write", write.plan_id) for write in writes]
        done = [
            write
            for write, fault in zip(writes, faults, strict=True)
            if fault is None or fault.lose_answer
        ]
        answers = iter(await self._vault.write(done))
        return [
            next(answers)
            if fault is None
            else _lost(next(answers))
            if fault.lose_answer
            else _failure("write")
            for fault in faults
        ]

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
        return await self._pass(
            "search",
            None,
            lambda: self._vault.search(
                ids=ids,
                group_ids=group_ids,
                statuses=statuses,
                where=where,
                limit=limit,
            ),
        )

    async def counts(self) -> Mapping[Outcome, int]:
        """See ``Vault.counts``."""
        return await self._pass("counts", None, self._vault.counts)

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``."""
        await self._pass("delete", plan_id, lambda: self._vault.delete(plan_id))

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``."""
        return await self._pass(
            "log", plan_id, lambda: self._vault.log(plan_id, after, limit)
        )

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        return await self._pass(
            "lines", plan_id, lambda: self._vault.lines(plan_id, position)
        )

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """See ``Vault.ask``."""
        return await self._pass(
            "ask", request.plan_id, lambda: self._vault.ask(request, if_not_started)
        )

    async def requests(self) -> Sequence[PlanRequest]:
        """See ``Vault.requests``."""
        return await self._pass("requests", None, self._vault.requests)

    def freeze(self) -> Freeze | None:
        """See ``Vault.freeze``; it never fails."""
        return self._vault.freeze()

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        return await self._pass(
            "set_freeze", None, lambda: self._vault.set_freeze(freeze, expect)
        )

    async def claim(self, plan_id: UUID) -> bool:
        """See ``Vault.claim``."""
        return await self._pass("claim", plan_id, lambda: self._vault.claim(plan_id))

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        await self._pass("release", plan_id, lambda: self._vault.release(plan_id))

    async def owner(self, plan_id: UUID) -> int | str | None:
        """See ``Vault.owner``."""
        return await self._pass("owner", plan_id, lambda: self._vault.owner(plan_id))


def _failure(call: VaultCall) -> StorageError:
    return StorageError(f"{call} failed: input/output error (by a FaultyVault)")


def _lost(answer: StorageError | None) -> StorageError:
    return _failure("write") if answer is None else answer
