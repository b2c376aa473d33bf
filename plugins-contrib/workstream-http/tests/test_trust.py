"""TLS, with a certificate authority of the tests' own."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from trio.testing import trio_test

from workstream import PluginError
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest

if TYPE_CHECKING:
    from conftest import Attempt, Received, Reply, Serve


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


def server_side(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """What a server with a certificate for ``host`` needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = authority.issue_cert(host)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


async def answer(received: Received, reply: Reply) -> None:
    """Say yes, or redirect to http."""
    if received.target == "/down":
        await reply.send(302, b"", {"Location": "http://127.0.0.1:1/"})
    else:
        await reply.send(200, b"safe")


async def fails(context: Attempt, request: HttpRequest) -> PluginError:
    """Send a request that fails."""
    with pytest.raises(PluginError) as caught:
        await HttpAction().execute(context, request)
    return caught.value


@trio_test
async def test_an_unknown_authority_is_not_trusted(
    serve: Serve, context: Attempt, authority: trustme.CA
) -> None:
    """A certificate of an authority that the system does not know is an error."""
    async with serve(answer, server_side(authority, "127.0.0.1")) as it:
        error = await fails(context, HttpRequest(url=it.url))

    assert it.received == []
    assert error.message.startswith(
        f"GET {it.url}/ does not trust the certificate of the server: "
    )
    assert error.message.endswith("(see ca_file)")
    assert not error.permanent


@trio_test
async def test_an_authority_of_one_s_own(
    serve: Serve, context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """What an authority in ``ca_file`` has signed is trusted."""
    plugin = HttpCheck()
    async with serve(answer, server_side(authority, "127.0.0.1")) as it:
        response = await plugin.execute(
            context, HttpCheckRequest(url=it.url, ca_file=ca_file)
        )
        with pytest.raises(PluginError, match="does not trust"):
            await plugin.execute(context, HttpCheckRequest(url=it.url))

    assert response.body == "safe"


@trio_test
async def test_a_certificate_for_another_host(
    serve: Serve, context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """A trusted certificate for another name is not trusted."""
    async with serve(answer, server_side(authority, "web.example")) as it:
        error = await fails(context, HttpRequest(url=it.url, ca_file=ca_file))

    assert "does not trust the certificate of the server: IP address" in error.message


@trio_test
async def test_verification_is_switched_off_by_name(
    serve: Serve, context: Attempt, authority: trustme.CA
) -> None:
    """With ``verify=False`` any certificate does."""
    async with serve(answer, server_side(authority, "web.example")) as it:
        response = await HttpCheck().execute(
            context, HttpCheckRequest(url=it.url, verify=False)
        )

    assert response.body == "safe"


@trio_test
async def test_the_authorities_of_the_environment(
    serve: Serve,
    context: Attempt,
    authority: trustme.CA,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SSL_CERT_FILE replaces the system's authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    async with serve(answer, server_side(authority, "127.0.0.1")) as it:
        response = await HttpCheck().execute(context, HttpCheckRequest(url=it.url))

    assert response.body == "safe"


@pytest.mark.parametrize("content", [None, "no certificate"])
@trio_test
async def test_a_ca_file_that_cannot_be_used(
    context: Attempt, tmp_path: Path, content: str | None
) -> None:
    """A missing or broken ``ca_file`` is a permanent error that names it."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    error = await fails(
        context, HttpRequest(url="https://127.0.0.1:1/", ca_file=str(path))
    )

    assert error.permanent
    assert str(path) in error.message


@trio_test
async def test_a_file_that_never_ends_is_not_read(
    context: Attempt, tmp_path: Path
) -> None:
    """A pipe that nobody writes to holds up neither the loop nor the attempt."""
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    for request in (
        HttpRequest(url="https://127.0.0.1:1", ca_file=pipe),
        HttpRequest(url="https://127.0.0.1:1", cert_file=pipe),
    ):
        error = await fails(context, request)
        assert error.permanent
        assert "it is no regular file" in error.message


@trio_test
async def test_https_is_not_left(
    serve: Serve, context: Attempt, authority: trustme.CA, ca_file: str
) -> None:
    """A redirect from https to http is not followed."""
    async with serve(answer, server_side(authority, "127.0.0.1")) as it:
        error = await fails(
            context,
            HttpRequest(url=it.url + "/down", ca_file=ca_file, follow_redirects=True),
        )

    assert error.code == 0
    assert "it redirects from https to http://127.0.0.1:1/, which" in error.message


@trio_test
async def test_a_server_without_tls(serve: Serve, context: Attempt) -> None:
    """Speaking https to a server that does not is an error that may be tried again."""
    async with serve(answer) as it:
        error = await fails(context, HttpRequest(url=it.url.replace("http:", "https:")))

    assert " cannot connect: " in error.message
    assert not error.permanent
