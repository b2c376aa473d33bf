"""Submodules: cloned, moved with their tree, looked at, and never taken by chance."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from workstream import PluginError
from workstream.plugins import Preview
from workstream_git import (
    CheckoutRequest,
    CleanRequest,
    CloneRequest,
    GitCheckout,
    GitClean,
    GitClone,
)

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Attempt, Perform, Repo


@pytest.fixture
def deep(origin: Repo, tmp_path: Path, only_ours: Path) -> Repo:
    """The submodule of a submodule of ``origin``; each address is relative."""
    with only_ours.open("a") as file:
        file.write('[protocol "file"]\nallow = always\n')
    repos: list[Repo] = []
    for name in ("deep", "library"):
        path = tmp_path / name
        path.mkdir()
        repo = attrs.evolve(origin, path=path)
        repo.git("init", "--quiet")
        repo.commit(a=f"{name} one")
        repos.append(repo)
    deep, library = repos
    library.git("submodule", "--quiet", "add", "../deep", "deep")
    library.commit(b="with deep")
    origin.git("submodule", "--quiet", "add", "../library", "library")
    origin.commit(b="with library")
    # For the tester alone: the plugin must not need it.
    only_ours.write_text(only_ours.read_text().replace("allow = always", ""))
    return deep


def move(origin: Repo, deep: Repo) -> str:
    """Commit something in the deepest, and record that on the way up."""
    deep.commit(a="deep two")
    library = attrs.evolve(deep, path=origin.path / "library")
    settings = ("-c", "protocol.file.allow=always")
    library.git(*settings, "submodule", "--quiet", "update", "--init", "--remote")
    library.commit(b="moved")
    library.git("push", "--quiet", "origin", "HEAD:refs/heads/next")
    return origin.commit(b="moved")


def text(tree: Path) -> str:
    """What the deepest submodule holds."""
    return (tree / "library" / "deep" / "a.txt").read_text()


def test_a_clone_has_them_if_asked_for(
    origin: Repo, deep: Repo, tree: Path, perform: Perform
) -> None:
    """Otherwise their directories are empty, as git leaves them."""
    request = CloneRequest(url=str(origin.path), path=str(tree))
    perform(GitClone(), request)
    assert os.listdir(tree / "library") == []

    there = attrs.evolve(request, path=f"{tree}-2", submodules=True)
    perform(GitClone(), there)

    assert text(Path(there.path)) == "deep one"


def test_a_checkout_moves_them_with_the_tree(
    origin: Repo, deep: Repo, tree: Path, perform: Perform, context: Attempt
) -> None:
    """Forth and back, and once is enough; the preview says the same."""
    old = origin.git("rev-parse", "HEAD")
    new = move(origin, deep)
    request = CheckoutRequest(
        url=str(origin.path), path=str(tree), revision=old, submodules=True
    )

    def foresee(request: CheckoutRequest) -> Preview:
        context.notes = {}
        return trio.run(GitCheckout().preview, context, request)

    assert perform(GitCheckout(), request).changed
    assert text(tree) == "deep one"
    assert not perform(GitCheckout(), request).changed
    assert foresee(request).changes is False
    forth = attrs.evolve(request, revision=new)
    assert foresee(forth).changes
    assert perform(GitCheckout(), forth).changed
    assert text(tree) == "deep two"
    assert perform(GitCheckout(), request).changed
    assert text(tree) == "deep one"


def test_a_tree_without_them_gets_them(
    origin: Repo, deep: Repo, tree: Path, perform: Perform, context: Attempt
) -> None:
    """At the right commit already, it is not whole before they are there."""
    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")
    perform(GitCheckout(), request)
    request = attrs.evolve(request, submodules=True)

    context.notes = {}
    found = trio.run(GitCheckout().preview, context, request)
    assert found.summary.endswith("with its submodules")
    assert perform(GitCheckout(), request).changed

    assert text(tree) == "deep one"
    assert not perform(GitCheckout(), request).changed


def test_local_changes_in_them_count(
    origin: Repo, deep: Repo, tree: Path, perform: Perform
) -> None:
    """They are named with their path, and lost only if that is said."""
    request = CheckoutRequest(
        url=str(origin.path), path=str(tree), revision="main", submodules=True
    )
    perform(GitCheckout(), request)
    perform(GitClean(), CleanRequest(path=str(tree), submodules=True))
    (tree / "library" / "deep" / "a.txt").write_text("mine")

    with pytest.raises(PluginError, match=r"local changes: M library/deep/a\.txt"):
        perform(GitCheckout(), request)
    perform(GitClean(), CleanRequest(path=str(tree)))
    with pytest.raises(PluginError, match="is not clean: M library"):
        perform(GitClean(), CleanRequest(path=str(tree), submodules=True))
    assert perform(GitCheckout(), attrs.evolve(request, discard=True)).changed

    assert text(tree) == "deep one"


def test_what_a_killed_checkout_left_of_them_is_mended(
    origin: Repo, deep: Repo, tree: Path, perform: Perform, context: Attempt
) -> None:
    """Locks, and a repository of which only a part was made, are removed (R-7)."""
    request = CheckoutRequest(
        url=str(origin.path), path=str(tree), revision="main", submodules=True
    )
    perform(GitCheckout(), request)
    new = move(origin, deep)
    modules = tree / ".git" / "modules" / "library"
    (modules / "index.lock").touch()
    deepest = modules / "modules" / "deep"
    (deepest / "packed-refs").unlink()
    shutil.rmtree(deepest / "refs" / "remotes")
    (tree / "library" / "deep" / "a.txt").unlink()  # which comes last
    context.notes = {"git_changing": str(tree)}

    perform(GitCheckout(), attrs.evolve(request, revision=new))

    assert text(tree) == "deep two"
