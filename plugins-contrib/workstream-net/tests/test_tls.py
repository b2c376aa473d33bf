"""Looks at certificates of real TLS servers, with an authority of the tests' own."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trustme
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import PluginError
from workstream_net import Tls, TlsCheck

if TYPE_CHECKING:
    from conftest import Attempt, Names

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates of the servers."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """The certificate of the authority, as a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@asynccontextmanager
async def serving(certificate: trustme.LeafCert) -> AsyncGenerator[int]:
    """A TLS server on loopback; its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)

    async def handle(stream: trio.SSLStream[trio.SocketStream]) -> None:
        async with stream:
            try:
                await stream.receive_some()
            except trio.BrokenResourceError:
                return

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    secure = trio.SSLListener(listener, context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [secure])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def fails(request: Tls, context: Attempt) -> PluginError:
    """The error of a look that fails."""
    with pytest.raises(PluginError) as caught:
        await TlsCheck(lambda: NOW).execute(context, request)
    return caught.value


@trio_test
async def test_a_certificate_that_lasts_passes(
    context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """The result tells for whom the certificate is, from whom, and for how long."""
    until = NOW + timedelta(days=30)
    certificate = authority.issue_cert("127.0.0.1", "web.example", not_after=until)
    async with serving(certificate) as port:
        result = await TlsCheck(lambda: NOW).execute(
            context, Tls("127.0.0.1", port, min_days=30, ca_file=ca_file)
        )

    assert result.not_after == until
    assert result.days_left == 30
    assert set(result.names) == {"127.0.0.1", "web.example"}
    assert result.address == "127.0.0.1"
    assert result.protocol.startswith("TLSv1.")
    assert result.subject.startswith("O=trustme v")
    assert "O=trustme v" in result.issuer


@trio_test
async def test_a_certificate_that_expires_soon_fails(
    context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """One that is valid, but not for ``min_days``, fails with the day it ends."""
    until = NOW + timedelta(days=10, hours=12)
    certificate = authority.issue_cert("127.0.0.1", not_after=until)
    async with serving(certificate) as port:
        error = await fails(Tls("127.0.0.1", port, ca_file=ca_file), context)

    assert error.message == (
        f"the certificate of 127.0.0.1:{port} expires on {until:%Y-%m-%d at %H:%M} "
        "UTC, in 10.5 days; expected at least 14"
    )
    assert not error.permanent


@trio_test
async def test_a_certificate_that_has_expired_fails(
    context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """An expired certificate is not trusted, also with ``min_days=0``."""
    certificate = authority.issue_cert("127.0.0.1", not_after=NOW - timedelta(days=1))
    async with serving(certificate) as port:
        error = await fails(
            Tls("127.0.0.1", port, ca_file=ca_file, min_days=0), context
        )

    assert error.message == (
        f"the certificate of 127.0.0.1:{port} is not trusted: certificate has expired"
    )


@trio_test
async def test_the_name_must_be_in_the_certificate(
    context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """A certificate for another name is not trusted; ``server_name`` is that name."""
    async with serving(authority.issue_cert("web.example")) as port:
        request = Tls("127.0.0.1", port, ca_file=ca_file, min_days=0)
        error = await fails(request, context)
        named = Tls(
            "127.0.0.1",
            port,
            ca_file=ca_file,
            min_days=0,
            server_name="web.example",
        )
        result = await TlsCheck().execute(context, named)

    assert "is not trusted: IP address mismatch" in error.message
    assert result.names == ("web.example",)


@trio_test
async def test_an_unknown_authority_is_not_trusted(
    context: Attempt, authority: trustme.CA
) -> None:
    """Whom the system does not know is not trusted; the error names ``ca_file``."""
    async with serving(authority.issue_cert("127.0.0.1")) as port:
        error = await fails(Tls("127.0.0.1", port), context)

    assert error.message.endswith("(see ca_file)")
    assert not error.permanent


@pytest.mark.parametrize("content", [None, "no certificate"])
@trio_test
async def test_a_ca_file_that_cannot_be_used(
    context: Attempt, tmp_path: Path, content: str | None
) -> None:
    """A missing or broken ``ca_file`` is a permanent error that names it."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    error = await fails(Tls("127.0.0.1", 1, ca_file=str(path)), context)

    assert error.permanent
    assert str(path) in error.message


@trio_test
async def test_a_server_that_speaks_no_tls(
    context: Attempt, authority: trustme.CA
) -> None:
    """What answers something else is an error that may be tried again."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(b"SSH-2.0-Test\r\n")

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        error = await fails(Tls("127.0.0.1", port), context)
        nursery.cancel_scope.cancel()

    assert f"127.0.0.1:{port} does not speak TLS with us: " in error.message
    assert not error.permanent


@trio_test
async def test_a_server_that_hangs_is_left(
    context: Attempt, mock_clock: MockClock
) -> None:
    """A handshake that nobody answers ends with the look's own limit."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    left = trio.Event()

    async def hang(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(7)
            assert await stream.receive_some() == b""
            left.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, hang, [listener])
        error = await fails(Tls("127.0.0.1", port, within=7), context)
        await left.wait()
        nursery.cancel_scope.cancel()

    assert error.message == (
        f"127.0.0.1:{port} did not answer within 7 seconds (within)"
    )


@trio_test
async def test_a_host_that_cannot_be_found(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """Without a connection there is nothing to trust."""
    resolve({"web": OSError(101, "Network is unreachable")})

    error = await fails(Tls("web"), context)

    assert error.message == "web:443 cannot be connected to: Network is unreachable"


@trio_test
async def test_a_ca_file_that_never_ends_is_not_read(
    context: Attempt, tmp_path: Path
) -> None:
    """A pipe that nobody writes to holds up neither the loop nor the attempt."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    error = await fails(Tls("127.0.0.1", 1, ca_file=str(pipe)), context)

    assert error.permanent
    assert error.message.endswith("(ca_file) cannot be read: it is no regular file")


@trio_test
async def test_a_timeout_says_what_was_waited_for(
    context: Attempt, mock_clock: MockClock
) -> None:
    """A server that accepts and says nothing is named, with the step it is at."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    async def silent(stream: trio.SocketStream) -> None:
        async with stream:
            # The client has sent what it says first, and waits.
            await wait_all_tasks_blocked(0.05)
            mock_clock.jump(5)
            while await stream.receive_some():
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, silent, [listener])
        for request, step in (
            (Tls("127.0.0.1", port), "agree on TLS"),
            (Tls("127.0.0.1", port, starttls="smtp"), "go over to TLS, in smtp"),
            (
                Tls("127.0.0.1", port, starttls="postgres"),
                "go over to TLS, in postgres",
            ),
        ):
            with trio.move_on_after(5):
                error = await fails(request, context)
                assert error.message == (f"127.0.0.1:{port} was waited for: to {step}")
        nursery.cancel_scope.cancel()
