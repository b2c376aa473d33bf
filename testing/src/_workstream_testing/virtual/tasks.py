"""What a loop drives: tasks, and the scopes that they are in."""

from __future__ import annotations

import math
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import Nursery


class Scope:
    """What can be cancelled together: a nursery's children, or one call."""

    __slots__ = ("cancelled", "deadline", "parent")

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.cancelled = False
        self.deadline = math.inf

    def arm(self) -> None:
        """A task inside waits until the deadline, at least; only calls have one."""

    def unarmed(self) -> float:
        """The deadline, where no timer tells of it yet; infinity: nothing is to tell."""
        return math.inf


class Task:
    """A coroutine on its way."""

    __slots__ = (
        "coroutine",
        "error",
        "nursery",
        "parked",
        "scope",
        "send",
        "shielded",
        "ticket",
    )

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        nursery: Nursery | None,
        scope: Scope | None,
    ) -> None:
        self.coroutine = coroutine
        self.send = coroutine.send
        self.nursery = nursery
        self.scope = scope
        self.error: BaseException | None = None
        self.parked = False
        self.shielded = False
        self.ticket = 0
