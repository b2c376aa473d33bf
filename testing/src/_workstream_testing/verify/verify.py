"""``verify``: what is the worst that can happen to a plan?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from workstream._plan.plan import Block, Plan
from workstream._values.display import shorten
from workstream._values.state import HaltAfter

from ..arguments import (
    check_number,
    check_plan,
    check_seconds,
    check_values,
    listed,
    named,
)
from ..fakes.fakes import FakePlugin
from ..problems import SimulationError, VerifyError, says_all
from ..simulation.history import History
from ..simulation.simulation import Simulation
from ..simulation.simulator import MONTH
from ..virtual.virtual_time import START
from .faults import Budget, Kind, faults_of, replay_of
from .invariants import Invariant, Rule, checked, text_of
from .merging.shapes import unmerged
from .merging.waves import Cut, bound, cut, lifted
from .search import KEPT, Search, searched
from .trials import Trial, Trials
from .verification import Broken, Suggestion, Verification, Worst, number_text
from .world import Effect, World

__tracebackhide__ = says_all

MAX_RUNS = 20_000
"""How many runs a verification may make unless told otherwise."""
TRIES = 0.2
"""How many runs, as a share of all, the suggestions may take together."""

_ONE_OF_EACH = frozenset(Kind) - {Kind.CRASH, Kind.STOP}


def verify(
    plan: Plan,
    *plugins: Any,
    invariants: Iterable[Invariant] = (),
    effects: Sequence[Effect] = (),
    starts: Mapping[str, object] | None = None,
    failures: int = 1,
    crashes: int = 0,
    stops: int = 0,
    kinds: Iterable[str] = ("fails", "fails once", "hangs", "turns red"),
    takes: float | None = None,
    orders: int = 0,
    max_runs: int = MAX_RUNS,
    max_time: float = MONTH,
    merge: bool = True,
    suggest: bool = True,
    workers: int = 1,
    only: str | None = None,
) -> Verification:
    """Find the worst that can happen to a plan, whatever goes wrong.

    ::

        verify(
            rollout(hosts=40),
            Drain, Copy, Start,
            failures=2,
            effects=[
                effect(Drain, sets={"serving": False}),
                effect(Start, sets={"serving": True}),
            ],
            invariants=[at_most(2, serving=False)],
        )

    The plan is run in virtual time again and again, with every set of up to so many
    faults. Without invariants the worst end is the one in which the most sequences
    began and did not complete.

    Args:
        plan: The plan.
        plugins: As for ``fake_all``: plugins or classes that are not installed; and
            fakes, whose scripts say how long things take and what fails by itself.
        invariants: What must hold: ``at_most``, ``never``, ``always_ends``; or functions
            that are given an ``End`` and raise an AssertionError, or return False.
        effects: What actions do to the world; see ``effect``.
        starts: Facts before the plan, where they are not the opposite of what the first
            action sets.
        failures: How many actions and checks may go wrong.
        crashes: How often the engine may die, right after any write.
        stops: How often somebody may ask the plan to stop.
        kinds: How things go wrong.
        takes: Seconds that a call takes, where no fake says so; by default a quarter of
            its timeout.
        orders: In how many other orders of simultaneous events the worst sets of faults
            are tried again.
        max_runs: How many runs to make. What is left out is a sample, and told.
        max_time: Seconds of virtual time after which a run is given up.
        merge: Whether moments that only differ in names count as one.
        suggest: Whether other settings are tried.
        workers: How many processes share the work (on Linux).
        only: One set of faults alone, as a story has printed it.

    Returns:
        What was found; ``print`` tells the story.

    Raises:
        VerifyError: An invariant is broken, or the plan does not always end.
        SimulationError: The plan cannot be verified; the message says what to do.
        ScriptError: A plugin cannot be faked.
        ValidationError: The plan could not be submitted.
    """
    check_plan(plan)
    for name, number in (
        ("failures", failures),
        ("crashes", crashes),
        ("stops", stops),
    ):
        check_number(name, number)
    check_number("orders", orders)
    check_number("max_runs", max_runs, least=1)
    check_number("workers", workers, least=1)
    check_seconds("takes", takes, may_be_none=True)
    check_seconds("max_time", max_time)
    wanted = "a list of rules and functions, such as [at_most(2, serving=False)]"
    rules = listed("invariants", invariants, wanted)
    before = named("starts", starts or {}, '{"serving": True}')
    check_values("starts", before)
    setup = _Setup(
        plugins=plugins,
        invariants=rules,
        effects=_effects(effects),
        starts=before,
        takes=takes,
        kinds=_kinds(kinds),
        max_time=max_time,
        stores=crashes > 0,
    )
    budget = Budget(failures, crashes, stops)
    # A function may look at names: to it no two hosts are alike.
    why_not = [] if merge else ["merge=False"]
    if not all(isinstance(each, Rule) for each in rules):
        why_not.append("an invariant is a function, which may look at names")
    verifying = _Verifying(plan, setup, budget, why_not, max_runs, workers)
    found = verifying.alone(only) if only is not None else verifying.found(orders)
    if suggest and only is None:
        found = verifying.with_suggestions(found)
    if not found.ok:
        raise VerifyError(str(found), found)
    return found


def _effects(several: Iterable[Effect]) -> tuple[Effect, ...]:
    example = '[effect(SomePlugin, sets={"serving": False})]'
    found = listed("effects", several, f"a list, such as {example}")
    for each in found:
        if not isinstance(each, Effect):
            message = f"effects has {shorten(repr(each))}, which is no effect: write {example}"
            raise SimulationError(message)
    return found


def _kinds(names: Iterable[str]) -> frozenset[Kind]:
    given = listed("kinds", names, 'a list, such as ["fails"]')
    known = {kind.value: kind for kind in _ONE_OF_EACH}
    unknown = [name for name in given if name not in known]
    if unknown:
        message = (
            f"kinds names {', '.join(map(repr, unknown))}: it may name "
            f"{', '.join(map(repr, sorted(known)))}"
        )
        raise SimulationError(message)
    return frozenset(known[name] for name in given)


@attrs.frozen
class _Setup:
    """What all trials of one verification have in common."""

    plugins: tuple[Any, ...]
    invariants: tuple[Any, ...]
    effects: tuple[Effect, ...]
    starts: dict[str, object]
    takes: float | None
    kinds: frozenset[Kind]
    max_time: float
    stores: bool

    def trials(self, plan: Plan) -> Trials:
        """Trials of a plan."""
        return Trials(
            plan,
            self.plugins,
            invariants=self._checked,
            effects=self.effects,
            starts=self.starts,
            takes=self.takes,
            kinds=self.kinds,
            max_time=self.max_time,
            stores=self.stores,
        )

    def _checked(self, world: World) -> list[Invariant]:
        return checked(self.invariants, world.facts)


class _Verifying:
    """One verification."""

    def __init__(
        self,
        plan: Plan,
        setup: _Setup,
        budget: Budget,
        why_not: Sequence[str],
        max_runs: int,
        workers: int,
    ) -> None:
        self._plan = plan
        self._setup = setup
        self._budget = budget
        self._max_runs = max_runs
        self._workers = workers
        self._whole = setup.trials(plan)
        self._unmerged = tuple(why_not or unmerged(self._whole.plan))
        self._merge = not self._unmerged

    # --- searching ------------------------------------------------------------------

    def _search(
        self, plan: Plan, whole: Trials, max_runs: int
    ) -> tuple[Search, Cut | None, Trials]:
        """Search a plan, or what is left of it when like is cut out."""
        whole.run((), Budget(0, 0, 0))
        made = cut(plan, whole, self._budget) if self._merge else None
        trials = whole if made is None else self._setup.trials(made.plan)
        if made is not None:
            trials.run((), Budget(0, 0, 0))
        if self._merge:
            bound(trials)
        search = searched(
            trials,
            self._budget,
            merge=self._merge,
            max_runs=max_runs,
            workers=self._workers,
        )
        return search, made, trials

    def found(self, orders: int) -> Verification:
        """All sets of faults."""
        whole = self._whole
        search, made, trials = self._search(self._plan, whole, self._max_runs)
        extra = 0
        worst: list[Worst] = []
        broken: dict[int, Trial] = {}
        for level in search.levels:
            best: Trial | None = None
            for trial in level.worst:
                again = self._on_whole(trial, made, trials)
                extra += made is not None
                for seed in range(1, orders + 1):
                    extra += 1
                    other = whole.run(again.faults, Budget(0, 0, 0), seed=seed)
                    if other.reached and other.harm > again.harm:
                        again = other
                if again.reached and (best is None or again.harm > best.harm):
                    best = again
                for number, excess in enumerate(again.excess):
                    if excess and again.reached:
                        broken.setdefault(number, again)
            if best is not None:
                worst.append(self._told(best, sampled=level.skipped > 0))
        for number, trial in search.broken.items():
            again = self._on_whole(trial, made, trials)
            if again.reached and again.excess[number]:
                known = broken.get(number)
                if known is None or len(again.faults) <= len(known.faults):
                    broken[number] = again
        endless = search.endless and self._on_whole(search.endless, made, trials)
        told = self._covered(search, made, orders)
        return self._verification(search, worst, broken, endless, told, extra)

    def _on_whole(self, trial: Trial, made: Cut | None, trials: Trials) -> Trial:
        """The trial on the whole plan: only what happens there is reported."""
        if made is None:
            return trial
        faults = lifted(trial.faults, trials, self._whole, made)
        return self._whole.run(faults, Budget(0, 0, 0))

    def alone(self, only: str) -> Verification:
        """One set of faults."""
        faults, seed = faults_of(only, self._whole.paths)
        trial = self._whole.run(faults, Budget(0, 0, 0), seed=seed)
        if not trial.reached:
            message = (
                f"only={only!r}: not all of these faults come to pass in this plan"
            )
            raise SimulationError(message)
        broken = {number: trial for number, excess in enumerate(trial.excess) if excess}
        told = ["this set of faults alone (only=)"]
        worst = [self._told(trial)]
        return self._verification(Search(), worst, broken, trial, told, 1)

    # --- the answer -----------------------------------------------------------------

    def _verification(
        self,
        search: Search,
        worst: Sequence[Worst],
        broken: Mapping[int, Trial],
        endless: Trial | None,
        covered: Sequence[str],
        extra: int,
    ) -> Verification:
        invariants = self._whole.invariants
        stories: list[Broken] = []
        for number, trial in sorted(broken.items()):
            smallest = self._shrunk(trial, functools.partial(_breaks, number))
            said = " and ".join(smallest.said)
            stories.append(
                Broken(text_of(invariants[number]), said, self._told(smallest))
            )
        why, endless_end = "", None
        if endless is not None and endless.endless:
            smallest = self._shrunk(endless, lambda t: bool(t.endless))
            why, endless_end = smallest.endless, self._told(smallest)
        return Verification(
            plan=self._plan.name,
            sequences=len(self._whole.shape.sequences),
            invariants=tuple(map(text_of, invariants)),
            worst=tuple(worst),
            broken=tuple(stories),
            endless=why,
            suggestions=(),
            runs=search.runs + extra,
            covered=tuple(covered),
            is_complete=all(not level.skipped for level in search.levels),
            endless_end=endless_end,
        )

    def _shrunk(self, trial: Trial, is_broken: Callable[[Trial], bool]) -> Trial:
        """The smallest part of the faults with which it still breaks."""
        best = trial
        for fault in trial.faults:
            fewer = tuple(each for each in best.faults if each is not fault)
            again = self._whole.run(fewer, Budget(0, 0, 0), seed=trial.seed)
            if again.reached and is_broken(again):
                best = again
        return best

    def _told(self, found: Trial, *, sampled: bool = False) -> Worst:
        """The run with these faults, with all that happened."""
        trials = self._setup.trials(self._plan)
        history = History(trials.plan, START)
        faults, seed = found.faults, found.seed
        trial = trials.run(faults, Budget(0, 0, 0), seed=seed, history=history)
        touched = tuple(trials.shape.touched())
        only = replay_of(faults, seed)
        result = Simulation(
            trials.plan, history, seed, replay=f"verify(plan, ..., only={only!r})"
        )
        return Worst(faults, touched, sum(trial.excess), result, only, sampled)

    def _covered(self, search: Search, made: Cut | None, orders: int) -> list[str]:
        told: list[str] = []
        if self._unmerged:
            reasons = "; ".join(self._unmerged)
            told.append(f"no sets were merged, however alike: {reasons}")
        stops = ("stops",) if self._budget.stops else ()
        if not self._unmerged and (shared := (*self._whole.sharing, *stops)):
            reasons = "; ".join(shared)
            told.append(f"each place in an instant was told apart: {reasons}")
        if made is not None:
            told += [f"{text} (docs: why this is sound)" for text in made.text]
        merged = 0
        for level in search.levels:
            text = f"{_faults(level.faults)}: {number_text(level.runs, 'set')} tried"
            if merged:
                text += f"; {_stood_for(merged)}"
            if level.skipped:
                text += (
                    f"; a sample: {level.skipped:,} sets were NOT tried (max_runs="
                    f"{self._max_runs:,})"
                )
            told.append(text)
            merged = level.merged
        if merged:
            told.append(
                f"{_faults(search.levels[-1].faults + 1)}: {_stood_for(merged)}"
            )
        return told + [f"not tried: {each}" for each in self._left_out(orders)]

    def _left_out(self, orders: int) -> Iterator[str]:
        """What no set of faults has."""
        takes = self._setup.takes
        usual = "a quarter of their timeout, or a minute"
        if takes is not None:
            usual = f"takes={takes:g} seconds"
        if any(isinstance(each, FakePlugin) for each in self._setup.plugins):
            usual += ", or what their fakes say"
        yield f"calls that take longer or shorter than {usual}"
        left_out = _ONE_OF_EACH - self._setup.kinds
        if left_out and self._budget.failures:
            names = ", ".join(sorted(repr(kind.value) for kind in left_out))
            yield f"faults of the kinds {names}, as kinds= says"
        yield "an action that hangs once only, a check that passes again after it failed"
        if orders:
            yield (
                f"other orders of simultaneous events than the usual one; {orders} for "
                f"the worst {KEPT} sets of each number of faults"
            )
        else:
            yield (
                "other orders of simultaneous events than the usual one: orders=5 tries "
                "five more for the worst sets"
            )

    # --- suggestions ------------------------------------------------------------------

    def with_suggestions(self, found: Verification) -> Verification:
        """Try other settings, and tell which make the worst end better."""
        before = max((len(each.touched) for each in found.worst), default=0)
        if not before and found.ok:
            return found
        others = list(_alternatives(self._plan))
        if not others:
            return found
        share = max(int(self._max_runs * TRIES / len(others)), 50)
        better: list[Suggestion] = []
        runs = 0
        for text, plan in others:
            trials = self._setup.trials(plan)
            search, _, _ = self._search(plan, trials, share)
            runs += search.runs
            after = max(
                (level.worst[0].touched for level in search.levels if level.worst),
                default=0,
            )
            mends = not (found.ok or search.broken or search.endless)
            if after < before or mends:
                sampled = any(level.skipped for level in search.levels)
                better.append(Suggestion(text, before, after, mends, sampled))
        better.sort(key=_how_good)
        return attrs.evolve(found, suggestions=tuple(better), runs=found.runs + runs)


def _breaks(number: int, trial: Trial) -> bool:
    return trial.excess[number] > 0


def _faults(number: int) -> str:
    return number_text(number, "fault") if number else "no fault"


def _stood_for(number: int) -> str:
    """How many sets of faults were merged with others."""
    if number == 1:
        return "1 more was not: another one that was tried stands for it"
    return f"{number:,} more were not: others that were tried stand for them"


def _how_good(suggestion: Suggestion) -> tuple[bool, int]:
    return (not suggestion.mends, suggestion.after)


def _alternatives(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Plans that differ in one setting of one block, each with what differs."""
    for number, block in enumerate(plan.blocks):
        where = "" if len(plan.blocks) == 1 else f"{block.name}: "
        for text, changed in _changed(block):
            blocks = [*plan.blocks]
            blocks[number] = changed
            yield where + text, attrs.evolve(plan, blocks=blocks)


def _changed(block: Block) -> Iterator[tuple[str, Block]]:
    others = [each for each in HaltAfter if each is not block.halt_after]
    for other in others:
        yield f"halt_after={other.name}", attrs.evolve(block, halt_after=other)
    if block.tolerated_failures != 0:
        yield "tolerated_failures=0", attrs.evolve(block, tolerated_failures=0)
    slots = block.slots(len(block.sequences))
    if slots > 1:
        fewer = max(1, slots // 2)
        yield f"concurrency={fewer}", attrs.evolve(block, concurrency=fewer)
