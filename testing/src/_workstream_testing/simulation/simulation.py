"""``simulate``: a plan run to its end in virtual time, with no event loop at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from workstream._plan.plan import Plan
from workstream._protocols.plugin import AnyPlugin
from workstream._protocols.vault import Vault
from workstream._registry.registry import Registry

from ..fakes.fakes import FakePlugin
from ..problems import ScriptError, says_all
from ..virtual.garbage import few_looks
from ..virtual.schedules import Seed, chooser, parse_seed
from .history import Call, History, Report
from .moulds import LATEST
from .simulator import (
    HALF,
    MONTH,
    Plugins,
    Simulator,
    found,
    given,
)
from .timeline import Timeline
from .told import Told

__tracebackhide__ = says_all

LINES = 20
"""How many lines of a timeline an error shows."""


class Simulation:
    """How a simulated plan ended, and how it got there.

    Attributes:
        plan: The plan at its end.
        elapsed: How long it took, in seconds of virtual time.
        seed: What chose the order of simultaneous events.
        missed: What was to go wrong in a rehearsal, and did not come to pass, and why.
    """

    def __init__(
        self, plan: Plan, history: History, seed: Seed, *, replay: str = ""
    ) -> None:
        """Gather the results of a simulation.

        Args:
            plan: The plan at its end.
            history: All that happened.
            seed: What chose the order of simultaneous events.
            replay: The line that repeats it; "": that of ``simulate``.
        """
        self.plan = plan
        self.seed = seed
        ended = plan.state.ended
        self.elapsed = 0.0 if ended is None else history.seconds(ended)
        self.missed: list[str] = []
        self._history = history
        self._replay = replay or _replay(seed)

    @cached_property
    def calls(self) -> list[Call]:
        """The calls of plugins, in the order in which they began."""
        return self._history.calls()

    @property
    def reports(self) -> list[Report]:
        """What plugins reported, in order."""
        return self._history.reports

    @cached_property
    def timeline(self) -> Timeline:
        """What began and ended when; print it to see it drawn."""
        return Timeline(self._history)

    @property
    def crashes(self) -> list[float]:
        """When the engine crashed, in seconds."""
        return self._history.crashes

    @property
    def replay(self) -> str:
        """The line that repeats this simulation."""
        return self._replay

    def __repr__(self) -> str:
        # It stands in the message of every assertion that fails.
        reasons = ", ".join(reason.name for reason in self.plan.reasons)
        why = f" ({reasons})" if reasons else ""
        return (
            f"<plan {self.plan.name!r}: {self.plan.outcome.value}{why} after "
            f"{self.elapsed:g} s; to see it again: {self.replay}>"
        )


def simulate(
    plan: Plan,
    plugins: Plugins = (),
    *,
    seed: Seed = 0,
    jitter: bool = False,
    stop_at: float | None = None,
    told: Sequence[Told] = (),
    max_time: float = MONTH,
    recover: bool = False,
    max_last_update: float | None = None,
    vault: Vault | None = None,
) -> Simulation:
    """Run a plan to its end in virtual time.

    ::

        def test_rollout():
            deploy = FakePlugin(Copy).otherwise(takes=60)
            result = simulate(rollout(hosts=20), [deploy])
            assert result.plan.state.status is Status.COMPLETED
            assert result.elapsed == 240

    It is a plain function: there is no event loop, no thread, no store and no waiting.
    The plan is validated as by submit, and is not changed.

    Args:
        plan: The plan.
        plugins: A fake, or a plugin that awaits no event loop, for each plugin of the
            plan; or a function that makes them.
        seed: 0: what is ready first goes first. Any other number: an order of
            simultaneous events that it stands for. Or what a failure has printed.
        jitter: Whether retries wait with jitter, drawn by the seed; otherwise every
            wait is the policy's base (RP-3).
        stop_at: When the plan is asked to stop, in seconds.
        told: What else it is told, in order (CT-1).
        max_time: Seconds of virtual time after which it is given up.
        recover: Whether the plan is as a crash left it, and is to be recovered.
        max_last_update: Seconds without a sign of life after which recovery gives it
            up (R-3); None: never.
        vault: Stores every change, through the codec: a MemoryVault. None: nothing is
            stored, which is fast.

    Returns:
        How it ended.

    Raises:
        SimulationError: The plan does not end, a plugin was not given or awaits an
            event loop, the seed is none.
        ScriptError: Lines of a fake's script overlap, or were not used.
        ValidationError: The plan could not be submitted.
    """
    choose = chooser(seed)
    made = given(plugins)
    with few_looks():  # the copy makes as many objects as the run
        registry = Registry(made)
        paths: list[str] = []
        if recover:
            ready = found(plan, registry)
        else:
            ready, paths = LATEST.copy(plan, made, registry)
        simulator = Simulator(
            ready,
            registry,
            choose=choose,
            random=_drawn(seed) if jitter else _middle,
            max_time=max_time,
            stop_at=stop_at,
            told=told,
        )
        simulator.history.paths = paths
        try:
            if recover:
                simulator.recover(max_last_update=max_last_update)
            else:
                simulator.start(vault)
        except Exception as error:
            error.add_note(f"to see it again: {_replay(seed)}")
            raise
    result = Simulation(ready, simulator.history, seed)
    try:
        check_scripts(made)
    except ScriptError as error:
        story = result.timeline.draw(height=LINES)
        error.add_note(f"what happened instead: {result}\n{story}")
        raise
    return result


def check_scripts(plugins: list[AnyPlugin]) -> None:
    """See that every line of every fake's script was used.

    Raises:
        ScriptError: Not all were.
    """
    for plugin in plugins:
        if isinstance(plugin, FakePlugin):
            plugin.check_script()


def _replay(seed: Seed) -> str:
    return f"simulate(plan, plugins, seed={seed!r})"


def _middle() -> float:
    return HALF


def _drawn(seed: Seed) -> Callable[[], float]:
    parsed: Any = parse_seed(seed)
    # Apart from the draws that order tasks, so that neither moves the other.
    return random.Random(f"jitter {parsed if isinstance(parsed, int) else 0}").random
