"""Which attempts wait in queues from which no worker takes any (ZN-3)."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowHandle

from workstream._values.clock import utc_now

from ._names import position_in, worker_for

ASKED_LATELY = timedelta(seconds=75)
"""A worker that has nothing to do asks again after a minute."""


async def unattended(
    client: Client, workflow: WorkflowHandle[Any, Any]
) -> dict[int, str]:
    """For which worker an attempt waits, by the action's place in walk order."""
    waiting: dict[str, list[int]] = {}
    for each in (await workflow.describe()).raw_description.pending_activities:
        if each.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
            queue = each.activity_options.task_queue.name
            waiting.setdefault(queue, []).append(position_in(each.activity_id))
    found: dict[int, str] = {}
    for queue, places in waiting.items():
        if not await _is_attended(client, queue):
            found.update(dict.fromkeys(places, worker_for(queue)))
    return found


async def _is_attended(client: Client, queue: str) -> bool:
    """Whether a worker asked for attempts of a queue lately."""
    asked = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    pollers = (await client.workflow_service.describe_task_queue(asked)).pollers
    since = utc_now() - ASKED_LATELY
    return any(each.last_access_time.ToDatetime(UTC) > since for each in pollers)
