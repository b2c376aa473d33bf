"""The way to a thread and back, as short as it can be: what a commit is handed to.

``trio.to_thread`` is made for calls that take long: it goes round the loop before the
call and knows limits, contexts and cancellation. To a plan whose actions follow one
another the way there and back counts as much as a third of the commit itself. So this
goes straight to trio's own threads, by the door that ``to_thread`` uses.

Nor does it go round the loop for the answer of a disk that is quick: where nothing else
is ready to run, the loop waits for the thread itself, for a millisecond and no longer. A
disk that stalls holds up nobody for longer than that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    import outcome

T = TypeVar("T")

PATIENCE = 0.001
"""Seconds for which the loop waits, where nothing else is ready to run."""


@trio.lowlevel.enable_ki_protection  # Ctrl-C must not leave a commit half-heard
async def call_in_thread(
    function: Callable[[], T], one_at_a_time: trio.CapacityLimiter
) -> T:
    """Call the function in a thread, and return or raise what it did.

    Once it has begun it is not given up, so its outcome is always known. It may return
    without others having had their turn: then there were none.
    """
    try:  # as a rule nobody else writes: no need to go round the loop to find out
        one_at_a_time.acquire_nowait()
    except trio.WouldBlock:
        await one_at_a_time.acquire()
    try:
        await trio.lowlevel.checkpoint_if_cancelled()
        answer = _Answer[T]()
        trio.lowlevel.start_thread_soon(function, answer.deliver)
        idle = not trio.lowlevel.current_statistics().tasks_runnable
        return await answer.get(PATIENCE if idle else 0)
    finally:
        one_at_a_time.release()


class _Answer(Generic[T]):
    """What a thread did, on its way to the task that waits for it."""

    def __init__(self) -> None:
        self._task = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._there = threading.Lock()
        self._there.acquire()
        # Taken by the first to come: the thread with its answer, or the loop, to go on
        # without it. The other one finds it gone.
        self._first = [True]
        self._result: outcome.Outcome[T]

    def deliver(self, result: outcome.Outcome[T]) -> None:
        """Take the result to where it is waited for; called by the thread."""
        self._result = result
        if self._is_first():
            self._there.release()
        else:
            self._token.run_sync_soon(trio.lowlevel.reschedule, self._task, result)

    async def get(self, patience: float) -> T:
        """Wait for it: so many seconds on the loop, and then as others do."""
        if not self._there.acquire(timeout=patience):
            if self._is_first():
                made: T = await trio.lowlevel.wait_task_rescheduled(_never_given_up)
                return made
            self._there.acquire()  # the thread is about to say so
        return self._result.unwrap()

    def _is_first(self) -> bool:
        try:
            return self._first.pop()
        except IndexError:
            return False


def _never_given_up(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
