"""The plan builder, rule by rule (section 19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import pytest

from workstream._authoring.builder import PlanBuilder
from workstream._plan.plan import (
    CHECK_KINDS,
    Action,
    Block,
    CheckAction,
    CheckKind,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from workstream._values.errors import BuilderError
from workstream._values.state import HaltAfter, WhenDeferred

NONE: Any = None


def act(name: str = "Copy", plugin: str = "acme.copy") -> Action:
    return Action(name=name, plugin=plugin)


def look(name: str = "Ready") -> CheckAction:
    return CheckAction(name=name, plugin="acme.look")


def batch(name: str = "undo", when: WhenDeferred = WhenDeferred.ALWAYS) -> DeferBatch:
    return DeferBatch(name=name, when=when, actions=[])


def builder() -> PlanBuilder:
    return PlanBuilder("Deploy")


def in_block() -> PlanBuilder:
    return builder().add_block("tier")


def in_sequence() -> PlanBuilder:
    return in_block().add_sequence("web")


def in_checks() -> PlanBuilder:
    return builder().add_checks("pre_checks", Checks(actions=[]))


def in_deferred() -> PlanBuilder:
    return builder().add_deferred_actions()


def in_batch() -> PlanBuilder:
    return in_deferred().add_defer_batch(batch())


def error_of(built: PlanBuilder) -> str:
    """The builder's error, which ``plan`` raises too."""
    with pytest.raises(BuilderError) as caught:
        built.plan()
    assert built.error is caught.value
    return str(caught.value)


def test_a_whole_plan_is_built_from_the_outside_in() -> None:
    """Every method together gives the plan that constructors would give."""
    built = (
        PlanBuilder("Deploy", "the web tier", UUID(int=3))
        .add_checks("pre_checks", Checks(actions=[look("Given")], delay=5))
        .add_action(look())
        .up()
        .add_block("tier", "all of it", concurrency=5, tolerated_failures=2)
        .add_checks("cont_checks", Checks(actions=[]))
        .add_action(look())
        .up()
        .add_sequence("web-1", "the first", key="one")
        .add_action(act())
        .add_action(act("Start"))
        .up()
        .add_sequence(Sequence(name="web-2", actions=[act()]))
        .up()
        .up()
        .add_block(Block(name="db tier", sequences=[]))
        .add_sequence("db")
        .add_action(act())
        .up()
        .up()
        .add_deferred_actions()
        .add_defer_batch(batch())
        .add_action(act("undo"))
        .up()
        .up()
        .add_checks("deferred_checks", Checks(actions=[look()]))
        .plan()
    )

    assert built == Plan(
        name="Deploy",
        description="the web tier",
        group_id=UUID(int=3),
        pre_checks=Checks(actions=[look("Given"), look()], delay=5),
        blocks=[
            Block(
                name="tier",
                description="all of it",
                concurrency=5,
                tolerated_failures=2,
                cont_checks=Checks(actions=[look()]),
                sequences=[
                    Sequence(
                        name="web-1",
                        description="the first",
                        key="one",
                        actions=[act(), act("Start")],
                    ),
                    Sequence(name="web-2", actions=[act()]),
                ],
            ),
            Block(name="db tier", sequences=[Sequence(name="db", actions=[act()])]),
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(name="undo", when=WhenDeferred.ALWAYS, actions=[act("undo")])
            ]
        ),
        deferred_checks=Checks(actions=[look()]),
    )


def test_every_setting_of_a_block_can_be_given_with_its_name() -> None:
    """A new block takes all of its own fields as keywords (BU-4)."""
    built = builder().add_block(
        "tier",
        "why",
        key="k",
        entrance_delay=1.0,
        exit_delay=2.0,
        concurrency=3,
        tolerated_failures=4,
        halt_after=HaltAfter.SEQUENCE,
    )

    assert built.plan().blocks == [
        Block(
            name="tier",
            description="why",
            key="k",
            entrance_delay=1.0,
            exit_delay=2.0,
            concurrency=3,
            tolerated_failures=4,
            halt_after=HaltAfter.SEQUENCE,
            sequences=[],
        )
    ]


@pytest.mark.parametrize("name", ["", "  \t\n", None])
def test_a_plan_needs_a_name(name: Any) -> None:
    """A blank name is an error at once (BU-1, BU-9)."""
    with pytest.raises(BuilderError, match="a plan needs a name that is not blank"):
        PlanBuilder(name)


def test_the_first_error_sticks() -> None:
    """Later calls are no-ops, and ``plan`` raises the first error each time (BU-2)."""
    built = builder().up()
    first = built.error

    assert built.add_block("tier").add_block("").add_action(NONE) is built
    assert built.error is first
    assert error_of(built) == error_of(built)
    assert str(first) == "up: the builder is at 'Deploy', a plan, which nothing holds"


def test_all_is_well_until_there_is_an_error() -> None:
    """``error`` is None as long as nothing went wrong, and methods give the builder
    (BU-2).
    """
    built = builder()

    assert built.error is None
    assert built.add_block("tier") is built
    assert built.up() is built
    assert built.error is None


@pytest.mark.parametrize("kind", CHECK_KINDS)
@pytest.mark.parametrize("start", [builder, in_block])
def test_each_kind_of_checks_goes_into_its_field_once(
    start: Callable[[], PlanBuilder], kind: CheckKind
) -> None:
    """The group goes where its kind says, the builder moves in; a second one is refused
    (BU-3).
    """
    if start is builder and kind == "batch_checks":
        return  # only blocks have batches
    built = start().add_checks(kind, Checks(actions=[])).add_action(look())
    second = start().add_checks(kind, Checks(actions=[])).up()

    assert f"which has {kind} already" in error_of(
        second.add_checks(kind, Checks(actions=[]))
    )
    plan = built.plan()
    owner = plan.blocks[0] if plan.blocks else plan
    assert Checks(actions=[look()]) == getattr(owner, kind)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # BU-3
        (lambda: in_sequence().add_checks("pre_checks", Checks(actions=[])),
         "add_checks: the builder is at 'Deploy / tier / web', a sequence: "
         "this is for a plan or a block"),
        (lambda: in_checks().add_checks("post_checks", Checks(actions=[])),
         "add_checks: the builder is at 'Deploy / pre_checks', a check group: "
         "this is for a plan or a block"),
        (lambda: builder().add_checks("pre_checks", NONE),
         "add_checks: it takes a check group, and was given None"),
        (lambda: builder().add_checks("pre_checks", cast(Any, act())),
         "add_checks: it takes a check group, and was given an object of type Action"),
        (lambda: builder().add_checks("pre_checks", Checks(actions=[look(), NONE])),
         "add_checks: the list has a None in place of an object"),
        (lambda: builder().add_checks(cast(Any, "mid_checks"), Checks(actions=[])),
         "add_checks: there is no kind 'mid_checks' of checks: it is one of "
         "bypass_checks, pre_checks, cont_checks, post_checks, deferred_checks"),
        # BU-4
        (lambda: in_block().add_block("tier"),
         "add_block: the builder is at 'Deploy / tier', a block: this is for a plan"),
        (lambda: builder().add_block(" "),
         "add_block: a block needs a name that is not blank"),
        (lambda: builder().add_block(Block(name=" ", sequences=[])),
         "add_block: a block needs a name that is not blank"),
        (lambda: builder().add_block(NONE),
         "add_block: it takes a block, and was given None"),
        (lambda: builder().add_block(Block(name="b", sequences=[NONE])),
         "add_block: the list has a None in place of an object"),
        (lambda: builder().add_block(cast(Any, Block(name="b", sequences=[])), "why"),
         "add_block: settings go with a name: set them on the object itself"),
        (lambda: builder().add_sequence("web"),
         "add_sequence: the builder is at 'Deploy', a plan: this is for a block"),
        (lambda: in_block().add_sequence("\n"),
         "add_sequence: a sequence needs a name that is not blank"),
        (lambda: in_block().add_sequence(Sequence(name="", actions=[])),
         "add_sequence: a sequence needs a name that is not blank"),
        (lambda: in_block().add_sequence(NONE),
         "add_sequence: it takes a sequence, and was given None"),
        (lambda: in_block().add_sequence(cast(Any, batch())),
         "add_sequence: it takes a sequence, and was given an object of type DeferBatch"),
        (lambda: in_block().add_sequence(Sequence(name="s", actions=[NONE])),
         "add_sequence: the list has a None in place of an object"),
        # BU-5
        (lambda: builder().add_action(act()),
         "add_action: the builder is at 'Deploy', a plan: "
         "this is for a sequence or a check group or a batch of deferred actions"),
        (lambda: in_sequence().add_action(NONE),
         "add_action: it takes an action, and was given None"),
        (lambda: in_sequence().add_action(act(name=" ")),
         "add_action: an action needs a name that is not blank"),
        (lambda: in_sequence().add_action(act(plugin=" ")),
         "add_action: the action 'Copy' needs a plugin"),
        (lambda: in_checks().add_action(act()),
         "add_action: 'Copy' is of type Action, and this place is for checks: "
         "make it with the action() of a check plugin (V-20)"),
        (lambda: in_sequence().add_action(look()),
         "add_action: 'Ready' is of type CheckAction, and this place is for actions: "
         "make it with the action() of an action plugin (V-20)"),
        # BU-6
        (lambda: in_block().add_deferred_actions(),
         "add_deferred_actions: the builder is at 'Deploy / tier', a block: "
         "this is for a plan or a sequence"),
        (lambda: in_deferred().up().add_deferred_actions(),
         "add_deferred_actions: the builder is at 'Deploy', a plan, which has them "
         "already: add all batches to the same ones"),
        (lambda: builder().add_defer_batch(batch()),
         "add_defer_batch: the builder is at 'Deploy', a plan: "
         "this is for deferred actions"),
        (lambda: in_deferred().add_defer_batch(NONE),
         "add_defer_batch: it takes a batch of deferred actions, and was given None"),
        (lambda: in_deferred().add_defer_batch(batch(name="\t")),
         "add_defer_batch: a batch of deferred actions needs a name that is not blank"),
        (lambda: in_deferred().add_defer_batch(batch(when=WhenDeferred.UNKNOWN)),
         "add_defer_batch: the batch 'undo' must say when it runs: "
         "ON_SUCCESS, ON_FAILURE or ALWAYS"),
        (lambda: in_deferred().add_defer_batch(batch(when=cast(Any, "always"))),
         "add_defer_batch: the batch 'undo' must say when it runs: "
         "ON_SUCCESS, ON_FAILURE or ALWAYS"),
        (lambda: in_deferred().add_defer_batch(
            DeferBatch(name="b", when=WhenDeferred.ALWAYS, actions=[NONE])),
         "add_defer_batch: the list has a None in place of an object"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(
    call: Callable[[], PlanBuilder], message: str
) -> None:
    """Each misuse is an error that names the method, the place, and what to do (BU-3 to
    BU-6).
    """
    assert message == error_of(call())


def test_an_action_does_not_move_the_builder() -> None:
    """Actions follow one another in the same place (BU-5)."""
    built = in_sequence().add_action(act("one")).add_action(act("two")).up().up()
    built.add_deferred_actions().add_defer_batch(batch())
    plan = built.add_action(act("three")).add_action(act("four")).plan()

    assert [act("one"), act("two")] == plan.blocks[0].sequences[0].actions
    assert plan.deferred_actions is not None
    assert [act("three"), act("four")] == plan.deferred_actions.batches[0].actions


def test_up_moves_out_one_level() -> None:
    """From a sequence to its block, to the plan, and no further (BU-7)."""
    built = in_sequence().up().add_sequence("web-2").up().up().add_block("db")

    assert [block.name for block in built.plan().blocks] == ["tier", "db"]
    assert "a plan, which nothing holds" in error_of(builder().up())


@pytest.mark.parametrize(
    "start", [builder, in_block, in_sequence, in_checks, in_deferred, in_batch]
)
def test_the_plan_is_handed_out_from_any_depth(
    start: Callable[[], PlanBuilder],
) -> None:
    """``plan`` needs no moving out first (BU-8)."""
    assert start().plan().name == "Deploy"


EVERY_METHOD: list[Callable[[PlanBuilder], PlanBuilder]] = [
    lambda built: built.up(),
    lambda built: built.add_block("b"),
    lambda built: built.add_sequence("s"),
    lambda built: built.add_action(act()),
    lambda built: built.add_checks("pre_checks", Checks(actions=[])),
    lambda built: built.add_deferred_actions(),
    lambda built: built.add_defer_batch(batch()),
]


@pytest.mark.parametrize("call", EVERY_METHOD)
def test_after_the_plan_was_handed_out_every_method_is_an_error(
    call: Callable[[PlanBuilder], PlanBuilder],
) -> None:
    """The plan is its receiver's: the builder changes it no more until ``reset``
    (BU-8).
    """
    built = in_block()
    plan = built.plan()
    blocks = list(plan.blocks)

    with pytest.raises(BuilderError, match="plan: the plan was handed out already"):
        built.plan()
    assert "handed out already: reset() begins another" in error_of(call(built))
    assert blocks == plan.blocks
    assert built.reset("again").add_block("b").plan().name == "again"


def test_reset_begins_another_plan() -> None:
    """After ``reset`` nothing of the plan before is left, an error included (BU-8)."""
    built = in_sequence().add_action(NONE)

    again = built.reset("Again", "why", UUID(int=4))

    assert again is built
    assert built.error is None
    assert (
        Plan(name="Again", description="why", group_id=UUID(int=4), blocks=[])
        == built.plan()
    )


def test_a_failed_reset_leaves_the_error() -> None:
    """A blank name in ``reset`` is the builder's error, and another ``reset`` mends it
    (BU-9).
    """
    built = in_block().reset("  ")

    assert "a plan needs a name" in error_of(built.add_block("b"))
    assert built.reset("ok").plan().name == "ok"


def test_what_is_handed_in_is_not_changed() -> None:
    """The builder adds to copies: a group or sequence can be handed to several
    plans.
    """
    checks, block = Checks(actions=[look()]), Block(name="b", sequences=[])
    sequence, deferred = Sequence(name="s", actions=[]), batch()

    for _ in range(2):
        (
            builder()
            .add_checks("pre_checks", checks)
            .add_action(look())
            .up()
            .add_block(block)
            .add_sequence(sequence)
            .add_action(act())
            .up()
            .up()
            .add_deferred_actions()
            .add_defer_batch(deferred)
            .add_action(act())
            .plan()
        )

    assert Checks(actions=[look()]) == checks
    assert Block(name="b", sequences=[]) == block
    assert Sequence(name="s", actions=[]) == sequence
    assert batch() == deferred


def test_an_unknown_setting_is_a_type_error() -> None:
    """A keyword that no block has is refused like in any call."""
    with pytest.raises(TypeError, match="speed"):
        cast(Any, builder()).add_block("tier", speed=9)
