"""Approvals: what may be asked, and who may answer (AP-1)."""

from __future__ import annotations

import math

import pytest

from workstream import (
    Approval,
    Approve,
    Block,
    Checks,
    Plan,
    Registry,
    ValidationError,
    from_json,
    late,
    to_json,
)
from workstream._validation.validation import prepared


def asks(request: object) -> Plan:
    """A plan that asks before its only block begins."""
    action = Approve.action(Approval("?"), name="ask", key="ask")
    action.request = request
    return Plan(
        name="p",
        pre_checks=Checks(actions=[action]),
        blocks=[Block(name="b", sequences=[])],
    )


@pytest.mark.parametrize(
    ("approval", "says"),
    [
        (Approval(" "), "say what people approve"),
        (Approval("?", count=0), "at least 1 person must approve"),
        (Approval("?", approvers=("ana", " ")), "an empty name"),
        (Approval("?", approvers=("ana", "ana@web-1"), count=2), "would never pass"),
    ],
)
def test_what_nobody_can_answer_is_refused(approval: Approval, says: str) -> None:
    """When the plan is submitted, not at three in the morning (V-19)."""
    with pytest.raises(ValidationError) as caught:
        prepared(asks(approval), Registry([Approve()]))

    assert says in str(caught.value)


def test_who_may_approve_is_known_at_submit() -> None:
    """A request that waits for responses would let anybody approve until then."""
    request = late(Approval)(question=Approve.response("ask").by[0])

    with pytest.raises(ValidationError, match="must be known at submit"):
        prepared(asks(request), Registry([Approve()]))


@pytest.mark.parametrize(
    ("approval", "by", "may"),
    [
        (Approval("?"), "ana", True),
        (Approval("?"), "sam@web-2", False),
        (Approval("?", not_submitter=False), "sam", True),
        (Approval("?", approvers=("ana", "ben@web-1")), "ana@web-9", True),
        (Approval("?", approvers=("ana", "ben@web-1")), "ben@web-2", False),
        (Approval("?", approvers=("sam",)), "sam", False),
    ],
)
def test_who_may_answer(approval: Approval, by: str, may: bool) -> None:
    """One user at two hosts is one person; the submitter is somebody else's business."""
    assert bool(approval.refusal(by, "sam@web-1")) is not may


def test_it_waits_without_end_also_after_a_journey_as_json() -> None:
    """Its timeout is infinite, and nobody is warned of that."""
    registry = Registry([Approve()])
    plan = asks(Approval("?", approvers=("ana",)))

    assert from_json(to_json(plan, with_secrets=True), registry) == plan
    assert plan.pre_checks is not None
    assert plan.pre_checks.actions[0].timeout == math.inf
