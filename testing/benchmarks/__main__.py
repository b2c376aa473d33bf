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
from .loading import A_MILLION, loading, million
from .observing import observing
from .paired import against
from .peering import peering
from .processes import peak_memory, walls
from .profiling import profiling
from .screens import screens
from .searching import pages, searching
from .table import Figure, printed, rewritten
from .throughput import throughput
from .verifying import verifying
from .work import temporary

LEFT_OUT = {
    "Loaded": (
        "submit, start and the last read, but in the rows that say so; the work of the "
        "actions themselves, which do nothing"
    ),
    "One action after the other": (
        "submit, start and the last read, but in the rows that say so; the actions' work"
    ),
    "Where the time goes": "submit and start; time in which nothing runs",
    "An action's time": "submit, start and the last read; the actions' work",
    "Counted": "what other processes write into the store",
    "Plans of many actions": "large requests: each here holds a text and a number",
    "Stores of many plans": "the start of a process, and a cold cache of the system",
    "The screen": "the terminal's own work",
    "Processes": "the work of the plan, which is one call of `true`; a cold cache",
    "The live page": "the browsers' own work, and the network",
    "Observers": "the receiver's work, and the network",
    "The harness": "the work of the user's fakes",
    "Verify": "the work of the user's invariants",
    "Against the other checkout": "imports, but in the rows of commands",
    "Peers": (
        "the start of process and server; and that the peers can do what this engine "
        "cannot: many machines, workflows that are programs"
    ),
}
"""What a user waits for, too, and the figures of a section do not show."""


def main() -> None:
    """Measure all there is: thirteen minutes on a quiet machine, two with --quick."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, no 100,000 of anything"
    )
    parser.add_argument(
        "--least",
        action="store_true",
        help="one round of the least of everything: shows only that all of it runs",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="also the same work on other engines, where they are installed",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="only compare this code with that of another checkout, in turns",
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="PAGE",
        help="also put the table into this page, in place of the one that it has",
    )
    options = parser.parse_args()
    page = options.into
    if page is not None:
        rewritten(page.read_text("utf-8"), "")  # before the minutes, not after them
    rounds = 1 if options.least else 3 if options.quick else 15
    begun = time.perf_counter()
    if options.against is not None:
        compared = against(options.against.absolute(), rounds)
        sections = {"Against the other checkout": compared}
    else:
        sections = _everything(rounds, quick=options.quick, least=options.least)
    if options.peers:
        sections["Peers"] = peering(min(rounds, 3), least=options.least)
    version = platform.python_version()
    seconds = time.perf_counter() - begun
    table = (
        f"{printed(sections, LEFT_OUT)}\n\nPython {version}, {os.cpu_count()} cores, "
        f"{sys.platform}; medians of {rounds} interleaved rounds, {seconds:.0f} s in all."
    )
    print(table)
    if page is not None:
        page.write_text(rewritten(page.read_text("utf-8"), table), "utf-8")


def _everything(rounds: int, *, quick: bool, least: bool) -> dict[str, list[Figure]]:
    """All sections but those that are asked for."""
    sizes: tuple[int, ...] = (10_000, 100_000)
    plans: tuple[int, ...] = (1_000, 10_000, 100_000)
    most = A_MILLION
    if quick:
        sizes, plans, most = (10_000,), (1_000, 10_000), 100_000
    if least:
        sizes, plans, most = (1_000,), (1_000,), 1_000
    some, few = min(rounds, 7), min(rounds, 3)
    with temporary() as path:
        return {
            **throughput(rounds),
            "Where the time goes": profiling(few),
            "An action's time": [*percentiles(some), *steps((100, *sizes), few)],
            "Counted": counts(path),
            "Plans of many actions": [
                *loading(path, sizes, some),
                million(most),
                *peak_memory(),
            ],
            "Stores of many plans": [
                *searching(path, plans, some),
                *pages(path, sizes[-1], some),
            ],
            "The screen": screens(10_000, some),
            "Processes": walls(path, rounds),
            "The live page": browsing(path, few),
            "Observers": observing(path, few),
            "The harness": harness(path, some),
            "Verify": verifying(few, large=not (quick or least)),
        }


if __name__ == "__main__":
    main()
