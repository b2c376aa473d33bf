"""Workers killed at random moments, the server in between: the same end, nothing twice.

Two workers are at work at any time. Each kill takes one of them, wherever it stands, and
another is started. ``WORKSTREAM_KILLS`` says how often, where it is to be more often
than in the suite; ``WORKSTREAM_SEED`` which moments.
"""

from __future__ import annotations

import importlib
import os
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from site_packages import install_module

from workstream import Block, Plan, Registry, Sequence, Status, open_workstream
from workstream._plan.paths import paths
from workstream._plan.plan import BaseAction

pytestmark = pytest.mark.slow  # it starts a cluster

KILLS = int(os.environ.get("WORKSTREAM_KILLS", "6"))
SEED = int(os.environ.get("WORKSTREAM_SEED", "15"))

PACKAGE = '''
"""Work that writes down each call, where a kill cannot lose it."""

import os
import time

import attrs
import trio

from workstream import ActionPlugin, OnInterrupt, PluginError, hookimpl


@attrs.frozen
class Work:
    seconds: float = 0.1
    fails: bool = False


class Act(ActionPlugin[Work, None]):
    """Take a moment, and fail where asked to."""

    name = "kills.act"
    on_interrupt = OnInterrupt.RERUN

    async def execute(self, context, request, /):
        file = os.open(os.environ["KILLS_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{time.time()} {os.getpid()} {context.path}\\n".encode())
        os.close(file)
        print("called", context.path, flush=True)
        await trio.sleep(request.seconds)
        if request.fails:
            raise PluginError("a bad host", permanent=True)


@hookimpl
def workstream_plugins():
    return [Act()]
'''


class Workers:
    """Processes of ``workstream worker``; as many as are wanted."""

    def __init__(self, store: str, place: Path) -> None:
        self._store = store
        self.site = place / "site"
        install_module(self.site, "kills", PACKAGE)
        self.calls = place / "calls"
        self.killed: dict[int, float] = {}
        self._running: list[subprocess.Popen[bytes]] = []
        reading, self._writing = os.pipe()
        self._said = os.fdopen(reading)

    def begin(self) -> None:
        """Start another one; on return it is at work."""
        program = Path(sys.executable).with_name("workstream")
        process = subprocess.Popen(
            [program, "worker", "--engine", self._store],
            env={
                **os.environ,
                "PYTHONPATH": str(self.site),
                "KILLS_CALLS": str(self.calls),
                "WORKSTREAM_PLUGINS": "kills,workstream-temporal",
            },
            stdout=self._writing,
        )
        self._running.append(process)
        self.wait_for("at work")

    def wait_for(self, words: str) -> None:
        """Return when a worker has said this."""
        while words not in self._said.readline():
            pass

    def kill(self) -> None:
        """Kill the one that is at work for longest."""
        process = self._running.pop(0)
        process.kill()
        self.killed[process.pid] = time.time()
        process.wait()

    def end(self) -> None:
        """Kill all of them."""
        while self._running:
            self.kill()
        os.close(self._writing)
        self._said.close()


def rollout(plugin: Any, sequences: int, actions: int) -> Plan:
    """Many short actions; one fails, and its block bears it."""
    return Plan(
        name="Rollout",
        blocks=[
            Block(
                name="Tier",
                concurrency=6,
                tolerated_failures=1,
                sequences=[
                    Sequence(
                        name=f"web-{host}",
                        actions=[
                            plugin.Act.action(
                                plugin.Work(seconds=0.5, fails=(host, n) == (3, 2)),
                                name=f"step {n}",
                            )
                            for n in range(1, actions + 1)
                        ],
                    )
                    for host in range(1, sequences + 1)
                ],
            )
        ],
    )


@contextmanager
def imported(site: Path) -> Generator[Any]:
    """The package of the workers, in this process."""
    sys.path.insert(0, str(site))
    try:
        yield importlib.import_module("kills")
    finally:
        sys.path.remove(str(site))
        sys.modules.pop("kills", None)


def test_killed_workers_lose_nothing_and_repeat_nothing(
    server: Any, tmp_path: Path
) -> None:
    """No action that completed is called again; the end is that without a kill."""
    chance = random.Random(SEED)
    own = type(server)(tmp_path)
    own.begin()
    workers = Workers(own.store, tmp_path)
    ended: list[Plan] = []
    with imported(workers.site) as plugin:
        registry = Registry(plugin.workstream_plugins())
        plan = rollout(plugin, sequences=max(6, 2 * KILLS), actions=4)
        total = sum(len(each.actions) for each in plan.blocks[0].sequences)
        workers.begin()
        workers.begin()

        def harm() -> None:
            for number in range(KILLS):
                for _ in range(chance.randrange(1, 8)):
                    workers.wait_for("called")
                workers.kill()
                if number == KILLS // 2:
                    own.kill()
                    own.begin()
                workers.begin()

        async def main() -> None:
            async with open_workstream(own.store, registry=registry) as ws:
                plan_id = await ws.submit(plan)
                await ws.start(plan_id)
                await trio.to_thread.run_sync(harm)
                ended.append(await ws.wait(plan_id))

        try:
            trio.run(main)
        finally:
            workers.end()
            own.kill()

    [found] = ended
    assert found.state.status is Status.COMPLETED
    assert found.outcome.value == "completed with failures"
    calls = defaultdict[str, list[float]](list)
    for line in workers.calls.read_text().splitlines():
        at, _, path = line.split(" ", 2)
        calls[path].append(float(at))
    gaps: list[float] = []
    interrupted = done = 0
    for path, item in paths(found):
        action = item.node
        if not isinstance(action, BaseAction):
            continue
        bad = path.startswith("Rollout / Tier / web-3 / ")
        step = int(path[-1])
        if bad and step > 2:
            assert action.state.status is Status.NOT_STARTED
            assert path not in calls
            continue
        done += 1
        wanted = Status.FAILED if bad and step == 2 else Status.COMPLETED
        assert action.state.status is wanted, path
        *lost, last = action.attempts
        assert all(each.interrupted for each in lost), path
        assert not last.interrupted, path
        # An attempt is durable before its call; a kill may fall in between.
        assert 1 <= len(calls[path]) <= len(action.attempts), path
        assert action.state.ended is not None
        assert max(calls[path]) <= action.state.ended.timestamp(), path
        interrupted += len(lost)
        for before, after in zip(action.attempts, action.attempts[1:], strict=False):
            moment = before.started.timestamp()
            kill = [at for at in workers.killed.values() if at >= moment]
            if kill:
                gaps.append(after.started.timestamp() - min(kill))
    assert done == total - 2
    assert len(workers.killed) >= KILLS
    assert interrupted > 0
    print(
        f"{KILLS} kills, {done} actions, {interrupted} attempts interrupted; taken over "
        f"after {statistics.median(gaps):.1f} s (median), {max(gaps):.1f} s (most)"
    )


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins of this test alone."""
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "kills,workstream-temporal")
