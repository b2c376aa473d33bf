"""A plan and what came of it: its retries, and the plans that take it back (RT-3)."""

from __future__ import annotations

from uuid import UUID

import attrs

from .._codec.codec import Codec
from .._protocols.vault import PlanRow, Vault
from .._values.errors import NotFoundError

_LOOKED_AT = 200
"""How many plans of a group are looked at: a group may hold plans that are no kin."""


@attrs.frozen
class Kin:
    """A plan that was made from another one.

    Attributes:
        row: The plan.
        retry_of: The plan whose rest it does.
        undo_of: The plan that it takes back.
    """

    row: PlanRow
    retry_of: UUID | None
    undo_of: UUID | None


async def descendants(vault: Vault, row: PlanRow) -> list[Kin]:
    """The plans that were made from this one, newest first (RT-3).

    Args:
        vault: The store, open.
        row: The plan.
    """
    group = row.group_id or row.id
    found: list[Kin] = []
    for each in await vault.search(group_ids=[group], limit=_LOOKED_AT):
        if each.id == row.id:
            continue
        try:
            stored = await vault.read(each.id)
        except NotFoundError:
            continue  # deleted in the meantime
        retry_of, undo_of = Codec.lineage(stored.definition)
        if row.id in (retry_of, undo_of):
            found.append(Kin(stored.row, retry_of, undo_of))
    return found
