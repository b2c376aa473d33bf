"""What a plugin has left behind: processes, tasks of trio, threads.

Processes are found by their parent, and by a variable of their environment: one that
has made itself a session of its own, and lost its parent, still bears it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import trio

VARIABLE = "WORKSTREAM_CHECK_PLUGIN"
GRACE = 0.3
"""Seconds that a process may take to go which was killed but not waited for."""


def is_supported() -> bool:
    """Whether this machine tells which processes there are."""
    return Path("/proc/self/stat").exists()


class Processes:
    """Finds the processes that were started while ``marked`` lasted, and still are.

    Attributes:
        names: What was left behind, by process id.
    """

    def __init__(self) -> None:
        self._mark = f"{VARIABLE}={uuid4()}".encode()
        self._before = set(_children())

    @contextmanager
    def marked(self) -> Generator[None]:
        """Let every process that is started meanwhile bear the mark."""
        name, _, value = self._mark.decode().partition("=")
        before = os.environ.get(name)
        os.environ[name] = value
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before

    def left(self) -> dict[int, str]:
        """The processes that are still there, each with what it is called."""
        deadline = time.monotonic() + GRACE
        while True:
            found = dict(self._found())
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def _found(self) -> Iterator[tuple[int, str]]:
        children = set(_children()) - self._before
        for process in _processes():
            if process in children or self._bears_mark(process):
                yield process, _name(process)

    def _bears_mark(self, process: int) -> bool:
        if process == os.getpid():
            return False
        try:
            return self._mark in Path(f"/proc/{process}/environ").read_bytes()
        except OSError:
            return False  # it has gone, or is not ours


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _children() -> list[int]:
    """The processes whose parent this one is."""
    own = os.getpid()
    return [process for process in _processes() if _parent(process) == own]


def _stat(process: int) -> list[str]:
    try:
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return []
    # The name, in brackets, may hold anything.
    return text.rpartition(")")[2].split()


def _parent(process: int) -> int:
    stat = _stat(process)
    return int(stat[1]) if stat else 0


def _name(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    name = b" ".join(words).decode(errors="replace").strip()
    if not name and _stat(process)[:1] == ["Z"]:
        return "it has ended, but nobody waited for it"
    return name or "its name cannot be read"


def tasks() -> set[trio.lowlevel.Task]:
    """All tasks of this run of trio."""
    import trio

    root = trio.lowlevel.current_root_task()
    found: set[trio.lowlevel.Task] = set()
    left = [] if root is None else [root]
    while left:
        task = left.pop()
        found.add(task)
        for nursery in task.child_nurseries:
            left += nursery.child_tasks
    return found
