"""From a run's records to durable ones: one queue a plan, one committer a store.

Each running plan has a ``Journal``: the queue of its changes, in the order in which they
were made. One ``Committer`` task serves them all: it takes what every queue holds, hands
it to the vault as one batch, and tells who waits. What arrives in the meantime is the
next batch. So the more runs at once, the more actions share one disk sync, and a plan's
changes never overtake each other (STO-10).

A change that is recorded always becomes durable soon. But the committer lets everything
that is ready to run go first before it takes a batch: thus the end of an action and the
start of the next one, recorded in one breath, share a commit, and a record that nobody
waits for rarely costs one of its own.

A write that fails breaks off its own plan's run and no other (STO-6). What became of it
is not known then, so nothing of that plan is written after it: the next recovery reads
what the store really holds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from typing import Any
from uuid import UUID

import outcome
import trio

from .._protocols.vault import Change, Vault, Write
from .._values.errors import StorageError


class _Known(outcome.Outcome[None]):
    """That the outcome of a batch is known: it says the same to all who waited for it.

    What trio makes for each task that it wakes costs as much as all else of the waking,
    and is good for one only.
    """

    def unwrap(self) -> None:
        """Nothing more is to be said."""

    def send(self, gen: Generator[Any, None, Any]) -> Any:
        """Go on with a generator."""
        return next(gen)

    async def asend(self, agen: AsyncGenerator[Any, None]) -> Any:
        """Go on with an asynchronous generator."""
        return await anext(agen)


_KNOWN = _Known()


class Batch:
    """Changes that become durable together."""

    def __init__(self) -> None:
        """Begin with none, of no journal."""
        self.journals: dict[UUID, Journal] = {}
        self._waiting: dict[trio.lowlevel.Task, None] = {}
        self._is_over = False

    def wait(self, task: trio.lowlevel.Task) -> Awaitable[object]:
        """Return when its outcome is known: what ``trio.Event`` does, for half the price.

        It is awaited in this task, at once. It has no frame of its own to wait in.
        """
        if self._is_over:
            return trio.lowlevel.checkpoint()  # noqa: ASYNC105
        waiting = self._waiting
        waiting[task] = None

        def leave(_: object) -> trio.lowlevel.Abort:
            del waiting[task]
            return trio.lowlevel.Abort.SUCCEEDED

        return trio.lowlevel.wait_task_rescheduled(leave)  # noqa: ASYNC105

    def end(self) -> None:
        """Wake all who wait for it, in one go."""
        self._is_over = True
        for task in self._waiting:
            trio.lowlevel.reschedule(task, _KNOWN)
        self._waiting.clear()


class Committer:
    """Commits what the journals of one store hold, a batch at a time."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._open = Batch()
        self._work = trio.Event()

    def join(self, journal: Journal) -> Batch:
        """Make the journal part of the next batch, and return it."""
        self._open.journals[journal.plan_id] = journal
        self._work.set()
        return self._open

    async def run(self) -> None:
        """Commit for ever; when it is cancelled, what is queued is committed first."""
        try:
            while True:
                if not self._open.journals:
                    # Tasks that waited for the last commit run before this one does.
                    # So their next records are part of the next commit, and need not
                    # wait for the one after it.
                    await trio.lowlevel.checkpoint()
                if not self._open.journals:
                    await self._work.wait()
                await self._commit()
        finally:
            if self._open.journals:
                await self._commit()

    async def _commit(self) -> None:
        batch, self._open, self._work = self._open, Batch(), trio.Event()
        taken = [(j, j.take()) for j in batch.journals.values() if j.error is None]
        answers: Sequence[StorageError | None] = ()
        try:
            with trio.CancelScope(shield=True):
                answers = await self._vault.write([write for _, write in taken])
            if len(answers) != len(taken):
                message = f"it gave {len(answers)} answers to {len(taken)} writes"
                raise ValueError(message)
        except Exception as error:
            answers = [_as_storage_error(error)] * len(taken)
        for (journal, write), answer in zip(taken, answers, strict=True):
            journal.settle(write, answer)
        batch.end()


def _as_storage_error(error: Exception) -> StorageError:
    if isinstance(error, StorageError):
        return error
    wrapped = StorageError(f"the vault failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


class Journal:
    """One plan's queue of changes on their way to the vault.

    Attributes:
        error: How a commit failed, if one did.
        taken: The number of the last request that was taken: it goes with the next
            commit, which has its effect (CT-2).
        batch: The latest one that has changes of the plan; None: there was none yet.
    """

    def __init__(
        self,
        committer: Committer,
        plan_id: UUID,
        position: int,
        *,
        taken: int = 0,
        on_durable: Callable[[], None],
        on_error: Callable[[], None],
    ) -> None:
        """Make a journal.

        Args:
            committer: Commits it.
            plan_id: The plan whose changes these are.
            position: The log position of the plan's latest durable change.
            taken: The number of the last request that a recovery has taken.
            on_durable: Called after each commit.
            on_error: Called when a commit failed; ``error`` tells how.
        """
        self.plan_id = plan_id
        self.error: StorageError | None = None
        self.taken: int = taken
        self.batch: Batch | None = None
        self._committer = committer
        self._position = position
        self._removed = taken
        self._queue: list[Change] = []
        self._on_durable = on_durable
        self._on_error = on_error

    def take_request(self, number: int) -> None:
        """Let the next commit, which has the request's effect, remove the request."""
        if self.error is None:
            if not self._queue:
                self.batch = self._committer.join(self)
            self.taken = number

    def add(self, change: Change) -> None:
        """Queue one change."""
        if self.error is None:
            if not self._queue:
                self.batch = self._committer.join(self)
            self._queue.append(change)

    async def durable(self) -> None:
        """Return when every change queued so far is durable.

        Raises:
            StorageError: A write of this plan failed.
        """
        if self.batch is not None:
            await self.batch.wait(trio.lowlevel.current_task())
        if self.error is not None:
            raise self.error

    def take(self) -> Write:
        """Hand the queued changes over for a commit."""
        changes, self._queue = tuple(self._queue), []
        taken = self.taken if self.taken > self._removed else 0
        self._removed = self.taken
        return Write(
            plan_id=self.plan_id,
            first=self._position + 1,
            changes=changes,
            taken=taken,
        )

    def settle(self, write: Write, answer: StorageError | None) -> None:
        """Learn how the commit of a ``Write`` ended."""
        if answer is None:
            self._position += len(write.changes)
            self._on_durable()
        elif self.error is None:
            self.error = answer
            self._queue.clear()
            self._on_error()
