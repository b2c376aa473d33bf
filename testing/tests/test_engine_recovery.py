"""Engines that open on what another one left: sections 14 to 16, beyond the table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import attrs
import pytest
import trio

from _workstream_testing.conformance.expectations import kind_of
from _workstream_testing.conformance.world import World
from _workstream_testing.notation.fixtures import ACT, CHECK, ScriptedRequest
from _workstream_testing.notation.notation import parse
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock
from workstream._codec.codec import Codec
from workstream._codec.records import row_of
from workstream._plan.plan import BaseAction, Plan
from workstream._plan.walk import actions, new_plan_id, walk
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, Context
from workstream._protocols.vault import STOP, Change, NodeRecord, Vault, Write
from workstream._registry.registry import Registry
from workstream._store.asking import asked
from workstream._values.errors import (
    NotRunningHereError,
    NotStartedError,
    PlanRefusedError,
    StorageError,
)
from workstream._values.state import (
    FailureReason,
    NoteValue,
    OnInterrupt,
    PluginError,
    Status,
)
from workstream._vaults.memory_vault import MemoryVault


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


def action_of(plan: Plan, name: str) -> BaseAction:
    """The action of this name."""
    return next(action for action in actions(plan) if action.name == name)


async def remembered(
    world: World, text: str, *, plugin: str = ACT, **notes: NoteValue
) -> UUID:
    """Store a plan as a crash left it, its action ``a`` with notes of its attempt."""
    plan = parse(text).stored(new_plan_id(), world.clock.now())
    action = action_of(plan, "a")
    action.plugin = plugin
    action.attempts[-1].notes.update(notes)
    codec = Codec(world.registry())
    changes: list[Change] = [row_of(plan)]
    changes += [
        codec.record_of(item.node)
        for item in walk(plan)
        if item.node is not plan and item.node.state.status is not Status.NOT_STARTED
    ]
    row = row_of(plan)
    await world.vault.create(row, codec.encode_definition(plan))
    await world.vault.write([Write(plan_id=row.id, first=1, changes=tuple(changes))])
    return row.id


@pytest.mark.parametrize("on_interrupt", ["rerun", "fail", "reconcile"])
def test_notes_reach_the_next_attempt(on_interrupt: str) -> None:
    """A rerun and ``reconcile`` see what the interrupted attempt remembered (X-83, REG-11).

    With FAIL nothing is called (R-7); the notes are kept in any case (OM-9).
    """
    world = World()

    async def scenario() -> None:
        plan_id = await remembered(
            world,
            f"plan=R: B1=R: s1=R[a=R{{open}}(on_interrupt={on_interrupt})]",
            pid=7,
        )
        async with world.engine() as ws:
            action = action_of(await ws.wait(plan_id), "a")
        assert action.attempts[0].notes == {"pid": 7}
        kinds = [kind_of(attempt) for attempt in action.attempts]
        if on_interrupt == "fail":
            assert world.stage.calls == []
            assert kinds == ["int"]
            return
        [call] = world.stage.calls
        assert call.of == ("execute" if on_interrupt == "rerun" else "reconcile")
        assert call.notes == {"pid": 7}
        assert kinds == ["int", "ok"]
        assert call.attempt == (2 if on_interrupt == "rerun" else 1)

    world.clock.run(scenario)


def test_leaving_is_a_crash() -> None:
    """Leaving the engine writes no verdict; the next one goes on (T-3, R-1, R-7)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "cont(d=1)[k] B1: s1[a ok@5; b] s2")
            await trio.sleep(2.5)
        left = await world.stored(plan_id)
        assert left.state.status is Status.RUNNING
        assert [kind_of(attempt) for attempt in action_of(left, "a").attempts] == [
            "open"
        ]
        assert await world.vault.owner(plan_id) is None
        await trio.sleep(60)
        async with world.engine() as ws:
            result = await ws.wait(plan_id)
        assert result.state.status is Status.COMPLETED
        kinds = [kind_of(attempt) for attempt in action_of(result, "a").attempts]
        assert kinds == ["int", "ok"]

    world.clock.run(scenario)


def test_without_recovery() -> None:
    """An engine that does not recover leaves plans alone, until ``resume`` (R-18)."""
    world = World()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        async with world.engine(recover=False) as ws:
            await ws.start(plan_id)
            assert world.stage.calls == []
            with pytest.raises(NotRunningHereError, match="resume"):
                await ws.wait(plan_id)
            await ws.resume(plan_id)
            await ws.resume(plan_id)  # it runs here: left alone
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED
            await ws.resume(plan_id)  # it has ended: left alone
            fresh = await ws.submit(parse("B1").plan)
            with pytest.raises(NotStartedError):
                await ws.resume(fresh)
        assert world.stage.trace == ["a"]

    world.clock.run(scenario)


def test_only_one_engine_recovers() -> None:
    """A plan that another engine runs is neither recovered nor resumed (R-1, ST-2)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@5]")
            async with world.engine() as other:
                assert other.recovery_errors == {}
                with pytest.raises(NotRunningHereError, match="process"):
                    await other.resume(plan_id)
                await ws.wait(plan_id)
        assert world.stage.trace == ["a"]

    world.clock.run(scenario)


@pytest.mark.parametrize(
    ("limit", "age", "aged_out"),
    [(60.0, 50.0, False), (60.0, 50.1, True), (None, 1e7, False)],
)
def test_age(limit: float | None, age: float, aged_out: bool) -> None:
    """Age counts from the last sign of life, and more than the limit is too old (R-3)."""
    world = World()

    async def scenario() -> None:
        # Its last sign of life is the beginning of the attempt, 9 seconds before.
        plan_id = await world.crashed("plan=R: def[w] B1=R: s1=R[a=R{err}(retries=1)]")
        await trio.sleep(age + 1.5)
        async with world.engine(max_last_update=limit) as ws:
            result = await ws.wait(plan_id)
        assert (result.reason is FailureReason.EXCEED_RECOVERY) == aged_out
        assert world.stage.trace == ([] if aged_out else ["a", "w"])

    world.clock.run(scenario)


def test_resume_looks_at_no_age() -> None:
    """Whoever resumes a plan has looked at it: it is recovered whatever its age (R-3)."""
    world = World()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        await trio.sleep(80_000)
        async with world.engine(recover=False) as ws:
            await ws.resume(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


@pytest.mark.parametrize("recovered", [False, True])
def test_heartbeat(recovered: bool) -> None:
    """A run gives a stored sign of life when nothing else happens (E-11)."""
    world = World()

    async def scenario() -> None:
        async with world.engine(max_last_update=400) as ws:
            plan_id = await world.start(ws, "B1: s1[a(timeout=inf) ok@1050]")
            if not recovered:
                await beats(plan_id)
                return
            await trio.sleep(10)
        async with world.engine(max_last_update=400) as ws:
            await beats(plan_id)

    async def beats(plan_id: UUID) -> None:
        began = world.clock.time()
        await trio.sleep(350)
        update = (await world.stored(plan_id)).runtime_update
        assert update is not None
        assert (update - world.clock.start).total_seconds() == began + 300

    world.clock.run(scenario)


def test_long_action_does_not_age() -> None:
    """A plan in the middle of a long action is recovered after a crash (E-11, R-3)."""
    world = World()

    async def scenario() -> None:
        async with world.engine(max_last_update=400) as ws:
            plan_id = await world.start(ws, "B1: s1[a(timeout=inf) ok@5000,ok]")
            await trio.sleep(4000)
        await trio.sleep(200)
        async with world.engine(max_last_update=400) as ws:
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_plan_that_cannot_be_recovered() -> None:
    """It is listed, stays R, and keeps no other plan from recovering (R-4)."""
    world = World()

    async def scenario() -> None:
        lacking = parse("plan=R: B1=R: s1=R[a=R{open}]").stored(
            new_plan_id(), world.clock.now()
        )
        action_of(lacking, "a").plugin = "case.gone"
        codec = Codec(world.registry())
        await world.vault.create(row_of(lacking), codec.encode_definition(lacking))
        corrupt = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        stored = await world.vault.read(corrupt)
        broken = new_plan_id()
        await world.vault.create(
            row_of(lacking).__class__(id=broken, name="broken", status=Status.RUNNING),
            stored.definition[:-5],
        )
        async with world.engine() as ws:
            assert lacking.id is not None
            assert set(ws.recovery_errors) == {lacking.id, broken}
            assert isinstance(ws.recovery_errors[lacking.id], PlanRefusedError)
            assert "case.gone" in str(ws.recovery_errors[lacking.id])
            assert (await ws.wait(corrupt)).state.status is Status.COMPLETED
            row = await world.vault.row(lacking.id)
            assert row.status is Status.RUNNING
            assert await world.vault.owner(lacking.id) is None
            with pytest.raises(PlanRefusedError):
                await ws.resume(lacking.id)

    world.clock.run(scenario)


# --- stop requests over a crash (SP-8, SP-9) ------------------------------------------


async def requested(world: World, text: str) -> UUID:
    """Store a plan as a crash left it, with a stop request that nobody saw."""
    plan_id = await world.crashed(text)
    row = await world.vault.row(plan_id)
    asked_now = asked(row, STOP, at=world.clock.now())
    assert await world.vault.ask(*asked_now) is Status.RUNNING
    return plan_id


def test_request_that_was_not_seen() -> None:
    """Recovery sees it, and goes on stopping (SP-9, R-17)."""
    world = World()

    async def scenario() -> None:
        plan_id = await requested(
            world, "plan=R: da[r(on_failure)] B1=R: s1=R[a=R{open}; b] s2"
        )
        async with world.engine() as ws:
            result = await ws.wait(plan_id)
        assert result.state.status is Status.STOPPED
        assert result.reasons == (FailureReason.STOPPED,)
        assert world.stage.trace == ["r"]
        assert list(await world.vault.requests()) == []

    world.clock.run(scenario)


@pytest.mark.parametrize(
    "text",
    [
        "plan=R: da=R[b(on_success) r(on_failure)] B1=C",
        "plan=R: def=R[w=R{open}] B1=C",
        "plan=R: da=C[b(on_success)] def[w] B1=C",
    ],
)
def test_request_that_came_too_late(text: str) -> None:
    """Once deferred work has begun, a request changes nothing, then and later (SP-8)."""
    world = World()

    async def scenario() -> None:
        plan_id = await requested(world, text)
        async with world.engine() as ws:
            result = await ws.wait(plan_id)
        assert result.state.status is Status.COMPLETED
        assert result.reasons == ()
        assert not result.stopping
        assert "r" not in world.stage.trace

    world.clock.run(scenario)


def test_request_for_an_aged_out_plan() -> None:
    """A plan that is given up is F, whatever was asked (SP-9, R-3)."""
    world = World()

    async def scenario() -> None:
        plan_id = await requested(world, "plan=R: B1=R: s1=R[a=R{open}]")
        await trio.sleep(3600)
        async with world.engine() as ws:
            result = await ws.wait(plan_id)
        assert result.reasons == (FailureReason.EXCEED_RECOVERY,)

    world.clock.run(scenario)


# --- a store that fails (STO-6) --------------------------------------------------------


class FailingVault(HeldVault):
    """A vault in which the writes of one plan begin to fail."""

    def __init__(self, vault: Vault, clock: FakeClock) -> None:
        super().__init__(vault, clock)
        self.failing: UUID | None = None
        self.refused = 0

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Refuse the writes of one plan, commit the others."""
        good = [write for write in writes if write.plan_id != self.failing]
        answers = iter(await super().write(good))
        self.refused += len(writes) - len(good)
        return [
            next(answers) if write in good else StorageError("disk full")
            for write in writes
        ]


@pytest.mark.parametrize("seed", range(3))
def test_store_that_fails(seed: int) -> None:
    """One plan's run breaks off and can be resumed; the others go on (STO-6)."""
    clock_vault: list[FailingVault] = []

    def failing(clock: FakeClock) -> Vault:
        clock_vault.append(FailingVault(MemoryVault(), clock))
        return clock_vault[0]

    world = World(failing)
    [vault] = clock_vault

    async def scenario() -> None:
        async with world.engine() as ws:
            bad = await world.start(ws, "B1(conc=2): s1[a ok@1; b] s2[c hang]")
            good = await world.start(ws, "B1: s1[d ok@5]")
            await trio.sleep(0.5)
            vault.failing = bad
            with pytest.raises(StorageError, match="disk full"):
                await ws.wait(bad)
            assert world.clock.time() == 1
            assert world.stage.executed("b") == []
            [hanging] = world.stage.executed("c")
            assert hanging.cancelled
            assert vault.refused == 1
            assert await vault.owner(bad) is None
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            assert (await ws.plan(bad)).state.status is Status.RUNNING
            assert action_of(await ws.plan(bad), "a").state.status is Status.RUNNING
            vault.failing = None
            await ws.stop(bad)
            await ws.resume(bad)
            assert (await ws.wait(bad)).state.status is Status.STOPPED

    world.clock.run(scenario, seed=seed)


class Careful(ActionPlugin[ScriptedRequest, None]):
    """A plugin that must not be called again after a crash, unless the plan says so."""

    name = "case.careful"
    on_interrupt = OnInterrupt.FAIL

    def __init__(self) -> None:
        self.calls = 0

    async def execute(self, context: Context, request: ScriptedRequest, /) -> None:
        """Count the calls."""
        self.calls += 1


@pytest.mark.parametrize(("said", "calls"), [("", 0), ("(on_interrupt=rerun)", 1)])
def test_plugin_says_what_an_interruption_means(said: str, calls: int) -> None:
    """It is the plugin's word, unless the action says otherwise (REG-9, R-7)."""
    careful = Careful()
    world = World(plugins=[careful])

    async def scenario() -> None:
        plan_id = await remembered(
            world, f"plan=R: B1=R: s1=R[a=R{{open}}{said}]", plugin=careful.name
        )
        async with world.engine() as ws:
            action = action_of(await ws.wait(plan_id), "a")
        assert careful.calls == calls
        assert action.state.status is (Status.COMPLETED if calls else Status.FAILED)

    world.clock.run(scenario)


class Vanishing(Registry):
    """A registry that loses its plugins while plans run."""

    gone = False

    def get(self, name: str) -> AnyPlugin | None:
        """The plugin, as long as it is there."""
        return None if self.gone else super().get(name)


def test_plugin_that_vanishes() -> None:
    """Its action fails for good, with an attempt that says so (A-12)."""
    world = World()
    registry = Vanishing(world.registry())

    async def scenario() -> None:
        async with world.engine(registry=registry) as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@1; b(retries=3)]")
            await trio.sleep(0.5)
            registry.gone = True
            await trio.sleep(1)
            registry.gone = False
            action = action_of(await ws.wait(plan_id), "b")
        assert action.state.status is Status.FAILED
        [attempt] = action.attempts
        assert attempt.error is not None
        assert attempt.error.permanent
        assert "case.act" in attempt.error.message

    world.clock.run(scenario)


def test_interrupted_attempt_is_told_as_such() -> None:
    """Its error says what happened, and is one that may be retried (R-7)."""
    world = World()

    async def scenario() -> None:
        plan_id = await world.crashed(
            "plan=R: B1=R: s1=R[a=R{open}(on_interrupt=reconcile reconcile=boom)]"
        )
        async with world.engine() as ws:
            first, second = action_of(await ws.wait(plan_id), "a").attempts
        assert isinstance(first.error, PluginError)
        assert "interrupted" in first.error.message
        assert not first.error.permanent
        assert second.error is not None
        assert second.error.permanent
        assert second.error.wrapped == PluginError("RuntimeError: a: boom")

    world.clock.run(scenario)


class DiesAtTheNextAttempt(HeldVault):
    """A vault of an engine that dies as it begins attempts, once all is in order."""

    dies = False
    in_order = False

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Commit what comes before it."""
        if self.dies and not self.in_order:
            self.in_order = True
            return await super().write(writes)
        for write in writes:
            for number, change in enumerate(write.changes):
                if self.dies and isinstance(change, NodeRecord) and change.attempt:
                    before = attrs.evolve(write, changes=write.changes[:number])
                    await super().write([before] if number else [])
                    msg = "the engine died"
                    raise StorageError(msg)
        return await super().write(writes)


@pytest.mark.parametrize("seed", range(8))
def test_notes_of_a_check_outlive_a_second_crash(seed: int) -> None:
    """Between the end of its group's old run and the new attempt (REG-11, R-19)."""
    world = World(lambda clock: DiesAtTheNextAttempt(MemoryVault(), clock))
    assert isinstance(world.vault, DiesAtTheNextAttempt)
    vault = world.vault

    async def scenario() -> None:
        text = "plan=R: pre=R[a=R{open}; b=R{open}] B1: s1[c]"
        plan_id = await remembered(world, text, plugin=CHECK, pid=7)
        async with world.engine(recover=False) as ws:
            vault.dies = True
            # What is put in order is stored; then its attempts begin, or rather do not.
            with suppress(StorageError):
                await ws.resume(plan_id)
                await ws.wait(plan_id)
        vault.dies = False
        async with world.engine() as ws:
            ended = await ws.wait(plan_id)
        assert ended.state.status is Status.COMPLETED
        assert action_of(ended, "a").attempts[0].notes == {"pid": 7}

    world.clock.run(scenario, seed=seed)


def test_a_check_that_a_stop_keeps_from_running_again() -> None:
    """It ends STOPPED, and keeps its interrupted attempt and the notes (R-8, R-17)."""
    world = World()

    async def scenario() -> None:
        text = "plan=R: pre=R[a=R{open}; b=R{open}] B1: s1[c]"
        plan_id = await remembered(world, text, plugin=CHECK, pid=7)
        async with world.engine(recover=False) as ws:
            await ws.resume(plan_id)
            await ws.stop(plan_id)  # before its first step
            ended = await ws.wait(plan_id)
        assert ended.state.status is Status.STOPPED
        assert ended.pre_checks is not None
        assert ended.pre_checks.state.status is Status.STOPPED
        for check in ended.pre_checks.actions:
            assert check.state.status is Status.STOPPED
            [attempt] = check.attempts
            assert attempt.interrupted
        assert action_of(ended, "a").attempts[0].notes == {"pid": 7}
        assert world.stage.calls == []

    world.clock.run(scenario)
