"""The difference of two plans, by path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest

from workstream._plan.clone import clone
from workstream._plan.difference import difference
from workstream._plan.plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from workstream._plan.walk import give_ids
from workstream._secrets.references import SECURE
from workstream._values.state import (
    Attempt,
    FailureReason,
    PluginError,
    Status,
    WhenDeferred,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@attrs.frozen
class Inner:
    size: int


@attrs.frozen
class Request:
    host: str = "h"
    inner: Inner | None = None
    tags: dict[str, str] = attrs.field(factory=dict[str, str])
    files: tuple[str, ...] = ()
    password: str = attrs.field(default="", metadata=SECURE)
    passwords: tuple[str, ...] = attrs.field(default=(), metadata=SECURE)
    started: datetime = START


@attrs.frozen
class Measured:
    value: object


@attrs.frozen(eq=False)
class Opaque:
    size: int


def plan_with(**changes: Any) -> Plan:
    return Plan(
        name="Deploy",
        pre_checks=Checks(actions=[CheckAction(name="ready", plugin="a.look")]),
        blocks=[
            Block(
                name="tier",
                sequences=[
                    Sequence(
                        name=f"web-{n}",
                        actions=[Action(name="Copy", plugin="a.copy", **changes)],
                    )
                    for n in (1, 2)
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="undo",
                    when=WhenDeferred.ALWAYS,
                    actions=[Action(name="do", plugin="a.undo")],
                )
            ]
        ),
    )


def action_of(plan: Plan) -> Action:
    return plan.blocks[0].sequences[0].actions[0]


def test_equal_plans_have_no_difference() -> None:
    """Equal by OM-14: nothing; ``runtime_update`` and ``plan_id`` do not count."""
    before, after = plan_with(request=Request()), plan_with(request=Request())
    after.runtime_update = START
    after.blocks[0].plan_id = UUID(int=1)

    assert before == after
    assert difference(before, after) == ""


def change_settings(plan: Plan) -> None:
    plan.blocks[0].concurrency = 5
    plan.description = "Roll\nout"
    action_of(plan).deadline = 90


def change_progress(plan: Plan) -> None:
    action = action_of(plan)
    action.state.status = Status.FAILED
    action.state.started = START
    action.attempts = [
        Attempt(started=START, ended=START, error=PluginError("no", code=2))
    ]
    plan.reasons = (FailureReason.BLOCK,)


def change_objects(plan: Plan) -> None:
    plan.pre_checks = None
    plan.post_checks = Checks(actions=[CheckAction(name="works", plugin="a.look")])
    del plan.blocks[0].sequences[0]
    plan.blocks[0].sequences += [
        Sequence(name="web-3", actions=[Action(name="Copy", plugin="a.copy")])
    ]


def change_order(plan: Plan) -> None:
    plan.blocks[0].sequences.reverse()


def change_name(plan: Plan) -> None:
    plan.name = "Deploy again"
    plan.blocks[0].name = "tier/2"


def change_kind(plan: Plan) -> None:
    plan.pre_checks = None
    plan.blocks.insert(0, Block(name="pre_checks", sequences=[]))


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            change_settings,
            [
                r"Deploy: description: '' -> 'Roll\nout'",
                "Deploy / tier: concurrency: 1 -> 5",
                "Deploy / tier / web-1 / Copy: deadline: None -> 90",
            ],
        ),
        (
            change_progress,
            [
                "Deploy: reasons[0]: added BLOCK",
                "Deploy / tier / web-1 / Copy: state.status: NOT_STARTED -> FAILED",
                "Deploy / tier / web-1 / Copy: "
                "state.started: None -> 2026-03-01 12:00:00Z",
                "Deploy / tier / web-1 / Copy: attempts[0]: added Attempt(started="
                "2026-03-01 12:00:00Z, ended=2026-03-01 12:00:00Z, error=PluginError("
                "'no', code=2, permanent=False, wrapped=None))",
            ],
        ),
        (
            change_objects,
            [
                "Deploy / pre_checks: removed",
                "Deploy / tier / web-1: removed",
                "Deploy / tier / web-3: added",
                "Deploy / post_checks: added",
            ],
        ),
        (change_order, ["Deploy / tier: order: web-1, web-2 -> web-2, web-1"]),
        (
            change_name,
            [
                "Deploy: name: 'Deploy' -> 'Deploy again'",
                "Deploy / tier: removed",
                "Deploy / tier//2: added",
            ],
        ),
        (
            change_kind,
            ["Deploy / pre_checks: removed, and another kind added"],
        ),
    ],
)
def test_what_changed_is_named_by_path_and_field(
    change: Callable[[Plan], None], lines: list[str]
) -> None:
    """A line for each difference: the object's path, the field, before and after."""
    before, after = plan_with(), plan_with()
    change(after)

    assert lines == difference(before, after).splitlines()
    assert difference(after, before) != ""


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (Request(), Request("i"), ["request.host: 'h' -> 'i'"]),
        (
            Request(inner=Inner(1)),
            Request(inner=Inner(2)),
            ["request.inner.size: 1 -> 2"],
        ),
        (Request(), Request(inner=Inner(2)), ["request.inner: None -> Inner(size=2)"]),
        (
            Request(tags={"a": "1", "b": "2"}),
            Request(tags={"b": "3", "c": "4"}),
            [
                "request.tags['a']: removed '1'",
                "request.tags['b']: '2' -> '3'",
                "request.tags['c']: added '4'",
            ],
        ),
        (
            Request(files=("a", "b", "c")),
            Request(files=("a", "x")),
            ["request.files[1]: 'b' -> 'x'", "request.files[2]: removed 'c'"],
        ),
        (Inner(1), Request().inner, ["request: Inner(size=1) -> None"]),
        (Inner(1), Opaque(1), ["request: Inner(size=1) -> Opaque(size=1)"]),
        (
            Opaque(1),
            Opaque(1),
            [
                "request: Opaque(size=1) -> Opaque(size=1) "
                "(they differ, but not in what is shown)"
            ],
        ),
        (Opaque(1), Opaque(2), ["request.size: 1 -> 2"]),
    ],
)
def test_requests_are_compared_field_by_field(
    before: object, after: object, lines: list[str]
) -> None:
    """The smallest part that differs is named, down through records, lists and
    dicts.
    """
    first, second = plan_with(), plan_with()
    action_of(first).request = before
    action_of(second).request = after

    found = difference(first, second).splitlines()

    assert [f"Deploy / tier / web-1 / Copy: {line}" for line in lines] == found


def test_a_secret_that_changed_is_told_without_showing_it() -> None:
    """Secrets are not shown, yet two plans that differ in one alone do differ
    (CL-3).
    """
    before = plan_with(request=Request(password="old-secret", passwords=("one", "two")))
    after = plan_with(request=Request(password="new-secret", passwords=("one", "six")))

    found = difference(before, after)

    assert "request.password: " in found
    assert "request.passwords: () -> () (they differ, but not" in found
    for secret in ("old-secret", "new-secret", "two", "six"):
        assert secret not in found


def submitted(number: int) -> Plan:
    plan = plan_with(request=Request())
    give_ids(plan, UUID(int=number << 32))
    return plan


def test_two_submissions_differ_by_one_line_for_all_ids() -> None:
    """Ids that differ because the plans' do are not listed object by object (OM-13)."""
    assert difference(submitted(1), submitted(2)) == (
        "Deploy: id: 00000000-0000-0000-0000-000100000000"
        " -> 00000000-0000-0000-0000-000200000000\n"
    )


def test_an_id_that_is_out_of_place_is_listed() -> None:
    """Within one submission an object's id counts like any other field (OM-14)."""
    after = submitted(1)
    action_of(after).id = UUID(int=5)

    assert "Deploy / tier / web-1 / Copy: id: " in difference(submitted(1), after)


def test_ids_and_times_can_be_left_out() -> None:
    """Without ids and times two runs of one plan are equal, however long they took."""
    before, after = submitted(1), submitted(2)
    for plan, seconds in ((before, 1), (after, 5)):
        later = START + timedelta(seconds=seconds)
        plan.submitted = later
        plan.state.started = later
        action_of(plan).attempts = [Attempt(started=START, ended=later)]

    assert difference(before, after, ids=False, times=False) == ""
    assert "id" not in difference(before, after, ids=False)
    assert "attempts[0].ended" in difference(before, after)
    action_of(after).request = Request(started=START + timedelta(seconds=1))
    assert "request.started" in difference(before, after, ids=False, times=False)


def test_neither_plan_is_changed_and_hostile_text_is_escaped() -> None:
    """Comparing changes nothing, and what is shown is safe for a terminal (UI-1)."""
    evil = "\x1b[2J" + "x" * 10_000
    before = plan_with(request=Request(host=evil))
    after = clone(before)
    after.name = evil
    after.blocks[0].sequences[0].name = evil
    kept = clone(after)

    lines = difference(before, after).splitlines()

    assert kept == after
    assert all(line.isprintable() and len(line) < 700 for line in lines)
    assert len(lines) == 3


def all_changes() -> list[Callable[[Plan], None]]:
    """One change for each field of each object that a user or the engine writes."""
    changes: list[Callable[[Plan], None]] = []

    def setter(find: Callable[[Any], Any], name: str) -> Callable[[Plan], None]:
        return lambda plan: setattr(find(plan), name, UUID(int=9))

    places: list[Callable[[Any], Any]] = [
        lambda plan: plan,
        lambda plan: plan.pre_checks,
        lambda plan: plan.blocks[0],
        lambda plan: plan.blocks[0].sequences[0],
        action_of,
        lambda plan: plan.deferred_actions,
        lambda plan: plan.deferred_actions.batches[0],
        lambda plan: action_of(plan).state,
    ]
    holders = {
        *("actions", "batches", "blocks", "sequences", "deferred_actions"),
        *(
            f"{kind}_checks"
            for kind in ("bypass", "pre", "cont", "batch", "post", "deferred")
        ),
    }
    for place in places:
        owner: attrs.AttrsInstance = place(plan_with())
        changes += [
            setter(place, field.name)
            for field in attrs.fields(type(owner))
            if field.eq and field.name not in {*holders, "state", "attempts"}
        ]
    return changes


@pytest.mark.parametrize("number", range(len(all_changes())))
def test_no_field_is_forgotten(number: int) -> None:
    """Whatever field differs, the difference is not empty: it is empty just for
    OM-14.
    """
    before, after = plan_with(), plan_with()
    all_changes()[number](after)

    assert before != after
    assert difference(before, after) != ""


def test_values_that_equality_denies_of_the_same_do_not_differ() -> None:
    """Not-a-number, and a time in a named zone, come back from a store as they were."""
    zone = ZoneInfo("Europe/Berlin")
    in_the_fold = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zone)
    assert in_the_fold != in_the_fold.astimezone(UTC)
    pairs: list[tuple[object, object]] = [
        (Measured(float("nan")), Measured(float("nan"))),
        (Measured(Decimal("nan")), Measured(Decimal("nan"))),
        ([1, {"a": float("nan")}], [1, {"a": float("nan")}]),
        (
            Measured(in_the_fold),
            Measured(in_the_fold.astimezone(timezone(timedelta(hours=1)))),
        ),
    ]
    for before, after in pairs:
        first, second = plan_with(), plan_with()
        action_of(first).request = before
        action_of(second).request = after

        assert difference(first, second, ids=False) == ""
