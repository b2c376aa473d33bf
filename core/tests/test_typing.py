"""Types are part of the API: what type checkers must accept, and what they must refuse.

``typing/api.py`` uses the public classes as a caller would. ``typing/expected_errors.py``
does what must be refused, and marks the lines.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # the checkers read the whole core

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).with_name("typing")

PYRIGHT_RULES = {
    "arg-type": "reportArgumentType",
    "attr-defined": "reportAttributeAccessIssue",
    "call-arg": "reportCallIssue",
    "list-item": "reportArgumentType",
    "override": "reportIncompatibleMethodOverride",
}
"""What pyright calls what mypy calls so."""

Errors = dict[int, list[str]]


def run(tool: str, *arguments: str) -> str:
    """What a checker says."""
    command = [sys.executable, "-m", tool, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    # 1: it found errors. Anything else means that it did not check at all.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy_errors(path: Path, _: Path) -> Errors:
    """The rules broken, by line, as mypy sees it."""
    said = run("mypy", "--output=json", "--no-error-summary", str(path))
    errors: Errors = {}
    for line in said.splitlines():
        found = json.loads(line)
        if found["severity"] == "error":
            assert path == ROOT / found["file"], found
            errors.setdefault(found["line"], []).append(found["code"])
    return errors


def pyright_errors(path: Path, folder: Path) -> Errors:
    """The rules broken, by line, as pyright sees it."""
    # The repository's settings exclude a file that is named on the command line too.
    settings = {
        "include": [os.path.relpath(path, folder)],
        "exclude": [],
        "extraPaths": [str(ROOT / "core" / "src")],
        "typeCheckingMode": "strict",
    }
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    arguments = ("--outputjson", "--pythonpath", sys.executable, "-p", str(project))
    said = json.loads(run("pyright", *arguments))
    assert said["summary"]["filesAnalyzed"] == 1
    errors: Errors = {}
    for found in said["generalDiagnostics"]:
        if found["severity"] == "error":
            line = found["range"]["start"]["line"] + 1
            errors.setdefault(line, []).append(found.get("rule", found["message"]))
    # What follows from an attribute that there is not: its type is unknown.
    for line, rules in errors.items():
        if "reportAttributeAccessIssue" in rules:
            errors[line] = [rule for rule in rules if "reportUnknown" not in rule]
    return errors


def marked(path: Path) -> Errors:
    """The rules that the file says must be broken, by line, in mypy's words."""
    lines = enumerate(path.read_text().splitlines(), start=1)
    marks = ((number, re.search(r"# E: (\S+)$", line)) for number, line in lines)
    return {number: [mark[1]] for number, mark in marks if mark}


CHECKERS = [
    pytest.param(errors, id=tool, marks=pytest.mark.needs_package(tool))
    for tool, errors in (("mypy", mypy_errors), ("pyright", pyright_errors))
]


@pytest.mark.parametrize("errors", CHECKERS)
def test_ordinary_use_type_checks(
    errors: Callable[[Path, Path], Errors], tmp_path: Path
) -> None:
    """Plans, plugins, registries and hooks are written without a word from checkers."""
    assert errors(FOLDER / "api.py", tmp_path) == {}


@pytest.mark.parametrize("errors", CHECKERS)
def test_what_must_be_refused_is_refused(
    errors: Callable[[Path, Path], Errors], tmp_path: Path
) -> None:
    """Checkers refuse each marked line, by its rule, and no other line.

    A request of another plugin's type, a check in a Sequence or an action in Checks,
    inline in nested lists too, and what the engine writes as an argument (OM-2, V-20,
    V-23).
    """
    path = FOLDER / "expected_errors.py"
    expected = marked(path)
    assert len(expected) > 30
    if errors is pyright_errors:
        expected = {
            line: [PYRIGHT_RULES[rule] for rule in rules]
            for line, rules in expected.items()
        }

    assert expected == errors(path, tmp_path)
