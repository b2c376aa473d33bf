"""A namespace of a cluster as a store of plans (see ``Vault``).

The row of a plan is a memo of its workflow: so a list, a search, and a look at one row ask
the server alone. All else of a plan is in its workflow, which a worker answers for: to
read one, at least one worker must be at work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from workstream._codec.records import (
    encode_row,
)
from workstream._plan.outcome import Outcome
from workstream._protocols.conduct import Conduct
from workstream._protocols.searching import (
    ANY_PLAN,
    Where,
    newest_first,
    refuse_negative,
)
from workstream._protocols.vault import (
    LineRecord,
    LogSlice,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Write,
    not_found,
    refuse_delete,
)
from workstream._values import errors
from workstream._values.errors import (
    LockTakenError,
    NotFoundError,
    PlanExistsError,
    StorageError,
)
from workstream._values.interventions import Freeze
from workstream._values.state import Status

from ._attended import unattended
from ._cluster.connection import Connection
from ._cluster.histories import Histories
from ._cluster.listing import entries_of, entry_of, listed
from ._cluster.sharing import PATIENCE, Shared
from ._forms import (
    conduct_form,
    lines_of,
    packed,
    request_form,
    slice_of,
    stored_form,
    stored_of,
    unpacked,
    write_form,
)
from ._limits.shelves import lines_on, shelves_of, whole, whole_slice
from ._limits.size import refuse_too_large
from ._names import PLAN, QUEUE, ROW, workflow_id

T = TypeVar("T")

_LOCATION = re.compile(r"(?P<target>[^/\s]+:\d+)(/(?P<namespace>[^/\s]+))?")
_NO_ROW = "the plan's workflow has no row: it was not begun by workstream"


class TemporalVault:
    """Plans that a cluster keeps and runs."""

    def __init__(self, location: str) -> None:
        """Take ``HOST:PORT/NAMESPACE``; it connects when it is opened.

        Raises:
            StorageError: It is no such text.
        """
        self._connection = Connection(location)
        self._shared = Shared(self._connection)
        self._histories = Histories()

    @property
    def host(self) -> str:
        """Who runs the plans, for people."""
        return self._connection.host

    @property
    def shared(self) -> bool:
        """Others use the same cluster."""
        return True

    # --- its life ---------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and see to it that the workflow is there that plans share."""
        await self._connection.open()
        await self._shared.open()

    async def client(self) -> Client:
        """A client for a worker, on the asyncio loop that awaits it: see ``connect``."""
        return await self._connection.connect()

    async def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @property
    def _client(self) -> Client:
        return self._connection.client

    async def _ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await self._connection.ask(coroutine)

    @asynccontextmanager
    async def _of(self, plan_id: UUID, run: str = "") -> AsyncGenerator[Any]:
        """The plan's workflow. Raises NotFoundError: there is none."""
        try:
            found = workflow_id(plan_id)
            yield self._client.get_workflow_handle(found, run_id=run or None)
        except RPCError:  # of the others ``_ask`` made something else
            raise not_found(plan_id) from None

    # --- one plan ---------------------------------------------------------------------

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """See ``Vault.create``."""
        stored = StoredPlan(
            row=row, definition=definition, records=(), position=0, lines={}
        )
        nothing: list[Any] = []
        given = packed(stored_form(stored), sorted(labels), nothing, {}, nothing)
        refuse_too_large(row, definition, len(given), self.host)
        try:
            await self._ask(
                self._client.start_workflow(
                    PLAN,
                    given,
                    id=workflow_id(row.id),
                    task_queue=QUEUE,
                    memo={ROW: encode_row(row)},
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    static_summary=row.name[:200],
                )
            )
        except WorkflowAlreadyStartedError:
            message = f"plan {row.id} is stored already"
            raise PlanExistsError(message) from None
        await self._shared.show(row.id)

    async def _query(
        self, plan_id: UUID, name: str, *args: object, run: str = ""
    ) -> bytes:
        async with self._of(plan_id, run) as workflow:
            try:
                return await self._ask(
                    workflow.query(
                        name, args=args, result_type=bytes, rpc_timeout=PATIENCE
                    )
                )
            except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
                message = f"plan {plan_id} cannot be read: {error}"
                raise StorageError(message) from error
            except StorageError as error:
                message = (
                    f"plan {plan_id} cannot be read, as no worker answers: is "
                    f"`workstream worker` at work on {self.host}? ({error})"
                )
                raise StorageError(message) from error

    async def read(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        while True:
            pieces: list[bytes] = []
            seen, count = -1, 1
            while len(pieces) < count:
                answer = await self._query(plan_id, "read", len(pieces), seen)
                count, seen, piece = unpacked(answer)
                if not count:
                    break  # it changed in between
                pieces.append(piece)
            else:
                form, names = unpacked(b"".join(pieces))
                return await self._ask(whole(self._client, stored_of(form), names))

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        return (await self._entry(plan_id))[0]

    async def _entry(self, plan_id: UUID) -> tuple[PlanRow, bool]:
        """The plan's row, and whether its workflow goes on."""
        if plan_id in self._shared.deleted:
            raise not_found(plan_id)
        return await entry_of(self._connection, plan_id)

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        try:
            await self.row(plan_id)
        except NotFoundError:
            return False
        return True

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``; what this history does not know, an earlier one does."""
        piece = await self._log(plan_id, after, limit)
        if piece.missed and (run := await self._behind(plan_id, after)):
            with suppress(NotFoundError):  # it was kept a moment ago
                earlier = await self._log(plan_id, after, limit, run)
                return piece if earlier.missed else earlier
        return piece

    async def _behind(self, plan_id: UUID, after: int) -> str:
        async with self._of(plan_id):
            return await self._ask(self._histories.behind(self._client, plan_id, after))

    async def _log(
        self, plan_id: UUID, after: int, limit: int, run: str = ""
    ) -> LogSlice:
        """What one history knows of the plan's log; "": the latest one."""
        form, names = unpacked(await self._query(plan_id, "log", after, limit, run=run))
        piece = slice_of(form)
        return await self._ask(whole_slice(self._client, plan_id, piece, names))

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        found: list[LineRecord] = []
        put: list[str] = []
        while True:
            last = found[-1].number if found else 0
            answer = await self._query(plan_id, "lines", position, last)
            forms, names = unpacked(answer)
            put += names
            if not forms:
                break
            found += lines_of(forms)
        found += await self._ask(lines_on(self._client, plan_id, put, position))
        return sorted(found, key=lambda each: each.number)

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``; the server takes its time, and nobody sees it meanwhile."""
        row, going_on = await self._entry(plan_id)
        refuse_delete(plan_id, row.status)
        async with self._of(plan_id) as workflow:
            if going_on:
                await self._ask(workflow.terminate("the plan is deleted"))
            await self._shared.hide(plan_id)
            for each in await self._ask(shelves_of(self._client, plan_id)):
                await self._ask(self._delete_runs(each))
            await self._ask(self._delete_runs(workflow_id(plan_id)))

    async def _delete_runs(self, workflow: str) -> None:
        query = f"WorkflowId = '{workflow}'"
        runs = {each.run_id async for each in self._client.list_workflows(query)}
        for run in sorted(runs) or [""]:
            execution = WorkflowExecution(workflow_id=workflow, run_id=run)
            await self._client.workflow_service.delete_workflow_execution(
                DeleteWorkflowExecutionRequest(
                    namespace=self._connection.namespace, workflow_execution=execution
                )
            )

    # --- many plans -------------------------------------------------------------------

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        where: Where = ANY_PLAN,
        limit: int = 0,
    ) -> list[PlanRow]:
        """See ``Vault.search``."""

        def fits(row: PlanRow) -> bool:
            return (
                row.id not in self._shared.deleted
                and (group_ids is None or row.group_id in group_ids)
                and (statuses is None or row.status in statuses)
                and where.fits(row)
            )

        refuse_negative(limit)
        if ids is not None:
            entries = await entries_of(self._connection, dict.fromkeys(ids))
            found = [e[0] for e in entries if e is not None and fits(e[0])]
        else:
            enough = 0 if where.labels else limit
            found = await listed(
                self._connection,
                fits,
                statuses=statuses,
                since=where.since,
                limit=enough,
            )
        if where.labels:
            found = [row for row in found if await self._has(row.id, where.labels)]
        return newest_first(found, limit)

    async def _has(self, plan_id: UUID, labels: Collection[str]) -> bool:
        [known] = unpacked(await self._query(plan_id, "labels"))
        return set(known).issuperset(labels)

    async def counts(self) -> dict[Outcome, int]:
        """See ``Vault.counts``."""
        return dict(Counter(row.outcome for row in await self.search()))

    # --- what changes a plan ----------------------------------------------------------

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """See ``Vault.write``."""
        return [
            await self._update(each.plan_id, "write", packed(write_form(each)))
            for each in writes
        ]

    async def _update(
        self, plan_id: UUID, name: str, given: bytes
    ) -> StorageError | None:
        async with self._of(plan_id) as workflow:
            answer = await self._ask(
                workflow.execute_update(name, given, result_type=bytes)
            )
        [error] = unpacked(answer)
        return None if error is None else _error(*error)

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """See ``Vault.ask``."""
        plan_id = request.plan_id
        row, going_on = await self._entry(plan_id)
        if not going_on:
            return row.status
        given = packed(request_form(request), write_form(if_not_started))
        async with self._of(plan_id) as workflow:
            try:
                name = await self._ask(
                    workflow.execute_update("ask", given, result_type=str)
                )
            except WorkflowUpdateFailedError as error:
                cause = error.cause
                if isinstance(cause, ApplicationError) and cause.type:
                    raise _error(cause.type, cause.message) from None
                # The plan has ended meanwhile.
                return (await self.row(plan_id)).status
            except WorkflowUpdateRPCTimeoutOrCancelledError as error:
                message = f"no worker answers for plan {plan_id}"
                raise StorageError(message) from error
        return Status[name]

    async def requests(self) -> Sequence[PlanRequest]:
        """Nothing: a workflow takes what is asked at once."""
        return ()

    async def start(
        self, plan_id: UUID, position: int, conduct: Mapping[str, Conduct]
    ) -> None:
        """See ``HostingVault.start``."""
        await self._refuse_locked(await self.row(plan_id))
        given = packed(position, conduct_form(conduct))
        error = await self._update(plan_id, "start", given)
        if error is not None:
            raise error

    async def _refuse_locked(self, row: PlanRow) -> None:
        """Raise LockTakenError where a lock is held now (LK-1): it adds to no history."""
        while row.locks and (taken := await self._shared.holder(row.id, row.locks)):
            try:
                _, going_on = await self._entry(taken[1])
            except NotFoundError:
                going_on = False
            if going_on:
                raise LockTakenError(*taken)
            await self._shared.free(taken[1])  # somebody terminated or deleted it

    async def waits(self, plan_id: UUID) -> Mapping[int, str]:
        """See ``HostingVault.waits``."""
        async with self._of(plan_id) as workflow:
            return await self._ask(unattended(self._client, workflow))

    # --- what plans share -------------------------------------------------------------

    def freeze(self) -> Freeze | None:
        """See ``Vault.freeze``: as it was a second ago."""
        return self._shared.freeze

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        return await self._shared.set_freeze(freeze, expect)

    async def claim(self, plan_id: UUID) -> bool:
        """Have a plan for oneself for a moment; the cluster alone runs it."""
        return await self._shared.claim(plan_id)

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        await self._shared.release(plan_id)

    async def owner(self, plan_id: UUID) -> str | None:
        """The cluster, while the plan's workflow goes on, or somebody waits to start it."""
        row, going_on = await self._entry(plan_id)
        if row.status is Status.NOT_STARTED:
            return self.host if await self._shared.is_claimed(plan_id) else None
        return self.host if going_on and row.status is Status.RUNNING else None


def _error(name: str, *facts: Any) -> StorageError:
    """An error of ours that travelled by its name."""
    if name == LockTakenError.__name__:
        lock, holder = facts
        return LockTakenError(lock, UUID(bytes=holder))
    found = getattr(errors, name, StorageError)
    made = found(*facts) if issubclass(found, StorageError) else StorageError(*facts)
    assert isinstance(made, StorageError)
    return made
