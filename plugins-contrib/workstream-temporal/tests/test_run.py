"""Plans on a real server: run, read, told, gone on with in new histories, removed."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import pytest
import trio
from short_histories import with_flight
from temporalio import workflow
from temporalio.client import Client

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Outcome,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    Status,
    Workstream,
    find,
    late,
    open_store,
    open_workstream,
)
from workstream._plan.walk import position_of
from workstream.errors import LockedError
from workstream.results import PlanSnapshot, StateChange
from workstream_temporal._names import PLAN, workflow_id
from workstream_temporal._plan_workflow import PlanWorkflow

pytestmark = pytest.mark.slow  # it starts a cluster

if TYPE_CHECKING:
    from temporal_server import Server

SECRET = "correct horse battery staple"

Working = Callable[..., AbstractContextManager[None]]


@attrs.frozen
class Do:
    """Asks for something."""

    what: str = "pass"
    token: SecretRef | None = None


@attrs.frozen
class Done:
    """What was done."""

    what: str


class Doing(ActionPlugin[Do, Done]):
    """Does it."""

    name = "test.do"

    async def execute(self, context: Context, request: Do, /) -> Done:
        """Say so, wait for a signal, or fail."""
        context.report(f"does {request.what}")
        if request.token is not None:
            message = f"refused {request.token.reveal()}"
            raise PluginError(message, permanent=True)
        if request.what == "wait":
            await context.signal("go")
        if request.what == "remember":
            await context.remember(place="shelf 4")
        if request.what == "fail" and context.attempt == 1:
            message = "not yet"
            raise PluginError(message)
        return Done(f"{request.what} {dict(context.notes)}")


REGISTRY = [Doing()]


@workflow.defn(name=PLAN)
class ShortWorkflow(PlanWorkflow):
    """A plan whose histories are short."""

    runtime = with_flight(events=40)

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)


@pytest.fixture(name="store", scope="module")
def store_with_a_worker(server: Server, working: Working) -> Generator[str]:
    """A cluster with one worker at work."""
    with working(server, Registry(REGISTRY)):
        yield server.store


def on(store: str, scenario: Callable[[Workstream], Any]) -> Any:
    """Run a scenario with the cluster opened."""

    async def main() -> Any:
        async with open_workstream(store, registry=Registry(REGISTRY)) as ws:
            with trio.fail_after(120):
                return await scenario(ws)

    return trio.run(main)


def plan_of(*whats: str, **fields: Any) -> Plan:
    """A plan of one sequence that does this."""
    return Plan(
        name="plan",
        description="A plan.",
        blocks=[
            Block(
                name="block",
                description="A block.",
                sequences=[
                    Sequence(
                        name="sequence",
                        actions=[
                            Doing.action(Do(what), name=what, retries=1)
                            for what in whats
                        ],
                    )
                ],
            )
        ],
        **fields,
    )


async def until(ws: Workstream, plan_id: UUID, label: str, status: Status) -> None:
    """Return when the action of this label has come to a status."""
    path = f"plan / block / sequence / {label}"
    async with aclosing(ws.watch(plan_id)) as events:
        async for event in events:
            if isinstance(event, PlanSnapshot):
                state = find(event.plan, path).state
            elif isinstance(event, StateChange) and event.path == path:
                state = event.state
            else:
                continue
            if state.status is status:
                return


def test_a_plan_is_run_and_read(store: str) -> None:
    """Its responses, notes, attempts and lines are there for whoever opens the cluster."""

    async def scenario(ws: Workstream) -> None:
        plan = plan_of("remember", "fail")
        first, second = plan.blocks[0].sequences[0].actions
        first.key = "first"
        second.request = late(Do)(what=Doing.response("first").what)

        ended = await ws.run(plan)

        assert ended.outcome is Outcome.COMPLETED
        first, second = ended.blocks[0].sequences[0].actions
        assert first.response == Done("remember {'place': 'shelf 4'}")
        assert first.attempts[0].notes == {"place": "shelf 4"}
        assert second.response == Done("remember {'place': 'shelf 4'} {}")
        assert ended.id is not None
        async with open_store(store) as plans:
            lines = await plans.lines(ended.id, position_of(first))
            assert [line.text for line in lines] == ["does remember"]
            found = await plans.find(str(ended.id))
            assert found.row.outcome is Outcome.COMPLETED

    on(store, scenario)


def test_an_attempt_that_failed_is_tried_again(store: str) -> None:
    """By the policy of its plugin, which only the starter and the worker have."""

    async def scenario(ws: Workstream) -> None:
        ended = await ws.run(plan_of("fail"))

        [action] = ended.blocks[0].sequences[0].actions
        assert [str(each.error) for each in action.attempts] == ["not yet", "None"]

    on(store, scenario)


def test_a_plan_is_told_things(store: str) -> None:
    """A pause holds it, a signal reaches an attempt, a stop cuts another."""

    async def scenario(ws: Workstream) -> None:
        plan_id = await ws.submit(plan_of("wait", "pass", "wait"))
        await ws.start(plan_id)
        await until(ws, plan_id, "wait [1]", Status.RUNNING)
        await ws.pause(plan_id, reason="lunch")
        await ws.signal(plan_id, "plan / block / sequence / wait [1]", "go")
        await until(ws, plan_id, "wait [1]", Status.COMPLETED)
        plan = await ws.plan(plan_id)
        assert [told.reason for told in plan.held] == ["lunch"]
        assert plan.blocks[0].sequences[0].actions[1].state.status is Status.NOT_STARTED
        await ws.unpause(plan_id)
        await until(ws, plan_id, "wait [2]", Status.RUNNING)
        await ws.stop(plan_id, now=True)

        ended = await ws.wait(plan_id)

        assert ended.outcome is Outcome.STOPPED
        last = ended.blocks[0].sequences[0].actions[-1]
        assert last.attempts[-1].interrupted

    on(store, scenario)


def test_a_freeze_holds_every_plan(store: str) -> None:
    """Also one that is started under it."""

    async def scenario(ws: Workstream) -> None:
        await ws.freeze(reason="pager")
        plan_id = await ws.submit(plan_of("pass"))
        await ws.start(plan_id)
        async with aclosing(ws.watch(plan_id)) as events:
            async for event in events:
                if getattr(event, "held", ()) or (
                    isinstance(event, PlanSnapshot) and event.plan.held
                ):
                    break
        plan = await ws.plan(plan_id)
        assert not plan.blocks[0].sequences[0].actions[0].attempts
        await ws.unfreeze()

        assert (await ws.wait(plan_id)).outcome is Outcome.COMPLETED

    on(store, scenario)


def test_locks_keep_plans_apart(store: str) -> None:
    """Until the holder has ended."""

    async def scenario(ws: Workstream) -> None:
        first = await ws.submit(plan_of("wait", locks=("tier",)))
        await ws.start(first)
        second = await ws.submit(plan_of("pass", locks=("tier",)))
        with pytest.raises(LockedError, match="tier"):
            await ws.start(second)
        await ws.stop(first, now=True)
        await ws.wait(first)
        await ws.delete(first)

        await ws.start(second, when_locked="wait")

        assert (await ws.wait(second)).outcome is Outcome.COMPLETED

    on(store, scenario)


def test_no_history_holds_a_secret(
    server: Server, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked up in the worker, and hidden in what the plugin says."""
    monkeypatch.setenv("THE_TOKEN", SECRET)

    async def scenario(ws: Workstream) -> UUID:
        plan = plan_of("tell")
        action = plan.blocks[0].sequences[0].actions[0]
        action.request = Do("tell", SecretRef("env:THE_TOKEN"))
        ended = await ws.run(plan)
        [action] = ended.blocks[0].sequences[0].actions
        assert "[secret hidden]" in str(action.attempts[0].error)
        assert ended.id is not None
        return ended.id

    plan_id = on(store, scenario)
    payloads = asyncio.run(payloads_of(server, workflow_id(plan_id)))
    assert len(payloads) > 5
    assert any(b"env:THE_TOKEN" in each for each in payloads)
    assert not any(SECRET.encode() in each for each in payloads)


async def payloads_of(server: Server, workflow: str) -> list[bytes]:
    """All that a history holds, as plain bytes."""
    target, _, namespace = server.location.partition("/")
    client = await Client.connect(target, namespace=namespace)
    history = await client.get_workflow_handle(workflow).fetch_history()
    found: list[bytes] = []
    for event in history.events:
        found.append(event.SerializeToString())
        for data in re.findall(rb"\x02\x78[\x01\x5e\x9c\xda].*", found[-1], re.DOTALL):
            with suppress(zlib.error):
                found.append(zlib.decompressobj().decompress(data[1:]))
    return found


def test_a_long_plan_goes_on_in_new_histories(
    tmp_path: Path, new_server: Callable[[Path], Server], working: Working
) -> None:
    """Nothing is lost or done twice, and each history is short."""
    server = new_server(tmp_path)
    whats = [f"step {number}" for number in range(40)]

    async def scenario(ws: Workstream) -> None:
        ended = await ws.run(plan_of(*whats))

        steps = ended.blocks[0].sequences[0].actions
        assert [len(each.attempts) for each in steps] == [1] * 40
        assert [each.response for each in steps] == [Done(f"{w} {{}}") for w in whats]
        assert ended.id is not None
        lines = [await ws.lines(ended.id, position_of(each)) for each in steps]
        assert [[line.text for line in each] for each in lines] == [
            [f"does {what}"] for what in whats
        ]

    with working(server, Registry(REGISTRY), plan_workflow=ShortWorkflow):
        on(server.store, scenario)
    lengths = asyncio.run(history_lengths(server))
    assert len(lengths) > 3
    assert max(lengths) < 80


async def history_lengths(server: Server) -> list[int]:
    """How many events each history of a plan has."""
    target, _, namespace = server.location.partition("/")
    client = await Client.connect(target, namespace=namespace)
    found = client.list_workflows(f"WorkflowType = '{PLAN}'")
    return [each.history_length or 0 async for each in found]
