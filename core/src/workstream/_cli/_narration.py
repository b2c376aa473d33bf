"""What happens to a plan, in lines: for logs, and for terminals that cannot rewrite."""

from __future__ import annotations

from rich.text import Text

from .._show.narration import Told
from .._values.display import shorten
from .draw.screen import STYLES, Signs, joined, plain


def told_line(told: Told, signs: Signs) -> Text:
    """The line that the story tells, with its sign."""
    style = STYLES[told.status]
    if not told.label:
        return plain(told.text, style)
    sign = signs.again if told.again else signs.of(told.status)
    return joined((f"{sign} ", style), shorten(told.label, 300), (told.text, style))
