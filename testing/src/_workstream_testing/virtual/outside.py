"""What goes on outside of trio while all of its tasks wait: threads, processes, sockets.

To trio, a task that waits for a thread is as idle as one that sleeps. A clock that jumps
whenever all tasks are idle would run away from both, so it has to ask here first.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

WAKEUP = 1
"""trio itself always waits for one socket: that by which other threads wake it."""


class Threads:
    """Counts the threads that work for trio, for as long as ``counted`` lasts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0

    @property
    def at_work(self) -> int:
        """How many have begun their work and not handed it over yet."""
        return self._at_work

    @contextmanager
    def counted(self) -> Generator[None]:
        """Count the threads that are started meanwhile, by whatever code.

        trio has no public place to see that from: limiters can be anybody's own. All of
        its threads are started through this one name.
        """
        home: Any = importlib.import_module("trio._threads")
        start = home.start_thread_soon
        home.start_thread_soon = self._counting(start)
        try:
            yield
        finally:
            home.start_thread_soon = start

    def _counting(self, start: Callable[..., None]) -> Callable[..., None]:
        def start_thread_soon(
            function: Callable[[], Any],
            deliver: Callable[[Any], object],
            name: str | None = None,
        ) -> None:
            def delivered(result: Any) -> None:
                try:
                    deliver(result)
                finally:
                    # Only now: what was delivered has woken trio, so it is not idle.
                    self._add(-1)

            self._add(1)
            try:
                start(function, delivered, name)
            except BaseException:
                self._add(-1)  # no thread could be started
                raise

        return start_thread_soon

    def _add(self, number: int) -> None:
        with self._lock:
            self._at_work += number


def waits_for_io() -> bool:
    """Whether a task waits for a socket, a pipe or a process; for use inside trio."""
    import trio

    io: Any = trio.lowlevel.current_statistics().io_statistics
    waiting = getattr(io, "tasks_waiting_read", 0) + getattr(
        io, "tasks_waiting_write", 0
    )
    return bool(waiting > WAKEUP)
