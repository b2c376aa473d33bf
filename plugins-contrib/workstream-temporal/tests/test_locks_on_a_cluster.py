"""Locks on a cluster: never two that hold one, whatever stands between asking and running."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
)
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import pytest
import trio
from temporalio import workflow

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Outcome,
    Plan,
    Registry,
    Sequence,
    Status,
    Workstream,
    open_workstream,
)
from workstream.errors import LockedError
from workstream.vaults import Vault
from workstream_temporal._cluster.connection import Connection
from workstream_temporal._cluster.sharing import Shared
from workstream_temporal._names import PLAN, workflow_id
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._vault import TemporalVault

if TYPE_CHECKING:
    from temporal_server import Server

pytestmark = pytest.mark.slow  # it starts a cluster

Working = Callable[..., AbstractContextManager[None]]


@attrs.frozen
class Wait:
    """Asks to wait."""


class Waiting(ActionPlugin[Wait, None]):
    """Waits to be told to go on."""

    name = "test.wait"

    async def execute(self, context: Context, request: Wait, /) -> None:
        """Wait for the signal."""
        await context.signal("go")


REGISTRY = [Waiting()]


def plan_of(name: str, *locks: str) -> Plan:
    """A plan that goes on until it is told."""
    actions = [Waiting.action(Wait(), name="wait")]
    sequence = Sequence(name="sequence", actions=actions)
    return Plan(name=name, blocks=[Block(name="b", sequences=[sequence])], locks=locks)


def on(
    server: Server,
    working: Working,
    scenario: Callable[[Workstream], Any],
    **settings: Any,
) -> None:
    """Run a scenario on the cluster, with a worker of these settings."""

    async def main() -> None:
        async with opened(server.store) as ws:
            with trio.fail_after(120):
                await scenario(ws)

    with working(server, Registry(REGISTRY), **settings):
        trio.run(main)


def opened(store: str | Vault) -> AbstractAsyncContextManager[Workstream]:
    """The cluster, opened by one more person."""
    return open_workstream(store, registry=Registry(REGISTRY))


@asynccontextmanager
async def connected(server: Server) -> AsyncGenerator[Connection]:
    """A connection for what no person of ours does."""
    connection = Connection(server.location)
    await connection.open()
    try:
        yield connection
    finally:
        connection.close()


class GatedVault(TemporalVault):
    """Stands still between the look at the plan's locks and the start of its run."""

    def __init__(self, location: str) -> None:
        """Make it, with its gate shut."""
        super().__init__(location)
        self.at_the_gate, self.gate = trio.Event(), trio.Event()

    async def _update(self, plan_id: UUID, name: str, given: bytes) -> Any:
        if name == "start":
            self.at_the_gate.set()
            await self.gate.wait()
        return await super()._update(plan_id, name, given)


def test_of_two_that_start_at_once_one_runs(server: Server, working: Working) -> None:
    """One that stands still on its way in keeps nobody out, nor gets in behind (LK-1)."""

    async def scenario(ws: Workstream) -> None:
        slow = GatedVault(server.location)
        refused: list[LockedError] = []
        first = await ws.submit(plan_of("first", "tier"))
        second = await ws.submit(plan_of("second", "tier"))

        async def start_slowly() -> None:
            async with opened(slow) as other:
                try:
                    await other.start(first)
                except LockedError as error:
                    refused.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start_slowly)
            await slow.at_the_gate.wait()
            await ws.start(second)
            slow.gate.set()

        [error] = refused
        assert error.holder == second
        assert (await ws.plan(first)).state.status is Status.NOT_STARTED
        await ws.signal(second, "second / b / sequence / wait", "go")
        assert (await ws.wait(second)).outcome is Outcome.COMPLETED

    on(server, working, scenario)


@workflow.defn(name=PLAN)
class GatedWorkflow(PlanWorkflow):
    """A plan that stands still between the answer of the store and its beginning."""

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)
        self._open = False

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)

    @workflow.signal(name="open")
    def open(self) -> None:
        """Let it begin."""
        self._open = True

    async def _lock(self, names: tuple[str, ...]) -> list[Any] | None:
        taken = await super()._lock(names)
        if taken is None:
            await workflow.wait_condition(lambda: self._open)
        return taken


async def refused(ws: Workstream, plan_id: UUID, holder: UUID) -> bool:
    """Whether a start is refused because of this holder; it is not begun here."""
    try:
        await ws.start(plan_id)
    except LockedError as error:
        return error.holder == holder
    raise AssertionError


def test_a_lock_is_held_before_its_plan_runs(server: Server, working: Working) -> None:
    """Who has it and has not begun is no dead one: nobody gets in between (LK-1)."""

    async def scenario(ws: Workstream) -> None:
        first = await ws.submit(plan_of("first", "gate"))
        second = await ws.submit(plan_of("second", "gate"))

        async def start_first() -> None:
            async with opened(server.store) as other:
                await other.start(first)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start_first)
            async with connected(server) as connection:
                shared, client = Shared(connection), connection.client
                while await shared.holder(second, ["gate"]) is None:
                    pass  # asking the server takes its time
                state = (await ws.plan(first)).state
                assert state.status is Status.NOT_STARTED
                assert await refused(ws, second, first)
                held = client.get_workflow_handle(workflow_id(first))
                await connection.ask(held.signal("open"))

        assert (await ws.plan(first)).state.status is Status.RUNNING
        assert await refused(ws, second, first)
        await ws.stop(first, now=True)
        await ws.wait(first)

    on(server, working, scenario, plan_workflow=GatedWorkflow)


def test_a_holder_that_was_terminated_holds_nothing(
    server: Server, working: Working
) -> None:
    """The server knows that its workflow has ended, though it said nothing (LK-1)."""

    async def scenario(ws: Workstream) -> None:
        first = await ws.submit(plan_of("first", "crypt"))
        second = await ws.submit(plan_of("second", "crypt"))
        await ws.start(first)
        assert await refused(ws, second, first)
        async with connected(server) as connection:
            held = connection.client.get_workflow_handle(workflow_id(first))
            await connection.ask(held.terminate("an operator's word"))

        await ws.start(second)

        await ws.stop(second, now=True)
        assert (await ws.wait(second)).outcome is Outcome.STOPPED

    on(server, working, scenario)


def test_those_who_wait_go_in_order(server: Server, working: Working) -> None:
    """Of several in several programs, the one that was submitted first (LK-1)."""

    async def scenario(ws: Workstream) -> None:
        plans = [await ws.submit(plan_of(f"plan {n}", "queue")) for n in range(3)]
        await ws.start(plans[0])
        waiting: dict[UUID, trio.Event] = {each: trio.Event() for each in plans}

        async def wait_for(plan_id: UUID) -> None:
            def tell(_: LockedError) -> None:
                waiting[plan_id].set()

            async with opened(server.store) as other:
                await other.start(plan_id, when_locked="wait", on_wait=tell)

        async with trio.open_nursery() as nursery:
            for each in reversed(plans[1:]):  # the later one waits for longer
                nursery.start_soon(wait_for, each)
                await waiting[each].wait()
            for each, following in zip(plans, [*plans[1:], None], strict=True):
                await running(ws, each)
                if following is not None:
                    row = (await ws.plan(following)).state
                    assert row.status is Status.NOT_STARTED
                await ws.stop(each, now=True)
                await ws.wait(each)

    on(server, working, scenario)


async def running(ws: Workstream, plan_id: UUID) -> None:
    """Return when the plan runs."""
    while (await ws.plan(plan_id)).state.status is Status.NOT_STARTED:
        await trio.lowlevel.checkpoint()
