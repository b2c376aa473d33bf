"""The engine itself: on LMDB with synchronous commits, and without any store."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import trio

from workstream import Plan, Workstream, open_workstream
from workstream._codec.codec import Codec
from workstream._plan.walk import give_ids, new_plan_id
from workstream._protocols.vault import Change, PlanRequest, Vault
from workstream._runtime.journal import Batch, Committer, Journal
from workstream._runtime.lookups import Lookups
from workstream._runtime.output import OutputBuffer
from workstream._runtime.trio_runtime import RunSettings, TrioRuntime
from workstream._values.clock import Clock
from workstream._values.state import State, Status
from workstream.vaults import LmdbVault

from .work import registry

__all__ = [
    "collector_spared",
    "opened",
    "run_deaf",
    "run_engine",
    "run_told",
    "run_without_store",
    "timed",
]


@asynccontextmanager
async def opened(vault: Vault) -> AsyncGenerator[Workstream, None]:
    """An engine on this vault, with the plugins of the bench."""
    async with open_workstream(vault, registry=registry()) as ws:
        yield ws


@contextmanager
def collector_spared(spared: bool = True) -> Generator[None]:
    """Keep the collector from what there is now, as the command line does in a run."""
    if spared:
        gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def timed(
    ws: Workstream,
    plan: Plan,
    *,
    watchers: int = 0,
    spared: bool = True,
    words: int = 0,
) -> float:
    """The seconds from when the plan's start is durable to when its end is.

    Submitting it, and reading it back to start it, is no part of that.

    Args:
        ws: The engine.
        plan: The plan.
        watchers: How many watch.
        spared: Whether the collector is kept from looking through the plan.
        words: How many things it is told before it begins.
    """
    plan_id = await ws.submit(plan)
    for _ in range(words // 2):
        await ws.pause(plan_id)
        await ws.unpause(plan_id)
    async with trio.open_nursery() as nursery:
        for _ in range(watchers):
            await nursery.start(_watch, ws, plan_id)
        await ws.start(plan_id)
        with collector_spared(spared):
            start = time.perf_counter()
            ended = await _ended(ws, plan_id)
            seconds = ended - start
    assert (await ws.plan(plan_id)).state.status is Status.COMPLETED
    return seconds


async def _ended(ws: Workstream, plan_id: UUID) -> float:
    """Wait without the last read, which ``wait`` does, too, though from memory."""
    runner = cast("Any", ws)._runner
    run = await runner.service.begun(plan_id)
    if run is not None:
        await run.finished.wait()
    return time.perf_counter()


async def _watch(
    ws: Workstream,
    plan_id: UUID,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    task_status.started()
    async for _ in ws.watch(plan_id):
        pass


async def run_engine(
    plan: Plan, path: Path, *, watchers: int = 0, spared: bool = True
) -> float:
    """Run the plan in a new LMDB store at this path; the seconds that it took."""
    async with opened(LmdbVault(path / "store")) as ws:
        return await timed(ws, plan, watchers=watchers, spared=spared)


class _DeafVault(LmdbVault):
    """A store that nobody else has open, and that is never frozen."""

    @property
    def shared(self) -> bool:
        """Nobody asks anything, so nobody looks."""
        return False

    def freeze(self) -> None:
        """Nothing was ever said, and nothing is read for that."""


async def run_deaf(plan: Plan, path: Path) -> float:
    """The same, where the engine looks neither for what people say, nor for a freeze."""
    async with opened(_DeafVault(path / "store")) as ws:
        return await timed(ws, plan)


async def run_told(plan: Plan, path: Path, words: int = 100) -> float:
    """The same of a plan that was paused and let go on so many times before it began."""
    async with opened(LmdbVault(path / "store")) as ws:
        return await timed(ws, plan, words=words)


async def run_end_to_end(plan: Plan, path: Path) -> float:
    """Submit, start, run and read the plan as it ended: what a caller of ``run`` waits for."""
    async with opened(LmdbVault(path / "store")) as ws:
        start = time.perf_counter()
        ended = await ws.run(plan)
        seconds = time.perf_counter() - start
    assert ended.state.status is Status.COMPLETED
    return seconds


class _NoBatch(Batch):
    """Nothing of it ever has to become durable."""

    def wait(self, task: trio.lowlevel.Task) -> Awaitable[object]:
        """Return at once, but let others run, as a store would."""
        return trio.lowlevel.checkpoint()  # noqa: ASYNC105


class _NoJournal(Journal):
    """Drops what it is given; nothing ever has to be waited for."""

    def __init__(self, plan_id: UUID) -> None:
        """Begin with a batch that is never over."""
        super().__init__(
            Committer(_no_vault()), plan_id, 0, on_durable=_nothing, on_error=_nothing
        )
        self.batch = _NoBatch()

    def add(self, change: Change) -> None:
        """Drop it."""

    async def durable(self) -> None:
        """Return at once, but let others run, as a store would."""
        await trio.lowlevel.checkpoint()


async def run_without_store(plan: Plan) -> float:
    """Run the plan by the interpreter on the trio runtime; the seconds that it took."""
    plugins = registry()
    give_ids(plan, new_plan_id())
    assert plan.id is not None
    plan.state = State(Status.RUNNING)
    journal = _NoJournal(plan.id)
    settings = RunSettings(
        plugins=plugins,
        lookups=Lookups(plugins.resolvers),
        codec=Codec(plugins),
        now=Clock(),
        random=random.random,
        freeze=lambda: None,
        requests=_nothing_asked,
        heartbeat=300,
    )
    runtime = TrioRuntime(plan, journal, OutputBuffer({}), settings)
    start = time.perf_counter()
    await runtime.run()
    seconds = time.perf_counter() - start
    assert plan.state.status is Status.COMPLETED
    return seconds


async def _nothing_asked() -> tuple[PlanRequest, ...]:
    return ()


def _no_vault() -> Vault:
    from workstream.vaults import NullVault

    return NullVault()


def _nothing() -> None:
    pass
