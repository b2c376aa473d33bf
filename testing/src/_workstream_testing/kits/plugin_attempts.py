"""One real call of a plugin by a real engine, interrupted or not, and what it left.

Each attempt has a thread and a run of trio of its own: a plugin that does not hear its
cancellation would never let one end, and is left behind with its thread.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workstream._codec.json_text import to_json
from workstream._codec.lines import decode_line
from workstream._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    Checks,
    Plan,
    Sequence,
)
from workstream._plan.text import plan_text
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, Context, can_reconcile
from workstream._registry.registry import Registry
from workstream._vaults.memory_vault import MemoryVault

from ..fakes.fakes import FakePlugin
from ..simulation.simulator import HALF
from .left_behind import tasks
from .watched_calls import Attempted, interrupted, watched

if TYPE_CHECKING:
    from uuid import UUID


LAST = -1
"""In place of a step: after the plugin has returned, before that is stored."""


class Nothing(ActionPlugin[None, None]):
    """Does nothing: a plan of checks alone needs an action, too."""

    name = "conformance.nothing"

    async def execute(self, context: Context, request: None, /) -> None:
        """Return."""


def plan_of(plugin: AnyPlugin, request: object, *, timeout: float = 30.0) -> Plan:
    """A plan of one call of the plugin.

    Args:
        plugin: The plugin.
        request: What it is asked.
        timeout: Seconds that the call may take.
    """
    name, called_name = "Request", plugin.name
    if plugin.is_check:
        check = CheckAction(
            name=name, plugin=called_name, request=request, timeout=timeout
        )
        action = Action(name="Nothing", plugin=Nothing.name)
        checks = Checks(actions=[check])
    else:
        action = Action(name=name, plugin=called_name, request=request, timeout=timeout)
        checks = None
    sequence = Sequence(name="Sequence", actions=[action])
    block = Block(name="Block", sequences=[sequence])
    return Plan(name="Conformance", pre_checks=checks, blocks=[block])


def called(plan: Plan) -> BaseAction:
    """The call in such a plan."""
    if plan.pre_checks is not None:
        return plan.pre_checks.actions[0]
    return plan.blocks[0].sequences[0].actions[0]


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
        plugin: Any = self._plugin
        await interrupted(self, plugin.execute(context, request), self._interrupt)
        if self._interrupt is None:
            if seen.error is not None:
                raise seen.error
            return seen.response
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


def spread(count: int, most: int) -> Iterator[int]:
    """At most so many of the numbers from 1 to count, the first and last among them."""
    if count <= most:
        yield from range(1, count + 1)
    elif most == 1:
        yield 1
    else:
        yield from (1 + round(n * (count - 1) / (most - 1)) for n in range(most))


def step_text(step: int | float) -> str:
    """When a call was interrupted, for the end of a clause."""
    if step == LAST:
        return " right after its work, before that was stored"
    return f" after {step:g} s" if isinstance(step, float) else f" at step {step:,}"
