"""The attempts of one plan that are under way, and how much of a history is left.

The interpreter begins what the plan lets begin, be it a thousand attempts at a time. Here
they wait for a place, in the order in which they came: their pace is still decided by one
place, and no server is asked for more than it bears.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar

from temporalio import workflow

from .size import A_STATE
from .steps import pause


class Flight:
    """Gives places to attempts.

    Attributes:
        at_once: Attempts under way. A server bears 2,000, and each may still bring a few
            events when the history is full.
        sent_at_once: Bytes that one activation sends, together; a server takes no 4 MB.
        events: Of a history: with more, nothing new is begun in it.
        size: The same in bytes.
        last_events: With more, a new history is begun at once: what is under way then is
            interrupted.
        last_size: The same in bytes.
        answers: Bytes that all attempts under way may add to a history when they end.
        answer: The least and the most of them for one.
        state: Bytes that a plan takes along into a new history, up to which attempts are
            made again. The first attempt of each action has its room since the submit.
        retry: How many of them one more attempt takes, without its error's message.
    """

    at_once: ClassVar[int] = 500
    sent_at_once: ClassVar[int] = 1_000_000
    events: ClassVar[int] = 4_000
    size: ClassVar[int] = 3_000_000
    last_events: ClassVar[int] = 9_000
    last_size: ClassVar[int] = 7_000_000
    answers: ClassVar[int] = 1_500_000
    answer: ClassVar[tuple[int, int]] = (2_000, 64_000)
    state: ClassVar[int] = 1_800_000
    retry: ClassVar[int] = 30

    def __init__(self) -> None:
        """Begin with all places free."""
        self._places = asyncio.Semaphore(self.at_once)
        self._sending = asyncio.Lock()
        self._activation, self._sent = 0, 0
        self._promised = 0
        self._left_for_retries = self.state

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[int]:
        """Have a place while the body runs; how many bytes its answer may have."""
        async with self._places:
            least, most = self.answer
            share = min(most, max(least, (self.answers - self._promised) // 8))
            self._promised += share
            try:
                yield share
            finally:
                self._promised -= share

    def began_with(self, size: int, objects: int) -> None:
        """Hear how much the plan brought along, and how many objects are to begin."""
        self._left_for_retries = self.state - size - A_STATE * objects

    def may_retry(self) -> bool:
        """Whether there is room for one more attempt; it is taken."""
        self._left_for_retries -= self.retry
        return self._left_for_retries >= 0

    async def sent(self, size: int) -> None:
        """Return when so many bytes may be sent: now, or in a later activation."""
        async with self._sending:
            while self._sent_now() and self._sent_now() + size > self.sent_at_once:
                await pause()
            self._sent = self._sent_now() + size

    def _sent_now(self) -> int:
        """How much this activation has sent."""
        activation = workflow.info().get_current_history_length()
        if activation != self._activation:
            self._activation, self._sent = activation, 0
        return self._sent

    def is_full(self) -> bool:
        """Whether nothing new is to begin in this history."""
        info = workflow.info()
        return (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() > self.events
            or info.get_current_history_size() > self.size
        )

    def is_too_full(self) -> bool:
        """Whether even what is under way has no more room in it.

        A plugin that notes something each second, for hours, may bring it so far.
        """
        info = workflow.info()
        return (
            info.get_current_history_length() > self.last_events
            or info.get_current_history_size() > self.last_size
        )
