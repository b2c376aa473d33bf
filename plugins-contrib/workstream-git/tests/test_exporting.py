"""The files of a revision, without anything of git's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from workstream import PluginError
from workstream.plugins import Preview
from workstream_git import ExportRequest, ExportResult, GitExport

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Attempt, DeafServer, Perform, Repo


@pytest.fixture
def request_(origin: Repo, tree: Path) -> ExportRequest:
    """An export of the newest revision, which has a link and a program in it."""
    (origin.path / "run.sh").write_text("#!/bin/sh\n")
    (origin.path / "run.sh").chmod(0o755)
    (origin.path / "link").symlink_to("a.txt")
    (origin.path / "folder").mkdir()
    (origin.path / "folder" / "b.txt").write_text("b")
    origin.commit(c="c")
    return ExportRequest(url=str(origin.path), path=str(tree), revision="main")


def test_the_files_are_there_and_nothing_else(
    request_: ExportRequest, origin: Repo, tree: Path, perform: Perform
) -> None:
    """Programs can be run, links are links, and there is no ``.git``."""
    commit = origin.git("rev-parse", "HEAD")

    made = perform(GitExport(), request_)

    assert made == ExportResult(path=str(tree), changed=True, commit=commit)
    files = ["a.txt", "c.txt", "folder", "link", "run.sh"]
    assert sorted(os.listdir(tree)) == files
    assert os.readlink(tree / "link") == "a.txt"
    assert os.access(tree / "run.sh", os.X_OK)
    assert (tree / "folder" / "b.txt").read_text() == "b"
    assert os.listdir(tree.parent) == ["tree"]


@pytest.mark.parametrize("name", ["HEAD~1", "v2"])
def test_older_revisions_can_be_had(
    name: str, request_: ExportRequest, origin: Repo, tree: Path, perform: Perform
) -> None:
    """By the commit's id or by a tag, also where no branch has it at its end."""
    commit = origin.git("rev-parse", f"{name}^{{commit}}")
    revision = name if name == "v2" else commit

    made = perform(GitExport(), attrs.evolve(request_, revision=revision))

    assert made.commit == commit
    text = (tree / "a.txt").read_text()
    assert text == ("two" if name == "v2" else "three")


def test_once_is_enough(
    request_: ExportRequest, tree: Path, perform: Perform, context: Attempt
) -> None:
    """The second time the same files are found, and none is touched."""
    perform(GitExport(), request_)
    before = (tree / "a.txt").stat()

    assert not perform(GitExport(), request_).changed

    assert (tree / "a.txt").stat().st_ctime_ns == before.st_ctime_ns
    assert os.listdir(tree.parent) == ["tree"]


def spoil(tree: Path, how: str) -> None:
    """Change something in an export."""
    match how:
        case "M folder/b.txt":
            (tree / "folder" / "b.txt").write_text("x")
        case "A new":
            (tree / "new").touch()
        case "D a.txt":
            (tree / "a.txt").unlink()
        case "T run.sh":
            (tree / "run.sh").chmod(0o644)
        case _:
            (tree / "link").unlink()
            (tree / "link").symlink_to("c.txt")


@pytest.mark.parametrize(
    "how", ["M folder/b.txt", "A new", "D a.txt", "T run.sh", "M link"]
)
def test_something_else_is_not_replaced(
    how: str, request_: ExportRequest, tree: Path, perform: Perform
) -> None:
    """Every difference is told, permanently; what is there stays."""
    perform(GitExport(), request_)
    spoil(tree, how)

    with pytest.raises(PluginError) as caught:
        perform(GitExport(), request_)

    assert f"(main): {how}. Give each revision a path of its own" in str(caught.value)
    assert caught.value.permanent
    assert os.listdir(tree.parent) == ["tree"]


def test_a_file_in_its_place_is_named(
    request_: ExportRequest, tree: Path, perform: Perform
) -> None:
    """It is no directory, and is not removed."""
    tree.touch()

    with pytest.raises(PluginError, match="tree is no directory: remove it first"):
        perform(GitExport(), request_)


def test_submodules_come_without_their_git(
    request_: ExportRequest, origin: Repo, tree: Path, tmp_path: Path, perform: Perform
) -> None:
    """If asked for, their files are there; the second time they are found."""
    path = tmp_path / "library"
    path.mkdir()
    library = attrs.evolve(origin, path=path)
    library.git("init", "--quiet")
    library.commit(a="library")
    settings = ("-c", "protocol.file.allow=always")
    origin.git(*settings, "submodule", "--quiet", "add", "../library", "lib")
    origin.commit(d="d")
    request = attrs.evolve(request_, submodules=True)

    assert perform(GitExport(), request).changed
    assert not perform(GitExport(), request).changed

    assert os.listdir(tree / "lib") == ["a.txt"]


def test_a_preview_fetches_nothing(
    request_: ExportRequest,
    origin: Repo,
    tree: Path,
    perform: Perform,
    context: Attempt,
) -> None:
    """Of a directory that is there it cannot tell (PV-5)."""
    commit = origin.git("rev-parse", "HEAD")[:12]

    def foresee() -> Preview:
        context.notes = {}
        return trio.run(GitExport().preview, context, request_)

    assert foresee() == Preview(
        f"{tree}: exported from {origin.path}, at {commit} (main)", changes=True
    )
    perform(GitExport(), request_)
    found = foresee()
    assert found.changes is None
    assert (
        f"whether it is {commit} (main) is seen when that is fetched" in found.summary
    )


MOUNTED = """
import sys, trio
sys.path[:0] = [sys.argv[1]]
from conftest import Attempt
from workstream import PluginError
from workstream_git import *
url, path = sys.argv[2:]
for plugin, request in (
    (GitExport(), ExportRequest(url=url, path=path, revision="main")),
    (GitCheckout(), CheckoutRequest(url=url, path=path, revision="main")),
    (GitClone(), CloneRequest(url=url, path=path)),
):
    try:
        trio.run(plugin.execute, Attempt(), request)
    except PluginError as error:
        print(error.message, error.permanent)
"""


def test_an_empty_mount_is_refused_before_anything_is_fetched(
    origin: Repo, tree: Path, tmp_path: Path
) -> None:
    """A rename cannot put a directory there: the message says what to name instead."""
    tree.mkdir()
    script = 'mount --bind "$1" "$2"; shift 2; exec "$@"'
    (tmp_path / "volume").mkdir()
    words = ["unshare", "--mount", "sh", "-ec", script, "sh"]
    here = str(Path(__file__).parent)
    python = [sys.executable, "-c", MOUNTED, here, str(origin.path), str(tree)]
    try:
        done = subprocess.run(
            [*words, tmp_path / "volume", tree, *python], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here (Debian has it in util-linux)")
    if "ermi" in done.stderr:  # permission denied, or operation not permitted
        pytest.skip("this user may mount nothing")

    told = (
        f"{tree} is empty, but a file system is mounted there, which cannot be replaced: "
        "name a directory in it True\n"
    )
    assert done.stdout == told * 3, done.stderr
    assert os.listdir(tree.parent) == ["tree"]


def test_a_timeout_says_what_it_waited_for(
    request_: ExportRequest, deaf_server: DeafServer, tree: Path, context: Attempt
) -> None:
    """Git's verb and the other repository are named, and nothing is left (A-4)."""
    request: Any = attrs.evolve(request_, url=deaf_server.url)

    async def main() -> None:
        with trio.move_on_after(1):
            await GitExport().execute(context, request)

    with pytest.raises(PluginError) as caught:
        trio.run(main)

    assert caught.value.message.startswith(
        f"git ls-remote had not ended; the other repository: {deaf_server.url}"
    )
    assert not tree.exists()
