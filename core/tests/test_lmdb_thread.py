"""The short way to a thread and back (``_vaults.lmdb.thread``)."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest
import trio
import trio.testing

from workstream._vaults.lmdb.thread import call_in_thread


def test_it_returns_what_the_call_returned() -> None:
    """The call is made in another thread, and its answer comes back."""

    async def main() -> int | None:
        return await call_in_thread(threading.get_ident, trio.CapacityLimiter(1))

    assert trio.run(main) != threading.get_ident()


def test_it_raises_what_the_call_raised() -> None:
    """Errors of the store reach whoever wrote (STO-6), and the next call is made."""
    limiter = trio.CapacityLimiter(1)

    def fail() -> NoReturn:
        message = "the disk is full"
        raise OSError(message)

    async def main() -> str:
        with pytest.raises(OSError, match="the disk is full"):
            await call_in_thread(fail, limiter)
        return await call_in_thread(lambda: "written", limiter)

    assert trio.run(main) == "written"


def test_calls_are_made_one_at_a_time() -> None:
    """A second writer waits for the first, in any thread (STO-10)."""
    limiter = trio.CapacityLimiter(1)
    order: list[str] = []
    go_on = threading.Event()

    def first() -> None:
        order.append("first begins")
        go_on.wait()
        order.append("first ends")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_in_thread, first, limiter)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(call_in_thread, lambda: order.append("second"), limiter)
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()

    trio.run(main)
    assert order == ["first begins", "first ends", "second"]


def test_a_call_that_has_begun_is_not_given_up() -> None:
    """A commit under way is waited for, also by who is cancelled (T-4)."""
    go_on = threading.Event()

    async def main() -> bool:
        made: list[str] = []

        def call() -> None:
            go_on.wait()
            made.append("made")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_in_thread, call, trio.CapacityLimiter(1))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            go_on.set()
        return made == ["made"]

    assert trio.run(main)


def test_a_call_that_has_not_begun_is_not_made_after_a_cancellation() -> None:
    """And the way is free for the next one."""
    limiter = trio.CapacityLimiter(1)
    made: list[str] = []

    async def main() -> int:
        with trio.CancelScope() as scope:
            scope.cancel()
            await call_in_thread(lambda: made.append("made"), limiter)
        return limiter.borrowed_tokens

    assert trio.run(main) == 0
    assert made == []


def test_a_disk_that_stalls_does_not_hold_up_the_loop() -> None:
    """While a commit takes its time, all else goes on."""
    go_on = threading.Event()

    async def main() -> str:
        made: list[str] = []

        async def write() -> None:
            made.append(await call_in_thread(stalled, trio.CapacityLimiter(1)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for _ in range(10):  # with the loop held up, this would never end
                await trio.sleep(0.001)
            assert made == []
            go_on.set()
        return made[0]

    def stalled() -> str:
        go_on.wait()
        return "written"

    assert trio.run(main) == "written"
