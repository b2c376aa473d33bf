"""Output on its way from a program to those who want to see it (WA-3, CL-8)."""

from __future__ import annotations

import base64
import json

import attrs
import pytest

from workstream import SECURE, SecretRef
from workstream._secrets.references import HIDDEN
from workstream.plugins import CapturedOutput


@attrs.frozen
class Ask:
    token: SecretRef | None = None
    password: str = attrs.field(default="", metadata=SECURE)


NOTHING = Ask()
SECRET = 'p4ss/w&rd "of" it'


def captured(
    *pieces: bytes, request: object = NOTHING, keep: int = 65536
) -> tuple[CapturedOutput, list[str]]:
    """What these pieces become, and the lines reported."""
    lines: list[str] = []
    output = CapturedOutput(request, report=lines.append, keep=keep)
    for piece in pieces:
        output.feed(piece)
    output.close()
    return output, lines


@pytest.mark.parametrize(
    "request_", [Ask(SecretRef("env:T").resolved(SECRET)), Ask(password=SECRET)]
)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_secrets_are_hidden_in_all_forms_however_they_are_cut(
    request_: Ask, size: int
) -> None:
    """References and SECURE texts: plain, escaped and in base64, in text and lines."""
    data = f"begin {SECRET}\n{json.dumps(SECRET)}\n{SECRET!r} ü".encode()
    data += b"\n" + base64.b64encode(SECRET.encode())

    output, lines = captured(
        *(data[start : start + size] for start in range(0, len(data), size)),
        request=request_,
    )

    first = [f"begin {HIDDEN}", f'"{HIDDEN}"', f"'{HIDDEN}' ü"]
    assert lines[:3] == first
    assert HIDDEN in lines[3]
    assert len(lines[3]) < len(HIDDEN) + 4
    assert output.text == "\n".join(lines)
    assert output.last_lines == output.text


def test_what_is_left_out_never_cuts_a_secret_in_two() -> None:
    """The head and the tail are cut from a text that is free of secrets already."""
    request = Ask(SecretRef("env:T").resolved("hunter2-hunter2"))
    data = b"x" * 20 + b"hunter2-hunter2" * 40

    # Cuts at each place of a secret, and of what stands in its place.
    for keep in range(40, 90):
        output, _ = captured(data, request=request, keep=keep)
        assert "hunt" not in output.text, keep
        assert "er2" not in output.text, keep


@pytest.mark.parametrize("size", [0, 1, 7, 26])
@pytest.mark.parametrize("step", [1, 3, 26])
def test_head_and_tail_are_kept(size: int, step: int) -> None:
    """Whatever the pieces, the same is kept, and what is not is counted."""
    data = b"abcdefghijklmnopqrstuvwxyz"

    output, _ = captured(
        *(data[start : start + step] for start in range(0, len(data), step)), keep=size
    )

    text = data.decode()
    head, tail = text[: size // 2], text[len(text) - (size - size // 2) :]
    marker = f"\n[... {26 - size} characters left out ...]\n" if size < 26 else ""
    assert output.text == f"{head}{marker}{tail}"
    assert output.left_out == 26 - size


def test_lines_end_as_they_do_on_any_machine() -> None:
    """LF, CR LF and the lone CR of progress bars each end one line."""
    assert captured(b"a\nb\r\nc\rd")[1] == ["a", "b", "c", "d"]


def test_a_line_may_come_in_pieces() -> None:
    """A line is passed on once, when it is whole; an unfinished one at the end."""
    assert captured(b"a", b"b\n", b"\n", b"c\r", b"\nd")[1] == ["ab", "", "c", "d"]


def test_a_line_is_passed_on_as_soon_as_it_is_whole() -> None:
    """Watchers see it while the program runs."""
    lines: list[str] = []
    output = CapturedOutput(NOTHING, report=lines.append)

    output.feed(b"one\ntw")

    assert lines == ["one"]


def test_a_line_without_an_end_is_cut() -> None:
    """What is passed on of one line is bounded, however long it is."""
    _, lines = captured(*([b"x" * 5000] * 10), b"\nshort\n" + b"y" * 20_000)

    assert [len(line) for line in lines] == [8192, 5, 8192]


def test_a_burst_is_thinned() -> None:
    """Of a burst as many lines are passed on as are kept, and a note of the rest."""
    _, lines = captured("".join(f"{i}\n" for i in range(5000)).encode())

    assert lines[:100] == [str(i) for i in range(100)]
    assert lines[100] == "[... 3,900 lines left out ...]"
    assert lines[101:] == [str(i) for i in range(4000, 5000)]


def test_the_last_lines_are_remembered() -> None:
    """An error's message can end with what the program said last, in short."""
    output, _ = captured(
        "".join(f"line {i}  \n\n" for i in range(30)).encode() + b"z" * 500
    )

    expected = [f"line {i}" for i in range(21, 30)] + ["z" * 300]
    assert output.last_lines == "\n".join(expected)


def test_what_is_not_utf_8_is_replaced() -> None:
    """Bytes that are no text show as U+FFFD, also when a character comes in pieces."""
    output, _ = captured(b"a\xffb \xc3", b"\xbc \xc3")

    assert output.text == "a\ufffdb ü \ufffd"
