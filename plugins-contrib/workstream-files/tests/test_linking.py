"""Symbolic links, switched in one step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workstream import PluginError
from workstream_files import LinkRequest, SwitchLink

if TYPE_CHECKING:
    from conftest import Attempt, Perform

PROCESS = Path(__file__).with_name("file_process.py")


def test_a_link_is_made_switched_and_left(folder: Path, perform: Perform) -> None:
    """The details tell where it led; a link that is right is left alone."""
    for name in ("app-1", "app-2"):
        (folder / name).mkdir()
    link = str(folder / "app")

    made = perform(SwitchLink(), LinkRequest(path=link, target="app-1"))
    switched = perform(SwitchLink(), LinkRequest(path=link, target="app-2"))
    left = perform(SwitchLink(), LinkRequest(path=link, target="app-2"))

    assert made.details == ("created: -> app-1",)
    assert switched.details == ("target: app-1 -> app-2",)
    assert not left.changed
    assert os.readlink(link) == "app-2"
    assert sorted(os.listdir(folder)) == ["app", "app-1", "app-2"]


def test_a_link_leads_nowhere_only_on_purpose(folder: Path, perform: Perform) -> None:
    """A target that is not there is an error, and the link stays as it was."""
    link = str(folder / "app")

    with pytest.raises(PluginError, match="there is no app-1"):
        perform(SwitchLink(), LinkRequest(path=link, target="app-1"))
    assert not os.path.lexists(link)
    perform(SwitchLink(), LinkRequest(path=link, target="app-1", must_exist=False))

    assert os.readlink(link) == "app-1"


def test_what_is_no_link_is_not_replaced(folder: Path, perform: Perform) -> None:
    """A file or directory in the link's place is an error, and stays."""
    (folder / "file").write_text("text")
    (folder / "directory").mkdir()

    for name, what in (("file", "a file"), ("directory", "a directory")):
        request = LinkRequest(path=str(folder / name), target="/")
        with pytest.raises(PluginError, match=f"{name} is {what}, not a sym") as caught:
            perform(SwitchLink(), request)
        assert caught.value.permanent

    assert (folder / "file").read_text() == "text"


@pytest.mark.slow
def test_killed_before_the_switch_the_old_target_is_there(
    folder: Path, context: Attempt, perform: Perform
) -> None:
    """The link leads to the old target until the moment it leads to the new one."""
    link = folder / "app"
    link.symlink_to("/usr")
    words = json.dumps({"path": str(link), "target": "/"})
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), "stall", "link", words],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stalled\n"
        process.kill()
    assert os.readlink(link) == "/usr"
    assert sorted(os.listdir(folder)) == [context.temporary, "app"]

    perform(SwitchLink(), LinkRequest(path=str(link), target="/"))

    assert os.readlink(link) == "/"
    assert os.listdir(folder) == ["app"]
