"""What would change; and nothing does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from workstream import PluginError, SecretRef
from workstream.plugins import Preview
from workstream_files import (
    CopyFile,
    CopyRequest,
    LinkRequest,
    RemovePath,
    RemoveRequest,
    RenderTemplate,
    SwitchLink,
    TemplateRequest,
    WaitForFile,
    WaitRequest,
    WriteFile,
    WriteRequest,
)

if TYPE_CHECKING:
    from conftest import Attempt


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """All that is in a directory, and when it changed."""
    return {
        str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }


def foresee(plugin: Any, request: Any, context: Attempt, folder: Path) -> Preview:
    """A preview, which must leave all as it is; without the folder's name."""
    before = snapshot(folder)
    found = trio.run(plugin.preview, context, request)
    assert snapshot(folder) == before
    assert isinstance(found, Preview)
    return attrs.evolve(found, summary=found.summary.replace(f"{folder}/", ""))


def test_each_action_says_what_it_would_change(folder: Path, context: Attempt) -> None:
    """In a line; and that nothing would, where all is as wanted."""
    (folder / "a").write_text("old\n")
    (folder / "a").chmod(0o644)
    (folder / "link").symlink_to("a")
    a, b, link = (str(folder / name) for name in ("a", "b", "link"))
    deep = str(folder / "c" / "d")
    expected: list[tuple[Any, Any, str, bool]] = [
        (WriteFile(), WriteRequest(path=a, content="old\n"), "a: no change", False),
        (
            WriteFile(),
            WriteRequest(path=deep, content="", parents=True),
            "c/d: directory c: created; created: 0 bytes, mode 0644",
            True,
        ),
        (
            CopyFile(),
            CopyRequest(path=b, source=a, mode="0600"),
            "b: created: 4 bytes, mode 0600",
            True,
        ),
        (SwitchLink(), LinkRequest(path=link, target="a"), "link: no change", False),
        (
            SwitchLink(),
            LinkRequest(path=link, target="/"),
            "link: target: a -> /",
            True,
        ),
        (RemovePath(), RemoveRequest(path=link), "link: removed: a link to a", True),
        (RemovePath(), RemoveRequest(path=b), "b: no change", False),
        (
            WaitForFile(),
            WaitRequest(path=b),
            "b: waits until it is there",
            False,
        ),
        (
            WaitForFile(),
            WaitRequest(path=b, present=False),
            "b: nothing to wait for",
            False,
        ),
    ]

    for plugin, request, text, changes in expected:
        assert foresee(plugin, request, context, folder) == Preview(
            text, changes=changes
        )


def test_what_would_fail_now_fails(folder: Path, context: Attempt) -> None:
    """With the error that the action would have; the engine knows what comes before."""
    here = str(folder)
    cases: list[tuple[Any, Any, str]] = [
        (WriteFile(), WriteRequest(path=f"{here}/x/y", content=""), "does not exist"),
        (CopyFile(), CopyRequest(path=f"{here}/a", source=f"{here}/b"), "No such"),
        (SwitchLink(), LinkRequest(path=f"{here}/a", target="b"), "there is no b"),
        (RemovePath(), RemoveRequest(path=str(folder.parent)), "in it"),
        (
            RenderTemplate(),
            TemplateRequest(path=f"{here}/a", template="{{ no }}"),
            "'no' is undefined",
        ),
    ]
    for plugin, request, message in cases:
        with pytest.raises(PluginError, match=message):
            foresee(plugin, request, context, folder)


def test_lines_that_everybody_may_read_are_shown(
    folder: Path, context: Attempt
) -> None:
    """A changed text is shown as a difference, cut when it is long."""
    (folder / "a").write_text("one\ntwo\n")
    (folder / "a").chmod(0o644)
    request = TemplateRequest(
        path=str(folder / "a"), template="one\n{{ x }}\n", values={"x": 2}
    )
    long = WriteRequest(path=str(folder / "a"), content="line\n" * 1000)

    assert foresee(RenderTemplate(), request, context, folder) == Preview(
        "a: content: 8 bytes -> 6 bytes",
        changes=True,
        details=("--- now", "+++ then", "@@ -1,2 +1,2 @@", " one", "-two", "+2"),
    )
    shown = foresee(WriteFile(), long, context, folder).details
    assert len(shown) == 101
    assert shown[-1] == "[... 905 lines left out ...]"


@pytest.mark.parametrize("case", ["secret", "private", "to be private", "binary"])
def test_other_lines_are_not(case: str, folder: Path, context: Attempt) -> None:
    """Neither of a secret content, nor of a file that is not for everybody."""
    path = folder / "a"
    path.write_text("old abracadabra\n")
    path.chmod(0o640 if case == "private" else 0o644)
    content: Any = "new abracadabra\n"
    if case == "secret":
        content = ("new ", SecretRef("env:X").resolved("abracadabra"))
    if case == "binary":
        content = b"\0abracadabra"
    mode = "0600" if case == "to be private" else None
    request = WriteRequest(path=str(path), content=content, mode=mode)

    found = foresee(WriteFile(), request, context, folder)

    assert found.summary.startswith("a: content: 16 bytes -> ")
    assert "abracadabra" not in str(found)


def test_what_depends_on_a_secret_says_so(folder: Path, context: Attempt) -> None:
    """Where secrets are not looked up for a preview, it tells that it cannot tell."""
    request = WriteRequest(path=str(folder / "a"), content=SecretRef("env:X"))

    found = foresee(WriteFile(), request, context, folder)

    assert found.changes is None
    assert found.summary.startswith("a: what it is to hold depends on a secret")
    assert os.listdir(folder) == []
