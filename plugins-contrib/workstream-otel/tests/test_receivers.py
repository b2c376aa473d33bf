"""Receivers that are down, refuse or hang cost a run nothing, and lose nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import trio

from workstream_otel import workstream_observers

if TYPE_CHECKING:
    from conftest import Receiver

ENGINE = Path(__file__).with_name("plans.py")
PLAN = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

def plan() -> Plan:
    actions = [RunCommand.action(Run(("true",)), name="Nothing")]
    sequences = [Sequence(name="One", actions=actions)]
    return Plan(name="One action", blocks=[Block(name="Block", sequences=sequences)])
"""


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """``workstream run`` of a plan of one command, in a process of its own."""
    (folder / "deploy.py").write_text(PLAN)
    command = [sys.executable, "-m", "workstream", "run", str(folder / "deploy.py")]
    store = f"--store={folder / 'store'}"
    return subprocess.run(
        [*command, store, *more], capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_the_command_line_sends_by_itself(otel: Receiver, tmp_path: Path) -> None:
    """Whatever plugins a plan names; the pipeline is the plan's file."""
    done = run(tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {"RUN deploy", "Block", "One", "Nothing"} <= {s.name for s in otel.spans}
    assert otel.points("cicd.pipeline.run.duration")[0][1] == 1


@pytest.mark.slow
def test_a_setting_keeps_it_silent(
    otel: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``WORKSTREAM_OBSERVERS`` without its name: nothing is sent (OB-6)."""
    monkeypatch.setenv("WORKSTREAM_OBSERVERS", "")
    done = run(tmp_path)

    assert done.returncode == 0
    assert otel.paths == []


@pytest.mark.slow
def test_a_receiver_that_hangs_does_not_hold_up_a_run(
    otel: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has ended while its request is still unanswered (OB-3, OB-5).

    The SDK itself would wait for an hour.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    otel.hangs.set()
    done = run(tmp_path)

    assert done.returncode == 0, done.stderr
    assert otel.paths
    [owed] = (tmp_path / "store" / "observers" / "otel").iterdir()

    otel.hangs.clear()
    otel.bodies.clear()
    done = run(tmp_path)

    assert done.returncode == 0
    assert not owed.exists(), "the next run tells what that one did not"
    roots = [span for span in otel.spans if not span.parent_span_id]
    assert len({root.trace_id for root in roots}) == len(roots) == 2


@pytest.mark.parametrize("status", [400, 401])
def test_a_receiver_that_refuses_is_told_of_once(
    otel: Receiver,
    plans: ModuleType,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    """With its reason, and nothing is lost: it stays owed (OB-3)."""
    otel.status = status
    with caplog.at_level(logging.WARNING, "workstream"):
        trio.run(plans.ran, tmp_path, plans.plan("", ""))

    told = [each.getMessage() for each in caplog.records if each.name == "workstream"]
    assert len(told) == 1
    assert "the OTLP receiver did not take" in told[0]
    assert str(status) in told[0]
    assert len(list((tmp_path / "observers" / "otel").iterdir())) == 1


@pytest.mark.slow
def test_nobody_listens(
    otel: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose receiver is down ends well, and says so in one line."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    done = run(tmp_path)

    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) <= 1, done.stderr
    assert all(line.startswith("warning: observer 'otel' failed") for line in lines)


def test_another_protocol_is_refused_in_words(
    otel: Receiver,
    plans: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """gRPC is not spoken: the log says what to set."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    trio.run(plans.ran, tmp_path, plans.plan(""))

    assert len(workstream_observers()) == 1
    assert otel.paths == []
    [told] = [each.getMessage() for each in caplog.records if each.name == "workstream"]
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'" in told
    assert "set it to that" in told
