"""Runs that outlive their terminal, and an engine that waits for plans."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import Result

T = TypeVar("T")
Call = Callable[..., Result]
Start = Callable[..., Any]
WritePlan = Callable[..., Path]


def held(tmp_path: Path, locks: tuple[str, ...] = ()) -> str:
    """A plan that goes on when there is a file ``go``."""
    return f"""
    Plan(name="Deploy", locks={locks!r}, blocks=[Block(name="Tier", sequences=[
        Sequence(name="one", actions=[act("hold", hold={str(tmp_path / "go")!r})]),
        Sequence(name="two", actions=[act("do")]),
    ])])
    """


def until(look: Callable[[], T]) -> T:
    """What a look gives, once it gives anything."""
    while True:
        found = look()
        if found:
            return found
        select.select([], [], [], 0.01)  # another process has to come first


def listed(call: Call) -> list[dict[str, Any]]:
    """The plans of the store, newest first."""
    found: list[dict[str, Any]] = json.loads(call("list", "--json").stdout)
    return found


def test_a_frozen_program_starts_no_second_one(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its executable is the program itself: refused before anything is stored."""
    plan = write_plan('tier(Sequence(name="one", actions=[act("do")]))')
    call("run", plan)
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    result = call("run", plan, "--detach")

    assert result.exit_code == 2
    assert "--detach: this program" in result.stderr
    assert len(listed(call)) == 1


@pytest.mark.slow
def test_a_detached_run_outlives_the_command(
    start: Start, call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """It has a session of its own, and writes to a log that only its owner can read."""
    result = start("run", write_plan(held(tmp_path)), "--detach", "--json")
    assert result.end() == 0
    told = json.loads(result.output)

    [row] = listed(call)
    assert row["id"] == told["id"]
    assert row["status"] == "RUNNING"
    assert row["owner"] == told["process"]
    assert os.getsid(told["process"]) == told["process"]
    watcher = start("watch")
    (tmp_path / "go").touch()
    assert watcher.end() == 0
    log = Path(told["log"])
    until(lambda: "Deploy: completed" in log.read_text())
    assert log.stat().st_mode & 0o777 == 0o600
    assert "Tier / two: completed" in log.read_text()


def test_what_is_wrong_is_told_before_anything_is_detached(
    start: Start, call: Call, write_plan: WritePlan
) -> None:
    """The faults, and the secrets that are missing; nothing is stored."""
    file = write_plan(
        'tier(Sequence(name="s", actions=[act("a", token=SecretRef("env:NONE"))]))'
    )

    result = call("run", file, "--detach")

    assert result.exit_code == 2
    assert "env:NONE" in result.stderr
    assert listed(call) == []


@pytest.mark.slow
def test_a_watcher_that_leaves_leaves_the_run_alone(
    start: Start, call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Ctrl-C ends the watching, and says so; ``attach`` is the same."""
    told = start("run", write_plan(held(tmp_path)), "--detach", "--json")
    assert told.end() == 0
    watcher = start("attach")
    watcher.wait_for("one")

    watcher.signal(signal.SIGINT)

    assert watcher.end() == 130
    assert "no longer watched; the plan goes on" in watcher.output
    assert listed(call)[0]["status"] == "RUNNING"
    (tmp_path / "go").touch()
    assert start("watch").end() == 0


@pytest.mark.slow
def test_an_engine_serves_what_is_submitted_and_resumes_what_crashed(
    start: Start,
    call: Call,
    write_plan: WritePlan,
    tmp_path: Path,
) -> None:
    """It tells systemd when it is ready; leaving, it breaks off what runs (T-3)."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        engine = start("serve", NOTIFY_SOCKET=address)
        engine.wait_for("serving ")
        assert systemd.recv(100) == b"READY=1"
        file = write_plan(held(tmp_path))
        first = call("submit", file)
        assert first.exit_code == 0
        assert "Deploy (" in first.stdout
        engine.wait_for("called Deploy / Tier / one / hold")
        engine.signal(signal.SIGTERM)
        assert engine.end() == 0
        assert systemd.recv(100) == b"STOPPING=1"
    assert "leaving: 1 plan broken off" in engine.output
    [row] = listed(call)
    assert (row["status"], row["crashed"]) == ("RUNNING", True)

    again = start("serve")
    again.wait_for("is resumed")
    (tmp_path / "go").touch()
    again.wait_for("): completed")
    second = call("submit", file, "--json")
    again.wait_for("): completed")
    again.signal(signal.SIGINT)

    assert again.end() == 0
    assert [row["status"] for row in listed(call)] == ["COMPLETED", "COMPLETED"]
    assert listed(call)[0]["id"] == json.loads(second.stdout)["id"]
    assert list((tmp_path / "store" / "queue").iterdir()) == []


def test_plans_wait_until_an_engine_serves_them(
    start: Start, call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """One that was deleted meanwhile, or stopped, is no trouble."""
    (tmp_path / "go").touch()
    file = write_plan(held(tmp_path, ("web",)))
    ids = [json.loads(call("submit", file, "--json").stdout)["id"] for _ in range(3)]
    call("delete", ids[0])
    call("stop", ids[1])

    engine = start("serve")
    engine.wait_for("): completed")
    engine.signal(signal.SIGINT)

    assert engine.end() == 0
    assert {row["id"]: row["status"] for row in listed(call)} == {
        ids[1]: "STOPPED",
        ids[2]: "COMPLETED",
    }
    assert list((tmp_path / "store" / "queue").iterdir()) == []


@pytest.mark.parametrize("command", ["submit", "serve"])
def test_a_store_that_is_no_directory_is_refused(
    call: Call, write_plan: WritePlan, tmp_path: Path, command: str
) -> None:
    """There would be no place for the queue."""
    words = [write_plan(held(tmp_path))] if command == "submit" else []

    result = call(command, *words, "--store", "nowhere:at-all")

    assert result.exit_code == 2
