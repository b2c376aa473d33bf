"""Plugins that cannot be made ready: unusable, each with its reason (REG-6)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio

from _workstream_testing.conformance.world import World
from workstream._plan.plan import Block, Plan, Sequence
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._values.errors import PlanRefusedError, ValidationError
from workstream._values.state import Status


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plugins that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@attrs.frozen
class Ask:
    """Nothing to say."""


class Sick(ActionPlugin[Ask, Ask]):
    """Is made ready as the test says."""

    name = "init.sick"

    def __init__(self, init: Callable[[], Awaitable[None]]) -> None:
        """Take what its ``init`` does."""
        self._init = init

    async def init(self) -> None:
        """Do that."""
        await self._init()

    async def execute(self, context: Context, request: Ask) -> Ask:
        """Succeed."""
        return request


async def ready() -> None:
    """Be ready."""


async def refuses() -> None:
    """Say no."""
    msg = "the licence has expired"
    raise OSError(msg)


async def leaves() -> None:
    """Take itself for the program."""
    msg = "no licence"
    raise SystemExit(msg)


async def splits() -> None:
    """Fail in a nursery, beside a task that is cancelled for it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(refuses)


async def hangs() -> None:
    """Wait for what never comes."""
    await trio.sleep_forever()


async def is_deaf() -> None:
    """Hear nothing for two minutes."""
    with trio.CancelScope(shield=True):
        await trio.sleep(120)


def plan_of(plugin: str) -> Plan:
    """A plan that uses the plugin."""
    action = Sick.action(Ask(), name="a")
    action.plugin = plugin
    sequence = Sequence(name="s", actions=[action])
    return Plan(name="P", blocks=[Block(name="B", sequences=[sequence])])


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        (refuses, "its init failed: OSError: the licence has expired"),
        (leaves, "its init failed: SystemExit: no licence"),
        (splits, "its init failed: ExceptionGroup: "),
        (hangs, "its init took more than 30 seconds"),
    ],
)
def test_it_is_refused_and_all_else_works(
    init: Callable[[], Awaitable[None]], reason: str
) -> None:
    """A plan that uses it is refused at submit and at start, with the reason."""
    world = World(plugins=[Sick(ready)])
    sick = World(plugins=[Sick(init)])
    sick.vault, sick.clock = world.vault, world.clock

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(plan_of("init.sick"))
        async with sick.engine() as ws:
            assert reason in ws.registry.unusable["init.sick"]
            with pytest.raises(ValidationError, match=reason):
                await ws.submit(plan_of("init.sick"))
            with pytest.raises(PlanRefusedError, match=reason):
                await ws.start(plan_id)
            other = await sick.start(ws, "B1: s1[a]")
            assert (await ws.wait(other)).state.status is Status.COMPLETED
        async with world.engine() as ws:  # nothing happened to it
            await ws.start(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_one_that_does_not_hear_shows(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it without knowing for what (A-16); late, it is ready after all."""
    caplog.set_level(logging.WARNING, "workstream")
    world = World(plugins=[Sick(is_deaf)])

    async def scenario() -> None:
        async with world.engine() as ws:
            [told] = caplog.messages
            assert not ws.registry.unusable
        assert told.startswith(
            "the init of init.sick goes on although it was cancelled"
        )
        assert "WORKSTREAM_PLUGINS" in told

    world.clock.run(scenario)


def test_whoever_opens_the_engine_can_be_cancelled() -> None:
    """That is no fault of the plugin (T-3)."""
    world = World(plugins=[Sick(hangs)])

    async def scenario() -> None:
        with trio.move_on_after(5) as scope:
            async with world.engine():
                pytest.fail("it was opened")
        assert scope.cancelled_caught

    world.clock.run(scenario)
