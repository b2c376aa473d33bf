"""What the plans of a cluster share, in one workflow: a freeze, locks, who runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

from ._forms import packed, unpacked
from ._names import CLAIMS, DELETED, FREEZE, STORE

CLAIM_LASTS = timedelta(seconds=60)
"""How long a client has a plan for itself, unless it asks again: it may have died."""
DELETING_LASTS = timedelta(hours=1)
"""How long the server takes to delete a plan, at most."""


@workflow.defn(name=STORE)
class StoreWorkflow:
    """Runs for ever, one in a namespace.

    A plan tells it when its run begins, and hears what is said of a freeze before it
    begins anything (HO-6); it tells it when its run has ended, and its locks are free.
    """

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """Begin with what was before."""
        begins: tuple[Any, ...] = (None, {}, [], [], [])
        freeze, locks, running, claims, deleted = unpacked(given) if given else begins
        self._freeze: bytes | None = freeze
        self._locks: dict[str, bytes] = locks
        self._running: dict[bytes, str] = dict(running)
        self._claims: dict[bytes, tuple[bytes, float]] = {
            plan_id: (client, until) for plan_id, client, until in claims
        }
        self._deleted: dict[bytes, float] = dict(deleted)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """Go on until the history is long, then go on with a new one."""
        await workflow.wait_condition(
            lambda: (
                workflow.info().is_continue_as_new_suggested()
                and workflow.all_handlers_finished()
            )
        )
        deleted = list(self._deleted.items())
        running, claims = list(self._running.items()), _claims_form(self._claims)
        memo = {CLAIMS: packed(claims), DELETED: packed(list(self._deleted))}
        if self._freeze is not None:
            memo[FREEZE] = self._freeze
        workflow.continue_as_new(
            packed(self._freeze, self._locks, running, claims, deleted), memo=memo
        )

    # --- a freeze ---------------------------------------------------------------------

    @workflow.update(name="freeze")
    async def freeze(self, given: bytes) -> bool:
        """Say of a freeze what is new, if it is now as expected; whether it was."""
        wanted, expected = unpacked(given)
        if self._freeze != expected:
            return False
        self._freeze = wanted
        workflow.upsert_memo({FREEZE: wanted})
        await asyncio.gather(*map(self._say, list(self._running.values())))
        return True

    async def _say(self, plan: str) -> None:
        await self._tell(plan, "frozen", self._freeze or b"")

    @staticmethod
    async def _tell(plan: str, signal: str, what: bytes) -> None:
        with suppress(ApplicationError, Exception):  # it may have ended
            await workflow.get_external_workflow_handle(plan).signal(signal, what)

    # --- who runs, and with which locks -----------------------------------------------

    @workflow.signal(name="lock")
    async def lock(self, plan: str, given: bytes) -> None:
        """Take locks for a plan that is about to begin, and answer it (LK-1).

        The plan's own workflow asks, and it begins, or says that it has ended, before it
        does anything else: so no client that stands still or dies holds a lock, and who
        holds one is a workflow of which the server knows whether it goes on.
        """
        plan_id, names, number = unpacked(given)
        taken = self._holder(plan_id, names)
        if taken is None:
            self._locks.update(dict.fromkeys(names, plan_id))
        await self._tell(plan, "locked", packed(number, taken))

    @workflow.query(name="holder")
    def holder(self, given: bytes) -> bytes:
        """Which of these locks another plan holds, and which plan; or nothing."""
        return packed(self._holder(*unpacked(given)))

    def _holder(self, plan_id: bytes, names: list[str]) -> list[Any] | None:
        for name in names:
            holder = self._locks.get(name, plan_id)
            if holder != plan_id:
                return [name, holder]
        return None

    @workflow.signal(name="begun")
    async def begun(self, plan_id: bytes, plan: str) -> None:
        """A plan's run begins; it waits for what is said of a freeze."""
        self._running[plan_id] = plan
        await self._say(plan)

    @workflow.signal(name="ended")
    def ended(self, plan_id: bytes) -> None:
        """A plan's run has ended, or never begins: its locks are free."""
        self._running.pop(plan_id, None)
        self._locks = {
            name: holder for name, holder in self._locks.items() if holder != plan_id
        }

    @workflow.signal(name="deleted")
    def deleted(self, plan_id: bytes, deleted: bool) -> None:
        """A plan is deleted, or stored again: the server takes its time to delete it."""
        now = workflow.now().timestamp()
        lasts = DELETING_LASTS.total_seconds()
        self._deleted = {
            each: at for each, at in self._deleted.items() if at > now - lasts
        }
        if deleted:
            self._deleted[plan_id] = now
        else:
            self._deleted.pop(plan_id, None)
        workflow.upsert_memo({DELETED: packed(list(self._deleted))})

    # --- one at a time -----------------------------------------------------------------

    @workflow.update(name="claim")
    async def claim(self, plan_id: bytes, client: bytes) -> bool:
        """Have a plan for oneself for a moment, or for one more; False: it is taken."""
        now = workflow.now().timestamp()
        self._claims = {
            each: claim for each, claim in self._claims.items() if claim[1] > now
        }
        if self._claims.get(plan_id, (client, now))[0] != client:
            return False
        self._claims[plan_id] = (client, now + CLAIM_LASTS.total_seconds())
        self._show_claims()
        return True

    @workflow.signal(name="release")
    def release(self, plan_id: bytes, client: bytes) -> None:
        """Give it back."""
        if self._claims.get(plan_id, (b"", 0))[0] == client:
            del self._claims[plan_id]
            self._show_claims()

    def _show_claims(self) -> None:
        workflow.upsert_memo({CLAIMS: packed(_claims_form(self._claims))})


@workflow.defn(name=STORE, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradedStoreWorkflow(StoreWorkflow):
    """The same, of a worker that says its version: it goes over to the newest."""

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``StoreWorkflow``."""
        super().__init__(given)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``StoreWorkflow``."""
        await super().run(given)


def _claims_form(claims: dict[bytes, tuple[bytes, float]]) -> list[Any]:
    return [[plan_id, *claim] for plan_id, claim in claims.items()]
