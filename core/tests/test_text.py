"""A plan as text: what people and snapshots see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import attrs
import pytest

from workstream._plan.plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from workstream._plan.text import plan_text, value_text
from workstream._plan.walk import give_ids
from workstream._secrets.references import SECURE, SecretRef, StoredValue
from workstream._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    PluginError,
    Status,
    WhenDeferred,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@attrs.frozen
class CopyRequest:
    host: str
    files: tuple[str, ...] = ()
    limits: dict[str, int] = attrs.field(factory=dict[str, int])
    password: str | None = attrs.field(default=None, metadata=SECURE)
    token: SecretRef | None = None
    trace: str = attrs.field(default="on", repr=False)


@attrs.frozen
class CopyResponse:
    bytes_sent: int
    session: str = attrs.field(default="", metadata=SECURE)


def rollout() -> Plan:
    """A plan as its author writes it."""
    return Plan(
        name="Deploy server",
        description="Roll the new server out\nto the web tier",
        group_id=UUID(int=7),
        pre_checks=Checks(
            actions=[
                CheckAction(
                    name="Balancer answers",
                    plugin="http.check",
                    request=CopyRequest("balancer"),
                )
            ]
        ),
        blocks=[
            Block(
                name="Web tier",
                concurrency=5,
                tolerated_failures=1,
                halt_after=HaltAfter.SEQUENCE,
                cont_checks=Checks(
                    delay=5,
                    actions=[CheckAction(name="Healthy", plugin="http.check")],
                ),
                sequences=[
                    Sequence(
                        name="web",
                        key=f"host-{host}",
                        actions=[
                            Action(
                                name="Copy",
                                plugin="acme.copy",
                                request=CopyRequest(
                                    f"web-{host}",
                                    files=("server",),
                                    password="hunter22",
                                    token=SecretRef("env:TOKEN"),
                                ),
                                retries=None,
                                deadline=90,
                            )
                        ],
                    )
                    for host in (1, 2)
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Roll back",
                    when=WhenDeferred.ON_FAILURE,
                    fail_element=True,
                    actions=[Action(name="Undo", plugin="acme.undo")],
                )
            ]
        ),
    )


def test_a_plan_that_was_never_started_reads_like_its_definition() -> None:
    """Names, settings that are not the default, and requests; no statuses, no
    secrets.
    """
    assert plan_text(rollout()) == (
        """\
Deploy server (group_id=00000000-0000-0000-0000-000000000007)
  Roll the new server out
  to the web tier
  pre_checks
    Balancer answers
      http.check CopyRequest(host='balancer')
  Web tier (concurrency=5, tolerated_failures=1, halt_after=SEQUENCE)
    cont_checks (delay=5)
      Healthy
        http.check None
    web [1] (key='host-1')
      Copy (retries=None, deadline=90)
        acme.copy CopyRequest(host='web-1', files=('server',), \
password='[secret hidden]', token=SecretRef(reference='env:TOKEN'))
    web [2] (key='host-2')
      Copy (retries=None, deadline=90)
        acme.copy CopyRequest(host='web-2', files=('server',), \
password='[secret hidden]', token=SecretRef(reference='env:TOKEN'))
  deferred_actions
    Roll back (when=ON_FAILURE, fail_element=True)
      Undo
        acme.undo None
"""
    )


def half_done() -> Plan:
    """The same plan, with two hosts touched and a stop under way."""
    plan = rollout()
    plan.group_id = None
    plan.description = ""
    plan.pre_checks = None
    plan.deferred_actions = None
    block = plan.blocks[0]
    block.cont_checks = None
    first, second = (sequence.actions[0] for sequence in block.sequences)
    for node in (plan, block, block.sequences[1], second):
        node.state.status = Status.RUNNING
        node.state.started = at(0)
    plan.stopping = True
    for done in (block.sequences[0], first):
        done.state.status = Status.FAILED
        done.state.started = at(0)
        done.state.ended = at(3661.5)
    first.attempts = [
        Attempt(
            started=at(0),
            ended=at(1),
            error=PluginError("cut short"),
            interrupted=True,
            notes={"pid": 7},
        ),
        Attempt(
            started=at(2),
            ended=at(3661.5),
            response=CopyResponse(3, session="abc123"),
            error=PluginError(
                "exit status 1\nno space left\x1b[2J\non device",
                code=28,
                permanent=True,
                wrapped=PluginError("disk full"),
            ),
        ),
    ]
    second.attempts = [
        Attempt(started=at(0), ended=at(1), response=CopyResponse(5)),
        Attempt(started=at(5), unresponsive=True),
    ]
    return plan


def test_a_running_plan_shows_statuses_attempts_and_errors() -> None:
    """Each attempt has a line with how long it took and what came of it; times and ids
    stay out.
    """
    assert plan_text(half_done()) == (
        """\
Deploy server: running, stopping
  Web tier: running (concurrency=5, tolerated_failures=1, halt_after=SEQUENCE)
    web [1]: failed, 1h 1m 1.5s (key='host-1')
      Copy: failed, 1h 1m 1.5s (retries=None, deadline=90)
        acme.copy CopyRequest(host='web-1', files=('server',), \
password='[secret hidden]', token=SecretRef(reference='env:TOKEN'))
        attempt 1: 1s, interrupted, failed: cut short
          noted pid=7
        attempt 2: 1h 59.5s, CopyResponse(bytes_sent=3, session='[secret hidden]'), \
failed permanently: exit status 1
          no space left\\x1b[2J
          on device (code 28): disk full
    web [2]: running (key='host-2')
      Copy: running (retries=None, deadline=90)
        acme.copy CopyRequest(host='web-2', files=('server',), \
password='[secret hidden]', token=SecretRef(reference='env:TOKEN'))
        attempt 1: 1s, CopyResponse(bytes_sent=5, session='[secret hidden]')
        attempt 2: unresponsive, running
"""
    )


@pytest.mark.parametrize(
    ("status", "reasons", "headline"),
    [
        (Status.COMPLETED, (), "Deploy: completed"),
        (
            Status.FAILED,
            (FailureReason.CONT_CHECK, FailureReason.BLOCK),
            "Deploy: failed (CONT_CHECK, BLOCK)",
        ),
        (Status.STOPPED, (FailureReason.STOPPED,), "Deploy: stopped (STOPPED)"),
    ],
)
def test_the_first_line_tells_the_outcome_and_its_reasons(
    status: Status, reasons: tuple[FailureReason, ...], headline: str
) -> None:
    """A plan's first line has its outcome in words and every reason (OM-4)."""
    plan = Plan(name="Deploy", blocks=[])
    plan.state.status = status
    plan.reasons = reasons

    assert headline == plan_text(plan).splitlines()[0]


def test_ids_and_times_are_shown_when_asked_for() -> None:
    """Ids, and times in UTC, come by keyword: without them equal runs read the same."""
    plan = Plan(
        name="Deploy",
        blocks=[
            Block(
                name="tier",
                sequences=[
                    Sequence(name="web", actions=[Action(name="do", plugin="a.b")])
                ],
            )
        ],
    )
    give_ids(plan, UUID(int=0x500000000))
    action = plan.blocks[0].sequences[0].actions[0]
    plan.state.status = action.state.status = Status.COMPLETED
    plan.state.started = action.state.started = at(0)
    plan.state.ended = action.state.ended = at(2).astimezone(
        timezone(timedelta(hours=1))
    )
    action.attempts = [Attempt(started=at(0), ended=at(2))]

    assert plan_text(plan, ids=True, times=True) == (
        """\
Deploy: completed, started 2026-03-01 12:00:00Z, ended 2026-03-01 12:00:02Z, 2s \
(id=00000000-0000-0000-0000-000500000000)
  tier: not started (id=00000000-0000-0000-0000-000500000001)
    web: not started (id=00000000-0000-0000-0000-000500000002)
      do: completed, started 2026-03-01 12:00:00Z, ended 2026-03-01 12:00:02Z, 2s \
(id=00000000-0000-0000-0000-000500000003)
        a.b None
        attempt 1: started 2026-03-01 12:00:00Z, ended 2026-03-01 12:00:02Z, 2s, \
completed
"""
    )
    assert "2026" not in plan_text(plan)
    assert "0005" not in plan_text(plan)


def test_the_plan_is_not_changed_and_no_secret_is_in_its_text() -> None:
    """Showing a plan scrubs a copy of it, responses included (CL-3, CL-7, UI-1)."""
    plan = half_done()

    text = plan_text(plan)

    assert half_done() == plan
    assert "hunter22" not in text
    assert "abc123" not in text


def test_hostile_and_huge_names_cannot_harm_a_terminal() -> None:
    """Control characters are escaped in every text of the plan, and lines are
    bounded.
    """
    evil = "\x1b[2J\u202e\n" + "x" * 10_000
    action = Action(
        name=evil, description=evil, plugin=evil, key=evil, request=CopyRequest(evil)
    )
    action.attempts = [
        Attempt(started=at(0), ended=at(1), error=PluginError(evil), notes={evil: evil})
    ]
    plan = Plan(
        name=evil,
        description=evil,
        blocks=[Block(name=evil, sequences=[Sequence(name=evil, actions=[action])])],
    )

    lines = plan_text(plan).split("\n")

    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 700
    assert any(r"\x1b[2J\u202e" in line for line in lines)


def test_a_value_whose_plugin_is_missing_is_shown_as_data() -> None:
    """A stored request is readable without its plugin, its secrets hidden (STO-8,
    CL-8).
    """
    stored = StoredValue({"host": "web-1", "password": "hunter22"}, (("password",),))
    action = Action(name="do", plugin="gone.away", request=stored)
    plan = Plan(
        name="p",
        blocks=[Block(name="b", sequences=[Sequence(name="s", actions=[action])])],
    )

    text = plan_text(plan)

    assert "gone.away {'host': 'web-1', 'password': '[secret hidden]'}" in text


class Broken:
    def __repr__(self) -> str:
        msg = "no"
        raise RuntimeError(msg)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        ("a\nb", r"'a\nb'"),
        (30.0, "30"),
        (0.25, "0.25"),
        (float("inf"), "inf"),
        (HaltAfter.SEQUENCE, "SEQUENCE"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (START, "2026-03-01 12:00:00Z"),
        (START.replace(tzinfo=None), "2026-03-01 12:00:00"),
        ([1, (2,), (), (3, 4)], "[1, (2,), (), (3, 4)]"),
        ({"a": [HaltAfter.ACTION]}, "{'a': [ACTION]}"),
        (CopyRequest("h", limits={"n": 1}), "CopyRequest(host='h', limits={'n': 1})"),
        (Broken(), "<Broken: its repr raises RuntimeError>"),
        ([Broken()], "<list: its repr raises RuntimeError>"),
    ],
)
def test_values_are_compact(value: Any, text: str) -> None:
    """Fields with their default are left out, and a broken repr breaks nothing."""
    assert text == value_text(value)


def test_a_long_value_is_cut() -> None:
    """A value takes no more than its limit."""
    assert len(value_text("x" * 1_000_000, limit=60)) == 60
