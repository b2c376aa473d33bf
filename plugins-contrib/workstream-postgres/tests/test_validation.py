"""Requests that are refused when the plan is submitted."""

from __future__ import annotations

from typing import Any

import pytest

from workstream import SecretRef
from workstream_postgres import (
    Database,
    Execute,
    PostgresCheck,
    PostgresExecute,
    Query,
    Statement,
)

DB = Database()


def validate(request: Execute | Query) -> None:
    """Have the plugin for such a request look at it."""
    if isinstance(request, Execute):
        PostgresExecute().validate(request)
    else:
        PostgresCheck().validate(request)


def execute(sql: str, **fields: Any) -> Execute:
    """A transaction of one statement."""
    return Execute(DB, (sql,), **fields)


def database(**fields: Any) -> Query:
    """A query somewhere."""
    return Query(Database(**fields), "SELECT true")


@pytest.mark.parametrize(
    "request_",
    [
        execute("SELECT 1"),
        execute("-- a comment\n /* and another */ UPDATE t SET x = 1;"),
        execute("ROLLBACK TO before", once=True, once_table="ops.done"),
        execute("rollback work to savepoint before"),
        execute(
            "COMMENT ON TABLE t IS 'x'", isolation="serializable", lock_timeout=0.5
        ),
        Execute(DB, (Statement("SELECT %s", (1,), affects=0), "x"), keep_rows=1000),
        Query(DB, "SELECT %(a)s", named={"a": None}, compare="<", value="x"),
        database(
            host="a, b", port=1, password=SecretRef("env:X"), sslmode="verify-full"
        ),
        database(settings={"target_session_attrs": "read-write", "options": "-c a=b"}),
    ],
)
def test_good_requests_pass(request_: Execute | Query) -> None:
    """What can work is accepted."""
    validate(request_)


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (Execute(DB, ()), "statements: there is none"),
        (execute(" ; -- nothing"), "statements: it is empty"),
        (
            execute("SELECT '\0'"),
            "statements holds a NUL character, which no server can be",
        ),
        (execute("BEGIN"), "statements: BEGIN is not for a statement: all of them are"),
        (execute(" start  TRANSACTION"), "statements: START TRANSACTION is not for"),
        (execute("/* x */ commit;"), "statements: COMMIT is not for a statement"),
        (execute("ROLLBACK"), "statements: ROLLBACK is not for a statement"),
        (execute("prepare transaction 'x'"), "PREPARE TRANSACTION is not for"),
        (
            Execute(DB, ("SELECT 1", Statement("x", (1,), named={"a": 1}))),
            "statements[1]: params and named: give one of them",
        ),
        (
            Execute(DB, (Statement("SELECT %s", ("a\0",)),)),
            "statements: a value holds a NUL character, which no server",
        ),
        (
            Execute(DB, (Statement("x", affects=-1),)),
            "statements: affects must be a whole number of rows, 0 or more, not -1",
        ),
        (execute("x", isolation="dirty"), "isolation: 'dirty' is no level: '', 'read"),
        (
            execute("x", lock_timeout=-1),
            "lock_timeout must be a number of seconds from 0.001",
        ),
        (
            execute("x", lock_timeout=1e-9),
            "lock_timeout must be a number of seconds from 0.001",
        ),
        (
            execute("x", keep_rows=1001),
            "keep_rows must be a whole number from 0 to 1,000, not 1001",
        ),
        (execute("x", once_table="a b"), "once_table: 'a b' is no name of a table"),
        (Query(DB, ""), "sql: it is empty"),
        (Query(DB, "x", value=float("nan")), "value: nan is compared as text: write"),
        (
            Query(DB, "x", compare="<", value=True),
            "compare: True has no order: use == or !=",
        ),
        (database(host="a,,b"), "database.host: a name is missing beside a comma"),
        (database(host="a\0"), "database.host holds a NUL character"),
        (database(name="postgresql://u:hidden@h/db"), "database.name: it is a whole"),
        (database(name="dbname=x password=hidden"), "database.name: it is a whole"),
        (
            database(port=0),
            "database.port must be a whole number from 1 to 65,535, not 0",
        ),
        (database(sslmode="on"), "database.sslmode: 'on' is no mode: '', 'disable'"),
        (
            database(connect_timeout=0),
            "database.connect_timeout must be a number of seconds",
        ),
        (
            database(settings={"password": "hidden"}),
            "database.settings: 'password' is not set here: use password=SecretRef(...)",
        ),
        (
            database(settings={"passwort": "hidden"}),
            "database.settings: libpq knows no parameter 'passwort'",
        ),
    ],
)
def test_bad_requests_are_refused(request_: Execute | Query, fault: str) -> None:
    """What can never work is refused, without repeating a secret (V-19)."""
    with pytest.raises(ValueError, match=r"^\w") as caught:
        validate(request_)

    assert fault in str(caught.value)
    assert "; " not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_comparison_that_is_none_is_refused() -> None:
    """Also where no type checker has looked."""
    fields: dict[str, Any] = {"compare": "="}

    with pytest.raises(ValueError, match=r"^compare: '=' is no comparison: '==', "):
        validate(Query(DB, "SELECT 1", **fields))


def test_all_faults_are_named_at_once() -> None:
    """One message names every fault (V-1)."""
    request = Execute(Database(port=0), ("BEGIN", ""), keep_rows=-1, once_table="")

    with pytest.raises(
        ValueError,
        match=r"^database\.port must .*; statements\[0\]: .*; statements\[1\]: .*; "
        r"keep_rows must .*; once_table: ",
    ):
        validate(request)
