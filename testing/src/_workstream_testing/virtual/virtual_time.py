"""Virtual time: an hour of waiting takes no time, and the order of tasks can be chosen.

trio is imported when it is needed: this module comes with a pytest plugin that every
test run loads.
"""

from __future__ import annotations

import importlib
import math
import random
import warnings
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from .outside import Threads, waits_for_io

if TYPE_CHECKING:
    import trio.testing

T = TypeVar("T")

START = datetime(2030, 1, 1, tzinfo=UTC)
"""The time at which every fake clock begins."""

LOOK_EVERY = 0.002
"""Real seconds between two looks whether what is at work outside has ended."""

_OUTRUN = (
    "the fake clock jumped {:g} seconds while a task waited for a process or a socket, "
    "which that may have timed out: make it with FakeClock(real_io=True), or with "
    "real_io=False where it shall jump"
)


class FakeClock:
    """A clock that jumps to the next moment at which something is due.

    Whenever all tasks wait, time jumps ahead to the first deadline of any of them. So a
    test of a plan that waits for an hour ends at once, and its times are exact::

        def test_bake_time(fake_clock):
            async def scenario():
                async with open_workstream(vault, now=fake_clock.now) as ws:
                    result = await ws.run(plan)
                assert fake_clock.time() == 3600

            fake_clock.run(scenario)

    While a thread works for trio, time stands still: a thread of 50 milliseconds does
    not lose against a sleep of a minute. What waits for a process or a socket needs a
    clock made with ``real_io=True``; one that was outrun by another clock is warned of.
    """

    def __init__(self, start: datetime = START, *, real_io: bool | None = None) -> None:
        """Make a clock, at zero.

        Args:
            start: What ``now`` tells at zero; timezone-aware.
            real_io: Whether time passes as it really does, neither jumping nor standing
                still, while a task waits for a process, a pipe or a socket. Say False
                where one waits all the time, such as a server of the test's own. None:
                it jumps, and ``run`` warns of that (``RuntimeWarning``).
        """
        import trio.testing

        self.start = start
        self._clock = trio.testing.MockClock(autojump_threshold=0)
        self._holds = 0
        self._real_io = real_io
        self._outrun = 0.0
        self._threads = Threads()
        # trio asks its clock to jump when all tasks are idle, and there is no public
        # way to answer that this is not the time.
        jumping: Any = self._clock
        jumping._autojump = self._jump

    @property
    def trio_clock(self) -> trio.testing.MockClock:
        """To be handed to ``trio.run`` by whoever calls it themselves.

        Threads are seen by ``run`` alone: elsewhere hold the clock while one works.
        """
        return self._clock

    def time(self) -> float:
        """Seconds since the clock was made."""
        return self._clock.current_time()

    def now(self) -> datetime:
        """The date and time, for ``open_workstream(now=...)``."""
        return self.start + timedelta(seconds=self.time())

    @contextmanager
    def held(self) -> Generator[None]:
        """Let no time pass by itself, for as long as the block lasts."""
        self._holds += 1
        self._pace(0, math.inf)
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._pace(0, 0)

    def run(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        seed: int | None = None,
    ) -> T:
        """Run an async function by this clock, and return what it returns.

        Args:
            function: The function.
            args: Its arguments.
            seed: Chooses the order of tasks that are ready at the same instant; the
                same seed gives the same order. None: any order.
        """
        import trio

        self._outrun = 0.0
        try:
            with self._threads.counted():
                if seed is None:
                    return trio.run(function, *args, clock=self._clock)
                with shuffled(seed):
                    return trio.run(function, *args, clock=self._clock)
        finally:
            if self._outrun:
                warnings.warn(_OUTRUN.format(self._outrun), RuntimeWarning, 2)

    def _jump(self) -> None:
        """All tasks are idle: jump to what is due next, if nothing is at work outside."""
        import trio

        if self._threads.at_work:
            self._pace(0, LOOK_EVERY)
            return
        if trio.lowlevel.current_statistics().run_sync_soon_queue_size:
            # A thread ended after trio had looked, and before it asked for the jump:
            # what it has handed over is to be done first.
            return
        if self._real_io and waits_for_io():
            self._pace(1, LOOK_EVERY)
            return
        self._pace(0, 0)
        seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if 0 < seconds < math.inf:
            if self._real_io is None and waits_for_io():
                self._outrun = self._outrun or seconds
            self._clock.jump(seconds)

    def _pace(self, rate: float, idle: float) -> None:
        """How fast time passes by itself, and after how much idleness it may jump."""
        if self._clock.rate != rate:
            self._clock.rate = rate
        if self._clock.autojump_threshold != idle:
            self._clock.autojump_threshold = idle


@contextmanager
def shuffled(seed: int) -> Generator[None]:
    """Let this seed choose the order of trio's tasks, for as long as the block lasts.

    trio runs the tasks that are ready in an order that it does not promise. Here it is
    shuffled by a generator of its own, so that a failing order can be run again. trio
    has these two switches for its own support of Hypothesis; there is no public one.
    """
    switches: Any = importlib.import_module("trio._core._run")
    before = switches._r, switches._ALLOW_DETERMINISTIC_SCHEDULING
    switches._r = random.Random(seed)
    switches._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        switches._r, switches._ALLOW_DETERMINISTIC_SCHEDULING = before


class TrioSleeper:
    """Lets fixture plugins sleep on trio (see ``fixtures.Sleeper``)."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def time(self) -> float:
        """Seconds by the clock."""
        return self._clock.time()

    async def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds; infinity: never."""
        import trio

        await trio.sleep(seconds)

    async def linger(self, seconds: float, /) -> None:
        """As ``sleep``, but not cut short by a cancellation."""
        import trio

        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)
