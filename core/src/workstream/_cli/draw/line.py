"""One line for people: texts with their styles, safe for a terminal.

rich draws it where there are colours. Elsewhere nobody needs rich, and importing it takes
longer than all else that a list does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._values.display import display

if TYPE_CHECKING:
    from rich.text import Text


class Line:
    """Texts on one line, each with a style; what is in it was made safe already."""

    __slots__ = ("_parts",)

    def __init__(self, text: str = "", style: str = "") -> None:
        """Begin with a text that is safe already."""
        self._parts = [(text, style)]

    def append(self, text: str, style: str = "") -> Line:
        """Add a text that is safe already."""
        self._parts.append((text, style))
        return self

    def append_line(self, line: Line) -> Line:
        """Add all of another line."""
        self._parts += line._parts
        return self

    def __str__(self) -> str:
        """The texts alone."""
        return "".join(text for text, _ in self._parts)

    def styled(self) -> Text:
        """As rich has it."""
        from rich.text import Text

        return Text.assemble(*self._parts)


def plain(text: str, style: str = "") -> Line:
    """Anybody's text on one line, safe for a terminal."""
    return Line(display(text), style)


def joined(*parts: Line | str | tuple[str, str]) -> Line:
    """Parts of one line: anybody's texts, or each with its style."""
    line = Line()
    for part in parts:
        if isinstance(part, Line):
            line.append_line(part)
        elif isinstance(part, str):
            line.append(display(part))
        else:
            line.append(display(part[0]), part[1])
    return line
