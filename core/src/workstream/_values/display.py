"""Text of strangers, made safe to look at.

A plan's names, errors and output come from anywhere. Written to a terminal as they
are, they could move its cursor, recolour it, rename its window, or run right to left
and so show another name than the one that is there.
"""

from __future__ import annotations

LIMIT = 200
"""Characters that ``shorten`` leaves of a text unless told otherwise."""


def display(text: str) -> str:
    """The text on one line, with every character visible.

    Line breaks, escape sequences, direction overrides, zero-width characters and the
    like are written as Python would escape them (``\\n``, ``\\x1b``, ``\\u202e``); all
    else stays as it is. What it returns can always be encoded as UTF-8.

    Args:
        text: Any text.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escaped(character)
        for character in text
    )


def shorten(text: str, limit: int = LIMIT) -> str:
    """The text as ``display`` shows it, of at most ``limit`` characters.

    A longer one loses its middle, and says how much: its end often tells it from its
    siblings.

    Args:
        text: Any text.
        limit: How many characters may remain; at least 40.
    """
    # A long text need not be escaped whole: escaping only makes it longer.
    shown = display(text) if len(text) <= limit else text
    if len(shown) <= limit:
        return shown
    gap = f"… {len(text):,} characters in all …"
    head = (limit - len(gap)) * 2 // 3
    tail = limit - len(gap) - head
    return _fit(text[:head], head) + gap + _fit(text[-tail:], -tail)


def one_line(text: str, limit: int = LIMIT) -> str:
    """The text as ``shorten`` shows it, with spaces for its line breaks.

    Args:
        text: Any text, for example an error with the end of a program's output.
        limit: How many characters may remain.
    """
    return shorten(" ".join(filter(None, text.splitlines())), limit)


def display_lines(text: str, *, limit: int = LIMIT, most: int = 20) -> list[str]:
    """The text line by line, each as ``shorten`` shows it.

    Args:
        text: Any text, for example what a command wrote to its standard error.
        limit: How many characters of a line may remain.
        most: How many lines to keep: of more, the first and the last.
    """
    lines = text.strip("\r\n").splitlines()
    if len(lines) > most:
        first = most // 2
        last = most - first - 1
        gap = f"… {len(lines) - first - last:,} more lines …"
        lines = [*lines[:first], gap, *lines[len(lines) - last :]]
    return [shorten(line, limit) for line in lines]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _fit(part: str, size: int) -> str:
    """The part as it is shown, cut again to the size: escapes have made it longer."""
    shown = display(part)
    return shown[:size] if size > 0 else shown[size:]
