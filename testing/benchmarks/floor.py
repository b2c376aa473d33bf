"""The floor: SQLite in WAL mode, ``synchronous=FULL``, a commit for each state change.

That is what most engines of this kind do. The same promise, kept in the obvious way: two
commits an action, one after the other. In its fastest form: on the event loop itself, which
stands still for each sync. A thread would cost a hop each time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from .work import Shape

__all__ = ["run_floor"]

RUNNING, COMPLETED = "RUNNING", "COMPLETED"


class _Floor:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path / "floor.db", isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.execute(
            "create table object (id integer primary key, status, started, ended, data)"
        )

    def record(self, *row: object) -> None:
        self._db.execute("insert or replace into object values (?, ?, ?, ?, ?)", row)

    async def work(self, sequences: Iterator[int], actions: int) -> None:
        for number in sequences:
            first = number * actions
            for position in range(first, first + actions):
                started = time.time_ns()
                self.record(position, RUNNING, started, None, None)
                response = None
                with trio.move_on_after(30):
                    response = await _call(position)
                self.record(position, COMPLETED, started, time.time_ns(), str(response))

    async def run(self, shape: Shape) -> float:
        start = time.perf_counter()
        sequences = iter(range(shape.sequences))
        async with trio.open_nursery() as workers:
            for _ in range(shape.concurrency):
                workers.start_soon(self.work, sequences, shape.actions)
        self._db.close()
        return time.perf_counter() - start


async def _call(number: int) -> int:
    return number


async def run_floor(shape: Shape, path: Path) -> float:
    """Do the work in a new store at this path; the seconds that it took."""
    return await _Floor(path).run(shape)
