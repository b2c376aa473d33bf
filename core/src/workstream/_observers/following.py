"""Observers of plans that run elsewhere: one process follows the whole store (OB-7).

An engine tells the observers of its own process. Where a store runs its plans by itself,
on a cluster, there is no such process; so one is started for this alone. It uses nothing
but the *store* room: it lists plans, and follows each of them by ``Store.watch``, as the
engine's observers do. Which store that is, and who runs the plans, it does not know.

**It looks for plans each second**: for those that have not ended, and for those that were
submitted lately. What it must never lose is in files (``_observers.followed``), so it may
be killed at any moment.

**It asks for news with measure.** Each look at a plan is a question to who runs it, a
plan that does nothing for days included. Few plans are looked at four times a second,
many of them less often, ``LOOKS`` a second together.

**It never gives up.** A plan that cannot be read now is tried again later, and the log
tells once that this began and once that it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import attrs
import trio

from .._codec.codec import Codec
from .._protocols.observer import Observer
from .._protocols.searching import Where
from .._protocols.vault import PlanRow, Vault
from .._store.ids import short_id
from .._store.news import POLL, News
from .._store.store import Store
from .._values.clock import utc_now
from .._values.errors import WorkstreamError
from .._values.state import Status
from .feeding import FIRST_WAIT, LONGEST_WAIT, Desk, leave
from .followed import Followed

log = logging.getLogger("workstream")

LOOK_EVERY = 1.0
"""Seconds between two looks for plans."""
LOOKS = 20.0
"""How often plans are looked at for news, all together in a second, at most."""
_OPEN = [status for status in Status if not status.is_terminal]
_ENDED = [status for status in Status if status.is_terminal]


class Following:
    """Tells observers of all plans of a store, whoever runs them."""

    def __init__(
        self,
        vault: Vault,
        observers: Sequence[Observer],
        place: Path,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Make it; ``run`` begins.

        Args:
            vault: The store, open.
            observers: Who is told.
            place: The directory that keeps how far each of them has come. Processes
                that share it tell each plan once, between them.
            now: Tells the time.

        Raises:
            OSError: The directory cannot be used.
        """
        self._vault = vault
        self._now = now
        self._news = News(vault)
        store = Store(vault, Codec(None), self._news, now)
        self._desks = [
            _Desk(store, each, Followed(place / each.name, now())) for each in observers
        ]
        self._is_lost = False

    async def run(self, until: Callable[[], Awaitable[object]]) -> None:
        """Follow the store, then let the observers take what is there (OB-5).

        Args:
            until: Returns when it is to end.
        """
        async with trio.open_nursery() as nursery:
            for desk in self._desks:
                desk.start_soon = nursery.start_soon
            async with trio.open_nursery() as looking:
                looking.start_soon(self._keep_looking)
                await until()
                looking.cancel_scope.cancel()
            await leave(self._desks)
            nursery.cancel_scope.cancel()

    async def _keep_looking(self) -> None:
        while True:
            await self._look()
            await trio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        """Look for plans, and see to it that each is followed."""
        try:
            began = self._now()
            for desk in self._desks:
                desk.meet()
            going_on = await self._vault.search(statuses=_OPEN)
            since = min(desk.since for desk in self._desks)
            ended = await self._vault.search(statuses=_ENDED, where=Where(since=since))
            for desk in self._desks:
                desk.found(began, going_on, ended)
        except (OSError, WorkstreamError) as error:
            if not self._is_lost:
                log.warning("plans cannot be looked for, and are later: %s", error)
            self._is_lost = True
            return
        if self._is_lost:
            log.warning("plans can be looked for again")
        self._is_lost = False
        followed = set[UUID]().union(*(desk.followed for desk in self._desks))
        self._news.every = max(POLL, len(followed) / LOOKS)


@attrs.define
class _Trouble:
    """A plan that could not be read.

    Attributes:
        wait: Seconds after which it was to be tried again.
        until: When.
    """

    wait: float
    until: float


class _Desk(Desk):
    """One observer, told of all plans."""

    def __init__(self, store: Store, observer: Observer, cursors: Followed) -> None:
        super().__init__(store, observer, cursors)
        self._found = cursors
        self._troubles: dict[UUID, _Trouble] = {}

    @property
    def since(self) -> datetime:
        """What was submitted before this moment is known."""
        return self._found.since

    def meet(self) -> None:
        """Hear how far other processes have looked for plans."""
        self._found.meet()

    def found(
        self, began: datetime, going_on: Sequence[PlanRow], ended: Sequence[PlanRow]
    ) -> None:
        """Follow what is to be followed.

        Args:
            began: When the look began that found these.
            going_on: All plans that have not ended.
            ended: Those that have, of all that were submitted since ``since``.

        Raises:
            OSError: A cursor cannot be written.
        """
        listed = {row.id: row for row in going_on}
        for row in ended:
            if (row.submitted or self.since) >= self.since:
                listed[row.id] = row
        for plan_id in listed:
            self._found.note(plan_id)
        owed = self._found.owed()
        for plan_id in owed:
            found = listed.get(plan_id)
            # One that is not listed has ended, or was deleted: following it tells.
            if found is None or found.status is not Status.NOT_STARTED:
                self._follow_soon(plan_id)
        self._found.looked(began, listed)
        for plan_id in self._troubles.keys() - set(owed):
            self._forgive(plan_id)

    def _follow_soon(self, plan_id: UUID) -> None:
        """Tell of a plan, unless that is being done, or failed a moment ago."""
        trouble = self._troubles.get(plan_id)
        if trouble is None or trouble.until <= trio.current_time():
            self.begin(plan_id, is_run_here=False)

    def _broken(self, plan_id: UUID, error: Exception) -> None:
        if not self._troubles:
            log.warning(
                "observer %r is told later of plan %s, and perhaps of others: %s: %s",
                self.name,
                short_id(plan_id),
                type(error).__name__,
                error,
            )
        known = self._troubles.get(plan_id)
        wait = FIRST_WAIT if known is None else min(2 * known.wait, LONGEST_WAIT)
        self._troubles[plan_id] = _Trouble(wait, trio.current_time() + wait)

    def _took(self, plan_id: UUID) -> None:
        super()._took(plan_id)
        self._forgive(plan_id)

    def _forgive(self, plan_id: UUID) -> None:
        if self._troubles.pop(plan_id, None) is not None and not self._troubles:
            log.warning("observer %r is told of all plans again", self.name)
