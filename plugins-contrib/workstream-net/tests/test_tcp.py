"""Looks at ports of real servers on the loopback interface."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import PluginError
from workstream_net import Tcp, TcpCheck, TcpResult

if TYPE_CHECKING:
    from conftest import Attempt, Names


@asynccontextmanager
async def serving(
    handle: Callable[[trio.SocketStream], Awaitable[None]],
) -> AsyncGenerator[int]:
    """A server on loopback; its port."""

    async def closing(stream: trio.SocketStream) -> None:
        async with stream:
            await handle(stream)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, closing, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def silent(stream: trio.SocketStream) -> None:
    """Say nothing until the client goes."""
    await stream.receive_some()


async def greeting(stream: trio.SocketStream) -> None:
    """Say the banner in two pieces, then wait for the client to go."""
    await stream.send_all(b"SSH-")
    await wait_all_tasks_blocked()
    await stream.send_all(b"2.0-Test\xff\r\n")
    await stream.receive_some()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def looked(request: Tcp, context: Attempt) -> TcpResult:
    """Look, and see that nothing stays open."""
    before = os.listdir("/proc/self/fd")
    try:
        return await TcpCheck().execute(context, request)
    finally:
        # What other tests have left may be closed meanwhile, by the collector.
        assert set(os.listdir("/proc/self/fd")) <= set(before)


async def fails(request: Tcp, context: Attempt) -> str:
    """The message of a look that fails and may be tried again."""
    with pytest.raises(PluginError) as caught:
        await looked(request, context)
    assert not caught.value.permanent
    return caught.value.message


@trio_test
async def test_an_open_port_passes(context: Attempt) -> None:
    """A port that accepts connections passes, though the server says nothing."""
    async with serving(silent) as port:
        result = await TcpCheck().execute(context, Tcp("127.0.0.1", port))

    assert (result.address, result.banner) == ("127.0.0.1", "")


@trio_test
async def test_a_port_without_a_server_fails(context: Attempt) -> None:
    """A refused connection is an error that may be tried again."""
    port = free_port()

    assert await fails(Tcp("127.0.0.1", port), context) == (
        f"127.0.0.1:{port} cannot be connected to: Connection refused"
    )


@trio_test
async def test_a_closed_port_passes_when_it_should_be_closed(context: Attempt) -> None:
    """With ``closed`` a refusal is what is looked for."""
    result = await looked(Tcp("127.0.0.1", free_port(), closed=True), context)

    assert result.address == ""


@trio_test
async def test_an_open_port_fails_when_it_should_be_closed(context: Attempt) -> None:
    """With ``closed`` a connection is an error."""
    async with serving(silent) as port:
        with pytest.raises(PluginError, match="accepts connections, but should be"):
            await TcpCheck().execute(context, Tcp("127.0.0.1", port, closed=True))


@trio_test
async def test_every_address_must_be_closed(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """A name of which one address is open is open, and closed when all refuse."""
    resolve({"web": ["127.0.0.1", "127.0.0.2"]})
    async with serving(silent) as port:
        with pytest.raises(PluginError, match=r"web:.* accepts connections"):
            await TcpCheck().execute(context, Tcp("web", port, closed=True))

    await looked(Tcp("web", port, closed=True), context)
    assert await fails(Tcp("web", port), context) == (
        f"web:{port} cannot be connected to: Connection refused"
    )


@trio_test
async def test_a_name_that_does_not_resolve_is_not_closed(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """Not to find the host is no refusal by it."""
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolve({"web": unknown})

    assert await fails(Tcp("web", 80, closed=True), context) == (
        "web:80 cannot be connected to: Name or service not known"
    )


@trio_test
async def test_the_banner_is_read_until_it_matches(context: Attempt) -> None:
    """A banner that comes in pieces is put together; what is no text is replaced."""
    async with serving(greeting) as port:
        result = await TcpCheck().execute(
            context, Tcp("127.0.0.1", port, banner=r"^SSH-2.*\n")
        )

    assert result.banner == "SSH-2.0-Test\N{REPLACEMENT CHARACTER}\r\n"


@trio_test
async def test_another_banner_fails(context: Attempt) -> None:
    """A server that ends without the banner fails, with what it said."""

    async def mail(stream: trio.SocketStream) -> None:
        await stream.send_all(b"421 too busy\r\n")

    async with serving(mail) as port:
        with pytest.raises(PluginError) as caught:
            await TcpCheck().execute(context, Tcp("127.0.0.1", port, banner="^220 "))

    assert caught.value.message == (
        f"127.0.0.1:{port} says nothing that matches '^220 '; it said "
        r"'421 too busy\r\n'"
    )


@trio_test
async def test_a_server_that_never_stops_is_cut_off(context: Attempt) -> None:
    """No more than 4096 bytes are read, however much comes."""

    async def flood(stream: trio.SocketStream) -> None:
        try:
            while True:
                await stream.send_all(b"x" * 65536)
        except trio.BrokenResourceError:
            return

    async with serving(flood) as port:
        with pytest.raises(PluginError, match="says nothing that matches 'y'"):
            await TcpCheck().execute(context, Tcp("127.0.0.1", port, banner="y"))


@trio_test
async def test_no_banner_makes_a_pattern_slow(context: Attempt) -> None:
    """A pattern that ``re`` would try for years is answered at once."""

    async def nasty(stream: trio.SocketStream) -> None:
        await stream.send_all(b"a" * 4000 + b"!")

    async with serving(nasty) as port:
        with pytest.raises(PluginError, match="says nothing that matches"):
            await TcpCheck().execute(
                context, Tcp("127.0.0.1", port, banner=r"^(\w+\s?)+$")
            )


@trio_test
async def test_a_server_that_says_nothing_is_left(
    context: Attempt, mock_clock: MockClock
) -> None:
    """A look ends at its own limit, with what was waited for."""
    async with serving(silent) as port, trio.open_nursery() as nursery:

        async def too_long() -> None:
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(5)

        nursery.start_soon(too_long)
        with pytest.raises(PluginError) as caught:
            await TcpCheck().execute(
                context, Tcp("127.0.0.1", port, banner="x", within=5)
            )

    assert caught.value.message == (
        f"127.0.0.1:{port} did not say what matches 'x' within 5 seconds (within)"
    )


@trio_test
async def test_a_look_up_that_hangs_is_left(
    context: Attempt, mock_clock: MockClock, resolve: Callable[[Names], None]
) -> None:
    """A host that cannot even be resolved in time has not answered."""
    resolve({"web": None})
    mock_clock.autojump_threshold = 0

    assert await fails(Tcp("web", 80, within=5), context) == (
        "web:80 did not answer within 5 seconds (within)"
    )


@trio_test
async def test_an_ipv6_address_is_written_in_brackets(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """Messages show host and port apart."""
    resolve({"::1": ConnectionRefusedError(111, "Connection refused")})

    assert (await fails(Tcp("::1", 80), context)).startswith("[::1]:80 cannot be")
