"""The conformance kit accepts a vault that is right and refuses one that is not."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Unpack
from uuid import UUID

import attrs
import pytest
import trio
from quickly import one_in

from _workstream_testing.kits import vault_kit, vault_plans
from _workstream_testing.kits.vault_kit import CHECKS, check_vault
from workstream._plan.outcome import Outcome
from workstream._protocols.searching import ANY_PLAN, Wanted, Where
from workstream._protocols.vault import (
    Change,
    LineRecord,
    LogSlice,
    NodeRecord,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Write,
)
from workstream._values.errors import StorageError
from workstream._values.state import Status
from workstream._vaults.memory_vault import MemoryVault
from workstream._vaults.null_vault import NullVault


class Forgetful(MemoryVault):
    """Loses what it stored when it is closed."""

    async def close(self) -> None:
        await super().close()
        self._plans.clear()


class Overwriting(MemoryVault):
    """Takes a second plan of one id."""

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        self._plans.pop(row.id, None)
        await super().create(row, definition, labels)


class Careless(MemoryVault):
    """Does not look at what a writer expects."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        return await super().write([attrs.evolve(w, expect=None) for w in writes])


class AllOrNone(MemoryVault):
    """Lets one plan's trouble break the others'."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        before = self.snapshot()._plans
        answers = await super().write(writes)
        error = next((answer for answer in answers if answer), None)
        if error is not None and len(writes) > 1:
            self._plans = before
            return [error] * len(writes)
        return answers


class Rounding(MemoryVault):
    """Keeps times to the second."""

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        if row.submitted is not None:
            row = attrs.evolve(row, submitted=row.submitted.replace(microsecond=0))
        await super().create(row, definition, labels)


class Unordered(MemoryVault):
    """Lists the oldest first."""

    async def search(self, **wanted: Unpack[Wanted]) -> list[PlanRow]:
        found = await super().search(**wanted)
        return found[::-1]


class Literal(MemoryVault):
    """Tells capitals from small letters."""

    async def search(self, *, where: Where = ANY_PLAN, **others: Any) -> list[PlanRow]:
        found = await super().search(where=where, **others)
        return [row for row in found if where.name in row.name]


class Coarse(MemoryVault):
    """Counts by status."""

    async def counts(self) -> dict[Outcome, int]:
        found = await super().counts()
        tolerated = found.pop(Outcome.COMPLETED_WITH_FAILURES, 0)
        return {**found, Outcome.COMPLETED: found[Outcome.COMPLETED] + tolerated}


class Unlabelled(MemoryVault):
    """Keeps no labels."""

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        await super().create(row, definition)


class Keeping(MemoryVault):
    """Keeps the attempts of an action that was reset."""

    async def read(self, plan_id: UUID) -> StoredPlan:
        stored = await super().read(plan_id)
        log = await self.log(plan_id, 0, 10**6)
        ever: dict[tuple[int, int], NodeRecord] = {}
        for _, change in log.changes:
            if isinstance(change, NodeRecord):
                ever[change.position, change.attempt] = change
        records = tuple(record for _, record in sorted(ever.items()))
        return attrs.evolve(stored, records=records)


class Murderous(MemoryVault):
    """Deletes a plan that is running."""

    async def delete(self, plan_id: UUID) -> None:
        await self.row(plan_id)
        del self._plans[plan_id]


class Deaf(MemoryVault):
    """Forgets what was asked of a running plan."""

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        found = (await self.row(request.plan_id)).status
        if found is Status.RUNNING:
            return found
        return await super().ask(request, if_not_started)


class Nagging(MemoryVault):
    """Keeps the requests of a plan that has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._ever: dict[PlanRequest, None] = {}

    async def requests(self) -> list[PlanRequest]:
        self._ever |= dict.fromkeys(await super().requests())
        return list(self._ever)


class Silent(MemoryVault):
    """Does not say that changes were missed."""

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        return attrs.evolve(await super().log(plan_id, after, limit), missed=False)


class Unlimited(MemoryVault):
    """Gives more of the log than was asked for."""

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        return await super().log(plan_id, after, 10**6)


class Terse(MemoryVault):
    """Keeps the first lines alone."""

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        return (await super().lines(plan_id, position))[:100]


class Generous(MemoryVault):
    """Gives a claim to everybody."""

    async def claim(self, plan_id: UUID) -> bool:
        await super().claim(plan_id)
        return True


class Unlocked(MemoryVault):
    """Gives a lock to everybody."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        return await super().write(
            [
                attrs.evolve(write, changes=tuple(map(self._without, write.changes)))
                for write in writes
            ]
        )

    def _without(self, change: Change) -> Change:
        if isinstance(change, PlanRow) and change.status is Status.RUNNING:
            return attrs.evolve(change, locks=())
        return change


BROKEN: dict[Callable[[], MemoryVault], str] = {
    Forgetful: "is durable",
    Overwriting: "refuses to create twice",
    Careless: "compares before it writes",
    Unlocked: "lets one running plan hold a lock",
    AllOrNone: "keeps writes of different plans apart",
    Rounding: "keeps what was created",
    Unordered: "finds plans",
    Literal: "finds a name",
    Coarse: "finds outcomes and times",
    Unlabelled: "finds labels and ids",
    Keeping: "resets an action",
    Murderous: "deletes all of a plan",
    Deaf: "is durable",
    Nagging: "removes what was taken",
    Silent: "bounds the log",
    Unlimited: "logs changes in order",
    Terse: "keeps first and last lines",
    Generous: "lets one own a plan",
}


@pytest.mark.parametrize(
    ("vault", "demand"), one_in(6, BROKEN.items()), ids=[v.__name__ for v in BROKEN]
)
def test_a_broken_vault_is_found_out(
    vault: Callable[[], MemoryVault], demand: str
) -> None:
    """The error is an AssertionError that names the demand which is not met."""
    with pytest.raises(AssertionError, match=f"a vault {demand}: ."):
        trio.run(check_vault, vault)


def test_a_vault_that_keeps_nothing_is_no_vault() -> None:
    """The null vault is for measuring; it does not keep the contract (STO-9)."""
    with pytest.raises(AssertionError, match="keeps nothing"):
        trio.run(check_vault, NullVault)


def test_every_demand_is_made() -> None:
    """A demand that is written is also in the list, and says what it comes from."""
    written = [
        function
        for module in (vault_kit, vault_plans)
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if name.startswith("_")
        and list(inspect.signature(function).parameters) == ["vault"]
    ]
    assert set(written) == set(CHECKS)
    for check in CHECKS:
        assert check.__doc__
        assert len(re.findall(r"\w+", check.__doc__)) > 1
