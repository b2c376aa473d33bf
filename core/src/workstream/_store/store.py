"""An open store: what can be done with the plans in it, whoever runs them."""

from __future__ import annotations

import builtins
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import overload
from uuid import UUID

import trio

from .._codec.codec import Codec
from .._codec.lines import Line, decode_line
from .._plan.clone import clone
from .._plan.outcome import Outcome
from .._plan.plan import Plan
from .._plan.walk import actions
from .._protocols.hosting import hosting
from .._protocols.searching import ANY_PLAN, Where
from .._protocols.vault import (
    PlanRow,
    Vault,
)
from .._protocols.watching import PlanSnapshot, WatchEvent
from .._values.clock import utc_now
from .._values.errors import ValidationError
from .._values.state import Status
from .entries import PlanEntry, entries_in, entry_of
from .family import Kin, descendants
from .feeds import Feeds
from .hand import Hand
from .ids import find_row
from .news import News
from .places import vault_at
from .pruning import ENDED, prunable, pruned

_LOOK_FOR_OWNER = 1.0
"""Seconds between two looks whether a process runs a plan."""
_SURE = 3
"""Looks in a row that find a plan crashed: until then its owner may be changing."""


@asynccontextmanager
async def open_store(
    store: str | Path | Vault | None = None,
    *,
    create: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> AsyncGenerator[Store]:
    """Open a store to look at its plans and to ask them something; it runs none.

    ::

        async with open_store("/var/lib/workstream") as store:
            for entry in await store.entries():
                print(entry.row.name, entry.row.outcome.value, entry.crashed)

    No plugin package is imported: requests and responses are plain data (STO-8). A
    vault that is not ``shared``, in memory for example, tells nothing of what an engine
    does in it: there, use the engine, which is a ``Store`` itself.

    Args:
        store: A directory; a vault, which is opened and closed here; ``scheme:location``
            for a vault of a plugin; None: ``WORKSTREAM_STORE``, or else the platform's
            state directory.
        create: Whether to begin a store where there is none.
        now: Tells the time that is recorded.

    Raises:
        StorageError: There is none, or it cannot be opened.
    """
    vault = vault_at(store, create=create)
    await vault.open()
    try:
        yield Store(vault, Codec(None), News(vault), now)
    finally:
        with trio.CancelScope(shield=True):
            await vault.close()


class Store(Hand):
    """The plans of one store; made by ``open_store``, and part of each engine.

    Whatever changes something is shielded from the cancellation of whoever asked: it
    happens wholly or not at all.

    Attributes:
        vault: What keeps the plans, for what only its kind can do.
    """

    def __init__(
        self, vault: Vault, codec: Codec, news: News, now: Callable[[], datetime]
    ) -> None:
        super().__init__(vault, news, now)
        self._codec = codec
        self._feeds = Feeds(vault, codec, news)

    # --- who runs them ---------------------------------------------------------------

    @property
    def host(self) -> str | None:
        """Who runs its plans, where it does so itself; None: who opens an engine on it."""
        elsewhere = hosting(self.vault)
        return None if elsewhere is None else elsewhere.host

    async def waits(self, plan_id: UUID) -> Mapping[int, str]:
        """What actions wait for that run, but on which nobody works yet (ZN-3).

        By the action's place in walk order; empty where plans run on this machine.
        """
        elsewhere = hosting(self.vault)
        return {} if elsewhere is None else await elsewhere.waits(plan_id)

    # --- which plans there are ------------------------------------------------------

    async def list(self, limit: int = 0) -> builtins.list[PlanRow]:
        """The stored plans, newest first (STO-4).

        Args:
            limit: How many at most; 0: all. A negative one is a ValueError.
        """
        return await self.vault.search(limit=_checked(limit))

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        where: Where | None = None,
        limit: int = 0,
    ) -> builtins.list[PlanRow]:
        """The stored plans that fit every given kind, newest first (STO-3, STO-15).

        Args:
            ids: Any of these ids.
            group_ids: In any of these groups.
            statuses: With any of these statuses.
            where: What else they must fit: a part of the name, the time of submission,
                labels.
            limit: How many at most; 0: all.

        Raises:
            ValidationError: Nothing was asked for.
        """
        if ids is None and group_ids is None and statuses is None and where is None:
            message = (
                "search needs ids, group_ids, statuses or where; list() gives all plans"
            )
            raise ValidationError(message)
        return await self.vault.search(
            ids=ids,
            group_ids=group_ids,
            statuses=statuses,
            where=where or ANY_PLAN,
            limit=_checked(limit),
        )

    async def counts(self) -> Mapping[Outcome, int]:
        """How many plans are stored of each outcome that there is (STO-15)."""
        return await self.vault.counts()

    async def entries(
        self,
        *,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        crashed: bool | None = None,
        where: Where | None = None,
        limit: int = 0,
    ) -> builtins.list[PlanEntry]:
        """The plans with who runs them, newest first.

        Args:
            group_ids: In any of these groups; None: any.
            statuses: With any of these statuses; None: any.
            crashed: Of those that are RUNNING, only those that have crashed, or only
                those that have not; None: all.
            where: What else they must fit; None: anything.
            limit: How many at most; 0: all.
        """
        return await entries_in(
            self.vault,
            group_ids=group_ids,
            statuses=statuses,
            crashed=crashed,
            where=where or ANY_PLAN,
            limit=_checked(limit),
        )

    async def entry(self, plan_id: UUID) -> PlanEntry:
        """The plan at a glance, and who runs it. Raises NotFoundError."""
        return await entry_of(self.vault, plan_id)

    async def find(self, text: str) -> PlanEntry:
        """The plan that somebody means.

        Args:
            text: ``last`` for the newest; its id; or how the id, or its short form,
                begins: at least four digits, with or without dashes.

        Raises:
            ValidationError: No plan is meant by it, or several are.
        """
        row = await find_row(self.vault, text)
        return await entry_of(self.vault, row.id, row)

    # --- one plan -------------------------------------------------------------------

    async def plan(self, plan_id: UUID) -> Plan:
        """The plan as it is stored now (ST-9). Raises NotFoundError."""
        return self._codec.load(await self.vault.read(plan_id))

    async def export(self, plan_id: UUID, *, with_secrets: bool = False) -> Plan:
        """The plan to be written down, with all that the engine wrote.

        Without secrets it says that it is scrubbed only when a request of it held one:
        the others hold all that it takes to run them again.

        Args:
            plan_id: The plan.
            with_secrets: Whether what is SECURE stays (CL-6).
        """
        plan = await self.plan(plan_id)
        if with_secrets:
            return plan
        shown = clone(plan, keep_state=True, scrub=True)
        if not plan.scrubbed:
            pairs = zip(actions(plan), actions(shown), strict=True)
            shown.scrubbed = any(old.request != new.request for old, new in pairs)
        return shown

    async def kin(self, plan_id: UUID) -> builtins.list[Kin]:
        """The plans that were made from this one, newest first (RT-3)."""
        return await descendants(self.vault, await self.vault.row(plan_id))

    async def lines(self, plan_id: UUID, position: int) -> builtins.list[Line]:
        """What the action at this place in walk order reported (WA-3)."""
        return [
            decode_line(each.data) for each in await self.vault.lines(plan_id, position)
        ]

    @overload
    def watch(
        self, plan_id: UUID, *, after: int | None = None
    ) -> AsyncGenerator[WatchEvent]: ...

    @overload
    def watch(
        self, plan_id: UUID, *, interval: float
    ) -> AsyncGenerator[PlanSnapshot]: ...

    def watch(
        self,
        plan_id: UUID,
        *,
        after: int | None = None,
        interval: float | None = None,
    ) -> AsyncGenerator[WatchEvent] | AsyncGenerator[PlanSnapshot]:
        """Follow the plan: first as it is, then every change, as it becomes durable (WA-1).

        Ends after the plan's terminal change. Use it as ``async for event in
        ws.watch(plan_id)``; secrets are hidden (WA-4).

        Args:
            plan_id: The plan.
            after: Go on after this position, which an earlier event told, instead of
                beginning with the plan as it is.
            interval: Give the whole plan every so many seconds, instead of the changes:
                at once, and at last as it ended (ST-8).

        Raises:
            NotFoundError: No such plan.
            ValueError: ``after`` is negative, or ``interval`` not greater than 0.
        """
        if interval is not None:
            return self._feeds.snapshots(plan_id, interval)
        return self._feeds.watch(plan_id, after)

    async def until_crashed(self, plan_id: UUID) -> None:
        """Return when the plan has crashed, and nobody has resumed it for a while."""
        found = 0
        while found < _SURE:
            await trio.sleep(_LOOK_FOR_OWNER)
            found = found + 1 if (await self.entry(plan_id)).crashed else 0

    # --- removing -------------------------------------------------------------------

    async def delete(self, plan_id: UUID) -> None:
        """Remove the plan and all under it (STO-5).

        Raises:
            NotFoundError: No such plan.
            StorageError: It is RUNNING.
        """
        with trio.CancelScope(shield=True):
            await self.vault.delete(plan_id)
        self._news.poke(plan_id)

    async def prune(
        self,
        older_than: timedelta,
        *,
        statuses: Collection[Status] = ENDED,
        dry_run: bool = False,
    ) -> builtins.list[PlanRow]:
        """Remove the plans that ended longer ago than this, the oldest first.

        Args:
            older_than: How long ago they ended; of plans that were never started, how
                long ago they were submitted.
            statuses: Those that are meant; NOT_STARTED may be among them.
            dry_run: Whether to remove nothing, and only tell.

        Returns:
            What was removed, or would be.

        Raises:
            ValueError: RUNNING is among the statuses: such a plan is never pruned.
        """
        before = self._now() - older_than
        if dry_run:
            return await prunable(self.vault, before, statuses)
        return [row async for row in self.pruned(before, statuses)]

    async def pruned(
        self, before: datetime, statuses: Collection[Status] = ENDED
    ) -> AsyncGenerator[PlanRow]:
        """Remove the plans that ended before this, each yielded once it is gone."""
        async for row in pruned(self.vault, before, statuses):
            self._news.poke(row.id)
            yield row


def _checked(limit: int) -> int:
    if limit < 0:
        message = f"limit is {limit}: it must be 0 (all) or more"
        raise ValueError(message)
    return limit
