"""The guard at the door: no request of another site, no other name, no other content.

A page of another site can make a browser ask *this* server, and a name server can give
this server's address to a name of its own (DNS rebinding). So each request must call the
server by one of its own names (``Host``), and whatever a browser says of where a request
comes from (``Origin``, ``Sec-Fetch-Site``) must be this very site. A link from elsewhere
may open a page, as that changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_RAW = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
_SAFE = ("GET", "HEAD")


class Guard:
    """Lets requests through to an application, and adds the headers to its answers."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Guard an application.

        Args:
            app: The application.
            names: What its host is called, in small letters, each with its port where
                it has one. More may be added later.
        """
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the server refuses what is not answered

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_RAW]
            await send(message)

        why = self._refusal(scope)
        if why:
            await JSONResponse({"error": why}, 403)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _refusal(self, scope: MutableMapping[str, Any]) -> str:
        """Why a request is not let through; "": it is."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), []).append(
                value.decode("latin-1").lower()
            )
        hosts = headers.get("host", [])
        if len(hosts) != 1 or hosts[0] not in self._names:
            return "this server does not go by that name; --name adds one"
        origins = headers.get("origin", [])
        here = (f"http://{hosts[0]}", f"https://{hosts[0]}")
        if any(origin not in here for origin in origins):
            return "a page of another site asked for this"
        safe = scope["method"] in _SAFE
        sites = headers.get("sec-fetch-site", [])
        if any(site not in ("same-origin", "none") for site in sites):
            opens = headers.get("sec-fetch-mode") == ["navigate"]
            if not (safe and opens):
                return "a page of another site asked for this"
        return ""
