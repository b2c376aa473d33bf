"""What the plugins are asked, and what they answer."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from workstream import SecretRef


@attrs.frozen(kw_only=True)
class WebhookMessage:
    """A message that its receiver can trust (``webhook.post``).

    Attributes:
        url: The address to post to. Write one that is a secret itself as a
            ``SecretRef``.
        json: The message: anything that can be written as JSON.
        secret: The key that signs the message, known to the receiver: any text, or
            ``whsec_`` and bytes in base64, as many services hand it out.
        previous_secret: While a secret is replaced: the old one, to sign with too.
        headers: Additional headers. Write secret values as a ``SecretRef``.
        ca_file: A file of certificate authorities (PEM) to trust in place of the
            system's.
        connect_timeout: Seconds to wait for a connection.
    """

    url: str | SecretRef
    json: Any
    secret: SecretRef
    previous_secret: SecretRef | None = None
    headers: dict[str, str | SecretRef] = attrs.field(
        factory=dict[str, "str | SecretRef"]
    )
    ca_file: str = ""
    connect_timeout: float = 10.0


@attrs.frozen(kw_only=True)
class WebhookResponse:
    """The receiver's answer.

    Attributes:
        status: The HTTP status, one of success.
        body: How the answer begins: at most 4096 bytes of it.
    """

    status: int
    body: str


@attrs.frozen(kw_only=True)
class Notification:
    """A message to people, through any services that Apprise knows (``webhook.notify``).

    Attributes:
        services: Apprise's addresses of the services. They hold tokens, so each is a
            reference: ``SecretRef("env:SLACK_URL")``.
        body: The message.
        title: Its title, where a service has one.
        kind: The kind of news; many services show it by a colour or an icon.
        body_format: How the body is written.
    """

    services: tuple[SecretRef, ...]
    body: str
    title: str = ""
    kind: Literal["info", "success", "warning", "failure"] = "info"
    body_format: Literal["text", "markdown", "html"] = "text"


@attrs.frozen(kw_only=True)
class NotificationResponse:
    """The services that took the message.

    Attributes:
        services: The references of the services, all of which took the message.
    """

    services: tuple[str, ...]
