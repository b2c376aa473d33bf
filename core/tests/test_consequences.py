"""What followed from a failure or a stop, in words."""

from __future__ import annotations

from datetime import UTC, datetime

from workstream._plan.plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from workstream._show.consequences import consequences
from workstream._values.interventions import Intervention, Verb
from workstream._values.state import FailureReason, Status, WhenDeferred

START = datetime(2031, 5, 1, 18, 0, tzinfo=UTC)
N, _, C, K, F, S = Status


def put(status: Status, *nodes: Node) -> None:
    for node in nodes:
        node.state.status = status


def rollout(*statuses: Status) -> Plan:
    """A block whose sequences have come so far, and a block behind it."""

    def back() -> DeferredActions:
        when = WhenDeferred.ON_FAILURE
        return DeferredActions(batches=[DeferBatch(name="Back", when=when, actions=[])])

    sequences = [
        Sequence(
            name=f"web-{n}",
            actions=[Action(name="copy", plugin="x.act")],
            deferred_actions=back(),
        )
        for n in range(len(statuses))
    ]
    for sequence, status in zip(sequences, statuses, strict=True):
        put(status, sequence)
    checks = Checks(actions=[CheckAction(name="well", plugin="x.look")])
    return Plan(
        name="Deploy",
        blocks=[
            Block(name="Tier", tolerated_failures=1, sequences=sequences),
            Block(name="Bake", pre_checks=checks, sequences=[]),
        ],
        deferred_actions=back(),
    )


def test_nothing_follows_where_all_was_done() -> None:
    """What completed, or goes well so far, needs no explanation."""
    plan = rollout(C, C)
    assert consequences(plan) == []
    put(C, plan, *plan.blocks)
    assert consequences(plan) == []


def test_a_block_that_halts_is_explained() -> None:
    """Why it halted, what was cut and not begun, what ran then, what never did."""
    plan = rollout(C, F, F, S, N, N, N, N, N)
    put(F, plan, plan.blocks[0])
    for sequence in plan.blocks[0].sequences[1:3]:
        assert sequence.deferred_actions is not None
        put(C, sequence.deferred_actions, *sequence.deferred_actions.batches)
    assert plan.deferred_actions is not None
    put(F, *plan.deferred_actions.batches)

    assert consequences(plan) == [
        "Tier halted: 2 sequences failed where 1 may",
        "1 sequence of Tier cut short: web-3",
        "5 sequences of Tier not begun: web-4, web-5, web-6 and 2 others",
        "Tier: Back ran on web-1 and web-2, because it failed there: 2 completed",
        "deferred_actions / Back ran because the plan failed: failed",
        "Bake was not begun, because Tier failed",
    ]


def test_checks_that_fail_are_named() -> None:
    """A block fails without a failed sequence where its checks did."""
    plan = rollout(C)
    put(C, plan.blocks[0])
    checks = plan.blocks[1].pre_checks
    assert checks is not None
    put(F, plan, plan.blocks[1], checks)

    assert consequences(plan) == ["Bake failed, because pre_checks failed"]


def test_who_stopped_and_skipped_is_told() -> None:
    """With the moment and the reason."""
    plan = rollout(C, K)
    plan.interventions = (
        Intervention(
            verb=Verb.SKIP, path="Deploy / Tier / web-1", by="ana", at=START, reason=""
        ),
        Intervention(verb=Verb.STOP, by="bo", at=START, reason="wrong\nday"),
        Intervention(verb=Verb.PAUSE, by="bo", at=START),
    )
    put(S, plan)
    put(C, plan.blocks[0])
    plan.reasons = (FailureReason.STOPPED,)

    assert consequences(plan) == [
        "ana skipped Tier / web-1 at 2031-05-01 18:00:00 UTC",
        "bo stopped it at 2031-05-01 18:00:00 UTC: wrong day",
        "Bake was not begun, because the plan was stopped",
    ]


def test_a_plan_that_was_given_up_says_so() -> None:
    """Recovery gives up what crashed too long ago (R-3)."""
    plan = rollout(F)
    put(F, plan, *plan.blocks)
    plan.reasons = (FailureReason.EXCEED_RECOVERY,)

    assert "recovery gave it up, as it had crashed too long ago" in consequences(plan)
