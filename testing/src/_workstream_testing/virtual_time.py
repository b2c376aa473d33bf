"""Virtual time: an hour of waiting takes no time, and the order of tasks can be chosen.

trio is imported when it is needed: this module comes with a pytest plugin that every
test run loads.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import trio.testing

__all__ = ["START", "FakeClock", "TrioSleeper", "shuffled"]

T = TypeVar("T")

START = datetime(2030, 1, 1, tzinfo=UTC)
"""The time at which every fake clock begins."""


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

    Time would jump, too, while all that a task waits for is a thread: hold the clock
    meanwhile (``held``, or ``HeldVault`` for a store that works in threads).
    """

    def __init__(self, start: datetime = START) -> None:
        """Make a clock, at zero.

        Args:
            start: What ``now`` tells at zero; timezone-aware.
        """
        import trio.testing

        self.start = start
        self._clock = trio.testing.MockClock(autojump_threshold=0)
        self._holds = 0

    @property
    def trio_clock(self) -> trio.testing.MockClock:
        """To be handed to ``trio.run`` by whoever calls it themselves."""
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
        self._clock.autojump_threshold = math.inf
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._clock.autojump_threshold = 0

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

        if seed is None:
            return trio.run(function, *args, clock=self._clock)
        with shuffled(seed):
            return trio.run(function, *args, clock=self._clock)


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
