"""The short way to a thread and back (``_vaults.lmdb.thread``)."""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import SimpleNamespace
from typing import NoReturn

import pytest
import trio
import trio.testing

from workstream._vaults.lmdb import thread
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


class Rounds(trio.abc.Instrument):
    """Counts how often the loop looks for what is new."""

    number = 0

    def before_io_wait(self, timeout: float) -> None:
        """Count."""
        self.number += 1


def test_a_quick_answer_is_waited_for_where_nothing_else_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then it costs no round of the loop, and nothing has to wake it."""
    monkeypatch.setattr(thread, "PATIENCE", 60)
    rounds = Rounds()

    async def main() -> int:
        trio.lowlevel.add_instrument(rounds)
        before = rounds.number
        for number in range(10):
            assert await call_in_thread(partial(abs, number), limiter) == number
        with pytest.raises(OSError, match="full"):
            await call_in_thread(fail, limiter)
        return rounds.number - before

    def fail() -> NoReturn:
        message = "the disk is full"
        raise OSError(message)

    limiter = trio.CapacityLimiter(1)
    assert trio.run(main) == 0


def test_what_is_ready_does_not_wait_for_the_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However patient the loop is: here it is the other task that lets the thread end."""
    monkeypatch.setattr(thread, "PATIENCE", 60)
    go_on = threading.Event()
    limiter = trio.CapacityLimiter(1)
    heard: list[bool] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(let_go)
            heard.append(await call_in_thread(lambda: go_on.wait(30), limiter))

    async def let_go() -> None:
        go_on.set()

    trio.run(main)
    assert heard == [True]


class LateLock:
    """A lock that says that it waited in vain when it did not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.release = self._lock.release

    def acquire(self, timeout: float | None = None) -> bool:
        """Take it; of a wait that has an end, say that it was in vain."""
        self._lock.acquire()
        if timeout is None:
            return True
        self._lock.release()
        return False


def test_an_answer_that_comes_while_the_loop_gives_up_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread was first, although the loop has waited in vain."""
    monkeypatch.setattr(thread, "threading", SimpleNamespace(Lock=LateLock))

    async def main() -> str:
        return await call_in_thread(lambda: "written", trio.CapacityLimiter(1))

    assert trio.run(main) == "written"


def test_ctrl_c_does_not_leave_a_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while the loop waits for the thread; the answer is heard first (STO-6)."""
    monkeypatch.setattr(thread, "PATIENCE", 60)
    made: list[str] = []
    main_thread = threading.get_ident()

    def interrupted() -> str:
        signal.pthread_kill(main_thread, signal.SIGINT)
        return "written"

    async def main() -> None:
        made.append(await call_in_thread(interrupted, trio.CapacityLimiter(1)))
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert made == ["written"]
