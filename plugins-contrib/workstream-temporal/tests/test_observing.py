"""Observers of plans that run on a cluster: a process tells them, and may be killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import attrs
import pytest
import trio
from short_histories import ShortWorkflow
from site_packages import install_module
from temporal_server import Server
from temporalio.client import Client

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    open_store,
    open_workstream,
)
from workstream_temporal._names import workflow_id

pytestmark = pytest.mark.slow  # it starts a cluster

Working = Callable[..., AbstractContextManager[None]]

PACKAGE = '''
"""Writes down what it is told, where a kill cannot lose it."""

import os

import workstream
from workstream.plugins import Observer
from workstream.results import PlanSnapshot


class Journal(Observer):
    name = "journal"

    def observe(self, seen, /):
        lines = [
            f"{seen.plan_id} {event.position} {os.getpid()} "
            f"{'missed' if isinstance(event, PlanSnapshot) else 'seen'}\\n"
            for event in seen.events
        ]
        file = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, "".join(lines).encode())
        os.close(file)
        print("told", seen.plan_id, seen.events[-1].position, flush=True)


@workstream.hookimpl
def workstream_observers():
    return [Journal()]
'''


@attrs.frozen
class Work:
    """Nothing is to be told."""

    seconds: float = 0.0


class Step(ActionPlugin[Work, None]):
    """Takes a moment."""

    name = "observed.step"

    async def execute(self, context: Context, request: Work, /) -> None:
        """Say something, and take a moment."""
        context.report("at work")
        await trio.sleep(request.seconds)


def rollout(name: str, actions: int, seconds: float = 0.0) -> Plan:
    """A plan of so many actions, one after the other."""
    steps = [Step.action(Work(seconds), name=f"{n}") for n in range(actions)]
    return Plan(
        name=name,
        blocks=[Block(name="B", sequences=[Sequence(name="S", actions=steps)])],
    )


class Observers:
    """Processes of ``workstream observe``, and what they have written down."""

    def __init__(self, store: str, place: Path) -> None:
        """Take the store; install the observer in a directory."""
        self._store = store
        self._site = place / "site"
        self._journal = place / "journal"
        self._journal.touch()
        install_module(self._site, "journal", PACKAGE, hooks="observers")
        self.state = place / "state"
        self._running: list[subprocess.Popen[str]] = []

    def begin(self) -> subprocess.Popen[str]:
        """Start one; on return it looks for plans."""
        process = subprocess.Popen(
            [
                *(Path(sys.executable).with_name("workstream"), "observe"),
                *("--store", self._store, "--state", self.state),
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(self._site),
                "JOURNAL": str(self._journal),
                "WORKSTREAM_PLUGINS": "journal,workstream-temporal",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        assert "telling journal of all plans" in self.hear(process)
        return process

    @staticmethod
    def hear(process: subprocess.Popen[str]) -> str:
        """The next line that it says."""
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the process has ended"
        return line

    def hear_of(
        self, process: subprocess.Popen[str], plan_id: UUID, position: int
    ) -> None:
        """Return when it has told so much of a plan."""
        while True:
            word, *said = self.hear(process).split()
            if word == "told" and said[0] == str(plan_id) and int(said[1]) >= position:
                return

    @property
    def lines(self) -> list[tuple[UUID, int, int, str]]:
        """What was told: plan, position, process, and whether it was seen."""
        return [
            (UUID(plan), int(position), int(process), how)
            for plan, position, process, how in map(
                str.split, self._journal.read_text().splitlines()
            )
        ]

    def told(self, plan_id: UUID) -> Counter[int]:
        """How often each position of a plan was told."""
        return Counter(each[1] for each in self.lines if each[0] == plan_id)

    def kill_all(self) -> None:
        """Let none go on."""
        for each in self._running:
            each.kill()
            each.communicate()


@contextmanager
def observers_of(store: str, place: Path) -> Generator[Observers]:
    """Processes that end with the body."""
    made = Observers(store, place)
    try:
        yield made
    finally:
        made.kill_all()


async def positions_of(store: str, plan_id: UUID) -> list[int]:
    """All positions of a plan that has ended, as a watcher sees them."""
    async with open_store(store) as plans:
        return [event.position async for event in plans.watch(plan_id, after=0)]


async def started(store: str, plan: Plan) -> UUID:
    """Its id; it runs by then."""
    async with open_workstream(store, registry=Registry([Step()])) as ws:
        plan_id = await ws.submit(plan)
        await ws.start(plan_id)
        return plan_id


async def ended(store: str, plan_id: UUID) -> None:
    """Return when a plan has ended."""
    async with open_store(store) as plans:
        async for _ in plans.watch(plan_id):
            pass


async def ran(store: str, plan: Plan) -> UUID:
    """Its id, when it has ended."""
    plan_id = await started(store, plan)
    await ended(store, plan_id)
    return plan_id


def test_a_killed_process_goes_on_where_it_was(
    server: Server, working: Working, tmp_path: Path
) -> None:
    """Nothing is lost, of what happens meanwhile neither (OB-7); little comes twice."""
    before = None
    with (
        working(server, Registry([Step()])),
        observers_of(server.store, tmp_path) as observers,
    ):
        before = trio.run(ran, server.store, rollout("Before", 1))
        process = observers.begin()
        plan_id = trio.run(started, server.store, rollout("Long", 20, 0.2))
        observers.hear_of(process, plan_id, 8)
        process.kill()
        process.wait()
        # It began and ended while nobody observed anything.
        missed = trio.run(ran, server.store, rollout("Short", 2))
        trio.run(ended, server.store, plan_id)

        process = observers.begin()
        whole = trio.run(positions_of, server.store, plan_id)
        short = trio.run(positions_of, server.store, missed)
        left = {plan_id: whole[-1], missed: short[-1]}
        while left:
            _, plan, position = observers.hear(process).split()
            if left.get(UUID(plan)) == int(position):
                del left[UUID(plan)]

        assert whole == list(range(1, len(whole) + 1))
        assert sorted(observers.told(plan_id)) == whole
        assert observers.told(missed) == Counter(short)
        # Only what was told in the very call in which it was killed comes again.
        own = [each for each in observers.lines if each[0] == plan_id]
        first = [at for _, at, by, _ in own if by != process.pid]
        then = [at for _, at, by, _ in own if by == process.pid]
        assert first == sorted(set(first))
        assert then == sorted(set(then))
        # What had ended before there was an observer is not told.
        assert not observers.told(before)


def test_two_processes_tell_each_plan_once(
    server: Server, working: Working, tmp_path: Path
) -> None:
    """With one --state they share the work, and one goes on with that of the other."""
    with (
        working(server, Registry([Step()])),
        observers_of(server.store, tmp_path) as observers,
    ):
        both = [observers.begin(), observers.begin()]
        plan_id = trio.run(started, server.store, rollout("Shared", 20, 0.2))
        teller = _teller(observers, plan_id)
        one, other = sorted(both, key=lambda each: each.pid != teller)
        observers.hear_of(one, plan_id, 8)
        one.kill()
        one.wait()
        trio.run(ended, server.store, plan_id)
        whole = trio.run(positions_of, server.store, plan_id)
        observers.hear_of(other, plan_id, whole[-1])
        alone = trio.run(ran, server.store, rollout("Alone", 2))
        short = trio.run(positions_of, server.store, alone)
        observers.hear_of(other, alone, short[-1])

        assert sorted(observers.told(plan_id)) == whole
        assert observers.told(alone) == Counter(short)
        taken_over = [
            at
            for plan, at, by, _ in observers.lines
            if plan == plan_id and by == other.pid
        ]
        assert taken_over == sorted(set(taken_over))


def _teller(observers: Observers, plan_id: UUID) -> int:
    """The process that tells of a plan."""
    while True:
        for plan, _, process, _ in observers.lines:
            if plan == plan_id:
                return process


async def histories(server: Server, plan_id: UUID) -> int:
    """In how many histories a plan ran."""
    client = await Client.connect(server.location.partition("/")[0])
    return (
        await client.count_workflows(f"WorkflowId = '{workflow_id(plan_id)}'")
    ).count


def test_nothing_is_missed_over_several_histories(
    new_server: Callable[[Path], Server],
    working: Working,
    tmp_path: Path,
) -> None:
    """A log goes on over the histories of a plan, and an earlier one is read (WA-2)."""
    own = new_server(tmp_path)
    with (
        working(own, Registry([Step()]), plan_workflow=ShortWorkflow),
        observers_of(own.store, tmp_path) as observers,
    ):
        process = observers.begin()
        plan_id = trio.run(started, own.store, rollout("Histories", 40))
        observers.hear_of(process, plan_id, 2)
        trio.run(ended, own.store, plan_id)
        whole = trio.run(positions_of, own.store, plan_id)
        observers.hear_of(process, plan_id, whole[-1])

        assert whole == list(range(1, len(whole) + 1))
        assert len(whole) > 3 * 40
        assert asyncio.run(histories(own, plan_id)) > 1
        assert observers.told(plan_id) == Counter(whole)
        assert {how for *_, how in observers.lines} == {"seen"}


def test_without_observers_it_says_how_to_get_one(server: Server) -> None:
    """It would run for ever, and do nothing (OB-7)."""
    program = Path(sys.executable).with_name("workstream")
    done = subprocess.run(
        [program, "observe", "--store", server.store],
        env={**os.environ, "WORKSTREAM_OBSERVERS": ""},
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.returncode == 2
    assert "there is no observer to tell" in done.stderr
