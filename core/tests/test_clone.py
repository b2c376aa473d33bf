"""Copies of a plan: to submit again, to keep, to show (section 18, X-79)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import attrs
import pytest

from workstream._plan.clone import clone
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
from workstream._plan.walk import actions, give_ids, new_plan_id, walk
from workstream._secrets.references import HIDDEN, SECURE, StoredValue
from workstream._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    OnInterrupt,
    PluginError,
    State,
    Status,
    WhenDeferred,
)

NodeT = TypeVar("NodeT", bound=Node)

NOW = datetime(2025, 1, 2, tzinfo=UTC)
N, R, C, K, F, S = Status


@attrs.frozen
class Request:
    host: str
    hosts: list[str] = attrs.field(factory=lambda: ["a"])
    password: str = attrs.field(default="hunter2", metadata=SECURE)


@attrs.frozen
class Response:
    lines: list[str]
    session: str = attrs.field(default="session-1", metadata=SECURE)


def act(name: str = "a", status: Status = N, **fields: Any) -> Action:
    return marked(
        Action(name=name, plugin="t.act", request=Request(name), **fields), status
    )


def checks(status: Status = N, **fields: Any) -> Checks:
    check = CheckAction(name="c", plugin="t.chk", request=Request("c"))
    return marked(Checks(actions=[marked(check, status)], **fields), status)


def seq(name: str, status: Status = N, *statuses: Status, **fields: Any) -> Sequence:
    acts = [act(f"a{n}", each) for n, each in enumerate(statuses or (status,))]
    return marked(Sequence(name=name, actions=acts, **fields), status)


def marked(node: NodeT, status: Status) -> NodeT:
    started = None if status is N else NOW
    node.state = State(status, started, started if status.is_terminal else None)
    return node


def whole_plan() -> Plan:
    """A plan that uses every field there is."""
    return Plan(
        name="Deploy",
        description="All of it",
        group_id=UUID(int=7),
        meta=b"meta",
        bypass_checks=checks(F, key="byp"),
        pre_checks=checks(C),
        cont_checks=checks(C, delay=5.0),
        blocks=[
            Block(
                name="Web",
                description="tier",
                key="web",
                entrance_delay=1.0,
                exit_delay=2.0,
                bypass_checks=checks(F),
                pre_checks=checks(C),
                cont_checks=checks(C),
                post_checks=checks(C),
                deferred_checks=checks(C),
                sequences=[
                    seq("s1", C, C, key="one"),
                    seq("s2", F, C, F, N, description="two"),
                ],
                concurrency=3,
                tolerated_failures=-1,
                halt_after=HaltAfter.SEQUENCE,
            )
        ],
        post_checks=checks(C),
        deferred_actions=marked(
            DeferredActions(
                batches=[
                    DeferBatch(
                        name="Clean",
                        description="up",
                        key="clean",
                        when=WhenDeferred.ALWAYS,
                        fail_element=True,
                        actions=[
                            act(
                                key="act",
                                description="d",
                                timeout=3.0,
                                retries=None,
                                deadline=9.0,
                                on_interrupt=OnInterrupt.FAIL,
                            )
                        ],
                    )
                ]
            ),
            C,
        ),
        deferred_checks=checks(C),
    )


def finished_plan() -> Plan:
    """The same after a run."""
    plan = whole_plan()
    marked(plan, F)
    give_ids(plan, new_plan_id())
    plan.submitted = plan.runtime_update = NOW
    plan.reasons = (FailureReason.BLOCK, FailureReason.STOPPED)
    plan.stopping = True
    for action in actions(plan):
        if action.state.status is not N:
            action.attempts = [failed_attempt(), good_attempt()]
    return plan


def failed_attempt() -> Attempt:
    inner = PluginError("inner hunter2")
    error = PluginError("login hunter2 refused", code=3, permanent=True, wrapped=inner)
    return Attempt(
        started=NOW,
        ended=NOW + timedelta(seconds=1),
        error=error,
        interrupted=True,
        notes={
            "a": "pw=hunter2",
            "b": b"\xffhunter2",
            "c": 3,
            "d": "session-1",
            "e": None,
        },
    )


def good_attempt() -> Attempt:
    return Attempt(started=NOW, ended=NOW, response=Response(["ok"]), unresponsive=True)


def nodes(plan: Plan) -> list[Node]:
    return [item.node for item in walk(plan)]


def test_plain_clone_is_ready_to_be_submitted() -> None:
    """By default a clone is the plan as its author wrote it, secrets included (CL-1)."""
    plan = finished_plan()
    fresh = whole_plan()
    for node in nodes(fresh):
        node.state = State()
    assert clone(plan) == fresh
    assert all(node.id is None and node.plan_id is None for node in nodes(clone(plan)))
    assert not clone(plan).scrubbed
    assert clone(plan).runtime_update is None


def test_clone_of_nothing_is_nothing() -> None:
    """None gives None (CL-1)."""
    assert clone(None) is None


@pytest.mark.parametrize("keep_state", [False, True])
@pytest.mark.parametrize("scrub", [False, True])
def test_clone_shares_nothing_that_can_change(keep_state: bool, scrub: bool) -> None:
    """Whatever is done to a clone, the plan is as before (CL-1)."""
    plan = finished_plan()
    before = repr(plan)
    copy = clone(plan, keep_state=keep_state, scrub=scrub)
    for old, new in zip(nodes(plan), nodes(copy), strict=True):
        assert old is not new
        assert old.state is not new.state
        new.state.status = R
        if isinstance(new, BaseAction):
            assert isinstance(new.request, Request)
            new.request.hosts.append("changed")
            for attempt in new.attempts:
                attempt.notes["new"] = 1
                if isinstance(attempt.response, Response):
                    attempt.response.lines.append("changed")
                if attempt.error is not None:
                    attempt.error.message = "changed"
            new.attempts.append(good_attempt())
    copy.blocks[0].sequences.clear()
    copy.blocks.clear()
    assert repr(plan) == before


def test_clone_with_state_equals_the_plan() -> None:
    """keep_state keeps ids, states, attempts, reasons and times (CL-2, OM-14)."""
    plan = finished_plan()
    kept = clone(plan, keep_state=True)
    assert kept == plan
    assert kept.runtime_update == plan.runtime_update
    for old, new in zip(nodes(plan), nodes(kept), strict=True):
        assert (old.id, old.plan_id) == (new.id, new.plan_id)


def test_keys_are_kept_on_every_object() -> None:
    """Every object keeps its key, in every kind of clone (CL-4)."""
    for copy in (
        clone(finished_plan()),
        clone(finished_plan(), keep_state=True, scrub=True),
    ):
        keys = {getattr(node, "key", None) for node in nodes(copy)}
        assert keys == {None, "byp", "web", "one", "clean", "act"}


def test_scrubbed_clone_holds_no_secret() -> None:
    """Requests, responses, errors and notes lose their secrets (CL-3, CL-7, CL-8)."""
    shown = clone(finished_plan(), keep_state=True, scrub=True)
    assert shown.scrubbed
    text = repr(shown)
    assert "hunter2" not in text
    assert "session-1" not in text
    attempt = next(actions(shown)).attempts[0]
    assert attempt == attrs.evolve(
        failed_attempt(),
        error=PluginError(
            f"login {HIDDEN} refused",
            code=3,
            permanent=True,
            wrapped=PluginError(f"inner {HIDDEN}"),
        ),
        notes={
            "a": f"pw={HIDDEN}",
            "b": b"\xff" + HIDDEN.encode(),
            "c": 3,
            "d": HIDDEN,
            "e": None,
        },
    )


def test_scrubbing_leaves_what_people_wrote() -> None:
    """Names, descriptions and meta are not scrubbed (CL-8)."""
    plan = whole_plan()
    plan.name, plan.meta = "hunter2", b"hunter2"
    shown = clone(plan, scrub=True)
    assert (shown.name, shown.meta) == ("hunter2", b"hunter2")


def test_scrubbing_needs_no_plugin() -> None:
    """Values without their plugin are scrubbed by the stored paths (CL-8, STO-8)."""
    plan = finished_plan()
    action = next(actions(plan))
    action.request = StoredValue({"password": "hunter2"}, (("password",),))
    action.attempts[1].response = StoredValue({"session": "s-123"}, (("session",),))
    shown = next(actions(clone(plan, keep_state=True, scrub=True)))
    assert shown.request == StoredValue({"password": HIDDEN}, (("password",),))
    assert shown.response == StoredValue({"session": HIDDEN}, (("session",),))
    assert "hunter2" not in repr(shown.attempts)


def test_clone_of_a_scrubbed_plan_stays_scrubbed() -> None:
    """Cloning does not give a scrubbed plan its secrets back (CL-3)."""
    assert clone(clone(whole_plan(), scrub=True)).scrubbed


def remaining(**fields: Any) -> Plan | None:
    return clone(Plan(name="p", **fields), remove_completed=True)


def block(*sequences: Sequence, **fields: Any) -> Block:
    return Block(name="b", sequences=list(sequences), **fields)


def test_completed_sequences_are_removed() -> None:
    """A sequence goes when it completed; otherwise all its actions stay (CL-5)."""
    rest = remaining(
        blocks=[block(seq("s1", C, C), seq("s2", F, C, F, N), seq("s3", S, C))]
    )
    assert rest is not None
    (left,) = rest.blocks
    assert [each.name for each in left.sequences] == ["s2", "s3"]
    assert [each.name for each in left.sequences[0].actions] == ["a0", "a1", "a2"]
    assert all(node.state == State() for node in nodes(rest))


def test_remove_completed_may_keep_states_and_scrub() -> None:
    """The three choices can be combined (CL-2, CL-3, CL-5)."""
    plan = finished_plan()
    rest = clone(plan, keep_state=True, scrub=True, remove_completed=True)
    assert rest is not None
    assert [each.name for each in rest.blocks[0].sequences] == ["s2"]
    assert rest.blocks[0].sequences[0].id == plan.blocks[0].sequences[1].id
    assert "hunter2" not in repr(rest)
    assert "None" not in {type(node).__name__ for node in nodes(rest)}


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({}, False),
        ({"pre_checks": C, "post_checks": C, "deferred_checks": C}, False),
        ({"cont_checks": C}, False),
        ({"cont_checks": N}, False),
        ({"cont_checks": F}, True),
        ({"pre_checks": F}, True),
        ({"pre_checks": N}, True),
        ({"post_checks": F}, True),
        ({"post_checks": S}, True),
        ({"post_checks": N}, True),
        ({"deferred_checks": F}, True),
        ({"deferred_checks": N}, True),
        ({"bypass_checks": F}, False),
        ({"bypass_checks": C, "post_checks": N, "cont_checks": N}, False),
    ],
)
def test_block_without_sequences_goes_unless_its_checks_matter(
    fields: dict[str, Status], stays: bool
) -> None:
    """A block goes when nothing is left of it and its checks are done (CL-5)."""
    groups = {kind: checks(status) for kind, status in fields.items()}
    rest = remaining(blocks=[block(seq("s", C), **groups), block(seq("t", N))])
    assert rest is not None
    assert len(rest.blocks) == 1 + stays


def test_bypassed_block_goes_with_its_sequences() -> None:
    """A bypassed block has nothing left to do (CL-5)."""
    rest = remaining(
        blocks=[block(seq("s", N), bypass_checks=checks(C)), block(seq("t", N))]
    )
    assert rest is not None
    assert [each.name for each in rest.blocks[0].sequences] == ["t"]


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({}, False),
        ({"pre_checks": C, "post_checks": C}, False),
        ({"cont_checks": N, "deferred_checks": N}, False),
        ({"cont_checks": C, "deferred_checks": C}, False),
        ({"bypass_checks": F}, False),
        ({"pre_checks": F}, True),
        ({"pre_checks": N}, True),
        ({"post_checks": S}, True),
        ({"cont_checks": F}, True),
        ({"deferred_checks": F}, True),
    ],
)
def test_plan_without_blocks_is_nothing_unless_its_checks_matter(
    fields: dict[str, Status], stays: bool
) -> None:
    """With no blocks left, the plan goes too, if its checks are done (CL-5)."""
    groups = {kind: checks(status) for kind, status in fields.items()}
    rest = remaining(blocks=[block(seq("s", C))], **groups)
    assert (rest is not None) is stays
    assert rest is None or rest.blocks == []


@pytest.mark.parametrize(("status", "stays"), [(N, False), (C, False), (F, True)])
def test_failed_deferred_actions_keep_the_plan(status: Status, stays: bool) -> None:
    """Deferred actions that failed are something to do again (CL-5)."""
    batch = DeferBatch(name="d", actions=[act()], when=WhenDeferred.ALWAYS)
    deferred = marked(DeferredActions(batches=[batch]), status)
    rest = remaining(blocks=[block(seq("s", C))], deferred_actions=deferred)
    assert (rest is not None) is stays


def test_bypassed_plan_leaves_nothing() -> None:
    """A plan whose bypass checks passed has nothing left to do (CL-5)."""
    assert remaining(bypass_checks=checks(C), blocks=[block(seq("s", N))]) is None
