"""Regular expressions for text that somebody else wrote.

Python's ``re`` tries one way after another. A pattern such as ``^(\\w+\\s?)*$`` takes
twice as long for each further character of a text that does not match, and nothing
else in the process gets a turn meanwhile. RE2 reads the text once, whatever it holds,
and lets other threads run.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

SYNTAX = "https://github.com/google/re2/wiki/Syntax"

_ADVICE = (
    ("perl operator: (?=", "it looks ahead, which RE2 cannot do"),
    ("perl operator: (?!", "it looks ahead, which RE2 cannot do"),
    ("perl operator: (?<", "it looks behind, which RE2 cannot do"),
    (
        "perl operator: (?>",
        "it has an atomic group, which RE2 does not need: write (?:",
    ),
    ("perl operator: (?P", "it refers back to a group, which RE2 cannot do"),
    ("perl operator: (?(", "it depends on a group, which RE2 cannot do"),
    ("repetition operator: ", "write one of *, + and ? alone, or with a ? behind it"),
    ("escape sequence: \\Z", "write \\z for the end of the text"),
    ("escape sequence: \\u", "write a character by its number as in \\x{20ac}"),
    *(
        (
            f"escape sequence: \\{digit}",
            "it refers back to a group, which RE2 cannot do",
        )
        for digit in "123456789"
    ),
)
"""How RE2's complaint about a pattern begins, and what it means to its author."""


class Pattern:
    """A regular expression that no text can make slow.

    The syntax is that of RE2. It has no backreferences and no lookaround; ``\\w``,
    ``\\d``, ``\\s`` and ``\\b`` know ASCII only (``\\pL`` is any letter). A search takes
    time in proportion to the length of the text, and holds no lock. It cannot be
    interrupted: search long texts in a thread.

    It needs ``google-re2``, so a package that uses it depends on
    ``workstream-engine[patterns]``.

    Args:
        source: The pattern.
        multiline: Whether ``^`` and ``$`` match at each line. Otherwise they match at
            the begin and the end of the text; a final line break does not count.

    Raises:
        ValueError: RE2 refuses the pattern; the message says why.
        ImportError: ``google-re2`` is not installed.
    """

    def __init__(self, source: str, *, multiline: bool = False) -> None:
        self.source = source
        self.multiline = multiline
        self._compiled = _compiled(source, multiline)

    def found_in(self, text: str) -> bool:
        """Whether some part of the text matches."""
        data = text.encode(errors="surrogatepass")
        if self._compiled.search(data) is not None:
            return True
        # As with re: "$" also matches before a line break that ends the text.
        short = not self.multiline and data.endswith(b"\n")
        return short and self._compiled.search(data[:-1]) is not None

    def __repr__(self) -> str:
        more = ", multiline=True" if self.multiline else ""
        return f"Pattern({self.source!r}{more})"


@functools.lru_cache(maxsize=64)
def _compiled(source: str, multiline: bool) -> Any:
    """The pattern as RE2 has it."""
    re2 = _engine()
    options = re2.Options()
    options.log_errors = False  # it would write them to standard error
    options.never_capture = True
    try:
        flags = "(?m)" if multiline else ""
        return re2.compile((flags + source).encode(), options)
    except UnicodeEncodeError:
        reason = "it holds half of a character (a lone surrogate)"
    except re2.error as error:
        (said,) = error.args
        reason = _explained(said.decode(errors="replace"))
    message = f"{source!r} is no regular expression that can be used: {reason}"
    raise ValueError(message) from None


def _explained(complaint: str) -> str:
    """RE2's complaint, and what to do about it."""
    for begin, advice in _ADVICE:
        if begin in complaint:
            return f"{complaint}: {advice} ({SYNTAX})"
    return complaint


def _engine() -> Any:
    """The module ``re2``."""
    try:
        return importlib.import_module("re2")
    except ImportError as error:
        message = (
            "regular expressions need the package google-re2, which is not installed "
            "here: pip install 'workstream-engine[patterns]'"
        )
        raise ImportError(message) from error
