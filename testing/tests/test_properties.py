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
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Sequence,
)
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Unpack
from uuid import UUID

import pytest
import trio
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from _workstream_testing.conformance.case_runs import CaseRun
from _workstream_testing.conformance.expectations import always_wrong
from _workstream_testing.notation.fixtures import Call, Stage, scripted_plugins
from _workstream_testing.notation.notation import parse
from _workstream_testing.notation.stored_states import Notation
from _workstream_testing.virtual.held_vault import HeldVault
from _workstream_testing.virtual.virtual_time import FakeClock, TrioSleeper
from workstream._codec.codec import Codec
from workstream._engine.engine import Workstream, open_workstream
from workstream._plan.clone import clone
from workstream._plan.plan import Plan
from workstream._plan.walk import actions, position_of, walk
from workstream._protocols.searching import Wanted
from workstream._protocols.vault import PlanRequest, PlanRow, StoredPlan, Write
from workstream._registry.registry import Registry
from workstream._values.errors import NotFoundError, StorageError
from workstream._values.state import FailureReason, Status
from workstream._vaults.lmdb.vault import LmdbVault
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


WARN = "cont(d=1 on_fail=warn)"


@st.composite
def groups(draw: st.DrawFn, names: Names) -> list[str]:
    """Check groups of a plan or block."""
    cont = draw(st.sampled_from(["cont(d=1)"] * 3 + ["cont(d=1 fails=2)", WARN]))
    order = ["byp", "pre", cont, "post", "def"]
    kinds = draw(st.sets(st.sampled_from(order), max_size=3))
    return [
        kind + draw(container(names, CHECK_OPTIONS, 2))
        for kind in order
        if kind in kinds
    ]


@st.composite
def batches(draw: st.DrawFn, names: Names, kinds: st.SearchStrategy[str]) -> str:
    """Batches of deferred actions; as a rule, none."""
    return " ".join(
        f"{names('r')}({when}){draw(container(names, ACTION_OPTIONS, 2))}"
        for when in draw(st.lists(kinds, max_size=2))
    )


PLAN_KINDS = st.sampled_from(["always", "on_success", "on_failure", "always fe"])
OWN_KINDS = st.sampled_from(
    ["always", "on_success", "on_failure", "on_failure fe", "on_undo", "on_undo"]
)


@st.composite
def sequence(draw: st.DrawFn, names: Names) -> str:
    """A sequence, perhaps with deferred work of its own."""
    actions = names("s") + draw(container(names, ACTION_OPTIONS, 3))
    then = draw(batches(names, OWN_KINDS))
    return f"{actions} then[{then}]" if then else actions


@st.composite
def blocks(draw: st.DrawFn, names: Names, number: int) -> str:
    """A block."""
    sequences = draw(st.integers(1, 4))
    options = [
        f"conc={draw(st.integers(1, 3))}",
        f"tol={draw(st.sampled_from(['-1', '0', '1', '2', '50%']))}",
        draw(st.sampled_from(["", "", "consec=1", "consec=2"])),
        draw(st.sampled_from(["", "", "batches=1:2", "batches=1:50% gap=1"])),
        draw(st.sampled_from(["", "in=1"])),
        draw(st.sampled_from(["", "out=1"])),
        draw(st.sampled_from(["", "halt=sequence"])),
        draw(st.sampled_from(["", "", "undo=block", "undo=never"])),
    ]
    parts = draw(groups(names))
    if any(option.startswith("batches") for option in options) and draw(st.booleans()):
        parts.append("gate" + draw(container(names, CHECK_OPTIONS, 2)))
    parts += [draw(sequence(names)) for _ in range(sequences)]
    return f"B{number}({' '.join(filter(None, options))}): {' '.join(parts)}"


@st.composite
def plans(draw: st.DrawFn) -> str:
    """A plan."""
    names = Names()
    parts = draw(groups(names))
    deferred = draw(batches(names, PLAN_KINDS))
    if deferred:
        parts.append(f"da[{deferred}]")
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

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """Ask both."""
        await self._disk.create(row, definition, labels)
        await super().create(row, definition, labels)

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
        await self.search()
        return mine

    async def row(self, plan_id: UUID) -> PlanRow:
        """Ask both."""
        mine = await super().row(plan_id)
        assert await self._disk.row(plan_id) == mine
        return mine

    async def search(self, **wanted: Unpack[Wanted]) -> list[PlanRow]:
        """Ask both."""
        mine = await super().search(**wanted)
        theirs = await self._disk.search(**wanted)
        assert theirs == mine
        return mine

    async def claim(self, plan_id: UUID) -> bool:
        """Ask both."""
        theirs = await self._disk.claim(plan_id)
        assert theirs is await super().claim(plan_id)
        return theirs

    async def release(self, plan_id: UUID) -> None:
        """Ask both."""
        await self._disk.release(plan_id)
        await super().release(plan_id)

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """Ask both."""
        theirs = await self._disk.ask(request, if_not_started)
        assert theirs is await super().ask(request, if_not_started)
        return theirs

    async def requests(self) -> list[PlanRequest]:
        """Ask both."""
        mine = await super().requests()
        assert await self._disk.requests() == mine
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
        for invariant in INVARIANTS:
            broken = invariant(run)
            assert broken == [], f"{invariant.__name__}: {invariant.__doc__}"
        return run

    @asynccontextmanager
    async def engine(self, vault: BothVaults) -> AsyncGenerator[Workstream]:
        """An engine on the store."""
        async with open_workstream(
            vault, registry=self.registry, now=self.clock.now, random=lambda: 0.5
        ) as ws:
            yield ws


# --- the invariants: each tells where it is broken ----------------------------------------


def nothing_runs_at_the_end(run: CaseRun) -> list[str]:
    """The plan's end is the last thing written: no object is R, no attempt open (E-10)."""
    nodes = [item.node for item in walk(run.plan)]
    attempts = [a for action in actions(run.plan) for a in action.attempts]
    return [
        *(repr(node.state) for node in nodes if node.state.status is Status.RUNNING),
        *(repr(attempt) for attempt in attempts if attempt.ended is None),
    ]


def status_and_reason_agree(run: CaseRun) -> list[str]:
    """F has a reason, C has none, S has STOPPED; no other end (F-6, OM-4)."""
    plan, reason = run.plan, run.plan.reason
    fits = {
        Status.COMPLETED: reason is FailureReason.UNKNOWN and not plan.reasons,
        Status.FAILED: reason not in (FailureReason.UNKNOWN, FailureReason.STOPPED),
        Status.STOPPED: reason is FailureReason.STOPPED,
    }
    agree = fits.get(plan.state.status, False)
    return [] if agree else [f"{plan.state.status.name}: {plan.reasons}"]


def attempts_never_overlap(run: CaseRun) -> list[str]:
    """Neither those that are recorded nor the calls that were made (A-5)."""
    broken: list[str] = []
    for action in actions(run.plan):
        recorded: list[tuple[Any, Any]] = [
            (attempt.started, attempt.ended or attempt.started)
            for attempt in action.attempts
        ]
        made: list[tuple[Any, Any]] = [
            (call.started, call.started if call.ended is None else call.ended)
            for call in run.stage.calls
            if call.label == action.name
        ]
        for spans in (recorded, made):
            broken += [
                f"{action.name}: {one}, {other}"
                for one, other in pairwise(spans)
                if other[0] < one[1]
            ]
    return broken


def concurrency_is_never_exceeded(run: CaseRun) -> list[str]:
    """Of a block's sequences no more work at once than its author said (Q-1)."""
    broken: list[str] = []
    for block in run.plan.blocks:
        sequence_of = {
            action.name: number
            for number, sequence in enumerate(block.sequences)
            for action in sequence.actions
        }
        # What ends at an instant makes room for what begins then.
        changes = sorted(
            (time, step, sequence_of[call.label])
            for call in run.stage.calls
            if call.label in sequence_of
            for time, step in ((call.started, 1), (call.ended or call.started, -1))
        )
        most = block.slots(len(block.sequences))
        working: Counter[int] = Counter()
        for time, step, sequence in changes:
            working[sequence] += step
            if sum(count > 0 for count in working.values()) > most:
                broken.append(f"{block.name} at {time}")
    return broken


def tolerance_is_never_exceeded(run: CaseRun) -> list[str]:
    """A block is C with no more failures than it tolerates (Q-3).

    Those that ran when the last tolerated one failed may fail, too; no others (Q-6).
    """
    broken: list[str] = []
    for block in run.plan.blocks:
        if block.tolerance < 0:
            continue
        failed = [s for s in block.sequences if s.state.status is Status.FAILED]
        most = block.tolerance
        if block.state.status is not Status.COMPLETED:
            most += block.slots(len(block.sequences))
        if len(failed) > most:
            broken.append(f"{block.name}: {len(failed)} failed")
    return broken


def sequences_are_launched_in_order(run: CaseRun) -> list[str]:
    """None has begun before one that stands earlier, and none in a block that is N (Q-1)."""
    broken: list[str] = []
    for block in run.plan.blocks:
        begun = [s.state.status is not Status.NOT_STARTED for s in block.sequences]
        if begun != sorted(begun, reverse=True):
            broken.append(f"{block.name}: {begun}")
        if block.state.status is Status.NOT_STARTED and any(begun):
            broken.append(f"{block.name} was never begun")
    return broken


def ids_are_in_walk_order(run: CaseRun) -> list[str]:
    """Each object says where it is, and their ids sort so (W-1, OM-13)."""
    nodes = [item.node for item in walk(run.plan)]
    ids = [node.id for node in nodes if node.id is not None]
    broken = [
        f"{position_of(node)}, not {place}"
        for place, node in enumerate(nodes)
        if position_of(node) != place
    ]
    return broken if ids == sorted(ids) and len(ids) == len(nodes) else [*broken, "ids"]


def containers_follow_from_what_they_hold(run: CaseRun) -> list[str]:
    """Sequences, batches and groups agree with their actions; times are in order.

    And all else that holds of every run of every test (Q-8, C-2, SP-3, SP-4).
    """
    return always_wrong(run)


INVARIANTS: list[Callable[[CaseRun], list[str]]] = [
    nothing_runs_at_the_end,
    status_and_reason_agree,
    attempts_never_overlap,
    concurrency_is_never_exceeded,
    tolerance_is_never_exceeded,
    sequences_are_launched_in_order,
    ids_are_in_walk_order,
    containers_follow_from_what_they_hold,
]
"""What holds at the end of every run, whatever its plan, its faults and its stops."""


# --- what must hold -----------------------------------------------------------------------


@examples
@given(text=plans(), seed=st.integers(0, 2**16))
@pytest.mark.slow
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
@pytest.mark.slow
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
            assert await vault.requests() == []
            return plan

    trial.run(scenario, seed)


@examples
@given(
    text=plans(),
    seed=st.integers(0, 2**16),
    lives=st.lists(MOMENTS, min_size=1, max_size=3),
    stop_in=st.none() | st.integers(0, 2),
)
@pytest.mark.slow
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


@pytest.mark.slow
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
