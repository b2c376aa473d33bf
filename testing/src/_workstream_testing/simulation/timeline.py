"""What began and ended when, in a simulation: to be asserted on, and to be looked at."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from workstream._plan.plan import BaseAction, Node
from workstream._plan.walk import position_of
from workstream._values.state import Attempt, Status

from .history import Entry, History, Life

_WORDS = {
    Status.RUNNING: "begins",
    Status.COMPLETED: "completes",
    Status.FAILED: "fails",
    Status.STOPPED: "stops",
}


@attrs.frozen
class Event:
    """One thing that happened.

    Attributes:
        time: When, in seconds since the simulation began.
        path: The object's path in the plan.
        what: What it did: ``begins``, ``completes``, ``fails: disk full``, ``stops``,
            ``begins attempt 2``, ``fails attempt 1: disk full``, ``is run again``.
    """

    time: float
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.time:>8g} s  {self.path} {self.what}"


class Timeline:
    """All that happened in a simulation.

    Print it to see it drawn: a lane a sequence, batch or check group.
    """

    def __init__(self, history: History) -> None:
        """Read a history."""
        self._history = history
        self._events: tuple[Event, ...] | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, in order; what happened at one instant included."""
        if self._events is None:
            self._events = tuple(_events(self._history))
        return self._events

    def draw(self, *, width: int = 100, height: int = 40) -> str:
        """The timeline as text.

        ``=`` is a call that runs, ``-`` the time between two, ``|`` a call that took no
        time, ``x`` one that failed, ``!`` one that a crash cut short, ``>`` one that
        still runs. Of too many lanes, those with failures stay.

        Args:
            width: How many columns it may have; at least 60.
            height: How many lines; at least 10.
        """
        from .drawing import draw

        return draw(self._history, max(width, 60), max(height, 10))

    def __str__(self) -> str:
        return self.draw()

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)


def _events(history: History) -> Iterator[Event]:
    for life in history.lives():
        if life.number:
            path = history.path_of(history.plan)
            yield Event(life.began, path, "is recovered: the engine had crashed")
        yield from _LifeEvents(history, life).events()


class _LifeEvents:
    """The events of one run of the engine."""

    def __init__(self, history: History, life: Life) -> None:
        self._history = history
        self._life = life
        self._open: dict[int, Attempt] = {}
        self._status: dict[int, Status] = {}

    def events(self) -> Iterator[Event]:
        """What happened, in order."""
        for entry in self._life.entries:
            time, node = entry[0], entry[1]
            for what in self._of(entry):
                yield Event(time, self._history.path_of(node), what)

    def _of(self, entry: Entry) -> Iterator[str]:
        _, node, status, attempt, number, is_open = entry
        position = position_of(node)
        if attempt is not None and is_open:
            if self._open.get(position) is not attempt:
                self._open[position] = attempt
                yield "begins" if number == 1 else f"begins attempt {number}"
            elif attempt.unresponsive:
                yield "does not end, 30 seconds after it was cancelled"
            return
        before = self._status.get(position)
        self._status[position] = status
        if status is Status.NOT_STARTED:
            return
        if isinstance(node, BaseAction):
            yield from self._end(node, status, attempt, number)
        elif status is not Status.RUNNING:
            yield _WORDS[status]
        elif before is not Status.RUNNING:
            yield "begins" if before is None else "is run again"

    def _end(
        self, action: Node, status: Status, attempt: Attempt | None, number: int
    ) -> Iterator[str]:
        error = None if attempt is None else attempt.error
        text = "" if error is None else f": {error}"
        if status is not Status.RUNNING:
            yield _WORDS[status] + (text if status is Status.FAILED else "")
        elif self._open.pop(position_of(action), None) is attempt:
            yield f"fails attempt {number}{text}"
