"""SQL in workstream plans: transactions as actions, values as checks.

::

    from workstream import SecretRef
    from workstream_postgres import Database, Execute, PostgresCheck, PostgresExecute, Query

    shop = Database(host="db-1", name="shop", user="deploy", password=SecretRef("env:DB"))
    close = PostgresExecute.action(
        Execute(shop, ("UPDATE orders SET open = false WHERE placed < now() - '1 y'::interval",)),
        name="Close old orders",
    )
    idle = PostgresCheck.action(
        Query(shop, "SELECT count(*) FROM jobs WHERE running", value=0), name="No job runs"
    )
"""

from __future__ import annotations

from workstream import hookimpl

from ._plugins import PostgresCheck, PostgresExecute
from ._requests import (
    Database,
    Execute,
    ExecuteResult,
    Query,
    QueryResult,
    Statement,
)

__all__ = [
    "Database",
    "Execute",
    "ExecuteResult",
    "PostgresCheck",
    "PostgresExecute",
    "Query",
    "QueryResult",
    "Statement",
    "workstream_plugins",
]

workstream_plugin_api = 1


@hookimpl
def workstream_plugins() -> list[PostgresExecute | PostgresCheck]:
    """The plugins of this distribution: ``postgres.execute`` and ``postgres.check``."""
    return [PostgresExecute(), PostgresCheck()]
