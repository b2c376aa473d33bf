"""What holds a plan, and its limits, follow from what it was told last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workstream._values.interventions import (
    Effect,
    Intervention,
    Verb,
    holds_in,
    limits_in,
)

START = datetime(2031, 1, 1, tzinfo=UTC)


def told(
    *words: Verb | tuple[Verb, Effect],
) -> tuple[Intervention, ...]:
    """What a plan was told, a second between one word and the next."""
    pairs = [
        word if isinstance(word, tuple) else (word, Effect.TAKEN) for word in words
    ]
    return tuple(
        Intervention(verb=verb, by="x", at=START + timedelta(seconds=at), effect=effect)
        for at, (verb, effect) in enumerate(pairs)
    )


def test_a_new_word_is_heard_after_the_old_ones_were_read() -> None:
    """What was read before does not hide a word that came since (CT-3)."""
    paused = told(Verb.PAUSE)
    assert holds_in(paused) == holds_in(paused) == paused
    for ends in (Verb.UNPAUSE, Verb.STOP):
        assert holds_in((*paused, *told(ends))) == ()
    assert holds_in((*paused, *told(Verb.UNFREEZE))) == paused
    frozen = told(Verb.FREEZE)
    assert holds_in((*frozen, *paused)) == (*paused, *frozen)
    refused = told((Verb.UNPAUSE, Effect.REFUSED))
    assert holds_in((*paused, *refused)) == paused


@pytest.mark.slow
def test_many_plans_do_not_mix() -> None:
    """More plans than are remembered each get their own answer, also the second time."""
    plans = [told(*[Verb.PAUSE, Verb.UNPAUSE] * n, Verb.PAUSE) for n in range(200)]
    for _ in range(2):
        for each in plans:
            (hold,) = holds_in(each)
            assert hold is each[-1]


def test_the_last_limit_comes_first() -> None:
    """Those that were refused are none (BG-5)."""
    words = told(Verb.SET_LIMITS, (Verb.SET_LIMITS, Effect.REFUSED), Verb.SET_LIMITS)
    assert limits_in(words) == (words[2], words[0])
    assert limits_in(()) == holds_in(()) == ()
