"""Locks: of one store, only one plan that is RUNNING holds a name (LK-1).

Which locks a plan wants stands in its row, and it holds them while the row says RUNNING.
So whoever takes one asks the vault, in the transaction that makes the plan RUNNING, and
nobody has to give one back. Who waits, the store tells too: a plan that is NOT_STARTED
and claimed. So those who wait in several processes go in one order, that in which they
were submitted, and a process that dies waits no more.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import trio

from .._plan.plan import Plan
from .._protocols.vault import Owner, PlanRow, Vault, owner_text
from .._store.ids import short_id
from .._values.display import display
from .._values.errors import (
    ConflictError,
    LockedError,
    LockTakenError,
    NotFoundError,
)
from .._values.state import Status

log = logging.getLogger("workstream")

LOOK_FOR_LOCKS = 0.5
"""Seconds between two tries of a plan that waits for a lock."""


async def locked(vault: Vault, row: PlanRow, taken: LockTakenError) -> LockedError:
    """The error for a plan whose lock another one holds.

    Args:
        vault: The store.
        row: The plan that wants it.
        taken: What the vault said.
    """
    owner = await vault.owner(taken.holder)
    try:
        holder = await vault.row(taken.holder)
    except NotFoundError:  # it has ended and was deleted since
        return _error(row, taken.lock, None, taken.holder, owner)
    return _error(row, taken.lock, holder, taken.holder, owner)


def _error(
    row: PlanRow,
    lock: str,
    holder: PlanRow | None,
    holder_id: UUID,
    owner: Owner | None,
) -> LockedError:
    by = f"held by plan {short_id(holder_id)}, which has just ended"
    if holder is not None:
        by = _held_by(holder, owner)
    message = (
        f"plan {display(row.name)!r} ({short_id(row.id)}) needs the lock "
        f"{display(lock)!r}, {by}"
    )
    return LockedError(message, row.id, lock=lock, holder=holder_id, owner=owner)


def _held_by(holder: PlanRow, owner: Owner | None) -> str:
    """By whom a lock is held, and in which state that plan is."""
    if holder.status.is_terminal:
        state = "which has just ended"
    elif owner is None:
        state = "which has crashed: no process runs it; resume it"
    elif holder.status is Status.NOT_STARTED:
        state = f"which waits before it, in {owner_text(owner)}"
    else:
        stopping = " and is stopping" if holder.stopping else ""
        state = f"which {owner_text(owner)} runs{stopping}"
    return f"held by plan {display(holder.name)!r} ({short_id(holder.id)}), {state}"


async def refuse_behind(vault: Vault, plan_id: UUID) -> None:
    """Raise LockedError while a plan that was submitted earlier waits for one lock."""
    row = await vault.row(plan_id)
    if not row.locks or row.status is not Status.NOT_STARTED:
        return
    waiting = await vault.search(statuses=[Status.NOT_STARTED])
    for other in reversed(waiting):  # the oldest first
        if other.id == plan_id:
            return
        both = set(row.locks).intersection(other.locks)
        owner = await vault.owner(other.id) if both else None
        if owner is not None:
            raise _error(row, min(both), other, other.id, owner)


async def begin_unlocked(
    vault: Vault,
    plan_id: UUID,
    begin: Callable[[], Awaitable[None]],
    *,
    waits: bool,
    on_wait: Callable[[LockedError], None] | None,
    claim: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Begin a plan's run, perhaps once nobody holds its locks any more (LK-1).

    Args:
        vault: The store.
        plan_id: The plan.
        begin: Tries to. It raises LockedError where a lock is held, and ConflictError
            where somebody told the plan something meanwhile, perhaps to stop (SP-1).
        waits: Whether to wait. Only between two tries it can be cancelled.
        on_wait: Is told for which lock it waits, each time that its holder changes.
        claim: Says that it waits, before each look; None: the store says so already.
    """
    told: UUID | None = None
    while True:
        with trio.CancelScope(shield=True):
            try:
                if waits:
                    if claim is not None:
                        await claim()
                    await refuse_behind(vault, plan_id)
                with suppress(ConflictError):
                    await begin()
                    return
                continue
            except LockedError as error:
                if not waits:
                    raise
                if told != error.holder:
                    log.info("waiting: %s", error)
                    if on_wait is not None:
                        on_wait(error)
                told = error.holder
        await trio.sleep(LOOK_FOR_LOCKS)


async def lock_held(vault: Vault, plan: Plan) -> str | None:
    """Who holds a lock that a plan wants; None: nobody.

    Args:
        vault: The store.
        plan: The plan, not submitted yet.
    """
    if not plan.locks:
        return None
    for row in await vault.search(statuses=[Status.RUNNING]):
        both = set(plan.locks).intersection(row.locks)
        if both:
            owner = await vault.owner(row.id)
            return f"the lock {display(min(both))!r} is {_held_by(row, owner)}"
    return None
