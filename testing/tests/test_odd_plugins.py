"""What plugins raise that no plugin should: an error of that attempt alone (A-8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from _workstream_testing.world import World
from workstream._plan.plan import Block, Plan, Sequence
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._values.state import PluginError, Status


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
        (_wrapping(ValueError("cause")), "odd: ValueError: cause"),
        (_wrapping(None, code=NO_NUMBER), "odd (code 'E42', which is no number)"),
        (lambda: PluginError(NO_TEXT), "b'bytes'"),
    ],
    ids=["exit", "asyncio", "wrapped", "code", "message"],
)
def test_odd_exceptions_fail_the_attempt(
    error: Callable[[], BaseException],
    told: str,
    nursery: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever a plugin raises fails its attempt, and never breaks off the run (A-8)."""
    caplog.set_level(logging.CRITICAL, "workstream")
    world = World(plugins=[Raises(error, nursery)])
    plan = Plan(
        name="Odd",
        blocks=[
            Block(
                name="B",
                sequences=[
                    Sequence(name="s", actions=[Raises.action(Nothing(), name="a")])
                ],
            )
        ],
    )

    async def scenario() -> None:
        async with world.engine() as ws:
            ended = await ws.run(plan)
        assert ended.state.status is Status.FAILED
        [attempt] = ended.blocks[0].sequences[0].actions[0].attempts
        assert str(attempt.error) == told

    world.clock.run(scenario)
