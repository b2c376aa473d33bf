"""The ways to a server: one backend of many, a Unix socket, our own certificate."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trustme
from trio.testing import trio_test

from workstream import PluginError, SecretRef
from workstream_http import HttpAction, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from conftest import Attempt, Received, Reply, Serve


needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the program openssl is not installed"
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates of servers and clients."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """The certificate of the authority, as a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_side(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """What a server with a certificate for ``host`` needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with authority.issue_cert(host).private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


async def answer(received: Received, reply: Reply) -> None:
    """Say yes, or redirect within the origin, or to another."""
    if received.target == "/again":
        await reply.send(302, b"", {"Location": "/here"})
    elif received.target == "/away":
        await reply.send(302, b"", {"Location": "https://else.example/"})
    else:
        await reply.send(200, b"safe")


async def sent(context: Attempt, request: HttpRequest) -> HttpResponse:
    """Send a valid request."""
    HttpAction().validate(request)
    return await HttpAction().execute(context, request)


async def fails(context: Attempt, request: HttpRequest) -> PluginError:
    """Send a valid request that fails."""
    with pytest.raises(PluginError) as caught:
        await sent(context, request)
    return caught.value


@trio_test
async def test_one_backend_behind_a_name(
    serve: Serve,
    context: Attempt,
    authority: trustme.CA,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``connect_to`` asks one machine, for the service's name and certificate."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with serve(answer, server_side(authority, "shop.example")) as it:
        backend = it.url.removeprefix("https://")
        for path in ("", "again"):
            response = await sent(
                context,
                HttpRequest(
                    url=f"https://shop.example/{path}",
                    connect_to=backend,
                    ca_file=ca_file,
                    follow_redirects=True,
                ),
            )
            assert response.body == "safe"
        away = await fails(
            context,
            HttpRequest(
                url="https://shop.example/away",
                connect_to=backend,
                ca_file=ca_file,
                follow_redirects=True,
            ),
        )

    assert [one.header("host") for one in it.received] == ["shop.example"] * 4
    assert context.lines[0].startswith(
        f"GET https://shop.example/ (through {backend}) answered 200"
    )
    assert "another origin, where connect_to does not lead" in away.message


@trio_test
async def test_a_backend_with_the_certificate_of_another(
    serve: Serve, context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """The certificate must be for the URL's name, not for the backend's."""
    async with serve(answer, server_side(authority, "127.0.0.1")) as it:
        error = await fails(
            context,
            HttpRequest(
                url="https://shop.example/",
                connect_to=it.url.removeprefix("https://"),
                ca_file=ca_file,
            ),
        )

    assert it.received == []
    assert "does not trust the certificate of the server: Hostname" in error.message


@trio_test
async def test_a_backend_without_a_port(context: Attempt) -> None:
    """Without a port it is the URL's; a backend that refuses is named."""
    request = HttpRequest(url="http://shop.example:1/", connect_to="127.0.0.1")

    assert (await fails(context, request)).message == (
        "GET http://shop.example:1/ cannot connect to 127.0.0.1:1: Connection refused"
    )


@asynccontextmanager
async def on_socket(path: Path) -> AsyncGenerator[list[bytes]]:
    """A server on a Unix socket; what it received."""
    received: list[bytes] = []

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            received.append(bytes(await stream.receive_some()))
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")
            await stream.receive_some()

    listening = trio.socket.socket(trio.socket.AF_UNIX)
    await listening.bind(str(path))
    listening.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            trio.serve_listeners, handle, [trio.SocketListener(listening)]
        )
        yield received
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_unix_socket(context: Attempt, tmp_path: Path) -> None:
    """``unix_socket`` asks a service that listens on a socket of this machine."""
    path = tmp_path / "s"
    async with on_socket(path) as received:
        response = await sent(
            context, HttpRequest(url="http://docker/info", unix_socket=str(path))
        )

    assert response.body == "up"
    assert received[0].startswith(b"GET /info HTTP/1.1\r\nHost: docker\r\n")


@trio_test
async def test_a_unix_socket_that_is_not_there(
    context: Attempt, tmp_path: Path
) -> None:
    """The socket is named, with the reason."""
    path = tmp_path / "s"
    error = await fails(context, HttpRequest(url="http://d/", unix_socket=str(path)))

    assert error.message == (
        f"GET http://d/ cannot connect to {path}: No such file or directory"
    )


@trio_test
async def test_a_server_that_asks_who_we_are(
    serve: Serve,
    context: Attempt,
    authority: trustme.CA,
    ca_file: str,
    tmp_path: Path,
) -> None:
    """With ``cert_file`` a request proves who sends it; without, it is refused."""
    mine = authority.issue_cert("deployer@acme.example")
    both, certificate, key = (tmp_path / name for name in ("both", "cert", "key"))
    mine.private_key_and_cert_chain_pem.write_to_path(both)
    for blob in mine.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    mine.private_key_pem.write_to_path(key)
    strict = server_side(authority, "127.0.0.1")
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(ca_file)
    async with serve(answer, strict) as it:
        for request in (
            HttpRequest(url=it.url, ca_file=ca_file, cert_file=str(both)),
            HttpRequest(
                url=it.url,
                ca_file=ca_file,
                cert_file=str(certificate),
                key_file=str(key),
            ),
            HttpRequest(url=it.url, verify=False, cert_file=str(both)),
        ):
            assert (await sent(context, request)).body == "safe"


@needs_openssl
@trio_test
async def test_a_server_that_asks_in_vain(
    context: Attempt, authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """A server that wants a certificate and gets none is an error that says so."""
    own = tmp_path / "own.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
    command = [
        *("openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-Verify", "1"),
        *("-verify_return_error", "-cert", str(own), "-CAfile", ca_file),
    ]
    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            partial(
                trio.run_process,
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        )
        said = b""
        while b"ACCEPT" not in said or not said.endswith(b"\n"):
            said += await server.stdout.receive_some()
        url = f"https://{said.split()[-1].decode()}/"
        error = await fails(context, HttpRequest(url=url, ca_file=ca_file))
        server.kill()

    assert error.message == (
        f"GET {url} has lost the connection: the server wants a client certificate "
        "(cert_file)"
    )
    assert not error.permanent


def encrypted(authority: trustme.CA, folder: Path) -> tuple[str, str]:
    """A certificate, and its key, encrypted by the real OpenSSL."""
    mine = authority.issue_cert("deployer@acme.example")
    plain, certificate, key = (folder / name for name in ("plain", "cert", "key"))
    mine.private_key_pem.write_to_path(plain)
    mine.cert_chain_pems[0].write_to_path(certificate)
    subprocess.run(
        [
            *("openssl", "pkey", "-in", plain, "-out", key),
            *("-aes256", "-passout", "pass:hushhush"),
        ],
        check=True,
    )
    return str(certificate), str(key)


@needs_openssl
@trio_test
async def test_an_encrypted_key(
    context: Attempt, authority: trustme.CA, tmp_path: Path
) -> None:
    """A key is opened by ``key_password``; without it nobody is asked at a terminal."""
    certificate, key = encrypted(authority, tmp_path)
    without = await fails(
        context,
        HttpRequest(url="https://127.0.0.1:1", cert_file=certificate, key_file=key),
    )

    assert without.permanent
    assert without.message == (
        f"the client certificate in {certificate!r} (cert_file) and {key!r} (key_file) "
        "cannot be used: the private key is encrypted, and key_password does not open it"
    )


@trio_test
async def test_a_certificate_that_cannot_be_used(
    context: Attempt, authority: trustme.CA, tmp_path: Path
) -> None:
    """A missing file, another's key and garbage are permanent, each with its reason."""
    one, other = (authority.issue_cert(f"{n}.example") for n in ("a", "b"))
    certificate, key, garbage = (tmp_path / name for name in ("cert", "key", "bad"))
    one.cert_chain_pems[0].write_to_path(certificate)
    other.private_key_pem.write_to_path(key)
    garbage.write_text("no certificate")
    reasons = {
        ("/nowhere", ""): "No such file or directory",
        (str(certificate), str(key)): "the private key belongs to another certificate",
        (str(garbage), ""): "it is no PEM file with all that is needed",
        (str(certificate), ""): "it is no PEM file with all that is needed",
    }
    for (cert_file, key_file), reason in reasons.items():
        error = await fails(
            context,
            HttpRequest(
                url="https://127.0.0.1:1", cert_file=cert_file, key_file=key_file
            ),
        )
        assert error.permanent
        assert f"cannot be used: {reason}" in error.message


def test_a_password_is_a_reference() -> None:
    """The password of a key is never written into a plan."""
    request = HttpRequest(
        url="https://a", cert_file="/c", key_password=SecretRef("env:KEY_PASSWORD")
    )

    HttpAction().validate(request)
