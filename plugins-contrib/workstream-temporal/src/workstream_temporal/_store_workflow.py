"""What the plans of a cluster share, in one workflow: a freeze, locks, who runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from ._forms import packed, unpacked
from ._names import FREEZE, STORE

CLAIM_LASTS = timedelta(seconds=60)
"""How long a client has a plan for itself, at most: it may have died."""


@workflow.defn(name=STORE)
class StoreWorkflow:
    """Runs for ever, one in a namespace.

    A plan tells it when its run begins, and hears what is said of a freeze before it
    begins anything (HO-6); it tells it when its run has ended, and its locks are free.
    """

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """Begin with what was before."""
        begins: tuple[Any, Any, Any] = (None, {}, [])
        freeze, locks, running = unpacked(given) if given else begins
        self._freeze: bytes | None = freeze
        self._locks: dict[str, bytes] = locks
        self._running: dict[bytes, str] = dict(running)
        self._claims: dict[bytes, float] = {}

    @workflow.run
    async def run(self, given: bytes) -> None:
        """Go on until the history is long, then go on with a new one."""
        await workflow.wait_condition(
            lambda: (
                workflow.info().is_continue_as_new_suggested()
                and workflow.all_handlers_finished()
            )
        )
        running = list(self._running.items())
        memo = {} if self._freeze is None else {FREEZE: self._freeze}
        workflow.continue_as_new(packed(self._freeze, self._locks, running), memo=memo)

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
        with suppress(ApplicationError, Exception):  # it may have ended
            handle = workflow.get_external_workflow_handle(plan)
            await handle.signal("frozen", self._freeze or b"")

    # --- who runs, and with which locks -----------------------------------------------

    @workflow.update(name="lock")
    async def lock(self, given: bytes) -> bytes:
        """Take locks for a plan that begins: nothing, or which one another plan holds.

        A plan whose run never began, or ended without a word, may be named as dead: then
        it holds nothing.
        """
        plan_id, names, dead = unpacked(given)
        held = self._locks
        for name in [each for each, holder in held.items() if holder in dead]:
            del held[name]
        for name in names:
            if held.get(name, plan_id) != plan_id:
                return packed([name, held[name]])
        held.update(dict.fromkeys(names, plan_id))
        return packed(None)

    @workflow.signal(name="begun")
    async def begun(self, plan_id: bytes, plan: str) -> None:
        """A plan's run begins; it waits for what is said of a freeze."""
        self._running[plan_id] = plan
        await self._say(plan)

    @workflow.signal(name="ended")
    def ended(self, plan_id: bytes) -> None:
        """A plan's run has ended."""
        self._running.pop(plan_id, None)
        self._locks = {
            name: holder for name, holder in self._locks.items() if holder != plan_id
        }

    # --- one at a time -----------------------------------------------------------------

    @workflow.update(name="claim")
    async def claim(self, plan_id: bytes) -> bool:
        """Have a plan for oneself for a moment; False: somebody else has it."""
        now = workflow.now().timestamp()
        if self._claims.get(plan_id, 0) > now:
            return False
        self._claims[plan_id] = now + CLAIM_LASTS.total_seconds()
        return True

    @workflow.signal(name="release")
    def release(self, plan_id: bytes) -> None:
        """Give it back."""
        self._claims.pop(plan_id, None)
