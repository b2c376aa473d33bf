"""Certificates of servers that begin without TLS: a real PostgreSQL, a real SMTP server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
import trustme
from trio.testing import trio_test

from workstream import PluginError
from workstream_net import Tls, TlsCheck, TlsResult

if TYPE_CHECKING:
    from conftest import Attempt

MAIL_SERVER = """
import asyncio, ssl, sys
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

async def main(certificate):
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    make = lambda: SMTP(Sink(), hostname="mail.example", tls_context=tls)
    server = await loop.create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main(sys.argv[1]))
"""


@attrs.frozen
class Authority:
    """A certificate authority, and one certificate of it for 127.0.0.1.

    Attributes:
        ca_file: The authority's certificate.
        both: Certificate and key of a server.
    """

    ca_file: str
    both: Path


@pytest.fixture(scope="module")
def authority() -> Generator[Authority]:
    """Whom the tests trust; in a folder that an unprivileged server can reach."""
    with tempfile.TemporaryDirectory(prefix="workstream-starttls-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(folder / "ca.pem")
        both = folder / "both.pem"
        ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(both)
        yield Authority(str(folder / "ca.pem"), both)


def mail_server(certificate: str) -> Generator[int]:
    """A real SMTP server in a process of its own; its port."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", MAIL_SERVER, certificate],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def mail(authority: Authority) -> Generator[int]:
    """The port of an SMTP server that speaks STARTTLS."""
    yield from mail_server(str(authority.both))


@pytest.fixture(scope="module")
def plain_mail() -> Generator[int]:
    """The port of one that does not."""
    yield from mail_server("")


def postgres_programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    program = shutil.which("initdb") or (str(found[0]) if found else None)
    return None if program is None else Path(program).resolve().parent


@pytest.fixture(scope="module")
def postgres(authority: Authority) -> Generator[int]:
    """The port of a real PostgreSQL with TLS, run by a user without privileges."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl")
    with tempfile.TemporaryDirectory(prefix="workstream-starttls-") as name:
        folder = Path(name)
        key = folder / "server.pem"
        key.write_bytes(authority.both.read_bytes())
        key.chmod(0o600)
        user = None
        if os.geteuid() == 0:  # whom PostgreSQL refuses
            user = pwd.getpwnam("nobody").pw_uid
            for path in (folder, key):
                os.chown(path, user, -1)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, "-D", str(folder / "data"), *arguments],
                cwd=folder,
                env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
                user=user,
            )

        run("initdb", "-A", "trust", "-N")
        with (folder / "data/postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{folder}'\nssl = on\n"
                f"ssl_cert_file = '{key}'\nssl_key_file = '{key}'\n"
            )
        run("pg_ctl", "-w", "-l", str(folder / "log"), "start")
        try:
            yield port
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


async def look(context: Attempt, request: Tls) -> TlsResult:
    """A valid look."""
    TlsCheck().validate(request)
    return await TlsCheck().execute(context, request)


async def fails(context: Attempt, request: Tls) -> str:
    """The message of a look that fails and may be tried again."""
    with pytest.raises(PluginError) as caught:
        await look(context, request)
    assert not caught.value.permanent
    return caught.value.message


@trio_test
async def test_a_mail_server(context: Attempt, mail: int, authority: Authority) -> None:
    """With ``starttls="smtp"`` the certificate of an SMTP server is seen."""
    result = await look(
        context,
        Tls("127.0.0.1", mail, starttls="smtp", ca_file=authority.ca_file),
    )

    assert result.names == ("127.0.0.1",)
    assert result.protocol.startswith("TLSv1.")


@pytest.mark.slow
@trio_test
async def test_a_database(
    context: Attempt, postgres: int, authority: Authority
) -> None:
    """With ``starttls="postgres"`` the certificate of a PostgreSQL server is seen."""
    result = await look(
        context,
        Tls("127.0.0.1", postgres, starttls="postgres", ca_file=authority.ca_file),
    )

    assert result.names == ("127.0.0.1",)


@pytest.mark.slow
@trio_test
async def test_a_certificate_is_judged_as_everywhere(
    context: Attempt, mail: int, postgres: int, authority: Authority
) -> None:
    """An authority that is not known, or a short time, fails behind STARTTLS too."""
    unknown = await fails(context, Tls("127.0.0.1", mail, starttls="smtp"))
    other = await fails(
        context,
        Tls(
            "127.0.0.1",
            postgres,
            starttls="postgres",
            ca_file=authority.ca_file,
            server_name="db.example",
        ),
    )

    assert unknown.startswith(f"the certificate of 127.0.0.1:{mail} is not trusted: ")
    assert "Hostname mismatch" in other


@pytest.mark.slow
@trio_test
async def test_servers_without_tls(context: Attempt, plain_mail: int) -> None:
    """A server that offers no STARTTLS is named, with what it said."""
    message = await fails(context, Tls("127.0.0.1", plain_mail, starttls="smtp"))

    assert message.startswith(
        f"127.0.0.1:{plain_mail} does not offer STARTTLS; it said '250-mail.example"
    )


@pytest.mark.slow
@trio_test
async def test_the_wrong_protocol(context: Attempt, mail: int, postgres: int) -> None:
    """Asking one server in the language of another says so; so does TLS at once."""
    database = await fails(context, Tls("127.0.0.1", mail, starttls="postgres"))
    at_once = await fails(context, Tls("127.0.0.1", mail))

    assert "does not answer as a PostgreSQL server; it said '220 mail" in database
    assert at_once.endswith("(if it begins without TLS, see starttls)")


async def said(context: Attempt, words: list[bytes], protocol: str) -> str:
    """How a look fails at a server that says these words, each when it was asked."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    async def talk(stream: trio.SocketStream) -> None:
        async with stream:
            for word in words:
                if word:
                    await stream.send_all(word)
                if not await stream.receive_some():
                    return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, talk, [listener])
        request = Tls("127.0.0.1", port, starttls=protocol)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        message = await fails(context, request)
        nursery.cancel_scope.cancel()
    return message.replace(f"127.0.0.1:{port} ", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [b"554 go away\r\n"],
            "is no SMTP server, or is not ready; it said '554 go away'",
        ),
        ([b"SSH-2.0-x\r\n"], "does not answer as an SMTP server; it said 'SSH-2.0-x'"),
        (
            [b"220 hi\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 not now\r\n"],
            "does not begin TLS; it said '454 not now'",
        ),
        (
            [b"220 hi\r\n", b"250-x\r\n250 HELP\r\n"],
            r"does not offer STARTTLS; it said '250-x\n250 HELP'",
        ),
        (
            [b"220 hi\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n250 evil\r\n"],
            "says more in the clear, behind its yes to STARTTLS",
        ),
    ],
)
@trio_test
async def test_what_a_mail_server_says_is_heard(
    context: Attempt, words: list[bytes], message: str
) -> None:
    """Each answer that is no yes is an error with the server's words."""
    assert await said(context, words, "smtp") == message


@pytest.mark.parametrize("flood", [b"2", b"220-x\r\n"])
@trio_test
async def test_a_greeting_without_an_end_is_cut_off(
    context: Attempt, flood: bytes
) -> None:
    """No more than 16 KiB are read before TLS, in one line or in many."""
    message = await said(context, [flood * 20_000], "smtp")

    assert message.startswith("never comes to TLS; it said '2")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"N", "is a PostgreSQL server without TLS (its setting ssl is off)"),
        (b"S1", "does not answer as a PostgreSQL server; it said 'S1'"),
    ],
)
@trio_test
async def test_what_a_database_says_is_heard(
    context: Attempt, answer: bytes, message: str
) -> None:
    """A no, and a yes with something behind it, are errors."""
    assert await said(context, [b"", answer], "postgres") == message
