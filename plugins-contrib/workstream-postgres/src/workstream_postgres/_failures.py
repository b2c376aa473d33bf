"""Errors of psycopg and of the server, as errors of an attempt."""

from __future__ import annotations

import psycopg

from workstream import PluginError
from workstream.plugins import Redactor

from ._requests import Database

PASSING_CLASSES = frozenset(
    {
        "08",  # connection exception
        "40",  # transaction rollback: serialization failure, deadlock
        "53",  # insufficient resources
        "58",  # system error
    }
)
PASSING = frozenset(
    {
        "25P03",  # idle in transaction for too long
        "25P04",  # the transaction took too long
        "25006",  # read-only: a standby that may become the primary
        "55006",  # object in use
        "55P03",  # lock not available
        "57014",  # cancelled, as by a timeout
        "57P01",  # the server is shut down
        "57P02",  # the server has crashed
        "57P03",  # the server is starting, or shutting down
        "57P05",  # idle for too long
    }
)
"""What may go by itself; what is wrong with a statement or with the data stays."""

_NOTHING = Redactor(())

_ADVICE = (
    (
        "COPY cannot be used with this method",
        "it copies to or from the client, and a plan has no data for that: run the "
        "file by psql, as command.run of workstream-command can, or COPY from a file "
        "on the server",
    ),
    ("cannot mix COPY", "it copies to or from the client: run the file by psql"),
    ("cannot be used in stream mode", "it gives no rows to compare: write a SELECT"),
    ("didn't produce", "it gives no rows to compare: write a SELECT"),
)
"""What psycopg says to programmers, by its begin, and what to say to a plan's author."""

_HINTS = {
    "25001": "with transaction=False, and each statement by itself, it is outside of one",
    "42601": "a Statement with values holds one statement: part them",
}


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection broke, so that nobody knows what the server did."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(("08", "57P"))


def not_connected(
    database: Database, host: str, reason: str, *, permanent: bool = False
) -> PluginError:
    """The error of a connection that was not made; it may be tried again."""
    where = f" at {host}" if host else ""
    name = f" {database.name!r}" if database.name else ""
    lines = (" ".join(line.split()) for line in reason.splitlines())
    text = ". ".join(filter(None, lines)).removeprefix("connection failed: ")
    message = f"database{name}{where} cannot be reached: {text}"
    return PluginError(Redactor(database).redact(message), permanent=permanent)


def failed(
    what: str, error: psycopg.Error, secrets: Redactor = _NOTHING
) -> PluginError:
    """The error of a statement that failed.

    Args:
        what: What failed, for example ``statement 2 of 3``.
        error: As psycopg has raised it.
        secrets: Takes out the secret values among the statement's parameters.
    """
    state = error.sqlstate
    if state is None:
        text = " ".join(str(error).split()) or type(error).__name__
        text = next((advice for said, advice in _ADVICE if said in text), text)
        # Without a state it did not come from the server: the connection, or our call.
        permanent = not isinstance(error, psycopg.OperationalError)
        return PluginError(
            secrets.redact(f"{what} failed: {text}"), permanent=permanent
        )
    text = error.diag.message_primary or type(error).__name__
    if error.diag.message_detail and not secrets:
        # A detail quotes rows, and cuts values in two: then no secret is recognised.
        text += f" ({error.diag.message_detail})"
    several = state != "42601" or "multiple commands" in text
    hint = (_HINTS.get(state) if several else None) or error.diag.message_hint
    if hint:
        text += f"; {hint}"
    message = f"{what} failed: {text} [SQLSTATE {state}]"
    permanent = not (state in PASSING or state[:2] in PASSING_CLASSES)
    return PluginError(secrets.redact(message), permanent=permanent)
