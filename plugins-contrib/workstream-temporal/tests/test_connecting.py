"""TLS, client certificates and API keys, as Temporal's own tools are told of them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import pytest
import trio
import trustme

from workstream import open_store
from workstream.errors import StorageError

pytestmark = pytest.mark.slow  # it starts a cluster

if TYPE_CHECKING:
    from temporal_server import Server

Streams = trio.abc.Stream


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests."""
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "temporal.toml"))
    (tmp_path / "temporal.toml").write_text("")


class Guard:
    """Reads what a client sends over HTTP/2, and knows which requests have the key."""

    def __init__(self, key: str) -> None:
        """Take the key; nothing was sent yet."""
        settings = h2.config.H2Configuration(client_side=False)
        self._wire = h2.connection.H2Connection(settings)
        self._wire.initiate_connection()
        self._wanted = ("authorization", f"Bearer {key}")

    def look(self, data: bytes) -> bool | None:
        """Whether the requests in what a client sends now have it; None: there is none."""
        found: bool | None = None
        for event in self._wire.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                named = [(_text(name), _text(text)) for name, text in event.headers]
                if self._wanted not in named:
                    self._answer(event.stream_id)
                    return False
                found = True
        return found

    def _answer(self, stream: int) -> None:
        headers = [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-status", "16"),
            ("grpc-message", "the API key is missing or wrong"),
        ]
        self._wire.send_headers(stream, headers, end_stream=True)

    @property
    def answer(self) -> bytes:
        """What to send to a client that is refused."""
        return self._wire.data_to_send()


def _text(of: str | bytes) -> str:
    return of.decode() if isinstance(of, bytes) else of


@asynccontextmanager
async def front_before(
    server: Server, ca: Any, key: str | None = None
) -> AsyncGenerator[int]:
    """A front with TLS; yields its port.

    Args:
        server: The cluster behind it.
        ca: Who has signed its certificate.
        key: Lets requests with this API key through; None: asks for a client's
            certificate instead.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2"])
    ca.issue_cert("localhost").configure_cert(context)
    if key is None:
        context.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(context)

    async def back(source: Streams, target: Streams) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some(65_536):
                await target.send_all(data)
        await target.aclose()

    async def front(stream: Streams) -> None:
        guard = None if key is None else Guard(key)
        behind = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream, behind, trio.open_nursery() as both:
            begun, held = False, b""  # nothing is let through before the first request
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while data := bytes(await stream.receive_some(65_536)):
                    is_let_in = True if guard is None else guard.look(data)
                    if guard is not None and is_let_in is False:
                        await stream.send_all(guard.answer)
                        break
                    held += data
                    if is_let_in and not begun:
                        both.start_soon(back, behind, stream)
                        begun = True
                    if begun:
                        await behind.send_all(held)
                        held = b""
            both.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        first: Any = listeners[0].transport_listener
        port: int = first.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, front, listeners)
        yield port
        nursery.cancel_scope.cancel()


async def plans_behind(port: int) -> int:
    """How many plans whoever comes through the front finds."""
    async with open_store(f"temporal:localhost:{port}/default") as store:
        return len(await store.list())


def test_a_client_certificate_opens_the_cluster(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it plans are listed; without it nobody gets in, and the error says where."""
    ca: Any = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = ca.issue_cert("ana@example.org")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    with (tmp_path / "cert.pem").open("wb") as chain:
        chain.write(b"".join(blob.bytes() for blob in mine.cert_chain_pems))

    async def main() -> None:
        async with front_before(server, ca) as port:
            monkeypatch.setenv("TEMPORAL_TLS", "true")
            monkeypatch.setenv(
                "TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "ca.pem")
            )
            with pytest.raises(StorageError, match=f"at localhost:{port}"):
                await plans_behind(port)
            monkeypatch.setenv(
                "TEMPORAL_TLS_CLIENT_CERT_PATH", str(tmp_path / "cert.pem")
            )
            monkeypatch.setenv(
                "TEMPORAL_TLS_CLIENT_KEY_PATH", str(tmp_path / "key.pem")
            )
            assert await plans_behind(port) >= 0

    trio.run(main)


def test_what_cannot_be_used_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there is named; nothing is tried without it."""
    missing = tmp_path / "nowhere.pem"
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(missing))

    async def main() -> None:
        async with open_store(server.store):
            pass

    with pytest.raises(StorageError, match="No such file"):
        trio.run(main)


def test_an_api_key_opens_the_cluster(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request has it, over TLS; with none or another one nobody gets in."""
    ca: Any = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "ca.pem"))

    async def main() -> None:
        async with front_before(server, ca, "correct-horse") as port:
            monkeypatch.setenv("TEMPORAL_TLS", "true")
            with pytest.raises(StorageError, match="the API key is missing or wrong"):
                await plans_behind(port)
            monkeypatch.delenv("TEMPORAL_TLS")
            monkeypatch.setenv("TEMPORAL_API_KEY", "battery-staple")
            with pytest.raises(StorageError) as caught:
                await plans_behind(port)
            assert "battery-staple" not in str(caught.value)
            monkeypatch.setenv("TEMPORAL_API_KEY", "correct-horse")
            assert await plans_behind(port) >= 0

    trio.run(main)
