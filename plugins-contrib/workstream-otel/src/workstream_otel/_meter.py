"""Which measurements the events of a plan are (knows nothing of the SDK)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from workstream import Plan, Status
from workstream.results import (
    BaseAction,
    Effect,
    FailureReason,
    Intervened,
    PlanSnapshot,
    State,
    StateChange,
    Verb,
    WatchEvent,
)

from . import _names as names
from ._ids import span_id
from ._story import Story
from ._words import Value, attempt_error, attempt_outcome, result_of


@attrs.frozen
class Measured:
    """One measurement.

    Attributes:
        metric: The metric's name.
        value: Seconds, or how many.
        attributes: By what it is grouped.
    """

    metric: str
    value: float
    attributes: Mapping[str, Value]


class Meter:
    """What one plan adds to the metrics of this process."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._is_counted = False
        self._measured: set[int] = set()

    def measured(self, event: WatchEvent) -> Iterator[Measured]:
        """What an event adds to the metrics of this process."""
        run = {names.PIPELINE: self._story.pipeline, names.RUN_STATE: "executing"}
        if not self._is_counted:
            self._is_counted = True
            yield Measured(names.RUN_ACTIVE, 1, run)
        if isinstance(event, PlanSnapshot):
            yield Measured(names.MISSED, 1, {})
            state, reasons = event.plan.state, event.plan.reasons
            if state.status.is_terminal:
                yield from self._measured_run(run, state, reasons)
        elif isinstance(event, Intervened):
            told = event.intervention
            if told.verb in (Verb.PAUSE, Verb.FREEZE) and told.effect is Effect.TAKEN:
                yield Measured(names.HOLDS, 1, {names.VERB: told.verb.value})
        elif isinstance(event, StateChange):
            node = self._story.node(event.object_id)
            if isinstance(node, BaseAction) and event.attempt is not None:
                yield from self._measured_attempt(node, event)
            if isinstance(node, Plan) and event.state.status.is_terminal:
                yield from self._measured_run(run, event.state, event.reasons)

    def _measured_run(
        self,
        run: Mapping[str, str],
        state: State,
        reasons: tuple[FailureReason, ...],
    ) -> Iterator[Measured]:
        yield Measured(names.RUN_ACTIVE, -1, run)
        result = result_of(state.status, reasons)
        by = {
            **run,
            names.RESULT: result,
            names.OUTCOME: self._story.outcome(state.status).value,
        }
        if result in ("failure", "error"):
            by[names.ERROR_TYPE] = reasons[0].name.lower() if reasons else "_OTHER"
        if state.duration is not None:
            yield Measured(names.RUN_DURATION, state.duration.total_seconds(), by)

    def _measured_attempt(
        self, node: BaseAction, event: StateChange
    ) -> Iterator[Measured]:
        attempt = event.attempt
        assert attempt is not None
        by = {names.PLUGIN: node.plugin}
        kind = attempt_error(node, attempt)
        assert node.id is not None
        id_ = span_id(node.id, attempt.started)
        is_new = id_ not in self._measured and not self._story.is_old(id_, event)
        if attempt.ended is not None and is_new:
            self._measured.add(id_)
            seconds = max((attempt.ended - attempt.started).total_seconds(), 0)
            how = {**by, names.ATTEMPT_OUTCOME: attempt_outcome(attempt)}
            if kind is not None:
                how[names.ERROR_TYPE] = kind
            yield Measured(names.ATTEMPT_DURATION, seconds, how)
            if event.attempts > 1:
                yield Measured(names.RETRIES, 1, by)
        if event.state.status is Status.FAILED:
            about = {
                names.PIPELINE: self._story.pipeline,
                names.ERROR_TYPE: kind or "_OTHER",
            }
            yield Measured(names.RUN_ERRORS, 1, about)
