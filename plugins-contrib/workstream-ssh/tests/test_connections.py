"""Connections to real hosts: shared, limited, found dead and made again, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream_ssh import (
    CopyTo,
    Host,
    KnownHosts,
    Limits,
    RunOn,
    ShellOn,
    SshProblem,
)
from workstream_ssh._connecting import options
from workstream_ssh._connecting.options import control

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Client, Machine, MakeClient, MakeMachine, Recorder


def give_order(client: Client, host: Host, order: str) -> str:
    """Tell the master of the connection to a host something, and get its answer."""
    command = control(host, client.connections.socket_of(host), order)
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def master_of(client: Client, host: Host) -> int:
    """The process that holds the connection to a host."""
    said = give_order(client, host, "check")
    return int(said.rpartition("pid=")[2].rstrip(")\r\n"))


# --- shared and limited ---------------------------------------------------------


@trio_test
async def test_all_that_is_done_on_a_host_shares_one_connection(
    client: Client, host: Host, machine: Machine, tmp_path: Path
) -> None:
    """Also when it all begins at the same moment."""
    source = tmp_path / "source"
    source.write_bytes(b"text")
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(client.run, RunOn(host, ("true",)))
            nursery.start_soon(client.check, RunOn(host, ("true",)))
            nursery.start_soon(client.copy, CopyTo(host, str(source), f"~/{number}"))

    assert len(machine.connections()) == 1


CROWD = "mkdir -p in; : >in/$$; ls in | wc -l >>most; sleep 0.1; rm in/$$"


@trio_test
async def test_a_host_is_given_no_more_than_so_much_at_once(
    make_client: MakeClient, host: Host, machine: Machine
) -> None:
    """The rest waits for its turn, in this process."""
    client = make_client(Limits(sessions=2))
    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(client.run, ShellOn(host, CROWD, cwd="~"))

    counts = [int(line) for line in (machine.home / "most").read_text().split()]
    assert len(counts) == 6
    assert max(counts) == 2


@pytest.mark.parametrize("allowed", [1, 3])
@trio_test
async def test_a_host_that_allows_fewer_sessions_gets_fewer(
    make_machine: MakeMachine, client: Client, allowed: int
) -> None:
    """Its refusals are no errors: they tell how many there may be."""
    machine = make_machine(extra=f"MaxSessions {allowed}")
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(client.run, ShellOn(machine.host, CROWD, cwd="~"))

    counts = [int(line) for line in (machine.home / "most").read_text().split()]
    assert len(counts) == 8
    assert max(counts) <= allowed
    assert len(machine.connections()) == 1


@trio_test
async def test_no_more_than_so_many_hosts_are_used_at_once(
    make_machine: MakeMachine, make_client: MakeClient, tmp_path: Path
) -> None:
    """Over all hosts together."""
    client = make_client(Limits(connections=1))
    machines = [make_machine(f"web-{number}") for number in range(3)]
    async with trio.open_nursery() as nursery:
        for machine in machines:
            request = ShellOn(machine.host, CROWD, cwd=str(tmp_path))
            nursery.start_soon(client.run, request)

    counts = [int(line) for line in (tmp_path / "most").read_text().split()]
    assert counts == [1, 1, 1]


# --- found dead -----------------------------------------------------------------


@trio_test
async def test_a_connection_that_has_died_is_made_again(
    client: Client, host: Host
) -> None:
    """Whether it left its socket behind or not."""
    await client.run(RunOn(host, ("true",)))
    os.kill(master_of(client, host), signal.SIGKILL)
    assert client.connections.socket_of(host).exists()

    await client.run(RunOn(host, ("true",)))
    give_order(client, host, "exit")
    assert (await client.run(RunOn(host, ("true",)))).exit_code == 0


@trio_test
async def test_a_connection_that_was_cut_is_made_again(
    client: Client, host: Host, machine: Machine
) -> None:
    """By the next one who needs it."""
    await client.run(RunOn(host, ("true",)))
    machine.disconnect()

    assert (await client.run(RunOn(host, ("true",)))).exit_code == 0


# --- ended ----------------------------------------------------------------------


@trio_test
async def test_a_connection_that_nobody_uses_ends_by_itself(
    client: Client, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a killed engine leaves none behind for long."""
    monkeypatch.setattr(options, "IDLE", 1)
    fd: int | None = None
    with trio.fail_after(60):
        while fd is None:
            await client.run(RunOn(host, ("true",)))
            # A busy machine may be so slow to ask that the connection has ended by then.
            with suppress(subprocess.CalledProcessError, ProcessLookupError):
                fd = os.pidfd_open(master_of(client, host))
        await trio.lowlevel.wait_readable(fd)
    os.close(fd)

    assert not client.connections.socket_of(host).exists()


@trio_test
async def test_closing_ends_all_connections(
    client: Client, host: Host, machine: Machine
) -> None:
    """As Python does at its end; and those who come later make new ones."""
    await client.run(RunOn(host, ("true",)))
    fd = os.pidfd_open(master_of(client, host))

    client.connections.close()
    with trio.fail_after(60):
        await trio.lowlevel.wait_readable(fd)
    os.close(fd)

    assert (await client.run(RunOn(host, ("true",)))).exit_code == 0


@trio_test
async def test_nothing_is_left_of_our_own_processes_and_files(
    client: Client, host: Host, context: Recorder
) -> None:
    """Sockets aside, which belong to connections that are still there."""
    await client.run(RunOn(host, ("true",)), context)
    await client.error(RunOn(host, ("false",)), context)
    socket_of = client.connections.socket_of(host)
    client.connections.close()

    prefix = socket_of.name.rpartition("-")[0]
    assert [n for n in os.listdir(socket_of.parent) if n.startswith(prefix)] == []


# --- what keeps us from a host ----------------------------------------------------


@trio_test
async def test_a_name_that_is_no_host_is_told(client: Client) -> None:
    """Before anything else."""
    error = await client.error(RunOn("no-such-host.invalid", ("true",)))

    assert error.code == SshProblem.NOT_RESOLVED
    assert error.message.startswith("no-such-host.invalid: ")


@trio_test
async def test_a_host_that_refuses_may_be_tried_again(
    client: Client, host: Host, machine: Machine
) -> None:
    """It may be starting."""
    machine.stop()

    error = await client.error(RunOn(host, ("true",)))

    assert (error.code, error.permanent) == (SshProblem.REFUSED, False)
    assert "nothing listens on its port (ssh says: " in error.message


@trio_test
async def test_a_host_that_hangs_may_be_tried_again(client: Client, host: Host) -> None:
    """Something takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = attrs.evolve(host, port=listener.getsockname()[1], connect_timeout=1)
        error = await client.error(RunOn(silent, ("true",)))

    assert (error.code, error.permanent) == (SshProblem.UNREACHABLE, False)
    assert "it does not answer" in error.message


@trio_test
async def test_a_host_that_hangs_can_be_cancelled(client: Client, host: Host) -> None:
    """The attempt's timeout counts for making the connection too (A-4)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = attrs.evolve(host, port=listener.getsockname()[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run, RunOn(silent, ("true",)))
            accepted, _ = await trio.to_thread.run_sync(listener.accept)
            nursery.cancel_scope.cancel()
        # Not before ssh has ended: it would tell of a connection that was reset.
        accepted.close()


@trio_test
async def test_a_changed_host_key_is_never_trusted(
    make_machine: MakeMachine, client: Client, client_key: Path
) -> None:
    """Whatever is said about unknown hosts, and however often one tries."""
    machine = make_machine()
    known = client_key.with_name("known_hosts")
    public = client_key.with_suffix(".pub").read_text()  # any key but the host's
    known.write_text(f"[127.0.0.1]:{machine.port} {public}")
    for policy in KnownHosts:
        host = attrs.evolve(
            machine.host, known_hosts=policy, known_hosts_file=str(known)
        )

        error = await client.error(RunOn(host, ("true",)))

        assert (error.code, error.permanent) == (SshProblem.HOST_KEY_CHANGED, True)
        assert "it shows another key than the known one" in error.message
        assert str(known) in error.message


@trio_test
async def test_an_unknown_host_is_refused_unless_one_says_otherwise(
    client: Client, host: Host, tmp_path: Path
) -> None:
    """With ACCEPT_NEW its key is noted, and counts from then on."""
    known = tmp_path / "none yet"
    unknown = attrs.evolve(host, known_hosts_file=str(known))
    error = await client.error(RunOn(unknown, ("true",)))
    assert (error.code, error.permanent) == (SshProblem.HOST_KEY_UNKNOWN, True)
    assert f"its key is not in {known}" in error.message

    trusting = attrs.evolve(unknown, known_hosts=KnownHosts.ACCEPT_NEW)
    await client.run(RunOn(trusting, ("true",)))

    assert (await client.run(RunOn(unknown, ("true",)))).exit_code == 0


@trio_test
async def test_a_host_that_does_not_let_us_in_is_permanent(
    client: Client, host: Host, host_key: Path
) -> None:
    """Nobody is asked for a password."""
    stranger = attrs.evolve(host, identity_file=str(host_key))

    error = await client.error(RunOn(stranger, ("true",)))

    assert (error.code, error.permanent) == (SshProblem.NOT_ADMITTED, True)
    assert "it does not let us in" in error.message


@trio_test
async def test_a_configuration_with_a_mistake_is_permanent(
    client: Client, host: Host, tmp_path: Path
) -> None:
    """What ssh says about it is shown."""
    config = tmp_path / "config"
    config.write_text("Host *\n  Prot 22\n")

    error = await client.error(
        RunOn(attrs.evolve(host, config_file=str(config)), ("true",))
    )

    assert (error.code, error.permanent) == (SshProblem.MISCONFIGURED, True)
    assert "prot" in error.message


# --- the way to a host ------------------------------------------------------------


@trio_test
async def test_the_ssh_configuration_is_honoured(
    client: Client, host: Host, machine: Machine, tmp_path: Path
) -> None:
    """An alias is enough; what is meant for people at a terminal does not apply."""
    config = tmp_path / "config"
    config.write_text(
        "Host web\n"
        "  HostName 127.0.0.1\n"
        f"  Port {host.port}\n"
        f"  IdentityFile {host.identity_file}\n"
        f"  UserKnownHostsFile {host.known_hosts_file}\n"
        "  RequestTTY force\n"
        "  RemoteCommand echo no\n"
        "  LocalCommand echo no\n"
        "  PermitLocalCommand yes\n"
        "  StdinNull yes\n"
        "  SessionType none\n"
        "  ForwardX11 yes\n"
        f"  LocalForward {host.port} 127.0.0.1:1\n"
        "  ControlMaster auto\n"
        f"  ControlPath {tmp_path}/mine\n"
    )
    web = Host("web", config_file=str(config))

    result = await client.run(ShellOn(web, 'cat; echo "$HOME"', stdin="in\n"))

    assert result.stdout == f"in\n{machine.home}\n"
    assert not (tmp_path / "mine").exists()


@trio_test
async def test_without_a_file_the_users_configuration_counts() -> None:
    """ssh is told of no other."""
    command = options.connect(Host("web"), Path("/run/socket"), Path("/run/log"))

    assert "-F" not in command


@trio_test
async def test_hosts_behind_others_are_reached_through_them(
    make_machine: MakeMachine, client: Client, tmp_path: Path
) -> None:
    """Each on the way with its own port, key and policy."""
    web, bastion, gate = (make_machine(name) for name in ("web", "bastion", "gate"))
    way = attrs.evolve(bastion.host, jump=gate.host)
    host = attrs.evolve(web.host, jump=way)

    result = await client.run(ShellOn(host, 'echo "$HOME"'))

    assert result.stdout == f"{web.home}\n"
    assert [len(m.connections()) for m in (web, bastion, gate)] == [1, 1, 1]


@trio_test
async def test_what_goes_wrong_on_the_way_is_told(
    make_machine: MakeMachine, client: Client, host_key: Path
) -> None:
    """A jump host has a log of its own, which is ours too."""
    web, bastion = make_machine("web"), make_machine("bastion")
    closed = attrs.evolve(bastion.host, identity_file=str(host_key))
    error = await client.error(RunOn(attrs.evolve(web.host, jump=closed), ("true",)))
    assert (error.code, error.permanent) == (SshProblem.NOT_ADMITTED, True)

    bastion.stop()
    host = attrs.evolve(web.host, jump=bastion.host)
    error = await client.error(RunOn(host, ("true",)))
    assert (error.code, error.permanent) == (SshProblem.REFUSED, False)


@trio_test
async def test_a_user_may_be_named(client: Client, host: Host) -> None:
    """One that the host does not know is not let in."""
    stranger = attrs.evolve(host, user="no-such-user")

    error = await client.error(RunOn(stranger, ("true",)))

    assert error.code == SshProblem.NOT_ADMITTED
    assert error.message.startswith(f"no-such-user@127.0.0.1:{host.port}: ")
