"""Zones on a cluster: who works where, and what is shown while nobody does (ZN-2, ZN-3)."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from workstream import Block, Plan, Registry, Sequence, Status, open_workstream
from workstream._show.overview import overview
from workstream_command import Run, RunCommand

pytestmark = pytest.mark.slow  # it starts a cluster

if TYPE_CHECKING:
    from temporal_server import Server

Working = Callable[..., AbstractContextManager[None]]


def plan(zone: str = "eu-1") -> Plan:
    """One command anywhere, one in a zone."""
    return Plan(
        name="Zones",
        blocks=[
            Block(
                name="Tier",
                concurrency=2,
                sequences=[
                    Sequence(
                        name=name,
                        zone=zone,
                        actions=[RunCommand.action(Run(("true",)), name="run")],
                    )
                    for name, zone in (("here", None), ("there", zone))
                ],
            )
        ],
    )


@contextmanager
def worker_in(server: Server, zone: str) -> Generator[None]:
    """A worker of a zone, in a process of its own."""
    program = Path(sys.executable).with_name("workstream")
    process = subprocess.Popen(
        [program, "worker", "--engine", server.store, "--zone", zone],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_zone_waits_for_its_worker_and_shows_it(
    server: Server, working: Working
) -> None:
    """Other work is done; the zone's is shown as waiting, and done when one comes."""
    registry = Registry([RunCommand()])

    async def main() -> None:
        async with open_workstream(server.store, registry=registry) as ws:
            plan_id = await ws.submit(plan())
            await ws.start(plan_id)
            while True:
                shown = await overview(ws, plan_id)
                here, there = shown.plan.blocks[0].sequences
                waits = shown.wait_of(there.actions[0])
                if here.state.status is Status.COMPLETED and waits:
                    break
            assert waits == "a worker in eu-1"
            assert there.state.status is Status.RUNNING

            with worker_in(server, "eu-1"):
                ended = await ws.wait(plan_id)
            assert ended.state.status is Status.COMPLETED
            assert await ws.waits(plan_id) == {}

    with working(server, registry):
        trio.run(main)


def test_a_stop_cuts_attempts_that_no_worker_has_taken(
    new_server: Callable[[Path], Server],
    working: Working,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They did nothing, so nobody is asked what became of them (R-7); encrypted, too."""
    monkeypatch.setenv("ZONES_KEY", base64.b64encode(bytes(32)).decode())
    monkeypatch.setenv("WORKSTREAM_TEMPORAL_KEYS", "2026-11=env:ZONES_KEY")
    server = new_server(tmp_path)
    registry = Registry([RunCommand()])

    async def main() -> None:
        async with open_workstream(server.store, registry=registry) as ws:
            plan_id = await ws.submit(plan("nowhere"))
            await ws.start(plan_id)
            while not await ws.waits(plan_id):
                pass  # asking the cluster takes its time
            await ws.stop(plan_id, now=True)
            ended = await ws.wait(plan_id)
            assert ended.state.status is Status.STOPPED
            [attempt] = ended.blocks[0].sequences[1].actions[0].attempts
            assert attempt.interrupted

    with working(server, registry):
        trio.run(main)
