"""Tokens: who may tell plans what to do, and under which name."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import attrs
import click

VARIABLE = "WORKSTREAM_UI_TOKENS"
_SHORTEST = 16
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@attrs.frozen
class Tokens:
    """The tokens, each with the name of whoever holds it."""

    _names: dict[bytes, str] = attrs.field(factory=dict[bytes, str], repr=False)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._names)

    def name_of(self, token: str) -> str | None:
        """Who holds this token; None: nobody. It takes as long for every token."""
        found: str | None = None
        given = token.encode()
        for known, name in self._names.items():
            if hmac.compare_digest(known, given):
                found = name
        return found


def tokens_from(file: Path | None) -> Tokens:
    """The tokens of the file, or else of the environment.

    Raises:
        click.ClickException: The file cannot be read, others can read it, or a line is
            no ``NAME=TOKEN``.
    """
    if file is None:
        # A process that this one starts must not find them there.
        return _read(os.environ.pop(VARIABLE, "").splitlines(), VARIABLE)
    try:
        with file.open(encoding="utf-8") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: cannot be read: {error}"
        raise click.ClickException(message) from error
    if mode & _OTHERS:
        message = (
            f"{file}: others can read it, so its tokens are none: chmod 600 {file}"
        )
        raise click.ClickException(message)
    return _read(text.splitlines(), str(file))


def _read(lines: Iterable[str], place: str) -> Tokens:
    names: dict[bytes, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, sign, token = (part.strip() for part in line.partition("="))
        if not (name and sign and token):
            message = f"{place}, line {number}: write NAME=TOKEN"
            raise click.ClickException(message)
        if len(token) < _SHORTEST or not token.isascii():
            message = (
                f"{place}, line {number}: the token of {name} can be guessed: take "
                f"{_SHORTEST} characters or more, for example of `openssl rand -hex 24`"
            )
            raise click.ClickException(message)
        if token.encode() in names:
            message = f"{place}, line {number}: {name} has the token of another"
            raise click.ClickException(message)
        names[token.encode()] = name
    return Tokens(names)
