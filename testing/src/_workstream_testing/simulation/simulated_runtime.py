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
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import attrs

from workstream._attempts.context import AttemptContext
from workstream._attempts.late_requests import Made
from workstream._attempts.outcomes import (
    DEAF_AFTER,
    began_in,
    hide_secrets,
    interrupted,
    is_any,
    outcome_of_exception,
    outcome_of_response,
    stray_cancellation,
    timed_out,
)
from workstream._attempts.verbs import PluginVerbs
from workstream._authoring.errors import leaves_of
from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes
from workstream._interpreter import judgement, verdicts
from workstream._interpreter.interpreter import Interpreter
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._protocols.plugin import Plugins
from workstream._protocols.runtime import AttemptOutcome
from workstream._protocols.vault import PlanRequest
from workstream._secrets.filling import resolve
from workstream._secrets.scan import facts_of
from workstream._values.interventions import Freeze
from workstream._values.state import Attempt, PluginError

from ..problems import SimulationError
from ..virtual.call_scope import CallScope
from ..virtual.loop import Loop, Nursery
from ..virtual.loop_errors import Abandon, Cancelled, ForeignAwait
from ..virtual.tasks import Task
from .history import History, Report
from .journal import Journal, Store

EVENT_LOOPS = ("trio", "asyncio", "anyio", "sniffio", "curio")


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


class SimulatedRuntime(PluginVerbs):
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
        super().__init__(plan, settings.plugins, settings.storable)
        self._loop = loop
        self._settings = settings
        self._history = settings.history
        self._note = settings.history.note
        self._called = settings.history.called
        self._start = settings.history.start
        self._moment = (math.nan, self._start)
        self._journal = None if store is None else Journal(loop, store)
        self._waiting: dict[Task, None] = {}
        self._cuttable: dict[CallScope, AttemptContext] = {}
        self.freeze = settings.freeze
        self._interpreter = Interpreter(plan, self)
        self.look = self._interpreter.look
        self.random = settings.random
        self._told = len(plan.interventions)
        self.durable: Any = loop.checkpoint
        if self._journal is not None:
            self.durable = self._journal.durable

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
            # It leads back here: without it no garbage collector is needed.
            del self._interpreter, self.look

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
            for scope, context in list(self._cuttable.items()):
                if not scope.cancelled and self._is_cut(context, True):
                    scope.fire()

    async def hear(self) -> None:
        """Do nothing: what is said here is taken at once."""

    def nursery(self) -> Nursery:
        """A nursery of the loop."""
        return self._loop.nursery()

    # --- the verbs that call a plugin ---------------------------------------------

    async def _call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        action: BaseAction,
        made: Made,
        attempt: Attempt,
        seconds: float,
        main: bool = False,
    ) -> AttemptOutcome:
        """Call the plugin; what it did becomes an outcome, whatever it did."""
        if main and self._plan.stopping and judgement.cuts(self._plan):
            return interrupted()
        loop = self._loop
        if not attempt.interrupted:  # then it is ``reconcile`` that is called
            self._called((action, attempt, len(action.attempts), loop.time))
        request, secrets = made.request, made.secrets
        if request is not action.request:
            self._history.made(attempt, request)
        facts = facts_of(request)
        if facts.references or facts.secrets:
            request, hidden = resolve(request, _MADE_UP)
            secrets |= hidden
        scope = _Call(loop, seconds)
        context = AttemptContext(
            action=action,
            current=attempt,
            ends=scope.deadline,
            secrets=secrets,
            host=self,
        )
        scope.runtime, scope.context = self, context
        if main:
            self._cuttable[scope] = context
        try:
            response = await function(context, request)
        except BaseException as error:
            outcome = self._outcome_of(error, action, scope)
        else:
            outcome = timed_out() if scope.late else outcome_of_response(response)
        finally:
            context.close()
            scope.close()
            if main:
                del self._cuttable[scope]
        return hide_secrets(outcome, secrets) if secrets else outcome

    def _outcome_of(
        self, error: BaseException, action: BaseAction, scope: CallScope
    ) -> AttemptOutcome:
        """What an exception out of a plugin means; one that is nobody's goes on."""
        if isinstance(error, ForeignAwait):
            raise Abandon(self._foreign(action, error.library)) from None
        if isinstance(error, SimulationError):
            raise Abandon(error) from error
        if is_any(error, KeyboardInterrupt, Abandon, ForeignAwait):
            raise error  # whoever runs the test pressed Ctrl-C, or asked too much of it
        if any(
            isinstance(leaf, GeneratorExit) and _is_closing(leaf)
            for leaf in leaves_of(error)
        ):
            raise error
        library = _refused_by(error)
        if library:
            raise Abandon(self._foreign(action, library)) from error
        if self._loop.is_cancelled(scope.parent):
            raise Cancelled from None  # nobody's failure: the run breaks off (T-3)
        if not scope.cancelled:
            if is_any(error, Cancelled):
                return stray_cancellation()
            return outcome_of_exception(error)
        own = _without_cancellation(error)
        if own is None:
            return self._cut_short(scope, None)
        # It was told to end, and said so in its own way.
        return self._cut_short(scope, outcome_of_exception(own).error)

    def _cut_short(self, scope: CallScope, error: PluginError | None) -> AttemptOutcome:
        """What became of a call that was cancelled: by a stop, or by its timeout."""
        late = self._loop.time >= scope.deadline
        cut = scope in self._cuttable and self._cuttable[scope].is_cut
        return interrupted(error) if cut and not late else timed_out(error)

    def _foreign(self, action: BaseAction, library: str) -> SimulationError:
        what = library or "an event loop"
        message = (
            f"{self.path_of(action)}: plugin {action.plugin!r} awaits {what}, and a "
            "simulation has no event loop. Give FakePlugin(...) in its place; or run the "
            "plan with run_plan(plan, plugins), where plugins are real and time is not; "
            "or, where it only waits, let it `await workstream.testing.sleep(seconds)`"
        )
        return SimulationError(message)

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


class _Call(CallScope):
    """One call of a plugin: its time, and what it does when that is over."""

    __slots__ = ("_forget", "context", "runtime")

    runtime: SimulatedRuntime
    context: AttemptContext
    _forget: Callable[[], None]

    def fire(self) -> None:
        """Cancel the plugin, and see whether it hears."""
        if not self.cancelled:
            super().fire()
            self._forget = self.runtime.later(DEAF_AFTER, self._mark)

    def _mark(self) -> None:
        self.context.current.unresponsive = True
        self.runtime.record(self.context.action)

    def close(self) -> None:
        """The plugin has ended."""
        super().close()
        if self.cancelled:
            self._forget()


class _MadeUpSecrets(Mapping[str, Callable[[str], str]]):
    """Secrets for a simulation: no real one is ever looked up."""

    def __getitem__(self, scheme: str) -> Callable[[str], str]:
        return lambda rest: f"made-up secret {scheme}:{rest}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_MADE_UP = _MadeUpSecrets()


def _is_closing(error: GeneratorExit) -> bool:
    """Whether the loop gives the task up, and no plugin raised this."""
    return began_in(error, "_workstream_testing.virtual")


def _without_cancellation(error: BaseException) -> BaseException | None:
    """What a plugin raised beside being cancelled, as trio's scopes would leave it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group.split(Cancelled)[1]
    return None if isinstance(error, Cancelled) else error


def _refused_by(error: BaseException) -> str:
    """The event loop's library that raised an error, as it was not running; or ""."""
    traceback = error.__traceback__
    if not isinstance(error, RuntimeError) or traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = str(traceback.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    return module if module in EVENT_LOOPS else ""
