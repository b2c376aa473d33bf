"""Parameters as psycopg wants them, and results as the engine stores them."""

from __future__ import annotations

import math
from typing import Any

import psycopg
from psycopg.types.string import TextLoader

from workstream import SecretRef
from workstream.plugins import Redactor

from ._requests import Parameter, Query, Scalar, Statement

MAX_TEXT = 10_000
"""How many characters of a text are kept."""

MAX_KEPT = 1024 * 1024
"""How many characters of all rows are kept: a response is stored with its plan."""

_NATIVE = ("bool", "int2", "int4", "int8", "float4", "float8")


def values_of(asked: Statement | Query) -> tuple[Any, ...] | dict[str, Any] | None:
    """What stands for the placeholders; None where there are none.

    Without values psycopg looks for no placeholders, so that a per cent sign is one.
    """
    if asked.named:
        return {name: _plain(value) for name, value in asked.named.items()}
    return tuple(_plain(value) for value in asked.params) or None


def _plain(value: Parameter) -> object:
    return value.reveal() if isinstance(value, SecretRef) else value


def secrets_of(*asked: Statement | Query) -> Redactor:
    """Takes out the secret values among the parameters."""
    return Redactor([(one.params, one.named) for one in asked])


def show_as_text(connection: psycopg.Connection[Any]) -> None:
    """Let everything but numbers and truth values come as the text the server shows.

    A Decimal, a time or an array of Python's would have to be turned into text again.
    """
    for info in psycopg.adapters.types:
        if info.name not in _NATIVE:
            connection.adapters.register_loader(info.oid, TextLoader)
        if info.array_oid:
            connection.adapters.register_loader(info.array_oid, TextLoader)


def scalar(value: object, secrets: Redactor) -> Scalar:
    """A value of a result, as it can be stored and shown."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return secrets.redact(text)[:MAX_TEXT]


class Kept:
    """The first rows of a result, as many as are wanted and as can be kept."""

    def __init__(self, limit: int, secrets: Redactor) -> None:
        self.rows: list[tuple[Scalar, ...]] = []
        self.left_out = 0
        self._limit = limit
        self._secrets = secrets
        self._room = MAX_KEPT

    def add(self, row: tuple[Any, ...]) -> None:
        """Take the next row, or count it."""
        if self.left_out or len(self.rows) >= self._limit:
            self.left_out += 1
            return
        values = tuple(scalar(value, self._secrets) for value in row)
        self._room -= sum(len(str(value)) for value in values)
        if self._room < 0:
            self.left_out += 1
        else:
            self.rows.append(values)


def names_of(description: list[psycopg.Column] | None) -> tuple[str, ...]:
    """The names of a result's columns."""
    return tuple(column.name for column in description or ())
