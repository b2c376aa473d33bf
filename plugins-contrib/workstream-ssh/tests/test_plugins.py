"""The plugins as the engine sees them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import (
    Block,
    Checks,
    OnInterrupt,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    Status,
    failures,
    open_workstream,
)
from workstream.vaults import MemoryVault
from workstream_ssh import (
    CopyFrom,
    CopyResult,
    CopyTo,
    Host,
    Limits,
    RunOn,
    RunResult,
    ShellOn,
    SshCheck,
    SshCopy,
    SshRun,
    ssh_plugins,
    workstream_plugins,
)

if TYPE_CHECKING:
    from conftest import Client, Machine


def test_the_hook_offers_three_plugins() -> None:
    """The package's entry point brings two actions and a check (REG-10)."""
    registry = Registry(workstream_plugins())

    assert set(registry.names) == {"ssh.run", "ssh.check", "ssh.copy"}


def test_limits_may_be_set_for_a_registry() -> None:
    """For one that is made by hand; nonsense is refused."""
    assert len(ssh_plugins(Limits(sessions=2, connections=10))) == 3
    with pytest.raises(ValueError, match="sessions"):
        Limits(sessions=0)


def test_what_a_crash_means() -> None:
    """A command is asked for, a copy is simply made again (R-7)."""
    assert SshRun.on_interrupt is OnInterrupt.RECONCILE
    assert SshCopy.on_interrupt is OnInterrupt.RERUN


@trio_test
async def test_without_ssh_no_plugin_can_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``init`` says what to install (REG-6)."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for plugin in workstream_plugins():
        with pytest.raises(PluginError, match="install OpenSSH's client"):
            await plugin.init()


@trio_test
async def test_an_engine_runs_all_of_it(
    host: Host, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests and responses are stored and come back; secrets are not (CL-8)."""
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2")
    source = tmp_path / "source"
    source.write_text("text\n")
    # What it goes through is stored too.
    host = attrs.evolve(host, jump=attrs.evolve(host))
    script = ShellOn(
        host,
        'read -r line; echo "$line $TOKEN"; cat copy',
        env={"TOKEN": SecretRef("env:DEPLOY_TOKEN")},
        stdin="hello",
        cwd="~",
        detached=True,
    )
    actions = [
        SshCopy.action(CopyTo(host, str(source), "~/copy"), name="Put"),
        SshRun.action(script, name="Greet"),
        SshCopy.action(CopyFrom(host, "~/copy", str(tmp_path / "back")), name="Get"),
        SshRun.action(RunOn(host, ("lost",)), name="Fail", retries=5),
    ]
    look = SshCheck.action(RunOn(host, ("test", "-d", ".")), name="Look")
    plan = Plan(
        name="Plan",
        pre_checks=Checks(actions=[look]),
        blocks=[
            Block(name="Block", sequences=[Sequence(name="Host", actions=actions)])
        ],
    )

    with trio.fail_after(60):
        async with open_workstream(
            MemoryVault(), registry=Registry(workstream_plugins())
        ) as ws:
            result = await ws.run(plan)

    put, greet, get, fail = result.blocks[0].sequences[0].actions
    assert result.state.status is Status.FAILED
    assert greet.request == script
    assert greet.attempts[0].response == RunResult(
        exit_code=0, stdout="hello [secret hidden]\ntext\n"
    )
    assert isinstance(put.attempts[0].response, CopyResult)
    assert put.attempts[0].response == get.attempts[0].response
    assert (tmp_path / "back").read_text() == "text\n"
    assert len(fail.attempts) == 1
    assert [failure.path for failure in failures(result)] == [
        "Plan / Block / Host / Fail"
    ]


@trio_test
async def test_problems_of_ssh_are_stored_as_errors(machine: Machine) -> None:
    """With the code that tells them from what commands end with (OM-11)."""
    machine.stop()
    run = SshRun.action(RunOn(machine.host, ("true",)), name="Run")
    plan = Plan(
        name="Plan",
        blocks=[Block(name="B", sequences=[Sequence(name="S", actions=[run])])],
    )

    async with open_workstream(
        MemoryVault(), registry=Registry(workstream_plugins())
    ) as ws:
        result = await ws.run(plan)

    error = result.blocks[0].sequences[0].actions[0].error
    assert error is not None
    assert error.code == 1002
    assert "nothing listens on its port" in error.message


def command_lines() -> bytes:
    """The arguments of all processes of this machine."""
    shown = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            shown += path.read_bytes()
    return shown


@trio_test
async def test_nothing_of_a_secret_is_on_our_own_command_lines(
    client: Client, host: Host, machine: Machine
) -> None:
    """ssh is given the program as input, here as well as on the host."""
    gate = machine.gate()
    secret = SecretRef("env:TOKEN").resolved("hunter2-hunter2")
    request = ShellOn(host, "echo up >gate; read x <gate", cwd="~", env={"A": secret})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, request)
        await gate.wait()
        shown = command_lines()
        await gate.open()

    assert b"ControlPath" in shown
    assert b"hunter2" not in shown
