"""A plan in a list: what is stored of it at a glance, and who runs it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import attrs

from .._protocols.searching import ANY_PLAN, Where
from .._protocols.vault import Owner, PlanRow, Vault
from .._values.state import Status


@attrs.frozen
class PlanEntry:
    """One plan of a store, at one moment.

    Attributes:
        row: Its own state.
        owner: Who runs it; None: nobody, or it does not run.
    """

    row: PlanRow
    owner: Owner | None = None

    @property
    def crashed(self) -> bool:
        """Whether the store says that it runs, while no process does (R-1)."""
        return self.row.status is Status.RUNNING and self.owner is None

    def fits(self, *, crashed: bool | None) -> bool:
        """Whether it has crashed as asked, if it says that it runs; None: either way."""
        runs = self.row.status is Status.RUNNING
        return not runs or crashed in (None, self.crashed)


async def entry_of(
    vault: Vault, plan_id: UUID, row: PlanRow | None = None
) -> PlanEntry:
    """Look at a plan so that ``crashed`` is sure.

    Args:
        vault: The store, open.
        plan_id: The plan.
        row: What was just read of it, if anything was.

    Raises:
        NotFoundError: No such plan.
    """
    row = row or await vault.row(plan_id)
    if row.status is not Status.RUNNING:
        return PlanEntry(row)
    owner = await vault.owner(plan_id)
    if owner is None:
        # It ran before and it runs after: so it ran when nobody owned it.
        row = await vault.row(plan_id)
    return PlanEntry(row, owner)


async def entries_in(
    vault: Vault,
    *,
    group_ids: Collection[UUID] | None = None,
    statuses: Collection[Status] | None = None,
    crashed: bool | None = None,
    where: Where = ANY_PLAN,
    limit: int = 0,
) -> list[PlanEntry]:
    """The plans with who runs them, newest first; see ``Store.entries``."""
    found: list[PlanEntry] = []
    rows = await vault.search(
        group_ids=group_ids,
        statuses=statuses,
        where=where,
        limit=limit if crashed is None else 0,
    )
    for row in rows:
        entry = await entry_of(vault, row.id, row)
        if entry.fits(crashed=crashed):
            found.append(entry)
        if len(found) == limit > 0:
            break
    return found
