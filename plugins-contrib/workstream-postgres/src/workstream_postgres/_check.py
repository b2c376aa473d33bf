"""One attempt of ``postgres.check``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator
from contextlib import closing
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import psycopg

from workstream import Context, PluginError

from ._failures import failed
from ._requests import Query, QueryResult, Scalar
from ._session import Connection, opened
from ._transaction import application_name, time_left_ms
from ._values import scalar, secrets_of, show_as_text, values_of

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_SHOWN = 200


async def look(context: Context, query: Query) -> QueryResult:
    """Ask, and compare.

    Raises:
        PluginError: The value is not as it should be, which may change; or it cannot
            be had.
    """
    async with opened(query.database, application_name(context)) as session:
        limit = time_left_ms()
        try:
            rows = await session.run(
                lambda connection: _asked(connection, query, limit)
            )
        except psycopg.Error as error:
            what = "the query"
            raise failed(what, error, secrets_of(query)) from error
    return QueryResult(_judged(query, rows))


def _asked(connection: Connection, query: Query, limit: int) -> list[tuple[Any, ...]]:
    """At most two rows; the server is told to stop after that."""
    show_as_text(connection)
    connection.read_only = True
    connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(limit)])
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        # It takes a single statement, so none can end the read-only transaction and
        # be followed by another; and it reads row by row, however many there are.
        stream = cast(
            "Generator[tuple[Any, ...]]",
            cursor.stream(query.sql.encode(), values_of(query)),
        )
        with closing(stream):  # which has the server stop
            for row in stream:
                rows.append(row)
                if len(rows) == 2:
                    break
    return rows


def _judged(query: Query, rows: list[tuple[Any, ...]]) -> Scalar:
    if not rows:
        message = "the query gave no row, expected one"
        raise PluginError(message)
    if len(rows[0]) != 1:
        message = f"the query gives {len(rows[0])} columns, expected one"
        raise PluginError(message, permanent=True)
    if len(rows) > 1:
        message = "the query gave more than one row, expected one"
        raise PluginError(message)
    found = scalar(rows[0][0], secrets_of(query))
    if not _holds(found, query):
        message = f"the value is {_shown(found)}, expected {query.compare} "
        message += _shown(query.value)
        raise PluginError(message)
    return found


def _holds(found: Scalar, query: Query) -> bool:
    left, right = _comparable(found), _comparable(query.value)
    if query.compare in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same is (query.compare == "==")
    if left is None or type(left) is not type(right):
        return False
    return COMPARISONS[query.compare](left, right)


def _comparable(value: Scalar) -> Decimal | str | bool | None:
    if value is None or isinstance(value, bool):
        return value
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    # NaN is equal to nothing, and cannot be put in order.
    return number if number.is_finite() else str(value)


def _shown(value: Scalar) -> str:
    text = "NULL" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
