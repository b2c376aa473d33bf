"""A real cluster, its server from the package index, and workers for it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import trio
from temporalio.client import Client

from workstream._registry.registry import Registry
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._worker import worker_of


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Server:
    """Temporal's own development server, in a process; its plans are in a file."""

    def __init__(self, place: Path) -> None:
        self._file = place / "temporal.db"
        self.port = free_port()
        self.location = f"127.0.0.1:{self.port}/default"
        self.store = f"temporal:{self.location}"
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it; on return it answers."""
        program = Path(sys.executable).with_name("temporal")
        self._process = subprocess.Popen(
            [
                *(program, "server", "start-dev", "--headless"),
                *("--port", str(self.port), "--db-filename", self._file),
                *("--log-level", "never"),
            ],
            stdout=subprocess.DEVNULL,
        )
        asyncio.run(self._answers())

    async def _answers(self) -> None:
        while True:
            assert self._process is not None
            assert self._process.poll() is None, "the server has ended"
            try:
                client = await Client.connect(self.location.partition("/")[0])
                await client.count_workflows()
            except Exception:
                continue  # connecting takes its time by itself
            return

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


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
    clock: Callable[[], trio.abc.Clock] | None = None,
) -> Generator[None]:
    """A worker in a thread of this process, while the body runs."""
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def work() -> None:
        target, _, namespace = server.location.partition("/")
        client = await Client.connect(target, namespace=namespace)
        worker = await worker_of(
            client,
            registry,
            plan_workflow=plan_workflow,
            clock=None if clock is None else clock(),
        )
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
