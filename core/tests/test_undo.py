"""Deferred work of a sequence, and undo, as they are written down, stored and shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    OnFailure,
    Percent,
    Plan,
    PlanBuilder,
    Registry,
    Sequence,
    Undo,
    ValidationError,
    WhenDeferred,
    clone,
    difference,
    find,
    from_json,
    plan_text,
    remaining,
    to_json,
)
from workstream._codec.codec import Codec
from workstream._codec.records import decode_row, encode_row, row_of
from workstream._plan.outcome import MOST_NAMES, TakenBack
from workstream._plan.walk import give_ids, new_plan_id
from workstream._show.failures import failures
from workstream._show.outcomes import outcome_words
from workstream._validation.validation import prepared
from workstream._values.state import Attempt, FailureReason, PluginError, State, Status

NOW = datetime(2031, 5, 1, tzinfo=UTC)
N, R, C, F = Status.NOT_STARTED, Status.RUNNING, Status.COMPLETED, Status.FAILED


class Act(ActionPlugin[None, None]):
    """Does nothing."""

    name = "t.act"

    async def execute(self, context: Context, request: None, /) -> None:
        """Do nothing."""


class Look(CheckPlugin[None, None]):
    """Sees nothing wrong."""

    name = "t.look"

    async def execute(self, context: Context, request: None, /) -> None:
        """Do nothing."""


REGISTRY = Registry([Act(), Look()])


def act(name: str) -> Action:
    """An action."""
    return Act.action(None, name=name)


def batch(name: str, when: WhenDeferred, **settings: Any) -> DeferBatch:
    """A batch of one action."""
    return DeferBatch(name=name, when=when, actions=[act(name)], **settings)


def rollout(hosts: int = 3, **settings: Any) -> Plan:
    """A block of hosts, each with a clean-up and an undo."""
    return Plan(
        name="Rollout",
        blocks=[
            Block(
                name="tier",
                **settings,
                sequences=[
                    Sequence(
                        name=f"web-{number}",
                        actions=[act("update")],
                        deferred_actions=DeferredActions(
                            batches=[
                                batch("clean up", WhenDeferred.ON_FAILURE),
                                batch("roll back", WhenDeferred.ON_UNDO),
                            ]
                        ),
                    )
                    for number in range(1, hosts + 1)
                ],
            )
        ],
    )


def ended(plan: Plan, *undone: Status) -> Plan:
    """The plan as it failed, its sequences taken back like this."""
    plan.state = State(F, NOW, NOW)
    plan.reasons = (FailureReason.BLOCK,)
    for sequence, status in zip(plan.blocks[0].sequences, undone, strict=False):
        sequence.state = State(C, NOW, NOW)
        sequence.actions[0].state = State(C, NOW, NOW)
        [undo] = sequence.undo_batches
        undo.state = State(status, NOW, NOW)
        if status is F:
            error = PluginError("the old version is gone")
            undo.actions[0].state = State(F, NOW, NOW)
            undo.actions[0].attempts = [Attempt(started=NOW, ended=NOW, error=error)]
    return plan


def test_every_way_of_reading_a_plan_knows_them() -> None:
    """Paths, JSON, the stored form, clone, difference and text (SD-1, OM-15)."""
    plan = rollout(undo=Undo.BLOCK_FAILURE)
    path = "Rollout / tier / web-2 / deferred_actions / roll back"
    sequence = plan.blocks[0].sequences[1]
    assert sequence.deferred_actions is not None
    assert find(plan, path) is sequence.deferred_actions.batches[1]
    assert from_json(to_json(plan, with_secrets=True), REGISTRY) == plan
    assert clone(plan) == plan
    assert "roll back (when=ON_UNDO)" in plan_text(plan)
    assert "tier (undo=BLOCK_FAILURE)" in plan_text(plan)
    other = rollout()
    assert difference(plan, other) == (
        "Rollout / tier: undo: BLOCK_FAILURE -> PLAN_FAILURE\n"
    )
    ready, _ = prepared(plan, REGISTRY)
    assert ready == plan


def test_the_builder_moves_into_those_of_a_sequence() -> None:
    """And out again (BU-6)."""
    built = (
        PlanBuilder("Rollout")
        .add_block("tier")
        .add_sequence("web-1")
        .add_action(act("update"))
        .add_deferred_actions()
        .add_defer_batch(batch("clean up", WhenDeferred.ON_FAILURE))
        .up()
        .add_defer_batch(batch("roll back", WhenDeferred.ON_UNDO))
        .plan()
    )
    assert built == rollout(hosts=1)


def test_an_undo_needs_a_sequence_to_take_back() -> None:
    """ON_UNDO has no meaning for the plan as a whole, nor with fail_element (V-12)."""
    plan = rollout(undo="always")
    undo = batch("undo", WhenDeferred.ON_UNDO, fail_element=True)
    plan.deferred_actions = DeferredActions(batches=[undo])
    with pytest.raises(ValidationError) as caught:
        prepared(plan, REGISTRY)
    assert [(fault.path, fault.field, fault.rule) for fault in caught.value.faults] == [
        ("Rollout / tier", "undo", "UN-1"),
        ("Rollout / deferred_actions / undo", "when", "V-12"),
        ("Rollout / deferred_actions / undo", "fail_element", "UN-3"),
    ]
    assert "the sequence's own deferred_actions" in caught.value.faults[1].message


@pytest.mark.parametrize(
    ("undone", "words"),
    [
        ((C, C, C), "taken back on 3 of 3; failed (block)"),
        ((C, F, C), "taken back on 2 of 3; NOT on web-2; failed (block)"),
        ((F, C, N), "taken back on 1 of 3; NOT on web-1, web-3; failed (block)"),
        ((N, N, N), "failed (block)"),
    ],
)
def test_the_outcome_says_first_what_was_taken_back(
    undone: tuple[Status, ...], words: str
) -> None:
    """And on which hosts it was not; the stored row says the same (UN-3)."""
    plan = ended(rollout(), *undone)
    give_ids(plan, new_plan_id())
    assert outcome_words(plan) == words
    row = row_of(plan)
    assert row.id is not None
    again = decode_row(row.id, encode_row(row))
    assert again == row
    assert outcome_words(again) == words


def test_a_failed_undo_is_a_failure_that_nobody_tolerates() -> None:
    """Unlike a batch of a sequence that only cleans up."""
    plan = ended(rollout(tolerated_failures=3), C, F)
    [found] = failures(plan)
    assert (
        found.path
        == "Rollout / tier / web-2 / deferred_actions / roll back / roll back"
    )
    assert not found.tolerated


def test_of_many_the_first_are_named() -> None:
    """A store keeps no thousand names in a line of a list (UN-3)."""
    plan = ended(rollout(hosts=30), *(F for _ in range(30)))
    taken = plan.taken_back
    assert taken is not None
    assert (taken.done, taken.of, len(taken.names)) == (0, 30, MOST_NAMES)
    assert str(taken).endswith(", web-20 and 10 more")


def test_blocks_are_named_where_there_are_several() -> None:
    """Hosts of one name may stand in two blocks."""
    plan = ended(rollout(hosts=1), F)
    other = ended(rollout(hosts=1), C).blocks[0]
    plan.blocks.append(other)
    other.name = "tier 2"
    assert plan.taken_back == TakenBack(1, 2, ("tier / web-1",))


def test_what_a_check_missed_is_stored() -> None:
    """With the end of each run; a group that missed none is stored as ever (BG-4)."""
    watching = Checks(actions=[Look.action(None, name="look")], failures_before_halt=3)
    plan = rollout()
    plan.cont_checks = watching
    give_ids(plan, new_plan_id())
    codec = Codec(REGISTRY)
    watching.state = State(C, NOW, NOW)
    assert len(codec.record_of(watching).data) < 32
    for missed in (0, 2):
        watching.missed = missed
        again = clone(plan, keep_state=True)
        assert again.cont_checks is not None
        again.cont_checks.missed = 7
        codec.apply_record(again.cont_checks, codec.record_of(watching))
        assert again.cont_checks.missed == missed
    assert "missed 2" in plan_text(plan)
    assert from_json(to_json(plan, with_secrets=True), REGISTRY).cont_checks is not None


SIZES: list[tuple[tuple[int | Percent, ...], list[int]]] = [
    ((), [57]),
    ((1,), [1] * 57),
    ((1, Percent(10)), [1, 6, 6, 6, 6, 6, 6, 6, 6, 6, 2]),
    ((1, 6, Percent(100)), [1, 6, 50]),
    ((Percent(1), 100), [1, 56]),
]


@pytest.mark.parametrize(("batches", "sizes"), SIZES)
def test_batches_come_to_numbers(
    batches: tuple[int | Percent, ...], sizes: list[int]
) -> None:
    """The last size is repeated, parts are rounded up; of failures, down (BG-1, BG-2)."""
    [block] = rollout(hosts=57, batches=batches, tolerated_failures=Percent(10)).blocks
    assert block.batch_sizes == sizes
    assert block.tolerance == 5


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"tolerated_failures": Percent(0)}, "tolerated_failures", "not Percent(0)"),
        (
            {"tolerated_failures": Percent(101)},
            "tolerated_failures",
            "not Percent(101)",
        ),
        ({"tolerated_failures": -2}, "tolerated_failures", "at least -1, not -2"),
        ({"batches": (1, 0)}, "batches", "size 2 of 2 must be at least 1, not 0"),
        ({"batches": (Percent(0),)}, "batches", "size 1 of 1 must be Percent(1) to"),
        ({"batches": [1]}, "batches", "must be a tuple of sizes"),
        ({"batch_delay": 5}, "batch_delay", "only with batches"),
        ({"concurrency": None}, "concurrency", "only with batches"),
        ({"max_consecutive_failures": 0}, "max_consecutive_failures", "at least 1"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    settings: dict[str, Any], field: str, message: str
) -> None:
    """Batches that would never end, parts of nothing or of more than all (BG-1, BG-2)."""
    with pytest.raises(ValidationError) as caught:
        prepared(rollout(**settings), REGISTRY)
    [fault] = caught.value.faults
    assert (fault.path, fault.field) == ("Rollout / tier", field)
    assert message in fault.message


def test_only_a_continuous_check_may_miss_runs() -> None:
    """No other group is run again and again (BG-4)."""
    plan = rollout()
    plan.pre_checks = Checks(
        actions=[Look.action(None, name="look")],
        failures_before_halt=2,
        on_failure=OnFailure.WARN,
    )
    with pytest.raises(ValidationError) as caught:
        prepared(plan, REGISTRY)
    assert [fault.field for fault in caught.value.faults] == [
        "failures_before_halt",
        "on_failure",
    ]


def test_json_writes_parts_as_people_do() -> None:
    """``"10%"``, and what is none is a fault with its place (BG-1)."""
    plan = rollout(tolerated_failures=Percent(10), batches=(1, Percent(50)))
    text = to_json(plan, with_secrets=True)
    assert '"tolerated_failures": "10%"' in text
    assert from_json(text, REGISTRY) == plan
    assert "tolerated_failures=10%" in plan_text(plan)
    with pytest.raises(ValidationError) as caught:
        from_json(text.replace('"10%"', '"ten"'), REGISTRY)
    [fault] = caught.value.faults
    assert (fault.path, fault.field) == ("blocks[0]", "tolerated_failures")
    assert 'a part such as "10%"' in fault.message


def test_the_text_tells_what_the_numbers_come_to() -> None:
    """As ``workstream validate`` prints it (BG-6)."""
    batches = (1, 6, Percent(100))
    plan = rollout(hosts=57, batches=batches, tolerated_failures=Percent(10))
    assert "10 % of 57: 5 may fail; batches of 1, 6, 50" in plan_text(plan)
    assert "may fail" not in plan_text(rollout())


def test_what_was_taken_back_is_to_be_done_again() -> None:
    """A clone without what completed keeps it (CL-5)."""
    plan = ended(rollout(), C, N, F)
    rest = clone(plan, remove_completed=True)
    assert rest is not None
    assert [s.name for s in rest.blocks[0].sequences] == ["web-1", "web-3"]


def test_every_way_of_reading_a_plan_knows_a_check_that_pauses() -> None:
    """JSON, text, clone, difference and retry keep it (BG-4)."""
    plan, other = rollout(), rollout()
    plan.cont_checks, other.cont_checks = (
        Checks(actions=[Look.action(None, name="look")], on_failure=on_failure)
        for on_failure in (OnFailure.PAUSE, OnFailure.HALT)
    )
    assert from_json(to_json(plan, with_secrets=True), REGISTRY) == plan
    assert clone(plan) == plan
    assert "cont_checks (on_failure=PAUSE)" in plan_text(plan)
    assert difference(other, plan) == (
        "Rollout / cont_checks: on_failure: HALT -> PAUSE\n"
    )
    ready, _ = prepared(plan, REGISTRY)
    assert ready.cont_checks is not None
    assert ready.cont_checks.on_failure is OnFailure.PAUSE
    rest = remaining(ready)
    assert rest is not None
    assert rest.cont_checks == ready.cont_checks
