"""What happens to a plan, in lines: for logs, and for terminals that cannot rewrite."""

from __future__ import annotations

from uuid import UUID

from rich.text import Text

from .._plan.plan import Block, DeferBatch, DeferredActions
from .._show.progress import Place, Progress, Section
from .._store.events import StateChange
from .._values.display import shorten
from .._values.state import ObjectType, Status
from ._times import took
from .draw.screen import STYLES, Signs, joined, plain

_ERROR = 500
"""Characters of an error; all of it is in ``workstream show``."""


class Narrator:
    """Tells of one plan what is worth a line of its own."""

    def __init__(self, progress: Progress, signs: Signs) -> None:
        """Tell of a plan; ``progress`` has seen each change before it is told."""
        self._progress = progress
        self._signs = signs
        self._told: dict[UUID, int] = {}
        self._stopping = progress.stopping

    def line(self, change: StateChange, before: Status) -> Text | None:
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
        if change.state.status is before:
            return None
        if change.object_type is ObjectType.CHECK:
            return self._checks(change, place)
        if change.object_type in (ObjectType.BLOCK, ObjectType.DEFERRED_ACTIONS):
            return self._section(change, place)
        return self._part(change, place)

    def _plan(self, change: StateChange) -> Text | None:
        if change.stopping and not self._stopping:
            self._stopping = True
            return plain(
                "stopping: what runs is finished, nothing new begins", "yellow"
            )
        return None

    def _action(self, change: StateChange, place: Place) -> Text | None:
        attempt = change.attempt
        if attempt is None or place.checks == "bypass_checks":
            return None
        status = change.state.status
        told = self._told.get(change.object_id)
        if attempt.unresponsive and attempt.ended is None and told != -change.attempts:
            self._told[change.object_id] = -change.attempts
            text = ": goes on although it was cancelled; wait, or leave and resume"
            return self._marked(Status.STOPPED, place, text)
        if attempt.error is None or attempt.ended is None or told == change.attempts:
            return None
        self._told[change.object_id] = change.attempts
        error = shorten(str(attempt.error), _ERROR)
        if status is Status.RUNNING:
            text = f": attempt {change.attempts} failed, retries: {error}"
            return self._marked(Status.STOPPED, place, text, self._signs.again)
        if status is Status.FAILED:
            tries = f" after {change.attempts} attempts" if change.attempts > 1 else ""
            return self._marked(status, place, f": failed{tries}: {error}")
        return None

    def _checks(self, change: StateChange, place: Place) -> Text | None:
        status = change.state.status
        if not status.is_terminal:
            return None
        if place.checks == "bypass_checks":
            if status is Status.COMPLETED:
                return self._marked(status, place, ": passed, so the rest is skipped")
            text = ": did not pass, so there is work to do"
            return self._marked(Status.NOT_STARTED, place, text)
        # Continuous checks pass time and again: only a failure is news.
        if place.checks == "cont_checks" and status is Status.COMPLETED:
            return None
        verdict = {Status.COMPLETED: "passed", Status.FAILED: "failed"}
        return self._marked(status, place, f": {verdict.get(status, 'stopped')}")

    def _section(self, change: StateChange, place: Place) -> Text | None:
        section = place.section
        assert section is not None
        status = change.state.status
        if status is Status.RUNNING:
            return self._marked(status, place, f": begins, {_size(section)}")
        if not status.is_terminal:
            return None
        duration = change.state.duration
        time = f" in {took(duration)}" if duration is not None else ""
        return self._marked(
            status, place, f": {_word(status)}{time}, {outcome_of(section)}"
        )

    def _part(self, change: StateChange, place: Place) -> Text | None:
        status = change.state.status
        if not status.is_terminal:
            return None
        section = place.section
        assert section is not None
        duration = change.state.duration
        time = f" in {took(duration)}" if duration is not None else ""
        text = f": {_word(status)}{time} ({section.done:,} of {section.total:,})"
        if status is Status.FAILED:
            text += _bearing(place, section)
        return self._marked(status, place, text)

    def _marked(self, status: Status, place: Place, text: str, sign: str = "") -> Text:
        style = STYLES[status]
        label = shorten(place.label, 300)
        sign = sign or self._signs.of(status)
        return joined((f"{sign} ", style), label, (text, style))


def outcome_of(section: Section) -> str:
    """What came of the things of a section: ``7 of 8 sequences completed, 1 failed``."""
    counts = section.counts
    done = counts[Status.COMPLETED]
    kind = "batches" if isinstance(section.node, DeferredActions) else "sequences"
    text = f"{done:,} of {section.total:,} {kind} completed"
    for status in (Status.FAILED, Status.STOPPED, Status.NOT_STARTED):
        if counts[status]:
            text += f", {counts[status]:,} {_word(status)}"
    return text


def _size(section: Section) -> str:
    node = section.node
    if isinstance(node, Block):
        several = "sequence" if section.total == 1 else "sequences"
        return f"{section.total:,} {several}, {max(node.concurrency, 1):,} at a time"
    return f"{section.total:,} {'batch' if section.total == 1 else 'batches'}"


def _bearing(place: Place, section: Section) -> str:
    if isinstance(place.node, DeferBatch):
        return "" if place.node.fail_element else ", tolerated"
    node = section.node
    limit = node.tolerated_failures if isinstance(node, Block) else 0
    if limit < 0:
        return ", tolerated"
    return f", {section.failed:,} failed where {limit:,} may"


def _word(status: Status) -> str:
    return status.name.lower().replace("_", " ")
