"""The command line on a terminal: what is drawn, typed, resized, closed and taken away."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
Start = Callable[..., Any]
WritePlan = Callable[..., Path]


def held(tmp_path: Path) -> str:
    """A plan of two sequences; the first waits for a file."""
    return f"""
    tier(
        Sequence(name="one", actions=[act("hold", hold={str(tmp_path / "go")!r})]),
        Sequence(name="two", actions=[act("do")]),
    )
    """


def status(start: Start) -> str:
    """The newest plan's, as ``list --json`` prints it."""
    child = start("list", "--json")
    assert child.end() == 0, child.output
    return str(json.loads(child.output)[0]["status"])


def until(look: Callable[[], T]) -> T:
    """What a look gives, once it gives anything."""
    while True:
        found = look()
        if found:
            return found
        select.select([], [], [], 0.01)  # another process has to come first


@pytest.mark.slow
def test_a_terminal_that_is_gone_ends_no_run(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The window is closed: the run goes on to its end, and writes to its log."""
    plan = write_plan(held(tmp_path), name="closed.py")
    pid, terminal = pty.fork()
    if pid == 0:
        words = [sys.executable, "-m", "workstream", "run", str(plan)]
        os.execv(sys.executable, words)
    written = b""
    while b"one / hold" not in written:
        written += os.read(terminal, 65536)
    watcher = start("watch", "--json")
    watcher.wait_for('"event": "plan"')
    os.close(terminal)
    [log] = until(lambda: list((tmp_path / "store" / "logs").glob("*.log")))
    until(lambda: "The run goes on" in log.read_text())
    (tmp_path / "go").touch()

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert watcher.end() == 0
    assert status(start) == "COMPLETED"
    written_to_log = log.read_text()
    assert "Tier / two: completed" in written_to_log
    assert "Deploy: completed" in written_to_log
    assert log.stat().st_mode & 0o777 == 0o600


class Shell:
    """An interactive shell in a terminal; what it wrote."""

    def __init__(self) -> None:
        """Begin it: a plain one, which does not set terminals right by itself."""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(
                "/bin/sh", ["sh", "-i"], {**os.environ, "PS1": "ready> ", "ENV": ""}
            )
        self.written = ""

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self.terminal, text.encode())

    def wait_for(self, *texts: str) -> str:
        """What came up to the last of these texts, which come one after the other."""
        whole = ""
        for text in texts:
            while text not in self.written:
                self.written += os.read(self.terminal, 65536).decode(errors="replace")
            before, _, self.written = self.written.partition(text)
            whole += before + text
        return whole

    def end(self) -> None:
        """End it."""
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture
def shell() -> Iterator[Shell]:
    """A shell, which has shown its prompt."""
    shell = Shell()
    shell.wait_for("ready> ")
    yield shell
    shell.end()


@pytest.mark.slow
def test_keys_that_are_typed_during_a_run_reach_no_shell(
    shell: Shell, write_plan: WritePlan, tmp_path: Path
) -> None:
    """They are not shown, and not obeyed at the end; the terminal is as it was."""
    plan = write_plan(held(tmp_path), name="typed.py")
    shell.type(f"{sys.executable} -m workstream run {plan}\n")
    shell.wait_for("one / hold")
    shell.type(f"touch {tmp_path}/obeyed\n")
    shell.wait_for("one / hold")  # drawn once more
    (tmp_path / "go").touch()

    told = shell.wait_for("look closer", "ready> ")
    assert "obeyed" not in told
    shell.type("stty -a; echo do''ne\n")
    assert " echo " in shell.wait_for("done\r\n")
    assert not (tmp_path / "obeyed").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_keys_to_the_shell(
    shell: Shell, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Nothing can be done when it dies: what was typed is forgotten while it draws."""
    plan = write_plan(held(tmp_path), name="typed.py")
    shell.type(f"{sys.executable} -m workstream run {plan} & echo p''id=$!; fg\n")
    pid = int(shell.wait_for("pid=", "\r\n").rpartition("pid=")[2])
    shell.wait_for("one / hold")
    shell.type(f"touch {tmp_path}/obeyed\n")
    shell.wait_for("one / hold", "one / hold")  # drawn twice since
    os.kill(pid, signal.SIGKILL)

    shell.type("\n")
    shell.wait_for("ready> ")
    shell.type("echo do''ne\n")
    shell.wait_for("done\r\n")
    assert not (tmp_path / "obeyed").exists()


@pytest.mark.slow
def test_a_run_that_is_stopped_by_ctrl_z_gives_the_terminal_back(
    shell: Shell, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Keys are shown to the shell, and hidden again after `fg`; the run goes on."""
    plan = write_plan(held(tmp_path), name="typed.py")
    shell.type(f"{sys.executable} -m workstream run {plan}\n")
    shell.wait_for("one / hold")
    shell.type("\x1a")
    assert "\x1b[?25h" in shell.wait_for("Stopped", "ready> ")
    shell.type("stty -a; echo do''ne\n")
    assert " echo " in shell.wait_for("done\r\n", "ready> ")
    shell.type("fg\n")
    shell.wait_for("one / hold", "one / hold")
    shell.type(f"touch {tmp_path}/obeyed\n")
    shell.wait_for("one / hold")
    (tmp_path / "go").touch()

    assert "obeyed" not in shell.wait_for("look closer", "ready> ")
    assert not (tmp_path / "obeyed").exists()
    assert status(start) == "COMPLETED"


def run_on_terminal(
    *arguments: object,
    until: bytes = b"",
    then: Path | None = None,
    keys: bytes = b"",
    **more: str,
) -> tuple[int, str]:
    """Run the command line on a terminal of 60 columns; its status and all it wrote.

    As soon as it has written ``until``, the keys are typed and the file ``then`` is made.
    """
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "workstream", *map(str, arguments)],
        env={**os.environ, "TERM": "xterm", **more},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # all other ends are closed
            break
        if not piece:
            break
        written += piece
        if then is not None and until in written:
            os.write(ours, keys)
            keys = b""
            then.touch()
    os.close(ours)
    return child.wait(), written.decode()


@pytest.mark.slow
def test_a_terminal_shows_live_progress_and_then_the_outcome(
    write_plan: WritePlan, tmp_path: Path
) -> None:
    """The screen is written over, fits, and is left in order, the cursor shown."""
    plan = f"""
    tier(
        Sequence(name="slow", actions=[act("do", hold={str(tmp_path / "go")!r})]),
        *(Sequence(name=f"web-{{n}}", actions=[act("do", say="x" * 300)]) for n in range(60)),
        Sequence(name="bad", actions=[act("do", fail="no space left")]),
        concurrency=30,
    )
    """
    status, written = run_on_terminal(
        "run", write_plan(plan), until=b"61 of 62", then=tmp_path / "go"
    )

    assert status == 1
    assert "checking and storing the plan" in written  # before anything runs
    assert "slow / do" in written  # what runs
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    end = written[written.rindex("\x1b[?25h") :]
    assert "failed (block)" in end
    assert "no space left" in end
    assert "workstream show" in end


@pytest.mark.slow
def test_typed_keys_leave_no_line_on_the_screen(
    write_plan: WritePlan, tmp_path: Path
) -> None:
    """The terminal does not show them while the screen is written over."""
    plan = f"""
    tier(Sequence(name="slow", actions=[act("do", hold={str(tmp_path / "go")!r})]))
    """
    status, written = run_on_terminal(
        "run",
        write_plan(plan),
        until=b"slow / do",
        then=tmp_path / "go",
        keys=b"dead\n",
    )

    assert status == 0
    assert "look closer" in written
    assert "dead" not in written


@pytest.mark.slow
def test_tolerated_failures_are_not_green(
    call: Callable[..., Any], write_plan: WritePlan
) -> None:
    """Green is for what needs no second look."""
    bad = 'Sequence(name="one", actions=[act("do", fail="no space left")])'
    call("run", write_plan(f"tier({bad}, tolerated_failures=1)"))

    for words in (["list"], ["show"]):
        status, written = run_on_terminal(*words)
        assert status == 0
        [line] = [
            line for line in written.splitlines() if "completed with failures" in line
        ]
        assert "\x1b[33m" in line
        assert "\x1b[32m" not in line


@pytest.mark.slow
def test_no_color_is_heeded(write_plan: WritePlan) -> None:
    """With NO_COLOR there are no colours, also on a terminal."""
    plan = write_plan('tier(Sequence(name="x", actions=[act("y", fail="oh")]))')
    status, written = run_on_terminal("run", plan, NO_COLOR="1")

    assert status == 1
    assert "\x1b[31m" not in written
    assert "\x1b[1;31m" not in written


def unstyled(written: str) -> list[str]:
    """The lines without what sets them in bold or in colour."""
    return re.sub(r"\x1b\[[\d;]*m", "", written).split("\r\n")


@pytest.mark.slow
def test_tables_and_trees_fit_a_narrow_terminal(
    call: Callable[..., Any], write_plan: WritePlan
) -> None:
    """A list leaves out the year before it breaks a line; a tree keeps its branches."""
    bad = 'act("do", fail="no space left", say="x " * 80)'
    tolerated = f'Sequence(name="one", actions=[{bad}])'
    call("run", write_plan(f"tier({tolerated}, tolerated_failures=1)"))

    status, table = run_on_terminal("list", NO_COLOR="1", COLUMNS="72")
    assert status == 0
    heads, row = unstyled(table)[:2]
    assert heads.split() == ["ID", "STATUS", "SUBMITTED", "TOOK", "NAME"]
    assert row.index("completed with failures") == heads.index("STATUS")
    assert row.index("Deploy") == heads.index("NAME")

    status, tree = run_on_terminal("show", "--all", NO_COLOR="1")
    lines = unstyled(tree)
    [first] = [n for n, line in enumerate(lines) if "toy.act " in line]
    inset = len(lines[first]) - len(lines[first].lstrip())
    assert inset >= 6
    assert lines[first + 1].startswith(" " * (inset + 2))
    assert all(len(line) <= 60 for line in lines)
