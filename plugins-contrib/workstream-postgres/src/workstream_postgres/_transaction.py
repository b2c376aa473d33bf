"""One attempt of ``postgres.execute``: what was done before, or the transaction."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import attrs
import psycopg
import trio
from psycopg import IsolationLevel, pq

from workstream import Context, PluginError
from workstream.plugins import NOT_DONE, NotDone, Redactor

from . import _history as history
from ._failures import failed, is_lost
from ._requests import Execute, ExecuteResult, Statement, statements_of
from ._session import Connection, Session, opened
from ._values import Kept, names_of, secrets_of, show_as_text, values_of

Result = TypeVar("Result")

MARKER = "workstream.idempotency_key"
"""A setting of the transaction: statements and triggers may read the action's key."""

IDLE_LIMIT = 60_000
"""Milliseconds after which the server gives up a transaction that nobody goes on with."""

_LEVELS = {
    "": None,
    "read committed": IsolationLevel.READ_COMMITTED,
    "repeatable read": IsolationLevel.REPEATABLE_READ,
    "serializable": IsolationLevel.SERIALIZABLE,
}


def application_name(context: Context) -> str:
    """The name by which the server, and its administrators, see an action."""
    name = f"workstream:{context.idempotency_key}"
    if name.isascii() and name.isprintable() and len(name) < 64:
        return name
    # PostgreSQL would cut or change it, and it must stay the action's own.
    return f"workstream:{hashlib.sha256(name.encode()).hexdigest()[:48]}"


def time_left_ms() -> int:
    """Milliseconds until the attempt ends, a moment less; 0: it does not end."""
    left = trio.current_effective_deadline() - trio.current_time()
    if math.isinf(left):
        return 0
    # A moment before the attempt is cancelled the server says which statement it was.
    return min(max(int(1000 * (left - min(0.2, left / 10))), 1), 2**31 - 1)


async def carry_out(context: Context, request: Execute) -> ExecuteResult:
    """Carry the statements out, unless an earlier attempt has.

    Raises:
        PluginError: They were not, or nobody can tell.
    """
    application = application_name(context)
    async with opened(request.database, application) as session:
        table = await _table(session, request)
        if context.attempt > 1:
            found = await _found(session, context, request, application)
            if found is not None:
                return found
        try:
            return await _Transaction(session, context, request, table).run()
        except _CommitLost as lost:
            problem = lost.error
    # The server may be back already, and then it knows. If not: the next attempt asks.
    context.report(f"{problem.message}; the server is asked whether it was committed")
    try:
        async with opened(request.database, application) as session:
            found = await _found(session, context, request, application)
    except PluginError as error:
        if error.permanent:
            raise
        message = (
            f"{problem.message}: whether it was committed is found out by the next "
            "attempt"
        )
        raise PluginError(message, wrapped=error) from error
    if found is not None:
        return found
    raise problem


async def look_back(context: Context, request: Execute) -> ExecuteResult | NotDone:
    """Find out what an interrupted attempt did (R-7).

    A server that cannot be reached yet is asked again, as long as there is time.
    """
    application = application_name(context)
    available = trio.current_effective_deadline() - trio.current_time()
    last: PluginError | None = None
    with trio.move_on_after(max(available * 0.9, 0)):
        while True:
            try:
                async with opened(request.database, application) as session:
                    await _table(session, request)
                    found = await _found(session, context, request, application)
                    return NOT_DONE if found is None else found
            except PluginError as error:
                if error.permanent:
                    raise
                last = error
                context.report(f"not yet: {error.message}")
            await trio.sleep(1)
    message = (
        "the engine ended while the transaction was carried out, and whether it was "
        "committed cannot be found out: look whether its work is there"
    )
    raise PluginError(message, permanent=True, wrapped=last)


async def _table(session: Session, request: Execute) -> history.Table | None:
    if not request.once:
        return None
    what = f"looking for the table {request.once_table} (once_table)"
    return await _called(
        session, what, lambda connection: history.the_table(connection, request)
    )


async def _found(
    session: Session, context: Context, request: Execute, application: str
) -> ExecuteResult | None:
    """What earlier attempts did; None: nothing, and they will not any more."""

    def look(connection: Connection) -> ExecuteResult | None:
        if request.once:
            table = history.the_table(connection, request)
            return history.found_in_table(connection, table, context)
        return history.found_in_notes(connection, context.notes)

    try:
        await history.end_leftovers(session, application, context)
    except psycopg.Error as error:
        what = "ending what an earlier attempt left"
        raise failed(what, error) from error
    found = await _called(session, "looking for what was done", look)
    if found is not None:
        context.report("an earlier attempt has done it: nothing is done again")
    return found


async def _called(
    session: Session, what: str, function: Callable[[Connection], Result]
) -> Result:
    try:
        return await session.run(function)
    except psycopg.Error as error:
        raise failed(what, error) from error


def reported(context: Context) -> Callable[[psycopg.errors.Diagnostic], None]:
    """Passes the server's notices on to watchers; psycopg calls it in its thread."""

    def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
        text = f"{diagnostic.severity}: {diagnostic.message_primary}"
        trio.from_thread.run_sync(context.report, text)

    return notice


class _CommitLost(Exception):  # noqa: N818 (it is no error before it is looked into)
    """The connection broke while the transaction was being committed."""

    def __init__(self, error: PluginError) -> None:
        super().__init__(error.message)
        self.error = error


@attrs.define
class _Transaction:
    """The statements, in one transaction."""

    session: Session
    context: Context
    request: Execute
    table: history.Table | None

    async def run(self) -> ExecuteResult:
        statements = statements_of(self.request)
        secrets = secrets_of(*statements)
        server = await self._step("the beginning", self._begin, secrets)
        done_before = await self._step("the beginning", self._mark, secrets)
        if done_before is not None:
            return done_before
        counts: list[int] = []
        kept, columns = Kept(0, secrets), tuple[str, ...]()
        for number, statement in enumerate(statements, 1):
            what = f"statement {number} of {len(statements)}"
            limit = time_left_ms()

            def one(
                connection: Connection,
                statement: Statement = statement,
                limit: int = limit,
            ) -> Done:
                return carried_out(
                    connection, statement, limit, self.request.keep_rows, secrets
                )

            if await self._step(
                f"unless of {what}", partial(is_so, statement), secrets
            ):
                line = f"{what}: it is so already (unless)"
                self.context.report(line, done=number, total=len(statements))
                counts.append(0)
                continue
            done = await self._step(what, one, secrets)
            self.context.report(
                f"{what}: {done.count} rows", done=number, total=len(statements)
            )
            if statement.affects not in (None, done.count):
                message = (
                    f"{what} affected {done.count} rows, expected "
                    f"{statement.affects}: everything was rolled back"
                )
                raise PluginError(message, permanent=True)
            counts.append(done.count)
            if done.kept is not None:
                kept, columns = done.kept, done.columns
        result = ExecuteResult(
            counts=tuple(counts),
            columns=columns,
            rows=tuple(kept.rows),
            rows_left_out=kept.left_out,
        )
        transaction = await self._step(
            "the end", lambda connection: self._end(connection, result), secrets
        )
        if transaction is not None and self.table is None:
            await self.context.remember(
                transaction=transaction,
                timeline=server.timeline if server else "unknown",
                life=server.life if server else "unknown",
                result=history.noted(result),
            )
        await self._commit(secrets)
        return result

    async def _step(
        self,
        what: str,
        function: Callable[[Connection], Result],
        secrets: Redactor,
    ) -> Result:
        try:
            return await self.session.run(function)
        except psycopg.Error as error:
            raise failed(what, error, secrets) from error

    def _begin(self, connection: Connection) -> history.Server | None:
        show_as_text(connection)
        connection.add_notice_handler(reported(self.context))
        server = history.server_of(connection)
        connection.isolation_level = _LEVELS[self.request.isolation]
        return server

    def _mark(self, connection: Connection) -> ExecuteResult | None:
        settings = {
            MARKER: self.context.idempotency_key,
            "lock_timeout": str(int(1000 * self.request.lock_timeout)),
            "idle_in_transaction_session_timeout": str(IDLE_LIMIT),
        }
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        if self.table is None:
            return None
        # Whoever comes second waits here until the first has ended, one way or another.
        query = self.table.query(
            "INSERT INTO {table} (idempotency_key, action, result) VALUES (%s, %s, '') "
            "ON CONFLICT DO NOTHING"
        )
        values = [self.context.idempotency_key, self.context.path]
        if connection.execute(query, values).rowcount == 1:
            return None
        connection.rollback()
        return history.found_in_table(connection, self.table, self.context)

    def _end(self, connection: Connection, result: ExecuteResult) -> str | None:
        """See that it is still the same transaction; give its number, if it has one."""
        key = None
        if connection.info.transaction_status == pq.TransactionStatus.INTRANS:
            row = connection.execute(
                "SELECT current_setting(%s, true)", [MARKER]
            ).fetchone()
            key = row[0] if row else None
        if key != self.context.idempotency_key:
            message = (
                "a statement has ended the transaction itself, by COMMIT or ROLLBACK: "
                "what came before it was not rolled back, and may have been done. Leave "
                "these statements out"
            )
            raise PluginError(message, permanent=True)
        if self.table is not None:
            # The statements may have taken another role, which cannot write here.
            connection.execute("RESET ROLE")
            query = self.table.query(
                "UPDATE {table} SET result = %s WHERE idempotency_key = %s"
            )
            connection.execute(
                query, [history.encoded(result), self.context.idempotency_key]
            )
        row = connection.execute(
            "SELECT pg_current_xact_id_if_assigned()::text"
        ).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    async def _commit(self, secrets: Redactor) -> None:
        try:
            await self.session.run(
                lambda connection: connection.commit(), interruptible=False
            )
        except psycopg.Error as error:
            problem = failed("the commit", error, secrets)
            if is_lost(error):
                raise _CommitLost(problem) from error
            raise problem from error


def is_so(statement: Statement, connection: Connection) -> bool:
    """Whether ``unless`` says that the statement is done already."""
    if not statement.unless:
        return False
    row = connection.execute(statement.unless.encode()).fetchone()
    return row is not None and bool(row[0])


@attrs.frozen
class Done:
    """What one statement did; ``kept`` is None if no rows were given, or wanted.

    ``news`` is False of one that was done already.
    """

    count: int
    kept: Kept | None
    columns: tuple[str, ...]
    news: bool = True


def carried_out(
    connection: Connection,
    statement: Statement,
    limit: int,
    keep_rows: int,
    secrets: Redactor,
    *,
    local: bool = True,
) -> Done:
    """Carry out one statement; the limit is the transaction's, or the session's."""
    connection.execute(
        "SELECT set_config('statement_timeout', %s, %s)", [str(limit), local]
    )
    count, kept, columns = 0, None, tuple[str, ...]()
    with connection.cursor() as cursor:
        cursor.execute(statement.sql.encode(), values_of(statement))
        while True:
            count += max(cursor.rowcount, 0)
            if keep_rows and cursor.description is not None:
                kept, columns = Kept(keep_rows, secrets), names_of(cursor.description)
                for row in cursor:
                    kept.add(row)
            if not cursor.nextset():
                break
    return Done(count, kept, columns)
