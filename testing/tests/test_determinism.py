"""The same seed gives the same timeline: on any machine, in any process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import attrs
from workstream import (
    ActionPlugin, Block, CheckPlugin, Checks, DeferBatch, DeferredActions, Plan,
    Sequence, WhenDeferred,
)
from workstream.testing import FakePlugin, crash_everywhere, explore, simulate, sleep


@attrs.frozen
class Ask:
    host: str
    tags: frozenset[str] = frozenset({"a", "b", "c", "d"})


class Copy(ActionPlugin[Ask, None]):
    name = "acme.copy"

    async def execute(self, context, request): ...


class Look(CheckPlugin[Ask, None]):
    name = "acme.look"

    async def execute(self, context, request): ...


def look():
    names = ("One", "Two", "Three")
    return Checks(delay=5, actions=[Look.action(Ask("lb"), name=n) for n in names])


plan = Plan(
    name="Deploy",
    pre_checks=look(),
    cont_checks=look(),
    blocks=[
        Block(
            name=f"Block {b}",
            concurrency=7,
            tolerated_failures=-1,
            cont_checks=look(),
            sequences=[
                Sequence(
                    name=f"web-{n}",
                    actions=[
                        Copy.action(Ask(f"web-{n}"), name=f"Copy {a}", retries=2)
                        for a in range(3)
                    ],
                )
                for n in range(12)
            ],
        )
        for b in range(2)
    ],
    deferred_actions=DeferredActions(
        batches=[
            DeferBatch(
                name="Last",
                when=WhenDeferred.ALWAYS,
                actions=[Copy.action(Ask("z"), name="Z")],
            )
        ]
    ),
)


async def does(context, request):
    await sleep(hash_of(request.host) % 3)
    context.report(f"{context.path} {context.idempotency_key}")


def hash_of(text):
    return sum(map(ord, text))


fakes = [
    FakePlugin(Copy)
    .when(host="web-3", attempt=1, fails="busy", takes=1)
    .when(host="web-4", fails="broken", permanent=True)
    .when(host="web-5", attempt=1, hangs=True, ignores_cancellation=2)
    .does(does),
    FakePlugin(Look),
]
for seed in (0, 1, 2, "order:3=1,9=4"):
    result = simulate(plan, fakes, seed=seed, jitter=True)
    print(result.elapsed, len(result.calls))
    print("\\n".join(map(str, result.timeline.events)))
    print(result.timeline)
    print(result.reports)


def check(result):
    order = [call.path for call in result.calls if "web-" in call.path]
    assert order.index("Deploy / Block 0 / web-6 / Copy 0") > 2


try:
    explore(plan, [FakePlugin(Copy), FakePlugin(Look)], check=check)
except AssertionError as error:
    print(error)
small = Plan(name="Small", blocks=[plan.blocks[0]])
broken = FakePlugin(Copy).otherwise(takes=3).again(fails="exists already")
try:
    crash_everywhere(small, [broken, FakePlugin(Look)])
except AssertionError as error:
    print(error)
"""


def output(hash_seed: str) -> bytes:
    """What the program prints in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
    ).stdout


@pytest.mark.parametrize("other", ["1", "4242"])
@pytest.mark.slow
def test_two_processes_print_the_same(other: str) -> None:
    """Timelines, drawings and stories are the same to the byte, whatever hashes are."""
    first = output("0")

    assert b"in another order of simultaneous events" in first
    assert b"a crash changes how plan" in first
    assert b"fails attempt 1: busy" in first
    assert output(other) == first
