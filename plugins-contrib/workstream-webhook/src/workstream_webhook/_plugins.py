"""The two plugins, ``webhook.post`` and ``webhook.notify``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import trio

from workstream import (
    ActionPlugin,
    Context,
    OnInterrupt,
    PluginError,
    SecretRef,
    retries,
)
from workstream.plugins import Preview, PreviewContext, explained_timeout
from workstream_http import HttpAction

from . import _apprise
from ._requests import (
    Notification,
    NotificationResponse,
    WebhookMessage,
    WebhookResponse,
)
from ._signature import signed
from ._validation import as_http, body_of, check_message, check_notification


class WebhookPost(ActionPlugin[WebhookMessage, WebhookResponse]):
    """Post a signed message, and fail unless the receiver says that it has it.

    A message has the same id, in ``webhook-id`` and ``Idempotency-Key``, whenever it is
    sent again. So it is sent again after a crash of the engine: a receiver that has it
    can tell, and one that has not gets it.

    Args:
        now: The time to sign with, in seconds of the Unix epoch.
    """

    name: str = "webhook.post"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._http = HttpAction()

    def validate(self, request: WebhookMessage, /) -> None:
        """Refuse a message that can never be sent, with all its faults (V-19)."""
        check_message(request)

    async def preview(
        self, context: PreviewContext, request: WebhookMessage, /
    ) -> Preview:
        """Say that a message is sent; none is (PV-5)."""
        if isinstance(request.url, SecretRef):
            where = f"the URL in {request.url.reference!r}"
        else:
            where = str(urlsplit(request.url).hostname)  # a path may be a token
        return Preview(f"a message is posted to {where}", changes=True)

    async def execute(
        self, context: Context, request: WebhookMessage, /
    ) -> WebhookResponse:
        """Send the message once."""
        body = body_of(request)
        secrets = [request.secret]
        if request.previous_secret is not None:
            secrets.append(request.previous_secret)
        headers = {
            "user-agent": "workstream-webhook",
            "content-type": "application/json",
            "idempotency-key": context.idempotency_key,
            **signed(
                body,
                message_id=context.idempotency_key,
                timestamp=int(self._now()),
                secrets=secrets,
            ),
        }
        sent = as_http(request, headers, body)
        answer = await self._http.execute(context, sent)
        return WebhookResponse(status=answer.status, body=answer.body)


class WebhookNotify(ActionPlugin[Notification, NotificationResponse]):
    """Notify people through the services that Apprise knows.

    Each service that took the message is remembered at once, so that what is tried
    again, after a failure or a crash, goes to the others only. Between a service's
    yes and the moment at which it is remembered there is a gap that nobody can close:
    whoever crashes in it may be told twice.
    """

    name: str = "webhook.notify"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    async def init(self) -> None:
        """See that Apprise is installed (REG-6)."""
        await trio.to_thread.run_sync(_apprise.load)

    def validate(self, request: Notification, /) -> None:
        """Refuse a notification that can never be sent, with all its faults (V-19)."""
        check_notification(request)

    async def preview(
        self, context: PreviewContext, request: Notification, /
    ) -> Preview:
        """Say who is told; nobody is (PV-5)."""
        services = ", ".join(service.reference for service in request.services)
        return Preview(f"people are told by {services}", changes=True)

    async def execute(
        self, context: Context, request: Notification, /
    ) -> NotificationResponse:
        """Send it to every service that has not got it yet."""
        failed: list[PluginError] = []
        total = len(request.services)
        for number, service in enumerate(request.services):
            note = f"sent_{number}"
            if context.notes.get(note):
                continue
            unanswered = (
                f"{service.reference} was called and has not answered: nobody knows "
                "whether it took the message"
            )
            try:
                async with explained_timeout(partial(str, unanswered)):
                    await _apprise.call(request, service.reference, service.reveal())
            except PluginError as error:
                if error.message == unanswered:
                    raise
                context.report(error.message, done=number, total=total)
                failed.append(error)
            else:
                with trio.CancelScope(shield=True):  # it is told, whatever comes now
                    await context.remember(**{note: True})
                await trio.lowlevel.checkpoint_if_cancelled()
                context.report(
                    f"{service.reference} took it", done=number + 1, total=total
                )
        if failed:
            raise PluginError(
                "; ".join(error.message for error in failed),
                permanent=all(error.permanent for error in failed),
            )
        return NotificationResponse(
            services=tuple(service.reference for service in request.services)
        )
