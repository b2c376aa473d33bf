"""How a request gets to its server, and how far it has come.

Usually httpx2 finds the way, through a proxy where the environment names one. A request
with ``connect_to`` or ``unix_socket`` goes where it says and through no proxy; name and
certificate are those of its URL all the same.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

import attrs
import httpx2

from ._requests import AnyRequest


def transport(
    asked: AnyRequest, tls: ssl.SSLContext
) -> httpx2.AsyncBaseTransport | None:
    """The way of a request that says where it goes; None: httpx2 finds it."""
    if asked.unix_socket:
        return httpx2.AsyncHTTPTransport(verify=tls, uds=asked.unix_socket)
    if asked.connect_to:
        return _Elsewhere(httpx2.AsyncHTTPTransport(verify=tls), asked.connect_to)
    return None


def backend(connect_to: str) -> tuple[str, int | None]:
    """Host and port of ``connect_to``; None: the URL's port.

    Raises:
        ValueError: It is not ``HOST`` or ``HOST:PORT``.
    """
    try:
        # No scheme of the web, so that no port is left out as the usual one.
        url = httpx2.URL(f"tcp://{connect_to}")
    except httpx2.InvalidURL:
        raise ValueError(connect_to) from None
    if not url.host or url.raw_path not in (b"", b"/") or url.userinfo:
        raise ValueError(connect_to)
    return url.host, url.port


class _Elsewhere(httpx2.AsyncBaseTransport):
    """Connects to another address than the URL says."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, connect_to: str) -> None:
        self._inner = inner
        self._host, self._port = backend(connect_to)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it there; the header Host and the TLS name stay."""
        url = request.url
        name = url.raw_host.decode("ascii")
        moved = httpx2.Request(
            request.method,
            url.copy_with(host=self._host, port=self._port or url.port),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": name},
        )
        return await self._inner.handle_async_request(moved)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()


_WAITING = {
    "send_request_headers": "for it to take the request",
    "send_request_body": "for it to take the body of the request",
    "receive_response_headers": "for its answer",
    "receive_response_body": "for the rest of its answer",
}


@attrs.define
class Progress:
    """How far a request has come, as httpcore2 traces it.

    Attributes:
        asked: The request of the plan.
        server: Host and port of the URL that is asked, which changes by redirects.
        peer: What was connected to last: an address, the name of a socket.
        variable: What names the proxy, if that is what was connected to.
        connected: Whether the connection was made.
        secured: The name that TLS was last asked to prove.
        step: What is being done.
    """

    asked: AnyRequest
    server: tuple[str, int] = ("", 0)
    peer: str = ""
    variable: str = ""
    connected: bool = False
    secured: str = ""
    step: str = ""

    def begin(self, url: httpx2.URL) -> None:
        """A request to this URL comes next."""
        port = url.port or (443 if url.scheme == "https" else 80)
        self.server = (url.raw_host.decode("ascii"), port)
        self.peer = self.variable = self.secured = self.step = ""
        self.connected = False
        self._scheme = url.scheme

    _scheme: str = "http"

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take a step into account; for the extension ``trace`` of httpcore2."""
        _, step, state = event.split(".")
        if state == "started" and (step in _WAITING or step == "start_tls"):
            self.step = step  # closing is none: it comes when all is over
        if step == "connect_tcp" and state == "started":
            host, port = str(info["host"]), int(info["port"])
            self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self.connected = False
            found = (host.strip("[]"), port) == self.server or self.asked.connect_to
            self.variable = "" if found else _proxy_variable(self._scheme)
        elif step == "connect_unix_socket" and state == "started":
            self.peer = str(info["path"])
        elif step == "start_tls" and state == "started":
            self.secured = str(info["server_hostname"])
        elif step in ("connect_tcp", "connect_unix_socket") and state == "complete":
            self.connected = True

    @property
    def via(self) -> str:
        """Which proxy the request goes through; empty: none."""
        return f"the proxy {self.peer} ({self.variable})" if self.variable else ""

    @property
    def target(self) -> str:
        """What is connected to, where the URL does not say so."""
        elsewhere = self.asked.connect_to or self.asked.unix_socket
        return self.via or (self.peer if elsewhere else "")

    @property
    def waited(self) -> str:
        """What it waits for, as the end of a sentence."""
        if not self.peer:
            return "had not begun to connect"
        at = self.via or self.peer
        if not self.connected:
            return f"waited for a connection to {at}"
        if self.step == "start_tls":
            return f"was connected to {at} and waited for the TLS handshake"
        waits = _WAITING.get(self.step, "for its answer")
        return f"was connected to {at} and waited {waits}"


def _proxy_variable(scheme: str) -> str:
    """The variable of the environment that names the proxy."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        for spelling in (name, name.upper()):
            if os.environ.get(spelling):
                return spelling
    return "of this system"
