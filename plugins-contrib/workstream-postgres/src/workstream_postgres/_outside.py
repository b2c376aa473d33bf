"""Statements outside of a transaction: each by itself, as some can only be.

Nothing can be undone here, and the server keeps no record that could be asked. So the
attempt's notes say of each statement whether it was begun, done, or refused, and each is
durable before the next thing happens. What was begun when the engine was killed nobody
knows. A statement with ``unless`` needs no notes: the database itself is asked.
"""

from __future__ import annotations

from functools import partial

import attrs
import psycopg

from workstream import Context, PluginError
from workstream.plugins import NOT_DONE, NotDone

from . import _history as history
from ._failures import failed, is_lost
from ._requests import Database, Execute, ExecuteResult, Statement, statements_of
from ._session import Connection, Session, opened
from ._transaction import (
    Done,
    application_name,
    carried_out,
    is_so,
    reported,
    time_left_ms,
)
from ._values import Kept, secrets_of, show_as_text

BEGUN, DONE, REFUSED = "begun", "done", "refused"


async def carry_out(context: Context, request: Execute) -> ExecuteResult:
    """Carry out, one by one, what is not done yet.

    Raises:
        PluginError: A statement failed, or nobody can tell whether it was carried out.
    """
    application = application_name(context)
    statements = statements_of(request)
    async with opened(request.database, application) as session:
        await _prepare(session, context, request, application)
        counts: list[int] = []
        columns, kept = tuple[str, ...](), Kept(0, secrets_of(*statements))
        news = False
        for number, statement in enumerate(statements, 1):
            done = await _Step(session, context, request, statement, number).run()
            counts.append(done.count)
            news = news or done.news
            if done.kept is not None:
                kept, columns = done.kept, done.columns
    return ExecuteResult(
        counts=tuple(counts),
        columns=columns,
        rows=tuple(kept.rows),
        rows_left_out=kept.left_out,
        found_done=not news,
    )


async def look_back(context: Context, request: Execute) -> NotDone:
    """See that the rest may be carried out after a crash (R-7).

    Raises:
        PluginError: Nobody can tell whether a statement was carried out.
    """
    application = application_name(context)
    async with opened(request.database, application) as session:
        await _end_leftovers(session, context, application)
    for number, statement in enumerate(statements_of(request), 1):
        _see_that_it_is_known(context, statement, number)
    return NOT_DONE


async def remaining(database: Database, name: str, request: Execute) -> list[int]:
    """The numbers of the statements that would be carried out now; for a preview."""

    def only_look(connection: Connection) -> None:
        show_as_text(connection)
        connection.read_only = True

    left: list[int] = []
    async with opened(database, name) as session:
        await session.run(only_look)
        for number, statement in enumerate(statements_of(request), 1):
            try:
                if not await session.run(partial(is_so, statement)):
                    left.append(number)
            except psycopg.Error as error:
                what = f"unless of statement {number}"
                raise failed(what, error, secrets_of(statement)) from error
    return left


async def _prepare(
    session: Session, context: Context, request: Execute, application: str
) -> None:
    if context.attempt > 1:
        await _end_leftovers(session, context, application)

    def prepare(connection: Connection) -> None:
        show_as_text(connection)
        connection.add_notice_handler(reported(context))
        connection.autocommit = True
        connection.execute(
            "SELECT set_config('lock_timeout', %s, false)",
            [str(int(1000 * request.lock_timeout))],
        )

    try:
        await session.run(prepare)
    except psycopg.Error as error:
        what = "the beginning"
        raise failed(what, error) from error


async def _end_leftovers(session: Session, context: Context, application: str) -> None:
    try:
        await history.end_leftovers(session, application, context)
    except psycopg.Error as error:
        what = "ending what an earlier attempt left"
        raise failed(what, error) from error


def _see_that_it_is_known(context: Context, statement: Statement, number: int) -> None:
    """Refuse to go on where an earlier attempt was cut off in the statement."""
    if statement.unless or context.notes.get(f"statement_{number}") != BEGUN:
        return
    message = (
        f"an earlier attempt was cut off in statement {number}, outside of a "
        "transaction, and nobody can tell whether it was carried out: look there. A "
        "Statement with unless= asks the database"
    )
    raise PluginError(message, permanent=True)


@attrs.frozen
class _Step:
    """One of the statements."""

    session: Session
    context: Context
    request: Execute
    statement: Statement
    number: int

    async def run(self) -> Done:
        """Carry it out, unless that was done."""
        total = len(self.request.statements)
        what = f"statement {self.number} of {total}"
        note = f"statement_{self.number}"
        secrets = secrets_of(self.statement)
        try:
            if await self.session.run(partial(is_so, self.statement)):
                return self._skipped(f"{what}: it is so already (unless)", total)
        except psycopg.Error as error:
            asked = f"unless of {what}"
            raise failed(asked, error, secrets) from error
        _see_that_it_is_known(self.context, self.statement, self.number)
        if not self.statement.unless and self.context.notes.get(note) == DONE:
            return self._skipped(f"{what}: an earlier attempt has done it", total)
        await self.context.remember(**{note: BEGUN})
        limit = time_left_ms()
        try:
            done = await self.session.run(
                lambda connection: carried_out(
                    connection,
                    self.statement,
                    limit,
                    self.request.keep_rows,
                    secrets,
                    local=False,
                )
            )
        except psycopg.Error as error:
            if not is_lost(error):
                await self.context.remember(**{note: REFUSED})
            raise failed(what, error, secrets) from error
        await self.context.remember(**{note: DONE})
        self.context.report(f"{what}: {done.count} rows", done=self.number, total=total)
        if self.statement.affects not in (None, done.count):
            message = (
                f"{what} affected {done.count} rows, expected {self.statement.affects}: "
                "it is done, as it is outside of a transaction"
            )
            raise PluginError(message, permanent=True)
        return done

    def _skipped(self, line: str, total: int) -> Done:
        self.context.report(line, done=self.number, total=total)
        return Done(0, None, (), news=False)
