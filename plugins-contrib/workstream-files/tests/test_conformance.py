"""What every plugin must do, these do: put to the test on real files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from workstream import SecretRef
from workstream.plugins import AnyPlugin
from workstream.testing import check_plugin
from workstream_files import (
    ChecksumRequest,
    ContentRequest,
    CopyFile,
    CopyRequest,
    ExistsRequest,
    FileChecksum,
    FileContent,
    FileExists,
    FreeSpace,
    LinkRequest,
    RemovePath,
    RemoveRequest,
    RenderTemplate,
    SpaceRequest,
    SwitchLink,
    TemplateRequest,
    WaitForFile,
    WaitRequest,
    WriteFile,
    WriteRequest,
)

LINE = "sha256:786e184927ec9ddac3079c24999ac461b7cb89888f69efc053848f2d6dee7dd6"
PASSWORD = SecretRef("env:CONFORMANCE_PASSWORD")


class Folder:
    """A directory with a file in it, put in order before each call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.there = str(path / "there.txt")
        self.new = str(path / "new.txt")

    def reset(self) -> None:
        """One file, and nothing else."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        Path(self.there).write_text("a line\n")

    def look(self) -> dict[str, str]:
        """All that is in it."""
        return {
            path.name: path.readlink().name if path.is_symlink() else path.read_text()
            for path in sorted(self.path.iterdir())
        }


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A directory of the test's own."""
    folder = Folder(tmp_path / "folder")
    folder.reset()
    return folder


def cases(f: Folder) -> list[tuple[AnyPlugin, list[Any], Any, list[Any]]]:
    """Each plugin, with requests that succeed, one that is refused, and some that fail."""
    return [
        (
            WriteFile(),
            [
                WriteRequest(path=f.new, content=("password=", PASSWORD, "\n")),
                WriteRequest(path=f.there, content="another line\n", mode="0600"),
            ],
            WriteRequest(path="relative", content=""),
            [WriteRequest(path=f"{f.path}/no/such.txt", content=PASSWORD)],
        ),
        (
            RenderTemplate(),
            [
                TemplateRequest(
                    path=f.new,
                    template="{{ host }} {{ word }}",
                    values={"host": "web-1"},
                    secrets={"word": PASSWORD},
                )
            ],
            TemplateRequest(path=""),
            [
                TemplateRequest(
                    path=f.new,
                    template="{{ missing }} {{ word }}",
                    secrets={"word": PASSWORD},
                )
            ],
        ),
        (
            CopyFile(),
            [CopyRequest(path=f.new, source=f.there)],
            CopyRequest(path="", source=""),
            [CopyRequest(path=f.there, source=f.new)],
        ),
        (
            SwitchLink(),
            [LinkRequest(path=f.new, target="there.txt")],
            LinkRequest(path="", target=""),
            [LinkRequest(path=f.new, target="missing")],
        ),
        (
            RemovePath(),
            [RemoveRequest(path=f.there), RemoveRequest(path=f.new)],
            RemoveRequest(path="relative"),
            [RemoveRequest(path=str(f.path))],
        ),
        (
            WaitForFile(),
            [
                WaitRequest(path=f.there),
                WaitRequest(path=f.new, present=False),
            ],
            WaitRequest(path=""),
            [],
        ),
        (
            FileExists(),
            [
                ExistsRequest(path=f.there),
                ExistsRequest(path=f.new, present=False),
            ],
            ExistsRequest(path=""),
            [ExistsRequest(path=f.new)],
        ),
        (
            FileContent(),
            [ContentRequest(path=f.there, contains="line")],
            ContentRequest(path=""),
            [ContentRequest(path=f.there, equals=PASSWORD)],
        ),
        (
            FileChecksum(),
            [ChecksumRequest(path=f.there, checksum=LINE)],
            ChecksumRequest(path="", checksum=""),
            [ChecksumRequest(path=f.there, checksum=f"sha256:{'0' * 64}")],
        ),
        (
            FreeSpace(),
            [SpaceRequest(path=str(f.path), free="1")],
            SpaceRequest(path="", free="much"),
            [SpaceRequest(path=str(f.path), free="4000000 TiB")],
        ),
    ]


NAMES = [case[0].name for case in cases(Folder(Path("/nowhere")))]


@pytest.mark.parametrize(
    "name",
    [NAMES[0], *(pytest.param(each, marks=pytest.mark.slow) for each in NAMES[1:])],
)
def test_files_conform(name: str, folder: Folder) -> None:
    """Interrupted anywhere and run again, all of them leave the same files."""
    [(plugin, requests, refused, failing)] = [
        case for case in cases(folder) if case[0].name == name
    ]
    waits = isinstance(plugin, WaitForFile)
    check_plugin(
        plugin,
        requests,
        refused=[refused],
        failing=failing,
        slow=WaitRequest(path=folder.new) if waits else None,
        reset=folder.reset,
        look=folder.look,
        steps=3,
    )
