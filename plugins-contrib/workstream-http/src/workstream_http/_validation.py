"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator

import httpx2

from workstream import SecretRef
from workstream.plugins import Pattern, number_faults, path_faults, refuse

from ._requests import AnyRequest, HttpCheckRequest, HttpRequest
from ._route import backend
from ._statuses import parse

BODY_LIMIT_MAX = 16 * 1024 * 1024
"""The most bytes of a body that may be read: a response is stored with its plan."""

SHORTEST_TIMEOUT = 0.001
"""Seconds."""

SOCKET_NAME_MAX = 107
"""The most bytes in the name of a Unix socket on Linux."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


def check(request: AnyRequest) -> None:
    """Refuse a request that can never work, with all its faults in one message.

    Raises:
        ValueError: It has faults.
    """
    refuse(
        [
            *_address(request),
            *_headers(request),
            *_login(request),
            *_expectations(request),
            *_limits(request),
            *(_sent(request) if isinstance(request, HttpRequest) else _safe(request)),
        ]
    )


def url_fault(url: str) -> str | None:
    """What is wrong with a URL; it never repeats the URL, which may hold a secret."""
    if re.search(r"[\x00-\x20\x7f]", url):
        return "it holds white space or control characters: percent-encode them"
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return "it is not a valid URL"
    if parsed.scheme not in ("http", "https"):
        return "it must begin with http:// or https://"
    if not parsed.host:
        return "it names no host"
    return None


def header_value_fault(value: str) -> str | None:
    """What is wrong with the value of a header; it never repeats the value."""
    if re.search(r"[\r\n]", value):
        return "it holds a line break"
    if _VALUE.fullmatch(value) is None:
        return "it holds a character that is not printable ASCII"
    if value != value.strip():
        return "it begins or ends with white space"
    return None


def _address(request: AnyRequest) -> Iterator[str]:
    # What a SecretRef stands for is known at the attempt, and looked at there.
    if isinstance(request.url, str):
        fault = url_fault(request.url)
        if fault is not None:
            yield f"url: {fault}"
        elif httpx2.URL(request.url).userinfo:
            yield (
                "url: it holds a user or password: give them as user= and "
                "password=SecretRef(...)"
            )


def _headers(request: AnyRequest) -> Iterator[str]:
    seen: set[str] = set()
    for name, value in request.headers.items():
        known = name.lower()
        if _TOKEN.fullmatch(name) is None:
            yield f"headers: {name!r} is not the name of a header"
        if known in seen:
            yield f"headers: {name!r} is given twice"
        seen.add(known)
        if known in _OURS:
            yield f"headers: {name!r} is set from the request: leave it out"
        if isinstance(value, SecretRef):
            continue
        if known in _SECRET:
            yield (
                f"headers: {name!r} is a secret: give it as SecretRef(...), so that "
                "it is not stored"
            )
        fault = header_value_fault(value)
        if fault is not None:
            yield f"headers: the value of {name!r}: {fault}"


def _login(request: AnyRequest) -> Iterator[str]:
    basic = bool(request.user) or request.password is not None
    if basic and not (request.user and request.password is not None):
        yield "user and password: give both or neither"
    if ":" in request.user:
        yield "user: it may not hold a colon, which ends it"
    ways = {
        "a header": any(name.lower() == "authorization" for name in request.headers),
        "bearer": request.bearer is not None,
        "user and password": basic,
    }
    given = [way for way, is_given in ways.items() if is_given]
    if len(given) > 1:
        yield f"authorization is given by {' and by '.join(given)}: choose one"


def _expectations(request: AnyRequest) -> Iterator[str]:
    for field, text in (
        ("status", request.status),
        ("retry_status", request.retry_status),
    ):
        try:
            parse(text)
        except ValueError as error:
            yield f"{field}: {error}"
    if not request.status.strip():
        yield "status: name at least one, for example 2xx"
    try:
        Pattern(request.matches)
    except ValueError as error:
        yield f"matches: {error}"
    for field, pointers in (
        ("json_equals", request.json_equals),
        ("take", request.take.values()),
    ):
        for pointer in pointers:
            if _POINTER.fullmatch(pointer) is None:
                yield (
                    f"{field}: {pointer!r} is no JSON pointer: it begins with / and "
                    "parts names by /, as in /nodes/0/ready"
                )
    for pointer, value in request.json_equals.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield f"json_equals: the value of {pointer!r} is no JSON number"
    if request.contains or request.matches or request.json_equals or request.take:
        if request.method == "HEAD":
            yield "method: the answer to HEAD has no body to match: use GET"
        if request.body_limit == 0:
            yield "body_limit: with 0 there is no body to match"


def _limits(request: AnyRequest) -> Iterator[str]:
    yield from number_faults(
        "connect_timeout", request.connect_timeout, least=SHORTEST_TIMEOUT
    )
    yield from number_faults(
        "body_limit", request.body_limit, most=BODY_LIMIT_MAX, whole=True, unit="bytes"
    )
    if request.ca_file and not request.verify:
        yield "ca_file: it has no meaning with verify=False: choose one"
    yield from _way(request)


def _way(request: AnyRequest) -> Iterator[str]:
    if request.connect_to:
        try:
            backend(request.connect_to)
        except ValueError:
            yield (
                f"connect_to: {request.connect_to!r} is no HOST or HOST:PORT, as in "
                "'10.0.0.7:8443' or '[2001:db8::7]:8443'"
            )
    if request.unix_socket:
        yield from path_faults("unix_socket", request.unix_socket)
        if len(request.unix_socket.encode(errors="replace")) > SOCKET_NAME_MAX:
            yield (
                f"unix_socket: a socket's name has at most {SOCKET_NAME_MAX} bytes: "
                "link a shorter one to it"
            )
    if request.connect_to and request.unix_socket:
        yield "connect_to and unix_socket: give one of them"
    if not request.cert_file and (request.key_file or request.key_password is not None):
        yield "key_file and key_password: they belong to a cert_file: give it too"


def _safe(request: HttpCheckRequest) -> Iterable[str]:
    if request.method not in ("GET", "HEAD"):
        yield (
            f"method: a check may run any number of times, so it is GET or HEAD, "
            f"not {request.method!r}: use http.request"
        )


def _sent(request: HttpRequest) -> Iterator[str]:
    if _METHOD.fullmatch(request.method) is None:
        yield (
            f"method: {request.method!r} is no HTTP method: write it in capitals, "
            "as in POST"
        )
    if request.method == "CONNECT":
        yield "method: CONNECT opens a tunnel, which is not a request"
    if request.body is not None and request.json is not None:
        yield "body and json: give one of them"
    if request.json is not None:
        try:
            json.dumps(request.json, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            yield f"json: it cannot be written as JSON: {error}"
    if request.idempotency_key and any(
        name.lower() == "idempotency-key" for name in request.headers
    ):
        yield "idempotency_key: the header is given too: choose one"
