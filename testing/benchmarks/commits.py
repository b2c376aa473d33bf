"""Bare LMDB commits, timed; and the engine's own, counted."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from workstream.errors import StorageError
from workstream.vaults import LmdbVault, Write

from . import engine
from .table import Figure
from .work import LARGE, ONE_BY_ONE, SMALL, Shape, plan_of

__all__ = ["counts", "run_commits"]

lmdb: Any = importlib.import_module("lmdb")

RECORD = bytes(100)


async def run_commits(shape: Shape, path: Path) -> float:
    """Commit one small record for each action, on this thread; the seconds it took."""
    env = lmdb.open(str(path), map_size=2**30)
    start = time.perf_counter()
    for number in range(shape.total):
        with env.begin(write=True) as transaction:
            transaction.put(b"%016d" % number, RECORD)
    seconds = time.perf_counter() - start
    env.close()
    return seconds


class _Counting(LmdbVault):
    """An LMDB vault that counts what it is asked to write."""

    commits = 0
    records = 0

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Count, and write."""
        self.commits += 1
        self.records += sum(len(write.changes) for write in writes)
        return await super().write(writes)


async def _counted(shape: Shape, path: Path) -> tuple[float, float]:
    vault = _Counting(path / "store")
    async with engine.opened(vault) as ws:
        await engine.timed(ws, plan_of(shape))
    return vault.commits / shape.total, vault.records / shape.total


def counts(path: Path) -> list[Figure]:
    """Commits and records an action, for the three works."""
    figures: list[Figure] = []
    for shape in (SMALL, LARGE, ONE_BY_ONE):
        folder = path / f"{shape.sequences}"
        folder.mkdir()
        commits, records = trio.run(_counted, shape, folder)
        bound = 1.05 if shape.concurrency == 1 else 2 / shape.concurrency
        figures.append(
            Figure(
                name=f"{shape}: commits an action",
                value=f"{commits:.3f}",
                goal=f"at most {bound:g}",
                reached=commits <= bound,
            )
        )
        figures.append(
            Figure(name=f"{shape}: records an action", value=f"{records:.2f}")
        )
    return figures
