"""Apprise, if it is installed, one service at a time.

Apprise says by its return value only whether it worked; why it did not goes to a log.
While a service of ours is called, that log is collected instead, and what may be a
part of the service's address is taken out of it.
"""

from __future__ import annotations

import importlib
import logging
import re
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

import trio

from workstream import PluginError

from ._requests import Notification

HIDDEN = "[secret hidden]"

GRACE = 10.0
"""Seconds that a service has to answer after the attempt is cancelled."""

_collected: ContextVar[list[str] | None] = ContextVar(
    "workstream_webhook_collected", default=None
)
_dropped = ("urllib3", "urllib3.connectionpool", "requests")
"""Loggers of what Apprise is built on; they show addresses at DEBUG."""


def load() -> None:
    """Import Apprise, which takes a moment.

    Raises:
        PluginError: It is not there, or broken.
    """
    try:
        importlib.import_module("apprise")
    except ImportError as error:
        message = (
            "notifications need the package apprise, which is not installed here: "
            f"pip install 'workstream-webhook[apprise]' ({error})"
        )
        raise PluginError(message, permanent=True) from error
    logging.getLogger("apprise").addFilter(_collect)
    for name in _dropped:
        logging.getLogger(name).addFilter(_drop)


async def call(notification: Notification, reference: str, address: str) -> None:
    """Send a notification through one service, in a thread.

    A thread cannot be interrupted. When the attempt is cancelled, the service has
    ``GRACE`` seconds to answer, which is more than Apprise gives one that is silent. One
    that goes on and on, byte by byte, is left to itself then.

    Raises:
        PluginError: It was not sent; permanent if the address is no address.
    """
    failures: list[PluginError] = []
    ended = trio.Event()
    thread = trio.CancelScope(shield=True)

    async def in_thread() -> None:
        with thread:
            try:
                await trio.to_thread.run_sync(
                    send, notification, reference, address, abandon_on_cancel=True
                )
            except PluginError as error:
                failures.append(error)
            ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_thread)
        try:
            await ended.wait()
        except trio.Cancelled:
            with trio.move_on_after(GRACE, shield=True):
                await ended.wait()
            thread.cancel()
            if not ended.is_set():
                raise
    if failures:
        raise failures[0]


def send(notification: Notification, reference: str, address: str) -> None:
    """Send a notification through one service. For a thread: it waits.

    Args:
        notification: What to send.
        reference: What to call the service.
        address: Apprise's address of it, a secret.

    Raises:
        PluginError: It was not sent; permanent if the address is no address.
    """
    apprise: Any = importlib.import_module("apprise")
    lines: list[str] = []
    token = _collected.set(lines)
    try:
        asset = apprise.AppriseAsset(async_mode=False, storage_mode="memory")
        service = apprise.Apprise(asset=asset)
        if not service.add(address) or len(service) != 1:
            message = f"{reference} is not an address of one service that Apprise knows"
            raise PluginError(message + _why(lines, address), permanent=True)
        sent = service.notify(
            body=notification.body,
            title=notification.title,
            notify_type=notification.kind,
            body_format=notification.body_format,
        )
    except PluginError:
        raise
    except Exception as error:
        # Its text, and its traceback, may hold the address.
        message = f"{reference}: Apprise failed with {type(error).__name__}"
        raise PluginError(message + _why(lines, address)) from None
    finally:
        _collected.reset(token)
    if not sent:
        raise PluginError(f"{reference} did not take it" + _why(lines, address))


def _why(lines: list[str], address: str) -> str:
    text = " ".join(" ".join(lines).split())
    return f": {without_parts(text, address)}" if text else ""


def without_parts(text: str, address: str) -> str:
    """The text without whatever may be a token in the address.

    All but the address's scheme is taken for one: what is a host with one service is
    a token with another.
    """
    rest = address.partition("://")[2]
    parts = {*re.split(r"[^\w.~%+-]+", rest), *re.split(r"[^\w.~+-]+", unquote(rest))}
    parts |= {unquote(part) for part in parts} | {address, rest}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= 4:
            text = re.sub(re.escape(part), HIDDEN, text, flags=re.IGNORECASE)
    return text


def _collect(record: logging.LogRecord) -> bool:
    lines = _collected.get()
    if lines is None:
        return True
    if record.levelno >= logging.WARNING:
        lines.append(record.getMessage())
    return False


def _drop(record: logging.LogRecord) -> bool:
    return _collected.get() is None
