"""Queries whose one value is compared, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from workstream import PluginError, SecretRef
from workstream_postgres import PostgresCheck, Query, QueryResult

if TYPE_CHECKING:
    from conftest import Attempt, Shop


async def fails(context: Attempt, query: Query) -> PluginError:
    """The error of a check that does not pass."""
    with pytest.raises(PluginError) as caught:
        await PostgresCheck().execute(context, query)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "compare", "value", "found"),
    [
        ("SELECT true", "==", True, True),
        ("SELECT count(*) FROM items", "==", 0, 0),
        ("SELECT 1.50::numeric", "==", 1.5, "1.50"),
        ("SELECT 1.5::float8", "<", "2", 1.5),
        ("SELECT 10", ">", 9, 10),
        ("SELECT '10'", ">=", 9, "10"),
        ("SELECT NULL", "==", None, None),
        ("SELECT NULL::int", "!=", 1, None),
        ("SELECT 1", "!=", True, 1),
        ("SELECT 'NaN'::float8", "!=", 1, "nan"),
        ("SELECT 'b'", ">", "a", "b"),
        ("SHOW server_encoding", "==", "UTF8", "UTF8"),
        ("SELECT '{1,2}'::int[]", "==", "{1,2}", "{1,2}"),
        ('SELECT 100 % 7 AS "50%"', "==", 2, 2),
    ],
)
@trio_test
async def test_values_pass(
    context: Attempt, shop: Shop, sql: str, compare: Any, value: Any, found: Any
) -> None:
    """Numbers are compared as numbers, whatever their types; the rest as text."""
    query = Query(shop.database, sql, compare=compare, value=value)

    assert await PostgresCheck().execute(context, query) == QueryResult(found)
    assert shop.gets_idle()


@pytest.mark.parametrize(
    ("sql", "compare", "value", "message"),
    [
        ("SELECT 1", "==", True, "the value is 1, expected == True"),
        ("SELECT true", "==", 1, "the value is True, expected == 1"),
        ("SELECT 3", "<=", 2, "the value is 3, expected <= 2"),
        ("SELECT NULL::int", ">", 2, "the value is NULL, expected > 2"),
        ("SELECT NULL", "==", "", "the value is NULL, expected == ''"),
        ("SELECT 1", "!=", 1.0, "the value is 1, expected != 1.0"),
        ("SELECT 'a'", ">", 1, "the value is 'a', expected > 1"),
        ("SELECT 'NaN'::numeric", "<", 1, "the value is 'NaN', expected < 1"),
        ("SELECT 1 WHERE false", "==", 1, "the query gave no row, expected one"),
    ],
)
@trio_test
async def test_other_values_fail(
    context: Attempt, shop: Shop, sql: str, compare: Any, value: Any, message: str
) -> None:
    """What is not as it should be may become so: it may be tried again."""
    query = Query(shop.database, sql, compare=compare, value=value)

    assert await fails(context, query) == PluginError(message)


@trio_test
async def test_a_long_value_is_shown_in_part(context: Attempt, shop: Shop) -> None:
    """Messages stay short."""
    error = await fails(context, Query(shop.database, "SELECT repeat('x', 100000)"))

    assert len(error.message) < 300


@trio_test
async def test_only_one_value_is_wanted(context: Attempt, shop: Shop) -> None:
    """More columns are an error of the plan; of more rows no more than two are read."""
    columns = await fails(context, Query(shop.database, "SELECT 1, 2"))
    rows = await fails(
        context,
        Query(shop.database, "SELECT generate_series(1, 100000000)"),
    )

    assert columns == PluginError(
        "the query gives 2 columns, expected one", permanent=True
    )
    assert rows == PluginError("the query gave more than one row, expected one")
    assert shop.gets_idle()


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("INSERT INTO items (name) VALUES ('a') RETURNING true", "25006"),
        ("COMMIT; INSERT INTO items (name) VALUES ('a')", "42601"),
        ("SELECT true; SELECT true", "42601"),
        ("SELECT nextval('items_id_seq')", "25006"),
    ],
)
@trio_test
async def test_a_check_changes_nothing(
    context: Attempt, shop: Shop, sql: str, state: str
) -> None:
    """It is one statement, in a read-only transaction (REG-8)."""
    error = await fails(context, Query(shop.database, sql))

    assert error.message.endswith(f"[SQLSTATE {state}]")
    assert shop.names() == []


@trio_test
async def test_a_statement_without_a_result(context: Attempt, shop: Shop) -> None:
    """What gives no value cannot be compared: a permanent error."""
    error = await fails(context, Query(shop.database, "SET LOCAL search_path = public"))

    assert error.permanent
    assert error.message.startswith("the query failed: ")


@trio_test
async def test_values_and_secrets(context: Attempt, shop: Shop) -> None:
    """Parameters of both kinds work, and a secret one is not shown."""
    token = SecretRef("env:TOKEN").resolved("abracadabra")
    positional = Query(shop.database, "SELECT %s || '!'", (token,), value="")
    named = Query(shop.database, "SELECT %(n)s::int", named={"n": 7}, value=7)

    assert (await fails(context, positional)).message == (
        "the value is '[secret hidden]!', expected == ''"
    )
    assert (await PostgresCheck().execute(context, named)).value == 7


@trio_test
async def test_the_server_ends_what_takes_too_long(
    context: Attempt, shop: Shop, mock_clock: MockClock
) -> None:
    """The attempt's time is the query's."""
    with trio.move_on_after(0.2):
        error = await fails(context, Query(shop.database, "SELECT pg_sleep(99)"))

        assert error.message == (
            "the query failed: canceling statement due to statement timeout "
            "[SQLSTATE 57014]"
        )
