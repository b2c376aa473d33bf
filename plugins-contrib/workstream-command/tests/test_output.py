"""Output on its way from the pipe to those who want to see it."""

from __future__ import annotations

import pytest

from workstream_command._output import HIDDEN, Kept, Lines, Redactor


def redacted(secrets: set[str], *pieces: str) -> str:
    redactor = Redactor(secrets)
    shown = [redactor.feed(piece) for piece in pieces]
    return "".join(shown) + redactor.feed("", final=True)


@pytest.mark.parametrize(
    ("secrets", "text", "shown"),
    [
        ({"secret"}, "a secret b secretsecret", f"a {HIDDEN} b {HIDDEN}{HIDDEN}"),
        ({"abcd", "abcdef"}, "abcde abcdef", f"{HIDDEN}e {HIDDEN}"),
        ({"xyab", "abcd"}, "xyab abcd", f"{HIDDEN} {HIDDEN}"),
        ({"aaab"}, "aaaab aaaa", f"a{HIDDEN} aaaa"),
        ({"two\nlines"}, "x two\nlines two\nline", f"x {HIDDEN} two\nline"),
        ({"abc", ""}, "abc", "abc"),
        (set[str](), "nothing", "nothing"),
    ],
)
def test_secrets_are_hidden_however_the_text_is_cut(
    secrets: set[str], text: str, shown: str
) -> None:
    """No way of cutting a text in three shows any part of a secret (CL-8)."""
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces = (text[:first], text[first:second], text[second:])
            assert redacted(secrets, *pieces) == shown


def test_what_cannot_become_a_secret_is_shown_at_once() -> None:
    """Only the beginning of a secret is held back, so that output stays live."""
    redactor = Redactor({"secret"})

    assert redactor.feed("Password: ") == "Password: "
    assert redactor.feed("it is se") == "it is "
    assert redactor.feed("ven") == "seven"


@pytest.mark.parametrize("size", [0, 1, 7, 26])
@pytest.mark.parametrize("step", [1, 3, 26])
def test_head_and_tail_are_kept(size: int, step: int) -> None:
    """Whatever the pieces, the same is kept, and what is not is counted."""
    text = "abcdefghijklmnopqrstuvwxyz"
    kept = Kept(size)

    for start in range(0, len(text), step):
        kept.feed(text[start : start + step])

    head, tail = text[: size // 2], text[len(text) - (size - size // 2) :]
    marker = f"\n[... {26 - size} characters left out ...]\n" if size < 26 else ""
    assert kept.text() == f"{head}{marker}{tail}"
    assert kept.left_out == 26 - size


def lines_of(*pieces: str) -> list[str]:
    reported: list[str] = []
    lines = Lines(reported.append)
    for piece in pieces:
        lines.feed(piece)
    lines.feed("", final=True)
    return reported


def test_lines_end_as_they_do_on_any_machine() -> None:
    """LF, CR LF and the lone CR of progress bars each end one line."""
    assert lines_of("a\nb\r\nc\rd") == ["a", "b", "c", "d"]


def test_a_line_may_come_in_pieces() -> None:
    """A line is passed on once, when it is whole; an unfinished one at the end."""
    assert lines_of("a", "b\n", "\n", "c\r", "\nd") == ["ab", "", "c", "d"]


def test_a_line_without_an_end_is_cut() -> None:
    """What is passed on of one line is bounded, however long it is."""
    reported = lines_of(*(["x" * 5000] * 10), "\nshort\n" + "y" * 20_000)

    assert [len(line) for line in reported] == [8192, 5, 8192]


def test_a_burst_is_thinned() -> None:
    """Of a burst as many lines are passed on as are kept, and a note of the rest."""
    reported = lines_of("".join(f"{i}\n" for i in range(5000)))

    assert reported[:100] == [str(i) for i in range(100)]
    assert reported[100] == "[... 3,900 lines left out ...]"
    assert reported[101:] == [str(i) for i in range(4000, 5000)]


def test_the_last_lines_are_remembered() -> None:
    """An error's message can end with what the command said last."""
    lines = Lines(lambda line: None)

    lines.feed("".join(f"line {i}  \n\n" for i in range(30)))

    assert lines.last() == "\n".join(f"line {i}" for i in range(20, 30))
