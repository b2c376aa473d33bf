"""Contexts to hand on, when one plugin does its work by another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from .._protocols.plugin import Context, Signal
from .._protocols.preview import PreviewContext
from .._values.state import NoteValue, PluginError


class FilteredContext:
    """A context whose lines for watchers go through a function first.

    ::

        quiet = FilteredContext(context, lambda line: None)
        await command.execute(quiet, request)
    """

    plan_id: UUID
    action_id: UUID
    path: str
    attempt: int
    deadline: datetime | None
    idempotency_key: str
    notes: Mapping[str, NoteValue]

    def __init__(self, context: Context, keep: Callable[[str], str | None]) -> None:
        """Wrap a context.

        Args:
            context: The attempt's.
            keep: Is given each line, and gives what watchers see of it; None: nothing.
        """
        self._context = context
        self._keep = keep

    def __getattr__(self, name: str) -> Any:
        """All facts are the wrapped context's, as they are when asked for."""
        return getattr(self._context, name)

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        """Tell watchers, if the function lets it pass."""
        kept = self._keep(message)
        if kept is not None:
            self._context.report(kept, done=done, total=total)

    async def remember(self, **notes: NoteValue) -> None:
        """Store notes with the attempt."""
        await self._context.remember(**notes)

    async def signal(self, name: str) -> NoteValue:
        """The first value that was sent by this name."""
        return await self._context.signal(name)

    def signals(self, name: str) -> AsyncIterator[Signal]:
        """All that is sent by this name."""
        return self._context.signals(name)


NO_SIGNALS = "nobody sends a signal here"


class NoSignals:
    """A base for contexts that get no signals, such as those of tests."""

    async def signal(self, name: str) -> NoteValue:
        """Fail: there is none, and to wait would be in vain."""
        raise PluginError(NO_SIGNALS)

    def signals(self, name: str) -> AsyncIterator[Signal]:
        """Fail: there are none."""
        raise PluginError(NO_SIGNALS)


class LookingContext(NoSignals):
    """A context for a preview that must call a plugin: nothing is noted or reported.

    There is no attempt, so the ids are its own: two previews have nothing in common.
    """

    def __init__(self, context: PreviewContext) -> None:
        """Make one for a preview.

        Args:
            context: The preview's.
        """
        self.path: str = context.path
        self.deadline: datetime | None = context.deadline
        self.plan_id: UUID = uuid4()
        self.action_id: UUID = uuid4()
        self.idempotency_key: str = str(self.action_id)
        self.attempt = 1
        self.notes: Mapping[str, NoteValue] = MappingProxyType({})

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        """Drop it."""

    async def remember(self, **notes: NoteValue) -> None:
        """Forget it."""
