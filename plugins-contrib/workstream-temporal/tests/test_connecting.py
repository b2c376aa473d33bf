"""TLS and client certificates, as Temporal's own tools are told of them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


@asynccontextmanager
async def tls_before(server: Server, ca: Any) -> AsyncGenerator[int]:
    """A front with TLS that asks for a client's certificate; yields its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2"])
    ca.issue_cert("localhost").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)

    async def copy(source: Streams, target: Streams) -> None:
        try:
            while data := await source.receive_some(65_536):
                await target.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await target.aclose()

    async def front(stream: Streams) -> None:
        behind = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream, behind, trio.open_nursery() as both:
            both.start_soon(copy, stream, behind)
            both.start_soon(copy, behind, stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        first: Any = listeners[0].transport_listener
        port: int = first.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, front, listeners)
        yield port
        nursery.cancel_scope.cancel()


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

    async def look(port: int) -> int:
        async with open_store(f"temporal:localhost:{port}/default") as store:
            return len(await store.list())

    async def main() -> None:
        async with tls_before(server, ca) as port:
            monkeypatch.setenv("TEMPORAL_TLS", "true")
            monkeypatch.setenv(
                "TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "ca.pem")
            )
            with pytest.raises(StorageError, match=f"at localhost:{port}"):
                await look(port)
            monkeypatch.setenv(
                "TEMPORAL_TLS_CLIENT_CERT_PATH", str(tmp_path / "cert.pem")
            )
            monkeypatch.setenv(
                "TEMPORAL_TLS_CLIENT_KEY_PATH", str(tmp_path / "key.pem")
            )
            assert await look(port) >= 0

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
