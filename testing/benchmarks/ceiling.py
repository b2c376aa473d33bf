"""The ceiling: the least that trio and LMDB can do and still keep the promise.

An attempt is durable before its call, an outcome before what follows from it; sequences
are objects with a state too. The end of one action and the start of the next share a
commit, sequences that run side by side share commits, each call has a timeout. There is
nothing else: no rules, no plugins, no log for watchers, no errors, no recovery. The way to
the thread that commits is the engine's own, so that it costs both the same.

What ``run_ceiling`` stores can be read again as what it was: objects with times and a
response of a class, in the way that the stack offers, by attrs, cattrs and msgpack.
``run_tuples`` leaves out even that, and stores tuples of numbers.
"""

from __future__ import annotations

import importlib
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import cattrs
import trio

from workstream._vaults.lmdb.thread import call_in_thread

from .work import Response, Shape

__all__ = ["run_ceiling", "run_tuples"]

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

    def now(self) -> Any:
        return time.time_ns()

    def encode(self, status: str, started: Any, ended: Any, response: Any) -> bytes:
        number = None if response is None else response.number
        data: bytes = self._pack((status, started, ended, number))
        return data

    def record(
        self, position: int, status: str, started: Any, ended: Any, response: Any
    ) -> None:
        data = self.encode(status, started, ended, response)
        self._batch.append((_KEY(_PLAN, position), data))
        self._work.set()

    async def commit_for_ever(self) -> None:
        while True:
            await self._work.wait()
            await trio.lowlevel.checkpoint()
            batch, self._batch = self._batch, []
            done, self._done = self._done, trio.Event()
            self._work = trio.Event()
            await call_in_thread(partial(self._write, batch), self._limiter)
            done.set()

    def _write(self, batch: list[tuple[bytes, bytes]]) -> None:
        with self._env.begin(write=True) as transaction:
            put = transaction.put
            for key, value in batch:
                put(key, value)

    async def work(self, sequences: Iterator[int], actions: int) -> None:
        now = self.now
        for number in sequences:
            first = number * (actions + 1) + 1
            begun = now()
            self.record(first, RUNNING, begun, None, None)
            for position in range(first + 1, first + 1 + actions):
                started = now()
                self.record(position, RUNNING, started, None, None)
                await self._done.wait()
                response: Any = None
                with trio.move_on_after(30):
                    response = await _call(position)
                self.record(position, COMPLETED, started, now(), response)
            self.record(first, COMPLETED, begun, now(), None)
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


@attrs.define
class _State:
    status: str
    started: datetime
    ended: datetime | None
    response: Response | None


class _Typed(_Bare):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._pack = msgpack.Packer(datetime=True).pack
        self._plain = cattrs.Converter().get_unstructure_hook(_State)

    def now(self) -> Any:
        return datetime.now(UTC)

    def encode(self, status: str, started: Any, ended: Any, response: Any) -> bytes:
        data: bytes = self._pack(self._plain(_State(status, started, ended, response)))
        return data


async def _call(number: int) -> Response:
    return Response(number)


async def run_ceiling(shape: Shape, path: Path) -> float:
    """Do the work in a new store at this path; the seconds that it took."""
    return await _Typed(path).run(shape)


async def run_tuples(shape: Shape, path: Path) -> float:
    """The same, with tuples for records."""
    return await _Bare(path).run(shape)
