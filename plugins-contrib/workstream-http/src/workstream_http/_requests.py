"""What the plugins are asked, and what they answer."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from workstream import IGNORE, SecretRef

JsonScalar: TypeAlias = str | int | float | bool | None
"""A JSON value that holds no others."""

JsonValue: TypeAlias = "JsonScalar | list[JsonValue] | dict[str, JsonValue]"
"""What a JSON document is made of."""

ANY_STATUS = "100-599"
"""Every status there is."""


@attrs.frozen(kw_only=True)
class _Exchange:
    """What a request and a check have in common."""

    url: str | SecretRef
    headers: dict[str, str | SecretRef] = attrs.field(
        factory=dict[str, "str | SecretRef"]
    )
    params: dict[str, str | SecretRef] = attrs.field(
        factory=dict[str, "str | SecretRef"]
    )
    bearer: SecretRef | None = None
    user: str = ""
    password: SecretRef | None = None
    status: str = "2xx"
    contains: str = ""
    matches: str = ""
    json_equals: dict[str, JsonScalar] = attrs.field(factory=dict[str, JsonScalar])
    follow_redirects: bool = False
    verify: bool = True
    ca_file: str = ""
    cert_file: str = attrs.field(default="", metadata=IGNORE)
    key_file: str = attrs.field(default="", metadata=IGNORE)
    key_password: SecretRef | None = None
    connect_to: str = ""
    unix_socket: str = ""
    connect_timeout: float = 10.0
    body_limit: int = 65536
    keep_body: bool = True
    take: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class HttpRequest(_Exchange):
    """One HTTP request, and the answer that it must get (``http.request``).

    Attributes:
        url: An http or https address. Write an address that is a secret itself, like
            those of webhooks, as a ``SecretRef``. It may hold no password.
        method: In capitals, for example ``POST``.
        headers: The plugin sends them as they are. Write secret values as a
            ``SecretRef``.
        params: Added to the URL's query.
        body: The plugin sends it as it is, text as UTF-8. Write a secret as a
            ``SecretRef``.
        json: Sent as JSON, with its content type; None: no JSON.
        bearer: Sent as ``Authorization: Bearer ...``.
        user: Sent with ``password`` as ``Authorization: Basic ...``.
        password: See ``user``.
        idempotency_key: Whether to send the header ``Idempotency-Key``: the same
            for all attempts of this action, different from all others (REG-11).
        status: The statuses that are a success: ``"2xx, 304, 400-404"``.
        contains: Text that the body must contain.
        matches: A regular expression (RE2) that the body must contain a match of.
        json_equals: The JSON values that the body must have: JSON pointers (RFC 6901)
            and values, for example ``{"/status": "up", "/nodes/0/ready": True}``.
        retry_status: The statuses after which the engine may try a failed attempt
            again, whether the status or the body was wrong. After any other status the
            failure is permanent.
        follow_redirects: Whether to follow up to 10 redirects. Secrets stay with
            the origin (scheme, host, port) they were written for.
        verify: Whether the server's certificate must be trusted. Without it, anybody on
            the way can read the request and answer it.
        ca_file: A file of certificate authorities (PEM) to trust in place of the
            system's.
        cert_file: A file with our own certificate (PEM), and those that lead to its
            authority, for a server that asks who we are.
        key_file: A file with the certificate's private key (PEM), where ``cert_file``
            does not hold it.
        key_password: The password of the encrypted private key.
        connect_to: ``HOST`` or ``HOST:PORT`` to connect to in place of the URL's: one
            backend of many. The header ``Host`` and the name that the certificate must
            have stay the URL's. No proxy is used.
        unix_socket: The path of a Unix socket to connect to in place of the URL's
            host and port. No proxy is used.
        connect_timeout: Seconds to wait for a connection. The attempt as a whole
            is bounded by the action's ``timeout``.
        body_limit: How many bytes of the body are read, and kept.
        keep_body: Whether the body is part of the response. Set it to False if the body
            holds secrets or is of no interest.
        take: Values that later actions need, by name: the JSON pointers at which the
            body holds them, for example ``{"address": "/vm/address"}``. They become the
            ``values`` of the response. The answer is not as expected without them.
    """

    method: str = "GET"
    body: bytes | str | SecretRef | None = None
    json: Any = None
    idempotency_key: bool = attrs.field(default=False, metadata=IGNORE)
    retry_status: str = "408, 425, 429, 5xx"


@attrs.frozen(kw_only=True)
class HttpCheckRequest(_Exchange):
    """A question to a service, and the answer that it must give (``http.check``).

    The attributes are those of ``HttpRequest``, but that a check changes nothing:
    its ``method`` is GET or HEAD, and it has no body.

    Attributes:
        url: An http or https address. Write an address that is a secret itself, like
            those of webhooks, as a ``SecretRef``. It may hold no password.
        method: ``GET``, or ``HEAD`` for a service that has no body to give.
        headers: The plugin sends them as they are. Write secret values as a
            ``SecretRef``.
        params: Added to the URL's query.
        bearer: Sent as ``Authorization: Bearer ...``.
        user: Sent with ``password`` as ``Authorization: Basic ...``.
        password: See ``user``.
        status: The statuses that are a success: ``"2xx, 304, 400-404"``.
        contains: Text that the body must contain.
        matches: A regular expression (RE2) that the body must contain a match of.
        json_equals: The JSON values that the body must have: JSON pointers (RFC 6901)
            and values, for example ``{"/status": "up", "/nodes/0/ready": True}``.
        retry_status: The statuses after which a failed attempt may be tried again; by
            default all of them, as a service that is not healthy yet may become so.
        follow_redirects: Whether to follow up to 10 redirects. Secrets stay with
            the origin (scheme, host, port) they were written for.
        verify: Whether the server's certificate must be trusted. Without it, anybody on
            the way can read the request and answer it.
        ca_file: A file of certificate authorities (PEM) to trust in place of the
            system's.
        cert_file: A file with our own certificate (PEM), and those that lead to its
            authority, for a server that asks who we are.
        key_file: A file with the certificate's private key (PEM), where ``cert_file``
            does not hold it.
        key_password: The password of the encrypted private key.
        connect_to: ``HOST`` or ``HOST:PORT`` to connect to in place of the URL's: one
            backend of many. The header ``Host`` and the name that the certificate must
            have stay the URL's. No proxy is used.
        unix_socket: The path of a Unix socket to connect to in place of the URL's
            host and port. No proxy is used.
        connect_timeout: Seconds to wait for a connection. The attempt as a whole
            is bounded by the action's ``timeout``.
        body_limit: How many bytes of the body are read, and kept.
        keep_body: Whether the body is part of the response. Set it to False if the body
            holds secrets or is of no interest.
        take: Values that later actions need, by name: the JSON pointers at which the
            body holds them, for example ``{"address": "/vm/address"}``. They become the
            ``values`` of the response. The answer is not as expected without them.
    """

    method: Literal["GET", "HEAD"] = "GET"
    retry_status: str = ANY_STATUS


AnyRequest: TypeAlias = HttpRequest | HttpCheckRequest


@attrs.frozen(kw_only=True)
class HttpResponse:
    """The server's answer.

    Secret values that the request sent are removed, should the server repeat them.

    Attributes:
        status: The HTTP status.
        headers: By lower-case name; one that came several times is joined by commas.
            The plugin hides the value of ``set-cookie``: it is a secret.
        body: As text, by the charset the server named, or UTF-8.
        body_cut: Whether the body was longer than ``body_limit``.
        body_lossy: Whether U+FFFD replaces bytes that are no text.
        elapsed: Seconds from the begin of the attempt to the end of the body.
        values: By the names in ``take``: texts, numbers, true, false or None.
    """

    status: int
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    body: str = ""
    body_cut: bool = False
    body_lossy: bool = False
    elapsed: float = 0.0
    values: dict[str, Any] = attrs.field(factory=dict[str, Any])
