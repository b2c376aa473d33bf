"""Bytes as text."""

from __future__ import annotations

import pytest

from workstream_http._body import decoded


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("é".encode(), None, "é"),
        ("é".encode(), "UTF-8", "é"),
        ("é".encode("latin-1"), "iso-8859-1", "é"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("é".encode("utf-16"), "utf-16", "é"),
        (b"plain", "no-such-charset", "plain"),
        (b"plain", "rot13", "plain"),
        (b"plain", "punycode", "plain"),
        (b"plain", "a\0b", "plain"),
    ],
)
def test_the_charset_decides(data: bytes, charset: str | None, text: str) -> None:
    """Charsets of the web are decoded; anything else is taken for UTF-8."""
    assert decoded(data, charset, cut=False) == (text, False)


def test_what_is_no_text_is_replaced() -> None:
    """Bytes that are no text become U+FFFD, and the result says so."""
    assert decoded(b"a\xffb", None, cut=False) == ("a\N{REPLACEMENT CHARACTER}b", True)


def test_a_character_cut_in_two_is_left_out() -> None:
    """What the cut left of the last character is no error; without a cut it is one."""
    half = "aé".encode()[:-1]

    assert decoded(half, None, cut=True) == ("a", False)
    assert decoded(half, None, cut=False) == ("a\N{REPLACEMENT CHARACTER}", True)
