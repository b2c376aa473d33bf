"""One plan's run inside an engine: begun, watched over, and ended in one of two ways.

A run either comes to the plan's end, or it **breaks off**: the store failed, the engine
has a bug, or its context is being left. Breaking off is what a crash would do: attempts
in flight are cancelled, nothing more is written, the plan stays R, and the next recovery
takes it (STO-6, T-3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast
from uuid import UUID

import trio

from .._authoring.errors import leaves_of
from .._plan.copying import is_constant
from .._plan.plan import Plan
from .._plan.walk import actions
from .._protocols.vault import PlanRequest
from .._runtime.journal import Committer, Journal
from .._runtime.output import OutputBuffer
from .._runtime.trio_runtime import RunSettings, TrioRuntime
from .._values.errors import InternalError, StorageError, WorkstreamError
from .._values.state import chained, links_of

log = logging.getLogger("workstream")


class Run:
    """A plan that this engine runs."""

    def __init__(
        self,
        plan: Plan,
        plan_id: UUID,
        *,
        position: int,
        taken: int,
        lines: Mapping[int, int],
        committer: Committer,
        settings: RunSettings,
        on_durable: Callable[[], None],
        on_broken: Callable[[], None],
    ) -> None:
        """Make a run; ``run`` runs it.

        Args:
            plan: From wherever it stands; the run changes it.
            plan_id: Its id.
            position: The log position of its latest durable change.
            taken: The number of the last request that a recovery has taken.
            lines: How many lines its actions have reported, by position.
            committer: Makes its changes durable.
            settings: What all runs of the engine share.
            on_durable: Called after each commit of its changes.
            on_broken: Called when the store fails it, before its attempts have ended.
        """
        self.plan_id = plan_id
        self.name: str = plan.name
        self.finished: trio.Event = trio.Event()
        self.error: WorkstreamError | None = None
        self.interrupt: KeyboardInterrupt | None = None
        self._plan: Plan | None = plan
        self._scope = trio.CancelScope()
        self._on_broken = on_broken
        self._journal = Journal(
            committer,
            plan_id,
            position,
            taken=taken,
            on_durable=on_durable,
            on_error=self.break_off,
        )
        self._runtime = TrioRuntime(plan, self._journal, OutputBuffer(lines), settings)

    async def run(self) -> None:
        """Run to the end of the plan or of the run; never raises but Cancelled."""
        try:
            with self._scope:
                await self._runtime.run()
        except BaseException as error:
            # Only a cancellation may leave: all else would end the service and, with
            # it, every other run (T-2). So what a group holds beside one stays here.
            rest = _without_cancelled(error)
            if rest is not None:
                self._blame(rest)
            await trio.lowlevel.checkpoint_if_cancelled()
            if rest is None:  # a cancellation that nobody asked for
                self._blame(error)
        if self._journal.error is not None:
            self.error = self._journal.error
        if self.error is not None:
            log.error(
                "the run of plan %r (%s) broke off and can be resumed: %s",
                self.name,
                self.plan_id,
                self.error,
                # So that who tells of it in other words can leave this out.
                extra={"broken_off": self.plan_id},
            )

    def _blame(self, error: BaseException) -> None:
        for leaf in leaves_of(error):
            if isinstance(leaf, StorageError | InternalError):
                self.error = leaf
                return
            if isinstance(leaf, KeyboardInterrupt):
                self.interrupt = leaf
        if self.interrupt is not None:
            message = f"Ctrl-C broke off the run of plan {self.name!r}: resume it"
        else:
            message = (
                f"a bug in the engine broke off the run of plan {self.name!r}: {error!r}; "
                "the plan can be resumed; please report this with its traceback"
            )
        self.error = InternalError(message)
        self.error.__cause__ = error

    def take_plan(self) -> Plan | None:
        """The plan as it is stored, once the run has come to its end; the caller owns it.

        None where it must be read: somebody has it already, or a plugin may still change
        a request that it was given, or a response that it gave.
        """
        plan, self._plan = self._plan, None
        if plan is None or not plan.state.status.is_terminal:
            return None
        for action in actions(plan):
            if not is_constant(action.request):
                return None
            for attempt in action.attempts:
                if not is_constant(attempt.response):
                    return None
                if attempt.error is not None:  # without what only this process knows
                    attempt.error = chained(links_of(attempt.error))
        return plan

    def hear(self, request: PlanRequest) -> None:
        """Take what was asked of the plan, once; the next write removes it (CT-2)."""
        self._runtime.take(request)

    async def heard(self) -> None:
        """Return when what was taken so far is durable, or the run broke off."""
        with suppress(StorageError):
            await self._journal.durable()

    def look(self) -> None:
        """See whether the store was frozen, or is so no longer (HO-6)."""
        self._runtime.look()

    def break_off(self) -> None:
        """End the run as a crash would."""
        self._scope.cancel()
        self._on_broken()


def _without_cancelled(error: BaseException) -> BaseException | None:
    """What is left of an exception without the cancellations in it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group.split(trio.Cancelled)[1]
    return None if isinstance(error, trio.Cancelled) else error
