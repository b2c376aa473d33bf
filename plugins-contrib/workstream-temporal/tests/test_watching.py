"""Continuous checks on a cluster: one activity that loops where its worker is."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import pytest
import trio
from temporalio.client import Client

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    Plan,
    PluginError,
    Registry,
    Sequence,
    Status,
    Workstream,
    open_workstream,
)
from workstream.results import FailureReason
from workstream_temporal._names import WATCH, workflow_id

if TYPE_CHECKING:
    from temporal_server import Server

Working = Callable[..., AbstractContextManager[None]]


@attrs.define
class Looks:
    """What the checks of a test do.

    Attributes:
        fails: The runs that fail, from 1.
        enough: How many runs there are to be.
        runs: How many there were.
        over: Whether that was enough.
        warm: Whether there were some.
    """

    fails: frozenset[int] = frozenset()
    enough: int = 20
    runs: int = 0
    over: threading.Event = attrs.Factory(threading.Event)
    warm: threading.Event = attrs.Factory(threading.Event)


LOOKS: dict[str, Looks] = {}
"""By the names of plans."""


class Look(CheckPlugin[None, None]):
    """Count, and fail when it is to."""

    name = "watching.look"

    async def execute(self, context: Context, request: None, /) -> None:
        """Look."""
        looks = LOOKS[context.path.partition(" / ")[0]]
        looks.runs += 1
        if looks.runs >= 10:
            looks.warm.set()
        if looks.runs >= looks.enough:
            looks.over.set()
        if looks.runs in looks.fails:
            message = f"run {looks.runs}"
            raise PluginError(message)


class Work(ActionPlugin[None, None]):
    """Go on until there were enough runs."""

    name = "watching.work"

    async def execute(self, context: Context, request: None, /) -> None:
        """Do it."""
        looks = LOOKS[context.path.partition(" / ")[0]]
        await trio.to_thread.run_sync(looks.over.wait, abandon_on_cancel=True)


REGISTRY: tuple[Look, Work] = (Look(), Work())


def watched(name: str, *, retries: int = 0, more: int = 0, **settings: Any) -> Plan:
    """A plan that is watched while it works, and that has more to do."""
    look = Look.action(None, name="look", retries=retries)
    return Plan(
        name=name,
        blocks=[
            Block(
                name="tier",
                cont_checks=Checks(delay=0.01, actions=[look], **settings),
                sequences=[
                    Sequence(name=f"s{n}", actions=[Work.action(None, name="work")])
                    for n in range(1 + more)
                ],
            )
        ],
    )


def on(server: Server, plan: Plan) -> Plan:
    """Run a plan."""

    async def main() -> Plan:
        async with open_workstream(server.store, registry=Registry(REGISTRY)) as ws:
            return await ws.run(plan)

    return trio.run(main)


async def activities_of(server: Server, plan: Plan) -> Counter[str]:
    """How many activities of each type the plan's history has."""
    assert plan.id is not None
    target, _, namespace = server.location.partition("/")
    client = await Client.connect(target, namespace=namespace)
    handle = client.get_workflow_handle(workflow_id(plan.id))
    found: Counter[str] = Counter()
    async for event in handle.fetch_history_events():
        kind = event.activity_task_scheduled_event_attributes.activity_type.name
        found.update([kind] if kind else ["events"])
    return found


def test_runs_that_pass_cost_no_events(server: Server, working: Working) -> None:
    """However many runs there were, one activity made them; the last is recorded."""
    looks = LOOKS["passes"] = Looks(enough=100)
    with working(server, Registry(REGISTRY)):
        ended = on(server, watched("passes"))

    assert looks.runs >= 100
    found = asyncio.run(activities_of(server, ended))
    assert found[WATCH] == 1
    assert found.total() < 60
    group = ended.blocks[0].cont_checks
    assert group is not None
    assert group.state.status is Status.COMPLETED
    assert len(group.actions[0].attempts) == 1


def test_a_run_that_fails_stops_what_it_guards(
    server: Server, working: Working
) -> None:
    """Nothing more of the block begins (K-2, Q-4)."""
    looks = LOOKS["fails"] = Looks(fails=frozenset(range(10, 999)), enough=15)
    looks.enough = 10
    with working(server, Registry(REGISTRY)):
        ended = on(server, watched("fails", more=2))

    assert ended.state.status is Status.FAILED
    assert ended.reasons == (FailureReason.BLOCK,)
    group = ended.blocks[0].cont_checks
    assert group is not None
    assert group.state.status is Status.FAILED
    assert looks.runs == 10
    assert str(group.actions[0].error) == "run 10"


def test_a_run_is_retried_as_any_other(server: Server, working: Working) -> None:
    """A run whose first attempt fails goes on with the next attempt; so does the loop."""
    looks = LOOKS["again"] = Looks(fails=frozenset({5, 8}), enough=30)
    with working(server, Registry(REGISTRY)):
        ended = on(server, watched("again", retries=1))

    assert ended.state.status is Status.COMPLETED
    assert looks.runs >= 30
    assert asyncio.run(activities_of(server, ended))[WATCH] == 3


def test_failed_runs_are_counted(server: Server, working: Working) -> None:
    """Runs that fail one after the other halt the block, and no others (BG-4)."""
    LOOKS["missed"] = Looks(fails=frozenset({5, 7, 20, 21}), enough=21)
    with working(server, Registry(REGISTRY)):
        ended = on(server, watched("missed", more=1, failures_before_halt=2))

    assert ended.state.status is Status.FAILED
    group = ended.blocks[0].cont_checks
    assert group is not None
    assert group.missed == 2
    assert str(group.actions[0].error) == "run 21"


def test_another_worker_goes_on_to_watch(server: Server, working: Working) -> None:
    """A worker that ends takes no check with it: the run is made again (R-9)."""
    looks = LOOKS["lost"] = Looks(enough=10_000)

    async def begin(ws: Workstream) -> UUID:
        plan_id = await ws.submit(watched("lost"))
        await ws.start(plan_id)
        return plan_id

    async def end(ws: Workstream) -> Plan:
        return await ws.wait(plan_id)

    async def main(then: Callable[[Workstream], Any]) -> Any:
        async with open_workstream(server.store, registry=Registry(REGISTRY)) as ws:
            return await then(ws)

    with working(server, Registry(REGISTRY)):
        plan_id = trio.run(main, begin)
        looks.warm.wait()
    before = looks.runs
    looks.enough = before + 20
    with working(server, Registry(REGISTRY)):
        ended = trio.run(main, end)
    assert ended.state.status is Status.COMPLETED
    assert looks.runs >= before + 20


def test_the_loop_ends_with_what_it_watches(server: Server, working: Working) -> None:
    """A wait ends at once (K-6), be it an hour."""
    LOOKS["ends"] = Looks(enough=1)
    plan = watched("ends")
    group = plan.blocks[0].cont_checks
    assert group is not None
    group.delay = 3600
    with working(server, Registry(REGISTRY)):
        ended = on(server, plan)
    assert ended.state.status is Status.COMPLETED


pytestmark = pytest.mark.slow
