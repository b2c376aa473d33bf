"""The conformance cases on a real server, in a time of their own.

No session runs it yet (``pytest plugins-contrib/workstream-temporal/tests/cases_on_a_server.py``
does): on a busy machine time may pass between a workflow's decision and its call, which
nothing here sees, and one case in a hundred then has other times.

The server is real; time is not. Workflows, plugins and clients share one clock, which
stands still while anything is at work anywhere, and jumps to what is due next when all
wait. So a case has the same times as in a simulation, and hours cost nothing. Many
cases are played side by side. One that freezes the store is played alone: it would freeze
them all.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import attrs
import pytest
import trio
import trio.testing
from temporalio import workflow

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.case_runs import CaseRun, store_plan
from _workstream_testing.conformance.conformance import SimulatedPlans, run_case_on
from _workstream_testing.conformance.expectations import kind_of
from _workstream_testing.notation.fixtures import ScriptedAction, ScriptedCheck, Stage
from _workstream_testing.notation.notation import parse
from _workstream_testing.notation.tellings import (
    before_start,
    parse_told,
    say,
    say_all,
)
from _workstream_testing.simulation.told import AUTHOR
from workstream import Approve, Context, Registry, Workstream, open_workstream
from workstream._attempts.outcomes import DEAF_AFTER
from workstream._codec.codec import Codec
from workstream._codec.records import encode_freeze
from workstream._interpreter import judgement
from workstream._plan.walk import new_plan_id, walk
from workstream._protocols.vault import StoredPlan
from workstream.results import BaseAction, Freeze
from workstream_temporal import _activities, _worker
from workstream_temporal._names import PLAN
from workstream_temporal._plan_workflow import PlanWorkflow, at_once
from workstream_temporal._runtime import TemporalRuntime
from workstream_temporal._trio_thread import TrioThread
from workstream_temporal._vault import TemporalVault

if TYPE_CHECKING:
    from conftest import Server

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = range(12)
"""Orders of simultaneous events in which a simulation plays a case."""
AT_ONCE = 40
"""Cases that are played side by side."""
LOOK_EVERY = 0.01
"""Seconds of the world between two looks whether all wait."""

WAITING = ("sig", "approv", "ask=")
"""How a case says that somebody waits for a signal."""

PLAYED = "XYG"
"""With which letters the cases begin that were seen to end so. Those of holds and undo (H,
Z), and those that a crash left (their plan is written with states), are still to be played."""

OTHERWISE = {
    "Y-19": "who is deaf is looked for by the world's time, which stands still here",
}
"""The cases that do not end so here, each with the reason."""


class World:
    """The one clock, and who is at work."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.clock = trio.testing.MockClock()
        self.plans: dict[UUID, CaseWorkflow] = {}
        self.stages: dict[UUID, Stage] = {}
        self.over: dict[UUID, trio.Event] = {}
        self.calls: Counter[UUID] = Counter()
        self.shells: dict[UUID, set[Any]] = {}
        self.waits: dict[int, tuple[UUID, float]] = {}
        self.at_work = 0
        self.freeze: Freeze | None = None
        self.ready = threading.Event()
        self.token: trio.lowlevel.TrioToken | None = None

    def now(self) -> datetime:
        """The time."""
        return START + timedelta(seconds=self.clock.current_time())

    @contextmanager
    def working(self) -> Generator[None]:
        """Let no time pass while the body runs."""
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    def is_quiet(self) -> bool:
        """Whether all wait, so that time may pass."""
        if self.at_work:
            return False
        return all(self._waits(each) for each in list(self.plans.values()))

    def give_up(self) -> None:
        """Let the cases end whose plans wait for something that will not come."""
        for plan_id, plan in self.plans.items():
            if not plan.done:
                self.over[plan_id].set()

    def _waits(self, plan: CaseWorkflow) -> bool:
        if plan.done or plan.is_new:
            return True
        runtime = plan.runs
        if runtime is None or plan.ticks:
            return False
        expected = b"" if self.freeze is None else encode_freeze(self.freeze)
        if plan.is_held_by != expected:
            return False
        now = self.clock.current_time()
        if any(due <= now for _, due in self.waits_of(plan.plan_id)):
            return False
        shells = self.shells.get(plan.plan_id, set())
        calls = list(runtime.calls_now.values())
        if len(calls) != len(shells):
            return False
        if runtime.cut_now - {each.position for each in shells if each.was_cut}:
            return False
        marked = {
            p for p, call in runtime.calls_now.items() if call.attempt.unresponsive
        }
        return not any(
            each.ends + DEAF_AFTER <= now and each.position not in marked
            for each in shells
        )

    def waits_of(self, plan_id: UUID) -> list[tuple[UUID, float]]:
        """What the plan's workflow waits for."""
        return [each for each in list(self.waits.values()) if each[0] == plan_id]


WORLD = World()


class CaseRuntime(TemporalRuntime):
    """Tells the world's time, and waits by it."""

    @staticmethod
    def time() -> datetime:
        """The world's time."""
        return WORLD.now()

    def random(self) -> float:
        """No jitter."""
        return 0.5

    @property
    def calls_now(self) -> dict[int, Any]:
        """The attempts under way."""
        return dict(self._calls)

    @property
    def cut_now(self) -> set[int]:
        """Those of them that a stop cuts."""
        return {p for p in self._cut if p in self._calls}

    _cut: frozenset[int] = frozenset()

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait by the world's time."""
        if until() or seconds <= 0:
            return
        due = WORLD.clock.current_time() + seconds
        key = id(object())
        while key in WORLD.waits:
            key += 1
        if not math.isinf(due):
            WORLD.waits[key] = (self._id, due)
        try:
            await workflow.wait_condition(
                lambda: until() or WORLD.clock.current_time() >= due
            )
        finally:
            WORLD.waits.pop(key, None)

    def wake(self) -> None:
        """Note what is cut."""
        if judgement.cuts(self._plan):
            self._cut |= {p for p, call in self._calls.items() if call.main}
        super().wake()


@workflow.defn(name=PLAN)
class CaseWorkflow(PlanWorkflow):
    """A plan by the world's time."""

    runtime = CaseRuntime

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)
        self.ticks = 0
        self.done = False
        WORLD.plans[self._id] = self

    @property
    def plan_id(self) -> UUID:
        """The plan's id."""
        return self._id

    @property
    def is_new(self) -> bool:
        """Whether it was not started."""
        return self._row.status.name == "NOT_STARTED"

    @property
    def runs(self) -> CaseRuntime | None:
        """Its runtime."""
        return cast("CaseRuntime | None", self._runtime)

    def stored(self) -> StoredPlan:
        """All that is stored of it."""
        return at_once(self._vault.read(self._id))

    @property
    def is_held_by(self) -> bytes | None:
        """What it has heard of a freeze."""
        return self._frozen

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)
        self.done = True
        event, token = WORLD.over[self._id], WORLD.token
        assert token is not None
        token.run_sync_soon(event.set)

    @workflow.signal(name="tick")
    def tick(self) -> None:
        """Look at every wait again."""
        self.ticks -= 1


class CaseVault(TemporalVault):
    """A cluster; no time passes while it is asked something."""

    async def open(self) -> None:
        """See ``TemporalVault``."""
        with WORLD.working():
            await super().open()

    async def _ask(self, coroutine: Any) -> Any:
        with WORLD.working():
            return await super()._ask(coroutine)

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``TemporalVault``."""
        with WORLD.working():
            done = await super().set_freeze(freeze, expect)
            WORLD.freeze = self.freeze()
            return done

    async def tick(self, plan_id: UUID) -> None:
        """Let the plan's workflow look at its waits."""
        WORLD.plans[plan_id].ticks += 1
        async with self._of(plan_id) as running:
            await self._ask(running.signal("tick"))


class Sleeper:
    """How the fixture plugins sleep: by the world's clock."""

    def time(self) -> float:
        """Seconds since the cases began."""
        return trio.current_time()

    async def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds; infinity: never."""
        await trio.sleep(seconds)

    async def linger(self, seconds: float, /) -> None:
        """As ``sleep``, but not cut short by a cancellation."""
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


class Stages:
    """The stage of the plan whose attempt it is: one worker plays all cases."""

    async def execute(self, context: Context, request: Any) -> Any:
        """See ``Stage``."""
        return await WORLD.stages[context.plan_id].execute(context, request)

    async def reconcile(self, context: Context, request: Any) -> Any:
        """See ``Stage``."""
        return await WORLD.stages[context.plan_id].reconcile(context, request)


class FirstAction(ScriptedAction):
    """Tells on which trio loop the plugins are."""

    async def init(self) -> None:
        """Tell."""
        WORLD.token = trio.lowlevel.current_trio_token()


@attrs.define(eq=False)
class Shell:
    """A call that is in its plugin."""

    position: int
    call: Any
    was_cut: bool = False

    @property
    def ends(self) -> float:
        """When it is told to end."""
        return cast("float", self.call.ends)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the world see what is at work between the loops."""
    shell_type: Any = vars(_activities)["_Shell"]
    made, ask, stop = shell_type._made, TrioThread.ask, _activities.Call.stop
    by_call: dict[Any, Shell] = {}

    async def seen_made(self: Any) -> Any:
        part = self._part
        shell = Shell(part.position, self._call)
        by_call[self._call] = shell
        assert part.plan.id is not None
        held = WORLD.shells.setdefault(part.plan.id, set())
        held.add(shell)
        try:
            return await made(self)
        finally:
            held.discard(shell)

    async def seen_ask(self: TrioThread, coroutine: Any) -> Any:
        with WORLD.working():
            return await ask(self, coroutine)

    def seen_stop(self: Any) -> None:
        if self in by_call:
            by_call[self].was_cut = True
        stop(self)

    # A workflow that is played again would find another time. So none is: no worker takes
    # over from another, and none counts as stuck on a busy machine.
    monkeypatch.setattr(_worker, "STICKY", timedelta(minutes=10))
    monkeypatch.setenv("TEMPORAL_DEBUG", "1")
    monkeypatch.setattr(shell_type, "_made", seen_made)
    monkeypatch.setattr(TrioThread, "ask", seen_ask)
    monkeypatch.setattr(_activities.Call, "stop", seen_stop)


async def conduct(vault: CaseVault) -> None:
    """Let time pass whenever all wait."""
    still = 0
    while True:
        await trio.testing.wait_all_tasks_blocked()
        if not WORLD.is_quiet():
            await trio.to_thread.run_sync(WORLD.ready.wait, LOOK_EVERY)
            continue
        now = trio.current_time()
        due = [due for _, due in WORLD.waits.values()]
        soon = trio.lowlevel.current_statistics().seconds_to_next_deadline
        seconds = min([each - now for each in due] + [soon])
        if math.isinf(seconds):  # as before the first case, and after one that hangs
            still += 1
            if still > 50:
                WORLD.give_up()
            await trio.to_thread.run_sync(WORLD.ready.wait, LOOK_EVERY)
            continue
        still = 0
        WORLD.clock.jump(max(seconds, 0))
        now = trio.current_time()
        plans = {plan_id for plan_id, due in WORLD.waits.values() if due <= now}
        async with trio.open_nursery() as nursery:
            for plan_id in sorted(plans):
                nursery.start_soon(vault.tick, plan_id)


async def play(ws: Workstream, vault: CaseVault, case: Case) -> CaseRun:
    """Play a case (see ``run_case_on``)."""
    notation = parse(case.plan)
    stage = Stage(Sleeper())
    told = parse_told(case.told, notation)
    began = WORLD.now()
    if notation.is_stored:
        found = began - timedelta(seconds=case.found_after or 0)
        plan = notation.stored(new_plan_id(), found)
        assert plan.id is not None
        plan_id = plan.id
        WORLD.stages[plan_id], WORLD.over[plan_id] = stage, trio.Event()
        with WORLD.working():
            await store_plan(vault, plan, Codec(ws.registry))
    else:
        with WORLD.working():
            plan_id = await ws.submit(notation.plan, by=AUTHOR)
            WORLD.stages[plan_id], WORLD.over[plan_id] = stage, trio.Event()
            for each in before_start(told):
                await say(ws, plan_id, each)
            await ws.start(plan_id)
    if case.stop_at is not None:
        await trio.sleep(case.stop_at)
        await ws.stop(plan_id)
    await say_all(ws, plan_id, told)
    await WORLD.over[plan_id].wait()
    if not WORLD.plans[plan_id].done:
        message = "all wait, and it has not ended"
        raise TimeoutError(message)
    # Not asked of the server: a workflow that has ended is played again to answer, and no
    # server knows the times of this world.
    plan = Codec(ws.registry).load(WORLD.plans[plan_id].stored())
    return CaseRun(notation=notation, plan=plan, stage=stage, began=began)


def facts(run: CaseRun, case: Case) -> object:
    """What must be the same: statuses, times, attempts, reasons and calls.

    A plugin that waits for a signal looks for it twice a second, so not the times then.
    """
    exactly = not any(word in f"{case.plan} {case.told}" for word in WAITING)

    def at(time: datetime | None) -> float | str:
        seconds = run.seconds(time)
        if seconds is None:
            return "never"
        return round(seconds, 3) if exactly else "some time"

    first = min((call.started for call in run.stage.calls), default=0.0)
    return (
        run.plan.reasons,
        [
            (
                item.node.state.status,
                at(item.node.state.started),
                at(item.node.state.ended),
                [
                    (
                        at(each.started),
                        at(each.ended),
                        kind_of(each),
                        each.response,
                        each.error,
                        each.unresponsive,
                        each.notes,
                    )
                    for each in item.node.attempts
                ]
                if isinstance(item.node, BaseAction)
                else [],
            )
            for item in walk(run.plan)
        ],
        sorted(
            (
                call.label,
                call.of,
                call.attempt,
                round(call.started - first, 3) if exactly else 0,
            )
            for call in run.stage.calls
        ),
    )


def ends_of(case: Case, orders: Sequence[int]) -> list[object]:
    """How a simulation of the case ends, in several orders."""
    return [facts(run_case_on(SimulatedPlans(), case, seed), case) for seed in orders]


def played_together(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """The cases, many at once; those that freeze the store by themselves."""
    alone = [case for case in cases if "freeze" in case.told]
    others = [case for case in cases if case not in alone]
    for at in range(0, len(others), AT_ONCE):
        yield others[at : at + AT_ONCE]
    yield from ([case] for case in alone)


@pytest.mark.slow
@pytest.mark.usefixtures("seen")
def test_every_case_ends_as_elsewhere(
    server: Server, working: Callable[..., AbstractContextManager[None]]
) -> None:
    """As a simulation of it ends, in one of the orders of what happens at once."""
    cases = [c for c in CASES if c.id[0] in PLAYED and c.id not in OTHERWISE]
    cases = [c for c in cases if not parse(c.plan).is_stored]
    runs: dict[str, CaseRun | Exception] = {}

    async def played(ws: Workstream, vault: CaseVault, case: Case) -> None:
        try:
            runs[case.id] = await play(ws, vault, case)
        except Exception as error:
            runs[case.id] = error

    async def all_cases() -> None:
        vault = CaseVault(server.location)
        async with (
            open_workstream(vault, registry=registry, now=WORLD.now) as ws,
            trio.open_nursery() as beside,
        ):
            beside.start_soon(conduct, vault)
            for some in played_together(cases):
                async with trio.open_nursery() as nursery:
                    for case in some:
                        nursery.start_soon(played, ws, vault, case)
            beside.cancel_scope.cancel()

    stage = cast("Stage", Stages())
    registry = Registry([FirstAction(stage), ScriptedCheck(stage), Approve()])
    over = threading.Event()
    failed: list[BaseException] = []

    async def main() -> None:
        try:
            await all_cases()
        except BaseException as error:
            failed.append(error)
        finally:
            over.set()

    with working(
        server, registry, plan_workflow=CaseWorkflow, clock=lambda: WORLD.clock
    ):
        assert WORLD.token is not None
        WORLD.token.run_sync_soon(trio.lowlevel.spawn_system_task, main)
        assert over.wait(500)
    assert not failed, failed

    problems: list[str] = []
    for case in cases:
        run = runs[case.id]
        if isinstance(run, Exception):
            problems.append(f"{case.id}: {case.plan}: {run!r}")
        else:
            found = facts(run, case)
            ends = ends_of(case, ORDERS)
            if found not in ends and found not in ends_of(case, range(12, 100)):
                told = f"{case.id}: {case.plan} | {case.told} | {case.stop_at}"
                problems.append(f"{told}\n  is {found}\n not {ends[0]}")
    assert not problems, f"{len(problems)} of {len(cases)}:\n" + "\n".join(problems)
