"""A dry run: what a plan would change, and nothing does (section 24)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from workstream import (
    SECURE,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    ValidationError,
    clone,
    open_workstream,
    preview_plan,
)
from workstream._secrets.lookups import Immediate
from workstream.plugins import AnyPlugin, Preview, PreviewContext
from workstream.results import Forecast, PlanPreview
from workstream.vaults import MemoryVault

Body = Callable[[PreviewContext, "Ask"], Awaitable[Any]]
Found = list[tuple[str, str, str]]

SECRET = "hunter2-hunter2"


@attrs.frozen
class Ask:
    """Asks a plugin to do as it is told.

    Attributes:
        says: What its preview says; "": that nothing would change.
        fails: What it says that it would fail with.
        login: A secret.
        phrase: Another one.
    """

    says: str = ""
    fails: str = ""
    login: SecretRef | None = None
    phrase: str = attrs.field(default="", metadata=SECURE)


class Log:
    """What was called, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def note(self, what: str, path: str) -> None:
        """Note a call."""
        self.calls.append(f"{what} {path.removeprefix('Plan / ')}")


class Do(ActionPlugin[Ask, None]):
    """Does nothing, and says beforehand what it would do."""

    name = "toy.do"

    def __init__(self, log: Log | None = None, body: Body | None = None) -> None:
        self.log = log or Log()
        self.body = body
        self.inits = 0

    async def init(self) -> None:
        """Count."""
        self.inits += 1

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Must never be called here."""
        self.log.note("execute", context.path)

    async def preview(self, context: PreviewContext, request: Ask, /) -> Preview:
        """Say what it is told to."""
        self.log.note("preview", context.path)
        if self.body is not None:
            return await self.body(context, request)  # type: ignore[no-any-return]
        await trio.lowlevel.checkpoint()
        if request.fails:
            raise PluginError(request.fails)
        if request.says == "?":
            return Preview("nobody knows", changes=None)
        return Preview(request.says or "no change", changes=bool(request.says))


class Mute(ActionPlugin[Ask, None]):
    """An action without a preview."""

    name = "toy.mute"

    def __init__(self) -> None:
        self.inits = 0

    async def init(self) -> None:
        """Count."""
        self.inits += 1

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Must never be called here."""
        raise AssertionError


class Unsafe(CheckPlugin[Ask, None]):
    """A check that is not for a dry run."""

    name = "toy.unsafe"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Must never be called here."""
        raise AssertionError


def registry(log: Log | None = None, body: Body | None = None) -> Registry:
    """All of them."""
    plugins: list[AnyPlugin] = [Do(log, body), Mute(), Unsafe()]
    return Registry(
        plugins, resolvers={"toy": Immediate(lambda name: f"{SECRET}{name}")}
    )


def do(name: str, says: str = "", fails: str = "", **settings: Any) -> Any:
    """An action whose preview says this."""
    return Do.action(Ask(says, fails), name=name, **settings)


def checks(*actions: Any) -> Checks:
    """A group of them."""
    return Checks(actions=list(actions))


def sequence(name: str, *actions: Any) -> Sequence:
    """A sequence of them."""
    return Sequence(name=name, actions=list(actions))


def plan(*actions: Any, **settings: Any) -> Plan:
    """A plan of one sequence."""
    block = Block(name="B", sequences=[sequence("s", *actions or (do("a"),))])
    return Plan(name="Plan", blocks=[block], **settings)


def preview(wanted: Plan, plugins: Registry | None = None) -> PlanPreview:
    """A dry run on a clock of its own."""

    async def main() -> PlanPreview:
        return await preview_plan(wanted, registry=plugins or registry())

    clock = trio.testing.MockClock(autojump_threshold=0)
    return trio.run(main, clock=clock)


def found(wanted: Plan, plugins: Registry | None = None) -> Found:
    """What it says of each action: its path, the forecast, and why."""
    return [
        (item.path.removeprefix("Plan / "), item.forecast.value, item.summary)
        for item in preview(wanted, plugins).items
    ]


# --- previews ---------------------------------------------------------------------------


def test_each_action_is_told_in_walk_order() -> None:
    """What its plugin says; of one without a preview, that (PV-2, PV-5)."""
    wanted = plan(
        do("changes", "a -> b"),
        do("as it is"),
        do("who knows", "?"),
        Mute.action(Ask(), name="mute"),
    )

    result = preview(wanted)

    assert [(i.path, i.plugin, i.forecast, i.summary) for i in result.items] == [
        ("Plan / B / s / changes", "toy.do", Forecast.CHANGE, "a -> b"),
        ("Plan / B / s / as it is", "toy.do", Forecast.NO_CHANGE, "no change"),
        ("Plan / B / s / who knows", "toy.do", Forecast.UNKNOWN, "nobody knows"),
        (
            "Plan / B / s / mute",
            "toy.mute",
            Forecast.UNKNOWN,
            "toy.mute has no preview",
        ),
    ]
    assert result.ok
    assert result.changes is True
    assert str(result).splitlines()[0] == (
        "Plan / B / s / changes: would change: a -> b"
    )


@pytest.mark.parametrize(
    ("says", "changes"), [(["x", "?"], True), (["?", ""], None), (["", ""], False)]
)
def test_whether_anything_changes(says: list[str], changes: bool | None) -> None:
    """Something surely does, perhaps does, or nothing does."""
    assert preview(plan(*(do(f"a{n}", s) for n, s in enumerate(says)))).changes is (
        changes
    )


def test_nothing_is_executed_and_the_plan_stays_as_it_was() -> None:
    """Its previews are called, once each; the caller's plan is not touched (V-2)."""
    log = Log()
    wanted = plan(do("a", "x"), do("b"))
    before = clone(wanted)

    preview(wanted, registry(log))

    assert log.calls == ["preview B / s / a", "preview B / s / b"]
    assert wanted == before
    assert wanted.id is None


async def raises(context: PreviewContext, request: Ask) -> Preview:
    """A preview with a bug."""
    if request.says == "bug":
        raise ZeroDivisionError(request.phrase)
    return Preview("fine", changes=False)


async def bursts(context: PreviewContext, request: Ask) -> Preview:
    """A preview whose nursery fails."""
    if request.says == "bug":
        message = "several"
        raise ExceptionGroup(message, [ValueError("one"), KeyError("two")])
    return Preview("fine", changes=False)


async def is_text(context: PreviewContext, request: Ask) -> Any:
    """A preview that is no Preview."""
    return "text" if request.says == "bug" else Preview("fine", changes=False)


async def hangs(context: PreviewContext, request: Ask) -> Preview:
    """A preview that does not come back."""
    if request.says == "bug":
        assert context.deadline is not None
        await trio.sleep_forever()
    return Preview("fine", changes=False)


async def gives_up(context: PreviewContext, request: Ask) -> Preview:
    """A preview that has its own words for a timeout."""
    try:
        return await hangs(context, request)
    except trio.Cancelled:
        message = "no answer"
        raise PluginError(message) from None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (raises, "preview failed: ZeroDivisionError: [secret hidden]"),
        (bursts, "preview failed: ValueError: one; KeyError: 'two'"),
        (is_text, "preview failed: plugin 'toy.do' returned str, no Preview"),
        (hangs, "preview failed: plugin execution timed out"),
        (gives_up, "preview failed: plugin execution timed out: no answer"),
    ],
)
def test_a_preview_that_fails_fails_alone(body: Body, why: str) -> None:
    """The others are asked all the same, before and after it (PV-5)."""
    bad = Do.action(Ask("bug", phrase="a long secret"), name="bad", timeout=5)
    plugins = registry(body=body)

    result = preview(plan(do("before"), bad, do("after")), plugins)

    assert [item.forecast for item in result.items] == [
        Forecast.NO_CHANGE,
        Forecast.FAILED,
        Forecast.NO_CHANGE,
    ]
    assert result.items[1].summary == why
    assert not result.ok
    assert result.changes is None


def test_what_would_fail_now_fails_where_nothing_comes_before() -> None:
    """After a change, or what may be one, nobody can tell (PV-5)."""
    for first, expected in (
        (do("first"), ("failed", "would fail: no such folder")),
        (
            do("first", "made"),
            (
                "cannot predict",
                "the steps before it decide; as things are now it would fail: "
                "no such folder",
            ),
        ),
        (do("first", "?"), ("cannot predict", None)),
        (Mute.action(Ask(), name="first"), ("cannot predict", None)),
        (do("first", fails="no"), ("cannot predict", None)),
    ):
        _, (_, forecast, why) = found(plan(first, do("a", fails="no such folder")))
        assert forecast == expected[0]
        assert why == expected[1] or expected[1] is None


async def returns_error(context: PreviewContext, request: Ask) -> Any:
    """A preview that returns what it should raise."""
    return PluginError("there is no room")


def test_returning_an_error_is_raising_it() -> None:
    """As of ``execute`` (A-8)."""
    assert found(plan(do("a")), registry(body=returns_error)) == [
        ("B / s / a", "failed", "would fail: there is no room")
    ]


def test_sequences_are_asked_as_a_run_has_them() -> None:
    """Side by side where they run so; one after the other where they do not."""
    for concurrency, forecast in ((1, "cannot predict"), (2, "failed")):
        wanted = Plan(
            name="Plan",
            blocks=[
                Block(
                    name="B",
                    concurrency=concurrency,
                    sequences=[
                        sequence("one", do("a", "made")),
                        sequence("two", do("a", fails="no such folder")),
                    ],
                ),
                Block(name="C", sequences=[sequence("s", do("a", fails="no"))]),
            ],
        )
        told = found(wanted)
        assert [each[1] for each in told] == [
            "would change",
            forecast,
            "cannot predict",  # what an earlier block changes is there by then
        ]


def test_so_many_are_asked_at_once() -> None:
    """No more than that, however many sequences there are; and told in order."""
    asked = most = 0

    async def count(context: PreviewContext, request: Ask) -> Preview:
        nonlocal asked, most
        asked += 1
        most = max(most, asked)
        # The first are the last to answer.
        await trio.sleep(100 - int(request.says))
        asked -= 1
        return Preview(request.says, changes=True)

    wanted = Plan(
        name="Plan",
        blocks=[
            Block(
                name="B",
                concurrency=50,
                sequences=[
                    sequence(f"s{n}", do("a", str(n), timeout=200)) for n in range(50)
                ],
            )
        ],
    )

    async def main() -> PlanPreview:
        return await preview_plan(wanted, registry=registry(body=count), at_once=7)

    result = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert most == 7
    assert [item.summary for item in result.items] == [str(n) for n in range(50)]
    with pytest.raises(ValueError, match="at_once is 0"):
        trio.run(lambda: preview_plan(wanted, registry=registry(), at_once=0))


def test_cancelling_it_cancels_the_plugins() -> None:
    """And it ends when they have."""
    seen: list[str] = []

    async def wait(context: PreviewContext, request: Ask) -> Preview:
        try:
            await trio.sleep_forever()
        finally:
            seen.append("ended")
        raise AssertionError

    async def main() -> None:
        with trio.move_on_after(1) as scope:
            await preview_plan(plan(), registry=registry(body=wait))
        assert scope.cancelled_caught

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert seen == ["ended"]


def test_the_shorter_of_timeout_and_deadline_counts() -> None:
    """It is one attempt of the action (A-15)."""
    took: list[float] = []

    async def wait(context: PreviewContext, request: Ask) -> Preview:
        began = trio.current_time()
        try:
            await trio.sleep_forever()
        finally:
            took.append(trio.current_time() - began)
        raise AssertionError

    preview(
        plan(do("a", timeout=5), do("b", timeout=50, deadline=20)), registry(body=wait)
    )

    assert took == [5, 20]


def test_long_details_are_cut() -> None:
    """To 200 lines of 1,000 characters, after secrets were hidden."""

    async def tell(context: PreviewContext, request: Ask) -> Preview:
        lines = ("x" * 990 + SECRET + "toy", *["line"] * 300)
        return Preview("much", changes=True, details=lines)

    ask = Ask(login=SecretRef("toy:toy"))
    [item] = preview(plan(Do.action(ask, name="a")), registry(body=tell)).items

    assert item.details[0] == "x" * 990 + "[secret hi"
    assert len(item.details) == 201
    assert item.details[-1] == "[... 101 lines left out ...]"


# --- secrets ----------------------------------------------------------------------------


def test_secrets_are_there_for_plugins_and_hidden_from_all_else() -> None:
    """The resolved ones and those of SECURE fields (PV-6, CL-8)."""

    async def tell(context: PreviewContext, request: Ask) -> Preview:
        assert request.login is not None
        both = f"{request.login.reveal()} and {request.phrase}"
        if request.fails:
            message = f"no entry with {both}"
            raise PluginError(message)
        return Preview(f"log in with {both}", changes=True, details=(both, both))

    ask = Ask(login=SecretRef("toy:x"), phrase="open sesame")
    wanted = plan(
        Do.action(ask, name="a"), Do.action(attrs.evolve(ask, fails="x"), name="b")
    )

    result = preview(wanted, registry(body=tell))

    assert SECRET not in str(result) + repr(result)
    assert "sesame" not in str(result) + repr(result)
    assert result.items[0].details == ("[secret hidden] and [secret hidden]",) * 2


def test_a_secret_that_is_not_to_be_had_stands_against_the_plan() -> None:
    """It is looked up for calls that are made, and for no others (PV-6)."""
    looked_up: list[str] = []

    def missing(name: str) -> str:
        looked_up.append(name)
        raise KeyError(name)

    ask = Ask(login=SecretRef("toy:x"))
    wanted = plan(
        Do.action(ask, name="a"),
        Mute.action(Ask(login=SecretRef("toy:y")), name="b"),
        pre_checks=checks(Unsafe.action(Ask(login=SecretRef("toy:z")), name="c")),
    )
    plugins = Registry([Do(), Mute(), Unsafe()], resolvers={"toy": Immediate(missing)})

    told = found(wanted, plugins)

    assert told[1][1] == "failed"
    assert told[1][2].startswith(
        "preview failed: the secret 'toy:x' cannot be resolved"
    )
    assert looked_up == ["x"]


# --- validation, and engines ---------------------------------------------------------------


def test_an_invalid_plan_is_told_all_its_faults() -> None:
    """As ``submit`` tells them, and no plugin is asked (PV-1, V-1)."""
    log = Log()
    wanted = plan(do("", "x"), do("a", "x", timeout=-1), do("b", "x"))
    wanted.blocks[0].sequences[0].actions[2].plugin = "toy.none"

    with pytest.raises(ValidationError) as caught:
        preview(wanted, registry(log))

    assert [fault.rule for fault in caught.value.faults] == ["V-6", "V-16", "V-15"]
    assert log.calls == []
    nothing: Any = None
    with pytest.raises(ValidationError):
        preview(nothing)


def test_only_the_plugins_of_the_plan_are_made_ready() -> None:
    """One whose ``init`` fails is told, like at submit (REG-6)."""

    class Broken(Mute):
        """Has no network."""

        async def init(self) -> None:
            """Fail."""
            message = "no network"
            raise OSError(message)

    act, mute = Do(), Mute()
    preview(plan(), Registry([act, mute]))
    assert (act.inits, mute.inits) == (1, 0)

    with pytest.raises(ValidationError, match="its init failed: OSError: no network"):
        preview(plan(Mute.action(Ask(), name="a")), Registry([Broken()]))


def test_an_open_engine_stores_nothing_for_it(tmp_path: Path) -> None:
    """``Workstream.preview`` writes nothing, and makes no plugin ready again (PV-1)."""
    log = Log()
    act = Do(log)

    async def main() -> PlanPreview:
        vault = MemoryVault()
        async with open_workstream(vault, registry=Registry([act])) as ws:
            result = await ws.preview(plan(do("a", "made")))
            assert await ws.list() == []
        return result

    result = trio.run(main)

    assert result.changes
    assert log.calls == ["preview B / s / a"]
    assert act.inits == 1


# --- the answer itself ----------------------------------------------------------------------


def test_an_answer_is_of_its_types() -> None:
    """What makes no sense is refused with what to do."""
    wrong: Any = None
    with pytest.raises(TypeError, match="a sentence for people, not ' '"):
        Preview(" ", changes=True)
    with pytest.raises(TypeError, match="a sentence for people, not None"):
        Preview(wrong, changes=True)
    with pytest.raises(TypeError, match="give True, False, or None"):
        Preview("x", changes="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give a tuple of texts"):
        Preview("x", changes=True, details="letters")
    with pytest.raises(TypeError, match="give a tuple of texts"):
        Preview("x", changes=True, details=(1,))  # type: ignore[arg-type]
    assert Preview("x", changes=None, details=("a\nb", "", "c")).details == (
        "a",
        "b",
        "",
        "c",
    )
