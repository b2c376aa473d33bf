"""All that happened to a plan, in order: state changes, interventions, lines of output.

A plan's log holds its latest changes in the order in which they became durable. What is
older than that is read off the stored plan, by time: every attempt, every other object's
beginning and end, what people said, and the lines that are kept. Of what is run time and
again (continuous checks) only the latest run is stored, so of older ones nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

import attrs

from .._codec.codec import Codec
from .._plan.clone import clone
from .._plan.paths import SEPARATOR, paths
from .._plan.plan import BaseAction, Plan
from .._plan.walk import position_of
from .._protocols.vault import LOG_KEPT
from .._protocols.watching import (
    Intervened,
    OutputLine,
    PlanSnapshot,
    StateChange,
    WatchEvent,
)
from .._store.store import Store
from .._values.state import State, Status


def time_of(event: WatchEvent) -> datetime | None:
    """When it happened, where that is known."""
    if isinstance(event, OutputLine):
        return event.time
    if isinstance(event, Intervened):
        return event.intervention.at
    if isinstance(event, PlanSnapshot):
        return None
    attempt = event.attempt
    if attempt is not None and event.state.status is Status.RUNNING:
        return attempt.ended or attempt.started
    return event.state.ended or event.state.started


def is_about(event: WatchEvent, path: str) -> bool:
    """Whether it is about an object of the plan, or what is in that."""
    told = event.intervention.path if isinstance(event, Intervened) else ""
    where = told or ("" if isinstance(event, PlanSnapshot) else event.path)
    return where == path or where.startswith(f"{path}{SEPARATOR}")


async def history(store: Store, plan: Plan, position: int) -> list[WatchEvent]:
    """What happened to a plan up to a position of its log, in order.

    Lines of output are stored a little later than reported: here they stand where they
    were reported. What is no longer in the log comes with position 0.

    Args:
        store: The store, open.
        plan: The plan as it was at that position, secrets removed.
        position: The position.
    """
    assert plan.id is not None
    first = max(position - LOG_KEPT, 0)
    found: list[WatchEvent] = []
    if position > first:
        async with aclosing(store.watch(plan.id, after=first)) as events:
            async for event in events:
                if isinstance(event, PlanSnapshot):
                    break  # it has gone on so fast that the log lost these changes
                found.append(event)
                if event.position >= position:
                    break
    if first:
        found = [*await _stored(store, plan, found), *found]
    return _merged(found)


def _what(event: WatchEvent) -> object:
    """What two events have in common that tell of the same."""
    if isinstance(event, OutputLine):
        return event.action_id, event.number
    if isinstance(event, StateChange):
        over = event.attempt is not None and event.attempt.ended is not None
        return event.object_id, event.state.status, event.attempts, over
    if isinstance(event, Intervened):
        told = event.intervention
        return told.verb, told.path, told.by, told.at
    return None


def _merged(events: list[WatchEvent]) -> list[WatchEvent]:
    """The events, each line before the first other one that came after it."""
    lines = [each for each in events if isinstance(each, OutputLine)]
    lines.sort(key=lambda line: line.time, reverse=True)
    merged: list[WatchEvent] = []
    for event in events:
        if isinstance(event, OutputLine):
            continue
        at = time_of(event)
        while at is not None and lines and lines[-1].time < at:
            merged.append(lines.pop())
        merged.append(event)
    return [*merged, *reversed(lines)]


async def read_plan(store: Store, plan_id: UUID) -> PlanSnapshot:
    """The plan as it is stored, without its plugins, secrets removed.

    Raises:
        NotFoundError: No such plan.
        StorageError: It cannot be read.
    """
    stored = await store.vault.read(plan_id)
    plan = clone(Codec(None).load(stored), keep_state=True, scrub=True)
    return PlanSnapshot(position=stored.position, plan=plan)


async def _stored(
    store: Store, plan: Plan, later: list[WatchEvent]
) -> list[WatchEvent]:
    """What the stored plan tells of the time before those, in order."""
    # Lines are stored late: they do not tell where the log begins.
    times = (time_of(each) for each in later if not isinstance(each, OutputLine))
    before = next(filter(None, times), None)
    known = {_what(each) for each in later}
    assert plan.id is not None
    found: list[WatchEvent] = [*_states(plan)]
    for path, item in paths(plan):
        action = item.node
        if not isinstance(action, BaseAction) or not action.attempts:
            continue
        assert action.id is not None
        for line in await store.lines(plan.id, position_of(action)):
            found.append(
                OutputLine(
                    position=0,
                    path=path,
                    action_id=action.id,
                    **attrs.asdict(line, recurse=False),
                )
            )
    timed = [(at, each) for each in found if (at := time_of(each)) is not None]
    timed.sort(key=lambda each: each[0])
    return [
        event
        for at, event in timed
        if (before is None or at <= before) and _what(event) not in known
    ]


def _states(plan: Plan) -> Iterator[StateChange | Intervened]:
    """Each beginning and end, a container's before and after those of what is in it."""
    endings: list[StateChange] = []
    root = ""
    for path, item in paths(plan):
        root = root or path
        node, state = item.node, item.node.state
        assert node.id is not None
        change = StateChange(
            position=0,
            path=path,
            object_id=node.id,
            object_type=node.object_type,
            state=State(Status.RUNNING, state.started, None),
        )
        if isinstance(node, BaseAction):
            for number, attempt in enumerate(node.attempts, 1):
                begun = attrs.evolve(attempt, ended=None, error=None, response=None)
                yield attrs.evolve(change, attempts=number, attempt=begun)
                last = number == len(node.attempts)
                if attempt.ended is not None:
                    of = state if last else change.state
                    yield attrs.evolve(
                        change, attempts=number, attempt=attempt, state=of
                    )
            if node.attempts or not state.status.is_terminal:
                continue
        elif state.started is not None:
            yield change
        if state.status.is_terminal and state.ended is not None:
            endings.append(attrs.evolve(change, state=state, reasons=()))
    yield from reversed(endings)
    for told in plan.interventions:
        yield Intervened(position=0, path=root, intervention=told)
