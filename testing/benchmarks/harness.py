"""What the harness costs its users: simulations, crashes, and imports nobody asked for."""

from __future__ import annotations

import gc
import importlib.util
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from workstream import Status
from workstream._validation.validation import prepared
from workstream.testing import FakePlugin, crash_everywhere, simulate

from . import engine
from .table import Figure, Samples, interleaved
from .work import LARGE, Nothing, Response, Shape, plan_of, registry

__all__ = ["harness"]

FIFTY = Shape(5, 10, 5)
FLEET = Shape(200, 4, 10)
MINUTE = 60.0
CRASH_GOAL = 2.0
"""Seconds for all crashes of a plan of fifty actions."""
RUNS = 10
"""How often a plan is run in a row."""
TWO_CORES_GOAL = 100_000
"""Actions a second of many runs, on two cores."""
FLEET_GOAL = 10.0
"""And for all crashes of a plan of two hundred hosts."""


def harness(path: Path, rounds: int) -> list[Figure]:
    """The figures of the harness.

    Args:
        path: An empty place for a test file.
        rounds: How often each thing is measured.
    """
    return [*_simulations(rounds), *_crashes(rounds), *_imports(path, rounds)]


def _simulate(*, hours: bool) -> float:
    plan = plan_of(LARGE)
    fake = FakePlugin(Nothing).otherwise(takes=MINUTE, gives=Response(1))
    for sequence in plan.blocks[0].sequences:
        for action in sequence.actions:
            action.timeout = 2 * MINUTE
    gc.collect()
    start = time.perf_counter()
    result = simulate(plan, [fake if hours else Nothing()])
    seconds = time.perf_counter() - start
    assert result.plan.state.status is Status.COMPLETED
    assert result.elapsed == (hours and MINUTE * LARGE.total / LARGE.concurrency)
    return seconds / LARGE.total


def _in_a_row(runs: int) -> float:
    """Actions a second of processor time, of one plan that is run again and again."""
    plan = plan_of(LARGE)
    for sequence in plan.blocks[0].sequences:
        for action in sequence.actions:
            action.timeout = 2 * MINUTE
    fake = FakePlugin(Nothing).otherwise(takes=MINUTE, gives=Response(1))
    for _ in range(2):
        simulate(plan, [fake])
    gc.collect()
    start = time.process_time()
    for _ in range(runs):
        simulate(plan, [fake])
    return runs * LARGE.total / (time.process_time() - start)


def _on_two_cores(rounds: int) -> Figure:
    """Two processes run one plan in a row at the same time; their rates added up."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2) as pool:
        sums = [sum(pool.map(_in_a_row, [RUNS, RUNS], 1)) for _ in range(rounds)]
    rate = statistics.median(sums)
    return Figure(
        name=f"simulate: the same, one plan {RUNS} times in a row, in each of two processes",
        value=f"{rate:,.0f} actions/s",
        goal=f"{TWO_CORES_GOAL:,}",
        reached=rate >= TWO_CORES_GOAL,
    )


def _on_trio() -> float:
    """Validated first, as by submit: ``simulate`` does that, too."""
    plan = plan_of(LARGE)
    gc.collect()
    start = time.perf_counter()
    copy, _ = prepared(plan, registry())
    validation = time.perf_counter() - start
    return (validation + trio.run(engine.run_without_store, copy)) / LARGE.total


def _validation() -> float:
    plan = plan_of(LARGE)
    gc.collect()
    start = time.perf_counter()
    prepared(plan, registry())
    return (time.perf_counter() - start) / LARGE.total


def _simulations(rounds: int) -> list[Figure]:
    contenders: dict[str, Callable[[], float]] = {
        "trio": _on_trio,
        "hours": partial(_simulate, hours=True),
        "no-op": partial(_simulate, hours=False),
        "validation": _validation,
    }
    samples = interleaved(rounds, contenders)
    return [
        Figure(
            name=f"trio, without a store: {LARGE}, no waits, validated first",
            value=_rate(samples, "trio"),
        ),
        Figure(
            name="of which validation, in both",
            value=f"{samples.median('validation') * 1e6:.0f} us an action",
        ),
        _simulation(samples, "no-op", f"simulate: {LARGE}, the same plugin"),
        _simulation(
            samples, "hours", f"simulate: {LARGE}, fakes, 1 h 40 min of virtual time"
        ),
        _on_two_cores(min(rounds, 5)),
    ]


def _simulation(samples: Samples, name: str, what: str) -> Figure:
    ratio = samples.ratio("trio", name)
    return Figure(
        name=what,
        value=_rate(samples, name),
        ratio=f"{ratio:.2f} of trio",
        goal="1 (aim: 2)",
        reached=ratio >= 1,
    )


def _rate(samples: Samples, name: str) -> str:
    return f"{1 / samples.median(name):,.0f} actions/s"


def _crash(shape: Shape) -> float:
    plan = plan_of(shape)
    gc.collect()
    start = time.perf_counter()
    report = crash_everywhere(plan, [FakePlugin(Nothing).otherwise(gives=Response(1))])
    seconds = time.perf_counter() - start
    assert report.crashes > shape.actions
    return seconds


def _crashes(rounds: int) -> list[Figure]:
    fifty: dict[str, Callable[[], float]] = {
        str(shape): partial(_crash, shape) for shape in (FIFTY, Shape(1, 50, 1))
    }
    fleet: dict[str, Callable[[], float]] = {str(FLEET): partial(_crash, FLEET)}
    return [
        Figure(
            name=f"crash_everywhere: {name}",
            value=f"{samples.median(name):.2f} s",
            goal=f"{goal:g} s",
            reached=samples.median(name) < goal,
        )
        for samples, goal in (
            (interleaved(rounds, fifty), CRASH_GOAL),
            (interleaved(min(rounds, 3), fleet), FLEET_GOAL),
        )
        for name in samples.of
    ]


def _imports(path: Path, rounds: int) -> list[Figure]:
    bare = partial(_wall, "-c", "pass")
    testing = partial(_wall, "-c", "import workstream.testing")
    samples = interleaved(rounds, {"bare": bare, "testing": testing})
    figures = [_added(samples, "testing", "bare", "import workstream.testing adds")]
    if importlib.util.find_spec("pytest") is None:
        return figures
    (path / "test_empty.py").write_text("def test_nothing(): pass\n")
    run = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(path))
    without = (*run, "-p", "no:workstream", str(path / "test_empty.py"))
    samples = interleaved(
        rounds,
        {
            "without": partial(_wall, *without),
            "with": partial(_wall, *run, str(path / "test_empty.py")),
        },
    )
    what = "the pytest plugin adds to an empty run"
    return [*figures, _added(samples, "with", "without", what)]


def _added(samples: Samples, name: str, to: str, what: str) -> Figure:
    # Of whole processes the least disturbed round says most.
    added = min(samples.of[name]) - min(samples.of[to])
    return Figure(
        name=what,
        value=f"{added * 1000:.0f} ms",
        ratio=f"{samples.ratio(name, to):.2f} of the run without",
    )


def _wall(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
