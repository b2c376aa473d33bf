"""A request as it is sent: its secrets in place, and known, so that they are hidden."""

from __future__ import annotations

import json
from base64 import b64encode

import attrs
import httpx2

from workstream import Context, PluginError, SecretRef
from workstream.plugins import Redactor

from ._requests import AnyRequest, HttpRequest
from ._route import Progress
from ._statuses import parse
from ._validation import header_value_fault, url_fault

_LOGIN_HEADERS = frozenset({"authorization", "cookie"})


@attrs.define(kw_only=True)
class Prepared:
    """A request that is ready to be sent.

    Attributes:
        request: What to send.
        asked: The request of the plan it was made from.
        label: What to call it in messages.
        place: Where it was redirected to; empty at first.
        redactor: Takes the secrets in it out of messages.
        secret_headers: The lower-case names of the headers that hold them.
        progress: How far it has come.
    """

    request: httpx2.Request
    asked: AnyRequest
    label: str
    redactor: Redactor
    secret_headers: frozenset[str]
    progress: Progress
    place: str = ""

    def says(self, message: str) -> str:
        """A message about this request that holds no secret."""
        place = f" (redirected to {self.place})" if self.place else ""
        way = ""
        if self.progress.connected and self.progress.target:
            way = f" (through {self.progress.target})"
        return self.redactor.redact(f"{self.label}{place}{way} {message}")

    def failed(self, status: int, message: str, *, code: int = 0) -> PluginError:
        """The error of an answer that is not as expected.

        Args:
            status: The answer's; it decides whether to try again.
            message: What is wrong with the answer.
            code: The error's code.
        """
        permanent = status not in parse(self.asked.retry_status)
        return PluginError(self.says(message), code=code, permanent=permanent)


def prepare(
    client: httpx2.AsyncClient, context: Context, asked: AnyRequest
) -> Prepared:
    """Make a request ready to be sent.

    Raises:
        PluginError: A secret has a value that cannot be sent.
    """
    parts: set[str] = set()
    text = _plain(asked.url)
    label = label_of(asked)
    if isinstance(asked.url, SecretRef):
        fault = url_fault(text)
        if fault is not None:
            message = f"{label}: {fault}"
            raise PluginError(message, permanent=True)
        parts = _parts(httpx2.URL(text))
    url = httpx2.URL(text)
    if asked.params:
        url = url.copy_merge_params(
            {name: _plain(value) for name, value in asked.params.items()}
        )

    headers = {"user-agent": "workstream-http", "accept-encoding": "gzip"}
    content: str | bytes | None = None
    if isinstance(asked, HttpRequest):
        if asked.json is not None:
            content = json.dumps(asked.json, ensure_ascii=False)
            headers["content-type"] = "application/json"
        elif isinstance(asked.body, bytes):
            content = asked.body
        elif asked.body is not None:
            content = _plain(asked.body)
        if asked.idempotency_key:
            headers["idempotency-key"] = context.idempotency_key
    for name, value in asked.headers.items():
        headers[name.lower()] = _plain(value)
    if asked.bearer is not None:
        headers["authorization"] = f"Bearer {_plain(asked.bearer)}"
    elif asked.password is not None:
        login = f"{asked.user}:{_plain(asked.password)}".encode()
        encoded = b64encode(login).decode("ascii")
        parts.add(encoded)
        headers["authorization"] = f"Basic {encoded}"
    for name, value in headers.items():
        fault = header_value_fault(value)
        if fault is not None:
            # The rest was validated with the plan, so it is a secret's value.
            message = f"{label}: the value of the header {name!r}: {fault}"
            raise PluginError(message, permanent=True)
    progress = Progress(asked)
    progress.begin(url)
    return Prepared(
        request=client.build_request(
            asked.method,
            url,
            headers=headers,
            content=content,
            extensions={"trace": progress.trace},
        ),
        asked=asked,
        progress=progress,
        label=label,
        redactor=Redactor(asked, also=parts),
        secret_headers=_LOGIN_HEADERS
        | {n.lower() for n, v in asked.headers.items() if isinstance(v, SecretRef)},
    )


def label_of(asked: AnyRequest) -> str:
    """What to call a request in messages."""
    if isinstance(asked.url, SecretRef):
        return f"{asked.method} of the URL in {asked.url.reference!r}"
    return f"{asked.method} {shown_url(httpx2.URL(asked.url))}"


def _plain(value: str | SecretRef) -> str:
    return value.reveal() if isinstance(value, SecretRef) else value


def shown_url(url: httpx2.URL) -> str:
    """A URL for messages: no user, no password, no query."""
    # As it is sent: decoded, it might hold line breaks and other surprises.
    path, _, query = url.raw_path.decode("ascii").partition("?")
    hidden = "?..." if query else ""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}{hidden}"


def _parts(url: httpx2.URL) -> set[str]:
    """The parts of a secret URL that would tell it: errors and servers repeat them."""
    return {url.raw_path.decode("ascii"), url.path, url.password} - {"", "/"}
