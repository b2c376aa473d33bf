"""An old worker beside a new one: each plan is gone on with by those who began it.

The new one is a real process whose workflow's code does something else, and says so by
its version: along the history of an old plan it would not know what to do.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import trio
from site_packages import install_module
from temporalio.client import Client

from workstream import (
    Block,
    Outcome,
    Plan,
    Registry,
    Sequence,
    Status,
    Workstream,
    open_workstream,
)
from workstream_temporal._names import VERSION, workflow_id

if TYPE_CHECKING:
    from temporal_server import Server

pytestmark = pytest.mark.slow  # it starts a cluster

PLUGINS = '''
"""Work that waits for a word."""

import attrs

from workstream import ActionPlugin, hookimpl


@attrs.frozen
class Wait:
    pass


class Waiting(ActionPlugin[Wait, None]):
    """Waits to be told to go on."""

    name = "versions.wait"

    async def execute(self, context, request, /):
        await context.signal("go")


@hookimpl
def workstream_plugins():
    return [Waiting()]
'''

NEWER = f'''
"""A worker of a version to come."""

import asyncio
import sys

from workstream.__main__ import main
from workstream_temporal import _names
from workstream_temporal._plan_workflow import PlanWorkflow

_names.VERSION = {VERSION + 1}
run = PlanWorkflow._run


async def _run(self):
    await asyncio.sleep(0.01)  # a timer, of which no history of today knows
    await run(self)


PlanWorkflow._run = _run
sys.exit(main())
'''


class Workers:
    """Processes that work for a cluster."""

    def __init__(self, store: str, place: Path) -> None:
        """Write what they need."""
        self._store = store
        install_module(place / "site", "versions", PLUGINS)
        self._newer = place / "newer.py"
        self._newer.write_text(NEWER)
        self.path = str(place / "site")

    @contextmanager
    def at_work(
        self, *options: str, newer: bool = False, begins: int = 0
    ) -> Generator[None]:
        """A worker while the body runs; with which version new plans begin from then on."""
        program = Path(sys.executable).with_name("workstream")
        command = [sys.executable, str(self._newer)] if newer else [str(program)]
        process = subprocess.Popen(
            [*command, "worker", "--engine", self._store, *options],
            env={
                **os.environ,
                "PYTHONPATH": self.path,
                "WORKSTREAM_PLUGINS": "versions,workstream-temporal",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert "at work" in said
            if begins:
                said = process.stdout.readline()
                assert said == f"new plans begin with version {begins}\n"
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            process.stdout.close()


async def version_of(server: Server, workflow: str) -> str:
    """The version that the server keeps a workflow with."""
    client = await Client.connect(server.location.partition("/")[0])
    found = await client.get_workflow_handle(workflow).describe()
    info = found.raw_description.workflow_execution_info.versioning_info
    return info.deployment_version.build_id


def test_old_workers_finish_old_plans(
    tmp_path: Path,
    new_server: Callable[[Path], Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """New plans go to the new worker; an old one waits until an old worker is back."""
    server = new_server(tmp_path)
    workers = Workers(server.store, tmp_path)
    monkeypatch.setattr(sys, "path", [workers.path, *sys.path])
    plugin: Any = importlib.import_module("versions")

    def plan(name: str, zone: str | None = None) -> Plan:
        actions = [plugin.Waiting.action(plugin.Wait(), name="wait")]
        sequence = Sequence(name="sequence", actions=actions, zone=zone)
        return Plan(name=name, blocks=[Block(name="block", sequences=[sequence])])

    async def begun(ws: Workstream, made: Plan) -> UUID:
        plan_id = await ws.submit(made)
        await ws.start(plan_id)
        while not (action := await first(ws, plan_id)).attempts:
            pass  # asking the cluster takes its time
        assert action.state.status is Status.RUNNING
        return plan_id

    async def first(ws: Workstream, plan_id: UUID) -> Any:
        found = await ws.plan(plan_id)
        return found.blocks[0].sequences[0].actions[0]

    async def finish(ws: Workstream, plan_id: UUID, name: str) -> None:
        await ws.signal(plan_id, f"{name} / block / sequence / wait", "go")
        assert (await ws.wait(plan_id)).outcome is Outcome.COMPLETED

    async def main() -> list[UUID]:
        registry = Registry([plugin.Waiting()])
        async with open_workstream(server.store, registry=registry) as ws:
            with trio.fail_after(200), workers.at_work("--zone", "eu-1"):
                with workers.at_work(begins=VERSION):
                    old = await begun(ws, plan("old"))
                    other = await begun(ws, plan("other", "eu-1"))
                    with workers.at_work(newer=True, begins=VERSION + 1):
                        new = await begun(ws, plan("new"))
                        far = await begun(ws, plan("far", "eu-1"))
                        await finish(ws, old, "old")
                        await finish(ws, new, "new")
                        await finish(ws, far, "far")
                with workers.at_work(newer=True):
                    late = await begun(ws, plan("late"))
                    with workers.at_work():  # it does not become current again
                        later = await begun(ws, plan("later"))
                        await finish(ws, other, "other")
                    await finish(ws, late, "late")
                    await finish(ws, later, "later")
        return [old, other, new, far, late, later]

    ended = trio.run(main)

    found = [asyncio.run(version_of(server, workflow_id(each))) for each in ended]
    old, new = str(VERSION), str(VERSION + 1)
    assert found == [old, old, new, new, new, new]
