"""Where the time of a run goes, by part of the engine: what the event loop does.

A timer interrupts the run of the large work a few hundred times a second of processor
time, and notes which part was at work. The thread that commits has its own row: while it
holds the interpreter's lock the loop cannot be interrupted.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import trio

from workstream.vaults import LmdbVault

from . import engine
from .table import Figure
from .work import LARGE, plan_of, temporary

__all__ = ["profiling"]

PARTS = {
    "_interpreter": "the rules: what comes next, and whether it may",
    "_attempts": "the plugin's call: its context, its outcome",
    "_secrets": "the plugin's call: its context, its outcome",
    "_codec": "recording: changes become bytes",
    "_values": "recording: changes become bytes",
    "_vaults": "making batches, and handing them to the thread",
    "_runtime": "the runtime: calls, timeouts, the journal",
    "trio": "trio: tasks, cancel scopes, events",
    "benchmarks": "the plugin itself",
}
"""The part that a module belongs to, by the name of a folder of its path."""
OTHER = "other"
EVERY = 0.001


def profiling(rounds: int) -> list[Figure]:
    """The share of each part in the processor time of the loop, largest first."""
    seen: Counter[str] = Counter()
    loop = whole = 0.0
    for _ in range(rounds):
        with temporary() as path:
            spent = trio.run(_run, path, seen)
        loop, whole = loop + spent[0], whole + spent[1]
    each = whole / rounds / LARGE.total
    figures = [
        Figure(
            name=f"{LARGE}: processor time of an action",
            value=f"{each * 1e6:.0f} us",
            ratio=f"{loop / whole:.0%} on the event loop, the rest in the thread",
        )
    ]
    total = sum(seen.values())
    for part, count in seen.most_common():
        share = count / total
        figures.append(
            Figure(
                name=f"of the loop: {part}",
                value=f"{share * loop / rounds / LARGE.total * 1e6:.1f} us",
                ratio=f"{share:.0%}",
            )
        )
    return figures


async def _run(path: Path, seen: Counter[str]) -> tuple[float, float]:
    """Run the work once; the processor seconds of the loop and of the process."""
    async with engine.opened(LmdbVault(path / "store")) as ws:
        plan_id = await ws.submit(plan_of(LARGE))
        await ws.start(plan_id)
        loop, whole = time.thread_time(), time.process_time()
        with engine.collector_spared(), _interrupted(seen):
            await ws.wait(plan_id)
        return time.thread_time() - loop, time.process_time() - whole


@contextmanager
def _interrupted(seen: Counter[str]) -> Generator[None]:
    """Note, again and again, which part is at work in the body."""

    def look(_: int, frame: FrameType | None) -> Any:
        seen[_part_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _part_of(frame: FrameType | None) -> str:
    """The part that the innermost frame belongs to which any part has."""
    while frame is not None:
        for folder in reversed(Path(frame.f_code.co_filename).parts[:-1]):
            if folder in PARTS:
                return PARTS[folder]
        frame = frame.f_back
    return OTHER
