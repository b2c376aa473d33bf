"""A machine without /proc, or where nothing can be written: a sentence, never a traceback.

The machine is made by namespaces of Linux: a process that sees other mounts than we do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

# All commands in one process, as starting one takes a second.
COMMANDS = """
import json, sys
from click.testing import CliRunner
from workstream._cli.main import command_line

for words in json.loads(sys.argv[1]):
    result = CliRunner().invoke(command_line, words)
    print(json.dumps([result.exit_code, result.output, words]))
"""

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
NO_PROC = 'mount -t tmpfs none /proc; exec "$@"'
READ_ONLY = """
while read -r _ _ _ _ place _; do
  case $place in
    /proc*|/sys*) ;;
    *) mount -o remount,ro,bind "$place" 2>/dev/null || true ;;
  esac
done </proc/self/mountinfo
if touch "$HOME/writable" 2>/dev/null; then echo "it is writable" >&2; exit 99; fi
exec "$@"
"""

READ = [["list"], ["show", "last"], ["watch", "last"], ["export", "last"]]
CHANGE = [
    *(["stop", "last"], ["delete", "last"], ["prune", "--older-than", "0s"]),
    *(["resume"], ["backup", "copy"], ["new-plugin", "acme"]),
]


def on(script: str, home: Path, commands: list[list[str]]) -> list[tuple[int, str]]:
    """The status of each command, and all that it printed, with other mounts."""
    words = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    try:
        done = subprocess.run(
            [*NAMESPACE, "sh", "-ec", script, "sh", *words],
            # The toy package notes its imports, if it can.
            env={**os.environ, "HOME": str(home), "TOY_IMPORTS": os.devnull},
            capture_output=True,
            text=True,
            cwd=home,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here (Debian has it in util-linux)")
    if "ermi" in done.stderr:  # permission denied, or operation not permitted
        pytest.skip("this user may mount nothing")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for _, shown, asked in answers:
        assert "Traceback" not in shown, (asked, shown)
        assert "bug" not in shown.lower(), (asked, shown)
    assert [asked for *_, asked in answers] == commands
    return [(status, shown) for status, shown, _ in answers]


@pytest.mark.slow
def test_a_machine_without_proc(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """All commands do what they do anywhere."""
    plan = str(write_plan('tier(Sequence(name="s", actions=[act("do")]))'))
    commands = [["run", plan], *READ, ["doctor"], ["plugins"], ["validate", plan]]
    commands += [["run", "--dry-run", plan], *CHANGE]

    answers = on(NO_PROC, tmp_path, commands)

    wrong = [
        (words, status, shown)
        for words, (status, shown) in zip(commands, answers, strict=True)
        if status
    ]
    assert wrong == []
    assert (tmp_path / "workstream-acme").is_dir()
    assert call("list").stdout == "no plans yet\n"


@pytest.mark.slow
def test_a_machine_on_which_nothing_can_be_written(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Commands that need no store work; the others say why they do nothing, and exit 2."""
    plan = str(write_plan('tier(Sequence(name="s", actions=[act("do")]))'))
    assert call("run", plan).exit_code == 0
    fine = [["--version"], ["plugins"], ["validate", plan], ["run", "--dry-run", plan]]
    new_store = ["--store", str(tmp_path / "new")]
    refused = [["run", plan], *READ, *CHANGE, ["run", plan, *new_store]]

    answers = on(READ_ONLY, tmp_path, [*fine, ["doctor"], *refused])

    assert [status for status, _ in answers[:4]] == [0] * 4, answers
    status, told = answers[4]
    assert status == 1
    assert "is read-only for this user" in told
    for status, told in answers[5:]:
        assert status == 2, told
        assert "read-only" in told.lower(), told
        assert told.count("\n") == 1, told
    assert call("show").exit_code == 0
