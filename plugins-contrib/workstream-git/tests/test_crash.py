"""What becomes of a git whose engine is killed with SIGKILL (REG-11, R-7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from workstream_git import CheckoutRequest, CloneRequest, GitCheckout, GitClone

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import DeafServer, Perform, Repo

PROCESS = Path(__file__).with_name("git_process.py")
PATIENCE = 60.0


class Engine:
    """A real process that carries out one action, and what it says."""

    def __init__(self, notes: Path, plugin: str, **keywords: object) -> None:
        words = (str(PROCESS), str(notes), plugin, json.dumps(keywords))
        self._process = subprocess.Popen(
            (sys.executable, *words), stdout=subprocess.PIPE, text=True
        )

    def says(self) -> list[str]:
        """All that it said, once it has ended by itself."""
        with self._process:
            assert self._process.stdout is not None
            return self._process.stdout.read().splitlines()

    def kill(self) -> None:
        """End it as a power cut would."""
        with self._process:
            self._process.kill()


class Start(Protocol):
    """What the fixture ``start`` gives."""

    def __call__(self, plugin: str, **keywords: object) -> Engine: ...


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file for notes, not yet there."""
    return tmp_path / "notes.json"


@pytest.fixture
def start(notes: Path) -> Iterator[Start]:
    """Starts engines, and leaves none behind."""
    with ExitStack() as stack:

        def start(plugin: str, **keywords: object) -> Engine:
            engine = Engine(notes, plugin, **keywords)
            stack.callback(engine.kill)
            return engine

        yield start


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_a_clone_that_was_cut_short_is_ended_and_made_again(
    origin: Repo, tree: Path, notes: Path, start: Start, deaf_server: DeafServer
) -> None:
    """The git that still ran is ended before anything, and its leftovers are removed."""
    first = start("clone", url=deaf_server.url, path=str(tree))
    assert deaf_server.reached.wait(PATIENCE)
    first.kill()
    leftover = json.loads(notes.read_text())["pid"]
    assert is_running(leftover)
    (left,) = os.listdir(tree.parent)
    assert left.startswith(".workstream-")
    # Ended, it would clear up after itself; killed too, it cannot.
    os.kill(leftover, signal.SIGKILL)
    (tree.parent / left).mkdir(exist_ok=True)
    (tree.parent / left / "half").write_text("half")

    said = start("clone", url=str(origin.path), path=str(tree)).says()

    assert said[-1].startswith("completed ")
    assert not is_running(leftover)
    assert os.listdir(tree.parent) == ["tree"]


def test_a_git_that_still_runs_is_ended_first(
    origin: Repo, tree: Path, notes: Path, start: Start, deaf_server: DeafServer
) -> None:
    """And watchers are told so; nothing is removed beneath it."""
    first = start("clone", url=deaf_server.url, path=str(tree))
    assert deaf_server.reached.wait(PATIENCE)
    first.kill()
    leftover = json.loads(notes.read_text())["pid"]

    said = start("checkout", url=str(origin.path), path=str(tree), revision="v2").says()

    assert said[0].startswith("reported ended what an interrupted attempt left running")
    assert said[-1].startswith("completed ")
    assert not is_running(leftover)
    assert (tree / "a.txt").read_text() == "two"


@pytest.mark.parametrize("how", ["ended", "killed"])
def test_a_checkout_that_was_cut_short_is_finished(
    how: str, origin: Repo, tree: Path, notes: Path, start: Start, perform: Perform
) -> None:
    """Half of the files are new, and the index is locked: both are set right again."""
    (origin.path / ".gitattributes").write_text("z*.txt filter=slow\n")
    commit = origin.commit(b="new", m="new", z="new")
    perform(
        GitCheckout(),
        CheckoutRequest(url=str(origin.path), path=str(tree), revision="main"),
    )
    perform(
        GitCheckout(),
        CheckoutRequest(url=str(origin.path), path=str(tree), revision="v2"),
    )
    repo = type(origin)(tree)
    reached = tree.parent / "reached"
    os.mkfifo(reached)
    # Git runs it for the last of the files, and waits.
    repo.git("config", "filter.slow.smudge", f"echo >{reached}; exec sleep 1000")
    repo.git("config", "filter.slow.clean", "cat")
    repo.git("config", "filter.slow.required", "true")
    request = {"url": str(origin.path), "path": str(tree), "revision": commit}

    first = start("checkout", **request)
    assert reached.read_text() == "\n"
    first.kill()
    leftover = json.loads(notes.read_text())["pid"]
    assert (tree / "b.txt").read_text() == "new"
    assert (tree / ".git" / "index.lock").exists()
    if how == "killed":
        os.kill(leftover, signal.SIGKILL)
    repo.git("config", "filter.slow.smudge", "cat")

    said = start("checkout", **request).says()

    assert said[-1].startswith("completed "), said
    assert f"commit='{commit}'" in said[-1]
    assert repo.git("rev-parse", "HEAD") == commit
    assert repo.git("status", "--porcelain") == ""
    assert (tree / "z.txt").read_text() == "new"
    assert not is_running(leftover)
    assert json.loads(notes.read_text())["git_changing"] is None


def test_somebody_elses_lock_is_respected(
    origin: Repo, tree: Path, start: Start, perform: Perform
) -> None:
    """A lock that no attempt of this action can have left is an error that names it."""
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    lock = tree / ".git" / "index.lock"
    lock.touch()

    said = start("checkout", url=str(origin.path), path=str(tree), revision="v2").says()

    (message,) = said
    assert message.startswith("failed git checkout failed (exit code 128): ")
    assert message.endswith("index.lock': File exists.")
    assert lock.exists()
    assert (tree / "a.txt").read_text() == "three"
