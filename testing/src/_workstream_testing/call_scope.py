"""The time that one call may take."""

from __future__ import annotations

import math
from collections.abc import Callable

from .loop import Loop, Scope

__all__ = ["CallScope"]


class CallScope(Scope):
    """The time that one call may take; it begins where it is made, and is closed.

    Attributes:
        deadline: When the call is cancelled.
        over: Whether it was closed.
    """

    __slots__ = ("_armed", "_loop", "_on_expired", "deadline", "over", "task")

    def __init__(
        self, loop: Loop, seconds: float, on_expired: Callable[[], None]
    ) -> None:
        """Begin a scope around what the present task does from now on.

        Args:
            loop: The task's loop.
            seconds: How long that may take.
            on_expired: Called when the time is over.
        """
        self.task = loop.task
        super().__init__(self.task.scope)
        self.task.scope = self
        self._loop = loop
        self._on_expired = on_expired
        self.deadline = loop.time + seconds
        self.over = False
        # A call that never waits takes no time, so it needs no timer.
        self._armed = self.deadline == math.inf

    def arm(self) -> None:
        """See to it that the scope expires: the call waits."""
        if not self._armed:
            self._armed = True
            self._loop.add_deadline(self)

    def fire(self) -> None:
        """The deadline has come."""
        self._loop.expire(self)
        self._on_expired()

    def close(self) -> None:
        """The call is over."""
        self.over = True
        self.task.scope = self.parent
        self._loop.leave(self)

    @property
    def late(self) -> bool:
        """Whether the clock has passed the deadline; at the deadline is not late."""
        return self.cancelled and self._loop.time > self.deadline
