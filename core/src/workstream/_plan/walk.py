"""Walk order, and the ids and positions that follow from it (section 17).

An object's **position** is its place in walk order; the plan's is 0. Positions depend
on the plan's definition alone, so they name the same object for ever, and the store
keys its records by them. An object's id carries its position: the low 32 bits of a
plan's id are zero, and the object at position n has the plan's id plus n. So ids sort
in walk order and nothing has to remember which id stands where.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, cast
from uuid import UUID

import attrs
import uuid_utils

from .._values.state import Attempt, State
from .plan import BaseAction, Block, CheckKind, Checks, Node, Plan
from .shape import SHAPES, held_by

POSITION_MASK = 0xFFFF_FFFF


@attrs.frozen
class Item:
    """One object of a plan, and where it stands (W-2).

    Attributes:
        node: The object.
        ancestors: From the plan down to the object's parent; empty for the plan.
    """

    node: Node
    ancestors: tuple[Node, ...]


def walk(plan: Plan) -> Iterator[Item]:
    """Every object of the plan, containers before what they hold (W-1).

    Each item's chain of ancestors is a tuple of its own; stop whenever you like.
    """
    yield Item(plan, ())
    yield from _below(plan, (plan,))


def _below(node: Node, chain: tuple[Node, ...]) -> Iterator[Item]:
    """What the object holds, each with all that is in it."""
    for field in SHAPES[type(node)].held:
        value: Any = getattr(node, field.name)
        if value is None:
            continue
        for child in value if field.many else (value,):
            yield Item(child, chain)
            if not isinstance(child, BaseAction):
                yield from _below(child, (*chain, child))


def nodes(plan: Plan) -> Iterator[Node]:
    """Every object of the plan in walk order, without what is around it: that is quicker."""
    yield plan
    yield from _nodes_below(plan)


def _nodes_below(node: Node) -> Iterator[Node]:
    """What the object holds, each with all that is in it."""
    for field in SHAPES[type(node)].held:
        value: Any = getattr(node, field.name)
        if value is None:
            continue
        for child in value if field.many else (value,):
            yield child
            if not isinstance(child, BaseAction):
                yield from _nodes_below(child)


def groups(owner: Plan | Block) -> Iterator[tuple[CheckKind, Checks]]:
    """The check groups that the plan or block has, each with its kind, in walk order."""
    for field, node in held_by(owner):
        if isinstance(node, Checks):
            yield cast("CheckKind", field.name), node


def actions(plan: Plan) -> Iterator[BaseAction]:
    """Every action of the plan, those of check groups included, in walk order."""
    return (node for node in nodes(plan) if isinstance(node, BaseAction))


def new_plan_id() -> UUID:
    """A UUID version 7 whose low 32 bits leave room for positions (OM-13)."""
    return UUID(int=uuid_utils.uuid7().int & ~POSITION_MASK)


def give_ids(plan: Plan, plan_id: UUID) -> None:
    """Give every object its id, and the plan's (OM-12, OM-13); all in walk order."""
    for place, node in enumerate(nodes(plan), plan_id.int):
        node.id = UUID(int=place)
        node.plan_id = plan_id


def giving_ids(
    plan: Plan, plan_id: UUID, positions: Iterable[int] | None = None
) -> Iterator[Item]:
    """The same, one object at a time, each with where it stands.

    Args:
        plan: The plan.
        plan_id: Its id.
        positions: Of its objects, in walk order, where others were left out between.
    """
    places = itertools.count() if positions is None else iter(positions)
    for item in walk(plan):
        item.node.id = UUID(int=plan_id.int + next(places))
        item.node.plan_id = plan_id
        yield item


_NEW = State()
_NOT_CALLED: list[Attempt] = []


def make_lean(node: Node) -> None:
    """Let an object that is new share its state, and its empty list, with all others.

    Of a copy that only waits for its start they would be a third of the memory. Before
    anything is written into it, ``begin_new`` gives each object its own.
    """
    node.state = _NEW
    if isinstance(node, BaseAction):
        node.attempts = _NOT_CALLED


def begin_new(plan: Plan, plan_id: UUID) -> None:
    """Give every object of a new plan its ids, as ``give_ids``, and a state of its own."""
    for place, node in enumerate(nodes(plan), plan_id.int):
        node.id = UUID(int=place)
        node.plan_id = plan_id
        node.state = State()
        if isinstance(node, BaseAction):
            node.attempts = []


def position_of(node: Node) -> int:
    """The object's place in walk order, read off its id. It must have one."""
    assert node.id is not None, "the object has no id: it was never submitted"
    return node.id.int & POSITION_MASK
