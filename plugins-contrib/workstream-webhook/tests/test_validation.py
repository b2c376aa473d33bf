"""Requests that are refused when the plan is submitted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from workstream import SecretRef
from workstream_webhook import (
    Notification,
    WebhookMessage,
    WebhookNotify,
    WebhookPost,
)

REF = SecretRef("env:SECRET")


def message(**fields: Any) -> WebhookMessage:
    """A message with these fields, and what else it needs."""
    given: dict[str, Any] = {"url": "https://a", "json": {}, "secret": REF, **fields}
    return WebhookMessage(**given)


def notification(**fields: Any) -> Notification:
    """A notification with these fields, and what else it needs."""
    given: dict[str, Any] = {"services": (REF,), "body": "Out.", **fields}
    return Notification(**given)


def refused(request: WebhookMessage | Notification) -> str:
    """What is said about it."""
    plugin: Any = WebhookNotify()
    if isinstance(request, WebhookMessage):
        plugin = WebhookPost()
    with pytest.raises(ValueError, match=r"^\w") as caught:
        plugin.validate(request)
    return str(caught.value)


def test_good_requests_pass() -> None:
    """What can work is accepted."""
    WebhookPost().validate(message())
    WebhookPost().validate(
        message(
            url=REF,
            json=[None, "ü"],
            previous_secret=REF,
            headers={"Authorization": REF, "X-A": "b"},
            ca_file="/etc/ca.pem",
        )
    )
    WebhookNotify().validate(
        notification(services=(REF, SecretRef("env:B")), kind="failure", title="x")
    )


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (message(url="ftp://a"), "url: it must begin with http:// or https://"),
        (message(url="https://me:hidden@a"), "url: it holds a user or password"),
        (message(json={1: {2}}), "json: it cannot be written as JSON: Object of type"),
        (message(json=float("nan")), "json: it cannot be written as JSON: "),
        (message(json="\ud800"), "json: it cannot be written as JSON: "),
        (message(json={"token": REF}), "json: it cannot be written as JSON: "),
        (message(headers={"Webhook-Id": "x"}), "headers: 'Webhook-Id' is set from the"),
        (message(headers={"content-type": "x"}), "headers: 'content-type' is set from"),
        (message(headers={"Cookie": "hidden"}), "headers: 'Cookie' is a secret"),
        (message(connect_timeout=0), "connect_timeout must be a number of seconds"),
        (notification(services=()), "services: name at least one"),
        (notification(services=(REF, REF)), "services: 'env:SECRET' is named twice"),
        (notification(body=" "), "body: it is empty"),
        (notification(kind="news"), "kind: 'news' is none: 'info', 'success', 'warn"),
        (notification(body_format="rtf"), "body_format: 'rtf' is none: 'text', 'mark"),
    ],
)
def test_bad_requests_are_refused(
    request_: WebhookMessage | Notification, fault: str
) -> None:
    """What can never work is refused, without repeating a secret (V-19)."""
    said = refused(request_)

    assert fault in said
    assert "; " not in said
    assert "hidden" not in said


def test_all_faults_are_named_at_once() -> None:
    """One message names every fault (V-1)."""
    request = message(
        url="", headers={"webhook-signature": "x"}, json={1, 2}, connect_timeout=-1
    )

    assert [re.split(r":| must", part)[0] for part in refused(request).split("; ")] == [
        "url",
        "connect_timeout",
        "headers",
        "json",
    ]
    assert refused(notification(services=(), body="")).count("; ") == 1
