"""Telling observers what happens: at least once, in order, and at nobody's cost (section 34).

An observer is strangers' code that talks to something far away. Whatever it does, it must
cost a run nothing; and whatever happens to the process, it must be told everything. Five
decisions follow.

**It watches as everybody does.** An observer is a watcher of the store (``Store.watch``),
and no part of an engine knows it. An engine says one thing: that a plan runs here now. So
order, positions, scrubbed secrets, and what to do about one who falls behind are those of
``watch`` (section 23), and nothing is written twice.

**It is called in a thread, one call at a time, with all that has gathered.** A call that
waits keeps one thread, and the event loop goes on. Events gather for a quarter of a
second, as a call costs more than an event, and for as long as the call before is under
way: the slower an observer is, the more it is told at once. What gathers is
bounded. Beyond that the events stay where they are, in the plan's log; beyond what the log
keeps, the observer is told that it missed something, and gets the plan as it is.

**To return is to have taken it.** Then the cursor moves (``_observers.cursors``); a crash
before that brings the events again. To raise is to want them again: after a second, then
two, up to a minute. One line of the log tells when that begins, one when it is over.

**Nobody waits for it, but for a moment at the end.** The run of a plan never waits. An
engine that is left gives all observers together two seconds to take what is there; one
that is failing is not waited for at all. What is not taken then stays owed.

**What is owed is told by whoever comes next.** The process that resumes the plan goes on
at the cursor. Where the plan has ended, the next process with an engine on the store tells
the rest, once no plan runs in it.

What this cannot do: a thread that calculates takes turns with the event loop, so an
observer that burns a core slows the process it is in. ``nox -s bench`` shows what one
costs that does as little as possible.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from uuid import UUID

import trio

from .._protocols.observer import Observation, Observer
from .._protocols.watching import PlanSnapshot, WatchEvent
from .._store.ids import short_id
from .._store.store import Store
from .._values.display import shorten
from .._values.errors import NotFoundError, WorkstreamError
from .cursors import Cursor, Cursors

log = logging.getLogger("workstream")

MOST = 1_000
"""How many events are told in one call, and how many gather meanwhile (OB-4)."""
GATHER = 0.25
"""Seconds for which events gather before they are told: few calls cost less than many."""
GRACE = 2.0
"""Seconds that leaving an engine waits for all observers together (OB-5)."""
SLOW = 30.0
"""Seconds after which a call that has not returned is told of."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds after which an observer that raised is called again; they double."""


class Observing:
    """The observers of one engine."""

    def __init__(self, store: Store, observers: Sequence[Observer]) -> None:
        """Make it; ``run`` brings it to life.

        Args:
            store: The engine's store, open.
            observers: Who is told.
        """
        self._desks = [
            Desk(store, each, Cursors.beside(store.vault, each.name))
            for each in observers
        ]

    def begin(self, plan_id: UUID) -> None:
        """Tell of a plan that runs here now."""
        for desk in self._desks:
            desk.begin(plan_id)

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Tell what happens, until cancelled."""
        async with trio.open_nursery() as nursery:
            for desk in self._desks:
                desk.start_soon = nursery.start_soon
            task_status.started()
            await trio.sleep_forever()

    async def leave(self) -> None:
        """Let the observers take what is there, for a short while (OB-5)."""
        await leave(self._desks)


async def leave(desks: Sequence[Desk]) -> None:
    """Let observers take what is there, for a short while (OB-5)."""
    with trio.move_on_after(GRACE):
        async with trio.open_nursery() as nursery:
            for desk in desks:
                nursery.start_soon(desk.leave)


class Desk:
    """One observer, and all that it is being told.

    Attributes:
        name: The observer's.
        moved: Set, and made anew, when the observer has taken something.
        start_soon: Begins a task.
    """

    start_soon: Callable[..., None]

    def __init__(self, store: Store, observer: Observer, cursors: Cursors) -> None:
        """Make it.

        Args:
            store: Open.
            observer: Who is told.
            cursors: Keep how far it has come.
        """
        self.name = observer.name
        self.moved = trio.Event()
        self._store = store
        self._observer = observer
        self._cursors = cursors
        self._feeds: dict[UUID, _Feed] = {}
        self._is_catching_up = False
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._failed = 0

    # --- which plans ----------------------------------------------------------------

    @property
    def followed(self) -> Collection[UUID]:
        """The plans of which it is being told."""
        return self._feeds.keys()

    def begin(self, plan_id: UUID, *, is_run_here: bool = True) -> None:
        """Tell of a plan, unless that is being done.

        Args:
            plan_id: The plan.
            is_run_here: Whether it runs in this process now; else it has a cursor.
        """
        if plan_id not in self._feeds:
            self._feeds[plan_id] = _Feed(plan_id)
            self.start_soon(self._feed, plan_id, is_run_here)

    async def _feed(self, plan_id: UUID, is_run_here: bool) -> None:
        """Tell of one plan to its end. Raises nothing: it is in the engine's own task."""
        try:
            await self._tell_all(plan_id, create=is_run_here)
        except Exception as error:
            self._broken(plan_id, error)
        finally:
            self._feeds.pop(plan_id, None)
            self._wake()
        if is_run_here and not self._feeds and not self._is_catching_up:
            self._is_catching_up = True
            self.start_soon(self._catch_up)

    def _broken(self, plan_id: UUID, error: Exception) -> None:
        """Say that a plan cannot be followed any more."""
        log.warning(
            "observer %r is told no more of plan %s in this process: %s: %s",
            self.name,
            short_id(plan_id),
            type(error).__name__,
            error,
        )

    async def _catch_up(self) -> None:
        """Tell what is owed of plans that have ended, while none runs here."""
        try:
            for plan_id in self._cursors.owed():
                if self._feeds or self._failed:
                    break
                try:
                    row = await self._store.vault.row(plan_id)
                    if not row.status.is_terminal:
                        continue  # whoever runs it tells of it
                except NotFoundError:
                    pass  # telling of it finds that out too, and forgets the plan
                except WorkstreamError:
                    continue
                self._feeds[plan_id] = _Feed(plan_id)
                await self._feed(plan_id, False)
        finally:
            self._is_catching_up = False
            self._wake()

    # --- one plan -------------------------------------------------------------------

    async def _tell_all(self, plan_id: UUID, *, create: bool) -> None:
        cursor = self._cursors.take(plan_id, create=create)
        if cursor is None:
            return
        told_all = False
        try:
            await self._follow(plan_id, cursor)
            told_all = True
        except NotFoundError:  # it was deleted: nothing is owed any more
            told_all = True
        finally:
            cursor.close(told_all=told_all)

    async def _follow(self, plan_id: UUID, cursor: Cursor) -> None:
        feed = self._feeds[plan_id]
        feed.position = cursor.position
        async with aclosing(self._store.watch(plan_id)) as first:
            snapshot = await anext(first)
            assert isinstance(snapshot, PlanSnapshot)
            events = self._store.watch(plan_id, after=cursor.position)
            async with aclosing(events), trio.open_nursery() as nursery:
                nursery.start_soon(feed.read, events)
                await self._deliver(feed, snapshot, cursor)

    async def _deliver(self, feed: _Feed, known: PlanSnapshot, cursor: Cursor) -> None:
        while found := await feed.take():
            for event in found:
                if isinstance(event, PlanSnapshot):
                    known = event
            seen = Observation(
                plan_id=feed.plan_id,
                plan=known.plan,
                position=known.position,
                events=tuple(found),
            )
            await self._tell(seen)
            feed.position = found[-1].position
            cursor.move(feed.position)
            self._took(feed.plan_id)

    def _took(self, plan_id: UUID) -> None:
        """Note that the observer has taken something of a plan."""
        self._wake()

    async def _tell(self, seen: Observation) -> None:
        """Tell it until the observer takes it."""
        wait = FIRST_WAIT
        while True:
            async with self._turn, trio.open_nursery() as nursery:
                nursery.start_soon(self._complain)
                error = await self._in_thread(lambda: self._observer.observe(seen))
                nursery.cancel_scope.cancel()
            if error is None:
                if self._failed:
                    self._failed = 0
                    log.warning("observer %r takes what it is told again", self.name)
                return
            if not self._failed:
                log.warning(
                    "observer %r failed, and is told the same again later; no run waits "
                    "for it: %s: %s",
                    self.name,
                    type(error).__name__,
                    shorten(str(error), 1_000),
                )
            self._failed += 1
            self._wake()
            await trio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _complain(self) -> None:
        await trio.sleep(SLOW)
        log.warning(
            "observer %r has not returned for %.0f seconds; it falls behind, and no run "
            "waits for it",
            self.name,
            SLOW,
        )

    async def _in_thread(self, call: Callable[[], None]) -> BaseException | None:
        """What it raised; a cancellation leaves the thread to itself."""

        def fenced() -> BaseException | None:
            try:
                call()
            # SystemExit too: an observer that ends its program must not end ours.
            except BaseException as error:
                return error
            return None

        return await trio.to_thread.run_sync(
            fenced, abandon_on_cancel=True, limiter=self._thread
        )

    # --- the end --------------------------------------------------------------------

    async def leave(self) -> None:
        """Return when all that is there was taken, or the observer is failing."""
        while True:
            for feed in self._feeds.values():
                feed.hurry()
            moved = self.moved
            if self._failed or not await self._is_behind():
                break
            await moved.wait()
        async with self._turn:
            error = await self._in_thread(self._observer.close)
        if error is not None:
            log.warning("observer %r failed as it was closed: %s", self.name, error)

    async def _is_behind(self) -> bool:
        if self._is_catching_up:
            return True
        for feed in list(self._feeds.values()):
            try:
                found = await self._store.vault.log(feed.plan_id, feed.position, 1)
            except WorkstreamError:
                continue
            # A feed of a plan that has ended, ends once everything was told.
            if found.changes or found.missed or found.status.is_terminal:
                return True
        return False

    def _wake(self) -> None:
        self.moved.set()
        self.moved = trio.Event()


class _Feed:
    """The events of one plan that gather until the observer is told them.

    Attributes:
        position: That of the last event that was taken.
    """

    def __init__(self, plan_id: UUID) -> None:
        self.plan_id = plan_id
        self.position = 0
        self._gathered: list[WatchEvent] = []
        self._is_over = False
        self._is_hurried = False
        self._error: Exception | None = None
        self._some = trio.Event()
        self._enough = trio.Event()
        self._room = trio.Event()

    async def read(self, events: AsyncIterator[WatchEvent]) -> None:
        """Gather events, as many as there is room for."""
        try:
            async for event in events:
                self._gathered.append(event)
                self._some.set()
                if len(self._gathered) >= MOST:
                    self._enough.set()
                    self._room = trio.Event()
                    await self._room.wait()
        except Exception as error:  # told by ``take``, alone and in its turn
            self._error = error
        self._is_over = True
        self._some.set()
        self._enough.set()

    def hurry(self) -> None:
        """Let nothing gather any more: each event is told as soon as it can be."""
        self._is_hurried = True
        self._enough.set()

    async def take(self) -> list[WatchEvent]:
        """What has gathered, at least one event; empty: nothing more will come.

        Raises:
            NotFoundError: The plan was deleted.
            StorageError: It cannot be read.
        """
        await self._some.wait()
        with trio.move_on_after(GATHER):
            await self._enough.wait()
        if not self._gathered and self._error is not None:
            raise self._error
        found, self._gathered = self._gathered, []
        if not self._is_over:
            self._some = trio.Event()
            if not self._is_hurried:
                self._enough = trio.Event()
        self._room.set()
        return found
