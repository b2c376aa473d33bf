"""Walk order, and the ids and positions that follow from it (section 17)."""

from __future__ import annotations

import copy
from itertools import islice
from uuid import UUID

import pytest

from workstream._plan.plan import (
    CHECK_KINDS,
    Action,
    BaseAction,
    Block,
    CheckAction,
    CheckKind,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from workstream._plan.walk import (
    actions,
    begin_new,
    give_ids,
    groups,
    make_lean,
    new_plan_id,
    nodes,
    position_of,
    walk,
)
from workstream._values.state import WhenDeferred


def group(name: str) -> Checks:
    return Checks(
        key=name,
        actions=[CheckAction(name=f"{name} {n}", plugin="a.look") for n in (1, 2)],
    )


def sequence(name: str) -> Sequence:
    return Sequence(name=name, actions=acts(name))


def acts(name: str) -> list[Action]:
    return [Action(name=f"{name} {n}", plugin="a.do") for n in (1, 2)]


def full_plan() -> Plan:
    """A plan that has everything; the fields are given in another order than walked."""
    return Plan(
        name="plan",
        deferred_checks=group("plan def"),
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(name=name, when=WhenDeferred.ALWAYS, actions=acts(name))
                for name in ("batch 1", "batch 2")
            ]
        ),
        post_checks=group("plan post"),
        blocks=[
            Block(
                name="block 1",
                deferred_checks=group("block def"),
                post_checks=group("block post"),
                sequences=[sequence("seq 1"), sequence("seq 2")],
                cont_checks=group("block cont"),
                pre_checks=group("block pre"),
                bypass_checks=group("block byp"),
            ),
            Block(name="block 2", sequences=[sequence("seq 3")]),
        ],
        cont_checks=group("plan cont"),
        pre_checks=group("plan pre"),
        bypass_checks=group("plan byp"),
    )


ORDER = """\
plan
.plan byp
..plan byp 1
..plan byp 2
.plan pre
..plan pre 1
..plan pre 2
.plan cont
..plan cont 1
..plan cont 2
.block 1
..block byp
...block byp 1
...block byp 2
..block pre
...block pre 1
...block pre 2
..block cont
...block cont 1
...block cont 2
..seq 1
...seq 1 1
...seq 1 2
..seq 2
...seq 2 1
...seq 2 2
..block post
...block post 1
...block post 2
..block def
...block def 1
...block def 2
.block 2
..seq 3
...seq 3 1
...seq 3 2
.plan post
..plan post 1
..plan post 2
.deferred
..batch 1
...batch 1 1
...batch 1 2
..batch 2
...batch 2 1
...batch 2 2
.plan def
..plan def 1
..plan def 2
""".splitlines()


def label(node: object) -> str:
    if isinstance(node, DeferredActions):
        return "deferred"
    if isinstance(node, Checks):
        return str(node.key)
    assert isinstance(node, Plan | Block | Sequence | DeferBatch | BaseAction)
    return node.name


def test_a_full_plan_is_walked_in_order() -> None:
    """Containers come before what they hold, parts in the order in which they run (W-1,
    X-78).
    """
    walked = [
        "." * len(item.ancestors) + label(item.node) for item in walk(full_plan())
    ]

    assert walked == ORDER


def test_each_item_has_its_chain_of_ancestors() -> None:
    """The chain leads from the plan to the object's parent; the plan's is empty (W-2,
    X-78).
    """
    plan = full_plan()
    block = plan.blocks[0]
    deferred = plan.deferred_actions
    assert block.pre_checks is not None
    assert deferred is not None
    batch = deferred.batches[1]

    chains = {label(item.node): item.ancestors for item in walk(plan)}

    assert chains["plan"] == ()
    assert [plan] == list(chains["block 1"])
    expected = {
        "block pre 2": (plan, block, block.pre_checks),
        "seq 2 1": (plan, block, block.sequences[1]),
        "batch 2 1": (plan, deferred, batch),
        "deferred": (plan,),
    }
    for name, chain in expected.items():
        assert len(chain) == len(chains[name])
        assert all(one is other for one, other in zip(chain, chains[name], strict=True))


def test_every_chain_is_made_of_objects_that_hold_the_next() -> None:
    """An item's ancestors were all walked before it, outermost first (W-2)."""
    seen: set[int] = set()
    for item in walk(full_plan()):
        assert all(id(ancestor) in seen for ancestor in item.ancestors)
        seen.add(id(item.node))


def test_items_are_kept_as_they_were() -> None:
    """A chain is a tuple of its own: going on with the walk does not change it
    (W-2).
    """
    walking = walk(full_plan())
    first = list(islice(walking, 15))
    chains = [tuple(item.ancestors) for item in first]

    rest = list(walking)

    assert all(isinstance(item.ancestors, tuple) for item in [*first, *rest])
    assert chains == [item.ancestors for item in first]
    assert len(ORDER) == len(first) + len(rest)


def test_a_walk_may_stop_early() -> None:
    """Nothing is computed beyond what was asked for (W-2)."""
    plan = full_plan()
    plan.blocks = []  # A walk that ran ahead would have read the blocks.

    walking = walk(plan)
    next(walking)
    plan.blocks = [Block(name="late", sequences=[])]

    assert "late" in [label(item.node) for item in walking]


def test_a_plan_with_nothing_in_it_is_walked() -> None:
    """What is absent is left out, not yielded as None."""
    plan = Plan(name="p", blocks=[])

    assert [plan] == [item.node for item in walk(plan)]


def test_the_actions_of_a_plan_come_in_walk_order() -> None:
    """``actions`` gives actions and check actions, and nothing else."""
    plan = full_plan()

    walked = [item.node for item in walk(plan)]

    assert list(actions(plan)) == [
        node for node in walked if isinstance(node, Action | CheckAction)
    ]
    assert sum(1 for _ in actions(plan)) == 30


def test_groups_come_with_their_kinds() -> None:
    """Each check group of a plan or block comes with the field that holds it
    (OM-15).
    """
    plan = full_plan()

    for owner in (plan, plan.blocks[0]):
        kinds = [kind for kind in CHECK_KINDS if hasattr(owner, kind)]
        for kind in kinds:
            setattr(owner, kind, group(kind))
        found = list(groups(owner))
        assert kinds == [kind for kind, _ in found]
        assert all(checks is getattr(owner, kind) for kind, checks in found)
    assert list(groups(plan.blocks[1])) == []


@pytest.mark.parametrize("kind", CHECK_KINDS)
def test_groups_leave_out_what_is_absent(kind: CheckKind) -> None:
    """A plan or block with one group yields that one."""
    plan, block = Plan(name="p", blocks=[]), Block(name="b", sequences=[])
    owner = plan if hasattr(plan, kind) else block
    setattr(owner, kind, group("g"))

    assert [kind] == [found for found, _ in groups(owner)]


def test_a_plan_id_is_of_version_7_and_leaves_room_for_positions() -> None:
    """Plan ids are UUIDs version 7 whose low 32 bits are zero; no two are equal
    (OM-13).
    """
    ids = [new_plan_id() for _ in range(1_000)]

    assert len(ids) == len(set(ids))
    for plan_id in ids:
        assert plan_id.version == 7
        assert plan_id.variant == "specified in RFC 4122"
        assert plan_id.int & 0xFFFF_FFFF == 0


def test_ids_carry_positions_in_walk_order() -> None:
    """The object at position n has the plan's id plus n, so ids sort in walk order
    (OM-12).
    """
    plan = full_plan()
    plan_id = new_plan_id()

    give_ids(plan, plan_id)

    nodes = [item.node for item in walk(plan)]
    ids = [node.id for node in nodes]
    assert plan.id == plan_id
    assert ids == [UUID(int=plan_id.int + n) for n in range(len(nodes))]
    assert list(range(len(nodes))) == [position_of(node) for node in nodes]
    assert {plan_id} == {node.plan_id for node in nodes}
    assert all(node.id is not None and node.id.version == 7 for node in nodes)


def test_a_lean_plan_gets_ids_and_states_of_its_own() -> None:
    """What lean objects share, none shares any more once the plan begins (OM-2, OM-12)."""
    plan, expected = full_plan(), full_plan()
    plan_id = new_plan_id()
    give_ids(expected, plan_id)
    for node in nodes(plan):
        make_lean(node)
    shared = plan.state

    begin_new(plan, plan_id)

    found = [item.node for item in walk(plan)]
    assert list(nodes(plan)) == found
    assert plan == expected
    assert {node.plan_id for node in found} == {plan_id}
    states = {id(node.state) for node in found}
    assert len(states) == len(found)
    assert id(shared) not in states
    lists = {id(action.attempts) for action in actions(plan)}
    assert len(lists) == len(list(actions(plan)))


def test_positions_depend_on_the_definition_alone() -> None:
    """Two submissions of one plan give each object the same position (section 17)."""
    one, other = full_plan(), copy.deepcopy(full_plan())
    give_ids(one, new_plan_id())
    give_ids(other, new_plan_id())

    assert one.id != other.id
    assert [position_of(item.node) for item in walk(one)] == [
        position_of(item.node) for item in walk(other)
    ]


def test_an_object_without_an_id_has_no_position() -> None:
    """Asking for it is a mistake in the engine, and says so."""
    with pytest.raises(AssertionError, match="never submitted"):
        position_of(Plan(name="p", blocks=[]))
