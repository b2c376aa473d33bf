"""What the plugins are asked, and what they answer."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

import attrs

from workstream import SecretRef

Scalar: TypeAlias = str | int | float | bool | None
"""A value of a result. What is none of these is the text that PostgreSQL shows."""

Parameter: TypeAlias = (
    str
    | int
    | float
    | bool
    | bytes
    | datetime
    | date
    | Decimal
    | UUID
    | SecretRef
    | list[str | int | float]
    | None
)
"""A value for a placeholder."""


@attrs.frozen(kw_only=True)
class Database:
    """The server to connect to.

    Missing settings come from the same places as those of ``psql``: the variables
    ``PGHOST``, ``PGUSER`` ..., a service file, a password file, and libpq's defaults.

    Attributes:
        host: A name, an address, or the directory of a Unix socket. Several, parted
            by commas, are tried in turn.
        port: The port of all of them.
        name: The name of the database.
        user: The user to connect as.
        password: The user's.
        sslmode: How far the connection must be secured, as libpq calls it.
        ca_file: A file of certificate authorities (PEM) to trust: ``sslrootcert``.
        connect_timeout: Seconds to wait for a connection, for each host.
        settings: Other parameters of libpq, for example ``target_session_attrs``.
    """

    host: str = ""
    port: int | None = None
    name: str = ""
    user: str = ""
    password: SecretRef | None = None
    sslmode: Literal[
        "", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"
    ] = ""
    ca_file: str = ""
    connect_timeout: float = 10.0
    settings: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class Statement:
    """One statement, with values for its placeholders.

    Attributes:
        sql: The statement. Values belong into the parameters, never into it.
        params: Values for the placeholders ``%s``, in order.
        named: Values for the placeholders ``%(name)s``, by name. With values of
            either kind a per cent sign of the statement itself is written ``%%``.
        affects: How many rows it must affect, or return; with any other number all
            is rolled back, and the error is permanent.
        unless: A query that says whether the statement is done already: it is not
            carried out if the first value is true. ``SELECT 1 FROM pg_database WHERE
            datname = 'shop'``.
    """

    sql: str
    params: tuple[Parameter, ...] = ()
    named: dict[str, Parameter] = attrs.field(
        factory=dict[str, Parameter], kw_only=True
    )
    affects: int | None = attrs.field(default=None, kw_only=True)
    unless: str = attrs.field(default="", kw_only=True)


@attrs.frozen
class Execute:
    """Statements, as a rule in one transaction (``postgres.execute``).

    Attributes:
        database: Where.
        statements: What, in order. A text may hold several statements, parted by
            semicolons; a ``Statement`` with values holds one.
        isolation: The transaction's isolation level; "": as the server is set up.
        lock_timeout: Seconds that a statement may wait for a lock; 0: as long as the
            attempt may take.
        keep_rows: How many rows of the last statement that returns any are part of
            the response.
        once: Whether to record the action in a table of the same database, in the
            same transaction, so that it is done once, whatever happens.
        once_table: That table; it is made when it is not there.
        transaction: Whether they are one transaction. False for what PostgreSQL lets
            nobody do in one: CREATE INDEX CONCURRENTLY, VACUUM, CREATE DATABASE. Each
            statement is then done by itself, and nothing is undone.
    """

    database: Database
    statements: tuple[str | Statement, ...]
    isolation: Literal["", "read committed", "repeatable read", "serializable"] = (
        attrs.field(default="", kw_only=True)
    )
    lock_timeout: float = attrs.field(default=0.0, kw_only=True)
    keep_rows: int = attrs.field(default=0, kw_only=True)
    once: bool = attrs.field(default=False, kw_only=True)
    once_table: str = attrs.field(default="workstream_once", kw_only=True)
    transaction: bool = attrs.field(default=True, kw_only=True)


@attrs.frozen(kw_only=True)
class ExecuteResult:
    """The result of a transaction that was committed.

    Attributes:
        counts: How many rows each of the statements affected or returned.
        columns: The names of the columns of ``rows``.
        rows: The first rows that the last statement with any returned. Long texts
            are cut at 10,000 characters.
        rows_left_out: How many more there were; 0 if none were to be kept.
        found_done: Whether this attempt found that an earlier one had done it.
    """

    counts: tuple[int, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Scalar, ...], ...] = ()
    rows_left_out: int = 0
    found_done: bool = False


@attrs.frozen
class Query:
    """A query that gives one value, and what the value must be (``postgres.check``).

    Attributes:
        database: Where.
        sql: A statement that returns one row of one column. It runs in a read-only
            transaction.
        params: Values for the placeholders ``%s``, in order.
        named: Values for the placeholders ``%(name)s``, by name.
        compare: How the value must compare with ``value``.
        value: What the value is compared with. Numbers are compared as numbers, of
            whatever type they are; what is no number or truth value, as text.
    """

    database: Database
    sql: str
    params: tuple[Parameter, ...] = ()
    named: dict[str, Parameter] = attrs.field(
        factory=dict[str, Parameter], kw_only=True
    )
    compare: Literal["==", "!=", "<", "<=", ">", ">="] = attrs.field(
        default="==", kw_only=True
    )
    value: Scalar = attrs.field(default=True, kw_only=True)


@attrs.frozen
class QueryResult:
    """The result of a query.

    Attributes:
        value: The value.
    """

    value: Scalar


AnyRequest: TypeAlias = Execute | Query


def statements_of(request: Execute) -> list[Statement]:
    """The statements, those given as text too."""
    return [
        Statement(each) if isinstance(each, str) else each
        for each in request.statements
    ]
