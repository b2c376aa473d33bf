"""The plan as a tree in brief: what went well is cut short, what did not is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import attrs

from .._plan.paths import labelled
from .._plan.plan import (
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
)
from .._plan.plan import Sequence as PlanSequence
from .._values.state import Status
from .outcomes import status_words
from .words import done_words

_IN_FULL = 3
"""Up to so many things in a block that did not go well are shown with their actions."""
_OPENED = 10
"""So many sequences of a block that run have a line of their own."""
_SAME = 3
"""And so many of those that ended alike, but for their names."""


@attrs.frozen(kw_only=True)
class Branch:
    """A line of the tree: one object, or several of a block that are alike.

    Attributes:
        depth: How deep it stands; what is directly in the plan stands at 1.
        status: How far it has come, or they have.
        label: What it is called among its siblings; "": it stands for ``alike``.
        duration: How long it took; None: nothing to tell.
        attempts: Of an action, how many it had.
        done: How far it has come in words, and where: ``3 of 8 sequences, zone eu-1``.
        alike: The labels of the several, in order.
        more: Whether others of that status have lines of their own.
    """

    depth: int
    status: Status
    label: str = ""
    duration: timedelta | None = None
    attempts: int = 0
    done: str = ""
    alike: tuple[str, ...] = ()
    more: bool = False

    @property
    def words(self) -> str:
        """How far it has come; a continuous check passes, and is never completed."""
        passes = self.label == "cont_checks" and self.status is Status.COMPLETED
        return "passed" if passes else status_words(self.status)


def outline(plan: Plan) -> Iterator[Branch]:
    """The tree's lines, without the plan's own."""
    for label, node in labelled(plan):
        if isinstance(node, Block):
            yield _branch(label, node, 1, done_words(node))
            yield from _block(node)
        elif isinstance(node, DeferredActions):
            yield _branch(label, node, 1)
            for inner, batch in labelled(node):
                if batch is not None:
                    yield from _opened(inner, batch, 2)
        elif node is not None:
            yield from _opened(label, node, 1)


def _block(block: Block) -> Iterator[Branch]:
    """What is in a block; nothing where its own line says it all."""
    children = [(label, node) for label, node in labelled(block) if node is not None]
    telling = sum(_tells(node) for _, node in children)
    if not telling:
        return
    alike: dict[Status, list[str]] = {}
    opened: Counter[object] = Counter()
    for label, node in children:
        status = node.state.status
        if isinstance(node, PlanSequence):
            shape = status if status is Status.RUNNING else _shape(node)
            opened[shape] += 1
            most = _OPENED if status is Status.RUNNING else _SAME
            if not _tells(node) or opened[shape] > most:
                alike.setdefault(status, []).append(label)
                continue
        yield from _opened(label, node, 2, brief=telling > _IN_FULL)
    for status in sorted(alike, key=lambda each: each.value, reverse=True):
        labels = tuple(alike[status])
        more = _is_telling(status)
        yield Branch(depth=2, status=status, alike=labels, more=more)


def _shape(sequence: PlanSequence) -> object:
    """How a sequence ended, and what is in it: all but the names."""
    deferred = sequence.deferred_actions
    return (
        sequence.state.status,
        tuple(each.state.status for each in sequence.actions),
        tuple(each.state.status for each in deferred.batches) if deferred else (),
    )


def _opened(
    label: str, node: Node, depth: int, *, brief: bool = False
) -> Iterator[Branch]:
    """The object, and what is in it where that tells something."""
    status = node.state.status
    if isinstance(node, PlanSequence) and (brief or status is Status.RUNNING):
        # What failed or runs in it is shown elsewhere: here, how far it has come.
        yield _branch(label, node, depth, done_words(node))
        return
    yield _branch(label, node, depth)
    if _tells(node) and isinstance(node, Checks | PlanSequence | DeferBatch):
        for inner, child in labelled(node):
            if isinstance(child, DeferredActions):
                yield from _deferred(inner, child, depth + 1)
            elif child is not None:
                yield _branch(inner, child, depth + 1)


def _deferred(label: str, deferred: DeferredActions, depth: int) -> Iterator[Branch]:
    """A sequence's deferred work, where any of it was done."""
    if deferred.state.status is not Status.NOT_STARTED:
        yield _branch(label, deferred, depth)
        for inner, batch in labelled(deferred):
            if batch is not None and batch.state.status is not Status.NOT_STARTED:
                yield from _opened(inner, batch, depth + 1)


def _tells(node: Node) -> bool:
    """Whether one wants to see what is in the object."""
    deferred = node.deferred_actions if isinstance(node, PlanSequence) else None
    return _is_telling(node.state.status) or (
        deferred is not None
        and any(_is_telling(batch.state.status) for batch in deferred.batches)
    )


def _is_telling(status: Status) -> bool:
    """Whether one wants to see what is in it."""
    return status in (Status.RUNNING, Status.FAILED, Status.STOPPED)


def _branch(label: str, node: Node, depth: int, done: str = "") -> Branch:
    zone = node.zone if isinstance(node, Block | PlanSequence) else None
    if zone is not None:  # its own: that of its block is told there
        done = ", ".join(filter(None, [done, f"zone {zone}"]))
    return Branch(
        depth=depth,
        status=node.state.status,
        label=label,
        # Of a continuous check, only its latest run has a duration.
        duration=None if label == "cont_checks" else node.state.duration,
        attempts=len(node.attempts) if isinstance(node, BaseAction) else 0,
        done=done,
    )
