"""The ``Context`` that a plugin gets for one attempt, on every runtime."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, cast
from uuid import UUID

from .._plan.plan import BaseAction, Node
from .._protocols.plugin import Signal
from .._secrets.forms import hide
from .._secrets.scrubbing import hide_within
from .._values.state import Attempt, NoteValue

MAX_NOTE_BYTES = 4096


class ContextHost(Protocol):
    """What a context needs of its runtime."""

    def record(self, *nodes: Node) -> None:
        """Queue what these objects are now."""
        ...

    async def durable(self) -> None:
        """Return when everything recorded so far is durable."""
        ...

    def path_of(self, action: BaseAction, /) -> str:
        """The action's address in the plan (OM-15)."""
        ...

    def date_of(self, time: float) -> datetime | None:
        """When the runtime's own clock will tell this time; None: never."""
        ...

    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """Take in a line for watchers."""
        ...

    def sent(self, action: BaseAction, name: str) -> list[Signal]:
        """What was sent to an action by a name so far (SG-1)."""
        ...

    async def until_sent(self, until: Callable[[], bool]) -> None:
        """Wait for a signal; a stop may cut the attempt (SG-2)."""
        ...


class AttemptContext:
    """The context of one attempt; see ``workstream.Context`` for its contract."""

    # One is made for each attempt, so what is the same for most of them is kept here.
    waiting = 0
    """How many of its tasks wait for a signal (SG-2)."""
    is_cut = False
    """Whether a stop has cut it."""
    _over = False

    def __init__(
        self,
        action: BaseAction,
        current: Attempt,
        ends: float,
        secrets: frozenset[str],
        host: ContextHost,
    ) -> None:
        self.action = action
        self.current = current
        self.ends = ends
        """When, by its runtime's clock, it will be cancelled."""
        self._attempt = len(action.attempts)
        self._secrets = secrets
        self._host = host

    @property
    def plan_id(self) -> UUID:
        """The plan's id."""
        return _given(self.action.plan_id)

    @property
    def action_id(self) -> UUID:
        """The action's id."""
        return _given(self.action.id)

    @property
    def path(self) -> str:
        """The action's address in the plan."""
        return self._host.path_of(self.action)

    @property
    def attempt(self) -> int:
        """Which attempt this is, counted from 1."""
        return self._attempt

    @property
    def deadline(self) -> datetime | None:
        """When the attempt will be cancelled; None: never."""
        return self._host.date_of(self.ends)

    @property
    def idempotency_key(self) -> str:
        """The action's id, which no other action of any plan has."""
        return str(self.action_id)

    @property
    def notes(self) -> Mapping[str, NoteValue]:
        """What this and earlier attempts remembered; the newest wins."""
        merged: dict[str, NoteValue] = {}
        for attempt in self.action.attempts:
            merged.update(attempt.notes)
        return MappingProxyType(merged)

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        """Tell watchers; a call after the attempt has ended is dropped."""
        if not self._over:
            text = hide(str(message), self._secrets)
            self._host.report(
                self.action,
                self._attempt,
                text,
                _amount("done", done),
                _amount("total", total),
            )

    async def remember(self, **notes: NoteValue) -> None:
        """Store notes with the attempt; they are durable on return."""
        if self._over:
            message = f"{self.path}: the attempt is over: it can remember nothing more"
            raise RuntimeError(message)
        for name, value in notes.items():
            _check_note(name, value)
            self.current.notes[hide(name, self._secrets)] = hide_within(
                value, self._secrets
            )
        self._host.record(self.action)
        await self._host.durable()

    async def signal(self, name: str) -> NoteValue:
        """The first value that was sent by this name."""
        if not self.sent(name):
            self.report(f"waits for the signal {name}")
        return (await anext(self.signals(name))).value

    def signals(self, name: str) -> AsyncIterator[Signal]:
        """All that is sent by this name, from the first."""
        return _Signals(self, name)

    def sent(self, name: str) -> list[Signal]:
        """What was sent by this name so far."""
        return self._host.sent(self.action, name)

    async def until_sent(self, name: str, count: int) -> None:
        """Wait until more than so many signals were sent by this name."""
        self.waiting += 1
        try:
            await self._host.until_sent(lambda: len(self.sent(name)) > count)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """The attempt is over."""
        self._over = True


class _Signals:
    """The signals of one name, in order; no generator, which would have to be closed."""

    def __init__(self, context: AttemptContext, name: str) -> None:
        self._context = context
        self._name = name
        self._heard = 0

    def __aiter__(self) -> _Signals:
        return self

    async def __anext__(self) -> Signal:
        context, name, heard = self._context, self._name, self._heard
        if len(context.sent(name)) <= heard:
            await context.until_sent(name, heard)
        self._heard += 1
        return context.sent(name)[heard]


def _amount(name: str, value: object) -> float | None:
    """A number that can be stored and shown; one that is no amount is left out."""
    if value is None:
        return None
    try:
        if isinstance(value, (str, bytes)):  # they would be parsed
            raise TypeError
        number = float(cast("float", value))
    except (TypeError, ValueError, OverflowError):
        message = f"report: {name} is a {type(value).__name__}: it must be a number"
        raise TypeError(message) from None
    if not math.isfinite(number):
        return None
    return int(value) if isinstance(value, int) else number


def _check_note(name: str, value: object) -> None:
    if not isinstance(value, (str, int, float, bool, bytes, type(None))):
        message = (
            f"note {name!r} is a {type(value).__name__}: a note is a str, int, float, "
            "bool, bytes or None"
        )
        raise TypeError(message)
    size = len(value.encode(errors="surrogatepass")) if isinstance(value, str) else 0
    size = len(value) if isinstance(value, bytes) else size
    if isinstance(value, int) and not isinstance(value, bool):
        size = value.bit_length() // 8
    if size > MAX_NOTE_BYTES:
        message = f"note {name!r} has {size} bytes: a note has at most {MAX_NOTE_BYTES}"
        raise ValueError(message)


def _given(value: UUID | None) -> UUID:
    assert value is not None, "a running action has its ids"
    return value
