"""``crash_everywhere``: does the plan end as it would have, wherever the engine dies?

The plan is run once as it is, and then again and again, each time with a crash right
before or right after one of its durable writes, and recovered. The simulation repeats
exactly up to the crash, so every difference at the end comes from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias, cast

import attrs

from workstream._codec.codec import Codec
from workstream._plan.plan import Plan
from workstream._protocols.vault import StoredPlan, Vault, Write
from workstream._registry.registry import Registry
from workstream._vaults.memory_vault import MemoryVault

from ..fakes.fakes import FakePlugin
from ..problems import CrashError, SimulationError, says_all
from ..simulation.moulds import Mould
from ..simulation.simulation import Simulation, check_scripts
from ..simulation.simulator import (
    MONTH,
    PLAN_ID,
    Plugins,
    Simulator,
    finish,
    given,
)
from ..simulation.told import Told
from ..virtual.loop_errors import Abandon
from ..virtual.schedules import Seed, chooser
from .crash_stories import CalledTwice, called_twice, differences, story

__tracebackhide__ = says_all

SECOND_CRASHES = 3
"""At how many of a recovery's first writes it is crashed once more."""

_POINT = re.compile(r"(before|after) write (\d+)")

Equal: TypeAlias = Callable[[Simulation, Simulation], bool]


@attrs.frozen
class Point:
    """Where the engine dies: at which write of its life, counted from 1."""

    side: Literal["before", "after"]
    write: int

    def __str__(self) -> str:
        return f"{self.side} write {self.write}"


@attrs.frozen
class CrashReport:
    """What ``crash_everywhere`` found when every crash ended well.

    Attributes:
        writes: How many durable writes the plan takes.
        crashes: How many crashes were tried.
        called_twice: The actions that were called again after a crash, without their
            first call having failed. The plugins of those whose work was done by then
            must be idempotent, or reconcile.
        result: How the plan ends without a crash.
        reconciled: The names of the plugins whose fakes were asked to reconcile, and
            told the truth, as nothing else was said of it.
    """

    writes: int
    crashes: int
    called_twice: tuple[CalledTwice, ...]
    result: Simulation
    reconciled: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"plan {self.result.plan.name!r}: {self.writes:,} writes, "
            f"{self.crashes:,} crashes, and each ended as the run without one"
        ]
        done = [called for called in self.called_twice if called.was_done]
        cut_short = [called for called in self.called_twice if not called.was_done]
        if done:
            lines.append(
                "done twice, so their plugins must be idempotent, or reconcile:"
            )
            lines += _by_plugin(done)
        if cut_short:
            lines.append("called again after a call that the crash cut short:")
            lines += _by_plugin(cut_short)
        if self.reconciled:
            lines += [
                "asked to reconcile, where fakes can always tell what became of a call:",
                f"  {', '.join(self.reconciled)}: if the plugin cannot, say "
                "reconciles(fails='...')",
            ]
        return "\n".join(lines)


def crash_everywhere(
    plan: Plan,
    plugins: Plugins = (),
    *,
    seed: Seed = 0,
    second_crash: bool = False,
    equal: Equal | None = None,
    stop_at: float | None = None,
    told: Sequence[Told] = (),
    max_time: float = MONTH,
    vault: Callable[[], MemoryVault] = MemoryVault,
    only: str | None = None,
) -> CrashReport:
    """Crash the engine at each of a plan's durable writes, and see how the plan ends.

    ::

        report = crash_everywhere(rollout(hosts=20), [deploy])
        assert not report.called_twice

    Each crash leaves what was stored; the plan is recovered at once, and what it ends as
    is compared with the run without a crash: the status of every object, the plan's
    reasons, the actions' responses and errors. Times are not compared, nor how often
    something was tried. What plugins do when they are called again, a fake says
    (``FakePlugin.again``, ``FakePlugin.reconciles``).

    Args:
        plan: The plan.
        plugins: A fake for each of its plugins, or a function that makes them: for
            fakes whose functions (``does``) have a memory.
        seed: The order of simultaneous events; see ``simulate``.
        second_crash: Whether to crash each recovery, too, at each of its first three
            writes.
        equal: Tells whether two ends are the same: that without a crash and that with
            one. For plans in which something races with a clock (R-2).
        stop_at: When the plan is asked to stop, in seconds.
        told: What else it is told, in order (CT-1).
        max_time: Seconds of virtual time after which a run is given up.
        vault: Makes the store: MemoryVault, or a class derived from it that is under
            test. A crash keeps its ``snapshot``.
        only: One crash alone, as a failure has printed it: ``"after write 7"``.

    Returns:
        How much was tried, and what was called twice.

    Raises:
        CrashError: A crash changes the end; the message tells the story.
        SimulationError: The plan cannot be simulated at all; see ``simulate``.
        ValidationError: The plan could not be submitted.
    """
    crashes = _Crashes(plan, plugins, seed, stop_at, told, max_time, vault)
    without, writes = crashes.without()
    twice: dict[str, CalledTwice] = {}
    broken: list[tuple[list[Point], _Run]] = []
    reconciled: dict[str, None] = {}
    tried = 0

    def judge(chosen: list[Point], run: _Run) -> None:
        nonlocal tried
        if not run.reached:
            return
        tried += 1
        run.differences = run.problem or _judged(without, run.result, equal)
        if run.differences:
            broken.append((chosen, run))
        for called in called_twice(run.result):
            known = twice.get(called.path)
            if known is None or (called.was_done and not known.was_done):
                twice[called.path] = called
        reconciled.update(dict.fromkeys(crashes.reconciled()))

    if only is not None:
        chosen = [*_parsed(only)]
        judge(chosen, crashes.run(chosen))
    elif crashes.can_branch:
        crashes.branch(judge, second_crash=second_crash)
    else:
        for point in _points(writes):
            for chosen in _with_second(point, second_crash=second_crash):
                judge(chosen, crashes.run(chosen))
    if broken:
        raise CrashError(_told(broken, without, writes, seed))
    found = tuple(twice.values())
    return CrashReport(writes, tried, found, without, tuple(reconciled))


def _by_plugin(found: Sequence[CalledTwice]) -> Iterator[str]:
    for name in dict.fromkeys(called.plugin for called in found):
        paths = [called.path for called in found if called.plugin == name]
        more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
        yield f"  {name}: {', '.join(paths[:3])}{more}"


def _points(writes: int) -> Iterator[Point]:
    # The first write of a plan's run is its start: before it nothing was begun.
    yield Point("after", 1)
    for write in range(2, writes + 1):
        yield Point("before", write)
        yield Point("after", write)


def _with_second(first: Point, *, second_crash: bool) -> Iterator[list[Point]]:
    yield [first]
    if second_crash:
        yield from ([first, second] for second in _points(SECOND_CRASHES))


def _parsed(only: str) -> Iterator[Point]:
    for part in only.split(","):
        match = _POINT.fullmatch(part.strip())
        if match is None:
            message = (
                f"only={only!r} names no crash: write it as a failure has printed it, "
                "for example 'after write 7' or 'before write 7, after write 2'"
            )
            raise SimulationError(message)
        yield Point(cast("Any", match[1]), int(match[2]))


@attrs.define
class _Run:
    """A run with crashes.

    Attributes:
        result: How it ended.
        reached: Whether it came to each of its crashes.
        stored: What was stored at the last crash, as the vault has it.
        problem: What is wrong with it whatever its end.
        differences: How its end differs from the one without a crash.
    """

    result: Simulation
    reached: bool
    stored: StoredPlan | None
    problem: list[str] = attrs.Factory(list[str])
    differences: list[str] = attrs.Factory(list[str])


@attrs.frozen
class _Stored:
    """What a crash leaves: the vault, and how many changes it had acknowledged."""

    vault: MemoryVault
    acknowledged: int


class _Crashes:
    """Runs one plan again and again, with crashes."""

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        seed: Seed,
        stop_at: float | None,
        told: Sequence[Told],
        max_time: float,
        vault: Callable[[], MemoryVault],
    ) -> None:
        self._plugins = plugins
        self._seed = seed
        self._stop_at = stop_at
        self._told = told
        self._max_time = max_time
        self._vault = vault
        self._made = given(plugins)
        self._registry = Registry(self._made)
        self._mould = Mould(plan, self._registry)

    def _simulator(self) -> Simulator:
        if callable(self._plugins):
            self._made = given(self._plugins)
            self._registry = Registry(self._made)
        else:
            given(self._made)
        simulator = Simulator(
            self._mould.plan(),
            self._registry,
            choose=chooser(self._seed),
            max_time=self._max_time,
            stop_at=self._stop_at,
            told=self._told,
        )
        simulator.history.paths = self._mould.paths
        return simulator

    def _result(self, simulator: Simulator) -> Simulation:
        return Simulation(simulator.plan, simulator.history, self._seed)

    def without(self) -> tuple[Simulation, int]:
        """The run without a crash, and how many writes it takes."""
        simulator = self._simulator()
        wire = _Wire(self._vault(), None)
        simulator.start(cast("Vault", wire))
        check_scripts(self._made)
        return self._result(simulator), wire.writes

    @property
    def can_branch(self) -> bool:
        """Whether what comes before a crash need not be run again for each crash.

        Then nothing but the fakes' scripts, the vault and the history knows what came
        before. A function of the test might, and a vault that is under test.
        """
        scripted = all(
            isinstance(each, FakePlugin) and not each.has_function
            for each in self._made
        )
        usual = self._vault is MemoryVault and chooser(self._seed) is None
        return scripted and usual and not callable(self._plugins)

    def branch(
        self, judge: Callable[[list[Point], _Run], None], *, second_crash: bool
    ) -> None:
        """Run the plan without a crash; at each write, go on as after a crash there.

        Args:
            judge: Is given each run with crashes.
            second_crash: Whether each recovery is crashed, too.
        """
        raised: list[Exception] = []
        simulator, vault = self._simulator(), self._vault()

        def die(point: Point, acknowledged: int) -> None:
            if point == Point("before", 1):
                return
            for points in _with_second(point, second_crash=second_crash):
                marks = [fake.mark() for fake in self._fakes()]
                try:
                    run = self._lives(
                        points, simulator.forked(), _Stored(vault, acknowledged)
                    )
                    judge(points, run)
                except Exception as error:
                    raised.append(error)
                    raise Abandon from None
                for back in marks:
                    back()

        try:
            simulator.start(cast("Vault", _Wire(vault, None, at=die)))
        except Abandon:
            raise raised[0] from None

    def run(self, points: list[Point]) -> _Run:
        """The run with a crash at each of these points, one after the other."""
        simulator = self._simulator()
        vault = self._vault()
        wire = _Wire(vault, points[0])
        try:
            simulator.start(cast("Vault", wire))
        except Abandon:
            return self._lives(points, simulator, _Stored(vault, wire.acknowledged))
        return _Run(self._result(simulator), False, None)

    def _lives(self, points: list[Point], simulator: Simulator, left: _Stored) -> _Run:
        """The lives after the first crash, of which this is left."""
        for point in [*points[1:], None]:
            simulator.history.crashed(simulator.time)
            vault = type(left.vault).restored(left.vault.snapshot())
            lost = self._lost(left.acknowledged, vault)
            stored = None
            if not lost:
                stored = finish(vault.read(PLAN_ID))
            wire = _Wire(vault, point, left.acknowledged)
            if point is None and type(vault) is MemoryVault and self._is_silent:
                simulator.write_unread()
                wire.is_read = False
            try:
                simulator.recover_from(cast("Vault", wire))
            except Abandon:
                left = _Stored(vault, wire.acknowledged)
                continue
            except Exception as error:
                lost = lost or [f"recovery fails: {type(error).__name__}: {error}"]
            result = self._result(simulator)
            return _Run(result, point is None, stored, lost)
        message = "the last life has no crash to end it"
        raise AssertionError(message)

    @property
    def _is_silent(self) -> bool:
        """Whether the plan is told nothing: otherwise requests go through the vault."""
        return not self._told and self._stop_at is None

    def _fakes(self) -> Iterator[FakePlugin[Any, Any]]:
        return (each for each in self._made if isinstance(each, FakePlugin))

    def reconciled(self) -> list[str]:
        """The plugins whose fakes told the truth when they were asked to reconcile."""
        return [fake.name for fake in self._fakes() if fake.told_truth]

    def _lost(self, acknowledged: int, vault: MemoryVault) -> list[str]:
        """What a vault acknowledged and does not hold after the crash."""
        try:
            position = finish(vault.read(PLAN_ID)).position
        except Exception as error:
            return [f"the plan cannot be read after the crash: {error}"]
        missing = acknowledged - position
        if missing <= 0:
            return []
        return [
            f"the vault ({type(vault).__name__}) lost {missing:,} of "
            f"{acknowledged:,} changes that it had acknowledged as durable"
        ]


class _Wire:
    """The way to the store: it counts the writes, and dies at one of them.

    Attributes:
        writes: How many writes there were.
        acknowledged: How many changes are durable.
        is_read: Whether anybody reads what is stored; otherwise nothing is.
    """

    def __init__(
        self,
        vault: MemoryVault,
        crash: Point | None,
        acknowledged: int = 0,
        at: Callable[[Point, int], None] | None = None,
    ) -> None:
        """Make one.

        Args:
            vault: The store.
            crash: Where the engine dies; None: nowhere.
            acknowledged: How many changes were durable before.
            at: Is told of each point, and how many changes are durable there.
        """
        self.writes = 0
        self.acknowledged = acknowledged
        self.is_read = True
        self.create = vault.create
        self.read = vault.read
        self.ask = vault.ask
        self.requests = vault.requests
        self._vault = vault
        self._crash = crash
        self._at = at

    async def write(self, writes: list[Write]) -> Any:
        """See ``Vault.write``."""
        self.writes += 1
        self._come_to(Point("before", self.writes))
        answers: Sequence[Any] = [None for _ in writes]
        if self.is_read:
            answers = await self._vault.write(writes)
        if not any(answers):
            for write in writes:
                self.acknowledged = write.first + len(write.changes) - 1
        self._come_to(Point("after", self.writes))
        return answers

    def _come_to(self, point: Point) -> None:
        if self._at is not None:
            self._at(point, self.acknowledged)
        if point == self._crash:
            raise Abandon


def _judged(without: Simulation, end: Simulation, equal: Equal | None) -> list[str]:
    found = differences(without.plan, end.plan)
    if equal is None:
        return found
    return [] if equal(without, end) else (found or ["equal() says that they differ"])


def _told(
    broken: list[tuple[list[Point], _Run]],
    without: Simulation,
    writes: int,
    seed: Seed,
) -> str:
    points, run = broken[0]
    others = [", ".join(map(str, each)) for each, _ in broken[1:]]
    only = ", ".join(map(str, points))
    where = ", and once more, ".join(f"right {point}" for point in points)
    return story(
        title=f"a crash changes how plan {without.plan.name!r} ends",
        where=f"{where} (of {writes:,})",
        result=run.result,
        stored=None if run.stored is None else Codec(None).load(run.stored),
        differences=run.differences,
        others=others,
        replay=f"crash_everywhere(plan, plugins, seed={seed!r}, only={only!r})",
    )
