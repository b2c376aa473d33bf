"""The plans that follow from one that has ended, and whether they may (RT-3, UN-5)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import trio

from .._codec.codec import Codec
from .._plan.plan import Plan
from .._plan.sequels.retry import From, remainder
from .._plan.sequels.undo import UndoPlan, undo_plan
from .._protocols.vault import PlanRow, Vault, owner_text
from .._store.entries import PlanEntry
from .._store.family import Kin
from .._store.ids import short_id
from .._values.display import shorten
from .._values.errors import NotFoundError, RetryError, UndoError
from .._values.state import Status

log = logging.getLogger("workstream")

_SHOWN = 3


def rest_of(
    entry: PlanEntry,
    kin: Sequence[Kin],
    plan: Plan,
    *,
    from_: From = "sequence",
    only: Collection[str] = (),
    skip: Collection[str] = (),
    again: bool = False,
    reason: str = "",
) -> Plan:
    """What a plan that has ended left undone, as a plan; see ``Workstream.rest``.

    Args:
        entry: The plan at a glance.
        kin: What was made from it, newest first.
        plan: The plan.
        from_: See ``remaining``; ``only`` and ``skip`` too.
        only: Paths of what alone is done.
        skip: Paths of what is not done.
        again: Also of a plan that was retried already.
        reason: Why: the description of the new plan.

    Raises:
        RetryError: It has not ended, was retried already, or nothing is left.
        PathError: A path names no block or sequence, or several.
    """
    why = _why_not(
        entry,
        [] if again else [each.row for each in kin if each.retry_of == plan.id],
        not_started="there is nothing to retry; run it",
        running="wait until it ends, or stop it",
        already=("retried", "for what it left out on purpose, retry this one again"),
    )
    if why is not None:
        raise RetryError(why, entry.row.id)
    found = remainder(plan, from_=from_, only=only, skip=skip)
    for path in found.again:
        log.warning("'%s' is done again: others need a secret that it responded", path)
    if found.plan is None:
        message = f"nothing of plan {plan.name!r} is left to do: it completed"
        raise RetryError(message, entry.row.id)
    found.plan.description = reason or found.plan.description
    return found.plan


def undo_of(
    entry: PlanEntry,
    kin: Sequence[Kin],
    plan: Plan,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    again: bool = False,
    reason: str = "",
) -> UndoPlan:
    """What takes back a plan that has ended; see ``Workstream.undo_plan``.

    Args:
        entry: The plan at a glance.
        kin: What was made from it, newest first.
        plan: The plan.
        only: Paths of blocks and sequences that alone are taken back.
        skip: Paths of blocks and sequences that are not.
        again: Also of a plan that was taken back already.
        reason: Why: the description of the new plan.

    Raises:
        UndoError: It has not ended, was taken back already, or nothing of it can be.
        PathError: A path names no block or sequence, or several.
    """
    why = _why_not(
        entry,
        [] if again else [each.row for each in kin if each.undo_of == plan.id],
        not_started="there is nothing to take back",
        running="wait until it ends, or stop it with undo",
        already=("undone", "for what it left out on purpose, undo this one again"),
    )
    if why is not None:
        raise UndoError(why, entry.row.id)
    for each in kin:
        if each.retry_of == plan.id and each.row.started is not None:
            log.warning(
                "plan %s did what was left of this one, and is not taken back with it",
                short_id(each.row.id),
            )
    found = undo_plan(plan, only=only, skip=skip)
    if found.plan is None:
        raise UndoError(_nothing_to_undo(plan.name, found.lacking), entry.row.id)
    found.plan.description = reason or found.plan.description
    return found


def _why_not(
    entry: PlanEntry,
    sequels: Sequence[PlanRow],
    *,
    not_started: str,
    running: str,
    already: tuple[str, str],
) -> str | None:
    """Why the plan can have no such sequel now; None: it can."""
    row = entry.row
    begun = [each for each in sequels if each.started is not None]
    if row.status is Status.NOT_STARTED:
        what = f"was never started: {not_started}"
    elif entry.crashed:
        what = "was left behind by a crash: resume it, or abandon it"
    elif row.status is Status.RUNNING:
        what = f"runs still, in {owner_text(entry.owner or 0)}: {running}"
    elif begun:
        done, otherwise = already
        what = (
            f"was {done} already, as plan {short_id(begun[0].id)} "
            f"({begun[0].outcome.value}): retry that one; {otherwise}, and only that"
        )
    else:
        return None
    return f"plan {row.name!r} ({short_id(row.id)}) {what}"


# --- two in one moment ----------------------------------------------------------------

_LOOK_AGAIN = 0.05
"""Seconds between two looks whether somebody else has made their sequel."""


@asynccontextmanager
async def alone(vault: Vault, plan_id: UUID) -> AsyncGenerator[None]:
    """Let nobody else, in any process, make or start a sequel of the plan meanwhile.

    A plan that has ended is owned by nobody, so its claim is free for this.
    """
    is_held = False
    while await _has_ended(vault, plan_id):
        is_held = await vault.claim(plan_id)
        if is_held:
            break
        await trio.sleep(_LOOK_AGAIN)
    try:
        yield
    finally:
        if is_held:
            with trio.CancelScope(shield=True):
                await vault.release(plan_id)


async def _has_ended(vault: Vault, plan_id: UUID) -> bool:
    """Whether the plan is there and has ended: whoever runs a plan holds its claim."""
    try:
        return (await vault.row(plan_id)).status.is_terminal
    except NotFoundError:
        return False


async def refuse_overtaken(vault: Vault, plan: Plan, original: UUID) -> None:
    """Raise RetryError if another sequel was started since this one was submitted.

    What is left of the original is not what it was: to start this one as well would do
    the same work twice. One that was submitted later knew of it.
    """
    assert plan.id is not None
    groups = [original if plan.group_id is None else plan.group_id]
    for row in await vault.search(group_ids=groups):
        if row.id == plan.id or row.started is None or plan.submitted is None:
            continue
        if row.started <= plan.submitted:
            continue
        if original in Codec.lineage((await vault.read(row.id)).definition):
            message = (
                f"plan {plan.name!r} ({short_id(plan.id)}) is overtaken: plan "
                f"{short_id(row.id)} ({row.outcome.value}) was started since, and does "
                f"what this one would; both follow from plan {short_id(original)}"
            )
            raise RetryError(message, plan.id)


def _nothing_to_undo(name: str, lacking: Mapping[str, str]) -> str:
    """Why nothing of a plan can be taken back."""
    found = f"nothing of plan {name!r} can be taken back"
    if not lacking:
        return f"{found}: nothing of it has begun, or it was taken back already"
    named = [f"'{shorten(path)}': {why}" for path, why in lacking.items()]
    more = f"; and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
    return f"{found}: {'; '.join(named[:_SHOWN])}{more}"
