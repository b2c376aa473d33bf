"""What Tab offers: commands, options, files, and the plans of the store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete
from click.testing import Result
from quickly import one_in

from workstream._cli.main import command_line

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

GOOD = 'tier(Sequence(name="one", actions=[act("do")]))'
BAD = 'tier(Sequence(name="one", actions=[act("do", fail="no space left")]))'


def offered(*words: str) -> list[CompletionItem]:
    """What is offered for the last of the words."""
    *before, incomplete = words
    completion = ShellComplete(command_line, {}, "workstream", "_WORKSTREAM_COMPLETE")
    return completion.get_completions(before, incomplete)


def values(*words: str) -> list[str]:
    """The same, the bare values."""
    return [item.value for item in offered(*words)]


def test_commands_and_options_are_offered() -> None:
    """Those of the core, and the choices of an option."""
    assert values("res") == ["resume", "restore"]
    assert "retry" in values("re")
    assert "--parameter" in values("run", "--p")
    assert values("list", "--status", "c") == [
        "crashed",
        "completed",
        "completed-with-failures",
        "completed-with-skipped",
    ]
    assert [item.type for item in offered("run", "dep")] == ["file"]
    assert [item.type for item in offered("list", "--store", "/v")] == ["dir"]


@pytest.mark.parametrize(
    "command", one_in(6, ["show", "stop", "watch", "resume", "export", "delete"])
)
def test_plans_are_offered_by_their_ids(
    call: Call, write_plan: WritePlan, command: str
) -> None:
    """The newest first, with name and outcome; of the store that is named."""
    assert offered(command, "") == []  # there is no store yet, and none is made
    call("run", write_plan(GOOD))
    call("run", write_plan(BAD))
    bad, good = (row["short_id"] for row in json.loads(call("list", "--json").stdout))

    assert [(item.value, item.help) for item in offered(command, "")] == [
        ("last", "the newest plan"),
        (bad, "Deploy: failed"),
        (good, "Deploy: completed"),
    ]
    assert values(command, good[:6]) == [good]
    assert values(command, "--store", "elsewhere", "") == []
    assert not Path("elsewhere").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(call: Call, write_plan: WritePlan, tmp_path: Path) -> None:
    """The line that the reference gives works in a real shell."""
    call("run", write_plan(GOOD))
    [row] = json.loads(call("list", "--json").stdout)
    script = """
        eval "$(_WORKSTREAM_COMPLETE=bash_source workstream)"
        COMP_WORDS=(workstream show ''); COMP_CWORD=2
        _workstream_completion workstream
        echo "${COMPREPLY[@]}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["last", row["short_id"]], done.stderr
