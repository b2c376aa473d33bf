"""What happens in a simulation, noted as it happens and read when it is over.

Noting is done for every change of every object, so it keeps what is at hand and thinks
later. A history outlives a crash: a **life** is one run of the engine, and the next one
goes on in the same history with objects that were read from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

import attrs

from workstream._plan.paths import paths
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._plan.walk import position_of
from workstream._values.state import Attempt, Status

Entry: TypeAlias = tuple[float, Node, Status, Attempt | None, int, bool]
"""One change: when, of what, its status; of an action its latest attempt, the number of
that, and whether it was still open."""

_SIZE, _ATTEMPT = 6, 3
"""How many things make an entry, and which of them is the attempt."""

Called: TypeAlias = tuple[BaseAction, Attempt, int, float]
"""One call of a plugin: of which action, its attempt, the number of that, and when."""

_CALL = 4
"""How many things make a call; the attempt is the one after the first."""


@attrs.frozen
class Report:
    """What a plugin reported about its progress.

    Attributes:
        time: When, in seconds since the simulation began.
        path: The action's path.
        attempt: Of which attempt.
        message: What it said.
        done: How much is done, where it said so.
        total: Of how much.
    """

    time: float
    path: str
    attempt: int
    message: str
    done: float | None = None
    total: float | None = None


@attrs.frozen(kw_only=True)
class Call:
    """One call of a plugin, its times in seconds since the simulation began.

    Attributes:
        plugin: The plugin's name.
        path: The action's path in the plan.
        request: What the plan asks.
        attempt: Which attempt it was, counted from 1.
        started: When it began.
        ended: When it ended; None: a crash cut it short.
        response: What it gave.
        error: How it failed.
        reconciles: Whether it was a call of ``reconcile``; otherwise, of ``execute``.
        position: The action's place in walk order.
    """

    plugin: str
    path: str
    request: object
    attempt: int
    started: float
    ended: float | None
    response: object = None
    error: BaseException | None = None
    reconciles: bool = False
    position: int = attrs.field(default=0, repr=False)


@attrs.frozen
class Life:
    """One run of the engine: its number, when it began, what happened, what was called."""

    number: int
    began: float
    entries: list[Entry]
    calls: list[Call]


class History:
    """All that happened, in its order.

    Attributes:
        note: Notes a change: an ``Entry``.
        called: Notes that a plugin is called: a ``Called``.
        reports: What plugins reported.
        plan: The plan as it was at first.
        paths: The path of each object, once one was asked for. Runs of the same plan
            may share the list.
        start: What the clock told at 0 seconds.
        end: How far the clock has come, in seconds.
    """

    def __init__(self, plan: Plan, start: datetime) -> None:
        """Begin a history.

        Args:
            plan: The plan; it has its ids.
            start: What the clock told at 0 seconds.
        """
        # One after the other, and not a tuple each: the more objects there are, the more
        # often Python looks through all of them for garbage.
        self._flat: list[Any] = []
        self.note: Callable[[Entry], None] = self._flat.extend
        self._calls: list[Any] = []
        self.called: Callable[[Called], None] = self._calls.extend
        self._made: dict[int, object] = {}
        self.reports: list[Report] = []
        self.start = start
        self.end = 0.0
        self.plan = plan
        self.paths: list[str] = []
        self._crashes: list[tuple[int, int, float]] = []

    def made(self, attempt: Attempt, request: object) -> None:
        """The attempt's request was made of the responses that it waited for."""
        self._made[id(attempt)] = request

    def forked(self) -> History:
        """What has happened so far, in a history that goes on in another way.

        What was called and has not ended yet may still end here, and not there.
        """
        fork = History(self.plan, self.start)
        there: dict[int, Any] = {
            id(each): attrs.evolve(each, notes=dict(each.notes))
            for each in self._flat[_ATTEMPT::_SIZE]
            if each is not None and each.ended is None
        }
        fork._flat += [there.get(id(each), each) for each in self._flat]
        fork._calls += [there.get(id(each), each) for each in self._calls]
        fork._made = {
            id(there[known]) if known in there else known: request
            for known, request in self._made.items()
        }
        fork.reports += self.reports
        fork.paths = self.paths
        fork._crashes += self._crashes
        return fork

    def crashed(self, time: float) -> None:
        """The engine died; another life begins."""
        calls = len(self._calls) // _CALL
        self._crashes.append((len(self._flat) // _SIZE, calls, time))

    @property
    def entries(self) -> list[Entry]:
        """The changes; those of a later life follow those of an earlier one."""
        return list(zip(*[iter(self._flat)] * _SIZE, strict=True))

    @property
    def crashes(self) -> list[float]:
        """When the engine died, in seconds."""
        return [time for _, _, time in self._crashes]

    def path_of(self, node: Node) -> str:
        """The path of an object of the plan, of whatever life (OM-15)."""
        if not self.paths:  # many simulations never ask for one
            self.paths += [path for path, _ in paths(self.plan)]
        return self.paths[position_of(node)]

    def seconds(self, time: datetime) -> float:
        """A recorded time in seconds since the beginning."""
        return (time - self.start).total_seconds()

    def lives(self) -> Iterator[Life]:
        """Each run of the engine."""
        changes = self.entries
        entry, call, began = 0, 0, 0.0
        for number, (entries, calls, time) in enumerate(self._crashes):
            yield Life(number, began, changes[entry:entries], self._told(call, calls))
            entry, call, began = entries, calls, time
        yield Life(len(self._crashes), began, changes[entry:], self._told(call, None))

    def calls(self) -> list[Call]:
        """The calls of ``execute``, in the order in which they were made."""
        return self._told(0, None)

    def _told(self, first: int, last: int | None) -> list[Call]:
        found: list[Call] = []
        end = None if last is None else last * _CALL
        calls = iter(self._calls[first * _CALL : end])
        for action, attempt, number, started in zip(*[calls] * _CALL, strict=True):
            ended = attempt.ended
            found.append(
                Call(
                    plugin=action.plugin,
                    path=self.path_of(action),
                    request=self._made.get(id(attempt), action.request),
                    attempt=number,
                    started=started,
                    ended=None if ended is None else self.seconds(ended),
                    response=attempt.response,
                    error=attempt.error,
                    position=position_of(action),
                )
            )
        return found
