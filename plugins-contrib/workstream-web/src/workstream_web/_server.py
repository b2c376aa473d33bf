"""The server: a store that is open, and the page, until somebody ends it."""

from __future__ import annotations

import signal
from collections.abc import Collection
from typing import Any, cast

import click
import hypercorn.trio
import trio
from hypercorn.config import Config

from workstream import open_store

from ._app import application
from ._errors import alone
from ._guard import Guard
from ._tokens import Tokens

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_GRACE = 1.0
"""Seconds that open connections have when the server ends."""


def run(
    store: str | None, host: str, port: int, names: Collection[str], tokens: Tokens
) -> None:
    """Serve the page until a signal ends it.

    Raises:
        OSError: The address cannot be listened at.
        StorageError: There is no store, or it cannot be opened.
    """
    try:
        trio.run(_serve, store, host, port, names, tokens)
    except BaseExceptionGroup as group:
        raise alone(group) from None


async def _serve(
    store: str | None, host: str, port: int, names: Collection[str], tokens: Tokens
) -> None:
    config = Config()
    bracketed = f"[{host}]" if ":" in host else host
    config.bind = [f"{bracketed}:{port}"]
    config.errorlog = None
    config.graceful_timeout = _GRACE
    config.include_server_header = False
    known: set[str] = {name.lower() for name in names}
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_store(store) as plans, trio.open_nursery() as nursery:
            app = Guard(application(plans, store, tokens, nursery), known)

            async def ended() -> None:
                async for _ in signals:
                    return

            async def serving(*, task_status: trio.TaskStatus[list[str]]) -> None:
                await cast("Any", hypercorn.trio).serve(
                    app,
                    config,
                    shutdown_trigger=ended,
                    task_status=task_status,
                )
                nursery.cancel_scope.cancel()  # of what follows plans

            binds: list[str] = await nursery.start(serving)
            bound = binds[0].rpartition(":")[2]
            own = ("127.0.0.1", "[::1]", "localhost") if host in _LOOPBACK else ()
            known.update(f"{each}:{bound}" for each in (bracketed, *own))
            click.echo(f"http://{bracketed}:{bound}/")
            if host not in _LOOPBACK:
                click.echo("whoever reaches this address can read every plan", err=True)
