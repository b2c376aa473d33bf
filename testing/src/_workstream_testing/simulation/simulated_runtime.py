"""The simulated runtime: what the interpreter asks, carried out in virtual time.

It keeps the same rules as the trio runtime, verb by verb, and shares with it what an
attempt's end means (``_attempts.outcomes``) and what a plugin is handed
(``_attempts.context``). Without a store nothing is encoded: that is what makes a simulation
fast. With one, every commit goes through the codec into it, and a crash can be made of it.

Two things are left out, as nobody looks at them here: heartbeats (E-11), and the storing
of what plugins report (WA-3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import attrs

from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes
from workstream._interpreter import verdicts
from workstream._interpreter.interpreter import Interpreter
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._protocols.plugin import Plugins
from workstream._protocols.vault import PlanRequest
from workstream._values.interventions import Freeze

from ..virtual.loop import Loop, Nursery
from ..virtual.tasks import Task
from .history import History, Report
from .journal import Journal, Store
from .simulated_calls import SimulatedCalls


@attrs.frozen(kw_only=True)
class SimulationSettings:
    """What all lives of one simulation have in common.

    Attributes:
        plugins: The plugins.
        codec: Says what can be stored, and encodes what is.
        history: Where everything is noted.
        random: Draws jitter.
        storable: Says of a response whether it could be stored.
        freeze: What the store says of a freeze.
    """

    plugins: Plugins
    codec: Codec
    history: History
    random: Callable[[], float]
    storable: Storable
    freeze: Callable[[], Freeze | None]


class Storable:
    """Remembers which responses can be stored: a fake gives the same one many times."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._known: dict[tuple[str, int], object] = {}

    def check_storable(self, action: BaseAction, value: object, /) -> None:
        """Raise an exception that says why the value cannot be stored."""
        if value is None:
            return
        key = (action.plugin, id(value))
        if self._known.get(key) is not value:
            self._codec.check_storable(action, value)
            self._known[key] = value


class SimulatedRuntime(SimulatedCalls):
    """Runs one plan in virtual time; see ``Runtime`` for the verbs."""

    def __init__(
        self,
        plan: Plan,
        loop: Loop,
        settings: SimulationSettings,
        store: Store | None = None,
    ) -> None:
        """Make a runtime.

        Args:
            plan: The plan, from wherever it stands; the run changes it.
            loop: Drives the run.
            settings: What it shares with other lives of the simulation.
            store: Where changes become durable; None: nowhere.
        """
        history = settings.history
        journal = None if store is None else Journal(loop, store)
        super().__init__(
            plan, settings.plugins, settings.storable, loop, history, journal
        )
        self._settings = settings
        self._start = settings.history.start
        self._moment = (math.nan, self._start)
        self._waiting: dict[Task, None] = {}
        self.freeze = settings.freeze
        self._interpreter = Interpreter(plan, self, self.usual)
        self.look = self._interpreter.look
        self.random = settings.random
        self._told = len(plan.interventions)

    async def run(self) -> None:
        """Run the plan to its end. What is raised broke the run off."""
        try:
            if self._journal is None:
                await self._interpreter.run()
                return
            async with self._loop.nursery() as nursery:
                self._journal.open(nursery.start_soon)
                await self._interpreter.run()
        finally:
            # They lead back here: without them no garbage collector is needed.
            del self._interpreter, self.look
            self._known.clear()

    def take(self, request: PlanRequest) -> None:
        """Take what was asked of the plan; what it changes is one write (CT-2)."""
        if not self._plan.state.status.is_terminal:
            if self._journal is not None:
                self._journal.take_request(request.number)
            self._interpreter.take(request)

    # --- what a signature says of it ----------------------------------------------

    def waiting(self) -> Iterator[Task]:
        """The tasks that somebody will wake, in the order in which they will be."""
        yield from self._waiting
        if self._journal is not None:
            yield from self._journal.waiting()

    @property
    def stores_soon(self) -> bool:
        """Whether changes are on their way to the store."""
        return self._journal is not None and self._journal.has_changes

    # --- the verbs that remember ------------------------------------------------

    def now(self) -> datetime:
        """The date and time, as ``FakeClock`` would tell it."""
        time = self._loop.time
        known, moment = self._moment
        if known != time:
            moment = self._start + timedelta(seconds=time)
            self._moment = (time, moment)
        return moment

    def record(self, *nodes: Node) -> None:
        """Note what these objects are now, and store it where there is a store."""
        time = self._loop.time
        for node in nodes:
            if isinstance(node, BaseAction) and (attempts := node.attempts):
                last = attempts[-1]
                number, is_open = len(attempts), last.ended is None
                self._note((time, node, node.state.status, last, number, is_open))
            else:
                self._note((time, node, node.state.status, None, 0, False))
        if self._journal is not None:
            codec = self._settings.codec
            for node in nodes:
                if node is not self._plan:
                    self._journal.add(codec.record_of(node))
                    continue
                for change in plan_changes(self._plan, self._told):
                    self._journal.add(change)
                self._told = len(self._plan.interventions)

    # --- the verbs that wait ----------------------------------------------------

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Sleep in virtual time."""
        loop = self._loop
        end = loop.time + max(seconds, 0)
        while not until():
            task = loop.task
            self._waiting[task] = None
            try:
                await loop.sleep_until(end)
            finally:
                del self._waiting[task]
            if loop.time >= end:
                return

    def wake(self) -> None:
        """Let every wait look at its condition again."""
        for task in list(self._waiting):
            self._loop.wake(task)
        if self._plan.stopping:
            self._cut_attempts()

    async def hear(self) -> None:
        """Do nothing: what is said here is taken at once."""

    def nursery(self) -> Nursery:
        """A nursery of the loop."""
        return self._loop.nursery()

    # --- what a context asks ------------------------------------------------------

    def path_of(self, action: BaseAction, /) -> str:
        """The action's address, for messages (OM-15)."""
        return self._history.path_of(action)

    def date_of(self, time: float) -> datetime | None:
        """The date and time after so many seconds; None: never."""
        return verdicts.after(self._start, time)

    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """Note what a plugin reports (WA-3)."""
        path = self.path_of(action)
        report = Report(self._loop.time, path, attempt, text, done, total)
        self._history.reports.append(report)

    # --- plugins that do not hear (A-16) ------------------------------------------

    def later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Call a function after so many seconds, unless what is returned is called."""
        callback = self._loop.call_at(self._loop.time + seconds, function)

        def forget() -> None:
            callback.over = True

        return forget
