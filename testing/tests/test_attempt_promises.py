"""What the engine promises an attempt: its notes, its time, and signs of life meanwhile.

Each test fails when the promise is broken by the bug that its docstring names.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from itertools import pairwise

import attrs
import pytest
import trio

from _workstream_testing.conformance.world import World
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._plan.plan import Action, Block, Plan
from workstream._plan.plan import Sequence as PlanSequence
from workstream._protocols.plugin import NOT_DONE, ActionPlugin, Context, NotDone
from workstream._protocols.vault import Write
from workstream._protocols.watching import OutputLine, StateChange
from workstream._runtime.lookups import Lookups
from workstream._secrets.references import SecretRef
from workstream._values.errors import StorageError
from workstream._values.state import NoteValue, ObjectType, OnInterrupt, Status
from workstream._vaults.memory_vault import MemoryVault
from workstream.retries import RetryPolicy


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@attrs.frozen
class Nothing:
    """A request and a response that say nothing."""


def plan_of(*actions: Action) -> Plan:
    """A plan of one sequence."""
    sequence = PlanSequence(name="s", actions=list(actions))
    return Plan(name="Promises", blocks=[Block(name="B", sequences=[sequence])])


# --- signs of life (E-11) -------------------------------------------------------------


class TimedVault(HeldVault):
    """Notes when each write was made."""

    def __init__(self, clock: FakeClock) -> None:
        """Wrap a memory vault."""
        super().__init__(MemoryVault(), clock)
        self._now = clock
        self.times: list[float] = []

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Note the time, and write."""
        self.times.append(self._now.time())
        return await super().write(writes)


@pytest.mark.parametrize("first", [1, 49, 50, 51, 99, 100, 101])
def test_no_silence_is_longer_than_the_heartbeat(first: float) -> None:
    """Whenever the latest record was made, the next sign of life comes in time (E-11).

    A heartbeat that is slower, or that counts from its own last look, is found out.
    """
    world = World(TimedVault)

    async def scenario() -> None:
        async with world.engine(max_last_update=400) as ws:
            plan_id = await world.start(
                ws, f"B1: s1[a(timeout=inf) ok@{first}; b(timeout=inf) ok@1000]"
            )
            await ws.wait(plan_id)

    world.clock.run(scenario)
    assert isinstance(world.vault, TimedVault)
    times = world.vault.times
    silences = [later - earlier for earlier, later in pairwise(times)]

    assert 50 <= max(silences) <= 100
    assert len(times) <= 15  # nor is every look written down


# --- notes (OM-9, REG-11) -------------------------------------------------------------


class Remembers(ActionPlugin[Nothing, Nothing]):
    """Remembers a note at each call, and succeeds at the sixth."""

    name = "promises.remembers"
    retry = RetryPolicy(initial_interval=1, max_interval=1, randomization_factor=0)

    def __init__(self) -> None:
        self.seen: list[dict[str, NoteValue]] = []

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Note what is known, and add to it."""
        self.seen.append(dict(context.notes))
        count = len(self.seen)
        await context.remember(**{f"call_{count}": count})
        if count == 4:
            await trio.sleep_forever()
        if count < 6:
            message = "not yet"
            raise RuntimeError(message)
        return request


def test_notes_of_all_attempts_reach_each_later_one() -> None:
    """So they do after a crash: none is lost for being older than the last two (REG-11)."""
    plugin = Remembers()
    world = World(plugins=[plugin])

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(
                plan_of(Remembers.action(Nothing(), name="a", retries=9, timeout=60))
            )
            await ws.start(plan_id)
            await trio.sleep(10)  # the fourth call hangs
        async with world.engine() as ws:
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)
    expected = [{f"call_{n}": n for n in range(1, count)} for count in range(1, 7)]

    assert plugin.seen == expected


# --- deadlines (A-15, R-7) ------------------------------------------------------------


class SlowToReconcile(ActionPlugin[Nothing, Nothing]):
    """Takes twenty seconds to find out that nothing was done."""

    name = "promises.slow_to_reconcile"
    on_interrupt = OnInterrupt.RECONCILE

    def __init__(self) -> None:
        self.calls = 0

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Take long."""
        self.calls += 1
        await trio.sleep(100)
        return request

    async def reconcile(self, context: Context, request: Nothing) -> Nothing | NotDone:
        """Look for long."""
        await trio.sleep(20)
        return NOT_DONE


@pytest.mark.parametrize(("deadline", "calls"), [(15, 1), (300, 2)])
def test_a_deadline_may_pass_while_reconcile_looks(deadline: float, calls: int) -> None:
    """Then the action is FAILED at that moment, and nothing is begun again (A-15, R-7)."""
    plugin = SlowToReconcile()
    world = World(plugins=[plugin])

    async def scenario() -> None:
        action = SlowToReconcile.action(Nothing(), name="a", deadline=deadline)
        action.timeout = 200
        async with world.engine() as ws:
            plan_id = await ws.submit(plan_of(action))
            await ws.start(plan_id)
            await trio.sleep(5)
        async with world.engine() as ws:
            ended = await ws.wait(plan_id)
        [found] = ended.blocks[0].sequences[0].actions
        assert plugin.calls == calls
        assert found.state.started is not None
        assert found.state.ended is not None
        if calls == 1:
            assert found.state.status is Status.FAILED
            assert (found.state.ended - found.state.started).total_seconds() == 25

    world.clock.run(scenario)


# --- secrets (A-17) -------------------------------------------------------------------


@attrs.frozen
class WithSecret:
    """A request that needs a secret."""

    token: SecretRef


class Works(ActionPlugin[WithSecret, Nothing]):
    """Works for as long as it may, and notes how long that is."""

    name = "promises.works"

    def __init__(self) -> None:
        self.times: list[float] = []

    async def execute(self, context: Context, request: WithSecret) -> Nothing:
        """Note the time until its cancellation, as it is told and as trio has it."""
        assert context.deadline is not None
        now = trio.current_time()
        self.times.append(trio.current_effective_deadline() - now)
        await trio.sleep(math.inf)
        return Nothing()


def test_a_lookup_takes_its_time_from_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The timeout begins before the secrets are looked up, not after (A-17, A-4)."""

    async def six_seconds(self: Lookups, ref: SecretRef) -> str:
        await trio.sleep(6)
        return "secret"

    monkeypatch.setattr(Lookups, "_look_up", six_seconds)
    plugin = Works()
    world = World(plugins=[plugin])

    async def scenario() -> None:
        request = WithSecret(SecretRef("file:/never/looked/at"))
        async with world.engine() as ws:
            ended = await ws.run(
                plan_of(Works.action(request, name="a", timeout=10, retries=0))
            )
        [attempt] = ended.blocks[0].sequences[0].actions[0].attempts
        assert attempt.ended is not None
        assert (attempt.ended - attempt.started).total_seconds() == 10

    world.clock.run(scenario)

    assert plugin.times == [4]


# --- the timeout, and what comes between two attempts (A-4) ------------------------------


class SlowVault(MemoryVault):
    """Each write takes twenty seconds."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Take the time, and write."""
        await trio.sleep(20)
        return await super().write(writes)


class Quick(ActionPlugin[Nothing, Nothing]):
    """Notes for how long it may work, and fails the first time."""

    name = "promises.quick"
    retry = RetryPolicy(initial_interval=60, randomization_factor=0)

    def __init__(self) -> None:
        self.times: list[float] = []

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Note the time, and end at once."""
        self.times.append(trio.current_effective_deadline() - trio.current_time())
        if context.attempt == 1:
            raise ValueError
        return request


@pytest.mark.parametrize("vault", [MemoryVault, SlowVault])
def test_the_time_of_an_attempt_is_over_when_it_ends(vault: type[MemoryVault]) -> None:
    """Neither a slow commit nor a wait is cut by the timeout of the attempt before (A-4).

    Where the tasks of a run share cancel scopes, one that is left armed cuts them.
    """
    plugin = Quick()
    world = World(lambda clock: vault(), plugins=[plugin])

    async def scenario() -> None:
        def sequence(*names: str) -> PlanSequence:
            actions = [
                Quick.action(Nothing(), name=name, timeout=5, retries=1)
                for name in names
            ]
            return PlanSequence(name=names[0], actions=actions)

        alone = Block(name="A", sequences=[sequence("a", "b")])
        beside = Block(name="B", sequences=[sequence("c"), sequence("d")])
        beside.concurrency = 2
        last = Block(name="C", sequences=[sequence("e")], exit_delay=60)
        async with world.engine() as ws:
            ended = await ws.run(Plan(name="Promises", blocks=[alone, beside, last]))
        assert ended.state.status is Status.COMPLETED
        for block in ended.blocks:
            for each in block.sequences:
                assert [len(action.attempts) for action in each.actions] == [2] * len(
                    each.actions
                )

    world.clock.run(scenario)

    assert plugin.times == [5] * 10


class Asks(ActionPlugin[WithSecret, Nothing]):
    """Needs a secret, and no time."""

    name = "promises.asks"

    async def execute(self, context: Context, request: WithSecret) -> Nothing:
        """End at once."""
        return Nothing()


def test_a_lookup_is_not_cut_by_the_time_of_the_attempt_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second lookup goes on past the moment when the first attempt's time ends (A-4)."""

    async def six_seconds(self: Lookups, ref: SecretRef) -> str:
        await trio.sleep(6)
        return "secret"

    monkeypatch.setattr(Lookups, "_look_up", six_seconds)
    world = World(plugins=[Asks()])

    async def scenario() -> None:
        request = WithSecret(SecretRef("file:/never/looked/at"))
        actions = [
            Asks.action(request, name=name, timeout=10, retries=0) for name in "ab"
        ]
        async with world.engine() as ws:
            ended = await ws.run(plan_of(*actions))
        assert ended.state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_an_engine_that_closes_ends_a_run_that_waits_for_a_slow_commit() -> None:
    """It leaves as a cancellation, also when the attempt's time is over since (T-3)."""
    world = World(lambda clock: SlowVault(), plugins=[Quick()])

    async def scenario() -> None:
        action = Quick.action(Nothing(), name="a", timeout=5, retries=1)
        later = Quick.action(Nothing(), name="b", timeout=5, retries=1)
        async with world.engine() as ws:
            plan_id = await ws.submit(plan_of(action, later))
            await ws.start(plan_id)
            # The first attempt of b has its commit under way, for longer than 5 seconds.
            await trio.sleep(20 + 20 + 60 + 20 + 10)
        async with world.engine() as ws:
            plan = await ws.plan(plan_id)
            assert plan.state.status is Status.RUNNING
            one, other = plan.blocks[0].sequences[0].actions
            assert [one.state.status, len(other.attempts)] == [Status.COMPLETED, 1]

    world.clock.run(scenario)


# --- output (WA-1, WA-3) --------------------------------------------------------------


class SaysGoodbye(ActionPlugin[Nothing, Nothing]):
    """Reports two lines in the very moment in which it ends."""

    name = "promises.says_goodbye"

    async def execute(self, context: Context, request: Nothing) -> Nothing:
        """Report, and end."""
        context.report("almost there")
        context.report("goodbye")
        return request


def test_the_last_lines_are_stored_before_the_plans_end() -> None:
    """What a plugin says at its end is in the plan's history, and not after its end."""
    world = World(plugins=[SaysGoodbye()])

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await ws.submit(
                plan_of(SaysGoodbye.action(Nothing(), name="a", retries=0))
            )
            await ws.start(plan_id)
            await ws.wait(plan_id)
        async with world.engine() as ws:
            events = [event async for event in ws.watch(plan_id, after=0)]
        lines = [event.text for event in events if isinstance(event, OutputLine)]
        assert lines == ["almost there", "goodbye"]
        last = events[-1]
        assert isinstance(last, StateChange)
        assert last.object_type is ObjectType.PLAN
        assert last.state.status is Status.COMPLETED

    world.clock.run(scenario)
