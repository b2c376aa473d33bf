"""Calls of ping: the real one on loopback, and what others would print."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test

from workstream import PluginError
from workstream_net import Ping, PingCheck, PingResult, WaitPing
from workstream_net._ping import judged

if TYPE_CHECKING:
    from conftest import Attempt

needs_ping = pytest.mark.skipif(
    shutil.which("ping") is None, reason="the program ping is not installed"
)

IPUTILS = """\
PING web (192.0.2.1) 56(84) bytes of data.

--- web ping statistics ---
4 packets transmitted, 3 received, +1 errors, 25% packet loss, time 3004ms
rtt min/avg/max/mdev = 0.025/1.036/2.050/0.010 ms
"""

BUSYBOX = """\
PING web (192.0.2.1): 56 data bytes

--- web ping statistics ---
4 packets transmitted, 4 packets received, 0% packet loss
round-trip min/avg/max = 0.040/0.053/0.064 ms
"""


@needs_ping
@trio_test
async def test_this_machine_answers(context: Attempt) -> None:
    """The loopback interface answers to the real program."""
    plugin = PingCheck()
    await plugin.init()

    result = await plugin.execute(context, Ping("127.0.0.1", count=2, interval=0.2))

    assert (result.sent, result.received, result.loss) == (2, 2, 0)
    assert result.average is not None


@needs_ping
@trio_test
async def test_what_ping_says_is_passed_on(context: Attempt) -> None:
    """A host that ping itself does not accept is an error with ping's own words."""
    with pytest.raises(
        PluginError, match=r"ping of 999\.1\.1\.1 was not possible: 999"
    ):
        await PingCheck().execute(context, Ping("999.1.1.1"))


def test_summaries_are_read() -> None:
    """The summaries of iputils and of busybox are understood."""
    assert judged(Ping("web", max_loss=25), IPUTILS) == PingResult(4, 3, 25, 1.036)
    assert judged(Ping("web"), BUSYBOX) == PingResult(4, 4, 0, 0.053)


def test_losses_count() -> None:
    """More loss than allowed is an error that may be tried again."""
    with pytest.raises(PluginError) as caught:
        judged(Ping("web", max_loss=24.9), IPUTILS)

    assert caught.value == PluginError(
        "web answered 3 of 4 echo requests: 25 % were lost, allowed are 24.9 %"
    )


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("ping: web: Name or service not known\n", "web: Name or service not known"),
        ("ping: socktype: SOCK_RAW\nping: denied\n\n", "denied"),
        ("", "it said nothing"),
    ],
)
def test_what_is_no_summary_is_shown(output: str, why: str) -> None:
    """What kept ping from asking is in the error."""
    with pytest.raises(PluginError) as caught:
        judged(Ping("web"), output)

    assert caught.value.message == f"ping of web was not possible: {why}"


def is_alive(pid: str) -> bool:
    """Whether there is such a process."""
    return Path("/proc", pid).exists()


@pytest.fixture
def hanging_ping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ping that writes its arguments and its number to a FIFO, and never ends."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = tmp_path / "ping"
    program.write_text(f'#!/bin/sh\necho "$$ $*" > {fifo}\nexec sleep 1000\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return fifo


@trio_test
async def test_a_cancelled_ping_is_ended(context: Attempt, hanging_ping: Path) -> None:
    """Nothing is left of ping when a cancelled attempt has returned."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(PingCheck().execute, context, Ping("web", count=5))
        pid, *words = (await trio.Path(hanging_ping).read_text()).split()
        nursery.cancel_scope.cancel()

    assert words == ["-n", "-q", "-c", "5", "-i", "0.5", "-W", "2", "--", "web"]
    assert not is_alive(pid)


@trio_test
async def test_a_ping_that_takes_too_long_is_ended(
    context: Attempt, hanging_ping: Path, mock_clock: MockClock
) -> None:
    """A look ends at its own limit, and its ping with it."""
    pids: list[str] = []

    async def too_long() -> None:
        pids.extend((await trio.Path(hanging_ping).read_text()).split()[:1])
        mock_clock.jump(10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(too_long)
        with pytest.raises(PluginError) as caught:
            await PingCheck().execute(context, Ping("web"))

    assert caught.value.message == (
        "ping of web did not end within 10 seconds (within)"
    )
    assert not is_alive(pids[0])


@pytest.mark.parametrize("plugin", [PingCheck(), WaitPing()])
@trio_test
async def test_a_machine_without_ping(
    plugin: PingCheck | WaitPing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the program the plugin is unusable, and says how to get it (REG-6)."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PluginError, match=r"install it .*iputils-ping"):
        await plugin.init()
