"""``simulate`` and its kin with one seed and one number of runs: for whole test suites."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workstream._plan.plan import Plan

from ..crashes.crash_everywhere import CrashReport, crash_everywhere
from ..problems import SimulationError, says_all
from ..virtual.schedules import Seed, parse_seed
from .explore import Exploration, explore
from .simulation import Simulation, simulate
from .simulator import Plugins

if TYPE_CHECKING:
    from ..verify.verification import Verification

__tracebackhide__ = says_all

LINES = 25
"""How many lines of a timeline are shown with a failure."""


class Simulations:
    """Simulates plans with a seed that was chosen elsewhere, and remembers the last one.

    pytest has it as the fixture ``simulation``; the mark ``workstream(seed=..., runs=...)``
    and the options ``--workstream-seed`` and ``--workstream-runs`` choose. When a test
    fails, its last timeline is shown with it::

        def test_rollout(simulation):
            result = simulation(rollout(hosts=20), [deploy])
            assert result.elapsed == 240

    Attributes:
        seed: The seed that is used where a call gives none.
        runs: How many orders ``explore`` tries where a call does not say.
    """

    def __init__(self, *, seed: Seed = 0, runs: int = 1000) -> None:
        """Choose what calls use by default.

        Raises:
            SimulationError: It is no seed, or fewer runs than 1.
        """
        parse_seed(seed)
        if runs < 1:
            message = f"runs is {runs}: it must be 1 or more"
            raise SimulationError(message)
        self.seed = seed
        self.runs = runs
        self._last: Simulation | None = None

    def __call__(self, plan: Plan, plugins: Plugins = (), **options: Any) -> Simulation:
        """Run a plan to its end in virtual time; see ``simulate``."""
        self._last = None
        self._last = simulate(plan, plugins, **self._with_seed(options))
        return self._last

    def crash_everywhere(
        self, plan: Plan, plugins: Plugins = (), **options: Any
    ) -> CrashReport:
        """Crash the engine at each durable write; see ``crash_everywhere``."""
        self._last = None
        report = crash_everywhere(plan, plugins, **self._with_seed(options))
        self._last = report.result
        return report

    def explore(
        self,
        plan: Plan,
        plugins: Plugins = (),
        *,
        check: Callable[[Simulation], object],
        **options: Any,
    ) -> Exploration:
        """Try a check in many orders of simultaneous events; see ``explore``.

        A number as seed draws the orders; an order that a failure has printed is tried
        alone.
        """
        chosen = options.pop("seed", self.seed)
        order = parse_seed(chosen)
        if not isinstance(order, int):
            result = self(plan, plugins, seed=chosen, **_without(options, "runs"))
            if check(result) is False:
                message = f"the check returned False: {result}"
                raise AssertionError(message)
            return Exploration(1, 1, result)
        self._last = None
        drawn: dict[str, Any] = {"runs": self.runs, "seed": order or 1, **options}
        found = explore(plan, plugins, check=check, **drawn)
        self._last = found.result
        return found

    def verify(self, plan: Plan, *plugins: Any, **options: Any) -> Verification:
        """Find the worst that can happen to a plan; see ``verify``.

        When the test fails, the worst end that was found is shown with it.
        """
        # Here, as verifying stands on simulating.
        from ..problems import VerifyError
        from ..verify.verify import verify

        self._last = None
        try:
            found = verify(plan, *plugins, **options)
        except VerifyError as error:
            broken: Verification = error.verification
            self._last = broken.shown.result
            raise
        self._last = found.worst_end.result
        return found

    def _with_seed(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"seed": self.seed, **options}

    def told(self, width: int = 100) -> list[tuple[str, str]]:
        """The last simulation for people: titles and texts; empty before the first.

        Args:
            width: How many columns it may have.
        """
        result = self._last
        if result is None:
            return []
        text = f"{result}\n\n{result.timeline.draw(width=width, height=LINES)}"
        return [("the last simulation", text)]


def _without(options: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != name}
