"""Text of strangers is made safe to look at."""

from __future__ import annotations

import pytest

from workstream._values.display import display, display_lines, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-3", "web-3"),
        ("Größe 東京 🚀", "Größe 東京 🚀"),
        ("", ""),
        ("two\nlines\r\ttab", r"two\nlines\r\ttab"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31mred\x7f", r"\x9b31mred\x7f"),
        ("exe\u202etxt.", r"exe\u202etxt."),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("no\u200bspace\ufeff", r"no\u200bspace\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("lone\ud800surrogate", r"lone\ud800surrogate"),
    ],
)
def test_characters_that_hide_or_steer_are_escaped(text: str, shown: str) -> None:
    """Control characters, escape sequences and direction overrides become visible."""
    assert shown == display(text)


@pytest.mark.slow
def test_nothing_unprintable_is_left_and_all_of_it_can_be_encoded() -> None:
    """Whatever the text, what is shown is printable and encodes as UTF-8."""
    everything = "".join(map(chr, range(0x11_0000)))

    shown = display(everything)

    assert shown.isprintable()
    assert shown.encode()


def test_a_short_text_is_left_whole() -> None:
    """A text of exactly the limit is not cut."""
    assert shorten("x" * 200) == "x" * 200


def test_a_long_name_loses_its_middle_and_says_so() -> None:
    """A name of 10,000 characters is cut to the limit; both of its ends remain."""
    shown = shorten("first" + "x" * 9_990 + "-0042", limit=80)

    assert len(shown) == 80
    assert shown.startswith("firstxxx")
    assert shown.endswith("xxx-0042")
    assert "… 10,000 characters in all …" in shown


@pytest.mark.parametrize("size", [39, 40, 41, 100, 10_000, 1_000_000])
@pytest.mark.parametrize("character", ["x", "\x1b", "\U000e0041", "é"])
def test_the_limit_holds_for_what_is_shown(character: str, size: int) -> None:
    """Escapes, which are longer than what they stand for, count in full."""
    shown = shorten(character * size, limit=40)

    assert len(shown) <= 40
    assert shown.isprintable()


def test_lines_are_kept_apart_and_each_is_safe() -> None:
    """A message of several lines is shown line by line."""
    assert display_lines("first\nse\x1bcond\n\nlast\n") == [
        "first",
        r"se\x1bcond",
        "",
        "last",
    ]


def test_of_many_lines_the_first_and_the_last_remain() -> None:
    """The gap says how many lines are missing, and the number kept is the one asked
    for.
    """
    lines = display_lines("\n".join(map(str, range(1_000))), most=5)

    assert lines == ["0", "1", "… 996 more lines …", "998", "999"]


def test_no_text_is_no_line() -> None:
    """An empty text has no lines, so nothing is shown for it."""
    assert display_lines("") == []
    assert display_lines("\n\n") == []
