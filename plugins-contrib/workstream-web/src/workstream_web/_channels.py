"""One watcher of the store for each plan that is looked at, however many look.

A channel follows its plan, gathers what changes for a quarter of a second, and posts it
once for all. A browser begins with the plan as it was at some position, and gets all
that came after it. So a snapshot need not be new: it is read once, and given to everybody
who comes as long as the board keeps what follows it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import trio

from workstream import Store, WorkstreamError
from workstream.errors import NotFoundError
from workstream.results import Intervened, PlanSnapshot, StateChange, WatchEvent
from workstream.show import Progress, event_data, packed

from ._errors import alone
from ._sse import Board
from ._view import failures_by_cause, milliseconds, summary, told

GATHER = 0.25
"""Seconds for which changes are gathered."""
_FOR_EACH = 0.005
_AT_MOST = 0.5
"""Seconds more for each who looks, and how long at most: to send to many takes time."""
LINGER = 30.0
"""Seconds for which a channel goes on when nobody looks: somebody may come back."""
_SHARE = 20
"""Failures are put together again after so many times as long as it took."""


class Channel:
    """What is new of one plan.

    Attributes:
        board: The messages.
    """

    def __init__(self, store: Store, plan_id: UUID) -> None:
        self.board = Board()
        self._store = store
        self._plan_id = plan_id
        self._progress: Progress | None = None
        self._position = 0
        self._changes: dict[tuple[UUID, int], StateChange] = {}
        self._told: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._failed = 0
        self._group_at = 0.0
        self._summary: dict[str, Any] = {}
        self._document: bytes = b""
        self._first: PlanSnapshot | None = None
        self._at = 0
        self._reading = trio.Lock()
        self._ready = trio.Event()
        self._ended = trio.Event()
        self._error: BaseException | None = None

    async def run(self, forget: Callable[[], None]) -> None:
        """Follow the plan to its end, or until nobody has looked for a while.

        Args:
            forget: Is called when nobody is to be sent here any more.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow)
                await self._ready.wait()
                quiet = 0.0
                while not self._ended.is_set() and quiet < LINGER:
                    gather = min(GATHER + _FOR_EACH * self.board.readers, _AT_MOST)
                    with trio.move_on_after(gather):
                        await self._ended.wait()
                    await self._post()
                    quiet = 0.0 if self.board.readers else quiet + gather
                if not self._ended.is_set():
                    forget()
                nursery.cancel_scope.cancel()
        except* WorkstreamError as group:
            self._error = alone(group)
        finally:
            # A store that cannot be read now, say a cluster that is busy, is no end.
            gone = isinstance(self._error, NotFoundError)
            self.board.close(for_good=gone or self._ended.is_set())
            self._ready.set()
        # Whoever comes soon after the end need not read the plan once more.
        await trio.sleep(LINGER if self._ended.is_set() else 0)
        forget()

    async def document(self) -> bytes:
        """The plan as it was at a position that the board covers: JSON, compressed.

        Raises:
            WorkstreamError: It cannot be read.
        """
        await self._ready.wait()
        async with self._reading:
            if self._error is not None:
                raise self._error
            if not self._document or not self.board.covers(self._at):
                await self._read()
            return self._document

    async def latest(self) -> int:
        """The position that all readers have come to.

        Raises:
            WorkstreamError: The plan cannot be read now. A browser asks again later.
        """
        await self._ready.wait()
        if self._error is not None and not isinstance(self._error, NotFoundError):
            raise self._error
        return self.board.position

    async def _read(self) -> None:
        snapshot, self._first = self._first, None
        if snapshot is None or not self.board.covers(snapshot.position):
            async with aclosing(self._store.watch(self._plan_id)) as events:
                event = await anext(events)
            assert isinstance(event, PlanSnapshot)
            snapshot = event
        # What the board has not posted yet comes again, and changes nothing then.
        self._at = min(self.board.position, snapshot.position)
        await self._sum_up()
        self._document = await trio.to_thread.run_sync(
            _encoded, snapshot, self._at, self._summary
        )

    async def _follow(self) -> None:
        async with aclosing(self._store.watch(self._plan_id)) as events:
            async for event in events:
                self._take(event)
        self._ended.set()

    def _take(self, event: WatchEvent) -> None:
        self._position = event.position
        if isinstance(event, PlanSnapshot):
            self._progress = Progress(event)
            self._first = event
            self._changes.clear()
            if self._ready.is_set():  # changes were missed
                self._document = b""
                self.board.post("reload", {}, event.position)
            self.board.position = event.position
            self._ready.set()
            return
        assert self._progress is not None
        self._progress.see(event)
        if isinstance(event, StateChange):
            self._changes[event.object_id, event.attempts] = event
        elif isinstance(event, Intervened):
            self._told += told([event.intervention])

    async def _post(self) -> None:
        """Post what was gathered, if there is anything new."""
        changes, self._changes = self._changes, {}
        before = self._summary
        await self._sum_up()
        new = {**self._summary, "now": 0} != {**before, "now": 0}
        if not (changes or self._told or new):
            return
        data = {
            **self._summary,
            "changes": [_change(each) for each in changes.values()],
            "told": self._told,
        }
        self._told = []
        self.board.post("news", data, self._position)

    async def _sum_up(self) -> None:
        progress = self._progress
        assert progress is not None
        began = trio.current_time()
        ended = self._ended.is_set()
        if ended or (len(progress.failed) != self._failed and began > self._group_at):
            self._failed = len(progress.failed)
            self._failures = failures_by_cause(progress)
            cost = trio.current_time() - began
            self._group_at = began + _SHARE * cost
        self._summary = summary(
            await self._store.entry(self._plan_id),
            progress,
            self._failures,
            await self._store.requests(self._plan_id),
            self._store.frozen(),
            datetime.now(UTC),
        )


def _change(change: StateChange) -> dict[str, Any]:
    """What the timeline takes in: one object, and of an action the latest attempt."""
    attempt: dict[str, Any] | None = None
    if change.attempt is not None:
        # Of one that runs its times are all; to write the rest takes as long as to read it.
        over = change.attempt.ended is not None
        attempt = {
            **(event_data(change)["attempt"] if over else {}),
            "started": milliseconds(change.attempt.started),
            "ended": milliseconds(change.attempt.ended),
        }
    return {
        "id": str(change.object_id),
        "status": change.state.status.name,
        "started": milliseconds(change.state.started),
        "ended": milliseconds(change.state.ended),
        "attempts": change.attempts,
        "attempt": attempt,
    }


def _encoded(snapshot: PlanSnapshot, position: int, shown: dict[str, Any]) -> bytes:
    data = {
        "position": position,
        "plan": event_data(snapshot)["plan"],
        "summary": shown,
        "told": list(told(snapshot.plan.interventions)),
    }
    return gzip.compress(json.dumps(packed(data)).encode(), 1)
