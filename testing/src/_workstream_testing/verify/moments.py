"""The moments of a run: what tells one from others, and where a run may begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import attrs

from workstream._protocols.vault import PlanRow

from ..crashes.light_store import Kept
from .faults import BEGAN, STOPS, Fault, Kind
from .merging.shapes import Member
from .world import Facts

Moment: TypeAlias = tuple[Fault, object]
"""A fault that could follow, and what tells its moment from others."""


@attrs.define
class Entry:
    """A moment of a run at which something else could have gone wrong."""

    time: float
    position: int
    attempt: int
    key: object
    what: str = ""
    reconciles: bool = False
    at: float = 0.0
    """When, if there was another one of this name after the last fault; else 0."""


@attrs.frozen(eq=False)
class Start:
    """Where a run may begin: ``starts`` says why.

    Attributes:
        time: When.
        kept: What was stored of each object, by its place.
        row: What was stored of the plan itself; None: nothing is.
        facts: The facts.
        excess: By how much each invariant was broken.
        owner: What the first task worked on: a block, which has begun already.
        lost: Whether nobody can tell what became of calls that a crash cut short.
        struck: How many of the faults have struck.
        exact: The exact signature of its first call; None: it needs none.
        order: The sequences that run, by place, in the order in which they are taken up.
    """

    time: float
    kept: Mapping[int, Kept]
    row: PlanRow | None
    facts: Facts
    excess: tuple[int, ...]
    owner: Member | int | None = None
    lost: bool = False
    struck: int = 0
    exact: int | None = None
    order: tuple[int, ...] = ()


def strikes(fault: Fault, attempt: int, time: float) -> bool:
    """Whether a fault strikes a call of its action."""
    if fault.kind is Kind.RED:
        return time >= fault.at
    if fault.kind is Kind.STOP:
        return attempt == fault.attempt and time >= fault.at
    if fault.kind is Kind.FAILS_ONCE:
        return attempt == fault.attempt
    return attempt >= fault.attempt


def told(change: Any) -> tuple[int, int, str]:
    """What tells a write from others: its last change."""
    if isinstance(change, PlanRow):
        word = STOPS if change.stopping else "as " + change.status.word
        return 0, 0, word
    kept = cast("Kept", change)
    last = kept.last
    if last is None:
        return kept.position, 0, "as " + kept.state.status.word
    number = len(kept.attempts)
    word = BEGAN if last.ended is None else "as " + kept.state.status.word
    return kept.position, number, word if number == 1 else f"{word} ({number})"
