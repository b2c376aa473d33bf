"""What every plugin must do, these do: put to the test against real servers."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Generator
from pathlib import Path
from threading import Thread
from typing import TypeVar

import pytest
import trustme

from workstream.plugins import AnyPlugin
from workstream.testing import check_plugin
from workstream_net import (
    Dns,
    DnsCheck,
    Ping,
    PingCheck,
    Tcp,
    TcpCheck,
    Tls,
    TlsCheck,
    WaitDns,
    WaitPing,
    WaitTcp,
    WaitTls,
)

PORT_OF_NOBODY = 1

Request = TypeVar("Request")


def only_checks(plugin: AnyPlugin, request: Request) -> Request | None:
    """A request that is not done in time; not for a wait, which ends by itself."""
    return request if plugin.is_check else None


@pytest.fixture
def port() -> Generator[int]:
    """A port that accepts connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        yield server.getsockname()[1]


@pytest.fixture
def secure(tmp_path: Path) -> Generator[Tls]:
    """A TLS server whose certificate is trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(client, server_side=True) as stream:
                        stream.recv(1)
                except OSError:
                    client.close()

        thread = Thread(target=serve)
        thread.start()
        yield Tls(
            "127.0.0.1", server.getsockname()[1], ca_file=str(tmp_path / "ca.pem")
        )
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("plugin", [TcpCheck(), WaitTcp()])
def test_tcp_conforms(plugin: AnyPlugin, port: int) -> None:
    """Looks at a port, and waits for it, do what every plugin must."""
    check_plugin(
        plugin,
        [Tcp("127.0.0.1", port), Tcp("127.0.0.1", PORT_OF_NOBODY, closed=True)],
        refused=[Tcp("", 0)],
        failing=[Tcp("127.0.0.1", PORT_OF_NOBODY)] if plugin.is_check else [],
        slow=only_checks(plugin, Tcp("127.0.0.1", port, banner="never")),
    )


@pytest.mark.slow
@pytest.mark.parametrize("plugin", [TlsCheck(), WaitTls()])
def test_tls_conforms(plugin: AnyPlugin, port: int, secure: Tls) -> None:
    """Looks at a certificate, and waits for it, do what every plugin must."""
    missing = Tls("127.0.0.1", port, ca_file="/nonexistent/ca.pem")
    check_plugin(
        plugin,
        [secure],
        refused=[Tls("", 0)],
        failing=[missing],
        slow=only_checks(plugin, Tls("127.0.0.1", port)),
    )


@pytest.mark.parametrize("plugin", [DnsCheck(), WaitDns()])
def test_dns_conforms(plugin: AnyPlugin) -> None:
    """Look-ups, and waits for them, do what every plugin must."""
    wrong = Dns("localhost", ("192.0.2.1",))
    check_plugin(
        plugin,
        [Dns("localhost", family="ipv4")],
        refused=[Dns("", exactly=True)],
        failing=[wrong] if plugin.is_check else [],
    )


@pytest.mark.skipif(
    shutil.which("ping") is None, reason="the program ping is not installed"
)
@pytest.mark.slow
@pytest.mark.parametrize("plugin", [PingCheck(), WaitPing()])
def test_ping_conforms(plugin: AnyPlugin) -> None:
    """Pings, and waits for them, do what every plugin must."""
    check_plugin(
        plugin,
        [Ping("127.0.0.1", count=1)],
        refused=[Ping("", count=0)],
        failing=[Ping("999.1.1.1")] if plugin.is_check else [],
        slow=only_checks(plugin, Ping("127.0.0.1", count=10, interval=0.5)),
    )
