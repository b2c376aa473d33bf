"""``workstream ui`` over a cluster: a real process, asked as a browser asks it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    open_workstream,
)

if TYPE_CHECKING:
    from temporal_server import Server

pytestmark = pytest.mark.slow  # it starts a cluster

Working = Callable[..., AbstractContextManager[None]]

TOKEN = "correct-horse-battery-staple"


@attrs.frozen
class Wait:
    """Asks to wait."""


class Waiting(ActionPlugin[Wait, None]):
    """Waits to be told to go on."""

    name = "test.page-wait"

    async def execute(self, context: Context, request: Wait, /) -> None:
        """Wait for the signal."""
        await context.signal("go")


def plan() -> Plan:
    """A plan that goes on until it is told."""
    actions = [Waiting.action(Wait(), name="wait")]
    sequence = Sequence(name="sequence", actions=actions)
    return Plan(name="On a page", blocks=[Block(name="b", sequences=[sequence])])


class Page:
    """The server of the page."""

    def __init__(self, url: str) -> None:
        """Take where it is."""
        self._port = int(url.rstrip("/").rpartition(":")[2])

    def _asked(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=100)
        sent = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        if sent is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        return connection, answer

    def read(self, path: str) -> str:
        """What is at a path."""
        connection, answer = self._asked("GET", path)
        assert answer.status == 200
        body = answer.read()
        if answer.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        text: str = body.decode()
        connection.close()
        return text

    def tell(self, path: str, /, **order: str) -> None:
        """Say something to a plan, or to all."""
        connection, answer = self._asked("POST", path, order)
        assert answer.status == 200, answer.read()
        connection.close()

    @contextmanager
    def events(self, path: str) -> Generator[Iterator[Any]]:
        """What a stream says, as long as it is open."""
        connection, answer = self._asked("GET", path)
        assert answer.status == 200

        def read() -> Iterator[Any]:
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name == "data":
                    yield json.loads(value)

        try:
            yield read()
        finally:
            connection.close()


@contextmanager
def page_over(store: str) -> Generator[Page]:
    """The page, until the body ends."""
    command = [
        sys.executable,
        "-m",
        "workstream",
        "ui",
        "--store",
        store,
        "--port",
        "0",
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "WORKSTREAM_UI_TOKENS": f"ana={TOKEN}"},
    ) as process:
        try:
            assert process.stdout is not None
            yield Page(process.stdout.readline().strip())
        finally:
            process.terminate()
            assert process.wait(60) == 0


def test_the_page_shows_a_cluster_and_tells_it_things(
    server: Server, working: Working
) -> None:
    """A plan appears, is frozen, thawed, told, and ends, while the page stays open."""

    def look(plan_id: str) -> None:
        with page_over(server.store) as page:
            assert page.read(f"/plans/{plan_id}").startswith("<!DOCTYPE html>")
            with page.events("/api/plans") as lists:
                for each in lists:
                    if any(row["id"] == plan_id for row in each["plans"]):
                        break
                page.tell("/api/freeze", reason="pager")
                assert any(each["frozen"] is not None for each in lists)
                page.tell("/api/unfreeze", reason="over")
                assert any(each["frozen"] is None for each in lists)
                page.tell(
                    f"/api/plans/{plan_id}/signal",
                    path="On a page / b / sequence / wait",
                    name="go",
                    reason="it may go on",
                )
                assert any(
                    row["outcome"] == "completed"
                    for each in lists
                    for row in each["plans"]
                    if row["id"] == plan_id
                )
            assert '"COMPLETED"' in page.read(f"/api/plans/{plan_id}")

    async def main() -> None:
        registry = Registry([Waiting()])
        async with open_workstream(server.store, registry=registry) as ws:
            plan_id = await ws.submit(plan())
            await ws.start(plan_id)
            with trio.fail_after(200):
                await trio.to_thread.run_sync(look, str(plan_id))

    with working(server, Registry([Waiting()])):
        trio.run(main)
