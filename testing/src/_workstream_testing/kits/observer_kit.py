"""The observer kit: whether an observer copes with how it may be told things (OB-2, OB-4)."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import aclosing
from uuid import UUID

import attrs

from workstream._engine.engine import open_workstream
from workstream._plan.plan import Block, Checks, Plan
from workstream._plan.plan import Sequence as PlanSequence
from workstream._protocols.observer import Observation, Observer
from workstream._protocols.plugin import ActionPlugin, CheckPlugin, Context
from workstream._protocols.watching import PlanSnapshot, WatchEvent
from workstream._registry.registry import Registry
from workstream._values.state import PluginError
from workstream._vaults.memory_vault import MemoryVault
from workstream.retries import FAST

from ..problems import says_all
from ..virtual.virtual_time import FakeClock
from .plugin_findings import ConformanceError, Finding

__tracebackhide__ = says_all

OBSERVER_NAMES = {
    "whole": "it takes a whole plan in one call",
    "single": "it takes each event in a call of its own, and tells the same (OB-1)",
    "again": "it is told each event twice, and tells the same (OB-2)",
    "crash": "another process goes on anywhere, and tells the same (OB-2)",
    "missed": "it takes the plan as it is where events were missed (OB-4)",
    "close": "it can be closed, also when it was told nothing (OB-5)",
}
"""All that is looked at, by the name that a finding bears."""


def check_observer(
    make: Callable[[], Observer],
    told: Callable[[], object],
    *,
    reset: Callable[[], None] = lambda: None,
) -> None:
    """Tell an observer the history of a plan in every way that an engine may.

    ::

        def test_chat_conforms(server):
            check_observer(Chat, lambda: set(server.messages), reset=server.clear)

    The plan has a check, a retry, a failure that it tolerates and output. It is told at
    once, event by event, each event twice, and by two observers, one after the other, as
    after a crash; and as one snapshot, as where events were missed.

    Args:
        make: Makes an observer, as a process does when it begins.
        told: What the observer has told others, so that it can be compared. What comes
            twice by the same ``plan_id`` and ``position`` counts once: give a set.
        reset: Forgets what was told.

    Raises:
        ConformanceError: It lists all that was found.
    """
    plan_id, first, before, after, events = _history()
    findings: list[Finding] = []

    def seen(plan: Plan, *some: WatchEvent) -> Observation:
        position = first if plan is before else events[-1].position
        return Observation(plan_id=plan_id, plan=plan, position=position, events=some)

    def tell(name: str, *processes: Sequence[Observation]) -> object:
        reset()
        try:
            for calls in processes:
                observer = make()
                for call in calls:
                    observer.observe(call)
                observer.close()
            return told()
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename}:{place.lineno}"
            text = f"it raised {type(error).__name__}: {error} (at {where})"
            findings.append(Finding(name, text))
            return None

    def compare(name: str, *processes: Sequence[Observation]) -> None:
        number = len(findings)
        found = tell(name, *processes)
        if len(findings) == number and found != wanted:
            text = f"it told {found!r}, and in one call {wanted!r}"
            findings.append(Finding(name, text))

    wanted = tell("whole", [seen(before, *events)])
    if not findings:
        singles = [seen(before, each) for each in events]
        compare("single", singles)
        compare("again", [call for each in singles for call in (each, each)])
        for cut in range(1, len(events)):
            # The next process has the plan as it is by then, and the last call again.
            rest = seen(after, *events[cut - 1 :])
            compare("crash", [seen(before, *events[:cut])], [rest])
            if findings:
                break
        end = PlanSnapshot(position=events[-1].position, plan=after, missed=True)
        tell("missed", [seen(after, end)])
        tell("close", [])
    if findings:
        raise ConformanceError(make().name, tuple(findings), kind="observer")


@attrs.frozen
class Work:
    """What to do.

    Attributes:
        what: ``bad`` fails, ``again`` fails once.
    """

    what: str


class Step(ActionPlugin[Work, str]):
    """Does what it is told."""

    name = "kit.step"
    retry = FAST

    async def execute(self, context: Context, request: Work, /) -> str:
        """Report something; fail where asked to."""
        context.report("working", done=1, total=2)
        if request.what == "bad":
            message = "no space left on device"
            raise PluginError(message, code=28, permanent=True)
        if request.what == "again" and context.attempt == 1:
            message = "busy"
            raise PluginError(message)
        return "done"


class Look(CheckPlugin[Work, None]):
    """A check that passes."""

    name = "kit.look"

    async def execute(self, context: Context, request: Work, /) -> None:
        """Pass."""


def _history() -> tuple[UUID, int, Plan, Plan, tuple[WatchEvent, ...]]:
    """A plan as it began, as it ended, and all that happened in between."""
    clock = FakeClock()
    sequences = [
        PlanSequence(
            name=host,
            actions=[Step.action(Work(name), name=name, retries=1) for name in names],
        )
        for host, names in (("web-1", ("good", "again")), ("web-2", ("bad", "never")))
    ]
    plan = Plan(
        name="Deploy",
        pre_checks=Checks(actions=[Look.action(Work(""), name="Balancer answers")]),
        blocks=[
            Block(name="Tier", concurrency=2, tolerated_failures=1, sequences=sequences)
        ],
    )

    async def go() -> tuple[UUID, int, Plan, Plan, tuple[WatchEvent, ...]]:
        registry = Registry([Step(), Look()])
        async with open_workstream(
            MemoryVault(), registry=registry, now=clock.now
        ) as ws:
            plan_id = await ws.submit(plan)
            async with aclosing(ws.watch(plan_id)) as first:
                snapshot = await anext(first)
            assert isinstance(snapshot, PlanSnapshot)
            await ws.start(plan_id)
            after = await ws.wait(plan_id)
            events = [event async for event in ws.watch(plan_id, after=0)]
            return plan_id, snapshot.position, snapshot.plan, after, tuple(events)

    return clock.run(go)
