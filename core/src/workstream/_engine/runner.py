"""Who runs the plans of an open engine: this process, or somebody elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

from .._plan.plan import Plan
from .._protocols.vault import PlanRow
from .._registry.registry import Registry
from .._store.news import News
from .._validation.validation import check_resumable, check_startable
from .._values.errors import (
    LockedError,
    PlanRefusedError,
    PlanStaleError,
    WorkstreamError,
    fault_lines,
)

OnWait = Callable[[LockedError], None]
"""Is told what a plan waits for."""


class Runner(ABC):
    """Starts plans, and waits for them; see the methods of ``Workstream``.

    Attributes:
        news: Tells when a plan may have changed in the store.
    """

    news: News

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[None]:
        """Open the vault, and close it after the body."""

    @abstractmethod
    def keep(self, plan: Plan, definition: bytes) -> None:
        """Take note of a plan that was just stored, as it is likely to be started.

        Before that, ``begin_new`` completes it.
        """

    @abstractmethod
    async def start(
        self, plan_id: UUID, *, waits: bool, on_wait: OnWait | None
    ) -> None:
        """Start a plan if it was never started (ST-1 to ST-5)."""

    @abstractmethod
    async def wait(self, plan_id: UUID) -> Plan | None:
        """Return when the run of the plan has ended (ST-6).

        Returns:
            The plan as it is stored then, for the caller alone; None: to be read.
        """

    @abstractmethod
    async def resume(self, plan_id: UUID) -> None:
        """Recover a plan that a crash left behind (R-3)."""

    @abstractmethod
    async def recover_all(
        self, max_last_update: float | None
    ) -> dict[UUID, WorkstreamError]:
        """Recover every plan that a crash left behind (R-1); those that cannot be."""

    @abstractmethod
    async def heard(self, plan_id: UUID) -> None:
        """Let the plan's run, if it is here, take what was asked of it."""

    @abstractmethod
    async def looked(self) -> None:
        """Let the runs that are here see whether the store is frozen."""


def refuse_stale(row: PlanRow, now: datetime, max_submit: float) -> None:
    """Raise PlanStaleError if the plan was submitted too long ago (ST-3)."""
    if row.submitted is None or (now - row.submitted).total_seconds() > max_submit:
        message = (
            f"plan {row.name!r} was submitted more than {max_submit:g} seconds "
            "ago: look whether it still fits, and submit it again"
        )
        raise PlanStaleError(message, row.id)


def refuse_unfit(plan: Plan, registry: Registry, plan_id: UUID, *, fresh: bool) -> None:
    """Raise PlanRefusedError if the plan does not fit the plugins at hand (ST-4, R-4)."""
    check = check_startable if fresh else check_resumable
    faults = check(plan, registry)
    if faults:
        lines = "\n".join(f"  {line}" for line in fault_lines(faults))
        verb = "started" if fresh else "resumed"
        message = f"plan {plan.name!r} cannot be {verb} here:\n{lines}"
        raise PlanRefusedError(message, plan_id)
