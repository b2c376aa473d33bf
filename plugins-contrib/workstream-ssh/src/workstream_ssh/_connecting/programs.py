"""The programs that run on a host, as texts: POSIX sh, with our values in front.

All of a program, the values in it too, goes to the host as input of a shell that was
started with next to no arguments. So no list of processes shows any of it, and no
login shell, whichever it may be, has to make sense of it.
"""

from __future__ import annotations

import functools
import pkgutil
import secrets
import shlex

from .become import Become


def bootstrap(size: int, hello: str, become: Become | None) -> str:
    """The command for a login shell: it reads a program from its input and does it.

    It first says that it is there, and the program is sent only then: so nothing that
    comes before it, a login shell's script for example, can read any of the program.
    Single quotes with no quote, backslash, exclamation mark or line break between them
    mean the same to every login shell.

    Args:
        size: How many bytes the program has.
        hello: What it says, ``ready`` behind it; before it becomes another user
            ``login``. Others on the host may see it. It is the prompt for a password, too.
        become: The user to become.
    """
    # This reads in pieces, and may take more than it needs: nothing more is sent before
    # the program has said something.
    read = f"'echo {hello} ready; eval \"$(head -c {size})\"'"
    if become is None:
        return f"exec /bin/sh -c {read}"
    words = shlex.join(become.words(prompt_of(hello)))
    login = f"'echo {hello} login; exec \"$@\"'"
    return f"exec /bin/sh -c {login} sh {words} /bin/sh -c {read}"


def prompt_of(hello: str) -> str:
    """How the program that changes the user asks for a password.

    Its last character is in no mark: it is not held back as the beginning of one.
    """
    return f"{hello}-password:"


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


def program(*parts: str, become: Become | None, **values: str) -> bytes:
    """A program for a host.

    Args:
        parts: Which of the texts it is made of, in order.
        become: The user that the login has become.
        values: What the texts take, already as words for a shell.
    """
    lines = [f"{name}={value}\n" for name, value in values.items()]
    # The braces have the shell read all of it before it does any of it: a program that
    # was cut off on its way does nothing.
    begin = "{\n" if become is None else "{\n" + remote_text("become")
    text = "".join([begin, *lines, *map(remote_text, parts), "}\n"])
    return text.encode("utf-8", "surrogateescape")


@functools.cache
def remote_text(part: str) -> str:
    """One of the texts, without its comments: it is sent with every command."""
    # Not by ``__file__``: the package may be in a zip file.
    data = pkgutil.get_data("workstream_ssh", f"remote/{part}.sh")
    assert data is not None
    lines = data.decode().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))
