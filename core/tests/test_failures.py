"""Where a plan failed: the exact places, in walk order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workstream._plan.outcome import Outcome
from workstream._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from workstream._show.failures import Failure, causes, failures, not_reached
from workstream._show.words import totals
from workstream._values.state import (
    Attempt,
    FailureReason,
    PluginError,
    Status,
    WhenDeferred,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGED = START + timedelta(minutes=31)


def put(status: Status, *nodes: Node) -> None:
    for node in nodes:
        node.state.status = status


def fail(action: BaseAction, *messages: str) -> None:
    put(Status.FAILED, action)
    action.state.ended = START
    action.attempts = [
        Attempt(started=START, ended=START, error=PluginError(message))
        for message in messages
    ]


def group(name: str = "look") -> Checks:
    return Checks(actions=[CheckAction(name=name, plugin="a.look")])


def rollout(hosts: int = 4, **settings: Any) -> Plan:
    """A plan that completed; tests make parts of it fail."""
    plan = Plan(
        name="Deploy server",
        blocks=[
            Block(
                name="Web tier",
                sequences=[
                    Sequence(
                        name=f"web-{n}",
                        actions=[
                            Action(name="Copy", plugin="acme.copy"),
                            Action(name="Start", plugin="acme.start"),
                        ],
                    )
                    for n in range(1, hosts + 1)
                ],
                **settings,
            )
        ],
    )
    put(Status.COMPLETED, plan, plan.blocks[0], *plan.blocks[0].sequences)
    return plan


def fail_host(plan: Plan, number: int, *messages: str) -> Action:
    sequence = plan.blocks[0].sequences[number - 1]
    put(Status.FAILED, sequence)
    fail(sequence.actions[0], *messages)
    return sequence.actions[0]


def paths_of(plan: Plan) -> list[str]:
    return [failure.path for failure in failures(plan)]


def test_a_plan_without_failures_has_none() -> None:
    """Neither a completed nor a stopped nor an untouched plan has failures by
    itself.
    """
    plan = rollout()

    assert failures(plan) == []
    put(Status.STOPPED, plan, plan.blocks[0], plan.blocks[0].sequences[0])
    assert failures(plan) == []
    assert failures(Plan(name="p", blocks=[])) == []


def test_the_failed_action_is_named_and_what_follows_from_it_is_not() -> None:
    """A tolerated host shows as the one action that failed, with its last error."""
    plan = rollout(tolerated_failures=1)
    action = fail_host(plan, 3, "timed out", "disk full")

    assert failures(plan) == [
        Failure(
            path="Deploy server / Web tier / web-3 / Copy",
            node=action,
            error=PluginError("disk full"),
            attempts=2,
            tolerated=True,
        )
    ]
    assert plan.outcome is Outcome.COMPLETED_WITH_FAILURES


def test_beyond_the_tolerance_no_failure_is_a_tolerated_one() -> None:
    """Once a block's tolerance is exceeded, all of its failures count (Q-3)."""
    plan = rollout(tolerated_failures=1)
    fail_host(plan, 1, "a")
    fail_host(plan, 2, "b")
    put(Status.FAILED, plan, plan.blocks[0])
    plan.reasons = (FailureReason.BLOCK,)

    found = failures(plan)

    assert [failure.path for failure in found] == [
        "Deploy server / Web tier / web-1 / Copy",
        "Deploy server / Web tier / web-2 / Copy",
    ]
    assert not any(failure.tolerated for failure in found)


def test_any_number_can_be_tolerated() -> None:
    """With ``tolerated_failures=-1`` every failed sequence is tolerated (Q-3)."""
    plan = rollout(hosts=3, tolerated_failures=-1)
    for number in (1, 2, 3):
        fail_host(plan, number, "a")

    assert [failure.tolerated for failure in failures(plan)] == [True] * 3


def test_a_tolerated_host_stays_so_when_a_post_check_fails() -> None:
    """What the block failed of is told from what it bore (B-11)."""
    plan = rollout(tolerated_failures=1, post_checks=group("works"))
    fail_host(plan, 2, "a")
    checks = plan.blocks[0].post_checks
    assert checks is not None
    put(Status.FAILED, plan, plan.blocks[0], checks)
    fail(checks.actions[0], "503")

    assert [(failure.path, failure.tolerated) for failure in failures(plan)] == [
        ("Deploy server / Web tier / web-2 / Copy", True),
        ("Deploy server / Web tier / post_checks / works", False),
    ]


def test_failures_come_in_walk_order_from_every_kind_of_place() -> None:
    """Checks, sequences and batches; a batch without ``fail_element`` is tolerated
    (DA-8).
    """
    plan = rollout()
    plan.cont_checks, plan.deferred_checks = group("healthy"), group("tidy")
    plan.deferred_actions = DeferredActions(
        batches=[
            DeferBatch(
                name=name,
                actions=[Action(name="do", plugin="a.do")],
                when=WhenDeferred.ALWAYS,
                fail_element=name == "undo",
            )
            for name in ("undo", "notify")
        ]
    )
    for checks in (plan.deferred_checks, plan.cont_checks):
        put(Status.FAILED, checks)
        fail(checks.actions[0], "no")
    for batch in plan.deferred_actions.batches:
        put(Status.FAILED, batch)
        fail(batch.actions[0], "no")
    fail_host(plan, 1, "no")
    put(Status.FAILED, plan, plan.blocks[0], plan.deferred_actions)

    assert [(failure.path, failure.tolerated) for failure in failures(plan)] == [
        ("Deploy server / cont_checks / healthy", False),
        ("Deploy server / Web tier / web-1 / Copy", False),
        ("Deploy server / deferred_actions / undo / do", False),
        ("Deploy server / deferred_actions / notify / do", True),
        ("Deploy server / deferred_checks / tidy", False),
    ]


def test_a_failed_bypass_check_is_no_failure() -> None:
    """It only says that there is work to do, in the plan and in a block (E-2, B-3)."""
    plan = rollout(bypass_checks=group())
    plan.bypass_checks = group()
    for checks in (plan.bypass_checks, plan.blocks[0].bypass_checks):
        assert checks is not None
        put(Status.FAILED, checks)
        fail(checks.actions[0], "not yet deployed")

    assert failures(plan) == []
    fail_host(plan, 1, "disk full")
    put(Status.FAILED, plan.blocks[0])
    assert paths_of(plan) == ["Deploy server / Web tier / web-1 / Copy"]


def test_a_block_cut_short_by_the_plans_check_is_not_repeated() -> None:
    """The block has no failure of its own: the plan's continuous check is named
    (B-6).
    """
    plan = rollout()
    plan.cont_checks = group("healthy")
    put(Status.FAILED, plan, plan.cont_checks, plan.blocks[0])
    fail(plan.cont_checks.actions[0], "503")
    put(Status.STOPPED, plan.blocks[0].sequences[0])
    put(Status.NOT_STARTED, *plan.blocks[0].sequences[1:])

    assert paths_of(plan) == ["Deploy server / cont_checks / healthy"]


def age_out(plan: Plan, *running: Node) -> None:
    for node in (plan, *running):
        put(Status.FAILED, node)
        node.state.ended = AGED
    plan.reasons = (FailureReason.EXCEED_RECOVERY,)


def test_an_aged_out_plan_shows_what_it_was_doing() -> None:
    """The deepest objects that were running are at fault, whatever was tolerable
    (R-3).
    """
    plan = rollout(tolerated_failures=-1)
    block = plan.blocks[0]
    fail_host(plan, 1, "disk full")
    interrupted = block.sequences[1].actions[0]
    interrupted.attempts = [
        Attempt(
            started=START, ended=AGED, interrupted=True, error=PluginError("cut short")
        )
    ]
    put(Status.COMPLETED, block.sequences[2].actions[0])
    age_out(plan, block, block.sequences[1], interrupted, block.sequences[2])

    assert [
        (f.path, f.error.message if f.error else None, f.attempts, f.tolerated)
        for f in failures(plan)
    ] == [
        ("Deploy server / Web tier / web-1 / Copy", "disk full", 1, True),
        ("Deploy server / Web tier / web-2 / Copy", "cut short", 1, False),
        ("Deploy server / Web tier / web-3", None, 0, False),
    ]


def test_earlier_failures_do_not_hide_that_a_plan_aged_out() -> None:
    """A plan that aged out between two objects is itself at fault (R-3)."""
    plan = rollout(tolerated_failures=1)
    plan.blocks[0].state.ended = START
    fail_host(plan, 1, "disk full")
    age_out(plan)

    assert [(failure.path, failure.tolerated) for failure in failures(plan)] == [
        ("Deploy server", False),
        ("Deploy server / Web tier / web-1 / Copy", True),
    ]


def test_a_bypass_check_that_aged_out_is_at_fault() -> None:
    """What the plan was doing when it aged out is shown in a bypass group too (R-3)."""
    plan = rollout()
    plan.bypass_checks = group("done already")
    put(Status.NOT_STARTED, plan.blocks[0], *plan.blocks[0].sequences)
    age_out(plan, plan.bypass_checks, plan.bypass_checks.actions[0])

    assert paths_of(plan) == ["Deploy server / bypass_checks / done already"]


@pytest.mark.parametrize(
    ("messages", "tolerated", "line"),
    [
        ([], 0, "it failed"),
        (["disk full"], 0, "disk full"),
        (
            ["a", "disk\nfull\x1b[2J"],
            1,
            r"disk\nfull\x1b[2J after 2 attempts (tolerated)",
        ),
    ],
)
def test_a_failure_prints_as_one_safe_line(
    messages: list[str], tolerated: int, line: str
) -> None:
    """Its text has the path, the error, how often it was tried, and if it is borne."""
    plan = rollout(tolerated_failures=tolerated)
    fail_host(plan, 3, *messages)

    (failure,) = failures(plan)

    assert f"Deploy server / Web tier / web-3 / Copy: {line}" == str(failure)


@pytest.mark.slow
def test_ten_thousand_failures_take_one_round_each() -> None:
    """A block with 10,000 failed sequences is judged once, not once for each of
    them.
    """
    plan = rollout(hosts=10_000)
    for number in range(1, 10_001):
        fail_host(plan, number, "no")

    class Counted(list[Sequence]):
        rounds = 0

        def __iter__(self) -> Any:
            type(self).rounds += 1
            return super().__iter__()

    plan.blocks[0].sequences = Counted(plan.blocks[0].sequences)

    assert len(failures(plan)) == 10_000
    assert Counted.rounds <= 3


def test_what_was_not_reached_is_told_by_its_path() -> None:
    """Sequences of which nothing has begun, in walk order."""
    plan = rollout()
    sequences = plan.blocks[0].sequences
    put(Status.NOT_STARTED, *sequences[1:])
    prefix = f"{plan.name} / {plan.blocks[0].name} / "
    assert not_reached(plan) == [f"{prefix}{each.name}" for each in sequences[1:]] != []


def told(plan: Plan, said: dict[str, list[str]] | None = None) -> list[list[str]]:
    """The names of the sequences that failed of one cause."""
    lines = said or {}
    names = {id(f.node): f.path.split(" / ")[2] for f in failures(plan)}
    found = causes(
        failures(plan), lambda node: lines.get(names[id(node)]) if lines else []
    )
    return [[names[id(each.node)] for each in cause] for cause in found]


def test_failures_that_differ_by_the_name_have_one_cause() -> None:
    """A host's name in the error makes no difference; that of another is another."""
    plan = rollout(hosts=13)
    for number in (1, 2, 12):
        fail_host(plan, number, f"copy web-{number}:/srv to web-{number}.lan: no space")
    fail_host(plan, 13, "copy web-1:/srv to web-13.lan: no space")

    assert told(plan) == [["web-1", "web-2", "web-12"], ["web-13"]]


def test_output_tells_causes_apart_where_it_was_read() -> None:
    """An exit status alone is no cause; what nobody has read is put to the largest."""
    plan = rollout(hosts=5)
    for number in range(1, 6):
        fail_host(plan, number, "exited with code 1")
    said = {"web-1": ["web-1 is full"], "web-2": ["web-2 is full"], "web-3": ["why?"]}

    assert told(plan, said) == [["web-1", "web-2", "web-4", "web-5"], ["web-3"]]


def test_totals_count_each_sequence_once() -> None:
    """All that can come of a sequence, and those that were taken back beside it."""
    plan = rollout(hosts=6)
    done, failed, cut, left_out, never, _ = plan.blocks[0].sequences
    put(Status.FAILED, failed)
    put(Status.STOPPED, cut)
    put(Status.SKIPPED, left_out)
    put(Status.NOT_STARTED, never)
    undo = DeferBatch(name="Back", when=WhenDeferred.ON_UNDO, actions=[])
    put(Status.COMPLETED, undo)
    done.deferred_actions = DeferredActions(batches=[undo])

    assert str(totals(plan)) == (
        "2 of 6 sequences done, 1 failed, 1 stopped, 1 not reached, 1 skipped;"
        " 1 taken back"
    )
