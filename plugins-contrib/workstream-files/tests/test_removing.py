"""Removing, and what is never removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from workstream import PluginError
from workstream_files import RemovePath, RemoveRequest

if TYPE_CHECKING:
    from conftest import Attempt, Perform

PROCESS = Path(__file__).with_name("file_process.py")


def tree(folder: Path) -> Path:
    """A directory with a few things in it."""
    top = folder / "top"
    (top / "inner" / "deep").mkdir(parents=True)
    (top / "inner" / "file").write_text("text")
    (top / "link").symlink_to(folder / "precious")
    (folder / "precious").write_text("stays")
    return top


def test_files_and_links_are_removed(folder: Path, perform: Perform) -> None:
    """A link goes, and what it leads to stays; what is not there is no error."""
    (folder / "file").write_text("text")
    (folder / "link").symlink_to("file")

    link = perform(RemovePath(), RemoveRequest(path=str(folder / "link")))
    assert (folder / "file").exists()
    file = perform(RemovePath(), RemoveRequest(path=str(folder / "file")))
    again = perform(RemovePath(), RemoveRequest(path=str(folder / "file")))
    nowhere = perform(RemovePath(), RemoveRequest(path=str(folder / "no" / "file")))

    assert link.details == ("removed: a link to file",)
    assert file.details == ("removed: a file of 4 bytes",)
    assert not again.changed
    assert not nowhere.changed
    assert os.listdir(folder) == []


def test_a_directory_is_removed_whole_only_if_asked(
    folder: Path, perform: Perform
) -> None:
    """An empty directory goes as it is; a full one only with ``recursive``."""
    top = tree(folder)
    (folder / "empty").mkdir()

    perform(RemovePath(), RemoveRequest(path=str(folder / "empty")))
    with pytest.raises(PluginError, match="with 4 entries in it: say") as caught:
        perform(RemovePath(), RemoveRequest(path=str(top)))
    assert caught.value.permanent
    assert (top / "inner" / "file").exists()
    change = perform(RemovePath(), RemoveRequest(path=str(top), recursive=True))

    assert change.details == ("removed: a directory with 4 entries in it",)
    assert os.listdir(folder) == ["precious"]
    assert (folder / "precious").read_text() == "stays"


def test_what_nobody_means_is_not_removed(
    folder: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's home and directory are safe, and all they are in, by any name."""
    home = folder / "home"
    (home / "me").mkdir(parents=True)
    (home / "me" / "file").write_text("stays")
    (folder / "alias").symlink_to(folder)
    monkeypatch.setenv("HOME", str(home / "me"))

    for path, what in (
        ("/proc", "mounted"),
        (str(home), "holds the home"),
        (str(home / "me"), "is the home"),
        (str(folder / "alias" / "home"), "holds the home"),
    ):
        with pytest.raises(PluginError, match=what) as caught:
            perform(RemovePath(), RemoveRequest(path=path, recursive=True))
        assert caught.value.permanent
    monkeypatch.setenv("HOME", "/")
    monkeypatch.chdir(home / "me")
    with pytest.raises(PluginError, match="holds the directory in which the engine"):
        perform(RemovePath(), RemoveRequest(path=str(home), recursive=True))

    assert (home / "me" / "file").read_text() == "stays"


@pytest.mark.parametrize("path", ["/", "//", "/tmp/..", "/tmp/", "/.", "tmp"])
def test_paths_that_hide_what_they_mean_are_refused(path: str) -> None:
    """The root, and ways to it that are easily overlooked, are refused at submit."""
    with pytest.raises(ValueError, match="path "):
        RemovePath().validate(RemoveRequest(path=path, recursive=True))


@pytest.mark.slow
def test_killed_in_the_middle_nobody_sees_half_of_it(
    folder: Path, context: Attempt, perform: Perform
) -> None:
    """The name is gone before anything in it is; the next attempt removes the rest."""
    top = tree(folder)
    words = json.dumps({"path": str(top), "recursive": True})
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), "stall", "remove", words],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stalled\n"
        process.kill()
    assert sorted(os.listdir(folder)) == [context.temporary, "precious"]

    change = perform(RemovePath(), RemoveRequest(path=str(top), recursive=True))

    assert change.changed
    assert "rest of what an interrupted attempt" in change.details[0]
    assert os.listdir(folder) == ["precious"]


def test_cancelled_in_the_middle_the_next_attempt_goes_on(
    folder: Path, context: Attempt, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling ends it between two files, and is waited for (A-5)."""
    top = tree(folder)
    scope = trio.CancelScope()
    rename = os.rename

    def rename_and_cancel(*args: object, **keywords: object) -> None:
        rename(*args, **keywords)  # type: ignore[arg-type]
        trio.from_thread.run_sync(scope.cancel)

    monkeypatch.setattr(os, "rename", rename_and_cancel)
    request = RemoveRequest(path=str(top), recursive=True)

    async def main() -> None:
        with scope:
            await RemovePath().execute(context, request)

    trio.run(main)
    assert scope.cancelled_caught
    assert sorted(os.listdir(folder)) == [context.temporary, "precious"]

    assert perform(RemovePath(), request).changed
    assert os.listdir(folder) == ["precious"]
