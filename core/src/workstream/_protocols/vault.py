"""The vault protocol: what a store of plans must be able to do (section 16).

A vault keeps, for each plan,

- its **definition**: what the user wrote, encoded once, at submit, never changed;
- its **row**: the plan's own state, small, all that a list or a search needs;
- its **records**: the latest state of every other object, keyed by the object's
  position in walk order. An object that has no record is as the definition left it:
  NOT_STARTED. An action has one record an attempt, and its state is that of its
  latest one. A record removes those of later attempts: so one with attempt 0 resets
  the action (C-1), and one with attempt 1 does so and begins again;
- its **interventions**: what was asked of it and taken, or refused (CT-1). They are
  records too, of position 0, one for each;
- its **log**: the latest changes in the order in which they became durable, each
  with a position that only grows. Watchers read it (section 23). It is bounded;
- its **lines**: what its plugins reported, bounded;
- its **requests**: what was asked of it and has not been taken yet; and, while a
  process runs it, a **claim**.

Of the store as a whole it keeps one thing: what was last said of a **freeze** (HO-6).

What is inside a definition or a record is the codec's business: to a vault they are
bytes. That keeps a vault small, and makes every vault store the same thing.

**To ask a plan something** (CT-1, CT-2) works from any process that can open the store,
whether an engine runs the plan or not. Somebody asks, the vault keeps, the run takes:

1. ``ask`` looks at the plan and acts, in one transaction. Of a RUNNING plan it keeps the
   request, behind those that it keeps already. A plan that is NOT_STARTED has no run that
   could take it: so whoever asks brings the effect along, and the effect is written
   instead. Of a terminal plan nothing is asked any more. Either way the answer is durable.
2. The run of the plan looks for ``requests`` twice a second, and a recovery finds them in
   what it reads. Each takes them in their order.
3. The ``Write`` that has their effect names the last one it has ``taken``: with it they
   are removed. So after a crash a request is either still there, or its effect is. The
   write that makes the plan terminal removes what nobody took: it came too late.

A request and its effect are two things (SP-8), and a vault knows only the first: it never
looks at a verb. A new verb is a rule, an effect and a command, and no line of a vault.

**One plan has one writer**, the holder of its claim, and it counts the log positions:
the first change of a ``Write`` follows the latest that is stored.
Writing the same ``Write`` twice leaves the store as writing it once did: a commit
whose outcome is unknown may be repeated. The one thing that others change is a plan
that is NOT_STARTED, by ``ask``; so whoever starts a plan says what it expects to find.

Every method may be called from several tasks of one event loop. Every method is
atomic: it happens wholly or not at all, also under cancellation and crash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

import attrs

from .._plan.outcome import Outcome, TakenBack, outcome_of
from .._values.errors import (
    ConflictError,
    LockTakenError,
    NotFoundError,
    StorageError,
)
from .._values.interventions import Freeze, Intervention
from .._values.state import FailureReason, Status
from .searching import ANY_PLAN, Where

STOP = "stop"
"""The verb that ends a plan in good order (section 14)."""

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
        locks: The names that it holds while it is RUNNING (LK-1).
        taken_back: What came of the undo (UN-3); None: nothing was undone.
        held: What keeps anything new of it from being begun (CT-3).
        skipped: How many skips were taken (SK-2).
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
    locks: tuple[str, ...] = ()
    taken_back: TakenBack | None = None
    held: tuple[Intervention, ...] = ()
    skipped: int = 0

    @property
    def outcome(self) -> Outcome:
        """The status in words, as ``Plan.outcome`` (OM-4)."""
        return outcome_of(
            self.status, with_failures=self.with_failures, skipped=self.skipped
        )


# Two are made for each action, and freezing makes that four times as slow.
@attrs.define(unsafe_hash=True, weakref_slot=False)
class NodeRecord:
    """The state of one object after a change.

    Attributes:
        position: The object's place in walk order; the plan itself is 0.
        attempt: Of an action, how many attempts it has; otherwise 0. Of the plan, whose
            state is its row, how many interventions.
        data: The state, and the latest attempt, encoded by the codec; of the plan, its
            latest intervention.
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


Owner: TypeAlias = int | str
"""Who runs a plan: the id of a process of this machine, or who it is in words."""


def owner_text(owner: Owner) -> str:
    """Who runs a plan, in words."""
    return f"process {owner}" if isinstance(owner, int) else owner


Change: TypeAlias = PlanRow | NodeRecord | LineRecord


@attrs.frozen(kw_only=True)
class PlanRequest:
    """What a person or a program asks of a plan (CT-1).

    Attributes:
        plan_id: The plan.
        verb: What is asked, for example ``STOP``.
        by: Who asks (CT-4).
        at: When it was asked.
        reason: Why, in the asker's words.
        path: The object of the plan that it is about; "": the plan itself.
        data: What else the verb needs, encoded by whoever knows the verb.
        number: Its place among the plan's requests, given by the vault. It grows, and
            no request of the plan ever gets it again.
    """

    plan_id: UUID
    verb: str
    by: str
    at: datetime
    reason: str = ""
    path: str = ""
    data: bytes = b""
    number: int = 0


@attrs.frozen(kw_only=True)
class Write:
    """Changes of one plan that become durable together, or not at all (STO-1).

    Attributes:
        plan_id: The plan's id.
        first: The log position of the first change; the others follow it.
        changes: In the order in which they were made.
        expect: The status the stored plan must have, with nothing in its log that the
            writer has not seen; otherwise nothing is written and the answer is a
            ``ConflictError``. None: any. A write that makes a NOT_STARTED plan RUNNING
            takes the locks of its row: if another RUNNING plan holds one of them,
            nothing is written and the answer is a ``LockTakenError`` (LK-1).
        taken: The requests with numbers up to this one are removed.
    """

    plan_id: UUID
    first: int
    changes: tuple[Change, ...]
    expect: Status | None = None
    taken: int = 0


@attrs.frozen(kw_only=True)
class StoredPlan:
    """All that is stored of a plan, at one moment.

    Attributes:
        row: The plan's own state.
        definition: What was given to ``create``.
        records: Ordered by position, then attempt.
        position: The log position of the latest change; 0 when there is none.
        lines: How many lines each action has reported, by its position.
        requests: What was asked of it and not taken yet, in order (CT-2).
    """

    row: PlanRow
    definition: bytes
    records: tuple[NodeRecord, ...]
    position: int
    lines: dict[int, int]
    requests: tuple[PlanRequest, ...] = ()


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


def not_found(plan_id: UUID) -> NotFoundError:
    """The answer of a read, or of a delete, of a plan that is not stored (STO-2)."""
    return NotFoundError(f"the store holds no plan {plan_id}", plan_id)


def refusal(write: Write, found: Status | None, position: int) -> StorageError | None:
    """Why a stored plan must not take the write; None: it may.

    Args:
        write: The write.
        found: The plan's status; None: it is not stored.
        position: The log position of its latest change; looked at where something is
            expected of the plan.
    """
    if found is None:
        return StorageError(f"plan {write.plan_id} is not in the store")
    if write.expect is None or (write.expect, write.first) == (found, position + 1):
        return None
    return ConflictError(
        f"plan {write.plan_id} is {found.name} at change {position}, not "
        f"{write.expect.name} at change {write.first - 1}: another process has changed it"
    )


def locks_taken(write: Write) -> frozenset[str]:
    """The locks that the write takes: it makes a plan RUNNING that was not (LK-1).

    A plan holds its locks just as long as its stored row says RUNNING. So nothing is
    kept beside the rows, and a crash or a lost write can leave no lock behind.
    """
    if write.expect is not Status.NOT_STARTED:
        return frozenset()
    rows = (change for change in write.changes if isinstance(change, PlanRow))
    return frozenset(
        name for row in rows if row.status is Status.RUNNING for name in row.locks
    )


def lock_refusal(
    write: Write, wanted: frozenset[str], rows: Iterable[PlanRow]
) -> LockTakenError | None:
    """Why the write must not take its locks; None: it may.

    Args:
        write: The write.
        wanted: The locks that it takes.
        rows: At least the rows of all plans that are RUNNING.
    """
    for row in rows:
        both = wanted.intersection(row.locks)
        if both and row.status is Status.RUNNING and row.id != write.plan_id:
            return LockTakenError(min(both), row.id)
    return None


def next_number(position: int, last: int) -> int:
    """The number of the plan's next request.

    What takes a request is a change. So the plan's log position tells apart those that
    were asked before it and after it, and no number comes again.

    Args:
        position: The log position of the plan's latest change.
        last: The number of its last request that was not taken yet; 0: there is none.
    """
    return max(position << 16, last) + 1


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

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """Store a new plan. Raises PlanExistsError (STO-2).

        Args:
            row: Its own state.
            definition: What the user wrote.
            labels: Texts that a search can find it by (``Where.labels``). They stay as
                they are, and nothing gives them back.
        """
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
        where: Where = ANY_PLAN,
        limit: int = 0,
    ) -> list[PlanRow]:
        """Rows that fit every given kind, newest first, ties by id (STO-3, STO-4).

        What it costs grows with what is found, not with what is stored (STO-15).

        Args:
            ids: None: any; otherwise one of these. The others likewise.
            group_ids: See ``ids``.
            statuses: See ``ids``.
            where: What else they must fit.
            limit: How many at most; 0: all.
        """
        ...

    async def counts(self) -> Mapping[Outcome, int]:
        """How many plans are stored of each outcome that there is (STO-15)."""
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

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """Ask the plan something, in one transaction with the look at it (CT-2).

        Args:
            request: Kept when the plan is RUNNING; the vault gives it its number.
            if_not_started: Written instead when the plan is NOT_STARTED; it expects
                that.

        Returns:
            The status that was found. Of a terminal plan nothing is kept.

        Raises:
            NotFoundError: No such plan.
            ConflictError: It is NOT_STARTED, but was changed since it was looked at.
        """
        ...

    async def requests(self) -> Sequence[PlanRequest]:
        """All that was asked and not taken yet, of every plan; of each in order.

        A cheap call: it is made often. The write that makes a plan terminal removes
        the plan's requests.
        """
        ...

    def freeze(self) -> Freeze | None:
        """What the store says of a freeze; None: nothing was ever said (HO-6).

        It does not wait and is cheap: it is asked before each beginning of each plan.
        """
        ...

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """Write down what the store says of a freeze; durable on return.

        Args:
            freeze: What it is to say.
            expect: What it says now; otherwise nothing is written.

        Returns:
            Whether it was as expected.
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

    async def owner(self, plan_id: UUID) -> Owner | None:
        """Who runs the plan, this process included; None: nobody."""
        ...
