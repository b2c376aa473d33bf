"""What becomes of a command when its engine is killed with SIGKILL (REG-11, R-7)."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from workstream_command._session import members, process_of

pytestmark = pytest.mark.slow

ENGINE = Path(__file__).with_name("engine_process.py")
PATIENCE = 60_000
"""Milliseconds after which a hang is taken for a failure."""


class Engine:
    """A real process that runs a command, and what it says."""

    def __init__(self, notes: Path, mode: str, script: str, grace: float) -> None:
        self._process = subprocess.Popen(
            (sys.executable, str(ENGINE), str(notes), mode, script, str(grace)),
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self, word: str) -> str:
        """Wait for the next line, which must begin with the word; give the rest."""
        assert self._process.stdout is not None
        said, _, text = self._process.stdout.readline().rstrip("\n").partition(" ")
        assert said == word, (said, text)
        return text

    def kill(self) -> None:
        """End it as a power cut would."""
        with self._process:
            self._process.kill()

    def finish(self) -> None:
        """Wait until it has ended by itself."""
        with self._process:
            assert self._process.stdout is not None
            assert self._process.stdout.read() == ""
        assert self._process.returncode == 0


@contextmanager
def watching(pid: int) -> Generator[select.poll]:
    """Watch for the end of a process that is not our child."""
    fd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    try:
        yield poll
    finally:
        os.close(fd)


def noted(notes: Path) -> int:
    """The process that was noted."""
    pid = json.loads(notes.read_text())["pid"]
    assert isinstance(pid, int)
    return pid


def is_running(pid: int) -> bool:
    process = process_of(pid)
    return process is not None and process.state not in "ZX"


class Start(Protocol):
    """What the fixture ``start`` gives."""

    def __call__(
        self, notes: Path, mode: str, script: str, grace: float = 0.2
    ) -> Engine: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts engines, and leaves none behind."""
    with ExitStack() as stack:

        def start(notes: Path, mode: str, script: str, grace: float = 0.2) -> Engine:
            engine = Engine(notes, mode, script, grace)
            stack.callback(engine.kill)
            return engine

        yield start


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file for notes, not yet there."""
    return tmp_path / "notes.json"


def test_killed_before_the_note_nothing_is_ever_run(
    notes: Path, tmp_path: Path, start: Start
) -> None:
    """Between start and note the new process only waits, and ends with its engine."""
    trace = tmp_path / "trace"
    engine = start(notes, "stall", f"touch {trace}")
    pid = int(engine.says("started"))

    with watching(pid) as poll:
        assert poll.poll(0) == []
        engine.kill()
        assert poll.poll(PATIENCE)

    assert not trace.exists()
    assert not notes.exists()


def test_killed_before_the_note_it_is_known_that_nothing_was_done(
    notes: Path, start: Start
) -> None:
    """Without a note the command was certainly not begun: NOT_DONE, not a failure."""
    engine = start(notes, "stall", "true")
    engine.says("started")
    engine.kill()

    second = start(notes, "reconcile", "true")

    assert second.says("reconciled") == "NOT_DONE"
    second.finish()


def test_killed_after_the_note_the_next_attempt_ends_it_first(
    notes: Path, start: Start
) -> None:
    """All that the killed engine left has ended before the command is run again."""
    first = start(notes, "run", "echo $$; sleep 1000 & echo $!; wait")
    leader = int(first.says("reported"))
    member = int(first.says("reported"))
    first.kill()
    assert is_running(leader)
    assert is_running(member)
    assert leader == noted(notes)

    alive = f"grep -hs '^State:.[^ZX]' /proc/{leader}/status /proc/{member}/status"
    second = start(notes, "run", f"{alive}; true")

    report = second.says("reported")
    assert report.startswith("ended what an interrupted attempt left running: ")
    assert f"{leader} (sh)" in report
    assert f"{member} (" in report
    assert second.says("completed") == ""
    second.finish()
    assert noted(notes) != leader


def test_what_ignores_term_is_killed_first_too(notes: Path, start: Start) -> None:
    """The grace of the request counts for what an earlier attempt left as well."""
    script = "trap '' TERM; echo ready; while :; do sleep 1000; done"
    first = start(notes, "run", script)
    first.says("reported")
    first.kill()
    leader = noted(notes)

    second = start(notes, "run", "true")

    assert f"{leader} (sh)" in second.says("reported")
    second.says("completed")
    second.finish()
    assert not is_running(leader)


def test_what_is_left_without_its_leader_is_found(notes: Path, start: Start) -> None:
    """When the leader has died, its children are known by what they inherited."""
    first = start(notes, "run", "sleep 1000 & echo $!; wait")
    member = int(first.says("reported"))
    first.kill()
    leader = noted(notes)
    with watching(leader) as poll:
        os.kill(leader, signal.SIGKILL)
        assert poll.poll(PATIENCE)
    assert is_running(member)

    second = start(notes, "run", "true")

    assert f"{member} (" in second.says("reported")
    second.says("completed")
    second.finish()
    assert not is_running(member)


def test_reconcile_ends_what_runs_and_fails(notes: Path, start: Start) -> None:
    """Nobody knows how far it came, so a person decides; but it no longer runs."""
    first = start(notes, "run", "echo ready; sleep 1000")
    first.says("reported")
    first.kill()
    leader = noted(notes)

    second = start(notes, "reconcile", "echo ready; sleep 1000")

    second.says("reported")
    message = second.says("failed")
    assert "it still ran and was ended" in message
    assert f"{leader} (sh)" in message
    second.finish()
    assert members(leader) == []


def test_reconcile_fails_when_nothing_runs_any_more(notes: Path, start: Start) -> None:
    """A command that ended unseen may have done anything."""
    first = start(notes, "run", "echo ready; read -r line")
    first.says("reported")
    first.kill()
    leader = noted(notes)
    if is_running(leader):
        with watching(leader) as poll:
            os.kill(leader, signal.SIGKILL)
            assert poll.poll(PATIENCE)

    second = start(notes, "reconcile", "true")

    assert second.says("failed") == (
        "interrupted: the engine ended while the command was running; how far it came "
        "is not known"
    )
    second.finish()


def test_settling_can_itself_be_killed_and_repeated(
    notes: Path, tmp_path: Path, start: Start
) -> None:
    """A second crash, while the leftover still takes its time, changes nothing (R-19)."""
    told = tmp_path / "told"
    os.mkfifo(told)
    loop = "exec 2>/dev/null; echo ready; while :; do sleep 1000; done"
    script = f"trap 'echo > {told}' TERM; {loop}"
    first = start(notes, "run", script)
    first.says("reported")
    first.kill()
    leader = noted(notes)
    second = start(notes, "reconcile", script, grace=1000)
    assert told.read_text() == "\n"
    second.kill()
    assert is_running(leader)

    third = start(notes, "reconcile", script, grace=0)

    assert f"{leader} (sh)" in third.says("reported")
    assert "it still ran and was ended" in third.says("failed")
    third.finish()
    assert members(leader) == []
