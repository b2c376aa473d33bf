"""Validation at submit, all faults at once (section 2, X-56 to X-59), and at start (ST-4)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import uuid4

import attrs
import pytest

from workstream._plan.clone import clone
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
from workstream._plan.walk import give_ids, new_plan_id, walk
from workstream._protocols.plugin import (
    ActionPlugin,
    AnyPlugin,
    CheckPlugin,
    Context,
    NotDone,
)
from workstream._secrets.references import HIDDEN, SECURE, SecretRef, StoredValue
from workstream._validation.validation import (
    check,
    prepared,
)
from workstream._values.errors import Fault, ValidationError
from workstream._values.state import (
    Attempt,
    FailureReason,
    OnInterrupt,
    PluginError,
    Status,
    WhenDeferred,
)

T = TypeVar("T")
NOW = datetime(2025, 1, 2, tzinfo=UTC)


@attrs.frozen
class Request:
    host: str = "web-1"
    password: str = attrs.field(default="hunter2", metadata=SECURE)


@attrs.frozen
class SubRequest(Request):
    pass


@attrs.frozen
class Other:
    size: int = 0

    def defaults(self) -> Other:
        return self if self.size else attrs.evolve(self, size=5)


@attrs.define
class Mutable:
    parts: list[str] = attrs.field(factory=list[str])
    thing: Any = None

    def defaults(self) -> None:
        self.parts.append("default")


@attrs.frozen
class Box(Generic[T]):
    item: T


class Act(ActionPlugin[Request | Other | Mutable | Box[int], None]):
    """Does nothing, to some kinds of request."""

    name = "t.act"

    def validate(self, request: Request | Other | Mutable | Box[int], /) -> None:
        if isinstance(request, Mutable):
            request.parts.append("validated")
        if isinstance(request, Other) and request.size > 9:
            message = "size must be at most 9"
            raise ValueError(message)
        if isinstance(request, Request) and request.host != "web-1":
            raise {
                "plugin": PluginError(f"no host for {request.password}"),
                "key": KeyError(request.password),
                "silent": ValueError(),
                "exit": RuntimeError("gone"),
            }[request.host]


class Reconciles(ActionPlugin[Request, None]):
    """Knows what became of an attempt."""

    name = "t.reconciles"

    async def reconcile(self, context: Context, request: Request, /) -> NotDone | None:
        return None


class Chk(CheckPlugin[None, None]):
    """Looks at nothing."""

    name = "t.chk"


class Installed:
    """The least that validation needs to know of plugins."""

    def __init__(self) -> None:
        self.plugins: dict[str, AnyPlugin] = {
            plugin.name: plugin for plugin in (Act(), Chk(), Reconciles())
        }
        self.unusable: Mapping[str, str] = {"t.broken": "its init failed: no licence"}

    def get(self, name: str, /) -> AnyPlugin | None:
        return self.plugins.get(name)

    def nearest(self, name: str, /) -> list[str]:
        return [each for each in self.plugins if each[:2] == name[:2]]


PLUGINS = Installed()


def act(**fields: Any) -> Action:
    usual: dict[str, Any] = {"name": "a", "plugin": "t.act", "request": Request()}
    return Action(**usual | fields)


def chk(**fields: Any) -> CheckAction:
    usual: dict[str, Any] = {"name": "c", "plugin": "t.chk"}
    return CheckAction(**usual | fields)


def seq(*acts: Any, **fields: Any) -> Sequence:
    usual: dict[str, Any] = {"name": "s", "actions": list(acts) or [act()]}
    return Sequence(**usual | fields)


def block(*sequences: Sequence, **fields: Any) -> Block:
    usual: dict[str, Any] = {"name": "B", "sequences": list(sequences) or [seq()]}
    return Block(**usual | fields)


def plan(*blocks: Block, **fields: Any) -> Plan:
    usual: dict[str, Any] = {"name": "P", "blocks": list(blocks) or [block()]}
    return Plan(**usual | fields)


def checks(*members: Any, **fields: Any) -> Checks:
    usual: dict[str, Any] = {"actions": list(members) or [chk()]}
    return Checks(**usual | fields)


def batch(*acts: Any, **fields: Any) -> DeferBatch:
    usual: dict[str, Any] = {
        "name": "d",
        "actions": list(acts) or [act()],
        "when": WhenDeferred.ALWAYS,
    }
    return DeferBatch(**usual | fields)


def one(**fields: Any) -> Plan:
    """A plan with one action."""
    return plan(block(seq(act(**fields))))


def deferred(**fields: Any) -> Plan:
    return plan(deferred_actions=DeferredActions(batches=[batch(**fields)]))


def group(**fields: Any) -> Plan:
    return plan(pre_checks=checks(**fields))


def faults_of(wrong: Any) -> list[Fault]:
    return check(wrong, PLUGINS)[0]


def after(change: Callable[[Plan], object], base: Plan | None = None) -> Plan:
    changed = plan() if base is None else base
    change(changed)
    return changed


def action_of(whole: Plan) -> Action:
    return whole.blocks[0].sequences[0].actions[0]


def setting(path: Callable[[Plan], object], **fields: Any) -> Plan:
    whole = group()
    for name, value in fields.items():
        setattr(path(whole), name, value)
    return whole


A = "P / B / s / a"
NOTHING: list[Any] = [None]
SOUND = [
    plan(),
    one(timeout=math.inf),
    one(timeout=0.001, deadline=3, retries=None, key="k" * 200, description="d"),
    one(timeout=5, retries=0, on_interrupt=OnInterrupt.FAIL),
    one(plugin="t.reconciles", on_interrupt=OnInterrupt.RECONCILE),
    one(request=Other(9)),
    one(request=Mutable()),
    one(request=Box(3)),
    one(request=Request(password="x" * 10_000)),
    plan(name="x" * 10_000, description="\x1b[2J\n", meta=b"\0", group_id=uuid4()),
    plan(block(concurrency=0, tolerated_failures=-1, entrance_delay=0, exit_delay=9)),
    group(delay=0),
    deferred(),
    deferred(when=WhenDeferred.ON_FAILURE, fail_element=True),
]

FAULTY: list[tuple[str, Any, str, str, str]] = [
    # rule, plan, path, field, a part of the message
    ("V-3", None, "(the plan)", "", "must be a Plan, not None"),
    ("V-3", plan(blocks=[None]), "P / blocks[0]", "", "must be a Block, not None"),
    ("V-3", plan(block(sequences=[None])), "P / B / sequences[0]", "", "not None"),
    ("V-3", plan(block(seq(None))), "P / B / s / actions[0]", "", "not None"),
    ("V-3", plan(block(seq(actions=None))), "P / B / s", "actions", "must be a list"),
    (
        "V-3",
        plan(deferred_actions=DeferredActions(batches=[None])),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
        "P / deferred_actions / batches[0]",
        "",
        "must be a DeferBatch, not None",
    ),
    ("V-3", group(actions=[None]), "P / pre_checks / actions[0]", "", "not None"),
    ("V-4", setting(lambda p: p, id=uuid4()), "P", "id", "must be unset"),
    ("V-4", setting(action_of, id=uuid4()), A, "id", "clone(plan) makes a copy"),
    (
        "V-5",
        after(lambda p: setattr(p.blocks[0].state, "status", Status.RUNNING)),
        "P / B",
        "state",
        "never run",
    ),
    ("V-5", after(lambda p: setattr(p.state, "ended", NOW)), "P", "state", "never run"),
    ("V-5", setting(action_of, state=None), A, "state", "never run"),
    ("V-6", plan(name=""), "(no name)", "name", "must not be blank"),
    ("V-6", plan(name=3), "3", "name", "must be a text, not an int"),
    ("V-6", plan(block(name=" ")), "P / (no name)", "name", "must not be blank"),
    ("V-6", plan(block(seq(name=None))), "P / B / (no name)", "name", "not None"),
    ("V-6", one(name="\t"), "P / B / s / (no name)", "name", "must not be blank"),
    (
        "V-6",
        deferred(name="\ud800"),
        "P / deferred_actions / \ud800",
        "name",
        "cannot be stored",
    ),
    ("V-7", plan(blocks=[]), "P", "blocks", "at least one Block"),
    ("V-8", setting(lambda p: p, submitted=NOW), "P", "submitted", "must be unset"),
    ("V-8", setting(lambda p: p, runtime_update=NOW), "P", "runtime_update", "unset"),
    (
        "V-8",
        setting(lambda p: p, reasons=(FailureReason.BLOCK,)),
        "P",
        "reasons",
        "must be unset",
    ),
    ("V-8", setting(lambda p: p, stopping=True), "P", "stopping", "must be unset"),
    ("V-9", plan(block(seq(actions=[]))), "P / B / s", "actions", "one Action"),
    ("V-9", group(actions=[]), "P / pre_checks", "actions", "one CheckAction"),
    ("V-9", deferred(actions=[]), "P / deferred_actions / d", "actions", "one Action"),
    ("V-10", plan(block(sequences=[])), "P / B", "sequences", "at least one Sequence"),
    (
        "V-11",
        plan(deferred_actions=DeferredActions(batches=[])),
        "P / deferred_actions",
        "batches",
        "at least one DeferBatch",
    ),
    (
        "V-12",
        deferred(when=WhenDeferred.UNKNOWN),
        "P / deferred_actions / d",
        "when",
        "must say on which outcome",
    ),
    (
        "V-12",
        deferred(when="always"),
        "P / deferred_actions / d",
        "when",
        "must be a WhenDeferred, not a str",
    ),
    ("V-13", one(key=""), A, "key", "must not be blank"),
    ("V-13", group(key=" "), "P / pre_checks", "key", "must not be blank"),
    ("V-13", plan(block(key=3)), "P / B", "key", "must be a text, not an int"),
    ("V-13", one(key="k" * 201), A, "key", "at most 200 characters, not 201"),
    ("V-15", one(plugin=" "), A, "plugin", "must not be blank"),
    ("V-15", one(plugin=Act), A, "plugin", "must be a text, not a type"),
    ("V-15", one(plugin="t.atc"), A, "plugin", "did you mean 't.act' or 't.chk'"),
    ("V-15", one(plugin="ssh.copy"), A, "plugin", "workstream-ssh"),
    ("V-15", one(plugin="../x.y"), A, "plugin", "`workstream plugins` lists"),
    ("V-16", one(timeout=-1), A, "timeout", "must be greater than 0, not -1"),
    ("V-16", one(timeout=0), A, "timeout", "must be greater than 0, not 0"),
    ("V-16", one(timeout="5"), A, "timeout", "must be a number of seconds, not a str"),
    ("V-16", one(timeout=math.nan), A, "timeout", "not nan"),
    ("V-16", one(timeout=None), A, "timeout", "not None"),
    ("V-16", one(timeout=True), A, "timeout", "not a bool"),
    ("V-16", one(deadline=0), A, "deadline", "must be greater than 0"),
    ("V-16", one(deadline=math.inf), A, "deadline", "must be finite"),
    ("V-17", one(retries=-1), A, "retries", "must be at least 0, not -1"),
    ("V-17", one(retries=1.0), A, "retries", "must be a whole number"),
    ("V-17", one(retries=True), A, "retries", "must be a whole number, not a bool"),
    ("V-17", one(retries=None), A, "retries", "only with a deadline"),
    ("V-17", one(retries=10**30), A, "retries", "is too large"),
    (
        "V-18",
        after(lambda p: action_of(p).attempts.append(Attempt(started=NOW))),
        A,
        "attempts",
        "must be empty",
    ),
    ("V-19", one(request=Other(10)), A, "request", "size must be at most 9"),
    ("V-19", one(request=Request("plugin")), A, "request", f"no host for {HIDDEN}"),
    ("V-19", one(request=Request("key")), A, "request", f"KeyError: '{HIDDEN}'"),
    ("V-19", one(request=Request("silent")), A, "request", "checked: ValueError"),
    ("V-19", one(request=Request("exit")), A, "request", "checked: RuntimeError: gone"),
    ("V-20", plan(block(seq(chk()))), "P / B / s / c", "plugin", "is a check plugin"),
    ("V-20", one(plugin="t.chk", request=None), A, "plugin", "is a check plugin"),
    (
        "V-20",
        deferred(actions=[chk()]),
        "P / deferred_actions / d / c",
        "plugin",
        "is a check plugin",
    ),
    ("V-20", group(actions=[act()]), "P / pre_checks / a", "plugin", "not a check"),
    (
        "V-20",
        group(actions=[Action(name="a", plugin="t.chk")]),
        "P / pre_checks / a",
        "plugin",
        "must be a CheckAction, not an Action",
    ),
    (
        "V-20",
        plan(block(seq(CheckAction(name="a", plugin="t.act", request=Request())))),
        A,
        "plugin",
        "must be an Action, not a CheckAction",
    ),
    ("V-21", plan(block(concurrency=-1)), "P / B", "concurrency", "not -1"),
    ("V-21", plan(block(concurrency=1.5)), "P / B", "concurrency", "whole number"),
    (
        "V-21",
        plan(block(tolerated_failures=-2)),
        "P / B",
        "tolerated_failures",
        "must be at least -1, not -2",
    ),
    ("V-21", plan(block(entrance_delay=-1)), "P / B", "entrance_delay", "at least 0"),
    ("V-21", plan(block(exit_delay=math.inf)), "P / B", "exit_delay", "finite"),
    ("V-22", group(delay=-1), "P / pre_checks", "delay", "must be at least 0, not -1"),
    ("V-22", group(delay=math.nan), "P / pre_checks", "delay", "not nan"),
    (
        "V-23",
        one(request=SubRequest()),
        A,
        "request",
        "must be a Request or an Other or a Mutable or a Box, as 't.act' wants, "
        "not a SubRequest",
    ),
    ("V-23", one(request=None), A, "request", "not None"),
    ("V-23", one(request={"host": "web-1"}), A, "request", "not a dict"),
    ("V-23", one(request=StoredValue({})), A, "request", "was read from a store"),
    (
        "V-23",
        group(actions=[chk(request=3)]),
        "P / pre_checks / c",
        "request",
        "must be None, as 't.chk' wants, not an int",
    ),
    ("REG-6", one(plugin="t.broken"), A, "plugin", "used: its init failed: no licence"),
    (
        "REG-9",
        one(on_interrupt=OnInterrupt.RECONCILE),
        A,
        "on_interrupt",
        "'t.act' cannot find out",
    ),
    ("OM-3", plan(group_id="x"), "P", "group_id", "must be a UUID or None, not a str"),
    ("OM-3", plan(meta="x"), "P", "meta", "must be a bytes, not a str"),
    ("OM-3", plan(description=None), "P", "description", "must be a text, not None"),
    ("OM-6", plan(block(halt_after="action")), "P / B", "halt_after", "a HaltAfter"),
    ("OM-6", plan(block(description=3)), "P / B", "description", "must be a text"),
    ("OM-7", plan(block(seq(description=3))), "P / B / s", "description", "a text"),
    ("OM-8", deferred(fail_element=1), "P / deferred_actions / d", "fail_element", ""),
    ("OM-9", one(on_interrupt="fail"), A, "on_interrupt", "an OnInterrupt or None"),
    ("OM-9", one(description=b""), A, "description", "must be a text, not a bytes"),
    ("SUB-1", one(request=Mutable(thing=threading.Lock())), A, "request", "be copied"),
    ("SUB-1", one(request=Mutable(*NOTHING)), A, "request", "its defaults() failed"),
    ("CL-3", clone(plan(), scrub=True), "P", "", "its secrets were removed"),
    ("CL-3", one(request=Request(password=HIDDEN)), A, "request", "put the secret in"),
]  # fmt: skip


@pytest.mark.parametrize("sound", SOUND, ids=lambda _: "")
def test_sound_plan_has_no_fault(sound: Plan) -> None:
    """What the rules allow is accepted (V-1)."""
    assert faults_of(sound) == []


@pytest.mark.parametrize(
    ("rule", "wrong", "path", "field", "part"),
    FAULTY,
    ids=[f"{rule}-{field}" for rule, _, _, field, _ in FAULTY],
)
def test_each_rule_has_its_fault(
    rule: str, wrong: Any, path: str, field: str, part: str
) -> None:
    """A plan with one mistake has one fault, at its object, by its rule (V-3 to V-23, X-56)."""
    found = [fault for fault in faults_of(wrong) if fault.rule == rule]
    assert [(fault.path, fault.field) for fault in found] == [(path, field)]
    assert part in found[0].message
    others = {fault.rule for fault in faults_of(wrong)} - {rule}
    assert others == set()


def test_table_has_a_plan_for_each_rule() -> None:
    """No rule of section 2 that a single mistake can break is without a plan (X-56)."""
    elsewhere = {1, 2, 14, 24}
    rules = {f"V-{number}" for number in range(3, 25) if number not in elsewhere}
    assert rules <= {rule for rule, *_ in FAULTY}


def test_finished_plan_is_refused_for_all_that_the_engine_wrote() -> None:
    """A clone with its state cannot be submitted; a plain clone of it can (CL-2, X-56)."""
    done = plan()
    give_ids(done, new_plan_id())
    done.submitted = NOW
    done.reasons = (FailureReason.STOPPED,)
    for item in walk(done):
        item.node.state.status = Status.STOPPED
    action_of(done).attempts.append(Attempt(started=NOW))
    kept = clone(done, keep_state=True)
    assert [(fault.path, fault.rule) for fault in faults_of(kept)] == [
        ("P", "V-4"),
        ("P", "V-5"),
        ("P", "V-8"),
        ("P", "V-8"),
        ("P / B", "V-4"),
        ("P / B", "V-5"),
        ("P / B / s", "V-4"),
        ("P / B / s", "V-5"),
        (A, "V-4"),
        (A, "V-5"),
        (A, "V-18"),
    ]
    assert faults_of(clone(done)) == []


def test_all_faults_are_raised_at_once_in_walk_order() -> None:
    """One error lists every fault with its path, field and rule (V-1, X-56b)."""
    wrong = plan(
        block(seq(act(retries=-1), act(name="b", plugin="no.such")), concurrency=-1),
        name="Deploy",
        pre_checks=Checks(actions=[chk(name=" ")]),
        deferred_actions=DeferredActions(batches=[batch(when=WhenDeferred.UNKNOWN)]),
    )
    with pytest.raises(ValidationError) as caught:
        prepared(wrong, PLUGINS)
    assert [(fault.path, fault.field, fault.rule) for fault in caught.value.faults] == [
        ("Deploy / pre_checks / (no name)", "name", "V-6"),
        ("Deploy / B", "concurrency", "V-21"),
        ("Deploy / B / s / a", "retries", "V-17"),
        ("Deploy / B / s / b", "plugin", "V-15"),
        ("Deploy / deferred_actions / d", "when", "V-12"),
    ]
    text = str(caught.value)
    assert text.startswith("the plan 'Deploy' cannot be accepted: 5 faults\n")
    assert all(str(fault) in text for fault in caught.value.faults)


def test_a_name_makes_no_lines_of_its_own() -> None:
    """A name that breaks lines, or worse, cannot pass for a fault of its own (OM-15)."""
    name = "s\n  P / B: timeout: is fine [V-16]\x1b[2J"
    [fault] = faults_of(plan(block(Sequence(name=name, actions=[]))))
    assert str(fault).splitlines() == [str(fault)]
    assert "s\\n  P // B: timeout: is fine [V-16]\\x1b[2J: actions: " in str(fault)


def test_one_fault_is_counted_as_one() -> None:
    """The error says how many faults there are, and of which plan."""
    with pytest.raises(
        ValidationError, match=r"^the plan cannot be accepted: one fault"
    ):
        prepared(None, PLUGINS)


def test_structure_and_values_are_told_together() -> None:
    """A None in a list does not hide what is wrong with its siblings (V-1, V-3)."""
    wrong: Any = plan(
        block(name=" "), block(), blocks=[block(name=" "), None, block(key="")]
    )
    assert [(fault.path, fault.rule) for fault in faults_of(wrong)] == [
        ("P / (no name)", "V-6"),
        ("P / blocks[1]", "V-3"),
        ("P / B", "V-13"),
    ]


def test_object_at_two_places_is_a_fault() -> None:
    """Two places of one object would share its state and its id (V-3)."""
    same = seq()
    (fault,) = faults_of(plan(block(same, same)))
    assert (fault.path, fault.rule) == ("P / B / s [2]", "V-3")


def test_keys_are_unique_in_a_plan() -> None:
    """Two actions, or an action and its block, may not share a key (V-14, X-57)."""
    two = plan(block(seq(act(name="a", key="k"), act(name="b", key="k"))))
    (fault,) = faults_of(two)
    assert (fault.path, fault.field, fault.rule) == ("P / B / s / b", "key", "V-14")
    assert "'k' is the key of 'P / B / s / a' too" in fault.message
    (fault,) = faults_of(plan(block(seq(act(key="k")), key="k")))
    assert (fault.path, fault.rule) == (A, "V-14")
    every = plan(
        block(
            seq(act(key="1"), key="2"),
            key="3",
            post_checks=Checks(actions=[chk(key="4")], key="5"),
        ),
        deferred_actions=DeferredActions(
            batches=[batch(key="6", actions=[act(key="7")])]
        ),
    )
    assert faults_of(every) == []
    every.blocks[0].key = "7"
    assert [fault.rule for fault in faults_of(every)] == ["V-14"]


def test_wrong_kind_of_plugin_is_found_at_submit() -> None:
    """An action in a check group, a check in a sequence or batch (V-20, X-58)."""
    wrong = plan(
        block(seq(chk())),
        pre_checks=checks(act()),
        deferred_actions=DeferredActions(batches=[batch(actions=[chk()])]),
    )
    assert [(fault.path, fault.rule) for fault in faults_of(wrong)] == [
        ("P / pre_checks / a", "V-20"),
        ("P / B / s / c", "V-20"),
        ("P / deferred_actions / d / c", "V-20"),
    ]


def test_infinite_timeout_is_warned_of() -> None:
    """An infinite timeout is accepted, with a warning that names the action (V-24)."""
    ready, (warning,) = prepared(one(timeout=math.inf), PLUGINS)
    assert action_of(ready).timeout == math.inf
    assert (warning.path, warning.field, warning.rule) == (A, "timeout", "V-24")
    assert prepared(plan(), PLUGINS)[1] == []


def test_reference_is_no_secret_in_a_request() -> None:
    """A plan that keeps references is sound wherever it is validated (CL-3)."""
    assert faults_of(one(request=Mutable(thing=SecretRef("env:TOKEN")))) == []


def test_two_classes_of_one_name_are_told_apart() -> None:
    """A request class from another module is named with its module (V-23)."""
    namesake = attrs.make_class("Request", {"host": attrs.field(type=str)})
    namesake.__module__ = "elsewhere"
    (fault,) = faults_of(one(request=namesake("web-1")))
    assert "not the one of module elsewhere" in fault.message


def test_request_that_holds_itself_is_a_fault() -> None:
    """A request without an end is refused, not walked for ever (SUB-1)."""
    endless = Mutable()
    endless.thing = [endless]
    (fault,) = faults_of(one(request=endless))
    assert (fault.path, fault.field, fault.rule) == (A, "request", "SUB-1")
