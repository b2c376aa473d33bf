"""A driver of coroutines in virtual time: what an event loop is, without the events.

There is no real clock, no thread and no operating system here. Tasks run until they
park; when none is ready, time jumps to the next moment at which something is due. What
is ready runs in the order in which it became ready, or in an order that is chosen
(``choose``), one call for each step at which there is a choice. Nothing else decides
anything: no set is iterated, no hash or address compared. So a run repeats exactly, on
any machine.

Three rules are those of trio, because the engine's own runtime stands on them:

1. **Structure.** A nursery is left when its children have ended. One that fails cancels
   its siblings, and its error goes on to the nursery's owner.
2. **Cancellation is a state.** Whatever a cancelled task tries to wait for raises
   ``Cancelled``, again and again, unless the wait is shielded.
3. **Deadlines come first.** At one instant deadlines expire before sleepers wake: a
   sleep as long as the timeout around it is cut short.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import types
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from .garbage import few_looks
from .loop_errors import Abandon, Cancelled, EndlessError, ForeignAwait, drop
from .tasks import Scope, Task

if TYPE_CHECKING:
    from .call_scope import CallScope

T = TypeVar("T")

Waiting: TypeAlias = Coroutine[Any, Any, None]
# What waits is resumed through all that it awaits: a function that hands on another's
# coroutine costs less than one that awaits it. So each is to be awaited at once.

MAX_STEPS = 5_000_000
"""How many steps a run may take unless told otherwise."""

MAX_REFUSALS = 1_000
"""How often a task may swallow its cancellation without anything else happening."""

_PARK, _STUCK = object(), object()
_DEADLINE, _CALL, _SLEEP = 0, 1, 2

_current: ContextVar[Loop | None] = ContextVar("workstream_simulation", default=None)


def current_loop() -> Loop | None:
    """The loop that drives whoever asks; None when it is not one of these."""
    return _current.get()


@types.coroutine
def _yielded() -> Generator[object, None, None]:
    yield _PARK


_park = cast("Callable[[], Waiting]", _yielded)


@types.coroutine
def _stuck() -> Generator[object, None, None]:
    while True:
        yield _STUCK


class Loop:
    """Runs tasks in virtual time.

    Attributes:
        time: Seconds since the run began.
        task: The task that runs now.
    """

    def __init__(
        self,
        *,
        time: float = 0.0,
        choose: Callable[[int], int] | None = None,
        max_time: float = math.inf,
        max_steps: int = MAX_STEPS,
    ) -> None:
        """Make a loop.

        Args:
            time: What its clock tells at the beginning.
            choose: Given how many tasks are ready, at least two, tells the index of
                the one that goes first; None: the one that was ready first.
            max_time: What its clock must not pass.
            max_steps: How many steps it may take.
        """
        self.time = time
        self.task: Task = _NOBODY
        self._choose = choose
        self._max_time = max_time
        self._max_steps = max_steps
        self._ready: deque[Task] = deque()
        self._timers: list[tuple[float, int, int, Any, int]] = []
        self._timer_count = 0
        self._tasks: dict[Task, None] = {}
        self._cancels = 0  # how many scopes are cancelled: mostly none is
        self._refusals = 0

    # --- running ------------------------------------------------------------------

    def run(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run an async function to its end, and return what it returns.

        Raises:
            EndlessError: It would go on beyond the bounds, or for ever.
            ForeignAwait: A task awaited an event loop.
            BaseException: Whatever the function raised, or an ``Abandon``.
        """
        token = _current.set(self)
        main = self._spawn(function(*args), None, None)
        try:
            with few_looks():
                return cast("T", self._drive(main))
        finally:
            self._close()
            _current.reset(token)

    def _drive(self, main: Task) -> object:
        ready = self._ready
        choose = self._choose
        steps = self._max_steps
        while True:
            while ready:
                if choose is None or len(ready) == 1:
                    task = ready.popleft()
                else:
                    chosen = choose(len(ready))
                    task = ready[chosen]
                    del ready[chosen]
                steps -= 1
                if steps < 0:
                    raise EndlessError(_too_many_steps(self._max_steps))
                self.task = task
                self._refusals = 0
                try:
                    if task.error is None:
                        trap = task.send(None)
                    else:
                        error, task.error = task.error, None
                        trap = task.coroutine.throw(error)
                except StopIteration as stop:
                    del self._tasks[task]
                    if task is main:
                        return stop.value
                    if task.nursery is not None:
                        task.nursery.ended(task, None)
                except (Abandon, ForeignAwait):
                    raise
                except BaseException as error:
                    del self._tasks[task]
                    if task.nursery is None:
                        raise
                    task.nursery.ended(task, error)
                else:
                    if trap is not _PARK:
                        self._refuse(task, trap)
            self._advance()

    def _refuse(self, task: Task, trap: object) -> None:
        if trap is _STUCK:
            message = "something swallows its cancellation, again and again"
            raise EndlessError(message)
        kind = trap if isinstance(trap, type) else type(trap)
        module = kind.__module__.partition(".")[0].lstrip("_")
        error = ForeignAwait("" if module in ("builtins", "types") else module)
        with contextlib.suppress(StopIteration):
            task.coroutine.throw(error)
        raise error  # it was swallowed on its way

    def _advance(self) -> None:
        """Let time jump to the next moment at which something is due."""
        timers = self._timers
        while timers and _is_stale(timers[0]):
            heapq.heappop(timers)
        if not timers:
            message = "all that runs waits, and no timeout or delay will ever end that"
            raise EndlessError(message)
        now = timers[0][0]
        if now > self._max_time:
            self.time = self._max_time
            message = f"it goes on beyond {_told(self._max_time)} of virtual time"
            raise EndlessError(message)
        self.time = now
        while timers and timers[0][0] <= now:
            _, kind, _, what, ticket = heapq.heappop(timers)
            if kind == _SLEEP:
                if what.ticket == ticket:  # otherwise it waits for this no longer
                    self.wake(what)
            elif not what.over:
                what.fire()

    def _close(self) -> None:
        """Drop what is left of an abandoned run."""
        for task in reversed(list(self._tasks)):
            drop(task.coroutine)
        self._tasks.clear()
        self._ready.clear()
        # Both lead back here: without them no garbage collector is needed.
        self._timers.clear()
        self.task = _NOBODY

    # --- what there is to do --------------------------------------------------------

    @property
    def ready(self) -> Iterable[Task]:
        """The tasks that are ready, in their order, without the one that runs."""
        return self._ready

    @property
    def tasks(self) -> Iterable[Task]:
        """All tasks, in the order in which they began."""
        return self._tasks

    def due(self) -> Iterator[tuple[float, int, object]]:
        """What is due later, in order: in how many seconds, of which kind, and whose."""
        begun: list[Task] = []
        for entry in sorted(self._timers):  # the third part of each is its own
            if not _is_stale(entry):
                whose = getattr(entry[3], "task", entry[3])
                yield entry[0] - self.time, entry[1], whose
                if entry[1] == _SLEEP:
                    begun.append(whose)
        for task in (*begun, *self._ready):
            deadline = math.inf if task.scope is None else task.scope.unarmed()
            if deadline < math.inf:
                yield deadline - self.time, _DEADLINE, task

    # --- tasks --------------------------------------------------------------------

    def _spawn(
        self, awaitable: Awaitable[Any], nursery: Nursery | None, scope: Scope | None
    ) -> Task:
        task = Task(cast("Coroutine[Any, Any, Any]", awaitable), nursery, scope)
        self._tasks[task] = None
        self._ready.append(task)
        return task

    def spawn(self, nursery: Nursery, awaitable: Awaitable[Any]) -> None:
        """Begin a child of the nursery."""
        self._spawn(awaitable, nursery, nursery.scope)

    def begin(self, function: Callable[[], Awaitable[Any]]) -> None:
        """Begin a task that nobody waits for; it is dropped when the run ends."""
        self._spawn(function(), None, None)

    def wake(self, task: Task, error: BaseException | None = None) -> None:
        """Make a parked task ready, with an error to raise where it waits, or none."""
        if task.parked:
            task.parked = False
            task.ticket += 1
            task.error = error
            self._ready.append(task)

    def nursery(self) -> Nursery:
        """A place for children of the task that runs now."""
        return Nursery(self)

    # --- waiting ------------------------------------------------------------------

    def park(self, *, shielded: bool = False) -> Waiting:
        """Wait until somebody wakes the task."""
        return self.sleep_until(math.inf, shielded=shielded)

    def checkpoint(self) -> Waiting:
        """Let everything else that is ready go first."""
        task = self.task
        if self._cancels and self.is_cancelled(task.scope):
            return self._refuse_to_wait()
        task.ticket += 1  # as by a wake: it stands elsewhere than before
        self._ready.append(task)
        return _park()

    def sleep_until(self, time: float, *, shielded: bool = False) -> Waiting:
        """Wait until the clock tells this time, or somebody wakes the task.

        Await it at once: the time counts from the call.
        """
        task = self.task
        scope = task.scope
        if self._cancels and not shielded and self.is_cancelled(scope):
            return self._refuse_to_wait()
        if time < math.inf:
            self._timer_count += 1  # as _add_timer: every call comes by here
            due = time if time > self.time else self.time
            entry = (due, _SLEEP, self._timer_count, task, task.ticket)
            heapq.heappush(self._timers, entry)
        # A wait that is over before the deadline needs no timer for that.
        if scope is not None and scope.deadline <= time:
            scope.arm()
        task.parked = True
        task.shielded = shielded
        return _park()

    def sleep(self, seconds: float, *, shielded: bool = False) -> Waiting:
        """Wait for so many seconds; infinity: until somebody wakes the task."""
        if seconds <= 0:
            return self.checkpoint()
        return self.sleep_until(self.time + seconds, shielded=shielded)

    def call_at(self, time: float, function: Callable[[], None]) -> Callback:
        """Call a function when the clock tells this time."""
        callback = Callback(function)
        self._add_timer(time, _CALL, callback, 0)
        return callback

    def _add_timer(self, time: float, kind: int, what: object, ticket: int) -> None:
        # The count keeps what is due at one instant in the order of its coming.
        self._timer_count += 1
        entry = (time, kind, self._timer_count, what, ticket)
        heapq.heappush(self._timers, entry)

    def add_deadline(self, scope: CallScope) -> None:
        """Let the scope expire at its deadline."""
        self._add_timer(max(scope.deadline, self.time), _DEADLINE, scope, 0)

    # --- cancelling ---------------------------------------------------------------

    def is_cancelled(self, scope: Scope | None) -> bool:
        """Whether the scope, or one around it, is cancelled."""
        while scope is not None:
            if scope.cancelled:
                return True
            scope = scope.parent
        return False

    async def _refuse_to_wait(self) -> None:
        self.task.ticket += 1  # a timer may have been set for this wait
        self._refusals += 1
        if self._refusals > MAX_REFUSALS:
            await _stuck()
        raise Cancelled

    def cancel(self, scope: Scope) -> None:
        """Cancel the scope, and with it all that is inside."""
        if scope.cancelled:
            return
        scope.cancelled = True
        self._cancels += 1
        for task in self._tasks:
            if task.parked and not task.shielded and self.is_cancelled(task.scope):
                self.wake(task, Cancelled())

    def expire(self, scope: CallScope) -> None:
        """Cancel the one task that is inside the scope."""
        scope.cancelled = True
        self._cancels += 1
        task = scope.task
        if task.parked and not task.shielded:
            self.wake(task, Cancelled())

    def leave(self, scope: Scope) -> None:
        """The scope is over."""
        if scope.cancelled:
            self._cancels -= 1


class Callback:
    """A call that is due at some time."""

    __slots__ = ("_function", "over")

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self.over = False

    def fire(self) -> None:
        """Make the call."""
        self._function()


class Nursery:
    """Runs children side by side; leaving it waits for them."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._owner = loop.task
        self._children = 0
        self._error: BaseException | None = None
        self._is_left = False
        self.scope = Scope(None)

    async def __aenter__(self) -> Nursery:
        self._owner = self._loop.task
        self.scope.parent = self._owner.scope
        self._owner.scope = self.scope
        return self

    def start_soon(
        self, function: Callable[..., Awaitable[Any]], /, *args: Any
    ) -> None:
        """Begin a child."""
        self._children += 1
        self._loop.spawn(self, function(*args))

    def ended(self, task: Task, error: BaseException | None) -> None:
        """A child has ended."""
        self._children -= 1
        if error is not None:
            self._fail(error)
        if not self._children and self._is_left:
            self._loop.wake(self._owner)

    def _fail(self, error: BaseException) -> None:
        if self._error is None and not isinstance(error, Cancelled):
            self._error = error
        self._loop.cancel(self.scope)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, GeneratorExit | Abandon | ForeignAwait):
            return  # the whole loop is being dropped
        if error is not None:
            self._fail(error)
        if self._children:
            self._is_left = True
            await self._loop.park(shielded=True)
        self._owner.scope = self.scope.parent
        self._loop.leave(self.scope)
        if self._error is not None and self._error is not error:
            raise self._error


def _is_stale(entry: tuple[float, int, int, Any, int]) -> bool:
    _, kind, _, what, ticket = entry
    return bool(what.ticket != ticket if kind == _SLEEP else what.over)


def _told(seconds: float) -> str:
    days = seconds / 86_400
    return f"{days:g} days" if days >= 2 else f"{seconds:,g} seconds"


def _too_many_steps(most: int) -> str:
    return f"it takes more than {most:,} steps"


async def _nothing() -> None:
    """What nobody does."""


def _nobody() -> Task:
    coroutine = _nothing()
    coroutine.close()
    return Task(coroutine, None, None)


_NOBODY = _nobody()
