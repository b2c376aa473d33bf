"""Where what is large is kept: on shelves, each a workflow that does nothing but hold it.

An answer that is larger than its share of a history is put on a shelf by the worker that
has it, and never gets into the plan's history. What gets into it, little by little, is
put on shelves before the plan goes on in a new history. The plan's workflow keeps thin
records: what decides how the plan goes on. Whoever reads the plan fills them again.

A shelf is open as long as its plan, so the server keeps both equally long. To read one
needs no worker: what it holds is what it began with.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import attrs
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from workstream._codec.thin import filled, is_over, is_thin, thin
from workstream._protocols.vault import LineRecord, LogSlice, NodeRecord, StoredPlan

from .._forms import line_forms, lines_of, packed, record_forms, unpacked
from .._names import QUEUE

SHELF = "workstream.shelf"
"""The type of the workflow that is a shelf."""
TIDY = "workstream.tidy"
"""The type of the activity that ends the shelves of a plan that has ended."""
ROOM = 1_000_000
"""Bytes on a shelf, before they are deflated; one thing may be larger."""
KEPT = 300_000
"""Bytes that a plan takes along without putting anything on a shelf."""
SPARE = 1_000_000
"""Bytes of all that it takes along, deflated, from which on it has no room for messages."""
MOST = 1_900_000
"""Bytes of one thing on a shelf, deflated: a server takes no payload of 2 MB."""
_TIDIED_WITHIN = timedelta(minutes=10)
_ASKED_AT_ONCE = 20


def shelf_id(plan_id: UUID, name: str) -> str:
    """The id of the workflow that is a shelf of a plan."""
    return f"workstream-shelf-{plan_id}-{name}"


@workflow.defn(name=SHELF)
class ShelfWorkflow:
    """Holds what it begins with, until it is ended with its plan."""

    @workflow.run
    async def run(self, given: bytes) -> None:
        """Wait for the end."""
        await workflow.wait_condition(lambda: False)


@attrs.define
class Shelves:
    """Which shelves a plan has, and what is on them.

    Attributes:
        names: All of them.
        keyed: Where the records are to which requests may refer, by place.
        lines: Where lines are that were reported, by the action's place.
        last: The number of the last line of each action whose lines are on a shelf.
    """

    names: list[str] = attrs.Factory(list[str])
    keyed: dict[int, list[str]] = attrs.Factory(dict[int, list[str]])
    lines: dict[int, list[str]] = attrs.Factory(dict[int, list[str]])
    last: dict[int, int] = attrs.Factory(dict[int, int])

    def add(self, names: list[str]) -> None:
        """Note new ones."""
        self.names += names

    def put_lines(self, names: list[str], position: int, last: int) -> None:
        """Note that lines of an action are on these."""
        known = self.lines.setdefault(position, [])
        known += [name for name in names if name not in known]
        self.last[position] = max(last, self.last.get(position, 0))

    def form(self) -> list[Any]:
        """As plain data."""
        return [self.names, self.keyed, self.lines, self.last]

    @classmethod
    def of(cls, form: Iterable[Any] = ()) -> Shelves:
        """Those of this form; a plan that was begun long ago has none."""
        return cls(*form)


@attrs.frozen
class Load:
    """What goes on one shelf.

    Attributes:
        records: Whole records.
        lines: Lines of output.
    """

    records: list[NodeRecord] = attrs.Factory(list[NodeRecord])
    lines: list[LineRecord] = attrs.Factory(list[LineRecord])

    def packed(self) -> bytes:
        """As one payload."""
        return packed(record_forms(self.records), line_forms(self.lines))

    @classmethod
    def of(cls, payload: bytes) -> Load:
        """The load of this payload."""
        records, lines = unpacked(payload)
        return cls([NodeRecord(*each) for each in records], lines_of(lines))


def loads(records: Iterable[NodeRecord], lines: Iterable[LineRecord]) -> Iterator[Load]:
    """What goes on shelves, so much on each as there is room."""
    load, size = Load(), 0
    things: list[NodeRecord | LineRecord] = [*records, *lines]
    for each in things:
        if size and size + len(each.data) > ROOM:
            yield load
            load, size = Load(), 0
        size += len(each.data)
        if isinstance(each, NodeRecord):
            load.records.append(each)
        else:
            load.lines.append(each)
    if size:
        yield load


class TooLargeError(Exception):
    """What came of an attempt is larger than what a cluster keeps of one."""

    def __init__(self, size: int) -> None:
        """Say how large it is."""
        super().__init__(
            f"the response takes {size:,} bytes, deflated, and a cluster keeps at most "
            f"{MOST:,} of one: write it to a file, and respond with its name"
        )


# --- in a worker ------------------------------------------------------------------------


async def put(
    client: Client, plan_id: UUID, record: NodeRecord, lines: list[LineRecord]
) -> list[str]:
    """Put what came of an attempt on shelves; their names.

    Raises:
        TooLargeError: It is too large even for that.
    """
    stem = f"{record.position}.{record.attempt}.{secrets.token_hex(3)}"
    made = [each.packed() for each in loads([record], lines)]
    if max(map(len, made)) > MOST:
        raise TooLargeError(max(map(len, made)))
    names = [f"{stem}.{number}" for number in range(len(made))]
    for name, payload in zip(names, made, strict=True):
        await client.start_workflow(
            SHELF,
            payload,
            id=shelf_id(plan_id, name),
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    return names


async def shelves_of(client: Client, plan_id: UUID, more: str = "") -> list[str]:
    """The ids of the shelves of a plan, by what the server has."""
    stem = shelf_id(plan_id, "")
    query = f"WorkflowType = '{SHELF}' AND WorkflowId STARTS_WITH '{stem}'{more}"
    return [each.id async for each in client.list_workflows(query)]


class Tidies:
    """Ends the shelves of plans that have ended."""

    def __init__(self, client: Client) -> None:
        """Take the cluster."""
        self._client = client

    @activity.defn(name=TIDY)
    async def tidy(self, plan: str) -> None:
        """End those of a plan; the server keeps them as long as the plan."""
        still = " AND ExecutionStatus = 'Running'"
        for each in await shelves_of(self._client, UUID(plan), still):
            await self._client.get_workflow_handle(each).terminate(
                reason="its plan has ended"
            )


# --- in a client ------------------------------------------------------------------------


async def whole(client: Client, stored: StoredPlan, names: Iterable[str]) -> StoredPlan:
    """A plan with all that was put on these shelves."""
    found = await taken(client, stored.row.id, names)
    return attrs.evolve(stored, records=refilled(stored.records, found))


async def whole_slice(
    client: Client, plan_id: UUID, piece: LogSlice, names: Iterable[str]
) -> LogSlice:
    """A piece of the log with all that was put on these shelves."""
    found = await taken(client, plan_id, names)
    changes = tuple(
        (at, refilled([each], found)[0] if isinstance(each, NodeRecord) else each)
        for at, each in piece.changes
    )
    return attrs.evolve(piece, changes=changes)


async def lines_on(
    client: Client, plan_id: UUID, names: Iterable[str], position: int
) -> list[LineRecord]:
    """The lines of an action that were put on these shelves."""
    return [
        each
        for load in await taken(client, plan_id, names)
        for each in load.lines
        if each.position == position
    ]


async def taken(client: Client, plan_id: UUID, names: Iterable[str]) -> list[Load]:
    """What is on these shelves of a plan."""
    free = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def take(name: str) -> Load:
        async with free:
            handle = client.get_workflow_handle(shelf_id(plan_id, name))
            async for event in handle.fetch_history_events(page_size=1):
                begun = event.workflow_execution_started_event_attributes
                [payload] = await client.data_converter.decode(
                    begun.input.payloads, [bytes]
                )
                return Load.of(cast("bytes", payload))
        message = f"{name}: a history has no beginning"
        raise ValueError(message)

    return list(await asyncio.gather(*map(take, names)))


def refilled(
    records: Iterable[NodeRecord], loads: Iterable[Load]
) -> tuple[NodeRecord, ...]:
    """Thin records, with what was taken out of them first: later it was thin already."""
    whole: dict[tuple[int, int], list[bytes]] = {}
    for load in loads:
        for each in load.records:
            whole.setdefault((each.position, each.attempt), []).append(each.data)

    def fill(record: NodeRecord) -> NodeRecord:
        known = whole.get((record.position, record.attempt), ())
        fitting = (filled(record, each) for each in known)
        return next((each for each in fitting if each is not record), record)

    return tuple(map(fill, records))


# --- in the plan's workflow -------------------------------------------------------------


def thinned(
    records: Iterable[NodeRecord], over: set[int], letters: int
) -> tuple[list[NodeRecord], list[NodeRecord]]:
    """All records, thin but for the latest ones of what goes on; and those as they were.

    Args:
        records: All of a plan.
        over: The places of actions that have ended.
        letters: How much of an error's message is kept.
    """
    records = list(records)
    latest = {each.position: each for each in records if each.position not in over}
    kept: list[NodeRecord] = []
    whole: list[NodeRecord] = []
    for each in records:
        goes_on = each.position in latest
        if not each.position or latest.get(each.position) is each:
            kept.append(each)
            continue
        kept.append(thin(each, letters=letters, notes=goes_on))
        if kept[-1] is not each and not is_thin(each):
            whole.append(each)
    return kept, whole


async def keep(plan_id: UUID, shelves: Shelves, load: Load) -> str:
    """Put a load on a new shelf, from the plan's workflow; its name."""
    name = f"g{len(shelves.names)}"
    await workflow.start_child_workflow(
        SHELF,
        load.packed(),
        id=shelf_id(plan_id, name),
        task_queue=QUEUE,
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
    )
    shelves.add([name])
    return name


async def tidy(plan_id: UUID) -> None:
    """End the shelves of a plan that has ended, from its workflow."""
    await workflow.execute_activity(
        TIDY, str(plan_id), task_queue=QUEUE, start_to_close_timeout=_TIDIED_WITHIN
    )


def places_over(records: Iterable[NodeRecord]) -> set[int]:
    """The places of all that has ended, by its latest record."""
    latest = {each.position: each for each in records if each.position}
    return {place for place, each in latest.items() if is_over(each)}
