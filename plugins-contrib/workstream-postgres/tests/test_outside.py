"""Statements outside of a transaction, on a real server."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError
from workstream.plugins import NOT_DONE
from workstream_postgres import (
    Database,
    Execute,
    ExecuteResult,
    PostgresExecute,
    Query,
    Statement,
)
from workstream_postgres._check import look

if TYPE_CHECKING:
    from conftest import Attempt, Shop

VALID = (
    "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('items_by_name')"
)
INDEX = "CREATE INDEX CONCURRENTLY items_by_name ON items (name)"
SLOW = "DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(1000); END $$"


def outside(database: Database, *statements: str | Statement) -> Execute:
    """Statements outside of a transaction."""
    return Execute(database, statements, transaction=False)


async def done(context: Attempt, request: Execute) -> ExecuteResult:
    """Carry it out."""
    PostgresExecute().validate(request)
    return await PostgresExecute().execute(context, request)


async def fails(context: Attempt, request: Execute) -> PluginError:
    """The error of what fails."""
    with pytest.raises(PluginError) as caught:
        await done(context, request)
    return caught.value


@trio_test
async def test_what_no_transaction_allows(context: Attempt, shop: Shop) -> None:
    """An index is made beside the work of others, and a table is vacuumed."""
    request = outside(
        shop.database,
        "INSERT INTO items (name) VALUES ('a'), ('b')",
        INDEX,
        "VACUUM ANALYZE items",
    )
    result = await done(context, request)

    assert result.counts[0] == 2
    assert not result.found_done
    assert shop.sql(VALID) == [(True,)]


@trio_test
async def test_within_a_transaction_it_says_how(context: Attempt, shop: Shop) -> None:
    """What PostgreSQL refuses in a transaction names the way out of one."""
    error = await fails(context, Execute(shop.database, (INDEX,)))

    assert error.permanent
    assert "with transaction=False, and each statement by itself" in error.message


@trio_test
async def test_a_database_is_made_once(context: Attempt, shop: Shop) -> None:
    """With ``unless`` what is there is not made again, and a dry run knows."""
    name = f"made_{context.plan_id.hex}"
    database = attrs.evolve(
        shop.database, host=str(shop.server.directory), user="postgres"
    )
    there = f"SELECT 1 FROM pg_database WHERE datname = '{name}'"
    request = outside(database, Statement(f"CREATE DATABASE {name}", unless=there))
    try:
        before = await PostgresExecute().preview(context, request)
        first = await done(context, request)
        after = await PostgresExecute().preview(context, request)
        second = await done(attrs.evolve(context, idempotency_key="other"), request)
    finally:
        shop.sql(f"DROP DATABASE IF EXISTS {name}")

    assert (before.changes, after.changes) == (True, False)
    assert before.summary == "statement 1 of 1 is carried out"
    assert after.summary == "all 1 statements are done already (unless)"
    assert (first.found_done, second.found_done) == (False, True)
    assert "statement 1 of 1: it is so already (unless)" in context.lines


@trio_test
async def test_unless_within_a_transaction(context: Attempt, shop: Shop) -> None:
    """A statement is left out if its query says so, there too."""
    insert = Statement(
        "INSERT INTO items (name) VALUES ('a')",
        unless="SELECT 1 FROM items WHERE name = 'a'",
        affects=1,
    )
    result = await done(context, Execute(shop.database, (insert, insert)))

    assert result.counts == (1, 0)
    assert shop.names() == ["a"]


@trio_test
async def test_a_failure_keeps_what_was_done(context: Attempt, shop: Shop) -> None:
    """The next attempt goes on behind what an earlier one has done."""
    request = outside(
        shop.database,
        "INSERT INTO items (name) VALUES ('a')",
        "SELECT 1 / count(*) FROM items WHERE name = 'b'",
    )
    error = await fails(context, request)
    shop.sql("INSERT INTO items (name) VALUES ('b')")
    result = await done(context.again(), request)

    assert "statement 2 of 2 failed: division by zero" in error.message
    assert result.counts == (0, 1)
    assert shop.names() == ["a", "b"]


@trio_test
async def test_a_statement_that_was_cut_off_is_for_a_person(
    context: Attempt, shop: Shop
) -> None:
    """Nobody repeats what may have been done; what was begun on the server is ended."""
    request = outside(
        shop.database,
        Statement("SELECT 1", unless="SELECT false"),
        "INSERT INTO items (name) VALUES ('a')",
        SLOW,
    )
    with trio.CancelScope() as scope:
        context.on_report = lambda line: scope.cancel() if "begun" in line else None
        await done(context, request)
    context.on_report = lambda line: None

    assert scope.cancelled_caught
    with pytest.raises(PluginError, match="cut off in statement 3, outside") as caught:
        await PostgresExecute().reconcile(context.again(), request)
    error = await fails(context.again(), request)
    assert caught.value.permanent
    assert error.permanent
    assert shop.names() == ["a"]
    assert shop.gets_idle()


@trio_test
async def test_a_crash_between_statements_loses_nothing(
    context: Attempt, shop: Shop
) -> None:
    """What was done is not repeated, what was not is done, and ``unless`` is asked."""
    request = outside(
        shop.database,
        "INSERT INTO items (name) VALUES ('a')",
        Statement(INDEX, unless=VALID),
        "INSERT INTO items (name) VALUES ('b')",
    )
    shop.sql("INSERT INTO items (name) VALUES ('a')")
    context.notes = {"statement_1": "done", "statement_2": "begun"}

    assert await PostgresExecute().reconcile(context.again(), request) is NOT_DONE
    await done(context.again(), request)
    assert shop.names() == ["a", "b"]
    assert shop.sql(VALID) == [(True,)]


@trio_test
async def test_a_count_that_is_wrong_says_that_it_stays(
    context: Attempt, shop: Shop
) -> None:
    """Outside of a transaction nothing is undone, and the error says so."""
    insert = Statement("INSERT INTO items (name) VALUES ('a')", affects=2)
    error = await fails(context, outside(shop.database, insert))

    assert error.permanent
    assert error.message.endswith("it is done, as it is outside of a transaction")
    assert shop.names() == ["a"]


@trio_test
async def test_a_dry_run_cannot_know_what_statements_change(
    context: Attempt, shop: Shop
) -> None:
    """Without ``unless`` nothing is asked and nothing is said."""
    preview = await PostgresExecute().preview(context, outside(Database(), INDEX))

    assert preview.changes is None


@trio_test
async def test_a_database_that_is_not_there_is_permanent(
    context: Attempt, shop: Shop
) -> None:
    """No retry makes a database; a server that is down may come back."""
    missing = attrs.evolve(shop.database, name="nobody_made_this")
    error = await fails(context, Execute(missing, ("SELECT 1",)))
    with pytest.raises(PluginError) as checked:
        await look(context, Query(missing, "SELECT 1"))
    down = await fails(
        context, Execute(attrs.evolve(shop.database, port=1), ("SELECT 1",))
    )

    assert error.permanent
    assert checked.value.permanent
    assert 'database "nobody_made_this" does not exist' in error.message
    assert not down.permanent


@pytest.mark.slow
@pytest.mark.usefixtures("german")
@trio_test
async def test_a_database_that_is_not_there_is_permanent_in_any_language(
    context: Attempt, shop: Shop
) -> None:
    """The server's catalogue says it; other refusals are tried again."""
    missing = attrs.evolve(shop.database, name="nobody_made_this")
    error = await fails(context, Execute(missing, ("SELECT 1",)))
    full = attrs.evolve(shop.database, name="full")
    shop.server.sql("postgres", 'CREATE DATABASE "full" CONNECTION LIMIT 0')
    try:
        later = await fails(context, Execute(full, ("SELECT 1",)))
    finally:
        shop.server.sql("postgres", 'DROP DATABASE "full"')

    assert "existiert nicht" in error.message
    assert error.permanent
    assert "full" in later.message
    assert not later.permanent


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), ("no certificate", "no certificate")],
)
@trio_test
async def test_a_ca_file_that_cannot_be_used_is_permanent(
    context: Attempt, shop: Shop, tmp_path: object, content: str | None, why: str
) -> None:
    """A wrong path is named, by its field."""
    path = f"{tmp_path}/ca.pem"
    if content is not None:
        with open(path, "w") as file:  # noqa: ASYNC230 (a test)
            file.write(content)
    database = attrs.evolve(shop.database, ca_file=path)
    error = await fails(context, Execute(database, ("SELECT 1",)))

    assert error.permanent
    assert error.message.startswith(f"the file '{path}' (database.ca_file) cannot be")
    assert why in error.message


@trio_test
async def test_copies_that_are_hidden_are_explained(
    context: Attempt, shop: Shop
) -> None:
    """What validation does not see does not end in advice for programmers."""
    hidden = Execute(shop.database, ("COPY items TO/**/STDOUT",))
    with pytest.raises(PluginError) as caught:
        await PostgresExecute().execute(context, hidden)

    assert "run the file by psql" in caught.value.message
    assert "copy()" not in caught.value.message


def test_a_file_of_pg_dump_is_for_psql(shop: Shop) -> None:
    """What the guide says loads a real dump, whole or not at all."""
    programs = shop.server.programs
    where = ["-h", str(shop.server.directory), "-p", str(shop.server.port)]
    shop.sql("INSERT INTO items (name) VALUES ('a'), ('b')")
    dump = subprocess.run(
        [programs / "pg_dump", *where, "-U", "postgres", "-t", "items", shop.name],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    with pytest.raises(ValueError, match="run the file by psql"):
        PostgresExecute().validate(Execute(shop.database, (dump,)))
    load = [
        *(
            str(programs / "psql"),
            "-X",
            "--single-transaction",
            "-v",
            "ON_ERROR_STOP=1",
        ),
        *(*where, "-U", "postgres", "-d", shop.name, "-f", "-"),
    ]

    again = subprocess.run(
        load, input=dump, check=False, capture_output=True, text=True
    )
    assert again.returncode
    assert shop.names() == ["a", "b"]
    shop.sql("DROP TABLE items")
    subprocess.run(load, input=dump, check=True, capture_output=True, text=True)
    assert shop.names() == ["a", "b"]
