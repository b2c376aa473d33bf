"""Runs the bench and prints its table: ``python -m testing.benchmarks [--quick]``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from .browsing import browsing
from .commits import counts
from .harness import harness
from .latency import percentiles, steps
from .loading import loading
from .observing import observing
from .processes import peak_memory, walls
from .reports import reporting
from .screens import screens
from .searching import pages, searching
from .table import printed, rewritten
from .throughput import temporary, throughput
from .verifying import verifying

LEFT_OUT = {
    "Loaded": (
        "submit, start and the last read, but in the row that says so; the work of the "
        "actions themselves, which do nothing"
    ),
    "One action after the other": "submit, start and the last read; the actions' work",
    "An action's time": "submit, start and the last read; the actions' work",
    "Stores of many plans": "the start of a process, and a cold cache of the system",
    "Processes": "the work of the plan, which is one call of `true`; a cold cache",
}
"""What a user waits for, too, and the figures of a section do not show."""


def main() -> None:
    """Measure all there is, for some six minutes on a quiet machine."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, no 100,000 of anything"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="PAGE",
        help="also put the table into this page, in place of the one that it has",
    )
    options = parser.parse_args()
    quick, page = options.quick, options.into
    if page is not None:
        rewritten(page.read_text("utf-8"), "")  # before the minutes, not after them
    rounds = 3 if quick else 15
    sizes = (10_000,) if quick else (10_000, 100_000)
    counts_of_plans = (1_000, 10_000) if quick else (1_000, 10_000, 100_000)
    begun = time.perf_counter()
    with temporary() as path:
        sections = {
            **throughput(rounds),
            "An action's time": [
                *percentiles(min(rounds, 7)),
                *steps((100, *sizes), 3),
            ],
            "Counted": counts(path),
            "Plans of many actions": [
                *loading(path, sizes, min(rounds, 7)),
                *peak_memory(),
            ],
            "Stores of many plans": [
                *searching(path, counts_of_plans, min(rounds, 7)),
                *pages(path, sizes[-1], min(rounds, 7)),
            ],
            "The screen": screens(10_000, min(rounds, 7)),
            "Processes": walls(path, rounds),
            "The report": reporting(path, sizes[-1], min(rounds, 3)),
            "The live page": browsing(path, min(rounds, 3)),
            "Observers": observing(path, min(rounds, 3)),
            "The harness": harness(path, min(rounds, 7)),
            "Verify": verifying(min(rounds, 3), large=not quick),
        }
    version = platform.python_version()
    seconds = time.perf_counter() - begun
    table = (
        f"{printed(sections, LEFT_OUT)}\n\nPython {version}, {os.cpu_count()} cores, "
        f"{sys.platform}; medians of {rounds} interleaved rounds, {seconds:.0f} s in all."
    )
    print(table)
    if page is not None:
        page.write_text(rewritten(page.read_text("utf-8"), table), "utf-8")


main()
