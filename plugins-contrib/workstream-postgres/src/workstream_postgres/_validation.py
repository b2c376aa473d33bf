"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from psycopg import pq

from workstream.plugins import number_faults, refuse, text_faults

from ._check import COMPARISONS
from ._requests import (
    AnyRequest,
    Database,
    Execute,
    Query,
    Statement,
    statements_of,
)
from ._sql import bare, placeholder_faults, psql_faults, without_comments

MAX_ROWS = 1000
"""The most rows that may be kept: a response is stored with its plan."""

SHORTEST_TIMEOUT = 0.001
"""Seconds: PostgreSQL counts milliseconds."""

LONGEST_WAIT = 2_000_000
"""Seconds; PostgreSQL takes a little more."""

SERVER = "no server"

_OURS = {
    "application_name": "it is how the action is found after a crash",
    "client_encoding": "it is UTF-8",
    "connect_timeout": "use connect_timeout=",
    "dbname": "use name=",
    "fallback_application_name": "it is how the action is found after a crash",
    "host": "use host=",
    "password": "use password=SecretRef(...)",
    "port": "use port=",
    "sslmode": "use sslmode=",
    "sslpassword": "it is a secret, which is stored with the plan here",
    "oauth_client_secret": "it is a secret, which is stored with the plan here",
    "sslrootcert": "use ca_file=",
    "user": "use user=",
}
_SSL_MODES = ("", "disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LEVELS = ("", "read committed", "repeatable read", "serializable")
_CONTROL = re.compile(
    r"(?:begin|start\s+transaction|commit|end|rollback(?!\s+(?:work\s+|transaction\s+)?"
    r"to\b)|abort|prepare\s+transaction)\b",
    re.IGNORECASE,
)
_EMPTY = " \t\r\n\f\v;"
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}(?:\.[A-Za-z_][A-Za-z0-9_$]{0,62})?")


def check(request: AnyRequest) -> None:
    """Refuse a request that can never work, with all its faults in one message.

    Raises:
        ValueError: It has faults; each is named with its field.
    """
    own = _execute(request) if isinstance(request, Execute) else _query(request)
    refuse([*_database(request.database), *own])


def _database(database: Database) -> Iterator[str]:
    texts = {
        "host": database.host,
        "name": database.name,
        "user": database.user,
        "ca_file": database.ca_file,
        **{f"settings[{name!r}]": value for name, value in database.settings.items()},
    }
    for field, text in texts.items():
        yield from text_faults(f"database.{field}", text, empty=True, purpose=SERVER)
    if database.host and not all(part.strip() for part in database.host.split(",")):
        yield "database.host: a name is missing beside a comma"
    if "=" in database.name or "://" in database.name:
        yield (
            "database.name: it is a whole connection string: give its parts, the "
            "password as password=SecretRef(...)"
        )
    if database.port is not None:
        yield from number_faults(
            "database.port", database.port, least=1, most=65535, whole=True, unit=""
        )
    if database.sslmode not in _SSL_MODES:
        yield f"database.sslmode: {database.sslmode!r} is no mode: {_listed(_SSL_MODES)}"
    yield from number_faults(
        "database.connect_timeout", database.connect_timeout, least=SHORTEST_TIMEOUT
    )
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    for name in database.settings:
        if name in _OURS:
            yield f"database.settings: {name!r} is not set here: {_OURS[name]}"
        elif name not in known:
            yield f"database.settings: libpq knows no parameter {name!r}"


def _execute(request: Execute) -> Iterator[str]:
    if not request.statements:
        yield "statements: there is none"
    several = len(request.statements) > 1
    for number, statement in enumerate(statements_of(request), 1):
        where = f"statements[{number - 1}]" if several else "statements"
        yield from _statement(where, statement)
    if request.isolation not in _LEVELS:
        yield f"isolation: {request.isolation!r} is no level: {_listed(_LEVELS)}"
    if request.lock_timeout != 0:
        least, most = SHORTEST_TIMEOUT, LONGEST_WAIT
        wait = request.lock_timeout
        for fault in number_faults("lock_timeout", wait, least=least, most=most):
            yield f"{fault} (0: wait as long as it takes)"
    yield from number_faults(
        "keep_rows", request.keep_rows, most=MAX_ROWS, whole=True, unit=""
    )
    if not request.transaction:
        if request.once:
            yield "once: it needs the transaction that transaction=False leaves out"
        if request.isolation:
            yield "isolation: it is a transaction's, which transaction=False leaves out"
    if _TABLE.fullmatch(request.once_table) is None:
        yield (
            f"once_table: {request.once_table!r} is no name of a table: write name or "
            "schema.name"
        )


def _statement(where: str, statement: Statement) -> Iterator[str]:
    yield from _sql(where, statement)
    for fault in psql_faults(statement.sql):
        yield f"{where}: {fault}"
    if control := _CONTROL.match(bare(statement.sql).lstrip(_EMPTY)):
        yield (
            f"{where}: {' '.join(control[0].upper().split())} is not for a statement: "
            "all of them are one transaction, which is begun and committed for them"
        )
    yield from text_faults(
        f"{where}: unless", statement.unless, empty=True, purpose=SERVER
    )
    if statement.affects is not None:
        yield from number_faults(
            f"{where}: affects", statement.affects, whole=True, unit="rows"
        )


def _query(query: Query) -> Iterator[str]:
    yield from _sql("sql", query)
    if query.compare not in COMPARISONS:
        yield f"compare: {query.compare!r} is no comparison: {_listed(COMPARISONS)}"
    elif query.compare not in ("==", "!=") and isinstance(query.value, bool | None):
        yield f"compare: {query.value!r} has no order: use == or !="
    if isinstance(query.value, float) and not math.isfinite(query.value):
        yield f"value: {query.value} is compared as text: write {str(query.value)!r}"


def _sql(where: str, asked: Statement | Query) -> Iterator[str]:
    if not without_comments(asked.sql).strip(_EMPTY):
        yield f"{where}: it is empty"
    yield from text_faults(where, asked.sql, empty=True, purpose=SERVER)
    if asked.params and asked.named:
        yield f"{where}: params and named: give one of them"
    else:
        names = frozenset(asked.named)
        for fault in placeholder_faults(asked.sql, asked.params, names):
            yield f"{where}: {fault}"
    values = [*asked.params, *asked.named.values()]
    for value in values:
        if isinstance(value, str):
            yield from text_faults(
                f"{where}: a value", value, empty=True, purpose=SERVER
            )


def _listed(names: object) -> str:
    return ", ".join(repr(name) for name in names)  # type: ignore[attr-defined]
