"""The activity that runs a group of checks again and again, where its worker is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import attrs
import trio
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from workstream._codec.codec import Codec
from workstream._protocols.vault import LineRecord, NodeRecord
from workstream._values.state import FIRST_LINES, LAST_LINES, Attempt, State, Status
from workstream._values.wire import to_micros

from .._forms import packed
from .._parts import Part

BEAT = 2.0
"""Seconds between two signs of life."""
TELL_AFTER, TELL_EVERY = 1.0, 300.0
"""Seconds after which it is told that all passes: at first, and at last. Each time is an
event of a history, so they grow."""
LOOK_FOR_CUT = 0.5
"""Seconds between two looks whether a stop cuts the run that is under way (SN-1)."""


@attrs.define
class Watched:
    """One check of the group.

    Attributes:
        part: What it needs of its plan.
        path: Its address in the whole plan.
        lines: How many lines it has reported.
        seconds: What an attempt may take.
    """

    part: Part
    path: str
    lines: int
    seconds: float


class Passes:
    """Runs a group until something happens."""

    def __init__(
        self,
        activities: Any,
        checks: list[Watched],
        *,
        delay: float,
        once: bool,
        lost: str,
    ) -> None:
        """Make it.

        Args:
            activities: What the worker does for workflows.
            checks: The group's.
            delay: Seconds before each run.
            once: Whether it ends after one run, whatever that tells.
            lost: The type of the failure by which a worker says that it ends.
        """
        self._activities = activities
        self._codec: Codec = activities.codec
        self._workflow: WorkflowHandle[Any, Any] = activities.workflow()
        self._checks = checks
        self._delay = delay
        self._once = once
        self._lost = lost
        self._is_over = self._is_cut = False
        self._waiting = trio.CancelScope()
        self._calls: list[Any] = []
        self._began: int | None = None
        self._records: list[NodeRecord] = []
        self._lines: list[LineRecord] = []

    async def run(self) -> bytes:
        """Run it; what the workflow is told."""
        task = asyncio.create_task(self._activities.thread.call(self._loop))
        beside = [asyncio.create_task(self._beat()), asyncio.create_task(self._tell())]
        try:
            while True:
                try:
                    await asyncio.shield(task)
                    return self._told()
                except asyncio.CancelledError:
                    details = activity.cancellation_details()
                    if details is None or not details.cancel_requested:
                        task.cancel()
                        with suppress(asyncio.CancelledError):
                            await task
                        message = "the worker ends, and the watch with it"
                        raise ApplicationError(message, type=self._lost) from None
                    self._activities.thread.soon(self._end)
                    beside.append(asyncio.create_task(self._look_for_cut()))
        finally:
            for each in beside:
                each.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    def _told(self) -> bytes:
        records = [[each.position, each.data] for each in self._records]
        lines = [[each.position, each.number, each.data] for each in self._lines]
        return packed(self._began, records, lines)

    # --- on trio ----------------------------------------------------------------------

    def _end(self) -> None:
        """End a wait; a run under way goes on (K-6)."""
        self._is_over = True
        self._waiting.cancel()

    def _cut(self) -> None:
        """Let a stop cut the run that is under way (SN-1)."""
        self._is_cut = True
        for call in self._calls:
            call.stop()

    async def _loop(self) -> None:
        while not self._is_over:
            with trio.CancelScope() as self._waiting:
                await trio.sleep(self._delay)
            if self._is_over:
                return
            began = to_micros(self._activities.now())
            async with trio.open_nursery() as nursery:
                found: list[NodeRecord] = []
                self._calls = []
                for check in self._checks:
                    nursery.start_soon(self._attempt, check, found)
            self._began, self._records = began, found
            if self._once or not all(map(self._passed, self._checks)):
                return

    def _passed(self, check: Watched) -> bool:
        last = check.part.action.attempts[-1]
        return last.error is None and not last.interrupted

    async def _attempt(self, check: Watched, found: list[NodeRecord]) -> None:
        """Make the first attempt of a check."""

        async def nothing(kind: str, what: Any) -> None:
            """Say nothing: what a run notes counts for that run."""

        async def look() -> tuple[list[list[Any]], bool]:
            return [], self._is_cut

        action = check.part.action
        attempt = Attempt(started=self._activities.now())
        action.attempts = [attempt]
        action.state = State(Status.RUNNING, attempt.started)
        action.timeout, action.deadline = check.seconds, None
        call = self._activities.made(check.part, check.path, check.lines, nothing, look)
        self._calls.append(call)
        outcome = await call.execute(action, attempt, True)
        attempt.response, attempt.error = outcome.response, outcome.error
        attempt.interrupted, attempt.ended = outcome.interrupted, self._activities.now()
        found.append(self._codec.record_of(action))
        lines = call.reported()
        if lines:
            check.lines = lines[-1].number
            self._lines += lines
            del self._lines[FIRST_LINES:-LAST_LINES]

    # --- beside it --------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT)

    async def _tell(self) -> None:
        """Tell now and then that it still passes, and when it did."""
        seconds, told = TELL_AFTER, self._began
        position = self._checks[0].part.position
        while True:
            await self._sleep(seconds)
            if self._began is not None and self._began != told:
                told = self._began
                seconds = min(2 * seconds, TELL_EVERY)
                given = packed(position, 0, "pass", self._told(), [])
                self._lines = []
                await self._workflow.signal("note", given)

    async def _look_for_cut(self) -> None:
        while not await self._hears_of_cut():
            await self._sleep(LOOK_FOR_CUT)
        self._activities.thread.soon(self._cut)

    async def _hears_of_cut(self) -> bool:
        with suppress(RPCError):  # no worker answers for the plan just now
            return bool(await self._workflow.query("cuts", result_type=bool))
        return False

    async def _sleep(self, seconds: float) -> None:
        """Wait, beside the loop."""
        await asyncio.sleep(seconds)
