"""Words and marks of the plan notation, and reading them one after the other."""

from __future__ import annotations

import re
from typing import NoReturn

import attrs

_TOKEN = re.compile(
    r"(?P<mark>\.\.|[\[\](){}:;=,])|(?P<word>(?:[\w@+%-]|\.(?!\.))+)|(?P<blank>\s+)"
)


class NotationError(ValueError):
    """The text is no plan; the message shows where, and what was expected."""


@attrs.frozen
class _Token:
    text: str
    at: int


class Tokens:
    """The tokens of a text, and how far they were read."""

    def __init__(self, text: str) -> None:
        """Cut a text into tokens. Raises NotationError at a character that is none."""
        self._text = text
        self._tokens: list[_Token] = []
        self._next = 0
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                self._fail(at, f"{text[at]!r} means nothing here")
            elif match["blank"] is None:
                self._tokens.append(_Token(match[0], at))
            at = match.end()

    def peek(self) -> str:
        """The next token; ``""`` at the end."""
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def mark(self) -> int:
        """Where we are, to ``go_back`` to."""
        return self._next

    def go_back(self, mark: int) -> None:
        """Read on from a place where we were."""
        self._next = mark

    def is_word(self) -> bool:
        """Whether the next token is a word."""
        return re.match(r"[\w@+-]", self.peek()) is not None

    def take(self) -> str:
        """Read the next token."""
        if self._next >= len(self._tokens):
            self._fail(len(self._text), "something is missing at the end")
        self._next += 1
        return self._tokens[self._next - 1].text

    def word(self, what: str) -> str:
        """Read a word that is ``what``; anything else is an error."""
        if not self.is_word():
            self.fail(f"expected {what}")
        return self.take()

    def accept(self, mark: str) -> bool:
        """Read the mark, if it comes next; whether it did."""
        if self.peek() != mark:
            return False
        self._next += 1
        return True

    def expect(self, mark: str) -> None:
        """Read the mark; anything else is an error."""
        if not self.accept(mark):
            self.fail(f"expected {mark!r}")

    def fail(self, message: str, *, taken: bool = False) -> NoReturn:
        """Raise NotationError, pointing at the next token, or at the one just taken."""
        index = self._next - taken
        at = self._tokens[index].at if index < len(self._tokens) else len(self._text)
        self._fail(at, message)

    def _fail(self, at: int, message: str) -> NoReturn:
        found = self._text[at : at + 20] or "the end"
        full = f"{message}, at {found!r} (character {at + 1}) of {self._text!r}"
        raise NotationError(full)
