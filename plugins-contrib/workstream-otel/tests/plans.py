"""Plans whose traces are looked at, and an engine's process that runs them.

plans.py STORE run|resume
"""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

import attrs
import trio

from workstream import (
    SECURE,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    OnInterrupt,
    Plan,
    PluginError,
    Registry,
    Sequence,
    open_workstream,
    retries,
)
from workstream_otel import workstream_observers

SECRET = "abracadabra-hocuspocus"


@attrs.frozen
class Work:
    """What to do.

    Attributes:
        what: ``bad`` fails, ``busy`` and ``later`` fail once, ``slow`` takes too long, ``kill`` waits
            to be killed, once.
        token: A secret.
    """

    what: str = ""
    token: str = attrs.field(default=SECRET, metadata=SECURE)


class Step(ActionPlugin[Work, None]):
    """Does it."""

    name = "acme.step"
    retry = retries.RetryPolicy(initial_interval=0.001)
    on_interrupt = OnInterrupt.RERUN

    async def execute(self, context: Context, request: Work) -> None:
        """Do what is asked."""
        context.report(f"with {request.token}")
        if request.what == "bad":
            message = f"no space left for {request.token}"
            raise PluginError(message, code=28, permanent=True)
        if request.what in ("busy", "later") and context.attempt == 1:
            message = "busy"
            raise PluginError(message)
        if request.what == "slow" or (request.what == "kill" and context.attempt == 1):
            print("waiting", flush=True)
            await trio.sleep_forever()


class Later(Step):
    """Waits long enough before it is tried again that a kill comes in between."""

    name = "acme.later"
    retry = retries.RetryPolicy(initial_interval=2)


class Look(CheckPlugin[Work, None]):
    """A check that passes."""

    name = "acme.look"

    async def execute(self, context: Context, request: Work) -> None:
        """Pass."""


def check(name: str) -> Checks:
    """A group of one check."""
    return Checks(delay=30, actions=[Look.action(Work(), name=name)])


def plan(*whats: str) -> Plan:
    """A plan with a sequence for each of these."""
    sequences = [
        Sequence(
            name=f"web-{number}",
            actions=[
                Step.action(Work(), name="Copy"),
                (Later if what == "later" else Step).action(
                    Work(what),
                    name="Restart",
                    retries=1 if what in ("busy", "later") else 0,
                    timeout=0.05 if what == "slow" else 30,
                ),
            ],
        )
        for number, what in enumerate(whats, 1)
    ]
    return Plan(
        name="Deploy 2.1",
        pre_checks=check("Balancer answers"),
        blocks=[
            Block(
                name="Web tier",
                concurrency=2 if "kill" in whats else 1,
                tolerated_failures=1,
                cont_checks=check("Tier answers"),
                sequences=sequences,
            )
        ],
    )


async def ran(store: Path, plan: Plan | None) -> UUID:
    """Run the plan, or resume the latest; its id."""
    registry = Registry([Step(), Later(), Look()], observers=workstream_observers())
    async with open_workstream(store, registry=registry, recover=False) as ws:
        if plan is None:
            plan_id = (await ws.find("last")).row.id
            await ws.resume(plan_id)
        else:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
        await ws.wait(plan_id)
        return plan_id


if __name__ == "__main__":
    task = plan("later", "kill", "") if sys.argv[2] == "run" else None
    trio.run(ran, Path(sys.argv[1]), task)
