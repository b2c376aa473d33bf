"""Taking what was asked of a plan: what each verb does to the tree (sections 25 to 28).

``take`` is a pure function of a tree, a request and a time. A run calls it, a recovery, and
whoever asks a plan that was never started; so it does not matter who was there to hear. It
changes the tree in memory, notes what became of the request in ``plan.interventions``, and
returns what it changed: the caller writes all of that at once, and with it removes the
request (CT-2).

A request and its effect are two things. What a verb does is written down here and nowhere
else; what follows from it is read off the tree by those whom it concerns. So the interpreter
asks ``plan.held`` and ``plan.stopping``, and knows no verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

import attrs

from .._plan.clone import scrubbed_attempt
from .._plan.paths import paths
from .._plan.plan import BaseAction, Checks, Node, Plan
from .._protocols.vault import PlanRequest
from .._values.display import shorten
from .._values.errors import PathError
from .._values.interventions import Freeze, Intervention, Verb, Word
from .._values.state import FailureReason, NoteValue, State, Status
from .._values.wire import pack, unpack
from . import judgement, limits, signals, skipping
from .answers import Answer, refused, taken, too_late

_DATA = b"\x01"
_REASON = 1_000
"""Characters of an error that are the reason of a pause."""


def data_of(request: PlanRequest) -> dict[str, NoteValue]:
    """What the request holds beside its verb. Raises ValueError: it cannot be read."""
    return unpack(_DATA, request.data) if request.data else {}


def encode_data(data: dict[str, NoteValue]) -> bytes:
    """What a request is to hold beside its verb."""
    return pack(_DATA, data) if data else b""


def take(plan: Plan, request: PlanRequest, now: datetime) -> list[Node]:
    """Do what was asked of the plan, if it can be done, and note what became of it.

    Args:
        plan: The plan, as it is now; it is changed.
        request: What was asked.
        now: The time.

    Returns:
        The objects that were changed: the plan first, a container after what is in it.
        None were when the plan is already as it was asked to be (CT-5).
    """
    try:
        verb = Verb(request.verb)
        data = data_of(request)
    except ValueError:
        return []  # a newer workstream asked: nothing here knows what
    try:
        answer = _RULES[verb](plan, _Asked(verb, request, data, now))
    except PathError as error:  # whatever the verb: before it has changed anything
        answer = refused(str(error))
    if answer is None:
        return []
    _note(plan, verb, request, data, now, answer)
    return [plan, *answer.changed]


def come_too_late(
    plan: Plan, requests: Iterable[PlanRequest], now: datetime, words: str
) -> None:
    """Note what was asked of a plan that is given up, and that nobody takes any more."""
    for request in requests:
        with suppress(ValueError):  # a newer workstream asked
            verb, data = Verb(request.verb), data_of(request)
            _note(plan, verb, request, data, now, too_late(words))


def _note(
    plan: Plan,
    verb: Verb,
    request: PlanRequest,
    data: dict[str, NoteValue],
    now: datetime,
    answer: Answer,
) -> None:
    """Note what became of a request."""
    told = Intervention(
        verb=verb,
        path=request.path,
        by=request.by,
        at=now,
        reason=request.reason,
        data=data,
        effect=answer.effect,
        words=answer.words,
    )
    plan.interventions = (*plan.interventions, told)


def notice(plan: Plan, freeze: Freeze | None, now: datetime) -> bool:
    """Note that the store was frozen, or is so no longer; whether there was news (CT-3).

    Args:
        plan: The plan; it is changed.
        freeze: What the store says.
        now: The time.
    """
    assert plan.id is not None
    held = any(each.verb is Verb.FREEZE for each in plan.held)
    word = None if freeze is None else freeze.lets_through(plan.id)
    holds = freeze is not None and word is None
    if held == holds or plan.state.status.is_terminal:
        return False
    if freeze is not None and word is None:
        verb, word = Verb.FREEZE, freeze.begun
    else:
        verb, word = Verb.UNFREEZE, word or Word(by=NOBODY, at=now)
    told = Intervention(verb=verb, by=word.by, at=now, reason=word.reason)
    plan.interventions = (*plan.interventions, told)
    return True


def pause_for(plan: Plan, group: Checks, now: datetime) -> None:
    """Pause the plan in the name of a continuous check that failed (BG-4).

    Args:
        plan: The plan; it is changed.
        group: The check group, of which an action failed.
        now: The time.
    """
    path, check = next(
        (path, item.node)
        for path, item in paths(plan)
        if isinstance(item.node, BaseAction)
        and item.ancestors[-1] is group
        and item.node.state.status is Status.FAILED
    )
    attempt = check.final_attempt
    # A reason is shown as it is: so it has no secret that the error may hold (CL-7).
    error = None if attempt is None else scrubbed_attempt(check, attempt).error
    reason = shorten(str(error), _REASON) if error is not None else ""
    told = Intervention(verb=Verb.PAUSE, by=f"check {path}", at=now, reason=reason)
    plan.interventions = (*plan.interventions, told)


NOBODY = "engine"
"""In whose name something is noted that nobody said (CT-4)."""


@attrs.frozen
class _Asked:
    """One request, as the rule of its verb sees it."""

    verb: Verb
    request: PlanRequest
    data: dict[str, NoteValue]
    now: datetime


_Rule = Callable[[Plan, _Asked], Answer | None]
"""What a verb does; None: the plan is already as it is asked to be."""


_HARDER = ("now", "undo")
"""The words that may be said to a plan that is stopping already (SN-1, UN-1)."""


def _stop(plan: Plan, asked: _Asked) -> Answer | None:
    """SP-1, SP-8; a stop lifts a pause (HO-3)."""
    if plan.state.status is Status.NOT_STARTED:
        plan.state = State(Status.STOPPED, None, asked.now)
        plan.reasons = (FailureReason.STOPPED,)
    elif plan.stopping and not any(map(asked.data.get, _HARDER)):
        return None
    elif not judgement.can_stop(plan):
        words = "the deferred work of the plan has begun, and a stop does not cut it"
        if plan.held:
            words += "; it is held"
        return too_late(words)
    elif plan.stopping and all(
        judgement.was_said(plan, word) for word in _HARDER if asked.data.get(word)
    ):
        return None
    plan.stopping = True
    return taken()


def _pause(plan: Plan, asked: _Asked) -> Answer | None:
    if plan.stopping:
        return refused("the plan is stopping, and a stop goes before a pause")
    return None if is_paused(plan) else taken()


def _unpause(plan: Plan, asked: _Asked) -> Answer | None:
    return taken() if is_paused(plan) else None


def _skip(plan: Plan, asked: _Asked) -> Answer | None:
    return skipping.skip(plan, asked.request.path, asked.now)


def _set_limits(plan: Plan, asked: _Asked) -> Answer | None:
    """BG-5."""
    path = asked.request.path
    halted = any(
        judgement.block_halted(block, plan)
        for block in plan.blocks
        if block.state.status is Status.RUNNING and limits.is_at(block, plan, path)
    )
    return limits.set_limits(plan, path, asked.data, halted)


def _signal(plan: Plan, asked: _Asked) -> Answer | None:
    return signals.signal(plan, asked.request.path, asked.data, asked.request.by)


def _unknown(plan: Plan, asked: _Asked) -> Answer | None:
    return refused("this engine cannot do that")


_RULES: dict[Verb, _Rule] = {
    **dict.fromkeys(Verb, _unknown),
    Verb.STOP: _stop,
    Verb.PAUSE: _pause,
    Verb.UNPAUSE: _unpause,
    Verb.SKIP: _skip,
    Verb.SET_LIMITS: _set_limits,
    Verb.SIGNAL: _signal,
}


def is_paused(plan: Plan) -> bool:
    """Whether a PAUSE was taken, and neither UNPAUSE nor STOP since (CT-3)."""
    return any(each.verb is Verb.PAUSE for each in plan.held)
