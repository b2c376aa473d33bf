"""The store of a simulated run: its changes, grouped as the engine groups them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from uuid import UUID

import attrs

from workstream._protocols.vault import Change, Vault, Write

from ..virtual.loop import Loop
from ..virtual.tasks import Task


@attrs.define
class Store:
    """Where the changes of one run go, if they are stored at all.

    Attributes:
        vault: The vault.
        plan_id: Whose changes they are.
        position: The log position of the latest durable one.
    """

    vault: Vault
    plan_id: UUID
    position: int


class Journal:
    """One run's changes on their way to the vault, grouped as the engine groups them."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self._loop = loop
        self._store = store
        self._queue: list[Change] = []
        self._waiting: list[tuple[Task, int]] = []
        self._start_soon: Callable[[Callable[[], Awaitable[None]]], None] | None = None
        self._taken = 0

    def take_request(self, number: int) -> None:
        """Let the next commit, which has the request's effect, remove the request."""
        if not self._queue:
            assert self._start_soon is not None
            self._start_soon(self._commit)
        self._taken = number

    @property
    def has_changes(self) -> bool:
        """Whether anything is queued."""
        return bool(self._queue or self._taken)

    def waiting(self) -> Iterator[Task]:
        """The tasks that wait for the commit."""
        return (task for task, ticket in self._waiting if task.ticket == ticket)

    def open(self, start_soon: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
        """Say how a commit is begun."""
        self._start_soon = start_soon

    def add(self, change: Change) -> None:
        """Queue a change; what is ready to run goes before its commit."""
        if not self._queue:
            assert self._start_soon is not None
            self._start_soon(self._commit)
        self._queue.append(change)

    async def durable(self) -> None:
        """Return when all that is queued is durable."""
        if self._queue:
            task = self._loop.task
            self._waiting.append((task, task.ticket))
            await self._loop.park()
        else:
            await self._loop.checkpoint()

    async def _commit(self) -> None:
        changes, self._queue = tuple(self._queue), []
        waiting, self._waiting = self._waiting, []
        store = self._store
        if not (changes or self._taken):
            return  # another commit has taken it along
        write = Write(
            plan_id=store.plan_id,
            first=store.position + 1,
            changes=changes,
            taken=self._taken,
        )
        self._taken = 0
        [answer] = await store.vault.write([write])
        if answer is not None:
            raise answer
        store.position += len(changes)
        for task, ticket in waiting:
            if task.ticket == ticket:  # otherwise it was cancelled meanwhile
                self._loop.wake(task)
