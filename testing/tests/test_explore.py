"""``explore``: other orders of simultaneous events, and the shortest failing one."""

from __future__ import annotations

import attrs
import pytest

from workstream import ActionPlugin, Block, Context, Plan, PluginError, Sequence, Status
from workstream.plugins import AnyPlugin
from workstream.testing import (
    FakePlugin,
    OrderError,
    ScriptError,
    Simulation,
    SimulationError,
    explore,
    simulate,
)


@attrs.frozen
class Ask:
    """A request."""

    host: str


class Take(ActionPlugin[Ask, None]):
    """A plugin that no test ever calls."""

    name = "acme.take"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def plan(hosts: int = 4, concurrency: int = 4) -> Plan:
    """A plan that takes something on each host, twice, side by side."""
    return Plan(
        name="Race",
        blocks=[
            Block(
                name="Hosts",
                concurrency=concurrency,
                tolerated_failures=-1,
                sequences=[
                    Sequence(
                        name=f"web-{n}",
                        actions=[
                            Take.action(Ask(f"web-{n}"), name=name)
                            for name in ("First", "Second")
                        ],
                    )
                    for n in range(1, hosts + 1)
                ],
            )
        ],
    )


def racing() -> list[AnyPlugin]:
    """A plugin that works only while web-1 came first: the planted fault."""
    order: list[str] = []

    def does(_context: Context, request: Ask) -> None:
        order.append(request.host)
        if order[0] != "web-1":
            message = "web-1 must be first"
            raise PluginError(message)

    return [FakePlugin(Take).does(does)]


def completes(result: Simulation) -> None:
    """The check: nothing failed."""
    for sequence in result.plan.blocks[0].sequences:
        assert sequence.state.status is Status.COMPLETED, sequence.name


class TestPlansThatDependOnTheOrder:
    """A planted race is found, and told shortly."""

    def test_the_story_is_short_and_can_be_replayed(self) -> None:
        """One choice is enough, and the seed repeats it."""
        with pytest.raises(OrderError) as caught:
            explore(plan(), racing, check=completes)
        story = str(caught.value)
        for text in (
            "fails for plan 'Race' in another order",
            "AssertionError: web-",
            "1 of its ",
            "usually:",
            "here:",
            "fails: web-1 must be first",
            f"again: simulate(plan, plugins, seed={caught.value.seed!r})",
        ):
            assert text in story

        with pytest.raises(AssertionError):
            completes(simulate(plan(), racing, seed=caught.value.seed))
        completes(simulate(plan(), racing))

    def test_a_check_that_returns_false(self) -> None:
        """It need not raise."""

        def check(result: Simulation) -> bool:
            return result.plan.blocks[0].sequences[0].state.status is Status.COMPLETED

        with pytest.raises(OrderError, match="the check returned False"):
            explore(plan(), racing, check=check)

    def test_a_fault_that_takes_more_than_one_choice(self) -> None:
        """Random orders find it, and what does not matter is left out."""

        def check(result: Simulation) -> None:
            order = [call.path.split(" / ")[2] for call in result.calls]
            assert order[:3] != ["web-4", "web-3", "web-2"], "backwards"

        with pytest.raises(OrderError) as caught:
            explore(plan(), [FakePlugin(Take)], check=check)
        choices = caught.value.seed.count("=")
        assert 2 <= choices <= 4
        assert "backwards" in str(caught.value)

    def test_a_check_that_fails_in_any_order(self) -> None:
        """There is nothing to explore then."""

        def check(_result: Simulation) -> None:
            message = "never"
            raise ValueError(message)

        with pytest.raises(OrderError, match="in the usual order already") as caught:
            explore(plan(), [FakePlugin(Take)], check=check)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_a_run_that_does_not_end(self) -> None:
        """An order in which the plan hangs is a failing one."""
        order: list[str] = []

        def out_of_order(ask: Ask) -> bool:
            order.append(ask.host)
            return order[0] != "web-1"

        def plugins() -> list[AnyPlugin]:
            order.clear()
            return [FakePlugin(Take).when(request=out_of_order, hangs=True)]

        endless = plan()
        for sequence in endless.blocks[0].sequences:
            for action in sequence.actions:
                action.timeout = float("inf")

        with pytest.raises(OrderError, match="SimulationError: plan 'Race' does not"):
            explore(endless, plugins, check=completes)


class TestPlansThatDoNot:
    """Where the order does not matter, that is what is told."""

    def test_it_tells_how_much_was_tried(self) -> None:
        """Many runs, many orders."""
        found = explore(plan(), [FakePlugin(Take)], check=completes, runs=100)

        assert found.runs == 100
        assert found.orders > 90
        assert "different orders" in str(found)

    def test_where_nothing_happens_at_once_one_run_is_enough(self) -> None:
        """A plan with one sequence has one order."""
        found = explore(plan(hosts=1), [FakePlugin(Take)], check=completes)

        assert (found.runs, found.orders) == (1, 1)

    def test_the_same_seed_tries_the_same(self) -> None:
        """A run that passes passes again."""

        def orders(seed: int) -> list[str]:
            seen: list[str] = []

            def check(result: Simulation) -> None:
                seen.append("".join(map(str, result.timeline)))

            explore(plan(), [FakePlugin(Take)], check=check, runs=60, seed=seed)
            return seen

        assert orders(1) == orders(1)
        assert orders(1) != orders(2)


class TestBadInput:
    """What cannot be explored."""

    def test_no_runs(self) -> None:
        """At least one is needed."""
        with pytest.raises(SimulationError, match="runs is 0"):
            explore(plan(), [FakePlugin(Take)], check=completes, runs=0)

    def test_lines_that_are_used_in_no_order(self) -> None:
        """A line must be used once in all runs together."""
        fake = FakePlugin(Take).when(host="typo", fails="no")

        with pytest.raises(ScriptError, match=r"acme\.take: when"):
            explore(plan(), [fake], check=completes, runs=5)
