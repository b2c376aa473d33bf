"""Requests to a real server, and the judgement of its answers."""

from __future__ import annotations

import gzip
import socket
import sys
import zlib
from typing import TYPE_CHECKING

import pytest
import trio
from quickly import one_in
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import PluginError
from workstream_http import (
    HttpAction,
    HttpCheck,
    HttpCheckRequest,
    HttpRequest,
    HttpResponse,
)

if TYPE_CHECKING:
    from conftest import Answer, Attempt, Received, Reply, Serve


def sends(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    """A server that always says the same."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.send(status, body, headers)

    return answer


async def ask(context: Attempt, request: HttpCheckRequest) -> HttpResponse:
    """Run a valid check."""
    plugin = HttpCheck()
    plugin.validate(request)
    return await plugin.execute(context, request)


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
async def test_a_response_is_kept(serve: Serve, context: Attempt) -> None:
    """Status, headers and body of an answer are its response."""
    async with serve(sends(201, b"made", {"X-Node": "n1", "Set-Cookie": "s=1"})) as it:
        response = await ask(context, HttpCheckRequest(url=it.url + "/health"))

    assert response.status == 201
    assert response.body == "made"
    assert response.headers["x-node"] == "n1"
    assert response.headers["set-cookie"] == "[secret hidden]"
    assert not response.body_cut
    assert not response.body_lossy
    assert response.elapsed >= 0
    (line,) = context.lines
    assert line.startswith(f"GET {it.url}/health answered 201 Said So, 4 bytes, in ")


@pytest.mark.parametrize(
    ("status", "expected"),
    one_in(
        3,
        [(200, "2xx"), (204, "2xx"), (302, "200, 3xx"), (404, "404"), (503, "500-503")],
    ),
)
@trio_test
async def test_expected_statuses_pass(
    serve: Serve, context: Attempt, status: int, expected: str
) -> None:
    """An answer whose status is one of ``status`` is a success."""
    async with serve(sends(status)) as it:
        response = await ask(context, HttpCheckRequest(url=it.url, status=expected))

    assert response.status == status


@pytest.mark.parametrize(
    ("status", "permanent"),
    one_in(
        4,
        [
            *[(302, True), (400, True), (404, True)],
            *[(408, False), (425, False), (429, False), (500, False), (503, False)],
        ],
    ),
)
@trio_test
async def test_unexpected_statuses_fail(
    serve: Serve, context: Attempt, status: int, permanent: bool
) -> None:
    """The status of an unexpected answer decides whether an action is tried again."""
    async with serve(sends(status, b"out of\nlunch", {"Location": "/x"})) as it:
        error = await fails(context, HttpRequest(url=it.url + "/a?token=b"))

    assert error.code == status
    assert error.permanent is permanent
    assert error.message == (
        f"GET {it.url}/a?... answered {status} Said So: expected the status 2xx. "
        "The body begins: out of lunch"
    )


@trio_test
async def test_checks_may_be_tried_again(serve: Serve, context: Attempt) -> None:
    """Whatever a check is answered may change, unless ``retry_status`` leaves it out."""
    async with serve(sends(404)) as it:
        with pytest.raises(PluginError) as some:
            await ask(context, HttpCheckRequest(url=it.url))
        with pytest.raises(PluginError) as others:
            await ask(context, HttpCheckRequest(url=it.url, retry_status="5xx"))
        action = await fails(context, HttpRequest(url=it.url, retry_status="404"))

    assert not some.value.permanent
    assert others.value.permanent
    assert not action.permanent


@trio_test
async def test_expectations_about_the_body(serve: Serve, context: Attempt) -> None:
    """Each expectation that a body does not meet is named."""
    body = b'{"status": "down", "nodes": [{"ready": false}]}'
    async with serve(sends(200, body)) as it:
        met = await ask(
            context,
            HttpCheckRequest(
                url=it.url,
                contains="nodes",
                matches=r"d\wwn",
                json_equals={"/status": "down", "/nodes/0/ready": False},
            ),
        )
        error = await fails(
            context,
            HttpRequest(
                url=it.url,
                contains="fine",
                matches="^up",
                json_equals={"/status": "up", "/nodes/1": 1},
                retry_status="",
            ),
        )

    assert met.body == body.decode()
    assert error.code == 0
    assert error.permanent
    assert error.message == (
        f"GET {it.url}/ answered 200 Said So: the body does not contain 'fine'; "
        "the body does not match '^up'; the body has \"down\" at '/status', expected "
        "\"up\"; the body has nothing at '/nodes/1', expected 1. The body begins: "
        + body.decode()
    )


@trio_test
async def test_a_long_body_is_cut(serve: Serve, context: Attempt) -> None:
    """Of a body ``body_limit`` bytes are kept, and the response says that it was cut."""
    async with serve(sends(200, "aé".encode())) as it:
        whole = await ask(context, HttpCheckRequest(url=it.url, body_limit=3))
        cut = await ask(context, HttpCheckRequest(url=it.url, body_limit=2))
        none = await ask(context, HttpCheckRequest(url=it.url, body_limit=0))
        error = await fails(
            context, HttpRequest(url=it.url, body_limit=1, contains="é")
        )

    assert (whole.body, whole.body_cut, whole.body_lossy) == ("aé", False, False)
    assert (cut.body, cut.body_cut, cut.body_lossy) == ("a", True, False)
    assert none.body == ""
    assert "only 1 bytes of it were read (body_limit)" in error.message
    assert "3 bytes, in " in context.lines[0]
    assert "2 bytes and more, in " in context.lines[1]


@trio_test
async def test_a_body_need_not_be_kept(serve: Serve, context: Attempt) -> None:
    """With ``keep_body=False`` the body is judged, and then neither kept nor shown."""
    async with serve(sends(200, b'{"token": "abcdef"}')) as it:
        response = await send(
            context, HttpRequest(url=it.url, contains="token", keep_body=False)
        )
        error = await fails(
            context,
            HttpRequest(url=it.url, json_equals={"/token": "x"}, keep_body=False),
        )

    assert response.body == ""
    assert "abcdef" not in str(error)


@trio_test
async def test_a_body_that_is_no_text(serve: Serve, context: Attempt) -> None:
    """The server's charset counts; what is no text is replaced, and told."""
    latin = {"Content-Type": "text/plain; charset=ISO-8859-1"}
    async with serve(sends(200, b"\xe9", latin)) as it:
        text = await ask(context, HttpCheckRequest(url=it.url))
    async with serve(sends(200, b"a\xff")) as it:
        bytes_ = await ask(context, HttpCheckRequest(url=it.url))

    assert (text.body, text.body_lossy) == ("é", False)
    assert (bytes_.body, bytes_.body_lossy) == ("a\N{REPLACEMENT CHARACTER}", True)


@trio_test
async def test_an_endless_body_is_bounded(serve: Serve, context: Attempt) -> None:
    """Of a body without an end ``body_limit`` bytes are read; then it is closed."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.head(200, {"transfer-encoding": "chunked"})
        while True:
            try:
                await reply.stream.send_all(b"400\r\n" + b"x" * 0x400 + b"\r\n")
            except trio.BrokenResourceError:
                return

    async with serve(answer) as it:
        response = await ask(context, HttpCheckRequest(url=it.url, body_limit=5000))
        await it.idle()

    assert response.body == "x" * 5000
    assert response.body_cut


@pytest.mark.slow
@trio_test
async def test_compressed_bodies_are_bounded(serve: Serve, context: Attempt) -> None:
    """``body_limit`` counts what a compressed body becomes."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    async with serve(sends(200, bomb, {"Content-Encoding": "gzip"})) as it:
        response = await ask(context, HttpCheckRequest(url=it.url, body_limit=10))
    async with serve(sends(200, b"no gzip", {"Content-Encoding": "gzip"})) as it:
        broken = await fails(context, HttpRequest(url=it.url))
    async with serve(sends(200, b"?", {"Content-Encoding": "br"})) as it:
        unknown = await fails(context, HttpRequest(url=it.url))
    async with serve(
        sends(200, zlib.compress(b"z"), {"Content-Encoding": "deflate"})
    ) as it:
        small = await ask(context, HttpCheckRequest(url=it.url))

    assert response.body == "\0" * 10
    assert response.body_cut
    assert (small.body, small.body_cut) == ("z", False)
    assert "answered with a body that cannot be decompressed: " in broken.message
    assert "answered with a body compressed as 'br', which was" in unknown.message
    assert not broken.permanent


@trio_test
async def test_a_compressed_body_ends_where_it_says(
    serve: Serve, context: Attempt
) -> None:
    """What a server sends behind the end of a compressed body is not waited for."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.head(200, {"content-encoding": "gzip"})
        await reply.raw(gzip.compress(b"all"))
        try:
            while True:
                await reply.stream.send_all(bytes(65536))
        except trio.BrokenResourceError:
            return

    async with serve(answer) as it:
        response = await ask(context, HttpCheckRequest(url=it.url, body_limit=100_000))

    assert (response.body, response.body_cut) == ("all", False)


@trio_test
async def test_a_long_body_is_judged_beside_the_loop(
    serve: Serve, context: Attempt
) -> None:
    """A body of more than a few KiB is judged as a short one is."""
    async with serve(sends(200, b"a" * 60_000 + b"!")) as it:
        error = await fails(context, HttpRequest(url=it.url, matches=r"^(\w+\s?)*$"))
        passed = await send(context, HttpRequest(url=it.url, matches=r"a!$"))

    assert r"does not match '^(\\w+\\s?)*$'" in error.message
    assert len(passed.body) == 60_001


@trio_test
async def test_head_has_no_body(serve: Serve, context: Attempt) -> None:
    """The answer to HEAD is its headers."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.head(200, {"content-length": "12"})

    async with serve(answer) as it:
        response = await ask(context, HttpCheckRequest(url=it.url, method="HEAD"))

    assert it.received[0].method == "HEAD"
    assert response.headers["content-length"] == "12"
    assert response.body == ""


@trio_test
async def test_a_refused_connection_may_be_tried_again(context: Attempt) -> None:
    """An address where nobody listens is an error that says so."""
    with socket.socket() as held:  # bound, but not listening: it refuses
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        error = await fails(context, HttpRequest(url=f"http://127.0.0.1:{port}/"))

    assert error.message == (
        f"GET http://127.0.0.1:{port}/ cannot connect: Connection refused"
    )
    assert not error.permanent


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"SSH-2.0-x\r\n\r\n"],
)
@trio_test
async def test_a_broken_answer_may_be_tried_again(
    serve: Serve, context: Attempt, said: bytes
) -> None:
    """A server that hangs up, or speaks something else, is an error that says so."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.raw(said)
        await reply.stream.aclose()

    async with serve(answer) as it:
        error = await fails(context, HttpRequest(url=it.url))

    assert error.message.startswith(f"GET {it.url}/ has lost the connection: ")
    assert not error.permanent


@pytest.mark.skipif(sys.platform != "linux", reason="fills the queue of a listener")
@trio_test
async def test_a_connection_that_hangs_is_given_up(
    context: Attempt, mock_clock: MockClock
) -> None:
    """After ``connect_timeout`` seconds without a connection the attempt fails."""
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for queued in (first, second):
            queued.setblocking(False)
            queued.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        errors: list[PluginError] = []

        async def attempt() -> None:
            errors.append(await fails(context, HttpRequest(url=url, connect_timeout=7)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt)
            while not errors:
                # The trust store is read in a thread, which no clock waits for.
                await wait_all_tasks_blocked(0.01)
                mock_clock.jump(7)

    assert errors[0].message == (
        f"GET {url} has no connection after 7 seconds (connect_timeout)"
    )
    assert not errors[0].permanent


@pytest.mark.parametrize("begun", [False, True])
@trio_test
async def test_a_hanging_server_is_left_at_the_timeout(
    serve: Serve, context: Attempt, mock_clock: MockClock, begun: bool
) -> None:
    """A cancelled attempt (A-5) leaves no connection and no task behind."""
    reached = trio.Event()

    async def answer(received: Received, reply: Reply) -> None:
        if begun:
            await reply.head(200, {"content-length": "100"})
            await reply.raw(b"slow")
        reached.set()
        await reply.closed()

    said: list[str] = []

    async def attempt() -> None:
        with trio.move_on_after(30), pytest.raises(PluginError) as caught:
            await ask(context, HttpCheckRequest(url=it.url))
        said.append(caught.value.message)

    async with serve(answer) as it:
        await wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt)
            await reached.wait()
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(30)
        await it.idle()
        await wait_all_tasks_blocked()

        assert trio.lowlevel.current_statistics().tasks_living == tasks
    host = it.url.removeprefix("http://")
    rest = "for the rest of its answer" if begun else "for its answer"
    assert said == [f"GET {it.url}/ was connected to {host} and waited {rest}"]


@trio_test
async def test_a_slow_body_is_waited_for(
    serve: Serve, context: Attempt, mock_clock: MockClock
) -> None:
    """A body that comes byte by byte is read to its end, within the timeout."""

    async def answer(received: Received, reply: Reply) -> None:
        await reply.head(200, {"content-length": "3"})
        for letter in (b"a", b"b", b"c"):
            await reply.raw(letter)
            mock_clock.jump(9)

    async with serve(answer) as it:
        response = await ask(context, HttpCheckRequest(url=it.url))

    assert response.body == "abc"
    assert response.elapsed == 27


@trio_test
async def test_an_attempt_closes_its_connection(serve: Serve, context: Attempt) -> None:
    """A response that was read leaves no connection behind, either."""
    async with serve(sends(200, b"ok")) as it:
        await ask(context, HttpCheckRequest(url=it.url))
        await it.idle()

        assert it.connections == 0


@trio_test
async def test_proxies_of_the_environment_are_used(
    serve: Serve, context: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where HTTP_PROXY names a proxy, the request goes there."""
    async with serve(sends(200)) as it:
        monkeypatch.setenv("HTTP_PROXY", it.url)
        await ask(context, HttpCheckRequest(url="http://web.invalid/health"))

    assert it.received[0].target == "http://web.invalid/health"


@trio_test
async def test_a_proxy_that_refuses_is_named(
    serve: Serve, context: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that opens no tunnel is an error that says so."""
    async with serve(sends(403)) as it:
        monkeypatch.setenv("HTTPS_PROXY", it.url)
        error = await fails(context, HttpRequest(url="https://web.invalid/"))

    assert it.received[0].method == "CONNECT"
    assert error.message == (
        "GET https://web.invalid/ cannot connect through the proxy "
        f"{it.url.removeprefix('http://')} (HTTPS_PROXY): 403 Said So; for a host that "
        "needs no proxy set NO_PROXY"
    )


@pytest.mark.parametrize(
    ("scheme", "variable"),
    [("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY"), ("http", "ALL_PROXY")],
)
@trio_test
async def test_a_proxy_that_is_down_is_named(
    context: Attempt, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    """It is the proxy that refuses, not the service; its password is not shown."""
    with socket.socket() as held:  # bound, but not listening: it refuses
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        monkeypatch.setenv(variable, f"http://me:hushhush@127.0.0.1:{port}")
        error = await fails(context, HttpRequest(url=f"{scheme}://web.invalid/"))

    assert error.message == (
        f"GET {scheme}://web.invalid/ cannot connect to the proxy 127.0.0.1:{port} "
        f"({variable}): Connection refused; for a host that needs no proxy set NO_PROXY"
    )
    assert not error.permanent


@trio_test
async def test_an_answer_of_a_proxy_says_whose_it_may_be(
    serve: Serve, context: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 502 that came through a proxy names the proxy."""
    async with serve(sends(502)) as it:
        monkeypatch.setenv("http_proxy", it.url)
        error = await fails(context, HttpRequest(url="http://web.invalid/"))

    place = it.url.removeprefix("http://")
    assert error.message.startswith(
        f"GET http://web.invalid/ (through the proxy {place} (http_proxy)) answered 502"
    )


@trio_test
async def test_paths_are_shown_as_they_are_sent(serve: Serve, context: Attempt) -> None:
    """An escaped line break in a URL does not break a message."""
    async with serve(sends(404)) as it:
        error = await fails(context, HttpRequest(url=it.url + "/a%0Ab"))

    assert error.message.startswith(f"GET {it.url}/a%0Ab answered 404")
