"""A real HTTP server on the loopback interface, and the context of an attempt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import UUID, uuid4

import attrs
import pytest

from workstream.plugins import NoSignals, NoteValue


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what is reported and remembered."""

    plan_id: UUID = attrs.field(factory=uuid4)
    action_id: UUID = attrs.field(factory=uuid4)
    path: str = "Plan / Action"
    attempt: int = 1
    deadline: datetime | None = None
    idempotency_key: str = "plan-1-action-2"
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(message)

    async def remember(self, **notes: NoteValue) -> None:
        self.notes = {**self.notes, **notes}


@pytest.fixture
def context() -> Attempt:
    """What a plugin is told about an attempt."""
    return Attempt()


@attrs.frozen
class Received:
    """A request as it came over the wire; the names of headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@attrs.define
class Receiver:
    """A server, and what came to it.

    Attributes:
        url: Where it is.
        received: All requests, in order.
        answer: Gives the status and the body of the answer to a request.
    """

    url: str
    received: list[Received] = attrs.field(factory=list[Received])
    answer: Callable[[Received], tuple[int, bytes]] = lambda received: (200, b"thanks")


@pytest.fixture
def receiver() -> Generator[Receiver]:
    """A server that takes everything, unless a test says otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received = Received(
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers["content-length"])),
            )
            it.received.append(received)
            status, body = it.answer(received)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the tests quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        it = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield it
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies and certificate authorities of the tester's own out."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
