"""Redirects, from and to real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError, SecretRef
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest

if TYPE_CHECKING:
    from conftest import Answer, Attempt, Received, Reply, Serve


def redirects(status: int, to: str) -> Answer:
    """A server that redirects all but ``/end``."""

    async def answer(received: Received, reply: Reply) -> None:
        if received.target.startswith("/end"):
            await reply.send(200, b"there")
        else:
            await reply.send(status, b"elsewhere", {"Location": to})

    return answer


async def fails(context: Attempt, request: HttpRequest) -> PluginError:
    """Send a request that fails."""
    with pytest.raises(PluginError) as caught:
        await HttpAction().execute(context, request)
    return caught.value


@trio_test
async def test_redirects_are_not_followed_unasked(
    serve: Serve, context: Attempt
) -> None:
    """A redirect is an answer like any other, unless ``follow_redirects`` is set."""
    async with serve(redirects(302, "/end")) as it:
        error = await fails(context, HttpRequest(url=it.url))
        followed = await HttpCheck().execute(
            context, HttpCheckRequest(url=it.url, follow_redirects=True)
        )

    assert error.code == 302
    assert followed.status == 200
    assert [received.target for received in it.received] == ["/", "/", "/end"]
    assert context.lines[-2] == f"GET {it.url}/ is redirected to {it.url}/end"


@pytest.mark.parametrize(
    ("status", "method", "body"), [(302, "GET", b""), (307, "POST", b"load")]
)
@trio_test
async def test_methods_and_bodies_follow(
    serve: Serve, context: Attempt, status: int, method: str, body: bytes
) -> None:
    """307 and 308 repeat the request; others ask for the new address by GET."""
    async with serve(redirects(status, "/end")) as it:
        request = HttpRequest(
            method="POST", url=it.url, body=b"load", follow_redirects=True
        )
        await HttpAction().execute(context, request)

    assert it.received[1].method == method
    assert it.received[1].body == body


@trio_test
async def test_secrets_stay_with_their_origin(serve: Serve, context: Attempt) -> None:
    """Another origin gets no secret header; the same origin does."""
    request = HttpCheckRequest(
        url="",
        headers={"X-Token": SecretRef("env:A").resolved("abcdef"), "X-Plain": "1"},
        bearer=SecretRef("env:B").resolved("bcdefg"),
        follow_redirects=True,
    )
    async with (
        serve(redirects(302, "")) as other,
        serve(redirects(302, other.url + "/end?abcdef")) as away,
        serve(redirects(302, "/end")) as here,
    ):
        for server in (away, here):
            asked = HttpCheckRequest(
                url=server.url,
                headers=request.headers,
                bearer=request.bearer,
                follow_redirects=True,
            )
            await HttpCheck().execute(context, asked)

    assert other.received[0].header("x-plain") == "1"
    assert other.received[0].header("x-token") is None
    assert other.received[0].header("authorization") is None
    assert here.received[1].header("x-token") == "abcdef"
    assert here.received[1].header("authorization") == "Bearer bcdefg"
    assert "abcdef" not in "".join(context.lines)


@trio_test
async def test_a_body_stays_with_its_origin(serve: Serve, context: Attempt) -> None:
    """A redirect that would hand the body to another origin is not followed."""
    async with (
        serve(redirects(307, "")) as other,
        serve(redirects(307, other.url + "/end")) as it,
    ):
        error = await fails(
            context,
            HttpRequest(method="PUT", url=it.url, body="load", follow_redirects=True),
        )

    assert other.received == []
    assert error.permanent
    assert error.message == (
        f"PUT {it.url}/ answered 307 Said So: it redirects to {other.url}/end, another "
        "origin, which is not given the body"
    )


@pytest.mark.parametrize(
    "to", ["ftp://web.invalid/", "http://:x/", "file:///etc/passwd"]
)
@trio_test
async def test_redirects_to_what_is_not_http(
    serve: Serve, context: Attempt, to: str
) -> None:
    """A redirect to anything but an http or https address is an error."""
    async with serve(redirects(301, to)) as it:
        error = await fails(context, HttpRequest(url=it.url, follow_redirects=True))

    assert "it redirects to what is no http or https address" in error.message


@trio_test
async def test_errors_name_where_a_redirect_led(serve: Serve, context: Attempt) -> None:
    """What goes wrong behind a redirect says where that is."""
    async with serve(redirects(302, "http://127.0.0.1:1/gone")) as it:
        error = await fails(context, HttpRequest(url=it.url, follow_redirects=True))

    assert error.message == (
        f"GET {it.url}/ (redirected to http://127.0.0.1:1/gone) cannot connect: "
        "Connection refused"
    )


@trio_test
async def test_endless_redirects_end(serve: Serve, context: Attempt) -> None:
    """After 10 redirects the next one is an error."""
    async with serve(redirects(302, "/again")) as it:
        error = await fails(context, HttpRequest(url=it.url, follow_redirects=True))

    assert len(it.received) == 11
    assert "that is one redirect more than 10" in error.message


@trio_test
async def test_the_body_of_a_redirect_is_not_read(
    serve: Serve, context: Attempt
) -> None:
    """A redirect whose body never ends is followed at once."""

    async def answer(received: Received, reply: Reply) -> None:
        if received.target == "/end":
            await reply.send(200)
            return
        fields = {"location": "/end", "transfer-encoding": "chunked"}
        await reply.head(302, fields)
        while True:
            try:
                await reply.stream.send_all(b"400\r\n" + b"x" * 0x400 + b"\r\n")
            except trio.BrokenResourceError:
                return

    async with serve(answer) as it:
        response = await HttpCheck().execute(
            context, HttpCheckRequest(url=it.url, follow_redirects=True)
        )
        await it.idle()

    assert response.status == 200
