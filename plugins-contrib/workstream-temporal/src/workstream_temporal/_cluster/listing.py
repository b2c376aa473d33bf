"""Which plans there are, as the server lists them.

A row is a memo of its plan's workflow, so no worker is asked. The server knows nothing of
what is in a memo, which may be encrypted; it knows which workflows have completed, and
gives those that go on first, then the others by when they ended, the latest first. That
saves most of the reading: a plan that is NOT_STARTED or RUNNING has no workflow that
completed, and what ended before the oldest of the newest plans was submitted is none of
them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from workstream._codec.records import decode_row
from workstream._protocols.searching import BEFORE_ALL
from workstream._protocols.vault import PlanRow, not_found
from workstream._values.clock import utc_now
from workstream._values.errors import StorageError
from workstream._values.state import Status

from .._names import PLAN, ROW, plan_id_of, workflow_id
from .connection import Connection

PAGE = 1_000
"""Plans that the server lists at once."""
SKEW = timedelta(minutes=10)
"""By how much the clocks of the server and of its clients differ at most."""
_FIRST_TIME = datetime.min.replace(tzinfo=UTC) + 2 * SKEW
_ALL_TIME = datetime.max.replace(tzinfo=UTC)
_NO_ROW = "the plan's workflow has no row: it was not begun by workstream"


async def row_in(found: WorkflowExecution) -> PlanRow:
    """The row of a plan's workflow. Raises StorageError: none can be read."""
    try:
        data = (await found.memo()).get(ROW)
        if data is not None:
            return decode_row(plan_id_of(found.id), data)
    except (StorageError, ValueError, TypeError, KeyError) as error:
        message = f"{found.id} on the cluster cannot be read: {error}"
        raise StorageError(message) from error
    raise StorageError(_NO_ROW)


async def listed(
    connection: Connection,
    fits: Callable[[PlanRow], bool],
    *,
    statuses: Collection[Status] | None,
    since: datetime | None,
    limit: int,
) -> list[PlanRow]:
    """At least the newest plans that fit, in no order.

    Args:
        connection: Open.
        fits: Whether a plan is wanted.
        statuses: Those that are wanted; None: any.
        since: None is wanted that was submitted before; None: any.
        limit: How many are; 0: all.
    """
    query = f"WorkflowType = '{PLAN}' AND ExecutionStatus != 'ContinuedAsNew'"
    if statuses is not None and not any(each.is_terminal for each in statuses):
        query += " AND ExecutionStatus != 'Completed'"
    # Each history of a plan began after it was submitted, by clocks that nearly agree.
    if since is not None and _FIRST_TIME < since < utc_now():
        query += f" AND StartTime > '{(since - SKEW).isoformat()}'"
    return await connection.ask(_newest(connection, query, fits, limit))


async def _newest(
    connection: Connection, query: str, fits: Callable[[PlanRow], bool], limit: int
) -> list[PlanRow]:
    found: dict[UUID, PlanRow] = {}
    newest: list[datetime] = []
    last = _ALL_TIME
    in_order = bool(limit)
    page = min(PAGE, 2 * limit) if limit else PAGE
    async for each in connection.client.list_workflows(query, page_size=page):
        ended = each.close_time or _ALL_TIME
        in_order, last = in_order and ended <= last, ended
        if in_order and len(newest) == limit and ended < newest[0] - SKEW:
            break
        row = await row_in(each)
        if row.id in found or not fits(row):
            continue
        found[row.id] = row
        if limit:
            push = heapq.heappush if len(newest) < limit else heapq.heappushpop
            push(newest, row.submitted or BEFORE_ALL)
    return list(found.values())


async def entry_of(connection: Connection, plan_id: UUID) -> tuple[PlanRow, bool]:
    """The plan's row, and whether its workflow goes on.

    Raises:
        NotFoundError: There is no such plan.
        StorageError: The server does not answer.
    """
    [found] = await entries_of(connection, [plan_id])
    if found is None:
        raise not_found(plan_id)
    return found


async def entries_of(
    connection: Connection, plan_ids: Iterable[UUID]
) -> list[tuple[PlanRow, bool] | None]:
    """The same of several plans, asked for side by side; None: there is no such one."""

    async def entry(plan_id: UUID) -> tuple[PlanRow, bool] | None:
        try:
            handle = connection.client.get_workflow_handle(workflow_id(plan_id))
            found = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return await row_in(found), found.status is WorkflowExecutionStatus.RUNNING

    async def all_of() -> list[tuple[PlanRow, bool] | None]:
        return await asyncio.gather(*map(entry, plan_ids))

    return await connection.ask(all_of())
