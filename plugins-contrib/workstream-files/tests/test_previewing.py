"""What would change; and nothing does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from workstream import SecretRef
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


def foresee(plugin: Any, request: Any, context: Attempt, folder: Path) -> str:
    """A preview, which must leave all as it is."""
    before = snapshot(folder)
    text = trio.run(plugin.preview, context, request)
    assert snapshot(folder) == before
    assert isinstance(text, str)
    return text.replace(f"{folder}/", "")


def test_each_action_says_what_it_would_change(folder: Path, context: Attempt) -> None:
    """A line for each thing; none where all is as wanted."""
    (folder / "a").write_text("old\n")
    (folder / "a").chmod(0o644)
    (folder / "link").symlink_to("a")
    a, b, link = (str(folder / name) for name in ("a", "b", "link"))
    deep = str(folder / "c" / "d")
    expected = [
        (WriteFile(), WriteRequest(path=a, content="old\n"), "a: no change"),
        (
            WriteFile(),
            WriteRequest(path=deep, content="", parents=True),
            "c/d: directory c: created\nc/d: created: 0 bytes, mode 0644",
        ),
        (CopyFile(), CopyRequest(path=b, source=a), "b: created: 4 bytes, mode 0644"),
        (SwitchLink(), LinkRequest(path=link, target="a"), "link: no change"),
        (SwitchLink(), LinkRequest(path=link, target="/"), "link: target: a -> /"),
        (RemovePath(), RemoveRequest(path=link), "link: removed: a link to a"),
        (RemovePath(), RemoveRequest(path=b), "b: no change"),
        (WaitForFile(), WaitRequest(path=b), "b: waits until it is there"),
        (WaitForFile(), WaitRequest(path=b, present=False), "b: nothing to wait for"),
    ]

    for plugin, request, text in expected:
        assert foresee(plugin, request, context, folder) == text


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

    assert foresee(RenderTemplate(), request, context, folder) == (
        "a: content: 8 bytes -> 6 bytes\n--- now\n+++ then\n@@ -1,2 +1,2 @@\n one\n"
        "-two\n+2"
    )
    shown = foresee(WriteFile(), long, context, folder).splitlines()
    assert len(shown) == 102
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

    text = foresee(WriteFile(), request, context, folder)

    assert "a: content: 16 bytes -> " in text
    assert "abracadabra" not in text


def test_what_depends_on_a_secret_says_so(folder: Path, context: Attempt) -> None:
    """Where secrets are not looked up for a preview, it tells that it cannot tell."""
    request = WriteRequest(path=str(folder / "a"), content=SecretRef("env:X"))

    text = foresee(WriteFile(), request, context, folder)

    assert text.startswith("a: what it is to hold depends on a secret")
    assert os.listdir(folder) == []
