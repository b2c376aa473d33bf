"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from workstream.testing import MemoryWorkstream, SimulationError, Simulations

PLAN = """
import attrs
import pytest

from workstream import ActionPlugin, Block, Plan, Sequence
from workstream.testing import FakePlugin


@attrs.frozen
class Ask:
    host: str = "web"


class Copy(ActionPlugin[Ask, None]):
    name = "acme.copy"

    async def execute(self, context, request):
        raise NotImplementedError


def plan(concurrency=3):
    sequences = [
        Sequence(name=f"web-{n}", actions=[Copy.action(Ask(), name="Copy")])
        for n in range(3)
    ]
    block = Block(name="Tier", concurrency=concurrency, sequences=sequences)
    return Plan(name="Rollout", blocks=[block])
"""

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest over a test file: what it printed."""

    def run(source: str, *arguments: str) -> str:
        (tmp_path / "test_it.py").write_text(PLAN + textwrap.dedent(source))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
                *("--rootdir", str(tmp_path), "--strict-markers", *arguments),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    return run


def test_nothing_is_imported_until_a_fixture_is_used(run: Run, tmp_path: Path) -> None:
    """A pytest run that does not use it loads neither engine nor trio nor lmdb."""
    (tmp_path / "test_idle.py").write_text(
        textwrap.dedent(
            """
            import sys

            HEAVY = {"workstream", "trio", "lmdb", "attrs", "hypothesis"}

            def test_nothing():
                assert "_workstream_testing.pytest_plugin" in sys.modules
                assert not HEAVY & set(sys.modules)
            """
        )
    )
    # Of the other plugins that may be installed here, some import attrs themselves.
    printed = run("", "test_idle.py", "-p", "no:hypothesispytest", "-p", "no:anyio")
    assert "1 passed" in printed, printed


@pytest.mark.slow
class TestSimulation:
    """The fixture ``simulation``."""

    def test_the_mark_chooses(self, run: Run) -> None:
        """Seed and runs come from the nearest mark."""
        printed = run(
            """
            pytestmark = pytest.mark.workstream(seed=5, runs=7)

            def test_far(simulation):
                assert (simulation.seed, simulation.runs) == (5, 7)

            @pytest.mark.workstream(seed="order:2=1")
            def test_near(simulation):
                result = simulation(plan(), [FakePlugin(Copy)])
                assert (result.seed, simulation.runs) == ("order:2=1", 7)
            """
        )
        assert "2 passed" in printed, printed

    def test_options_come_before_marks(self, run: Run) -> None:
        """A failure can be seen again without changing the test."""
        printed = run(
            """
            @pytest.mark.workstream(seed=5)
            def test_it(simulation):
                assert (simulation.seed, simulation.runs) == ("9", 3)
                found = simulation.explore(
                    plan(), [FakePlugin(Copy)], check=lambda result: True
                )
                assert found.runs == 3
            """,
            *("--workstream-seed=9", "--workstream-runs=3"),
        )
        assert "1 passed" in printed, printed

    def test_a_failure_shows_the_timeline(self, run: Run) -> None:
        """And the line that shows it again."""
        printed = run(
            """
            def test_it(simulation):
                simulation(plan(), [FakePlugin(Copy).otherwise(takes=9)], seed=4)
                assert False

            def test_without():
                assert False

            def test_before_it(simulation):
                assert False
            """
        )
        assert "3 failed" in printed
        assert printed.count("- the last simulation -") == 1
        assert "to see it again: simulate(plan, plugins, seed=4)" in printed
        assert "web-2" in printed

    def test_a_failure_shows_the_test_and_not_the_harness(self, run: Run) -> None:
        """The message says all; where in the harness it was raised, nobody asks."""
        printed = run(
            """
            from workstream.testing import assert_plan, crash_everywhere, explore, simulate

            def fake():
                return FakePlugin(Copy)

            def test_script():
                simulate(plan(), [fake().when(host="web").when(attempt=1)])

            def test_order():
                def check(result):
                    assert result.calls[0].path.endswith("web-0 / Copy")

                explore(plan(), [fake()], check=check)

            def test_crash():
                crash_everywhere(plan(), [fake().again(fails="no")])

            def test_plan():
                assert_plan(plan(), plan(2))
            """
        )
        assert "4 failed" in printed
        assert "_workstream_testing" not in printed
        assert "_interpreter" not in printed
        for line in (
            "simulate(plan(), [fake",
            "explore(plan(), ",
            "assert_plan(plan()",
        ):
            assert f">       {line}" in printed

    def test_a_timeline_fits_the_terminal(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where there is room for less, it is drawn narrower."""
        monkeypatch.setenv("COLUMNS", "70")
        printed = run(
            """
            def test_it(simulation):
                simulation(plan(), [FakePlugin(Copy).otherwise(takes=9)])
                assert False
            """
        )
        drawn = printed.partition("\nRollout: ")[2].partition("=====\n")[0]
        assert "web-2" in drawn
        assert max(map(len, drawn.splitlines())) <= 70

    @pytest.mark.parametrize(
        ("option", "text"),
        [
            ("--workstream-seed=x", "--workstream-seed: seed='x' is no seed"),
            ("--workstream-runs=0", "--workstream-runs is 0: it must be 1 or more"),
        ],
    )
    def test_bad_options_are_refused_at_once(
        self, option: str, text: str, run: Run
    ) -> None:
        """Before any test is run."""
        printed = run("def test_it():\n    print('ran')", option)
        assert f"ERROR: {text}" in printed
        assert "ran" not in printed

    def test_bad_marks_are_refused(self, run: Run) -> None:
        """A mark takes a seed and a number of runs alone."""
        printed = run(
            """
            @pytest.mark.workstream(7, sed=1)
            def test_names(simulation): pass

            @pytest.mark.workstream(seed="x")
            def test_seed(simulation): pass

            @pytest.mark.workstream(runs=0)
            def test_runs(simulation): pass
            """
        )
        assert "@pytest.mark.workstream(7, sed): it takes seed=... and runs=" in printed
        assert "@pytest.mark.workstream: seed='x' is no seed" in printed
        assert "runs is 0: it must be 1 or more" in printed
        assert "3 errors" in printed


@pytest.mark.slow
def test_plans_that_differ_are_compared(run: Run) -> None:
    """``==`` between plans tells what differs, and other comparisons are pytest's."""
    printed = run(
        """
        def test_plans():
            assert plan() == plan(concurrency=1)

        def test_others():
            assert plan() == 7
        """
    )
    assert "the plans differ (left -> right):" in printed
    assert "Rollout / Tier: concurrency: 3 -> 1" in printed
    assert "2 failed" in printed
    # pytest repeats a failure's message in its summary where CI is set.
    told, _, _ = printed.partition("short test summary info")
    assert told.count("concurrency: 3 -> 1") == 1


def test_engines_share_the_clock(
    memory_workstream: MemoryWorkstream, request: pytest.FixtureRequest
) -> None:
    """``memory_workstream`` is driven by the test's ``fake_clock``."""
    assert memory_workstream.clock is request.getfixturevalue("fake_clock")


@pytest.mark.slow
def test_simulations_are_of_use_without_pytest(run: Run) -> None:
    """An order that failed is tried alone, and crashes are tried with the seed."""
    printed = run(
        """
        from workstream.testing import Simulations

        def test_order():
            tried = []
            simulations = Simulations(seed="order:2=1")
            found = simulations.explore(
                plan(), [FakePlugin(Copy)], check=lambda result: tried.append(result.seed)
            )
            assert (found.runs, tried) == (1, ["order:2=1"])
            with pytest.raises(AssertionError, match="the check returned False"):
                simulations.explore(plan(), [FakePlugin(Copy)], check=lambda _: False)

        def test_crashes():
            simulations = Simulations(seed=3)
            report = simulations.crash_everywhere(plan(), [FakePlugin(Copy)])
            assert report.result.seed == 3
            assert simulations.told()[0][0] == "the last simulation"
        """
    )
    assert "2 passed" in printed, printed
    with pytest.raises(SimulationError, match="is no seed"):
        Simulations(seed="x")
