"""Processes, as Linux tells about them, and the end of a session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from workstream import PluginError
from workstream_command._session import (
    Identity,
    Process,
    end_session,
    listed,
    members,
    process_of,
)


def test_a_process_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    """Parentheses, spaces and line breaks in a name do not confuse."""
    program = tmp_path / "a) R 1\n(b"
    program.symlink_to(sys.executable)
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        (str(program), "-c", code),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()

        process = process_of(child.pid)
        assert process is not None
        assert process.name == "a) R 1\n(b"
        assert process.session == child.pid
        assert [process.pid] == [member.pid for member in members(child.pid)]
        child.kill()


def test_a_number_without_a_process_is_none() -> None:
    """A process that has ended and was reaped cannot be seen."""
    with subprocess.Popen(("true",)) as child:
        pass

    assert process_of(child.pid) is None
    with pytest.raises(PluginError, match="cannot be seen"):
        Identity.of(child.pid)


def test_an_identity_survives_as_notes() -> None:
    """What was remembered gives the same identity; anything else gives none."""
    identity = Identity.of(os.getpid())

    assert Identity.from_notes(identity.notes()) == identity
    assert Identity.from_notes({}) is None
    assert Identity.from_notes({**identity.notes(), "boot_id": None}) is None
    assert Identity.from_notes({**identity.notes(), "pid": "1"}) is None


def test_many_processes_are_ended() -> None:
    """A session with more members than are waited for at once ends as a whole."""
    script = "i=0; while [ $i -lt 70 ]; do sleep 1000 & i=$((i+1)); done; echo; wait"
    with subprocess.Popen(
        ("sh", "-c", script), stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert len(members(child.pid)) == 71

        ended = trio.run(lambda: end_session(child.pid, grace=30))

        assert len(ended.signalled) == 71
        assert members(child.pid) == []
    assert child.returncode == -signal.SIGTERM


def test_a_session_without_members_is_ended_already() -> None:
    """There is nothing to do, and nothing to tell."""
    with subprocess.Popen(("true",), start_new_session=True) as child:
        pass

    assert trio.run(lambda: end_session(child.pid, grace=30)).signalled == {}


def test_a_list_of_processes_is_short() -> None:
    """A message names a few and counts the others."""
    processes = [Process(i, "x", "S", 1, 1) for i in range(10)]

    assert listed(processes[:2]) == "0 (x), 1 (x)"
    assert listed(processes).endswith("7 (x) and 2 more")
