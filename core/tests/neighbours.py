"""Thirty processes on one store, and two that are killed: run by ``test_neighbours.py``.

    neighbours.py DIRECTORY ROUNDS SEED

Ten engines run so many plans each, one after the other. Twenty processes read and watch
whatever is there, and one deletes what has ended. In the middle an engine and a reader
are killed; an engine that comes later brings to its end what that one has left.

They are forks of this process, which imports everything, opens nothing and has one
thread: so they begin at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Status,
    Workstream,
    open_workstream,
)
from workstream._plan.walk import actions
from workstream.errors import NotFoundError, NotRunningHereError
from workstream.results import PlanSnapshot, StateChange
from workstream.vaults import LmdbVault

DIRECTORY = Path(sys.argv[1])
ROUNDS, SEED = map(int, sys.argv[2:])
STORE, PROGRESS, KILLED = (DIRECTORY / name for name in ("store", "progress", "killed"))
RUNNERS, READERS = 10, 20
DOOMED = "runner0"
BELL = os.pipe()
"""Rings when the second engine has run a plan."""
NEWS = {who: os.pipe() for who in (*(f"reader{n}" for n in range(READERS)), "deleter")}
"""Rings for each that looks on: a quarter of them when an engine has run a plan."""


def progress() -> list[str]:
    """Who has done what, in order: one word a plan or a look."""
    return PROGRESS.read_text().split() if PROGRESS.exists() else []


def has_done(who: str) -> None:
    """Write down that somebody has done something."""
    file = os.open(PROGRESS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{who}\n".encode())
    os.close(file)
    if who == "runner1":
        os.write(BELL[1], b".")


def ring(rounds: int) -> None:
    """Let a quarter of those that look on do so, in turns; all of them at the end."""
    over = all_have_run()
    for number, (_, pipe) in enumerate(NEWS.values()):
        if over or number % 4 == rounds % 4:
            os.write(pipe, b".")


async def news(who: str) -> None:
    """Wait until there is something to look at, so that nobody looks for nothing.

    Thirty processes that look all the time leave no processor to those that they look at.
    """
    await trio.lowlevel.wait_readable(NEWS[who][0])
    os.read(NEWS[who][0], 2**16)


# -- Those that run plans ------------------------------------------------------------------


@attrs.frozen
class Work:
    """What to do: nothing."""


class Step(ActionPlugin[Work, None]):
    """Counts its calls."""

    name = "neighbour.step"

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    async def execute(self, context: Context, request: Work) -> None:
        """Say so, and let others do something."""
        self.calls[str(context.action_id)] += 1
        context.report("hello")
        await trio.lowlevel.checkpoint()


def small_plan() -> Plan:
    """Three hosts, two at a time."""
    sequences = [
        Sequence(
            name=f"host {host}",
            actions=[Step.action(Work(), name=f"step {step}") for step in range(3)],
        )
        for host in range(3)
    ]
    blocks = [Block(name="Tier", concurrency=2, sequences=sequences)]
    return Plan(name="Small", blocks=blocks)


async def runner(who: str) -> None:
    """Run plans, one after the other; no call is lost, or made twice."""
    step = Step()
    async with open_workstream(STORE, registry=Registry([step])) as ws:
        assert not ws.recovery_errors
        for row in await ws.search(statuses=[Status.RUNNING]):
            with suppress(NotRunningHereError, NotFoundError):
                await ws.wait(row.id)  # what a killed engine has left
        rounds = count() if who == DOOMED else range(ROUNDS)
        for number in rounds:
            plan = await ws.run(small_plan())
            assert plan.state.status is Status.COMPLETED
            for action in actions(plan):
                assert step.calls[str(action.id)] == len(action.attempts) == 1
            has_done(who)
            ring(number)


async def check_the_end(_who: str) -> None:
    """Nothing runs, nobody owns anything, and the dead have no slot."""
    vault = LmdbVault(STORE)
    await vault.open()
    for row in await vault.search():
        assert row.status is Status.COMPLETED or await vault.owner(row.id) is None
        assert row.status is not Status.RUNNING
    # LMDB's own list of who reads: process ids, among other numbers.
    environment: Any = vars(vault)["_env"]
    lmdb: Any = environment._env
    slots: str = lmdb.readers()
    assert not set(KILLED.read_text().split()) & set(slots.split()), slots
    await vault.close()


# -- Those that look on --------------------------------------------------------------------


def all_have_run() -> bool:
    """Whether the engines are done: those that live, and the one that came later."""
    done = Counter(progress())
    return all(done[f"runner{n}"] == ROUNDS for n in range(1, RUNNERS + 1))


async def reader(who: str) -> None:
    """List, read and watch, until the engines are done."""
    chance = random.Random(who)
    async with open_workstream(STORE, registry=Registry(), recover=False) as ws:
        while not all_have_run():
            rows = await ws.list(limit=30)
            for row in chance.sample(rows, min(len(rows), 2)):
                with suppress(NotFoundError):  # it may be deleted meanwhile
                    check_in_order(await ws.plan(row.id))
                    await check_watched(ws, row.id)
            has_done(who)
            await news(who)


def check_in_order(plan: Plan) -> None:
    """What is stored is a moment of a run: nothing has begun too early."""
    for block in plan.blocks:
        running = 0
        for sequence in block.sequences:
            statuses = [action.state.status for action in sequence.actions]
            done = statuses.count(Status.COMPLETED)
            assert statuses[:done] == [Status.COMPLETED] * done
            assert Status.RUNNING not in statuses[done + 1 :]
            running += Status.RUNNING in statuses
        assert block.concurrency is None or running <= block.concurrency


async def check_watched(ws: Workstream, plan_id: UUID) -> None:
    """A watcher sees each change of a running plan once, in order, to its end."""
    async with aclosing(ws.watch(plan_id)) as events:
        first = await anext(events)
        assert isinstance(first, PlanSnapshot)
        if first.plan.state.status is not Status.RUNNING:
            return
        seen = [event async for event in events]
    assert [event.position for event in seen] == list(
        range(first.position + 1, first.position + 1 + len(seen))
    )
    last = seen[-1]
    assert isinstance(last, StateChange)
    assert last.object_id == plan_id
    assert last.state.status is Status.COMPLETED


async def deleter(who: str) -> None:
    """Delete what has ended, but for the latest."""
    async with open_workstream(STORE, registry=Registry(), recover=False) as ws:
        while not all_have_run():
            for row in (await ws.search(statuses=[Status.COMPLETED]))[50:]:
                await ws.delete(row.id)
            has_done(who)
            await news(who)


# -- The neighbourhood ---------------------------------------------------------------------


class Process:
    """One of them."""

    def __init__(self, who: str, does: Callable[[str], Awaitable[None]]) -> None:
        self._who = who
        self._id = os.fork()
        if self._id == 0:
            status = 1
            try:
                trio.run(does, who)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)

    def kill(self) -> str:
        """End it as a power cut would; its id."""
        os.kill(self._id, signal.SIGKILL)
        self.end(-signal.SIGKILL)
        return str(self._id)

    def end(self, expected: int = 0) -> None:
        """Wait for its end, which must be as expected."""
        _, status = os.waitpid(self._id, 0)
        ended = os.waitstatus_to_exitcode(status)
        if ended != expected:
            sys.exit(f"{self._who} ended with {ended}, not {expected}")


def main() -> None:
    """Let them live together."""
    runners = [Process(f"runner{n}", runner) for n in range(RUNNERS)]
    os.read(BELL[0], 1)  # so that there is a store to look at
    readers = [Process(f"reader{n}", reader) for n in range(READERS)]
    readers.append(Process("deleter", deleter))
    for _ in range(ROUNDS // 2):
        os.read(BELL[0], 1)
    killed = [runners.pop(0).kill(), readers.pop(0).kill()]
    KILLED.write_text(" ".join(killed))
    runners.append(Process("runner10", runner))
    for process in (*runners, *readers):
        process.end()
    Process("last", check_the_end).end()
    check_fair(progress())


def check_fair(words: list[str]) -> None:
    """When the quickest engine was done, all the others had had a share."""
    others = [f"runner{n}" for n in range(1, RUNNERS)]
    ends = [len(words) - 1 - words[::-1].index(who) for who in others]
    shares = [words[: min(ends)].count(who) for who in others]
    print("plans of each engine when the first was done:", *shares)
    # Of a few plans, which engine begins first decides.
    assert ROUNDS < 20 or min(shares) >= ROUNDS // 4, shares


main()
