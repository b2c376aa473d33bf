"""Real repositories, the servers they are on, and the context of an attempt."""

from __future__ import annotations

import base64
import os
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

import attrs
import pytest
import trio
import trustme

from workstream.plugins import BasePlugin, NoSignals, NoteValue

Request = TypeVar("Request")
Response = TypeVar("Response")

LOGIN = "deploy:abracadabra"
PATIENCE = 60.0
"""Seconds after which a hang is taken for a failure."""


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what it is told."""

    plan_id: UUID = attrs.field(factory=uuid4)
    action_id: UUID = attrs.field(factory=uuid4)
    path: str = "Plan / Action"
    attempt: int = 1
    deadline: datetime | None = None
    idempotency_key: str = "key-of-this-test"
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(message)

    async def remember(self, **notes: NoteValue) -> None:
        self.notes = {**self.notes, **notes}


class Perform(Protocol):
    """What the fixture ``perform`` gives."""

    def __call__(
        self, plugin: BasePlugin[Request, Response], request: Request
    ) -> Response: ...


@pytest.fixture
def context() -> Attempt:
    """What a plugin is told about an attempt."""
    return Attempt()


@pytest.fixture
def perform(context: Attempt) -> Perform:
    """Carry one attempt out, valid as the engine would have it."""

    def perform(plugin: BasePlugin[Any, Any], request: Any) -> Any:
        plugin.validate(request)

        async def main() -> Any:
            with trio.fail_after(PATIENCE):
                return await plugin.execute(context, request)

        return trio.run(main)

    return perform


@pytest.fixture(autouse=True)
def only_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tester's own git settings out; gives the file of those that count."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here (Debian has it in git)")
    for name in [name for name in os.environ if name.startswith(("GIT_", "SSH_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[user]\nname = Tester\nemail = tester@example.org\n"
        "[init]\ndefaultBranch = main\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return settings


@attrs.frozen
class Repo:
    """A repository on disk."""

    path: Path

    def git(self, *words: str) -> str:
        """Run git in it."""
        done = subprocess.run(
            ["git", *words], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files, by their names without ``.txt``; gives the commit's id."""
        for name, text in files.items():
            (self.path / f"{name}.txt").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", ", ".join(files))
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Repo:
    """Where the tests clone from: three commits on main, and a tag for the second."""
    path = tmp_path / "origin"
    path.mkdir()
    repo = Repo(path)
    repo.git("init", "--quiet")
    repo.commit(a="one")
    repo.commit(a="two")
    repo.git("tag", "--annotate", "--message", "Version 2", "v2")
    repo.commit(a="three")
    return repo


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Where the tests clone to; its directory is their own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "tree"


# --- servers ------------------------------------------------------------------------


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = True


@contextmanager
def _running(server: socketserver.TCPServer) -> Generator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        port: int = server.socket.getsockname()[1]
        yield port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def git_daemon(origin: Repo) -> Iterator[str]:
    """The URL of ``origin`` on a real ``git daemon``."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            base = f"--base-path={origin.path.parent}"
            subprocess.run(
                ["git", "daemon", "--inetd", "--export-all", base],
                stdin=self.request,
                stdout=self.request,
                stderr=subprocess.DEVNULL,
            )

    with _running(_Server(("127.0.0.1", 0), Handler)) as port:
        yield f"git://127.0.0.1:{port}/origin"


@attrs.frozen
class DeafServer:
    """A server that takes connections and never answers.

    Attributes:
        url: A repository that there seems to be on it.
        reached: Set when somebody has connected.
    """

    url: str
    reached: threading.Event


@pytest.fixture
def deaf_server() -> Iterator[DeafServer]:
    """A server that a clone hangs at, until either of them ends."""
    reached = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            reached.set()
            while self.request.recv(4096):
                pass

    with _running(_Server(("127.0.0.1", 0), Handler)) as port:
        yield DeafServer(f"git://127.0.0.1:{port}/origin", reached)


@pytest.fixture
def https_server(
    origin: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of ``origin`` on an https server that wants ``LOGIN``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "ca.pem"))
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = tmp_path / "server.pem"
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(chain))
    secure.load_cert_chain(chain)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wanted = "Basic " + base64.b64encode(LOGIN.encode()).decode()
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            done = subprocess.run(
                ["git", "http-backend"],
                input=body,
                stdout=subprocess.PIPE,
                env={
                    **os.environ,
                    "GIT_PROJECT_ROOT": str(origin.path.parent),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
                    "REMOTE_USER": "deploy",
                },
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            self.send_response(200)
            for line in head.decode().splitlines():
                self.send_header(*line.split(": ", 1))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Secure(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> Any:
            plain, address = super().get_request()
            return secure.wrap_socket(plain, server_side=True), address

    with _running(Secure(("127.0.0.1", 0), Handler)) as port:
        yield f"https://127.0.0.1:{port}/origin"
