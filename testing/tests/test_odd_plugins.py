"""What plugins do that no plugin should: an error of that attempt alone (A-8)."""

from __future__ import annotations

import asyncio
import logging
import math
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio

from _workstream_testing.conformance.world import World
from workstream._plan.plan import Action, Block, Plan, Sequence
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._protocols.watching import OutputLine
from workstream._values.errors import InternalError
from workstream._values.state import PluginError, Status
from workstream.retries import RetryPolicy


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@attrs.frozen
class Nothing:
    """A request and a response that say nothing."""


class Raises(ActionPlugin[Nothing, Nothing]):
    """Raises what it was made with."""

    name = "odd.raises"

    def __init__(self, error: Callable[[], BaseException], nursery: bool) -> None:
        """Take what makes the exception, and whether to raise it in a nursery."""
        self._error = error
        self._nursery = nursery

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Raise it."""
        if self._nursery:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._fail)
        raise self._error()

    async def _fail(self) -> None:
        raise self._error()


def _wrapping(wrapped: Any, **options: Any) -> Callable[[], PluginError]:
    return lambda: PluginError("odd", wrapped=wrapped, **options)


NO_NUMBER: Any = "E42"
NO_TEXT: Any = b"bytes"


@pytest.mark.parametrize("nursery", [False, True], ids=["alone", "in a nursery"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (lambda: SystemExit(3), "SystemExit: 3"),
        (asyncio.CancelledError, "CancelledError"),
        (KeyboardInterrupt, "KeyboardInterrupt"),
        (GeneratorExit, "GeneratorExit"),
        (_wrapping(ValueError("cause")), "odd: ValueError: cause"),
        (_wrapping(None, code=NO_NUMBER), "odd (code 'E42', which is no number)"),
        (lambda: PluginError(NO_TEXT), "b'bytes'"),
    ],
    ids=["exit", "asyncio", "interrupt", "generator", "wrapped", "code", "message"],
)
def test_odd_exceptions_fail_the_attempt(
    error: Callable[[], BaseException],
    told: str,
    nursery: bool,
) -> None:
    """Whatever a plugin raises fails its attempt, and never breaks off the run (A-8)."""
    world = World(plugins=[Raises(error, nursery)])

    async def scenario() -> None:
        async with world.engine() as ws:
            ended = await ws.run(plan_of(Raises.action(Nothing(), name="a")))
        assert ended.state.status is Status.FAILED
        [attempt] = ended.blocks[0].sequences[0].actions[0].attempts
        assert str(attempt.error) == told

    world.clock.run(scenario)


def plan_of(*actions: Action) -> Plan:
    """A plan with a sequence for each action, all side by side."""
    sequences = [
        Sequence(name=f"s{number}", actions=[action])
        for number, action in enumerate(actions, 1)
    ]
    block = Block(name="B", sequences=sequences, concurrency=len(sequences))
    return Plan(name="Odd", blocks=[block])


class CleansUpBadly(ActionPlugin[Nothing, Nothing]):
    """Works in a nursery, a child of which raises when it is cancelled."""

    name = "odd.cleanup"

    def __init__(self, error: type[BaseException] = ValueError) -> None:
        """Take what the child raises."""
        self._error = error
        self.working = trio.Event()

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Work until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._child)
            nursery.start_soon(trio.sleep_forever)
        return request

    async def _child(self) -> None:
        try:
            self.working.set()
            await trio.sleep_forever()
        finally:
            raise self._error


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_clean_up_that_raises_harms_nobody_when_the_engine_is_left(
    error: type[BaseException],
) -> None:
    """The run breaks off like any other, and the plan can be resumed (T-2, T-3)."""
    plugin = CleansUpBadly(error)
    world = World(plugins=[plugin])

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(plan_of(plugin.action(Nothing(), name="a")))
            await ws.start(plan_id)
            await plugin.working.wait()
        plan = await world.stored(plan_id)
        assert plan.state.status is Status.RUNNING
        [attempt] = plan.blocks[0].sequences[0].actions[0].attempts
        assert attempt.ended is None
        assert await world.vault.owner(plan_id) is None

    world.clock.run(scenario)


def test_a_clean_up_that_raises_after_the_timeout_is_told() -> None:
    """The attempt has timed out, and the plugin's own error is behind that (A-4)."""
    plugin = CleansUpBadly()
    world = World(plugins=[plugin])

    async def scenario() -> None:
        async with world.engine() as ws:
            plan = plan_of(plugin.action(Nothing(), name="a", timeout=5))
            ended = await ws.run(plan)
        [attempt] = ended.blocks[0].sequences[0].actions[0].attempts
        assert str(attempt.error) == "plugin execution timed out: ValueError"

    world.clock.run(scenario)


class Reports(ActionPlugin[Nothing, Nothing]):
    """Reports the amount it was made with."""

    name = "odd.reports"

    def __init__(self, amount: Any) -> None:
        """Take the amount."""
        self._amount = amount

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Report it, and give it time to be stored."""
        context.report("half way", done=self._amount)
        await trio.sleep(1)
        return request


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        (Decimal("0.5"), 0.5),
        (Fraction(1, 2), 0.5),
        (True, 1),
        (2**60 + 1, 2**60 + 1),
        (math.nan, None),
        (math.inf, None),
    ],
)
def test_amounts_that_are_reported(amount: Any, stored: float | None) -> None:
    """Any number is taken; one that no one could draw is left out (WA-3)."""
    world = World(plugins=[Reports(amount)])

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(plan_of(Reports.action(Nothing(), name="a")))
            await ws.start(plan_id)
            seen = [event async for event in ws.watch(plan_id)]
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED
        [line] = [event for event in seen if isinstance(event, OutputLine)]
        assert (line.text, line.done, type(line.done)) == (
            "half way",
            stored,
            type(stored),
        )

    world.clock.run(scenario)


@pytest.mark.parametrize("amount", ["50%", b"1", [1], 10**400])
def test_what_is_no_amount_fails_the_attempt(amount: Any) -> None:
    """It is that plugin's mistake, and breaks off no run (A-8)."""
    world = World(plugins=[Reports(amount)])

    async def scenario() -> None:
        async with world.engine() as ws:
            ended = await ws.run(plan_of(Reports.action(Nothing(), name="a")))
        [attempt] = ended.blocks[0].sequences[0].actions[0].attempts
        kind = type(amount).__name__
        told = f"TypeError: report: done is a {kind}: it must be a number"
        assert str(attempt.error) == told

    world.clock.run(scenario)


class Remembers(ActionPlugin[Nothing, Nothing]):
    """Remembers a name that is no UTF-8."""

    name = "odd.remembers"

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Remember it, say it, and fail with it."""
        await context.remember(file="\udcff")
        context.report("\udcff")
        msg = "\udcff"
        raise ValueError(msg)


def test_a_text_that_is_no_utf_8_is_stored_as_it_is() -> None:
    """A file's name may be any bytes: it is remembered, and told in an error (REG-11)."""
    world = World(plugins=[Remembers()])

    async def scenario() -> None:
        async with world.engine() as ws:
            ended = await ws.run(plan_of(Remembers.action(Nothing(), name="a")))
        [attempt] = ended.blocks[0].sequences[0].actions[0].attempts
        assert attempt.notes == {"file": "\udcff"}
        assert str(attempt.error) == "ValueError: \udcff"

    world.clock.run(scenario)


class Seldom(Raises):
    """Waits longer than any calendar lasts before it is tried again."""

    name = "odd.seldom"
    retry = RetryPolicy(initial_interval=1e15, max_interval=1e15)


def test_times_beyond_the_calendar() -> None:
    """A deadline or a wait of many thousand years is as good as none (A-15)."""
    world = World(plugins=[Raises(ValueError, False), Seldom(ValueError, False)])
    far, soon = 1e15, 60.0

    async def scenario() -> None:
        async with world.engine(max_submit=far, max_last_update=math.inf) as ws:
            plan = plan_of(
                Raises.action(Nothing(), name="a", deadline=far, retries=1),
                Seldom.action(Nothing(), name="b", deadline=soon, retries=1),
                Seldom.action(Nothing(), name="c", retries=1),
            )
            plan.blocks[0].tolerated_failures = -1
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            await trio.sleep(10)
            await ws.stop(plan_id)  # ends the wait of "c"
            ended = await ws.wait(plan_id)
        found = [
            (action.state.status, len(action.attempts))
            for sequence in ended.blocks[0].sequences
            for action in sequence.actions
        ]
        assert found == [(Status.FAILED, 2), (Status.FAILED, 1), (Status.STOPPED, 1)]

    world.clock.run(scenario)


class CachesACancellation(ActionPlugin[Nothing, Nothing]):
    """Raises the cancellation that an earlier call got, as a shared connection may."""

    name = "odd.caches"

    def __init__(self) -> None:
        self.kept: trio.Cancelled | None = None
        self.calls = 0

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Keep a cancellation of its own; raise it at the second call; then work."""
        self.calls += 1
        first = self.calls == 1
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as error:
                self.kept = error
                raise
        if first:
            assert self.kept is not None
            raise self.kept
        return request


def test_a_stray_cancellation_fails_the_attempt() -> None:
    """A cancellation that nobody asked for is an error like others: tried again (A-8)."""
    plugin = CachesACancellation()
    world = World(plugins=[plugin])

    async def scenario() -> None:
        async with world.engine() as ws:
            ended = await ws.run(
                plan_of(
                    plugin.action(Nothing(), name="a", retries=1),
                    plugin.action(Nothing(), name="b", retries=1),
                )
            )
        assert ended.state.status is Status.COMPLETED
        [error] = [
            attempt.error
            for sequence in ended.blocks[0].sequences
            for attempt in sequence.actions[0].attempts
            if attempt.error is not None
        ]
        assert "a cancellation that nobody asked for" in error.message

    world.clock.run(scenario)


class CancelsItsParent(ActionPlugin[Nothing, Nothing]):
    """Cancels the nursery in which the engine runs it, at the first call."""

    name = "odd.cancels_parent"

    def __init__(self) -> None:
        self.calls = 0

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Cancel what is not its own."""
        self.calls += 1
        if self.calls == 1:
            nursery = trio.lowlevel.current_task().parent_nursery
            assert nursery is not None
            nursery.cancel_scope.cancel()
        await trio.sleep(1)
        return request


@pytest.mark.parametrize("side_by_side", [1, 3])
def test_a_plugin_that_cancels_the_engines_nursery_breaks_its_run_off(
    side_by_side: int,
) -> None:
    """No work is taken for done; other runs go on; the plan can be resumed (A-8, T-2)."""
    plugin = CancelsItsParent()
    world = World(plugins=[plugin])

    async def scenario() -> None:
        async with world.engine() as ws:
            plan = plan_of(
                *(
                    plugin.action(Nothing(), name=f"a{number}")
                    for number in range(side_by_side)
                )
            )
            other = await world.start(ws, "B1: s1[a ok@5]")
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            with pytest.raises(InternalError, match="cancelled the nursery"):
                await ws.wait(plan_id)
            assert (await ws.wait(other)).state.status is Status.COMPLETED
            await ws.resume(plan_id)
            ended = await ws.wait(plan_id)
        assert ended.state.status is Status.COMPLETED

    world.clock.run(scenario)


INTERRUPTED_PROGRAM = """
import os, signal
import attrs, trio
from workstream import *
from workstream._vaults.memory_vault import MemoryVault

@attrs.frozen
class Nothing:
    pass

class Interrupted(ActionPlugin[Nothing, Nothing]):
    name = "odd.interrupted"

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.child)
        return request

    async def child(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**6):
            pass
        print("went on")

async def main() -> None:
    action = Interrupted.action(Nothing(), name="a")
    block = Block(name="b", sequences=[Sequence(name="s", actions=[action])])
    async with open_workstream(MemoryVault(), registry=Registry([Interrupted()])) as ws:
        print((await ws.run(Plan(name="p", blocks=[block]))).outcome)

try:
    trio.run(main)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.slow
def test_ctrl_c_is_nobodys_failure() -> None:
    """A real Ctrl-C that hits a plugin's task reaches the engine's caller (A-8)."""
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_PROGRAM],
        check=True,
        capture_output=True,
        text=True,
    )

    assert ended.stdout == "interrupted\n"


class CrashesBeside(ActionPlugin[Nothing, Nothing]):
    """Lets a system task of its own crash, or one that such a task begins."""

    name = "odd.crashes_beside"

    def __init__(self, error: Callable[[], BaseException], depth: int) -> None:
        self._error = error
        self._depth = depth
        self.over = trio.Event()

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Begin a task that nobody owns, and go on when it has crashed."""
        trio.lowlevel.spawn_system_task(self._crash, self._depth)
        await self.over.wait()
        await trio.sleep(1)
        return request

    async def _crash(self, depth: int) -> None:
        if depth:
            trio.lowlevel.spawn_system_task(self._crash, depth - 1)
            await trio.sleep_forever()
        try:
            raise self._error()
        finally:
            self.over.set()


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize(
    "error",
    [
        lambda: RuntimeError("hunter2"),
        KeyboardInterrupt,
        lambda: BaseExceptionGroup("hunter2", [SystemExit(), RuntimeError()]),
    ],
    ids=["error", "interrupt", "group"],
)
def test_a_system_task_of_a_plugin_that_crashes_ends_nothing_else(
    error: Callable[[], BaseException], depth: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own action goes on, as do other plans, and the log names the task (T-2)."""
    caplog.set_level(logging.ERROR, "workstream")
    plugin = CrashesBeside(error, depth)
    world = World(plugins=[plugin])

    async def scenario() -> None:
        async with world.engine() as ws:
            other = await world.start(ws, "B1: s1[a ok@5]")
            ended = await ws.run(plan_of(plugin.action(Nothing(), name="a")))
            assert ended.state.status is Status.COMPLETED
            assert (await ws.wait(other)).state.status is Status.COMPLETED

    world.clock.run(scenario)

    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "CrashesBeside._crash of a plugin has crashed with" in record.getMessage()
    assert "hunter2" not in record.getMessage()


def test_a_system_task_of_the_program_is_not_the_engines_business() -> None:
    """trio ends the program; a plan that ran stays RUNNING and can be resumed (T-3)."""
    world = World()
    plans: list[UUID] = []

    async def crash() -> None:
        message = "beside"
        raise RuntimeError(message)

    async def scenario() -> None:
        async with world.engine() as ws:
            plans.append(await world.start(ws, "B1: s1[a ok@5]"))
            await trio.sleep(1)
            trio.lowlevel.spawn_system_task(crash)
            await ws.wait(plans[0])

    with pytest.raises(trio.TrioInternalError):
        world.clock.run(scenario)

    async def resumed() -> None:
        async with world.engine() as ws:
            assert (await ws.wait(plans[0])).state.status.is_terminal

    world.clock.run(resumed)
