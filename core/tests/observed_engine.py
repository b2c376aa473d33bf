"""An engine with an observer, to be killed: run by ``test_observers.py``.

    observed_engine.py STORE SEEN run|resume

The observer appends the position and path of each event to the file SEEN, and each call
of it is told on standard output, so that whoever watches can choose the moment to kill.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import attrs
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    open_workstream,
)
from workstream.plugins import Observation, Observer

STORE, SEEN, TASK = sys.argv[1:]


@attrs.frozen
class Work:
    """Nothing is to be told."""


class Step(ActionPlugin[Work, None]):
    """Takes a moment."""

    name = "killed.step"

    async def execute(self, context: Context, request: Work) -> None:
        """Let others run."""
        await trio.sleep(0.05)


class Writes(Observer):
    """Writes down what it sees where a kill cannot lose it."""

    name = "writes"

    def observe(self, seen: Observation, /) -> None:
        """Write down the events of one call."""
        lines = [f"{event.position}\n" for event in seen.events]
        file = os.open(SEEN, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, "".join(lines).encode())
        os.close(file)
        print(len(lines), flush=True)


async def main() -> None:
    """Run the plan, or resume it."""
    registry = Registry([Step()], observers=[Writes()])
    async with open_workstream(Path(STORE), registry=registry, recover=False) as ws:
        if TASK == "resume":
            plan_id = (await ws.find("last")).row.id
            await ws.resume(plan_id)
        else:
            sequences = [
                Sequence(
                    name=f"web-{number}",
                    actions=[Step.action(Work(), name=name) for name in "abcd"],
                )
                for number in range(10)
            ]
            plan = Plan(
                name="Deploy",
                blocks=[Block(name="Tier", concurrency=2, sequences=sequences)],
            )
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
        await ws.wait(plan_id)


trio.run(main)
