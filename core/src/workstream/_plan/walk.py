"""Walk order, and the ids and positions that follow from it (section 17).

An object's **position** is its place in walk order; the plan's is 0. Positions depend
on the plan's definition alone, so they name the same object for ever, and the store
keys its records by them. An object's id carries its position: the low 32 bits of a
plan's id are zero, and the object at position n has the plan's id plus n. So ids sort
in walk order and nothing has to remember which id stands where.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import attrs
import uuid_utils

from .plan import (
    BaseAction,
    Block,
    CheckKind,
    Checks,
    DeferBatch,
    Node,
    Plan,
    Sequence,
)

__all__ = ["Item", "give_ids", "groups", "new_plan_id", "position_of", "walk"]

POSITION_MASK = 0xFFFF_FFFF

Ancestors = tuple[Node, ...]


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
    chain: Ancestors = (plan,)
    for group in (plan.bypass_checks, plan.pre_checks, plan.cont_checks):
        yield from _walk_actions(group, chain)
    for block in plan.blocks:
        yield from _walk_block(block, chain)
    yield from _walk_actions(plan.post_checks, chain)
    if plan.deferred_actions is not None:
        yield Item(plan.deferred_actions, chain)
        for batch in plan.deferred_actions.batches:
            yield from _walk_actions(batch, (*chain, plan.deferred_actions))
    yield from _walk_actions(plan.deferred_checks, chain)


def _walk_block(block: Block, chain: Ancestors) -> Iterator[Item]:
    yield Item(block, chain)
    inner = (*chain, block)
    for group in (block.bypass_checks, block.pre_checks, block.cont_checks):
        yield from _walk_actions(group, inner)
    for sequence in block.sequences:
        yield from _walk_actions(sequence, inner)
    for group in (block.post_checks, block.deferred_checks):
        yield from _walk_actions(group, inner)


def _walk_actions(
    container: Checks | Sequence | DeferBatch | None, chain: Ancestors
) -> Iterator[Item]:
    if container is None:
        return
    yield Item(container, chain)
    inner = (*chain, container)
    for action in container.actions:
        yield Item(action, inner)


def groups(owner: Plan | Block) -> Iterator[tuple[CheckKind, Checks]]:
    """The check groups that the plan or block has, each with its kind, in walk order."""
    if owner.bypass_checks is not None:
        yield "bypass_checks", owner.bypass_checks
    if owner.pre_checks is not None:
        yield "pre_checks", owner.pre_checks
    if owner.cont_checks is not None:
        yield "cont_checks", owner.cont_checks
    if owner.post_checks is not None:
        yield "post_checks", owner.post_checks
    if owner.deferred_checks is not None:
        yield "deferred_checks", owner.deferred_checks


def actions(plan: Plan) -> Iterator[BaseAction]:
    """Every action of the plan, those of check groups included, in walk order."""
    for item in walk(plan):
        if isinstance(item.node, BaseAction):
            yield item.node


def new_plan_id() -> UUID:
    """A UUID version 7 whose low 32 bits leave room for positions (OM-13)."""
    return UUID(int=uuid_utils.uuid7().int & ~POSITION_MASK)


def give_ids(plan: Plan, plan_id: UUID) -> None:
    """Give every object its id, and the plan's (OM-12, OM-13)."""
    for position, item in enumerate(walk(plan)):
        item.node.id = UUID(int=plan_id.int + position)
        item.node.plan_id = plan_id


def position_of(node: Node) -> int:
    """The object's place in walk order, read off its id. It must have one."""
    assert node.id is not None, "the object has no id: it was never submitted"
    return node.id.int & POSITION_MASK
