"""The ceiling: the least that trio and LMDB can do and still keep the promise.

An attempt is durable before its call, an outcome before what follows from it; sequences
are objects with a state too. The end of one action and the start of the next share a
commit, sequences that run side by side share commits, each call has a timeout. There is
nothing else: no rules, no plugins, no log for watchers, no errors, no recovery.
"""

from __future__ import annotations

import importlib
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trio

from .work import Shape

__all__ = ["run_ceiling"]

lmdb: Any = importlib.import_module("lmdb")
msgpack: Any = importlib.import_module("msgpack")

_PLAN = bytes(16)
_KEY = struct.Struct(">16sI").pack
RUNNING, COMPLETED = "RUNNING", "COMPLETED"


class _Bare:
    def __init__(self, path: Path) -> None:
        self._env = lmdb.open(str(path), map_size=2**32)
        self._pack = msgpack.Packer().pack
        self._batch: list[tuple[bytes, bytes]] = []
        self._done, self._work = trio.Event(), trio.Event()
        self._limiter = trio.CapacityLimiter(1)

    def record(self, position: int, *state: object) -> None:
        self._batch.append((_KEY(_PLAN, position), self._pack(state)))
        self._work.set()

    async def commit_for_ever(self) -> None:
        while True:
            await self._work.wait()
            await trio.lowlevel.checkpoint()
            batch, self._batch = self._batch, []
            done, self._done = self._done, trio.Event()
            self._work = trio.Event()
            await trio.to_thread.run_sync(self._write, batch, limiter=self._limiter)
            done.set()

    def _write(self, batch: list[tuple[bytes, bytes]]) -> None:
        with self._env.begin(write=True) as transaction:
            put = transaction.put
            for key, value in batch:
                put(key, value)

    async def work(self, sequences: Iterator[int], actions: int) -> None:
        now = time.time_ns
        for number in sequences:
            first = number * (actions + 1) + 1
            begun = now()
            self.record(first, RUNNING, begun, None)
            for position in range(first + 1, first + 1 + actions):
                started = now()
                self.record(position, RUNNING, started, None, None)
                await self._done.wait()
                response = None
                with trio.move_on_after(30):
                    response = await _call(position)
                self.record(position, COMPLETED, started, now(), {"number": response})
            self.record(first, COMPLETED, begun, now())
        await self._done.wait()

    async def run(self, shape: Shape) -> float:
        start = time.perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.commit_for_ever)
            sequences = iter(range(shape.sequences))
            async with trio.open_nursery() as workers:
                for _ in range(shape.concurrency):
                    workers.start_soon(self.work, sequences, shape.actions)
            nursery.cancel_scope.cancel()
        self._env.close()
        return time.perf_counter() - start


async def _call(number: int) -> int:
    return number


async def run_ceiling(shape: Shape, path: Path) -> float:
    """Do the work in a new store at this path; the seconds that it took."""
    return await _Bare(path).run(shape)
