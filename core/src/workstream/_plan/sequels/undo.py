"""Taking back what a plan did, as a plan of its own (UN-5).

Everything is read off the stored tree, as for a retry: which sequences have begun, which
of their ON_UNDO batches have not completed, and what their actions responded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

import attrs

from ..._flow.late import keys_in
from ..._secrets.responses import NoRequestError
from ..._values.state import Status, WhenDeferred
from ..clone import copied
from ..paths import paths
from ..plan import Block, DeferBatch, DeferredActions, Plan, Sequence, is_in
from ..walk import walk
from .choice import chosen
from .responses import Flows


@attrs.frozen
class UndoPlan:
    """What takes back what a plan did.

    Attributes:
        plan: The plan that does it; None: there is nothing to take back.
        lacking: What began and cannot be taken back: its path, and why.
    """

    plan: Plan | None
    lacking: Mapping[str, str]


def undo_plan(
    plan: Plan, *, only: Collection[str] = (), skip: Collection[str] = ()
) -> UndoPlan:
    """The plan that takes back what the given one did (UN-5).

    It has a sequence for each sequence that has begun and has ON_UNDO batches which did
    not complete: their actions, in the order of UN-2, under no tolerance. ``undo_of``
    names the plan, and both have one ``group_id``.

    Args:
        plan: A plan in any state, as the engine left it. It is not changed.
        only: Paths of blocks and sequences: nothing else is taken back.
        skip: Paths of blocks and sequences that are not taken back.

    Raises:
        PathError: A path names no block or sequence, or several, or only what has
            nothing to be taken back.
    """
    lacking: dict[int, _Lacking] = {}
    kept = _readable(plan, _batches(plan, lacking), lacking)
    left_out = _left_out(plan, kept)
    choice = chosen(plan, only, skip, left_out, "has nothing to be taken back")
    kept = [each for each in kept if choice.takes(each.block, each.owner)]
    named = {
        path: why
        for path, item in paths(plan)
        if id(item.node) in lacking
        for block, owner, why in [lacking[id(item.node)]]
        if choice.takes(block, owner)
    }
    return UndoPlan(_made(plan, kept) if kept else None, named)


_Lacking: TypeAlias = tuple[Block, Sequence, str]
"""Where it is that something cannot be taken back, and why."""


@attrs.frozen
class _Undo:
    """A batch that takes something back, and where it is."""

    block: Block
    owner: Sequence
    batch: DeferBatch


def _batches(plan: Plan, lacking: dict[int, _Lacking]) -> list[_Undo]:
    """The batches that have something to take back."""
    found: list[_Undo] = []
    for block in plan.blocks:
        for sequence in block.sequences:
            if not sequence.actions_begun:
                continue
            if not sequence.undo_batches:
                lacking[id(sequence)] = block, sequence, "it has no ON_UNDO batch"
            found += (
                _Undo(block, sequence, batch)
                for batch in sequence.undo_batches
                if not is_in(batch, Status.COMPLETED)
            )
    return found


def _readable(
    plan: Plan, kept: list[_Undo], lacking: dict[int, _Lacking]
) -> list[_Undo]:
    """The batches whose requests can be made of what is stored."""
    while True:
        flows = Flows(plan, _left_out(plan, kept))
        needless = _needless(kept, flows)
        left: list[_Undo] = []
        for each in kept:
            actions = [a for a in each.batch.actions if id(a) not in needless]
            try:
                for action in actions:
                    flows.request_of(action)
            except Exception as error:  # of strangers, too: a class refuses a value
                why = f"its request cannot be made: {error}"
                if isinstance(error, NoRequestError):
                    why = str(error)
                lacking[id(each.batch)] = each.block, each.owner, why
            else:
                left += [each] if actions else []
        if len(left) == len(kept):
            return left
        kept = left


def _needless(kept: list[_Undo], flows: Flows) -> set[int]:
    """The id() of each action that needs what did not complete: it has nothing to do (UN-4)."""
    found, keys = set[int](), set[str | None]()
    for each in kept:
        for action in each.batch.actions:
            if any(flows.lacks(key) or key in keys for key in keys_in(action.request)):
                found.add(id(action))
                keys |= {action.key} - {None}
    return found


def _left_out(plan: Plan, kept: list[_Undo]) -> set[int]:
    """The id() of all that is no part of these batches, and holds none of them."""
    held = {
        id(node)
        for each in kept
        for node in (
            plan,
            each.block,
            each.owner,
            each.owner.deferred_actions,
            each.batch,
            *each.batch.actions,
        )
    }
    return {id(item.node) for item in walk(plan)} - held


def _made(plan: Plan, kept: list[_Undo]) -> Plan:
    """The plan of these batches."""
    left_out = _left_out(plan, kept)
    flows = Flows(plan, left_out)
    left_out |= _needless(kept, flows)
    copy = copied(plan, flows.request_of, left_out=left_out)
    originals = [block for block in plan.blocks if id(block) not in left_out]
    return Plan(
        name=f"Undo {plan.name}",
        description=f"Takes back what the plan {plan.id} did.",
        group_id=plan.group_id or plan.id,
        meta=plan.meta,
        undo_of=plan.id,
        origin=plan.origin,
        locks=plan.locks,
        blocks=[
            Block(
                name=block.name,
                description=block.description,
                key=block.key,
                concurrency=original.concurrency or max(original.batch_sizes),
                tolerated_failures=-1,
                zone=block.zone,
                sequences=list(_sequences(block)),
            )
            for original, block in zip(
                reversed(originals), reversed(copy.blocks), strict=True
            )
        ],
    )


def _sequences(block: Block) -> Iterator[Sequence]:
    """The sequences that take back those of a block, the last one first (UN-2)."""
    for sequence in reversed(block.sequences):
        assert sequence.deferred_actions is not None
        first, *others = sequence.deferred_actions.batches
        for batch in others:
            batch.when, batch.fail_element = WhenDeferred.ALWAYS, True
        yield Sequence(
            name=sequence.name,
            description=sequence.description,
            key=sequence.key,
            actions=first.actions,
            deferred_actions=DeferredActions(batches=others) if others else None,
            zone=sequence.zone,
        )
