"""What every plugin must do, these do: put to the test against a real server."""

from __future__ import annotations

from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from workstream import SecretRef
from workstream.testing import check_plugin
from workstream_http import (
    HttpAction,
    HttpCheck,
    HttpCheckRequest,
    HttpRequest,
)

TOKEN = SecretRef("env:CONFORMANCE_TOKEN")


class Service:
    """A server that keeps what it is sent, and answers slowly where that is asked for.

    Attributes:
        url: Where it is.
        kept: What was put there, by path.
    """

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.closing = Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/slow":
                    service.closing.wait(30)
                self._answer(404 if self.path == "/missing" else 200)

            def do_PUT(self) -> None:
                length = int(self.headers["content-length"])
                service.kept[self.path] = self.rfile.read(length)
                self._answer(200)

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                before = service.kept.get(self.path, b"")
                service.kept[self.path] = before + self.rfile.read(length)
                self._answer(201)

            def _answer(self, status: int) -> None:
                try:
                    self.send_response(status)
                    self.send_header("content-length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")
                except OSError:
                    self.close_connection = True  # the client was cancelled

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def look(self) -> dict[str, bytes]:
        """What was put there."""
        return dict(self.kept)


@pytest.fixture
def service() -> Generator[Service]:
    """A server of the test's own."""
    service = Service()
    thread = Thread(target=service.server.serve_forever)
    thread.start()
    yield service
    service.closing.set()
    service.server.shutdown()
    thread.join()
    service.server.server_close()


@pytest.mark.slow
def test_requests_conform(service: Service) -> None:
    """What may be sent again is, and what may not says so (R-7); no secret shows."""
    check_plugin(
        HttpAction(),
        [
            HttpRequest(method="PUT", url=f"{service.url}/a", body=TOKEN, bearer=TOKEN),
            HttpRequest(
                method="POST", url=f"{service.url}/b", json={"a": 1}, status="201"
            ),
        ],
        refused=[HttpRequest(url="nowhere"), HttpRequest(url="ftp://host/")],
        failing=[
            HttpRequest(url=f"{service.url}/missing", bearer=TOKEN),
            HttpRequest(url="http://127.0.0.1:1/", user="deploy", password=TOKEN),
        ],
        slow=HttpRequest(url=f"{service.url}/slow"),
        reset=service.kept.clear,
        look=service.look,
        steps=4,
    )


@pytest.mark.slow
def test_checks_conform(service: Service) -> None:
    """A check looks, and changes nothing."""
    check_plugin(
        HttpCheck(),
        [HttpCheckRequest(url=f"{service.url}/", contains="ok", bearer=TOKEN)],
        refused=[HttpCheckRequest(url="")],
        failing=[HttpCheckRequest(url=f"{service.url}/", contains="better")],
        slow=HttpCheckRequest(url=f"{service.url}/slow"),
        look=service.look,
        steps=4,
    )
