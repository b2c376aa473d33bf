"""The runtime in a workflow: what the interpreter asks, as a workflow's commands.

**Why ``durable`` returns at once.** A workflow's code decides, and the server remembers
what it decided: the commands of one activation, the start of an attempt's activity among
them, become durable together, or not at all. What was recorded before is not written
anywhere: it follows, by running the same code again, from what the server has. So no
plugin is called before its attempt is durable (A-13), and no step has a commit of its own.

**Going on in a new history.** A history has an end, and a plan may be longer. When it is
full, nothing new is called any more; when the calls that go on have ended, the workflow
goes on as a new run of itself, with all that is stored of the plan. An attempt that was
about to be called then is taken back: it never was. So nothing is broken off, and the new
run goes on where this one ends. Only a history that is too full to wait for what goes on
ends as by a crash.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, Self

import attrs
from temporalio import workflow
from temporalio.common import RetryPolicy as ServerRetry
from temporalio.exceptions import ActivityError, ApplicationError

from workstream._attempts.outcomes import interrupted, time_left
from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes
from workstream._interpreter import judgement, verdicts
from workstream._interpreter.recovery import INTERRUPTED
from workstream._plan.plan import BaseAction, CheckAction, Checks, Plan
from workstream._plan.walk import position_of
from workstream._protocols.plugin import NOT_DONE, NotDone
from workstream._protocols.runtime import AttemptOutcome, Nursery
from workstream._protocols.vault import (
    NodeRecord,
    PlanRequest,
    StoredPlan,
)
from workstream._values.interventions import Freeze
from workstream._values.state import Attempt, PluginError, State, Status
from workstream._values.wire import from_micros
from workstream._vaults.memory_vault import MemoryVault

from ._forms import packed, unpacked
from ._limits.flight import Flight
from ._limits.shelves import Shelves
from ._limits.steps import STEP, in_steps, take_back
from ._memory.memory import Memory
from ._names import CALL, HEARTBEAT, WATCH, activity_id, queue_of
from ._parts import signals_to
from ._watching.loop import Seen, WatchingInterpreter, take

ONCE = ServerRetry(maximum_attempts=1)
LOST = "lost"
"""The type of the failure by which a worker says that it ends."""
NO_ROOM = (
    "the plan has made more attempts than a cluster keeps of one: this one was not made. "
    "Retry the plan, or let its actions wait longer between their attempts"
)
"""The error of an attempt for which the plan's state has no room (``Flight.state``)."""
FOR_EVER = timedelta(days=3650)
"""How long an attempt may take by the server's clock: the worker keeps its timeout."""


@attrs.define
class _Call:
    """An attempt under way."""

    action: BaseAction
    attempt: Attempt
    main: bool
    handle: workflow.ActivityHandle[bytes]


class _Tasks:
    """Children in a task group of the workflow's loop."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def start_soon(
        self, function: Callable[..., Awaitable[Any]], /, *args: Any
    ) -> None:
        """See ``Nursery``."""

        async def go() -> None:
            await function(*args)

        self._group.create_task(go())


class TemporalRuntime(Memory):
    """Runs one plan in a workflow; see ``Runtime`` for the verbs.

    Attributes:
        flight: How much of it is under way at a time.
        calm: Whether the next history may go on where this one ends: nothing is under
            way. Else it begins as after a crash.
    """

    flight: ClassVar[type[Flight]] = Flight

    def __init__(
        self,
        plan: Plan,
        stored: StoredPlan,
        vault: MemoryVault,
        conduct: Mapping[str, Any],
        shelves: Shelves,
        show: Callable[[], None],
    ) -> None:
        """Make a runtime for a plan; ``loaded`` makes one that is ready."""
        super().__init__(plan, stored, vault, conduct, shelves, show)
        self._calls: dict[int, _Call] = {}
        self._waiting: dict[int, str] = {}
        self._untouched: set[int] = set()
        self._watched: dict[int, Checks] = {}
        self._begun = 0
        self._is_left = self.calm = False
        self._flight = self.flight()
        self._interpreter = WatchingInterpreter(self._plan, self, self)

    @classmethod
    async def loaded(
        cls,
        stored: StoredPlan,
        vault: MemoryVault,
        conduct: Mapping[str, Any],
        shelves: Shelves,
        show: Callable[[], None],
        *,
        calm: bool = False,
    ) -> Self:
        """A runtime for a plan, from wherever it stands.

        A large plan is loaded over several activations; nobody changes it meanwhile.
        Where an earlier history left it calmly, it goes on; else as after a crash.
        """
        plan = await in_steps(Codec(None).loading(stored, STEP))
        made = cls(plan, stored, vault, conduct, shelves, show)
        await in_steps(made._look_round(stored, calm=calm))
        if calm:
            made._interpreter.goes_on(made._left)
        return made

    def began_with(self, size: int) -> None:
        """Hear how many bytes this run of the workflow began with."""
        self._flight.began_with(size, self._to_begin)

    async def run(self) -> bool:
        """Run the plan; whether it has ended, or is to go on in a new history."""
        over = asyncio.create_task(self._interpreter.run())
        full = asyncio.create_task(workflow.wait_condition(self._is_drained))
        await workflow.wait([over, full], return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            full.cancel()
            over.result()
            return True
        self._is_left, self.calm = True, not self._calls
        over.cancel()
        await in_steps(take_back(self._plan, self._waiting, self.record))
        return False

    # --- what people say --------------------------------------------------------------

    def take(self, request: PlanRequest) -> None:
        """Take what was asked of the plan, once (CT-2)."""
        over = self._plan.state.status.is_terminal or self._is_left
        if over or request.number <= self._taken:
            return
        self._taken = request.number
        self._interpreter.take(request)

    def frozen(self, freeze: Freeze | None) -> None:
        """Hear what the store says of a freeze (HO-6)."""
        self._frozen = freeze
        if not self._is_left:
            self._interpreter.look()

    def told(self, position: int) -> bytes:
        """The signals that were sent to an action, and whether a stop cuts its wait."""
        call = self._calls.get(position)
        if call is None:
            return packed([], False)
        small = Plan(name="", description="", blocks=[])
        small.id, small.interventions = (
            self._id,
            signals_to(self._plan, call.action, self._paths[position]),
        )
        kept = [c for c in plan_changes(small, 0) if isinstance(c, NodeRecord)]
        cut = call.main and judgement.cuts(self._plan, waits=True)
        return packed([[each.attempt, each.data] for each in kept], cut)

    # --- the verbs that wait ----------------------------------------------------------

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait by a timer of the server."""
        if until() or seconds <= 0:
            return
        timeout = None if math.isinf(seconds) else seconds
        try:
            await workflow.wait_condition(until, timeout=timeout)
        except TimeoutError:
            return

    def wake(self) -> None:
        """Cut what a stop cuts (SN-1); the loop looks at every condition by itself."""
        if judgement.cuts(self._plan):
            for call in self._calls.values():
                if call.main:
                    call.handle.cancel()

    @asynccontextmanager
    async def nursery(self) -> AsyncGenerator[Nursery]:
        """A task group."""
        async with asyncio.TaskGroup() as group:
            yield _Tasks(group)

    # --- the verbs that call a plugin -------------------------------------------------

    async def execute(
        self, action: BaseAction, attempt: Attempt, main: bool
    ) -> AttemptOutcome:
        """Make one attempt: one activity, which the server never repeats."""
        if len(action.attempts) > 1 and not self._flight.may_retry():
            return AttemptOutcome(error=PluginError(NO_ROOM, permanent=True))
        seconds = action.timeout
        if action.deadline is not None:
            own_time = verdicts.own_time(self._plan, action, self.now())
            seconds = time_left(action, own_time)
        found = await self._call("execute", action, attempt, seconds, main)
        assert not isinstance(found, NotDone)
        return found

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        """Ask what became of the interrupted attempt, until somebody answers (R-7).

        An attempt that was cut before a worker took it did nothing, and its zone may
        have no worker who could be asked.
        """
        if position_of(action) in self._untouched:
            return NOT_DONE
        while True:
            attempt = action.attempts[-1]
            found = await self._call(
                "reconcile", action, attempt, action.timeout, False
            )
            if isinstance(found, NotDone) or not found.interrupted:
                return found

    async def _call(
        self,
        verb: str,
        action: BaseAction,
        attempt: Attempt,
        seconds: float,
        main: bool,
    ) -> AttemptOutcome | NotDone:
        self._waiting[position_of(action)] = verb
        async with self._flight.place() as room:
            return await self._called(verb, action, attempt, seconds, main, room)

    async def _called(
        self,
        verb: str,
        action: BaseAction,
        attempt: Attempt,
        seconds: float,
        main: bool,
        room: int,
    ) -> AttemptOutcome | NotDone:
        position = position_of(action)
        path, lines = self._paths[position], self._lines.get(position, 0)
        part = self._part(action, action.attempts)
        given = packed(verb, seconds, main, path, lines, part, room)
        await self._flight.sent(len(given))
        if self._flight.is_full():
            await asyncio.Future[None]()  # for ever
        del self._waiting[position]
        if main and judgement.cuts(self._plan):
            return interrupted()
        handle = self._started(CALL, given, action, verb)
        self._untouched.discard(position)
        self._calls[position] = _Call(action, attempt, main, handle)
        try:
            answer = await handle
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type != LOST:
                raise
            if not error.started_event_id:
                self._untouched.add(position)
            return AttemptOutcome(error=PluginError(INTERRUPTED), interrupted=True)
        finally:
            del self._calls[position]
        done, data, notes, reported, *put = unpacked(answer)
        self._report(position, reported)
        if put and put[0]:
            self._put_on(put[0], action, put[1])
        attempt.notes.update(notes)
        if not done:
            return NOT_DONE
        record = NodeRecord(position, len(action.attempts), data)
        _, found = self._codec.decode_record(action, record)
        assert found is not None
        return AttemptOutcome(found.response, found.error, found.interrupted)

    def _started(
        self, name: str, given: bytes, action: BaseAction, verb: str
    ) -> workflow.ActivityHandle[bytes]:
        """An activity that was begun where the action is to be done."""
        position = position_of(action)
        self._begun += verb == "watch"
        number = self._begun if verb == "watch" else len(action.attempts)
        return workflow.start_activity(
            name,
            given,
            result_type=bytes,
            activity_id=activity_id(position, number, verb),
            task_queue=queue_of(self._zones.get(position)),
            start_to_close_timeout=FOR_EVER,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=action.name[:200],
        )

    # --- continuous checks ------------------------------------------------------------

    def cuts(self) -> bool:
        """Whether a stop cuts attempts (SN-1)."""
        return judgement.cuts(self._plan)

    async def watch(self, group: Checks, over: Callable[[], bool]) -> Seen:
        """See ``Watching``: one activity, which ends when there is something to tell."""
        checks = [each for each in group.actions if each.attempts]
        if not checks:  # all were skipped
            await self.wait(group.delay, over)
            return Seen()
        first = position_of(checks[0])
        forms = [
            [self._paths[at], self._lines.get(at, 0), _seconds_of(each), part]
            for each in checks
            for at, part in [(position_of(each), self._part(each, ()))]
        ]
        given = packed(group.delay, bool(group.missed), forms)
        self._waiting[first] = "watch"
        await self._flight.sent(len(given))
        if self._flight.is_full():
            await asyncio.Future[None]()  # for ever
        del self._waiting[first]
        handle = self._started(WATCH, given, checks[0], "watch")
        for each in checks:
            call = _Call(each, each.attempts[-1], True, handle)
            self._calls[position_of(each)] = call
        self._watched[first] = group
        full = self._flight.is_full

        def ends() -> bool:
            return over() or (full() and bool(self._waiting))

        ending = asyncio.create_task(workflow.wait_condition(ends))
        try:
            await workflow.wait([handle, ending], return_when=asyncio.FIRST_COMPLETED)
            if not handle.done():
                handle.cancel()
            return self._seen(await handle)
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type != LOST:
                raise
            return Seen(lost=not ends())
        finally:
            ending.cancel()
            del self._watched[first]
            for each in checks:
                del self._calls[position_of(each)]

    def _seen(self, answer: bytes) -> Seen:
        """What an activity that watches says."""
        began, records, lines = unpacked(answer)
        for position, number, data in lines:
            self._report(position, [[number, data]])
        if began is None:
            return Seen()
        attempts: list[tuple[CheckAction, Attempt]] = []
        for position, data in records:
            action = self._calls[position].action
            assert isinstance(action, CheckAction)
            record = NodeRecord(position, 1, data)
            _, attempt = self._codec.decode_record(action, record)
            assert attempt is not None
            attempts.append((action, attempt))
        began = State(Status.RUNNING, from_micros(began))
        return Seen(began=began, attempts=tuple(attempts))

    def note(
        self, position: int, number: int, kind: str, what: Any, reported: list[Any]
    ) -> None:
        """Store what an attempt says while it goes on.

        Args:
            position: The action's place in walk order.
            number: Which attempt it is.
            kind: ``notes`` (A-14), ``lines`` (WA-3), or ``deaf`` (A-16).
            what: The notes.
            reported: The lines.
        """
        call = self._calls.get(position)
        if kind == "pass":
            if position in self._watched:
                group, seen = self._watched[position], self._seen(what)
                take(group, seen, Status.COMPLETED)
                self.record(*(action for action, _ in seen.attempts), group)
            return
        if call is None or len(call.action.attempts) != number:
            return  # it came too late, and the attempt's end had it with it
        self._report(position, reported)
        if kind == "notes":
            call.attempt.notes.update(what)
            self.record(call.action)
        elif kind == "deaf":
            call.attempt.unresponsive = True
            self.record(call.action)

    # --- a new history ----------------------------------------------------------------

    def _is_drained(self) -> bool:
        if not self._flight.is_full():
            return False
        return (bool(self._waiting) and not self._calls) or self._flight.is_too_full()


def _seconds_of(action: BaseAction) -> float:
    """What the first attempt of an action may take."""
    seconds = action.timeout
    return seconds if action.deadline is None else min(seconds, action.deadline)
