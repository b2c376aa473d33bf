"""Messages from workstream plans: signed webhooks, and notifications to people.

::

    from workstream import SecretRef
    from workstream_webhook import WebhookMessage, WebhookPost

    tell = WebhookPost.action(
        WebhookMessage(
            url="https://hooks.example/deploys",
            json={"deploy": "shop", "version": "2.1"},
            secret=SecretRef("env:HOOK_SECRET"),
        ),
        name="Tell the chat",
        retries=5,
    )
"""

from __future__ import annotations

from workstream import hookimpl

from ._plugins import WebhookNotify, WebhookPost
from ._requests import (
    Notification,
    NotificationResponse,
    WebhookMessage,
    WebhookResponse,
)

__all__ = [
    "Notification",
    "NotificationResponse",
    "WebhookMessage",
    "WebhookNotify",
    "WebhookPost",
    "WebhookResponse",
    "workstream_plugins",
]

workstream_plugin_api = 1


@hookimpl
def workstream_plugins() -> list[WebhookPost | WebhookNotify]:
    """The plugins of this distribution: ``webhook.post`` and ``webhook.notify``."""
    return [WebhookPost(), WebhookNotify()]
