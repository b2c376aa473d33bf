"""The stored forms that need no plugin: a plan's row, and reported lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from workstream._codec.lines import Line, decode_line, encode_line
from workstream._codec.records import (
    apply_row,
    decode_intervention,
    decode_row,
    encode_row,
    plan_changes,
    row_of,
    row_prefixes,
    status_in,
)
from workstream._plan.outcome import Outcome
from workstream._plan.plan import Action, Block, Plan, Sequence
from workstream._plan.walk import give_ids, new_plan_id
from workstream._protocols.vault import NodeRecord, PlanRow
from workstream._values.interventions import Effect, Intervention, Verb
from workstream._values.state import FailureReason, State, Status

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
OF_PLANS = [status for status in Status if status is not Status.SKIPPED]
"""What a plan may be: it is never skipped as a whole (SK-1)."""


def submitted() -> Plan:
    """A plan as ``submit`` stores it."""
    sequence = Sequence(name="s", actions=[Action(name="a", plugin="t.act")])
    plan = Plan(
        name="plan \udc80",
        description="a plan",
        group_id=new_plan_id(),
        blocks=[Block(name="block", sequences=[sequence])],
    )
    give_ids(plan, new_plan_id())
    plan.submitted = NOON
    return plan


@pytest.mark.parametrize("status", OF_PLANS)
def test_a_row_comes_back(status: Status) -> None:
    """A row holds the plan's state, and begins with its status (STO-4)."""
    plan = submitted()
    plan.state = State(status, NOON, NOON + timedelta(microseconds=1))
    plan.reasons = (FailureReason.STOPPED, FailureReason.BLOCK)
    plan.stopping = True
    plan.runtime_update = NOON

    row = row_of(plan)
    data = encode_row(row)

    assert decode_row(row.id, data) == row
    assert data.startswith(row_prefixes(status))
    assert status_in(data) is status
    other = submitted()
    apply_row(other, row)
    assert other.state == plan.state
    assert other.reasons == plan.reasons
    assert other.stopping
    assert other.runtime_update == NOON


@pytest.mark.parametrize("status", OF_PLANS)
def test_a_row_tells_what_holds_the_plan(status: Status) -> None:
    """As it is with interventions, it is stored in another form, and found likewise."""
    plan = submitted()
    plan.state = State(status, NOON)
    pause = Intervention(
        verb=Verb.PAUSE, by="ana", at=NOON, reason="look", data={"n": 1}
    )
    skip = Intervention(verb=Verb.SKIP, by="ana", at=NOON, path="p / b")
    plan.interventions = (pause, skip)
    row = row_of(plan)

    data = encode_row(row)

    assert row.held == (() if status.is_terminal else (pause,))
    assert row.skipped == 1
    assert decode_row(row.id, data) == row
    assert data.startswith(row_prefixes(status))
    assert status_in(data) is status


def test_each_intervention_is_a_record_of_its_own() -> None:
    """Only those that are not stored yet are written, and they come back as they were."""
    plan = submitted()
    plan.interventions = tuple(
        Intervention(verb=verb, by="ana", at=NOON, effect=effect, words="so")
        for verb in Verb
        for effect in Effect
    )
    *changes, row = plan_changes(plan, 3)

    assert row == row_of(plan)
    records = [each for each in changes if isinstance(each, NodeRecord)]
    assert [each.attempt for each in records] == [
        *range(4, len(plan.interventions) + 1)
    ]
    assert [decode_intervention(each.data) for each in records] == [
        *plan.interventions[3:]
    ]


@pytest.mark.parametrize("status", OF_PLANS)
def test_a_row_tells_of_tolerated_failures(status: Status) -> None:
    """Of a plan that completed (OM-4)."""
    plan = submitted()
    plan.state.status = status
    plan.blocks[0].sequences[0].state.status = Status.FAILED

    row = row_of(plan)
    data = encode_row(row)

    assert row.outcome is plan.outcome
    assert row.with_failures == (row.outcome is Outcome.COMPLETED_WITH_FAILURES)
    assert decode_row(row.id, data) == row
    assert status_in(data) is status
    without = encode_row(attrs.evolve(row, with_failures=False))
    assert decode_row(row.id, without).outcome.name == status.name


@pytest.mark.parametrize("status", OF_PLANS)
def test_a_row_tells_of_locks(status: Status) -> None:
    """One with locks is known by its first bytes; one without is stored as ever (LK-1)."""
    plan = submitted()
    plan.state.status = status
    without = encode_row(row_of(plan))
    plan.locks = ("db", "web \udc80")

    data = encode_row(row_of(plan))

    assert decode_row(row_of(plan).id, data) == row_of(plan)
    assert status_in(data) is status
    assert data.startswith(row_prefixes(status))
    assert without[:1] == b"\x01"


def test_a_row_of_an_unknown_form_is_refused() -> None:
    """By name, so that its plan alone is in trouble (R-4)."""
    row = PlanRow(id=new_plan_id(), name="plan")
    data = b"\x7f" + encode_row(row)[1:]

    with pytest.raises(ValueError, match="its form is version 127"):
        decode_row(row.id, data)
    with pytest.raises(ValueError, match="its form is version 127"):
        status_in(data)


def test_a_line_comes_back() -> None:
    """A line keeps its number, time and progress (WA-3)."""
    line = Line(number=7, time=NOON, attempt=2, text="\udc80 ok", done=1.5, total=3)
    assert decode_line(encode_line(line)) == line


def test_times_of_other_zones_are_the_same_moment() -> None:
    """Times are stored as UTC, whatever zone they were in."""
    plan = submitted()
    plan.submitted = NOON.astimezone()
    row = decode_row(row_of(plan).id, encode_row(row_of(plan)))
    assert row.submitted == NOON
    assert row.submitted is not None
    assert row.submitted.tzinfo is UTC
