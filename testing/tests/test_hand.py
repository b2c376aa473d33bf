"""What people tell a plan, at every moment, in every state, and across every crash."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from uuid import UUID

import attrs
import pytest
import trio
from quickly import one_in

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.crashes import (
    Crash,
    broken_promises,
    differences,
    recover,
    run_watched,
)
from _workstream_testing.conformance.world import World
from _workstream_testing.notation.notation import parse
from _workstream_testing.notation.tellings import parse_told
from _workstream_testing.simulation.simulator import finish
from _workstream_testing.simulation.told import Told
from workstream import Plan, Status
from workstream._engine.engine import Workstream
from workstream._plan.walk import walk
from workstream._vaults.memory_vault import MemoryVault
from workstream.errors import (
    PlanError,
    StorageError,
    ValidationError,
)
from workstream.results import Answer, BaseAction, Effect, Verb


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


# -- Crashes ---------------------------------------------------------------------------


def was_started(crash: Crash) -> bool:
    """Whether the plan ran already: else nobody recovers it."""
    [row] = finish(MemoryVault.restored(crash.stored).search())
    return row.status is not Status.NOT_STARTED


def later(told: list[Told], crash: Crash, began: float) -> list[Told]:
    """What is still to be said after a crash: at the same distance from its end."""
    if told[-1].verb is Verb.PAUSE:
        # Without a crash its plan was over before; a recovery waits for it (HO-5).
        told = [*told, Told(told[-1].at + 1000, Verb.UNPAUSE)]
    return [
        attrs.evolve(each, at=max(each.at - began, 0.001))
        for each in told
        if each.at > began
    ]


TOLD = [case for case in CASES if case.told]


@pytest.mark.parametrize("case", one_in(25, TOLD), ids=lambda case: case.id)
def test_a_crash_at_any_write_keeps_every_promise(case: Case) -> None:
    """What was taken stays taken; nothing that ended is called again (CT-2, HO-5)."""
    notation = parse(case.plan)
    told = parse_told(case.told, notation)
    whole = run_watched(case.plan, seed=0, told=case.told, found_after=case.found_after)
    crashes = list(filter(was_started, whole.crashes))
    assert crashes
    for crash in crashes:
        passed = (crash.at - whole.end.began).total_seconds()
        recovery = recover(
            notation, crash, downtime=0.0, seed=0, says=later(told, crash, passed)
        )
        assert broken_promises(recovery) == [], f"{case.id}, a crash at {passed:g}"
        found = recovery.found
        assert found is not None
        kept = recovery.end.plan.interventions[: len(found.interventions)]
        assert kept == found.interventions


TWO_BLOCKS = (
    "cont(d=3)[k ok] da[r(always) ok@1] def[w]"
    " B1(conc=2): pre[p] s1[a ok@1; b ok@1] then[x(always) ok@1; u(on_undo)[y]]"
    " s2 ok@1; s4[e ok@2] then[z(on_undo)] post[q]"
    " B2: s3[c ok@1; d] def[v]"
)
SAYINGS = (
    *("pause", "stop", "stop now", "stop undo", "freeze"),
    *("skip s2", "skip B2", "skip B1.post", "skip r", "skip d"),
    *("set_limits B1 concurrency=3", "set_limits B1 tolerated_failures=1"),
    "signal d",
)
MOMENTS = (0, 0.5, 1, 1.5, 2, 3, 3.5, 4.5, 5)
TURNS = 3
"""A crash before a moment leaves the same, whatever is to be said then: each saying takes
another third of these crashes, and the sayings of each moment together all of them."""


@pytest.mark.parametrize(
    ("saying", "moment"),
    one_in(80, [(saying, moment) for moment in MOMENTS for saying in SAYINGS]),
)
def test_each_verb_at_each_moment_survives_each_crash(
    saying: str, moment: float
) -> None:
    """The end is the same; nothing begins under a hold; nothing completed runs twice."""
    told = f"at {moment} {saying}"
    if saying in ("pause", "freeze"):
        told += f"; at {moment + 20} un{saying}"
    notation = parse(TWO_BLOCKS)
    says = parse_told(told, notation)
    whole = run_watched(TWO_BLOCKS, seed=0, told=told)
    assert list(begun_under_hold(whole.end.plan)) == []
    turn = SAYINGS.index(saying) + MOMENTS.index(moment)
    for number, crash in enumerate(filter(was_started, whole.crashes)):
        passed = (crash.at - whole.end.began).total_seconds()
        if passed < moment and (number + turn) % TURNS:
            continue
        recovery = recover(
            notation, crash, downtime=0.0, seed=0, says=later(says, crash, passed)
        )
        problems = broken_promises(recovery)
        # What is said later finds the rerun elsewhere: only what was taken is settled.
        # Nor, under a stop, what was in flight: it is not run again.
        cut = saying.startswith("stop") and is_in_flight(recovery.found)
        if passed > moment and saying != "stop now" and not cut:
            problems = differences(whole.end, recovery)
        problems += begun_under_hold(recovery.end.plan)
        assert problems == [], f"{told}, a crash at {passed:g}"


def is_in_flight(plan: Plan | None) -> bool:
    """Whether an action of the plan runs, by what is stored."""
    return plan is not None and any(
        isinstance(item.node, BaseAction) and item.node.state.status is Status.RUNNING
        for item in walk(plan)
    )


def begun_under_hold(plan: object) -> Iterator[str]:
    """What was begun while the plan was held, by what is stored of it (HO-1)."""
    from workstream._values.interventions import held_time

    assert isinstance(plan, Plan)
    moment = timedelta(microseconds=1)
    for item in walk(plan):
        node = item.node
        watching = any(node is each for each in _watching(plan))
        if not isinstance(node, BaseAction) or watching:
            continue
        for attempt in node.attempts:
            since = attempt.started - moment
            # Held a moment before it began, and a moment after: so held as it began.
            if held_time(plan.interventions, since, attempt.started + moment) > moment:
                yield f"{node.name} was begun under a hold, at {attempt.started}"


def _watching(plan: object) -> Iterator[object]:
    assert isinstance(plan, Plan)
    groups = [plan.cont_checks, *(block.cont_checks for block in plan.blocks)]
    for group in groups:
        if group is not None:
            yield from group.actions


# -- Verbs and states ------------------------------------------------------------------

Say = Callable[[Workstream, UUID], Awaitable[object]]

VERBS: dict[str, Say] = {
    "pause": lambda ws, plan_id: ws.pause(plan_id),
    "unpause": lambda ws, plan_id: ws.unpause(plan_id),
    "skip": lambda ws, plan_id: ws.skip(plan_id, "plan / B2"),
    "limits": lambda ws, plan_id: ws.set_limits(plan_id, "plan / B1", concurrency=3),
    "signal": lambda ws, plan_id: ws.signal(plan_id, "plan / B1 / s1 / b", "go"),
    "approve": lambda ws, plan_id: ws.approve(plan_id, by="ana"),
    "reject": lambda ws, plan_id: ws.reject(plan_id, by="ana"),
    "rest": lambda ws, plan_id: ws.rest(plan_id),
    "resume": lambda ws, plan_id: ws.resume(plan_id),
    "delete": lambda ws, plan_id: ws.delete(plan_id),
    "stop": lambda ws, plan_id: ws.stop(plan_id),
    "stop now": lambda ws, plan_id: ws.stop(plan_id, now=True),
    "abandon": lambda ws, plan_id: ws.abandon(plan_id),
    "exempt": lambda ws, plan_id: ws.exempt(plan_id),
}
STATES = (
    *("new", "running", "paused", "frozen", "stopping"),
    *("crashed", "completed", "failed", "stopped"),
)
REFUSED = "refused"
_OVER = (REFUSED, REFUSED, REFUSED)
_STOP = ("NOT_STARTED", *["RUNNING"] * 5, "COMPLETED", "FAILED", "STOPPED")
TABLE: dict[str, tuple[str, ...]] = {
    "pause": (*("taken", "taken", "unchanged", "taken", REFUSED, "pending", *_OVER),),
    "unpause": (
        *("unchanged", "unchanged", "taken", "unchanged", "unchanged"),
        *("unchanged", *_OVER),
    ),
    "skip": ("taken", "taken", "taken", "taken", "too late", "pending", *_OVER),
    "limits": ("taken", "taken", "taken", "taken", "taken", "pending", *_OVER),
    "signal": ("taken", "taken", "taken", "taken", "too late", "pending", *_OVER),
    "approve": ("taken", "taken", "taken", "taken", "too late", "pending", *_OVER),
    "reject": ("taken", "taken", "taken", "taken", "too late", "pending", *_OVER),
    "rest": (*[REFUSED] * 7, "B1, B2", "B1, B2"),
    "resume": (REFUSED, *["done"] * 8),
    "delete": ("done", *[REFUSED] * 5, "done", "done", "done"),
    "stop": _STOP,
    "stop now": _STOP,
    "abandon": (*[REFUSED] * 5, "FAILED", *_OVER),
    "exempt": (REFUSED, REFUSED, REFUSED, "True", *[REFUSED] * 5),
}


def told_so(answer: object) -> str:
    """What became of it, in a word."""
    if answer is None:
        return "done"
    if isinstance(answer, Plan) and answer.id is None:
        return ", ".join(block.name for block in answer.blocks)  # what is left to do
    if isinstance(answer, Status):
        return answer.name
    if isinstance(answer, Answer):
        if answer.unchanged:
            return "unchanged"
        return (
            "pending"
            if answer.intervention is None
            else answer.intervention.effect.value
        )
    state = getattr(answer, "state", None)
    return str(answer) if state is None else str(state.status.name)


@pytest.mark.parametrize(
    ("verb", "state"), one_in(4, [(verb, state) for verb in VERBS for state in STATES])
)
def test_each_verb_in_each_state(verb: str, state: str) -> None:
    """It is taken, changes nothing, or is refused by an error that names the state."""
    world = World()
    approval = "post[k(ask=1)] B2"
    text = f"B1: s1[a ok@9; b] {approval}"
    ended = {"completed": "B1: s1[a; b] B2", "failed": "B1: s1[a err; b] B2"}

    async def scenario() -> str:
        if state == "crashed":
            plan_id = await world.crashed(
                f"plan=R: B1=R: s1=R[a=R{{open}} ok; b] {approval}"
            )
            async with world.engine(recover=False) as ws:
                return await said(ws, plan_id)
        async with world.engine() as ws:
            if state == "new":
                plan_id = await ws.submit(parse(text).plan)
                return await said(ws, plan_id)
            plan_id = await world.start(ws, ended.get(state, text))
            if state in ended:
                await ws.wait(plan_id)
                return await said(ws, plan_id)
            if state == "frozen":
                await ws.freeze()
            if state == "paused":
                await ws.pause(plan_id)
            await trio.sleep(1)
            if state in ("stopping", "stopped"):
                await ws.stop(plan_id)
            if state == "stopped":
                await ws.wait(plan_id)
            return await said(ws, plan_id)

    async def said(ws: Workstream, plan_id: UUID) -> str:
        try:
            return told_so(await VERBS[verb](ws, plan_id))
        except PlanError as error:
            return REFUSED if error.plan_id == plan_id and str(error) else "wrong"
        except StorageError as error:  # what keeps a plan knows it by its id alone
            return REFUSED if str(plan_id) in str(error) else "wrong"

    assert world.clock.run(scenario) == TABLE[verb][STATES.index(state)]


def test_a_stranger_is_told_so() -> None:
    """No verb takes an id that the store does not have for a plan."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            for say in VERBS.values():
                with pytest.raises(PlanError):
                    await say(ws, UUID(int=7))

    world.clock.run(scenario)


@pytest.mark.slow
def test_five_hundred_interventions_are_kept_in_order() -> None:
    """A plan bears them, and a store gives them back as they were (CT-1)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@9; b]")
            for number in range(250):
                await ws.pause(plan_id, reason=f"no {number}", by="ana")
                await ws.unpause(plan_id, reason=f"no {number}", by="ben")
            plan = await ws.wait(plan_id)
        assert len(plan.interventions) == 500
        assert [each.verb for each in plan.interventions[:2]] == [
            *(Verb.PAUSE, Verb.UNPAUSE)
        ]
        assert [each.reason for each in plan.interventions[::2]] == [
            f"no {number}" for number in range(250)
        ]
        assert all(each.effect is Effect.TAKEN for each in plan.interventions)
        assert plan == await world.stored(plan_id)

    world.clock.run(scenario)


def test_a_reason_is_kept_as_it_is_or_refused() -> None:
    """Control characters are kept; what is too long is not cut in secret (CT-1)."""
    world = World()
    reason = "\x1b[31mred\x00\n" * 300

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@9; b]")
            with pytest.raises(ValidationError, match="the reason has 100,000 bytes"):
                await ws.pause(plan_id, reason="\x07" * 100_000)
            await ws.pause(plan_id, reason=reason)
            await ws.unpause(plan_id)
            plan = await ws.wait(plan_id)
        assert [each.reason for each in plan.interventions] == [reason, ""]

    world.clock.run(scenario)


def test_two_say_the_opposite_at_once() -> None:
    """Both are taken, in their order; the later one holds (CT-2)."""
    world = World()

    async def scenario() -> None:
        async with world.engine() as ws:
            plan_id = await world.start(ws, "B1: s1[a ok@1; b]")
            await ws.pause(plan_id, by="ana")
            await ws.unpause(plan_id, by="ben")
            plan = await ws.wait(plan_id)
        assert [each.by for each in plan.interventions] == ["ana", "ben"]
        assert plan.state.status is Status.COMPLETED

    world.clock.run(scenario)


def test_a_verb_during_downtime_is_taken_by_the_recovery() -> None:
    """What is asked while no engine runs the plan is pending, and then taken first."""
    world = World()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: B1=R: s1=R[a=R{open} ok; b] s2")
        async with world.engine(recover=False) as ws:
            answer = await ws.skip(plan_id, "plan / B1 / s2", reason="no time")
            assert answer.pending is not None
            assert [each.verb for each in await ws.requests(plan_id)] == ["skip"]
        async with world.engine() as ws:
            plan = await ws.wait(plan_id)
            assert await ws.requests(plan_id) == []
        assert plan.blocks[0].sequences[1].state.status is Status.SKIPPED
        assert [each.effect for each in plan.interventions] == [Effect.TAKEN]

    world.clock.run(scenario)


def test_an_abandoned_plan_has_one_reason_and_can_be_deleted() -> None:
    """Nothing of it is run; its record tells who gave it up (SN-2)."""
    world = World()

    async def scenario() -> None:
        plan_id = await world.crashed("plan=R: da[r(always)] B1=R: s1=R[a=R{open}]")
        async with world.engine(recover=False) as ws:
            plan = await ws.abandon(plan_id, reason="hopeless", by="ana")
            assert plan.state.status is Status.FAILED
            assert [each.name for each in plan.reasons] == ["ABANDONED"]
            [told] = plan.interventions
            assert (told.verb, told.by, told.reason) == (
                Verb.ABANDON,
                "ana",
                "hopeless",
            )
            assert (await world.stored(plan_id)).interventions == plan.interventions
            assert world.stage.trace == []
            await ws.delete(plan_id)

    world.clock.run(scenario)
