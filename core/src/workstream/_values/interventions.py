"""Interventions: what people and programs told a plan while it existed (section 25).

One mechanism serves every word of the operator. How a word travels, in four steps:

1. Somebody **asks**. The vault keeps the request, durably, until somebody takes it; it
   never looks at the verb (``_protocols.vault``).
2. The run of the plan **takes** the request, or the next recovery does, or the asker's own
   transaction where the plan was never started (``_interpreter.interventions``). All three
   call the same function on the same tree, so they cannot differ.
3. Taking makes an ``Intervention`` and changes the tree. Both are one write, which also
   removes the request: after a crash a request is either still there, or it has its effect
   and its line in the record.
4. What follows from a verb is **read off the tree**. There is no flag for "paused": a plan
   is paused when its interventions say so, and the functions at the end of this module are
   all that there is to know about it. So a crash cannot lose a hold, and a resumed plan
   waits because it looks at the same record as the run before it.

The record holds what changed something, and what was asked in vain: ``effect`` tells which.
A verb that finds everything as it wants it changes nothing and leaves no line (CT-5).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import attrs

from .state import NoteValue


class Verb(enum.Enum):
    """What a plan can be told (CT-1). The value is the word of the request."""

    STOP = "stop"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    SKIP = "skip"
    SIGNAL = "signal"
    SET_LIMITS = "set_limits"
    RESUME = "resume"
    ABANDON = "abandon"
    FREEZE = "freeze"
    """A run noticed that the store is frozen (HO-6)."""
    UNFREEZE = "unfreeze"
    """A run noticed that the store is no longer frozen, or not for its plan."""


class Effect(enum.Enum):
    """What became of it (CT-1)."""

    TAKEN = "taken"
    TOO_LATE = "too late"
    """It could have been, but what it is about is decided."""
    REFUSED = "refused"
    """It does not go together with how the plan stands."""


@attrs.frozen(kw_only=True)
class Intervention:
    """What a person or a program told a plan, and what became of it (CT-1).

    Attributes:
        verb: What was asked.
        path: The object that it is about (OM-15); "": the plan itself.
        by: Who asked (CT-4).
        at: When it was taken.
        reason: Why, in the asker's words.
        data: What else the verb needs.
        effect: Whether it was taken.
        words: Where it was not taken, or not wholly: why.
    """

    verb: Verb
    path: str = ""
    by: str
    at: datetime
    reason: str = ""
    data: dict[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    effect: Effect = Effect.TAKEN
    words: str = ""


@attrs.frozen(kw_only=True)
class Word:
    """Who said something, when and why.

    Attributes:
        by: Who (CT-4).
        at: When.
        reason: Why.
    """

    by: str
    at: datetime
    reason: str = ""


@attrs.frozen(kw_only=True)
class Freeze:
    """What the store says of a freeze: of each of its plans, of every engine (HO-6).

    Attributes:
        begun: Who froze it.
        ended: Who ended that; None: it is frozen.
        exempt: The plans that are let through, each with who did that.
    """

    begun: Word
    ended: Word | None = None
    exempt: dict[UUID, Word] = attrs.field(factory=dict[UUID, Word])

    def lets_through(self, plan_id: UUID) -> Word | None:
        """Who lets the plan through; None: it is held."""
        return self.ended or self.exempt.get(plan_id)


_ENDS = {
    Verb.PAUSE: (Verb.UNPAUSE, Verb.STOP),
    Verb.FREEZE: (Verb.UNFREEZE,),
}
"""What begins a hold, and what ends it (CT-3)."""


class _Digest(NamedTuple):
    """What is asked of a plan's interventions before every action.

    Attributes:
        holds: What holds the plan now.
        limits: The limits that were set, the last one first.
    """

    holds: tuple[Intervention, ...]
    limits: tuple[Intervention, ...]


_digests: dict[int, tuple[tuple[Intervention, ...], _Digest]] = {}
"""By the id of the interventions, which are kept beside it, so that no id comes again."""
_MOST_DIGESTS = 64


def _digest_of(interventions: tuple[Intervention, ...]) -> _Digest:
    """Read them once: a plan gets new ones as a new tuple."""
    known = _digests.get(id(interventions))
    if known is not None and known[0] is interventions:
        return known[1]
    taken = [each for each in reversed(interventions) if each.effect is Effect.TAKEN]
    found: list[Intervention] = []
    for begins, ends in _ENDS.items():
        last = next((e for e in taken if e.verb is begins or e.verb in ends), None)
        if last is not None and last.verb is begins:
            found.append(last)
    limits = tuple(each for each in taken if each.verb is Verb.SET_LIMITS)
    digest = _Digest(tuple(found), limits)
    if len(_digests) >= _MOST_DIGESTS:
        _digests.clear()
    _digests[id(interventions)] = interventions, digest
    return digest


def holds_in(interventions: tuple[Intervention, ...]) -> tuple[Intervention, ...]:
    """What holds the plan now: a PAUSE, a FREEZE, both, or nothing (CT-3)."""
    return _digest_of(interventions).holds if interventions else ()


def limits_in(interventions: tuple[Intervention, ...]) -> tuple[Intervention, ...]:
    """The limits that were set, the last one first (BG-5)."""
    return _digest_of(interventions).limits if interventions else ()


def held_time(
    interventions: Sequence[Intervention], since: datetime, until: datetime
) -> timedelta:
    """For how long the plan was held between two times (HO-4)."""
    total = timedelta()
    for began, ended in _spans(interventions):
        first = max(began, since)
        last = until if ended is None else min(ended, until)
        if last > first:
            total += last - first
    return total


def _spans(
    interventions: Sequence[Intervention],
) -> Iterator[tuple[datetime, datetime | None]]:
    """From when to when the plan was held, by whatever it was; None: it still is."""
    holding: set[Verb] = set()
    began: datetime | None = None
    for each in interventions:
        if each.effect is not Effect.TAKEN:
            continue
        for begins, ends in _ENDS.items():
            if each.verb is begins:
                holding.add(begins)
            elif each.verb in ends:
                holding.discard(begins)
        if holding and began is None:
            began = each.at
        elif not holding and began is not None:
            yield began, each.at
            began = None
    if began is not None:
        yield began, None
