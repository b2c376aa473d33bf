"""What a plan has left to do, as a plan of its own (RT-1, RT-2).

Everything is read off the stored tree: what is done, what was taken back, and what was
never reached. So a retry of a retry needs nothing but the retry.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

import attrs

from ..._flow.late import keys_in
from ..._values.state import Status
from ..clone import copied
from ..paths import paths
from ..plan import Action, Block, Plan, Sequence, batches_of, is_in
from ..walk import groups, walk
from .choice import chosen
from .responses import Flows

From: TypeAlias = Literal["sequence", "action"]
"""Where a sequence that was begun is taken up again."""


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
    if is_in(plan.bypass_checks, Status.COMPLETED):
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
        id(item.node) for item in walk(plan) if is_in(item.node, Status.SKIPPED)
    }  # also below what is kept
    flows = Flows(plan, left_out)
    rest = copied(plan, flows.request_of, left_out=left_out)
    rest.retry_of = plan.id
    rest.group_id = plan.group_id or plan.id
    return Remainder(rest if _holds_anything(rest, set()) else None, again)


# -- What is done ------------------------------------------------------------------------


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
    for block in [] if is_in(plan.bypass_checks, Status.COMPLETED) else plan.blocks:
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
        sequences = [each for each in block.sequences if each.is_done]
        done.update(map(id, sequences))
        if (
            is_in(block, Status.SKIPPED)
            or is_in(block.bypass_checks, Status.COMPLETED)
            or (
                is_in(block, Status.COMPLETED)
                and len(sequences) == len(block.sequences)
            )
        ):
            done.add(id(block))
    return done


def _actions_done(sequence: Sequence) -> list[Action]:
    """The actions that need not be done again; none where all must be (RT-2)."""
    done = [each for each in sequence.actions if is_in(each, Status.COMPLETED)]
    over = (Status.COMPLETED, Status.SKIPPED)
    is_over = all(is_in(each, *over) for each in sequence.actions)
    cleaned = any(batch.state.status.has_begun for batch in batches_of(sequence))
    return [] if is_over or cleaned else done


def _is_at_peace(plan: Plan) -> bool:
    """Whether the plan completed, and all of its deferred work with it."""
    failed = any(is_in(each, Status.FAILED) for each in batches_of(plan))
    return is_in(plan, Status.COMPLETED) and not failed


def _holds_anything(owner: Plan | Block, left_out: set[int]) -> bool:
    """Whether there is anything in it to run, apart from what is left out."""
    parts = owner.sequences if isinstance(owner, Block) else owner.blocks
    deferred = owner.deferred_actions if isinstance(owner, Plan) else None
    return (
        any(id(part) not in left_out for part in parts)
        or any(not is_in(group, Status.SKIPPED) for _, group in groups(owner))
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
