"""A real cluster, its server from the package index, and workers for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from temporal_server import Server

from workstream._registry.registry import Registry
from workstream_temporal._cluster.connection import Connection
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._worker import worker_of


@pytest.fixture
def new_server() -> Generator[Callable[[Path], Server]]:
    """Makes servers, which end with the test."""
    made: list[Server] = []

    def make(place: Path) -> Server:
        made.append(Server(place))
        made[-1].begin()
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that nobody kills."""
    found = Server(tmp_path_factory.mktemp("temporal"))
    found.begin()
    yield found
    found.kill()


@contextmanager
def working(
    server: Server,
    registry: Registry,
    *,
    plan_workflow: type[PlanWorkflow] = PlanWorkflow,
) -> Generator[None]:
    """A worker in a thread of this process, while the body runs."""
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def work() -> None:
        client = await Connection(server.location).connect()
        worker = await worker_of(client, registry, plan_workflow=plan_workflow)
        over = asyncio.Event()
        async with worker:
            begun.set_result((asyncio.get_running_loop(), over))
            await over.wait()

    def main() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            if not begun.done():
                begun.set_exception(error)
            raise

    thread = threading.Thread(target=main, name="worker")
    thread.start()
    loop, over = begun.result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


@pytest.fixture(name="working", scope="session")
def working_on() -> Callable[..., AbstractContextManager[None]]:
    """Makes workers: see ``working``."""
    return working
