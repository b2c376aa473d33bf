"""The notation of the conformance cases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from _workstream_testing.notation.fixtures import ScriptedRequest
from _workstream_testing.notation.notation import parse
from _workstream_testing.notation.scripts import Entry, parse_script
from _workstream_testing.notation.tokens import NotationError
from _workstream_testing.virtual.virtual_time import START
from workstream._plan.plan import Action, CheckAction, Checks, Sequence
from workstream._plan.walk import new_plan_id, walk
from workstream._values.state import HaltAfter, OnInterrupt, Status, WhenDeferred


def test_bare_block() -> None:
    """A block without sequences has one, of one action; both carry its name."""
    [block] = parse("B1").plan.blocks
    [sequence] = block.sequences
    [action] = sequence.actions
    assert (block.name, sequence.name, action.name) == ("B1", "B1.s", "B1.a")
    assert action.request == ScriptedRequest(label="B1.a", script="ok")
    assert type(action) is Action


def test_groups() -> None:
    """Items before the first block are the plan's own; unnamed checks carry the group."""
    plan = parse("byp pre cont(d=1) post def B1: pre[p1; p2 err] s1").plan
    groups = [plan.bypass_checks, plan.pre_checks, plan.cont_checks]
    groups += [plan.post_checks, plan.deferred_checks]
    names = [g.actions[0].name for g in groups if g is not None]
    assert names == ["byp", "pre", "cont", "post", "def"]
    assert plan.cont_checks is not None
    assert plan.cont_checks.delay == 1
    pre = plan.blocks[0].pre_checks
    assert isinstance(pre, Checks)
    assert [type(a) for a in pre.actions] == [CheckAction, CheckAction]
    assert pre.actions[1].request == ScriptedRequest(label="p2", script="err")


def test_options() -> None:
    """Options set the fields that they stand for."""
    plan = parse(
        "da[r(on_failure fe) g(always)]"
        " B1(conc=3 tol=-1 in=5 out=7 halt=seq):"
        " s1[a(retries=none timeout=5 deadline=5.5 on_interrupt=fail reconcile=hang)]"
    ).plan
    [block] = plan.blocks
    assert (block.concurrency, block.tolerated_failures) == (3, -1)
    assert (block.entrance_delay, block.exit_delay) == (5, 7)
    assert block.halt_after is HaltAfter.SEQUENCE
    [action] = block.sequences[0].actions
    assert (action.retries, action.timeout, action.deadline) == (None, 5, 5.5)
    assert action.on_interrupt is OnInterrupt.FAIL
    assert action.request == ScriptedRequest(label="a", reconcile="hang")
    assert plan.deferred_actions is not None
    first, second = plan.deferred_actions.batches
    assert (first.when, first.fail_element) == (WhenDeferred.ON_FAILURE, True)
    assert (second.when, second.fail_element) == (WhenDeferred.ALWAYS, False)


def test_ranges() -> None:
    """A range of names makes several alike."""
    [block] = parse("B1: s1 err@1; s2..s4 err@3; s5[a1..a3 ok]").plan.blocks
    assert [s.name for s in block.sequences] == ["s1", "s2", "s3", "s4", "s5"]
    scripts = {a.name: a.request for s in block.sequences for a in s.actions}
    assert scripts["s3"] == ScriptedRequest(label="s3", script="err@3")
    assert [a.name for a in block.sequences[4].actions] == ["a1", "a2", "a3"]


def test_places() -> None:
    """Labels find the object; a container comes before its action of the same name."""
    notation = parse("pre B1: s1 err; s2[a]")
    nodes = [item.node for item in walk(notation.plan)]
    assert isinstance(nodes[notation.place("s1")], Sequence)
    assert isinstance(nodes[notation.actions["s1"]], Action)
    assert isinstance(nodes[notation.place("a")], Action)
    with pytest.raises(NotationError, match="no object is called 'x'; there are plan"):
        notation.place("x")


def test_stored_states() -> None:
    """States, times and attempts are as the notation says, counted from the find."""
    notation = parse(
        "plan=R(stop): pre=C cont=C B1=R: s1=R[a1=C; a2=R{err open}; a3] s2=F(ended=-4)"
    )
    plan = notation.stored(new_plan_id(), START)
    nodes = [item.node for item in walk(plan)]

    def after(time: datetime | None) -> float | None:
        return None if time is None else (time - START).total_seconds()

    def seconds(label: str) -> tuple[float | None, float | None]:
        state = nodes[notation.place(label)].state
        return after(state.started), after(state.ended)

    assert plan.stopping
    assert plan.state.status is Status.RUNNING
    assert seconds("plan") == (-10, None)
    assert seconds("pre") == (-10, -5)
    assert seconds("s2") == (-10, -4)
    assert seconds("a3") == (None, None)
    completed, running, fresh = plan.blocks[0].sequences[0].actions
    assert completed.attempts[0].started == START - timedelta(seconds=9)
    assert completed.attempts[0].ended == START - timedelta(seconds=8.5)
    assert [a.ended is None for a in running.attempts] == [False, True]
    assert running.attempts[1].started == START - timedelta(seconds=8)
    assert fresh.attempts == []
    assert notation.plan.state.status is Status.NOT_STARTED


def test_what_is_under_a_completed_object() -> None:
    """What is under a C object is C unless it says otherwise; under others it is N."""
    notation = parse("plan=R: da=R[b=F(always fe)[x=F]] B1=C: s1=F[a=F] s2 B2=R: s3")
    plan = notation.stored(new_plan_id(), START)
    statuses = {
        label: list(walk(plan))[notation.place(label)].node.state.status.name
        for label in ("s1", "a", "s2", "s3", "x", "b")
    }
    assert statuses == {
        "s1": "FAILED",
        "a": "FAILED",
        "s2": "COMPLETED",
        "s3": "NOT_STARTED",
        "x": "FAILED",
        "b": "FAILED",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("B1: s1[a", "expected ']'"),
        ("B1(conk=2)", "option 'conk' is none of batches, conc"),
        ("B1(conc=x)", "'x' is no value of option 'conc'"),
        ("B1: s1 s1", "two objects are called 's1'"),
        ("B1: s1=X", "'X' is no status"),
        ("B1: s1[a=R{opn}]", "'opn' is no attempt"),
        ("B1: s1[ok ok]", "expected ']'"),
        ("B1: pre pre", "there is a 'pre' already"),
        ("s1 B1", "expected a check group, 'da' once, or a block"),
        ("da[r] B1", "batch r is always, on_success, on_failure or on_undo"),
        ("pre(d=1) B1", "only continuous checks have a delay"),
        ("B1: s1..t4", "is no range"),
        ("B1: s1[a(reconcile=maybe)]", "reconcile=maybe is none of done"),
        ("B1: s1 err,oops", "'oops' is no entry of a script"),
        ("B1 ?", "'\\?' means nothing here"),
        ("plan=R", "expected ':'"),
        ("B1: s1[a(retries=", "expected a value"),
    ],
)
def test_errors(text: str, message: str) -> None:
    """What cannot be read is told with what was expected, and where."""
    with pytest.raises(NotationError, match=message):
        parse(text)


def test_error_shows_the_place() -> None:
    """The message quotes the text from where it went wrong."""
    with pytest.raises(NotationError, match=r"at 'conk=2\) B2' \(character 4\) of"):
        parse("B1(conk=2) B2")


def test_script() -> None:
    """An entry has a delay and, if it hangs, a time to unwind; the last one repeats."""
    script = parse_script("err@1.5, hang+3@2,ok")
    assert script.entry(1) == Entry("err", after=1.5)
    assert script.entry(2) == Entry("hang", after=2, linger=3)
    assert script.entry(3) == script.entry(99) == Entry("ok")
    with pytest.raises(ValueError, match="'ok\\+3' is no entry"):
        parse_script("ok+3")


def test_an_action_can_need_the_response_of_one_before() -> None:
    """``of=a`` makes a request that waits for it, and gives ``a`` its name as key."""
    [block] = parse("B1: s1[a; b(of=a) err]").plan.blocks
    first, second = block.sequences[0].actions

    assert first.key == "a"
    assert not isinstance(second.request, ScriptedRequest)
    with pytest.raises(NotationError, match="of=c is no action before"):
        parse("B1: s1[a; b(of=c)]")
