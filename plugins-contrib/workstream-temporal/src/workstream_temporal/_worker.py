"""A worker: goes on with plans, and makes the calls of their attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import trio
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from workstream._registry.registry import Registry
from workstream._runtime.plugin_init import init_plugins

from ._activities import Activities
from ._cluster.versions import config_of
from ._limits.shelves import ShelfWorkflow, Tidies
from ._names import QUEUE, queue_of
from ._plan_workflow import PlanWorkflow
from ._store_workflow import StoreWorkflow, UpgradedStoreWorkflow
from ._trio_thread import TrioThread

STICKY = timedelta(seconds=2)
"""For so long a plan waits for the worker that has it in memory, which may have died."""
POLLS = 8
"""How often a worker asks for workflows' tasks at once: half of that for plans that it has
in memory, and half for all others. A server keeps the others in four parts, unless it is
told otherwise, and each question is to one part, for a minute. With fewer questions than
parts, what waited for a first worker waits for minutes more."""
AT_ONCE = 1_000
"""Attempts that one worker makes side by side: the limits of a plan are its blocks'."""


async def worker_of(
    client: Client,
    registry: Registry,
    zone: str | None = None,
    *,
    version: int | None = None,
    plan_workflow: type[PlanWorkflow] = PlanWorkflow,
    activities: Callable[[Client, Registry, TrioThread], Activities] = Activities,
    runner: WorkflowRunner | None = None,
    clock: trio.abc.Clock | None = None,
) -> Worker:
    """A worker, ready to be run; its plugins are ready for use.

    Args:
        client: Connected.
        registry: The plugins.
        zone: The zone whose attempts it makes; None: those of no zone, and the
            workflows of all plans.
        version: The version to say, where the server is to keep plans with the
            workers of theirs; not for a zone, whose workers serve all versions.
        plan_workflow: For tests: a plan's workflow, perhaps with a time of its own.
        activities: For tests: makes what makes attempts.
        runner: For tests: runs workflows, perhaps by a time of its own.
        clock: For tests: the time of the plugins.
    """
    registry.freeze()
    thread = TrioThread(clock)
    await thread.call(lambda: init_plugins(registry))
    made = activities(client, registry, thread)
    store = StoreWorkflow if version is None else UpgradedStoreWorkflow
    workflows: Sequence[type] = [] if zone else [plan_workflow, store, ShelfWorkflow]
    return Worker(
        client,
        task_queue=queue_of(zone) if zone else QUEUE,
        workflows=workflows,
        activities=[made.call, made.watch, Tidies(client).tidy],
        # The interpreter awaits nothing but its runtime, and asks nobody else for the
        # time or for chance: what a sandbox would have to keep it from.
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        max_concurrent_activities=AT_ONCE,
        max_concurrent_workflow_task_polls=POLLS,
        nonsticky_to_sticky_poll_ratio=0.5,
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        default_heartbeat_throttle_interval=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=1),
        sticky_queue_schedule_to_start_timeout=STICKY,
        deployment_config=None if version is None else config_of(version),
    )
