"""Stores that fail, call by call: what the engine does then (STO-6, R-4, T-2)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, TypeAlias, get_args
from uuid import UUID

import pytest
import trio
from quickly import one_in

from _workstream_testing.conformance.world import World
from _workstream_testing.kits.faulty_vault import FaultyVault, VaultCall
from _workstream_testing.notation.notation import parse
from _workstream_testing.virtual.held_vault import HeldVault
from workstream._engine.engine import Workstream
from workstream._interpreter import recovery as recovering
from workstream._plan.plan import Node, Plan
from workstream._plan.walk import actions
from workstream._protocols.vault import StoredPlan, Vault, Write
from workstream._values.errors import (
    InternalError,
    NotFoundError,
    StorageError,
    WorkstreamError,
)
from workstream._values.state import Status
from workstream._vaults.memory_vault import MemoryVault

PLAN = "pre[p] cont(d=1)[k] da[r(always)] B1(conc=2): s1[a ok@1; b] s2[c ok@1; d] post"
NAMES = ("a", "b", "c", "d", "r")


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Failures are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


class FaultyWorld(World):
    """A world whose store can be told to fail."""

    def __init__(self) -> None:
        self.faulty = FaultyVault(SharedVault())
        super().__init__(lambda clock: HeldVault(self.faulty, clock))


class SharedVault(MemoryVault):
    """A memory vault that is polled, as a store of several processes is."""

    @property
    def shared(self) -> bool:
        """Whether it must be polled: yes."""
        return True


async def completed(world: World, plan_id: UUID) -> Counter[str]:
    """The actions that the store has as completed, and how often they were called."""
    try:
        plan = await world.stored(plan_id)
    except NotFoundError:
        return Counter()
    return Counter(
        {
            action.name: len(world.stage.executed(action.name))
            for action in actions(plan)
            if action.state.status is Status.COMPLETED and action.name in NAMES
        }
    )


async def check_recovered(
    world: FaultyWorld, plan_ids: list[UUID], *, may_stop: bool = False
) -> None:
    """An engine on the store, now healed, ends all plans; nothing done is done again."""
    world.faulty.heal()
    ends = {Status.COMPLETED, Status.STOPPED} if may_stop else {Status.COMPLETED}
    done = {plan_id: await completed(world, plan_id) for plan_id in plan_ids}
    async with world.engine() as ws:
        assert ws.recovery_errors == {}
        for plan_id in plan_ids:
            with suppress(NotFoundError):  # it was deleted
                plan = await ws.plan(plan_id)
                if plan.state.status is Status.NOT_STARTED:
                    await ws.start(plan_id)
                assert (await ws.wait(plan_id)).state.status in ends
            for name, calls in done[plan_id].items():
                assert len(world.stage.executed(name)) == calls


async def drive(ws: Workstream, plan_id: UUID) -> None:
    """Ask all that can be asked of a plan, each whatever became of the others."""

    async def ask(*verbs: Callable[[], Awaitable[object]]) -> None:
        for verb in verbs:
            with suppress(WorkstreamError):  # whatever it is, it is ours
                await verb()

    async def watch() -> None:
        async for _ in ws.watch(plan_id):
            pass

    start, wait = partial(ws.start, plan_id), partial(ws.wait, plan_id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, watch)
        nursery.start_soon(ask, start, wait, ws.list)
        await trio.sleep(0.7)
        nursery.start_soon(ask, partial(ws.plan, plan_id), partial(ws.resume, plan_id))
        await trio.sleep(20)  # more than the plan takes
        nursery.cancel_scope.cancel()


METHODS = {name for name, member in vars(Vault).items() if iscoroutinefunction(member)}
"""All that can be asked of a vault."""
NOT_ASKED = {"counts", "exists", "lines"}
"""What no engine asks: the command line does, or nobody (``core/tests/cli``)."""
OF_NO_PLAN = ("open", "search", "requests", "close")
"""What is asked of a vault for all plans at once."""
MOST = 25
"""How many calls of a kind are made to fail, one at a time, in one life."""

Life: TypeAlias = Callable[["FaultyWorld", Callable[[UUID], None]], Awaitable[None]]


async def run_of_a_plan(world: FaultyWorld, known: Callable[[UUID], None]) -> None:
    """A plan is submitted, started, watched, waited for, and resumed in between.

    Beside it another one runs, which comes to its end whatever happens to this one.
    """
    async with world.engine() as ws:
        other = await world.start(ws, "B1: o1[x ok@3; y ok@3; z]")
        plan_id = await ws.submit(parse(PLAN).plan)
        known(plan_id)
        await drive(ws, plan_id)
        assert (await ws.wait(other)).state.status is Status.COMPLETED
        known(other)


async def recovery(world: FaultyWorld, known: Callable[[UUID], None]) -> None:
    """A plan that a crash left behind is recovered, and comes to its end."""
    plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}; b] s2[c; d]")
    known(plan_id)
    async with world.engine() as ws:
        with suppress(WorkstreamError):
            await ws.wait(plan_id)


async def stops(world: FaultyWorld, known: Callable[[UUID], None]) -> None:
    """One plan is stopped in the middle, one before it began, and one that crashed."""
    crashed = await world.crashed("plan=R: B1=R: s1=R[a=R{open}; b]")
    known(crashed)
    async with world.engine(recover=False) as ws:
        for text in ("B1: s1[c ok@5; d]", "B1: s1[r]"):
            plan_id = await ws.submit(parse(text).plan)
            known(plan_id)
            with suppress(WorkstreamError):
                if "@" in text:
                    await ws.start(plan_id)
                await ws.stop(plan_id)
            with suppress(WorkstreamError):
                await ws.wait(plan_id)
        for verb in (ws.wait, ws.stop, ws.resume, ws.wait):
            with suppress(WorkstreamError):
                await verb(crashed)


async def housekeeping(world: FaultyWorld, known: Callable[[UUID], None]) -> None:
    """Plans that have ended are looked for, deleted and pruned."""
    async with world.engine() as ws:
        plan_ids: list[UUID] = []
        for _ in range(3):
            plan_id = await ws.submit(parse("B1: s1[e]").plan)
            known(plan_id)
            plan_ids.append(plan_id)
            with suppress(WorkstreamError):
                await ws.start(plan_id)
                await ws.wait(plan_id)
        verbs: list[Callable[[], Awaitable[object]]] = [
            ws.list,
            partial(ws.search, ids=plan_ids),
            partial(ws.prune, timedelta(), dry_run=True),
            partial(ws.delete, plan_ids[0]),
            partial(ws.prune, timedelta()),
        ]
        await trio.sleep(1)
        for verb in verbs:
            with suppress(WorkstreamError):
                await verb()


async def snapshots(world: FaultyWorld, known: Callable[[UUID], None]) -> None:
    """A plan is looked at every second, from its submission to its end."""
    async with world.engine() as ws:
        plan_id = await ws.submit(parse(PLAN).plan)
        known(plan_id)
        with suppress(WorkstreamError):
            await ws.start(plan_id)
        # A plan that was not started is looked at for ever (ST-8).
        with suppress(WorkstreamError), trio.move_on_after(30):
            async with aclosing(ws.watch(plan_id, interval=1)) as plans:
                async for _ in plans:
                    pass
        with suppress(WorkstreamError):
            await ws.wait(plan_id)


async def freezes(world: FaultyWorld, known: Callable[[UUID], None]) -> None:
    """The store is frozen, one plan is let through, and then the other one, too.

    Whoever is told that this failed asks again, as an operator does.
    """

    async def insist(verb: Callable[[], Awaitable[object]]) -> None:
        try:
            await verb()
        except StorageError:
            await verb()

    async with world.engine() as ws:
        plan_ids: list[UUID] = []
        for text in ("B1: s1[c ok@1; d]", "B1: s1[a ok@1; b]"):
            plan_ids.append(await ws.submit(parse(text).plan))
            known(plan_ids[-1])
        exempt, held = plan_ids
        await insist(ws.freeze)
        for plan_id in plan_ids:
            with suppress(StorageError):
                await ws.start(plan_id)
        await insist(partial(ws.exempt, exempt))
        with suppress(WorkstreamError):
            if (await ws.plan(exempt)).state.status is Status.RUNNING:
                await ws.wait(exempt)
        assert world.stage.executed("a") == []
        await insist(ws.unfreeze)
        with suppress(WorkstreamError):
            if (await ws.plan(held)).state.status is Status.RUNNING:
                await ws.wait(held)
        assert ws.frozen() is None


LIVES: dict[str, Life] = {
    life.__name__: life
    for life in (run_of_a_plan, recovery, stops, housekeeping, snapshots, freezes)
}


def calls_of(life: Life) -> Counter[VaultCall]:
    """How often each call is made in a life in which nothing fails."""
    world = FaultyWorld()
    known: list[UUID] = []

    async def scenario() -> None:
        def begin(plan_id: UUID) -> None:
            if not known:
                world.faulty.calls.clear()
            known.append(plan_id)

        world.faulty.calls.clear()
        await life(world, begin)
        counted = world.faulty.calls.copy()
        for plan_id in known:
            with suppress(NotFoundError):
                assert (await world.stored(plan_id)).state.status.is_terminal
        world.faulty.calls = counted

    world.clock.run(scenario)
    return world.faulty.calls


COUNTS = {name: calls_of(life) for name, life in LIVES.items()}
EACH: list[tuple[str, VaultCall]] = [
    (name, call)
    for name, counts in COUNTS.items()
    # That ``create`` failed, ``test_a_submit_that_fails`` looks at.
    for call in sorted(counts)
    if call != "create"
]


def test_every_call_of_a_vault_is_made_to_fail() -> None:
    """Whatever can be asked of one; who adds a method is told to let it fail, too."""
    assert set(get_args(VaultCall)) == METHODS
    failing = {call for _, call in EACH}
    assert failing | {"create"} == METHODS - NOT_ASKED


@pytest.mark.parametrize("lose_answer", [False, True])
@pytest.mark.parametrize(("life", "call"), one_in(12, EACH))
def test_any_one_call_may_fail(life: str, call: VaultCall, lose_answer: bool) -> None:
    """It harms no other plan, hangs nobody, and the plan goes on with the next engine.

    Also when the call was carried out and only its answer was lost, as after a sync that
    failed: what became of it is not known then, and nothing is built on a guess.
    """
    for skip in range(min(COUNTS[life][call], MOST)):
        try:
            fail_one_call(life, call, skip, lose_answer)
        except BaseException as error:
            error.add_note(f"when {call} number {skip} of {life} failed")
            raise


def fail_one_call(life: str, call: VaultCall, skip: int, lose_answer: bool) -> None:
    """Let the call after the first few fail in a life, and recover what it left."""
    world = FaultyWorld()

    async def scenario() -> None:
        plan_ids: list[UUID] = []

        def fail(plan_id: UUID) -> None:
            if not plan_ids:
                # In a run only the calls of this plan: the other one must not be harmed.
                only = life == "run_of_a_plan" and call not in OF_NO_PLAN
                world.faulty.fail(
                    call,
                    plan_id=plan_id if only else None,
                    skip=skip,
                    lose_answer=lose_answer,
                )
            plan_ids.append(plan_id)

        with suppress(StorageError):  # of ``open``, ``close``, or a recovery
            await LIVES[life](world, fail)
        assert plan_ids
        may_stop = life == "stops"
        await check_recovered(world, plan_ids, may_stop=may_stop)

    world.clock.run(scenario, seed=skip)


@pytest.mark.parametrize("call", ["open", "search"])
def test_an_engine_that_cannot_be_opened(call: VaultCall) -> None:
    """It says so, leaves nothing claimed, and the next one recovers what there is."""
    world = FaultyWorld()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open}; b]")
        world.faulty.fail(call)
        with pytest.raises(StorageError, match=f"{call} failed"):
            async with world.engine():
                raise AssertionError(call)
        await check_recovered(world, [plan_id])

    world.clock.run(scenario)


@pytest.mark.parametrize("lose_answer", [False, True])
@pytest.mark.parametrize("call", ["claim", "read", "write", "release"])
def test_a_recovery_that_fails(call: VaultCall, lose_answer: bool) -> None:
    """It is told of that plan alone, and what was put in order is put in order again.

    R-4, R-19.
    """
    world = FaultyWorld()

    async def scenario() -> None:
        bad = await world.crashed("plan=R: B1=R: s1=R[a=R{open}; b]")
        good = await world.crashed("plan=R: B1=R: s1=R[c=R{open}; d]")
        world.faulty.fail(call, plan_id=bad, lose_answer=lose_answer)
        async with world.engine() as ws:
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            assert set(ws.recovery_errors) == ({bad} if call != "release" else set())
            with suppress(WorkstreamError):
                await ws.wait(bad)
        await check_recovered(world, [bad, good])

    world.clock.run(scenario)


def test_a_submit_that_fails() -> None:
    """The caller is told; what is stored, if anything is, was never started."""
    for lose_answer in (False, True):
        world = FaultyWorld()

        async def scenario(world: FaultyWorld, lose_answer: bool) -> None:
            async with world.engine() as ws:
                world.faulty.fail("create", lose_answer=lose_answer)
                with pytest.raises(StorageError, match="create failed"):
                    await ws.submit(parse(PLAN).plan)
                rows = await ws.list()
                assert len(rows) == lose_answer
                assert {row.status for row in rows} <= {Status.NOT_STARTED}

        world.clock.run(scenario, world, lose_answer)


@pytest.mark.parametrize("call", ["ask", "delete", "read", "requests"])
@pytest.mark.parametrize("lose_answer", [False, True])
def test_a_stop_that_fails(call: VaultCall, lose_answer: bool) -> None:
    """The caller is told; asked again, it is done, or was."""
    world = FaultyWorld()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@5; b]")
            world.faulty.fail(call, lose_answer=lose_answer)
            if call != "delete":
                with pytest.raises(StorageError, match=f"{call} failed"):
                    await ws.stop(plan_id)
            await ws.stop(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.STOPPED
            if call == "delete":
                with pytest.raises(StorageError, match="delete failed"):
                    await ws.delete(plan_id)
            with suppress(NotFoundError):
                await ws.delete(plan_id)
            assert await ws.list() == []

    world.clock.run(scenario)


def test_a_plan_whose_store_goes_on_failing(caplog: pytest.LogCaptureFixture) -> None:
    """Its run breaks off, once, and says that it can be resumed; others end (STO-6)."""
    world = FaultyWorld()
    caplog.set_level(logging.ERROR, "workstream")

    async def scenario() -> None:
        async with world.engine() as ws:
            bad = await world.start(
                ws, "B1(conc=3): s1[a ok@1; b] s2[c hang] s3[d ok@1]"
            )
            good = await world.start(ws, "B1: s1[e ok@5]")
            await trio.sleep(0.5)
            world.faulty.fail("write", plan_id=bad, times=None)
            with pytest.raises(StorageError, match="write failed"):
                await ws.wait(bad)
            assert world.stage.executed("b") == []
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            assert await world.vault.owner(bad) is None
            # In vain, as long as the store fails: and it is said again.
            with pytest.raises(StorageError, match="write failed"):
                await ws.resume(bad)
            assert (await ws.plan(bad)).state.status is Status.RUNNING
            world.faulty.heal()
            await ws.stop(bad)
            await ws.resume(bad)
            assert (await ws.wait(bad)).state.status is Status.STOPPED
        [told] = [r.getMessage() for r in caplog.records if str(bad) in r.getMessage()]
        assert "broke off and can be resumed: write failed" in told

    world.clock.run(scenario)


def test_a_recovery_that_meets_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that plan's trouble alone: it is listed, left R, and others go on (R-4)."""
    world = FaultyWorld()
    put_in_order = recovering.put_in_order

    def trip(plan: Plan, *arguments: Any, **named: Any) -> list[Node]:
        if any(action.name == "z" for action in actions(plan)):
            msg = "what is this?"
            raise LookupError(msg)
        return put_in_order(plan, *arguments, **named)

    monkeypatch.setattr(recovering, "put_in_order", trip)

    async def scenario() -> None:
        bad = await world.crashed("plan=R: B1=R: s1=R[z=R{open}]")
        good = await world.crashed("plan=R: B1=R: s1=R[a=R{open}]")
        async with world.engine() as ws:
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            assert list(ws.recovery_errors) == [bad]
            error = ws.recovery_errors[bad]
            assert isinstance(error, InternalError)
            assert "LookupError: what is this?" in str(error)
            assert isinstance(error.__cause__, LookupError)
            assert (await ws.plan(bad)).state.status is Status.RUNNING

    world.clock.run(scenario)


class ForgetfulVault(SharedVault):
    """A vault that gives no answer to what it was asked to write."""

    forgets = False

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Write, and perhaps say nothing."""
        answers = await super().write(writes)
        return [] if self.forgets else answers


def test_a_vault_that_breaks_its_contract() -> None:
    """Its runs break off, and the engine lives on (STO-6, T-2)."""
    vault = ForgetfulVault()
    world = World(lambda _: vault)

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@1; b]")
            vault.forgets = True
            with pytest.raises(StorageError, match="it gave 0 answers to 1 writes"):
                await ws.wait(plan_id)
            vault.forgets = False
            await ws.resume(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_a_plugin_that_keeps_a_broken_run_alive_shows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The store fails, and a plugin does not hear that it is cancelled (A-16, STO-6)."""
    world = FaultyWorld()
    caplog.set_level(logging.WARNING, "workstream")

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1(conc=2): s1[a hang+99] s2[b ok@1; c]")
            await trio.sleep(0.5)
            world.faulty.fail("write", plan_id=plan_id, times=None)
            await trio.sleep(29)
            assert caplog.messages == []
            await trio.sleep(3)
            [told] = caplog.messages
            assert told.startswith("the store failed plan 'plan' 30 seconds ago, and a")
            with pytest.raises(StorageError, match="write failed"):
                await ws.wait(plan_id)

    world.clock.run(scenario)


class OddVault(MemoryVault):
    """A vault, such as a package may bring, that raises what is no error of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: UUID | None = None

    async def read(self, plan_id: UUID) -> StoredPlan:
        """Fail for one plan."""
        if plan_id == self.odd:
            raise OSError(5, "input/output error")
        return await super().read(plan_id)


def test_a_recovery_of_which_a_vault_says_something_odd() -> None:
    """It is that plan's trouble, as any other is: the engine opens (R-4)."""
    vault = OddVault()
    world = World(lambda clock: HeldVault(vault, clock))

    async def scenario() -> None:
        bad = await world.crashed("plan=R: B1=R: s1=R[a=R{open}; b]")
        good = await world.crashed("plan=R: B1=R: s1=R[c=R{open}; d]")
        vault.odd = bad
        async with world.engine() as ws:
            assert (await ws.wait(good)).state.status is Status.COMPLETED
            assert set(ws.recovery_errors) == {bad}
            assert "input/output error" in str(ws.recovery_errors[bad])
            assert isinstance(ws.recovery_errors[bad], InternalError)
            vault.odd = None
            await ws.resume(bad)
            assert (await ws.wait(bad)).state.status is Status.COMPLETED

    world.clock.run(scenario)
