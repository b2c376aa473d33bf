"""Engines to be killed, one after the other: run by ``test_kill.py``.

    killed_engine.py

It is told on standard input, in a line of JSON, the directory of a store, a file for the
calls, and ``run`` or ``resume``. It begins an engine that does so. Every call of a plugin
appends its action's path to that file, and is told on standard output, so that whoever
watches can choose the moment to kill; an engine that comes to its end says ``over``. A
second line, ``kill`` or ``wait``, says how the engine ends; the answer is ``ended`` and
its exit status.

The engines are forks of this process, which imports everything, opens nothing and has
one thread: so they begin at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path

import attrs
import trio

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Registry,
    Sequence,
    WhenDeferred,
    open_workstream,
)


@attrs.frozen
class Work:
    """What to do: take a moment, and fail where asked to."""

    fails: bool = False


@attrs.frozen
class Done:
    """It was done."""


def say(line: str) -> None:
    """Tell whoever watches a line, which a kill cannot cut in two."""
    # ``print`` may write the end of the line by itself: where Python is not to buffer.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def carry_out(calls: Path, context: Context, request: Work) -> Done:
    """Write the call down where a kill cannot lose it, then take a moment."""
    file = os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{context.path}\n".encode())
    os.close(file)
    say(context.path)
    await trio.sleep(0.002)
    if request.fails:
        message = "a bad host"
        raise PluginError(message, permanent=True)
    return Done()


class Step(ActionPlugin[Work, Done]):
    """One step of a deploy."""

    name = "killed.step"

    def __init__(self, calls: Path) -> None:
        self._calls = calls

    async def execute(self, context: Context, request: Work) -> Done:
        """Record the call."""
        return await carry_out(self._calls, context, request)


class Look(CheckPlugin[Work, Done]):
    """A check that passes."""

    name = "killed.look"

    def __init__(self, calls: Path) -> None:
        self._calls = calls

    async def execute(self, context: Context, request: Work) -> Done:
        """Record the call."""
        return await carry_out(self._calls, context, request)


def check(name: str, delay: float = 30) -> Checks:
    """A group of one check."""
    return Checks(delay=delay, actions=[Look.action(Work(), name=name)])


def steps(host: int) -> list[Action]:
    """What is done on one host; on the fifth the second step fails."""
    return [
        Step.action(Work(fails=host == 5 and name == "Start"), name=name)
        for name in ("Copy", "Start", "Health")
    ]


def deploy() -> Plan:
    """A plan of the demo's shape."""
    return Plan(
        name="Deploy",
        pre_checks=check("Pre"),
        cont_checks=check("Watch", delay=0.005),
        blocks=[
            Block(
                name="Tier",
                concurrency=3,
                tolerated_failures=1,
                cont_checks=check("Tier watch", delay=0.005),
                sequences=[
                    Sequence(name=f"web-{host}", actions=steps(host))
                    for host in range(1, 9)
                ],
                post_checks=check("Tier post"),
                deferred_checks=check("Tier deferred"),
            )
        ],
        post_checks=check("Post"),
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Clean up",
                    when=WhenDeferred.ALWAYS,
                    actions=[Step.action(Work(), name="Remove")],
                )
            ]
        ),
        deferred_checks=check("Deferred"),
    )


async def engine(store: Path, calls: Path, task: str) -> None:
    """Run the plan, or go on with the one that a kill left behind."""
    registry = Registry([Step(calls), Look(calls)])
    async with open_workstream(store, registry=registry) as ws:
        if task == "run":
            await ws.run(deploy())
        else:
            [row] = await ws.list()
            await ws.wait(row.id)


def main() -> None:
    """Begin one engine after the other, until nobody asks for more."""
    while asked := sys.stdin.readline():
        store, calls, task = json.loads(asked)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                trio.run(partial(engine, Path(store), Path(calls), task))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                say("over")
                os._exit(status)
        if sys.stdin.readline() != "wait\n":
            os.kill(child, signal.SIGKILL)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        say(f"ended {ended}")


main()
