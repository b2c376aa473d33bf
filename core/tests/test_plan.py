"""The object model: what a user writes, and how plans compare (section 1)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
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
from workstream._plan.walk import walk
from workstream._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    ObjectType,
    OnInterrupt,
    PluginError,
    State,
    Status,
    WhenDeferred,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = (
    Plan,
    Block,
    Sequence,
    Action,
    CheckAction,
    Checks,
    DeferredActions,
    DeferBatch,
)
ENGINE_WRITES = {
    *("id", "plan_id", "state", "attempts", "submitted", "runtime_update"),
    *("reasons", "stopping", "scrubbed"),
}


def act(name: str = "Copy") -> Action:
    return Action(name=name, plugin="acme.copy", request=["web-1"])


def group() -> Checks:
    return Checks(actions=[CheckAction(name="Ready", plugin="acme.look")])


def full_plan() -> Plan:
    """A plan that has one of everything."""
    return Plan(
        name="Deploy",
        bypass_checks=group(),
        pre_checks=group(),
        cont_checks=group(),
        post_checks=group(),
        deferred_checks=group(),
        blocks=[
            Block(
                name="tier",
                bypass_checks=group(),
                pre_checks=group(),
                cont_checks=group(),
                post_checks=group(),
                deferred_checks=group(),
                sequences=[Sequence(name="web", actions=[act()])],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[DeferBatch(name="undo", when=WhenDeferred.ALWAYS, actions=[act()])]
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_engine_writes_is_no_argument(kind: type[Node]) -> None:
    """Ids, states, attempts and reasons are never given to a constructor (OM-2)."""
    arguments = inspect.signature(kind).parameters

    assert set() == ENGINE_WRITES & set(arguments)
    assert {"id", "plan_id", "state"} <= {field.name for field in attrs.fields(kind)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(ENGINE_WRITES))
def test_giving_it_all_the_same_is_a_type_error(kind: type[Node], name: str) -> None:
    """A state handed to a constructor is refused, not ignored (OM-2)."""
    with pytest.raises(TypeError, match=name):
        kind(**{name: None})


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_are_keywords(kind: type[Node]) -> None:
    """Every argument is given by its name."""
    parameters = inspect.signature(kind).parameters.values()

    assert {inspect.Parameter.KEYWORD_ONLY} == {p.kind for p in parameters}


def required(kind: type[Node]) -> set[str]:
    return {
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Plan, {"name", "blocks"}),
        (Checks, {"actions"}),
        (Block, {"name", "sequences"}),
        (Sequence, {"name", "actions"}),
        (DeferredActions, {"batches"}),
        (DeferBatch, {"name", "actions"}),
        (Action, {"name", "plugin"}),
        (CheckAction, {"name", "plugin"}),
    ],
)
def test_what_an_author_must_give(kind: type[Node], names: set[str]) -> None:
    """The required fields; validation names a batch without ``when`` (OM-3 to OM-9,
    V-12).
    """
    assert names == required(kind)


def test_defaults_are_as_specified() -> None:
    """What an author may leave out has the values of OM-3 to OM-9, V-16 and V-22."""
    plan = Plan(name="p", blocks=[])
    block = Block(name="b", sequences=[])
    action = Action(name="a", plugin="x.y")
    batch = DeferBatch(name="d", actions=[])

    assert (plan.description, plan.group_id, plan.meta) == ("", None, b"")
    assert (
        block.entrance_delay,
        block.exit_delay,
        block.concurrency,
        block.tolerated_failures,
    ) == (0, 0, 1, 0)
    assert HaltAfter.ACTION is block.halt_after
    assert (
        action.timeout,
        action.retries,
        action.deadline,
        action.on_interrupt,
    ) == (30, 0, None, None)
    assert Checks(actions=[]).delay == 30
    assert (batch.when, batch.fail_element) == (WhenDeferred.UNKNOWN, False)


def test_every_object_begins_untouched() -> None:
    """Each object has a state of its own, NOT_STARTED, and no id (OM-2, V-4, V-5)."""
    plan = full_plan()
    nodes = [item.node for item in walk(plan)]

    assert all(State() == node.state for node in nodes)
    assert all(node.id is None and node.plan_id is None for node in nodes)
    assert len(nodes) == len({id(node.state) for node in nodes})
    assert (
        plan.submitted,
        plan.runtime_update,
        plan.reasons,
        plan.stopping,
        plan.scrubbed,
    ) == (None, None, (), False, False)


@pytest.mark.parametrize(
    ("kind", "object_type"),
    [
        (Plan(name="p", blocks=[]), ObjectType.PLAN),
        (Block(name="b", sequences=[]), ObjectType.BLOCK),
        (Sequence(name="s", actions=[]), ObjectType.SEQUENCE),
        (act(), ObjectType.ACTION),
        (CheckAction(name="c", plugin="x.y"), ObjectType.ACTION),
        (group(), ObjectType.CHECK),
        (DeferredActions(batches=[]), ObjectType.DEFERRED_ACTIONS),
        (DeferBatch(name="d", actions=[]), ObjectType.BATCH),
    ],
)
def test_every_object_knows_what_it_is(kind: Node, object_type: ObjectType) -> None:
    """The object types of OM-1; a check action is an ACTION."""
    assert object_type is kind.object_type


@pytest.mark.parametrize("name", ["concurency", "staet", "attempts"])
def test_a_misspelt_attribute_is_refused(name: str) -> None:
    """Setting a field that does not exist is an error, not a silent no-op."""
    block: Any = Block(name="b", sequences=[])

    with pytest.raises(AttributeError):
        setattr(block, name, 5)


def test_an_action_tells_of_its_last_attempt() -> None:
    """``final_attempt`` is the last one or None; response and error are its (OM-9)."""
    action = act()

    assert (action.final_attempt, action.response, action.error) == (None, None, None)
    action.attempts = [
        Attempt(started=START, ended=START, error=PluginError("first")),
        Attempt(started=START, ended=START, response="ok", error=PluginError("last")),
    ]
    assert action.attempts[1] is action.final_attempt
    assert action.response == "ok"
    assert PluginError("last") == action.error


def test_actions_and_checks_differ_by_type() -> None:
    """One is never the other (V-20); each has one field of its own (PV-3, R-7)."""
    common = [field.name for field in attrs.fields(BaseAction)]
    assert [field.name for field in attrs.fields(Action)] == [*common, "on_interrupt"]
    assert [field.name for field in attrs.fields(CheckAction)] == [
        *common,
        "safe_in_preview",
    ]
    action: BaseAction = Action(name="a", plugin="x.y")
    assert action != CheckAction(name="a", plugin="x.y")
    assert not issubclass(CheckAction, Action)
    assert issubclass(CheckAction, BaseAction)


def test_a_check_has_no_say_about_what_a_crash_means() -> None:
    """A check has no ``on_interrupt``: its group is run again (R-8)."""
    given: Any = {"on_interrupt": OnInterrupt.FAIL}
    with pytest.raises(TypeError, match="unexpected keyword argument 'on_interrupt'"):
        CheckAction(name="c", plugin="x.y", **given)


def test_plans_written_alike_are_equal() -> None:
    """Equality compares by value, down to requests (OM-14)."""
    assert full_plan() == full_plan()
    assert full_plan() == copy.deepcopy(full_plan())


def test_the_heartbeat_and_the_plan_id_do_not_count() -> None:
    """Equality ignores ``runtime_update`` and ``plan_id`` (OM-14)."""
    plan = full_plan()
    plan.runtime_update = START
    for item in walk(plan):
        item.node.plan_id = UUID(int=5)

    assert full_plan() == plan


def set_state(node: Any) -> None:
    node.state.status = Status.RUNNING


def set_start(node: Any) -> None:
    node.state.started = START


def set_end(node: Any) -> None:
    node.state.ended = START


def set_id(node: Any) -> None:
    node.id = UUID(int=5)


@pytest.mark.parametrize("number", range(sum(1 for _ in walk(full_plan()))))
@pytest.mark.parametrize("change", [set_state, set_start, set_end, set_id])
def test_a_change_anywhere_makes_plans_differ(
    number: int, change: Callable[[Any], None]
) -> None:
    """Ids and states of every object, however deep, count for equality (OM-14)."""
    plan = full_plan()
    change([item.node for item in walk(plan)][number])

    assert full_plan() != plan


@pytest.mark.parametrize(
    "change",
    [
        {"error": PluginError("a", wrapped=PluginError("b"))},
        {"response": "ok"},
        {"interrupted": True},
        {"unresponsive": True},
        {"notes": {"pid": 7}},
        {"ended": START},
    ],
)
def test_attempts_count_for_equality(change: dict[str, Any]) -> None:
    """Attempts are compared with all that they hold (OM-14)."""
    one, other = full_plan(), full_plan()
    for plan, changes in ((one, {}), (other, change)):
        action = plan.blocks[0].sequences[0].actions[0]
        action.attempts = [Attempt(started=START, **changes)]

    assert one != other
    assert one != full_plan()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.NOT_STARTED, Outcome.NOT_STARTED),
        (Status.RUNNING, Outcome.RUNNING),
        (Status.COMPLETED, Outcome.COMPLETED),
        (Status.FAILED, Outcome.FAILED),
        (Status.STOPPED, Outcome.STOPPED),
    ],
)
def test_the_outcome_is_the_status_in_words(status: Status, outcome: Outcome) -> None:
    """Without tolerated failures the outcome says what the status says (OM-4)."""
    plan = full_plan()
    plan.state.status = status

    assert outcome is plan.outcome


TOLERANT: list[Callable[[Any], Node]] = [
    lambda plan: plan.blocks[0].sequences[0],
    lambda plan: plan.deferred_actions.batches[0],
]


@pytest.mark.parametrize(
    "status", [each for each in Status if each is not Status.SKIPPED]
)
@pytest.mark.parametrize("tolerant", TOLERANT)
def test_a_completed_plan_tells_of_what_it_tolerated(
    tolerant: Callable[[Plan], Node], status: Status
) -> None:
    """COMPLETED_WITH_FAILURES: a completed plan in which a sequence or batch failed
    (OM-4).
    """
    plan = full_plan()
    plan.state.status = status
    tolerant(plan).state.status = Status.FAILED

    completed = status is Status.COMPLETED
    assert completed == (plan.outcome is Outcome.COMPLETED_WITH_FAILURES)


def test_a_failed_bypass_does_not_show_in_the_outcome() -> None:
    """That there was work to do is no failure (E-2)."""
    plan = full_plan()
    plan.state.status = Status.COMPLETED
    assert plan.bypass_checks is not None
    plan.bypass_checks.state.status = Status.FAILED

    assert Outcome.COMPLETED is plan.outcome


def test_the_reason_is_the_first_of_the_reasons() -> None:
    """UNKNOWN when there is none (OM-4, F-6)."""
    plan, stopped = full_plan(), full_plan()
    stopped.reasons = (FailureReason.STOPPED, FailureReason.BLOCK)

    assert plan.reason is FailureReason.UNKNOWN
    assert stopped.reason is FailureReason.STOPPED
