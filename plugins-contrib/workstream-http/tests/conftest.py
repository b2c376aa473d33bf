"""A real HTTP server on the loopback interface, and the context of an attempt."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import TypeAlias
from uuid import UUID, uuid4

import attrs
import h11
import pytest
import trio
from trio.testing import MockClock

from workstream.plugins import NoSignals, NoteValue


@attrs.frozen(kw_only=True)
class Received:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header; None when it was not sent."""
        return dict(self.headers).get(name)


@attrs.define
class Reply:
    """What a test's server answers with."""

    stream: trio.abc.Stream
    connection: h11.Connection

    async def send(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer."""
        fields = {"content-length": str(len(body)), **(headers or {})}
        await self.head(status, fields)
        await self.raw(body)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Status line and headers alone."""
        lines = [f"HTTP/1.1 {status} Said So"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def raw(self, data: bytes) -> None:
        """Bytes as they are; a client that has gone is no error."""
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError:
            return

    async def closed(self) -> None:
        """Wait until the client has closed the connection."""
        try:
            while await self.stream.receive_some():
                pass
        except trio.BrokenResourceError:
            return


Answer: TypeAlias = Callable[[Received, Reply], Awaitable[None]]


@attrs.define
class Server:
    """A server that runs: where it is and what it received."""

    url: str
    received: list[Received] = attrs.field(factory=list[Received])
    connections: int = 0
    _idle: trio.Event = attrs.field(factory=trio.Event)

    async def handle(self, stream: trio.abc.Stream, answer: Answer) -> None:
        """Serve one connection, for one request, until the client closes it."""
        self.connections += 1
        try:
            connection = h11.Connection(h11.SERVER)
            received = await _receive(stream, connection)
            if received is not None:
                self.received.append(received)
                reply = Reply(stream, connection)
                await answer(received, reply)
                await reply.closed()
        finally:
            self.connections -= 1
            if not self.connections:
                self._idle.set()
                self._idle = trio.Event()

    async def idle(self) -> None:
        """Wait until no client is connected."""
        while self.connections:
            await self._idle.wait()


async def _receive(
    stream: trio.abc.Stream, connection: h11.Connection
) -> Received | None:
    head: h11.Request | None = None
    body = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(bytes(await stream.receive_some()))
            except trio.BrokenResourceError:
                return None
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Received(
                method=head.method.decode(),
                target=head.target.decode(),
                headers=[(n.decode(), v.decode()) for n, v in head.headers],
                body=body,
            )
        else:
            return None


Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def _serve(
    answer: Answer, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Server]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    host, port = listener.socket.getsockname()
    server = Server(f"{'https' if tls else 'http'}://{host}:{port}")

    async def handle(stream: trio.SocketStream) -> None:
        if tls is None:
            async with stream:
                await server.handle(stream, answer)
            return
        secure = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        async with secure:
            await server.handle(secure, answer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield server
        nursery.cancel_scope.cancel()


@pytest.fixture
def serve() -> Serve:
    """Start a server: ``async with serve(answer) as server``."""
    return _serve


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what is reported."""

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
        raise AssertionError


@pytest.fixture
def context() -> Attempt:
    """What a plugin is told about an attempt."""
    return Attempt()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies and certificate authorities of the tester's own out."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mock_clock() -> MockClock:
    """A clock that stands still until the test moves it; trio runs on it."""
    return MockClock()
