"""Old workers beside new ones: who goes on with which plans.

A workflow's code is run again along its history, so a plan must be gone on with by
workers of the version that began it (``_names.VERSION``). The server sees to that: a
worker says its version, and a plan stays with the one it began with. New plans begin with
the version that is current, which is the newest whose worker has ever been at work. The
workflow that all plans share goes over to it: each version can replay its history.
"""

from __future__ import annotations

import asyncio

from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from .._names import QUEUE

LOOK_EVERY = 0.2
"""Seconds between two looks whether the server knows of this worker."""
_NOT_YET = {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,
    # The server is being restarted, or has much to do.
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}


def config_of(version: int) -> WorkerDeploymentConfig:
    """What a worker of this version tells the server."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(QUEUE, str(version)),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def make_current(client: Client, version: int) -> bool:
    """Let new plans begin with this version; False: they do, or there is a newer one.

    It waits until the server knows of the worker, which must be at work.
    """
    while True:
        try:
            if await _current(client) >= version:
                return False
            await client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=client.namespace,
                    deployment_name=QUEUE,
                    build_id=str(version),
                )
            )
            return True
        except RPCError as error:
            if error.status not in _NOT_YET:
                raise
            await asyncio.sleep(LOOK_EVERY)


async def _current(client: Client) -> int:
    """The version with which new plans begin; 0: there is none yet."""
    found = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(
            namespace=client.namespace, deployment_name=QUEUE
        )
    )
    routing = found.worker_deployment_info.routing_config
    return int(routing.current_deployment_version.build_id or 0)
