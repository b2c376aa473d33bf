"""The vault protocol: what a store of plans must be able to do (section 16).

A vault keeps, for each plan,

- its **definition**: what the user wrote, encoded once, at submit, never changed;
- its **row**: the plan's own state, small, all that a list or a search needs;
- its **records**: the latest state of every other object, keyed by the object's
  position in walk order. An object that has no record is as the definition left it:
  NOT_STARTED. An action has one record an attempt, and its state is that of its
  latest one. A record removes those of later attempts: so one with attempt 0 resets
  the action (C-1), and one with attempt 1 does so and begins again;
- its **log**: the latest changes in the order in which they became durable, each
  with a position that only grows. Watchers read it (section 23). It is bounded;
- its **lines**: what its plugins reported, bounded;
- perhaps a **stop request**, until its row is terminal; and, while a process runs
  it, a **claim**.

What is inside a definition or a record is the codec's business: to a vault they are
bytes. That keeps a vault small, and makes every vault store the same thing.

**One plan has one writer**, the holder of its claim, and it counts the log positions:
the first change of a ``Write`` follows the latest that is stored.
Writing the same ``Write`` twice leaves the store as writing it once did: a commit
whose outcome is unknown may be repeated. The one thing that others change is a plan
that is NOT_STARTED, by ``request_stop``; so whoever starts a plan says what it
expects to find.

Every method may be called from several tasks of one event loop. Every method is
atomic: it happens wholly or not at all, also under cancellation and crash.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeAlias
from uuid import UUID

import attrs

from .._plan.plan import Outcome, outcome_of
from .._values.errors import NotFoundError, StorageError
from .._values.state import FailureReason, Status

__all__ = [
    "Change",
    "LineRecord",
    "LogSlice",
    "NodeRecord",
    "PlanRow",
    "StoredPlan",
    "Vault",
    "Write",
]

LOG_KEPT = 10_000
"""How many of a plan's latest changes a vault keeps at least (WA-2)."""


@attrs.frozen(kw_only=True)
class PlanRow:
    """A plan's own state, and what a list shows of it (STO-4).

    Attributes:
        id: The plan's id.
        name: What people call it.
        description: What it is for.
        group_id: Relates several plans.
        submitted: When it was submitted.
        status: How far it has come.
        started: When its run began.
        ended: When it ended.
        reasons: Why it failed or was stopped (OM-4).
        stopping: Whether a stop has taken effect (SP-8).
        runtime_update: When the running plan last gave a sign of life (E-11).
        with_failures: Whether, though it completed, a sequence or a batch failed.
    """

    id: UUID
    name: str
    description: str = ""
    group_id: UUID | None = None
    submitted: datetime | None = None
    status: Status = Status.NOT_STARTED
    started: datetime | None = None
    ended: datetime | None = None
    reasons: tuple[FailureReason, ...] = ()
    stopping: bool = False
    runtime_update: datetime | None = None
    with_failures: bool = False

    @property
    def outcome(self) -> Outcome:
        """The status in words, as ``Plan.outcome`` (OM-4)."""
        return outcome_of(self.status, with_failures=self.with_failures)


# Two are made for each action, and freezing makes that four times as slow.
@attrs.define(unsafe_hash=True)
class NodeRecord:
    """The state of one object after a change.

    Attributes:
        position: The object's place in walk order; the plan itself is 0.
        attempt: Of an action, how many attempts it has; otherwise 0.
        data: The state, and the latest attempt, encoded by the codec.
    """

    position: int
    attempt: int
    data: bytes


@attrs.frozen
class LineRecord:
    """One line that a plugin reported.

    Attributes:
        position: The action's place in walk order.
        number: Counted from 1, over all of the action's attempts.
        data: The line, encoded by the codec.
    """

    position: int
    number: int
    data: bytes


Change: TypeAlias = PlanRow | NodeRecord | LineRecord


@attrs.frozen(kw_only=True)
class Write:
    """Changes of one plan that become durable together, or not at all (STO-1).

    Attributes:
        plan_id: The plan's id.
        first: The log position of the first change; the others follow it.
        changes: In the order in which they were made.
        expect: The status the stored plan must have; otherwise nothing is written
            and the answer is a ``ConflictError``. None: any.
    """

    plan_id: UUID
    first: int
    changes: tuple[Change, ...]
    expect: Status | None = None


@attrs.frozen(kw_only=True)
class StoredPlan:
    """All that is stored of a plan, at one moment.

    Attributes:
        row: The plan's own state.
        definition: What was given to ``create``.
        records: Ordered by position, then attempt.
        position: The log position of the latest change; 0 when there is none.
        lines: How many lines each action has reported, by its position.
        stop_requested: Whether a stop was asked for (SP-1).
    """

    row: PlanRow
    definition: bytes
    records: tuple[NodeRecord, ...]
    position: int
    lines: dict[int, int]
    stop_requested: bool


@attrs.frozen(kw_only=True)
class LogSlice:
    """A piece of a plan's log.

    Attributes:
        missed: Whether changes right after the asked position are no longer kept.
        changes: Each with its position, in order; empty also when ``missed``.
        status: The plan's status at that moment: after a terminal one nothing follows.
    """

    missed: bool
    changes: tuple[tuple[int, Change], ...]
    status: Status


class ConflictError(StorageError):
    """The stored plan does not have the status that the writer expected."""


def newest_first(rows: Iterable[PlanRow], limit: int) -> list[PlanRow]:
    """The rows in the order of a list, at most ``limit`` of them (STO-4).

    Raises:
        ValueError: The limit is negative.
    """
    if limit < 0:
        message = f"limit must be 0 (all) or more, not {limit}"
        raise ValueError(message)
    if limit:
        return heapq.nlargest(limit, rows, key=_age)
    return sorted(rows, key=_age, reverse=True)


def _age(row: PlanRow) -> tuple[datetime, UUID]:
    return (row.submitted or _BEFORE_ALL, row.id)


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def not_found(plan_id: UUID) -> NotFoundError:
    """The answer of a read, or of a delete, of a plan that is not stored (STO-2)."""
    return NotFoundError(f"the store holds no plan {plan_id}", plan_id)


def refusal(write: Write, found: Status | None) -> StorageError | None:
    """Why a plan of this status (None: it is not stored) must not take the write."""
    if found is None:
        return StorageError(f"plan {write.plan_id} is not in the store")
    if write.expect not in (None, found):
        expected = write.expect.name
        return ConflictError(
            f"plan {write.plan_id} is {found.name}, not {expected}: another process "
            "has changed it"
        )
    return None


def refuse_delete(plan_id: UUID, found: Status) -> None:
    """Raise StorageError when a plan of this status must not be deleted (STO-5)."""
    if found is Status.RUNNING:
        message = f"plan {plan_id} is running and cannot be deleted: stop it first"
        raise StorageError(message)


class Vault(Protocol):
    """A store of plans. ``workstream.testing.check_vault`` tests one against this."""

    @property
    def shared(self) -> bool:
        """Whether other processes may use the same store, so that it must be polled."""
        ...

    async def open(self) -> None:
        """Make ready for use; run the store's own repair, if it has one (R-1).

        Raises:
            StoreFormatError: It is not such a store, or from a newer version.
            StorageError: It cannot be opened; the message says why and what to do.
        """
        ...

    async def close(self) -> None:
        """Let go of everything, claims included. Closing twice is fine."""
        ...

    async def create(self, row: PlanRow, definition: bytes) -> None:
        """Store a new plan. Raises PlanExistsError (STO-2)."""
        ...

    async def read(self, plan_id: UUID) -> StoredPlan:
        """All that is stored of a plan. Raises NotFoundError."""
        ...

    async def row(self, plan_id: UUID) -> PlanRow:
        """The plan's own state. Raises NotFoundError."""
        ...

    async def exists(self, plan_id: UUID) -> bool:
        """Whether the plan is stored."""
        ...

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Make the changes durable: one answer a write, in order; None means durable.

        The writes of different plans do not hang together: where they cannot be
        committed as one, each is tried by itself. A write to a plan that is not
        stored answers a StorageError (STO-2). Durable means
        durable: on return the changes survive the death of the process and, unless
        the vault was opened otherwise, a power cut.

        A call that is cancelled still waits for the commit that is under way.
        """
        ...

    async def search(
        self,
        *,
        ids: Collection[UUID] | None = None,
        group_ids: Collection[UUID] | None = None,
        statuses: Collection[Status] | None = None,
        limit: int = 0,
    ) -> list[PlanRow]:
        """Rows that fit every given kind, newest first, ties by id (STO-3, STO-4).

        Args:
            ids: None: any; otherwise one of these. The others likewise.
            group_ids: See ``ids``.
            statuses: See ``ids``.
            limit: How many at most; 0: all.
        """
        ...

    async def delete(self, plan_id: UUID) -> None:
        """Remove the plan and everything under it, in one transaction (STO-5).

        Raises NotFoundError, and StorageError when the plan is RUNNING.
        """
        ...

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """Up to ``limit`` changes after a log position. Raises NotFoundError."""
        ...

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """The kept lines of the action at this position, in order."""
        ...

    async def request_stop(self, plan_id: UUID, row_if_not_started: PlanRow) -> Status:
        """Ask for a stop, in one transaction with the look at the plan (SP-1).

        A plan that is NOT_STARTED gets ``row_if_not_started`` as its row, logged as a
        change; of one that is RUNNING the request is kept; of any other nothing
        changes. Returns the status that was found. Raises NotFoundError.
        """
        ...

    async def stop_requests(self) -> frozenset[UUID]:
        """The plans of which a stop is asked for. A cheap call: it is made often.

        The write that makes a plan terminal removes its request.
        """
        ...

    async def claim(self, plan_id: UUID) -> bool:
        """Become the one who runs the plan, if nobody is: False when somebody is (ST-2).

        Other processes on the store see the claim, and it dies with its process. It
        says nothing of whether the plan is stored.
        """
        ...

    async def release(self, plan_id: UUID) -> None:
        """Give the claim back. Releasing what is not held is fine."""
        ...

    async def owner(self, plan_id: UUID) -> int | None:
        """The process id of the plan's owner, this process included; None: nobody."""
        ...
