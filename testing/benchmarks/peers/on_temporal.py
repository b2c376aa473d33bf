"""The work on Temporal: one workflow, an activity for each action.

    python -m testing.benchmarks.peers.on_temporal SEQUENCES ACTIONS CONCURRENCY FOLDER [local]

The server is that of ``temporal server start-dev``, with its store in a file; worker and
client are in this process, as in the samples. With ``local``, the actions are local
activities: they run inside a workflow task, without a task of their own on the server.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bench"


@activity.defn
async def act(host: str, number: int) -> int:
    """Do nothing."""
    return number


@workflow.defn
class Work:
    """The sequences, so many at once."""

    @workflow.run
    async def run(
        self, sequences: int, actions: int, concurrency: int, is_local: bool
    ) -> None:
        """Do all of it."""
        slots = asyncio.Semaphore(concurrency)
        call = (
            workflow.execute_local_activity if is_local else workflow.execute_activity
        )

        async def sequence(number: int) -> None:
            async with slots:
                for index in range(actions):
                    await call(
                        act,
                        args=[f"web-{number}", number * actions + index],
                        start_to_close_timeout=timedelta(seconds=30),
                    )

        await asyncio.gather(*map(sequence, range(sequences)))


async def main(
    sequences: int, actions: int, concurrency: int, folder: Path, is_local: bool
) -> None:
    """Do the work, and print the seconds that it took."""
    async with _server(folder) as client:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[Work],
            activities=[act],
            # The sandbox imports this module anew for the workflow: not measured here.
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            for name, shape in (
                ("warm", (1, 1, 1, is_local)),
                ("work", (sequences, actions, concurrency, is_local)),
            ):
                begun = time.perf_counter()
                await client.execute_workflow(
                    Work.run, args=list(shape), id=name, task_queue=QUEUE
                )
            print(time.perf_counter() - begun)


@asynccontextmanager
async def _server(folder: Path) -> AsyncGenerator[Client]:
    """A development server, until the body ends."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    server = subprocess.Popen(  # noqa: ASYNC220, as nothing else runs yet
        [
            str(Path(sys.executable).with_name("temporal")),
            *("server", "start-dev", "--headless", "--log-level", "never"),
            *("--port", str(port), "--db-filename", str(folder / "temporal.db")),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield await _answering(port)
    finally:
        server.terminate()
        server.wait()


async def _answering(port: int) -> Client:
    """A client of the server, once it answers."""
    while True:
        try:
            client = await Client.connect(f"127.0.0.1:{port}")
            await client.count_workflows()
        except Exception:
            await asyncio.sleep(0.1)
            continue
        return client


if __name__ == "__main__":
    shape = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    asyncio.run(main(*shape, Path(sys.argv[4]), "local" in sys.argv[5:]))
