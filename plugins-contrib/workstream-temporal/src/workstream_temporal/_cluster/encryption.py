"""What a cluster keeps of plans, encrypted by those who have a key.

Everything that travels in a payload is: a plan, what is asked of it, requests, responses,
lines, notes, the memos that lists are made of, summaries, the texts of failures. What the
server needs to work stays plain: ids, queues and with them the names of zones, times, and
how much of everything there is.

Each payload names its key, so keys are replaced one by one: the first key encrypts, and
all of them decrypt. Where there is a key, nothing is read that is not encrypted: else
whoever reaches the server could make up a plan, and the workers would run it. Only a
setting lets it through, for the time in which a cluster goes over to encryption.
"""

from __future__ import annotations

import base64
import os
import re
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from workstream._registry.registry import Registry
from workstream._secrets.lookups import SecretResolver, look_up
from workstream._secrets.references import SecretRef
from workstream._values.errors import SecretError, StorageError

KEYS = "WORKSTREAM_TEMPORAL_KEYS"
"""The variable that says where the keys are: ``NAME=REFERENCE``, the first one in use."""
PLAIN, _ACCEPT = "WORKSTREAM_TEMPORAL_PLAIN", "accept"
"""The variable that lets pass what is not encrypted, and its one value."""
_ENCODING, _KEY = "encoding", "encryption-key-id"
_ENCRYPTED = b"binary/encrypted"
_NONCE, _BYTES = 12, 32
_NOT_STARTED = b'"ACTIVITY_ID_NOT_STARTED"'
"""What the server itself says of a cancelled attempt that no worker had taken. Nobody can
tell anything by it, so it is read though it is not encrypted."""


class Encryption(PayloadCodec):
    """Encrypts payloads with AES-256-GCM, where there is a key."""

    def __init__(self, keys: Mapping[str, bytes], *, plain: bool = True) -> None:
        """Take the keys.

        Args:
            keys: Of 32 bytes each, by their names; the first one encrypts.
            plain: Whether what is not encrypted is read.
        """
        self._plain = plain
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._name = next(iter(keys), None)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See ``PayloadCodec``."""
        return [self._encrypted(each) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See ``PayloadCodec``. Raises StorageError: there is no such key."""
        return [self._decrypted(each) for each in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        if self._name is None:
            return payload
        name, nonce = self._name.encode(), os.urandom(_NONCE)
        plain = payload.SerializeToString()
        data = nonce + self._ciphers[self._name].encrypt(nonce, plain, name)
        return Payload(metadata={_ENCODING: _ENCRYPTED, _KEY: name}, data=data)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get(_ENCODING) != _ENCRYPTED:
            if self._plain or payload.data == _NOT_STARTED:
                return payload
            message = (
                f"it is not encrypted, and {KEYS} names a key: it was stored before there "
                "was one, or by somebody who does not have it, and may be made up; to "
                f"read it nevertheless, set {PLAIN}={_ACCEPT}"
            )
            raise StorageError(message)
        name = payload.metadata.get(_KEY, b"").decode(errors="replace")
        cipher = self._ciphers.get(name)
        if cipher is None:
            message = (
                f"what the cluster keeps is encrypted with the key {name!r}, which is "
                f"not here: name it in {KEYS}, as {name}=file:PATH or {name}=env:NAME"
            )
            raise StorageError(message)
        nonce, data = payload.data[:_NONCE], payload.data[_NONCE:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, data, name.encode()))
        except (InvalidTag, DecodeError, ValueError):
            message = (
                f"what the cluster keeps cannot be decrypted: the key {name!r} of "
                f"{KEYS} is another one of the same name, or the data was changed"
            )
            raise StorageError(message) from None


def converter() -> DataConverter:
    """What makes payloads, with the keys that the environment names.

    Raises:
        StorageError: A key is named that cannot be had.
    """
    keys = keys_of(os.environ.get(KEYS, ""), lambda: Registry.installed().resolvers)
    if not keys:  # what others encrypted is told of, and not taken for damage
        return DataConverter(payload_codec=Encryption({}))
    plain = os.environ.get(PLAIN, "")
    if plain not in ("", _ACCEPT):
        message = f"{PLAIN} is {plain!r}: it may be {_ACCEPT!r}, or not set"
        raise StorageError(message)
    return DataConverter(
        payload_codec=Encryption(keys, plain=bool(plain)),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def keys_of(
    named: str, resolvers: Callable[[], Mapping[str, SecretResolver]]
) -> dict[str, bytes]:
    """The keys that a text names, each as ``NAME=REFERENCE``, with spaces between.

    Args:
        named: The text; an empty one names none.
        resolvers: Look secrets up, by scheme.

    Raises:
        StorageError: It is no such text, or a key cannot be looked up, or is no base64
            text of 32 bytes; never with anything of a key.
    """
    found: dict[str, bytes] = {}
    for each in re.split(r"[\s,]+", named.strip()) if named.strip() else ():
        name, _, reference = each.partition("=")
        if not name or not reference:
            message = f"{KEYS} names no key by {name!r}: write NAME=file:PATH"
            raise StorageError(message)
        if name in found:
            message = f"{KEYS} names the key {name!r} twice: give each its own name"
            raise StorageError(message)
        try:
            text = look_up(SecretRef(reference), resolvers())
        except SecretError as error:
            message = f"{KEYS}, key {name!r}: {error}"
            raise StorageError(message) from error
        found[name] = _bytes_of(name, text)
    return found


def _bytes_of(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != _BYTES:
        message = (
            f"{KEYS}, key {name!r}: it is no base64 text of {_BYTES} bytes: make one "
            "with `openssl rand -base64 32`"
        )
        raise StorageError(message)
    return key
