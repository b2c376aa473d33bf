"""The runtime protocol: all that the interpreter can ask of the world around it.

The interpreter is plain ``async`` code that awaits nothing but what these verbs give
it, so any event loop, or none, can drive it: trio (``_runtime.trio_runtime``), a simulator
in virtual time, a workflow server.

Three promises make the interpreter's own code simple. Whoever writes a runtime keeps
them:

1. ``record`` returns at once, and the records of one plan become durable in the order
   in which they were made (STO-10). As the interpreter changes memory and records it
   with no ``await`` between, every crash leaves a prefix of one history.
2. A plugin's failure is an ``AttemptOutcome``, never an exception (T-5). What a verb does
   raise breaks the whole run off, as a crash would: nothing catches it on the way.
3. Cancellation belongs to the runtime. The interpreter never cancels; it gives its
   waits a condition that ends them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import attrs

from .._plan.plan import BaseAction, Node
from .._values.interventions import Freeze
from .._values.state import Attempt, OnInterrupt, PluginError
from ..retries import RetryPolicy
from .plugin import NotDone


@attrs.define
class AttemptOutcome:
    """How an attempt ended: a response, an error, or both (A-3).

    Attributes:
        response: What the plugin returned.
        error: How it failed.
        interrupted: Whether a stop cut it, as a crash would have (SN-1).
    """

    response: object = None
    error: PluginError | None = None
    interrupted: bool = False


UsualWay: TypeAlias = Callable[
    [BaseAction, datetime], Awaitable[datetime | AttemptOutcome | None]
]
"""A runtime's own short way for an action of a main phase that begins at this time.

It gives the time at which the action was COMPLETED, by its first attempt, and recorded so;
or how that attempt ended, if anything is to be decided; or None, if it is not for this
action, and nothing has begun.
"""


class Nursery(Protocol):
    """Runs children side by side; it is left when all of them have ended."""

    def start_soon(
        self, function: Callable[..., Awaitable[Any]], /, *args: Any
    ) -> None:
        """Begin a child."""
        ...


class Runtime(Protocol):
    """The verbs. One runtime runs one plan."""

    def now(self) -> datetime:
        """The time to record, timezone-aware UTC."""
        ...

    def random(self) -> float:
        """A number from 0 to 1, for jitter; a seeded runtime replays it."""
        ...

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        """How long to wait before another attempt, as the action's plugin says (A-11)."""
        ...

    def on_interrupt(self, action: BaseAction, /) -> OnInterrupt:
        """What an interrupted attempt of the action means (R-7)."""
        ...

    def record(self, *nodes: Node) -> None:
        """Note that these objects have just changed; they become durable soon."""
        ...

    async def durable(self) -> None:
        """Return when everything recorded so far is durable."""
        ...

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Return after so many seconds, or as soon as ``until()`` holds.

        ``until`` is asked at the beginning and after each ``wake``.
        """
        ...

    def wake(self) -> None:
        """Say that the ``until`` of a wait may have come true."""
        ...

    async def hear(self) -> None:
        """Take what was asked of the plan until now, before its end is written (CT-2)."""
        ...

    def freeze(self) -> Freeze | None:
        """What the store says of a freeze (HO-6), asked before each beginning."""
        ...

    async def execute(
        self, action: BaseAction, attempt: Attempt, main: bool
    ) -> AttemptOutcome:
        """Make one call of the action's plugin, its timeout kept (section 10).

        Args:
            action: The action.
            attempt: Its attempt.
            main: Whether it is of a main phase: then the runtime cuts it as soon as
                ``judgement.cuts`` says so, and the outcome tells (SN-1).
        """
        ...

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        """Ask the action's plugin what became of the interrupted attempt (R-7)."""
        ...

    def nursery(self) -> AbstractAsyncContextManager[Nursery]:
        """A place for children; leaving it waits for them."""
        ...
