"""Plans that are retried until nothing of them is left (RT-1 to RT-3), and refusals."""

from __future__ import annotations

from collections import Counter
from functools import partial
from uuid import UUID

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    Plan,
    PluginError,
    Sequence,
    Status,
    Workstream,
)
from workstream._plan.sequels.retry import From
from workstream.errors import RetryError, ValidationError
from workstream.testing import MemoryWorkstream


@attrs.frozen
class Do:
    """What is done, and in how many of its first calls it fails."""

    what: str
    fails: int = 0


class World(ActionPlugin[Do, None]):
    """Does as it is told, and counts."""

    name = "t.do"

    def __init__(self) -> None:
        """Nothing was done yet."""
        self.calls: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    async def execute(self, context: Context, request: Do, /) -> None:
        """Take a second; fail the first few times."""
        await trio.sleep(1)
        self.calls[request.what] += 1
        if self.calls[request.what] <= request.fails:
            message = "not yet"
            raise PluginError(message, permanent=True)
        self.done[request.what] += 1


class Look(CheckPlugin[Do, None]):
    """Fails the first few times."""

    name = "t.look"

    def __init__(self) -> None:
        """Nobody looked yet."""
        self.calls = 0

    async def execute(self, context: Context, request: Do, /) -> None:
        """Look."""
        self.calls += 1
        if self.calls <= request.fails:
            message = "not yet"
            raise PluginError(message, permanent=True)


def sequence(name: str, *fails: int) -> Sequence:
    """A sequence of so many actions."""
    return Sequence(
        name=name,
        actions=[
            World.action(Do(f"{name}.{number}", count), name=str(number))
            for number, count in enumerate(fails)
        ],
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan whose actions fail the first few times."""
    blocks = draw(
        st.lists(
            st.lists(
                st.lists(st.integers(0, 2), min_size=1, max_size=3),
                min_size=1,
                max_size=4,
            ),
            min_size=1,
            max_size=3,
        )
    )
    return Plan(
        name="p",
        blocks=[
            Block(
                name=f"b{place}",
                concurrency=draw(st.integers(1, 3)),
                tolerated_failures=draw(st.integers(-1, 1)),
                sequences=[
                    sequence(f"b{place}.s{number}", *fails)
                    for number, fails in enumerate(sequences)
                ],
            )
            for place, sequences in enumerate(blocks)
        ],
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    plan=plans(),
    start=st.sampled_from(["sequence", "action"]),
    stops=st.lists(st.integers(0, 6), max_size=3),
)
def test_a_plan_is_retried_until_all_is_done_once(
    plan: Plan, start: From, stops: list[int]
) -> None:
    """Whatever fails and whenever it is stopped: all is done at last, nothing twice."""
    world, memory = World(), MemoryWorkstream()
    limit = sum(
        action.request.fails
        for block in plan.blocks
        for each in block.sequences
        for action in each.actions
        if isinstance(action.request, Do)
    )

    async def one(ws: Workstream, plan_id: UUID, stop: int | None) -> None:
        await ws.start(plan_id)
        if stop is not None:
            await trio.sleep(stop + 0.5)
            await ws.stop(plan_id)
        await ws.wait(plan_id)

    async def scenario(ws: Workstream) -> int:
        plan_id, rounds = await ws.submit(plan), 0
        waiting = [*stops]
        while True:
            await one(ws, plan_id, waiting.pop() if waiting else None)
            try:
                plan_id = await ws.retry(plan_id, from_=start)
            except RetryError:
                return rounds
            rounds += 1

    rounds = memory.run(scenario, [world, Look()])

    assert rounds <= limit + len(stops)
    for block in plan.blocks:
        for each in block.sequences:
            names = [f"{each.name}.{action.name}" for action in each.actions]
            if start == "action":
                assert [world.done[name] for name in names] == [1] * len(names)
            else:
                assert world.done[names[-1]] == 1
                assert all(world.done[name] >= 1 for name in names)


def failing() -> Plan:
    """A plan of which the second sequence fails once."""
    block = Block(name="b", sequences=[sequence("x", 0), sequence("y", 1)])
    return Plan(name="p", blocks=[block])


def test_a_retry_belongs_to_the_family() -> None:
    """The store tells the retries of a plan, and the retry what it is of (RT-3)."""

    async def scenario(ws: Workstream) -> None:
        first = await ws.run(failing())
        assert first.id is not None
        retry = await ws.retry(first.id, by="bob")
        assert [(kin.row.id, kin.retry_of) for kin in await ws.kin(first.id)] == [
            (retry, first.id)
        ]
        stored = await ws.plan(retry)
        assert (stored.retry_of, stored.group_id) == (first.id, first.id)
        assert stored.submitter == "bob"
        assert await ws.kin(retry) == []

    MemoryWorkstream().run(scenario, [World()])


def test_a_plan_is_not_retried_twice_unless_asked() -> None:
    """Its retry knows what is left: the original does not (RT-3)."""
    world = World()

    async def scenario(ws: Workstream) -> None:
        first = await ws.run(failing())
        assert first.id is not None
        unstarted = await ws.retry(first.id)
        second = await ws.retry(first.id)  # nothing of the other was begun
        await ws.start(second)
        await ws.wait(second)
        with pytest.raises(RetryError, match="was retried already, as plan"):
            await ws.retry(first.id)
        with pytest.raises(RetryError, match="nothing of plan 'p' is left to do"):
            await ws.retry(second)
        await ws.retry(first.id, again=True)
        await ws.delete(unstarted)

    MemoryWorkstream().run(scenario, [world])

    assert world.done == {"x.0": 1, "y.0": 1}


def test_of_two_retries_in_one_instant_one_runs() -> None:
    """The other was submitted before the first was started: it knows too little (RT-3)."""
    world = World()

    async def scenario(ws: Workstream) -> None:
        first = await ws.run(failing())
        assert first.id is not None
        retries = [await ws.retry(first.id), await ws.retry(first.id)]
        await trio.sleep(1)
        errors: list[RetryError] = []

        async def start(plan_id: UUID) -> None:
            try:
                await ws.start(plan_id)
                await ws.wait(plan_id)
            except RetryError as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for plan_id in retries:
                nursery.start_soon(start, plan_id)

        [error] = errors
        assert "is overtaken: plan" in str(error)
        assert error.plan_id in retries

    MemoryWorkstream().run(scenario, [world])

    assert world.done == {"x.0": 1, "y.0": 1}


def test_what_was_skipped_is_left_out_of_a_retry() -> None:
    """Somebody said that it need not be done (RT-2)."""
    world = World()

    async def scenario(ws: Workstream) -> None:
        plan = failing()
        plan.blocks[0].sequences.append(sequence("z", 0))
        plan_id = await ws.submit(plan)
        await ws.skip(plan_id, "p / b / z")
        await ws.start(plan_id)
        await ws.wait(plan_id)
        rest = await ws.rest(plan_id)
        assert [each.name for each in rest.blocks[0].sequences] == ["y"]

    MemoryWorkstream().run(scenario, [world])


def test_a_plan_that_was_abandoned_can_be_retried() -> None:
    """What it left undone is done by the retry (SN-2, RT-1)."""
    memory, world = MemoryWorkstream(), World()

    async def begin(ws: Workstream) -> UUID:
        plan_id = await ws.submit(failing())
        await ws.start(plan_id)
        await trio.sleep(1.5)
        return plan_id

    plan_id = memory.run(begin, [world])

    async def give_up(ws: Workstream) -> None:
        await ws.abandon(plan_id, reason="the host is gone")
        retry = await ws.retry(plan_id)
        await ws.start(retry)
        plan = await ws.wait(retry)
        assert plan.retry_of == plan_id
        assert [each.name for each in plan.blocks[0].sequences] == ["y"]

    memory.run(give_up, [world], recover=False)


def test_a_plan_that_has_not_ended_is_refused() -> None:
    """The error names its state and what would work (CT-5)."""
    memory = MemoryWorkstream()

    async def scenario(ws: Workstream) -> UUID:
        plan_id = await ws.submit(failing())
        with pytest.raises(RetryError, match="was never started"):
            await ws.retry(plan_id)
        await ws.start(plan_id)
        with pytest.raises(RetryError, match="runs still, in process"):
            await ws.retry(plan_id)
        return plan_id

    plan_id = memory.run(scenario, [World()])

    async def after_the_crash(ws: Workstream) -> None:
        with pytest.raises(RetryError, match="left behind by a crash: resume it"):
            await ws.retry(plan_id)

    memory.run(after_the_crash, [World()], recover=False)


def test_a_plan_stopped_before_it_began_is_whole() -> None:
    """Nothing of it was done."""

    async def scenario(ws: Workstream) -> None:
        plan_id = await ws.submit(failing())
        await ws.stop(plan_id)
        retry = await ws.retry(plan_id)
        assert len((await ws.plan(retry)).blocks[0].sequences) == 2

    MemoryWorkstream().run(scenario, [World()])


def test_a_plan_too_old_to_be_recovered_can_be_retried() -> None:
    """It was given up (R-3); what was done before stays done."""
    memory, world = MemoryWorkstream(), World()

    async def begin(ws: Workstream) -> UUID:
        plan_id = await ws.submit(failing())
        await ws.start(plan_id)
        await trio.sleep(1.5)
        return plan_id

    plan_id = memory.run(begin, [world])

    async def give_up(ws: Workstream) -> None:
        assert (await ws.plan(plan_id)).state.status is Status.FAILED
        retry = await ws.retry(plan_id)
        await ws.start(retry)
        await ws.wait(retry)

    async def much_later(ws: Workstream) -> None:
        await trio.sleep(100)

    memory.run(much_later, [world], recover=False)
    memory.run(give_up, [world], max_last_update=10)

    assert world.done["x.0"] == 1


def test_a_plugin_that_is_gone_is_named_by_path() -> None:
    """Nothing is stored; all that lack it are told (V-15)."""
    memory = MemoryWorkstream()

    async def begin(ws: Workstream) -> UUID:
        first = await ws.run(failing())
        assert first.id is not None
        return first.id

    plan_id = memory.run(begin, [World()])

    async def without_it(ws: Workstream) -> None:
        with pytest.raises(ValidationError) as caught:
            await ws.retry(plan_id)
        assert [(fault.path, fault.rule) for fault in caught.value.faults] == [
            ("p / b / y / 0", "V-15")
        ]
        assert len(await ws.list()) == 1

    memory.run(without_it, [Look()])


def test_checks_that_failed_alone_are_run_again() -> None:
    """A block without sequences, and a plan without blocks, may be retries (V-7, V-10)."""
    world = World()

    async def scenario(ws: Workstream, plan: Plan) -> Plan:
        first = await ws.run(plan)
        assert first.state.status is Status.FAILED
        assert first.id is not None
        retry = await ws.retry(first.id)
        await ws.start(retry)
        return await ws.wait(retry)

    def checks() -> Checks:
        return Checks(actions=[Look.action(Do("", 1), name="look")])

    block = Block(name="b", sequences=[sequence("x", 0)], post_checks=checks())
    plain = Block(name="b", sequences=[sequence("x", 0)])
    for plan in (
        Plan(name="p", blocks=[block]),
        Plan(name="p", blocks=[plain], post_checks=checks()),
    ):
        world = World()
        ended = MemoryWorkstream().run(partial(scenario, plan=plan), [world, Look()])
        assert ended.state.status is Status.COMPLETED
        assert world.done == {"x.0": 1}


def test_no_other_plan_may_be_without_work() -> None:
    """Only of a retry it makes sense (V-7, V-10)."""

    async def scenario(ws: Workstream) -> None:
        with pytest.raises(ValidationError, match="V-10"):
            await ws.submit(Plan(name="p", blocks=[Block(name="b", sequences=[])]))
        with pytest.raises(ValidationError, match="V-7"):
            await ws.submit(Plan(name="p", blocks=[]))

    MemoryWorkstream().run(scenario, [World()])
