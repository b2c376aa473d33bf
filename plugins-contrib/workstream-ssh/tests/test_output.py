"""Output in pieces of any size, bounded and free of secrets."""

from __future__ import annotations

import pytest

from workstream_ssh._output import HIDDEN, Output


def output(
    lines: list[str], *, keep: int = 100, secrets: tuple[str, ...] = ()
) -> Output:
    """An output that passes its lines on to a list."""
    return Output(keep=keep, secrets=secrets, report=lines.append)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_secrets_are_hidden_however_the_text_is_cut(size: int) -> None:
    """A secret, or one that holds another, is never seen in part."""
    lines: list[str] = []
    text = b"begin hunter2 hunter22 hunt\nhunte\xc3\xbc hunter2"
    found = output(lines, secrets=("hunter2", "hunter22", "no"))
    for start in range(0, len(text), size):
        found.feed(text[start : start + size])
    found.feed(b"", final=True)

    assert found.text() == f"begin {HIDDEN} {HIDDEN} hunt\nhunteü {HIDDEN}"
    assert lines == [f"begin {HIDDEN} {HIDDEN} hunt", f"hunteü {HIDDEN}"]


def test_head_and_tail_are_kept() -> None:
    """What is between them is counted."""
    found = output([], keep=10)
    for _ in range(1000):
        found.feed(b"abcdefghij")
    found.feed(b"end", final=True)

    assert found.text() == "abcde\n[... 9,993 characters left out ...]\nijend"
    assert found.left_out == 9993


def test_lines_end_as_terminals_have_it() -> None:
    """A carriage return ends a line too; the last one needs no end."""
    lines: list[str] = []
    found = output(lines)
    for piece in (b"10%\r", b"20%\r\n", b"done\nla", b"st"):
        found.feed(piece)
    found.feed(b"", final=True)

    assert lines == ["10%", "20%", "done", "last"]
    assert found.last_lines() == "10%\n20%\ndone\nlast"


def test_bursts_and_long_lines_are_cut() -> None:
    """No more is passed on than watchers would keep (WA-3)."""
    lines: list[str] = []
    found = output(lines)
    found.feed(b"x\n" * 5000)
    found.feed(b"y" * 1_000_000 + b"\n", final=True)

    assert len(lines) == 100 + 1 + 1000 + 1
    assert lines[100] == "[... 3,900 lines left out ...]"
    assert len(lines[-1]) == 8192
