"""The programs that run on a host, as texts: POSIX sh, with our values in front.

All of a program, the values in it too, goes to the host as input of a shell that was
started with next to no arguments. So no list of processes shows any of it, and no
login shell, whichever it may be, has to make sense of it.
"""

from __future__ import annotations

import functools
import secrets
import shlex
from pathlib import Path

__all__ = ["BOOTSTRAP", "new_mark", "path_word", "program", "remote_text", "word"]

FOLDER = Path(__file__).with_name("remote")

BOOTSTRAP = "exec /bin/sh -c 'eval \"$(dd bs=1 count={size} 2>/dev/null)\"'"
"""Reads a program of so many bytes, and not one more: what follows is for it to read.

Single quotes with no quote, backslash, exclamation mark or line break between them
mean the same to every login shell.
"""


def new_mark() -> str:
    """A word that nobody else has, and that no output holds by chance."""
    return secrets.token_hex(16)


def word(value: object) -> str:
    """A value as one word for a shell; None and False are empty."""
    if value is None or value is False:
        return "''"
    return shlex.quote("1" if value is True else str(value))


def path_word(path: str) -> str:
    """A path on the host as one word for a shell: absolute, or within ``~/``."""
    if path == "~":
        return '"$HOME"'
    if path.startswith("~/"):
        return '"$HOME"/' + shlex.quote(path[2:])
    return shlex.quote(path)


def program(*parts: str, **values: str) -> bytes:
    """A program for a host.

    Args:
        parts: Which of the texts it is made of, in order.
        values: What the texts take, already as words for a shell.
    """
    lines = [f"{name}={value}\n" for name, value in values.items()]
    # The braces have the shell read all of it before it does any of it: a program that
    # was cut off on its way does nothing.
    text = "".join(["{\n", *lines, *map(remote_text, parts), "}\n"])
    return text.encode("utf-8", "surrogateescape")


@functools.cache
def remote_text(part: str) -> str:
    """One of the texts, without its comments: it is sent with every command."""
    lines = (FOLDER / f"{part}.sh").read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))
