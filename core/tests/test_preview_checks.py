"""Which checks a dry run runs, and what it makes of them (PV-3, PV-4)."""

from __future__ import annotations

from typing import Any

import attrs
import trio
import trio.testing

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Registry,
    Sequence,
    WhenDeferred,
    preview_plan,
)
from workstream.plugins import Preview, PreviewContext
from workstream.results import PlanPreview

Found = list[tuple[str, str, str]]


@attrs.frozen
class Ask:
    """Asks a plugin to do as it is told.

    Attributes:
        says: What its preview says; "": that nothing would change.
        fails: What a check fails with.
    """

    says: str = ""
    fails: str = ""


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

    def __init__(self, log: Log | None = None) -> None:
        self.log = log or Log()

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Must never be called here."""
        raise AssertionError

    async def preview(self, context: PreviewContext, request: Ask, /) -> Preview:
        """Say what it is told to."""
        self.log.note("preview", context.path)
        return Preview(request.says or "no change", changes=bool(request.says))


class Look(CheckPlugin[Ask, None]):
    """A check that is safe in a dry run."""

    name = "toy.look"
    safe_in_preview = True

    def __init__(self, log: Log | None = None) -> None:
        self.log = log or Log()

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Pass or fail, as it is told."""
        self.log.note("check", context.path)
        assert context.attempt == 1
        context.report("looking")
        await context.remember(seen=context.idempotency_key)
        assert context.notes == {"seen": str(context.action_id)}
        if request.fails:
            raise PluginError(request.fails)


class Unsafe(Look):
    """A check that is not."""

    name = "toy.unsafe"
    safe_in_preview = False


def registry(log: Log | None = None) -> Registry:
    """All of them."""
    return Registry([Do(log), Look(log), Unsafe(log)])


def do(name: str, says: str = "", fails: str = "", **settings: Any) -> Any:
    """An action whose preview says this."""
    return Do.action(Ask(says, fails), name=name, **settings)


def look(name: str, fails: str = "", **settings: Any) -> Any:
    """A check that is run in a dry run."""
    return Look.action(Ask(fails=fails), name=name, **settings)


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


def test_checks_of_what_is_now_are_run() -> None:
    """Before the first change; not those that are not safe, nor those after it (PV-3)."""
    log = Log()
    wanted = Plan(
        name="Plan",
        pre_checks=checks(look("now"), Unsafe.action(Ask(), name="unsafe")),
        cont_checks=checks(look("now")),
        blocks=[
            Block(
                name="B",
                pre_checks=checks(look("now")),
                sequences=[sequence("s", do("a", "made"))],
                post_checks=checks(look("later")),
            ),
            Block(
                name="C",
                bypass_checks=checks(look("later")),
                pre_checks=checks(look("later")),
                sequences=[sequence("s", do("a"))],
            ),
        ],
        post_checks=checks(look("later")),
        deferred_checks=checks(look("later")),
    )

    told = found(wanted, registry(log))

    late = ("not run", "it looks at what the plan changes before it")
    assert told == [
        ("pre_checks / now", "passed", ""),
        (
            "pre_checks / unsafe",
            "not run",
            "toy.unsafe is not marked as safe in a dry run",
        ),
        ("cont_checks / now", "passed", ""),
        ("B / pre_checks / now", "passed", ""),
        ("B / s / a", "would change", "made"),
        ("B / post_checks / later", *late),
        ("C / bypass_checks / later", *late),
        ("C / pre_checks / later", *late),
        ("C / s / a", "would not change", "no change"),
        ("post_checks / later", *late),
        ("deferred_checks / later", *late),
    ]
    assert sorted(call for call in log.calls if call.startswith("check")) == [
        "check B / pre_checks / now",
        "check cont_checks / now",
        "check pre_checks / now",
    ]


def test_the_word_of_the_plans_author_counts() -> None:
    """A command that only looks may be run, and a look that costs much is not (PV-3)."""
    may = Unsafe.action(Ask(), name="may", safe_in_preview=True)
    group = checks(may, look("may not", safe_in_preview=False))
    wanted = Plan(
        name="P",
        pre_checks=group,
        blocks=[Block(name="B", sequences=[sequence("s", do("a"))])],
    )

    told = found(wanted)

    assert told[:2] == [
        ("P / pre_checks / may", "passed", ""),
        ("P / pre_checks / may not", "not run", "marked as not safe in a dry run"),
    ]


def test_where_nothing_changes_all_checks_are_run() -> None:
    """What they look at then is what is there now (PV-3)."""
    wanted = Plan(
        name="Plan",
        blocks=[
            Block(
                name="B",
                sequences=[sequence("s", do("a"))],
                post_checks=checks(look("after")),
                deferred_checks=checks(look("after")),
            )
        ],
        post_checks=checks(look("after", fails="it is down")),
        deferred_actions=DeferredActions(
            batches=[DeferBatch(name="d", when=WhenDeferred.ALWAYS, actions=[do("a")])]
        ),
        deferred_checks=checks(look("after")),
    )

    result = preview(wanted)

    assert [item.forecast.value for item in result.items] == [
        "would not change",
        "passed",
        "passed",
        "failed",
        "would not change",
        "passed",
    ]
    assert result.stops == ("Plan / post_checks",)
    assert result.changes is False


def test_a_check_that_fails_stops_a_run_and_no_dry_run() -> None:
    """What stands against a plan is told at once (PV-4)."""
    wanted = plan(
        do("a", "made"),
        pre_checks=checks(look("up", fails="it is down"), look("room")),
        cont_checks=checks(look("up", fails="it is down", retries=2)),
    )
    wanted.blocks[0].pre_checks = checks(look("up", fails="it is down", retries=1))

    result = preview(wanted)

    assert [(item.forecast.value, item.summary) for item in result.items] == [
        ("failed", "it is down"),
        ("passed", ""),
        ("failed", "it is down (a run would try again up to 2 times)"),
        ("failed", "it is down (a run would try again once)"),
        ("would change", "made"),
    ]
    assert result.stops == (
        "Plan / pre_checks",
        "Plan / cont_checks",
        "Plan / B / pre_checks",
    )
    assert not result.ok


def test_a_check_is_an_attempt_like_any_other() -> None:
    """Its timeout and its response count (A-4, A-6)."""

    class Odd(Look):
        """Returns what it should not, or nothing at all."""

        async def execute(self, context: Context, request: Ask, /) -> Any:
            """Do so."""
            if request.says == "hang":
                await trio.sleep_forever()
            return "text"

    wanted = plan(
        pre_checks=checks(Odd.action(Ask("hang"), name="hangs", timeout=3), look("odd"))
    )

    told = found(wanted, Registry([Do(), Odd()]))

    assert told[0] == ("pre_checks / hangs", "failed", "plugin execution timed out")
    assert told[1][2].startswith("plugin 'toy.look' returned str")


def test_a_bypassed_plan_is_not_asked_further() -> None:
    """All checks pass: a run would do nothing more (E-2, PV-4)."""
    log = Log()
    wanted = plan(do("a", "made"), bypass_checks=checks(look("done"), look("well")))

    result = preview(wanted, registry(log))

    assert [item.forecast.value for item in result.items] == [
        "passed",
        "passed",
        "skipped",
    ]
    assert result.bypassed == ("Plan",)
    assert result.changes is False
    assert result.ok
    assert "preview B / s / a" not in log.calls


def test_a_bypassed_block_is_passed_by() -> None:
    """And changes nothing for what comes after it (B-3, PV-4)."""
    wanted = Plan(
        name="Plan",
        blocks=[
            Block(
                name="B",
                bypass_checks=checks(look("done")),
                pre_checks=checks(look("up")),
                sequences=[sequence("s", do("a", "made"))],
            ),
            Block(
                name="C",
                bypass_checks=checks(look("done", fails="not yet")),
                pre_checks=checks(look("up")),
                sequences=[sequence("s", do("a", "made"))],
            ),
        ],
    )

    result = preview(wanted)

    assert [(item.path, item.forecast.value) for item in result.items] == [
        ("Plan / B / bypass_checks / done", "passed"),
        ("Plan / B / pre_checks / up", "skipped"),
        ("Plan / B / s / a", "skipped"),
        ("Plan / C / bypass_checks / done", "did not pass"),
        ("Plan / C / pre_checks / up", "passed"),
        ("Plan / C / s / a", "would change"),
    ]
    assert result.bypassed == ("Plan / B",)
    assert result.ok, "a bypass check that does not pass is no failure"


def test_deferred_actions_are_asked_but_those_of_a_failure() -> None:
    """What would run only then would find a world that nobody has seen (PV-4)."""
    batches = [
        DeferBatch(name=when.name, when=when, actions=[do("a", "x")])
        for when in WhenDeferred
        if when not in (WhenDeferred.UNKNOWN, WhenDeferred.ON_UNDO)
    ]

    told = found(plan(deferred_actions=DeferredActions(batches=batches)))

    assert told[1:] == [
        ("deferred_actions / ON_SUCCESS / a", "would change", "x"),
        (
            "deferred_actions / ON_FAILURE / a",
            "skipped",
            "it is for a plan that failed",
        ),
        ("deferred_actions / ALWAYS / a", "would change", "x"),
    ]
