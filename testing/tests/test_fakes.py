"""Fakes: scripted plugins that note their calls, in a simulation and on trio."""

from __future__ import annotations

import enum
import math
from typing import Any, Literal

import attrs
import pytest

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    OnInterrupt,
    Plan,
    PluginError,
    Registry,
    Sequence,
    Status,
    ValidationError,
    failures,
    open_workstream,
)
from workstream.plugins import NotDone, RetryPolicy
from workstream.results import Attempt
from workstream.testing import (
    FakeClock,
    FakePlugin,
    ScriptError,
    Simulation,
    crash_everywhere,
    fake_all,
    simulate,
    sleep,
)
from workstream.vaults import MemoryVault


@attrs.frozen
class CopyRequest:
    """What to copy, and where."""

    host: str
    size: int = 1


@attrs.frozen
class CopyResponse:
    """How much was copied."""

    sent: int = 0


class Copy(ActionPlugin[CopyRequest, CopyResponse]):
    """A plugin that no test ever calls."""

    name = "acme.copy"
    retry = RetryPolicy(initial_interval=1, randomization_factor=0)
    on_interrupt = OnInterrupt.RECONCILE

    async def execute(self, context: Context, request: CopyRequest, /) -> CopyResponse:
        """Fail the test."""
        raise NotImplementedError

    async def reconcile(
        self, context: Context, request: CopyRequest, /
    ) -> CopyResponse | NotDone:
        """Fail the test."""
        raise NotImplementedError

    def validate(self, request: CopyRequest, /) -> None:
        """Refuse a host without a name."""
        if not request.host:
            message = "must name a host"
            raise ValueError(message)


@attrs.frozen
class Place:
    """What a fussy plugin wants to know; two of its fields have awkward names."""

    path: str
    attempt: int = 0


@attrs.frozen
class Found:
    """A response that cannot be made without an argument."""

    where: str


class Colour(enum.Enum):
    """Several values, none of them a default."""

    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Reported:
    """A response of all kinds of arguments."""

    number: int
    nothing: str | None
    found: Found
    colour: Colour
    pair: tuple[str, float]
    several: list[Found]
    named: dict[str, int]
    state: Literal["on", "off"]


class Report(ActionPlugin[Place, Reported]):
    """A plugin that no test ever calls."""

    name = "acme.report"

    async def execute(self, context: Context, request: Place, /) -> Reported:
        """Fail the test."""
        raise NotImplementedError


@attrs.frozen
class Fussy:
    """A response that nothing plain will do for."""

    number: int = attrs.field(validator=attrs.validators.gt(3))


class Fuss(ActionPlugin[Place, Fussy]):
    """A plugin that no test ever calls."""

    name = "acme.fuss"

    async def execute(self, context: Context, request: Place, /) -> Fussy:
        """Fail the test."""
        raise NotImplementedError


class Locate(ActionPlugin[Place, Found]):
    """A plugin that cannot be made without an argument."""

    name = "acme.locate"

    def __init__(self, root: str) -> None:
        self.root = root

    async def execute(self, context: Context, request: Place, /) -> Found:
        """Fail the test."""
        raise NotImplementedError

    def validate(self, request: Place, /) -> None:
        """Need what it was made with."""
        if not request.path.startswith(self.root):
            message = f"must begin with {self.root}"
            raise ValueError(message)


class Look(CheckPlugin[CopyRequest, None]):
    """A check that no test ever calls."""

    name = "acme.look"
    safe_in_preview = True

    async def execute(self, context: Context, request: CopyRequest, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def copy(host: str, *, retries: int = 0) -> Action:
    """Copy to a host, in five minutes at most."""
    return Copy.action(CopyRequest(host), name="Copy", timeout=300, retries=retries)


def fleet(*actions: Action, checks: Checks | None = None) -> Plan:
    """A plan that runs each action in a sequence of its own, all side by side."""
    block = Block(
        name="Fleet",
        concurrency=10,
        tolerated_failures=-1,
        pre_checks=checks,
        sequences=[
            Sequence(name=f"web-{number}", actions=[action])
            for number, action in enumerate(actions, 1)
        ],
    )
    return Plan(name="Deploy", blocks=[block])


def attempts(result: Simulation, number: int = 1) -> list[Attempt]:
    """The attempts of the n-th action."""
    return result.plan.blocks[0].sequences[number - 1].actions[0].attempts


def last_error(result: Simulation) -> PluginError:
    """How the first action failed."""
    error = attempts(result)[-1].error
    assert error is not None
    return error


class TestStandingFor:
    """A fake looks like the plugin that it stands for."""

    @pytest.mark.parametrize("plugin", [Copy, Copy(), FakePlugin(Copy)])
    def test_it_has_name_types_and_policies(self, plugin: type[Copy] | Copy) -> None:
        """Whatever is asked of the plugin, the fake answers alike (REG-1)."""
        fake = FakePlugin(plugin)

        assert fake.name == "acme.copy"
        assert fake.request_type is CopyRequest
        assert fake.response_type is CopyResponse
        assert fake.retry is Copy.retry
        assert fake.on_interrupt is OnInterrupt.RECONCILE
        assert isinstance(fake, ActionPlugin)
        assert not fake.is_check

    def test_a_fake_of_a_check_is_a_check(self) -> None:
        """It may stand in a check group, and nowhere else (V-20)."""
        fake = FakePlugin(Look)

        assert isinstance(fake, CheckPlugin)
        assert fake.is_check
        assert fake.safe_in_preview is Look.safe_in_preview is True

    def test_it_refuses_what_the_plugin_refuses(self) -> None:
        """The plugin's own validation is asked (V-19), and nothing else of it."""
        with pytest.raises(ValidationError, match="must name a host"):
            simulate(fleet(copy("")), [FakePlugin(Copy)])

    def test_it_wants_a_plugin_where_validation_needs_one(self) -> None:
        """A class that cannot be made by itself is asked for, not passed over."""
        plan = fleet(Locate.action(Place("/srv"), name="Locate"))
        answer = Found("here")

        with pytest.raises(ValidationError, match="give FakePlugin a plugin"):
            simulate(plan, [FakePlugin(Locate).otherwise(gives=answer)])
        simulate(plan, [FakePlugin(Locate("/")).otherwise(gives=answer)])

    def test_an_installed_plugin_by_its_name(self) -> None:
        """An unknown name is an error that says so."""
        with pytest.raises(ScriptError, match=r"no plugin of that name"):
            FakePlugin("acme.nowhere")

    @pytest.mark.parametrize("value", [3, None, dict, object()])
    def test_what_is_no_plugin(self, value: object) -> None:
        """Nothing but a plugin can be faked."""
        make: type = FakePlugin

        with pytest.raises(TypeError, match="ActionPlugin or CheckPlugin"):
            make(value)


class TestOutcomes:
    """What a line says happens."""

    def test_it_succeeds_at_once_by_default(self) -> None:
        """A response is made without arguments, where that works."""
        result = simulate(fleet(copy("a")), [FakePlugin(Copy)])

        assert result.elapsed == 0
        assert attempts(result)[0].response == CopyResponse()

    def test_it_gives_a_response_after_a_while(self) -> None:
        """takes and gives."""
        fake = FakePlugin(Copy).otherwise(takes=60, gives=CopyResponse(7))
        result = simulate(fleet(copy("a")), [fake])

        assert result.elapsed == 60
        assert attempts(result)[0].response == CopyResponse(7)

    def test_it_fails_and_is_tried_again(self) -> None:
        """An error may be retried, by the plugin's own policy (A-11)."""
        fake = FakePlugin(Copy).when(attempt=1, fails="busy", code=7, takes=2)
        result = simulate(fleet(copy("a", retries=2)), [fake])

        assert [attempt.error for attempt in attempts(result)] == [
            PluginError("busy", code=7),
            None,
        ]
        assert [call.started for call in fake.calls] == [0, 3]

    def test_it_fails_for_good(self) -> None:
        """A permanent error is not retried (A-9)."""
        fake = FakePlugin(Copy).when(host="a", fails="disk full", permanent=True)
        result = simulate(fleet(copy("a", retries=5)), [fake])

        [attempt] = attempts(result)
        assert attempt.error == PluginError("disk full", permanent=True)

    def test_it_fails_with_a_response(self) -> None:
        """Both are kept (A-3)."""
        fake = FakePlugin(Copy).otherwise(fails="half done", gives=CopyResponse(3))
        [attempt] = attempts(simulate(fleet(copy("a")), [fake]))

        assert attempt.response == CopyResponse(3)
        assert attempt.error == PluginError("half done")

    def test_it_hangs_until_its_timeout(self) -> None:
        """The call is cancelled (A-4)."""
        fake = FakePlugin(Copy).otherwise(hangs=True)
        result = simulate(fleet(copy("a")), [fake])

        assert result.elapsed == 300
        assert last_error(result).message == "plugin execution timed out"

    def test_it_ignores_its_cancellation_for_a_while(self) -> None:
        """The attempt ends when the plugin does (A-5), and shows as deaf (A-16)."""
        fake = FakePlugin(Copy).otherwise(hangs=True, ignores_cancellation=40)
        result = simulate(fleet(copy("a")), [fake])

        assert result.elapsed == 340
        assert attempts(result)[0].unresponsive
        assert "does not end, 30 seconds after" in "".join(map(str, result.timeline))

    def test_work_that_ends_too_late_is_discarded(self) -> None:
        """What cannot be cancelled ends by itself, and its result is late (A-5)."""
        fake = FakePlugin(Copy).otherwise(takes=310, ignores_cancellation=math.inf)
        result = simulate(fleet(copy("a")), [fake])

        assert result.elapsed == 310
        assert last_error(result).message == "plugin execution timed out"
        assert not attempts(result)[0].unresponsive

    @pytest.mark.parametrize("answer", [3, "text", None, CopyRequest("a")])
    def test_it_returns_a_wrong_type(self, answer: object) -> None:
        """That is a permanent error that names both types (A-6, A-7)."""
        fake = FakePlugin(Copy).otherwise(returns=answer)
        error = last_error(simulate(fleet(copy("a", retries=3)), [fake]))

        assert error.permanent
        assert "CopyResponse" in error.message

    @pytest.mark.parametrize("raises", [KeyError, KeyError("k")])
    def test_it_raises(self, raises: type[KeyError] | KeyError) -> None:
        """An exception is an error that may be retried (A-8)."""
        fake = FakePlugin(Copy).when(attempt=[1, 2], raises=raises)
        result = simulate(fleet(copy("a", retries=2)), [fake])

        assert result.plan.state.status is Status.COMPLETED
        first = attempts(result)[0].error
        assert first is not None
        assert first.message.startswith("KeyError")

    def test_a_function_does_the_rest(self) -> None:
        """It is called as a plugin is; async or not makes no difference."""

        async def slow(context: Context, request: CopyRequest) -> CopyResponse:
            await sleep(5)
            context.report("half", done=1, total=2)
            await context.remember(step=1)
            return CopyResponse(request.size + context.attempt)

        def quick(_context: Context, request: CopyRequest) -> CopyResponse:
            return CopyResponse(request.size)

        fake = FakePlugin(Copy).when(host="a", does=slow).does(quick)
        result = simulate(fleet(copy("a"), copy("b")), [fake])

        assert attempts(result, 1)[0].response == CopyResponse(2)
        assert attempts(result, 2)[0].response == CopyResponse(1)
        assert attempts(result)[0].notes == {"step": 1}
        [report] = result.reports
        assert (report.time, report.message, report.done) == (5, "half", 1)


class TestLines:
    """Which call a line is for."""

    def test_by_the_fields_of_the_request(self) -> None:
        """Values are compared, functions are asked."""

        def is_late(host: str) -> bool:
            return host > "b"

        fake = (
            FakePlugin(Copy)
            .when(host="a", size=1, takes=1)
            .when(host=is_late, takes=3)
            .otherwise(takes=2)
        )
        simulate(fleet(copy("a"), copy("b"), copy("c")), [fake])

        assert {call.path[-11:-7]: call.ended for call in fake.calls} == {
            "eb-1": 1,
            "eb-2": 2,
            "eb-3": 3,
        }

    @pytest.mark.parametrize("path", ["Deploy / Fleet / web-2 / Copy", "web-2 / Copy"])
    def test_by_the_path_in_the_plan(self, path: str) -> None:
        """The whole path, or the end of it (OM-15)."""
        fake = FakePlugin(Copy).when(path=path, fails="no")
        result = simulate(fleet(copy("a"), copy("a"), copy("a")), [fake])

        assert [failure.path for failure in failures(result.plan)] == [
            "Deploy / Fleet / web-2 / Copy"
        ]

    def test_by_fields_with_awkward_names(self) -> None:
        """Fields that are called as arguments are told apart, or a function is asked."""
        plan = fleet(
            Locate.action(Place("/a"), name="A"),
            Locate.action(Place("/b", attempt=4), name="B"),
        )
        fake = (
            FakePlugin(Locate("/"))
            .when(request={"path": "/a"}, gives=Found("first"))
            .when(request=lambda place: place.attempt == 4, gives=Found("second"))
        )
        result = simulate(plan, [fake])

        assert attempts(result, 1)[0].response == Found("first")
        assert attempts(result, 2)[0].response == Found("second")

    def test_two_lines_for_one_call(self) -> None:
        """Which of them is meant cannot be known: an error names both."""
        fake = FakePlugin(Copy).when(host="a", takes=1).when(size=1, takes=2)

        with pytest.raises(ScriptError) as caught:
            simulate(fleet(copy("a")), [fake])
        for text in ("when(host='a')", "when(size=1)", "web-1 / Copy", "acme.copy"):
            assert text in str(caught.value)

    def test_a_line_that_is_never_used(self) -> None:
        """A test that says more than happens is wrong: all such lines are named."""
        fake = (
            FakePlugin(Copy)
            .when(host="a", takes=1)
            .when(host="typo", fails="no")
            .when(attempt=9, fails="no")
        )

        with pytest.raises(ScriptError) as caught:
            simulate(fleet(copy("a")), [fake])
        assert "when(host='typo') was never used" in str(caught.value)
        assert "when(attempt=9) was never used" in str(caught.value)
        assert "host='a'" not in str(caught.value)
        assert "web-1" in str(caught.value.__notes__)  # what happened instead

    def test_unless_that_is_allowed(self) -> None:
        """One script may serve many plans."""
        fake = FakePlugin(Copy, strict=False).when(host="typo", fails="no")

        assert simulate(fleet(copy("a")), [fake]).elapsed == 0

    def test_a_call_of_which_nothing_is_said(self) -> None:
        """Where no response can be made, one must be given: the error says which."""
        plan = fleet(Locate.action(Place("/a"), name="A"))

        with pytest.raises(ScriptError, match=r"write otherwise\(gives="):
            simulate(plan, [FakePlugin(Locate("/"))])

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ({"hots": "a"}, "hots is neither an argument of when() nor a field"),
            ({"hots": "a", "takes": -1}, "takes is -1"),
            ({"host": "a", "hangs": True, "fails": "no"}, "exclude each other"),
            ({"host": "a", "permanent": True}, "say it with fails"),
            ({"host": "a", "gives": 3}, "gives is an int"),
            ({"host": "a", "takes": math.inf}, "write hangs=True"),
            ({"host": "a", "ignores_cancellation": 3}, "needs a call that lasts"),
            ({"host": "a", "does": print, "takes": 1}, "takes its own time"),
            ({"takes": 1}, "write otherwise(...)"),
        ],
    )
    def test_what_makes_no_sense(self, line: dict[str, object], told: str) -> None:
        """A line is refused where it is written."""
        fake: Any = FakePlugin(Copy)

        with pytest.raises(ScriptError) as caught:
            fake.when(**line)
        assert told in str(caught.value)

    def test_what_is_said_twice(self) -> None:
        """There is one thing that all other calls do."""
        fake = FakePlugin(Copy).otherwise(takes=1)

        with pytest.raises(ScriptError, match="said before"):
            fake.otherwise(takes=2)

    def test_a_line_that_gives_nothing(self) -> None:
        """What cannot be made by default must be said, line by line."""
        with pytest.raises(ScriptError, match="write gives="):
            FakePlugin(Locate("/")).when(attempt=0, takes=3)


class TestCalls:
    """A fake notes its calls."""

    def test_order_and_overlap_can_be_asserted(self) -> None:
        """Request, path, attempt, times and outcome are noted."""
        fake = FakePlugin(Copy).when(host="b", fails="no", takes=1).otherwise(takes=2)
        simulate(fleet(copy("a"), copy("b")), [fake])

        first, second = fake.calls
        assert first.path == "Deploy / Fleet / web-1 / Copy"
        assert first.request == CopyRequest("a")
        assert (first.attempt, first.started, first.ended) == (1, 0, 2)
        assert first.response == CopyResponse()
        assert second.error == PluginError("no")
        assert second.ended == 1

    def test_each_simulation_begins_anew(self) -> None:
        """Calls and used lines are those of the last simulation."""
        fake = FakePlugin(Copy).when(host="a", takes=1)
        simulate(fleet(copy("a")), [fake])
        assert len(fake.calls) == 1

        with pytest.raises(ScriptError, match="never used"):
            simulate(fleet(copy("b")), [fake])
        assert len(fake.calls) == 1


class TestAfterACrash:
    """What a fake does about work that was begun before a crash."""

    def test_it_finds_the_truth(self) -> None:
        """A fake of a plugin that reconciles knows what it has done (R-7)."""
        fake = FakePlugin(Copy).otherwise(takes=10, gives=CopyResponse(3))
        report = crash_everywhere(fleet(copy("a")), [fake])

        assert [called.was_done for called in report.called_twice] == [False]

    def test_it_says_what_it_is_told(self) -> None:
        """A reconcile that is wrong is found out."""
        fake = FakePlugin(Copy).otherwise(takes=10).reconciles(fails="cannot tell")

        with pytest.raises(AssertionError, match="cannot tell"):
            crash_everywhere(fleet(copy("a")), [fake])

    def test_it_can_claim_that_nothing_was_done(self) -> None:
        """Then the action is run again (R-7)."""
        fake = FakePlugin(Copy).otherwise(takes=10).reconciles(not_done=True)
        report = crash_everywhere(fleet(copy("a")), [fake])

        assert [called.was_done for called in report.called_twice] == [True]

    def test_only_what_reconciles_reconciles(self) -> None:
        """A fake cannot do more than its plugin (REG-9)."""
        with pytest.raises(ScriptError, match="does not define it"):
            FakePlugin(Locate("/")).reconciles(gives=Found("x"))


class TestFakeAll:
    """Fakes for a whole plan."""

    def test_everything_succeeds_at_once(self) -> None:
        """Given classes are faked, given fakes are taken."""
        checks = Checks(actions=[Look.action(CopyRequest("lb"), name="Look")])
        plan = fleet(copy("a"), checks=checks)
        slow = FakePlugin(Copy).otherwise(takes=5)

        assert simulate(plan, fake_all(plan, Copy, Look)).elapsed == 0
        assert simulate(plan, fake_all(plan, slow, Look)).elapsed == 5

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        """Plugins that nobody knows, and responses that cannot be made."""
        checks = Checks(actions=[Look.action(CopyRequest("lb"), name="Look")])
        plan = fleet(
            copy("a"), Locate.action(Place("/a"), name="Locate"), checks=checks
        )

        with pytest.raises(ScriptError) as caught:
            fake_all(plan, Locate("/"))
        for text in ("acme.look is not installed", "acme.copy is not installed"):
            assert text in str(caught.value)

    def test_a_response_is_made_of_plain_values(self) -> None:
        """It needs arguments, and every one of them can be made."""
        plan = fleet(Locate.action(Place("/a"), name="Locate"))
        [call] = simulate(plan, fake_all(plan, Locate("/"))).calls
        assert call.response == Found("")

        plan = fleet(Report.action(Place("/a"), name="Report"))
        [call] = simulate(plan, fake_all(plan, Report)).calls
        assert call.response == Reported(
            0, None, Found(""), Colour.RED, ("", 0.0), [], {}, "on"
        )

    def test_a_response_that_cannot_be_made_is_told(self) -> None:
        """The message says what to write."""
        plan = fleet(Fuss.action(Place("/a"), name="Fuss"))
        with pytest.raises(ScriptError, match=r"acme\.fuss answers with Fussy.*gives="):
            fake_all(plan, Fuss)
        simulate(plan, fake_all(plan, FakePlugin(Fuss).otherwise(gives=Fussy(7))))


class TestOnTopOfAnother:
    """A fake of a fake: the one below says what the one on top leaves open."""

    def test_the_one_on_top_goes_first(self) -> None:
        """Its lines, then the lines below, then what those leave open."""
        below = FakePlugin(Copy).when(host="a", takes=5).otherwise(takes=9)
        plan = fleet(copy("a"), copy("b"), copy("c"))

        top = FakePlugin(below).when(host="b", fails="no", permanent=True)
        result = simulate(plan, [top])
        ends = [(call.ended, str(call.error)) for call in result.calls]
        assert ends == [(5, "None"), (0, "no"), (9, "None")]
        again = simulate(plan, [FakePlugin(below)])
        assert [call.ended for call in again.calls] == [5, 9, 9]

    def test_what_was_said_of_crashes_holds(self) -> None:
        """``again`` and ``reconciles`` of the one below."""
        below = FakePlugin(Copy).otherwise(takes=10).reconciles(fails="cannot tell")
        with pytest.raises(AssertionError, match="cannot tell"):
            crash_everywhere(fleet(copy("a")), [FakePlugin(below)])


class TestOnTrio:
    """The same fake serves an engine on trio."""

    def run(self, plan: Plan, fake: FakePlugin[CopyRequest, CopyResponse]) -> Plan:
        """Run a plan on an engine."""
        clock = FakeClock()
        assert isinstance(fake, ActionPlugin)
        registry = Registry([fake])

        async def scenario() -> Plan:
            async with open_workstream(
                MemoryVault(), registry=registry, now=clock.now
            ) as ws:
                return await ws.run(plan)

        return clock.run(scenario)

    def test_it_does_the_same_at_the_same_times(self) -> None:
        """Waiting, failing, hanging and lingering go by trio's clock there."""
        fake = (
            FakePlugin(Copy)
            .when(host="a", attempt=1, fails="busy", takes=2)
            .when(host="b", hangs=True, ignores_cancellation=3)
            .when(host="c", takes=310, ignores_cancellation=math.inf)
            .otherwise(takes=60, gives=CopyResponse(9))
        )
        plan = fleet(copy("a", retries=1), copy("b"), copy("c"), copy("d"))

        def noted() -> list[tuple[object, ...]]:
            calls = [(c.path, c.attempt, c.started, c.ended) for c in fake.calls]
            return sorted(calls, key=str)

        simulated = simulate(plan, [fake])
        in_simulation = noted()
        fake.reset()
        ended = self.run(plan, fake)

        assert noted() == in_simulation
        assert [sequence.state.status for sequence in ended.blocks[0].sequences] == [
            sequence.state.status for sequence in simulated.plan.blocks[0].sequences
        ]
        fake.check_script()

    def test_a_script_that_does_not_fit_is_told_there_too(self) -> None:
        """The attempt fails, and ``check_script`` tells why."""
        fake = FakePlugin(Copy).when(host="a", takes=1).when(size=1, takes=2)
        ended = self.run(fleet(copy("a")), fake)

        assert ended.blocks[0].sequences[0].state.status is Status.FAILED
        with pytest.raises(ScriptError, match=r"and when\(size=1\) fit attempt 1 of"):
            fake.check_script()
