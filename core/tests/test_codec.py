"""Plans as bytes and back (section 16).

``golden/definition-N.bin`` is the plan of these tests as the first engine of version N
of the form stored it. Each is read, and written again, for ever. A new version of the
form, or a field that is new in the plan of these tests, brings a new file
(``definition-2.bin``, ``definition-1.1.bin``), made by

    python core/tests/test_codec.py core/tests/golden/definition-N.bin

and the files there are stay as they are.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import attrs
import pytest
from quickly import one_in

from workstream._codec.codec import Codec
from workstream._codec.records import begun, completed, row_of
from workstream._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Origin,
    Percent,
    Plan,
    Sequence,
)
from workstream._plan.walk import actions, give_ids, new_plan_id, walk
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, CheckPlugin
from workstream._protocols.vault import NodeRecord, StoredPlan
from workstream._secrets.references import HIDDEN, SECURE, SecretRef, StoredValue
from workstream._secrets.scrubbing import scrub_value
from workstream._values.errors import PlanCorruptError, ValidationError
from workstream._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    OnFailure,
    OnInterrupt,
    PluginError,
    State,
    Status,
    Undo,
    WhenDeferred,
)
from workstream._values.wire import micros_of

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@attrs.frozen
class CopyTo:
    host: str
    password: str = attrs.field(default="hunter2", metadata=SECURE)
    token: SecretRef | None = None


@attrs.frozen
class CopyFrom:
    host: str


@attrs.frozen
class Copied:
    files: tuple[str, ...]
    session: str | None = attrs.field(default=None, metadata=SECURE)
    extra: Any = None


class Copy(ActionPlugin[CopyTo | CopyFrom, Copied]):
    name = "t.copy"


class Look(CheckPlugin[CopyFrom, None]):
    name = "t.look"


@attrs.frozen
class Told:
    text: str
    number: int


class Tell(ActionPlugin[CopyFrom, Told]):
    name = "t.tell"


PLUGINS: Mapping[str, AnyPlugin] = {"t.copy": Copy(), "t.look": Look()}


def checks(key: str | None = None) -> Checks:
    look = Look.action(
        CopyFrom("a"), name="look", timeout=float("inf"), safe_in_preview=False
    )
    return Checks(actions=[look], delay=1.5, key=key)


def two() -> Sequence:
    none = Action(name="none", plugin="t.copy")
    copy = Copy.action(CopyFrom("b"), name="copy")
    return Sequence(name="two", actions=[copy, none])


def make_plan() -> Plan:
    """A plan that uses every field of every class (X-77)."""
    copy = Copy.action(
        CopyTo("a", token=SecretRef("env:TOKEN")),
        name="copy \udc80",
        description="copies",
        key="copy",
        timeout=5,
        retries=None,
        deadline=60.5,
        on_interrupt=OnInterrupt.RECONCILE,
    )
    block = Block(
        name="block",
        description="a block",
        key="block",
        entrance_delay=1.0,
        exit_delay=2.0,
        bypass_checks=checks(),
        pre_checks=checks(),
        cont_checks=checks("continuous"),
        post_checks=checks(),
        deferred_checks=checks(),
        sequences=[
            Sequence(
                name="one",
                key="one",
                description="first",
                zone="eu-1.a",
                actions=[copy],
                deferred_actions=DeferredActions(
                    batches=[
                        DeferBatch(
                            name="then",
                            actions=[Copy.action(CopyFrom("d"), name="wipe")],
                            when=WhenDeferred.ALWAYS,
                        )
                    ]
                ),
            ),
            two(),
        ],
        concurrency=3,
        tolerated_failures=Percent(10),
        halt_after=HaltAfter.SEQUENCE,
        undo=Undo.BLOCK_FAILURE,
        max_consecutive_failures=2,
        batches=(1, Percent(50)),
        batch_delay=2.5,
        batch_checks=checks(),
        zone="eu-1",
    )
    batch = DeferBatch(
        name="batch",
        description="takes it back",
        key="batch",
        actions=[Copy.action(CopyFrom("c"), name="undo")],
        when=WhenDeferred.ON_FAILURE,
        fail_element=True,
    )
    watching = checks()
    watching.failures_before_halt = 2
    watching.on_failure = OnFailure.WARN
    return Plan(
        name="plan",
        description="a plan",
        group_id=UUID(int=7),
        meta=b"\xff\0meta",
        retry_of=UUID(int=8),
        undo_of=UUID(int=9),
        origin=Origin(
            by="ana",
            host="bastion",
            file="deploy.py",
            digest="sha256:00",
            parameters=(("version", "2.1"), ("hosts", "@web.txt sha256:01")),
        ),
        locks=("db", "web"),
        bypass_checks=checks(),
        pre_checks=checks(),
        cont_checks=watching,
        blocks=[block, Block(name="small", sequences=[two()])],
        post_checks=checks(),
        deferred_actions=DeferredActions(batches=[batch]),
        deferred_checks=checks(),
    )


def submitted(plan: Plan) -> Plan:
    give_ids(plan, new_plan_id())
    plan.submitted = NOON
    plan.submitter = "ana@bastion"
    return plan


def stored(codec: Codec, plan: Plan, *records: NodeRecord) -> StoredPlan:
    return StoredPlan(
        row=row_of(plan),
        definition=codec.encode_definition(plan),
        records=records,
        position=0,
        lines={},
    )


@pytest.fixture
def codec() -> Codec:
    return Codec(PLUGINS)


def chain() -> PluginError:
    return PluginError(
        "outer",
        code=2**70,
        permanent=True,
        wrapped=PluginError("middle", wrapped=PluginError("inner", code=-1)),
    )


def test_a_plan_comes_back_as_it_was(codec: Codec) -> None:
    """Every field of every class comes back, keys of all objects too (STO-7, X-77)."""
    plan = submitted(make_plan())
    back = codec.load(stored(codec, plan))
    assert back == plan
    assert [item.node.id for item in walk(back)] == [i.node.id for i in walk(plan)]
    assert {item.node.plan_id for item in walk(back)} == {plan.id}
    assert codec.encode_definition(back) == codec.encode_definition(plan)


def test_no_field_of_the_model_is_forgotten(codec: Codec) -> None:
    """The plan of these tests sets every field that a user can set (STO-7)."""
    unset: set[str] = set()
    set_somewhere: set[str] = set()
    for item in walk(make_plan()):
        for field in attrs.fields(type(item.node)):
            if field.init:
                name = f"{type(item.node).__name__}.{field.name}"
                changed = getattr(item.node, field.name) != field.default
                (set_somewhere if changed else unset).add(name)
    # CheckAction has the fields of Action; that one sets them all.
    assert not {name for name in unset - set_somewhere if "CheckAction" not in name}


def version_of(path: Path) -> list[int]:
    """The numbers in the name of a golden definition, so that 1.1 comes after 1."""
    return [int(number) for number in path.stem.partition("-")[2].split(".")]


GOLDEN = sorted(
    Path(__file__).with_name("golden").glob("definition-*.bin"), key=version_of
)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_definition_is_read_and_written_for_ever(
    path: Path, codec: Codec
) -> None:
    """What an engine stored once is read, and stored again to the byte (STO-7)."""
    plan = submitted(make_plan())
    whole = attrs.evolve(stored(codec, plan), definition=path.read_bytes())

    back = codec.load(whole)

    assert codec.encode_definition(back) == path.read_bytes()
    bare = Codec(None)
    assert bare.encode_definition(bare.load(whole)) == path.read_bytes()


def test_the_newest_golden_definition_is_this_plan(codec: Codec) -> None:
    """It holds every field there is, and this engine writes just its bytes (STO-7)."""
    plan = submitted(make_plan())
    newest = GOLDEN[-1].read_bytes()

    assert codec.encode_definition(plan) == newest
    assert codec.load(attrs.evolve(stored(codec, plan), definition=newest)) == plan


def test_the_definition_holds_nothing_of_what_the_engine_writes(codec: Codec) -> None:
    """States and attempts do not change the definition."""
    plan = submitted(make_plan())
    before = codec.encode_definition(plan)
    plan.state = State(Status.RUNNING, NOON)
    next(actions(plan)).attempts.append(Attempt(started=NOON))
    assert codec.encode_definition(plan) == before


def run(codec: Codec, plan: Plan) -> list[NodeRecord]:
    """Give every object a state, actions two attempts, and return the records."""
    plan.state = State(Status.FAILED, NOON, NOON + timedelta(seconds=1))
    plan.reasons = (FailureReason.STOPPED, FailureReason.BLOCK)
    plan.stopping = True
    plan.runtime_update = NOON
    records: list[NodeRecord] = []
    for item in walk(plan):
        node = item.node
        if isinstance(node, Plan):
            continue
        node.state = State(Status.STOPPED, NOON, None)
        if isinstance(node, BaseAction):
            node.attempts.append(
                Attempt(started=NOON, ended=NOON, error=chain(), interrupted=True)
            )
            records.append(codec.record_of(node))
            response = Copied(("a",), "secret", {"a": [1, None]})
            node.attempts.append(
                Attempt(
                    started=NOON + timedelta(microseconds=1),
                    response=response if isinstance(node, Action) else None,
                    unresponsive=True,
                    notes={"pid": 2**64, "at": 1.5, "raw": b"\0", "none": None},
                )
            )
        records.append(codec.record_of(node))
    return records


@pytest.mark.parametrize(
    "started",
    [
        NOON,
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 5, tzinfo=UTC),
        datetime(1970, 1, 1, 1, 11, 34, 967295, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_records_of_usual_actions(started: datetime) -> None:
    """What is packed at once for an action that goes well is what ``record_of`` says."""
    codec = Codec({"t.tell": Tell()})
    plan = submitted(Plan(name="p", blocks=[Block(name="b", sequences=[two()])]))
    action = next(iter(actions(plan)))
    action.plugin = "t.tell"
    action.state = State(Status.RUNNING, started)
    attempt = Attempt(started=started)
    action.attempts.append(attempt)
    assert codec.record_of(action).data == begun(micros_of(started))

    ended = started + timedelta(seconds=61)
    attempt.response = response = Told("all is well", 2)
    action.state.status = Status.COMPLETED
    action.state.ended = attempt.ended = ended
    packed = codec.plain_response("t.tell")(response)
    assert packed is not None
    assert codec.record_of(action).data == completed(
        micros_of(started), micros_of(ended), packed
    )


def test_responses_that_have_to_be_looked_at() -> None:
    """They are not packed at once: secrets, collections, what does not fit."""
    codec = Codec({**PLUGINS, "t.tell": Tell()})
    assert codec.plain_response("t.copy")(Copied(())) is None
    assert codec.plain_response("t.tell")(Copied(())) is None
    assert codec.plain_response("t.tell")(Told(cast("str", ["text"]), 1)) is None
    assert codec.plain_response("t.gone")(Told("text", 1)) is None


def test_states_and_attempts_come_back(codec: Codec) -> None:
    """Attempts, wrapped errors, notes, responses and times are exact (STO-7, X-77)."""
    plan = submitted(make_plan())
    records = run(codec, plan)
    back = codec.load(stored(codec, plan, *records))
    assert back == plan
    action = next(iter(actions(back)))
    assert action.attempts[0].error == chain()
    assert action.attempts[1].notes == {
        "pid": 2**64, "at": 1.5, "raw": b"\0", "none": None
    }  # fmt: skip
    assert back.runtime_update == NOON


def test_a_record_with_an_earlier_attempt_removes_later_ones(codec: Codec) -> None:
    """A check group that runs again begins without attempts (C-1)."""
    plan = submitted(make_plan())
    action = next(actions(plan))
    fresh = codec.record_of(action)
    action.state = State(Status.COMPLETED, NOON, NOON)
    for _ in range(3):
        action.attempts.append(Attempt(started=NOON))
    back = codec.load(stored(codec, plan))
    action_back = next(actions(back))
    for number in (1, 2, 3):
        one = attrs.evolve(codec.record_of(action), attempt=number)
        codec.apply_record(action_back, one)
    assert action_back == action
    codec.apply_record(action_back, attrs.evolve(codec.record_of(action), attempt=1))
    assert len(action_back.attempts) == 1
    codec.apply_record(action_back, fresh)
    assert action_back.attempts == []
    assert action_back.state == State()


# -- Without the plugin ----------------------------------------------------------------


def test_a_plan_is_readable_without_its_plugins(codec: Codec) -> None:
    """Requests and responses are plain data then, and are stored again as they were."""
    plan = submitted(make_plan())
    records = run(codec, plan)
    whole = stored(codec, plan, *records)
    bare = Codec(None)
    back = bare.load(whole)
    copy = next(a for a in actions(back) if a.name.startswith("copy"))
    assert isinstance(copy.request, StoredValue)
    assert copy.request.data == {
        "$type": "CopyTo", "host": "a", "password": "hunter2", "token": "env:TOKEN"
    }  # fmt: skip
    assert copy.request.secret == (("password",),)
    assert isinstance(copy.response, StoredValue)
    assert copy.response.secret == (("session",),)
    assert scrub_value(copy.request).data["password"] == HIDDEN
    again = StoredPlan(
        row=row_of(back),
        definition=bare.encode_definition(back),
        records=tuple(bare.record_of(i.node) for i in walk(back) if i.ancestors),
        position=0,
        lines={},
    )
    assert again.definition == whole.definition
    assert set(again.records) < set(whole.records)


def test_a_missing_response_is_none_with_and_without_plugin(codec: Codec) -> None:
    """None is None, not a stored value that holds None."""
    plan = submitted(make_plan())
    records = run(codec, plan)
    back = Codec({}).load(stored(codec, plan, *records))
    assert next(actions(back)).attempts[0].response is None
    assert [a.request for a in actions(back) if a.name == "none"] == [None, None]


# -- What cannot be stored -------------------------------------------------------------


@attrs.frozen
class Wrong:
    files: Any


@attrs.frozen
class MoreCopied(Copied):
    more: int = 1


def looping() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (object(), "does not fit its declared type: 'object' object has no"),
        (Wrong(1), "does not fit its declared type: 'int' object is not"),
        (Copied(("a", object())), r"response\['files'\]\[1\] is of type object"),  # type: ignore[arg-type]
        (Copied(("a", 5)), "must be a text, not a whole number"),  # type: ignore[arg-type]
        (Copied((), extra=object()), "holds an object of type object where no type"),
        (Copied((), extra=looping()), "refers to itself"),
        (MoreCopied(("a",)), "response would come back as something else"),
    ],
)
def test_a_response_that_cannot_be_stored_is_refused(
    codec: Codec, response: Any, says: str
) -> None:
    """The error says where in the response, and what to do; the engine goes on."""
    action = Copy.action(CopyFrom("a"), name="copy")
    with pytest.raises(TypeError, match=says) as caught:
        codec.check_storable(action, response)
    assert str(caught.value).startswith("the response cannot be stored")


@pytest.mark.parametrize(
    "response",
    [None, Copied(()), Copied(["a"]), Copied((), extra={"n": float("nan")})],  # type: ignore[arg-type]
)
def test_a_response_that_can_be_stored_passes(codec: Codec, response: Any) -> None:
    """A list where a tuple is declared loses nothing, and comes back as declared."""
    codec.check_storable(Copy.action(CopyFrom("a"), name="copy"), response)


def test_a_response_of_no_class_is_checked_too(codec: Codec) -> None:
    """A check without a response type answers None, and nothing else."""
    action = Look.action(CopyFrom("a"), name="look")
    codec.check_storable(action, None)
    with pytest.raises(TypeError, match="must be null, not a whole number"):
        codec.check_storable(action, 5)


def test_requests_that_cannot_be_stored_are_all_named(codec: Codec) -> None:
    """A plan is refused before anything is stored, with every such request (V-1)."""
    plan = submitted(make_plan())
    for action in actions(plan):
        if action.name == "undo" or action.name == "copy":
            action.request = CopyFrom(host=object())  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as caught:
        codec.encode_definition(plan)
    assert [fault.path for fault in caught.value.faults] == [
        "plan / block / two / copy",
        "plan / small / two / copy",
        "plan / deferred_actions / batch / undo",
    ]


# -- Bad bytes -------------------------------------------------------------------------


def test_other_types_make_one_plan_unreadable(codec: Codec) -> None:
    """The error names the plan and the object, and is of that plan alone (R-4)."""

    @attrs.frozen
    class Newer:
        files: int

    class NewCopy(ActionPlugin[CopyTo | CopyFrom, Newer]):
        name = "t.copy"

    plan = submitted(make_plan())
    whole = stored(codec, plan, *run(codec, plan))
    with pytest.raises(PlanCorruptError, match=r"plan / block / one / copy") as caught:
        Codec({**PLUGINS, "t.copy": NewCopy()}).load(whole)
    assert caught.value.plan_id == plan.id
    assert str(plan.id) in str(caught.value)


def test_a_request_type_that_changed_is_named(codec: Codec) -> None:
    """What is wrong may also be a request."""

    class Other(CheckPlugin[int, None]):
        name = "t.look"

    plan = submitted(make_plan())
    with pytest.raises(PlanCorruptError, match=r"request of 'plan / bypass_checks"):
        Codec({**PLUGINS, "t.look": Other()}).load(stored(codec, plan))


def test_a_field_that_a_type_has_lost_is_left_out(codec: Codec) -> None:
    """A plugin may drop a field of its response, or add one with a default."""

    @attrs.frozen
    class Slim:
        files: tuple[str, ...]
        added: int = 7

    class SlimCopy(ActionPlugin[CopyTo | CopyFrom, Slim]):
        name = "t.copy"

    plan = submitted(make_plan())
    whole = stored(codec, plan, *run(codec, plan))
    back = Codec({**PLUGINS, "t.copy": SlimCopy()}).load(whole)
    copy = next(a for a in actions(back) if a.name.startswith("copy"))
    assert copy.response == Slim(("a",))


@pytest.mark.slow
@pytest.mark.parametrize("bare", one_in(2, [False, True]))
def test_any_bad_byte_is_a_corrupt_plan_and_nothing_else(
    codec: Codec, bare: bool
) -> None:
    """Whatever happened to the bytes, the error is the one of that plan (R-4)."""
    plan = submitted(make_plan())
    records = run(codec, plan)
    whole = stored(codec, plan, *records)
    reader = Codec(None) if bare else codec
    refused = 0

    def load(damaged: StoredPlan) -> None:
        nonlocal refused
        try:
            reader.load(damaged)
        except PlanCorruptError:
            refused += 1

    for place in range(len(whole.definition)):
        for byte in (0x00, 0x80, 0xC1, 0xFF):
            bad = bytearray(whole.definition)
            bad[place] = byte
            load(attrs.evolve(whole, definition=bytes(bad)))
        load(attrs.evolve(whole, definition=whole.definition[:place]))
    assert refused > len(whole.definition)
    record = max(records, key=lambda record: len(record.data))
    for place in range(len(record.data)):
        bad = bytearray(record.data)
        bad[place] ^= 0xFF
        damaged = attrs.evolve(record, data=bytes(bad))
        load(attrs.evolve(whole, records=(damaged,)))
        cut = attrs.evolve(record, data=record.data[:place])
        load(attrs.evolve(whole, records=(cut,)))


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (NodeRecord(10_000, 0, b""), "a record of object 10000"),
        (NodeRecord(0, 1, b""), "intervention 1"),
        (NodeRecord(1, 0, b""), "it is empty"),
        (NodeRecord(1, 0, b"\x02\x90"), "version 2, and this engine reads version 1"),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    codec: Codec, record: NodeRecord, says: str
) -> None:
    """A record of no object, of the plan itself, empty, or of a later version."""
    with pytest.raises(PlanCorruptError, match=says):
        codec.load(stored(codec, submitted(make_plan()), record))


def test_an_attempt_that_skips_others_is_refused(codec: Codec) -> None:
    """Records are applied in order; attempts without their predecessors are damage."""
    plan = submitted(make_plan())
    action = next(actions(plan))
    action.attempts = [Attempt(started=NOON)]
    late = attrs.evolve(codec.record_of(action), attempt=5)
    with pytest.raises(PlanCorruptError, match="attempt 5 follows attempt 0"):
        codec.load(stored(codec, plan, late))


def test_an_attempt_of_what_is_no_action_is_refused(codec: Codec) -> None:
    """Only actions have attempts."""
    plan = submitted(make_plan())
    node: Node = plan.blocks[0]
    late = attrs.evolve(codec.record_of(node), attempt=1)
    with pytest.raises(PlanCorruptError, match="an object that is no action"):
        codec.load(stored(codec, plan, late))


def test_an_endless_chain_of_errors_is_cut(codec: Codec) -> None:
    """An error that wraps itself can be stored all the same."""
    plan = submitted(make_plan())
    action = next(actions(plan))
    error = PluginError("again")
    error.wrapped = error
    action.attempts = [Attempt(started=NOON, error=error)]
    codec.apply_record(action, codec.record_of(action))
    assert action.error is not None
    assert str(action.error.message) == "again"


# -- The rest --------------------------------------------------------------------------


def test_loading_leaves_the_collector_as_it_was(codec: Codec) -> None:
    """It is paused while a plan is loaded, also when that fails."""
    whole = stored(codec, submitted(make_plan()))
    assert gc.isenabled()
    codec.load(whole)
    with pytest.raises(PlanCorruptError):
        codec.load(attrs.evolve(whole, definition=b""))
    assert gc.isenabled()
    gc.disable()
    try:
        codec.load(whole)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_check_action_is_told_from_an_action(codec: Codec) -> None:
    """What stands in a Checks group is a CheckAction, all else an Action."""
    back = codec.load(stored(codec, submitted(make_plan())))
    for item in walk(back):
        if isinstance(item.node, BaseAction):
            in_checks = isinstance(item.ancestors[-1], Checks)
            assert type(item.node) is (CheckAction if in_checks else Action)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(
        Codec(PLUGINS).encode_definition(submitted(make_plan()))
    )
