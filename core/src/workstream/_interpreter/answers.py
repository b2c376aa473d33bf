"""What a rule of a verb answers."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .._plan.plan import Node
from .._values.interventions import Effect


@attrs.frozen
class Answer:
    """What becomes of a request.

    Attributes:
        effect: Whether it is taken.
        words: If not: why.
        changed: The objects beside the plan that were changed, in order.
    """

    effect: Effect
    words: str = ""
    changed: Sequence[Node] = ()


def taken(changed: Sequence[Node] = (), words: str = "") -> Answer:
    """It is done."""
    return Answer(Effect.TAKEN, words, changed)


def too_late(words: str) -> Answer:
    """What it is about is decided."""
    return Answer(Effect.TOO_LATE, words)


def refused(words: str) -> Answer:
    """It does not go together with how the plan stands."""
    return Answer(Effect.REFUSED, words)
