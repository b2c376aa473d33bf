"""What is said in the clear before a server goes over to TLS.

No more than ``LIMIT`` bytes are read, and nothing may come behind the server's yes: that
would have been sent by somebody on the way, and be taken for the server's own later.
"""

from __future__ import annotations

import trio

from workstream import PluginError

LIMIT = 16 * 1024
"""How many bytes a server may say before TLS begins."""

_SHOWN = 200
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


async def go_over(stream: trio.SocketStream, protocol: str, where: str) -> None:
    """Ask the server to begin TLS, in its protocol.

    Args:
        stream: The connection, nothing read from it yet.
        protocol: ``"smtp"`` or ``"postgres"``.
        where: What to call the server.

    Raises:
        PluginError: It does not; it may be tried again.
    """
    try:
        await (_smtp if protocol == "smtp" else _postgres)(stream, where)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        message = f"{where} has broken the connection off before TLS"
        raise PluginError(message) from error


async def _postgres(stream: trio.SocketStream, where: str) -> None:
    """PostgreSQL: a request for TLS, answered by one letter."""
    await stream.send_all(_SSL_REQUEST)
    said = bytes(await stream.receive_some(LIMIT))
    if said == b"S":
        return
    if said[:1] == b"N":
        message = f"{where} is a PostgreSQL server without TLS (its setting ssl is off)"
    else:
        message = f"{where} does not answer as a PostgreSQL server{_excerpt(said)}"
    raise PluginError(message)


async def _smtp(stream: trio.SocketStream, where: str) -> None:
    """SMTP: a greeting, EHLO, STARTTLS (RFC 3207)."""
    replies = _Replies(stream, where)
    code, text = await replies.next()
    if code != 220:
        message = f"{where} is no SMTP server, or is not ready{_excerpt(text)}"
        raise PluginError(message)
    code, text = await replies.ask(b"EHLO localhost\r\n")
    offers = {line[4:].strip().upper() for line in text.splitlines()}
    if code != 250 or b"STARTTLS" not in offers:
        message = f"{where} does not offer STARTTLS{_excerpt(text)}"
        raise PluginError(message)
    code, text = await replies.ask(b"STARTTLS\r\n")
    if code != 220:
        message = f"{where} does not begin TLS{_excerpt(text)}"
        raise PluginError(message)
    if replies.rest:
        message = f"{where} says more in the clear, behind its yes to STARTTLS"
        raise PluginError(message)


class _Replies:
    """The replies of an SMTP server."""

    def __init__(self, stream: trio.SocketStream, where: str) -> None:
        self.rest = b""
        self._stream = stream
        self._where = where
        self._left = LIMIT

    async def ask(self, command: bytes) -> tuple[int, bytes]:
        """Send a command, and read the reply."""
        await self._stream.send_all(command)
        return await self.next()

    async def next(self) -> tuple[int, bytes]:
        """The code and the text of the next reply, its lines as they came."""
        lines: list[bytes] = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(await self._line())
            if not lines[-1][:3].isdigit():
                message = f"{self._where} does not answer as an SMTP server"
                raise PluginError(message + _excerpt(lines[-1]))
        return int(lines[-1][:3]), b"\n".join(lines)

    async def _line(self) -> bytes:
        while b"\n" not in self.rest:
            piece = bytes(await self._stream.receive_some(self._left))
            self._left -= len(piece)
            self.rest += piece
            if not piece or self._left <= 0:
                what = "has hung up before TLS" if not piece else "never comes to TLS"
                message = f"{self._where} {what}{_excerpt(self.rest)}"
                raise PluginError(message)
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")


def _excerpt(said: bytes) -> str:
    text = said[:_SHOWN].decode(errors="replace")
    return f"; it said {text!r}" if text else "; it said nothing"
