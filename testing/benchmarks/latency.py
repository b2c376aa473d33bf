"""How long an action takes: all of them, and in plans of every size."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from uuid import UUID

import trio

from workstream import Block, LmdbVault, Plan, Sequence, Status, Workstream

from . import engine
from .table import Figure, percentile
from .work import LARGE, ONE_BY_ONE, SMALL, Shape, plan_of

__all__ = ["percentiles", "steps"]

AN_HOUR = 3600.0
STEP = Shape(1, 100, 1)


def _turns(sequence: Sequence) -> list[float]:
    """From the start of each action to that of the next, or to its own end, in ms."""
    turns: list[float] = []
    starts = [action.attempts[0].started for action in sequence.actions]
    for start, next_start in itertools.pairwise(starts):
        turns.append((next_start - start).total_seconds() * 1e3)
    return turns


async def _turns_of(shape: Shape, path: Path) -> list[float]:
    async with engine.opened(LmdbVault(path / "store")) as ws:
        plan = await ws.run(plan_of(shape))
    return [turn for s in plan.blocks[0].sequences for turn in _turns(s)]


def percentiles(path: Path) -> list[Figure]:
    """The median and the 99th percentile of an action's time, for the three works."""
    figures: list[Figure] = []
    for shape in (SMALL, LARGE, ONE_BY_ONE):
        folder = path / f"turns-{shape.sequences}"
        folder.mkdir()
        turns = trio.run(_turns_of, shape, folder)
        half, most = percentile(turns, 0.5), percentile(turns, 0.99)
        figures.append(
            Figure(
                name=f"{shape}: an action, p50 and p99",
                value=f"{half:.2f} ms, {most:.2f} ms",
                ratio=f"{most / half:.1f}",
                goal="p99 at most 3 x p50",
                reached=most <= 3 * half,
            )
        )
    return figures


def _before(size: int) -> Plan:
    """A block of a hundred actions, and one of so many that waits for an hour."""
    first = plan_of(STEP).blocks[0]
    rest = plan_of(Shape(max(size // 10, 1), 10, 10)).blocks[0]
    later = Block(name="Later", sequences=rest.sequences, entrance_delay=AN_HOUR)
    return Plan(name="Steps", blocks=[first, later])


async def _step(size: int, path: Path) -> float:
    async with engine.opened(LmdbVault(path / "store")) as ws:
        plan_id = await ws.submit(_before(size))
        await ws.start(plan_id)
        await _first_block_over(ws, plan_id)
        plan = await ws.plan(plan_id)
    return statistics.median(_turns(plan.blocks[0].sequences[0]))


async def _first_block_over(ws: Workstream, plan_id: UUID) -> None:
    while True:
        await trio.sleep(0.2)
        block = (await ws.plan(plan_id)).blocks[0]
        if block.state.status is Status.COMPLETED:
            return


def steps(path: Path, sizes: tuple[int, ...]) -> list[Figure]:
    """The time of one action in plans of these sizes: it must not grow."""
    figures: list[Figure] = []
    smallest = 0.0
    for size in sizes:
        folder = path / f"steps-{size}"
        folder.mkdir()
        step = trio.run(_step, size, folder)
        smallest = smallest or step
        figures.append(
            Figure(
                name=f"one action of a plan of {size:,}",
                value=f"{step:.2f} ms",
                ratio=f"{step / smallest:.2f}",
                goal="does not grow",
                reached=step <= 1.5 * smallest,
            )
        )
    return figures
