"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from workstream.plugins import refuse
from workstream_http import HttpAction, HttpRequest

from ._requests import Notification, WebhookMessage
from ._signature import ID, SIGNATURE, TIMESTAMP

OURS = frozenset({ID, TIMESTAMP, SIGNATURE, "content-type", "idempotency-key"})
"""The headers that a message has anyway."""

_KINDS = ("info", "success", "warning", "failure")
_FORMATS = ("text", "markdown", "html")


def body_of(message: WebhookMessage) -> bytes:
    """A message as it is sent: the same bytes each time.

    Raises:
        TypeError, ValueError, RecursionError: It cannot be written as JSON.
    """
    return json.dumps(
        message.json, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def check_message(message: WebhookMessage) -> None:
    """Refuse a message that can never be sent, with all its faults.

    Raises:
        ValueError: It has faults; each is named with its field.
    """
    refuse(_message_faults(message))


def _message_faults(message: WebhookMessage) -> Iterator[str]:
    try:
        # What the two have in common is looked at where it is sent.
        HttpAction().validate(as_http(message, {}, b""))
    except ValueError as error:
        yield str(error)
    for name in message.headers:
        if name.lower() in OURS:
            yield f"headers: {name!r} is set from the message: leave it out"
    try:
        body_of(message)
    except (TypeError, ValueError, RecursionError) as error:
        yield f"json: it cannot be written as JSON: {error}"


def as_http(
    message: WebhookMessage, headers: dict[str, Any], body: bytes
) -> HttpRequest:
    """The HTTP request by which a message is sent."""
    return HttpRequest(
        method="POST",
        url=message.url,
        headers={**message.headers, **headers},
        body=body,
        ca_file=message.ca_file,
        connect_timeout=message.connect_timeout,
        body_limit=4096,
    )


def check_notification(notification: Notification) -> None:
    """Refuse a notification that can never be sent, with all its faults.

    Raises:
        ValueError: It has faults; each is named with its field.
    """
    refuse(_notification_faults(notification))


def _notification_faults(notification: Notification) -> Iterator[str]:
    if not notification.services:
        yield "services: name at least one"
    references = [service.reference for service in notification.services]
    for reference in dict.fromkeys(references):
        if references.count(reference) > 1:
            yield f"services: {reference!r} is named twice"
    if not notification.body.strip():
        yield "body: it is empty"
    if notification.kind not in _KINDS:
        yield f"kind: {notification.kind!r} is none: {_listed(_KINDS)}"
    if notification.body_format not in _FORMATS:
        yield f"body_format: {notification.body_format!r} is none: {_listed(_FORMATS)}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
