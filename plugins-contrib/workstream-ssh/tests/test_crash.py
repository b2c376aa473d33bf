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
    from conftest import Machine

PLAN = '''
from workstream import Block, OnInterrupt, Plan, Sequence
from workstream_ssh import Host, ShellOn, SshRun

def plan(port: int, identity: str, known: str, detached: bool, rerun: bool = False) -> Plan:
    """Count on the host how often a command is run."""
    host = Host("127.0.0.1", port=port, identity_file=identity, known_hosts_file=known)
    script = (
        "echo run >>count; echo up >told; "
        "[ $(wc -l <count) -gt 1 ] || read x <gate; echo whole output"
    )
    action = SshRun.action(
        ShellOn(host, script, cwd="~", detached=detached),
        name="Count",
        on_interrupt=OnInterrupt.RERUN if rerun else None,
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


@pytest.fixture
def run(tmp_path: Path, host: Host) -> list[str]:
    """The command line that runs the plan."""
    file = tmp_path / "plan.py"
    file.write_text(PLAN)
    parameters = {
        "port": host.port,
        "identity": host.identity_file,
        "known": host.known_hosts_file,
    }
    words = ["run", str(file)]
    for name, value in parameters.items():
        words += ["-p", f"{name}={value}"]
    return words


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
