"""Crashes at every durable change of a run, and the recovery from each.

A plan's changes become durable in the order in which they were made, some of them
together. How many share a commit is a matter of timing, but every crash leaves a prefix
of the same history (STO-10). So here each change is committed by itself, and what is
stored after each of them is kept: these are all the states that a crash can leave. Only
what recovery puts in order stays one write, as it must be (R-19).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import attrs
import trio

from workstream._codec.codec import Codec
from workstream._engine.engine import open_workstream
from workstream._plan.plan import BaseAction, Block, Checks, Node, Plan
from workstream._plan.walk import new_plan_id, walk
from workstream._protocols.vault import Change, NodeRecord, PlanRequest, Write
from workstream._registry.registry import Registry
from workstream._values.errors import StorageError
from workstream._values.state import Status
from workstream._vaults.memory_vault import MemoryVault

from ..notation.fixtures import Stage, scripted_plugins
from ..notation.notation import parse
from ..notation.stored_states import Notation
from ..notation.tellings import before_start, parse_told, say, say_all
from ..simulation.told import AUTHOR, Told
from ..virtual.held_vault import HeldVault
from ..virtual.virtual_time import FakeClock, TrioSleeper
from .case_runs import CaseRun, store_plan
from .expectations import always_wrong


@attrs.frozen
class Crash:
    """What a crash leaves behind.

    Attributes:
        stored: What the store holds.
        at: When it happened.
        calls: How many calls of each action came to a durable end, by label.
    """

    stored: MemoryVault
    at: datetime
    calls: dict[str, int]


@attrs.frozen
class WatchedRun:
    """A run to the plan's end, and what a crash after each change would have left.

    Attributes:
        end: How it ended.
        crashes: One a change, in order.
        found: The plan as it was found, when this is a recovery.
    """

    end: CaseRun
    crashes: list[Crash]
    found: Plan | None = None


class _WatchedVault(HeldVault):
    """Commits each change by itself, and tells ``on_change`` after it."""

    def __init__(
        self,
        vault: MemoryVault,
        clock: FakeClock,
        on_change: Callable[[Change | None], None],
    ) -> None:
        super().__init__(vault, clock)
        self._on_change = on_change
        self._begun = False

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        return [await self._write_one_by_one(write) for write in writes]

    async def _write_one_by_one(self, write: Write) -> StorageError | None:
        if not self._begun:  # the start of the plan, or what recovery put in order
            self._begun = True
            [error] = await super().write([write])
            self._on_change(None)
            return error
        if write.taken:  # a request, its line in the record and its effect (CT-2)
            [error] = await super().write([write])
            if error is None:
                for change in write.changes:
                    self._on_change(change)
            return error
        for offset, change in enumerate(write.changes):
            expect = None if offset else write.expect
            one = attrs.evolve(
                write,
                first=write.first + offset,
                changes=(change,),
                expect=expect,
            )
            [error] = await super().write([one])
            if error is not None:
                return error
            self._on_change(change)
        return None

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        found = await super().ask(request, if_not_started)
        self._on_change(None)
        return found


class _Recorder:
    """Remembers every state of a store."""

    def __init__(
        self,
        vault: MemoryVault,
        notation: Notation,
        codec: Codec,
        clock: FakeClock,
        before: Mapping[str, int],
    ) -> None:
        self.crashes: list[Crash] = []
        self._vault = vault
        self._nodes = [item.node for item in walk(notation.plan)]
        self._codec = codec
        self._clock = clock
        self._calls = dict(before)
        self._ended: set[tuple[str, datetime]] = set()

    def changed(self, change: Change | None) -> None:
        """Remember what a crash at this moment would leave."""
        if isinstance(change, NodeRecord) and change.position:
            self._count(self._nodes[change.position], change)
        calls = dict(self._calls)
        self.crashes.append(Crash(self._vault.snapshot(), self._clock.now(), calls))

    def _count(self, node: Node, change: NodeRecord) -> None:
        _, attempt = self._codec.decode_record(node, change)
        if attempt is None or attempt.ended is None or attempt.interrupted:
            return
        assert isinstance(node, BaseAction)
        if (node.name, attempt.started) not in self._ended:
            self._ended.add((node.name, attempt.started))
            self._calls[node.name] = self._calls.get(node.name, 0) + 1


def run_watched(
    text: str,
    *,
    seed: int | None = None,
    stop_at: float | None = None,
    told: str = "",
    found_after: float | None = None,
) -> WatchedRun:
    """Run a plan of the notation to its end, or recover one written with states.

    Args:
        text: The plan.
        seed: Chooses the order of tasks that are ready at the same instant.
        stop_at: When it is stopped, in seconds since it began.
        told: What else it is told (``tellings``).
        found_after: Seconds by which the stored times are older than the notation says.
    """
    notation = parse(text)
    return _run(
        notation,
        FakeClock(),
        None,
        seed=seed,
        stop_at=stop_at,
        says=parse_told(told, notation),
        found_after=found_after or 0.0,
    )


def recover(
    notation: Notation,
    crash: Crash,
    *,
    downtime: float = 60.0,
    seed: int | None = None,
    says: Sequence[Told] = (),
    watched: bool = False,
) -> WatchedRun:
    """Open an engine on what a crash left, and let it bring the plan to its end.

    Args:
        notation: The plan.
        crash: What was left.
        downtime: Seconds from the crash to the new engine.
        seed: Chooses the order of tasks that are ready at the same instant.
        says: What it is told after the new engine has begun.
        watched: Whether to keep what a crash of the recovery would leave, too. Else its
            changes are committed as they come, several at a time.
    """
    clock = FakeClock(crash.at + timedelta(seconds=downtime))
    return _run(
        notation, clock, crash, seed=seed, stop_at=None, says=says, watched=watched
    )


def _run(
    notation: Notation,
    clock: FakeClock,
    crash: Crash | None,
    *,
    seed: int | None,
    stop_at: float | None,
    says: Sequence[Told] = (),
    found_after: float = 0.0,
    watched: bool = True,
) -> WatchedRun:
    before = {} if crash is None else crash.calls
    stage = Stage(TrioSleeper(clock), before)
    registry = Registry(scripted_plugins(stage))
    store = MemoryVault() if crash is None else MemoryVault.restored(crash.stored)
    codec = Codec(registry)
    recorder = _Recorder(store, notation, codec, clock, before)
    seen = _WatchedVault(store, clock, recorder.changed)
    vault = seen if watched else HeldVault(store, clock)

    async def scenario() -> tuple[Plan, Plan | None]:
        if crash is None and notation.is_stored:
            last = clock.now() - timedelta(seconds=found_after)
            stored = notation.stored(new_plan_id(), last)
            await store_plan(store, stored, codec)
        rows = await store.search()
        found = codec.load(await store.read(rows[0].id)) if rows else None
        async with open_workstream(
            vault, registry=registry, now=clock.now, random=lambda: 0.5
        ) as ws:
            assert not ws.recovery_errors, ws.recovery_errors
            if rows:
                plan_id = rows[0].id
            else:
                plan_id = await ws.submit(notation.plan, by=AUTHOR)
                for each in before_start(says):
                    await say(ws, plan_id, each)
                await ws.start(plan_id)
            if stop_at is not None:
                await trio.sleep(stop_at)
                await ws.stop(plan_id)
            await say_all(ws, plan_id, says)
            with trio.fail_after(1_000_000):
                ended = await ws.wait(plan_id)
            assert ended == await ws.plan(plan_id)  # perhaps it was never read (ST-6)
            return ended, found

    plan, found = clock.run(scenario, seed=seed)
    end = CaseRun(notation=notation, plan=plan, stage=stage, began=clock.start)
    return WatchedRun(end, recorder.crashes, found)


def differences(whole: CaseRun, recovery: WatchedRun) -> list[str]:
    """Where a recovery did not keep what recovery promises (R-2); empty when it did.

    Args:
        whole: The run without a crash.
        recovery: A run from what a crash of it left.
    """
    recovered = recovery.end
    problems = broken_promises(recovery)
    if recovered.plan.reasons != whole.plan.reasons:
        problems.append(f"reasons: {recovered.plan.reasons}, not {whole.plan.reasons}")
    ends = zip(walk(recovered.plan), walk(whole.plan), strict=True)
    for place, (one, other) in enumerate(ends):
        found, expected = one.node.state.status, other.node.state.status
        if found is not expected:
            label = recovered.label(place)
            problems.append(f"{label}: {found.name}, not {expected.name}")
    return problems


def broken_promises(recovery: WatchedRun) -> list[str]:
    """What must hold of every recovery, and did not; empty when all does.

    A group that is run again takes its actions with it (R-8, R-9). Everything else that
    was terminal stays as it was stored, and no action of it is called.

    Args:
        recovery: A run from what a crash left.
    """
    return [*always_wrong(recovery.end), *_decided_again(recovery)]


def _decided_again(recovery: WatchedRun) -> Iterator[str]:
    assert recovery.found is not None, "this is no recovery"
    recovered = recovery.end
    ends = list(walk(recovered.plan))
    for place, item in enumerate(walk(recovery.found)):
        if _may_run_again(item.node, item.ancestors):
            continue
        label, state = recovered.label(place), item.node.state
        if not state.status.is_terminal:
            continue
        end = ends[place].node.state
        if end != state:
            yield f"{label} was {state}, and became {end}"
        if isinstance(item.node, BaseAction):
            called = recovered.stage.executed(item.node.name)
            if called:
                yield f"{label} was {state.status.name}, and was called again"


def _may_run_again(node: Node, ancestors: tuple[Node, ...]) -> bool:
    group = next((n for n in (node, *ancestors) if isinstance(n, Checks)), None)
    if group is None:
        return False
    owner = (
        ancestors[ancestors.index(group) - 1] if group in ancestors else ancestors[-1]
    )
    assert isinstance(owner, (Plan, Block))
    status = group.state.status
    if isinstance(owner, Block) and group is owner.batch_checks:
        return status is not Status.FAILED  # before each batch anew (BG-2)
    return group is owner.cont_checks or not status.is_terminal
