"""Processes, as Linux tells about them, and the end of a session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from workstream import PluginError
from workstream_command import _session
from workstream_command._session import (
    Identity,
    Process,
    end_leftover,
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


TIDIES_UP = """
exec 3<>gate
trap '(trap "echo told" TERM; echo tidying; read line <&3; echo tidied) & exit' TERM
echo ready
read line <&3
"""


def test_who_tidies_up_is_not_told_to_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that begins after TERM has the whole grace."""
    looks: list[list[Process]] = []

    def look(session: int) -> list[Process]:
        looks.append(members(session))
        return looks[-1]

    monkeypatch.setattr(_session, "members", look)
    os.mkfifo(tmp_path / "gate")
    with subprocess.Popen(
        ("sh", "-c", TIDIES_UP),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"

        async def end() -> _session.Ended:
            async with trio.open_nursery() as nursery:

                async def let_it_end() -> None:
                    while len(looks) < 2:
                        await trio.lowlevel.checkpoint()
                    await trio.testing.wait_all_tasks_blocked()
                    (tmp_path / "gate").write_text("\n")

                nursery.start_soon(let_it_end)
                return await end_session(child.pid, grace=30)

        ended = trio.run(end)

        assert child.stdout.read() == "tidying\ntidied\n"
    assert list(ended.signalled) == [child.pid]


def test_a_session_without_members_is_ended_already() -> None:
    """There is nothing to do, and nothing to tell."""
    with subprocess.Popen(("true",), start_new_session=True) as child:
        pass

    assert trio.run(lambda: end_session(child.pid, grace=30)).signalled == {}


def test_a_list_of_processes_is_short() -> None:
    """A message names a few and counts the others."""
    processes = [Process(i, "x", "S", 1, 1, 1) for i in range(10)]

    assert listed(processes[:2]) == "0 (x), 1 (x)"
    assert listed(processes).endswith("7 (x) and 2 more")


# --- whose a session is -----------------------------------------------------------------


def test_what_was_noted_is_ended() -> None:
    """Number, start time and boot tell that a process is the one that was noted."""
    with subprocess.Popen(("sleep", "1000"), start_new_session=True) as leader:
        identity = Identity.of(leader.pid)

        ended = trio.run(lambda: end_leftover(identity, "key", grace=30))

        assert list(ended.signalled) == [leader.pid]
    assert leader.returncode == -signal.SIGTERM


@pytest.mark.parametrize("differs", ["start_time", "boot_id"])
def test_a_stranger_is_left_alone(differs: str) -> None:
    """A process that has the number, but started otherwise, is somebody else's."""
    with subprocess.Popen(("sleep", "1000"), start_new_session=True) as stranger:
        identity = Identity.of(stranger.pid)
        if differs == "start_time":
            identity = attrs.evolve(identity, start_time=identity.start_time - 1)
        else:
            identity = attrs.evolve(identity, boot_id="another")

        ended = trio.run(lambda: end_leftover(identity, "key", grace=0))

        assert ended.signalled == {}
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("key", ["ours", "another"])
def test_a_session_without_its_leader_is_known_by_its_mark(key: str) -> None:
    """Without the mark of our action a session is neither hit nor ignored."""
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"
    leader = subprocess.Popen(
        (sys.executable, "-c", code),
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "WORKSTREAM_IDEMPOTENCY_KEY": "ours"},
    )
    with leader:
        assert leader.stdout is not None
        identity = Identity.of(leader.pid)
        member = int(leader.stdout.readline())
        leader.wait()

        if key == "ours":
            ended = trio.run(lambda: end_leftover(identity, key, grace=30))
            assert list(ended.signalled) == [member]
            assert members(leader.pid) == []
        else:
            with pytest.raises(PluginError, match=rf"{member} \(sleep\).*be told"):
                trio.run(lambda: end_leftover(identity, key, grace=0))
            assert [process.pid for process in members(leader.pid)] == [member]
            os.kill(member, signal.SIGKILL)


HIDDEN = """
import os, subprocess, trio
from workstream import PluginError
from workstream_command._session import Identity, end_leftover, members

begun = "sleep 1000 >/dev/null & echo $!; read line"
leader = subprocess.Popen(
    ["sh", "-c", begun], stdin=-1, stdout=-1, start_new_session=True
)
left = int(leader.stdout.readline())
identity = Identity.of(leader.pid)
leader.communicate(b"")
print([process.pid == left for process in members(identity.pid)])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(members(identity.pid))
try:
    trio.run(lambda: end_leftover(identity, "key", grace=0))
except PluginError as error:
    print(str(error).replace(str(identity.pid), "N"))
"""


@pytest.mark.slow
def test_what_is_hidden_is_not_taken_for_ended() -> None:
    """Where /proc shows nobody the processes of others, nothing begins beside them."""
    script = 'mount -o remount,hidepid=2 /proc; exec "$@"'
    words = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    try:
        done = subprocess.run(
            [*words, "sh", "-ec", script, "sh", sys.executable, "-c", HIDDEN],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here (Debian has it in util-linux)")
    if "ermi" in done.stderr:  # permission denied, or operation not permitted
        pytest.skip("this user may mount nothing")

    assert done.stdout.splitlines() == [
        "[True]",
        "[]",
        "process group N, the interrupted attempt's, belongs to another user now, and "
        "this machine hides whose processes are in it (hidepid). Whether the attempt "
        "started them cannot be told; end them, or wait for them, and try again",
    ], done.stderr
