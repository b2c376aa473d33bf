"""Actions a second: the engine between its floor and its ceiling."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from . import ceiling, commits, engine, floor
from .table import Figure, Samples, interleaved
from .work import LARGE, ONE_BY_ONE, SMALL, Shape, plan_of, real_plan

__all__ = ["temporary", "throughput"]

WATCHERS = 10


@contextmanager
def temporary() -> Generator[Path, None, None]:
    """A directory of its own, on the disk that holds temporary files."""
    path = Path(tempfile.mkdtemp(prefix="workstream-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _on_disk(
    function: Callable[..., Coroutine[Any, Any, float]], *arguments: Any
) -> Callable[[], float]:
    def measure() -> float:
        gc.collect()
        with temporary() as path:
            return trio.run(partial(function, *arguments, path))

    return measure


async def _engine(shape: Shape, path: Path) -> float:
    return await engine.run_engine(plan_of(shape), path)


async def _real(shape: Shape, watchers: int, path: Path) -> float:
    return await engine.run_engine(real_plan(shape), path, watchers=watchers)


async def _without_store(shape: Shape, path: Path) -> float:
    return await engine.run_without_store(plan_of(shape))


def _contenders(shape: Shape) -> dict[str, Callable[[], float]]:
    return {
        "engine": _on_disk(_engine, shape),
        "floor": _on_disk(floor.run_floor, shape),
        "ceiling": _on_disk(ceiling.run_ceiling, shape),
        "typed": _on_disk(ceiling.run_typed_ceiling, shape),
        "no store": _on_disk(_without_store, shape),
        "real": _on_disk(_real, shape, 0),
        "watched": _on_disk(_real, shape, WATCHERS),
    }


def _rate(shape: Shape, seconds: float) -> str:
    return f"{shape.total / seconds:,.0f}/s"


def _lines(shape: Shape, samples: Samples) -> list[Figure]:
    def to_ceiling(name: str) -> str:
        return f"{samples.ratio('ceiling', name):.2f} of the ceiling"

    names = {
        "floor": "floor: SQLite, a commit a state change",
        "ceiling": "ceiling: bare trio + LMDB, tuples of numbers",
        "typed": "the same with typed records",
        "no store": "the interpreter on trio, without a store",
        "real": "engine, with checks, retries and reports",
        "watched": f"the same with {WATCHERS} watchers",
    }
    return [
        Figure(
            name=f"{shape}: {text}",
            value=_rate(shape, samples.median(name)),
            ratio=to_ceiling(name),
        )
        for name, text in names.items()
        if name in samples.of
    ]


def _loaded(shape: Shape, samples: Samples) -> list[Figure]:
    of_ceiling = samples.ratio("ceiling", "engine")
    of_typed = samples.ratio("typed", "engine")
    times_floor = samples.ratio("floor", "engine")
    return [
        Figure(
            name=f"{shape}: **engine**",
            value=_rate(shape, samples.median("engine")),
            ratio=f"{of_ceiling:.2f} of the ceiling",
            goal="0.6 of the ceiling, better 0.8",
            reached=of_ceiling >= 0.6,
        ),
        Figure(
            name=f"{shape}: engine against a ceiling with typed records",
            value="",
            ratio=f"{of_typed:.2f} of it",
        ),
        Figure(
            name=f"{shape}: engine against the floor",
            value="",
            ratio=f"{times_floor:.1f} x the floor",
            goal="5 x the floor, better 8",
            reached=times_floor >= 5,
        ),
        *_lines(shape, samples),
    ]


def throughput(rounds: int) -> dict[str, list[Figure]]:
    """Measure the three works; each contender in turn, so many times."""
    small = interleaved(rounds, _contenders(SMALL))
    large = interleaved(max(rounds // 2, 1), _contenders(LARGE))
    alone = interleaved(
        rounds,
        {
            name: measure
            for name, measure in _contenders(ONE_BY_ONE).items()
            if name not in ("real", "watched")
        }
        | {"commit": _on_disk(commits.run_commits, ONE_BY_ONE)},
    )
    share = (LARGE.total / large.median("engine")) / (
        SMALL.total / small.median("engine")
    )
    to_commit = alone.ratio("engine", "commit")
    ms = alone.median("engine") / ONE_BY_ONE.total * 1e3
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
                value=f"{_rate(ONE_BY_ONE, alone.median('engine'))}, {ms:.2f} ms each",
                ratio=f"{to_commit:.2f} x a bare commit",
                goal="at most 1.8 x, better 1.3 x",
                reached=to_commit <= 1.8,
            ),
            Figure(
                name="a bare LMDB commit of one record",
                value=f"{alone.median('commit') / ONE_BY_ONE.total * 1e3:.2f} ms",
            ),
            *_lines(ONE_BY_ONE, alone),
        ],
    }
