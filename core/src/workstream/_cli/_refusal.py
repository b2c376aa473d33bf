"""Errors as the person at the terminal sees them."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import IO, TYPE_CHECKING, Any

import click

from .._values.display import display_lines
from ._exit_codes import ExitCode
from ._streams import Forgiving

if TYPE_CHECKING:
    from .._values.errors import WorkstreamError

__all__ = ["Refusal", "complain"]


class Refusal(click.ClickException):
    """What was asked cannot be done; nothing was changed. The exit status is 2."""

    exit_code = ExitCode.REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to standard error."""
        complain(self.message)


def complain(message: str | WorkstreamError, kind: str = "Error") -> None:
    """Write a message to standard error, safe for a terminal.

    Args:
        message: Perhaps of several lines.
        kind: What it begins with.
    """
    lines = display_lines(str(message), limit=2_000, most=200) or ["unknown"]
    lines[0] = f"{kind}: {lines[0]}"
    stream = Forgiving(sys.stderr)
    if stream.isatty():
        # Broken between words; what can be searched or pasted is left as it is.
        width = shutil.get_terminal_size().columns
        lines = [_wrapped(line, width) for line in lines]
    stream.write("\n".join(lines) + "\n")
    stream.flush()


def _wrapped(line: str, width: int) -> str:
    inset = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line,
        max(width, 20),
        subsequent_indent=inset,
        break_long_words=False,
        break_on_hyphens=False,
    )
