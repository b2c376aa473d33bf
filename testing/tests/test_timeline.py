"""Timelines: events to assert on, and a drawing to look at."""

from __future__ import annotations

import attrs
import pytest

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
    WhenDeferred,
)
from workstream.plugins import AnyPlugin, RetryPolicy
from workstream.testing import FakeAction, FakePlugin, simulate


@attrs.frozen
class Ask:
    """A request."""

    host: str


class Copy(ActionPlugin[Ask, None]):
    """A plugin that no test ever calls."""

    name = "acme.copy"
    retry = RetryPolicy(initial_interval=1, randomization_factor=0)

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[Ask, None]):
    """A check that no test ever calls."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def copy(host: str) -> Action:
    """Copy to a host."""
    return Copy.action(Ask(host), name="Copy", timeout=3600, retries=1)


def deploy(hosts: int, concurrency: int = 2) -> Plan:
    """A plan with a bit of everything."""
    return Plan(
        name="Deploy",
        pre_checks=Checks(actions=[Look.action(Ask("lb"), name="Balancer")]),
        blocks=[
            Block(
                name="Web tier",
                concurrency=concurrency,
                tolerated_failures=1,
                cont_checks=Checks(
                    delay=30, actions=[Look.action(Ask("lb"), name="Balancer")]
                ),
                sequences=[
                    Sequence(name=f"web-{n}", actions=[copy(f"web-{n}"), copy("db")])
                    for n in range(1, hosts + 1)
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Roll back",
                    when=WhenDeferred.ON_FAILURE,
                    actions=[copy("old")],
                )
            ]
        ),
    )


def cleaning(hosts: int) -> Plan:
    """The same, and each host has work that is done when it fails, or is taken back."""
    plan = deploy(hosts)
    for sequence in plan.blocks[0].sequences:
        sequence.deferred_actions = DeferredActions(
            batches=[
                DeferBatch(name="Clean", actions=[copy("old")], when=when)
                for when in (WhenDeferred.ON_FAILURE, WhenDeferred.ON_UNDO)
            ]
        )
    return plan


def fakes() -> list[AnyPlugin]:
    """web-2 fails for good, web-3 at first."""
    return [faulty(), FakePlugin(Look)]


def faulty() -> FakeAction[Ask, None]:
    """web-2 fails for good, web-3 at first."""
    return (
        FakePlugin(Copy, strict=False)
        .when(host="web-2", takes=20, fails="disk full", permanent=True)
        .when(host="web-3", attempt=1, takes=10, fails="busy")
        .otherwise(takes=60)
    )


class TestEvents:
    """What happened, in words."""

    def test_they_tell_what_happened_in_order(self) -> None:
        """Each has a time, a path and a verb; attempts and errors are told."""
        plan = Plan(
            name="Deploy",
            blocks=[
                Block(
                    name="B",
                    sequences=[Sequence(name="s", actions=[copy("web-3")])],
                )
            ],
        )
        result = simulate(plan, [faulty()])

        assert [(e.time, e.path, e.what) for e in result.timeline] == [
            (0, "Deploy", "begins"),
            (0, "Deploy / B", "begins"),
            (0, "Deploy / B / s", "begins"),
            (0, "Deploy / B / s / Copy", "begins"),
            (10, "Deploy / B / s / Copy", "fails attempt 1: busy"),
            (11, "Deploy / B / s / Copy", "begins attempt 2"),
            (71, "Deploy / B / s / Copy", "completes"),
            (71, "Deploy / B / s", "completes"),
            (71, "Deploy / B", "completes"),
            (71, "Deploy", "completes"),
        ]

    def test_checks_that_run_again_say_so(self) -> None:
        """A continuous check begins once, and is then run again (K-1)."""
        told = [
            event.what
            for event in simulate(deploy(1), fakes()).timeline
            if event.path == "Deploy / Web tier / cont_checks"
        ]

        assert told[:4] == ["begins", "completes", "is run again", "completes"]


class TestDrawing:
    """A lane a sequence, batch or check group."""

    def test_a_run_at_a_glance(self) -> None:
        """Who ran when, what failed and why."""
        drawn = str(simulate(deploy(4), fakes()).timeline)

        assert drawn == DRAWN

    def test_of_many_lanes_those_with_failures_stay(self) -> None:
        """What went well is only counted."""
        timeline = simulate(deploy(200, concurrency=50), fakes()).timeline
        lines = timeline.draw(height=20).splitlines()

        assert len(lines) <= 20
        assert any("web-2 " in line and "disk full" in line for line in lines)
        assert any("web-3 " in line for line in lines)
        assert any("more" in line and "completed" in line for line in lines)
        # What stands for several lanes ends in the same column as a lane.
        told = [line for line in lines if line.startswith("  ") and "completed" in line]
        assert len({line.index("completed") for line in told}) == 1

    def test_what_hosts_clean_up_stands_below_them(self) -> None:
        """Deferred work of a sequence has a lane once it began, and no heading."""
        few = simulate(cleaning(3), fakes()).timeline.draw(width=80).splitlines()
        timeline = simulate(cleaning(100), fakes()).timeline
        many = timeline.draw(height=20).splitlines()

        at = next(n for n, line in enumerate(few) if "web-2 " in line)
        assert few[at].endswith("failed: Copy: disk full")
        assert few[at + 1].startswith("    Clean ")
        assert "=" in few[at + 1]
        assert sum("Clean" in line for line in few) == 1
        assert not any("  deferred_actions" in line for line in few)
        assert len(many) <= 20
        assert any("disk full" in line for line in many)
        assert any("more" in line and "completed" in line for line in many)

    @pytest.mark.parametrize("width", [60, 80, 140])
    def test_it_keeps_to_its_width(self, width: int) -> None:
        """Names and errors are cut, the drawing stays."""
        plan = deploy(4)
        plan.blocks[0].sequences[0].name = "a very long name " * 10
        plan.blocks[0].sequences[1].name = "line\nbreak \x1b[31m"
        drawn = simulate(plan, fakes()).timeline.draw(width=width)

        assert max(map(len, drawn.splitlines())) <= width
        assert "\x1b" not in drawn
        assert drawn.count("\n") == DRAWN.count("\n")

    def test_a_run_that_takes_no_time(self) -> None:
        """All of it is at one instant."""
        plan = deploy(2)
        drawn = str(simulate(plan, [FakePlugin(Copy), FakePlugin(Look)]).timeline)

        assert "Deploy: completed after 0s" in drawn
        assert any("web-1" in line and " | " in line for line in drawn.splitlines())


DRAWN = """\
Deploy: completed with failures after 4m
                  0s                          2m                          4m
pre_checks        |                                                          completed
Web tier
  cont_checks     |      |      |      |      |      |      |      |      |  completed
  web-1           ============================                               completed
  web-2           ====x                                                      failed: Copy: disk full
  web-3               ===x===========================                        completed
  web-4                                       ============================   completed
deferred_actions
  Roll back                                                                  not started"""
