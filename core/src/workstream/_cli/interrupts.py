"""Ctrl-C, once and twice (SIGTERM likewise), and a terminal that closes.

A closed terminal (SIGHUP) ends no run whose store outlives it: what is written goes to a
log in the store's directory from then on. Where there is none, it counts as Ctrl-C.

Once stops the plans, as ``workstream stop`` does. Twice leaves them as a crash would, to
be resumed. Nothing may keep the second one from working: not a plugin that ignores its
cancellation, nor one that blocks the event loop. So it also sets off a thread that ends
the process when the orderly way out takes too long; a third one ends it at once.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import termios
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import trio

from .streams import ExitCode

T = TypeVar("T")

GRACE = 5.0
"""Seconds that an orderly way out may take."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOHUP = (signal.SIGHUP, signal.SIG_IGN)
_SHOW_CURSOR = "\x1b[?25h"


_terminals: list[Callable[[], None]] = []
"""They set terminals as they were."""


@contextmanager
def keys_unseen(
    terminal: int, redraw: Callable[[], None]
) -> Generator[Callable[[], None]]:
    """Keep a terminal from showing the keys that are typed, and forget them at the end.

    Where lines are written over, each key would leave a dead line; and the shell, which
    reads next, would obey what was typed at something else. Ctrl-Z gives the terminal
    back as it was.

    Args:
        terminal: The terminal.
        redraw: Is called when the process goes on after Ctrl-Z.

    Yields:
        What forgets the keys typed so far, and hides them again: a shell may have set
        the terminal in between.
    """
    try:
        before = termios.tcgetattr(terminal)
    except (OSError, termios.error):
        yield lambda: None
        return

    def set_to(flags: int) -> None:
        # In the background it would stop this process.
        with suppress(OSError, termios.error):
            if _is_in_foreground(terminal):
                now = termios.tcgetattr(terminal)
                if now[3] != flags:
                    settings = [*now[:3], flags, *now[4:]]
                    termios.tcsetattr(terminal, termios.TCSANOW, settings)

    show = partial(set_to, before[3])

    def forget() -> None:
        with suppress(OSError, termios.error):
            if _is_in_foreground(terminal):
                termios.tcflush(terminal, termios.TCIFLUSH)

    def hide() -> None:
        set_to(before[3] & ~termios.ECHO)
        forget()  # not at the end only: a process that is killed has none

    def restore() -> None:
        forget()
        show()

    def on_stop(number: int, frame: FrameType | None) -> None:
        show()
        with suppress(OSError):
            os.write(terminal, f"{_SHOW_CURSOR}\n".encode())
        signal.signal(number, signal.SIG_DFL)
        # To this thread, so that it is stopped before it goes on.
        signal.pthread_kill(threading.get_ident(), number)
        signal.signal(number, on_stop)
        hide()
        redraw()

    _terminals.append(restore)
    in_main = threading.current_thread() is threading.main_thread()
    stops = in_main and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    try:
        if stops:
            signal.signal(signal.SIGTSTP, on_stop)
        hide()
        yield hide
    finally:
        if stops:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
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
        is_hung_up: Whether the terminal was closed, and the run goes on without.
    """

    def __init__(self) -> None:
        """Count nothing yet."""
        self.count = 0
        self.last_words = ""
        self.is_hung_up = False
        self._log: Path | None = None
        self._wakes: list[Callable[[], None]] = []
        self._before: dict[signal.Signals, Any] = {}
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

    def outlives(self, log: Path) -> None:
        """From now on a closed terminal ends nothing; the log to write to then."""
        self._log = log

    async def come(self, count: int) -> None:
        """Return when so many have come."""
        await self._until(lambda: self.count >= count)

    async def hung_up(self) -> None:
        """Return when the terminal was closed, and output goes to the log."""
        await self._until(lambda: self.is_hung_up)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        token = trio.lowlevel.current_trio_token()
        while not is_so():
            event = trio.Event()
            wake = partial(token.run_sync_soon, event.set)
            self._wakes.append(wake)
            try:
                if not is_so():  # none came in between
                    await event.wait()
            finally:
                self._wakes.remove(wake)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and (self.count or self.is_hung_up):
            return  # the kernel and the shell both tell that the terminal is gone
        if number == signal.SIGHUP and self._log is not None:
            write_to_log(self._log)
            self.is_hung_up = True
        else:
            self._count()
        for wake in [*self._wakes]:
            wake()

    def _count(self) -> None:
        """One more asks the command to end."""
        self.count += 1
        if self.count == 2:
            self._timer = threading.Timer(GRACE, self._leave)
            self._timer.daemon = True
            self._timer.start()
        elif self.count > 2:
            self._leave()

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


def write_to_log(log: Path) -> None:
    """Let what this process writes go to a log, but for what goes to a file already."""
    try:
        log.parent.mkdir(mode=0o700, exist_ok=True)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:  # the run is worth more than its log
        target = os.open(os.devnull, os.O_WRONLY)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for stream, new in ((0, nowhere), (1, target), (2, target)):
        with suppress(OSError):
            if not stat.S_ISREG(os.fstat(stream).st_mode):
                os.dup2(new, stream)
    os.close(nowhere)
    os.close(target)


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
