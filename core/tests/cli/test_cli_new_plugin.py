"""A new plugin package is whole from its first moment (the author's kit)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from workstream._registry.scaffold import LONGEST, TEMPLATE, name_faults

Call = Callable[..., Result]

NAMES = ["ab", "acme", "a_rather_long_name_for_this_1"]
"""A short, a usual and a long one: the formatter breaks lines by their lengths."""
PYRIGHT = ["-m", "pyright", "--pythonpath", sys.executable]
CHECKS = {
    "ruff check": ["-m", "ruff", "check", "--no-cache"],
    "ruff format": ["-m", "ruff", "format", "--no-cache", "--check"],
    "mypy": ["-m", "mypy", "--cache-dir", os.devnull],
    "pyright": PYRIGHT,
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def python(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a new package, as its author would after installing it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        pytest.param(tool, name, marks=pytest.mark.needs_package(tool.split()[0]))
        for tool in CHECKS
        # No type depends on how long a name is; lines and their order do.
        for name in (NAMES if "ruff" in tool else ["acme"])
    ],
)
@pytest.mark.slow
def test_a_new_package_satisfies_the_tools_untouched(
    call: Call, here: Path, name: str, tool: str
) -> None:
    """Lint, format, and both type checkers at their strictest."""
    assert call("new-plugin", name).exit_code == 0

    done = python(here / f"workstream-{name.replace('_', '-')}", *CHECKS[tool])

    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_new_package_passes_its_own_tests(call: Call, here: Path) -> None:
    """Its tests, with the conformance check among them, pass untouched."""
    assert call("new-plugin", "acme").exit_code == 0

    done = python(
        here / "workstream-acme", "-m", "pytest", "-q", "-p", "no:cacheprovider"
    )

    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


@pytest.mark.slow
def test_a_new_package_is_found_and_run(
    call: Call, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed, it is listed, its README's plan runs, and removed it is gone."""
    assert call("new-plugin", "acme").exit_code == 0
    root = here / "workstream-acme"
    site = root / "src"
    info = site / "workstream_acme-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: workstream-acme\nVersion: 0.1.0\n"
    )
    table = (
        (root / "pyproject.toml").read_text().partition("entry-points.workstream]\n")
    )
    (info / "entry_points.txt").write_text(
        "[workstream]\n" + table[2].partition("\n")[0].replace('"', "") + "\n"
    )
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "workstream-acme")
    readme = (root / "README.md").read_text()
    plan = readme.partition("```python\n")[2].partition("```")[0]
    (root / "plan.py").write_text(plan.replace("/tmp/motd", str(here / "motd")))

    listed = python(root, "-m", "workstream", "plugins")
    ran = python(root, "-m", "workstream", "run", "plan.py")

    assert "acme.write" in listed.stdout
    assert "acme.holds" in listed.stdout
    assert "left out, because something is wrong" not in listed.stdout
    assert ran.returncode == 0, ran.stdout
    assert (here / "motd").read_text() == "Maintenance from 22:00\n"

    (info / "entry_points.txt").unlink()
    assert "acme.write" not in python(root, "-m", "workstream", "plugins").stdout


def test_what_is_written_has_no_placeholder_left(call: Call, here: Path) -> None:
    """Every file of the template is there, under its name, with the words filled in."""
    result = call("new-plugin", "acme", "--directory", here / "mine")

    assert result.exit_code == 0
    files = [path for path in (here / "mine").rglob("*") if path.is_file()]
    assert len(files) == len(list(Path(str(TEMPLATE)).rglob("*.template")))
    assert (here / "mine/src/workstream_acme/py.typed").exists()
    for path in files:
        assert "@" not in str(path.relative_to(here))
        assert not path.name.endswith(".template")
        for word in ("@name@", "@package@", "@distribution@", "@version@"):
            assert word not in path.read_text()
    assert [path.name for path in here.iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_nothing_is_written_over(call: Call, here: Path, kind: str) -> None:
    """Whatever has the name already stays as it is."""
    target = here / "workstream-acme"
    if kind == "directory":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")

    result = call("new-plugin", "acme")

    assert result.exit_code == 2
    assert "workstream-acme is there already: nothing is written over" in result.stderr
    assert list(here.iterdir()) == [target]
    if kind == "directory":
        assert not list(target.iterdir())


def test_all_faults_are_told_at_once(call: Call, here: Path) -> None:
    """The name, its length, the directory: one call tells everything."""
    name = "workstream-" + "X" * LONGEST

    result = call("new-plugin", name, "--directory", "no/such/place")

    assert result.exit_code == 2
    for told in (
        "leave the beginning out",
        f"has {len(name)} characters",
        "lower-case letters",
        "there is no directory no/such",
    ):
        assert told in result.stderr
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *(
            (name, "lower-case letters")
            for name in ("", "Acme", "a-b", "1a", "a__b", "ä")
        ),
        *((name, "reserved") for name in ("class", "workstream", "testing")),
        ("workstream_acme", "leave the beginning out, which is added: acme"),
        ("toy", "toy, which is installed, has the entry point 'toy'"),
    ],
)
def test_names_that_cannot_be_had_are_refused(name: str, told: str) -> None:
    """Each with the reason, and what to write instead."""
    assert any(told in fault for fault in name_faults(name))


def test_a_package_that_is_there_to_import_is_a_clash(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its modules would hide the new one's, or be hidden by them."""
    (here / "workstream_acme").mkdir()
    monkeypatch.setattr(sys, "path", [str(here), *sys.path])

    assert name_faults("acme") == [
        "there is a package workstream_acme to import already"
    ]


def test_a_directory_that_cannot_be_written_is_told(call: Call, here: Path) -> None:
    """The system's reason is told, and nothing is left behind."""
    result = call("new-plugin", "acme", "--directory", "/proc/acme")

    assert result.exit_code == 2
    assert "/proc/acme: " in result.stderr
