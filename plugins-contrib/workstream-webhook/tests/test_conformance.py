"""What every plugin must do, these do: put to the test against a real server."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from workstream import SecretRef
from workstream.testing import check_plugin
from workstream_webhook import (
    Notification,
    WebhookMessage,
    WebhookNotify,
    WebhookPost,
)

if TYPE_CHECKING:
    from conftest import Received, Receiver

REF = SecretRef("env:SECRET")


@pytest.mark.slow
def test_post_conforms(receiver: Receiver) -> None:
    """A message that is sent again is the same message."""

    def answer(received: Received) -> tuple[int, bytes]:
        status = 500 if received.path == "/trouble" else 200
        return status, received.headers["x-token"].encode()

    def message(url: str) -> WebhookMessage:
        token = SecretRef("env:TOKEN")
        return WebhookMessage(
            url=url, json={"a": [1]}, secret=REF, headers={"X-Token": token}
        )

    receiver.answer = answer
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check_plugin(
            WebhookPost(),
            [message(receiver.url)],
            refused=[WebhookMessage(url="", json={1}, secret=REF)],
            failing=[message(receiver.url + "/trouble")],
            slow=message(f"http://127.0.0.1:{silent.getsockname()[1]}"),
            reset=receiver.received.clear,
            look=lambda: (
                {each.headers["idempotency-key"] for each in receiver.received}
                and len({each.headers["webhook-id"] for each in receiver.received})
            ),
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_notify_conforms(receiver: Receiver) -> None:
    """A notification that was taken is not sent again after a crash."""
    pytest.importorskip("apprise", reason="the package apprise is not installed")
    host = receiver.url.removeprefix("http://")
    receiver.answer = lambda received: (
        500 if received.path.startswith("/trouble") else 200,
        b"",
    )
    good = SecretRef("env:GOOD")
    bad = SecretRef("env:BAD")
    check_plugin(
        WebhookNotify(),
        [Notification(services=(good,), body="Out.")],
        refused=[Notification(services=(), body="")],
        failing=[
            Notification(services=(bad,), body="Out."),
            Notification(services=(SecretRef("env:NONSENSE"),), body="Out."),
        ],
        secrets={
            "env:GOOD": f"json://{host}/fine/abracadabra",
            "env:BAD": f"json://{host}/trouble/hocuspocus",
            "env:NONSENSE": "nonsense://simsalabim",
        },
    )
