"""Locks: of one store, one running plan holds a name (LK-1)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Sequence,
    Status,
    ValidationError,
    Workstream,
    remaining,
)
from workstream.errors import LockedError
from workstream.testing import FakePlugin, MemoryWorkstream, crash_everywhere


@attrs.frozen
class Do:
    """What to do."""

    seconds: float = 1.0


class Work(ActionPlugin[Do, None]):
    """Takes its time, and notes who works at the same time."""

    name = "t.work"

    def __init__(self) -> None:
        """Nobody works yet."""
        self.now: set[str] = set()
        self.together: set[frozenset[str]] = set()
        self.order: list[str] = []

    async def execute(self, context: Context, request: Do, /) -> None:
        """Work."""
        name = context.path.partition(" / ")[0]
        self.order.append(name)
        self.now.add(name)
        self.together.add(frozenset(self.now))
        try:
            await trio.sleep(request.seconds)
        finally:
            self.now.discard(name)


def plan(name: str, *locks: str, seconds: float = 1.0) -> Plan:
    """A plan of one action."""
    work = Work.action(Do(seconds), name="work")
    block = Block(name="b", sequences=[Sequence(name="s", actions=[work])])
    return Plan(name=name, blocks=[block], locks=locks)


def test_a_busy_lock_is_an_error_that_names_its_holder() -> None:
    """The plan stays as it was, and starts once the holder has ended."""
    memory = MemoryWorkstream()

    async def scenario(ws: Workstream) -> None:
        holder = await ws.submit(plan("holder", "db", "web"))
        second = await ws.submit(plan("second", "web"))
        other = await ws.submit(plan("other", "mail"))
        await ws.start(holder)
        with pytest.raises(
            LockedError, match="needs the lock 'web', held by"
        ) as caught:
            await ws.start(second)
        error = caught.value
        assert (error.plan_id, error.lock, error.holder) == (second, "web", holder)
        assert "plan 'holder'" in str(error)
        assert f"which process {error.owner} runs" in str(error)
        assert (await ws.plan(second)).state.status is Status.NOT_STARTED
        await ws.start(other)
        await ws.wait(holder)
        await ws.start(second)
        await ws.wait(second)

    memory.run(scenario, [Work()])


def test_a_crashed_plan_keeps_its_locks_until_it_is_resumed() -> None:
    """The error says that it crashed, and what to do."""
    memory = MemoryWorkstream()

    async def begin(ws: Workstream) -> tuple[UUID, UUID]:
        holder = await ws.submit(plan("holder", "db"))
        second = await ws.submit(plan("second", "db"))
        await ws.start(holder)
        return holder, second

    holder, second = memory.run(begin, [Work()])

    async def after_the_crash(ws: Workstream) -> None:
        with pytest.raises(
            LockedError, match="has crashed: no process runs it; resume"
        ):
            await ws.start(second)
        await ws.resume(holder)
        with pytest.raises(LockedError, match="which process"):
            await ws.start(second)
        await ws.wait(holder)
        await ws.start(second)
        assert (await ws.wait(second)).state.status is Status.COMPLETED

    memory.run(after_the_crash, [Work()], recover=False)


def test_a_plan_given_up_gives_its_locks_back() -> None:
    """So does one that was stopped before it began, which never took any (R-3)."""
    memory = MemoryWorkstream()

    async def begin(ws: Workstream) -> UUID:
        holder = await ws.submit(plan("holder", "db"))
        never = await ws.submit(plan("never", "db"))
        await ws.stop(never)
        await ws.start(holder)
        return holder

    memory.run(begin, [Work()])

    async def much_later(ws: Workstream) -> None:
        await trio.sleep(100)

    async def next_one(ws: Workstream) -> None:
        assert (await ws.run(plan("next", "db"))).state.status is Status.COMPLETED

    memory.run(much_later, [Work()], recover=False)
    memory.run(next_one, [Work()], max_last_update=10)


def test_those_that_wait_go_in_order() -> None:
    """They hold none of their locks meanwhile, and go as they were submitted."""
    work = Work()

    async def scenario(ws: Workstream) -> None:
        ids = [
            await ws.submit(plan(name, *locks))
            for name, locks in (
                ("a", ["x"]),
                ("b", ["x", "y"]),
                ("c", ["x"]),
                ("d", ["z"]),
            )
        ]
        async with trio.open_nursery() as nursery:

            async def run(plan_id: UUID) -> None:
                await ws.start(plan_id, when_locked="wait")
                await ws.wait(plan_id)

            await ws.start(ids[0])
            nursery.start_soon(run, ids[2])
            await trio.sleep(0.1)
            nursery.start_soon(run, ids[1])
            await trio.sleep(0.1)
            nursery.start_soon(run, ids[3])
            # b waits, and holds no y.
            assert (await ws.run(plan("e", "y"))).state.status is Status.COMPLETED

    MemoryWorkstream().run(scenario, [work], seed=1)

    assert [name for name in work.order if name in "abc"] == ["a", "b", "c"]


def test_waiting_can_be_given_up_and_stopped() -> None:
    """Nothing was started then."""
    work = Work()

    async def scenario(ws: Workstream) -> None:
        holder = await ws.submit(plan("holder", "db", seconds=60))
        waiting = await ws.submit(plan("waiting", "db"))
        stopped = await ws.submit(plan("stopped", "db"))
        await ws.start(holder)
        with trio.move_on_after(3) as scope:
            await ws.start(waiting, when_locked="wait")
        assert scope.cancelled_caught
        assert (await ws.plan(waiting)).state.status is Status.NOT_STARTED
        assert await ws.vault.owner(waiting) is None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: ws.start(stopped, when_locked="wait"))
            await trio.sleep(3)
            await ws.stop(stopped)
        assert (await ws.plan(stopped)).state.status is Status.STOPPED
        await ws.wait(holder)

    MemoryWorkstream().run(scenario, [work])

    assert work.order == ["holder"]


@pytest.mark.parametrize(
    ("locks", "says"),
    [
        (["db"], "must be"),
        (("db", "db"), "holds the lock 'db' twice"),
        (("",), "holds a name that is wrong"),
        (("x" * 201,), "holds a name that is wrong"),
        ((1,), "holds a name that is wrong"),
    ],
    ids=["list", "twice", "blank", "long", "number"],
)
def test_names_that_are_no_names_are_refused(locks: Any, says: str) -> None:
    """At submit, by the plan's path."""
    wrong = plan("p")
    wrong.locks = locks

    async def scenario(ws: Workstream) -> None:
        with pytest.raises(ValidationError) as caught:
            await ws.submit(wrong)
        [fault] = caught.value.faults
        assert (fault.path, fault.field, fault.rule) == ("p", "locks", "LK-1")
        assert says in fault.message

    MemoryWorkstream().run(scenario, [Work()])


def test_another_way_to_wait_is_refused() -> None:
    """There are two."""

    async def scenario(ws: Workstream) -> None:
        plan_id = await ws.submit(plan("p"))
        with pytest.raises(ValueError, match="when_locked is 'skip'"):
            await ws.start(plan_id, when_locked="skip")  # type: ignore[arg-type]

    MemoryWorkstream().run(scenario, [Work()])


def test_a_retry_wants_the_same_locks() -> None:
    """They are a setting of the plan (RT-2)."""
    rest = remaining(plan("p", "db"))

    assert rest is not None
    assert rest.locks == ("db",)


def test_a_crash_at_any_write_leaves_the_same_end() -> None:
    """The recovery needs no lock: the plan has them (R-1)."""
    report = crash_everywhere(
        plan("p", "db", "web"), [FakePlugin(Work).otherwise(takes=1)]
    )

    assert report.crashes


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    plans=st.lists(
        st.tuples(
            st.sets(st.sampled_from(["x", "y", "z"])),
            st.integers(1, 4),
            st.integers(0, 5),
        ),
        min_size=2,
        max_size=6,
    ),
    seed=st.integers(0, 1000),
)
def test_no_two_running_plans_ever_share_a_lock(
    plans: list[tuple[set[str], int, int]], seed: int
) -> None:
    """Whoever waits gets its turn, and never beside one that holds what it needs."""
    work = Work()
    locks = {f"p{n}": frozenset(names) for n, (names, _, _) in enumerate(plans)}

    async def scenario(ws: Workstream) -> None:
        async def one(name: str, seconds: int, delay: int) -> None:
            await trio.sleep(delay)
            made = plan(name, *sorted(locks[name]), seconds=seconds)
            plan_id = await ws.submit(made)
            await ws.start(plan_id, when_locked="wait")
            await ws.wait(plan_id)

        async with trio.open_nursery() as nursery:
            for n, (_, seconds, delay) in enumerate(plans):
                nursery.start_soon(one, f"p{n}", seconds, delay)

    MemoryWorkstream().run(scenario, [work], seed=seed)

    assert len(work.order) == len(plans)
    for together in work.together:
        held = [name for each in together for name in locks[each]]
        assert len(held) == len(set(held))
