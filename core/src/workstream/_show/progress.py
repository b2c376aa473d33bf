"""How far a plan has come, kept up to date by what a watcher sees.

Every event costs the same, however large the plan is: what a screen shows of thousands
of sequences are counts and the few that run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import attrs

from .._plan.paths import SEPARATOR, paths
from .._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    CheckKind,
    Checks,
    DeferBatch,
    Node,
    Plan,
    Sequence,
)
from .._plan.walk import POSITION_MASK, Item, groups
from .._protocols.watching import (
    Intervened,
    OutputLine,
    PlanSnapshot,
    StateChange,
    WatchEvent,
)
from .._values.interventions import Intervention
from .._values.state import (
    Attempt,
    FailureReason,
    ObjectType,
    PluginError,
    State,
    Status,
    WhenDeferred,
)
from .failures import CauseKey, cause_key


@attrs.define
class Section:
    """A child of the plan: a check group, a block, or the deferred actions.

    Attributes:
        label: What it is called.
        node: Its definition; its state is that of the latest snapshot.
        undoes: Whether it takes something back: then no failure of it is borne (UN-5).
        total: Of how many things it is made: sequences, batches, checks.
        counts: How many of these have each status.
        status: How far it has come.
        started: When it began.
        ended: When it ended.
    """

    label: str
    node: Node
    undoes: bool = False
    total: int = 0
    counts: Counter[Status] = attrs.Factory(Counter[Status])
    status: Status = Status.NOT_STARTED
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def done(self) -> int:
        """How many have ended, in whichever way."""
        return sum(count for status, count in self.counts.items() if status.is_terminal)

    @property
    def failed(self) -> int:
        """How many have failed."""
        return self.counts[Status.FAILED]

    @property
    def tolerates(self) -> bool:
        """Whether the failures so far are fewer than would make it fail (Q-3)."""
        limit = self.node.tolerance if isinstance(self.node, Block) else 0
        return not self.undoes and (limit < 0 or self.failed <= limit)


@attrs.frozen
class Place:
    """What is known of an object from the plan's definition.

    Attributes:
        label: Its path, without the plan's name.
        node: The object, as it was when the plan was first seen.
        section: The section it is in; None: it is the plan.
        is_part: Whether it is one of the things its section counts.
        checks: In which kind of check group it is, or which it is.
        in_block: Whether it is in a sequence of a block, whose failure may be tolerated.
        batch: The batch that holds the action, if one does.
    """

    label: str
    node: Node
    section: Section | None
    is_part: bool
    checks: CheckKind | None
    in_block: bool
    batch: DeferBatch | None = None


@attrs.define
class RunningAction:
    """An action that runs now.

    Attributes:
        place: Which it is.
        attempt: Which attempt, counted from 1.
        since: When that attempt began.
        error: How that attempt failed, while the action waits for its next one.
        unresponsive: Whether the plugin goes on although it was cancelled (A-16).
        waits_for: What it waits for before anybody works on it (ZN-3).
        line: What it reported last.
        done: How much is done, where the plugin said so.
        total: Of how much.
    """

    place: Place
    attempt: int = 0
    since: datetime | None = None
    error: PluginError | None = None
    unresponsive: bool = False
    waits_for: str = ""
    line: str = ""
    done: float | None = None
    total: float | None = None


@attrs.frozen
class FailedAction:
    """An action that has failed.

    Attributes:
        place: Which it is.
        error: Its last attempt's error.
        attempts: How many it had.
    """

    place: Place
    error: PluginError | None
    attempts: int

    @property
    def cause(self) -> CauseKey:
        """What it has in common with those that failed alike."""
        return cause_key(f"{SEPARATOR}{self.place.label}", self.error)

    @property
    def is_tolerated(self) -> bool:
        """Whether what it belongs to bears it, so far."""
        return _tolerates(self.place)


@attrs.define
class Watch:
    """A group of continuous checks.

    Attributes:
        label: Which it is.
        passed: When it last passed.
    """

    label: str
    passed: datetime | None = None


class Progress:
    """One plan, as it changes.

    Attributes:
        plan_id: Its id.
        name: Its name.
        status: Its status.
        stopping: Whether a stop has taken effect.
        held: What keeps anything new from being begun.
        started: When it began.
        ended: When it ended.
        reasons: Why it failed.
        latest: When a sequence ended latest.
        sections: Its children, in walk order.
        running: What runs now, by position; what began first comes first.
        failed: What has failed, by position; what failed first comes first.
        causes: The same by what it says but for the name, then by position.
        watching: The continuous checks that have begun, by position.
    """

    def __init__(self, snapshot: PlanSnapshot) -> None:
        """Begin with a plan as a watcher first sees it."""
        assert snapshot.plan.id is not None
        self.plan_id: UUID = snapshot.plan.id
        self.name: str = snapshot.plan.name
        self.latest: datetime | None = None
        self._take(snapshot.plan)

    def see(self, event: WatchEvent) -> None:
        """Take in what the watcher sees."""
        if isinstance(event, Intervened):
            return  # what follows from it comes by itself
        if isinstance(event, PlanSnapshot):
            self._take(event.plan)
        elif isinstance(event, OutputLine):
            self._hear(event)
        else:
            self._change(event)

    def wait_for(self, waits: Mapping[int, str]) -> None:
        """Take in what actions wait for on which nobody works yet, by position."""
        for position, running in self.running.items():
            running.waits_for = waits.get(position, "")

    @property
    def blocks(self) -> list[Section]:
        """Its blocks alone."""
        return [each for each in self.sections if isinstance(each.node, Block)]

    def place_of(self, object_id: UUID) -> Place:
        """What is known of the object."""
        return self._places[object_id.int & POSITION_MASK]

    def status_of(self, object_id: UUID) -> Status:
        """The object's status, as far as was seen."""
        return self._statuses[object_id.int & POSITION_MASK]

    def _take(self, plan: Plan) -> None:
        """Begin anew with a snapshot."""
        self.sections: list[Section] = []
        self.running: dict[int, RunningAction] = {}
        self.failed: dict[int, FailedAction] = {}
        self.causes: dict[CauseKey, dict[int, FailedAction]] = {}
        self.watching: dict[int, Watch] = {}
        self._places: list[Place] = []
        self._statuses: list[Status] = []
        self._settle_plan(plan)
        root = ""
        kinds: dict[int, CheckKind] = {}
        for path, item in paths(plan):
            root = root or path
            node = item.node
            if isinstance(node, Plan | Block):
                kinds.update((id(group), kind) for kind, group in groups(node))
            label = path[len(root) + len(SEPARATOR) :]
            if len(item.ancestors) == 1:
                undoes = plan.undo_of is not None
                self.sections.append(Section(label, node, undoes))
            self._places.append(self._placed(item, label, kinds))
            self._statuses.append(Status.NOT_STARTED)
            attempt = node.final_attempt if isinstance(node, BaseAction) else None
            attempts = len(node.attempts) if isinstance(node, BaseAction) else 0
            self._enter(len(self._places) - 1, node.state, attempt, attempts)

    def _placed(self, item: Item, label: str, kinds: dict[int, CheckKind]) -> Place:
        node = item.node
        parent = item.ancestors[-1] if item.ancestors else None
        is_part = isinstance(node, Sequence) or (
            isinstance(node, CheckAction | DeferBatch) and len(item.ancestors) == 2
        )
        place = Place(
            label=label,
            node=node,
            section=self.sections[-1] if parent is not None else None,
            is_part=is_part,
            checks=kinds.get(id(node)) or kinds.get(id(parent)),
            in_block=isinstance(node, Sequence | Action)
            and any(isinstance(each, Block) for each in item.ancestors),
            batch=parent if isinstance(parent, DeferBatch) else None,
        )
        if is_part and place.section is not None:
            place.section.total += 1
            place.section.counts[Status.NOT_STARTED] += 1
        return place

    def _settle_plan(self, shown: Plan | StateChange) -> None:
        """Take in what is true of the plan itself."""
        state = shown.state
        self.status: Status = state.status
        self.started: datetime | None = state.started
        self.ended: datetime | None = state.ended
        self.stopping: bool = shown.stopping
        self.held: tuple[Intervention, ...] = shown.held
        self.reasons: tuple[FailureReason, ...] = shown.reasons

    def _change(self, change: StateChange) -> None:
        if change.object_type is ObjectType.PLAN:
            self._settle_plan(change)
            return
        position = change.object_id.int & POSITION_MASK
        self._enter(position, change.state, change.attempt, change.attempts)

    def _enter(
        self, position: int, state: State, attempt: Attempt | None, attempts: int
    ) -> None:
        """Take in the state of an object that is not the plan."""
        self._settle(position, state)
        if isinstance(self._places[position].node, BaseAction):
            self._settle_action(position, state.status, attempt, attempts)

    def _settle(self, position: int, state: State) -> None:
        status = state.status
        before, self._statuses[position] = self._statuses[position], status
        place = self._places[position]
        if place.checks == "cont_checks" and isinstance(place.node, Checks):
            watch = self.watching.setdefault(position, Watch(place.label))
            if status is Status.COMPLETED:
                watch.passed = state.ended
        section = place.section
        if section is None:
            return
        if place.is_part:
            section.counts[before] -= 1
            section.counts[status] += 1
            if state.ended is not None and isinstance(place.node, Sequence):
                self.latest = max(self.latest or state.ended, state.ended)
        elif section.node is place.node:
            section.status = status
            section.started, section.ended = state.started, state.ended

    def _settle_action(
        self, position: int, status: Status, attempt: Attempt | None, attempts: int
    ) -> None:
        place = self._places[position]
        if status is Status.RUNNING:
            running = self.running.setdefault(position, RunningAction(place))
            if attempts != running.attempt:
                running.line, running.done, running.total = "", None, None
            running.attempt = attempts
            running.since = attempt.started if attempt is not None else None
            running.unresponsive = attempt is not None and attempt.unresponsive
            ended = attempt is not None and attempt.ended is not None
            running.error = attempt.error if attempt is not None and ended else None
        else:
            self.running.pop(position, None)
        if position in self.failed:
            self._forget_failure(position)
        if status is Status.FAILED and place.checks != "bypass_checks":
            error = attempt.error if attempt is not None else None
            failed = FailedAction(place, error, attempts)
            self.failed[position] = failed
            self.causes.setdefault(failed.cause, {})[position] = failed

    def _forget_failure(self, position: int) -> None:
        cause = self.failed.pop(position).cause
        del self.causes[cause][position]
        if not self.causes[cause]:
            del self.causes[cause]

    def _hear(self, line: OutputLine) -> None:
        running = self.running.get(line.action_id.int & POSITION_MASK)
        if running is not None:
            running.line, running.done, running.total = line.text, line.done, line.total


def _tolerates(place: Place) -> bool:
    section = place.section
    if section is None or place.checks is not None:
        return False
    if place.batch is not None and not place.batch.fail_element:
        return place.batch.when is not WhenDeferred.ON_UNDO
    return place.in_block and section.tolerates
