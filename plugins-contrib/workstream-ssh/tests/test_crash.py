"""An engine that is killed with SIGKILL, and the next one that goes on (R-7)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from trio.testing import trio_test

from workstream_ssh import Host

if TYPE_CHECKING:
    from conftest import Login, Machine

pytestmark = pytest.mark.slow

PLAN = '''
from workstream import Block, OnInterrupt, Plan, Sequence
from workstream_ssh import Host, ShellOn, SshRun


def plan(
    port: int, identity: str, known: str, detached: bool, rerun: bool = False,
    user: str | None = None, become: bool = False, home: str = "~",
) -> Plan:
    """Count on the host how often a command is run."""
    host = Host(
        "127.0.0.1", port=port, identity_file=identity, known_hosts_file=known, user=user
    )
    script = (
        "echo run >>count; echo up >told; "
        "[ $(wc -l <count) -gt 1 ] || read x <gate; echo whole output"
    )
    action = SshRun.action(
        ShellOn(
            host,
            script,
            cwd=home,
            detached=detached,
            become="root" if become else None,
            directory=f"{home}/.workstream",
        ),
        name="Count",
        on_interrupt=OnInterrupt.RERUN if rerun else None,
    )
    block = Block(name="Block", sequences=[Sequence(name="Host", actions=[action])])
    return Plan(name="Plan", blocks=[block])
'''


BY_HAND = '''
from workstream import Block, OnInterrupt, Plan, Sequence
from workstream_ssh import Host, RunOn, SshRun

def plan(port: int, identity: str, known: str, user: str) -> Plan:
    """Count how often a command is run, by a child of a child of sudo that lives on."""
    host = Host(
        "127.0.0.1", port=port, identity_file=identity, known_hosts_file=known, user=user
    )
    script = "echo run >>count; (trap '' TERM; echo up >told; sleep 1000; :) & wait"
    action = SshRun.action(
        RunOn(host, ("sudo", "-n", "sh", "-c", script), cwd="~", grace=0.1),
        name="Count",
        on_interrupt=OnInterrupt.RERUN,
        retries=1,
    )
    block = Block(name="Block", sequences=[Sequence(name="Host", actions=[action])])
    return Plan(name="Plan", blocks=[block])
'''


class Start(Protocol):
    """What the fixture ``start`` gives."""

    def __call__(self, *words: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts engines by their command line, and leaves none behind."""
    env = {**os.environ, "WORKSTREAM_STORE": str(tmp_path / "store")}
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "workstream", *words]
        process = subprocess.Popen(
            command,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        with process:
            pass


def command_line(tmp_path: Path, host: Host, plan: str = PLAN) -> list[str]:
    """The command line that runs the plan."""
    file = tmp_path / "plan.py"
    file.write_text(plan)
    parameters = {
        "port": host.port,
        "identity": host.identity_file,
        "known": host.known_hosts_file,
    }
    words = ["run", str(file)]
    for name, value in parameters.items():
        words += ["-p", f"{name}={value}"]
    if host.user is not None:
        words += ["-p", f"user={host.user}"]
    return words


@pytest.fixture
def run(tmp_path: Path, host: Host) -> list[str]:
    """The command line that runs the plan on a host."""
    return command_line(tmp_path, host)


def kill(process: subprocess.Popen[str]) -> None:
    """End an engine as a power cut would."""
    process.kill()
    with process:
        pass


def runs_of(machine: Machine) -> int:
    """How often the command was run."""
    return (machine.home / "count").read_text().count("run")


@trio_test
async def test_a_detached_command_is_found_again_and_not_run_again(
    machine: Machine, run: list[str], start: Start
) -> None:
    """Its counter on the host says 1, and its result is whole, however often we die."""
    gate, told = machine.gate(), machine.gate("told")
    first = start(*run, "-p", "detached=yes")
    await told.wait()
    await machine.wait_for_login()
    kill(first)
    second = start("resume")
    await machine.wait_for_login()
    kill(second)

    third = start("resume")
    await machine.wait_for_login()
    await gate.open()
    said, _ = third.communicate(timeout=60)

    assert third.returncode == 0, said
    shown, _ = start("show", "last", "--json").communicate(timeout=60)
    assert "whole output" in shown
    assert runs_of(machine) == 1


@trio_test
async def test_any_other_command_ends_with_its_engine(
    machine: Machine, run: list[str], start: Start
) -> None:
    """The action is FAILED, as nobody knows how far the command came."""
    machine.gate()
    told = machine.gate("told")
    first = start(*run, "-p", "detached=no")
    await told.wait()
    kill(first)
    machine.wait_until_idle()

    second = start("resume")
    said, _ = second.communicate(timeout=60)

    assert second.returncode == 1
    assert "was interrupted" in said
    assert runs_of(machine) == 1


@trio_test
async def test_with_rerun_a_command_is_run_again_when_the_first_has_ended(
    machine: Machine, run: list[str], start: Start
) -> None:
    """The plan's author may know that it can be repeated."""
    machine.gate()
    told = machine.gate("told")
    first = start(*run, "-p", "detached=no", "-p", "rerun=yes")
    await told.wait()
    kill(first)

    second = start("resume")
    await told.wait()
    said, _ = second.communicate(timeout=60)

    assert second.returncode == 0, said
    assert runs_of(machine) == 2


# --- as another user --------------------------------------------------------------


@trio_test
async def test_a_detached_command_of_another_user_is_found_again(
    login: Login, tmp_path: Path, start: Start
) -> None:
    """As one of the login's own is."""
    login.allow_all()
    machine = login.machine
    gate, told = machine.gate(), machine.gate("told")
    run = command_line(tmp_path, machine.host)
    words = ("detached=yes", "become=yes", f"home={machine.home}")
    first = start(*run, *(word for pair in words for word in ("-p", pair)))
    await told.wait()
    await machine.wait_for_login()
    kill(first)

    second = start("resume")
    await machine.wait_for_login()
    await gate.open()
    said, _ = second.communicate(timeout=60)

    assert second.returncode == 0, said
    assert runs_of(machine) == 1
    assert (machine.home / "count").stat().st_uid == 0


@trio_test
async def test_what_outlives_its_engine_and_may_not_be_ended_is_named(
    login: Login, tmp_path: Path, start: Start
) -> None:
    """Nothing is begun beside it, however often the plan is resumed or tried again."""
    login.allow_all()
    machine = login.machine
    told = machine.gate("told")
    first = start(*command_line(tmp_path, machine.host, BY_HAND))
    await told.wait()
    kill(first)

    second = start("resume")
    said, _ = second.communicate(timeout=60)

    assert second.returncode == 1, said
    words = " ".join(said.split())
    assert "has left processes running that the login may not end: " in words
    assert "(sleep)" in words
    assert runs_of(machine) == 1
    assert any("sleep 1000" in words for words in machine.running().values())
