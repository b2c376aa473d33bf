"""Patterns of users meet texts of strangers, and none is slow."""

from __future__ import annotations

import sys

import pytest

from workstream.plugins import Pattern


@pytest.mark.parametrize(
    "source", [r"^(\w+\s?)*$", r"(a+)+$", r"(a|aa)+$", r"(.*)*!x", r"^(a|a)*\z"]
)
def test_no_text_makes_a_search_slow(source: str) -> None:
    """Patterns that ``re`` would try for years are answered at once."""
    assert not Pattern(source).found_in("a" * 100_000 + "!")


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        ("^ok$", "ok", True),
        ("^ok$", "ok\n", True),
        ("^ok$", "ok\n\n", False),
        ("^ok$", "not\nok\n", False),
        (r"^ok\n$", "ok\n", True),
        ("(?i)GRÜSSE", "grüsse", True),
        (r"^\pL+$", "grüße", True),
        (r"^\w+$", "grüße", False),
        ("", "", True),
        ("x", "\ud800x", True),
    ],
)
def test_it_is_found_where_re_would_find_it(
    source: str, text: str, found: bool
) -> None:
    """A final line break does not count; letters are ASCII unless asked for."""
    assert Pattern(source).found_in(text) is found


def test_lines_count_where_they_are_to() -> None:
    """With ``multiline`` the anchors match at each line."""
    assert Pattern("^ok$", multiline=True).found_in("not\nok\nyet")
    assert not Pattern("^ok$").found_in("not\nok\nyet")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("(", r"missing \)"),
        ("(?=a)b", "looks ahead"),
        ("a(?!b)", "looks ahead"),
        ("(?<=a)b", "looks behind"),
        ("(?<!a)b", "looks behind"),
        (r"(a)\1", "refers back to a group"),
        (r"(?P<x>a)(?P=x)", "refers back to a group"),
        ("(?>a)", "atomic group"),
        ("a++", "alone, or with a"),
        (r"a\Z", r"write \\z"),
        ("\\u20ac", r"as in \\x\{20ac\}"),
        ("a{1001}", "invalid repetition size"),
        ("(?:(?:.{900}){900}){900}", "."),
        ("\ud800", "half of a character"),
    ],
)
def test_what_it_cannot_do_is_said(
    source: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A pattern that is refused is named, with the reason and what to write."""
    with pytest.raises(ValueError, match="is no regular expression that can be used: "):
        Pattern(source)
    with pytest.raises(ValueError, match=reason):
        Pattern(source)

    assert capfd.readouterr() == ("", "")


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever forgot the extra is told its name."""
    monkeypatch.setitem(sys.modules, "re2", None)

    with pytest.raises(ImportError, match=r"workstream-engine\[patterns\]"):
        Pattern("never compiled before")


def test_it_is_shown_as_it_was_written() -> None:
    """Its repr can be typed."""
    assert repr(Pattern("a")) == "Pattern('a')"
    assert repr(Pattern("a", multiline=True)) == "Pattern('a', multiline=True)"
