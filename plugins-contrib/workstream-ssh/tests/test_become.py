"""Commands, checks and copies as another user than the one who logs in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test

from workstream import PluginError, SecretRef
from workstream.plugins import NOT_DONE
from workstream_ssh import (
    Become,
    BecomeMethod,
    CopyFrom,
    CopyTo,
    Host,
    RunOn,
    ShellOn,
    SshProblem,
)

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Client, Login, MakeClient, Recorder

DOAS = Become("root", method=BecomeMethod.DOAS)
NESTED = "sh -c 'sleep 1000 & sleep 1000' & sleep 1000 & wait"
"""A child of a child: whoever ends the first process has not ended all."""


def secret(value: str) -> SecretRef:
    """A reference that has been looked up."""
    return SecretRef("env:PASSWORD").resolved(value)


async def timed_out(
    client: Client,
    request: RunOn | ShellOn,
    context: Recorder,
    clock: MockClock,
    when: str,
) -> None:
    """Run an attempt into its timeout, which comes when the command has said this."""
    async with trio.open_nursery() as nursery:

        async def on_ready() -> None:
            await context.until(when)
            clock.jump(30)

        nursery.start_soon(on_ready)
        with trio.move_on_after(30), pytest.raises(PluginError, match="waited for"):
            await client.run(request, context)


async def cancelled(
    client: Client, request: RunOn | ShellOn, context: Recorder
) -> None:
    """Begin a command, and leave it as an engine does that closes."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, request, context)
        await context.until("ready")
        nursery.cancel_scope.cancel()


# --- becoming -------------------------------------------------------------------


@pytest.mark.parametrize("detached", [False, True])
@trio_test
async def test_a_command_is_run_as_another_user(
    client: Client, login: Login, detached: bool
) -> None:
    """With that user's home, in it, and with all that a command is given."""
    login.allow_all()
    script = 'id -un; echo ~ "$HOME" "$PWD"; echo "$ONE"; cat; echo oops >&2'
    request = ShellOn(
        login.machine.host,
        script,
        env={"ONE": "it's"},
        stdin="input",
        become="root",
        directory=login.place,
        detached=detached,
    )

    result = await client.run(request)

    assert result.stdout == "root\n/root /root /root\nit's\ninput"
    assert result.stderr == "oops\n"


@trio_test
async def test_doas_will_do_as_well(client: Client, doas: Login) -> None:
    """Hosts have one or the other."""
    request = ShellOn(
        doas.machine.host, 'id -un; echo "$HOME"', become=DOAS, directory=doas.place
    )

    assert (await client.run(request)).stdout == "root\n/root\n"
    assert (await client.check(request)).stdout == "root\n/root\n"


@trio_test
async def test_sudo_that_takes_a_terminal_of_its_own_will_do_as_well(
    client: Client, login: Login, context: Recorder
) -> None:
    """Newer sudo has ``use_pty`` by default: streams stay apart, and all is ended."""
    login.allow(
        f"{login.name} ALL=(ALL) NOPASSWD: ALL", f"Defaults:{login.name} use_pty"
    )
    host = login.machine.host
    request = ShellOn(
        host, "cat; echo err >&2", stdin="a\nb", become="root", directory=login.place
    )

    result = await client.run(request)
    await cancelled(
        client,
        ShellOn(host, f"echo ready; {NESTED}", become="root", directory=login.place),
        context,
    )

    assert (result.stdout, result.stderr) == ("a\nb", "err\n")
    login.machine.wait_until_idle()


@trio_test
async def test_a_password_is_given_when_sudo_asks(client: Client, login: Login) -> None:
    """It is in no list of processes, and not taken for input if sudo does not ask."""
    become = Become("root", password=secret(login.password))
    request = ShellOn(
        login.machine.host, "cat", stdin="input", become=become, directory=login.place
    )
    look = ShellOn(
        login.machine.host,
        'printf "%s" "$PATTERN" >p; cat /proc/[0-9]*/cmdline >c; grep -ac -f p c',
        env={"PATTERN": secret(login.password)},
        expected_exit_codes=(1,),
        become=become,
        directory=login.place,
        cwd=str(login.machine.home),
    )
    login.allow(
        f"{login.name} ALL=(ALL) ALL", f"Defaults:{login.name} timestamp_timeout=0"
    )

    assert (await client.run(request)).stdout == "input"
    assert (await client.run(look)).stdout == "0\n"
    login.allow_all()
    assert (await client.run(request)).stdout == "input"


@trio_test
async def test_why_a_user_cannot_be_become_is_told(
    client: Client, login: Login
) -> None:
    """With what to do about it; nothing is tried again."""
    host = login.machine.host

    async def refused(become: Become | str) -> str:
        error = await client.error(
            RunOn(host, ("true",), become=become, directory=login.place)
        )
        assert (error.code, error.permanent) == (SshProblem.NOT_BECOME, True)
        return error.message

    wrong = Become("root", password=secret("wrong"))
    assert "does not let this login do that" in await refused(
        Become("root", password=secret(login.password))
    )
    login.allow(f"{login.name} ALL=(ALL) ALL")
    assert "it asks for a password. Give one as become.password" in await refused(
        "root"
    )
    assert "does not accept the password" in await refused(wrong)
    assert "knows no such user" in await refused("nobody-of-that-name")
    assert "doas does not let us become root: " in await refused(DOAS)


@trio_test
async def test_a_user_without_a_place_to_note_things_is_told(
    client: Client, login: Login
) -> None:
    """That a user may not write somewhere has nothing to do with room on the disk."""
    login.allow_all()
    request = RunOn(login.machine.host, ("id", "-un"), become="daemon")

    error = await client.error(request)

    assert (error.code, error.permanent) == (SshProblem.NOT_PERMITTED, True)
    assert "in ~/.workstream: the user may not write there" in error.message
    assert "directory=" in error.message


# --- all of it is ended -----------------------------------------------------------


@pytest.mark.parametrize("check", [False, True])
@trio_test
async def test_what_runs_as_root_is_ended_with_all_that_it_started(
    client: Client, login: Login, context: Recorder, check: bool
) -> None:
    """What looks after it is root as well, so it can."""
    login.allow_all()
    request = ShellOn(
        login.machine.host,
        f"echo ready; {NESTED}",
        become="root",
        directory=login.place,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.check if check else client.run, request, context)
        await context.until("ready")
        assert len(login.machine.running()) > 3
        nursery.cancel_scope.cancel()

    login.machine.wait_until_idle()


@trio_test
async def test_a_lost_connection_ends_what_runs_as_root(
    client: Client, login: Login, context: Recorder
) -> None:
    """As it ends what runs as the login."""
    login.allow_all()
    request = ShellOn(
        login.machine.host,
        f"echo ready; {NESTED}",
        become="root",
        directory=login.place,
    )
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await context.until("ready")
            login.machine.disconnect()

        nursery.start_soon(cut)
        error = await client.error(request, context)

    assert error.code == SshProblem.CONNECTION_LOST
    login.machine.wait_until_idle()


@trio_test
async def test_a_detached_command_of_root_is_found_again(
    make_client: MakeClient, login: Login, context: Recorder
) -> None:
    """It is begun once, whoever asks for it."""
    login.allow_all()
    gate = login.machine.gate()
    script = "echo run >>count; echo ready; read line <gate; id -un; wc -l <count"
    home = str(login.machine.home)
    request = ShellOn(
        login.machine.host,
        script,
        cwd=home,
        become="root",
        directory=login.place,
        detached=True,
    )
    await cancelled(make_client(), request, context)
    await gate.open()

    result = await make_client().reconcile(request, context)

    assert getattr(result, "stdout", "") == "ready\nroot\n1\n"


# --- sudo written by hand -----------------------------------------------------------


def by_hand(host: Host, *, detached: bool = False) -> RunOn:
    """What people write who do not know of ``become``."""
    script = f'echo run >>count; echo "ready $(wc -l <count)"; {NESTED}'
    words = ("sudo", "-n", "sh", "-c", script)
    return RunOn(host, words, cwd="~", detached=detached, grace=0.3)


def kill_all(login: Login) -> None:
    """What an administrator does who was told of it."""
    for pid, words in login.machine.running().items():
        if "sleep 1000" in words:
            os.kill(pid, 9)
    login.machine.wait_until_idle()


@pytest.mark.parametrize("detached", [False, True])
@trio_test
async def test_nothing_is_begun_beside_what_may_not_be_ended(
    make_client: MakeClient,
    login: Login,
    context: Recorder,
    clock: MockClock,
    detached: bool,
) -> None:
    """It is named, until somebody has ended it; then the command is begun anew."""
    login.allow_all()
    host, count = login.machine.host, login.machine.home / "count"
    request = by_hand(host, detached=detached)
    await timed_out(make_client(), request, context, clock, "ready 1")
    assert any("still running, not ours to end: " in line for line in context.lines)

    again = context.again()
    for _ in range(2):
        error = await make_client().error(request, again)
        assert (error.code, error.permanent) == (SshProblem.STILL_RUNNING, False)
        assert (
            "has left processes running that the login may not end: " in error.message
        )
        assert "(sleep)" in error.message
        with pytest.raises(PluginError, match="may not end"):
            await make_client().reconcile(request, again)
    assert count.read_text() == "run\n"

    kill_all(login)
    await timed_out(make_client(), request, again.again(), clock, "ready 2")
    assert count.read_text() == "run\n" * 2
    kill_all(login)


@trio_test
async def test_what_a_failed_command_has_left_is_in_the_way_as_well(
    client: Client, login: Login, context: Recorder
) -> None:
    """It ended by itself, and a child of a child of it did not."""
    login.allow_all()
    script = "echo run >>count; sleep 1000 & exit 3"
    words = ("sudo", "-n", "sh", "-c", script)
    request = RunOn(login.machine.host, words, cwd="~")

    first = await client.error(request, context)
    second = await client.error(request, context.again())

    assert first.code == 3
    assert any("still running, not ours to end: " in line for line in context.lines)
    assert second.code == SshProblem.STILL_RUNNING
    assert (login.machine.home / "count").read_text() == "run\n"
    kill_all(login)
    assert (await client.error(request, context.again())).code == 3
    kill_all(login)


@trio_test
async def test_a_success_that_leaves_something_is_one(
    client: Client, login: Login, context: Recorder
) -> None:
    """What it has started as another user is named, and goes on."""
    login.allow_all()
    words = ("sudo", "-n", "sh", "-c", "sleep 1000 & echo started")

    result = await client.run(RunOn(login.machine.host, words), context)

    assert result.stdout == "started\n"
    assert any("(sleep)" in line for line in context.lines)
    kill_all(login)


# --- copies -----------------------------------------------------------------------


@trio_test
async def test_copies_are_made_as_another_user(
    client: Client, login: Login, tmp_path: Path
) -> None:
    """To and from where the login may not even look."""
    login.allow_all()
    host, closed = login.machine.host, login.machine.home / "closed"
    closed.mkdir(mode=0o700)
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_text("content")

    denied = await client.copy_error(CopyTo(host, str(source), f"{closed}/copy"))
    first = await client.copy(
        CopyTo(host, str(source), f"{closed}/copy", become="root")
    )
    again = await client.copy(
        CopyTo(host, str(source), f"{closed}/copy", become="root")
    )
    await client.copy(CopyFrom(host, f"{closed}/copy", str(back), become="root"))

    assert (denied.code, denied.permanent) == (SshProblem.NOT_PERMITTED, True)
    assert (first.changed, again.changed) == (True, False)
    assert (closed / "copy").stat().st_uid == 0
    assert back.read_text() == "content"


@trio_test
async def test_what_was_never_begun_is_not_done(
    client: Client, login: Login, context: Recorder
) -> None:
    """As for the login itself."""
    login.allow_all()
    request = RunOn(login.machine.host, ("true",), become="root", directory=login.place)

    assert await client.reconcile(request, context) is NOT_DONE
