"""Server-sent events: messages that many receive, and a response that sends them.

A ``Board`` keeps the latest messages, encoded once for all. Each reader knows by a number
how far it has come. One that is slower than what the board keeps is told to begin anew.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
import trio
from starlette.types import Receive, Scope, Send

KEPT = 240
"""How many messages a board keeps: of a minute, at four each second."""
_BEAT = 15.0
"""Seconds of silence after which a reader is sent a sign of life."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy before this must not hold it back
]


@attrs.frozen
class Message:
    """One message on a board.

    Attributes:
        since: The position after which it tells what changed.
        position: The position that a reader has come to with it.
        data: As it goes over the wire.
    """

    since: int
    position: int
    data: bytes


def encoded(event: str, data: Any, position: int | None = None) -> bytes:
    """A message as it goes over the wire. JSON has no line breaks, so it is one line."""
    text = json.dumps(data, separators=(",", ":"))
    number = "" if position is None else f"id: {position}\n"
    return f"{number}event: {event}\ndata: {text}\n\n".encode()


class Board:
    """The latest messages about one thing.

    Attributes:
        readers: How many read it.
        position: The position of its last message.
        is_over: Whether nothing more will come.
    """

    def __init__(self, position: int = 0) -> None:
        """Begin at a position, with no message."""
        self.readers = 0
        self.position = position
        self.is_over = False
        self._for_good = False
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._count = 0
        self._news = trio.Event()

    def post(self, event: str, data: Any, position: int) -> None:
        """Tell all readers something."""
        message = Message(self.position, position, encoded(event, data, position))
        self.position = position
        self._messages.append(message)
        self._count += 1
        self._wake()

    def close(self, *, for_good: bool) -> None:
        """Nothing more will come.

        Args:
            for_good: Whether it is not worth asking again; a browser does otherwise.
        """
        self.is_over = True
        self._for_good = for_good
        self._wake()

    def covers(self, position: int) -> bool:
        """Whether a reader that has come to this position can go on."""
        first = self._messages[0].since if self._messages else self.position
        return first <= position <= self.position

    async def read(self, after: int, send: Callable[[bytes], Any]) -> None:
        """Send what comes after a position, until nothing more will."""
        if not self.covers(after):
            await send(encoded("reload", {}))
            return
        first = self._count - len(self._messages)
        at = first + sum(each.position <= after for each in self._messages)
        # What says how it stands now has the position of what came before it.
        if at == self._count and self._messages:
            at -= 1
        while True:
            first = self._count - len(self._messages)
            if at < first:
                await send(encoded("reload", {}))
                return
            if at < self._count:
                pieces = [
                    self._messages[n - first].data for n in range(at, self._count)
                ]
                at = self._count
                await send(b"".join(pieces))
            elif self.is_over:
                if self._for_good:
                    await send(encoded("over", {}))
                return
            else:
                news = self._news
                with trio.move_on_after(_BEAT) as silence:
                    await news.wait()
                if silence.cancelled_caught:
                    await send(b":\n\n")

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()


class Stream:
    """An answer that sends a board's messages for as long as somebody reads."""

    def __init__(self, board: Board, after: int) -> None:
        """Send what comes after a position."""
        self._board = board
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def send_body(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()

        start = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
        self._board.readers += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(gone)
                await send(start)
                await send_body(b"retry: 1000\n\n")
                await self._board.read(self._after, send_body)
                await send({"type": "http.response.body", "body": b""})
                nursery.cancel_scope.cancel()
        finally:
            self._board.readers -= 1
