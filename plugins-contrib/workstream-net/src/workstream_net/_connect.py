"""A TCP connection, or a sentence that says why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from socket import gaierror
from typing import cast

import trio

from workstream import PluginError


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
    inner = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for each in group.exceptions:
            yield from _leaves(each)
    elif inner is not None:
        yield from _leaves(inner)
    else:
        yield error


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno and not isinstance(error, gaierror):
        # trio puts the address before the reason, and the message has the host.
        return os.strerror(error.errno)
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or type(error).__name__
