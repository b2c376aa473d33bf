"""Values that flow, in simulations and fakes, through crashes at every write (VF-6, VF-7)."""

from __future__ import annotations

import attrs
import pytest

from workstream import (
    Action,
    ActionPlugin,
    Block,
    Context,
    DeferBatch,
    DeferredActions,
    OnInterrupt,
    Plan,
    PluginError,
    Sequence,
    Status,
    WhenDeferred,
    late,
    text,
)
from workstream.plugins import NotDone
from workstream.results import FailureReason
from workstream.testing import FakePlugin, crash_everywhere, simulate


@attrs.frozen
class Size:
    size: str


@attrs.frozen
class Vm:
    address: str


@attrs.frozen
class Visit:
    url: str


class Create(ActionPlugin[Size, Vm]):
    name = "acme.create"

    async def execute(self, context: Context, request: Size) -> Vm:
        return Vm("10.0.0.7")


class Go(ActionPlugin[Visit, Visit]):
    name = "acme.go"
    on_interrupt = OnInterrupt.RECONCILE

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def execute(self, context: Context, request: Visit) -> Visit:
        self.seen.add(request.url)
        return request

    async def reconcile(self, context: Context, request: Visit) -> Visit | NotDone:
        self.seen.add(request.url)
        return request


def go(name: str, key: str | None = None) -> Action:
    url = text("http://{}/", Create.response("vm").address)
    return Go.action(late(Visit)(url=url), name=name, key=key)


def plan() -> Plan:
    again = Go.action(late(Visit)(url=Go.response("go").url), name="again")
    cleans = DeferBatch(name="d", when=WhenDeferred.ALWAYS, actions=[go("clean")])
    last = DeferBatch(name="l", when=WhenDeferred.ALWAYS, actions=[go("last")])
    create = Create.action(Size("a"), name="create", key="vm")
    return Plan(
        name="p",
        blocks=[
            Block(
                name="b",
                sequences=[
                    Sequence(
                        name="s",
                        actions=[create, go("go", key="go")],
                        deferred_actions=DeferredActions(batches=[cleans]),
                    )
                ],
            ),
            Block(name="c", sequences=[Sequence(name="t", actions=[again])]),
        ],
        deferred_actions=DeferredActions(batches=[last]),
    )


def test_a_simulation_fills_references() -> None:
    """Of sequences, later blocks and deferred work alike (VF-7)."""
    go = Go()
    done = simulate(plan(), [Create(), go])

    assert done.plan.state.status is Status.COMPLETED
    assert go.seen == {"http://10.0.0.7/"}


def test_a_fakes_response_feeds_references() -> None:
    """What a fake answers is what the next action gets (VF-7)."""
    creates = FakePlugin(Create).otherwise(takes=5, gives=Vm("192.0.2.1"))
    goes = FakePlugin(Go).otherwise(gives=Visit("http://127.0.0.1/"))
    done = simulate(plan(), [creates, goes])
    got = [call.request for call in done.calls if call.plugin == "acme.go"]

    assert got[:2] == [Visit("http://192.0.2.1/")] * 2
    assert got[2:] == [Visit("http://127.0.0.1/"), Visit("http://192.0.2.1/")]


@pytest.mark.parametrize("interrupt", [OnInterrupt.RERUN, OnInterrupt.RECONCILE])
def test_a_crash_at_every_write_changes_nothing(interrupt: OnInterrupt) -> None:
    """Reconciled and repeated attempts get the same request (VF-6)."""
    whole = plan()
    whole.blocks[0].sequences[0].actions[1].on_interrupt = interrupt
    go = Go()
    crash_everywhere(whole, [Create(), go])

    assert go.seen <= {"http://10.0.0.7/"}


@pytest.mark.slow
def test_plans_that_refer_are_generated_and_run() -> None:
    """Every reference of a generated plan is allowed, and is filled in (VF-1, VF-7)."""
    pytest.importorskip("hypothesis", reason="an optional extra")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    from workstream.testing.strategies import plans

    waited: set[int] = set()
    actions = st.builds(lambda: Create.action(Size("a"), name="create"))

    def refer(source: Action) -> Action | None:
        if source.plugin == Create.name:
            request = late(Visit)(url=Create.response(source).address)
        else:
            request = late(Visit)(url=Go.response(source).url)
        return Go.action(request, name="go")

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(plans(actions, referring=refer))
    def run(plan: Plan) -> None:
        done = simulate(plan, [Create(), Go()])
        calls = [call for call in done.calls if call.plugin == Go.name]
        waited.add(len(calls))

        assert done.plan.state.status is Status.COMPLETED
        assert all(call.request == Visit("10.0.0.7") for call in calls)

    run()
    assert max(waited) > 1


class Fails(Create):
    name = "acme.fails"

    async def execute(self, context: Context, request: Size) -> Vm:
        message = "no room"
        raise PluginError(message, permanent=True)


def test_an_undo_of_what_was_never_done_is_skipped() -> None:
    """Only the machine that was made is taken back, whenever the engine dies (VF-6)."""

    def undo(plugin: type[Create], key: str) -> DeferBatch:
        request = late(Visit)(url=plugin.response(key).address)
        action = Go.action(request, name=f"remove {key}")
        return DeferBatch(
            name=f"undo {key}", when=WhenDeferred.ON_UNDO, actions=[action]
        )

    sequence = Sequence(
        name="s",
        actions=[
            Create.action(Size("a"), name="one", key="one"),
            Fails.action(Size("a"), name="two", key="two"),
        ],
        deferred_actions=DeferredActions(
            batches=[undo(Create, "one"), undo(Fails, "two")]
        ),
    )
    plan = Plan(name="p", blocks=[Block(name="b", sequences=[sequence])])
    done = simulate(plan, [Create(), Fails(), Go()])
    deferred = done.plan.blocks[0].sequences[0].deferred_actions

    assert deferred is not None
    first, second = (batch.actions[0] for batch in deferred.batches)
    assert first.response == Visit("10.0.0.7")
    assert second.state.status is Status.SKIPPED
    assert (second.state.started, second.attempts) == (None, [])
    assert done.plan.reasons == (FailureReason.BLOCK,)
    crash_everywhere(plan, [Create(), Fails(), Go()])


def test_deferred_work_fails_alone_where_nobody_responded() -> None:
    """Without a call; every other batch of the plan does its work (VF-6, DA-4)."""

    def tells(plugin: type[Create], key: str) -> DeferBatch:
        request = late(Visit)(url=plugin.response(key).address)
        return DeferBatch(
            name=key,
            when=WhenDeferred.ALWAYS,
            actions=[
                Go.action(
                    request,
                    name=f"tell {key}",
                    retries=2,
                    on_interrupt=OnInterrupt.RERUN,
                )
            ],
        )

    def block(name: str, action: Action) -> Block:
        return Block(name=name, sequences=[Sequence(name="s", actions=[action])])

    plan = Plan(
        name="p",
        blocks=[
            block("b", Create.action(Size("a"), name="done", key="done")),
            block("c", Fails.action(Size("a"), name="failed", key="failed")),
            block("d", Create.action(Size("a"), name="never", key="never")),
        ],
        deferred_actions=DeferredActions(
            batches=[
                tells(Fails, "failed"),
                tells(Create, "never"),
                tells(Create, "done"),
            ]
        ),
    )
    go = Go()
    done = simulate(plan, [Create(), Fails(), go])
    deferred = done.plan.deferred_actions

    assert deferred is not None
    failed, never, told = (batch.actions[0] for batch in deferred.batches)
    assert "the action 'failed' is failed, not completed" in str(failed.error)
    assert "the action 'never' is not started, not completed" in str(never.error)
    assert told.response == Visit("10.0.0.7")
    assert go.seen == {"10.0.0.7"}
    assert [c.path for c in done.calls if c.plugin == Go.name] == [
        "p / deferred_actions / done / tell done"
    ]
    assert (len(failed.attempts), len(never.attempts)) == (1, 1)
    assert FailureReason.BLOCK in done.plan.reasons
    crash_everywhere(plan, [Create(), Fails(), Go()])
