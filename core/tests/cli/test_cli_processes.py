"""Signals, kills, pipes and imports: the command line as a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert f"run by process {child.process.pid}, not by this" in refused.output
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
