"""Where a plan failed: the exact places, not all that failed because of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import pairwise
from typing import TypeAlias

import attrs

from .._plan.paths import display_path, paths
from .._plan.plan import BaseAction, Block, Checks, DeferBatch, Node, Plan
from .._plan.plan import Sequence as PlanSequence
from .._plan.walk import Item
from .._values.display import shorten
from .._values.folding import name_in, without_name
from .._values.state import FailureReason, PluginError, Status, WhenDeferred
from .words import chain


@attrs.frozen(kw_only=True)
class Failure:
    """One place where a plan failed.

    Attributes:
        path: The object's path (OM-15).
        node: The object: an action, or what failed without an action's failure.
        error: The error of the action's last attempt; None where there is none.
        attempts: How many attempts the action had, interrupted ones included.
        tolerated: Whether its block or batch bears it: the failure alone does not
            make the plan fail (Q-3, DA-8). While the plan runs: so far.
    """

    path: str
    node: Node
    error: PluginError | None
    attempts: int
    tolerated: bool

    def __str__(self) -> str:
        """The failure on one line, safe for a terminal."""
        why = "it failed" if self.error is None else shorten(str(self.error), 1_000)
        attempts = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        tolerated = " (tolerated)" if self.tolerated else ""
        return f"{display_path(self.path)}: {why}{attempts}{tolerated}"


def failures(plan: Plan) -> list[Failure]:
    """The places where something failed, in walk order.

    These are the failed actions, and the failed objects whose failure no failed
    action explains, for example all that a plan was doing when it aged out (R-3). What
    failed only because of them (their sequence, block, plan) is not repeated.

    A bypass check that fails is no failure: it says that there is work to do (E-2,
    B-3).

    Args:
        plan: A plan in any state; a running one gives its failures so far.
    """
    failed = [
        (path, item)
        for path, item in paths(plan, lambda node: node.state.status is Status.FAILED)
        if not _is_bypass(plan, item)
    ]
    explained = {id(node) for _, item in failed for node in _explains(plan, item)}
    # An undo plan tries every sequence, and means none of its failures to be borne (UN-5).
    undoes = plan.undo_of is not None
    tolerant = {id(b) for b in plan.blocks if _tolerates(b) and not undoes}
    return [
        _failure(plan, path, item, tolerant)
        for path, item in failed
        if id(item.node) not in explained
    ]


def not_reached(plan: Plan) -> list[str]:
    """The paths of the sequences of which nothing has begun, in walk order."""
    return [
        path
        for path, item in paths(plan)
        if isinstance(item.node, PlanSequence)
        and item.node.state.status is Status.NOT_STARTED
    ]


CauseKey: TypeAlias = tuple[tuple[str, int], ...]
"""What failures of one cause have in common."""


def cause_key(path: str, error: PluginError | None) -> CauseKey:
    """What an error says but for the name of the sequence that it is about.

    Args:
        path: The path of what failed, with the plan's name.
        error: The error, if there is one.
    """
    name = name_in(path)
    return tuple((without_name(each.message, name), each.code) for each in chain(error))


def causes(
    found: Iterable[Failure],
    said: Callable[[Node], Sequence[str] | None] = lambda _: None,
) -> list[list[Failure]]:
    """The failures, put together by what they say; each list has one at least.

    The names of the sequences make no difference. What made the plan fail comes first,
    then what it bore; of each the most frequent.

    Args:
        found: What ``failures`` gave.
        said: What an action last said, as an exit status alone is no cause; None:
            nobody has looked, so it is put to what else says the same.
    """
    alike: dict[tuple[bool, CauseKey], dict[object, list[Failure]]] = {}
    unread: list[tuple[tuple[bool, CauseKey], Failure]] = []
    for failure in found:
        key = (failure.tolerated, cause_key(failure.path, failure.error))
        lines = said(failure.node)
        if lines is None:
            unread.append((key, failure))
            continue
        name = name_in(failure.path)
        output = tuple(without_name(line, name) for line in lines)
        alike.setdefault(key, {}).setdefault(output, []).append(failure)
    for key, failure in unread:
        same = alike.setdefault(key, {})
        largest = max(same.values(), key=len, default=None)
        (same.setdefault((), []) if largest is None else largest).append(failure)
    grouped = [each for same in alike.values() for each in same.values()]
    return sorted(grouped, key=lambda each: (each[0].tolerated, -len(each)))


def _failure(plan: Plan, path: str, item: Item, tolerant: Set[int]) -> Failure:
    action = item.node if isinstance(item.node, BaseAction) else None
    return Failure(
        path=path,
        node=item.node,
        error=action.error if action is not None else None,
        attempts=len(action.attempts) if action is not None else 0,
        tolerated=_is_tolerated(plan, item, tolerant),
    )


def _explains(plan: Plan, item: Item) -> Iterator[Node]:
    """The objects whose failure follows from this one's."""
    node = item.node
    for ancestor in item.ancestors:
        # That a plan aged out is not explained by what had failed before.
        if _aged_out(plan, node) or not _aged_out(plan, ancestor):
            yield ancestor
    if node is plan.cont_checks:
        # It may cut a block short, which then fails with nothing failed in it (B-6).
        yield from (block for block in plan.blocks if not _aged_out(plan, block))


def _is_bypass(plan: Plan, item: Item) -> bool:
    chain = (*item.ancestors, item.node)
    return any(
        isinstance(owner, Plan | Block)
        and group is owner.bypass_checks
        and not _aged_out(plan, item.node)
        for owner, group in pairwise(chain)
    )


def _is_tolerated(plan: Plan, item: Item, tolerant: Set[int]) -> bool:
    if _aged_out(plan, item.node):
        return False
    bears = False
    for owner, node in pairwise((*item.ancestors, item.node)):
        if isinstance(owner, Checks) and not _is_failed(owner):
            return (
                True  # one failed run of a continuous check that may miss some (BG-4)
            )
        if isinstance(node, DeferBatch):
            # One that may fail its sequence is borne as the sequence is (SD-2).
            may_fail = node.fail_element or node.when is WhenDeferred.ON_UNDO
            return not may_fail or (bears and node.fail_element)
        if isinstance(node, PlanSequence) and isinstance(owner, Block):
            bears = id(owner) in tolerant
    return bears


def _tolerates(block: Block) -> bool:
    if block.max_consecutive_failures is not None and _is_failed(block):
        return False  # it may be those in a row that were too many (BG-1)
    failed = sum(map(_is_failed, block.sequences))
    return block.tolerance < 0 or failed <= block.tolerance


def _is_failed(node: Node) -> bool:
    return node.state.status is Status.FAILED


def _aged_out(plan: Plan, node: Node) -> bool:
    """Whether recovery made it fail for its age: they all end at one time (R-3)."""
    return (
        FailureReason.EXCEED_RECOVERY in plan.reasons
        and node.state.ended == plan.state.ended
    )
