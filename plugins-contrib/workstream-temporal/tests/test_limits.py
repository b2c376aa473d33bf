"""The limits of a cluster hold, whatever a plan asks for; read off real histories."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import pytest
import trio
from short_histories import ShortWorkflow, with_flight
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)

from workstream import (
    Action,
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
    late,
    open_workstream,
)
from workstream._plan.walk import actions, position_of
from workstream.errors import PlanRefusedError
from workstream.retries import RetryPolicy
from workstream_temporal._limits.shelves import KEPT
from workstream_temporal._limits.steps import STEP
from workstream_temporal._names import PLAN, workflow_id
from workstream_temporal._plan_workflow import PlanWorkflow

if TYPE_CHECKING:
    from temporal_server import Server

Working = Callable[..., AbstractContextManager[None]]

EVENTS, SIZE = 10_240, 10_000_000
"""Of a history: with more, a server warns."""
PAYLOAD = 2_000_000
"""Bytes of a payload: a server takes no more."""
WORK = 100 * STEP
"""Calls of functions that one activation may make: some tenths of a second."""


@attrs.frozen
class Fill:
    """A request with something in it."""

    text: str
    size: int = 0


@attrs.frozen
class Filled:
    """A response with something in it."""

    text: str


def noise(seed: str, size: int) -> str:
    """A text that nothing can deflate, of so many bytes."""
    return Random(seed).randbytes(size).hex()


class Act(ActionPlugin[Fill, Filled]):
    """Return the text, and as much noise as asked for."""

    name = "limits.act"

    async def execute(self, context: Context, request: Fill, /) -> Filled:
        """Do it."""
        context.report(request.text[:100])
        if request.size:
            context.report(noise(request.text, 1_000))
        return Filled(request.text + noise(request.text, request.size))


class Pass(CheckPlugin[None, None]):
    """See nothing wrong."""

    name = "limits.pass"

    async def execute(self, context: Context, request: None, /) -> None:
        """Look."""


class Fail(ActionPlugin[Fill, Filled]):
    """Fail so often, with noise, and remember in each attempt how often."""

    name = "limits.fail"
    retry = RetryPolicy(initial_interval=0.001, max_interval=0.001)

    async def execute(self, context: Context, request: Fill, /) -> Filled:
        """Do it."""
        number = context.attempt
        assert context.notes.get("made", 0) == number - 1
        await context.remember(made=number)
        if number < request.size:
            raise PluginError(message_of(request.text, number))
        return Filled(request.text)


def message_of(name: str, number: int) -> str:
    """What an attempt says that has failed."""
    return f"attempt {number} of {name}: {noise(f'{name} {number}', 1_500)}"


REGISTRY: tuple[Act, Pass, Fail] = (Act(), Pass(), Fail())


class CountingRunner(UnsandboxedWorkflowRunner):
    """Counts what each activation does."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.counts: list[int] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A workflow whose work is counted: the functions that it calls."""
        instance = super().create_instance(det)
        activate = instance.activate

        def counted(act: Any) -> Any:
            calls = 0

            def count(frame: FrameType, event: str, argument: Any) -> None:
                nonlocal calls
                calls += event == "call"

            sys.setprofile(count)
            try:
                return activate(act)
            finally:
                sys.setprofile(None)
                self.counts.append(calls)

        vars(instance)["activate"] = counted
        return instance


async def histories_of(server: Server, plan_id: UUID) -> list[WorkflowHistory]:
    """Every history of a plan."""
    target, _, namespace = server.location.partition("/")
    client = await Client.connect(target, namespace=namespace)
    name = workflow_id(plan_id)
    runs = [
        each.run_id async for each in client.list_workflows(f"WorkflowId = '{name}'")
    ]
    return [
        await client.get_workflow_handle(name, run_id=run).fetch_history()
        for run in runs
    ]


async def most_work(history: WorkflowHistory, plan_workflow: type) -> int:
    """How many calls the busiest activation of a history makes."""
    runner = CountingRunner()
    # Work is counted here, not timed: to count takes so long that the watchdog, which
    # a debugger is spared, would end it on a busy machine.
    replayer = Replayer(
        workflows=[plan_workflow], workflow_runner=runner, debug_mode=True
    )
    await replayer.replay_workflow(history)
    print("most calls", sorted(runner.counts)[-6:])
    return max(runner.counts)


def payloads(message: Any) -> Iterator[int]:
    """How many bytes each payload in a message has."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            children = list(value.values())
        else:
            children = [value] if hasattr(value, "ListFields") else list(value)
        for child in children:
            if not hasattr(child, "ListFields"):
                continue
            if child.DESCRIPTOR.name == "Payload":
                yield child.ByteSize()
            else:
                yield from payloads(child)


def assert_within_limits(
    server: Server, plan_id: UUID, plan_workflow: type = PlanWorkflow
) -> list[WorkflowHistory]:
    """No history, payload or activation of the plan is too large."""
    histories = asyncio.run(histories_of(server, plan_id))
    for each in histories:
        assert len(each.events) < EVENTS
        assert sum(event.ByteSize() for event in each.events) < SIZE
        sizes = [size for event in each.events for size in payloads(event)]
        assert max(sizes) < PAYLOAD
        assert asyncio.run(most_work(each, plan_workflow)) < WORK
    return histories


def hosts(
    name: str,
    count: int,
    work: Callable[[int], list[Action]],
    *,
    bypass_checks: Checks | None = None,
    **block: Any,
) -> Plan:
    """A plan of one block, with a sequence of work for each of so many hosts."""
    sequences = [
        Sequence(name=f"host-{number}", actions=work(number)) for number in range(count)
    ]
    return Plan(
        name=name,
        bypass_checks=bypass_checks,
        blocks=[Block(name="tier", sequences=sequences, **block)],
    )


def large(sequences: int, bypass_checks: Checks | None = None) -> Plan:
    """A block of many sequences."""

    def work(number: int) -> list[Action]:
        return [Act.action(Fill(f"for host {number}"), name="act")]

    return hosts(
        "large", sequences, work, bypass_checks=bypass_checks, concurrency=1_000
    )


@pytest.mark.slow
def test_a_plan_that_is_too_large_is_refused(server: Server) -> None:
    """It is refused when it is submitted, with what to do; nothing is stored."""

    async def main() -> None:
        async with open_workstream(server.store, registry=Registry(REGISTRY)) as ws:
            before = len(await ws.list())
            with pytest.raises(PlanRefusedError) as caught:
                await ws.submit(large(100_000))
            assert len(await ws.list()) == before
        assert "is too large for the Temporal cluster" in str(caught.value)
        assert "Split it into several plans" in str(caught.value)

    trio.run(main)


@pytest.mark.slow
def test_a_large_plan_is_loaded_in_several_activations(
    server: Server, working: Working
) -> None:
    """No activation loads or walks a whole large plan."""

    async def main() -> UUID:
        async with open_workstream(server.store, registry=Registry(REGISTRY)) as ws:
            bypass = Checks(actions=[Pass.action(None, name="pass")])
            plan_id = await ws.submit(large(40_000, bypass_checks=bypass))
            await ws.start(plan_id)
            ended = await ws.wait(plan_id)
            assert ended.state.status is Status.COMPLETED
            assert len(ended.blocks[0].sequences) == 40_000
            return plan_id

    with working(server, Registry(REGISTRY)):
        plan_id = trio.run(main)
    [history] = assert_within_limits(server, plan_id)
    timers = [e for e in history.events if e.HasField("timer_fired_event_attributes")]
    assert len(timers) > 80_000 // STEP


SIZES = (0, 50, 1_000, 20_000, 300_000, 3_000_000)
"""Bytes of responses: some are in a history, some on a shelf, one is too much."""


def responding(sequences: int) -> Plan:
    """Sequences of one action that responds, and one that is asked what it responded."""

    def work(number: int) -> list[Action]:
        key, size = f"first-{number}", SIZES[number % 5]
        asked = late(Fill)(text=Act.response(key).text)
        return [
            Act.action(Fill(f"first {number}", size), name="first", key=key),
            Act.action(asked, name="second"),
        ]

    return hosts("responding", sequences, work, concurrency=5)


@pytest.mark.slow
def test_what_is_large_is_kept_out_of_histories(
    server: Server, working: Working
) -> None:
    """Responses and lines are on shelves, and whoever reads the plan has all of them."""
    registry = Registry(REGISTRY)

    async def main() -> UUID:
        async with open_workstream(server.store, registry=registry) as ws:
            plan_id = await ws.submit(responding(20))
            await ws.start(plan_id)
            ended = await ws.wait(plan_id)
            assert ended.state.status is Status.COMPLETED
            for number, sequence in enumerate(ended.blocks[0].sequences):
                first, second = sequence.actions
                text = f"first {number}"
                wanted = Filled(text + noise(text, SIZES[number % 5]))
                assert first.response == second.response == wanted
                lines = [
                    each.text for each in await ws.lines(plan_id, position_of(first))
                ]
                assert lines == [text, noise(text, 1_000)][: 1 + bool(number % 5)]
            return plan_id

    with working(server, registry, plan_workflow=ShortWorkflow):
        plan_id = trio.run(main)
    histories = assert_within_limits(server, plan_id, ShortWorkflow)
    assert len(histories) > 2
    assert max(sum(e.ByteSize() for e in h.events) for h in histories) < 1_500_000


@pytest.mark.slow
def test_a_response_that_is_too_large_fails_and_says_so(
    server: Server, working: Working
) -> None:
    """The action fails for good, with what to do; the plan goes on."""
    registry = Registry(REGISTRY)

    async def main() -> None:
        async with open_workstream(server.store, registry=registry) as ws:
            plan = large(1)
            plan.blocks[0].sequences[0].actions[0].request = Fill("much", SIZES[-1])
            ended = await ws.run(plan)
            assert ended.state.status is Status.FAILED
            error = ended.blocks[0].sequences[0].actions[0].error
            assert error is not None
            assert error.permanent
            assert "write it to a file" in str(error)

    with working(server, registry):
        trio.run(main)


ATTEMPTS = 8


def failing(sequences: int) -> Plan:
    """Sequences of one action that fails several times."""

    def work(number: int) -> list[Action]:
        asked = Fill(f"host {number}", ATTEMPTS)
        return [Fail.action(asked, name="fail", retries=ATTEMPTS)]

    return hosts(
        "failing",
        sequences,
        work,
        concurrency=sequences,
        tolerated_failures=sequences,
    )


def begins_with(history: WorkflowHistory) -> int:
    """How many bytes of a plan a history begins with."""
    return next(payloads(history.events[0]))


@pytest.mark.slow
def test_attempts_of_actions_that_go_on_are_kept_out_of_histories(
    server: Server, working: Working
) -> None:
    """What they say is on shelves, an attempt travels alone, and nothing is lost."""
    registry = Registry(REGISTRY)

    async def main() -> UUID:
        async with open_workstream(server.store, registry=registry) as ws:
            plan_id = await ws.submit(failing(60))
            await ws.start(plan_id)
            ended = await ws.wait(plan_id)
            assert ended.state.status is Status.COMPLETED
            for number, sequence in enumerate(ended.blocks[0].sequences):
                [action] = sequence.actions
                assert action.response == Filled(f"host {number}")
                *failed, last = action.attempts
                assert len(failed) == ATTEMPTS - 1
                assert last.error is None
                for at, each in enumerate(failed, 1):
                    assert str(each.error) == message_of(f"host {number}", at)
                    assert each.notes == {"made": at}
            return plan_id

    with working(server, registry, plan_workflow=ShortWorkflow):
        plan_id = trio.run(main)
    histories = assert_within_limits(server, plan_id, ShortWorkflow)
    assert len(histories) > 5
    told = 60 * (ATTEMPTS - 1) * 1_500  # bytes that nothing can deflate
    assert max(map(begins_with, histories)) < KEPT + 10_000 < told // 2 + 10_000
    inputs = [
        next(payloads(event))
        for history in histories
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert max(inputs) < 1_000


@workflow.defn(name=PLAN)
class FullWorkflow(PlanWorkflow):
    """A plan with room for a few attempts more than one of each action."""

    runtime = with_flight(state=5_500)

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)


@pytest.mark.slow
def test_more_attempts_than_a_cluster_keeps_are_not_made(
    server: Server, working: Working
) -> None:
    """First attempts always are; an action without room for another one fails for good."""
    registry = Registry(REGISTRY)

    async def main() -> None:
        async with open_workstream(server.store, registry=registry) as ws:
            ended = await ws.run(failing(30))
            assert ended.state.status is Status.COMPLETED
            attempts = [each.attempts for each in actions(ended)]
            assert min(map(len, attempts)) >= 2
            again = sum(map(len, attempts)) - 30 - 30  # the last of each was not made
            assert 0 < again < 30 * (ATTEMPTS - 2)
            for *_, last in attempts:
                assert last.error is not None
                assert last.error.permanent
                assert "more attempts than a cluster keeps" in str(last.error)

    with working(server, registry, plan_workflow=FullWorkflow):
        trio.run(main)
