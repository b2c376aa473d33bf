"""What a plan has left to do, as a plan of its own (RT-1, RT-2).

Everything is read off the stored tree: what is done, what was taken back, and what was
never reached. So a retry of a retry needs nothing but the retry.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

import attrs

from ..._flow.late import keys_in
from ..clone import without
from ..paths import paths
from ..plan import Action, Block, DeferBatch, Node, Plan, Sequence
from ..walk import groups, walk
from .choice import chosen
from .responses import Flows

From: TypeAlias = Literal["sequence", "action"]
"""Where a sequence that was begun is taken up again."""

_UNDO = frozenset({"ON_UNDO"})
_NOT_BEGUN = ("NOT_STARTED", "SKIPPED")


def remaining(
    plan: Plan,
    *,
    from_: From = "sequence",
    only: Collection[str] = (),
    skip: Collection[str] = (),
) -> Plan | None:
    """The plan that does what the given one did not (RT-1).

    It leaves out the sequences that are done, and the blocks that are (RT-2). It keeps
    the checks and the deferred work of the plan, and of each block that it keeps; so
    a block may be left without sequences, and the plan without blocks, to run its checks.
    ``retry_of`` names the plan, and both have one ``group_id``: that of the plan, or
    else the plan's id (RT-3).

    Args:
        plan: A plan in any state, as the engine left it. It is not changed.
        from_: ``"sequence"`` does each sequence again from its first action;
            ``"action"`` leaves out its completed actions, unless what they did was
            taken back or cleaned up.
        only: Paths of blocks and sequences: nothing else is done.
        skip: Paths of blocks and sequences that are not done.

    Returns:
        A plan ready to be submitted; None: nothing is left to do.

    Raises:
        PathError: A path names no block or sequence, or several, or only what is done.
        ValueError: ``from_`` is neither.
    """
    return remainder(plan, from_=from_, only=only, skip=skip).plan


@attrs.frozen
class Remainder:
    """What is left of a plan.

    Attributes:
        plan: The plan that does it; None: nothing is left.
        again: Paths of what is done and is done again all the same: others need a part
            of its responses that is secret, so that no plan may hold it (RT-4).
    """

    plan: Plan | None
    again: tuple[str, ...] = ()


def remainder(
    plan: Plan, *, from_: From, only: Collection[str], skip: Collection[str]
) -> Remainder:
    """See ``remaining``."""
    if from_ not in ("sequence", "action"):
        message = f"from_ is {from_!r}: it must be 'sequence' or 'action'"
        raise ValueError(message)
    if _is(plan.bypass_checks, "COMPLETED"):
        return Remainder(None)
    left_out = _done(plan)
    choice = chosen(plan, only, skip, left_out, "is done already")
    for block in plan.blocks:
        for sequence in block.sequences:
            if not choice.takes(block, sequence):
                left_out.add(id(sequence))
            elif from_ == "action":
                left_out.update(map(id, _actions_done(sequence)))
        some = any(id(sequence) not in left_out for sequence in block.sequences)
        whole = choice.takes_whole(block) and _holds_anything(block, left_out)
        if not (some or whole):
            left_out.add(id(block))
    if all(id(block) in left_out for block in plan.blocks) and _is_at_peace(plan):
        return Remainder(None)
    again = _keep_secret_sources(plan, left_out)
    left_out |= {
        id(item.node) for item in walk(plan) if _is(item.node, "SKIPPED")
    }  # also below what is kept
    flows = Flows(plan, left_out)
    rest = without(plan, frozenset(left_out), flows.request_of)
    rest.retry_of = plan.id
    rest.group_id = plan.group_id or plan.id
    return Remainder(rest if _holds_anything(rest, set()) else None, again)


# -- What is done ------------------------------------------------------------------------


def is_done(sequence: Sequence) -> bool:
    """Whether nothing of the sequence is left to do: done, and not taken back (RT-2)."""
    if _is(sequence, "SKIPPED"):
        return True
    return _is(sequence, "COMPLETED") and not _is_taken_back(sequence)


@attrs.frozen
class Left:
    """How many sequences of a plan are left to do.

    Attributes:
        failed: Those that failed.
        cut: Those that were begun and not finished.
        unreached: Those that were never begun.
        undone: Those that completed and were taken back.
    """

    failed: int = 0
    cut: int = 0
    unreached: int = 0
    undone: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.failed + self.cut + self.unreached + self.undone


def left_of(plan: Plan) -> Left:
    """How many sequences of the plan ``remaining`` would keep, by how they ended."""
    counts = dict.fromkeys(attrs.fields_dict(Left), 0)
    done = _done(plan)
    for block in [] if _is(plan.bypass_checks, "COMPLETED") else plan.blocks:
        for sequence in [] if id(block) in done else block.sequences:
            if id(sequence) not in done:
                kind = _KINDS.get(sequence.state.status.name, "cut")
                counts[kind] += 1
    return Left(**counts)


_KINDS = {"FAILED": "failed", "NOT_STARTED": "unreached", "COMPLETED": "undone"}


def _done(plan: Plan) -> set[int]:
    """The id() of each sequence and block that is done."""
    done: set[int] = set()
    for block in plan.blocks:
        sequences = [each for each in block.sequences if is_done(each)]
        done.update(map(id, sequences))
        if (
            _is(block, "SKIPPED")
            or _is(block.bypass_checks, "COMPLETED")
            or (_is(block, "COMPLETED") and len(sequences) == len(block.sequences))
        ):
            done.add(id(block))
    return done


def _actions_done(sequence: Sequence) -> list[Action]:
    """The actions that need not be done again; none where all must be (RT-2)."""
    done = [each for each in sequence.actions if _is(each, "COMPLETED")]
    others = [
        each
        for each in sequence.actions
        if not _is(each, "COMPLETED") and not _is(each, "SKIPPED")
    ]
    cleaned = any(not _is(batch, *_NOT_BEGUN) for batch in _batches(sequence))
    return done if others and not cleaned else []


def _is_taken_back(sequence: Sequence) -> bool:
    """Whether an undo of it was begun: what it did may be gone."""
    return any(
        batch.when.name in _UNDO and not _is(batch, *_NOT_BEGUN)
        for batch in _batches(sequence)
    )


def _batches(sequence: Sequence) -> list[DeferBatch]:
    """The batches of the sequence's own deferred work."""
    deferred = sequence.deferred_actions
    return [] if deferred is None else deferred.batches


def _is_at_peace(plan: Plan) -> bool:
    """Whether the plan completed, and all of its deferred work with it."""
    deferred = plan.deferred_actions
    batches = [] if deferred is None else deferred.batches
    return _is(plan, "COMPLETED") and not any(_is(each, "FAILED") for each in batches)


def _is(node: Node | None, *names: str) -> bool:
    """Whether there is such an object, and its status has one of these names."""
    return node is not None and node.state.status.name in names


def _holds_anything(owner: Plan | Block, left_out: set[int]) -> bool:
    """Whether there is anything in it to run, apart from what is left out."""
    parts = owner.sequences if isinstance(owner, Block) else owner.blocks
    deferred = owner.deferred_actions if isinstance(owner, Plan) else None
    return (
        any(id(part) not in left_out for part in parts)
        or any(not _is(group, "SKIPPED") for _, group in groups(owner))
        or deferred is not None
    )


# -- What others responded ---------------------------------------------------------------


def _keep_secret_sources(plan: Plan, left_out: set[int]) -> tuple[str, ...]:
    """Keep, whole, the sequences whose responses cannot stand in a plan; their paths."""
    again: list[str] = []
    while True:
        flows = Flows(plan, left_out)
        found: set[int] = set()
        for action in flows.kept:
            try:
                flows.request_of(action)
            except Exception:  # a class of strangers may refuse its arguments, too
                for key in keys_in(action.request):
                    chain = flows.chains.get(key, ())
                    found.update(id(each) for each in chain)
                    for each in chain:
                        if isinstance(each, Sequence):
                            found.update(map(id, each.actions))
        if not found & left_out:
            return tuple(again)
        again += (
            path
            for path, item in paths(plan)
            if isinstance(item.node, Sequence)
            and {id(item.node), *map(id, item.node.actions)} & found & left_out
        )
        left_out -= found
