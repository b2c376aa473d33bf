"""Waits: looks repeated until they succeed, or until the time is nearly over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import PluginError
from workstream_net import (
    Dns,
    Ping,
    Tcp,
    Tls,
    WaitDns,
    WaitPing,
    WaitTcp,
    WaitTls,
)
from workstream_net._wait import REMIND_EVERY, wait

if TYPE_CHECKING:
    from conftest import Attempt


@pytest.fixture
def jumping(mock_clock: MockClock) -> MockClock:
    """A clock that jumps by itself over every rest."""
    mock_clock.autojump_threshold = 0
    return mock_clock


def failing(*messages: str, permanent: bool = False) -> list[PluginError]:
    """The errors of looks that fail."""
    return [PluginError(message, permanent=permanent) for message in messages]


class Looks:
    """Fails as it is told to, the last error for ever, or then succeeds."""

    def __init__(self, errors: list[PluginError], *, succeeds: bool = True) -> None:
        self._errors = errors
        self._succeeds = succeeds
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(trio.current_time())
        number = len(self.times) - 1
        if number < len(self._errors):
            raise self._errors[number]
        if not self._succeeds:
            raise self._errors[-1]
        return "found"


@trio_test
async def test_it_looks_until_it_succeeds(context: Attempt, jumping: MockClock) -> None:
    """Between looks it rests, and each new reason is reported once."""
    looks = Looks(failing("down", "down", "starting"))

    assert await wait(context, looks, 5) == "found"

    assert looks.times == [0, 5, 10, 15]
    assert context.lines == [
        "not yet: down",
        "not yet: starting",
        "there after 15.0 seconds, at look 4",
    ]


@trio_test
async def test_it_reminds_watchers(context: Attempt, jumping: MockClock) -> None:
    """A reason that stays is reported again after a while, so that it is seen to live."""
    looks = Looks(failing(*["down"] * 7))

    await wait(context, looks, REMIND_EVERY / 3)

    assert context.lines.count("not yet: down") == 3


@trio_test
async def test_it_gives_up_in_time_to_say_why(
    context: Attempt, jumping: MockClock
) -> None:
    """A moment before the timeout it fails with what was missing to the end."""
    looks = Looks(failing("down"), succeeds=False)

    with trio.fail_after(60), pytest.raises(PluginError) as caught:
        await wait(context, looks, 20)

    assert trio.current_time() == 59.5
    assert caught.value == PluginError("given up after 59.5 seconds and 3 looks: down")


@trio_test
async def test_a_look_that_hangs_is_given_up(
    context: Attempt, jumping: MockClock
) -> None:
    """Also a look that never ends is ended in time."""
    with trio.fail_after(1), pytest.raises(PluginError) as caught:
        await wait(context, trio.sleep_forever, 1)

    assert caught.value.message == (
        "given up after 0.9 seconds and 1 look: the first look did not end"
    )


@trio_test
async def test_a_look_that_hangs_to_the_end_says_where(
    context: Attempt, jumping: MockClock
) -> None:
    """What the last look was waiting for is in the error, with the count of looks."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    async def silent(stream: trio.SocketStream) -> None:
        async with stream:
            while await stream.receive_some():
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, silent, [listener])
        with trio.fail_after(5), pytest.raises(PluginError) as caught:
            await WaitTcp().execute(context, Tcp("127.0.0.1", port, banner="^220"))
        nursery.cancel_scope.cancel()

    assert caught.value.message == (
        f"given up after 4.5 seconds and 1 look: 127.0.0.1:{port} did not say what "
        "matches '^220'"
    )


@trio_test
async def test_without_a_timeout_it_waits_on(
    context: Attempt, jumping: MockClock
) -> None:
    """An infinite timeout is no limit."""
    looks = Looks(failing(*["down"] * 1000))

    assert await wait(context, looks, 60) == "found"


@trio_test
async def test_what_cannot_pass_is_not_waited_for(
    context: Attempt, jumping: MockClock
) -> None:
    """A permanent error ends the wait at once, as it is."""
    errors = failing("no such file", permanent=True)

    with pytest.raises(PluginError) as caught:
        await wait(context, Looks(errors), 1)

    assert caught.value is errors[0]
    assert trio.current_time() == 0


@trio_test
async def test_a_wait_is_cancelled_at_once(
    context: Attempt, mock_clock: MockClock
) -> None:
    """A cancelled wait ends wherever it is, here in its rest."""
    looks = Looks(failing("down"), succeeds=False)
    with trio.CancelScope() as scope:
        context.on_report = scope.cancel
        await wait(context, looks, 60)

    assert scope.cancelled_caught
    assert looks.times == [0]


@trio_test
async def test_a_real_server_is_waited_for(
    context: Attempt, mock_clock: MockClock
) -> None:
    """The wait succeeds at the first look after the server has begun to listen."""
    listener = trio.socket.socket()
    await listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    refused = trio.Event()
    context.on_report = refused.set

    async def begin() -> None:
        await refused.wait()
        listener.listen()
        await wait_all_tasks_blocked()
        mock_clock.jump(30)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
        result = await WaitTcp().execute(context, Tcp("127.0.0.1", port, every=30))

    assert result.address == "127.0.0.1"
    assert context.lines == [
        f"not yet: 127.0.0.1:{port} cannot be connected to: Connection refused",
        "there after 30.0 seconds, at look 2",
    ]
    listener.close()


@trio_test
async def test_a_dry_run_knows_that_a_wait_changes_nothing(context: Attempt) -> None:
    """Each wait says what it waits for, and no change (PV-5)."""
    previews = [
        await WaitTcp().preview(context, Tcp("a", 1)),
        await WaitTls().preview(context, Tls("a", 2)),
        await WaitDns().preview(context, Dns("a")),
        await WaitPing().preview(context, Ping("a")),
    ]

    assert [preview.changes for preview in previews] == [False] * 4
    assert [preview.summary for preview in previews] == [
        "waits for a:1: no change",
        "waits for the certificate of a:2: no change",
        "waits for the name a: no change",
        "waits for a to answer: no change",
    ]
