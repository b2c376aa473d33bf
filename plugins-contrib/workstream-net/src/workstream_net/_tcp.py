"""One look at a TCP port."""

from __future__ import annotations

import trio

from workstream import PluginError
from workstream.plugins import Pattern, explained_timeout

from ._connect import connect, is_refusal, place, reason
from ._requests import Tcp, TcpResult

BANNER_LIMIT = 4096
"""How many bytes of what a server says are read."""

_SHOWN = 200


async def look(request: Tcp) -> TcpResult:
    """See whether the port is as it should be.

    Raises:
        PluginError: It is not. It may be tried again.
    """
    began = trio.current_time()
    where = place(request.host, request.port)
    waits, said = "answer", b""
    async with explained_timeout(lambda: f"{where} did not {waits}{_excerpt(said)}"):
        with trio.move_on_after(request.within):
            try:
                stream = await connect(request.host, request.port)
            except PluginError as error:
                if request.closed and is_refusal(error):
                    return TcpResult("", "", trio.current_time() - began)
                raise
            async with stream:
                if request.closed:
                    message = f"{where} accepts connections, but should be closed"
                    raise PluginError(message)
                address = str(stream.socket.getpeername()[0])
                waits = f"say what matches {request.banner!r}"
                while not _matches(request, said):
                    piece = await _more(stream, where)
                    said += piece
                    if not piece or len(said) >= BANNER_LIMIT:
                        break
                if not _matches(request, said):
                    message = f"{where} says nothing that matches {request.banner!r}"
                    raise PluginError(message + _excerpt(said))
                return TcpResult(address, _text(said), trio.current_time() - began)
        late = f"{where} did not {waits} within {request.within:g} seconds (within)"
        raise PluginError(late + _excerpt(said))


async def _more(stream: trio.SocketStream, where: str) -> bytes:
    try:
        return bytes(await stream.receive_some(BANNER_LIMIT))
    except trio.BrokenResourceError as error:
        why = reason(error)
        message = f"{where} has broken the connection off: {why}"
        raise PluginError(message) from error


def _matches(request: Tcp, said: bytes) -> bool:
    # A server that is asked for no banner need not say anything.
    if not request.banner:
        return True
    return Pattern(request.banner, multiline=True).found_in(_text(said))


def _text(said: bytes) -> str:
    return said[:BANNER_LIMIT].decode(errors="replace")


def _excerpt(said: bytes) -> str:
    text = _text(said)
    return f"; it said {text[:_SHOWN]!r}" if text else ""
