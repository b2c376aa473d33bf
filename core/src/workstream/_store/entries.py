"""A plan in a list: what is stored of it at a glance, and who runs it."""

from __future__ import annotations

from uuid import UUID

import attrs

from .._protocols.vault import PlanRow, Vault
from .._values.state import Status


@attrs.frozen
class PlanEntry:
    """One plan of a store, at one moment.

    Attributes:
        row: Its own state.
        owner: The process that runs it; None: nobody, or it does not run.
    """

    row: PlanRow
    owner: int | None = None

    @property
    def crashed(self) -> bool:
        """Whether the store says that it runs, while no process does (R-1)."""
        return self.row.status is Status.RUNNING and self.owner is None


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
