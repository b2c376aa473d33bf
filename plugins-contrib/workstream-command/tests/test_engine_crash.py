"""A real engine with a real store, killed with SIGKILL while a command runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from workstream import Action, OnInterrupt, Plan, Registry, Status, open_workstream
from workstream_command import workstream_plugins
from workstream_command._session import members, process_of

ENGINE = '''
import sys, trio
from workstream import Block, OnInterrupt, Plan, Registry, Sequence, open_workstream
from workstream_command import RunCommand, Shell, workstream_plugins

store, fifo, on_interrupt = sys.argv[1:]
# The first attempt waits for ever; one that comes after it does not.
script = """
if test -e "$1.again"; then echo $$ > "$1"; exit; fi
touch "$1.again"; echo $$ > "$1"; sleep 1000
"""
action = RunCommand.action(
    Shell(script, args=(fifo,)),
    name="Wait",
    on_interrupt=OnInterrupt[on_interrupt] if on_interrupt else None,
)
plan = Plan(
    name="Plan",
    blocks=[Block(name="Block", sequences=[Sequence(name="S", actions=[action])])],
)

async def main():
    async with open_workstream(store, registry=Registry(workstream_plugins())) as ws:
        await ws.run(plan)

trio.run(main)
'''


async def recovered(store: Path) -> Plan:
    """Recover the one plan of a store, and wait for its end."""
    registry = Registry(workstream_plugins())
    async with open_workstream(store, registry=registry) as ws:
        (row,) = await ws.list()
        assert row.id is not None
        with trio.fail_after(60):
            return await ws.wait(row.id)


def crash(tmp_path: Path, on_interrupt: str) -> int:
    """Kill an engine while its command runs; give the command's process."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(
        (
            *(sys.executable, "-c", ENGINE),
            *(str(tmp_path / "store"), str(fifo), on_interrupt),
        )
    ) as engine:
        pid = int(fifo.read_text())
        engine.send_signal(signal.SIGKILL)
    process = process_of(pid)
    assert process is not None
    assert process.state not in "ZX"
    return pid


def action_of(plan: Plan) -> Action:
    return plan.blocks[0].sequences[0].actions[0]


def test_by_default_an_interrupted_command_is_ended_and_failed(tmp_path: Path) -> None:
    """Nothing runs on, nothing is run again, and the error tells what was found."""
    pid = crash(tmp_path, "")

    plan = trio.run(recovered, tmp_path / "store")

    action = action_of(plan)
    assert action.state.status is Status.FAILED
    assert action.attempts[0].interrupted
    assert f"it still ran and was ended ({pid} (sh)" in str(action.attempts[-1].error)
    assert members(pid) == []


@pytest.mark.slow
def test_rerun_ends_what_runs_and_runs_it_again(tmp_path: Path) -> None:
    """With RERUN the second attempt comes when nothing of the first is left."""
    pid = crash(tmp_path, "RERUN")
    fifo = tmp_path / "fifo"

    async def main() -> tuple[Plan, int]:
        found: list[Plan] = []

        async def recover() -> None:
            found.append(await recovered(tmp_path / "store"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(recover)
            again = int(await trio.Path(fifo).read_text())
            assert members(pid) == []
        return found[0], again

    plan, again = trio.run(main)

    action = action_of(plan)
    assert again != pid
    assert action.state.status is Status.COMPLETED
    assert [attempt.interrupted for attempt in action.attempts] == [True, False]


@pytest.mark.slow
def test_fail_leaves_it_to_a_person(tmp_path: Path) -> None:
    """With an explicit FAIL no plugin is asked, and the command goes on by itself."""
    pid = crash(tmp_path, OnInterrupt.FAIL.name)

    plan = trio.run(recovered, tmp_path / "store")

    assert action_of(plan).state.status is Status.FAILED
    assert len(action_of(plan).attempts) == 1
    assert members(pid) != []
    for process in members(pid):
        os.kill(process.pid, signal.SIGKILL)
