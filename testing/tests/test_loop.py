"""The driver of coroutines in virtual time."""

from __future__ import annotations

import gc
import math
import types
from collections.abc import Callable, Generator

import pytest

from _workstream_testing.virtual.call_scope import CallScope
from _workstream_testing.virtual.garbage import FEW_LOOKS
from _workstream_testing.virtual.loop import Loop, current_loop
from _workstream_testing.virtual.loop_errors import (
    Cancelled,
    EndlessError,
    ForeignAwait,
)
from _workstream_testing.virtual.tasks import Task


@types.coroutine
def foreign(trap: object) -> Generator[object, None, None]:
    """Awaits something that no loop of ours knows."""
    yield trap


class TestTime:
    """Time jumps from one thing that is due to the next."""

    def test_sleepers_wake_in_the_order_of_their_times(self) -> None:
        """Whoever sleeps less wakes first, at the exact time."""
        loop = Loop()
        woken: list[tuple[str, float]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await loop.sleep(seconds)
            woken.append((name, loop.time))

        async def main() -> str:
            async with loop.nursery() as nursery:
                for name, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("d", 3.0)):
                    nursery.start_soon(sleeper, name, seconds)
            return "done"

        assert loop.run(main) == "done"
        assert woken == [("a", 1), ("b", 2), ("c", 3), ("d", 3)]

    def test_time_stands_still_without_sleep(self) -> None:
        """Sleeping for nothing lets others go first, and takes no time."""
        loop = Loop(time=7)
        order: list[str] = []

        async def worker(name: str) -> None:
            for _ in range(2):
                order.append(name)
                await loop.sleep(0)

        async def main() -> None:
            async with loop.nursery() as nursery:
                nursery.start_soon(worker, "a")
                nursery.start_soon(worker, "b")

        loop.run(main)

        assert order == ["a", "b", "a", "b"]
        assert loop.time == 7

    def test_a_stale_timer_moves_no_clock(self) -> None:
        """Who is woken early leaves no time behind to wait for."""
        loop = Loop()
        sleeping: list[Task] = []

        async def sleeper() -> None:
            sleeping.append(loop.task)
            await loop.sleep(100)

        async def main() -> None:
            async with loop.nursery() as nursery:
                nursery.start_soon(sleeper)
                await loop.sleep(1)
                loop.wake(sleeping[0])
            await loop.sleep(1)

        loop.run(main)

        assert loop.time == 2

    def test_the_loop_is_known_only_inside(self) -> None:
        """A loop is the current one while it runs, and not after."""
        loop = Loop()
        seen: list[object] = []

        async def main() -> None:
            seen.append(current_loop())

        loop.run(main)

        assert seen == [loop]
        assert current_loop() is None


class TestBounds:
    """What would never end is ended."""

    def test_waiting_for_ever(self) -> None:
        """All wait, and nothing is due: that is told, not waited for."""
        loop = Loop()

        with pytest.raises(EndlessError, match="no timeout or delay"):
            loop.run(loop.sleep, math.inf)

    def test_beyond_the_last_moment(self) -> None:
        """The clock does not pass its bound."""
        loop = Loop(max_time=10)

        with pytest.raises(EndlessError, match="beyond 10 seconds"):
            loop.run(loop.sleep, 11)
        assert loop.time == 10

    def test_too_many_steps(self) -> None:
        """A loop that takes no time is bounded, too."""
        loop = Loop(max_steps=100)

        async def main() -> None:
            while True:
                await loop.checkpoint()

        with pytest.raises(EndlessError, match="more than 100 steps"):
            loop.run(main)

    def test_a_task_that_swallows_every_cancellation(self) -> None:
        """It cannot hang the test: it is told what it does."""
        loop = Loop()

        async def main() -> None:
            CallScope(loop, 5)
            while True:
                try:
                    await loop.sleep(1)
                except BaseException:
                    continue

        with pytest.raises(EndlessError, match="swallows its cancellation"):
            loop.run(main)

    @pytest.mark.parametrize("trap", [None, object(), "a text"])
    def test_awaiting_something_foreign(self, trap: object) -> None:
        """What no loop of this kind can wait for is refused at once."""
        loop = Loop()

        with pytest.raises(ForeignAwait):
            loop.run(foreign, trap)


class TestNurseries:
    """A nursery is left when its children have ended."""

    def test_a_failing_child_cancels_its_siblings(self) -> None:
        """Its error goes on to the owner, after the siblings have unwound."""
        loop = Loop()
        seen: list[str] = []

        async def patient() -> None:
            try:
                await loop.sleep(100)
            except Cancelled:
                seen.append(f"cancelled at {loop.time:g}")
                raise

        async def failing() -> None:
            await loop.sleep(2)
            message = "boom"
            raise ValueError(message)

        async def main() -> None:
            async with loop.nursery() as nursery:
                nursery.start_soon(patient)
                nursery.start_soon(failing)

        with pytest.raises(ValueError, match="boom"):
            loop.run(main)
        assert seen == ["cancelled at 2"]

    def test_a_failing_body_cancels_the_children(self) -> None:
        """The body's error comes out when the children have ended."""
        loop = Loop()
        ended: list[float] = []

        async def child() -> None:
            try:
                await loop.sleep(100)
            finally:
                await loop.sleep(3, shielded=True)
                ended.append(loop.time)

        async def main() -> None:
            async with loop.nursery() as nursery:
                nursery.start_soon(child)
                await loop.sleep(1)
                message = "boom"
                raise ValueError(message)

        with pytest.raises(ValueError, match="boom"):
            loop.run(main)
        assert ended == [4]

    def test_an_inner_nursery_is_cancelled_with_the_outer(self) -> None:
        """Cancellation reaches the children of children."""
        loop = Loop()
        cancelled: list[str] = []

        async def leaf() -> None:
            try:
                await loop.sleep(100)
            except Cancelled:
                cancelled.append("leaf")
                raise

        async def branch() -> None:
            async with loop.nursery() as nursery:
                nursery.start_soon(leaf)

        async def failing() -> None:
            await loop.sleep(1)
            raise KeyError

        async def main() -> None:
            async with loop.nursery() as nursery:
                nursery.start_soon(branch)
                nursery.start_soon(failing)

        with pytest.raises(KeyError):
            loop.run(main)
        assert cancelled == ["leaf"]


class TestCallScopes:
    """A call has a time, and is cancelled when it is over."""

    def test_a_deadline_cuts_a_sleep(self) -> None:
        """At the deadline the sleeper is cancelled, and that is told."""
        loop = Loop()

        async def main() -> bool:
            scope = CallScope(loop, 5)
            try:
                await loop.sleep(100)
            except Cancelled:
                return scope.cancelled
            finally:
                scope.close()
            return False

        assert loop.run(main)
        assert loop.time == 5

    def test_a_deadline_comes_before_what_is_due_with_it(self) -> None:
        """A sleep as long as its timeout is cut short, as on trio."""
        loop = Loop()

        async def main() -> None:
            scope = CallScope(loop, 5)
            try:
                await loop.sleep(5)
            finally:
                scope.close()

        with pytest.raises(Cancelled):
            loop.run(main)

    def test_a_deadline_beyond_one_wait_ends_the_next(self) -> None:
        """A wait that is over before it needs no timer; whoever looks sees it all the same."""
        loop = Loop()
        seen: list[list[float]] = []

        async def look() -> None:
            for _ in range(2):
                seen.append([time for time, _, _ in loop.due()])
                await loop.sleep(12)

        async def main() -> None:
            loop.begin(look)
            scope = CallScope(loop, 15)
            try:
                for _ in range(2):
                    await loop.sleep(10)
            finally:
                scope.close()

        with pytest.raises(Cancelled):
            loop.run(main)
        assert seen == [[10, 15], [3, 8]]
        assert loop.time == 15

    def test_a_result_at_the_deadline_is_not_late(self) -> None:
        """Only what comes after the deadline is late (A-5)."""
        loop = Loop()

        async def main(linger: float) -> bool:
            scope = CallScope(loop, 5)
            try:
                await loop.sleep(linger, shielded=True)
                return scope.late
            finally:
                scope.close()

        assert not loop.run(main, 5)
        assert Loop(time=0).run(_late_after, 6)

    def test_cancellation_goes_on(self) -> None:
        """Whoever swallows it is cancelled again where they wait next."""
        loop = Loop()
        cancelled = 0

        async def main() -> int:
            nonlocal cancelled
            scope = CallScope(loop, 5)
            for _ in range(3):
                try:
                    await loop.sleep(10)
                except Cancelled:
                    cancelled += 1
            scope.close()
            await loop.sleep(1)
            return cancelled

        assert loop.run(main) == 3
        assert loop.time == 6

    def test_a_wait_that_was_refused_ends_no_later_one(self) -> None:
        """A sleep that a cancellation forbids leaves no timer that would wake a next."""
        loop = Loop()

        async def main() -> None:
            scope = CallScope(loop, 5)
            with pytest.raises(Cancelled):
                await loop.sleep(100)
            with pytest.raises(Cancelled):
                await loop.sleep(10)
            scope.close()
            await loop.sleep(60)

        loop.run(main)
        assert loop.time == 65


async def _late_after(seconds: float) -> bool:
    loop = current_loop()
    assert loop is not None
    scope = CallScope(loop, 5)
    try:
        await loop.sleep(seconds, shielded=True)
        return scope.late
    finally:
        scope.close()


def first(_ready: int) -> int:
    """The one that was ready first."""
    return 0


def last(ready: int) -> int:
    """The one that was ready last."""
    return ready - 1


class TestOrder:
    """What is ready runs in the order in which it became ready, or as it is chosen."""

    @pytest.mark.parametrize(
        ("choose", "expected"),
        [
            (None, "abc"),
            (first, "abc"),
            (last, "cba"),
        ],
    )
    def test_the_choice_decides(
        self, choose: Callable[[int], int] | None, expected: str
    ) -> None:
        """The chooser is asked where there is a choice, and only there."""
        loop = Loop(choose=choose)
        order: list[str] = []

        async def worker(name: str) -> None:
            order.append(name)

        async def main() -> None:
            async with loop.nursery() as nursery:
                for name in "abc":
                    nursery.start_soon(worker, name)

        loop.run(main)

        assert "".join(order) == expected


def test_the_collector_looks_less_often_only_while_a_run_goes_on() -> None:
    """As often as before once it has ended, however it did."""
    before = gc.get_threshold()
    during: list[int] = []

    async def look() -> None:
        during.append(gc.get_threshold()[0])
        message = "broken off"
        raise ValueError(message)

    with pytest.raises(ValueError, match="broken off"):
        Loop().run(look)
    assert during == [max(before[0], FEW_LOOKS)]
    assert gc.get_threshold() == before
