"""One real call of a plugin by a real engine, interrupted or not, and what it left.

Each attempt has a thread and a run of trio of its own: a plugin that does not hear its
cancellation would never let one end, and is left behind with its thread.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from workstream._codec.json_text import to_json
from workstream._codec.records import decode_line
from workstream._plan.plan import BaseAction
from workstream._plan.text import plan_text
from workstream._protocols.plugin import AnyPlugin, Context, can_reconcile
from workstream._registry.registry import Registry
from workstream._vaults.memory_vault import MemoryVault

from ..fakes.fakes import FakePlugin
from ..simulation.simulator import HALF
from ..virtual.outside import Threads
from .left_behind import Processes, tasks
from .plugin_plans import Nothing, called, plan_of

if TYPE_CHECKING:
    from uuid import UUID


__all__ = ["LAST", "Attempted", "Driven", "carry_out", "registry_of", "watched"]

LAST = -1
"""In place of a step: after the plugin has returned, before that is stored."""

PATIENCE = 1.0
"""Seconds after which a run is given up that should have ended."""


@attrs.define
class Attempted:
    """What was seen of a call.

    Attributes:
        action: The action at its end, as it was stored; None: it did not come to that.
        response: What the plugin returned.
        error: What the plugin raised.
        returned: Whether it returned.
        steps: How often it waited for something.
        swallowed: Whether it returned although it was told of its cancellation.
        ended_after: Seconds from its cancellation to its end.
        calls: How often ``execute`` was called.
        left: What it left behind, a clause each.
        texts: What can be read of it, by what that is.
        deaf: Whether it went on although it was cancelled, and was given up.
        problem: Why it could not be called.
    """

    action: BaseAction | None = None
    response: object = None
    error: BaseException | None = None
    returned: bool = False
    steps: int = 0
    swallowed: bool = False
    ended_after: float = 0.0
    calls: int = 0
    left: list[str] = attrs.Factory(list[str])
    texts: dict[str, str] = attrs.Factory(dict[str, str])
    deaf: bool = False
    problem: str | None = None


def registry_of(
    plugin: AnyPlugin, resolvers: Mapping[str, Callable[[str], str]]
) -> Registry:
    """A registry of the plugin, even if it should not be registered.

    What is wrong with it was told already, and shall not hide what else is.
    """
    registry = Registry([Nothing()], resolvers=resolvers)
    plugins: Any = registry
    plugins._plugins[plugin.name] = plugin
    return registry


def carry_out(
    plugin: AnyPlugin,
    request: object,
    resolvers: Mapping[str, Callable[[str], str]],
    *,
    timeout: float,
    within: float,
    interrupt: int | float | None = None,
    recover: bool = False,
) -> Attempted:
    """Call a plugin once.

    Args:
        plugin: The plugin.
        request: What it is asked.
        resolvers: Where its secrets come from.
        timeout: Seconds that the attempt may take.
        within: Seconds in which it must end once it was cancelled.
        interrupt: When the engine ends: a whole number is a step, counted from 1, or
            ``LAST``; any other number, so many seconds after the call began.
        recover: Whether another engine then brings the plan to its end.
    """
    attempt = _Attempt(plugin, request, resolvers, timeout, interrupt, recover)
    return watched(attempt, within)


class Watched(Protocol):
    """A call that has a thread to itself.

    Attributes:
        due: When it should have ended or was cancelled, by the machine's clock.
        seen: What was seen.
    """

    due: float
    seen: Attempted

    def run(self) -> None:
        """Make the call."""
        ...


def watched(attempt: Watched, within: float) -> Attempted:
    """Make a call in a thread of its own, and see what it leaves behind.

    Args:
        attempt: The call.
        within: Seconds in which it must end once it is due.
    """
    thread = threading.Thread(target=attempt.run, name="check_plugin", daemon=True)
    with ExitStack() as stack:
        processes = Processes()
        stack.enter_context(processes.marked())
        records = stack.enter_context(_logged())
        threads = Threads()
        stack.enter_context(threads.counted())
        thread.start()
        _wait(thread, attempt, within)
        seen = attempt.seen
        seen.deaf = thread.is_alive()
        seen.texts["a log record"] = "\n".join(records)
        seen.left += [
            f"a process: {name} (id {process})"
            for process, name in processes.left().items()
        ]
        if threads.at_work and not seen.deaf:
            seen.left.append("a thread that goes on")
    return seen


def _wait(thread: threading.Thread, attempt: Watched, within: float) -> None:
    while thread.is_alive():
        thread.join(0.02)
        if time.monotonic() > attempt.due + within + PATIENCE:
            return


@contextmanager
def _logged() -> Generator[list[str]]:
    """The texts of all that is logged meanwhile, by whatever logger and level."""
    texts: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(self.format(record))

    root, handler = logging.getLogger(), Handler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class _Attempt:
    """A call under way.

    Attributes:
        due: When it should have ended or was cancelled, by the machine's clock.
        seen: What was seen.
    """

    def __init__(
        self,
        plugin: AnyPlugin,
        request: object,
        resolvers: Mapping[str, Callable[[str], str]],
        timeout: float,
        interrupt: int | float | None,
        recover: bool,
    ) -> None:
        self.seen = Attempted()
        seconds = interrupt if isinstance(interrupt, float) else timeout
        self.due = time.monotonic() + seconds
        self._plugin = plugin
        self._request = request
        self._resolvers = resolvers
        self._timeout = timeout
        self._interrupt = interrupt
        self._recover = recover
        self._vault = MemoryVault()

    def run(self) -> None:
        """Do it; for a thread."""
        import trio

        try:
            trio.run(self._main)
        except BaseException as error:
            self.seen.problem = f"{type(error).__name__}: {error}"

    async def _main(self) -> None:
        import trio
        import trio.testing

        before = tasks()
        over = trio.Event()
        async with self._engine(over) as ws:
            plan = plan_of(self._plugin, self._request, timeout=self._timeout)
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            await _first(over.wait, lambda: ws.wait(plan_id))
        if self._interrupt is not None and self._recover:
            self._interrupt = None
            self.due = time.monotonic() + self._timeout
            async with self._engine(over) as ws:
                with trio.fail_after(self._timeout):
                    await ws.wait(plan_id)
        await trio.testing.wait_all_tasks_blocked()
        self.seen.left += [f"a task: {task.name}" for task in tasks() - before]
        await self._read(plan_id)

    def _engine(self, over: Any) -> Any:
        from workstream._engine.engine import open_workstream

        spy: Any = FakePlugin(self._plugin, strict=False)

        async def execute(context: Context, request: object) -> object:
            return await self._execute(context, request, over)

        async def reconcile(context: Context, request: object) -> object:
            plugin: Any = self._plugin
            return await plugin.reconcile(context, request)

        spy.otherwise(does=execute)
        if can_reconcile(self._plugin):
            spy.reconciles(does=reconcile)
        registry = registry_of(spy, self._resolvers)
        return open_workstream(self._vault, registry=registry, random=lambda: HALF)

    async def _execute(self, context: Context, request: object, over: Any) -> object:
        import trio

        seen = self.seen
        seen.calls += 1
        began_cancel = 0.0
        hears = heard = False
        scope = trio.CancelScope()
        if isinstance(self._interrupt, float):
            scope.deadline = trio.current_time() + self._interrupt
            began_cancel = time.monotonic() + self._interrupt

        def step(number: int) -> None:
            nonlocal began_cancel, hears
            seen.steps = number
            if number == self._interrupt:
                self.due = began_cancel = time.monotonic()
                scope.cancel()
            # Where the plugin shields itself, or a deadline of its own comes first,
            # what ends its wait is not this cancellation.
            ours = -math.inf if scope.cancel_called else scope.deadline
            hears = trio.current_effective_deadline() == ours

        def told() -> None:
            nonlocal heard
            heard = heard or (hears and scope.cancel_called)

        plugin: Any = self._plugin
        seen.response, seen.error, seen.returned = None, None, False
        try:
            with scope:
                driven = Driven(plugin.execute(context, request), step, told)
                seen.response = await driven
                seen.returned = True
        except Exception as error:
            seen.error = error
            if self._interrupt is None:
                raise
        if self._interrupt is None:
            return seen.response
        seen.swallowed = heard and seen.returned
        if scope.cancel_called:
            seen.ended_after = time.monotonic() - began_cancel
        # The engine ends now, and nothing of this call is ever stored.
        over.set()
        return await trio.sleep_forever()

    async def _read(self, plan_id: UUID) -> None:
        """What can be read of the plan, by those who may look at it."""
        from workstream._codec.codec import Codec

        stored = await self._vault.read(plan_id)
        registry = registry_of(self._plugin, self._resolvers)
        plan = Codec(registry).load(stored)
        action = called(plan)
        self.seen.action = action
        attempts = action.attempts
        self.seen.texts |= {
            "its error": "\n".join(str(attempt.error) for attempt in attempts),
            "its notes": "\n".join(str(attempt.notes) for attempt in attempts),
            "the stored plan, as it is shown": plan_text(plan) + to_json(plan),
            "a report": "\n".join(
                [
                    decode_line(record.data).text
                    for position in stored.lines
                    for record in await self._vault.lines(plan_id, position)
                ]
            ),
        }


async def _first(*functions: Callable[[], Awaitable[object]]) -> None:
    """Wait until one of them returns."""
    import trio

    async with trio.open_nursery() as nursery:

        async def wait(function: Callable[[], Awaitable[object]]) -> None:
            await function()
            nursery.cancel_scope.cancel()

        for function in functions:
            nursery.start_soon(wait, function)


class Driven:
    """A coroutine, and a look at each of its steps: whenever it waits for something."""

    def __init__(
        self,
        awaitable: Any,
        step: Callable[[int], None],
        told: Callable[[], None],
    ) -> None:
        self._awaitable = awaitable
        self._step = step
        self._told = told

    def __await__(self) -> Generator[Any, Any, Any]:
        import outcome
        import trio

        inner = self._awaitable.__await__()
        advance, argument = inner.send, None
        number = 0
        while True:
            try:
                wish = advance(argument)
            except StopIteration as stop:
                return stop.value
            number += 1
            self._step(number)
            try:
                argument = yield wish
            except BaseException as error:
                advance, argument = inner.throw, error
                continue
            advance = inner.send
            answer: Any = argument
            if isinstance(answer, outcome.Error) and isinstance(
                answer.error, trio.Cancelled
            ):
                self._told()
