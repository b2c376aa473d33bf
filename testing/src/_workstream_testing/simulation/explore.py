"""``explore``: does a check hold in whatever order simultaneous events happen?

Events of one instant may happen in any order, and an engine on a busy machine will show
another one than a quiet test. Here the orders are drawn at random, many of them; an
order that makes the check fail is made shorter until nothing more can be left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import attrs

from workstream._plan.plan import Plan
from workstream._registry.registry import Registry
from workstream._values.durations import duration_text

from ..fakes.fakes import FakePlugin
from ..problems import OrderError, ScriptError, SimulationError, says_all
from ..virtual.schedules import Choices, Recorder, following, order_seed, randomly
from .moulds import Mould
from .simulation import Simulation
from .simulator import (
    MONTH,
    Plugins,
    Simulator,
    given,
)
from .timeline import Event

__tracebackhide__ = says_all

SHRINKS = 300
"""How many runs may be spent on making a failing order shorter."""
SHOWN = 6
"""How many events of each order a story shows."""


@attrs.frozen
class Exploration:
    """What ``explore`` did when the check held every time.

    Attributes:
        runs: How many runs were made.
        orders: How many different orders there were among them.
        result: The run in the usual order.
    """

    runs: int
    orders: int
    result: Simulation

    def __str__(self) -> str:
        name = self.result.plan.name
        return f"plan {name!r}: the check holds in {self.orders:,} different orders"


def explore(
    plan: Plan,
    plugins: Plugins = (),
    *,
    check: Callable[[Simulation], object],
    runs: int = 1000,
    seed: int = 1,
    stop_at: float | None = None,
    max_time: float = MONTH,
) -> Exploration:
    """Try a check in many orders of simultaneous events.

    ::

        def check(result):
            assert result.plan.state.status is Status.COMPLETED

        explore(rollout(hosts=3), [deploy], check=check)

    Args:
        plan: The plan.
        plugins: A fake for each of its plugins, or a function that makes them: for
            fakes whose functions (``does``) have a memory.
        check: Is given each result; it fails by raising, or by returning False.
        runs: How many orders to try, the usual one first.
        seed: Draws the orders: the same one draws the same.
        stop_at: When the plan is asked to stop, in seconds.
        max_time: Seconds of virtual time after which a run is given up.

    Returns:
        How much was tried.

    Raises:
        OrderError: The check fails; the message tells the shortest story.
        SimulationError: The plan cannot be simulated at all; see ``simulate``.
        ScriptError: A line of a fake's script was never used, in no order.
        ValidationError: The plan could not be submitted.
    """
    if runs < 1:
        message = f"runs is {runs}: it must be 1 or more"
        raise SimulationError(message)
    orders = _Orders(plan, plugins, check, stop_at, max_time)
    usual = orders.run(following({}))
    if usual.failure is not None:
        raise _usual_fails(usual)
    seen = {_key(usual.choices)}
    tried = 1
    for choose in _others(usual.ready, runs - 1, seed):
        run = orders.run(choose)
        tried += 1
        seen.add(_key(run.choices))
        if run.failure is not None:
            shortest = _shortened(orders, run)
            raise _order_fails(usual, shortest, tried, len(run.choices)) from (
                shortest.failure
            )
    orders.check_scripts()
    return Exploration(tried, len(seen), usual.result)


def _others(
    ready: Sequence[int], runs: int, seed: int
) -> Iterator[Callable[[int, int], int]]:
    """Other orders than the usual one.

    First those that differ from it by one choice, as most faults need no more, and
    their stories are the shortest; then random ones.

    Args:
        ready: How many tasks were ready at each choice of the usual order.
        runs: How many orders.
        seed: Draws the random ones.
    """
    singles = [(n, c) for n, count in enumerate(ready, 1) for c in range(1, count)]
    if not singles:
        return  # nothing ever happens at the same instant
    step = max(1, math.ceil(len(singles) / max(runs // 2, 1)))
    some = singles[::step][:runs]
    for number, chosen in some:
        yield following({number: chosen})
    for number in range(seed, seed + runs - len(some)):
        yield _random_order(number)


def _random_order(seed: int) -> Callable[[int, int], int]:
    draw = randomly(seed)

    def choose(_number: int, ready: int) -> int:
        return draw(ready)

    return choose


@attrs.frozen
class _Run:
    """One run in one order."""

    result: Simulation
    choices: dict[int, int]
    ready: Sequence[int]
    failure: Exception | None


class _Orders:
    """Runs one plan again and again, in other orders."""

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        check: Callable[[Simulation], object],
        stop_at: float | None,
        max_time: float,
    ) -> None:
        self._plugins = plugins
        self._check = check
        self._stop_at = stop_at
        self._max_time = max_time
        self._made = given(plugins)
        self._registry = Registry(self._made)
        self._mould = Mould(plan, self._registry)
        self._unused: dict[str, str] | None = None

    def run(self, choose: Callable[[int, int], int]) -> _Run:
        """Run the plan once, and check the result."""
        if callable(self._plugins):
            self._made = given(self._plugins)
            self._registry = Registry(self._made)
        else:
            given(self._made)
        recorder = Recorder(choose)
        plan = self._mould.plan()
        simulator = Simulator(
            plan,
            self._registry,
            choose=recorder,
            max_time=self._max_time,
            stop_at=self._stop_at,
        )
        simulator.history.paths = self._mould.paths
        failure: Exception | None = None
        try:
            simulator.start()
        except ScriptError:
            raise
        except Exception as error:
            failure = error
        seed = order_seed(recorder.choices) if recorder.choices else 0
        result = Simulation(plan, simulator.history, seed)
        self._note_unused()
        if failure is None:
            failure = self._checked(result)
        return _Run(result, recorder.choices, recorder.ready, failure)

    def _checked(self, result: Simulation) -> Exception | None:
        try:
            answer = self._check(result)
        except Exception as error:
            return error
        return AssertionError("the check returned False") if answer is False else None

    def _note_unused(self) -> None:
        unused: dict[str, str] = {}
        for plugin in self._made:
            if isinstance(plugin, FakePlugin):
                unused |= {f"{plugin.name}: {t}": "" for t in plugin.unused}
        known = self._unused
        self._unused = (
            unused if known is None else {k: "" for k in known if k in unused}
        )

    def check_scripts(self) -> None:
        """See that every line of the scripts was used in some order."""
        if self._unused:
            lines = "\n".join(f"  {text}" for text in self._unused)
            message = f"lines that no call fits, in whatever order:\n{lines}"
            raise ScriptError(message)


def _key(choices: Choices) -> tuple[tuple[int, int], ...]:
    return tuple(choices.items())


def _shortened(orders: _Orders, failing: _Run) -> _Run:
    """The shortest order found that still fails in the same way."""
    best = failing
    left = SHRINKS
    size = max(len(best.choices) // 2, 1)
    while left > 0 and best.choices:
        shorter = None
        numbers = list(best.choices)
        for at in range(0, len(numbers), size):
            if left <= 0:
                break
            left -= 1
            dropped = numbers[at : at + size]
            kept = {n: c for n, c in best.choices.items() if n not in dropped}
            run = orders.run(following(kept))
            if _is_shorter(run, best) and type(run.failure) is type(failing.failure):
                shorter = run
                break
        if shorter is not None:
            best = shorter
            size = max(min(size, len(best.choices) // 2), 1)
        elif size == 1:
            break
        else:
            size //= 2
    return best


def _is_shorter(run: _Run, best: _Run) -> bool:
    return run.failure is not None and len(run.choices) < len(best.choices)


# --- the story ----------------------------------------------------------------------


def _usual_fails(usual: _Run) -> OrderError:
    name = usual.result.plan.name
    message = (
        f"the check fails for plan {name!r} in the usual order already:\n"
        f"  {_text(usual.failure)}\n\n{usual.result.timeline.draw(height=25)}\n\n"
        f"again: {usual.result.replay}"
    )
    error = OrderError(message, "0")
    error.__cause__ = usual.failure
    return error


def _order_fails(usual: _Run, failing: _Run, runs: int, before: int) -> OrderError:
    count = len(failing.choices)
    one = count == 1
    choices = (
        f"{count:,} of its {len(failing.ready):,} choices {'is' if one else 'are'}"
    )
    if before > count:
        choices = f"made shorter, {choices}"
    result = failing.result
    lines = [
        f"the check fails for plan {result.plan.name!r} in another order of "
        "simultaneous events:",
        f"  {_text(failing.failure)}",
        f"found in run {runs:,}; {choices} not the usual {'one' if one else 'ones'}",
        "",
        *_compared(usual.result.timeline.events, result.timeline.events),
        "",
        result.timeline.draw(height=25),
        "",
        f"again: {result.replay}",
    ]
    return OrderError("\n".join(lines), str(result.seed))


def _compared(usual: tuple[Event, ...], failing: tuple[Event, ...]) -> list[str]:
    pairs = enumerate(zip_longest(usual, failing))
    at = next((n for n, (old, new) in pairs if old != new), None)
    if at is None:
        return ["what happens is the same as in the usual order"]
    time = failing[at].time if at < len(failing) else usual[at].time
    lines = [f"from {duration_text(time)} on it goes another way than usual"]
    for title, events in (("usually", usual), ("here", failing)):
        lines.append(f"  {title}:")
        lines += [f"    {event}" for event in events[at : at + SHOWN]]
    return lines


def _text(failure: Exception | None) -> str:
    text = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {text[0]}" if text else type(failure).__name__
