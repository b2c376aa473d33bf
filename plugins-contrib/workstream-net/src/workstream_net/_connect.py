"""A TCP connection, or a sentence that says why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from socket import gaierror

import trio

from workstream import PluginError
from workstream.plugins import leaves_of


def place(host: str, port: int) -> str:
    """A host and a port as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def connect(host: str, port: int) -> trio.SocketStream:
    """Connect to the first of the host's addresses that answers.

    Raises:
        PluginError: None does. It may be tried again.
    """
    try:
        return await trio.open_tcp_stream(host, port)
    except OSError as error:
        message = f"{place(host, port)} cannot be connected to: {reason(error)}"
        raise PluginError(message) from error


def is_refusal(error: PluginError) -> bool:
    """Whether ``connect`` failed because every address refused: nothing listens."""
    cause = error.__cause__
    return cause is not None and all(
        isinstance(leaf, ConnectionRefusedError) for leaf in _leaves(cause)
    )


def reason(error: BaseException) -> str:
    """What went wrong, each reason once, though addresses may agree in it."""
    return ", ".join(dict.fromkeys(_text(leaf) for leaf in _leaves(error)))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of the single addresses, of which trio makes one."""
    for leaf in leaves_of(error):
        if leaf.__cause__ is not None:
            yield from _leaves(leaf.__cause__)
        else:
            yield leaf


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno and not isinstance(error, gaierror):
        # trio puts the address before the reason, and the message has the host.
        return os.strerror(error.errno)
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or type(error).__name__
