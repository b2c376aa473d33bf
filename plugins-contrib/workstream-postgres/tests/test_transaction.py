"""Transactions on a real server: what they do, and what becomes of those that fail."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import pytest
import trio
from trio.testing import MockClock, trio_test

from workstream import PluginError, SecretRef
from workstream_postgres import (
    Database,
    Execute,
    ExecuteResult,
    PostgresExecute,
    Statement,
)

if TYPE_CHECKING:
    from conftest import Attempt, Shop

INSERT = "INSERT INTO items (name) VALUES ('{}')"
SLOW = "DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(1000); END $$"


async def done(context: Attempt, request: Execute) -> ExecuteResult:
    """Carry it out."""
    return await PostgresExecute().execute(context, request)


async def fails(context: Attempt, request: Execute) -> PluginError:
    """The error of what fails."""
    with pytest.raises(PluginError) as caught:
        await done(context, request)
    return caught.value


@trio_test
async def test_statements_are_one_transaction(context: Attempt, shop: Shop) -> None:
    """All are carried out, and each is counted, also several in one text."""
    result = await done(
        context,
        Execute(
            shop.database,
            (
                INSERT.format("a") + "; " + INSERT.format("b"),
                Statement("INSERT INTO items (name) VALUES (%s), (%s)", ("50%", "d")),
                "UPDATE items SET name = name || '%' WHERE id > 2",
                Statement(
                    "DELETE FROM items WHERE name = %(name)s", named={"name": "b"}
                ),
            ),
        ),
    )

    assert result == ExecuteResult(counts=(2, 2, 2, 1))
    assert shop.names() == ["a", "50%%", "d%"]
    assert context.lines[-1] == "statement 4 of 4: 1 rows"
    assert shop.gets_idle()


@trio_test
async def test_a_failure_undoes_all(context: Attempt, shop: Shop) -> None:
    """What a constraint refuses is permanent, names its statement, and undoes all."""
    error = await fails(
        context, Execute(shop.database, (INSERT.format("a"), INSERT.format("a")))
    )

    assert error.permanent
    assert error.message == (
        "statement 2 of 2 failed: duplicate key value violates unique constraint "
        '"items_name_key" (Key (name)=(a) already exists.) [SQLSTATE 23505]'
    )
    assert shop.names() == []


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("SELEC 1", "42601"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT 1/0", "22012"),
        ("CREATE ROLE other", "42501"),
        ("VACUUM", "25001"),
    ],
)
@trio_test
async def test_what_is_wrong_with_a_statement_stays(
    context: Attempt, shop: Shop, sql: str, state: str
) -> None:
    """Errors that come again when it is tried again are permanent."""
    error = await fails(context, Execute(shop.database, (sql,)))

    assert error.permanent
    assert error.message.endswith(f"[SQLSTATE {state}]")


@trio_test
async def test_placeholders_without_values(context: Attempt, shop: Shop) -> None:
    """Values that are missing are an error of the plan, found by psycopg."""
    error = await fails(
        context, Execute(shop.database, (Statement("SELECT %s, %s", (1,)),))
    )

    assert error.permanent
    assert "the query has 2 placeholders but 1 parameters were passed" in error.message


@trio_test
async def test_the_commit_may_fail(context: Attempt, shop: Shop) -> None:
    """What is checked only at the end fails there, and undoes all."""
    error = await fails(
        context,
        Execute(
            shop.database,
            (
                "CREATE TABLE parts (item int REFERENCES items DEFERRABLE "
                "INITIALLY DEFERRED)",
                "INSERT INTO parts VALUES (7)",
            ),
        ),
    )

    assert error.permanent
    assert error.message.startswith("the commit failed: insert or update on table")
    assert shop.sql("SELECT to_regclass('parts')") == [(None,)]


@trio_test
async def test_another_number_of_rows_undoes_all(context: Attempt, shop: Shop) -> None:
    """``affects`` is a promise: kept, or nothing was done."""
    shop.sql("INSERT INTO items (name) VALUES ('a'), ('b')")

    error = await fails(
        context,
        Execute(
            shop.database,
            (
                INSERT.format("c"),
                Statement("UPDATE items SET name = name || '!'", affects=2),
            ),
        ),
    )

    assert error == PluginError(
        "statement 2 of 2 affected 3 rows, expected 2: everything was rolled back",
        permanent=True,
    )
    assert shop.names() == ["a", "b"]


@trio_test
async def test_rows_are_kept_up_to_a_number(context: Attempt, shop: Shop) -> None:
    """Those of the last statement with any, in types that can be stored."""
    rows = (
        "SELECT n, n * 0.5::float8 AS half, n > 1 AS more, NULL AS nothing, "
        "'1.50'::numeric, '2026-01-02'::date, ARRAY[1, 2], '{\"a\": 1}'::jsonb, "
        "'\\xff00'::bytea, 'NaN'::float8 AS \"not\" FROM generate_series(1, 5) n"
    )
    result = await done(
        context,
        Execute(
            shop.database,
            ("SELECT 'first'", rows, "UPDATE items SET name = ''"),
            keep_rows=2,
        ),
    )

    assert result.counts == (1, 5, 0)
    assert result.columns[:4] == ("n", "half", "more", "nothing")
    rest = ("1.50", "2026-01-02", "{1,2}", '{"a": 1}', "\\xff00", "nan")
    assert result.rows == (
        (1, 0.5, False, None, *rest),
        (2, 1.0, True, None, *rest),
    )
    assert result.rows_left_out == 3


@trio_test
async def test_rows_are_bounded(context: Attempt, shop: Shop) -> None:
    """A long text is cut, and rows that would not fit into a store are left out."""
    result = await done(
        context,
        Execute(
            shop.database,
            ("SELECT repeat('x', 20000) FROM generate_series(1, 200)",),
            keep_rows=1000,
        ),
    )

    assert set(result.rows) == {("x" * 10_000,)}
    assert len(result.rows) == 104
    assert result.rows_left_out == 96


@trio_test
async def test_every_kind_of_value_arrives(context: Attempt, shop: Shop) -> None:
    """Parameters reach the server as the types they are."""
    values: tuple[Any, ...] = (
        *("text", 7, 1.5, True, b"\x00\xff"),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        date(2026, 1, 2),
        Decimal("1.50"),
        UUID(int=1),
        SecretRef("env:TOKEN").resolved("abracadabra"),
        ["a", "b"],
        None,
    )
    result = await done(
        context,
        Execute(
            shop.database,
            (
                "SET LOCAL TimeZone = 'UTC'",
                Statement(f"SELECT {', '.join(['%s'] * len(values))}", values),
            ),
            keep_rows=1,
        ),
    )

    assert result.rows[0] == (
        *("text", 7, 1.5, True, "\\x00ff"),
        *("2026-01-02 03:04:05+00", "2026-01-02", "1.50", str(UUID(int=1))),
        *("[secret hidden]", "{a,b}", None),
    )


@trio_test
async def test_the_server_knows_the_action(context: Attempt, shop: Shop) -> None:
    """Its name is the connection's, and its key a setting that triggers can read."""
    result = await done(
        context,
        Execute(
            shop.database,
            (
                "SELECT current_setting('application_name'), "
                "current_setting('workstream.idempotency_key')",
            ),
            keep_rows=1,
        ),
    )

    key = context.idempotency_key
    assert result.rows == ((f"workstream:{key}", key),)


@trio_test
async def test_notices_are_passed_on(context: Attempt, shop: Shop) -> None:
    """What the server remarks on the way is reported."""
    await done(
        context, Execute(shop.database, ("DO $$ BEGIN RAISE WARNING 'old'; END $$",))
    )

    assert "WARNING: old" in context.lines


@pytest.mark.parametrize("how", ["SELECT 1; COMMIT", "SELECT 1; COMMIT; BEGIN"])
@trio_test
async def test_statements_do_not_end_the_transaction(
    context: Attempt, shop: Shop, how: str
) -> None:
    """A COMMIT that hides in a text is found, also when another BEGIN follows."""
    error = await fails(context, Execute(shop.database, (how, INSERT.format("a"))))

    assert error.permanent
    assert "has ended the transaction itself, by COMMIT or ROLLBACK" in error.message
    assert shop.gets_idle()


@trio_test
async def test_isolation(context: Attempt, shop: Shop) -> None:
    """The level is what was asked for."""
    level = await done(
        context,
        Execute(
            shop.database,
            ("SELECT current_setting('transaction_isolation')",),
            isolation="serializable",
            keep_rows=1,
        ),
    )

    assert level.rows == (("serializable",),)


@trio_test
async def test_a_conflict_may_be_tried_again(context: Attempt, shop: Shop) -> None:
    """A serialization failure is no fault of the statement."""
    shop.sql("INSERT INTO items (name) VALUES ('a')")

    def interfere(line: str) -> None:
        if line.startswith("statement 1"):
            shop.sql("UPDATE items SET name = 'theirs'")

    context.on_report = interfere
    request = Execute(
        shop.database,
        ("SELECT name FROM items", "UPDATE items SET name = 'ours'"),
        isolation="repeatable read",
    )
    error = await fails(context, request)

    assert not error.permanent
    assert error.message == (
        "statement 2 of 2 failed: could not serialize access due to concurrent update "
        "[SQLSTATE 40001]"
    )
    context.on_report = lambda line: None
    assert (await done(context.again(), request)).counts == (1, 1)


@trio_test
async def test_a_lock_is_not_waited_for_longer_than_allowed(
    context: Attempt, shop: Shop
) -> None:
    """With ``lock_timeout`` a statement that is in everybody's way gives up."""
    async with trio.open_nursery() as nursery:
        other = attrs.evolve(context, idempotency_key="other")
        locked = trio.Event()
        other.on_report = lambda line: locked.set()
        holding = Execute(shop.database, ("LOCK TABLE items", SLOW))
        nursery.start_soon(done, other, holding)
        await locked.wait()
        error = await fails(
            context,
            Execute(
                shop.database,
                ("ALTER TABLE items ADD price numeric",),
                lock_timeout=0.001,
            ),
        )
        nursery.cancel_scope.cancel()

    assert not error.permanent
    assert "canceling statement due to lock timeout [SQLSTATE 55P03]" in error.message


@trio_test
async def test_the_server_ends_what_takes_too_long(
    context: Attempt, shop: Shop, mock_clock: MockClock
) -> None:
    """The attempt's time is the statement's, so the server ends it and says which."""
    with trio.move_on_after(0.2):
        error = await fails(
            context, Execute(shop.database, (INSERT.format("a"), "SELECT pg_sleep(99)"))
        )

        assert not error.permanent
        assert error.message == (
            "statement 2 of 2 failed: canceling statement due to statement timeout "
            "[SQLSTATE 57014]"
        )
    assert shop.names() == []


@trio_test
async def test_cancelling_cancels(context: Attempt, shop: Shop) -> None:
    """When a cancelled attempt has returned, nothing of it is left on the server."""
    with trio.CancelScope() as scope:

        def cancel(line: str) -> None:
            if line == "NOTICE: begun":
                scope.cancel()

        context.on_report = cancel
        await done(context, Execute(shop.database, (INSERT.format("a"), SLOW)))

    assert scope.cancelled_caught
    assert shop.names() == []
    assert shop.gets_idle()


@trio_test
async def test_a_wrong_password_does_not_show(context: Attempt, shop: Shop) -> None:
    """The error of a connection names the place, and never the password."""
    wrong = SecretRef("env:DB").resolved("swordfish")
    error = await fails(
        context, Execute(attrs.evolve(shop.database, password=wrong), ("SELECT 1",))
    )

    assert not error.permanent
    assert error.message.startswith(
        f"database '{shop.name}' at 127.0.0.1 cannot be reached: "
    )
    assert "password authentication failed" in error.message
    assert "swordfish" not in repr(error)


@trio_test
async def test_secrets_among_the_values_do_not_show(
    context: Attempt, shop: Shop
) -> None:
    """A server that quotes a secret value is not repeated."""
    token = SecretRef("env:TOKEN").resolved("abracadabra")
    insert = Statement("INSERT INTO items (name) VALUES (%s)", (token,))
    twice = await fails(context, Execute(shop.database, (insert, insert)))
    no_number = await fails(
        context, Execute(shop.database, (Statement("SELECT %s::text::int", (token,)),))
    )

    assert twice.message == (
        "statement 2 of 2 failed: duplicate key value violates unique constraint "
        '"items_name_key" [SQLSTATE 23505]'
    )
    assert no_number.message == (
        "statement 1 of 1 failed: invalid input syntax for type integer: "
        '"[secret hidden]" [SQLSTATE 22P02]'
    )


@trio_test
async def test_a_server_that_is_not_there(context: Attempt, shop: Shop) -> None:
    """Hosts are tried in turn, and each is named with its reason."""
    nowhere = Database(host="/nonexistent, 127.0.0.1", port=1, name="shop")
    error = await fails(context, Execute(nowhere, ("SELECT 1",)))

    assert not error.permanent
    first, second = error.message.split("; ")
    assert first.startswith("database 'shop' at /nonexistent cannot be reached: ")
    assert second.startswith("database 'shop' at 127.0.0.1 cannot be reached: ")
    assert "refused" in second


@trio_test
async def test_the_second_host_may_answer(context: Attempt, shop: Shop) -> None:
    """One host that answers is enough."""
    hosts = attrs.evolve(shop.database, host="/nonexistent,127.0.0.1")

    assert (await done(context, Execute(hosts, ("SELECT 1",)))).counts == (1,)
