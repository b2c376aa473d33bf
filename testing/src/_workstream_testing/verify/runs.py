"""One trial on its way: the lives of one run, and the moments that its log keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import attrs

from workstream._interpreter import recovery
from workstream._plan.plan import BaseAction, CheckAction, Plan
from workstream._protocols.vault import STOP, PlanRequest
from workstream._values.state import OnInterrupt, State, Status

from ..crashes.light_store import LightCodec, LightVault, reset
from ..problems import SimulationError
from ..simulation.history import History
from ..simulation.journal import Store
from ..simulation.simulated_runtime import SimulatedRuntime
from ..virtual.loop import Loop, current_loop
from ..virtual.loop_errors import Abandon
from ..virtual.virtual_time import START
from .faults import BY_TIME, Budget, Fault, Kind
from .invariants import Rule
from .merging.instants import Instants
from .merging.signatures import Signatures
from .moments import Entry, Moment, Start, strikes, told
from .prefixes import exact, start_at, take_up
from .world import Facts

if TYPE_CHECKING:
    from .trials import Trial, Trials


class _Quiet(History):
    """A history of which nobody will ask."""

    def __init__(self, plan: Plan, note: Callable[[Any], None]) -> None:
        super().__init__(plan, START)
        self.note, self.called = note, _ignore


def _ignore(entry: object) -> None:
    """Note nothing."""


class Run:
    """One trial on its way."""

    def __init__(
        self,
        trials: Trials,
        faults: tuple[Fault, ...],
        budget: Budget,
        history: History | None,
        *,
        merge: bool,
        ends: bool,
        in_order: bool,
        start: Start | None = None,
    ) -> None:
        self.trials = trials
        self.budget = budget
        self.time = 0.0 if start is None else start.time
        self.lost = False
        self.facts: Facts = dict(trials.world.first if start is None else start.facts)
        self.excess = [0] * len(trials.invariants)
        if start is not None:
            self.lost, self.excess = start.lost, list(start.excess)
        self._start = self._since_start = start
        self.differs = start is not None and start.exact is not None
        self._always = [
            (n, each)
            for n, each in enumerate(trials.invariants)
            if isinstance(each, Rule) and each.always
        ]
        self._log: list[Entry] = []
        self._since = 0
        self._left = set(range(0 if start is None else start.struck, len(faults)))
        self._faults = faults
        self._armed: dict[int, list[int]] = {}
        for number, fault in enumerate(faults):
            if fault.kind is not Kind.CRASH and fault.what != BY_TIME:
                self._armed.setdefault(fault.position, []).append(number)
        self._crashes = [n for n, f in enumerate(faults) if f.kind is Kind.CRASH]
        self._in_order = in_order
        self.signatures: Signatures | None = None
        self._instants: Instants | None = None
        self._ends = ends
        if merge:
            dies = trials.stores or bool(self._crashes or budget.crashes)
            self.signatures = Signatures(
                trials.shape, budget, self.doomed(), self.facts, dies=dies
            )
            stops = budget.stops or any(f.kind is Kind.STOP for f in faults)
            if not (stops or trials.sharing):
                self._instants = Instants(
                    self.signatures, trials.shape, budget.failures, dies=dies
                )
        note = _ignore if self.signatures is None else self.signatures.note
        self.history = history or _Quiet(trials.plan, note)
        self._named: set[tuple[int, int, str]] = set()
        self.vault = LightVault(self._stored)
        self._asked = False
        self._looked = self._instant = -1.0
        self.aside = 0
        self.known: Trial | None = None
        self.passed: list[object] = []
        self._judge_facts()

    def names(self) -> Iterator[tuple[float, int, int, str, float]]:
        """When each moment of its log is, and what tells it from others."""
        for each in self._log:
            yield each.time, each.position, each.attempt, each.what, each.at

    @property
    def reached(self) -> bool:
        """Whether all faults came to pass."""
        return not self._left

    def doomed(self, *, struck: bool = False) -> dict[int, object]:
        """What goes wrong with actions, by their places; or what has begun to."""
        found: dict[int, object] = {}
        for place, numbers in self._armed.items():
            faults = [
                self._faults[n] for n in numbers if not struck or n not in self._left
            ]
            if faults:
                found[place] = tuple((each.kind, each.attempt) for each in faults)
        return found

    @property
    def stores(self) -> bool:
        """Whether it has a store."""
        return bool(self.trials.stores or self._crashes or self.budget.crashes)

    # --- lives ------------------------------------------------------------------------

    def go(self, choose: Callable[[int], int] | None) -> None:
        """Run the plan to its end, over all crashes."""
        trials = self.trials
        plan = trials.plan
        trials.begin()
        plan.submitted = START
        vault = self.vault
        if (start := self._start) is None:
            reset(plan, trials.nodes)
        else:
            vault.kept, vault.row = dict(start.kept), start.row
            vault.restore(plan, trials.nodes)
            if start.order:
                take_up(trials.shape, start.order)
        if vault.row is None and not (start and start.struck and start.exact is None):
            plan.state = State(Status.RUNNING, START)
        self.history.note((0.0, plan, plan.state.status, None, 0, False))
        while True:
            loop = Loop(time=self.time, choose=choose, max_time=trials.max_time)
            store = Store(cast("Any", vault), _id(plan), 0) if self.stores else None
            runtime = SimulatedRuntime(plan, loop, trials.settings(self.history), store)
            self._runtime = runtime
            if self.signatures is not None:
                self.signatures.live(loop, runtime)
            if self._instants is not None:
                self._instants.live(loop, runtime)
            for number, fault in enumerate(self._faults):
                if fault.what == BY_TIME and number in self._left:
                    self._plan(number, fault, loop)
            try:
                loop.run(runtime.run)
            except Abandon as error:
                if error.reason is not None:
                    raise error.reason from None
                if self.known is not None or self.differs:
                    return
                self.time = self.history.end = loop.time
                self._recover(vault)
                if plan.state.status.is_terminal:
                    return
                continue
            finally:
                self.time = self.history.end = loop.time
                if start is not None and start.order:
                    take_up(trials.shape, ())
            return

    def _recover(self, vault: LightVault) -> None:
        trials = self.trials
        self.history.crashed(self.time)
        vault.restore(trials.plan, trials.nodes)
        now = self.history.start + _seconds(self.time)
        changed = recovery.put_in_order(
            trials.plan,
            trials.on_interrupt,
            now,
            requests=[self._stop_request(now)] if self._asked else [],
        )
        codec = LightCodec()
        for node in changed:
            self.history.note((self.time, node, node.state.status, None, 0, False))
            if node is not trials.plan:
                vault.keep([codec.record_of(node)])
        if self._left and self._ends and trials.plan not in changed:
            # The next set of faults may well begin with the same ones.
            number = min(self._left)
            start = Start(
                self.time,
                dict(vault.kept),
                vault.row,
                dict(self.facts),
                tuple(self.excess),
                lost=self.lost,
                struck=number,
            )
            trials.prefixes.add(self._faults[:number], start)

    def _stop_request(self, now: datetime) -> PlanRequest:
        """A stop, as somebody asks for it."""
        plan_id = self.trials.plan.id
        assert plan_id is not None
        return PlanRequest(plan_id=plan_id, verb=STOP, by="somebody", at=now)

    def _plan(self, number: int, fault: Fault, loop: Loop) -> None:
        """Let a fault strike by the clock."""

        async def strike() -> None:
            self._strike(number)
            if fault.kind is Kind.CRASH:
                raise Abandon
            self._ask_to_stop()

        loop.call_at(max(fault.at, loop.time), lambda: loop.begin(strike))

    def _ask_to_stop(self) -> None:
        self._asked = True
        self._runtime.take(self._stop_request(self._runtime.now()))

    def _strike(self, number: int) -> None:
        if number in self._left:
            self._left.discard(number)
            self._since = len(self._log)
            self._named = set()
            if self._instants is not None:
                self._instants.forget()

    def moment(self) -> tuple[float, datetime]:
        """How late it is: in seconds, and as the clock tells it."""
        time = _time()
        return time, self.history.start + _seconds(time)

    # --- what plugins and the store tell ----------------------------------------------

    def called(self, position: int, attempt: int) -> Fault | None:
        """A plugin is called: what goes wrong with it."""
        time = _time()
        if self.signatures is not None:
            if self._start is not None:
                self.signatures.first_owner = self._start.owner
                self._start = None
            self.signatures.called(position)
            if time != self._instant:
                self._instant = time
                self._compare_and_note(time)
        if self._instants is not None:
            self._instants.called(time)
        self._note_call(time, position, attempt)
        found: Fault | None = None
        for number in self._armed.get(position, ()):
            fault = self._faults[number]
            if not (self._is_next(number) and strikes(fault, attempt, time)):
                continue
            if fault.kind is not Kind.STOP:
                found = fault
            elif number in self._left:
                self._strike(number)
                self._ask_to_stop()
                self.asked_of(position)  # the task wrote something else meanwhile
                self._note_call(time, position, attempt)
        if found is not None:
            # Behind the moment itself: what follows a fault comes after it.
            self._strike(self._faults.index(found))
        if self.trials.world.begun(self.facts, position):
            self._judge_facts()
        return found

    def _compare_and_note(self, time: float) -> None:
        """See whether a run began well, and note where others may begin."""
        now = self.history.start + _seconds(time)
        if self.differs:
            start = self._since_start
            if start is None or start.exact != exact(self, now):
                raise Abandon
            self.differs = False
        elif self._left and self._ends and self.trials.starts is not None:
            struck = min(self._left)
            if struck and (start := start_at(self, time, now, struck)) is not None:
                self.trials.prefixes.add(self._faults[:struck], start)

    def _note_call(self, time: float, position: int, attempt: int) -> None:
        """Log a moment at which something could go wrong, if all else has."""
        if self._left:
            return
        if self.budget.failures or self.budget.stops:
            if self._is_amid(time, position):
                self.aside += 1
            else:
                key = self._key(time, position)
                at = self._at(time, (position, attempt, ""))
                self._log.append(Entry(time, position, attempt, key, at=at))
        if self._ends and self.signatures is not None and time != self._looked:
            # Once an instant: a moment that is not looked up merges nothing, and
            # to look up ten calls of one instant takes longer than to make them.
            self._looked = time
            self._look_up(time, position)

    def _is_amid(self, time: float, position: int) -> bool:
        """Whether other calls of this instant stand for this one."""
        if self._instants is None or position not in self.trials.shape.member_of:
            return False
        return self._instants.is_amid(self.history.start + _seconds(time))

    def _at(self, time: float, identity: tuple[int, int, str]) -> float:
        """What tells this moment from others of its name: those of looping checks."""
        if identity in self._named:
            return time
        self._named.add(identity)
        return 0.0

    def _is_next(self, number: int) -> bool:
        """Whether a fault may strike: all before it have, or it has begun to."""
        if number not in self._left or not self._in_order:
            return True
        return not any(before in self._left for before in range(number))

    def asked_of(self, position: int) -> None:
        """A plugin is asked what became of its work: its task goes on with that."""
        if self.signatures is not None:
            self.signatures.called(position)

    def ended(self, position: int, *, ok: bool) -> None:
        """A plugin has ended."""
        if ok and self.trials.world.done(self.facts, position):
            self._judge_facts()

    def _stored(self, change: Any) -> bool:
        """A write is durable; whether the engine dies now."""
        if not (self._crashes or self.budget.crashes):
            return False  # no run of this search dies
        position, attempt, what = told(change)
        identity = (position, attempt, what)
        for number in self._crashes:
            fault = self._faults[number]
            if number in self._left:
                if not self._is_next(number):
                    return False
                if (fault.position, fault.attempt, fault.what) != identity:
                    return False
                if _time() < fault.at:
                    return False
                self._strike(number)
                self.lost = fault.lost
                return True
        if self.budget.crashes and not self._left:
            time = _time()
            key = self._key(time, position, what)
            at = self._at(time, identity)
            asks = self._reconciles()
            self._log.append(Entry(time, position, attempt, key, what, asks, at))
        return False

    def _reconciles(self) -> bool:
        """Whether a crash would have a plugin asked what became of its work."""
        return self.trials.may_reconcile and any(
            isinstance(node, BaseAction)
            and node.state.status is Status.RUNNING
            and self.trials.on_interrupt(node) is OnInterrupt.RECONCILE
            for node in self.trials.shape.running()
        )

    def _key(
        self, time: float, position: int, what: str = "", *, fails: bool = True
    ) -> object:
        """What this moment has in common with those that are alike.

        Args:
            time: When it is.
            position: Whose it is.
            what: What was stored in it; "": it is a call.
            fails: Whether it is a fault of this call that follows; otherwise anything.
        """
        signatures, instants = self.signatures, self._instants
        if signatures is None:
            return None
        now = self.history.start + _seconds(time)
        shared = tuple(
            sorted((k, repr(self.facts[k])) for k in self.trials.world.shared)
        )
        member = self.trials.shape.member_of.get(position)
        moment: object
        if what:
            of_crash = (instants or signatures).of_crash
            moment = of_crash(now, self.vault.kept)
        elif member is None or instants is None:
            place = position if member is None else None
            moment = (place, self.lost, signatures.of_call(now))
        elif fails:
            moment = (self.lost, instants.of_failure(member, now))
        else:
            moment = (self.lost, instants.of_state(member, now))
        return hash((moment, shared, tuple(self.excess), self._asked))

    def _look_up(self, time: float, position: int) -> None:
        """Whether all that follows this moment is known."""
        if position not in self.trials.shape.member_of:
            return
        key = self._key(time, position, fails=False)
        for budget, trial in self.trials.ends.get(key, ()):
            if budget.covers(self.budget):
                self.known = trial
                raise Abandon
        self.passed.append(key)

    def _judge_facts(self) -> None:
        for number, rule in self._always:
            self.excess[number] = max(self.excess[number], rule.excess(self.facts))

    # --- what could go wrong next -------------------------------------------------------

    def moments(self, kinds: frozenset[Kind]) -> Iterator[Moment]:
        """Every fault that could come after those that came, in order."""
        over = {
            f.position
            for f in self._faults
            if f.kind in (Kind.FAILS, Kind.HANGS, Kind.RED)
        }
        for entry in self._log[self._since :]:
            path = self.trials.paths[entry.position]
            if entry.what:
                for lost in (False, True)[: 1 + entry.reconciles]:
                    yield self._moment(
                        entry,
                        Fault(
                            Kind.CRASH,
                            path,
                            entry.position,
                            entry.attempt,
                            at=entry.at,
                            what=entry.what,
                            lost=lost,
                        ),
                    )
                continue
            if self.budget.failures and entry.position not in over:
                for fault in self._failures(entry, path, kinds):
                    if fault.kind in kinds:
                        yield self._moment(entry, fault)
            if self.budget.stops:
                place, attempt = entry.position, entry.attempt
                stop = Fault(Kind.STOP, path, place, attempt, entry.at)
                yield self._moment(entry, stop)

    def _moment(self, entry: Entry, fault: Fault) -> Moment:
        key = None
        if entry.key is not None:
            key = (entry.key, fault.kind, fault.lost)
        return attrs.evolve(fault, time=entry.time), key

    def _failures(self, entry: Entry, path: str, kinds: frozenset[Kind]) -> list[Fault]:
        node = self.trials.nodes[entry.position]
        place = entry.position
        if isinstance(node, CheckAction) and self.trials.is_looping(place):
            return [Fault(Kind.RED, path, place, at=entry.time)]
        found = [Fault(Kind.FAILS, path, place, entry.attempt)]
        assert isinstance(node, BaseAction), "only actions are called"
        if node.retries != 0 or Kind.FAILS not in kinds:
            # Without retries one failure is one for good.
            found.append(Fault(Kind.FAILS_ONCE, path, place, entry.attempt))
        if node.timeout < float("inf"):
            found.append(Fault(Kind.HANGS, path, place, entry.attempt))
        return found


def _time() -> float:
    loop = current_loop()
    return 0.0 if loop is None else loop.time


def _id(plan: Plan) -> Any:
    if plan.id is None:
        message = "the plan has its ids"
        raise SimulationError(message)
    return plan.id


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
