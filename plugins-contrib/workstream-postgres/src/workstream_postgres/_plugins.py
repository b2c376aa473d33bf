"""The two plugins, ``postgres.execute`` and ``postgres.check``."""

from __future__ import annotations

from workstream import ActionPlugin, CheckPlugin, Context, OnInterrupt, retries
from workstream.plugins import NotDone, Preview, PreviewContext

from . import _outside
from ._check import look
from ._requests import Execute, ExecuteResult, Query, QueryResult, statements_of
from ._transaction import carry_out, look_back
from ._validation import check


class PostgresExecute(ActionPlugin[Execute, ExecuteResult]):
    """Carry out statements in one transaction: all of them, or none.

    After a crash of the engine the server is asked what became of the transaction
    (R-7): what was committed is not done again, what was not is done now. Where nobody
    can tell any more, the action fails, for a person to look.
    """

    name: str = "postgres.execute"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RECONCILE

    def validate(self, request: Execute, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: Execute, /) -> ExecuteResult:
        """Carry them out, unless an earlier attempt has."""
        if not request.transaction:
            return await _outside.carry_out(context, request)
        return await carry_out(context, request)

    async def reconcile(
        self, context: Context, request: Execute, /
    ) -> ExecuteResult | NotDone:
        """Find out whether the transaction was committed (R-7)."""
        if not request.transaction:
            return await _outside.look_back(context, request)
        return await look_back(context, request)

    async def preview(self, context: PreviewContext, request: Execute, /) -> Preview:
        """Ask what ``unless`` says; nothing is carried out (PV-5)."""
        statements = statements_of(request)
        total = len(statements)
        if not any(statement.unless for statement in statements):
            summary = f"{total} statements: only the database knows what they change"
            return Preview(summary, changes=None)
        left = await _outside.remaining(request.database, "workstream:preview", request)
        if not left:
            summary = f"all {total} statements are done already (unless)"
            return Preview(summary, changes=False)
        numbers = ", ".join(map(str, left))
        return Preview(
            f"statement {numbers} of {total} is carried out",
            changes=True if any(statements[n - 1].unless for n in left) else None,
        )


class PostgresCheck(CheckPlugin[Query, QueryResult]):
    """Ask for one value, in a read-only transaction, and compare it."""

    name: str = "postgres.check"
    safe_in_preview: bool = True
    retry: retries.RetryPolicy = retries.FAST

    def validate(self, request: Query, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: Query, /) -> QueryResult:
        """Ask once."""
        return await look(context, request)
