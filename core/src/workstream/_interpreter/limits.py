"""Limits in flight: what holds of a block, after what was said of it (BG-5)."""

from __future__ import annotations

from collections.abc import Mapping

from .._plan.paths import SEPARATOR, find, label_of_plan, labelled
from .._plan.plan import Block, Plan
from .._values.errors import PathError
from .._values.interventions import Effect, Verb
from .._values.state import NoteValue
from .answers import Answer, refused, taken, too_late

_LEAST = {"concurrency": 1, "tolerated_failures": -1}
"""The limits that can be set, and the least that each may be (V-21)."""


def concurrency_of(block: Block, plan: Plan) -> int | None:
    """How many of the block's sequences may run at once now; None: all of a batch."""
    return _limit(block, plan, "concurrency", block.concurrency)


def tolerated_of(block: Block, plan: Plan) -> int:
    """How many of the block's sequences may fail now, before it does."""
    found = _limit(block, plan, "tolerated_failures", None)
    return block.tolerance if found is None else found


def _limit(block: Block, plan: Plan, name: str, usual: int | None) -> int | None:
    if not plan.interventions:
        return usual
    path = ""
    for each in reversed(plan.interventions):
        if each.verb is Verb.SET_LIMITS and each.effect is Effect.TAKEN:
            path = path or _path_of(block, plan)
            found = each.data.get(name)
            if each.path == path and isinstance(found, int):
                return found
    return usual


def is_at(block: Block, plan: Plan, path: str) -> bool:
    """Whether this is the block's address."""
    return _path_of(block, plan) == path


def _path_of(block: Block, plan: Plan) -> str:
    label = next(label for label, child in labelled(plan) if child is block)
    return f"{label_of_plan(plan)}{SEPARATOR}{label}"


def set_limits(
    plan: Plan, path: str, data: Mapping[str, NoteValue], halted: bool
) -> Answer | None:
    """Set limits of a block; None: they are so already.

    Args:
        plan: The plan.
        path: The block's address.
        data: The limits, by name.
        halted: Whether the block has halted: a halt is never taken back.
    """
    try:
        block = find(plan, path)
    except PathError as error:
        return refused(str(error))
    if not isinstance(block, Block):
        return refused("it is no block, and only a block has limits")
    faults = list(_faults(data))
    if faults:
        return refused("; ".join(faults))
    if block.state.status.is_terminal:
        return too_late(f"the block is {block.state.status.name.lower()}")
    if halted:
        return too_late("the block has halted, and that is never taken back")
    now = {
        "concurrency": concurrency_of(block, plan),
        "tolerated_failures": tolerated_of(block, plan),
    }
    if all(now[name] == limit for name, limit in data.items()):
        return None
    return taken()


def _faults(data: Mapping[str, NoteValue]) -> list[str]:
    faults = [f"{name!r} is no limit of a block" for name in data if name not in _LEAST]
    if not data:
        faults.append("no limit is named: say concurrency or tolerated_failures")
    for name, least in _LEAST.items():
        limit = data.get(name, least)
        if type(limit) is not int or limit < least:
            faults.append(f"{name} is {limit!r}: it must be {least} or more")
    return faults
