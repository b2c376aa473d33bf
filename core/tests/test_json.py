"""Plans as JSON, written by people and by programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from workstream._codec.codec import Codec
from workstream._codec.json_text import from_json, to_json
from workstream._codec.records import row_of
from workstream._plan.clone import clone
from workstream._plan.plan import (
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from workstream._plan.walk import actions, give_ids, new_plan_id, walk
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, CheckPlugin
from workstream._protocols.vault import StoredPlan
from workstream._secrets.references import HIDDEN, SECURE, SecretRef, StoredValue
from workstream._values.errors import ValidationError
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

NOON = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)


@attrs.frozen
class Host:
    name: str
    port: int = 22


@attrs.frozen
class CopyTo:
    host: Host
    files: tuple[Path, ...] = ()
    password: str = attrs.field(default="", metadata=SECURE)
    token: SecretRef | None = None
    pause: timedelta = timedelta(0)
    content: bytes = b""
    limits: dict[str, float] = attrs.field(factory=lambda: dict[str, float]())
    extra: Any = None


@attrs.frozen
class CopyFrom:
    host: Host


@attrs.frozen
class Copied:
    files: frozenset[str]
    at: datetime = NOON


class Copy(ActionPlugin[CopyTo | CopyFrom, list[Copied]]):
    name = "t.copy"


class Look(CheckPlugin[Host, None]):
    name = "t.look"


PLUGINS: Mapping[str, AnyPlugin] = {"t.copy": Copy(), "t.look": Look()}


def make_plan() -> Plan:
    """A plan with something of everything."""
    look = Checks(
        actions=[
            Look.action(Host("a"), name="look", timeout=math.inf, safe_in_preview=True)
        ],
        delay=5,
        key="k",
    )
    copy = Copy.action(
        CopyTo(
            Host("a", 2222),
            files=(Path("/etc/hosts"),),
            password="hunter2",
            token=SecretRef("env:TOKEN"),
            pause=timedelta(milliseconds=1500),
            content=b"\xff\0",
            limits={"high": math.inf},
            extra={"a": (1, {2}), 3: NOON, "$type": None},
        ),
        name="copy \udc80",
        retries=None,
        deadline=60,
        on_interrupt=OnInterrupt.FAIL,
    )
    back = Copy.action(CopyFrom(Host("b")), name="copy back")
    return Plan(
        name="Deploy",
        description="caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        group_id=new_plan_id(),
        meta=b"\0meta",
        pre_checks=look,
        blocks=[
            Block(
                name="block",
                sequences=[Sequence(name="one", actions=[copy, back])],
                halt_after=HaltAfter.SEQUENCE,
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="undo",
                    actions=[Copy.action(CopyFrom(Host("c")), name="undo")],
                    when=WhenDeferred.ON_FAILURE,
                )
            ]
        ),
    )


def make_run_plan() -> Plan:
    """The same after it ran, with all that an engine writes."""
    plan = make_plan()
    give_ids(plan, new_plan_id())
    plan.submitted = plan.runtime_update = NOON
    plan.reasons = (FailureReason.STOPPED, FailureReason.BLOCK)
    plan.stopping = True
    for item in walk(plan):
        item.node.state = State(Status.FAILED, NOON, NOON)
        if isinstance(item.node, BaseAction) and item.node.plugin == "t.copy":
            inner = PluginError("inner", wrapped=PluginError("innermost"))
            item.node.attempts = [
                Attempt(
                    started=NOON,
                    ended=NOON,
                    error=PluginError("outer", code=5, permanent=True, wrapped=inner),
                    interrupted=True,
                    unresponsive=True,
                    notes={"pid": 5, "raw": b"\0", "none": None, "nan": math.inf},
                ),
                Attempt(started=NOON, response=[Copied(frozenset({"b", "a"}))]),
            ]
    return plan


def read(text: str, plugins: Mapping[str, AnyPlugin] | None = PLUGINS) -> Plan:
    return from_json(text, plugins, keep_state=True)


@pytest.mark.parametrize("plan", [make_plan(), make_run_plan()], ids=["new", "ran"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_plan_comes_back_as_it_was(plan: Plan, indent: int | None) -> None:
    """Everything comes back equal, states and responses included (OM-14)."""
    text = to_json(plan, with_secrets=True, indent=indent)
    back = read(text)
    assert back == plan
    assert back.plan_id == plan.id
    assert back.runtime_update == plan.runtime_update
    assert to_json(back, with_secrets=True, indent=indent) == text
    assert ("\n" in text) == bool(indent)


def test_without_state_a_plan_is_as_its_author_wrote_it() -> None:
    """What the engine wrote is passed over: the plan can be submitted again."""
    plan = make_run_plan()
    back = from_json(to_json(plan, with_secrets=True), PLUGINS)
    assert back == clone(plan)


def test_the_text_is_strict_json() -> None:
    """Every reader takes it: no NaN, no Infinity, and it can be encoded."""
    text = to_json(make_run_plan(), with_secrets=True)
    text.encode()

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(text, parse_constant=refuse)


def test_nothing_in_the_text_acts_on_a_terminal() -> None:
    """What it would obey or not show is escaped; what people can read is left as it is."""
    odd = "caf\u00e9 \U0001f680 \x9b2J \x7f \u202e \u200b \U000e0041 \x1b[31m end"
    plan = Plan(name=odd, blocks=[])

    text = to_json(plan)

    assert all(each.isprintable() or each == "\n" for each in text)
    assert "caf\u00e9 \U0001f680" in text
    assert r"\u009b2J \u007f \u202e \u200b \udb40\udc41 \u001b[31m" in text
    assert from_json(text, None).name == odd


def test_a_plan_without_oddities_is_readable_as_it_is() -> None:
    """Letters of all languages stand as themselves, defaults are left out."""
    plan = Plan(
        name="\N{GREEK CAPITAL LETTER DELTA}",
        blocks=[
            Block(
                name="b",
                sequences=[
                    Sequence(
                        name="s",
                        actions=[Look.action(Host("a"), name="a")],  # type: ignore[list-item]  # pyright: ignore
                    )
                ],
            )
        ],
    )
    assert to_json(plan, indent=None) == (
        '{"format": 1, "name": "\N{GREEK CAPITAL LETTER DELTA}", "scrubbed": true, '
        '"blocks": [{"name": "b", "sequences": [{"name": "s", "actions": [{"name": "a", '
        '"plugin": "t.look", "request": {"$type": "Host", "name": "a"}}]}]}]}'
    )


def test_a_plan_written_by_hand_is_read() -> None:
    """The type of a request is needed only where the plugin takes several."""
    text = """
    {"format": 1, "name": "p", "group_id": "01890000-0000-7000-8000-000000000000",
     "blocks": [{"name": "b", "concurrency": 5, "sequences": [{"name": "s", "actions": [
       {"name": "a", "plugin": "t.copy", "timeout": 5,
        "request": {"$type": "CopyTo", "host": {"name": "h"}, "token": "env:X",
                    "pause": 1.5, "content": "/wA="}}]}]}],
     "post_checks": {"actions": [
       {"name": "c", "plugin": "t.look", "timeout": "inf", "request": {"name": "h"}}]}}
    """
    plan = from_json(text, PLUGINS)
    first, second = actions(plan)
    assert first.request == CopyTo(
        Host("h"),
        token=SecretRef("env:X"),
        pause=timedelta(seconds=1.5),
        content=b"\xff\0",
    )
    assert second.request == Host("h")
    assert second.timeout == math.inf
    assert plan.blocks[0].concurrency == 5
    assert plan.id is None


# -- Secrets ---------------------------------------------------------------------------


def test_secrets_are_left_out_unless_asked_for() -> None:
    """Such a plan says so, and is refused at submit (CL-3); references stay."""
    plan = make_run_plan()
    text = to_json(plan)
    assert "hunter2" not in text
    assert HIDDEN in text
    assert "env:TOKEN" in text
    assert from_json(text, PLUGINS).scrubbed
    assert not from_json(to_json(plan, with_secrets=True), PLUGINS).scrubbed
    assert "hunter2" in to_json(plan, with_secrets=True)
    assert not plan.scrubbed


def test_a_scrubbed_request_need_not_fit_its_type() -> None:
    """What replaced a secret may be of another type; the plan is for showing only."""

    @attrs.frozen
    class Pin:
        pin: int = attrs.field(default=0, metadata=SECURE)

    class Use(CheckPlugin[Pin, None]):
        name = "t.pin"

    checks = Checks(actions=[Use.action(Pin(1234), name="a")])
    plan = Plan(name="p", blocks=[], pre_checks=checks)
    text = to_json(plan).replace('"Pin"', '"Pin", "pin": null')
    back = from_json(text, {"t.pin": Use()})
    assert back.scrubbed
    assert isinstance(next(actions(back)).request, StoredValue)


# -- Without the plugin ----------------------------------------------------------------


@pytest.mark.parametrize("plugins", [None, {}])
def test_requests_of_unknown_plugins_are_plain_data(
    plugins: Mapping[str, AnyPlugin] | None,
) -> None:
    """Whether the plugin exists is for submit to say."""
    back = from_json(to_json(make_plan(), with_secrets=True), plugins)
    copy_back = list(actions(back))[2]
    assert copy_back.request == StoredValue(
        {"$type": "CopyFrom", "host": {"name": "b"}}
    )


def test_what_was_stored_without_its_plugin_comes_back() -> None:
    """Plain data, and where its secrets are, survive; with the plugin it gets its type."""
    plan = make_run_plan()
    codec = Codec(PLUGINS)
    stored = StoredPlan(
        row=row_of(plan),
        definition=codec.encode_definition(plan),
        records=(),
        position=0,
        lines={},
    )
    bare = Codec(None).load(stored)
    text = to_json(bare, with_secrets=True)
    assert read(text, None) == bare
    assert read(text) == codec.load(stored)
    scrubbed = read(to_json(bare), None)
    request = list(actions(scrubbed))[1].request
    assert isinstance(request, StoredValue)
    assert request.data["password"] == HIDDEN


# -- Faults ----------------------------------------------------------------------------


def faults(text: str, *, keep_state: bool = False) -> list[str]:
    """Every fault as place, field and message."""
    with pytest.raises(ValidationError) as caught:
        from_json(text, PLUGINS, keep_state=keep_state)
    return [
        f"{fault.path}.{fault.field}: {fault.message}".replace(".:", ":")
        for fault in caught.value.faults
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the text: line 1, column 1: Expecting value"),
        ('{"format": 1,\n}', "the text: line 2, column 1"),
        ('{"a": NaN}', 'NaN is not JSON: write "nan", in quotes'),
        ('{"a": Infinity}', 'write "inf", in quotes'),
        ('{"a": 1, "a": 2}', "the name 'a' stands twice in one object"),
        ("[" * 100_000, "the text: it is nested too deeply"),
        ("5", "the plan: must be a plan, which is an object, not a whole number"),
        ("[]", "the plan: must be a plan, which is an object, not a list"),
        (
            '{"format": 2, "news": true}',
            "the plan.format: is 2: this engine reads up to format 1; use a newer",
        ),
        (
            '{"name": "a", "blocks": []}',
            'the plan.format: is missing: write "format": 1',
        ),
        (
            '{"format": "1", "name": "a", "blocks": []}',
            "the plan.format: is no version",
        ),
    ],
)
def test_what_is_no_plan_at_all_is_one_fault(text: str, says: str) -> None:
    """The sentence says where, and what to do."""
    [fault] = faults(text)
    assert says in fault


def test_all_faults_are_reported_at_once() -> None:
    """Each with its place; unknown fields with the nearest name (V-1)."""
    text = """
    {"format": 1, "nam": "p", "group_id": "x", "meta": "?", "stopping": 5,
     "bypass_checks": [], "pre_checks": {"delay": "soon"},
     "blocks": [
       null,
       {"name": 5, "concurrency": 1.5, "sequences": {}, "halt_after": "NEVER"},
       {"name": "b", "key": 5, "sequences": [{"name": "s", "actions": [
         {"name": "a", "plugin": "t.copy", "retries": true, "on_interrupt": "RERUNN",
          "request": {"$type": "CopyTo", "hots": {}, "files": ["a", 5],
                      "limits": {"x": "y"}, "token": 5}},
         {"name": "a", "plugin": "t.copy", "request": {"host": {"name": "a"}}},
         {"plugin": "t.copy", "request": {"$type": "CopyFrom", "host": {"prot": 5}}},
         {"name": "a", "plugin": "t.look", "request": "web-1"},
         {"name": "a", "plugin": 5, "request": {}}
       ]}]}],
     "deferred_actions": {"batches": [{"name": "b", "actions": [], "when": 1,
                                       "fail_element": "yes"}]}}
    """
    actions_at = "blocks[2].sequences[0].actions"
    assert faults(text) == [
        "the plan.nam: is not a field; did you mean 'name'?",
        "the plan.name: is missing",
        "the plan.group_id: is not the text of a UUID",
        "the plan.meta: is not base64",
        "bypass_checks: must be an object with the fields of Checks, not a list",
        "pre_checks.actions: is missing",
        'pre_checks.delay: must be a number (or "inf"), not a text',
        "blocks[0]: must be an object with the fields of Block, not null",
        "blocks[1].name: must be a text, not a whole number",
        "blocks[1].sequences: must be a list, not an object",
        "blocks[1].concurrency: must be a whole number, not a number",
        "blocks[1].halt_after: must be one of ACTION, SEQUENCE, not 'NEVER'",
        "blocks[2].key: must be a text, not a whole number",
        f"{actions_at}[0].request.hots: is not a field; did you mean 'host'?",
        f"{actions_at}[0].request.host: is missing",
        f"{actions_at}[0].request.files[1]: must be the text of a Path, not int",
        f'{actions_at}[0].request.token: must be the text of a SecretRef, such as "env:NAME"',
        f"{actions_at}[0].request.limits['x']: must be a number (or \"inf\"), "
        "not a text",
        f"{actions_at}[0].retries: must be a whole number, not true or false",
        f"{actions_at}[0].on_interrupt: must be one of RERUN, FAIL, RECONCILE, "
        "not 'RERUNN'",
        f'{actions_at}[1].request: must say which it is: "$type" one of CopyTo, CopyFrom',
        f"{actions_at}[2].name: is missing",
        f"{actions_at}[2].request.host.prot: is not a field; did you mean 'port'?",
        f"{actions_at}[2].request.host.name: is missing",
        f"{actions_at}[3].request: must be an object with the fields of Host, not a text",
        f"{actions_at}[4].plugin: must be a text, not a whole number",
        "deferred_actions.batches[0].when: must be one of ON_SUCCESS, ON_FAILURE, "
        "ALWAYS, ON_UNDO, not a whole number",
        "deferred_actions.batches[0].fail_element: must be true or false, not a text",
    ]


def test_faults_in_what_the_engine_wrote_are_reported_too() -> None:
    """Where states are read, they are looked at as closely."""
    text = """
    {"format": 1, "name": "p", "blocks": [], "id": 5, "submitted": "yesterday",
     "runtime_update": "2026-01-31T12:00:00", "reasons": ["BAD"],
     "state": {"status": "DONE", "strated": null},
     "pre_checks": {"state": [], "actions": [{"name": "a", "plugin": "t.look",
       "attempts": [5, {}, {"started": "2026-01-31T12:00:00Z", "response": 5,
                            "error": {"code": "x", "wrapped": []}}]}]}}
    """
    attempts = "pre_checks.actions[0].attempts"
    reasons = (
        "PRE_CHECK, BLOCK, POST_CHECK, CONT_CHECK, DEFERRED_CHECK, DEFERRED_ACTION"
    )
    assert faults(text, keep_state=True) == [
        f"{attempts}[0]: must be an object with the fields of Attempt, "
        "not a whole number",
        f"{attempts}[1].started: is missing",
        f"{attempts}[2].response: must be null, not a whole number",
        f"{attempts}[2].error.message: is missing",
        f"{attempts}[2].error.code: must be a whole number, not a text",
        f"{attempts}[2].error.wrapped: must be an object with the fields of "
        "PluginError, not a list",
        "pre_checks.state: must be an object with the fields of State, not a list",
        "the plan.id: must be the text of a UUID, not int",
        "state.strated: is not a field; did you mean 'started'?",
        "state.status: must be one of NOT_STARTED, RUNNING, COMPLETED, SKIPPED, FAILED, "
        "STOPPED, not 'DONE'",
        "the plan.submitted: is not a time such as 2026-01-31T12:00:00Z",
        "the plan.runtime_update: is a time without a zone: add Z for UTC",
        f"reasons[0]: must be one of {reasons}, UNDO, STOPPED, EXCEED_RECOVERY, "
        "ABANDONED, not 'BAD'",
    ]


def test_a_plan_that_cannot_be_expressed_is_refused() -> None:
    """An object of a foreign class, and one that holds itself, have no JSON."""
    plan = make_plan()
    action = next(actions(plan))
    for bad in (object(), {"a": object()}):
        action.request = bad
        with pytest.raises(TypeError, match="declare the type of the field"):
            to_json(plan, with_secrets=True)
    loop: list[Any] = []
    loop.append(loop)
    action.request = loop
    with pytest.raises(TypeError, match="refers to itself"):
        to_json(plan, with_secrets=True)


def test_a_byte_order_mark_does_no_harm() -> None:
    """Some editors write one."""
    plan = make_plan()
    text = "\ufeff" + to_json(plan, with_secrets=True)
    assert from_json(text, PLUGINS) == plan
