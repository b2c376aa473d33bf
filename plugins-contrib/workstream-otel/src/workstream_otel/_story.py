"""Which spans the events of a plan are (knows nothing of the SDK).

One rule: **each object of a plan has one span, sent when it has ended, and so has each
attempt.** All of it follows from the event that ended the object and from the plan's
structure: ids, times, parent, status. So a process that goes on after a crash, knowing
nothing of what was sent before, sends the rest of the same trace, and a span that is sent
twice is the same span twice.

Two kinds of object do not end once. A check runs again and again: it has a span for each
attempt, below that of its group, and none of its own. The group of continuous checks, or
of the checks between batches, is sent when its plan or block has ended, and takes as long
as that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePath
from uuid import UUID

import attrs

from workstream import Block, CheckAction, Checks, Outcome, Plan, PluginError, Status
from workstream.plugins import Observation
from workstream.results import (
    Attempt,
    BaseAction,
    FailureReason,
    Intervened,
    Intervention,
    Node,
    ObjectType,
    PlanSnapshot,
    State,
    StateChange,
    WatchEvent,
    paths,
)

from . import _names as names
from ._ids import span_id
from ._words import (
    RESULTS,
    Value,
    attempt_error,
    attempt_outcome,
    error_type,
    nanoseconds,
    result_of,
)

_REPEATED = ("cont_checks", "batch_checks")
_KINDS = {
    ObjectType.PLAN: "plan",
    ObjectType.BLOCK: "block",
    ObjectType.SEQUENCE: "sequence",
    ObjectType.DEFERRED_ACTIONS: "deferred actions",
    ObjectType.BATCH: "batch",
    ObjectType.CHECK: "check group",
    ObjectType.ACTION: "action",
}


@attrs.frozen(kw_only=True)
class Moment:
    """Something that happened within a span.

    Attributes:
        name: What.
        time: When, in nanoseconds since 1970.
        attributes: More about it.
    """

    name: str
    time: int
    attributes: Mapping[str, Value]


@attrs.frozen(kw_only=True)
class Span:
    """Something that has ended.

    Attributes:
        id: The same whoever sends it.
        parent: The id of the span around it; None: it is the root.
        name: What people read.
        began: When, in nanoseconds since 1970.
        ended: When.
        attributes: What is known of it.
        error: Why it failed; None: it did not.
        moments: What happened within it.
        links: The plans that it leads to, each with how.
    """

    id: int
    parent: int | None
    name: str
    began: int
    ended: int
    attributes: Mapping[str, Value]
    error: str | None = None
    moments: tuple[Moment, ...] = ()
    links: tuple[tuple[UUID, str], ...] = ()


@attrs.frozen
class _Place:
    """Where an object stands.

    Attributes:
        node: The object, as it was when the process began to observe its plan.
        path: Its path.
        parent: The object around it.
        is_repeated: Whether it is a group whose checks run again and again.
    """

    node: Node
    path: str
    parent: Node | None
    is_repeated: bool


class Story:
    """One plan, as far as this process was told of it.

    Attributes:
        is_over: Whether the plan has ended.
        pipeline: What the runs of such a plan are called together.
    """

    def __init__(self, seen: Observation) -> None:
        self.is_over = False
        self.interventions: list[Intervention] = []
        self._failed = False
        self._skipped = False
        self._begun: set[UUID] = set()
        self._ended: set[int]
        self._position: int
        self._plan: Plan
        self._places: dict[UUID, _Place]
        self.pipeline: str
        self._learn(seen.plan, seen.position)

    def _learn(self, plan: Plan, position: int) -> None:
        self._plan, self._position, self._ended = plan, position, set()
        self.pipeline = PurePath(plan.origin.file if plan.origin else "").stem
        self.pipeline = self.pipeline or plan.name
        self._places = {}
        for path, item in paths(plan):
            node = item.node
            assert node.id is not None
            parent = item.ancestors[-1] if item.ancestors else None
            repeated = parent is not None and any(
                getattr(parent, name, None) is node for name in _REPEATED
            )
            self._places[node.id] = _Place(node, path, parent, repeated)
            self._note(node, node.state)
            if node.state.status.is_terminal and not repeated:
                self._ended.add(span_id(node.id))
            if isinstance(node, BaseAction):
                self._ended.update(
                    span_id(node.id, attempt.started)
                    for attempt in node.attempts
                    if attempt.ended is not None
                )
        self.interventions = list(plan.interventions)

    def _note(self, node: Node, state: State) -> None:
        """Remember what the spans of objects around it need."""
        assert node.id is not None
        if state.status is not Status.NOT_STARTED:
            self._begun.add(node.id)
        if node.object_type in (ObjectType.SEQUENCE, ObjectType.BATCH):
            self._failed |= state.status is Status.FAILED
        self._skipped |= state.status is Status.SKIPPED

    def node(self, object_id: UUID) -> Node:
        """An object, as it was when the process began to observe its plan."""
        return self._places[object_id].node

    # --- what an event is -------------------------------------------------------------

    def spans(self, event: WatchEvent) -> Iterator[Span]:
        """What has ended with an event."""
        for span in self._spans(event):
            if not self.is_old(span.id, event):
                yield span

    def is_old(self, span: int, event: WatchEvent) -> bool:
        """Whether it had ended before this process began, and so before the event.

        A recovery writes down once more what it goes on with: an action that waits for
        its next attempt, for example, with the attempt that another process has told.
        """
        return (
            span in self._ended
            and event.position > self._position
            and not isinstance(event, PlanSnapshot)
        )

    def _spans(self, event: WatchEvent) -> Iterator[Span]:
        if isinstance(event, PlanSnapshot):
            self._learn(event.plan, event.position)
            for place in self._places.values():
                node = place.node
                if isinstance(node, BaseAction):
                    for number, attempt in enumerate(node.attempts, 1):
                        yield from self._attempt(place, attempt, number)
                # Innermost first is no need: a receiver puts them together by their ids.
                error = node.error if isinstance(node, BaseAction) else None
                yield from self._object(place, node.state, error, event.plan.reasons)
        elif isinstance(event, Intervened):
            if event.intervention not in self.interventions:
                self.interventions.append(event.intervention)
        elif isinstance(event, StateChange):
            place = self._places[event.object_id]
            self._note(place.node, event.state)
            error = None
            if event.attempt is not None:
                error = event.attempt.error
                yield from self._attempt(place, event.attempt, event.attempts)
            yield from self._object(place, event.state, error, event.reasons)

    def _object(
        self,
        place: _Place,
        state: State,
        error: PluginError | None,
        reasons: tuple[FailureReason, ...],
    ) -> Iterator[Span]:
        node = place.node
        if not state.status.is_terminal or state.started is None:
            return
        if place.is_repeated or isinstance(node, CheckAction):
            return
        ended = state.ended or state.started
        if isinstance(node, Plan | Block):
            yield from self._repeated(node, state.started, ended)
        if isinstance(node, Plan):
            yield self._root(node, state, ended, reasons)
            self.is_over = True
            return
        failed = state.status is Status.FAILED
        attributes = self._about(place, _KINDS[node.object_type])
        attributes[names.STATUS] = state.status.name
        said = None
        if isinstance(node, BaseAction):
            attributes[names.TASK] = node.name
            attributes[names.TASK_RUN_ID] = str(node.id)
            attributes[names.TASK_RESULT] = RESULTS[state.status]
            attributes[names.PLUGIN] = node.plugin
        if failed and error is not None:
            said = str(error)
            attributes[names.ERROR_TYPE] = error_type(node, error)
        elif failed:
            said = "something in it failed"
        yield self._span(place, state.started, ended, attributes, error=said)

    def _repeated(
        self, owner: Plan | Block, began: datetime, ended: datetime
    ) -> Iterator[Span]:
        """The groups of an owner that has ended whose checks ran again and again."""
        for name in _REPEATED:
            group: Checks | None = getattr(owner, name, None)
            if group is not None and group.id in self._begun:
                assert group.id is not None
                place = self._places[group.id]
                attributes = self._about(place, "check group")
                yield self._span(place, began, ended, attributes)

    def _root(
        self,
        plan: Plan,
        state: State,
        ended: datetime,
        reasons: tuple[FailureReason, ...],
    ) -> Span:
        assert plan.id is not None
        assert state.started is not None
        result = result_of(state.status, reasons)
        attributes: dict[str, Value] = {
            names.KIND: "plan",
            names.PIPELINE: self.pipeline,
            names.ACTION_NAME: names.ACTION,
            names.RUN_ID: str(plan.id),
            names.RESULT: result,
            names.PLAN_NAME: plan.name,
            names.STATUS: state.status.name,
            names.OUTCOME: self.outcome(state.status).value,
        }
        if plan.submitter:
            attributes[names.SUBMITTER] = plan.submitter
        if reasons:
            attributes[names.REASONS] = tuple(each.name.lower() for each in reasons)
        error = None
        if result in ("failure", "error"):
            error = f"{plan.name}: {self.outcome(state.status).value}"
            attributes[names.ERROR_TYPE] = (
                reasons[0].name.lower() if reasons else "_OTHER"
            )
        links: list[tuple[UUID, str]] = []
        for key, how, original in (
            (names.RETRY_OF, "retry of", plan.retry_of),
            (names.UNDO_OF, "undo of", plan.undo_of),
        ):
            if original is not None:
                attributes[key] = str(original)
                links.append((original, how))
        return Span(
            id=span_id(plan.id),
            parent=None,
            name=f"{names.ACTION} {self.pipeline}",
            began=nanoseconds(state.started),
            ended=nanoseconds(max(ended, state.started)),
            attributes=attributes,
            error=error,
            moments=tuple(map(_moment_of, self.interventions)),
            links=tuple(links),
        )

    def _attempt(self, place: _Place, attempt: Attempt, number: int) -> Iterator[Span]:
        node = place.node
        if attempt.ended is None or not isinstance(node, BaseAction):
            return
        assert node.id is not None
        attributes = self._about(place, "attempt")
        attributes[names.PLUGIN] = node.plugin
        attributes[names.ATTEMPT] = number
        attributes[names.ATTEMPT_OUTCOME] = attempt_outcome(attempt)
        said = None
        moments: tuple[Moment, ...] = ()
        kind = attempt_error(node, attempt)
        if kind is not None:
            said = str(attempt.error) if attempt.error else "a crash cut it short"
            attributes[names.ERROR_TYPE] = kind
            moment = Moment(
                name=names.EXCEPTION,
                time=nanoseconds(attempt.ended),
                attributes={names.EXCEPTION_TYPE: kind, names.EXCEPTION_MESSAGE: said},
            )
            moments = (moment,)
        parent = place.parent if isinstance(node, CheckAction) else node
        assert parent is not None
        assert parent.id is not None
        yield Span(
            id=span_id(node.id, attempt.started),
            parent=span_id(parent.id),
            name=node.name
            if isinstance(node, CheckAction)
            else f"{node.name}: attempt {number}",
            began=nanoseconds(attempt.started),
            ended=nanoseconds(max(attempt.ended, attempt.started)),
            attributes=attributes,
            error=said,
            moments=moments,
        )

    def _about(self, place: _Place, kind: str) -> dict[str, Value]:
        return {names.KIND: kind, names.PATH: place.path}

    def _span(
        self,
        place: _Place,
        began: datetime,
        ended: datetime,
        attributes: Mapping[str, Value],
        *,
        error: str | None = None,
    ) -> Span:
        assert place.node.id is not None
        assert place.parent is not None
        assert place.parent.id is not None
        return Span(
            id=span_id(place.node.id),
            parent=span_id(place.parent.id),
            name=place.path.rpartition(" / ")[2],
            began=nanoseconds(began),
            ended=nanoseconds(max(ended, began)),
            attributes=attributes,
            error=error,
        )

    def outcome(self, status: Status) -> Outcome:
        """The plan's status in words, as far as this process knows."""
        if status is Status.COMPLETED and self._failed:
            return Outcome.COMPLETED_WITH_FAILURES
        if status is Status.COMPLETED and self._skipped:
            return Outcome.COMPLETED_WITH_SKIPPED
        return Outcome[status.name]


def _moment_of(told: Intervention) -> Moment:
    attributes: dict[str, Value] = {
        names.VERB: told.verb.value,
        names.BY: told.by,
        names.EFFECT: told.effect.value,
    }
    if told.reason:
        attributes[names.REASON] = told.reason
    if told.path:
        attributes[names.ABOUT] = told.path
    return Moment(
        name=names.INTERVENTION, time=nanoseconds(told.at), attributes=attributes
    )
