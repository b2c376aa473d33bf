"""Signed messages to a real server, which does not believe what is not signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from trio.testing import trio_test

from workstream import PluginError, SecretRef
from workstream_webhook import WebhookMessage, WebhookPost, WebhookResponse
from workstream_webhook._signature import signed

if TYPE_CHECKING:
    from conftest import Attempt, Received, Receiver

SECRET = "correct horse battery"
RAW = bytes(range(32))
PAYLOAD = {"deploy": "shöp", "hosts": [1, None, True]}
REF = SecretRef("env:HOOK_SECRET").resolved(SECRET)


def verified(received: Received, key: bytes, now: float) -> bool:
    """Whether a message is one of ours, as a receiver would find out."""
    headers = received.headers
    if abs(now - int(headers["webhook-timestamp"])) > 300:
        return False
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
    digest = hmac.new(key, content + received.body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    return any(
        hmac.compare_digest(wanted, given)
        for given in headers["webhook-signature"].split()
    )


def message(url: str, **fields: Any) -> WebhookMessage:
    """A message to there."""
    given: dict[str, Any] = {"json": PAYLOAD, "secret": REF, **fields}
    return WebhookMessage(url=url, **given)


@trio_test
async def test_a_message_is_signed(context: Attempt, receiver: Receiver) -> None:
    """The receiver can tell that it is ours, what it says, and which it is."""
    plugin = WebhookPost(now=lambda: 1_000_000.9)

    response = await plugin.execute(context, message(receiver.url + "/hook"))

    (received,) = receiver.received
    assert response == WebhookResponse(status=200, body="thanks")
    assert json.loads(received.body) == PAYLOAD
    assert received.path == "/hook"
    assert verified(received, SECRET.encode(), 1_000_000)
    assert not verified(received, b"another", 1_000_000)
    assert not verified(received, SECRET.encode(), 1_000_301)
    wanted = {
        "webhook-id": "plan-1-action-2",
        "webhook-timestamp": "1000000",
        "idempotency-key": "plan-1-action-2",
        "content-type": "application/json",
        "user-agent": "workstream-webhook",
    }
    assert wanted.items() <= received.headers.items()


def test_the_signature_is_that_of_the_specification() -> None:
    """What Standard Webhooks libraries are tested with has the signature they give."""
    secret = SecretRef("env:S").resolved("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    headers = signed(
        b'{"test": 2432232314}',
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        secrets=[secret],
    )

    assert headers["webhook-signature"] == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@trio_test
async def test_two_secrets_while_one_is_replaced(
    context: Attempt, receiver: Receiver
) -> None:
    """Receivers that know either secret are content; base64 is understood."""
    new = SecretRef("env:NEW").resolved("whsec_" + base64.b64encode(RAW).decode())
    plugin = WebhookPost(now=lambda: 5.0)

    await plugin.execute(
        context, message(receiver.url, secret=new, previous_secret=REF)
    )

    (received,) = receiver.received
    assert verified(received, RAW, 5)
    assert verified(received, SECRET.encode(), 5)


@trio_test
async def test_a_repetition_is_the_same_message(
    context: Attempt, receiver: Receiver
) -> None:
    """Sent again, it has the same id and body, and a time and signature of its own."""
    times = iter([100.0, 200.0])
    plugin = WebhookPost(now=lambda: next(times))
    for _ in range(2):
        await plugin.execute(context, message(receiver.url))

    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert verified(first, SECRET.encode(), 100)
    assert verified(second, SECRET.encode(), 200)


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(500, False), (503, False), (429, False), (302, True), (400, True), (410, True)],
)
@trio_test
async def test_a_refusal_may_pass(
    context: Attempt, receiver: Receiver, status: int, permanent: bool
) -> None:
    """What a server's trouble is is tried again, what our message's is not."""
    receiver.answer = lambda received: (status, b"no")

    with pytest.raises(PluginError) as caught:
        await WebhookPost().execute(context, message(receiver.url))

    assert caught.value.permanent is permanent
    assert caught.value.code == status
    assert f"POST {receiver.url}/ answered {status} " in caught.value.message
    assert len(receiver.received) == 1


@trio_test
async def test_a_server_that_repeats_secrets(
    context: Attempt, receiver: Receiver
) -> None:
    """An address and headers that are secrets are sent, and not shown."""
    token = SecretRef("env:TOKEN").resolved("abracadabra")
    url = SecretRef("env:URL").resolved(receiver.url + "/services/hocuspocus")
    request = message(receiver.url, headers={"X-Token": token, "X-Plain": "1"})
    secret = WebhookMessage(url=url, json=1, secret=REF, headers=request.headers)

    def repeat(received: Received) -> tuple[int, bytes]:
        return 404, f"{received.path} {received.headers['x-token']}".encode()

    receiver.answer = repeat
    with pytest.raises(PluginError) as caught:
        await WebhookPost().execute(context, secret)

    said = repr(caught.value) + "".join(context.lines)
    assert receiver.received[0].headers["x-token"] == "abracadabra"
    assert receiver.received[0].path == "/services/hocuspocus"
    assert "POST of the URL in 'env:URL' answered 404" in said
    assert "abracadabra" not in said
    assert "hocuspocus" not in said


@trio_test
async def test_a_secret_that_is_no_base64(context: Attempt, receiver: Receiver) -> None:
    """A secret that cannot be what it says is a permanent error that hides it."""
    broken = SecretRef("env:BROKEN").resolved("whsec_not base64!")

    with pytest.raises(PluginError) as caught:
        await WebhookPost().execute(context, message(receiver.url, secret=broken))

    assert caught.value == PluginError(
        "the secret 'env:BROKEN' begins with whsec_, but what follows is not base64",
        permanent=True,
    )
    assert caught.value.__cause__ is None
    assert receiver.received == []
