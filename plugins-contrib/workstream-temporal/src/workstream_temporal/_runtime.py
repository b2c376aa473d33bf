"""The runtime in a workflow: what the interpreter asks, as a workflow's commands.

**Why ``durable`` returns at once.** A workflow's code decides, and the server remembers
what it decided: the commands of one activation, the start of an attempt's activity among
them, become durable together, or not at all. What was recorded before is not written
anywhere: it follows, by running the same code again, from what the server has. So no
plugin is called before its attempt is durable (A-13), and no step has a commit of its own.

**Going on in a new history.** A history has an end, and a plan may be longer. When it is
full, nothing new is called any more; when the calls that go on have ended, the workflow
goes on as a new run of itself, with all that is stored of the plan. An attempt that was
about to be called then is taken back: it never was.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import attrs
from temporalio import workflow
from temporalio.common import RetryPolicy as ServerRetry
from temporalio.exceptions import ActivityError, ApplicationError

from workstream._attempts.outcomes import interrupted, time_left
from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes
from workstream._interpreter import judgement, verdicts
from workstream._interpreter.interpreter import Interpreter
from workstream._interpreter.recovery import INTERRUPTED, putting_in_order
from workstream._plan.paths import paths
from workstream._plan.plan import Action, BaseAction, Node, Plan
from workstream._plan.walk import position_of
from workstream._plan.zones import zone_of
from workstream._protocols.plugin import NOT_DONE, NotDone
from workstream._protocols.runtime import AttemptOutcome, Nursery
from workstream._protocols.vault import (
    Change,
    LineRecord,
    LogSlice,
    NodeRecord,
    PlanRequest,
    StoredPlan,
    Write,
)
from workstream._secrets.references import needed_keys
from workstream._values.interventions import Freeze
from workstream._values.state import Attempt, OnInterrupt, PluginError
from workstream._vaults.memory_vault import MemoryVault
from workstream.retries import FAST, RetryPolicy

from ._forms import packed, unpacked
from ._limits.flight import Flight
from ._limits.shelves import Shelves
from ._limits.steps import STEP, in_steps, take_back
from ._names import CALL, HEARTBEAT, activity_id, queue_of
from ._parts import part_form, signals_to

ONCE = ServerRetry(maximum_attempts=1)
LOST = "lost"
"""The type of the failure by which a worker says that it ends."""
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


class TemporalRuntime:
    """Runs one plan in a workflow; see ``Runtime`` for the verbs.

    Attributes:
        flight: How much of it is under way at a time.
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
        """Make a runtime for a plan; ``loaded`` makes one that is ready.

        Args:
            plan: The plan.
            stored: All that is stored of it.
            vault: Keeps its changes.
            conduct: What its plugins say of retries and interruptions, by their names.
            shelves: Where what is large of it is kept.
            show: Lets a list show what the row is now.
        """
        self._codec = Codec(None)
        self._plan = plan
        self._id = stored.row.id
        self._vault = vault
        self._position = stored.position
        self._shelves = shelves
        self._shelved: dict[tuple[int, int], list[str]] = {}
        self._show = show
        self._told = len(self._plan.interventions)
        self._taken = self._removed = 0
        self._conduct = {
            name: (RetryPolicy(**retry), OnInterrupt[meaning])
            for name, (retry, meaning) in conduct.items()
        }
        self._frozen: Freeze | None = None
        self._calls: dict[int, _Call] = {}
        self._waiting: dict[int, str] = {}
        self._is_left = False
        self._lines: dict[int, int] = dict(stored.lines)
        self._records: dict[int, list[NodeRecord]] = {}
        self._paths: dict[int, str] = {}
        self._by_key: dict[str, BaseAction] = {}
        self._zones: dict[int, str] = {}
        self._flight = self.flight()
        self._random = workflow.random()
        self._interpreter = Interpreter(self._plan, self)

    @classmethod
    async def loaded(
        cls,
        stored: StoredPlan,
        vault: MemoryVault,
        conduct: Mapping[str, Any],
        shelves: Shelves,
        show: Callable[[], None],
    ) -> Self:
        """A runtime for a plan, from wherever it stands.

        A large plan is loaded over several activations; nobody changes it meanwhile.
        """
        plan = await in_steps(Codec(None).loading(stored, STEP))
        made = cls(plan, stored, vault, conduct, shelves, show)
        await in_steps(made._look_round(stored))
        return made

    def _look_round(self, stored: StoredPlan) -> Generator[None]:
        """Find out where all actions are, and put them in order; in steps."""
        for number, (path, item) in enumerate(paths(self._plan), 1):
            if isinstance(item.node, BaseAction):
                position = position_of(item.node)
                self._paths[position] = path
                zone = zone_of(item.ancestors)
                if zone is not None:
                    self._zones[position] = zone
                if item.node.key is not None:
                    self._by_key[item.node.key] = item.node
            if number % STEP == 0:
                yield
        for number, record in enumerate(stored.records, 1):
            if record.position in self._paths and record.attempt:
                self._records.setdefault(record.position, []).append(record)
            if number % STEP == 0:
                yield
        if stored.records:
            now = self.now()
            order = putting_in_order(self._plan, self.on_interrupt, now)
            for number, changed in enumerate(order, 1):
                if changed:
                    self.record(*changed)
                if number % STEP == 0:
                    yield

    async def run(self) -> bool:
        """Run the plan; whether it has ended, or is to go on in a new history."""
        over = asyncio.create_task(self._interpreter.run())
        full = asyncio.create_task(workflow.wait_condition(self._is_drained))
        await workflow.wait([over, full], return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            full.cancel()
            over.result()
            return True
        self._is_left = True
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

    # --- the verbs that remember ------------------------------------------------------

    @staticmethod
    def time() -> datetime:
        """The time of the workflow, which a replay tells again."""
        return workflow.now()

    def now(self) -> datetime:
        """The time to record."""
        return self.time()

    def random(self) -> float:
        """A number that a replay draws again."""
        return self._random.random()

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        """What the action's plugin said when the plan was started."""
        known = self._conduct.get(action.plugin)
        return FAST if known is None else known[0]

    def on_interrupt(self, action: BaseAction, /) -> OnInterrupt:
        """What an interrupted attempt means: the action's word, or its plugin's (R-7)."""
        if isinstance(action, Action) and action.on_interrupt is not None:
            return action.on_interrupt
        known = self._conduct.get(action.plugin)
        return OnInterrupt.RERUN if known is None else known[1]

    def record(self, *nodes: Node) -> None:
        """Keep what these objects are now."""
        changes: list[Change] = []
        for node in nodes:
            if node is self._plan:
                changes += plan_changes(self._plan, self._told)
                self._told = len(self._plan.interventions)
                continue
            record = self._codec.record_of(node)
            changes.append(record)
            if isinstance(node, BaseAction):
                self._keep(record, over=node.state.status.is_terminal)
        self._write(changes)

    def _keep(self, record: NodeRecord, *, over: bool) -> None:
        """Have the records of the attempts of an action that goes on at hand."""
        if over:
            self._records.pop(record.position, None)
            return
        kept = self._records.setdefault(record.position, [])
        kept[max(record.attempt - 1, 0) :] = [record] if record.attempt else []

    def _write(self, changes: list[Change]) -> None:
        write = Write(
            plan_id=self._id,
            first=self._position + 1,
            changes=tuple(changes),
            taken=self._taken if self._taken > self._removed else 0,
        )
        self._removed = self._taken
        self._vault.write_now(write)
        self._position += len(changes)
        self._show()

    async def durable(self) -> None:
        """Return at once: see above."""

    async def hear(self) -> None:
        """Do nothing: what is asked is taken as it comes."""

    def freeze(self) -> Freeze | None:
        """What the store says of a freeze."""
        return self._frozen

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
        seconds = action.timeout
        if action.deadline is not None:
            own_time = verdicts.own_time(self._plan, action, self.now())
            seconds = time_left(action, own_time)
        found = await self._call("execute", action, attempt, seconds, main)
        assert not isinstance(found, NotDone)
        return found

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        """Ask what became of the interrupted attempt, until somebody answers (R-7)."""
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
        keys = needed_keys(action.request)
        part = part_form(
            self._codec,
            self._plan,
            action,
            records=self._records.get(position, ()),
            sources=[self._by_key[key] for key in keys if key in self._by_key],
            told=signals_to(self._plan, action, self._paths[position]),
            shelves=self._shelves,
        )
        path, lines = self._paths[position], self._lines.get(position, 0)
        given = packed(verb, seconds, main, path, lines, part, room)
        await self._flight.sent(len(given))
        if self._flight.is_full():
            await asyncio.Future[None]()  # for ever
        del self._waiting[position]
        if main and judgement.cuts(self._plan):
            return interrupted()
        handle = workflow.start_activity(
            CALL,
            given,
            result_type=bytes,
            activity_id=activity_id(position, len(action.attempts), verb),
            task_queue=queue_of(self._zones.get(position)),
            start_to_close_timeout=FOR_EVER,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=action.name[:200],
        )
        self._calls[position] = _Call(action, attempt, main, handle)
        try:
            answer = await handle
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type != LOST:
                raise
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
        if call is None or len(call.action.attempts) != number:
            return  # it came too late, and the attempt's end had it with it
        self._report(position, reported)
        if kind == "notes":
            call.attempt.notes.update(what)
            self.record(call.action)
        elif kind == "deaf":
            call.attempt.unresponsive = True
            self.record(call.action)

    def _report(self, position: int, reported: list[Any]) -> None:
        lines = [LineRecord(position, number, data) for number, data in reported]
        last = self._lines.get(position, 0)
        new = [each for each in lines if each.number > last]
        if new:
            self._lines[position] = new[-1].number
            self._write(list(new))

    def _put_on(self, names: list[str], action: BaseAction, last: int) -> None:
        """Note that what came of an attempt is on shelves."""
        position = position_of(action)
        self._shelves.add(names)
        self._shelved[position, len(action.attempts)] = names
        if action.key is not None:
            self._shelves.keyed[position] = names
        if last > self._lines.get(position, 0):
            self._shelves.put_lines(names, position, last)
            self._lines[position] = last

    def shelved_in(self, found: LogSlice) -> list[str]:
        """Where what is large is of the records in a piece of the log."""
        names = [
            name
            for _, each in found.changes
            if isinstance(each, NodeRecord)
            for name in self._shelved.get((each.position, each.attempt), ())
        ]
        return list(dict.fromkeys(names))

    @property
    def keyed(self) -> set[int]:
        """The places of the actions to whose responses requests may refer."""
        return {position_of(each) for each in self._by_key.values()}

    # --- a new history ----------------------------------------------------------------

    def _is_drained(self) -> bool:
        if not self._flight.is_full():
            return False
        return (bool(self._waiting) and not self._calls) or self._flight.is_too_full()
