"""How long an action takes: all of them, and in plans of every size."""

from __future__ import annotations

import gc
import itertools
import statistics
from functools import partial
from pathlib import Path

import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    open_workstream,
)
from workstream.vaults import LmdbVault

from . import engine
from .table import Figure, interleaved, percentile
from .work import (
    LARGE,
    ONE_BY_ONE,
    SMALL,
    Nothing,
    Request,
    Response,
    Shape,
    plan_of,
    temporary,
)

__all__ = ["percentiles", "steps"]

AN_HOUR = 3600.0
STEP = Shape(1, 100, 1)


class Last(ActionPlugin[Request, Response]):
    """Tells that it was called."""

    name = "bench.last"

    def __init__(self) -> None:
        """Make one; ``called`` is set when it is called."""
        self.called = trio.Event()

    async def execute(self, context: Context, request: Request, /) -> Response:
        """Tell it."""
        self.called.set()
        return Response(0)


def _turns(sequence: Sequence) -> list[float]:
    """From the start of each action to that of the next, in seconds."""
    turns: list[float] = []
    starts = [action.attempts[0].started for action in sequence.actions]
    for start, next_start in itertools.pairwise(starts):
        turns.append((next_start - start).total_seconds())
    return turns


async def _turns_of(shape: Shape, path: Path, collected: bool) -> list[float]:
    async with engine.opened(LmdbVault(path / "store")) as ws:
        plan_id = await ws.submit(plan_of(shape))
        await ws.start(plan_id)
        with engine.collector_spared(not collected):
            plan = await ws.wait(plan_id)
    return [turn for s in plan.blocks[0].sequences for turn in _turns(s)]


def _percentiles(shape: Shape, collected: bool) -> tuple[float, float]:
    gc.collect()
    with temporary() as path:
        turns = trio.run(_turns_of, shape, path, collected)
    return percentile(turns, 0.5), percentile(turns, 0.99)


def percentiles(rounds: int) -> list[Figure]:
    """The median and the 99th percentile of an action's time, for the three works.

    Each is the median of so many runs: of a single one, whatever else the machine did
    just then decides the 99th percentile. The collector is kept from looking through
    the plan while it runs, as the command line does. For these sizes that should make
    no difference, so it is measured without, too.
    """
    works = [(SMALL, False), (LARGE, False), (LARGE, True), (ONE_BY_ONE, False)]
    figures: list[Figure] = []
    for shape, collected in works:
        found = [_percentiles(shape, collected) for _ in range(rounds)]
        half, most = (statistics.median(one) for one in zip(*found, strict=True))
        aside = ", collector as it is" if collected else ""
        figures.append(
            Figure(
                name=f"{shape}: an action, p50 and p99{aside}",
                value=f"{half * 1e3:.2f} ms, {most * 1e3:.2f} ms",
                ratio=f"{most / half:.1f}",
                goal="" if collected else "p99 at most 3 x p50",
                reached=None if collected else most <= 3 * half,
            )
        )
    return figures


def _before(size: int) -> Plan:
    """A block of a hundred actions, and one of so many that waits for an hour."""
    first = plan_of(STEP).blocks[0]
    first.sequences[0].actions.append(Last.action(Request("last"), name="last"))
    rest = plan_of(Shape(max(size // 10, 1), 10, 10)).blocks[0]
    later = Block(name="Later", sequences=rest.sequences, entrance_delay=AN_HOUR)
    return Plan(name="Steps", blocks=[first, later])


async def _step(size: int, path: Path) -> float:
    last = Last()
    plugins = Registry([Nothing(), last])
    async with open_workstream(path, registry=plugins) as ws:
        plan_id = await ws.submit(_before(size))
        await ws.start(plan_id)
        # To look at the plan would read all of it, and disturb what is measured.
        await last.called.wait()
    async with open_workstream(path, registry=plugins, recover=False) as ws:
        plan = await ws.plan(plan_id)
    return statistics.median(_turns(plan.blocks[0].sequences[0]))


def _measured(size: int) -> float:
    with temporary() as path:
        return trio.run(_step, size, path)


def steps(sizes: tuple[int, ...], rounds: int) -> list[Figure]:
    """The time of one action in plans of these sizes: it must not grow."""
    samples = interleaved(
        rounds, {f"{size:,}": partial(_measured, size) for size in sizes}
    )
    smallest = next(iter(samples.of))
    figures: list[Figure] = []
    for name in samples.of:
        ratio = samples.ratio(name, smallest)
        figures.append(
            Figure(
                name=f"one action of a plan of {name}",
                value=f"{samples.median(name) * 1e3:.2f} ms",
                ratio=f"{ratio:.2f}",
                goal="does not grow",
                reached=ratio <= 1.2,
            )
        )
    return figures
