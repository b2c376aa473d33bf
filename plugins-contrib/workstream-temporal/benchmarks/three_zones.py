"""Many sequences over three zones; a worker of one zone is killed each minute.

    python three_zones.py [SEQUENCES] [MINUTES] [temporal:HOST:PORT/NAMESPACE]

It starts a development server, unless a cluster is named, two workers for all plans and two for each zone, runs one
plan, and kills a worker of the zone ``eu`` as often as it has minutes, and half a minute
later one that goes on with plans; another takes its place. It prints how fast the actions
were, how many events they cost, how long the longest history was, and whether anything
was lost. Without MINUTES nobody is killed, and the actions take no time: that is the bench
beside the local engine, whose figure stands on the line below.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trio
from temporalio.client import Client

from workstream import Block, Plan, Registry, Sequence, Status, open_workstream
from workstream._plan.walk import actions
from workstream_temporal._cluster.connection import Connection
from workstream_temporal._names import workflow_id

ZONES = ("eu", "us", "ap")
A_BLOCK = 500
"""Sequences of a block: small enough for any history."""
AT_ONCE = 100
"""Sequences that run at once."""

PACKAGE = '''
"""An action that only takes time."""

import attrs
import trio

from workstream import ActionPlugin, hookimpl


@attrs.frozen
class Work:
    seconds: float


class Act(ActionPlugin[Work, None]):
    """Take time."""

    name = "zones.act"

    async def execute(self, context, request, /):
        await trio.sleep(request.seconds)


@hookimpl
def workstream_plugins():
    return [Act()]
'''


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Cluster:
    """A server and its workers."""

    def __init__(self, place: Path, store: str) -> None:
        self._port = None if store else free_port()
        self.store = store or f"temporal:127.0.0.1:{self._port}/default"
        self._server: subprocess.Popen[bytes] | None = None
        self._place = place
        self._site = place / "site"
        info = self._site / "zones-1.0.dist-info"
        info.mkdir(parents=True)
        (self._site / "zones_plugin.py").write_text(PACKAGE)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: zones\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text("[workstream]\nzones = zones_plugin\n")
        sys.path.insert(0, str(self._site))
        self._workers: dict[str | None, list[subprocess.Popen[str]]] = {}

    def begin(self) -> None:
        """Start all of it."""
        if self._port is not None:
            self._begin_server()
        asyncio.run(self._answers())
        for zone in (None, *ZONES):
            self.work(zone)
            self.work(zone)

    def _begin_server(self) -> None:
        program = Path(sys.executable).with_name("temporal")
        self._server = subprocess.Popen(
            [
                *(str(program), "server", "start-dev", "--headless"),
                *("--port", str(self._port)),
                # Without a file: the development server's costs more than all else.
                *("--log-level", "never"),
            ],
            stdout=subprocess.DEVNULL,
        )

    async def _answers(self) -> None:
        while True:
            try:
                await (await self._client()).count_workflows()
            except Exception:
                await asyncio.sleep(0.2)
                continue
            return

    def work(self, zone: str | None) -> None:
        """Start a worker of a zone; None: of all plans."""
        program = Path(sys.executable).with_name("workstream")
        words = ["--zone", zone] if zone else []
        process = subprocess.Popen(
            [str(program), "worker", "--engine", self.store, *words],
            env={
                **os.environ,
                "PYTHONPATH": str(self._site),
                "WORKSTREAM_PLUGINS": "zones,workstream-temporal",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert "at work" in process.stdout.readline()
        self._workers.setdefault(zone, []).append(process)

    def kill_one(self, zone: str | None) -> None:
        """Kill a worker of a zone, or of all plans, and start another."""
        process = self._workers[zone].pop(0)
        process.kill()
        process.communicate()
        self.work(zone)

    def end(self) -> None:
        """End everything."""
        for process in [each for some in self._workers.values() for each in some]:
            process.kill()
            process.communicate()
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def processor(self) -> tuple[float, float]:
        """Milliseconds that the server, if it is ours, and the workers have used."""
        servers = [] if self._server is None else [self._server.pid]
        workers = [each.pid for some in self._workers.values() for each in some]
        return sum(map(used, servers)), sum(map(used, workers))

    async def _client(self) -> Client:
        return await Connection(self.store.removeprefix("temporal:")).connect()

    async def events(self, plan: Plan) -> list[int]:
        """How many events each history of a plan holds."""
        assert plan.id is not None
        query = f"WorkflowId = '{workflow_id(plan.id)}'"
        found = (await self._client()).list_workflows(query)
        return [each.history_length or 0 async for each in found]


def used(pid: int) -> float:
    """How much of a processor a process has used, in milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def rollout(plugin: Any, sequences: int, seconds: float) -> Plan:
    """Blocks of sequences of one action that takes so long, their zones in turn."""
    work = plugin.Work(seconds)
    blocks = [
        Block(
            name=f"Block {first // A_BLOCK + 1}",
            concurrency=AT_ONCE,
            sequences=[
                Sequence(
                    name=f"host-{number}",
                    zone=ZONES[number % 3],
                    actions=[plugin.Act.action(work, name="act")],
                )
                for number in range(first, min(first + A_BLOCK, sequences))
            ],
        )
        for first in range(0, sequences, A_BLOCK)
    ]
    return Plan(name="Three zones", blocks=blocks)


def told(plan: Plan, seconds: float) -> str:
    """Actions a second, and how long one takes."""
    times = [
        (each.state.ended - each.state.started).total_seconds() * 1000
        for each in actions(plan)
        if each.state.ended is not None and each.state.started is not None
    ]
    return (
        f"{len(times):,} actions in {seconds:.1f} s: {len(times) / seconds:,.0f} a "
        f"second; one takes {statistics.median(times):.1f} ms (median)"
    )


async def run(store: str, registry: Registry, plan: Plan, harm: Any) -> Plan:
    """Run the plan, and have somebody do harm meanwhile."""
    async with open_workstream(store, registry=registry) as ws:
        began = time.perf_counter()
        plan_id = await ws.submit(plan)
        await ws.start(plan_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harm)
            ended = await ws.wait(plan_id)
            nursery.cancel_scope.cancel()
        print(f"{told(ended, time.perf_counter() - began)}")
    return ended


def main(sequences: str = "10000", minutes: str = "0", store: str = "") -> None:
    """Take what the command says."""
    bench(int(sequences), int(minutes), store)


def bench(sequences: int, minutes: int, store: str) -> None:
    """See the module."""
    with tempfile.TemporaryDirectory() as place:
        cluster = Cluster(Path(place), store)
        zones_plugin: Any = importlib.import_module("zones_plugin")
        registry = Registry(zones_plugin.workstream_plugins())
        kills = 0

        async def harm() -> None:
            nonlocal kills
            for zone in ("eu", None) * minutes:
                await trio.sleep(30)
                await trio.to_thread.run_sync(cluster.kill_one, zone)
                kills += 1

        cluster.begin()
        try:
            seconds = minutes * 60 * AT_ONCE / sequences  # long enough for all kills
            plan = rollout(zones_plugin, sequences, seconds)
            before = cluster.processor()
            ended = trio.run(run, cluster.store, registry, plan, harm)
            after = cluster.processor()
            events = asyncio.run(cluster.events(ended))
        finally:
            cluster.end()
        lost = [
            each.name
            for block in ended.blocks
            for each in block.sequences
            if each.state.status is not Status.COMPLETED
        ]
        again = sum(len(each.attempts) - 1 for each in actions(ended))
        print(
            f"{kills} kills, {again} attempts made again, {len(lost)} sequences lost; "
            f"{sum(events) / sequences:.1f} events an action, {max(events):,} in the "
            "longest history"
        )
        if minutes:
            return
        server, workers = (
            (late - early) / sequences
            for early, late in zip(before, after, strict=True)
        )
        print(
            f"processor time an action: {server:.1f} ms of our server, "
            f"{workers:.1f} ms of the workers"
        )
        print("on this machine alone: ", end="")
        trio.run(run, f"{place}/store", registry, plan, trio.sleep_forever)


if __name__ == "__main__":
    main(*sys.argv[1:])
