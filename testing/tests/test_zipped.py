"""A program in a zip file, with the engine and the plugins in it, runs as any other."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipapp
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

Zipped = Callable[..., subprocess.CompletedProcess[str]]

PLAN = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand
from workstream_files import RenderTemplate, TemplateRequest

def plan(path: str) -> Plan:
    made = TemplateRequest(path=path, template="{{ word }}", values={"word": "rendered"})
    actions = [
        RunCommand.action(Run(("true",)), name="run"),
        RenderTemplate.action(made, name="render"),
    ]
    sequence = Sequence(name="s", actions=actions)
    return Plan(name="zipped", blocks=[Block(name="b", sequences=[sequence])])
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command ``workstream`` in one zip file, with three packages of plugins."""
    place = tmp_path_factory.mktemp("program")
    for name in ("", "_command", "_files", "_ssh"):
        spec = importlib.util.find_spec(f"workstream{name}")
        if spec is None or not spec.submodule_search_locations:
            pytest.skip(f"workstream{name} is not installed")
        [folder] = spec.submodule_search_locations
        kept = ignore_patterns("__pycache__")
        copytree(folder, place / "app" / f"workstream{name}", ignore=kept)
    zipapp.create_archive(
        place / "app", place / "app.pyz", main="workstream.__main__:main"
    )
    return place / "app.pyz"


@pytest.fixture
def zipped(program: Path, tmp_path: Path) -> Zipped:
    """Run the program in the test's own folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(program), *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )

    return run


@pytest.mark.slow
def test_it_runs_a_plan(zipped: Zipped, tmp_path: Path) -> None:
    """The plugins find the programs that they hand to their child processes."""
    (tmp_path / "deploy.py").write_text(PLAN)
    path = tmp_path / "made"

    done = zipped("run", "--store", "plans", "deploy.py", "-p", f"path={path}")

    assert done.returncode == 0, done.stderr
    assert path.read_text() == "rendered"
    assert "✓ zipped: completed" in zipped("show", "--store", "plans").stdout


def test_it_makes_a_new_plugin(zipped: Zipped, tmp_path: Path) -> None:
    """The template's files are in the zip too."""
    done = zipped("new-plugin", "acme")

    assert done.returncode == 0, done.stderr
    [made] = tmp_path.glob("*/src/workstream_acme/_plugins.py")
    assert "class" in made.read_text()


@pytest.mark.slow
def test_it_finds_the_programs_for_hosts(program: Path) -> None:
    """What ssh sends to a host is the same text from a zip."""
    read = (
        "from workstream_ssh._connecting import programs\n"
        "print(programs.__file__)\n"
        "print(programs.program('common', 'job', become=None).decode())\n"
    )

    def texts(*path: str) -> list[str]:
        line = f"import sys; sys.path[:0] = {path!r}\n{read}"
        done = subprocess.run(
            [sys.executable, "-c", line], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    plain, from_zip = texts(), texts(str(program))

    assert from_zip[0].startswith(str(program))
    assert from_zip[1:] == plain[1:]
    assert len(plain) > 20
