"""Signatures after the Standard Webhooks specification, version 1.

What is signed is ``ID.TIMESTAMP.BODY``, by HMAC-SHA256. The three headers are

- ``webhook-id``: the same whenever the message is sent again;
- ``webhook-timestamp``: when it was sent, in seconds of the Unix epoch;
- ``webhook-signature``: for each secret ``v1,`` and the signature in base64, parted by
  spaces.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from workstream import PluginError, SecretRef

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

PREFIX = "whsec_"
"""Begins a secret that is written in base64."""


def signed(
    body: bytes, *, message_id: str, timestamp: int, secrets: Iterable[SecretRef]
) -> dict[str, str]:
    """The headers that make a message trustworthy.

    Raises:
        PluginError: A secret says it is base64, and is not.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(_digest(secret, content)).decode("ascii")
        for secret in secrets
    ]
    return {
        ID: message_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: " ".join(signatures),
    }


def _digest(secret: SecretRef, content: bytes) -> bytes:
    return hmac.new(_key(secret), content, hashlib.sha256).digest()


def _key(secret: SecretRef) -> bytes:
    text = secret.reveal()
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        message = (
            f"the secret {secret.reference!r} begins with {PREFIX}, but what follows "
            "is not base64"
        )
        # Not chained: what is wrong with a secret may tell of it.
        raise PluginError(message, permanent=True) from None
