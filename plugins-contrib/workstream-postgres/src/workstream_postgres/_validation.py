"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from psycopg import pq

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
    faults = [*_database(request.database), *own]
    if faults:
        raise ValueError("; ".join(faults))


def _database(database: Database) -> Iterator[str]:
    texts = {
        "host": database.host,
        "name": database.name,
        "user": database.user,
        "ca_file": database.ca_file,
        **{f"settings[{name!r}]": value for name, value in database.settings.items()},
    }
    for field, text in texts.items():
        if "\0" in text:
            yield f"database.{field}: it holds a zero character"
    if database.host and not all(part.strip() for part in database.host.split(",")):
        yield "database.host: a name is missing beside a comma"
    if "=" in database.name or "://" in database.name:
        yield (
            "database.name: it is a whole connection string: give its parts, the "
            "password as password=SecretRef(...)"
        )
    if database.port is not None and not 1 <= database.port <= 65535:
        yield f"database.port: it must be from 1 to 65535, not {database.port}"
    if database.sslmode not in _SSL_MODES:
        yield f"database.sslmode: {database.sslmode!r} is no mode: {_listed(_SSL_MODES)}"
    timeout = database.connect_timeout
    if not (math.isfinite(timeout) and timeout > 0):
        yield (
            "database.connect_timeout: it must be a finite number of seconds above 0, "
            f"not {timeout}"
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
    if not (math.isfinite(request.lock_timeout) and request.lock_timeout >= 0):
        yield (
            "lock_timeout: it must be a finite number of seconds from 0 on, "
            f"not {request.lock_timeout}"
        )
    elif 0 < request.lock_timeout < 0.001 or request.lock_timeout > 2_000_000:
        yield (
            "lock_timeout: it must be 0, or from a thousandth of a second to 2000000 "
            f"seconds, not {request.lock_timeout}"
        )
    if not 0 <= request.keep_rows <= MAX_ROWS:
        yield f"keep_rows: it must be from 0 to {MAX_ROWS}, not {request.keep_rows}"
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
    if "\0" in statement.unless:
        yield f"{where}: unless holds a zero character"
    if statement.affects is not None and statement.affects < 0:
        yield f"{where}: affects must be from 0 on, not {statement.affects}"


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
    if "\0" in asked.sql:
        yield f"{where}: it holds a zero character"
    if asked.params and asked.named:
        yield f"{where}: params and named: give one of them"
    else:
        names = frozenset(asked.named)
        for fault in placeholder_faults(asked.sql, asked.params, names):
            yield f"{where}: {fault}"
    values = [*asked.params, *asked.named.values()]
    if any(isinstance(value, str) and "\0" in value for value in values):
        yield f"{where}: a value holds a zero character, which PostgreSQL cannot store"


def _listed(names: object) -> str:
    return ", ".join(repr(name) for name in names)  # type: ignore[attr-defined]
