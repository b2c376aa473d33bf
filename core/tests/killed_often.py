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
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import trio
from forks import (
    Work,
    done_again,
    end_of,
    fork,
    lines_of,
    none_left,
    note_done,
    write_line,
)

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
from workstream.vaults import LmdbVault

DIRECTORY = Path(sys.argv[1])
KILLS, ENGINES, SEED = map(int, sys.argv[2:])
STORE = DIRECTORY / "store"
CALLS, DONE, ENDED = (DIRECTORY / name for name in ("calls", "done", "ended"))


# -- An engine ---------------------------------------------------------------------------


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
    statuses = None if all_plans else [Status.RUNNING]
    for row in await vault.search(statuses=statuses):
        assert row.id not in told or row.status is Status.COMPLETED, row
        plan = Codec(None).load(await vault.read(row.id))
        note_done(plan, Step.name, calls, CALLS, DONE)


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
    again = done_again(DONE)
    assert not again, again
    done = {line.split()[0] for line in lines_of(DONE)}
    print(statuses[Status.COMPLETED], len(done))


# -- The killer --------------------------------------------------------------------------


class Engine:
    """An engine in a process of its own."""

    def __init__(self, *, is_last: bool = False) -> None:
        self._ear, pipe = os.pipe()

        def begin() -> Awaitable[None]:
            os.close(self._ear)
            return live(Pulse(pipe), is_last=is_last)

        self._process = fork(begin)
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
        end_of(self._process, expected)
        os.close(self._ear)


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


with none_left():
    main()
