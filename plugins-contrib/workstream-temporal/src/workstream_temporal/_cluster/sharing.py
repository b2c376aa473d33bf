"""What the plans of a cluster share, as a client asks the one workflow that keeps it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from workstream._codec.records import decode_freeze, encode_freeze
from workstream._values.errors import StorageError
from workstream._values.interventions import Freeze

from .._forms import packed, unpacked
from .._names import CLAIMS, DELETED, FREEZE, QUEUE, STORE
from .connection import Connection

LOOK_EVERY = 1.0
"""Seconds between two looks at what others say: a page may stay open for a day."""
PATIENCE = timedelta(seconds=20)
"""How long a worker may take to answer."""


class Shared:
    """What the workflow of the store keeps; what of it needs no worker is its memo."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection, which need not be open yet."""
        self._connection = connection
        self._me = uuid4().bytes
        self._claims: dict[bytes, float] = {}
        self._own_deleted: set[UUID] = set()
        self.freeze: Freeze | None = None
        """What the store says of a freeze, as of a second ago."""
        self.deleted: frozenset[UUID] = frozenset()
        """What was deleted, but may be listed still."""

    @property
    def _workflow(self) -> Any:
        return self._connection.client.get_workflow_handle(STORE)

    async def open(self) -> None:
        """See to it that the workflow is there, and look at it from now on.

        Who may only read opens a cluster that was used before.
        """
        if not await self._connection.ask(self._is_there()):
            await self._begin()
        try:
            await self.look()
        except StorageError as error:
            message = f"{STORE}, which all plans share, cannot be read: {error}"
            raise StorageError(message) from error
        self._connection.beside(self._keep_looking())

    async def _is_there(self) -> bool:
        try:
            found = await self._workflow.describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return bool(found.status is WorkflowExecutionStatus.RUNNING)

    async def _begin(self) -> None:
        await self._connection.ask(
            self._connection.client.start_workflow(
                STORE,
                b"",
                id=STORE,
                task_queue=QUEUE,
                # So whoever lacks the key of an encrypted cluster hears of it at once.
                memo={DELETED: packed([])},
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        )

    async def look(self) -> None:
        """See what it says now."""
        await self._connection.ask(self._look())

    async def _look(self) -> None:
        memo = await (await self._workflow.describe()).memo()
        freeze, claims, deleted = (memo.get(e) for e in (FREEZE, CLAIMS, DELETED))
        self.freeze = decode_freeze(freeze) if freeze else None
        self._claims = (
            {each: until for each, _, until in unpacked(claims)[0]} if claims else {}
        )
        told = unpacked(deleted)[0] if deleted else ()
        self.deleted = frozenset(UUID(bytes=e) for e in told) | self._own_deleted

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            # What was seen stands until the server is back, or somebody has begun the
            # workflow anew with the key.
            with suppress(RPCError, StorageError):
                await self._look()

    async def _update(self, name: str, *args: Any) -> bool:
        done: bool = await self._connection.ask(
            self._workflow.execute_update(name, args=args, result_type=bool)
        )
        return done

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        expected = None if expect is None else encode_freeze(expect)
        done = await self._update("freeze", packed(encode_freeze(freeze), expected))
        await self.look()
        return done

    # --- one at a time ----------------------------------------------------------------

    async def claim(self, plan_id: UUID) -> bool:
        """Have a plan for oneself for a minute, or for one more."""
        return await self._update("claim", plan_id.bytes, self._me)

    async def release(self, plan_id: UUID) -> None:
        """Give it back."""
        await self._connection.ask(
            self._workflow.signal("release", args=[plan_id.bytes, self._me])
        )

    async def is_claimed(self, plan_id: UUID) -> bool:
        """Whether somebody has the plan for themselves."""
        await self.look()
        return self._claims.get(plan_id.bytes, 0) > time.time()

    # --- locks ------------------------------------------------------------------------

    async def holder(
        self, plan_id: UUID, locks: Sequence[str]
    ) -> tuple[str, UUID] | None:
        """Which of these locks another plan holds, and which plan (LK-1)."""
        try:
            answer = await self._connection.ask(
                self._workflow.query(
                    "holder",
                    packed(plan_id.bytes, list(locks)),
                    result_type=bytes,
                    rpc_timeout=PATIENCE,
                )
            )
        except WorkflowQueryFailedError as error:
            host = self._connection.host
            message = f"a worker of {host} cannot read its locks; its log says why"
            raise StorageError(message) from error
        [taken] = unpacked(answer)
        return None if taken is None else (taken[0], UUID(bytes=taken[1]))

    async def free(self, plan_id: UUID) -> None:
        """Take the locks of a plan away whose workflow has ended without a word."""
        await self._connection.ask(self._workflow.signal("ended", plan_id.bytes))

    # --- what is deleted --------------------------------------------------------------

    async def hide(self, plan_id: UUID) -> None:
        """Let nobody see a plan any more, until the server has deleted it."""
        self._own_deleted.add(plan_id)
        self.deleted |= {plan_id}
        await self._say_deleted(plan_id, deleted=True)

    async def show(self, plan_id: UUID) -> None:
        """Let a plan be seen that is stored again."""
        if plan_id in self.deleted:
            self._own_deleted.discard(plan_id)
            self.deleted -= {plan_id}
            await self._say_deleted(plan_id, deleted=False)

    async def _say_deleted(self, plan_id: UUID, *, deleted: bool) -> None:
        await self._connection.ask(
            self._workflow.signal("deleted", args=[plan_id.bytes, deleted])
        )


async def refuse_unreadable(client: Client) -> None:
    """Raise StorageError where what is shared cannot be read with the keys here."""
    with suppress(RPCError):  # nobody has used the cluster yet
        await (await client.get_workflow_handle(STORE).describe()).memo()
