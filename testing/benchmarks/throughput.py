"""Actions a second: the engine between its floor and its ceiling."""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import trio

from . import ceiling, commits, engine, floor
from .table import Figure, Samples, interleaved
from .work import (
    LARGE,
    ONE_BY_ONE,
    SMALL,
    Shape,
    declared_plan,
    plan_of,
    real_plan,
    temporary,
)

__all__ = ["contenders", "rate", "throughput"]

WATCHERS = 10
END_TO_END = 12_000
"""Actions a second, of the large work."""


Work = Callable[[Shape, Path], Coroutine[Any, Any, float]]


def _measured(function: Work, shape: Shape) -> Callable[[], float]:
    """What measures the seconds that an action takes."""

    def measure() -> float:
        gc.collect()
        with temporary() as path:
            return trio.run(partial(function, shape, path)) / shape.total

    return measure


async def _engine(shape: Shape, path: Path) -> float:
    return await engine.run_engine(plan_of(shape), path)


async def _end_to_end(shape: Shape, path: Path) -> float:
    return await engine.run_end_to_end(plan_of(shape), path)


async def _real_end_to_end(shape: Shape, path: Path) -> float:
    return await engine.run_end_to_end(real_plan(shape), path)


async def _collected(shape: Shape, path: Path) -> float:
    return await engine.run_engine(plan_of(shape), path, spared=False)


async def _real(shape: Shape, path: Path) -> float:
    return await engine.run_engine(real_plan(shape), path)


async def _declared(shape: Shape, path: Path) -> float:
    return await engine.run_engine(declared_plan(shape), path)


async def _watched(shape: Shape, path: Path) -> float:
    return await engine.run_engine(real_plan(shape), path, watchers=WATCHERS)


async def _deaf(shape: Shape, path: Path) -> float:
    return await engine.run_deaf(plan_of(shape), path)


async def _told(shape: Shape, path: Path) -> float:
    return await engine.run_told(plan_of(shape), path)


async def _without_store(shape: Shape, path: Path) -> float:
    return await engine.run_without_store(plan_of(shape))


def contenders(shape: Shape) -> dict[str, Callable[[], float]]:
    """What measures the seconds that an action of this work takes, by contender."""
    # The floor takes so long that of the large work it does the same, but less of it.
    less = Shape(min(shape.sequences, 200), shape.actions, shape.concurrency)
    works: dict[str, Work] = {
        "engine": _engine,
        "ceiling": ceiling.run_ceiling,
        "tuples": ceiling.run_tuples,
        "no store": _without_store,
        "real": _real,
        "watched": _watched,
        "end to end": _end_to_end,
        "real end to end": _real_end_to_end,
    }
    if shape.concurrency == 1:
        works["commit"] = commits.run_commits
    else:
        works |= {
            "declared": _declared,
            "collected": _collected,
            "deaf": _deaf,
            "told": _told,
        }
    measured = {name: _measured(work, shape) for name, work in works.items()}
    return measured | {"floor": _measured(floor.run_floor, less)}


def rate(seconds: float) -> str:
    """So many a second."""
    return f"{1 / seconds:,.0f}/s"


def _lines(shape: Shape, samples: Samples) -> list[Figure]:
    def to_ceiling(name: str) -> str:
        return f"{samples.ratio('ceiling', name):.2f} of the ceiling"

    names = {
        "floor": "floor: SQLite, a commit a state change, no thread",
        "ceiling": "ceiling: bare trio + LMDB",
        "tuples": "the same with bare tuples for records",
        "no store": "the interpreter on trio, without a store",
        "collected": "engine, with the collector as it is",
        "real": "engine, with checks, retries and reports",
        "told": "engine, of a plan that people told 100 things before",
        "watched": f"that plan with {WATCHERS} watchers",
        "real end to end": "that plan, with submit, start and the last read",
    }
    return [
        Figure(
            name=f"{shape}: {text}",
            value=rate(samples.median(name)),
            ratio=to_ceiling(name),
        )
        for name, text in names.items()
        if name in samples.of
    ]


def _loaded(shape: Shape, samples: Samples) -> list[Figure]:
    of_ceiling = samples.ratio("ceiling", "engine")
    of_tuples = samples.ratio("tuples", "engine")
    times_floor = samples.ratio("floor", "engine")
    to_hear = samples.ratio("engine", "deaf")
    declared = samples.ratio("declared", "engine")
    return [
        Figure(
            name=f"{shape}: **engine**, without submit, start and the last read",
            value=rate(samples.median("engine")),
            ratio=f"{of_ceiling:.2f} of the ceiling",
            goal="0.85 of the ceiling",
            reached=of_ceiling >= 0.85,
        ),
        Figure(
            name=f"{shape}: engine against a ceiling of bare tuples",
            value="",
            ratio=f"{of_tuples:.2f} of that",
        ),
        Figure(
            name=f"{shape}: engine against the floor",
            value="",
            ratio=f"{times_floor:.1f} x the floor",
            goal="8 x the floor",
            reached=times_floor >= 8,
        ),
        Figure(
            name=f"{shape}: engine against one that hears nobody, and knows no freeze",
            value=rate(samples.median("deaf")),
            ratio=f"{to_hear:.2f} of its time",
            goal="at most 1.05",
            reached=to_hear <= 1.05,
        ),
        Figure(
            name=f"{shape}: engine, with deferred work, batches and references declared",
            value=rate(samples.median("declared")),
            ratio=f"{declared:.2f} of the plain plan's time",
        ),
        _end_to_end_line(shape, samples),
        *_lines(shape, samples),
    ]


def _end_to_end_line(shape: Shape, samples: Samples) -> Figure:
    each = samples.median("end to end")
    goes_for = shape == LARGE
    return Figure(
        name=f"{shape}: **engine**, with submit, start and the last read",
        value=rate(each),
        ratio=f"{samples.ratio('ceiling', 'end to end'):.2f} of the ceiling",
        goal=f"{END_TO_END:,}/s" if goes_for else "",
        reached=1 / each >= END_TO_END if goes_for else None,
    )


def throughput(rounds: int) -> dict[str, list[Figure]]:
    """Measure the three works; each contender in turn, so many times."""
    small = interleaved(rounds, contenders(SMALL))
    large = interleaved((rounds + 1) // 2, contenders(LARGE))
    alone = interleaved(rounds, contenders(ONE_BY_ONE))
    share = small.median("engine") / large.median("engine")
    to_commit = alone.ratio("engine", "commit")
    each = alone.median("engine")
    return {
        "Loaded": [
            *_loaded(SMALL, small),
            *_loaded(LARGE, large),
            Figure(
                name="large against small",
                value="",
                ratio=f"{share:.2f}",
                goal="at least 0.9",
                reached=share >= 0.9,
            ),
        ],
        "One action after the other": [
            Figure(
                name=f"{ONE_BY_ONE}: **engine**",
                value=f"{rate(each)}, {each * 1e3:.2f} ms each",
                ratio=f"{to_commit:.2f} x a bare commit",
                goal="at most 2.0 x",
                reached=to_commit <= 2.0,
            ),
            Figure(
                name=f"{ONE_BY_ONE}: engine against the floor",
                value="",
                ratio=f"{alone.ratio('floor', 'engine'):.2f} x the floor",
                goal="never slower",
                reached=alone.ratio("floor", "engine") >= 1,
            ),
            Figure(
                name="a bare LMDB commit of one record",
                value=f"{alone.median('commit') * 1e3:.2f} ms",
            ),
            _end_to_end_line(ONE_BY_ONE, alone),
            *_lines(ONE_BY_ONE, alone),
        ],
    }
