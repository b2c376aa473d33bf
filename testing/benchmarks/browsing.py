"""What the live page takes: fifty browsers on a run of a thousand changes a second.

Three processes: an engine that runs a paced plan, the server of ``workstream ui``, and
this one, which reads fifty streams of events and drops what it reads. CPU time is what
the kernel has charged each process with, so a busy machine changes it little.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import trio

from .processes import WORKSTREAM
from .table import Figure, interleaved

__all__ = ["browsing"]

BROWSERS = 50
MOST_OF_A_CORE = 0.10
MOST_SLOWER = 1.05
_RUN = """
import sys, time
from pathlib import Path
import trio
from testing.benchmarks import engine, work

# 50 lanes, each with an action of 95 ms after the other: some 1,000 changes a second.
class Paced(work.Nothing):
    name = "bench.nothing"
    async def execute(self, context, request, /):
        await trio.sleep(0.095)
        return work.Response(request.number)

def registry():
    from workstream import Registry
    return Registry([Paced()])

engine.registry = registry
plan = work.plan_of(work.Shape(50, int(sys.argv[2]), 50))
print("begun", flush=True)
trio.run(engine.run_engine, plan, Path(sys.argv[1]))
print(time.process_time())
"""
_STEPS = 150


def browsing(path: Path, rounds: int) -> list[Figure]:
    """The server's share of a core, and what the engine beside it takes more."""
    shares: list[float] = []

    def run(watched: bool) -> float:
        store = Path(tempfile.mkdtemp(dir=path))
        return _run(store, watched=watched, shares=shares)

    # A ratio of CPU times: the wall time of a paced run is what the pace says.
    contenders = {"alone": lambda: run(False), "watched": lambda: run(True)}
    samples = interleaved(rounds, contenders)
    share = sorted(shares)[len(shares) // 2]
    ratio = samples.ratio("watched", "alone")
    return [
        Figure(
            name=f"CPU time of `workstream ui` for {BROWSERS} browsers",
            value=f"{share:.1%} of a core at 1,000 changes a second",
            goal=f"at most {MOST_OF_A_CORE:.0%}",
            reached=share <= MOST_OF_A_CORE,
        ),
        Figure(
            name="CPU time of the engine beside it",
            value=f"{samples.median('watched'):.2f} s",
            ratio=f"{ratio:.2f} x unwatched",
            goal=f"at most {MOST_SLOWER} x",
            reached=ratio <= MOST_SLOWER,
        ),
    ]


def _run(store: Path, *, watched: bool, shares: list[float]) -> float:
    """The CPU seconds that a run took; notes those of the server for 1,000 changes."""
    command = (sys.executable, "-c", _RUN, str(store), str(_STEPS))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        _until_there(store / "store")
        if watched:
            with _serving(store / "store") as (pid, port):
                spent, changes = trio.run(_browse, pid, port)
                shares.append(spent / changes * 1_000)
        return float(engine.stdout.readline())


def _until_there(store: Path) -> None:
    """Wait until the store has a plan that runs."""
    command = (WORKSTREAM, "list", "--status", "running", "--store", str(store))
    while b"Bench" not in subprocess.run(command, capture_output=True).stdout:
        time.sleep(0.1)


@contextmanager
def _serving(store: Path) -> Generator[tuple[int, int]]:
    command = (WORKSTREAM, "ui", "--store", str(store), "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r":(\d+)/", server.stdout.readline())
        assert found is not None
        try:
            yield server.pid, int(found[1])
        finally:
            server.terminate()


async def _browse(pid: int, port: int) -> tuple[float, int]:
    """Follow the newest plan to its end, as so many browsers do.

    Returns:
        The server's CPU seconds since it has read the plan, and how much changed.
    """
    body = await _get(port, "/api/plans/last")
    assert body.startswith(b"HTTP/1.1 200")
    ids: list[int] = []
    before = _cpu(pid)
    async with trio.open_nursery() as nursery:
        for _ in range(BROWSERS):
            nursery.start_soon(_follow, port, ids)
    return _cpu(pid) - before, max(ids) - min(ids)


async def _follow(port: int, ids: list[int]) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(_request(port, "/api/plans/last/events?after=latest"))
        tail = b""
        while data := bytes(await stream.receive_some()):
            ids += map(int, re.findall(rb"\nid: (\d+)\n", tail + data))
            tail = (tail + data)[-64:]
            if b"event: over" in tail:
                return


async def _get(port: int, path: str) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(_request(port, path))
        head = bytes(await stream.receive_some())
        size = re.search(rb"content-length: (\d+)", head)
        assert size is not None
        left = int(size[1]) - len(head.partition(b"\r\n\r\n")[2])
        while left > 0:
            left -= len(await stream.receive_some())
        return head


def _request(port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def _cpu(pid: int) -> float:
    """The CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
