"""Limits in flight: what holds of a block, after what was said of it (BG-5).

A plan's definition never changes. What was said of a limit is in the plan's interventions,
and whoever paces a block asks here for what holds now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from .._plan.paths import SEPARATOR, find, label_of_plan, labelled
from .._plan.plan import Block, Checks, Node, Percent, Plan
from .._values.interventions import limits_in
from .._values.state import NoteValue, OnFailure, Status
from .answers import Answer, refused, taken, too_late

NO_LIMIT = 0
"""What lifts ``max_consecutive_failures``."""


def concurrency_of(block: Block, plan: Plan) -> int | None:
    """How many of the block's sequences may run at once now; None: all of a batch."""
    found = _said(plan, (block,), "concurrency")
    return found if isinstance(found, int) else block.concurrency


def tolerated_of(block: Block, plan: Plan) -> int:
    """How many of the block's sequences may fail now, before it does."""
    found = _said(plan, (block,), "tolerated_failures")
    if isinstance(found, str):
        return Percent(int(found[:-1])).down(len(block.sequences))
    return found if isinstance(found, int) else block.tolerance


def consecutive_of(block: Block, plan: Plan) -> int | None:
    """How many of its sequences in a row make it fail now; None: any number may."""
    found = _said(plan, (block,), "max_consecutive_failures")
    if isinstance(found, int):
        return None if found == NO_LIMIT else found
    return block.max_consecutive_failures


def on_failure_of(group: Checks, owner: Plan | Block, plan: Plan) -> OnFailure:
    """What a failed run of a continuous group means now (BG-4)."""
    found = _said(plan, (group,) if owner is plan else (owner, group), "on_failure")
    return OnFailure[found] if isinstance(found, str) else group.on_failure


def _said(plan: Plan, nodes: tuple[Node, ...], name: str) -> NoteValue:
    """What was said last of a limit of an object; ``nodes`` lead to it from the plan."""
    if not plan.interventions:  # of most plans nobody said anything
        return None
    path = ""
    for each in limits_in(plan.interventions):
        path = path or _path_to(plan, nodes)
        if each.path == path and each.data.get(name) is not None:
            return each.data[name]
    return None


def is_at(block: Block, plan: Plan, path: str) -> bool:
    """Whether this is the block's address."""
    return _path_to(plan, (block,)) == path


def _path_to(plan: Plan, nodes: tuple[Node, ...]) -> str:
    """The address of the last object; each is held by the one before, the first by the plan."""
    path = label_of_plan(plan)
    holder: Node = plan
    for node in nodes:
        label = next(label for label, child in labelled(holder) if child is node)
        path, holder = f"{path}{SEPARATOR}{label}", node
    return path


# --- setting them -------------------------------------------------------------------


def set_limits(
    plan: Plan, path: str, data: Mapping[str, NoteValue], halted: bool
) -> Answer | None:
    """Set limits of a block, or of continuous checks; None: they are so already.

    Args:
        plan: The plan.
        path: The address.
        data: The limits, by name.
        halted: Whether it is a block that has halted: a halt is never taken back.

    Raises:
        PathError: The plan has no such object.
    """
    node = find(plan, path)
    now: dict[str, NoteValue]
    if isinstance(node, Block):
        known, what = _OF_BLOCKS, "a block"
        now = {
            "concurrency": concurrency_of(node, plan),
            "tolerated_failures": tolerated_of(node, plan),
            "max_consecutive_failures": consecutive_of(node, plan) or NO_LIMIT,
        }
    else:
        owners: list[Plan | Block] = [plan, *plan.blocks]
        owner = next((each for each in owners if each.cont_checks is node), None)
        if owner is None or not isinstance(node, Checks):
            words = (
                "it is no block and no continuous checks, and only those have limits"
            )
            return refused(words)
        known, what = _OF_CHECKS, "continuous checks"
        now = {"on_failure": on_failure_of(node, owner, plan).name}
    faults = list(_faults(data, known, what))
    if faults:
        return refused("; ".join(faults))
    if node.state.status.is_terminal and not isinstance(node, Checks):
        return too_late(f"the block is {node.state.status.name.lower()}")
    if halted:
        return too_late("the block has halted, and that is never taken back")
    if isinstance(node, Checks) and node.state.status in _OVER:
        return too_late(f"the checks are {node.state.status.name.lower()}")
    return None if all(now[name] == data[name] for name in data) else taken()


_OVER = (Status.FAILED, Status.STOPPED, Status.SKIPPED)
"""Continuous checks that are COMPLETED go on; after these they do not."""


def _number(least: int) -> Callable[[NoteValue], str]:
    def wrong(value: NoteValue) -> str:
        if type(value) is int and value >= least:
            return ""
        return f"it must be {least} or more"

    return wrong


def _tolerance_wrong(value: NoteValue) -> str:
    if isinstance(value, str) and re.fullmatch(r"([1-9]\d?|100)%", value):
        return ""
    return _number(-1)(value) and "it must be -1 or more, or 1% to 100%"


def _on_failure_wrong(value: NoteValue) -> str:
    names = [each.name for each in OnFailure]
    return "" if value in names else f"it must be {' or '.join(names)}"


_OF_BLOCKS: dict[str, Callable[[NoteValue], str]] = {
    "concurrency": _number(1),
    "tolerated_failures": _tolerance_wrong,
    "max_consecutive_failures": _number(NO_LIMIT),
}
_OF_CHECKS: dict[str, Callable[[NoteValue], str]] = {"on_failure": _on_failure_wrong}


def _faults(
    data: Mapping[str, NoteValue],
    known: Mapping[str, Callable[[NoteValue], str]],
    what: str,
) -> Iterator[str]:
    if not data:
        yield f"no limit is named: {what} has {', '.join(known)}"
    for name, value in data.items():
        if name not in known:
            yield f"{name!r} is no limit of {what}: {', '.join(known)}"
        elif known[name](value):
            yield f"{name} is {value!r}: {known[name](value)}"
