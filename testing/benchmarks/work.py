"""The work that is measured: plans of actions that do nothing, on plugins of two lines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import attrs

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Checks,
    Context,
    Plan,
    PluginError,
    Registry,
    Sequence,
)
from workstream.retries import RetryPolicy

__all__ = [
    "LARGE",
    "ONE_BY_ONE",
    "SMALL",
    "Shape",
    "declared_plan",
    "plan_of",
    "real_plan",
    "registry",
]


@attrs.frozen
class Shape:
    """So many sequences of so many actions, so many sequences at once."""

    sequences: int
    actions: int
    concurrency: int

    @property
    def total(self) -> int:
        """How many actions there are."""
        return self.sequences * self.actions

    def __str__(self) -> str:
        return f"{self.sequences:,} x {self.actions:,} at {self.concurrency}"


SMALL = Shape(200, 5, 50)
LARGE = Shape(1_000, 10, 100)
ONE_BY_ONE = Shape(1, 200, 1)


@attrs.frozen
class Request:
    """What a real request looks like: a few plain fields."""

    host: str
    number: int = 0


@attrs.frozen
class Response:
    """What a real response looks like."""

    number: int


class Nothing(ActionPlugin[Request, Response]):
    """Does nothing, at once."""

    name = "bench.nothing"

    async def execute(self, context: Context, request: Request, /) -> Response:
        """Return what was asked."""
        return Response(request.number)


class Busy(ActionPlugin[Request, Response]):
    """Does nothing either, but reports, and fails once where it is told to."""

    name = "bench.busy"
    retry = RetryPolicy(initial_interval=0.001, max_interval=0.001)

    async def execute(self, context: Context, request: Request, /) -> Response:
        """Report a line; of every tenth action, let the first attempt fail."""
        context.report(f"{request.host}: at work")
        if request.number % 10 == 0 and context.attempt == 1:
            message = f"{request.host} did not answer"
            raise PluginError(message)
        return Response(request.number)


class Fine(CheckPlugin[Request, Response]):
    """Finds that all is well."""

    name = "bench.fine"

    async def execute(self, context: Context, request: Request, /) -> Response:
        """Pass."""
        return Response(request.number)


def registry() -> Registry:
    """The plugins above."""
    return Registry([Nothing(), Busy(), Fine()])


def _action(shape: Shape, sequence: int, index: int, *, busy: bool) -> Action:
    plugin = Busy if busy else Nothing
    request = Request(f"web-{sequence}", sequence * shape.actions + index)
    return plugin.action(request, name=f"step {index}", retries=2 if busy else 0)


def _sequences(shape: Shape, *, busy: bool = False) -> list[Sequence]:
    return [
        Sequence(
            name=f"web-{number}",
            actions=[
                _action(shape, number, index, busy=busy)
                for index in range(shape.actions)
            ],
        )
        for number in range(shape.sequences)
    ]


def plan_of(shape: Shape) -> Plan:
    """A plan of this shape: one block, no checks."""
    block = Block(
        name="Web tier", sequences=_sequences(shape), concurrency=shape.concurrency
    )
    return Plan(name="Bench", blocks=[block])


def declared_plan(shape: Shape) -> Plan:
    """The same, which declares what may become of it: the same actions are called.

    Each sequence has a clean-up and an undo, which are never due. Its last action needs
    the response of its first. The block grows in two batches, and tolerates a share.
    """
    # Here, as an older checkout with which this one is compared may not have them.
    from workstream import DeferBatch, DeferredActions, Percent, WhenDeferred, late

    plan = plan_of(shape)
    [block] = plan.blocks
    block.batches = (1, Percent(50))
    block.tolerated_failures = Percent(5)
    for number, sequence in enumerate(block.sequences):
        first, last = sequence.actions[0], sequence.actions[-1]
        first.key = f"first-{number}"
        last.request = late(Request)(
            host=f"web-{number}", number=Nothing.response(first).number
        )
        sequence.deferred_actions = DeferredActions(
            batches=[
                DeferBatch(
                    name=when.name,
                    when=when,
                    actions=[_action(shape, number, 0, busy=False)],
                )
                for when in (WhenDeferred.ON_FAILURE, WhenDeferred.ON_UNDO)
            ]
        )
    return plan


def _check(name: str) -> CheckAction:
    return Fine.action(Request("balancer"), name=name)


def real_plan(shape: Shape) -> Plan:
    """The same with what a real run has: checks, retries, reports.

    Every action reports a line, every tenth fails once and is tried again, a group of
    two continuous checks runs every 20 ms, and pre- and post-checks stand around it.
    """
    block = Block(
        name="Web tier",
        sequences=_sequences(shape, busy=True),
        concurrency=shape.concurrency,
        tolerated_failures=10,
        pre_checks=Checks(actions=[_check("Tier answers")]),
        cont_checks=Checks(
            actions=[_check("Errors are rare"), _check("Queue is short")], delay=0.02
        ),
        post_checks=Checks(actions=[_check("Tier still answers")]),
    )
    checks = Checks(actions=[_check("Balancer answers")])
    return Plan(name="Bench", pre_checks=checks, blocks=[block])


@contextmanager
def temporary() -> Generator[Path, None, None]:
    """A directory of its own, on the disk that holds temporary files."""
    path = Path(tempfile.mkdtemp(prefix="workstream-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)
