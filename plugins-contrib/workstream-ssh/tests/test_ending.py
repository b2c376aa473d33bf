"""How commands are ended on their host: all of the process group, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test

from workstream import PluginError
from workstream_ssh import Host, RunOn, ShellOn, SshProblem

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Client, Machine, Recorder

BUSY = "echo $$; while :; do sleep 1000; done"


async def cancelled(
    client: Client,
    request: ShellOn,
    context: Recorder,
    when: Callable[[], Awaitable[object]],
    *,
    check: bool = False,
) -> None:
    """Cancel an attempt at some moment, as an engine that closes does."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.check if check else client.run, request, context)
        await when()
        nursery.cancel_scope.cancel()


async def timed_out(
    client: Client, request: ShellOn, context: Recorder, clock: MockClock
) -> str:
    """Run an attempt into its timeout, which comes when the command has said ready.

    Returns:
        What it then says.
    """
    said = ""
    async with trio.open_nursery() as nursery:

        async def on_ready() -> None:
            await context.until("ready")
            clock.jump(30)

        nursery.start_soon(on_ready)
        with trio.move_on_after(30) as scope:
            try:
                await client.run(request, context)
            except PluginError as error:
                said = error.message
    assert scope.cancel_called
    return said


@pytest.mark.parametrize("check", [False, True])
@trio_test
async def test_a_cancelled_command_is_ended_with_all_that_it_started(
    client: Client, host: Host, machine: Machine, context: Recorder, check: bool
) -> None:
    """Cancelling ends the process group on the host, not just our ssh."""
    request = ShellOn(host, f"sleep 1000 & sleep 1000 | cat & echo ready; {BUSY}")

    await cancelled(
        client, request, context, lambda: context.until("ready"), check=check
    )

    machine.wait_until_idle()


@trio_test
async def test_the_last_words_of_a_cancelled_command_are_heard(
    client: Client, host: Host, context: Recorder
) -> None:
    """What it says while it ends is still passed on."""
    script = "trap 'echo tidied up; exit' TERM; echo ready; read line"
    gate = "mkfifo gate; exec <>gate; "
    request = ShellOn(host, gate + script, cwd="~")

    await cancelled(client, request, context, lambda: context.until("ready"))

    assert context.lines == ["ready", "tidied up"]


@trio_test
async def test_what_ignores_term_is_killed_after_the_grace(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """TERM first, and KILL for what has not ended in time."""
    request = ShellOn(host, f"trap 'echo ignored' TERM; echo ready; {BUSY}", grace=0.3)

    await cancelled(client, request, context, lambda: context.until("ready"))

    assert "ignored" in context.lines
    machine.wait_until_idle()


@trio_test
async def test_what_a_command_leaves_behind_is_ended(
    client: Client, host: Host, machine: Machine
) -> None:
    """When its own process has ended, the rest of its group must end too."""
    result = await client.run(ShellOn(host, "sleep 1000 & echo done"))

    assert result.stdout == "done\n"
    machine.wait_until_idle()


@trio_test
async def test_what_has_detached_itself_stays(
    client: Client, host: Host, machine: Machine
) -> None:
    """A process with a session of its own is left alone, and not waited for.

    Not even if it keeps the output open.
    """
    script = "setsid sleep 1000 & echo done"

    result = await client.run(ShellOn(host, script))

    assert result.stdout == "done\n"
    assert [words.strip() for words in machine.running().values()] == ["sleep 1000"]


@trio_test
async def test_a_lost_connection_ends_a_command(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """Unless it is detached, nothing runs on unseen."""
    request = ShellOn(host, f"echo ready; {BUSY}")
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await context.until("ready")
            machine.disconnect()

        nursery.start_soon(cut)
        error = await client.error(request, context)

    assert (error.code, error.permanent) == (SshProblem.CONNECTION_LOST, False)
    machine.wait_until_idle()


@trio_test
async def test_another_attempt_begins_when_nothing_is_left_of_the_last(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """Attempts never overlap, even if the host has not noticed the lost connection."""
    script = (
        "trap 'sleep 0.3; rmdir running; exit 1' TERM; mkdir running || exit 9; "
        "echo ready; [ $WORKSTREAM_ATTEMPT = 2 ] && { rmdir running; exit; }; "
        "mkfifo gate; read line <>gate"
    )
    request = ShellOn(host, script, cwd="~")
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await context.until("ready")
            machine.disconnect()

        nursery.start_soon(cut)
        await client.error(request, context)

    assert (await client.run(request, context.again())).exit_code == 0


@trio_test
async def test_a_timeout_ends_a_detached_command(
    client: Client, host: Host, machine: Machine, context: Recorder, clock: MockClock
) -> None:
    """Detached from the connection, not from the plan."""
    request = ShellOn(host, f"echo ready; {BUSY}", detached=True)

    said = await timed_out(client, request, context, clock)

    assert said.startswith(f"waited for {host}: shell script echo ready; ")
    assert ": its end; the last lines of its stdout:\nready\n" in said
    machine.wait_until_idle()


@trio_test
async def test_a_command_that_timed_out_is_begun_anew(
    client: Client, host: Host, machine: Machine, context: Recorder, clock: MockClock
) -> None:
    """The next attempt does not take the end of a cancelled run for its own."""
    script = (
        f"echo run >>count; echo ready; [ $WORKSTREAM_ATTEMPT = 2 ] || {{ {BUSY}; }}"
    )
    request = ShellOn(host, script, cwd="~", detached=True)
    await timed_out(client, request, context, clock)

    result = await client.run(request, context.again())

    assert result.stdout == "ready\n"
    assert (machine.home / "count").read_text() == "run\n" * 2


@pytest.mark.parametrize("detached", [False, True])
@trio_test
async def test_a_command_that_failed_is_begun_anew(
    client: Client, host: Host, machine: Machine, context: Recorder, detached: bool
) -> None:
    """A failure that is known here is not found again by the next attempt."""
    script = "echo run >>count; [ $WORKSTREAM_ATTEMPT = 2 ]"
    request = ShellOn(host, script, cwd="~", detached=detached)

    assert (await client.error(request, context)).code == 1
    assert (await client.run(request, context.again())).exit_code == 0

    assert (machine.home / "count").read_text() == "run\n" * 2


@trio_test
async def test_a_cancelled_attempt_leaves_the_connection_to_others(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """One connection serves all: ending a command does not cut it."""
    request = ShellOn(host, f"echo ready; {BUSY}")
    await cancelled(client, request, context, lambda: context.until("ready"))
    before = machine.connections()

    await client.run(RunOn(host, ("true",)))

    assert machine.connections() == before
