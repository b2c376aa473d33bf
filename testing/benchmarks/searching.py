"""Stores of many plans: listed, searched, pruned; and the page of a very large plan."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import lmdb
import trio

from workstream import Status
from workstream._codec.labels import named
from workstream._codec.records import encode_row
from workstream._plan.walk import new_plan_id
from workstream._protocols.searching import Where
from workstream._protocols.vault import PlanRow
from workstream._store.pruning import ENDED, prunable
from workstream._vaults.lmdb import changes
from workstream._vaults.lmdb.index.keys import card_of
from workstream.vaults import LmdbVault

from .loading import stored_plan
from .table import Figure, Samples, interleaved

__all__ = ["pages", "searching"]

FIFTY = 50
GOAL = 30.0
"""Milliseconds."""
BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
SHOW = """
import sys
from workstream._cli.main import command_line

try:
    command_line(["show", "last", "--store", sys.argv[1]], standalone_mode=False)
except SystemExit:
    pass
with open("/proc/self/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(peak, file=sys.stderr)
"""


def _row(number: int) -> PlanRow:
    """A plan that has ended, as there may be a thousand a day."""
    submitted = BEGIN + timedelta(minutes=number)
    return PlanRow(
        id=new_plan_id(),
        name=f"Deploy shop {number} to production",
        group_id=UUID(int=number // 10 + 1),
        submitted=submitted,
        started=submitted,
        ended=submitted + timedelta(seconds=40),
        status=Status.FAILED if number % 50 == 7 else Status.COMPLETED,
    )


def _fill(vault: LmdbVault, size: int) -> list[PlanRow]:
    """Store so many plans, by the vault's own writes, many to a transaction."""
    write: Callable[[Callable[[Any], None]], None] = vars(vault)["_env"].write
    rows = [_row(number) for number in range(size)]

    def put(some: list[PlanRow], transaction: Any) -> None:
        for number, row in enumerate(some):
            hosts = [named(f"web-{(number + each) % 1_000}") for each in range(5)]
            card = card_of([*hosts, named("tier")])
            changes.create(transaction, row, encode_row(row), bytes(500), card)

    for start in range(0, size, 5_000):
        write(partial(put, rows[start : start + 5_000]))
    return rows


def _floor(path: Path) -> float:
    """Read fifty rows with a bare cursor, and nothing more; the seconds."""
    environment = lmdb.open(str(path), readonly=True, lock=False)
    start = time.perf_counter()
    with environment.begin() as transaction:
        cursor = transaction.cursor()
        cursor.set_range(b"s")
        for _ in range(FIFTY):
            cursor.prev()
            cursor.item()
    seconds = time.perf_counter() - start
    environment.close()
    return seconds


def _calls(
    vault: LmdbVault, rows: list[PlanRow]
) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked of the store, by what it is called."""
    middle = rows[len(rows) // 2]

    def search(**wanted: Any) -> Callable[[], Awaitable[object]]:
        return partial(vault.search, limit=FIFTY, **wanted)

    day = timedelta(hours=1)
    assert middle.submitted is not None
    return {
        "list the newest 50": search(),
        "the newest 50 that failed": search(statuses=[Status.FAILED]),
        "all that run": partial(vault.search, statuses=[Status.RUNNING]),
        "one group": search(group_ids=[middle.group_id]),
        "one hour": search(
            where=Where(since=middle.submitted, until=middle.submitted + day)
        ),
        "a part of a name that one plan has": search(
            where=Where(name=f"shop {len(rows) // 2} ")
        ),
        "a part of a name that no plan has": search(where=Where(name="warehouse")),
        "a host": search(where=Where(labels=[named("web-7")])),
        "a plan by its short id": search(where=Where(id_starts=middle.id.hex[16:24])),
        "count the plans of each outcome": vault.counts,
        "prune, with nothing due": partial(
            prunable, vault, BEGIN - timedelta(days=30), ENDED
        ),
    }


def searching(path: Path, sizes: tuple[int, ...], rounds: int) -> list[Figure]:
    """How long a look into a store of so many finished plans takes.

    Args:
        path: An empty place for stores.
        sizes: How many plans.
        rounds: How often each is measured.
    """
    return [figure for size in sizes for figure in _looks(path, size, rounds)]


def _looks(path: Path, size: int, rounds: int) -> list[Figure]:
    store = path / f"plans-{size}"

    async def fill() -> list[PlanRow]:
        vault = LmdbVault(store, risk_power_cut=True)
        await vault.open()
        rows = _fill(vault, size)
        await vault.close()
        return rows

    rows = trio.run(fill)
    # The one after the other, each in every round: LMDB is opened once in a process.
    samples: dict[str, list[float]] = {}

    async def look() -> None:
        vault = LmdbVault(store)
        await vault.open()
        for name, call in _calls(vault, rows).items():
            start = time.perf_counter()
            await call()
            samples.setdefault(name, []).append(time.perf_counter() - start)
        await vault.close()

    for _ in range(rounds):
        samples.setdefault("floor", []).append(_floor(store))
        trio.run(look)
    table = Samples(samples)
    floor = table.median("floor") * 1e3
    figures = [
        Figure(
            name=f"{size:,} plans: floor: a bare cursor reads 50 rows",
            value=f"{floor:.2f} ms",
        )
    ]
    for name in samples:
        if name == "floor":
            continue
        milliseconds = table.median(name) * 1e3
        figures.append(
            Figure(
                name=f"{size:,} plans: {name}",
                value=f"{milliseconds:.2f} ms",
                ratio=f"{table.ratio(name, 'floor'):.0f} x the floor",
                goal=f"under {GOAL:g} ms",
                reached=milliseconds < GOAL,
            )
        )
    return figures


def pages(path: Path, size: int, rounds: int) -> list[Figure]:
    """What the page of a completed plan of so many actions takes, as a process."""
    store = path / f"page-{size}"
    trio.run(stored_plan, size, store, 1)
    peaks: list[float] = []

    def show() -> float:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", SHOW, str(store)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        seconds = time.perf_counter() - start
        peaks.append(int(done.stderr) / 1024)
        return seconds

    samples = interleaved(rounds, {"show": show})
    seconds, peak = samples.median("show"), min(peaks)
    return [
        Figure(
            name=f"`workstream show` of a plan of {size:,}",
            value=f"{seconds:.2f} s, {peak:.0f} MiB",
            goal="under 1 s and 100 MiB",
            reached=seconds < 1 and peak < 100,
        )
    ]
