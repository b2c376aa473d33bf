"""A real server over a real store, plans that real processes run, a real Chromium."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from real_browser import attentive, browser

from workstream import Block, Plan, Registry, Sequence, open_store, open_workstream
from workstream_command import Run, RunCommand

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser"]

TOKEN = "correct-horse-battery-staple"
WORKSTREAM = [sys.executable, "-m", "workstream"]


@attrs.define
class Gates:
    """Pipes that steps of a plan wait at, until the test lets them through."""

    directory: Path

    def make(self, name: str) -> str:
        """A gate; the command line of a step that waits there."""
        path = self.directory / name
        os.mkfifo(path)
        return f"read -r line <{path}; echo through {name}"

    def open(self, name: str) -> None:
        """Let a step through; return when it is."""
        with (self.directory / name).open("w") as pipe:
            pipe.write("go\n")


@attrs.define
class Site:
    """A server that runs.

    Attributes:
        store: Its store.
        url: Where it is.
        token: Ana's, where it has tokens.
    """

    store: Path
    url: str
    token: str = TOKEN

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = None if body is None else json.dumps(body).encode()
        verb = method or ("GET" if sent is None else "POST")
        connection.request(verb, path, sent, headers or {})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def plan(self) -> Plan:
        """The newest plan, as it is stored."""

        async def read() -> Plan:
            async with open_store(self.store) as plans:
                return await plans.plan((await plans.find("last")).row.id)

        return trio.run(read)

    @contextmanager
    def events(
        self, path: str, headers: dict[str, str] | None = None
    ) -> Generator[Iterator[tuple[str, str, Any]]]:
        """The events of a stream, each with its id, name and data."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()

        def read() -> Iterator[tuple[str, str, Any]]:
            fields: dict[str, str] = {}
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "event" in fields:
                    data = json.loads(fields["data"])
                    yield fields.get("id", ""), fields["event"], data
                    fields = {}

        try:
            yield read()
        finally:
            connection.close()


Serve = Callable[..., AbstractContextManager[Site]]


@contextmanager
def _serving(store: Path, *options: str, port: int = 0) -> Generator[Site]:
    """A server, until the body ends."""
    command = [*WORKSTREAM, "ui", "--store", str(store), "--port", str(port)]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), url
            yield Site(store, url)
        finally:
            process.terminate()
            assert process.wait(60) == 0


@pytest.fixture
def serve() -> Serve:
    """Start a server over a store: ``with serve(store, port=...) as site``."""
    return _serving


def _make_store(store: Path) -> Path:
    """A store with one plan, which was only submitted."""

    async def submit() -> None:
        registry = Registry([RunCommand()])
        async with open_workstream(store, registry=registry) as ws:
            done = RunCommand.action(Run(("true",)), name="done")
            block = Block(name="b", sequences=[Sequence(name="s", actions=[done])])
            await ws.submit(Plan(name="Nothing yet", blocks=[block]))

    trio.run(submit)
    return store


@contextmanager
def _with_tokens(store: Path) -> Generator[Site]:
    tokens = store.parent / "tokens"
    tokens.write_text(f"# who\nana={TOKEN}\n", "utf-8")
    tokens.chmod(0o600)
    with _serving(store, "--tokens", str(tokens)) as site:
        yield site


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one plan, which was only submitted."""
    return _make_store(tmp_path / "store")


@pytest.fixture
def site(store: Path) -> Iterator[Site]:
    """A server at which ana can tell plans what to do."""
    with _with_tokens(store) as site:
        yield site


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same, for tests that change nothing: they share it."""
    with _with_tokens(_make_store(tmp_path_factory.mktemp("shown") / "store")) as site:
        yield site


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """Gates of the test's own."""
    directory = tmp_path / "gates"
    directory.mkdir()
    return Gates(directory)


Begin = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def begin(store: Path, tmp_path: Path) -> Iterator[Begin]:
    """Run a plan, given as Python, in a process of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(text: str) -> subprocess.Popen[bytes]:
        file = tmp_path / f"plan_{len(begun)}.py"
        file.write_text(text, encoding="utf-8")
        command = [*WORKSTREAM, "run", str(file), "--store", str(store)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab."""
    # That a server has gone, or refuses an order, is no complaint: tests want it.
    pardoned = "Failed to load resource"
    with attentive(browser, "http://127.0.0.1:", pardoned=pardoned) as page:
        yield page
