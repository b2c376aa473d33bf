"""Ctrl-C, once and twice (SIGTERM likewise; a closed terminal counts as once).

Once stops the plans, as ``workstream stop`` does. Twice leaves them as a crash would, to
be resumed. Nothing may keep the second one from working: not a plugin that ignores its
cancellation, nor one that blocks the event loop. So it also sets off a thread that ends
the process when the orderly way out takes too long; a third one ends it at once.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import trio

from .exit_codes import ExitCode

T = TypeVar("T")

GRACE = 5.0
"""Seconds that an orderly way out may take."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOHUP = (signal.SIGHUP, signal.SIG_IGN)
_SHOW_CURSOR = "\x1b[?25h"


_terminals: list[Callable[[], None]] = []
"""They set terminals as they were."""


@contextmanager
def keys_unseen(terminal: int) -> Generator[None]:
    """Keep a terminal from showing the keys that are typed.

    Where lines are written over, each would leave a dead line. Whoever reads the
    terminal next gets them all the same.
    """

    def set_to(settings: list[Any]) -> None:
        # In the background it would stop this process.
        with suppress(OSError, termios.error):
            if _is_in_foreground(terminal):
                termios.tcsetattr(terminal, termios.TCSANOW, settings)

    try:
        before = termios.tcgetattr(terminal)
    except (OSError, termios.error):
        yield
        return
    restore = partial(set_to, before)
    _terminals.append(restore)
    try:
        flags = before[3] & ~termios.ECHO
        set_to([*before[:3], flags, *before[4:]])
        yield
    finally:
        _terminals.remove(restore)
        restore()


def _is_in_foreground(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return True  # no shell of it controls jobs


class Interrupts:
    """Counts the signals that ask the command to end, while it is entered.

    Attributes:
        count: How many came.
        last_words: What is written when the process is ended the hard way.
    """

    def __init__(self) -> None:
        """Count nothing yet."""
        self.count = 0
        self.last_words = ""
        self._before: dict[signal.Signals, Any] = {}
        self._wake: Callable[[], None] | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Interrupts:
        """Take the signals; only a main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # Under nohup a hangup is ignored, and stays so.
                if (number, signal.getsignal(number)) != _NOHUP:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signals back."""
        if self._timer is not None:
            self._timer.cancel()
        for number, before in self._before.items():
            signal.signal(number, before)

    def leaves(self, resume: str) -> None:
        """From now on a plan is left behind; the command to go on with it."""
        self.last_words = f"left at once; go on with it:  {resume}"

    async def come(self, count: int) -> None:
        """Return when so many have come."""
        token = trio.lowlevel.current_trio_token()
        while self.count < count:
            event = trio.Event()

            def wake(event: trio.Event = event) -> None:
                token.run_sync_soon(event.set)

            self._wake = wake
            if self.count < count:  # none came in between
                await event.wait()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self.count:
            return  # the kernel and the shell both tell that the terminal is gone
        self.count += 1
        if self.count == 2:
            self._timer = threading.Timer(GRACE, self._leave)
            self._timer.daemon = True
            self._timer.start()
        elif self.count > 2:
            self._leave()
        if self._wake is not None:
            self._wake()

    def _leave(self) -> None:
        """End the process as a crash would, but say so."""
        # Past every lock and buffer that the stuck thread may hold.
        for restore in _terminals:
            restore()
        words = self.last_words
        if sys.stderr.isatty():
            words = f"{_SHOW_CURSOR}\n{words}"
        try:
            os.write(2, f"{words}\n".encode(errors="replace"))
        finally:
            os._exit(ExitCode.BROKEN_OFF)


async def interruptible(function: Callable[[], Awaitable[T]]) -> T:
    """Await it; Ctrl-C ends it by KeyboardInterrupt, wherever it stands.

    What Python itself raises at a signal may come up where exceptions are ignored, in
    a finalizer for instance, and is lost then. This way none is.
    """
    results: list[T] = []

    async def follow(scope: trio.CancelScope) -> None:
        results.append(await function())
        scope.cancel()

    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, nursery.cancel_scope)
            async for _ in signals:
                nursery.cancel_scope.cancel()
    if not results:
        raise KeyboardInterrupt
    return results[0]
