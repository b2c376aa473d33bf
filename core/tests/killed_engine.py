"""An engine to be killed: run by ``test_kill.py`` as a process of its own.

    killed_engine.py STORE CALLS run|resume

Every call of a plugin appends its action's path to the file CALLS, and is told on
standard output, so that whoever watches can choose the moment to kill.
"""

from __future__ import annotations

import os
import sys
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

STORE, CALLS, TASK = sys.argv[1:]


@attrs.frozen
class Work:
    """What to do: take a moment, and fail where asked to."""

    fails: bool = False


@attrs.frozen
class Done:
    """It was done."""


async def carry_out(context: Context, request: Work) -> Done:
    """Write the call down where a kill cannot lose it, then take a moment."""
    file = os.open(CALLS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{context.path}\n".encode())
    os.close(file)
    print(context.path, flush=True)
    await trio.sleep(0.002)
    if request.fails:
        message = "a bad host"
        raise PluginError(message, permanent=True)
    return Done()


class Step(ActionPlugin[Work, Done]):
    """One step of a deploy."""

    name = "killed.step"

    async def execute(self, context: Context, request: Work) -> Done:
        """Record the call."""
        return await carry_out(context, request)


class Look(CheckPlugin[Work, Done]):
    """A check that passes."""

    name = "killed.look"

    async def execute(self, context: Context, request: Work) -> Done:
        """Record the call."""
        return await carry_out(context, request)


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


async def main() -> None:
    """Run the plan, or go on with the one that a kill left behind."""
    registry = Registry([Step(), Look()])
    async with open_workstream(Path(STORE), registry=registry) as ws:
        if TASK == "run":
            await ws.run(deploy())
        else:
            [row] = await ws.list()
            await ws.wait(row.id)


trio.run(main)
