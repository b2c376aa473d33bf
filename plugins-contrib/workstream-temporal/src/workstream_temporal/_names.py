"""The names by which clients, workflows and workers know each other on a cluster."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

PLAN = "workstream.plan"
"""The type of the workflow that is a plan."""
STORE = "workstream.store"
"""The type of the one workflow that keeps what plans share; its id, too."""
CALL = "workstream.call"
"""The type of the activity that is an attempt."""
WATCH = "workstream.watch"
"""The type of the activity that runs continuous checks."""

QUEUE = "workstream"
"""The queue of workflows, and of actions of no zone."""

ROW = "workstream-row"
"""The memo that holds a plan's row."""
FREEZE = "workstream-freeze"
"""The memo that holds what the store says of a freeze."""
DELETED = "workstream-deleted"
"""The memo that holds which plans were deleted, until the server has done so."""
CLAIMS = "workstream-claims"
"""The memo that holds which client has which plan for itself, and until when."""

VERSION = 3
"""Of what a workflow does in which order. A change that a replay would notice needs the
next one, and workers of both until the plans of the old one have ended."""

HEARTBEAT = timedelta(seconds=10)
"""Without a sign of life for so long, an attempt's worker counts as lost."""

_PREFIX = "workstream-plan-"
_ZONE = re.compile(r"[^/]+")


def workflow_id(plan_id: UUID) -> str:
    """The id of the plan's workflow."""
    return f"{_PREFIX}{plan_id}"


def plan_id_of(workflow: str) -> UUID:
    """The id of the plan of a workflow."""
    return UUID(workflow.removeprefix(_PREFIX))


def activity_id(position: int, attempt: int, verb: str) -> str:
    """The id of the activity that makes an attempt's call, of its action's place."""
    return f"{position}-{attempt}-{verb}"


def position_in(activity: str) -> int:
    """The place of the action in the id of an activity."""
    return int(activity.partition("-")[0])


def worker_for(queue: str) -> str:
    """The worker that a queue waits for, for people."""
    _, _, zone = queue.partition(f"{QUEUE}-zone-")
    return f"a worker in {zone}" if zone else "a worker"


def queue_of(zone: str | None) -> str:
    """The queue on which the workers of a zone wait for attempts."""
    return QUEUE if zone is None else f"{QUEUE}-zone-{zone}"
