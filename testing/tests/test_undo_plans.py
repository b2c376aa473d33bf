"""Plans that take back what another did: what they hold, how they run, refusals (UN-5)."""

from __future__ import annotations

import copy

import attrs
import pytest

from workstream import (
    SECURE,
    Action,
    ActionPlugin,
    Block,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Sequence,
    Status,
    Undo,
    WhenDeferred,
    Workstream,
    late,
    undo_plan,
)
from workstream._show.failures import failures
from workstream._values.state import FailureReason
from workstream.errors import PathError, UndoError
from workstream.testing import FakePlugin, MemoryWorkstream, crash_everywhere


@attrs.frozen
class Do:
    """What is done; a secret it may be."""

    what: str
    secret: str = attrs.field(default="", metadata=SECURE)


@attrs.frozen
class Did:
    """What came of it."""

    number: int
    token: str = attrs.field(default="", metadata=SECURE)


class World(ActionPlugin[Do, Did]):
    """Does all but what is broken."""

    name = "t.do"

    def __init__(self, *broken: str) -> None:
        """These fail."""
        self.broken = set(broken)
        self.done: list[str] = []

    async def execute(self, context: Context, request: Do, /) -> Did:
        """Do it, or fail."""
        if request.what in self.broken:
            message = f"{request.what} is broken"
            raise PluginError(message, permanent=True)
        self.done.append(request.what)
        return Did(len(self.done), "token")


def do(what: str, key: str | None = None) -> Action:
    """An action."""
    return World.action(Do(what), name=what, key=key)


def taking_back(name: str, *actions: Action) -> DeferBatch:
    """An ON_UNDO batch."""
    return DeferBatch(name=name, when=WhenDeferred.ON_UNDO, actions=[*actions])


def host(name: str, *undos: DeferBatch) -> Sequence:
    """A sequence with these batches; without: with one that takes it back."""
    batches = [*(undos or [taking_back("back", do(f"-{name}"))])]
    return Sequence(
        name=name,
        actions=[do(name)],
        deferred_actions=DeferredActions(batches=batches),
    )


def rollout(undo: Undo = Undo.NEVER) -> Plan:
    """Two blocks; the last sequence has no undo."""
    return Plan(
        name="Rollout",
        locks=("tier",),
        blocks=[
            Block(name="one", undo=undo, sequences=[host("a"), host("b")]),
            Block(
                name="two",
                undo=undo,
                concurrency=2,
                sequences=[
                    host(
                        "c",
                        taking_back("first", do("-c1"), do("-c2")),
                        taking_back("second", do("-c3")),
                    ),
                    Sequence(name="d", actions=[do("d")]),
                ],
            ),
        ],
    )


def ran(plan: Plan, world: World) -> Plan:
    """How a plan ends."""

    async def scenario(ws: Workstream) -> Plan:
        return await ws.run(plan)

    return MemoryWorkstream().run(scenario, [world])


def test_it_takes_back_in_reverse_whatever_happens_to_the_others() -> None:
    """Last block first, last sequence first, all batches, no tolerance (UN-2, UN-5)."""
    world = World("-c2", "-b")

    async def scenario(ws: Workstream) -> tuple[Plan, Plan]:
        first = await ws.run(rollout())
        assert first.id is not None
        undo = await ws.undo(first.id, by="ana", reason="pager 4711")
        await ws.start(undo)
        return first, await ws.wait(undo)

    first, undone = MemoryWorkstream().run(scenario, [world])

    assert first.state.status is Status.COMPLETED
    assert sorted(world.done[:4]) == ["a", "b", "c", "d"]
    assert world.done[4:] == ["-c1", "-c3", "-a"]
    assert (undone.name, undone.description) == ("Undo Rollout", "pager 4711")
    assert (undone.undo_of, undone.group_id) == (first.id, first.id)
    assert (undone.locks, undone.submitter) == (("tier",), "ana")
    assert [block.concurrency for block in undone.blocks] == [2, 1]
    assert undone.state.status is Status.FAILED
    assert undone.reasons == (FailureReason.UNDO,)
    assert str(undone.taken_back) == "taken back on 1 of 3; NOT on two / c, one / b"
    assert [failure.tolerated for failure in failures(undone)] == [False, False]


def test_what_was_taken_back_or_never_began_is_passed_over() -> None:
    """Of a plan that undid itself, that which did not work is left (UN-5)."""
    plan = rollout(Undo.PLAN_FAILURE)
    ended = ran(plan, World("d", "-a"))
    assert str(ended.taken_back) == "taken back on 2 of 3; NOT on one / a"

    found = undo_plan(ended)

    assert found.plan is not None
    assert [
        action.name
        for block in found.plan.blocks
        for sequence in block.sequences
        for action in sequence.actions
    ] == ["-a"]
    assert found.lacking == {"Rollout / two / d": "it has no ON_UNDO batch"}
    left = undo_plan(ran(rollout(), World("b"))).plan  # block two was not reached
    assert left is not None
    assert [s.name for block in left.blocks for s in block.sequences] == ["b", "a"]


def test_only_and_skip_choose() -> None:
    """By path, or the end of one; what has nothing to be taken back is refused."""
    ended = ran(rollout(), World())

    def named(**choice: list[str]) -> list[str]:
        plan = undo_plan(ended, **choice).plan
        assert plan is not None
        return [each.name for block in plan.blocks for each in block.sequences]

    assert named(only=["one / b"]) == ["b"]
    assert named(skip=["two", "a"]) == ["b"]
    assert undo_plan(ended, only=["one / b"]).lacking == {}
    with pytest.raises(PathError, match="'d' has nothing to be taken back"):
        undo_plan(ended, only=["d"])
    assert undo_plan(ended, skip=["one", "two"]).plan is None


def test_references_become_what_was_stored() -> None:
    """A secret cannot: it is named. What did not complete needs no undo (UN-4, UN-5)."""
    did = World.response("make")
    late_do = late(Do)
    plan = Plan(
        name="p",
        blocks=[
            Block(
                name="b",
                tolerated_failures=-1,
                sequences=[
                    Sequence(
                        name="s",
                        actions=[do("x", "make"), do("broken", "never")],
                        deferred_actions=DeferredActions(
                            batches=[
                                taking_back(
                                    "plain",
                                    World.action(
                                        late_do(what=_text(did.number)), name="u"
                                    ),
                                ),
                                taking_back(
                                    "needless",
                                    World.action(
                                        late_do(
                                            what=_text(World.response("never").number)
                                        ),
                                        name="v",
                                        key="v",
                                    ),
                                ),
                                taking_back(
                                    "secret",
                                    World.action(
                                        late_do("w", secret=did.token), name="w"
                                    ),
                                ),
                            ]
                        ),
                    )
                ],
            )
        ],
    )
    ended = ran(plan, World("broken"))

    found = undo_plan(ended)

    assert found.plan is not None
    [sequence] = found.plan.blocks[0].sequences
    assert [action.request for action in sequence.actions] == [Do("number 1")]
    assert sequence.deferred_actions is None
    assert list(found.lacking) == ["p / b / s / deferred_actions / secret"]
    assert "it is a secret, which no plan may hold" in "".join(found.lacking.values())


def _text(number: int) -> str:
    from workstream import text

    return text("number {}", number)


def test_the_plan_is_left_as_it_was() -> None:
    """It is a pure function."""
    ended = ran(rollout(), World())
    before = copy.deepcopy(ended)

    undo_plan(ended)

    assert ended == before


@pytest.mark.parametrize(
    ("words", "prepare"),
    [
        ("was never started: there is nothing to take back", None),
        ("was undone already, as plan", "undone"),
        ("'Rollout / two / d': it has no ON_UNDO batch", "lacking"),
    ],
)
def test_refusals_say_what_to_do(words: str, prepare: str | None) -> None:
    """Nothing is stored then."""

    async def scenario(ws: Workstream) -> None:
        plan = rollout()
        if prepare == "lacking":
            for block in plan.blocks:
                del block.sequences[: 2 if block.name == "one" else 1]
            plan.blocks = plan.blocks[1:]
        plan_id = await ws.submit(plan)
        if prepare is not None:
            await ws.start(plan_id)
            await ws.wait(plan_id)
        if prepare == "undone":
            undo = await ws.undo(plan_id)
            await ws.start(undo)
            await ws.wait(undo)
        count = len(await ws.list())
        with pytest.raises(UndoError, match=words):
            await ws.undo(plan_id)
        assert len(await ws.list()) == count
        if prepare == "undone":
            await ws.undo(plan_id, again=True)

    MemoryWorkstream().run(scenario, [World()])


def test_a_retry_of_an_undo_is_one_too() -> None:
    """What was not taken back is tried again, and the headline still tells (RT-3)."""
    world = World("-b")

    async def scenario(ws: Workstream) -> Plan:
        first = await ws.run(rollout())
        assert first.id is not None
        undo = await ws.undo(first.id)
        await ws.start(undo)
        await ws.wait(undo)
        world.broken.clear()
        retry = await ws.retry(undo)
        await ws.start(retry)
        return await ws.wait(retry)

    ended = MemoryWorkstream().run(scenario, [world])

    assert ended.state.status is Status.COMPLETED
    assert str(ended.taken_back) == "taken back on 1 of 1"
    assert world.done[-1] == "-b"


def test_a_retry_can_be_taken_back_as_its_plan_can() -> None:
    """Its ON_UNDO batches wait until somebody asks; what was skipped is not in it."""
    world = World("b")

    async def scenario(ws: Workstream) -> tuple[Plan, list[str], Plan]:
        first = await ws.submit(rollout())
        await ws.skip(first, "Rollout / two / c")
        await ws.start(first)
        await ws.wait(first)
        world.broken.clear()
        retry = await ws.retry(first)
        await ws.start(retry)
        retried = await ws.wait(retry)
        before = [*world.done]
        undo = await ws.undo(retry)
        await ws.start(undo)
        return retried, before, await ws.wait(undo)

    retried, before, undone = MemoryWorkstream().run(scenario, [world])

    assert before == ["a", "b", "d"]
    deferred = retried.blocks[0].sequences[0].deferred_actions
    assert deferred is not None
    assert deferred.batches[0].state.status is Status.NOT_STARTED
    assert world.done[3:] == ["-b"]
    assert undone.state.status is Status.COMPLETED


@pytest.mark.parametrize("second", [False, True])
def test_a_crash_at_each_write_of_an_undo_plan(second: bool) -> None:
    """It ends as the one without a crash; no batch runs twice."""
    made = undo_plan(ran(rollout(), World())).plan
    assert made is not None

    fake = FakePlugin(World).when(what="-c2", fails="gone", permanent=True)

    report = crash_everywhere(
        made, [fake.otherwise(gives=Did(1), takes=1)], second_crash=second
    )

    assert report.result.plan.reasons == (FailureReason.UNDO,)
    assert report.crashes > 10
