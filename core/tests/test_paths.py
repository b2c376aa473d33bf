"""Paths: every object has an address that leads back to it alone (OM-15)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, cast

import pytest

from workstream._plan.paths import display_path, find, labelled, path_of, paths
from workstream._plan.plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from workstream._plan.walk import Item, walk
from workstream._values.errors import PathError
from workstream._values.state import WhenDeferred


def checks(*names: str) -> Checks:
    return Checks(
        actions=[CheckAction(name=name, plugin="test.look") for name in names]
    )


def sequence(name: str, *actions: str) -> Sequence:
    return Sequence(name=name, actions=[act(action) for action in actions or ("do",)])


def act(name: str) -> Action:
    return Action(name=name, plugin="test.do")


def batch(name: str, *actions: str) -> DeferBatch:
    return DeferBatch(
        name=name, actions=[act(a) for a in actions], when=WhenDeferred.ALWAYS
    )


def full_plan() -> Plan:
    return Plan(
        name="Deploy",
        bypass_checks=checks("done already"),
        pre_checks=checks("ready"),
        cont_checks=checks("healthy"),
        blocks=[
            Block(
                name="Web tier",
                bypass_checks=checks("done already"),
                pre_checks=checks("ready"),
                cont_checks=checks("healthy"),
                sequences=[sequence("web-1", "Copy", "Start"), sequence("web-2")],
                post_checks=checks("works"),
                deferred_checks=checks("tidy"),
            )
        ],
        post_checks=checks("works"),
        deferred_actions=DeferredActions(batches=[batch("Roll back", "undo")]),
        deferred_checks=checks("tidy"),
    )


def assert_round_trip(plan: Plan) -> None:
    """Every path differs from all others and finds its object."""
    addressed = list(paths(plan))

    assert [item.node for item in walk(plan)] == [item.node for _, item in addressed]
    assert len(addressed) == len({path for path, _ in addressed})
    for path, item in addressed:
        assert find(plan, path) is item.node
        assert path_of(item) == path


def test_names_are_joined_from_the_plan_down() -> None:
    """A path is the names from the plan down; check groups are called by their
    field.
    """
    expected = [
        "Deploy",
        "Deploy / bypass_checks",
        "Deploy / bypass_checks / done already",
        "Deploy / pre_checks",
        "Deploy / pre_checks / ready",
        "Deploy / cont_checks",
        "Deploy / cont_checks / healthy",
        "Deploy / Web tier",
        "Deploy / Web tier / bypass_checks",
        "Deploy / Web tier / bypass_checks / done already",
        "Deploy / Web tier / pre_checks",
        "Deploy / Web tier / pre_checks / ready",
        "Deploy / Web tier / cont_checks",
        "Deploy / Web tier / cont_checks / healthy",
        "Deploy / Web tier / web-1",
        "Deploy / Web tier / web-1 / Copy",
        "Deploy / Web tier / web-1 / Start",
        "Deploy / Web tier / web-2",
        "Deploy / Web tier / web-2 / do",
        "Deploy / Web tier / post_checks",
        "Deploy / Web tier / post_checks / works",
        "Deploy / Web tier / deferred_checks",
        "Deploy / Web tier / deferred_checks / tidy",
        "Deploy / post_checks",
        "Deploy / post_checks / works",
        "Deploy / deferred_actions",
        "Deploy / deferred_actions / Roll back",
        "Deploy / deferred_actions / Roll back / undo",
        "Deploy / deferred_checks",
        "Deploy / deferred_checks / tidy",
    ]

    assert expected == [path for path, _ in paths(full_plan())]


def test_every_object_of_a_full_plan_is_found_by_its_path() -> None:
    """Paths round-trip for every kind of object, and come in walk order (W-1)."""
    assert_round_trip(full_plan())


def test_equal_names_and_slashes_parse_back() -> None:
    """Siblings of one name get positions, and a slash is written twice (X-81)."""
    plan = Plan(
        name="a/b",
        blocks=[
            Block(
                name="tier",
                sequences=[sequence("web"), sequence("db / 1"), sequence("web")],
            ),
            Block(name="tier", sequences=[sequence("web"), sequence("web", "x", "x")]),
        ],
    )

    addressed = [path for path, item in paths(plan) if isinstance(item.node, Sequence)]

    assert addressed == [
        "a//b / tier [1] / web [1]",
        "a//b / tier [1] / db // 1",
        "a//b / tier [1] / web [2]",
        "a//b / tier [2] / web [1]",
        "a//b / tier [2] / web [2]",
    ]
    assert_round_trip(plan)


def test_a_name_that_ends_in_a_position_gets_one_more() -> None:
    """``web [2]`` as a name is never taken for the second ``web``."""
    plan = Plan(
        name="release [2]",
        blocks=[
            Block(
                name="tier",
                sequences=[sequence("web"), sequence("web [2]"), sequence("web")],
            )
        ],
    )

    addressed = [path for path, item in paths(plan) if isinstance(item.node, Sequence)]

    assert addressed == [
        "release [2] [1] / tier / web [1]",
        "release [2] [1] / tier / web [2] [1]",
        "release [2] [1] / tier / web [2]",
    ]
    assert_round_trip(plan)


def test_a_block_named_like_a_check_group_is_told_from_it() -> None:
    """A name may equal the field of a sibling: both then get positions."""
    plan = full_plan()
    plan.blocks[0].name = "pre_checks"

    addressed = {path: item.node for path, item in paths(plan)}

    assert plan.pre_checks is addressed["Deploy / pre_checks [1]"]
    assert plan.blocks[0] is addressed["Deploy / pre_checks [2]"]
    assert_round_trip(plan)


def test_blank_names_have_paths_too() -> None:
    """A plan that is not valid can be spoken of: faults name their objects (V-1)."""
    plan = Plan(
        name=" ",
        blocks=[
            Block(
                name="",
                sequences=[sequence("\t"), sequence(cast(Any, None))],
            )
        ],
    )

    addressed = [path for path, item in paths(plan) if isinstance(item.node, Sequence)]

    assert addressed == [
        "(no name) / (no name) / (no name) [1]",
        "(no name) / (no name) / (no name) [2]",
    ]
    assert_round_trip(plan)


def test_a_hole_in_a_list_has_a_label() -> None:
    """A None in place of an object can be named in a fault (V-3)."""
    block = Block(name="tier", sequences=[sequence("web"), cast(Any, None)])

    assert [label for label, _ in labelled(block)] == ["web", "(nothing)"]


AWKWARD = [
    "",
    " ",
    "a",
    " a",
    "a ",
    "A",
    "/",
    "//",
    " / ",
    "a/",
    "/a",
    "a / a",
    "a //",
    "a [1]",
    "a [2]",
    "a [1] [1]",
    "a [x]",
    "a[1]",
    " [1]",
    "[1]",
    "(no name)",
    "(no name) [1]",
    "pre_checks",
    "pre_checks [1]",
    "a\n",
    "a\n [1]",
    "a [1]\n",
    "a [٣]",
]


@pytest.mark.slow
def test_every_combination_of_awkward_names_is_unambiguous() -> None:
    """Any two awkward names, one of them twice, have three paths that lead back."""
    for one, other in itertools.product(AWKWARD, repeat=2):
        names = (one, other, one)
        plan = Plan(
            name=names[0],
            pre_checks=checks(*names),
            blocks=[
                Block(name=name, sequences=[sequence(name, *names)]) for name in names
            ],
        )

        assert_round_trip(plan)


@pytest.mark.slow
def test_all_short_names_over_the_characters_of_the_syntax_are_unambiguous() -> None:
    """All names of up to three characters that mean something in a path, side by
    side.
    """
    alphabet = "a/ []1"
    names = [
        "".join(letters)
        for length in range(4)
        for letters in itertools.product(alphabet, repeat=length)
    ]
    names += [f"a{name} [1]" for name in names]
    plan = Plan(
        name="p",
        blocks=[
            Block(name=name, sequences=[sequence(name, "x", name)]) for name in names
        ],
    )

    assert_round_trip(plan)


def test_a_path_is_not_taken_for_another_where_names_hold_the_separator() -> None:
    """A name with `` / `` in it does not look like two names."""
    plan = Plan(
        name="p",
        blocks=[
            Block(name="a / b", sequences=[sequence("c")]),
            Block(name="a", sequences=[sequence("b / c"), sequence("b", "c")]),
        ],
    )

    assert find(plan, "p / a // b / c") is plan.blocks[0].sequences[0]
    assert find(plan, "p / a / b // c") is plan.blocks[1].sequences[0]
    assert find(plan, "p / a / b / c") is plan.blocks[1].sequences[1].actions[0]
    assert_round_trip(plan)


class CountingList(list[Sequence]):
    """A list that counts how often it is gone through."""

    rounds = 0

    def __iter__(self) -> Iterator[Sequence]:
        self.rounds += 1
        return super().__iter__()


def test_the_work_does_not_grow_with_the_square_of_the_siblings() -> None:
    """The paths of 10,000 sequences take two rounds over them, not one for each."""
    sequences = CountingList(sequence("host") for _ in range(10_000))
    plan = Plan(name="p", blocks=[Block(name="tier", sequences=sequences)])

    addressed = [path for path, item in paths(plan) if isinstance(item.node, Sequence)]

    assert [f"p / tier / host [{n}]" for n in range(1, 10_001)] == addressed
    assert sequences.rounds == 2


def test_an_object_that_stands_in_two_places_has_two_paths() -> None:
    """Positions count places, so an object used twice before submit has both paths."""
    shared = sequence("web")
    plan = Plan(name="p", blocks=[Block(name="tier", sequences=[shared, shared])])

    addressed = [path for path, item in paths(plan) if item.node is shared]

    assert addressed == ["p / tier / web [1]", "p / tier / web [2]"]


def refused(plan: Plan, path: str) -> str:
    with pytest.raises(PathError) as caught:
        find(plan, path)
    return str(caught.value)


def test_a_misspelt_path_gets_the_nearest_ones() -> None:
    """The error names what was asked and the objects that come nearest."""
    assert refused(full_plan(), "Deploy / Web tier / web-3") == (
        "'Deploy / Web tier / web-3' names no object of the plan: "
        "did you mean 'Deploy / Web tier / web-2' or 'Deploy / Web tier / web-1'?"
    )
    assert refused(full_plan(), "Deploy / web TIER / web-1") == (
        "'Deploy / web TIER / web-1' names no object of the plan: "
        "did you mean 'Deploy / Web tier'?"
    )


def test_a_name_that_several_bear_must_be_said_with_its_position() -> None:
    """A path that fits several objects is refused, and their paths are named."""
    plan = Plan(
        name="p",
        blocks=[Block(name="tier", sequences=[sequence("web") for _ in range(5)])],
    )

    assert refused(plan, "p / tier / web") == (
        "'p / tier / web' names 5 objects of the plan: say which one, 'p / tier / "
        "web [1]', 'p / tier / web [2]', 'p / tier / web [3]' or one of 2 more"
    )


def test_a_path_must_begin_with_the_plans_name() -> None:
    """A path that leaves the plan's name out, or has another one, is refused and
    mended.
    """
    begins = "a path begins with the plan's name, 'Deploy'"

    assert (
        f"'Web tier / web-1' names no object of the plan: {begins}: "
        "did you mean 'Deploy / Web tier / web-1'?"
    ) == refused(full_plan(), "Web tier / web-1")
    assert (
        f"'Deploi / Web tier' names no object of the plan: {begins}: "
        "did you mean 'Deploy / Web tier'?"
    ) == refused(full_plan(), "Deploi / Web tier")
    assert f"'' names no object of the plan: {begins}" == refused(full_plan(), "")


def test_a_path_into_an_action_is_refused() -> None:
    """Below an action there is nothing."""
    assert refused(full_plan(), "Deploy / Web tier / web-1 / Copy / x") == (
        "'Deploy / Web tier / web-1 / Copy / x' names no object of the plan: "
        "'Deploy / Web tier / web-1 / Copy' holds nothing"
    )


def test_a_path_nothing_comes_near_to_shows_what_there_is() -> None:
    """Where no name is near, the error lists some that exist."""
    plan = Plan(
        name="p",
        blocks=[
            Block(name="tier", sequences=[sequence(f"host-{n}") for n in range(8)])
        ],
    )

    assert refused(plan, "p / tier / zzz") == (
        "'p / tier / zzz' names no object of the plan: 'p / tier' holds 'host-0', "
        "'host-1', 'host-2', 'host-3', 'host-4' and 3 more"
    )


def test_a_slash_without_its_spaces_is_explained() -> None:
    """Who writes a path like a file's is told how paths are written."""
    message = refused(full_plan(), "Deploy / x/y/z")

    assert "names are joined by ' / ', and a slash in a name is written '//'" in message


def test_errors_and_shown_paths_are_safe_for_a_terminal() -> None:
    """Control characters of names are escaped, and 10,000 of them are cut."""
    hostile = "\x1b[2J" + "x" * 10_000
    plan = Plan(name="p", blocks=[Block(name=hostile, sequences=[sequence("web")])])

    shown = display_path(f"p / {hostile} / web")

    assert shown.isprintable()
    assert shown.startswith(r"p / \x1b[2Jxxx")
    assert shown.endswith("x / web")
    assert len(shown) < 250
    for path in (f"p / {hostile} / wob", f"p / {hostile}x", hostile, "p / y"):
        message = refused(plan, path)
        assert message.isprintable()
        assert len(message) < 2_500


@pytest.mark.slow
def test_a_typo_among_ten_thousand_siblings_is_found() -> None:
    """The nearest names are found among very many too."""
    plan = Plan(
        name="p",
        blocks=[
            Block(name="tier", sequences=[sequence(f"host-{n}") for n in range(10_000)])
        ],
    )

    assert "did you mean 'p / tier / host-777'" in refused(plan, "p / tier / hosst-777")


def test_an_item_of_a_walk_has_a_path() -> None:
    """``path_of`` needs no more than the item: the node and its ancestors (W-2)."""
    plan = full_plan()
    block = plan.blocks[0]
    ancestors: tuple[Node, ...] = (plan, block)

    assert path_of(Item(plan, ())) == "Deploy"
    assert path_of(Item(block.sequences[1], ancestors)) == "Deploy / Web tier / web-2"
