"""``MemoryWorkstream``: a whole engine for tests of code that uses one."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    SecretRef,
    Sequence,
    Status,
    ValidationError,
    Workstream,
)
from workstream.results import StateChange
from workstream.testing import (
    FakeClock,
    FakePlugin,
    MemoryWorkstream,
    ScriptError,
)


@attrs.frozen
class Ask:
    """A request."""

    host: str
    login: SecretRef | None = None


class Copy(ActionPlugin[Ask, None]):
    """A plugin that no test ever calls."""

    name = "acme.copy"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def rollout(hosts: int, **options: Any) -> Plan:
    """Copy to so many hosts, one after the other."""
    sequences = [
        Sequence(
            name=f"web-{n}",
            actions=[Copy.action(Ask(f"web-{n}", **options), name="Copy", timeout=90)],
        )
        for n in range(hosts)
    ]
    return Plan(name="Rollout", blocks=[Block(name="Tier", sequences=sequences)])


async def roll_out(ws: Workstream, plan: Plan, tries: int) -> str:
    """The code under test: it tries a plan again an hour after it failed."""
    for left in reversed(range(tries)):
        ended = await ws.run(plan)
        if ended.state.status is Status.COMPLETED:
            return "done"
        if left:
            await trio.sleep(3600)
    return "given up"


class TestRun:
    """A function that is given an engine."""

    def test_code_that_reacts_to_failures(
        self, memory_workstream: MemoryWorkstream
    ) -> None:
        """Its hours take no time, and what it leads to can be counted."""
        copy = FakePlugin(Copy).otherwise(fails="disk full", takes=10)

        async def scenario(ws: Workstream) -> None:
            assert await roll_out(ws, rollout(1), tries=3) == "given up"
            assert len(await ws.list()) == 3

        memory_workstream.run(scenario, [copy])

        assert memory_workstream.clock.time() == 3 * 10 + 2 * 3600
        assert [call.started for call in copy.calls] == [0, 3610, 7220]

    def test_its_result_is_returned(self, memory_workstream: MemoryWorkstream) -> None:
        """Watching, stopping and all else work as they do elsewhere."""
        copy = FakePlugin(Copy).otherwise(takes=60)

        async def scenario(ws: Workstream) -> list[tuple[str, float]]:
            plan_id = await ws.submit(rollout(2))
            await ws.start(plan_id)
            began = memory_workstream.clock.start
            return [
                (event.path, (event.state.ended - began).total_seconds())
                async for event in ws.watch(plan_id)
                if isinstance(event, StateChange) and event.state.ended
            ]

        ended = memory_workstream.run(scenario, [copy], seed=1)

        assert [time for path, time in ended if path.endswith("Copy")] == [60, 120]

    def test_unused_lines_are_found(self) -> None:
        """A line of a script that no call fitted is an error."""
        copy = FakePlugin(Copy).when(host="web-9", fails="disk full")

        async def scenario(ws: Workstream) -> None:
            await ws.run(rollout(1))

        with pytest.raises(ScriptError, match="web-9"):
            MemoryWorkstream().run(scenario, [copy])

    def test_other_plugins_are_refused(self) -> None:
        """Nothing real runs by accident (V-15)."""

        async def scenario(ws: Workstream) -> None:
            await ws.run(rollout(1))

        with pytest.raises(ValidationError, match=r"no plugin 'acme\.copy'"):
            MemoryWorkstream().run(scenario)

    def test_secrets_come_from_where_the_test_says(self) -> None:
        """Resolvers can be given."""
        seen: list[str] = []

        def reveal(_: Context, request: Ask) -> None:
            assert request.login is not None
            seen.append(request.login.reveal())

        async def scenario(ws: Workstream) -> None:
            await ws.run(rollout(1, login=SecretRef("safe:door")))

        world = MemoryWorkstream()
        copy = FakePlugin(Copy).does(reveal)
        world.run(scenario, [copy], resolvers={"safe": str.upper})
        assert seen == ["DOOR"]


class TestOpen:
    """Engines one after the other."""

    def test_leaving_one_is_a_crash(self) -> None:
        """What it leaves running, the next one recovers (T-3, R-1)."""
        world = MemoryWorkstream()
        copy = FakePlugin(Copy).otherwise(takes=60)

        async def scenario() -> Plan:
            async with world.open([copy]) as ws:
                plan_id = await ws.submit(rollout(1))
                await ws.start(plan_id)
                await trio.sleep(30)
            async with world.open([copy]) as ws:
                return await ws.wait(plan_id)

        ended = world.clock.run(scenario)

        assert ended.state.status is Status.COMPLETED
        attempts = ended.blocks[0].sequences[0].actions[0].attempts
        assert [attempt.interrupted for attempt in attempts] == [True, False]
        assert world.clock.time() == 90

    def test_it_opens_by_another_clock_too(self) -> None:
        """In an async test of another kind, times are real ones."""
        world = MemoryWorkstream(clock=FakeClock())

        async def scenario() -> Plan:
            async with world.open([FakePlugin(Copy)]) as ws:
                return await ws.run(rollout(1))

        ended = trio.run(scenario)
        assert ended.submitted is not None
        assert ended.submitted != world.clock.start
        assert ended.state.status is Status.COMPLETED
