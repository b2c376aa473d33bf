"""Random plans, random fates, two kinds of store: what the specification says of all.

Every example runs in virtual time, on a memory vault and on LMDB at once: each call goes
to both, and both must answer the same. ``WORKSTREAM_EXAMPLES`` asks for more examples
than the usual few; they are drawn anew then.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
import trio
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from _workstream_testing.case_runs import CaseRun
from _workstream_testing.expectations import always_wrong
from _workstream_testing.fixtures import Call, Stage, scripted_plugins
from _workstream_testing.held_vault import HeldVault
from _workstream_testing.notation import Notation, parse
from _workstream_testing.virtual_time import FakeClock, TrioSleeper
from workstream._codec.codec import Codec
from workstream._engine.engine import Workstream, open_workstream
from workstream._plan.clone import clone
from workstream._plan.plan import Block, Plan
from workstream._plan.walk import actions, position_of, walk
from workstream._protocols.vault import PlanRow, StoredPlan, Write
from workstream._registry.registry import Registry
from workstream._values.errors import NotFoundError, StorageError
from workstream._values.state import Status
from workstream._vaults.lmdb_vault import LmdbVault
from workstream._vaults.memory_vault import MemoryVault

ASKED = os.environ.get("WORKSTREAM_EXAMPLES")
examples = settings(
    max_examples=int(ASKED or 60),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


# --- plans, in the notation -------------------------------------------------------------

ENTRIES = st.sampled_from(
    [
        "ok",
        "ok@1",
        "ok@0.5",
        "err",
        "err@1",
        "perm",
        "boom",
        "bad",
        "none",
        "both",
        "hang",
        "hang+1",
    ]
)
SCRIPTS = st.lists(ENTRIES, min_size=1, max_size=3).map(",".join)
MOSTLY_OK = st.one_of(st.just("ok"), st.just("ok@1"), SCRIPTS)
OPTIONS = ["", "", "", "retries=1", "retries=2", "retries=none deadline=4"]
CHECK_OPTIONS = st.sampled_from(OPTIONS)
ACTION_OPTIONS = st.sampled_from(
    [
        *OPTIONS,
        "on_interrupt=fail",
        "on_interrupt=reconcile",
        "on_interrupt=reconcile reconcile=not_done",
        "on_interrupt=reconcile reconcile=boom",
    ]
)


class Names:
    """Names that no two objects share."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"


@st.composite
def container(
    draw: st.DrawFn, names: Names, options: st.SearchStrategy[str], most: int
) -> str:
    """The actions of a sequence, batch or group."""
    some = draw(st.lists(st.tuples(options, MOSTLY_OK), min_size=1, max_size=most))
    listed = [f"{names('a')}(timeout=2 {given}) {script}" for given, script in some]
    return f"[{'; '.join(listed)}]"


@st.composite
def groups(draw: st.DrawFn, names: Names) -> list[str]:
    """Check groups of a plan or block."""
    order = ["byp", "pre", "cont(d=1)", "post", "def"]
    kinds = draw(st.sets(st.sampled_from(order), max_size=3))
    return [
        kind + draw(container(names, CHECK_OPTIONS, 2))
        for kind in order
        if kind in kinds
    ]


@st.composite
def blocks(draw: st.DrawFn, names: Names, number: int) -> str:
    """A block."""
    sequences = draw(st.integers(1, 4))
    options = [
        f"conc={draw(st.integers(1, 3))}",
        f"tol={draw(st.integers(-1, 2))}",
        draw(st.sampled_from(["", "in=1"])),
        draw(st.sampled_from(["", "out=1"])),
        draw(st.sampled_from(["", "halt=sequence"])),
    ]
    parts = draw(groups(names))
    parts += [
        names("s") + draw(container(names, ACTION_OPTIONS, 3)) for _ in range(sequences)
    ]
    return f"B{number}({' '.join(filter(None, options))}): {' '.join(parts)}"


@st.composite
def plans(draw: st.DrawFn) -> str:
    """A plan."""
    names = Names()
    parts = draw(groups(names))
    kinds = st.sampled_from(["always", "on_success", "on_failure", "always fe"])
    batches = [
        f"{names('r')}({when}){draw(container(names, ACTION_OPTIONS, 2))}"
        for when in draw(st.lists(kinds, max_size=2))
    ]
    if batches:
        parts.append(f"da[{' '.join(batches)}]")
    count = draw(st.integers(1, 2))
    parts += [draw(blocks(names, number)) for number in range(1, count + 1)]
    return " ".join(parts)


MOMENTS = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.5, 6.0])


# --- two stores that must agree -----------------------------------------------------------


class BothVaults(MemoryVault):
    """A vault in memory and one on disk, of which every call is asked."""

    def __init__(self, disk: HeldVault) -> None:
        super().__init__()
        self._disk = disk
        self.writes = 0

    async def open(self) -> None:
        """Open both."""
        await self._disk.open()
        await super().open()

    async def close(self) -> None:
        """Close both."""
        await self._disk.close()
        await super().close()

    async def create(self, row: PlanRow, definition: bytes) -> None:
        """Ask both."""
        await self._disk.create(row, definition)
        await super().create(row, definition)

    async def read(self, plan_id: UUID) -> StoredPlan:
        """Ask both."""
        mine = await super().read(plan_id)
        assert await self._disk.read(plan_id) == mine
        return mine

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Ask both, and compare all that they hold of these plans."""
        self.writes += 1
        theirs = await self._disk.write(writes)
        mine = await super().write(writes)
        assert list(map(repr, theirs)) == list(map(repr, mine))
        for write in writes:
            await self.read(write.plan_id)
            after = write.first - 1
            logged = await super().log(write.plan_id, after)
            assert await self._disk.log(write.plan_id, after) == logged
        return mine

    async def request_stop(self, plan_id: UUID, row_if_not_started: PlanRow) -> Status:
        """Ask both."""
        theirs = await self._disk.request_stop(plan_id, row_if_not_started)
        assert theirs is await super().request_stop(plan_id, row_if_not_started)
        return theirs

    async def stop_requests(self) -> frozenset[UUID]:
        """Ask both."""
        mine = await super().stop_requests()
        assert await self._disk.stop_requests() == mine
        return mine


class Trial:
    """One example: a plan, a world, and what is to be seen in the end."""

    def __init__(self, text: str) -> None:
        note(text)
        self.notation: Notation = parse(text)
        self.clock = FakeClock()
        self.stage = Stage(TrioSleeper(self.clock))
        self.registry = Registry(scripted_plugins(self.stage))
        self.began = self.clock.now()
        self.seen: list[Call] = []

    def run(
        self, scenario: Callable[[BothVaults], Awaitable[Plan]], seed: int
    ) -> CaseRun:
        """Let it happen; what must hold of every run holds."""
        with tempfile.TemporaryDirectory() as directory:
            disk = LmdbVault(
                Path(directory) / "store", map_size=2**24, risk_power_cut=True
            )
            vault = BothVaults(HeldVault(disk, self.clock))
            plan = self.clock.run(scenario, vault, seed=seed)
        assert vault.writes > 0
        run = CaseRun(
            notation=self.notation, plan=plan, stage=self.stage, began=self.began
        )
        assert always_wrong(run) == []
        assert walk_order(plan) == list(range(len(walk_order(plan))))
        for block in plan.blocks:
            check_block(block, self.stage)
        return run

    @asynccontextmanager
    async def engine(self, vault: BothVaults) -> AsyncGenerator[Workstream]:
        """An engine on the store."""
        async with open_workstream(
            vault, registry=self.registry, now=self.clock.now, random=lambda: 0.5
        ) as ws:
            yield ws


def walk_order(plan: Plan) -> list[int]:
    """Where the objects say they are."""
    return [position_of(item.node) for item in walk(plan)]


def check_block(block: Block, stage: Stage) -> None:
    """No more sequences at once, and no more failures, than the plan's author said."""
    sequence_of = {
        action.name: number
        for number, sequence in enumerate(block.sequences)
        for action in sequence.actions
    }
    calls = [call for call in stage.calls if call.label in sequence_of]
    changes = sorted(
        (time, step, sequence_of[call.label])
        for call in calls
        for time, step in ((call.started, 1), (call.ended or call.started, -1))
    )
    running: Counter[int] = Counter()
    for _, step, sequence in changes:
        running[sequence] += step
        assert sum(count > 0 for count in running.values()) <= block.concurrency
    failed = [s for s in block.sequences if s.state.status is Status.FAILED]
    if block.tolerated_failures >= 0:
        # Those that ran when the last tolerated one failed may fail, too.
        assert len(failed) <= block.tolerated_failures + block.concurrency
        if block.state.status is Status.COMPLETED:
            assert len(failed) <= block.tolerated_failures
    begun = [s.state.status is not Status.NOT_STARTED for s in block.sequences]
    assert begun == sorted(begun, reverse=True)  # launched in list order
    if block.state.status is Status.NOT_STARTED:
        assert not any(begun)


# --- what must hold -----------------------------------------------------------------------


@examples
@given(text=plans(), seed=st.integers(0, 2**16))
def test_every_plan_ends_in_order(text: str, seed: int) -> None:
    """Nothing is R at the end, reasons fit (F-6), attempts never overlap (A-5), and so on.

    Both stores agree after every write (STO-1, STO-7).
    """
    trial = Trial(text)

    async def scenario(vault: BothVaults) -> Plan:
        async with trial.engine(vault) as ws:
            plan_id = await ws.submit(trial.notation.plan)
            await ws.start(plan_id)
            result = await ws.wait(plan_id)
            assert await ws.plan(plan_id) == result
            return result

    run = trial.run(scenario, seed)
    for action in actions(run.plan):
        calls = run.stage.executed(action.name)
        # Of a check that ran again only the latest run's attempts are kept (C-1).
        assert len(calls) >= len(action.attempts)


@examples
@given(text=plans(), seed=st.integers(0, 2**16), stop_at=MOMENTS)
def test_a_stop_ends_every_plan_in_order(text: str, seed: int, stop_at: float) -> None:
    """Whenever it comes; the same holds of what it leaves (section 14)."""
    trial = Trial(text)

    async def scenario(vault: BothVaults) -> Plan:
        async with trial.engine(vault) as ws:
            plan_id = await ws.submit(trial.notation.plan)
            await ws.start(plan_id)
            await trio.sleep(stop_at)
            await ws.stop(plan_id)
            plan = await ws.wait(plan_id)
            assert await vault.stop_requests() == frozenset()
            return plan

    trial.run(scenario, seed)


@examples
@given(
    text=plans(),
    seed=st.integers(0, 2**16),
    lives=st.lists(MOMENTS, min_size=1, max_size=3),
    stop_in=st.none() | st.integers(0, 2),
)
def test_whatever_dies_goes_on(
    text: str, seed: int, lives: list[float], stop_in: int | None
) -> None:
    """An engine that is left at any moment is followed by another, which ends the plan.

    What was C, F or S outside of a group that runs again stays so (R-2).
    """
    trial = Trial(text)

    async def scenario(vault: BothVaults) -> Plan:
        async with trial.engine(vault) as ws:
            plan_id = await ws.submit(trial.notation.plan)
            await ws.start(plan_id)
            await trio.sleep(lives[0])
        decided = decided_in(await stored(trial, vault, plan_id))
        for number, life in enumerate(lives[1:]):
            async with trial.engine(vault) as ws:
                assert not ws.recovery_errors
                if number == stop_in:
                    await ws.stop(plan_id)
                await trio.sleep(life)
            now = decided_in(await stored(trial, vault, plan_id))
            assert decided.items() <= now.items()
            decided = now
        async with trial.engine(vault) as ws:
            assert not ws.recovery_errors
            plan = await ws.wait(plan_id)
        assert decided.items() <= decided_in(plan).items()
        return plan

    trial.run(scenario, seed)


async def stored(trial: Trial, vault: BothVaults, plan_id: UUID) -> Plan:
    """What the stores hold."""
    await vault.open()
    try:
        return Codec(trial.registry).load(await vault.read(plan_id))
    finally:
        await vault.close()


def decided_in(plan: Plan) -> dict[int, Status]:
    """What is decided for good, by place: sequences, batches, and their actions."""
    containers = [sequence for block in plan.blocks for sequence in block.sequences]
    found = {
        position_of(node): node.state.status
        for sequence in containers
        for node in (sequence, *sequence.actions)
        if node.state.status.is_terminal
    }
    if plan.deferred_actions is not None:
        for batch in plan.deferred_actions.batches:
            for node in (batch, *batch.actions):
                if node.state.status.is_terminal:
                    found[position_of(node)] = node.state.status
    return found


@examples
@given(text=plans())
def test_a_plan_is_stored_and_comes_back(text: str) -> None:
    """As it was, with its plugins and without; cloned and encoded, it is the same."""
    notation = parse(text)
    stage = Stage(TrioSleeper(FakeClock()))
    registry = Registry(scripted_plugins(stage))

    async def scenario() -> None:
        vault = MemoryVault()
        async with open_workstream(vault, registry=registry) as ws:
            plan_id = await ws.submit(notation.plan)
            plan = await ws.plan(plan_id)
            kept = await vault.read(plan_id)
        assert clone(plan) == clone(notation.plan)
        for codec in (Codec(registry), Codec(None)):
            assert codec.encode_definition(codec.load(kept)) == kept.definition
        with pytest.raises(NotFoundError):
            await vault.read(UUID(int=1))

    trio.run(scenario)
