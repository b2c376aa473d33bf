"""What all watchers of one plan share: the plan is read once, and each change once.

A ``Feed`` follows one plan's log and keeps the latest events, for as long as the plan is
watched. It has no task of its own: one of the watchers that wait for news, whichever
comes first, leads. It waits for a poke (or a short while, where another process runs the
plan), reads the log, makes events of the changes, and wakes the others; when it goes
away, another one leads. So a change costs one look into the store and one decoding,
however many watch.

A watcher goes at its own pace. One that is slower than what the feed keeps reads the log
by itself, until it has caught up; one that is slower than what the *log* keeps is told
so, and gets the plan as it is (WA-2).

To wake a thousand watchers takes time in which no plan makes progress. So the more there
are, the longer the leader lets changes gather.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from itertools import islice
from uuid import UUID

import attrs
import trio

from .._codec.codec import Codec
from .._plan.paths import paths
from .._plan.walk import Item
from .._protocols.vault import Change, Vault
from .._protocols.watching import PlanSnapshot, WatchEvent
from .events import event_of, snapshot_of
from .news import News

KEPT = 4_096
"""How many of a plan's latest events a feed keeps: those of half a second, at least."""
GATHER = 0.0001
"""Seconds for which changes are gathered, for each watcher but the first."""
GATHER_AT_MOST = 0.2
"""Seconds for which they are gathered however many watch (WA-2)."""


class Feeds:
    """The feeds of one store, one for each plan that is watched."""

    def __init__(self, vault: Vault, codec: Codec, news: News) -> None:
        """Make it.

        Args:
            vault: The store.
            codec: Decodes what it holds.
            news: Tells when a plan may have changed.
        """
        self._vault = vault
        self._codec = codec
        self._news = news
        self._feeds: dict[UUID, Feed] = {}

    async def watch(
        self, plan_id: UUID, after: int | None
    ) -> AsyncGenerator[WatchEvent]:
        """The plan's events after a position; with None the plan as it is comes first.

        A position that the plan has not reached is of another history: of the store
        before it was restored. Then the plan as it is comes first, too.

        Raises:
            ValueError: The position is negative.
            NotFoundError: No such plan.
            StorageError: It cannot be read.
        """
        if after is not None and after < 0:
            message = f"after is {after}: it must be a position, which is 0 or more"
            raise ValueError(message)
        with self._feed(plan_id) as feed:
            snapshot = await feed.snapshot(fresh=after is None)
            if after is not None and after > snapshot.position:
                snapshot = await feed.snapshot()
            if after is None:
                yield snapshot
                after = snapshot.position
            elif after > snapshot.position:
                yield attrs.evolve(snapshot, missed=True)
                after = snapshot.position
            feed.begin(after)
            position = after
            while True:
                found = await feed.events(position)
                if found is None:
                    return
                for event in found:
                    yield event
                    position = event.position

    async def snapshots(
        self, plan_id: UUID, interval: float
    ) -> AsyncGenerator[PlanSnapshot]:
        """The plan as it is, at once and then every so many seconds, and as it ended.

        Raises:
            ValueError: The interval is not greater than 0.
            NotFoundError: No such plan.
            StorageError: It cannot be read.
        """
        if not interval > 0:
            message = f"interval is {interval}: it must be greater than 0"
            raise ValueError(message)
        with self._feed(plan_id) as feed:
            while True:
                next_look = trio.current_time() + interval
                snapshot = await feed.snapshot()
                yield snapshot
                if snapshot.plan.state.status.is_terminal:
                    return
                while trio.current_time() < next_look:
                    ticket = self._news.ticket(plan_id)
                    if (await self._vault.row(plan_id)).status.is_terminal:
                        break
                    with trio.move_on_at(next_look):
                        await ticket()

    @contextmanager
    def _feed(self, plan_id: UUID) -> Generator[Feed]:
        feed = self._feeds.get(plan_id)
        if feed is None:
            feed = Feed(self._vault, self._codec, plan_id, self._news)
            self._feeds[plan_id] = feed
        feed.watchers += 1
        try:
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                del self._feeds[plan_id]


class Feed:
    """The latest events of one plan.

    Attributes:
        watchers: How many watch.
    """

    def __init__(self, vault: Vault, codec: Codec, plan_id: UUID, news: News) -> None:
        self.watchers = 0
        self._vault = vault
        self._codec = codec
        self._plan_id = plan_id
        self._news = news
        self._items: list[tuple[str, Item]] = []
        self._shown: PlanSnapshot | None = None
        self._loading = trio.Lock()
        self._events: deque[WatchEvent] = deque()
        self._begun = False
        self._last = 0
        self._ended = False
        self._led = False
        self._found = trio.Event()

    async def snapshot(self, *, fresh: bool = True) -> PlanSnapshot:
        """The plan as it is, secrets removed; one for all who ask at one position.

        Args:
            fresh: Whether one that is older than the plan will not do.
        """
        async with self._loading:
            shown = self._shown
            if shown is not None and not fresh:
                return shown
            if shown is not None:
                newer = await self._vault.log(self._plan_id, shown.position, 1)
                if not newer.missed and not newer.changes:
                    return shown
            stored = await self._vault.read(self._plan_id)
            plan = self._codec.load(stored)
            if not self._items:
                self._items = list(paths(plan))
            self._shown = snapshot_of(stored, plan)
            return self._shown

    def begin(self, position: int) -> None:
        """Keep events from this position on, unless that has begun."""
        if not self._begun:
            self._begun = True
            self._last = position

    async def events(self, after: int) -> list[WatchEvent] | None:
        """What comes next after a position, at least one event; None: nothing ever.

        Raises:
            NotFoundError: The plan was deleted.
            StorageError: The store, or this plan in it, cannot be read.
        """
        while True:
            first = self._last - len(self._events)
            if first <= after < self._last:
                return list(islice(self._events, after - first, None))
            if after < first:
                found = await self._own_look(after)
                if found:
                    return found
            elif self._ended:
                return None
            elif self._led:
                await self._found.wait()
            else:
                await self._lead()

    async def _own_look(self, after: int) -> list[WatchEvent]:
        """For a watcher that is slower than the others: what the log holds for it."""
        piece = await self._vault.log(self._plan_id, after)
        if piece.missed:
            return [attrs.evolve(await self.snapshot(), missed=True)]
        return [self._event(*one) for one in piece.changes]

    async def _lead(self) -> None:
        """Look into the store for all, until there is news or nothing more to come."""
        self._led = True
        try:
            while True:
                # Drawn before the look, so that no change slips in between unseen.
                ticket = self._news.ticket(self._plan_id)
                if await self._look():
                    return
                await ticket()
                if self.watchers > 1:
                    await trio.sleep(min(GATHER * self.watchers, GATHER_AT_MOST))
        finally:
            self._led = False
            self._found.set()
            self._found = trio.Event()

    async def _look(self) -> bool:
        """Take in what the log holds; whether that was anything, or the end of it."""
        piece = await self._vault.log(self._plan_id, self._last)
        if piece.missed:
            self._events.clear()
            self._last = (await self.snapshot()).position
            return True
        for position, change in piece.changes:
            self._events.append(self._event(position, change))
            self._last = position
        while len(self._events) > KEPT:
            self._events.popleft()
        self._ended = piece.status.is_terminal and not piece.changes
        return bool(piece.changes) or self._ended

    def _event(self, position: int, change: Change) -> WatchEvent:
        return event_of(position, change, self._items, self._codec)
