"""What would change; and nothing does, neither here nor in the repository asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from quickly import one_in

from workstream import PluginError
from workstream.plugins import Preview
from workstream_git import (
    CheckoutRequest,
    CloneRequest,
    FetchRequest,
    GitCheckout,
    GitClone,
    GitFetch,
)

if TYPE_CHECKING:
    from conftest import Attempt, Perform, Repo

Foresee = Callable[[Any, Any], Preview]


def snapshot(folder: Path) -> Iterator[tuple[str, int, int]]:
    """All files below a folder, and when they changed."""
    for path in sorted([folder, *folder.rglob("*")]):
        yield str(path), path.lstat().st_mtime_ns, path.lstat().st_size


@pytest.fixture
def foresee(origin: Repo, tree: Path, context: Attempt) -> Foresee:
    """A preview, which must change nothing; without the names of the folders."""

    def foresee(plugin: Any, request: Any) -> Preview:
        context.notes = {}
        folders = (tree.parent, origin.path)
        before = [list(snapshot(folder)) for folder in folders]
        found: Preview = trio.run(plugin.preview, context, request)
        assert before == [list(snapshot(folder)) for folder in folders]
        assert context.notes == {}
        assert context.lines == []
        text = found.summary.replace(str(origin.path), "origin")
        return attrs.evolve(found, summary=text.replace(str(tree), "tree"))

    return foresee


@pytest.mark.slow
def test_a_clone_says_where_from_and_at_what(
    origin: Repo, tree: Path, foresee: Foresee, perform: Perform, context: Attempt
) -> None:
    """Where it is there already, nothing; where something else is, it would fail."""
    head = origin.git("rev-parse", "HEAD")
    request = CloneRequest(url=str(origin.path), path=str(tree))
    named = attrs.evolve(request, branch="main")

    assert foresee(GitClone(), request) == Preview(
        f"tree: cloned from origin, at {head[:12]}", changes=True
    )
    assert foresee(GitClone(), named).summary.endswith(f"at {head[:12]} (main)")
    with pytest.raises(PluginError, match="no branch or tag 'nowhere'"):
        foresee(GitClone(), attrs.evolve(request, branch="nowhere"))

    perform(GitClone(), request)
    context.lines.clear()
    assert foresee(GitClone(), request) == Preview("tree: no change", changes=False)
    with pytest.raises(PluginError, match="is a repository already"):
        foresee(GitClone(), attrs.evolve(request, url="/elsewhere"))
    (tree.parent / "other").mkdir()
    (tree.parent / "other" / "file").touch()
    with pytest.raises(PluginError, match="no git repository"):
        foresee(GitClone(), attrs.evolve(request, path=f"{tree.parent}/other"))


def test_a_clone_of_what_is_empty_says_so(
    tree: Path, tmp_path: Path, origin: Repo, foresee: Foresee
) -> None:
    """It would be made all the same."""
    origin.git("init", "--quiet", str(tmp_path / "empty"))
    request = CloneRequest(url=str(tmp_path / "empty"), path=str(tree))

    found = foresee(GitClone(), request)

    assert found.changes
    assert found.summary.endswith("which has no commits yet")


@pytest.mark.slow
def test_a_checkout_says_from_what_to_what(
    origin: Repo, tree: Path, foresee: Foresee, perform: Perform, context: Attempt
) -> None:
    """What would be cloned, moved, fetched, lost, or is in the way."""
    first, head = origin.git("rev-parse", "HEAD~2"), origin.git("rev-parse", "HEAD")
    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")

    assert foresee(GitCheckout(), request) == Preview(
        f"tree: at {head[:12]} (main), cloned from origin if it is not there by then",
        changes=True,
    )
    perform(GitCheckout(), request)
    context.lines.clear()
    assert foresee(GitCheckout(), request) == Preview("tree: no change", changes=False)
    back = attrs.evolve(request, revision=first)
    assert foresee(GitCheckout(), back).summary == f"tree: {head[:12]} -> {first[:12]}"
    new = origin.commit(a="four")
    assert foresee(GitCheckout(), attrs.evolve(request, revision=new)).summary == (
        f"tree: {head[:12]} -> {new[:12]}, fetched from origin"
    )
    (tree / "a.txt").write_text("mine")
    with pytest.raises(PluginError, match=r"has local changes: M a\.txt"):
        foresee(GitCheckout(), back)
    assert foresee(GitCheckout(), attrs.evolve(back, discard=True)) == Preview(
        f"tree: {head[:12]} -> {first[:12]}",
        changes=True,
        details=("local changes lost: M a.txt",),
    )


@pytest.mark.slow
def test_a_checkout_of_the_same_commit_leaves_its_branch(
    origin: Repo, tree: Path, foresee: Foresee, perform: Perform, context: Attempt
) -> None:
    """A tree on a branch is taken off it: the preview says what the action does."""
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    context.lines.clear()
    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")

    found = foresee(GitCheckout(), request)

    assert found.changes
    assert found.summary.endswith("off its branch")
    assert perform(GitCheckout(), request).changed
    context.lines.clear()
    assert foresee(GitCheckout(), request).changes is False


FETCHES: list[dict[str, Any]] = [
    {},
    {"prune": True},
    {"refspecs": ("+refs/heads/*:refs/remotes/origin/*",)},
    {"refspecs": ("refs/heads/main",)},
    {"refspecs": ("+refs/heads/next:refs/heads/kept",)},
    {
        "refspecs": ("+refs/heads/*:refs/remotes/origin/*", "^refs/heads/next"),
        "prune": True,
    },
    {"refspecs": ("refs/tags/*:refs/tags/*",)},
]


@pytest.mark.slow
@pytest.mark.parametrize("mirror", [False, True], ids=["clone", "mirror"])
@pytest.mark.parametrize("wanted", one_in(7, FETCHES), ids=str)
def test_a_fetch_brings_what_was_foreseen(
    wanted: dict[str, Any],
    mirror: bool,
    origin: Repo,
    tree: Path,
    foresee: Foresee,
    perform: Perform,
    context: Attempt,
) -> None:
    """Ref by ref: new, moved and gone branches, and a tag of a commit that is here."""
    origin.git("branch", "old")
    origin.git("branch", "next")
    url = str(origin.path)
    perform(GitClone(), CloneRequest(url=url, path=str(tree), mirror=mirror))
    origin.git("tag", "v0", "HEAD~1")
    origin.git("tag", "--annotate", "--message=one", "v1", "HEAD")
    request = FetchRequest(path=str(tree), **wanted)

    def fetch() -> None:
        context.lines.clear()
        found = foresee(GitFetch(), request)
        fetched = perform(GitFetch(), request)
        assert {line.partition(":")[0] for line in found.details} == set(fetched.refs)
        assert found.changes is fetched.changed

    fetch()
    origin.git("branch", "--force", "next", "HEAD~1")
    origin.git("branch", "new")
    origin.git("branch", "--delete", "--force", "old")
    origin.commit(a="five")
    fetch()
    fetch()


def test_a_fetch_tells_each_ref(
    origin: Repo, tree: Path, foresee: Foresee, perform: Perform, context: Attempt
) -> None:
    """From where to where."""
    head = origin.git("rev-parse", "HEAD")
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    new = origin.commit(a="four")
    origin.git("branch", "next")
    context.lines.clear()

    assert foresee(GitFetch(), FetchRequest(path=str(tree))) == Preview(
        "tree: 3 refs fetched from origin",
        changes=True,
        details=(
            f"refs/remotes/origin/HEAD: {head[:12]} -> {new[:12]}",
            f"refs/remotes/origin/main: {head[:12]} -> {new[:12]}",
            f"refs/remotes/origin/next: new -> {new[:12]}",
        ),
    )


@pytest.mark.slow
def test_a_fetch_that_git_alone_understands_is_not_foreseen(
    origin: Repo, tree: Path, foresee: Foresee, perform: Perform, context: Attempt
) -> None:
    """Short names in refspecs may mean a branch or a tag."""
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    context.lines.clear()

    found = foresee(GitFetch(), FetchRequest(path=str(tree), refspecs=("main",)))

    assert found.changes is None


@pytest.mark.slow
def test_a_fetch_into_nothing_would_fail(tree: Path, foresee: Foresee) -> None:
    """As the action would, as things are now."""
    with pytest.raises(PluginError, match="is no git repository"):
        foresee(GitFetch(), FetchRequest(path=str(tree)))
