"""Plugins whose types have changed since a plan was stored (STO-14, R-4)."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio

from _workstream_testing.conformance.world import World
from workstream import late, text
from workstream._plan.plan import Action, Block, Plan, Sequence
from workstream._plan.walk import actions
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._registry.registry import Registry
from workstream._secrets.references import StoredValue
from workstream._values.errors import PlanCorruptError, PlanRefusedError
from workstream._values.state import Status


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """That plans cannot be read is what these tests are about: no news of it."""
    caplog.set_level(logging.CRITICAL, "workstream")


@attrs.frozen
class Ask:
    """The request, at first."""

    host: str
    port: int = 22


@attrs.frozen
class Answer:
    """The response, at first."""

    size: int


@attrs.frozen
class AskMore:
    """One more field, with a default."""

    host: str
    port: int = 22
    user: str = "root"
    tags: tuple[str, ...] = ()


@attrs.frozen
class AskWhom:
    """One more field, without a default."""

    host: str
    user: str
    port: int = 22


@attrs.frozen
class AskLess:
    """One field less: what it said would be lost."""

    host: str


@attrs.frozen
class AnswerLess:
    """One field less: it changes nothing that is done."""


@attrs.frozen
class AskOther:
    """The same field, of another type."""

    host: str
    port: str = "22"


@attrs.frozen
class AnswerMore:
    """One more field, with a default."""

    size: int
    unit: str = "bytes"


@attrs.frozen
class AnswerOther:
    """The same field, of another type."""

    size: str


REQUESTS = "the request of 'Changed / b / s / first', as 1 more of its requests,"


def plugin(request: type, response: type, *, hangs: bool = False) -> Any:
    """The plugin with these types."""

    class Copy(ActionPlugin[Any, Any]):
        """Copies."""

        name = "changed.copy"
        request_type = request
        response_type = response

        async def execute(self, context: Context, given: Any, /) -> Any:
            """Answer; the second action of the first version never does."""
            assert type(given) is request
            if hangs and context.path.endswith("second"):
                await trio.sleep_forever()
            if response is AnswerLess:
                return AnswerLess()
            return response(3 if response is not AnswerOther else "3")

    return Copy()


def plan() -> Plan:
    """Two actions, one after the other."""
    asked = [
        Action(name=name, plugin="changed.copy", request=Ask("web-1", 2_222))
        for name in ("first", "second")
    ]
    sequences = [Sequence(name="s", actions=asked)]
    return Plan(name="Changed", blocks=[Block(name="b", sequences=sequences)])


async def broken_off(world: World) -> tuple[UUID, UUID]:
    """A plan that the engine left after its first action, and one of another plugin."""
    registry = Registry([*world.registry(), plugin(Ask, Answer, hangs=True)])
    async with world.engine(registry=registry) as ws:
        changed, other = (
            await ws.submit(plan()),
            await world.start(ws, "B1: s1[x ok@5]"),
        )
        await ws.start(changed)
        await trio.sleep(1)
    return changed, other


@pytest.mark.parametrize(
    ("request_type", "response_type"),
    [
        (AskMore, Answer),
        (Ask, AnswerMore),
        (AskMore, AnswerMore),
        (Ask, AnswerLess),
    ],
)
def test_a_field_with_a_default_is_filled(
    request_type: type, response_type: type
) -> None:
    """So a plugin may be upgraded while its plans are under way."""
    world = World()

    async def scenario() -> None:
        changed, _ = await broken_off(world)
        registry = Registry([*world.registry(), plugin(request_type, response_type)])
        async with world.engine(registry=registry) as ws:
            assert not ws.recovery_errors
            result = await ws.wait(changed)
        assert result.state.status is Status.COMPLETED
        for action in actions(result):
            assert action.request == request_type("web-1", port=2_222)
            size = () if response_type is AnswerLess else (3,)
            assert action.response == response_type(*size)

    world.clock.run(scenario)


@pytest.mark.parametrize(
    ("request_type", "response_type", "place", "told"),
    [
        (AskWhom, Answer, REQUESTS, "user is missing"),
        (AskLess, Answer, REQUESTS, "port is not a field"),
        (AskOther, Answer, REQUESTS, "port must be a text, not a whole number"),
        (
            *(Ask, AnswerOther, "'Changed / b / s / first'"),
            "size must be a text, not a whole number",
        ),
    ],
)
def test_any_other_change_is_that_plan_s_trouble(
    request_type: type, response_type: type, place: str, told: str
) -> None:
    """It is named, with its place; others are recovered, and the old plugin reads it."""
    world = World()

    async def scenario() -> None:
        changed, other = await broken_off(world)
        registry = Registry([*world.registry(), plugin(request_type, response_type)])
        async with world.engine(registry=registry) as ws:
            assert (await ws.wait(other)).state.status is Status.COMPLETED
            assert set(ws.recovery_errors) == {changed}
            error = ws.recovery_errors[changed]
            assert isinstance(error, PlanCorruptError)
            assert place in str(error)
            assert f"its plugin's types have changed: {told}. If they have" in str(
                error
            )
            assert {row.id for row in await ws.list()} == {changed, other}
            with pytest.raises(PlanCorruptError):
                await ws.plan(changed)
            # To stop it needs no reading of it.
            await ws.stop(changed)
        registry = Registry([*world.registry(), plugin(Ask, Answer)])
        async with world.engine(registry=registry) as ws:
            assert (await ws.wait(changed)).state.status is Status.STOPPED

    world.clock.run(scenario)


def test_without_the_plugin_it_can_be_read() -> None:
    """As plain data (STO-8)."""
    world = World()

    async def scenario() -> None:
        changed, _ = await broken_off(world)
        async with world.engine(recover=False) as ws:
            first, _ = actions(await ws.plan(changed))
            assert first.request == StoredValue({"host": "web-1", "port": 2_222}, ())
            assert first.response == StoredValue({"size": 3}, ())

    world.clock.run(scenario)


# -- References to responses ---------------------------------------------------------------


@attrs.frozen
class AnswerRenamed:
    """The field has another name."""

    length: int = 0


@attrs.frozen
class AnswerMaybe:
    """The field may be None now."""

    size: int | None


@attrs.frozen
class AnswerMany:
    """A field that may hold fewer items than an action needs."""

    size: int
    sizes: tuple[int, ...] = ()


def flowing(source: str = "first") -> Plan:
    """The second action hangs at first; the third needs the response of another."""
    whole = plan()
    sequence = whole.blocks[0].sequences[0]
    for action in sequence.actions:
        action.key = action.name
    size = plugin(Ask, Answer).response(source).size
    request: Any = late(Ask)(host=text("web-{}", size), port=size)
    sequence.actions.append(
        Action(name="third", plugin="changed.copy", request=request)
    )
    return whole


async def hung(world: World, source: str) -> UUID:
    """The plan, left in its second action."""
    registry = Registry([plugin(Ask, Answer, hangs=True)])
    async with world.engine(registry=registry) as ws:
        plan_id = await ws.submit(flowing(source))
        await ws.start(plan_id)
        await trio.sleep(1)
    return plan_id


@pytest.mark.parametrize(
    ("response_type", "source"),
    [
        (AnswerMore, "first"),
        (AnswerMore, "second"),
        (AnswerMaybe, "first"),
    ],
)
def test_a_reference_to_what_is_still_there_goes_on(
    response_type: type, source: str
) -> None:
    """A stored value that fits is enough, whatever the type allows besides (STO-14)."""
    world = World()

    async def scenario() -> None:
        plan_id = await hung(world, source)
        registry = Registry([plugin(Ask, response_type)])
        async with world.engine(registry=registry) as ws:
            result = await ws.wait(plan_id)
        assert result.state.status is Status.COMPLETED
        assert list(actions(result))[2].response == response_type(3)

    world.clock.run(scenario)


@pytest.mark.parametrize(
    ("response_type", "source", "told"),
    [
        (AnswerLess, "first", "which has no fields"),
        (AnswerLess, "second", "which has no fields"),
        (AnswerRenamed, "first", "has no field 'size'"),
        (AnswerRenamed, "second", "has no field 'size'"),
        (AnswerMaybe, "second", "may be None"),
    ],
)
def test_a_reference_to_what_is_gone_is_refused_before_anything_runs(
    response_type: type, source: str, told: str
) -> None:
    """By its path; nothing is called, and the old version goes on with it (STO-14)."""
    world = World()

    async def scenario() -> None:
        plan_id = await hung(world, source)
        before = await world.vault.read(plan_id)
        registry = Registry([plugin(Ask, response_type)])
        async with world.engine(registry=registry) as ws:
            error = ws.recovery_errors[plan_id]
        assert isinstance(error, PlanRefusedError)
        assert "Changed / b / s / third: request: " in str(error)
        assert told in str(error)
        assert "install the version of the package that it was stored with" in str(
            error
        )
        assert await world.vault.read(plan_id) == before
        async with world.engine(registry=Registry([plugin(Ask, Answer)])) as ws:
            result = await ws.wait(plan_id)
        assert result.state.status is Status.COMPLETED
        [_, second, third] = actions(result)
        assert len(second.attempts) == 2
        assert third.response == Answer(3)

    world.clock.run(scenario)


def test_a_missing_item_is_no_reason_to_refuse_a_plan() -> None:
    """The types fit: its action fails, as without the crash (VF-6, R-4)."""
    world = World()
    whole = flowing()
    needed = plugin(Ask, AnswerMany).response("first").sizes[0]
    request: Any = late(Ask)(host="web-1", port=needed)
    whole.blocks[0].sequences[0].actions[2].request = request

    async def scenario() -> None:
        registry = Registry([plugin(Ask, AnswerMany, hangs=True)])
        async with world.engine(registry=registry) as ws:
            plan_id = await ws.submit(whole)
            await ws.start(plan_id)
            await trio.sleep(1)
        async with world.engine(registry=Registry([plugin(Ask, AnswerMany)])) as ws:
            result = await ws.wait(plan_id)
        third = list(actions(result))[2]
        assert third.state.status is Status.FAILED
        assert "has no item 0" in str(third.error)

    world.clock.run(scenario)
