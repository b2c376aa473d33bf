"""The pytest plugin, loaded by pytest through the ``pytest11`` entry point.

pytest imports this module in every run of every project that has workstream installed,
so it stays cheap: workstream, trio and lmdb are imported inside the fixtures.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from workstream.testing import FakeClock, MemoryWorkstream, Simulations

WIDEST = 100
"""Columns of a timeline that is shown with a failure; fewer on a narrow terminal."""
MARK = "workstream"
STORIES = pytest.StashKey["Simulations"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the seed and the number of runs be chosen."""
    group = parser.getgroup("workstream")
    group.addoption(
        "--workstream-seed",
        metavar="SEED",
        help="seed of the fixture 'simulation': a number, or what a failure has printed",
    )
    group.addoption(
        "--workstream-runs",
        metavar="N",
        type=int,
        help="how many orders simulation.explore tries",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and refuse a seed that is none before anything is run."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(seed=0, runs=1000): what the fixture 'simulation' works with",
    )
    seed = config.getoption("workstream_seed")
    if seed is not None:
        _refuse_bad_seed(seed, "--workstream-seed")
    runs = config.getoption("workstream_runs")
    if runs is not None and runs < 1:
        message = f"--workstream-runs is {runs}: it must be 1 or more"
        raise pytest.UsageError(message)


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """Tell how two plans differ, where ``==`` between them fails."""
    module: Any = sys.modules.get("workstream._plan.plan")
    if module is None or op != "==":
        return None
    if not (isinstance(left, module.Plan) and isinstance(right, module.Plan)):
        return None
    from _workstream_testing.plan_assertions import compared

    return compared(left, right)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what was simulated last in a test that failed, and how to see it again."""
    report = yield
    stories = item.stash.get(STORIES, None)
    if stories is not None and report.when == "call" and report.failed:
        width = item.config.get_terminal_writer().fullwidth
        report.sections += stories.told(min(width, WIDEST))
    return report


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock of its own for each test, at zero, that jumps to what is due next."""
    from workstream.testing import FakeClock

    return FakeClock()


@pytest.fixture
def memory_workstream(fake_clock: FakeClock) -> MemoryWorkstream:
    """A whole engine on a vault in memory, by the fixture ``fake_clock``."""
    from workstream.testing import MemoryWorkstream

    return MemoryWorkstream(clock=fake_clock)


@pytest.fixture
def simulation(request: pytest.FixtureRequest) -> Simulations:
    """``simulate`` and its kin, with the seed and the runs of mark and options."""
    from workstream.testing import Simulations

    chosen = _marked(request.node)
    for name in ("seed", "runs"):
        option = request.config.getoption(f"workstream_{name}")
        if option is not None:
            chosen[name] = option
    stories = Simulations(**chosen)
    request.node.stash[STORIES] = stories
    return stories


def _marked(item: pytest.Item) -> dict[str, Any]:
    """What the marks of a test say, the nearest first."""
    chosen: dict[str, Any] = {}
    for mark in item.iter_markers(MARK):
        unknown = [*map(repr, mark.args), *(set(mark.kwargs) - {"seed", "runs"})]
        if unknown:
            message = (
                f"@pytest.mark.{MARK}({', '.join(unknown)}): it takes seed=... and "
                "runs=... alone"
            )
            raise pytest.UsageError(message)
        chosen = {**mark.kwargs, **chosen}
    if "seed" in chosen:
        _refuse_bad_seed(chosen["seed"], f"@pytest.mark.{MARK}")
    return chosen


def _refuse_bad_seed(seed: Any, where: str) -> None:
    from _workstream_testing.problems import SimulationError
    from _workstream_testing.virtual.schedules import parse_seed

    try:
        parse_seed(seed)
    except SimulationError as error:
        message = f"{where}: {error}"
        raise pytest.UsageError(message) from None
