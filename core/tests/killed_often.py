"""Engines on one store that are killed again and again: run by ``test_kill.py``.

    killed_often.py DIRECTORY KILLS ENGINES SEED

So many engines at a time run plans on one store, one plan after the other. One of them,
chosen by chance, is killed by SIGKILL at a moment chosen by chance, and another one takes
its place; so many times. The last one brings all plans to their end.

Each engine first looks at what the killed ones have left, and ends with an error when

- an action was called of which the store does not know: its attempt must be durable
  before (A-13);
- what was stored as done, when an engine looked, was done again since (R-2);
- a plan that an engine was told had ended has not.

Engines are forks of this process, which imports everything, opens nothing and has one
thread: so they begin at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import attrs
import trio

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    Registry,
    Sequence,
    Status,
    WhenDeferred,
    open_workstream,
)
from workstream._codec.codec import Codec
from workstream._plan.walk import actions
from workstream.vaults import LmdbVault

DIRECTORY = Path(sys.argv[1])
KILLS, ENGINES, SEED = map(int, sys.argv[2:])
STORE = DIRECTORY / "store"
CALLS, DONE, ENDED = (DIRECTORY / name for name in ("calls", "done", "ended"))


# -- An engine ---------------------------------------------------------------------------


def write_line(path: Path, line: str) -> None:
    """Add a line where a kill cannot lose it, or half of it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def lines_of(path: Path) -> list[str]:
    """What was added so far."""
    return path.read_text().splitlines() if path.exists() else []


@attrs.frozen
class Work:
    """What to do: nothing."""


class Pulse:
    """Tells the killer that something happens."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe

    def __call__(self) -> None:
        """Beat; if nobody has listened for long, nothing is told."""
        with suppress(BlockingIOError):
            os.write(self._pipe, b".")


class Step(ActionPlugin[Work, None]):
    """Writes down that it was called."""

    name = "killed.step"

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    async def execute(self, context: Context, request: Work) -> None:
        """Write the call down, and go round the loop."""
        write_line(CALLS, str(context.action_id))
        self._pulse()
        await trio.lowlevel.checkpoint()
        self._pulse()


class Look(CheckPlugin[Work, None]):
    """A check that passes."""

    name = "killed.look"

    async def execute(self, context: Context, request: Work) -> None:
        """Go round the loop."""
        await trio.lowlevel.checkpoint()


def small_plan() -> Plan:
    """A plan with a bit of everything."""
    return Plan(
        name="Small",
        pre_checks=Checks(actions=[Look.action(Work(), name="Pre")]),
        cont_checks=Checks(actions=[Look.action(Work(), name="Watch")]),
        blocks=[
            Block(
                name="Tier",
                concurrency=2,
                sequences=[
                    Sequence(
                        name=f"host {host}",
                        actions=[
                            Step.action(Work(), name=f"step {step}")
                            for step in range(3)
                        ],
                    )
                    for host in range(3)
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="After",
                    when=WhenDeferred.ALWAYS,
                    actions=[Step.action(Work(), name="clean up")],
                )
            ]
        ),
    )


async def look(vault: LmdbVault, *, all_plans: bool) -> None:
    """See whether what is stored is in order."""
    calls = Counter(lines_of(CALLS))
    told = {UUID(line) for line in lines_of(ENDED)}
    known = set(lines_of(DONE))
    statuses = None if all_plans else [Status.RUNNING]
    for row in await vault.search(statuses=statuses):
        assert row.id not in told or row.status is Status.COMPLETED, row
        plan = Codec(None).load(await vault.read(row.id))
        done: list[str] = []
        for action in actions(plan):
            if action.plugin == Step.name:
                assert len(action.attempts) >= calls[str(action.id)], action
                if action.state.status is Status.COMPLETED:
                    done.append(str(action.id))
        # Read again: calls of what is done were made before it was stored.
        counts = Counter(lines_of(CALLS)) if done else calls
        for action_id in done:
            line = f"{action_id} {counts[action_id]}"
            if line not in known:
                write_line(DONE, line)


async def live(pulse: Pulse, *, is_last: bool) -> None:
    """Run plans until killed; the last engine ends what there is."""
    vault = LmdbVault(STORE)
    await vault.open()
    await look(vault, all_plans=is_last)
    await vault.close()
    pulse()
    registry = Registry([Step(pulse), Look()])
    async with open_workstream(STORE, registry=registry, max_last_update=None) as ws:
        assert not ws.recovery_errors, ws.recovery_errors
        pulse()
        while not is_last:
            plan_id = await ws.submit(small_plan())
            pulse()
            await ws.start(plan_id)
            pulse()
            await ws.wait(plan_id)
            write_line(ENDED, str(plan_id))
        for row in await ws.search(statuses=[Status.RUNNING]):
            plan = await ws.wait(row.id)
            assert plan.state.status is Status.COMPLETED


async def check_all() -> None:
    """In the end all has come to its end, and nothing that was done was done again."""
    vault = LmdbVault(STORE)
    await vault.open()
    try:
        await look(vault, all_plans=True)
        rows = await vault.search()
    finally:
        await vault.close()
    statuses = Counter(row.status for row in rows)
    assert set(statuses) <= {Status.COMPLETED, Status.NOT_STARTED}, statuses
    lines = set(lines_of(DONE))  # two engines may have seen the same
    counts = dict(line.split() for line in lines)
    again = [line for line in lines if counts[line.split()[0]] != line.split()[1]]
    assert not again, again
    print(statuses[Status.COMPLETED], len(counts))


# -- The killer --------------------------------------------------------------------------


class Engine:
    """An engine in a process of its own."""

    def __init__(self, *, is_last: bool = False) -> None:
        self._ear, pipe = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._ear)
            status = 1
            try:
                trio.run(lambda: live(Pulse(pipe), is_last=is_last))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(pipe)

    def kill_after(self, beats: int, turns: int) -> None:
        """Kill it after so many beats of its pulse, and a little later."""
        for _ in range(beats):
            if not os.read(self._ear, 1):
                break
        for _ in range(turns):
            pass
        os.kill(self._process, signal.SIGKILL)
        self.end(expected=-signal.SIGKILL)

    def end(self, *, expected: int = 0) -> None:
        """Wait for its end, which must be as expected."""
        _, status = os.waitpid(self._process, 0)
        os.close(self._ear)
        ended = os.waitstatus_to_exitcode(status)
        if ended != expected:
            sys.exit(f"an engine ended with {ended}, not {expected}")


def main() -> None:
    """Kill, and kill again."""
    chance = random.Random(SEED)
    engines = [Engine() for _ in range(ENGINES)]
    for _ in range(KILLS):
        number = chance.randrange(ENGINES)
        engines[number].kill_after(chance.randrange(40), chance.randrange(20_000))
        engines[number] = Engine()
    for engine in engines:
        engine.kill_after(0, 0)
    Engine(is_last=True).end()
    trio.run(check_all)


main()
