"""What a plan has left to do, as a plan of its own (RT-1 to RT-3)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from workstream import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
    Status,
    WhenDeferred,
    clone,
    remaining,
)
from workstream._plan.sequels.retry import Left, left_of
from workstream._plan.walk import give_ids
from workstream.errors import PathError
from workstream.results import Node, State, paths

N = Status.NOT_STARTED
R = Status.RUNNING
C = Status.COMPLETED
F = Status.FAILED
S = Status.STOPPED
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def sequence(name: str, *statuses: Status, status: Status | None = None) -> Sequence:
    """A sequence whose actions came to these statuses."""
    made = Sequence(
        name=name,
        actions=[
            Action(name=f"{name}{number}", plugin="t.act", key=f"{name}.{number}")
            for number, _ in enumerate(statuses, 1)
        ],
    )
    for action, each in zip(made.actions, statuses, strict=True):
        action.state = State(each)
    whole = C if set(statuses) == {C} else N if set(statuses) == {N} else F
    made.state = State(status or whole)
    return made


def checks(status: Status = C) -> Checks:
    """A check group that came to this status."""
    made = Checks(actions=[CheckAction(name="look", plugin="t.look")])
    made.state = made.actions[0].state = State(status)
    return made


def block(name: str, status: Status, *sequences: Sequence, **more: Any) -> Block:
    """A block that came to this status."""
    made = Block(name=name, sequences=[*sequences], **more)
    made.state = State(status)
    return made


def plan(status: Status, *blocks: Block, **more: Any) -> Plan:
    """A submitted plan that came to this status."""
    made = Plan(name="p", blocks=[*blocks], **more)
    give_ids(made, UUID(int=0x19C130A7D00 << 80 | 7 << 76 | 2 << 62))
    made.state = State(status)
    made.submitted, made.submitter = NOON, "ana"
    return made


def rollout() -> Plan:
    """One host done, one failed, one cut short, one never reached; a block to come."""
    return plan(
        F,
        block("done", C, sequence("x", C), pre_checks=checks()),
        block(
            "web",
            F,
            sequence("a", C, C),
            sequence("b", C, F),
            sequence("c", C, S, status=S),
            sequence("d", N, N),
            pre_checks=checks(),
            post_checks=checks(N),
        ),
        block("later", N, sequence("z", N), sequence("y", N)),
        pre_checks=checks(),
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="tell",
                    when=WhenDeferred.ALWAYS,
                    actions=[Action(name="mail", plugin="t.act")],
                )
            ]
        ),
    )


def kept(found: Plan | None) -> list[str]:
    """The paths of what is left, without the plan's name."""
    assert found is not None
    return [path[4:] for path, _ in paths(found) if path != "p"]


def sequences_of(found: Plan | None) -> list[str]:
    """The names of the sequences that are left."""
    assert found is not None
    return [each.name for part in found.blocks for each in part.sequences]


def test_what_is_done_is_left_out_and_all_else_is_whole() -> None:
    """Done sequences and blocks go; checks and deferred work stay (RT-2)."""
    assert kept(remaining(rollout())) == [
        *("pre_checks", "pre_checks / look"),
        *("web", "web / pre_checks", "web / pre_checks / look"),
        *("web / b", "web / b / b1", "web / b / b2"),
        *("web / c", "web / c / c1", "web / c / c2"),
        *("web / d", "web / d / d1", "web / d / d2"),
        *("web / post_checks", "web / post_checks / look"),
        *("later", "later / z", "later / z / z1", "later / y", "later / y / y1"),
        *("deferred_actions", "deferred_actions / tell"),
        "deferred_actions / tell / mail",
    ]


def test_from_an_action_completed_ones_are_left_out() -> None:
    """A sequence is taken up at its first action that did not complete (RT-2)."""
    found = remaining(rollout(), from_="action")

    left = [path for path in kept(found) if path.startswith("web / ")]
    assert [path for path in left if path.count(" / ") == 2 and "look" not in path] == [
        *("web / b / b2", "web / c / c2", "web / d / d1", "web / d / d2"),
    ]


def test_a_sequence_of_which_no_action_would_be_left_is_whole() -> None:
    """All of its actions completed, and it did not: all are done again (RT-2)."""
    cut = plan(S, block("b", S, sequence("a", C, C, status=S)))

    assert kept(remaining(cut, from_="action")) == [
        "b",
        "b / a",
        "b / a / a1",
        "b / a / a2",
    ]


def test_the_retry_can_be_submitted_and_knows_where_it_comes_from() -> None:
    """It is fresh, with the keys, a group and the plan that it is of (RT-3)."""
    original = rollout()
    before = clone(original, keep_state=True)

    found = remaining(original)

    assert found is not None
    assert original == before
    assert (found.retry_of, found.group_id) == (original.id, original.id)
    assert (found.id, found.submitted, found.submitter) == (None, None, "")
    assert found.state == found.blocks[0].sequences[0].state == State()
    assert found.blocks[0].sequences[0].actions[0].key == "b.1"


def test_the_group_of_the_plan_is_kept() -> None:
    """A retry of a retry is of the same family (RT-3)."""
    original = rollout()
    original.group_id = UUID(int=5)

    found = remaining(original)

    assert found is not None
    assert found.group_id == UUID(int=5)


def bypassed_plan() -> Plan:
    """Everything was in order before it began."""
    return plan(C, block("b", N, sequence("a", N)), bypass_checks=checks())


@pytest.mark.parametrize(
    "done",
    [
        pytest.param(plan(C, block("b", C, sequence("a", C))), id="completed"),
        pytest.param(bypassed_plan(), id="bypassed"),
        pytest.param(
            plan(C, block("b", C, sequence("a", N), bypass_checks=checks())),
            id="block-bypassed",
        ),
    ],
)
def test_of_a_plan_that_is_done_nothing_is_left(done: Plan) -> None:
    """There is no plan without anything to do (RT-1)."""
    assert remaining(done) is None
    assert left_of(done) == Left()


def test_a_tolerated_failure_is_left() -> None:
    """The plan completed; what it tolerated is done again (RT-1)."""
    tolerant = plan(C, block("b", C, sequence("a", C), sequence("f", C, F)))

    assert sequences_of(remaining(tolerant)) == ["f"]


def test_a_block_that_failed_in_its_checks_keeps_only_them() -> None:
    """Its sequences are done: it is left without any, and so may be the plan (RT-2)."""
    failed = plan(
        F, block("b", F, sequence("a", C), post_checks=checks(F)), pre_checks=checks()
    )

    assert kept(remaining(failed)) == [
        *("pre_checks", "pre_checks / look"),
        *("b", "b / post_checks", "b / post_checks / look"),
    ]


def test_a_plan_that_failed_in_its_checks_keeps_only_them() -> None:
    """All of its blocks are done (RT-2)."""
    failed = plan(F, block("b", C, sequence("a", C)), post_checks=checks(F))

    assert kept(remaining(failed)) == ["post_checks", "post_checks / look"]


@pytest.mark.parametrize(
    ("only", "skip", "left"),
    [
        (["d"], [], ["d"]),
        (["web / d", "p / later"], [], ["d", "z", "y"]),
        ([], ["b", "z"], ["c", "d", "y"]),
        (["web"], ["c"], ["b", "d"]),
        ([], ["a"], ["b", "c", "d", "z", "y"]),
        ([], ["later"], ["b", "c", "d"]),
    ],
)
def test_only_some_are_done_or_some_are_not(
    only: Collection[str], skip: Collection[str], left: list[str]
) -> None:
    """Blocks and sequences are named by their paths, or how these end (RT-6)."""
    assert sequences_of(remaining(rollout(), only=only, skip=skip)) == left


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere", "'nowhere' names no block or sequence of the plan"),
        (
            "late",
            "'late' names no block or sequence of the plan: did you mean 'p / later'",
        ),
        ("p / web / e", "'p / web' holds 'pre_checks', 'a', 'b'"),
        ("p / web / a / a1", "is no block or sequence: name the one that holds it"),
        ("p / web / pre_checks", "is no block or sequence"),
        ("a", "'a' is done already"),
        ("", "names no block or sequence"),
    ],
)
def test_a_path_that_names_nothing_to_do_is_refused(path: str, says: str) -> None:
    """The message names the nearest ones (RT-6, OM-15)."""
    with pytest.raises(PathError) as caught:
        remaining(rollout(), only=[path])

    assert says in str(caught.value)


@pytest.mark.parametrize("path", ["pre_checks", "p", "nowhere"])
def test_a_plan_without_blocks_has_nothing_to_choose(path: str) -> None:
    """As what is left of a plan may be: its checks and deferred work (RT-2)."""
    bare = plan(F, pre_checks=checks(F))

    with pytest.raises(PathError, match="no block or sequence"):
        remaining(bare, only=[path])


def test_an_ambiguous_path_is_refused_and_all_faults_are_told() -> None:
    """Two blocks have a sequence of one name (OM-15)."""
    twins = plan(
        F, block("one", F, sequence("a", F)), block("two", N, sequence("a", N))
    )

    with pytest.raises(PathError) as caught:
        remaining(twins, only=["a"], skip=["three"])

    first, second = str(caught.value).splitlines()
    assert first == (
        "'a' names 2 objects of the plan: say which one, 'p / one / a' or 'p / two / a'"
    )
    assert second.startswith("'three' names no ")


def test_a_block_goes_before_a_sequence_of_its_name() -> None:
    """What ``skip`` and ``pause`` take for an address, ``only`` takes too (OM-15)."""
    several = plan(F, block("web", F, sequence("web", F), sequence("b", N)))

    assert sequences_of(remaining(several, only=["web"])) == ["web", "b"]


def test_another_starting_point_is_refused() -> None:
    """There are two."""
    with pytest.raises(ValueError, match="from_ is 'block'"):
        remaining(rollout(), from_="block")  # type: ignore[arg-type]


def test_what_is_left_is_counted() -> None:
    """By how each sequence ended."""
    assert left_of(rollout()) == Left(failed=1, cut=1, unreached=3)
    assert left_of(rollout()).total == 5


def test_what_was_cleaned_up_is_done_again_from_its_first_action() -> None:
    """The deferred work of the sequence was begun: what it did may be gone (RT-2)."""
    cut = sequence("a", C, F)
    cleaned = sequence("b", C, F)
    for each, status in ((cut, N), (cleaned, F)):
        each.deferred_actions = DeferredActions(
            batches=[
                DeferBatch(
                    name="wipe",
                    when=WhenDeferred.ON_FAILURE,
                    actions=[Action(name="rm", plugin="t.act")],
                )
            ]
        )
        set_status(each.deferred_actions.batches[0], status)

    found = kept(remaining(plan(F, block("t", F, cut, cleaned)), from_="action"))

    assert [path for path in found if path.endswith(("1", "2"))] == [
        *("t / a / a2", "t / b / b1", "t / b / b2")
    ]
    assert "t / b / deferred_actions / wipe / rm" in found


def set_status(node: Node, status: Status) -> None:
    """Give an object a status."""
    node.state = State(status)


def test_a_failed_batch_is_done_again() -> None:
    """The plan tolerated it, and completed: its deferred work is left (RT-2)."""
    original = plan(
        C,
        block("b", C, sequence("a", C)),
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="tell",
                    when=WhenDeferred.ALWAYS,
                    actions=[Action(name="mail", plugin="t.act")],
                )
            ]
        ),
    )
    assert original.deferred_actions is not None
    assert remaining(original) is None
    set_status(original.deferred_actions.batches[0], F)

    assert kept(remaining(original))[0] == "deferred_actions"


def test_a_batch_for_an_undo_goes_with_its_sequence() -> None:
    """It is deferred work of what is left, so that this can be taken back too (RT-2)."""
    original = rollout()
    for part in original.blocks:
        for each in part.sequences:
            back = Action(name="back", plugin="t.act")
            batch = DeferBatch(name="undo", when=WhenDeferred.ON_UNDO, actions=[back])
            each.deferred_actions = DeferredActions(batches=[batch])

    found = remaining(original)

    assert found is not None
    batches = [
        (each.name, batch.when, batch.state)
        for part in found.blocks
        for each in part.sequences
        if each.deferred_actions is not None
        for batch in each.deferred_actions.batches
    ]
    assert batches == [
        (name, WhenDeferred.ON_UNDO, State()) for name in ("b", "c", "d", "z", "y")
    ]


def test_what_was_skipped_stays_out() -> None:
    """A sequence, a whole block, and an action: somebody decided so (RT-2, SK-1)."""
    original = rollout()
    _, web, later = original.blocks
    web.sequences[3].state = State(Status.SKIPPED)
    web.sequences[1].actions[0].state = State(Status.SKIPPED)
    later.state = State(Status.SKIPPED)
    for each in later.sequences:
        each.state = State(Status.SKIPPED)

    assert sequences_of(remaining(original)) == ["b", "c"]
    assert "web / b / b1" not in kept(remaining(original))
    assert "web / b / b2" in kept(remaining(original))
    assert left_of(original).total == 2
    with pytest.raises(PathError, match="is done already"):
        remaining(original, only=["d"])
