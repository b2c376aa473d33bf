"""Bytes that a server sent, as text."""

from __future__ import annotations

import codecs

# What Python calls the charsets that servers name. Not every codec of Python's is
# one, and some take time that grows with the square of what a server sends.
_CHARSETS = frozenset(
    codecs.lookup(name).name
    for name in (
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
        *("latin-1", "iso8859-2", "iso8859-9", "iso8859-15"),
        *("cp1250", "cp1251", "cp1252", "cp1254", "koi8-r"),
        *("shift_jis", "euc_jp", "euc_kr", "big5", "gbk", "gb18030"),
    )
)


def decoded(data: bytes, charset: str | None, *, cut: bool) -> tuple[str, bool]:
    """``data`` as text, and whether bytes that are no text had to be replaced.

    Args:
        data: What was received.
        charset: What the server calls its charset; UTF-8 is taken for an unknown one.
        cut: Whether more followed: a character that is cut in two is then left out.
    """
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        name = "utf-8"
    if name not in _CHARSETS:
        name = "utf-8"
    make_decoder = codecs.getincrementaldecoder(name)
    try:
        return make_decoder("strict").decode(data, final=not cut), False
    except UnicodeError:
        return make_decoder("replace").decode(data, final=not cut), True
