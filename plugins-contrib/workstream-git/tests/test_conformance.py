"""What every plugin must do, these do: put to the test with real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from workstream.testing import check_plugin
from workstream_git import (
    CheckoutRequest,
    CleanRequest,
    CloneRequest,
    ExportRequest,
    FetchRequest,
    GitCheckout,
    GitClean,
    GitClone,
    GitExport,
    GitFetch,
    GitRef,
    RefRequest,
)

pytestmark = pytest.mark.slow  # a plugin lives through all that can happen


class Trees:
    """A repository, a clone of it that lacks its newest commit, and a place for more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.look_at_files = False
        self.origin = str(path / "origin")
        self.clone = str(path / "clone")
        self.new = str(path / "new")
        self._old = str(path / "old")
        git("init", "--quiet", "--initial-branch=main", self.origin)
        self._commit("first")
        git("clone", "--quiet", self.origin, self._old)
        self._commit("second")

    def _commit(self, name: str) -> None:
        Path(self.origin, f"{name}.txt").write_text(name)
        git("-C", self.origin, "add", ".")
        git("-C", self.origin, "commit", "--quiet", "-m", name)

    def reset(self) -> None:
        """The clone as it was at first, and nothing new."""
        for path in (self.clone, self.new):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self._old, self.clone)

    def look(self) -> dict[str, Any]:
        """The files and the refs of the clones."""
        if self.look_at_files:
            return {str(p): p.is_file() for p in Path(self.new).rglob("*")}
        return {
            path: (
                sorted(p.name for p in Path(path).iterdir()),
                git("-C", path, "show-ref"),
            )
            for path in (self.clone, self.new)
            if Path(path).exists()
        }


def git(*words: str) -> str:
    """Run git, as nobody in particular: what it printed."""
    author = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
    committer = {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **author, **committer, **quiet},
    ).stdout


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    """Repositories of the test's own."""
    return Trees(tmp_path)


def check(plugin: Any, trees: Trees, request: Any, refused: Any, failing: Any) -> None:
    """Put a plugin to the test: interrupted anywhere, it leaves the same trees."""
    check_plugin(
        plugin,
        [request],
        refused=[refused],
        failing=[failing],
        reset=trees.reset,
        look=trees.look,
        steps=3,
    )


def test_clone_conforms(trees: Trees) -> None:
    """A clone is there whole, or not at all."""
    check(
        GitClone(),
        trees,
        CloneRequest(url=trees.origin, path=trees.new),
        CloneRequest(url="", path="relative"),
        CloneRequest(url=f"{trees.path}/missing", path=trees.new),
    )


def test_fetch_conforms(trees: Trees) -> None:
    """News are fetched, however often."""
    check(
        GitFetch(),
        trees,
        FetchRequest(path=trees.clone),
        FetchRequest(path="relative"),
        FetchRequest(path=trees.clone, remote="nowhere"),
    )


def test_checkout_conforms(trees: Trees) -> None:
    """A tree is brought to its revision, however often."""
    check(
        GitCheckout(),
        trees,
        CheckoutRequest(url=trees.origin, path=trees.clone, revision="main"),
        CheckoutRequest(url="", path="", revision=""),
        CheckoutRequest(url=trees.origin, path=trees.clone, revision="missing"),
    )


def test_export_conforms(trees: Trees) -> None:
    """The files of a revision are there whole, or not at all."""
    trees.look_at_files = True
    check(
        GitExport(),
        trees,
        ExportRequest(url=trees.origin, path=trees.new, revision="main"),
        ExportRequest(url="", path="", revision=""),
        ExportRequest(url=trees.origin, path=trees.new, revision="missing"),
    )


def test_checks_conform(trees: Trees) -> None:
    """Checks look, and change nothing."""
    check(
        GitRef(),
        trees,
        RefRequest(repository=trees.origin, ref="main"),
        RefRequest(repository="", ref=""),
        RefRequest(repository=trees.origin, ref="missing"),
    )
    check(
        GitClean(),
        trees,
        CleanRequest(path=trees.clone),
        CleanRequest(path="relative"),
        CleanRequest(path=f"{trees.path}/missing"),
    )
