"""Plans of many actions: loaded, listed, recovered, and what they weigh."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import trio

from workstream import Plan, Status, open_workstream
from workstream._codec.codec import Codec
from workstream._codec.records import row_of
from workstream._plan.walk import give_ids, new_plan_id
from workstream._protocols.vault import Change, StoredPlan
from workstream._values.state import State
from workstream.results import Attempt
from workstream.vaults import LmdbVault, Write

from . import bare
from .table import Figure, interleaved
from .work import Response, Shape, plan_of, registry

__all__ = ["loading", "million", "stored_plan"]

A_MILLION = 1_000_000
MOST_SECONDS, MOST_MIB = 20, 1_024
_SUBMIT = """
import sys, time
import trio
from testing.benchmarks import throughput, work
from workstream import open_workstream

def peak():
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith("VmHWM"))

async def main(path):
    plan = work.plan_of(work.Shape(int(sys.argv[1]) // 10, 10, 10))
    made = peak()
    async with open_workstream(path / "store", registry=work.registry()) as ws:
        begun = time.perf_counter()
        await ws.submit(plan)
        print(time.perf_counter() - begun, made, peak())

with work.temporary() as path:
    trio.run(main, path)
"""


@attrs.frozen
class _Stored:
    """A store with one plan of so many actions."""

    path: Path
    plan: Plan
    stored: StoredPlan


def _filled(plan: Plan, *, share: float) -> list[Change]:
    """Complete this share of the plan's actions; all that changed, as a run records it."""
    codec = Codec(registry())
    now = datetime.now(UTC)
    plan.state = State(Status.RUNNING, now)
    changes: list[Change] = [row_of(plan)]
    sequences = plan.blocks[0].sequences
    done = int(len(sequences) * share)
    plan.blocks[0].state = State(Status.RUNNING, now)
    for index, sequence in enumerate(sequences[: done + 1]):
        for action in sequence.actions:
            began = now = now + timedelta(microseconds=7)
            attempt = Attempt(started=began)
            action.attempts.append(attempt)
            action.state = State(Status.RUNNING, began)
            if index < done:
                now += timedelta(microseconds=5)
                attempt.ended, attempt.response = now, Response(index)
                action.state = State(Status.COMPLETED, began, now)
            changes.append(codec.record_of(action))
            if index == done:
                break
        status = Status.COMPLETED if index < done else Status.RUNNING
        sequence.state = State(status, now, now if index < done else None)
        changes.append(codec.record_of(sequence))
    changes.append(codec.record_of(plan.blocks[0]))
    if share == 1:
        plan.state = State(Status.COMPLETED, now, now)
        changes.append(row_of(plan))
    return changes


async def stored_plan(size: int, path: Path, share: float) -> _Stored:
    """A store with a plan that was run so far, as a crash would leave it."""
    plan = plan_of(Shape(size // 10, 10, 10))
    give_ids(plan, new_plan_id())
    assert plan.id is not None
    plan.submitted = datetime.now(UTC)
    codec = Codec(registry())
    vault = LmdbVault(path)
    await vault.open()
    await vault.create(row_of(plan), codec.encode_definition(plan))
    changes = tuple(_filled(plan, share=share))
    assert await vault.write([Write(plan_id=plan.id, first=1, changes=changes)]) == [
        None
    ]
    stored = await vault.read(plan.id)
    await vault.close()
    return _Stored(path, plan, stored)


def _paused(function: Callable[[], object]) -> float:
    """The seconds that a call takes with the collector paused."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        made = function()
        seconds = time.perf_counter() - start
    finally:
        gc.enable()
    del made
    return seconds


def _weight(function: Callable[[], object]) -> int:
    """The bytes that what a call makes holds on to."""
    gc.collect()
    tracemalloc.start()
    made = function()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del made
    return size


def _load_figures(size: int, at: _Stored, rounds: int) -> list[Figure]:
    codec = Codec(registry())
    data, read = bare.packed(at.plan), bare.reader()
    contenders: dict[str, Callable[[], float]] = {
        "engine": lambda: _paused(lambda: codec.load(at.stored)),
        "cattrs": lambda: _paused(lambda: read(data)),
    }
    samples = interleaved(rounds, contenders)
    ratio = samples.ratio("engine", "cattrs")
    figures = [
        Figure(
            name=f"load a completed plan of {size:,}",
            value=f"{samples.median('engine') * 1e3:,.0f} ms",
            ratio=f"{ratio:.2f} x cattrs alone",
            goal="at most 1.3 x",
            reached=ratio <= 1.3,
        )
    ]
    if size <= 10_000:  # tracing makes it slow, and the size changes nothing
        ours = _weight(lambda: codec.load(at.stored)) / size
        theirs = _weight(lambda: read(data)) / size
        figures.append(
            Figure(
                name="memory of a completed action, loaded",
                value=f"{ours:,.0f} bytes",
                ratio=f"{ours / theirs:.2f} x bare attrs objects ({theirs:,.0f})",
                goal="at most 1.25 x",
                reached=ours <= 1.25 * theirs,
            )
        )
    return figures


async def _submit_and_start(size: int, path: Path) -> tuple[float, float]:
    """The seconds to submit a plan, and to start it."""
    plan = plan_of(Shape(size // 10, 10, 10))
    plan.blocks[0].entrance_delay = 3600
    async with open_workstream(path, registry=registry()) as ws:
        begun = time.perf_counter()
        plan_id = await ws.submit(plan)
        submitted = time.perf_counter()
        await ws.start(plan_id)
        started = time.perf_counter()
    return submitted - begun, started - submitted


async def _list_and_recover(path: Path) -> tuple[float, float]:
    """The seconds to list the store's plans, and to open it and recover them."""
    async with open_workstream(path, registry=registry(), recover=False) as ws:
        start = time.perf_counter()
        await ws.list()
        listed = time.perf_counter() - start
    start = time.perf_counter()
    async with open_workstream(path, registry=registry()) as ws:
        recovered = time.perf_counter() - start
        assert not ws.recovery_errors
    return listed, recovered


def loading(path: Path, sizes: tuple[int, ...], rounds: int) -> list[Figure]:
    """Load, list and recover plans of these sizes, and weigh them."""
    figures: list[Figure] = []
    for size in sizes:
        done = trio.run(stored_plan, size, path / f"done-{size}", 1.0)
        figures += _load_figures(size, done, rounds if size <= 10_000 else 1)
        trio.run(stored_plan, size, path / f"crashed-{size}", 0.5)
        begun = trio.run(_submit_and_start, size, path / f"begun-{size}")
        listed, recovered = trio.run(_list_and_recover, path / f"crashed-{size}")
        figures += [
            Figure(
                name=f"submit a plan of {size:,}; start it",
                value=f"{begun[0] * 1e3:,.0f} ms; {begun[1] * 1e3:,.0f} ms",
            ),
            Figure(name=f"list a plan of {size:,}", value=f"{listed * 1e3:.1f} ms"),
            Figure(
                name=f"open a store and recover a plan of {size:,}, half done",
                value=f"{recovered * 1e3:,.0f} ms",
            ),
        ]
    return figures


def million(size: int) -> Figure:
    """What it takes to submit a plan of so many actions, in a process of its own."""
    command = (sys.executable, "-c", _SUBMIT, str(size))
    seconds, made, peak = map(float, subprocess.check_output(command).split())
    made, peak = made / 1024, peak / 1024
    has_goal = size == A_MILLION
    return Figure(
        name=f"submit a plan of {size:,}, in a process of its own",
        value=f"{seconds:.1f} s, {peak:,.0f} MiB",
        ratio=f"{made:,.0f} MiB of it are the caller's plan",
        goal=f"under {MOST_SECONDS} s and {MOST_MIB:,} MiB" if has_goal else "",
        reached=seconds < MOST_SECONDS and peak < MOST_MIB if has_goal else None,
    )
