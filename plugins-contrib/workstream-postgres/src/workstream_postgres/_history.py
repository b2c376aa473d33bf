"""What became of a transaction of which the end was not seen.

Two ways lead to the answer, and both are exact:

- PostgreSQL itself remembers how its latest transactions ended, by their numbers. So
  before a transaction is committed its number is remembered with the attempt. A number
  means something only on the timeline of one server: if a standby has taken over since,
  or a backup was restored, it may by now be the number of another transaction. So the
  timeline is remembered with it, and must be the same. A server that crashes can
  forget, with a transaction that was not committed, that its number was given away,
  and give it away again. So after a crash, told by the statistics that begin anew with
  it, "committed" proves nothing; "aborted" still does, as nothing that was committed
  is forgotten.
- With ``once`` the action's key is written to a table in the same transaction. It
  goes wherever the data go, is never forgotten, and is there exactly if the work is.

Neither helps while the transaction still runs. It runs on when the engine was killed in
the middle of a long statement, though it can never be committed then. So first of all
whatever still runs under the action's name is ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, LiteralString

import attrs
import psycopg
import trio
from psycopg import sql

from workstream import Context, PluginError
from workstream.plugins import NoteValue, explained_timeout

from ._requests import Execute, ExecuteResult, Scalar
from ._session import Connection, Session

MAX_NOTE = 4000
"""How many bytes of a result are remembered with the attempt."""

_SERVER = """
SELECT (SELECT system_identifier FROM pg_control_system())::text || '/'
       || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
       (SELECT stats_reset::text FROM pg_stat_bgwriter)
"""

_LEFT = """
SELECT pid FROM pg_stat_activity
WHERE application_name = %s AND pid <> pg_backend_pid()
"""

_CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    idempotency_key text PRIMARY KEY,
    action text NOT NULL,
    done_at timestamptz NOT NULL DEFAULT now(),
    result text NOT NULL
)
"""


@attrs.frozen
class Table:
    """The table of what is done, by its full name."""

    name: sql.Identifier

    def query(self, text: LiteralString) -> sql.Composed:
        """A query in which ``{table}`` is the table."""
        return sql.SQL(text).format(table=self.name)


@attrs.frozen
class Server:
    """What the numbers of a server's transactions belong to.

    Attributes:
        timeline: Its system and timeline.
        life: Changes when it has crashed.
    """

    timeline: str
    life: str


def server_of(connection: Connection) -> Server | None:
    """The server; None where it does not say: a standby, and some hosted databases."""
    try:
        row = connection.execute(_SERVER).fetchone()
    except (
        psycopg.errors.FeatureNotSupported,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ObjectNotInPrerequisiteState,
        psycopg.errors.UndefinedFunction,
    ):
        row = None
    connection.rollback()
    return None if row is None else Server(str(row[0]), str(row[1]))


async def end_leftovers(session: Session, application: str, context: Context) -> None:
    """End what the server still does for earlier attempts, and wait until it has."""

    def still_there(connection: Connection) -> list[int]:
        left = [int(row[0]) for row in connection.execute(_LEFT, [application])]
        for pid in left:
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        connection.rollback()
        return left

    reported: set[int] = set()
    left: list[int] = []
    looks = 0

    def waited() -> str:
        processes = ", ".join(map(str, left)) or "unknown"
        return (
            "an earlier attempt did not end on the server, though it was told to at "
            f"{looks} looks (process {processes})"
        )

    async with explained_timeout(waited):
        while left := await session.run(still_there):
            looks += 1
            if not reported.issuperset(left):
                context.report(
                    "an earlier attempt still runs on the server: it is ended (process "
                    f"{', '.join(map(str, left))})"
                )
                reported.update(left)
            await trio.sleep(0.05)


def found_in_notes(
    connection: Connection, notes: Mapping[str, NoteValue]
) -> ExecuteResult | None:
    """What the transaction that is remembered did; None if it did nothing.

    Raises:
        PluginError: Nobody can tell any more.
    """
    number = notes.get("transaction")
    if not isinstance(number, str):
        return None  # it did not come so far as to be committed
    server = server_of(connection)
    if server is None or notes.get("timeline") != server.timeline:
        why = "another server answers now, or a backup was restored"
        raise _untold(number, why)
    try:
        row = connection.execute("SELECT pg_xact_status(%s::xid8)", [number]).fetchone()
    except psycopg.errors.InvalidParameterValue as error:
        raise _untold(number, "it has forgotten it in a crash") from error
    finally:
        connection.rollback()
    status = row[0] if row else None
    if status == "aborted":
        return None
    if status == "in progress":
        message = f"transaction {number} of an earlier attempt is still in progress"
        raise PluginError(message)
    if status is None:
        raise _untold(number, "it was too long ago")
    if notes.get("life") != server.life:
        raise _untold(number, "it has crashed since")
    return decoded(str(notes.get("result", "")))


def _untold(number: str, why: str) -> PluginError:
    message = (
        f"an earlier attempt was cut off while transaction {number} was being "
        f"committed, and the server cannot tell any more whether it was: {why}. Look "
        "whether its work is there. With once=True the database itself remembers"
    )
    return PluginError(message, permanent=True)


def the_table(connection: Connection, request: Execute) -> Table:
    """The table of what is done, made if it is not there.

    It is called by its full name from now on: statements may change the search path.

    Raises:
        psycopg.Error: It may not be made.
    """
    given = sql.Identifier(*request.once_table.split("."))
    text = given.as_string(connection)
    for _ in range(2):
        row = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)",
            [text],
        ).fetchone()
        if row is not None:
            connection.rollback()
            return Table(sql.Identifier(str(row[0]), str(row[1])))
        try:
            connection.execute(Table(given).query(_CREATE))
            connection.commit()
        except (
            psycopg.errors.UniqueViolation,
            psycopg.errors.DuplicateTable,
            psycopg.errors.DuplicateObject,
        ):
            connection.rollback()  # somebody else was quicker
    message = f"the table {request.once_table} (once_table) was made, but is not found"
    raise PluginError(message, permanent=True)


def found_in_table(
    connection: Connection, table: Table, context: Context
) -> ExecuteResult | None:
    """What the action has done, by the table; None if it has not."""
    query = table.query("SELECT result FROM {table} WHERE idempotency_key = %s")
    row = connection.execute(query, [context.idempotency_key]).fetchone()
    connection.rollback()
    return None if row is None else decoded(str(row[0]))


def encoded(result: ExecuteResult) -> str:
    """A result as text."""
    return json.dumps(attrs.asdict(result), ensure_ascii=False)


def noted(result: ExecuteResult) -> str:
    """A result as a note: without its rows, if they are too long for one."""
    text = encoded(result)
    if len(text.encode()) > MAX_NOTE:
        left_out = result.rows_left_out + len(result.rows)
        shorter = attrs.evolve(result, rows=(), columns=(), rows_left_out=left_out)
        text = encoded(shorter)
    return text if len(text.encode()) <= MAX_NOTE else ""


def decoded(text: str) -> ExecuteResult:
    """A result that was encoded, as one that was found."""
    data: dict[str, Any] = json.loads(text) if text else {"counts": []}
    rows: list[list[Scalar]] = data.get("rows", [])
    return ExecuteResult(
        counts=tuple(data["counts"]),
        columns=tuple(data.get("columns", ())),
        rows=tuple(tuple(row) for row in rows),
        rows_left_out=int(data.get("rows_left_out", 0)),
        found_done=True,
    )
