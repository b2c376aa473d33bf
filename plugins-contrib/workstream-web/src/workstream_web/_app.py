"""The application: pages, data, streams of events, and the verbs of who has a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from functools import partial
from importlib import resources
from typing import Any, Protocol
from uuid import UUID

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from workstream import Store, ValidationError, WorkstreamError
from workstream.errors import NotFoundError
from workstream.show import client_file

from ._channels import Channel
from ._lists import PlanList, Query
from ._sequels import SEQUEL_VERBS, Sequels
from ._sse import Board, Stream
from ._tokens import Tokens
from ._verbs import PLAN_VERBS, STORE_VERBS, Order

_LONGEST = 64 * 1024
"""Bytes of a request's body."""
_MANY = 1_000
"""So many streams at once; more are refused."""
_SHARED = ("timeline.js", "report.css")
_OWN = ("page.js", "list.js", "plan.js", "web.css")
_HTML = ("list.html", "plan.html")
_TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html"}


class _Source(Protocol):
    board: Board

    async def run(self, forget: Callable[[], None]) -> None: ...


class _Hub:
    """What is followed at present, each once."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._sources: dict[Hashable, _Source] = {}

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What follows this; it begins when it is first asked for."""
        found = self._sources.get(key)
        if found is None:
            found = self._sources[key] = make()
            self._nursery.start_soon(found.run, partial(self._forget, key, found))
        return found

    @property
    def readers(self) -> int:
        """How many streams there are."""
        return sum(each.board.readers for each in self._sources.values())

    def _forget(self, key: Hashable, source: _Source) -> None:
        if self._sources.get(key) is source:
            del self._sources[key]


class _Pages:
    """The endpoints."""

    def __init__(
        self, store: Store, tokens: Tokens, hub: _Hub, sequels: Sequels
    ) -> None:
        self._store = store
        self._sequels = sequels
        self._tokens = tokens
        self._hub = hub
        self._files = {name: client_file(name).strip() + "\n" for name in _SHARED}
        own = resources.files(__name__.rpartition(".")[0]) / "pages"
        for name in (*_OWN, *_HTML):
            self._files[name] = (own / name).read_text(encoding="utf-8")
        head = (own / "head.html").read_text(encoding="utf-8")
        for name in _HTML:
            whole = self._files[name].replace("<!-- head.html -->\n", head)
            self._files[name] = whole

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in (*_SHARED, *_OWN):
            return _error("no such file", 404)
        return self._page(name)

    async def list_page(self, request: Request) -> Response:
        return self._page("list.html")

    async def plan_page(self, request: Request) -> Response:
        return self._page("plan.html")

    def _page(self, name: str) -> Response:
        kind = _TYPES[name.rpartition(".")[2]]
        headers = {"cache-control": "no-cache"}
        return Response(self._files[name], media_type=kind, headers=headers)

    async def plans(self, request: Request) -> ASGIApp:
        query = Query.of(request.query_params)
        source = self._hub.get(query, lambda: PlanList(self._store, query))
        # Each message is the whole list: whoever comes needs the latest one alone.
        return self._stream(source.board, max(source.board.position - 1, 0))

    async def plan(self, request: Request) -> Response:
        channel = await self._channel(request)
        headers = {"content-encoding": "gzip", "cache-control": "no-store"}
        data = await channel.document()
        return Response(data, media_type="application/json", headers=headers)

    async def events(self, request: Request) -> ASGIApp:
        channel = await self._channel(request)
        # A browser that reconnects tells by itself how far it has come.
        after = request.headers.get("last-event-id") or request.query_params.get(
            "after", ""
        )
        # Without a position yet, a board would take a page that is too old for a new one.
        latest = await channel.latest()
        if after == "latest":
            return self._stream(channel.board, latest)
        if not (after.isascii() and after.isdigit()):
            message = f"after is {after!r}: it must be a position, or latest"
            raise ValidationError(message)
        return self._stream(channel.board, int(after))

    async def verb(self, request: Request) -> Response:
        by = self._tokens.name_of(_bearer(request))
        if by is None:
            why = "no token of this server's came with it"
            if not self._tokens:
                why = "this server only shows: start it with --tokens FILE"
            return _error(why, 401)
        order = Order.of(await _body(request), by)
        name = request.path_params["verb"]
        if name in SEQUEL_VERBS:
            return await self._sequel(request, name, order)
        if "plan_id" in request.path_params:
            plan_id = await self._plan_id(request)
            done = await PLAN_VERBS[name](self._store, plan_id, order)
        else:
            done = await STORE_VERBS[name](self._store, order)
        return JSONResponse({"by": by, "done": done})

    async def _sequel(self, request: Request, verb: str, order: Order) -> Response:
        plan_id = await self._plan_id(request)
        if order.flag("dry_run"):
            shown = await self._sequels.preview(verb, plan_id, order)
            return JSONResponse({"by": order.by, "preview": shown})
        new = await self._sequels.begin(verb, plan_id, order)
        return JSONResponse({"by": order.by, "done": "begun", "plan": str(new)})

    async def who(self, request: Request) -> Response:
        """Whose token this is, and whether there are any."""
        name = self._tokens.name_of(_bearer(request))
        return JSONResponse({"name": name, "tokens": bool(self._tokens)})

    async def _channel(self, request: Request) -> Channel:
        plan_id = await self._plan_id(request)
        found = self._hub.get(plan_id, lambda: Channel(self._store, plan_id))
        assert isinstance(found, Channel)
        return found

    async def _plan_id(self, request: Request) -> UUID:
        found = await self._store.find(request.path_params["plan_id"])
        return found.row.id

    def _stream(self, board: Board, after: int) -> ASGIApp:
        if self._hub.readers >= _MANY:
            return _error("too many look at once", 503)
        return Stream(board, after)


def application(
    store: Store, where: str | None, tokens: Tokens, nursery: trio.Nursery
) -> ASGIApp:
    """The application, for a store that is open.

    Args:
        store: The store.
        where: What was given as ``--store``.
        tokens: Who may tell plans what to do.
        nursery: What follows plans runs there.
    """
    pages = _Pages(store, tokens, _Hub(nursery), Sequels(where))
    plan = "/api/plans/{plan_id}"
    plan_verbs, store_verbs = (
        [
            Route(f"{place}/{verb}", _verb(pages, verb), methods=["POST"])
            for verb in verbs
        ]
        for place, verbs in (
            (plan, (*PLAN_VERBS, *SEQUEL_VERBS)),
            ("/api", STORE_VERBS),
        )
    )
    return Starlette(
        routes=[
            Route("/", pages.list_page),
            Route("/plans/{plan_id}", pages.plan_page),
            Route("/static/{name}", pages.file),
            Route("/api/plans", pages.plans),
            Route(plan, pages.plan),
            Route(f"{plan}/events", pages.events),
            Route("/api/who", pages.who),
            *plan_verbs,
            *store_verbs,
        ],
        exception_handlers={WorkstreamError: _refused},
    )


def _verb(pages: _Pages, name: str) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        request.path_params["verb"] = name
        return await pages.verb(request)

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    return _error(str(error), 404 if isinstance(error, NotFoundError) else 400)


def _error(why: str, status: int) -> Response:
    return JSONResponse({"error": why}, status)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _body(request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        message = "the body is no JSON"
        raise ValidationError(message)
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > _LONGEST:
            message = f"the body has more than {_LONGEST:,} bytes"
            raise ValidationError(message)
    try:
        return json.loads(data)
    except ValueError as error:
        message = "the body is no JSON"
        raise ValidationError(message) from error
