"""The two plugins, ``http.request`` and ``http.check``."""

from __future__ import annotations

from workstream import (
    ActionPlugin,
    CheckPlugin,
    Context,
    OnInterrupt,
    PluginError,
    retries,
)
from workstream.plugins import NOT_DONE, NotDone, Preview, PreviewContext

from ._exchange import exchange
from ._prepare import label_of
from ._requests import HttpCheckRequest, HttpRequest, HttpResponse
from ._trust import TrustStore
from ._validation import check

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that ask for no change (RFC 9110, section 9.2.1)."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that mean the same when they are sent twice (RFC 9110, section 9.2.2)."""


class HttpAction(ActionPlugin[HttpRequest, HttpResponse]):
    """Send an HTTP request, and fail unless the answer is the expected one.

    An attempt may be tried again after every error of the connection, and after an
    answer whose status is one of the request's ``retry_status``. Any other failure
    is permanent.

    After a crash of the engine a request is sent again where that is safe: where its
    method is idempotent, or it is sent with an ``Idempotency-Key``. Otherwise the
    action fails, for a person to look. ``on_interrupt`` of the action says otherwise.
    """

    name: str = "http.request"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RECONCILE

    def __init__(self) -> None:
        self._trust = TrustStore()

    def validate(self, request: HttpRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: HttpRequest, /) -> HttpResponse:
        """Send the request."""
        return await exchange(context, request, self._trust)

    async def reconcile(
        self, context: Context, request: HttpRequest, /
    ) -> HttpResponse | NotDone:
        """Tell whether the request may be sent again (R-7); nothing is sent."""
        if request.method in _IDEMPOTENT or request.idempotency_key:
            return NOT_DONE
        message = (
            f"the engine ended while this {request.method} was on its way, and nobody "
            "knows whether the server carried it out: look there. A request with "
            "idempotency_key=True, or an action with on_interrupt=OnInterrupt.RERUN, "
            "is sent again"
        )
        raise PluginError(message, permanent=True)

    async def preview(
        self, context: PreviewContext, request: HttpRequest, /
    ) -> Preview:
        """Say whether the request may change anything; nothing is sent (PV-5)."""
        label = label_of(request)
        if request.method in _SAFE:
            return Preview(f"{label} only asks: no change", changes=False)
        return Preview(
            f"{label} is sent; only the server knows what it changes", changes=None
        )


class HttpCheck(CheckPlugin[HttpCheckRequest, HttpResponse]):
    """Ask a service by GET or HEAD, and fail unless the answer is the expected one.

    Every failure may be tried again, unless the request's ``retry_status`` leaves
    out the status of the answer.
    """

    name: str = "http.check"
    safe_in_preview: bool = True
    retry: retries.RetryPolicy = retries.FAST

    def __init__(self) -> None:
        self._trust = TrustStore()

    def validate(self, request: HttpCheckRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(
        self, context: Context, request: HttpCheckRequest, /
    ) -> HttpResponse:
        """Ask the service."""
        return await exchange(context, request, self._trust)
