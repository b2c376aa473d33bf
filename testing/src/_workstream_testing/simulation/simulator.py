"""Running a plan in virtual time, life after life: what ``simulate`` and its kin share.

A ``Simulator`` is one world: its clock goes on through crashes of the engine, and so do
its plugins and its history.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import attrs

from workstream._attempts.verbs import on_interrupt_by
from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes, row_of
from workstream._interpreter import recovery as recovery
from workstream._plan.clone import clone
from workstream._plan.plan import Node, Plan
from workstream._plan.walk import actions, give_ids
from workstream._protocols.plugin import AnyPlugin
from workstream._protocols.vault import Change, PlanRequest, Vault, Write
from workstream._registry.registry import Registry
from workstream._store.asking import asked
from workstream._validation.validation import check_resumable, prepared
from workstream._values.display import shorten
from workstream._values.durations import duration_text
from workstream._values.errors import RefusedError, ValidationError
from workstream._values.interventions import Freeze, Verb, Word
from workstream._values.state import State, Status

from ..fakes.fakes import FakePlugin
from ..problems import SimulationError, says_all
from ..virtual.loop import Loop, current_loop
from ..virtual.loop_errors import Abandon, EndlessError, ForeignAwait
from ..virtual.virtual_time import START
from .history import History
from .journal import Store
from .simulated_runtime import SimulatedRuntime, SimulationSettings, Storable
from .timeline import Timeline
from .told import AUTHOR, Told

__tracebackhide__ = says_all

T = TypeVar("T")

Plugins: TypeAlias = Iterable[AnyPlugin] | Callable[[], Iterable[AnyPlugin]]
"""Plugins, or a function that makes them anew for each run: for those with a memory."""

MONTH = 30 * 24 * 3600.0
"""Seconds of virtual time after which a simulation is given up."""

SHOWN = 8
"""How many running calls a message names."""

HALF = 0.5
"""Jitter that is none: the middle of what may be drawn."""


class Simulator:
    """One plan in a world of its own.

    Attributes:
        plan: The plan as it is now.
        history: All that happened.
        time: Seconds since it began.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        *,
        choose: Callable[[int], int] | None = None,
        random: Callable[[], float] = lambda: HALF,
        max_time: float = MONTH,
        stop_at: float | None = None,
        told: Iterable[Told] = (),
        history: History | None = None,
    ) -> None:
        """Make a world.

        Args:
            plan: The plan; it has its ids, and is changed.
            registry: The plugins.
            choose: Chooses among the tasks that are ready at one instant.
            random: Draws jitter.
            max_time: The bound of virtual time, in seconds.
            stop_at: When a stop is asked for, in seconds.
            told: What else it is told, in order.
            history: What has happened in it before.
        """
        check_times(stop_at, max_time)
        self.plan = plan
        self.history = history or History(plan, START)
        self.time = 0.0
        codec = Codec(registry)
        self._registry = registry
        self._choose = choose
        self._max_time = max_time
        self._told = list(told)
        self._freeze = _Freezing()
        self._before = [each for each in self._told if not each.at]
        self._told = [each for each in self._told if each.at]
        if stop_at is not None:  # after the start, also at 0
            self._told.append(Told(stop_at, Verb.STOP))
        self._codec = codec
        self._settings = SimulationSettings(
            plugins=registry,
            codec=codec,
            history=self.history,
            random=random,
            storable=Storable(codec),
            freeze=self._freeze.get,
        )

    @property
    def now(self) -> datetime:
        """The date and time."""
        return self.history.start + timedelta(seconds=self.time)

    def start(self, vault: Vault | None = None) -> None:
        """Run the plan from its beginning to its end.

        Args:
            vault: Where every change is stored; None: nowhere.

        Raises:
            SimulationError: It cannot be run to its end.
        """
        plan = self.plan
        plan.submitted = START
        plan.submitter = AUTHOR
        store = None
        if vault is not None:
            definition = self._codec.encode_definition(plan)
            finish(vault.create(row_of(plan), definition))
            store = Store(vault, _given(plan.id), 0)
        for each in self._before:
            self._take(store, None, each)
        if plan.state.status.is_terminal:
            return
        self._begin(store)
        self._live(store)

    def _begin(self, store: Store | None) -> None:
        plan = self.plan
        plan.state = State(Status.RUNNING, self.now)
        self._note([plan])
        self._store(store, [plan])

    def forked(self) -> Simulator:
        """A world in which the same has happened so far, and the engine dies now.

        For a world in which nobody draws anything.
        """
        loop = current_loop()
        fork = Simulator(
            self.plan,
            self._registry,
            max_time=self._max_time,
            history=self.history.forked(),
        )
        fork.time = fork.history.end = self.time if loop is None else loop.time
        fork._told, fork._freeze.now = list(self._told), self._freeze.now
        return fork

    def write_unread(self) -> None:
        """Encode nothing from now on: nobody reads what this life stores."""
        unread: Any = _Unread()
        self._settings = attrs.evolve(self._settings, codec=unread)

    def recover(self, *, max_last_update: float | None) -> None:
        """Bring a plan to its end that is as a crash left it.

        Args:
            max_last_update: Seconds after which it is given up (R-3); None: never.
        """
        self._put_in_order(None, max_last_update, ())

    def recover_from(self, vault: Vault) -> None:
        """Read the plan from a store, and bring it to its end after a crash."""
        stored = finish(vault.read(_given(self.plan.id)))
        self.plan = self._codec.load(stored)
        if self.plan.state.status is Status.RUNNING:
            store = Store(vault, stored.row.id, stored.position)
            self._put_in_order(store, None, stored.requests)

    def _put_in_order(
        self,
        store: Store | None,
        max_last_update: float | None,
        requests: Sequence[PlanRequest],
    ) -> None:
        plan = self.plan
        known = len(plan.interventions)
        if recovery.is_too_old(plan, self.now, max_last_update):
            changed = recovery.age_out(plan, self.now, requests=requests)
        else:
            changed = recovery.put_in_order(
                plan,
                on_interrupt_by(self._registry),
                self.now,
                requests=requests,
            )
        self._note(changed)
        self._store(store, changed, known, requests)
        if not plan.state.status.is_terminal:
            self._live(store)

    def _note(self, nodes: Iterable[Node]) -> None:
        note = self.history.note
        for node in nodes:
            note((self.time, node, node.state.status, None, 0, False))

    def _store(
        self,
        store: Store | None,
        nodes: list[Node],
        known: int = 0,
        requests: Sequence[PlanRequest] = (),
    ) -> None:
        if store is None or not (nodes or requests):
            return
        changes: list[Change] = [
            self._settings.codec.record_of(node)
            for node in nodes
            if node is not self.plan
        ]
        if requests or any(node is self.plan for node in nodes):
            changes += plan_changes(self.plan, known)
        write = Write(
            plan_id=store.plan_id,
            first=store.position + 1,
            changes=tuple(changes),
            taken=max((each.number for each in requests), default=0),
        )
        [answer] = finish(store.vault.write([write]))
        if answer is not None:
            raise answer
        store.position += len(changes)

    def _take(
        self, store: Store | None, runtime: SimulatedRuntime | None, told: Told
    ) -> None:
        """Let the plan be told something: through the store, where there is one."""
        if told.verb in (Verb.FREEZE, Verb.UNFREEZE):
            self._freeze_store(told)
            if runtime is not None:
                runtime.look()
            return
        plan = self.plan
        row = row_of(plan)
        before = runtime is None
        try:
            request, effect = asked(
                row,
                told.verb.value,
                at=self.now if runtime is None else runtime.now(),
                by=told.by,
                reason=told.reason,
                path=told.path,
                data=told.data,
                position=0 if store is None else store.position,
                plan=plan if before else None,
            )
        except RefusedError:
            return
        requests = [request]
        if store is not None:
            finish(store.vault.ask(request, effect))
            requests = list(finish(store.vault.requests()))
        if runtime is None:
            if store is not None:
                store.position += len(effect.changes)
            return
        for each in requests:
            runtime.take(each)

    def _live(self, store: Store | None) -> None:
        """Let the interpreter run, until the plan's end or a crash."""
        loop = Loop(time=self.time, choose=self._choose, max_time=self._max_time)
        runtime = SimulatedRuntime(self.plan, loop, self._settings, store)
        for each in self._told:
            # A task, so that it comes before or after what else happens at that time.
            say = partial(self._say, loop, store, runtime, each)
            loop.call_at(max(each.at, loop.time), say)
        try:
            loop.run(runtime.run)
        except EndlessError as error:
            self.history.end = loop.time
            raise SimulationError(self._endless(error)) from None
        except Abandon as error:
            if error.reason is None:
                raise
            # Where in the interpreter it came up is of no use to anybody.
            raise error.reason.with_traceback(None) from error.reason.__cause__
        except ForeignAwait as error:
            message = f"something awaits {error.library or 'an event loop'}"
            raise SimulationError(message) from None
        finally:
            self.time = self.history.end = loop.time

    def _freeze_store(self, told: Told) -> None:
        """Freeze the store, or end that (HO-6)."""
        word = Word(by="somebody", at=self.now, reason=told.reason)
        if told.verb is Verb.FREEZE:
            self._freeze.now = Freeze(begun=word)
        elif self._freeze.now is not None:
            self._freeze.now = attrs.evolve(self._freeze.now, ended=word)

    def _say(
        self, loop: Loop, store: Store | None, runtime: SimulatedRuntime, told: Told
    ) -> None:
        async def say() -> None:
            self._told.remove(told)
            self._take(store, runtime, told)

        loop.begin(say)

    def _endless(self, error: EndlessError) -> str:
        running = [call for call in self.history.calls() if call.ended is None]
        lines = [f"plan {self.plan.name!r} does not end: {error}"]
        lines += (
            f"  {call.path}: attempt {call.attempt} of {call.plugin} runs since "
            f"{duration_text(call.started)}"
            for call in running[:SHOWN]
        )
        return "\n".join([*lines, "", str(Timeline(self.history))])


class _Freezing:
    """What the store says of a freeze; apart, so that no run leads back to its world."""

    now: Freeze | None = None

    def get(self) -> Freeze | None:
        """What it says now."""
        return self.now


class _Unread:
    """A codec for records that nobody reads."""

    def record_of(self, node: Node) -> Node:
        """The object itself."""
        return node


def given(plugins: Plugins) -> list[AnyPlugin]:
    """The plugins for one run, their fakes as if they had never been called."""
    several: Any = plugins() if callable(plugins) else plugins
    if not hasattr(several, "__iter__"):
        message = f"plugins is {shorten(repr(several))}: give a list of plugins"
        raise SimulationError(message)
    made: list[AnyPlugin] = list(several)
    for plugin in made:
        if isinstance(plugin, FakePlugin):
            plugin.reset()
    return made


def check_times(stop_at: float | None, max_time: float) -> None:
    """See that both are times.

    Raises:
        SimulationError: One is not.
    """
    for name, seconds in (("stop_at", stop_at), ("max_time", max_time)):
        if seconds is not None and not seconds >= 0:
            message = f"{name} is {seconds!r}: it must be 0 or more seconds"
            raise SimulationError(message)


def check_given(plan: Plan, registry: Registry) -> None:
    """See that the registry has all plugins that the plan uses.

    Raises:
        SimulationError: It uses others; all are listed.
    """
    try:
        wanted = list(dict.fromkeys(action.plugin for action in actions(plan)))
    except Exception:
        return  # what is wrong with the plan, validation tells better
    missing = [name for name in wanted if name not in registry]
    if missing:
        message = (
            f"plan {plan.name!r} uses plugins that were not given: "
            f"{', '.join(map(str, missing))}. Nothing real runs by accident: give each a "
            "FakePlugin(...), or all of them fake_all(plan)"
        )
        raise SimulationError(message)


def fresh(plan: Plan, registry: Registry) -> Plan:
    """A copy of the plan, validated and given ids as by submit (SUB-1).

    Raises:
        SimulationError: It uses plugins that were not given.
        ValidationError: It lists all that is wrong with the plan.
    """
    try:
        copy, _ = prepared(plan, registry)
    except ValidationError:
        check_given(plan, registry)
        raise
    give_ids(copy, PLAN_ID)
    return copy


def found(plan: Plan, registry: Registry) -> Plan:
    """A copy of a plan as a crash left it.

    Raises:
        SimulationError: It was not running, or does not fit the plugins.
    """
    check_given(plan, registry)
    copy = clone(plan, keep_state=True)
    give_ids(copy, PLAN_ID if plan.id is None else plan.id)
    faults = [str(fault) for fault in check_resumable(copy, registry)]
    if plan.state.status is not Status.RUNNING:
        faults.append(
            f"it is {plan.state.status.name}: only a RUNNING plan is recovered"
        )
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        message = f"plan {plan.name!r} cannot be recovered:\n{lines}"
        raise SimulationError(message)
    return copy


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing.

    Raises:
        SimulationError: It waits for something.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    coroutine.close()
    message = (
        "the vault waits for an event loop, and a simulation has none: give a "
        "MemoryVault, or one derived from it"
    )
    raise SimulationError(message)


def _given(plan_id: UUID | None) -> UUID:
    assert plan_id is not None, "the plan has its ids"
    return plan_id


def _plan_id() -> UUID:
    """A UUID version 7 of the time at which every simulation begins."""
    milliseconds = int(START.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)


PLAN_ID = _plan_id()
"""The plan's id in every simulation, so that nothing differs from run to run."""
