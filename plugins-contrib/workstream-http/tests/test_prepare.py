"""What is sent to a real server, and secrets that are sent and never seen."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from trio.testing import trio_test

from workstream import PluginError, SecretRef
from workstream_http import (
    HttpAction,
    HttpRequest,
    HttpResponse,
)

if TYPE_CHECKING:
    from conftest import Answer, Attempt, Received, Reply, Serve

TOKEN = 'tok/en+of "QUITE" odd characters'
# Quotes and blanks may stand in a header, and are escaped in JSON and in URLs.


def secret(value: str = TOKEN) -> SecretRef:
    """A reference as the engine hands it to a plugin."""
    return SecretRef("env:TOKEN").resolved(value)


def sends(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    """A server that always says the same."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.send(status, body, headers)

    return answer


async def send(context: Attempt, request: HttpRequest) -> HttpResponse:
    """Run a valid request."""
    plugin = HttpAction()
    plugin.validate(request)
    return await plugin.execute(context, request)


async def fails(context: Attempt, request: HttpRequest) -> PluginError:
    """Run a valid request that fails."""
    with pytest.raises(PluginError) as caught:
        await send(context, request)
    return caught.value


@trio_test
async def test_the_request_is_sent_as_written(serve: Serve, context: Attempt) -> None:
    """Method, query, headers and body reach the server."""
    async with serve(sends(200)) as it:
        await send(
            context,
            HttpRequest(
                method="PATCH",
                url=it.url + "/a%20b?x=1",
                params={"y": "2 3", "token": secret("abcd")},
                headers={"X-Who": "me", "User-Agent": "mine"},
                body=b"\x00\xff",
            ),
        )

    (received,) = it.received
    assert received.method == "PATCH"
    assert received.target == "/a%20b?x=1&y=2+3&token=abcd"
    assert received.header("x-who") == "me"
    assert received.header("user-agent") == "mine"
    assert received.header("idempotency-key") is None
    assert received.body == b"\x00\xff"


@trio_test
async def test_json_and_text_bodies(serve: Serve, context: Attempt) -> None:
    """JSON comes with its content type, text as UTF-8, a secret body revealed."""
    async with serve(sends(200)) as it:
        ask_for = partial(HttpRequest, method="POST", url=it.url)
        await send(context, ask_for(json={"größe": [1, None]}))
        await send(context, ask_for(json=[], headers={"Content-Type": "a/b+json"}))
        await send(context, ask_for(body="größe"))
        await send(context, ask_for(body=secret()))

    first, second, third, fourth = it.received
    assert json.loads(first.body) == {"größe": [1, None]}
    assert first.header("content-type") == "application/json"
    assert second.header("content-type") == "a/b+json"
    assert third.body == "größe".encode()
    assert fourth.body == TOKEN.encode()


@trio_test
async def test_the_idempotency_key_is_the_action_s(
    serve: Serve, context: Attempt
) -> None:
    """On request, every attempt carries the action's idempotency key (REG-11)."""
    async with serve(sends(200)) as it:
        request = HttpRequest(method="POST", url=it.url, idempotency_key=True)
        await send(context, request)
        await send(context, request)

    keys = [received.header("idempotency-key") for received in it.received]
    assert keys == ["plan-1-action-2", "plan-1-action-2"]


@trio_test
async def test_secrets_are_sent_and_never_seen(serve: Serve, context: Attempt) -> None:
    """What a server repeats of a secret is in no response, error or report (CL-8)."""

    async def answer(received: Received, reply: Reply) -> None:
        heard = [value for _, value in received.headers] + [received.target]
        body = "\n".join([*heard, json.dumps(heard)]).encode()
        status = 500 if received.target.startswith("/fail") else 200
        await reply.send(status, body, {"X-Echo": received.header("x-secret") or ""})

    request = partial(
        HttpRequest,
        headers={"X-Secret": secret()},
        params={"token": secret()},
        user="me",
        password=secret("pass word"),
    )
    async with serve(answer) as it:
        response = await send(context, request(url=it.url))
        error = await fails(context, request(url=it.url + "/fail"))
        mismatch = await fails(
            context, request(url=it.url, json_equals={"": "x"}, matches="x{99}")
        )

    assert it.received[0].header("x-secret") == TOKEN
    assert it.received[0].header("authorization") == "Basic bWU6cGFzcyB3b3Jk"
    assert it.received[0].target == "/?token=tok%2Fen%2Bof+%22QUITE%22+odd+characters"
    seen = repr((response, error, mismatch, context.lines))
    assert response.headers["x-echo"] == "[secret hidden]"
    assert response.body.count("[secret hidden]") == 6
    for part in ("QUITE", "characters", "bWU6", "pass word"):
        assert part not in seen


@trio_test
async def test_a_secret_at_the_cut_is_hidden(serve: Serve, context: Attempt) -> None:
    """The begin of a secret at the end of a cut body is hidden too."""
    async with serve(sends(200, b"token: " + TOKEN.encode())) as it:
        response = await send(
            context, HttpRequest(url=it.url, bearer=secret(), body_limit=15)
        )

    assert it.received[0].header("authorization") == f"Bearer {TOKEN}"
    assert response.body == "token: [secret hidden]"


@trio_test
async def test_the_address_may_be_a_secret(serve: Serve, context: Attempt) -> None:
    """A URL that is a secret is called by its reference, and nowhere repeated."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.send(500, received.target.encode())

    async with serve(answer) as it:
        error = await fails(
            context, HttpRequest(url=secret(it.url + "/hook/T0K3N"), method="POST")
        )

    assert it.received[0].target == "/hook/T0K3N"
    assert error.message == (
        "POST of the URL in 'env:TOKEN' answered 500 Said So: expected the status "
        "2xx. The body begins: [secret hidden]"
    )


@pytest.mark.parametrize("value", ["two\nlines", "ünicode", " blank "])
@trio_test
async def test_a_secret_that_cannot_be_sent(context: Attempt, value: str) -> None:
    """A secret with a line break is refused without repeating it."""
    url = "http://127.0.0.1:1/"
    header = await fails(
        context, HttpRequest(url=url, headers={"X-Token": secret(value)})
    )
    address = await fails(context, HttpRequest(url=secret(value)))

    assert header.permanent
    assert header.message.startswith(
        f"GET {url}: the value of the header 'x-token': it "
    )
    assert address.permanent
    assert address.message.startswith("GET of the URL in 'env:TOKEN': it ")
    assert value.strip() not in header.message + address.message
