"""The way to a thread and back, as short as it can be: what a commit is handed to.

``trio.to_thread`` is made for calls that take long: it goes round the loop before the
call and knows limits, contexts and cancellation. To a plan whose actions follow one
another the way there and back counts as much as a third of the commit itself. So this
goes straight to trio's own threads, by the door that ``to_thread`` uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    import outcome

T = TypeVar("T")


async def call_in_thread(
    function: Callable[[], T], one_at_a_time: trio.CapacityLimiter
) -> T:
    """Call the function in a thread, and return or raise what it did.

    Once it has begun it is not given up, so its outcome is always known.
    """
    try:  # as a rule nobody else writes: no need to go round the loop to find out
        one_at_a_time.acquire_nowait()
    except trio.WouldBlock:
        await one_at_a_time.acquire()
    try:
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()
        token = trio.lowlevel.current_trio_token()

        def deliver(result: outcome.Outcome[T]) -> None:
            token.run_sync_soon(trio.lowlevel.reschedule, task, result)

        trio.lowlevel.start_thread_soon(function, deliver)
        made: T = await trio.lowlevel.wait_task_rescheduled(_never_given_up)
    finally:
        one_at_a_time.release()
    return made


def _never_given_up(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
