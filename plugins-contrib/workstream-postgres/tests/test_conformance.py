"""What every plugin must do, these do: put to the test against a real server."""

from __future__ import annotations

import socket
from collections.abc import Generator
from typing import TYPE_CHECKING

import attrs
import pytest

from workstream import SecretRef
from workstream.testing import check_plugin
from workstream_postgres import (
    Database,
    Execute,
    PostgresCheck,
    PostgresExecute,
    Query,
    Statement,
)

pytestmark = pytest.mark.slow  # a plugin lives through all that can happen

if TYPE_CHECKING:
    from conftest import Shop

PASSWORD = "correct horse battery"
SECRETS = {"env:DB_PASSWORD": PASSWORD}


@pytest.fixture
def database(shop: Shop) -> Database:
    """The database as a plan names it, its password a reference."""
    return attrs.evolve(shop.database, password=SecretRef("env:DB_PASSWORD"))


@pytest.fixture
def silent() -> Generator[Database]:
    """A server that never answers. What a real one does too long, it ends itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Database(host="127.0.0.1", port=listener.getsockname()[1])


@pytest.mark.parametrize("once", [False, True])
def test_execute_conforms(
    shop: Shop, database: Database, silent: Database, once: bool
) -> None:
    """Interrupted anywhere, a transaction is carried out exactly once."""
    insert = Statement(
        "INSERT INTO items (name) VALUES (%s) RETURNING name", (SecretRef("env:TOKEN"),)
    )
    total = "INSERT INTO totals SELECT 1"
    shop.sql("CREATE TABLE totals (one int); GRANT ALL ON totals TO deploy")
    check_plugin(
        PostgresExecute(),
        [Execute(database, (insert, total), keep_rows=1, once=once)],
        refused=[Execute(Database(port=0), ())],
        failing=[
            Execute(database, (insert, insert)),
            Execute(Database(host="/nonexistent"), ("SELECT 1",)),
        ],
        slow=Execute(silent, ("SELECT 1",)),
        reset=lambda: shop.sql("TRUNCATE items, totals"),
        look=lambda: (
            shop.sql("SELECT count(*) FROM items"),
            shop.sql("SELECT count(*) FROM totals"),
        ),
        secrets=SECRETS,
        steps=12,
    )


def test_check_conforms(shop: Shop, database: Database, silent: Database) -> None:
    """A check does what every plugin must."""
    check_plugin(
        PostgresCheck(),
        [Query(database, "SELECT count(*) FROM items", value=0)],
        refused=[Query(database, "", compare="<", value=None)],
        failing=[
            Query(database, "SELECT %s", (SecretRef("env:TOKEN"),), value=1),
            Query(database, "SELECT nothing"),
        ],
        slow=Query(silent, "SELECT true"),
        look=shop.names,
        secrets=SECRETS,
    )
