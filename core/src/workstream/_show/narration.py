"""Which changes of a plan are worth a line of their own, and what it says."""

from __future__ import annotations

import shlex
from uuid import UUID

import attrs

from .._plan.paths import below_plan, display_path
from .._plan.plan import BaseAction, Block, DeferBatch
from .._protocols.approval import approval_of, said
from .._protocols.watching import Intervened, StateChange
from .._store.ids import short_id
from .._values.display import one_line
from .._values.durations import took
from .._values.interventions import Effect, Intervention
from .._values.state import Attempt, ObjectType, Status, WhenDeferred
from .outcomes import status_words
from .progress import Place, Progress, Section
from .words import cause_first, counts_words, hold_words, parts_word

_ERROR = 500
"""Characters of an error; all of it is in an ``overview``."""
_ASKED = 0
"""Stands for the attempt of which was told that it waits for an approval."""
_LOOKS = {Status.COMPLETED: "passed", Status.FAILED: "failed"}


@attrs.frozen
class Told:
    """One line of a plan's story.

    Attributes:
        text: What happened.
        status: What it is like, for its colour and its sign.
        label: Which object, its path without the plan's name; "": the plan.
        again: Whether something is tried once more.
    """

    text: str
    status: Status
    label: str = ""
    again: bool = False


class Narrator:
    """Tells of one plan what is worth a line of its own."""

    def __init__(self, progress: Progress) -> None:
        """Tell of a plan; ``progress`` has seen each change before it is told."""
        self._progress = progress
        self._told: dict[UUID, int] = {}
        self._stopping = progress.stopping
        self._held = progress.held

    def tell(self, change: StateChange, before: Status) -> Told | None:
        """The line for a change, if it is worth one.

        Args:
            change: What changed.
            before: The object's status before.
        """
        if change.object_type is ObjectType.PLAN:
            return self._plan(change)
        place = self._progress.place_of(change.object_id)
        if change.object_type is ObjectType.ACTION:
            return self._action(change, place)
        status = change.state.status
        if status is before:
            return None
        if change.object_type is ObjectType.CHECK:
            return _checks(status, place)
        section = place.section
        assert section is not None
        if change.object_type in (ObjectType.BLOCK, ObjectType.DEFERRED_ACTIONS):
            if place.node is not section.node:
                return None  # a sequence's own deferred work: its batches tell
            if status is Status.RUNNING:
                return Told(f": begins, {_size(section)}", status, place.label)
            after = counts_words(section.node, section.counts, section.total)
        else:
            counts = f"({section.done:,} of {section.total:,})"
            after = counts if place.is_part else ""
            if status is Status.FAILED:
                after += _bearing(place, section)
        if not status.is_terminal:
            return None
        duration = change.state.duration
        time = f" in {took(duration)}" if duration is not None else ""
        separator = " " if place.is_part else ", "
        after = after.removeprefix(", ")
        text = f": {status_words(status)}{time}{separator if after else ''}{after}"
        return Told(text, status, place.label)

    def _plan(self, change: StateChange) -> Told | None:
        held, self._held = self._held, change.held
        if change.held and change.held != held:
            words = "; ".join(map(hold_words, change.held))
            return Told(f"held, nothing new begins: {words}", Status.STOPPED)
        over = change.stopping or change.state.status.is_terminal
        if held and not change.held and not over:
            return Told("goes on: it is no longer held", Status.RUNNING)
        if not change.stopping or self._stopping:
            return None
        self._stopping = True
        text = "stopping: what runs is finished, nothing new begins"
        return Told(text, Status.STOPPED)

    def _action(self, change: StateChange, place: Place) -> Told | None:
        attempt = change.attempt
        if attempt is None or place.checks == "bypass_checks":
            return None
        if attempt.ended is None and isinstance(place.node, BaseAction):
            approval = approval_of(place.node)
            if approval is not None and self._told.get(change.object_id) != _ASKED:
                self._told[change.object_id] = _ASKED
                which = shlex.join([short_id(self._progress.plan_id), place.label])
                text = f": {approval.words()}: workstream approve {which}"
                return Told(text, Status.STOPPED, place.label)
        told = self._told.get(change.object_id)
        if attempt.unresponsive and attempt.ended is None and told != -change.attempts:
            self._told[change.object_id] = -change.attempts
            text = ": goes on although it was cancelled; wait, or leave and resume"
            return Told(text, Status.STOPPED, place.label)
        if attempt.error is None or attempt.ended is None or told == change.attempts:
            return None
        self._told[change.object_id] = change.attempts
        error = cause_first(attempt.error, _ERROR)
        status = change.state.status
        if status is Status.RUNNING:
            text = _once_more(change.attempts, attempt)
            return Told(text, Status.STOPPED, place.label, again=True)
        if status is Status.FAILED:
            tries = f" after {change.attempts} attempts" if change.attempts > 1 else ""
            return Told(f": failed{tries}: {error}", status, place.label)
        return None


def event_told(event: StateChange | Intervened) -> Told:
    """The line for any change, where all are told."""
    if isinstance(event, Intervened):
        return Told(intervention_words(event.intervention), Status.SKIPPED)
    status, attempt = event.state.status, event.attempt
    label = below_plan(event.path)
    if event.object_type is ObjectType.PLAN:
        words = ", ".join(map(hold_words, event.held))
        words = words or ("stopping" if event.stopping else "")
        reasons = ", ".join(
            each.name.lower().replace("_", " ") for each in event.reasons
        )
        more = f" ({reasons})" if reasons else f", {words}" if words else ""
        return Told(f": {_event_word(event)}{more}", status, label)
    if attempt is None or status is Status.NOT_STARTED:
        return Told(f": {_event_word(event)}", status, label)
    error = ""
    if attempt.error is not None and attempt.ended is not None:
        error = f": {cause_first(attempt.error, _ERROR)}"
    number = f"attempt {event.attempts:,}"
    if status is Status.RUNNING:
        if attempt.unresponsive:
            text = f": {number} goes on although it was cancelled"
        elif attempt.ended is None:
            notes = ", ".join(one_line(name, 80) for name in attempt.notes)
            words = f"notes {notes}" if notes else "begins"
            return Told(f": {number} {words}", status, label)
        else:
            text = _once_more(event.attempts, attempt)
        return Told(text, Status.STOPPED, label, again=True)
    after = f" after {event.attempts:,} attempts" if event.attempts > 1 else ""
    return Told(f": {_event_word(event)}{after}{error}", status, label)


def _once_more(number: int, attempt: Attempt) -> str:
    """What is told of an attempt that has ended, and decided nothing."""
    error = "" if attempt.error is None else cause_first(attempt.error, _ERROR)
    if not attempt.interrupted:
        return f": attempt {number:,} failed, retries: {error}"
    # A stop, which cuts attempts, lets no other one follow.
    why = error.removeprefix("interrupted").removeprefix(": ")
    return f": attempt {number:,} was interrupted" + (f": {why}" if why else "")


def _event_word(event: StateChange) -> str:
    """What has become of the object, with how long it took."""
    status, duration = event.state.status, event.state.duration
    if status is Status.RUNNING:
        return "begins" if event.object_type is not ObjectType.PLAN else "runs"
    over = status.is_terminal and duration is not None
    time = f" in {took(duration)}" if over and duration is not None else ""
    return f"{status_words(status)}{time}"


def intervention_words(told: Intervention) -> str:
    """What somebody said, and what became of it."""
    where = f" {display_path(below_plan(told.path))}" if told.path else ""
    verb = said(told.verb.value, told.data)
    data = ", ".join(f"{name}={value!s}" for name, value in told.data.items())
    data = data if verb == told.verb.value else ""  # the word says it
    text = f"{one_line(told.by, 80)}: {verb.replace('_', ' ')}{where}"
    text += f" ({one_line(data, 200)})" if data else ""
    text += f": {one_line(told.reason, 300)}" if told.reason else ""
    if told.effect is not Effect.TAKEN:
        text += f" [{told.effect.value}]"
    return f"{text}: {told.words}" if told.words else text


def _checks(status: Status, place: Place) -> Told | None:
    if not status.is_terminal:
        return None
    if place.checks == "bypass_checks":
        if status is Status.COMPLETED:
            return Told(": passed, so the rest is skipped", status, place.label)
        text = ": did not pass, so there is work to do"
        return Told(text, Status.NOT_STARTED, place.label)
    # Continuous checks pass time and again: only a failure is news.
    if place.checks == "cont_checks" and status is Status.COMPLETED:
        return None
    return Told(f": {_LOOKS.get(status, 'stopped')}", status, place.label)


def _size(section: Section) -> str:
    node = section.node
    size = f"{section.total:,} {parts_word(node, section.total)}"
    if isinstance(node, Block):
        sizes = node.batch_sizes
        if node.concurrency is not None:
            size += f", {max(node.concurrency, 1):,} at a time"
        if len(sizes) > 1:
            size += f", in {len(sizes):,} batches"
    return size


def _bearing(place: Place, section: Section) -> str:
    if isinstance(place.node, DeferBatch):
        bears = (
            not place.node.fail_element and place.node.when is not WhenDeferred.ON_UNDO
        )
        return ", tolerated" if bears else ""
    node = section.node
    limit = node.tolerance if isinstance(node, Block) else 0
    if limit < 0:
        return ", tolerated" if section.tolerates else ""
    return f", {section.failed:,} failed where {limit:,} may"
