"""What ``killed_often.py`` and ``told_often.py`` share: lines that last, forks, their ends.

Whoever forks imports everything before, opens nothing and has one thread: so what is
forked begins at once.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import attrs
import trio

from workstream import Plan, Status
from workstream._plan.walk import actions


@attrs.frozen
class Work:
    """What to do: nothing."""


def write_line(path: Path, line: str) -> None:
    """Add a line where a kill cannot lose it, or half of it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def lines_of(path: Path) -> list[str]:
    """What was added so far."""
    return path.read_text().splitlines() if path.exists() else []


# -- Processes ---------------------------------------------------------------------------

_alive: set[int] = set()


@contextmanager
def none_left() -> Generator[None]:
    """Kill what is left in the end, so that nobody waits for the pipe it would keep."""
    try:
        yield
    finally:
        for child in _alive:
            os.kill(child, signal.SIGKILL)


def fork(main: Callable[[], Awaitable[None]]) -> int:
    """A process that does this."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            trio.run(main)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _alive.add(child)
    return child


def end_of(child: int, expected: int = 0) -> None:
    """Wait for the end of a process, which must be as expected."""
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _alive.discard(child)
    if ended != expected:
        sys.exit(f"a process ended with {ended}, not {expected}")


# -- What was done -----------------------------------------------------------------------


def note_done(
    plan: Plan, plugin: str, called: Counter[str], calls: Path, done: Path
) -> None:
    """Note which actions are stored as done, with how often each was called.

    Args:
        plan: A plan, as it is stored.
        plugin: The plugin that writes its calls down.
        called: How often each action had been called before the plan was read: the
            store must know of each (A-13).
        calls: Where the calls are written down.
        done: Where what is done is noted.
    """
    over: list[str] = []
    for action in actions(plan):
        if action.plugin == plugin:
            assert len(action.attempts) >= called[str(action.id)], action
            if action.state.status is Status.COMPLETED:
                over.append(str(action.id))
    # Read again: calls of what is done were made before it was stored.
    counts = Counter(lines_of(calls)) if over else called
    known = set(lines_of(done))
    for action_id in over:
        line = f"{action_id} {counts[action_id]}"
        if line not in known:
            write_line(done, line)


def done_again(done: Path) -> list[str]:
    """What was called once more after it was noted as done (R-2)."""
    lines = set(lines_of(done))  # two engines may have seen the same
    counts = dict(line.split() for line in lines)
    return [line for line in lines if counts[line.split()[0]] != line.split()[1]]
