"""``check_runtime``: the conformance cases, for whatever runs plans.

One suite for every runtime. A runtime passes when each case ends as its rules say, with
its times, in several orders of simultaneous events; and two runtimes agree when no case
tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from workstream._codec.codec import Codec
from workstream._plan.plan import Plan
from workstream._plan.walk import new_plan_id
from workstream._protocols.plugin import AnyPlugin
from workstream._registry.registry import Registry
from workstream._vaults.memory_vault import MemoryVault

from ..cases.case import Case
from ..cases.cases import CASES
from ..notation.fixtures import Sleeper, Stage, scripted_plugins
from ..notation.notation import parse
from ..notation.tellings import before_start, parse_told, say, say_all
from ..problems import says_all
from ..simulation.simulation import simulate
from ..simulation.told import AUTHOR, Told
from ..virtual.virtual_time import START, FakeClock, TrioSleeper
from ..virtual.waiting import linger, sleep, time
from .case_runs import CaseRun, store_plan
from .expectations import always_wrong, wrong

__tracebackhide__ = says_all


class RunsPlans(Protocol):
    """A runtime under test, made anew for each run."""

    @property
    def sleeper(self) -> Sleeper:
        """How a plugin waits on it; its time begins at 0 with the run."""
        ...

    def now(self) -> datetime:
        """The time at which the run will begin."""
        ...

    def run(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        seed: int,
        told: Sequence[Told] = (),
    ) -> Plan:
        """Run a plan to its end, without jitter, and return it as it ended.

        Args:
            plan: The plan: ready to be submitted, or as a crash left it.
            plugins: Its plugins.
            recover: Whether it is as a crash left it, ids and all; more than half an
                hour later it is given up (R-3).
            stop_at: When it is asked to stop, in seconds.
            seed: Chooses the order of simultaneous events, where that can be chosen.
            told: What else it is told, in order.
        """
        ...


class SimulatedPlans:
    """The simulated runtime under test.

    Attributes:
        sleeper: How a plugin waits.
    """

    def __init__(self, *, stores: bool = False) -> None:
        """Make a runtime.

        Args:
            stores: Whether every change of a plan goes through a store.
        """
        self.sleeper: Sleeper = _WaitingSleeper()
        self._stores = stores

    def now(self) -> datetime:
        """See ``RunsPlans``."""
        return START

    def run(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        seed: int,
        told: Sequence[Told] = (),
    ) -> Plan:
        """See ``RunsPlans``."""
        return simulate(
            plan,
            plugins,
            seed=seed,
            stop_at=stop_at,
            told=told,
            recover=recover,
            max_last_update=HALF_AN_HOUR,
            vault=MemoryVault() if self._stores else None,
        ).plan


class TrioPlans:
    """The engine on trio under test, by a fake clock.

    Attributes:
        sleeper: How a plugin waits.
    """

    def __init__(self) -> None:
        """Make a runtime."""
        self._clock = FakeClock()
        self.sleeper: Sleeper = TrioSleeper(self._clock)

    def now(self) -> datetime:
        """See ``RunsPlans``."""
        return self._clock.now()

    def run(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        seed: int,
        told: Sequence[Told] = (),
    ) -> Plan:
        """See ``RunsPlans``."""
        import trio

        from workstream._engine.engine import open_workstream

        clock = self._clock
        registry = Registry(plugins)

        async def scenario() -> Plan:
            vault = MemoryVault()
            plan_id = plan.id
            if recover:
                plan_id = await store_plan(vault, plan, Codec(registry))
            async with open_workstream(
                vault, registry=registry, now=clock.now, random=lambda: 0.5
            ) as ws:
                if plan_id is None:
                    plan_id = await ws.submit(plan, by=AUTHOR)
                    for each in before_start(told):
                        await say(ws, plan_id, each)
                    await ws.start(plan_id)
                if stop_at is not None:
                    await trio.sleep(stop_at)
                    await ws.stop(plan_id)
                await say_all(ws, plan_id, told)
                ended = await ws.wait(plan_id)
                assert ended == await ws.plan(plan_id)  # perhaps never read (ST-6)
                return ended

        return clock.run(scenario, seed=seed)


HALF_AN_HOUR = 1800.0


def run_case_on(runtime: RunsPlans, case: Case, seed: int) -> CaseRun:
    """Run a conformance case.

    Args:
        runtime: A new runtime.
        case: The case.
        seed: Chooses the order of simultaneous events.
    """
    notation = parse(case.plan)
    stage = Stage(runtime.sleeper)
    began = runtime.now()
    plan = notation.plan
    if notation.is_stored:
        found = began - timedelta(seconds=case.found_after or 0)
        plan = notation.stored(new_plan_id(), found)
    ended = runtime.run(
        plan,
        scripted_plugins(stage),
        recover=notation.is_stored,
        stop_at=case.stop_at,
        seed=seed,
        **({"told": parse_told(case.told, notation)} if case.told else {}),
    )
    return CaseRun(notation=notation, plan=ended, stage=stage, began=began)


@attrs.frozen
class _Failed:
    """A case that a runtime fails."""

    case: Case
    seed: int
    problems: list[str]

    def __str__(self) -> str:
        lines = "\n".join(f"    {problem}" for problem in self.problems)
        return (
            f"  {self.case.id} with seed {self.seed}, by {self.case.rules}: "
            f"{self.case.plan}\n{lines}"
        )


def check_runtime(
    factory: Callable[[], RunsPlans],
    *,
    seeds: Iterable[int] = range(3),
    cases: Iterable[Case] = CASES,
) -> int:
    """Put a runtime through the conformance cases.

    Args:
        factory: Makes a runtime; each run gets a new one.
        seeds: Each case is run with each of them.
        cases: The cases; by default all.

    Returns:
        How many runs passed.

    Raises:
        AssertionError: It lists every case that did not end as its rules say.
    """
    orders = list(seeds)
    failed: list[_Failed] = []
    passed = 0
    for case in cases:
        for seed in orders:
            problems = _problems(factory(), case, seed)
            if problems:
                failed.append(_Failed(case, seed, problems))
                break  # the other orders would say the same again
            passed += 1
    if failed:
        told = "\n".join(map(str, failed))
        message = f"the runtime fails {len(failed):,} conformance cases:\n{told}"
        raise AssertionError(message)
    return passed


def _problems(runtime: RunsPlans, case: Case, seed: int) -> list[str]:
    try:
        run = run_case_on(runtime, case, seed)
    except Exception as error:
        return [f"it raises {type(error).__name__}: {error}"]
    return [*wrong(run, case.expected), *always_wrong(run)]


class _WaitingSleeper:
    """How fixture plugins wait in a simulation."""

    def time(self) -> float:
        """Seconds since the run began."""
        return time()

    async def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds; infinity: never."""
        await sleep(seconds)

    async def linger(self, seconds: float, /) -> None:
        """As ``sleep``, but not cut short by a cancellation."""
        await linger(seconds)
