"""``crash_everywhere`` for users' plans: planted faults are found, sound plans pass."""

from __future__ import annotations

from collections.abc import Sequence as Writes

import attrs
import pytest

from _workstream_testing.virtual.loop_errors import Cancelled
from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    OnInterrupt,
    Plan,
    Sequence,
    Status,
    WhenDeferred,
)
from workstream.errors import StorageError
from workstream.plugins import AnyPlugin
from workstream.testing import (
    CalledTwice,
    CrashError,
    FakePlugin,
    ScriptError,
    Simulation,
    SimulationError,
    crash_everywhere,
    sleep,
)
from workstream.vaults import MemoryVault, Write


@attrs.frozen
class Ask:
    """A request."""

    host: str


@attrs.frozen
class Answer:
    """A response."""

    count: int = 0


class Create(ActionPlugin[Ask, Answer]):
    """A plugin that no test ever calls."""

    name = "acme.create"

    async def execute(self, context: Context, request: Ask, /) -> Answer:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[Ask, None]):
    """A check that no test ever calls."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def create(host: str, on_interrupt: OnInterrupt | None = None) -> Action:
    """Create something on a host."""
    return Create.action(
        Ask(host), name="Create", timeout=600, on_interrupt=on_interrupt, retries=1
    )


def plan(hosts: int = 2, **options: OnInterrupt) -> Plan:
    """Create something on each host, one after the other, with checks and a rollback."""
    look = Look.action(Ask("lb"), name="Look")
    return Plan(
        name="Set up",
        pre_checks=Checks(actions=[look]),
        blocks=[
            Block(
                name="Hosts",
                post_checks=Checks(actions=[Look.action(Ask("lb"), name="Look")]),
                sequences=[
                    Sequence(name=f"web-{n}", actions=[create(f"web-{n}", **options)])
                    for n in range(1, hosts + 1)
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Undo",
                    when=WhenDeferred.ON_FAILURE,
                    actions=[create("undo")],
                )
            ]
        ),
    )


LOOK = FakePlugin(Look)
SLOW = FakePlugin(Create).otherwise(takes=60)


class TestSoundPlans:
    """A plan whose plugins bear being called again ends the same after any crash."""

    @pytest.mark.parametrize("second_crash", [False, True])
    def test_it_tells_what_was_tried(self, second_crash: bool) -> None:
        """Every write, before and after, and what was called twice."""
        report = crash_everywhere(plan(), [SLOW, LOOK], second_crash=second_crash)

        assert report.writes == 6
        once = 2 * report.writes - 1
        assert report.crashes == once if not second_crash else report.crashes > 3 * once
        assert report.called_twice == (
            CalledTwice("Set up / Hosts / web-1 / Create", "acme.create", True),
            CalledTwice("Set up / Hosts / web-2 / Create", "acme.create", True),
        )
        assert report.result.elapsed == 120
        assert "done twice, so" in str(report)
        assert "acme.create: Set up / Hosts / web-1 / Create" in str(report)

    @pytest.mark.parametrize("seed", [1, 2, "order:2=1"])
    def test_with_failures_retries_and_deferred_work(self, seed: int | str) -> None:
        """Failing paths resume, too (R-15), whatever the order."""
        fake = (
            FakePlugin(Create)
            .when(host="web-1", attempt=1, fails="busy", takes=3)
            .when(host="web-2", takes=3, fails="broken", permanent=True)
            .otherwise(takes=60)
        )
        report = crash_everywhere(plan(3), [fake, LOOK], seed=seed, equal=same_statuses)

        assert report.result.plan.state.status is Status.FAILED

    @pytest.mark.parametrize("second_crash", [False, True])
    def test_a_plan_that_is_stopped(self, second_crash: bool) -> None:
        """A stop request survives a crash (SP-9)."""

        def stopped(_without: Simulation, end: Simulation) -> bool:
            return end.plan.state.status is Status.STOPPED

        report = crash_everywhere(
            plan(5),
            [SLOW, LOOK],
            stop_at=90,
            equal=stopped,
            second_crash=second_crash,
        )

        assert report.result.elapsed == 180

    def test_plugins_with_a_memory_are_made_anew(self) -> None:
        """A function makes them for each run."""

        def plugins() -> list[AnyPlugin]:
            count = 0

            def does(_context: Context, _request: Ask) -> Answer:
                nonlocal count
                count += 1
                assert count < 5
                return Answer()

            return [FakePlugin(Create).does(does), FakePlugin(Look)]

        crash_everywhere(plan(), plugins)


class CanTell(Create):
    """A plugin that knows what became of its work."""

    on_interrupt = OnInterrupt.RECONCILE

    async def reconcile(self, context: Context, request: Ask, /) -> Answer:
        """Fail the test."""
        raise NotImplementedError


class TestPluginsThatReconcile:
    """What a fake answers when it is asked what became of a call is no secret."""

    def test_a_fake_that_answers_by_itself_is_named(self) -> None:
        """Not every plugin can tell what every fake can."""
        report = crash_everywhere(plan(), [FakePlugin(CanTell), LOOK])

        assert report.reconciled == ("acme.create",)
        assert "acme.create: if the plugin cannot, say reconciles(" in str(report)
        assert not any(called.was_done for called in report.called_twice)
        assert "done twice" not in str(report)

    def test_one_that_was_told_what_to_answer_is_not(self) -> None:
        """The test's author has thought of it."""
        fake = FakePlugin(CanTell).reconciles(not_done=True)
        report = crash_everywhere(plan(), [fake, LOOK])

        assert report.reconciled == ()
        assert "reconcile(" not in str(report)

    def test_one_that_cannot_tell_shows_what_comes_of_it(self) -> None:
        """The plan fails after a crash, and the story says so (R-7)."""
        fake = FakePlugin(CanTell).reconciles(fails="nobody knows")
        with pytest.raises(CrashError, match="web-1: completed without, failed with"):
            crash_everywhere(plan(), [fake, LOOK])


def same_statuses(without: Simulation, end: Simulation) -> bool:
    """What a user may call equal: the statuses of the plan and its sequences."""

    def statuses(result: Simulation) -> list[Status]:
        sequences = result.plan.blocks[0].sequences
        return [node.state.status for node in (result.plan, *sequences)]

    return statuses(without) == statuses(end)


class TestPlantedFaults:
    """What a crash changes is found, and told by name."""

    def test_an_action_that_is_not_idempotent(self) -> None:
        """The story says what was done, what was done twice, and what came of it."""
        fake = (
            FakePlugin(Create)
            .otherwise(takes=60)
            .again(fails="exists already", permanent=True)
        )

        with pytest.raises(CrashError) as caught:
            crash_everywhere(plan(), [fake, LOOK])
        story = str(caught.value)
        for text in (
            "a crash changes how plan 'Set up' ends",
            "right before write",
            "at 1m",
            "web-1 / Create, attempt 1: it had done its work",
            "done twice",
            "web-1 / Create (acme.create), after its work was done",
            "web-1 / Create: completed without, failed with it (exists already)",
            "these crashes end wrongly, too",
            "web-1         ",
            "again: crash_everywhere(plan, plugins, seed=0, only='before write ",
        ):
            assert text in story

    def test_the_crash_of_a_story_can_be_made_again(self) -> None:
        """What the story prints leads to that one crash."""
        fake = FakePlugin(Create).again(fails="exists already", permanent=True)
        with pytest.raises(CrashError) as caught:
            crash_everywhere(plan(), [fake, LOOK], second_crash=True)
        only = str(caught.value).rpartition("only='")[2].partition("'")[0]

        with pytest.raises(CrashError, match="exists already"):
            crash_everywhere(plan(), [fake, LOOK], only=only)

    def test_a_plan_that_gives_up_too_easily(self) -> None:
        """FAIL on interrupt makes every crash in flight a failure (R-7)."""
        with pytest.raises(CrashError, match="interrupted: the engine ended"):
            crash_everywhere(
                plan(on_interrupt=OnInterrupt.FAIL), [SLOW, FakePlugin(Look)]
            )

    def test_a_vault_that_forgets_the_last_write(self) -> None:
        """What was acknowledged and is gone is blamed on the vault."""
        with pytest.raises(CrashError) as caught:
            crash_everywhere(plan(), [SLOW, LOOK], vault=Forgetful)
        assert "the vault (Forgetful) lost" in str(caught.value)
        assert "acknowledged as durable" in str(caught.value)

    def test_a_plugin_that_depends_on_how_often_it_is_called(self) -> None:
        """A response that differs is a difference."""

        def does(context: Context, _request: Ask) -> Answer:
            return Answer(context.attempt)

        with pytest.raises(CrashError, match=r"gave Answer\(count=1\) without"):
            crash_everywhere(plan(), [FakePlugin(Create).does(does), LOOK])

    def test_a_recovery_that_does_not_end(self) -> None:
        """It is told like any other difference."""
        fake = FakePlugin(Create).otherwise(takes=60).again(takes=10_000)

        with pytest.raises(CrashError, match="beyond 500 seconds"):
            crash_everywhere(slow(plan()), [fake, LOOK], max_time=500)


def slow(long: Plan) -> Plan:
    """The plan with all the time in the world."""
    for sequence in long.blocks[0].sequences:
        for action in sequence.actions:
            action.timeout = 100_000
    return long


class Forgetful(MemoryVault):
    """Says that a write is durable before it is: a crash loses the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._before = super().snapshot()

    async def write(self, writes: Writes[Write]) -> Writes[StorageError | None]:
        """Keep it in mind only."""
        self._before = super().snapshot()
        return await super().write(writes)

    def snapshot(self) -> MemoryVault:
        """What a crash leaves."""
        return self._before


class TestBadInput:
    """What cannot be tried."""

    @pytest.mark.parametrize("only", ["", "write 7", "after write x", "7"])
    def test_a_crash_that_is_none(self, only: str) -> None:
        """The message shows how one is written."""
        with pytest.raises(SimulationError, match="'after write 7'"):
            crash_everywhere(plan(), [SLOW, LOOK], only=only)

    def test_lines_that_are_never_used(self) -> None:
        """They are told before anything crashes."""
        fake = FakePlugin(Create).when(host="typo", fails="no")

        with pytest.raises(ScriptError, match="never used"):
            crash_everywhere(plan(), [fake, LOOK])


def test_a_crash_is_seen_by_nobody() -> None:
    """A plugin that a crash cuts short is not cancelled: it is gone."""
    seen: list[type] = []

    async def does(_context: Context, _request: Ask) -> Answer:
        try:
            await sleep(60)
        except Cancelled as error:
            seen.append(type(error))
            raise
        return Answer()

    crash_everywhere(plan(), [FakePlugin(Create).does(does), LOOK])

    assert seen == []
