"""Standard streams that are closed, or take nothing: no run ends for that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import Result
from quickly import one_in

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

COMMAND = (sys.executable, "-m", "workstream")
GOOD = 'tier(Sequence(name="one", actions=[act("do")]))'
BAD = 'tier(Sequence(name="one", actions=[act("do", fail="no space left")]))'


def in_shell(redirection: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line with its streams redirected."""
    words = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND]
    return subprocess.run(
        [*words, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def statuses(call: Call) -> list[str]:
    """Those of the stored plans, the newest first."""
    rows: list[dict[str, Any]] = json.loads(call("list", "--json").stdout)
    return [row["status"] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize(
    "closed", one_in(5, ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
)
def test_a_stream_that_is_closed_is_not_missed(
    call: Call, write_plan: WritePlan, closed: str
) -> None:
    """As under a daemon that closed them: the plan runs, and its store is whole."""
    ended = in_shell(closed, "run", write_plan(GOOD))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ("Deploy: completed" in ended.stdout) == (" >&-" not in f" {closed}")
    assert "Traceback" not in ended.stderr
    assert statuses(call) == ["COMPLETED"]
    assert in_shell(closed, "list").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("plan", "status", "code"), [(GOOD, "COMPLETED", 74), (BAD, "FAILED", 1)]
)
def test_a_disk_that_is_full_ends_no_run(
    call: Call, write_plan: WritePlan, plan: str, status: str, code: int
) -> None:
    """The plan runs to its end; that output was lost is said, and is a failure."""
    ended = in_shell(">/dev/full", "run", write_plan(plan))

    assert ended.returncode == code
    assert ended.stderr.splitlines()[-1] == (
        "Error: output was lost: No space left on device"
    )
    assert "Traceback" not in ended.stderr
    assert statuses(call) == [status]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "words", one_in(3, [["list"], ["list", "--json"], ["show", "--all"]])
)
def test_data_that_is_lost_is_a_failure(
    call: Call, write_plan: WritePlan, words: list[str]
) -> None:
    """Whoever reads what is there would take half of it for all."""
    call("run", write_plan(GOOD))

    ended = in_shell(">/dev/full", *words)

    assert ended.returncode == 74
    assert ended.stderr == "Error: output was lost: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    one_in(
        6,
        [
            ["run", "PLAN", "--json"],
            ["run", "PLAN", "--dry-run", "--json"],
            ["validate", "PLAN", "--json"],
            ["plugins", "--json"],
            ["doctor", "--json"],
            ["plugins", "--markdown"],
        ],
    ),
    ids=" ".join,
)
def test_data_has_standard_output_for_itself(
    toy: Path, write_plan: WritePlan, words: list[str]
) -> None:
    """Packages and plan files print what they like, also by programs that they start."""
    noise = 'import os\nprint("noise")\nos.system("echo noise")\n'
    (toy / "toy_plugin.py").write_text(noise + (toy / "toy_plugin.py").read_text())
    plan = write_plan(GOOD)
    plan.write_text(noise + plan.read_text())

    ended = in_shell("", *(str(plan) if word == "PLAN" else word for word in words))

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("noise") >= 2
    assert "noise" not in ended.stdout
    assert words[-1] != "--json" or json.loads(ended.stdout)


def _id(value: object) -> str:
    """A name for a parameter: the words of a command as they are typed."""
    if isinstance(value, list):
        return " ".join(map(str, cast("list[object]", value)))
    return str(value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["list"], 0),
        (["run", "PLAN"], 0),
        (["validate", "PLAN"], 0),
        (["doctor"], 0),
        (["run", "plan.py"], 2),
        (["backup", "copy"], 2),
        (["restore", "copy", "--store", "new"], 2),
        (["export", "-o", "plan.json"], 2),
        (["new-plugin", "acmex"], 2),
        (["show", "--store", "relative"], 2),
    ],
    ids=_id,
)
def test_a_directory_that_is_gone_is_no_bug(
    call: Call, write_plan: WritePlan, tmp_path: Path, words: list[str], status: int
) -> None:
    """Nothing that the command needs is there: it says so, and what needs nothing works."""
    plan = str(write_plan(GOOD))
    call("run", plan)
    gone = tmp_path / "gone"
    gone.mkdir()
    given = [plan if word == "PLAN" else word for word in words]

    ended = subprocess.run(
        ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone), *COMMAND, *given],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [["list"], ["run", "PLAN", "-p", "x=1"], ["doctor"], ["plugins"]],
    ids=" ".join,
)
def test_an_empty_environment_will_do(
    call: Call, write_plan: WritePlan, tmp_path: Path, words: list[str]
) -> None:
    """Without PATH, HOME and a locale; only the place of the packages is told."""
    plan = write_plan(GOOD)
    call("run", plan)
    keep = ("PYTHONPATH", "TOY_IMPORTS", "WORKSTREAM_PLUGINS", "WORKSTREAM_STORE")
    given = [str(plan) if word == "PLAN" else word for word in words]

    ended = subprocess.run(
        [*COMMAND, *given],
        env={name: os.environ[name] for name in keep},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == (2 if "PLAN" in words else 0), ended.stderr
    assert "Traceback" not in ended.stderr
