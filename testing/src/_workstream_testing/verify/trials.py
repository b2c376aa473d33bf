"""Trials: one plan run again and again, each time with other faults.

A trial runs the engine's own interpreter in virtual time. What does not change between
trials is made once: the plan, its paths, its plugins; a trial only puts the plan's
states back. Every trial keeps a log of the moments at which something else could have
gone wrong: those are where the search goes on.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from workstream._attempts.verbs import on_interrupt_by
from workstream._codec.codec import Codec
from workstream._plan.paths import SEPARATOR, paths
from workstream._plan.plan import BaseAction, Checks, Node, Plan
from workstream._plan.walk import POSITION_MASK, position_of, walk
from workstream._plan.walk import actions as plan_actions
from workstream._protocols.plugin import NOT_DONE, can_reconcile
from workstream._registry.registry import Registry
from workstream._values.state import OnInterrupt, PluginError
from workstream.retries import RetryPolicy

from ..crashes.light_store import LightCodec
from ..fakes.fake_all import fake_all
from ..fakes.fakes import FakePlugin
from ..futures.earlier import Recorded, Script
from ..problems import SimulationError
from ..simulation.history import History
from ..simulation.simulated_runtime import (
    SimulationSettings,
    Storable,
)
from ..simulation.simulator import HALF, MONTH, fresh
from ..virtual.loop_errors import Abandon, EndlessError
from ..virtual.schedules import Seed, chooser
from ..virtual.virtual_time import START
from ..virtual.waiting import sleeping, time
from .faults import Budget, Fault, Kind
from .invariants import End, Invariant, Rule, text_of
from .merging.orders import sharing
from .merging.shapes import Shape
from .moments import Moment, Start
from .prefixes import Prefixes
from .runs import Run
from .starts import Starts
from .world import Effect, Facts, World

SHARE = 0.25
"""How much of its timeout an action takes where nothing else is said."""
LONGEST = 60.0
"""Seconds that it takes at most."""

WORK_TO_DO = "there is work to do"
NOT_KNOWN = "nobody can tell what became of it"
FAILS, FAILS_ONCE = "it fails", "it fails once"


@attrs.define
class Trial:
    """How one run with faults ended.

    Attributes:
        faults: What went wrong.
        reached: Whether all of it came to pass.
        touched: How many sequences began and did not complete.
        excess: By how much each invariant is broken.
        said: What functions said of the ends that they refuse.
        endless: Why it does not end; "": it does.
        moments: What could go wrong next.
        aside: How many calls were left aside, as calls that are alike stand for them.
        seed: What chose the order of simultaneous events.
    """

    faults: tuple[Fault, ...]
    reached: bool = True
    touched: int = 0
    excess: tuple[int, ...] = ()
    said: tuple[str, ...] = ()
    endless: str = ""
    moments: list[Moment] = attrs.Factory(list[Moment])
    aside: int = 0
    seed: Seed = 0

    @property
    def harm(self) -> tuple[int, int, int]:
        """How bad the end is; larger is worse."""
        return (bool(self.endless), sum(self.excess), self.touched)


class Trials:
    """Runs one plan with faults.

    Attributes:
        plan: The plan, as by submit; its states are those of the latest trial.
        paths: The path of each object, by its place in walk order.
        world: What its actions do to the world.
        began: When each action begins if nothing goes wrong, by its place.
        ends: What is known of moments, by their signatures: within which budget all that
            follows was tried, and how it ends if nothing more goes wrong.
        sharing: Why the order of an instant is all told; nothing: it is not.
        may_reconcile: Whether a plugin may be asked what became of its work (R-7).
        starts: Where runs that end as soon as possible begin; None: at the beginning.
        prefixes: Where runs begin that have their first faults in common.
        usual_facts: The facts at the end if nothing goes wrong.
        stores: Whether each run has a store, also one in which the engine does not die:
            a commit has its place in the order of an instant.
    """

    def __init__(
        self,
        plan: Plan,
        plugins: Sequence[Any],
        *,
        invariants: Callable[[World], list[Invariant]],
        effects: Sequence[Effect] = (),
        starts: dict[str, object] | None = None,
        takes: float | None = None,
        durations: Mapping[str, float] | None = None,
        script: Script | None = None,
        kinds: frozenset[Kind] = frozenset(Kind),
        max_time: float = MONTH,
        stores: bool = False,
    ) -> None:
        """Make all that trials have in common."""
        given = {each.name for each in plugins if isinstance(each, FakePlugin)}
        self._bases: dict[str, Any] = {p.name: p for p in fake_all(plan, *plugins)}
        self._given = given
        made: list[Any] = [self._faulty(base) for base in self._bases.values()]
        self._registry = Registry(made)
        self.plan = fresh(plan, self._registry)
        self.nodes: list[Node] = [item.node for item in walk(self.plan)]
        self.paths = [path for path, _ in paths(self.plan)]
        self.world = World(
            self.plan, self.paths, effects, starts or {}, self._plugins(plugins)
        )
        self.invariants = invariants(self.world)
        own = {
            name
            for name, base in self._bases.items()
            if name in given and not base.answers_alike
        }
        self._takes = {
            position_of(action): _takes(action, takes)
            for action in plan_actions(self.plan)
        }
        self._recorded: Mapping[int, Recorded] = {}
        if script is not None:
            self._recorded = script.recorded
            self._takes.update(script.takes)
        for path, seconds in (durations or {}).items():
            for place in self.places_of(path):
                self._takes[place] = seconds
        self.shape = Shape(self.plan, self.world, own, self._takes)
        self.stores = stores
        self._kinds = kinds
        self._max_time = max_time
        codec = Codec(self._registry)
        self._storable = Storable(codec)
        self._light: Any = LightCodec()
        self._on_interrupt = on_interrupt_by(self._registry)
        self.sharing = tuple(self._sharing())
        self._bypass = _bypass_checks(self.plan)
        self._looping = _looping_checks(self.plan)
        self._run: Run | None = None
        self.began: dict[int, float] = {}
        self.usual_facts: Facts = {}
        self.starts: Starts | None = None
        self.prefixes = Prefixes()
        self.ends: dict[object, list[tuple[Budget, Trial]]] = {}
        self.may_reconcile = any(
            self._on_interrupt(action) is OnInterrupt.RECONCILE
            for action in plan_actions(self.plan)
        )

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        """How long an action waits before another attempt."""
        plugin = self._registry.get(action.plugin)
        assert plugin is not None, "the plan is ready to run"
        return plugin.retry

    def _sharing(self) -> Iterator[str]:
        """What hosts share, so that the order of an instant makes a difference."""
        yield from sharing(self.plan)
        if self.world.shared:
            yield "facts that several hosts set"
        if any(isinstance(each, Rule) and each.always for each in self.invariants):
            yield "a rule that holds at any time"
        if any(line.lasts for line in self.shape.blocks.values()):
            yield "what is taken back, or whose response is needed"
        if self._given or self._recorded:
            yield "fakes with scripts of their own"
        if not all(
            self._takes[place] > 0
            for place in self.shape.member_of
            if place in self._takes
        ):
            yield "calls that take no time"
        # Without a crash nobody asks them.
        if self.stores and any(
            self._on_interrupt(a) is OnInterrupt.RECONCILE
            for a in plan_actions(self.plan)
        ):
            yield "plugins that reconcile"

    def _plugins(self, plugins: Sequence[Any]) -> dict[str, Any]:
        installed = Registry.installed()
        originals = {each.name: each for each in plugins}
        return {
            name: originals.get(name) or installed.get(name) for name in self._bases
        }

    # --- plugins --------------------------------------------------------------------

    def _faulty(self, base: Any) -> Any:
        """A plugin that does what the present trial says, and its base the rest."""
        fake: Any = FakePlugin
        made = fake(base, strict=False)
        scripted = base.name in self._given
        answer = None if scripted else base.usual_response

        async def execute(context: Any, request: Any) -> object:
            run = self._run
            assert run is not None, "a plugin is called by a trial"
            position: int = context.action_id.int & POSITION_MASK
            try:
                fault = run.called(position, context.attempt)
            except Exception as error:  # no plugin's: the trial itself is broken
                raise Abandon(error) from error
            try:
                if fault is not None:
                    await self._go_wrong(fault, position)
                if scripted:
                    response = await base.execute(context, request)
                elif position in self._recorded:
                    await self._repeat(position, context.attempt)
                    response = answer
                else:
                    await sleeping(self._takes[position])
                    if position in self._bypass:
                        raise PluginError(WORK_TO_DO, permanent=True)
                    response = answer
            except BaseException:
                run.ended(position, ok=False)
                raise
            run.ended(position, ok=True)
            return response

        async def reconcile(context: Any, request: Any) -> object:
            run = self._run
            assert run is not None, "a plugin is called by a trial"
            run.asked_of(context.action_id.int & POSITION_MASK)
            if run.lost:
                raise PluginError(NOT_KNOWN, permanent=True)
            if scripted:
                return await base.reconcile(context, request)
            return NOT_DONE

        made.execute = execute
        if can_reconcile(made):
            made.reconcile = reconcile
        return made

    async def _go_wrong(self, fault: Fault, position: int) -> None:
        if fault.kind is Kind.HANGS:
            await sleeping(float("inf"))
        await sleeping(self._takes[position])
        if fault.kind is Kind.FAILS_ONCE:
            raise PluginError(FAILS_ONCE)
        raise PluginError(FAILS, permanent=True)

    async def _repeat(self, position: int, attempt: int) -> None:
        """Do what the action did in the run that is the script."""
        recorded = self._recorded[position]
        if position in self._looping:
            # Of its runs only the latest is stored: it went red when that one began.
            seconds, error = recorded.steps[-1]
            error = error if time() >= recorded.since else None
        else:
            seconds, error = recorded.step(attempt)
        await sleeping(seconds)
        if error is not None:
            raise PluginError(
                error.message, code=error.code, permanent=error.permanent
            ) from error.wrapped

    # --- trials -----------------------------------------------------------------------

    def run(
        self,
        faults: tuple[Fault, ...],
        budget: Budget,
        *,
        merge: bool = False,
        seed: Seed = 0,
        history: History | None = None,
        in_order: bool = True,
        ends: bool = False,
    ) -> Trial:
        """Run the plan with these faults.

        Args:
            faults: What goes wrong, in the order in which it does.
            budget: How much more may go wrong: whether moments are collected.
            merge: Whether moments that are alike count as one.
            seed: Chooses the order of simultaneous events.
            history: Notes all that happens, for a story; None: nothing does.
            in_order: Whether a fault strikes only after those before it.
            ends: Whether the run is left where all that follows is known.
        """
        begins_late = bool(ends and faults and in_order)
        start = self._start_of(faults) if begins_late else None
        run = Run(
            self,
            faults,
            budget,
            history,
            merge=merge,
            ends=ends,
            in_order=in_order,
            start=start,
        )
        self.follow(run)
        trial = Trial(faults, seed=seed)
        try:
            run.go(chooser(seed))
        except EndlessError as error:
            trial.endless = str(error)
        if run.differs and start is not None:
            self.prefixes.drop(start)
            return self.run(faults, budget, merge=merge, seed=seed, ends=ends)
        if run.known is not None:
            # The same future was seen before, to its end.
            trial = attrs.evolve(run.known, faults=faults)
            trial.moments, trial.aside = list(run.moments(self._kinds)), run.aside
        else:
            self._judge(run, trial)
        if trial.reached:
            for key in run.passed:
                self._learn(key, budget, trial)
        if run.known is not None:
            return trial
        if not faults and not self.began:
            self._note_times()
            self.usual_facts = run.facts
        if trial.reached and budget.total:
            trial.moments, trial.aside = list(run.moments(self._kinds)), run.aside
        return trial

    def _start_of(self, faults: tuple[Fault, ...]) -> Start | None:
        """Where a run that ends as soon as possible begins; None: at the beginning."""
        if self.starts is None:
            return None
        return self.prefixes.latest(faults) or self.starts.before(faults[0])

    def follow(self, run: Run) -> None:
        """Let plugins do what a run says, from now on."""
        self._run = run

    def _learn(self, key: object, budget: Budget, trial: Trial) -> None:
        known = self.ends.setdefault(key, [])
        if not any(each.covers(budget) for each, _ in known):
            known.append((budget, attrs.evolve(trial, moments=[])))

    def _note_times(self) -> None:
        for place, node in enumerate(self.nodes):
            if isinstance(node, BaseAction) and node.attempts:
                started = node.attempts[0].started
                self.began[place] = (started - START).total_seconds()

    def _judge(self, run: Run, trial: Trial) -> None:
        trial.reached = run.reached
        touched = self.shape.touched()
        trial.touched = len(touched)
        end: End | None = None
        excess: list[int] = []
        said: list[str] = []
        for number, each in enumerate(self.invariants):
            if isinstance(each, Rule):
                if each.counts_touched is not None:
                    excess.append(max(len(touched) - each.counts_touched, 0))
                elif each.always:
                    excess.append(run.excess[number])
                else:
                    excess.append(each.excess(run.facts))
                continue
            end = end or End(
                self.plan, trial.faults, tuple(touched), run.facts, run.time
            )
            answer = _answer(each, end)
            excess.append(0 if answer is None else 1)
            if answer:
                said.append(answer)
        trial.excess, trial.said = tuple(excess), tuple(said)

    def settings(self, history: History) -> SimulationSettings:
        """What the lives of one trial share."""
        return SimulationSettings(
            plugins=self._registry,
            codec=self._light,
            history=history,
            random=_middle,
            storable=self._storable,
            freeze=lambda: None,
        )

    def on_interrupt(self, action: BaseAction) -> OnInterrupt:
        """What an interrupted attempt of the action means (R-7)."""
        return self._on_interrupt(action)

    def is_looping(self, position: int) -> bool:
        """Whether the action is a continuous check."""
        return position in self._looping

    def places_of(self, path: str) -> list[int]:
        """The places of the actions whose path is this, or ends so."""
        return [
            place
            for place, found in enumerate(self.paths)
            if (found == path or found.endswith(SEPARATOR + path))
            and isinstance(self.nodes[place], BaseAction)
        ]

    def begin(self) -> None:
        """Make fakes that were given forget what they did."""
        for base in self._bases.values():
            if isinstance(base, FakePlugin) and base.name in self._given:
                base.reset()

    @property
    def max_time(self) -> float:
        """Seconds of virtual time after which a trial is given up."""
        return self._max_time


def _answer(function: Callable[[End], object], end: End) -> str | None:
    """What a function has against an end; None: nothing."""
    try:
        found = function(end)
    except AssertionError as error:
        return str(error) or "an assertion fails"
    except Exception as error:
        faults = "; ".join(map(str, end.faults)) or "nothing goes wrong"
        message = (
            f"the invariant {text_of(function)!r} cannot judge an end: it raised "
            f"{type(error).__name__}: {error}{_place_of(error)}\n  the end: {faults}"
        )
        raise SimulationError(message) from error
    return "it returned False" if found is False else None


def _place_of(error: Exception) -> str:
    """Where it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _takes(action: BaseAction, seconds: float | None) -> float:
    if seconds is not None:
        return min(seconds, action.timeout)
    return min(action.timeout * SHARE, LONGEST)


def _bypass_checks(plan: Plan) -> set[int]:
    """Bypass checks say that there is work: otherwise nothing would be verified."""
    return _checks(plan, "bypass_checks")


def _looping_checks(plan: Plan) -> set[int]:
    """Checks that run again and again: they turn red at a moment."""
    return _checks(plan, "cont_checks") | _checks(plan, "batch_checks")


def _checks(plan: Plan, kind: str) -> set[int]:
    groups: list[Checks | None] = [
        getattr(owner, kind, None) for owner in (plan, *plan.blocks)
    ]
    return {
        position_of(check)
        for group in groups
        if group is not None
        for check in group.actions
    }


def _middle() -> float:
    return HALF
