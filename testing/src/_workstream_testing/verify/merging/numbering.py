"""The tasks of one moment, numbered: what a signature says in the place of names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from workstream._values.state import Status

from ...virtual.tasks import Task
from .shapes import Member

if TYPE_CHECKING:
    from .signatures import Signatures


def place_of(member: Member) -> int:
    """Where a sequence is in the plan."""
    return member.place


class Tasks:
    """The tasks of one moment, numbered as they turn up."""

    def __init__(self, signatures: Signatures, now: datetime) -> None:
        """Begin to number.

        Args:
            signatures: Says what each task does.
            now: When it is.
        """
        self._signatures = signatures
        self._now = now
        self._numbers: dict[Task, int] = {}
        self.said: list[object] = []

    def running(self, task: Task) -> None:
        """Number the task that runs."""
        self._numbers[task] = 0
        self.said.append(self._signatures.task(task, self._now))

    def number(self, task: Task) -> int:
        """The task's number; what it does is said when it turns up first."""
        found = self._numbers.get(task)
        if found is None:
            found = self._numbers[task] = len(self._numbers)
            self.said.append(self._signatures.waits(task, self._now))
        return found

    def left(self, members: Iterable[Member]) -> list[Member]:
        """Those of the members that no task works on, in the order of the plan."""
        owned = {self._signatures.owner(task) for task in self._numbers}
        return sorted((each for each in members if each not in owned), key=place_of)

    def in_plan_order(self) -> list[int]:
        """The numbers of those that work on sequences, in the order of the plan."""
        owners = [
            (owner.place, number)
            for task, number in self._numbers.items()
            if isinstance(owner := self._signatures.owner(task), Member)
            and owner.sequence.state.status is Status.RUNNING
        ]
        return [number for _, number in sorted(owners)]
