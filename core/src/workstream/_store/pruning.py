"""Removing plans that ended long ago, without getting in anybody's way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from datetime import datetime

import trio

from .._protocols.searching import Where
from .._protocols.vault import PlanRow, Vault
from .._values.errors import NotFoundError
from .._values.state import Status

ENDED = (Status.COMPLETED, Status.FAILED, Status.STOPPED)
"""What is pruned unless something else is asked for."""


async def prunable(
    vault: Vault, before: datetime, statuses: Collection[Status]
) -> list[PlanRow]:
    """The plans that would be removed, the oldest first.

    Args:
        vault: The store, open.
        before: Those that ended, or were never started and were submitted, before.
        statuses: The statuses that are meant.

    Raises:
        ValueError: RUNNING is among the statuses (STO-5).
    """
    if Status.RUNNING in statuses:
        message = "a RUNNING plan is never pruned: stop it, or resume what crashed"
        raise ValueError(message)
    # What ended before was submitted before. A clock may have been set back between:
    # such a plan waits until its submission is as old.
    found = await vault.search(statuses=statuses, where=Where(until=before))
    return [row for row in reversed(found) if _is_due(row, before, statuses)]


async def pruned(
    vault: Vault, before: datetime, statuses: Collection[Status]
) -> AsyncGenerator[PlanRow]:
    """Remove those plans one by one; each is yielded once it is gone.

    Each is a transaction of its own, so that those who write meanwhile wait little. A
    plan that is started or deleted meanwhile is left alone.
    """
    for row in await prunable(vault, before, statuses):
        gone = False
        with trio.CancelScope(shield=True):
            gone = await _remove(vault, row, before, statuses)
        if gone:
            yield row
        await trio.lowlevel.checkpoint()


async def _remove(
    vault: Vault, row: PlanRow, before: datetime, statuses: Collection[Status]
) -> bool:
    # While it is claimed nobody can start it.
    if not await vault.claim(row.id):
        return False
    try:
        if not _is_due(await vault.row(row.id), before, statuses):
            return False
        await vault.delete(row.id)
    except NotFoundError:
        return False
    finally:
        await vault.release(row.id)
    return True


def _is_due(row: PlanRow, before: datetime, statuses: Collection[Status]) -> bool:
    since = row.ended or row.submitted
    return row.status in statuses and since is not None and since < before
