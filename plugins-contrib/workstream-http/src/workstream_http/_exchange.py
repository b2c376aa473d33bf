"""One request and its answer, on the wire.

There is one client per attempt, so that an attempt leaves no connection and no task
behind, however it ends, and shares no cookies with another. That costs a connection
per attempt and next to nothing else: a client is made in less than 0.1 ms.

Redirects are followed here and not by httpx2: it would read the body of each
redirect to its end, however long that is, and hand secret headers to other origins.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import AsyncGenerator, Generator
from functools import partial
from socket import gaierror
from typing import Any, cast

import httpx2
import trio

from workstream import Context, PluginError
from workstream.plugins import explained_timeout

from ._body import BodyError, decoded, read
from ._expectations import MissingError, excerpt, taken, unmet
from ._prepare import Prepared, prepare, shown_url
from ._quiet import quiet
from ._requests import AnyRequest, HttpResponse
from ._route import transport
from ._statuses import parse
from ._trust import TrustStore
from ._validation import url_fault

MAX_REDIRECTS = 10
JUDGED_AT_ONCE = 4096
"""How many bytes of a body are judged on the event loop; more in a thread."""

_NOT_KEPT = frozenset({"set-cookie"})
_WANTS_CERTIFICATE = ("TLSV13_ALERT_CERTIFICATE_REQUIRED",)
_DIRECT = "; for a host that needs no proxy set NO_PROXY"
HIDDEN = "[secret hidden]"
"""What stands in the place of a secret, as the engine writes it (CL-6)."""


async def exchange(
    context: Context, asked: AnyRequest, trust: TrustStore
) -> HttpResponse:
    """Send the request and judge the answer.

    Raises:
        PluginError: There was no answer, or not the expected one.
    """
    began = trio.current_time()
    tls = await trust.context(asked)
    timeout = httpx2.Timeout(None, connect=asked.connect_timeout)
    way = transport(asked, tls)
    with quiet():
        async with httpx2.AsyncClient(
            verify=tls, timeout=timeout, transport=way
        ) as client:
            prepared = prepare(client, context, asked)
            async with explained_timeout(partial(_waited, prepared)):
                with _errors_named(prepared):
                    async with _answer(client, prepared, context) as answer:
                        data, cut = await read(answer, asked.body_limit)
    elapsed = trio.current_time() - began
    size = f"{len(data)} bytes{' and more' if cut else ''}"
    context.report(
        prepared.says(f"answered {_line(answer)}, {size}, in {elapsed:.3f} s")
    )
    judged = partial(_judged, prepared, answer, data, cut=cut, elapsed=elapsed)
    if len(data) <= JUDGED_AT_ONCE:
        return judged()
    # A long body takes long to judge. Who cancels the attempt does not wait for it.
    return await trio.to_thread.run_sync(judged, abandon_on_cancel=True)


@contextlib.asynccontextmanager
async def _answer(
    client: httpx2.AsyncClient, prepared: Prepared, context: Context
) -> AsyncGenerator[httpx2.Response]:
    """The answer, redirects followed, its body not read yet."""
    sent = prepared.request
    redirects = 0
    while True:
        answer = await client.send(sent, stream=True)
        try:
            if not (prepared.asked.follow_redirects and answer.has_redirect_location):
                yield answer
                return
            redirects += 1
            following = answer.next_request
            fault = _redirect_fault(prepared.asked, sent, following, redirects)
            if fault is not None or following is None:
                message = f"answered {_line(answer)}: {fault}"
                raise prepared.failed(answer.status_code, message)
        finally:
            await answer.aclose()
        if not _same_origin(sent, following):
            for name in prepared.secret_headers & following.headers.keys():
                del following.headers[name]
        where = shown_url(following.url)
        context.report(prepared.says(f"is redirected to {where}"))
        prepared.place = where
        prepared.progress.begin(following.url)
        sent = following


def _waited(prepared: Prepared) -> str:
    """What a request waited for when its time was over."""
    place = f" (redirected to {prepared.place})" if prepared.place else ""
    said = f"{prepared.label}{place} {prepared.progress.waited}"
    return prepared.redactor.redact(said)


def _redirect_fault(
    asked: AnyRequest,
    sent: httpx2.Request,
    following: httpx2.Request | None,
    redirects: int,
) -> str | None:
    """Why a redirect cannot be followed."""
    if redirects > MAX_REDIRECTS:
        return f"that is one redirect more than {MAX_REDIRECTS}"
    if following is None or url_fault(str(following.url)) is not None:
        return "it redirects to what is no http or https address"
    where = shown_url(following.url)
    if sent.url.scheme == "https" and following.url.scheme == "http":
        return f"it redirects from https to {where}, which is not followed"
    for field in ("connect_to", "unix_socket"):
        if getattr(asked, field) and not _same_origin(sent, following):
            return (
                f"it redirects to {where}, another origin, where {field} does not lead"
            )
    has_body = following.headers.get("content-length", "0") != "0"
    if has_body and not _same_origin(sent, following):
        return f"it redirects to {where}, another origin, which is not given the body"
    return None


def _same_origin(one: httpx2.Request, other: httpx2.Request) -> bool:
    # A scheme's own port is None, whether it was written or not.
    return (one.url.scheme, one.url.host, one.url.port) == (
        other.url.scheme,
        other.url.host,
        other.url.port,
    )


def _judged(
    prepared: Prepared,
    answer: httpx2.Response,
    data: bytes,
    *,
    cut: bool,
    elapsed: float,
) -> HttpResponse:
    """The response, when it is as expected."""
    asked = prepared.asked
    body, lossy = decoded(data, answer.charset_encoding, cut=cut)
    redactor = prepared.redactor
    kept = redactor.redact(body, cut=cut) if asked.keep_body else ""
    faults = [f"the body {fault}" for fault in unmet(asked, body, redactor)]
    values: dict[str, Any] = {}
    try:
        values = {} if faults else taken(asked, body, redactor)
    except MissingError as error:
        faults.append(f"the body {error}")
    if faults and cut:
        faults.append(f"only {asked.body_limit} bytes of it were read (body_limit)")
    code = 0
    if answer.status_code not in parse(asked.status):
        code = answer.status_code
        faults.insert(0, f"expected the status {asked.status}")
    if faults:
        message = f"answered {_line(answer)}: {'; '.join(faults)}"
        if kept.strip():
            message += f". The body begins: {excerpt(kept)}"
        raise prepared.failed(answer.status_code, message, code=code)
    return HttpResponse(
        status=answer.status_code,
        headers={
            name: HIDDEN if name in _NOT_KEPT else redactor.redact(value)
            for name, value in answer.headers.items()
        },
        body=kept,
        body_cut=cut,
        body_lossy=lossy,
        elapsed=elapsed,
        values=values,
    )


@contextlib.contextmanager
def _errors_named(prepared: Prepared) -> Generator[None]:
    """Turn the errors of a connection into sentences that name the request.

    Each may be tried again: what keeps a server from answering may pass.
    """
    try:
        yield
    except httpx2.ConnectTimeout as error:
        seconds = prepared.asked.connect_timeout
        message = f"has no connection after {seconds:g} seconds (connect_timeout)"
        if prepared.progress.target or prepared.progress.connected:
            message += f": it {prepared.progress.waited}"
        raise PluginError(prepared.says(message)) from error
    except httpx2.ConnectError as error:
        raise PluginError(prepared.says(_not_connected(prepared, error))) from error
    except httpx2.ProxyError as error:
        via = prepared.progress.via or "the proxy"
        prepared.progress.connected = False  # the proxy is named here
        message = f"cannot connect through {via}: {_reason(_root(error))}{_DIRECT}"
        raise PluginError(prepared.says(message)) from error
    except BodyError as error:
        message = f"was answered with a body {error}"
        raise PluginError(prepared.says(message)) from error
    except (httpx2.HTTPError, OSError) as error:
        message = f"has lost the connection: {_reason(_root(error))}"
        raise PluginError(prepared.says(message)) from error


def _not_connected(prepared: Prepared, error: httpx2.ConnectError) -> str:
    """Why there is no connection: to the server, or to what is on the way."""
    progress, cause = prepared.progress, _root(error)
    if not progress.connected:
        to = f" to {progress.target}" if progress.target else ""
        advice = _DIRECT if progress.via else ""
        return f"cannot connect{to}: {_reason(cause)}{advice}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            "does not trust the certificate of the server: "
            f"{cause.verify_message} (see ca_file)"
        )
    return f"cannot connect: {_reason(cause)}"


def _root(error: BaseException) -> BaseException:
    """The error behind all the others."""
    inner = error.__cause__ or error.__context__
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _root(group.exceptions[0])
    return error if inner is None else _root(inner)


def _reason(error: BaseException) -> str:
    """What an error says, or what it is when it says nothing."""
    if isinstance(error, OSError) and not isinstance(error, (ssl.SSLError, gaierror)):
        # trio puts the address before the reason; the label of the request has it.
        return os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, ssl.SSLError) and error.reason in _WANTS_CERTIFICATE:
        return "the server wants a client certificate (cert_file)"
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or type(error).__name__


def _line(answer: httpx2.Response) -> str:
    """The status line of an answer, for people."""
    return f"{answer.status_code} {excerpt(answer.reason_phrase)}".strip()
