"""Runs a plan without an event loop; a test starts it where none can be imported.

The runtime below is all that it takes: it drives the coroutines itself, in virtual time.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import attrs

from workstream._interpreter.interpreter import Interpreter
from workstream._plan.plan import (
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from workstream._plan.walk import give_ids, new_plan_id, walk
from workstream._protocols.plugin import (
    ActionPlugin,
    AnyPlugin,
    CheckPlugin,
    Context,
    NotDone,
)
from workstream._protocols.runtime import AttemptOutcome
from workstream._values.state import Attempt, OnInterrupt, PluginError, WhenDeferred
from workstream.retries import RetryPolicy

START = datetime(2030, 1, 1, tzinfo=UTC)


@attrs.frozen(eq=False)
class Pause:
    """What a coroutine waits for: a moment, or a condition."""

    until: float
    condition: Callable[[], bool]

    def __await__(self) -> Generator[Pause, None, None]:
        yield self


class Driver:
    """Runs coroutines side by side, and jumps to the next moment when all wait."""

    def __init__(self) -> None:
        self.time = 0.0
        self._paused: list[tuple[Coroutine[Any, Any, Any], Pause]] = []
        self.running: set[int] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> int:
        """Begin a coroutine; its key is in ``running`` until it has ended."""
        self._paused.append((coroutine, Pause(self.time, lambda: True)))
        self.running.add(id(coroutine))
        return id(coroutine)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run until the coroutine has ended."""
        root = self.spawn(coroutine)
        while root in self.running:
            due = [
                p for p in self._paused if p[1].until <= self.time or p[1].condition()
            ]
            if not due:
                self.time = min(pause.until for _, pause in self._paused)
                assert self.time < math.inf, "every coroutine waits for another one"
            for entry in due:
                self._paused.remove(entry)
                self._step(entry[0])

    def _step(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            self._paused.append((coroutine, coroutine.send(None)))
        except StopIteration:
            self.running.remove(id(coroutine))


class ToyNursery:
    """Children of the driver."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.children: set[int] = set()

    def start_soon(
        self, function: Callable[..., Awaitable[Any]], /, *args: Any
    ) -> None:
        """Begin a child."""

        async def child() -> None:
            await function(*args)

        self.children.add(self._driver.spawn(child()))


class ToyRuntime:
    """The runtime protocol, without a store: what is recorded is counted."""

    def __init__(self, plan: Plan, plugins: dict[str, AnyPlugin]) -> None:
        self.driver = Driver()
        self.records = 0
        self._plugins = plugins
        give_ids(plan, new_plan_id())

    def now(self) -> datetime:
        return START + timedelta(seconds=self.driver.time)

    def random(self) -> float:
        return 0.5

    def record(self, *nodes: Node) -> None:
        self.records += len(nodes)

    async def durable(self) -> None:
        pass

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        await Pause(self.driver.time + seconds, until)

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        return self._plugins[action.plugin].retry

    def on_interrupt(self, action: BaseAction) -> OnInterrupt:
        raise NotImplementedError

    def wake(self) -> None:
        pass  # the driver asks every condition at every step

    async def hear(self) -> None:
        pass

    def freeze(self) -> None:
        pass

    async def execute(
        self, action: BaseAction, attempt: Attempt, main: bool
    ) -> AttemptOutcome:
        plugin = self._plugins[action.plugin]
        try:
            return AttemptOutcome(
                await plugin.execute(cast("Any", self.driver), action.request)
            )
        except PluginError as error:
            return AttemptOutcome(error=error)

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        raise NotImplementedError

    @asynccontextmanager
    async def nursery(self) -> AsyncGenerator[ToyNursery]:
        nursery = ToyNursery(self.driver)
        yield nursery
        running = self.driver.running
        await Pause(math.inf, lambda: not nursery.children & running)


@attrs.frozen
class Work:
    """What is asked of the plugins."""

    seconds: float = 0.0
    failures: int = 0


calls: dict[str, list[float]] = {}


async def work(context: Context, request: Work, label: str) -> None:
    """Take time, and fail so many times first."""
    assert isinstance(context, Driver)
    times = calls.setdefault(label, [])
    times.append(context.time)
    await Pause(context.time + request.seconds, lambda: False)
    if len(times) <= request.failures:
        message = f"call {len(times)} fails"
        raise PluginError(message)


class Act(ActionPlugin[Work, None]):
    """Takes time."""

    name = "toy.act"
    retry = RetryPolicy(initial_interval=1, randomization_factor=0)

    async def execute(self, context: Context, request: Work, /) -> None:
        """Work."""
        await work(context, request, f"act {request.seconds:g}")


class Look(CheckPlugin[Work, None]):
    """Looks."""

    name = "toy.look"

    async def execute(self, context: Context, request: Work, /) -> None:
        """Work."""
        await work(context, request, f"look {request.seconds:g}")


def look(seconds: float) -> Checks:
    """A check group of one check."""
    return Checks(actions=[Look.action(Work(seconds), name="look")], delay=4)


def act(seconds: float, failures: int = 0) -> Sequence:
    """A sequence of one action."""
    action = Act.action(Work(seconds, failures), name="act", retries=1)
    return Sequence(name=f"act {seconds:g}", actions=[action])


def main() -> None:
    """Run a plan with all that needs a runtime, and print how it ended."""
    rollback = DeferBatch(
        name="roll back",
        when=WhenDeferred.ON_FAILURE,
        actions=[Act.action(Work(6), name="roll back")],
    )
    plan = Plan(
        name="toy",
        pre_checks=look(1),
        cont_checks=look(0.5),
        blocks=[
            Block(
                name="work",
                entrance_delay=2,
                concurrency=2,
                tolerated_failures=1,
                sequences=[act(3), act(4, failures=1), act(5, failures=2), act(7)],
            )
        ],
        post_checks=look(2),
        deferred_actions=DeferredActions(batches=[rollback]),
        deferred_checks=look(0.25),
    )
    plugins: dict[str, AnyPlugin] = {"toy.act": Act(), "toy.look": Look()}
    runtime = ToyRuntime(plan, plugins)
    runtime.driver.run(Interpreter(plan, runtime).run())
    answer = {
        "statuses": [item.node.state.status.name for item in walk(plan)],
        "outcome": plan.outcome.name,
        "calls": calls,
        "time": runtime.driver.time,
        "running": len(runtime.driver.running),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
