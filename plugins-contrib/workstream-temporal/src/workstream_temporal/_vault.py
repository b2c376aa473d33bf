"""A namespace of a cluster as a store of plans (see ``Vault``).

The row of a plan is a memo of its workflow: so a list, a search, and a look at one row ask
the server alone. All else of a plan is in its workflow, which a worker answers for: to
read one, at least one worker must be at work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import attrs
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.client import (
    WorkflowExecution as Execution,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from workstream._codec.records import (
    decode_freeze,
    decode_row,
    encode_freeze,
    encode_row,
)
from workstream._plan.outcome import Outcome
from workstream._protocols.conduct import Conduct
from workstream._protocols.searching import ANY_PLAN, Where, newest_first
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
from ._forms import (
    lines_of,
    packed,
    request_form,
    slice_of,
    stored_form,
    stored_of,
    unpacked,
    write_form,
)
from ._names import (
    FREEZE,
    PLAN,
    QUEUE,
    ROW,
    STORE,
    plan_id_of,
    workflow_id,
)
from ._trio_thread import AsyncioThread

T = TypeVar("T")

PATIENCE = timedelta(seconds=20)
"""How long a worker may take to answer."""
_LOCATION = re.compile(r"(?P<target>[^/\s]+:\d+)(/(?P<namespace>[^/\s]+))?")
_NO_ROW = "the plan's workflow has no row: it was not begun by workstream"


class TemporalVault:
    """Plans that a cluster keeps and runs."""

    def __init__(self, location: str) -> None:
        """Take ``HOST:PORT/NAMESPACE``; it connects when it is opened.

        Raises:
            StorageError: It is no such text.
        """
        found = _LOCATION.fullmatch(location)
        if found is None:
            message = (
                f"temporal:{location} names no cluster: write temporal:HOST:PORT or "
                "temporal:HOST:PORT/NAMESPACE"
            )
            raise StorageError(message)
        self._target = found["target"]
        self._namespace = found["namespace"] or "default"
        self._thread: AsyncioThread | None = None
        self._connected: Client | None = None
        self._freeze: Freeze | None = None

    @property
    def host(self) -> str:
        """Who runs the plans, for people."""
        return f"the Temporal cluster at {self._target}, namespace {self._namespace}"

    @property
    def shared(self) -> bool:
        """Others use the same cluster."""
        return True

    # --- its life ---------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and see to it that the workflow is there that plans share."""
        self._thread = AsyncioThread()
        try:
            self._connected = await self._thread.call(self.client())
        except StorageError:
            await self.close()
            raise
        await self._ask(
            self._client.start_workflow(
                STORE,
                b"",
                id=STORE,
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        )
        await self._look_for_freeze()

    async def client(self) -> Client:
        """A client of the cluster, for the asyncio loop that awaits it.

        TLS, an API key and headers are those of Temporal's own tools: the environment's
        ``TEMPORAL_TLS...``, ``TEMPORAL_API_KEY``, or its configuration file.

        Raises:
            StorageError: No server answers, or what is set cannot be used.
        """
        try:
            settings = ClientConfig.load_client_connect_config()
            settings["target_host"] = self._target
            settings["namespace"] = self._namespace
            return await Client.connect(**settings)
        except (OSError, RuntimeError, ValueError) as error:
            message = f"no Temporal server answers at {self._target}: {error}"
            raise StorageError(message) from error

    async def close(self) -> None:
        """Let go of the connection."""
        self._connected = None
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    @property
    def _client(self) -> Client:
        assert self._connected is not None, "the vault is not open"
        return self._connected

    async def _ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Ask the server. Raises StorageError: it does not answer, or refuses."""
        assert self._thread is not None, "the vault is not open"
        try:
            return await self._thread.call(coroutine)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise
            message = f"{self.host} does not do it: {error.message}"
            raise StorageError(message) from error

    @asynccontextmanager
    async def _of(self, plan_id: UUID) -> AsyncGenerator[Any]:
        """The plan's workflow. Raises NotFoundError: there is none."""
        try:
            yield self._client.get_workflow_handle(workflow_id(plan_id))
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
        try:
            await self._ask(
                self._client.start_workflow(
                    PLAN,
                    packed(stored_form(stored), sorted(labels), nothing, {}),
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

    async def _query(self, plan_id: UUID, name: str, *args: object) -> bytes:
        async with self._of(plan_id) as workflow:
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
                [form] = unpacked(b"".join(pieces))
                return stored_of(form)

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        return (await self._entry(plan_id))[0]

    async def _entry(self, plan_id: UUID) -> tuple[PlanRow, bool]:
        """The plan's row, and whether its workflow goes on."""
        async with self._of(plan_id) as workflow:

            async def look() -> tuple[PlanRow, bool]:
                found = await workflow.describe()
                going_on = found.status is WorkflowExecutionStatus.RUNNING
                return await _row_in(found), going_on

            return await self._ask(look())

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        try:
            await self.row(plan_id)
        except NotFoundError:
            return False
        return True

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``."""
        [form] = unpacked(await self._query(plan_id, "log", after, limit))
        return slice_of(form)

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        found: list[LineRecord] = []
        while True:
            last = found[-1].number if found else 0
            [forms] = unpacked(await self._query(plan_id, "lines", position, last))
            if not forms:
                return found
            found += lines_of(forms)

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``; the server does it within a minute, and tells nobody."""
        row, going_on = await self._entry(plan_id)
        refuse_delete(plan_id, row.status)
        async with self._of(plan_id) as workflow:
            if going_on:
                await self._ask(workflow.terminate("the plan is deleted"))
            await self._ask(self._delete_runs(workflow_id(plan_id)))

    async def _delete_runs(self, workflow: str) -> None:
        query = f"WorkflowId = '{workflow}'"
        runs = {each.run_id async for each in self._client.list_workflows(query)}
        for run in sorted(runs) or [""]:
            execution = WorkflowExecution(workflow_id=workflow, run_id=run)
            await self._client.workflow_service.delete_workflow_execution(
                DeleteWorkflowExecutionRequest(
                    namespace=self._namespace, workflow_execution=execution
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
        """See ``Vault.search``. The server gives the newest first."""
        if ids is not None:
            rows = [await self.row(each) for each in ids if await self.exists(each)]
        else:
            rows = await self._ask(self._rows())
        found = [
            row
            for row in rows
            if (group_ids is None or row.group_id in group_ids)
            and (statuses is None or row.status in statuses)
            and where.fits(row)
        ]
        if where.labels:
            found = [row for row in found if await self._has(row.id, where.labels)]
        return newest_first(found, limit)

    async def _has(self, plan_id: UUID, labels: Collection[str]) -> bool:
        [known] = unpacked(await self._query(plan_id, "labels"))
        return set(known).issuperset(labels)

    async def _rows(self) -> list[PlanRow]:
        query = f"WorkflowType = '{PLAN}' AND ExecutionStatus != 'ContinuedAsNew'"
        return [
            await _row_in(each) async for each in self._client.list_workflows(query)
        ]

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
        row = await self.row(plan_id)
        await self._lock(row)
        conducts = {
            name: [attrs.asdict(each.retry), each.on_interrupt.name]
            for name, each in conduct.items()
        }
        error = await self._update(plan_id, "start", packed(position, conducts))
        if error is not None:
            raise error

    async def _lock(self, row: PlanRow) -> None:
        """Take the plan's locks. Raises LockTakenError (LK-1)."""
        dead: list[bytes] = []
        while row.locks:
            given = packed(row.id.bytes, list(row.locks), dead)
            store: Any = self._client.get_workflow_handle(STORE)
            answer = await self._ask(
                store.execute_update("lock", given, result_type=bytes)
            )
            [taken] = unpacked(answer)
            if taken is None:
                return
            name, holder = taken[0], UUID(bytes=taken[1])
            try:
                other = await self.row(holder)
            except NotFoundError:
                other = None
            if other is not None and other.status is Status.RUNNING:
                raise LockTakenError(name, holder)
            dead.append(holder.bytes)  # it died before its run began, or was terminated

    async def waits(self, plan_id: UUID) -> Mapping[int, str]:
        """See ``HostingVault.waits``."""
        async with self._of(plan_id) as workflow:
            return await self._ask(unattended(self._client, workflow))

    # --- what plans share -------------------------------------------------------------

    def freeze(self) -> Freeze | None:
        """See ``Vault.freeze``: what was seen when the store was opened or written."""
        return self._freeze

    async def _look_for_freeze(self) -> None:
        async def look() -> Any:
            found = await self._client.get_workflow_handle(STORE).describe()
            return (await found.memo()).get(FREEZE)

        data = await self._ask(look())
        self._freeze = decode_freeze(data) if data else None

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        expected = None if expect is None else encode_freeze(expect)
        store: Any = self._client.get_workflow_handle(STORE)
        done: bool = await self._ask(
            store.execute_update(
                "freeze", packed(encode_freeze(freeze), expected), result_type=bool
            )
        )
        await self._look_for_freeze()
        return done

    async def claim(self, plan_id: UUID) -> bool:
        """Have a plan for oneself for a moment; the cluster alone runs it."""
        store: Any = self._client.get_workflow_handle(STORE)
        done: bool = await self._ask(
            store.execute_update("claim", plan_id.bytes, result_type=bool)
        )
        return done

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        store: Any = self._client.get_workflow_handle(STORE)
        await self._ask(store.signal("release", plan_id.bytes))

    async def owner(self, plan_id: UUID) -> str | None:
        """The cluster, while the plan's workflow goes on."""
        row, going_on = await self._entry(plan_id)
        return self.host if going_on and row.status is Status.RUNNING else None


def _error(name: str, message: str) -> StorageError:
    """An error of ours that travelled by its name."""
    found = getattr(errors, name, StorageError)
    made = found(message) if issubclass(found, StorageError) else StorageError(message)
    assert isinstance(made, StorageError)
    return made


async def _row_in(found: Execution) -> PlanRow:
    """The row of a plan's workflow. Raises StorageError: it has none."""
    data = (await found.memo()).get(ROW)
    if data is None:
        raise StorageError(_NO_ROW)
    return decode_row(plan_id_of(found.id), data)
