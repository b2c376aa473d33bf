"""The time that one call may take."""

from __future__ import annotations

import math

from .loop import Loop
from .tasks import Scope


class CallScope(Scope):
    """The time that one call may take; it begins where it is made, and is closed.

    Attributes:
        deadline: When the call is cancelled.
        over: Whether it was closed.
        task: The task that makes the call.
    """

    __slots__ = ("_armed", "_loop", "over", "task")

    def __init__(self, loop: Loop, seconds: float) -> None:
        """Begin a scope around what the present task does from now on.

        Args:
            loop: The task's loop.
            seconds: How long that may take.
        """
        self.task = loop.task
        self.parent = self.task.scope
        self.cancelled = False
        self.task.scope = self
        self._loop = loop
        self.deadline = loop.time + seconds
        self.over = False
        # A call that never waits takes no time, so it needs no timer.
        self._armed = self.deadline == math.inf

    def arm(self) -> None:
        """See to it that the scope expires."""
        if not self._armed:
            self._armed = True
            self._loop.add_deadline(self)

    def unarmed(self) -> float:
        """The deadline, where no timer tells of it yet."""
        return math.inf if self._armed else self.deadline

    def fire(self) -> None:
        """The deadline has come."""
        self._loop.expire(self)

    def close(self) -> None:
        """The call is over."""
        self.over = True
        self.task.scope = self.parent
        if self.cancelled:
            self._loop.leave(self)

    @property
    def late(self) -> bool:
        """Whether the clock has passed the deadline; at the deadline is not late."""
        return self.cancelled and self._loop.time > self.deadline
