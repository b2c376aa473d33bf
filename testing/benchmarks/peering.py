"""The engine beside others of its kind: the same work, where they are installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .table import Figure, interleaved
from .throughput import contenders, rate
from .work import Shape, temporary

__all__ = ["peering"]

LOADED = Shape(60, 5, 50)
ONE_BY_ONE = Shape(1, 60, 1)
PEERS = {
    "DBOS: steps of a workflow, on SQLite": ("dbos", "on_dbos"),
    "Temporal: activities, on its development server": ("temporalio", "on_temporal"),
    "Temporal: local activities": ("temporalio", "on_temporal", "local"),
}
"""Each peer: the package that it needs, the module that plays it, and its options."""


def peering(rounds: int, *, least: bool) -> list[Figure]:
    """The peers against the engine: loaded, and one action after the other.

    Args:
        rounds: How often each is measured.
        least: Whether to do the least work that shows that all of it runs.
    """
    shapes = (Shape(4, 2, 2), Shape(1, 4, 1)) if least else (LOADED, ONE_BY_ONE)
    figures: list[Figure] = []
    for shape in shapes:
        ours = contenders(shape)
        measured: dict[str, Callable[[], float]] = {
            "engine": ours["engine"],
            "SQLite, a commit a state change, no thread": ours["floor"],
        }
        for name, (package, *module) in PEERS.items():
            if importlib.util.find_spec(package) is None:
                figures.append(Figure(name=f"{shape}: {name}", value="not installed"))
            else:
                measured[name] = partial(_played, shape, *module)
        samples = interleaved(rounds, measured)
        for name in measured:
            ratio = samples.ratio(name, "engine")
            figures.append(
                Figure(
                    name=f"{shape}: {name}",
                    value=rate(samples.median(name)),
                    ratio="" if name == "engine" else f"engine {ratio:.1f} x as fast",
                )
            )
    return figures


def _played(shape: Shape, module: str, *options: str) -> float:
    """The seconds that an action takes there, without the start of the process."""
    counts = (shape.sequences, shape.actions, shape.concurrency)
    with temporary() as path:
        command = [
            *(sys.executable, "-m", f"{__package__}.peers.{module}"),
            *map(str, counts),
            *(str(path), *options),
        ]
        answer = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
        )
    return float(answer.stdout.split()[-1]) / shape.total
