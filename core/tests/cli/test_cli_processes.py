"""Signals, kills, pipes and imports: the command line as a real process."""

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
from quickly import one_in

T = TypeVar("T")
Start = Callable[..., Any]
WritePlan = Callable[..., Path]


def listed(start: Start) -> list[dict[str, Any]]:
    """What ``list --json`` prints."""
    child = start("list", "--json")
    assert child.end() == 0, child.output
    rows: list[dict[str, Any]] = json.loads(child.output)
    return rows


def held(tmp_path: Path, **more: object) -> str:
    """A plan of two sequences; the first waits for a file."""
    extra = "".join(f", {name}={value!r}" for name, value in more.items())
    return f"""
    tier(
        Sequence(name="one", actions=[act("hold", hold={str(tmp_path / "go")!r}{extra})]),
        Sequence(name="two", actions=[act("do")]),
    )
    """


@pytest.mark.parametrize("number", one_in(3, [signal.SIGINT, signal.SIGTERM]))
def test_the_first_signal_stops_the_plan(
    start: Start, write_plan: WritePlan, tmp_path: Path, number: signal.Signals
) -> None:
    """What runs is finished, nothing new begins, and the status is 4 (SP-1, SP-2)."""
    child = start("run", write_plan(held(tmp_path)))
    child.wait_for("called Deploy / Tier / one / hold")

    child.signal(number)
    child.wait_for("Ctrl-C again leaves at once")
    child.wait_for("stopping: what runs is finished")
    (tmp_path / "go").touch()

    assert child.end() == 4
    assert "called Deploy / Tier / two" not in child.output
    assert "Deploy: stopped" in child.output
    assert listed(start)[0]["status"] == "STOPPED"


def test_a_closed_terminal_does_not_count_beside_ctrl_c(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The kernel and the shell both send SIGHUP; the plan is stopped already."""
    child = start("run", write_plan(held(tmp_path)))
    child.wait_for("called Deploy / Tier / one / hold")

    child.signal(signal.SIGINT)
    child.wait_for("Ctrl-C again leaves at once")
    child.signal(signal.SIGHUP)
    child.signal(signal.SIGHUP)
    child.wait_for("stopping: what runs is finished")
    (tmp_path / "go").touch()

    assert child.end() == 4
    assert "Leaving at once" not in child.output


def test_nohup_is_heeded(tmp_path: Path, write_plan: WritePlan) -> None:
    """Where SIGHUP was ignored as the command began, the run goes on to its end."""
    words = [sys.executable, "-m", "workstream", "run", str(write_plan(held(tmp_path)))]
    with subprocess.Popen(
        ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "called Deploy / Tier / one / hold" in line:
                child.send_signal(signal.SIGHUP)
                (tmp_path / "go").touch()
        assert child.wait() == 0


def until(look: Callable[[], T]) -> T:
    """What a look gives, once it gives anything."""
    while True:
        found = look()
        if found:
            return found
        select.select([], [], [], 0.01)  # another process has to come first


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
    assert listed(start)[0]["status"] == "COMPLETED"
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
    assert listed(start)[0]["status"] == "COMPLETED"


@pytest.mark.slow
def test_the_second_signal_leaves_as_a_crash_would(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The plan stays R, and resume, which is named, goes on; the stop included (R-17)."""
    child = start("run", write_plan(held(tmp_path)))
    child.wait_for("called Deploy / Tier / one / hold")

    child.signal(signal.SIGINT)
    child.wait_for("Ctrl-C again leaves at once")
    child.signal(signal.SIGINT)

    assert child.end() == 5
    assert "broken off" in child.output
    row = listed(start)[0]
    assert row["crashed"]
    assert f"workstream resume {row['short_id']}" in child.output
    (tmp_path / "go").touch()
    resumed = start("resume")
    assert resumed.end() == 4, resumed.output


@pytest.mark.parametrize("how", ["deaf", "block"])
@pytest.mark.slow
def test_no_plugin_keeps_the_second_signal_from_working(
    start: Start, write_plan: WritePlan, tmp_path: Path, how: str
) -> None:
    """One that ignores its cancellation, or blocks the event loop, is not waited for."""
    child = start("run", write_plan(held(tmp_path, **{how: True})))
    child.wait_for("called Deploy / Tier / one / hold")

    child.signal(signal.SIGINT)
    if how == "deaf":
        child.wait_for("Ctrl-C again leaves at once")
    child.signal(signal.SIGTERM)
    # The third does not even wait for the orderly way out.
    child.signal(signal.SIGINT)

    assert child.end() == 5
    assert "workstream resume" in child.output
    assert listed(start)[0]["crashed"]


def test_a_killed_run_is_resumed(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """After SIGKILL nothing that was done is done again, and the rest is (R-2)."""
    plan = write_plan(
        f"""
        tier(
            Sequence(name="one", actions=[
                act("first"), act("hold", hold={str(tmp_path / "go")!r}), act("last"),
            ]),
        )
        """
    )
    child = start("run", plan)
    child.wait_for("called Deploy / Tier / one / hold")
    child.signal(signal.SIGKILL)
    assert child.end() == -signal.SIGKILL

    shown = start("show")
    assert shown.end() == 0
    assert "crashed: no process runs it" in shown.output
    assert "Was running when it crashed" in shown.output
    plain = start("list")
    assert plain.end() == 0
    assert "crashed: resume it" in plain.output
    (tmp_path / "go").touch()
    resumed = start("resume")
    assert resumed.end() == 0, resumed.output
    assert "called Deploy / Tier / one / first" not in resumed.output
    assert "called Deploy / Tier / one / hold" in resumed.output
    assert "called Deploy / Tier / one / last" in resumed.output
    nothing = start("resume")
    assert nothing.end() == 0
    assert "nothing to resume" in nothing.output


@pytest.mark.slow
def test_run_leaves_crashed_plans_alone(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """``run`` touches only its own plan (R-18)."""
    child = start("run", write_plan(held(tmp_path)))
    child.wait_for("called Deploy / Tier / one / hold")
    child.signal(signal.SIGKILL)
    child.end()

    other = start("run", write_plan('tier(Sequence(name="x", actions=[act("y")]))'))

    assert other.end() == 0
    assert [row["crashed"] for row in listed(start)] == [False, True]


@pytest.mark.slow
def test_stop_reaches_the_process_that_runs_the_plan(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The request is seen by the other process (SP-1); a running plan is not resumed."""
    child = start("run", write_plan(held(tmp_path)))
    child.wait_for("called Deploy / Tier / one / hold")

    shown = start("show")
    assert shown.end() == 0
    assert f"run by process {child.process.pid}" in shown.output
    assert "Running now" in shown.output
    refused = start("resume", "last")
    assert refused.end() == 2
    assert f"process {child.process.pid} does" in refused.output
    stop = start("stop", "last")
    assert stop.end() == 0
    assert f"process {child.process.pid} runs it" in stop.output
    child.wait_for("stopping: what runs is finished")
    (tmp_path / "go").touch()

    assert child.end() == 4


@pytest.mark.slow
def test_several_plans_are_resumed_together(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Each line tells which plan it is of; the status is that of the worst."""
    for name, fail in (("good.py", ""), ("bad.py", "no space left")):
        child = start("run", write_plan(held(tmp_path, fail=fail), name=name))
        child.wait_for("called Deploy / Tier / one / hold")
        child.signal(signal.SIGKILL)
        child.end()
    (tmp_path / "go").touch()
    ids = [row["short_id"] for row in listed(start)]

    resumed = start("resume")

    assert resumed.end() == 1
    for short_id in ids:
        assert f"{short_id}  ✓ Tier / one" in resumed.output or (
            f"{short_id}  ✗ Tier / one" in resumed.output
        )


@pytest.mark.slow
def test_commands_that_only_read_import_no_plugin_package(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """``list``, ``show`` and ``stop`` neither run strangers' code nor show a secret."""
    plan = (
        'tier(Sequence(name="x", actions=[act("y", password="hunter22", fail="oh")]))'
    )
    run = start("run", write_plan(plan))
    assert run.end() == 1
    assert "hunter22" not in run.output
    imports = tmp_path / "imports"
    imports.unlink()

    output = ""
    for words in (
        ["--help"],
        ["run", "--help"],
        ["list"],
        ["list", "--json"],
        ["show"],
        ["show", "--all"],
        ["show", "--json"],
        ["stop", "last"],
    ):
        child = start(*words)
        assert child.end() == 0, child.output
        output += child.output

    assert not imports.exists()
    assert "hunter22" not in output
    assert "[secret hidden]" in output


def test_the_help_imports_little() -> None:
    """Neither the event loop, nor the store, nor what draws screens."""
    program = (
        "import sys; from workstream._cli.main import command_line\n"
        "try: command_line.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, text=True, stdout=subprocess.PIPE
    )

    names = set(done.stdout.splitlines()[-1].split())
    assert "click" in names
    assert not names & {"trio", "lmdb", "cattrs", "rich", "pluggy", "toy_plugin"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.slow
def test_any_locale_will_do(start: Start, write_plan: WritePlan, encoding: str) -> None:
    """What the encoding has no letters for is escaped; nothing crashes."""
    plan = """
    Plan(name="Schöner \\x1b[31m Plan ☃", blocks=[
        Block(name="Tür", tolerated_failures=1, sequences=[
            Sequence(name="日本", actions=[act("läuft", fail="é☃")]),
        ]),
    ])
    """
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    path = write_plan(plan)
    for words in (["run", path], ["list"], ["show"], ["show", "--all"]):
        child = subprocess.run(
            [sys.executable, "-m", "workstream", *map(str, words)],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = child.stdout.decode(encoding)
        assert child.returncode in (0, 3), output
        assert "\x1b" not in output
        assert "Traceback" not in output


@pytest.mark.slow
def test_a_reader_that_leaves_early_harms_nothing(
    start: Start, write_plan: WritePlan
) -> None:
    """``run | head -1`` runs the plan to its end, and its status is the plan's."""
    plan = """
    tier(
        *(Sequence(name=f"web-{n}", actions=[act("do")]) for n in range(50)),
        Sequence(name="bad", actions=[act("do", fail="oh")]),
        tolerated_failures=1,
    )
    """
    arguments = [sys.executable, "-m", "workstream", "run", str(write_plan(plan))]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        errors = child.stderr.read()

    assert errors == b""
    assert child.returncode == 3
    assert listed(start)[0]["status"] == "COMPLETED"


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
