"""An undo whose engine is killed with SIGKILL goes on, and leaves what there was (UN-4)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PLAN = """
from pathlib import Path

from workstream import (
    Block, DeferBatch, DeferredActions, OnInterrupt, Plan, Sequence, WhenDeferred,
)
from workstream_command import Run, RunCommand

HERE = Path(__file__).parent


def sh(script):
    return RunCommand.action(
        Run(("sh", "-c", script)), name="sh", on_interrupt=OnInterrupt.RERUN, timeout=60
    )


def host(number):
    file = HERE / f"web-{number}"
    waits = f"echo undoing > {HERE}/told; cat {HERE}/gate; " if number == 2 else ""
    return Sequence(
        name=f"web-{number}",
        actions=[sh(f"echo 2 > {file}")],
        deferred_actions=DeferredActions(batches=[
            DeferBatch(
                name="Back", when=WhenDeferred.ON_UNDO,
                actions=[sh(f"{waits}echo 1 > {file}; echo {number} >> {HERE}/order")],
            )
        ]),
    )


def plan():
    bad = Sequence(name="bad", actions=[sh("exit 3")])
    hosts = [host(1), host(2), host(3), bad]
    return Plan(name="Rollout", blocks=[Block(name="tier", sequences=hosts)])
"""


def workstream(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that does one command in the folder's store."""
    command = (sys.executable, "-m", "workstream", *words)
    environment = {**os.environ, "WORKSTREAM_STORE": str(folder / "store")}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_killed_in_the_middle_of_an_undo(tmp_path: Path) -> None:
    """The host in hand is taken back by the next process, no other one twice."""
    (tmp_path / "plan.py").write_text(PLAN)
    for number in (1, 2, 3):
        (tmp_path / f"web-{number}").write_text("1\n")
    os.mkfifo(tmp_path / "told")
    os.mkfifo(tmp_path / "gate")

    with workstream(tmp_path, "run", str(tmp_path / "plan.py")) as engine:
        assert (tmp_path / "told").read_text() == "undoing\n"
        assert (tmp_path / "web-1").read_text() == "2\n"
        engine.kill()
    assert (tmp_path / "order").read_text() == "3\n"

    with workstream(tmp_path, "resume") as engine:
        assert (tmp_path / "told").read_text() == "undoing\n"
        (tmp_path / "gate").write_text("go\n")
        assert engine.stdout is not None
        said = engine.stdout.read()
    assert engine.returncode == 1, said
    assert "taken back on 3 of 3; failed (block)" in said, said

    found = [(tmp_path / f"web-{number}").read_text() for number in (1, 2, 3)]
    assert found == ["1\n", "1\n", "1\n"]
    order = (tmp_path / "order").read_text().split()
    assert (order.count("3"), order.count("1"), order[-1]) == (1, 1, "1")
    with workstream(tmp_path, "list") as engine:
        assert engine.stdout is not None
        assert "taken back on 3 of 3" in engine.stdout.read()
