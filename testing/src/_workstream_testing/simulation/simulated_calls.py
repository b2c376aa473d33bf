"""How a plugin is called in virtual time: in the general way, and the usual call whole.

Most actions of most plans are called once, and end well, within their time. The general
path asks a dozen questions on the way, each in a frame of its own. So, as on trio
(``_runtime.usual_calls``), the usual action is done here in one frame, and is handed over
to the general path where an answer is not the usual one.

Of a fake that does the same whatever it is asked, not even a call is made: its time is
waited for, and its response taken. The fake keeps of it what it is asked for later.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import attrs

from workstream._attempts.context import AttemptContext
from workstream._attempts.late_requests import Made
from workstream._attempts.outcomes import (
    DEAF_AFTER,
    StorableCheck,
    began_in,
    check_outcome,
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
from workstream._interpreter import judgement
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._protocols.plugin import AnyPlugin, Plugins
from workstream._protocols.runtime import AttemptOutcome
from workstream._secrets.filling import resolve
from workstream._secrets.scan import facts_of
from workstream._values.state import Attempt, PluginError, Status

from ..fakes.fake_calls import Noted
from ..fakes.fakes import FakePlugin
from ..fakes.plain_calls import PlainCall, PlainWay
from ..problems import SimulationError
from ..virtual.call_scope import CallScope
from ..virtual.loop import Loop
from ..virtual.loop_errors import Abandon, Cancelled, ForeignAwait
from ..virtual.tasks import Task
from .history import History
from .journal import Journal

EVENT_LOOPS = ("trio", "asyncio", "anyio", "sniffio", "curio")

R, C = Status.RUNNING, Status.COMPLETED
_NOTHING: frozenset[str] = frozenset()
_UNKNOWN = object()


@attrs.define
class _Known:
    """What is known of a plugin's usual calls.

    Attributes:
        plugin: The plugin.
        execute: Its method.
        plain: What all its calls do, if it is a fake that does the same each time.
        notes: Where such a fake keeps its calls.
        storable: The latest response that was found to be of its type, and storable.
        requests: Types of its requests that hold no secret, whatever they say.
    """

    plugin: AnyPlugin
    execute: Callable[[Any, Any], Awaitable[object]]
    plain: PlainWay | None
    notes: list[Noted | PlainCall]
    storable: object = _UNKNOWN
    requests: set[type] = attrs.Factory(set[type])


class SimulatedCalls(PluginVerbs):
    """Calls plugins in virtual time, and does the usual action whole."""

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        storable: StorableCheck,
        loop: Loop,
        history: History,
        journal: Journal | None,
    ) -> None:
        """Begin with nothing known of any plugin.

        Args:
            plan: The plan.
            plugins: The plugins.
            storable: Says whether a response can be stored.
            loop: Drives the run.
            history: Where everything is noted.
            journal: Takes what is recorded to a store; None: nothing is stored.
        """
        super().__init__(plan, plugins, storable)
        self._loop = loop
        self._history = history
        self._note = history.note
        self._called = history.called
        self._journal = journal
        self._cuttable: dict[CallScope | Task, AttemptContext | None] = {}
        self._known: dict[str, _Known] = {}
        self.durable: Any = loop.checkpoint if journal is None else journal.durable

    # --- the usual call -------------------------------------------------------------

    def _usual_call(self, action: BaseAction) -> _Known | None:
        """What is known of the action's plugin; None: its call is not a usual one."""
        facts = facts_of(action.request)
        plugin = self._plugin(action.plugin)
        if plugin is None or facts.references or facts.secrets:
            return None
        known = self._known.get(action.plugin)
        if known is None:
            plain, notes = None, list[Noted | PlainCall]()
            # Where there is a store, the engine may die while a fake is at work.
            if self._journal is None and isinstance(plugin, FakePlugin):
                plain, notes = plugin.plain_way()
            called: Any = plugin
            known = _Known(plugin, called.execute, plain, notes)
            self._known[action.plugin] = known
        known.requests.add(type(action.request))
        return known

    async def usual(
        self, action: BaseAction, now: datetime
    ) -> datetime | AttemptOutcome | None:
        """See ``UsualWay``."""
        known = self._known.get(action.plugin)
        request: object = action.request
        if known is None or type(request) not in known.requests:
            known = self._usual_call(action)
        if known is None or action.deadline is not None:
            return None
        # As ``ActionRunner._attempt``: it begins, and that is durable.
        loop, state = self._loop, action.state
        state.status = R
        state.started = now
        attempt = Attempt(started=now)
        action.attempts.append(attempt)
        if self._journal is None:
            self._note((loop.time, action, R, attempt, 1, True))
        else:
            self.record(action)
        await self.durable()
        # As ``_call``: the plugin is called, and what it did is looked at.
        if self._plan.stopping or self._plugin(action.plugin) is not known.plugin:
            return await self.execute(action, attempt)
        time = loop.time
        self._called((action, attempt, 1, time))
        outcome: AttemptOutcome | None = None
        response: object = None
        plain = known.plain
        if plain is not None and plain.seconds < action.timeout and plain.is_so():
            notes = known.notes
            place = len(notes)
            notes.append((action, attempt, time, plain, self))
            if plain.seconds:
                task = loop.task
                self._cuttable[task] = None
                try:
                    await loop.sleep_until(time + plain.seconds)
                except Cancelled as error:
                    context = AttemptContext(
                        action, attempt, time + action.timeout, _NOTHING, self
                    )
                    context.close()
                    notes[place] = Noted(
                        context, request, time, ended=loop.time, error=error
                    )
                    if loop.is_cancelled(task.scope):
                        raise  # nobody's failure: the run breaks off (T-3)
                    return interrupted()
                finally:
                    del self._cuttable[task]
            response = plain.response
        else:
            scope = _Call(loop, action.timeout)
            context = AttemptContext(action, attempt, scope.deadline, _NOTHING, self)
            scope.runtime, scope.context = self, context
            self._cuttable[scope] = context
            try:
                response = await known.execute(context, request)
            except BaseException as error:
                outcome = self._outcome_of(error, action, scope)
            else:
                if scope.cancelled and scope.late:
                    outcome = timed_out()
            finally:
                context.close()
                scope.close()
                del self._cuttable[scope]
        if outcome is None:
            if response is not known.storable:
                # As ``ActionRunner._action`` where ``judge`` says COMPLETED.
                outcome = check_outcome(
                    outcome_of_response(response), action, known.plugin, self._storable
                )
                if outcome.error is not None:
                    return outcome
                known.storable = response
            ended = self.now()
            state.status = C
            state.ended = attempt.ended = ended
            attempt.response = response
            if self._journal is None:
                self._note((loop.time, action, C, attempt, 1, False))
            else:
                self.record(action)
            return ended
        return check_outcome(outcome, action, known.plugin, self._storable)

    @abstractmethod
    def record(self, *nodes: Node) -> None:
        """See ``Runtime``."""

    @abstractmethod
    def later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Call a function after so many seconds, unless what is returned is called."""

    @abstractmethod
    def date_of(self, time: float) -> datetime | None:
        """See ``ContextHost``."""

    @abstractmethod
    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """See ``ContextHost``."""

    # --- cutting ----------------------------------------------------------------------

    def _cut_attempts(self) -> None:
        """Cancel the attempts that a stop cuts (SN-1)."""
        for call, context in list(self._cuttable.items()):
            if isinstance(call, CallScope):
                assert context is not None, "a call has its context"
                if not call.cancelled and self._is_cut(context, True):
                    call.fire()
            elif judgement.cuts(self._plan):
                self._loop.wake(call, Cancelled())

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
        if isinstance(error, GeneratorExit) and _is_closing(error):
            raise error  # as below, and most calls that a crash cuts short end here
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
        context = self._cuttable.get(scope)
        cut = context is not None and context.is_cut
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


class _Call(CallScope):
    """One call of a plugin: its time, and what it does when that is over."""

    __slots__ = ("_forget", "context", "runtime")

    runtime: SimulatedCalls
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
