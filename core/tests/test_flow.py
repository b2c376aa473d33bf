"""Values that flow: what an author writes, and what becomes of it (VF-1 to VF-7)."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import operator
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NewType

import attrs
import pytest
import trio

from workstream import (
    SECURE,
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Late,
    Plan,
    PluginError,
    Registry,
    ResponseReference,
    SecretRef,
    Sequence,
    Status,
    ValidationError,
    WhenDeferred,
    clone,
    difference,
    from_json,
    late,
    open_workstream,
    plan_text,
    preview_plan,
    remaining,
    sure,
    text,
    to_json,
)
from workstream._codec.codec import Codec
from workstream._flow.late import (
    SURE,
    Item,
    Source,
    path_of_text,
    path_text,
    places,
)
from workstream._validation.sources import type_at, value_misfits
from workstream._validation.validation import check
from workstream.results import StoredValue
from workstream.vaults import MemoryVault

Port = NewType("Port", int)


@attrs.frozen
class Size:
    size: str


@attrs.frozen
class Disk:
    path: str
    gigabytes: int


@attrs.frozen
class Vm:
    address: str
    port: Port = Port(22)
    kind: Literal["small", "big"] = "small"
    disks: tuple[Disk, ...] = ()
    labels: dict[str, str] = attrs.field(factory=dict[str, str])
    zone: str | None = None
    root: Disk | None = None
    anything: Any = None
    password: str = attrs.field(default="", metadata=SECURE)

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@attrs.frozen
class Login:
    user: str
    host: str


def words_of(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


def shout(value: str) -> str:
    return value.upper()


def small(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value > 10:
        message = f"{attribute.name} is at most 10"
        raise ValueError(message)


@attrs.frozen
class Use:
    host: str = ""
    words: tuple[str, ...] = attrs.field(default=(), converter=words_of)
    names: list[str] = attrs.field(factory=list[str])
    env: Mapping[str, str] = attrs.field(factory=dict[str, str])
    login: Login | None = None
    ratio: float = 0.0
    count: int = attrs.field(default=0, validator=small)
    loud: str = attrs.field(default="", converter=shout)
    anything: Any = None
    pin: str = attrs.field(default="", metadata=SECURE)
    disk: Disk | None = None


class Create(ActionPlugin[Size, Vm]):
    name = "acme.create"

    def __init__(self, response: Vm | None = None) -> None:
        self.response_given = response or Vm(
            "10.0.0.7",
            disks=(Disk("/dev/a", 5), Disk("/dev/b", 7)),
            labels={"rack": "r1"},
            zone="z",
            anything=["x", 3],
            password="hunter2-hunter2",
        )

    async def execute(self, context: Context, request: Size) -> Vm:
        return self.response_given


class UseIt(ActionPlugin[Use, None]):
    name = "acme.use"

    def __init__(self) -> None:
        self.got: list[Use] = []

    def validate(self, request: Use) -> None:
        if request.host == "forbidden":
            message = f"the host {request.host!r} is forbidden"
            raise ValueError(message)

    async def execute(self, context: Context, request: Use) -> None:
        context.report(f"words: {' '.join(map(str, request.words))}")
        self.got.append(request)


class Look(CheckPlugin[Size, Vm]):
    name = "acme.look"

    async def execute(self, context: Context, request: Size) -> Vm:
        return Vm("10.0.0.9")


VM = Create.response("vm")


def create(key: str = "vm") -> Action:
    return Create.action(Size("small"), name=f"create {key}", key=key)


def use(request: Use, name: str = "use") -> Action:
    return UseIt.action(request, name=name)


def plan_of(*actions: Action) -> Plan:
    sequence = Sequence(name="s", actions=list(actions))
    return Plan(name="p", blocks=[Block(name="b", sequences=[sequence])])


def registry(response: Vm | None = None) -> tuple[Registry, UseIt]:
    plugin = UseIt()
    return Registry([Create(response), plugin, Look()]), plugin


def faults(plan: Plan) -> list[str]:
    return [str(each) for each in check(plan, registry()[0])[0]]


def run(plan: Plan, response: Vm | None = None) -> tuple[Plan, list[Use]]:
    """The plan as it ends, and what the using plugin got."""
    plugins, plugin = registry(response)

    async def main() -> Plan:
        async with open_workstream(MemoryVault(), registry=plugins) as ws:
            return await ws.run(plan)

    return trio.run(main), plugin.got


EVERYTHING = late(Use)(
    host=VM.address,
    words=("a", VM.labels["rack"], text("{}:{}", VM.address, VM.port)),
    names=["b", VM.kind],
    env={"A": "1", "B": sure(VM.zone)},
    login=late(Login)(user="me", host=VM.address),
    ratio=VM.port,
    count=VM.disks[1].gigabytes,
    loud=VM.kind,
    anything=VM.anything[0],
    pin=VM.password,
    disk=VM.disks[-1],
)
WANTED = Use(
    host="10.0.0.7",
    words=("a", "r1", "10.0.0.7:22"),
    names=["b", "small"],
    env={"A": "1", "B": "z"},
    login=Login("me", "10.0.0.7"),
    ratio=22,
    count=7,
    loud="small",
    anything="x",
    pin="hunter2-hunter2",
    disk=Disk("/dev/b", 7),
)


def test_a_request_gets_the_responses_that_it_waits_for() -> None:
    """Arguments, items, values, nested objects, texts: all are filled (VF-2, VF-6)."""
    plan = plan_of(create(), use(EVERYTHING))

    assert faults(plan) == []
    ended, got = run(plan)
    assert ended.state.status is Status.COMPLETED
    assert got == [WANTED]
    assert isinstance(ended.blocks[0].sequences[0].actions[1].request, Late)


# -- Writing (VF-2 to VF-4) ----------------------------------------------------------------


def test_late_without_references_makes_the_class() -> None:
    """There is nothing to wait for (VF-3)."""
    assert late(Use)(host="a") == Use(host="a")
    assert type(late(Use)("a")) is Use


def test_what_has_no_reference_is_converted_and_validated_at_once() -> None:
    """Its author hears of it where it is written (VF-3)."""
    made: Any = late(Use)(host=VM.address, loud="hush")

    assert made.arguments["loud"] == "HUSH"
    with pytest.raises(ValueError, match="count is at most 10"):
        late(Use)(host=VM.address, count=11)


def test_late_takes_the_arguments_of_its_class() -> None:
    """An unknown or missing argument is refused as the class would (VF-2)."""
    with pytest.raises(TypeError, match=r"Login: missing a required argument: 'user'"):
        late(Login)(host=VM.address)  # type: ignore[call-arg]  # pyright: ignore
    with pytest.raises(TypeError, match="unexpected keyword argument 'hots'"):
        late(Login)(user="a", host="b", hots=VM.address)  # type: ignore[call-arg]  # pyright: ignore
    with pytest.raises(TypeError, match="takes the class of a request"):
        late(len)


def test_an_action_with_a_key_can_be_referred_to() -> None:
    """By the action itself, too (VF-2)."""
    assert repr(Create.response(create())) == repr(VM)
    with pytest.raises(ValueError, match="'x' has no key: give it one"):
        Create.response(Create.action(Size("a"), name="x"))
    with pytest.raises(TypeError, match="an action's key, or the action"):
        Create.response(3)  # type: ignore[arg-type]  # pyright: ignore


USES: dict[str, Callable[[Any], object]] = {
    "str": str,
    "f-string": lambda ref: f"{ref}",
    "percent": lambda ref: operator.mod("%s", ref),
    "bytes": bytes,
    "bool": bool,
    "not": operator.not_,
    "int": int,
    "float": float,
    "index": [1, 2].__getitem__,
    "equal": lambda ref: ref == "a",
    "unequal": lambda ref: ref != "a",
    "less": lambda ref: ref < "a",
    "hash": hash,
    "length": len,
    "loop": list,
    "in": lambda ref: "a" in ref,
    "call": lambda ref: ref.upper(),
    "add": lambda ref: ref + "a",
    "add to": lambda ref: "a" + ref,
    "times": lambda ref: 2 * ref,
    "negative": operator.neg,
    "path": lambda ref: __import__("os").fspath(ref),
    "floor": math.floor,
    "set a field": lambda ref: setattr(ref, "a", 1),
    "set an item": lambda ref: operator.setitem(ref, "a", 1),
    "with": contextlib.ExitStack().enter_context,
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "pickle": pickle.dumps,
    "a slice": lambda ref: ref[1:],
}


@pytest.mark.parametrize("name", USES)
def test_any_other_use_is_refused_with_words(name: str) -> None:
    """The error names the reference and says what to write (VF-4)."""
    with pytest.raises(TypeError, match=r'acme\.create "vm"\.address'):
        USES[name](VM.address)


def test_pythons_own_errors_name_the_class() -> None:
    """They show at least that it is a reference (VF-4)."""
    with pytest.raises(TypeError, match="ResponseReference"):
        ",".join([VM.address])
    with pytest.raises(TypeError, match="ResponseReference"):
        json.dumps(VM.address)


def test_a_reference_has_no_public_attribute_of_its_own() -> None:
    """A field of any name can be referred to (VF-4)."""
    own = [name for name in dir(ResponseReference) if not name.startswith("_")]

    assert own == []
    assert isinstance(VM, ResponseReference)


def test_a_text_knows_its_places() -> None:
    """Each ``{}`` is a part, and nothing else is (VF-2)."""
    assert text("{{{}}} {}", "a", 3) == "{a} 3"
    with pytest.raises(ValueError, match="2 parts for the 1 places"):
        text("{}", VM.address, "b")
    with pytest.raises(ValueError, match=r"knows {} alone, not {0!r:>3}"):
        text("{0!r:>3}", VM.address)
    with pytest.raises(TypeError, match="not float"):
        text("{}", 1.5)  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(TypeError, match=r"one text\(\)"):
        text("{}", text("{}", VM.address))


def test_sure_is_for_references() -> None:
    """A value is itself; None is a mistake (VF-2)."""
    assert sure("a") == "a"
    with pytest.raises(ValueError, match="got None"):
        sure(None)


def test_references_stand_in_lists_tuples_and_dicts_alone() -> None:
    """Other places are refused where they are written (VF-2)."""

    class Words(tuple[str, ...]):
        __slots__ = ()

    with pytest.raises(TypeError, match="stands in a Words"):
        late(Use)(words=Words((VM.address,)))
    with pytest.raises(TypeError, match="all of its keys must be texts"):
        late(Use)(env={1: VM.address})  # type: ignore[dict-item]  # pyright: ignore


def test_a_reference_outside_late_is_a_fault() -> None:
    """Also where the request's class asks nothing of the field (VF-4)."""
    plan = plan_of(
        create(), use(Use(host=VM.address)), use(late(Use)(VM.address), name="fine")
    )
    nested = plan_of(
        create(), use(late(Use)(host=VM.address, login=Login("a", VM.address)))
    )

    assert faults(plan) == [
        "p / b / s / use: request: holds a reference where a value must be: it was not "
        "made by late(); write late(Use)(...), and late() for each object inside that "
        "holds one [VF-4]"
    ]
    assert "[VF-4]" in faults(nested)[0]


# -- Paths ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), ""),
        (("a", "b"), "a.b"),
        (("a", Item(0), "b"), "a[0].b"),
        ((Item(-1), SURE, "b", SURE), "[-1]!.b!"),
        (("a", Item('x"].[\n')), 'a["x\\"].[\\n"]'),
    ],
    ids=str,
)
def test_paths_survive_their_text(path: Any, written: str) -> None:
    """What is stored is what an author would write (VF-7)."""
    assert path_text(path) == written
    assert path_of_text(written) == path


@pytest.mark.parametrize("written", [".a", "a b", "a[", "a[x]", "a..b", "[0]a"])
def test_what_is_no_path_is_refused(written: str) -> None:
    """It may come from JSON that a person wrote."""
    with pytest.raises(ValueError, match="is no path"):
        path_of_text(written)


# -- Order (VF-1) --------------------------------------------------------------------------


def wants(key: str) -> Use:
    return late(Use)(host=Create.response(key).address)


def big_plan(user: str, source: str) -> Plan:
    """A plan with an action at each place; one of them refers to another."""

    def action(place: str) -> Action:
        return (
            use(wants("source"), name=place)
            if place == user
            else Create.action(
                Size("a"), name=place, key="source" if place == source else None
            )
        )

    def sequence(name: str) -> Sequence:
        return Sequence(
            name=name,
            actions=[action(f"{name}a"), action(f"{name}b")],
            deferred_actions=DeferredActions(
                batches=[
                    DeferBatch(
                        name="x",
                        when=WhenDeferred.ALWAYS,
                        actions=[action(f"{name}x")],
                    )
                ]
            ),
        )

    return Plan(
        name="p",
        blocks=[
            Block(name="b1", sequences=[sequence("s1"), sequence("s2")]),
            Block(name="b2", sequences=[sequence("s3")]),
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(name="d1", when=WhenDeferred.ALWAYS, actions=[action("d1")]),
                DeferBatch(name="d2", when=WhenDeferred.ALWAYS, actions=[action("d2")]),
            ]
        ),
    )


@pytest.mark.parametrize(
    ("source", "user"),
    [
        ("s1a", "s1b"),
        ("s1a", "s1x"),
        ("s1b", "s3a"),
        ("s2x", "s3a"),
        ("s3b", "d1"),
        ("d1", "d2"),
    ],
)
def test_what_ends_before_can_be_referred_to(source: str, user: str) -> None:
    """Whatever a run always finishes first (VF-1)."""
    assert faults(big_plan(user, source)) == []


@pytest.mark.parametrize(
    ("source", "user", "how"),
    [
        ("s1b", "s1a", "runs after"),
        ("s1a", "s2a", "runs beside"),
        ("s1x", "s1b", "runs after"),
        ("s2a", "s1x", "runs beside"),
        ("s3a", "s1a", "runs after"),
        ("d1", "s1a", "runs after"),
        ("d2", "d1", "runs after"),
    ],
)
def test_what_need_not_end_before_cannot(source: str, user: str, how: str) -> None:
    """The fault names both paths (VF-1)."""
    (fault,) = faults(big_plan(user, source))

    assert f" / {source}', which {how} 'p / " in fault
    assert fault.endswith("or to a pre-check [VF-1]")


@pytest.mark.parametrize(
    ("group", "how"),
    [
        ("pre_checks", None),
        ("cont_checks", "is a continuous check"),
        ("bypass_checks", "is a bypass check"),
        ("post_checks", "runs after"),
    ],
)
@pytest.mark.parametrize("level", ["plan", "block"])
def test_pre_checks_can_be_referred_to(group: str, how: str | None, level: str) -> None:
    """Other groups say nothing certain to what comes after (VF-1)."""
    request = late(Use)(host=Look.response("look").address)
    plan = plan_of(use(request))
    owner: Any = plan if level == "plan" else plan.blocks[0]
    looks = Checks(actions=[Look.action(Size("a"), name="l", key="look")])
    setattr(owner, group, looks)

    found = faults(plan)

    assert (found == []) if how is None else (how in found[0])


def test_checks_between_batches_cannot_be_referred_to() -> None:
    """They are run again before each batch (VF-1)."""
    plan = plan_of(use(late(Use)(host=Look.response("look").address)))
    looks = Checks(actions=[Look.action(Size("a"), name="l", key="look")])
    plan.blocks[0].batch_checks = looks

    assert any("is a check between batches" in each for each in faults(plan))


def test_an_action_cannot_refer_to_itself() -> None:
    """Nor to what there is not (VF-1)."""
    action = Create.action(
        late(Size)(size=Create.response("me").address), name="me", key="me"
    )

    assert "'p / b / s / me', which is 'p / b / s / me'" in faults(plan_of(action))[0]


def test_two_actions_cannot_need_each_other() -> None:
    """A cycle has a reference to a later action, and that is the fault (VF-1)."""
    first, second = (
        Create.action(
            late(Size)(size=Create.response(other).address), name=name, key=name
        )
        for name, other in (("one", "two"), ("two", "one"))
    )

    (fault,) = faults(plan_of(first, second))

    assert "'p / b / s / two', which runs after 'p / b / s / one'" in fault


def test_unknown_keys_and_other_plugins_are_faults() -> None:
    """All of them at once, each with its place (VF-1, VF-5)."""
    request = late(Use)(
        host=Create.response("vms").address,
        words=["a", Look.response("vm").address],
        loud=Create.response("s").address,
    )
    plan = plan_of(create(), use(request))
    plan.blocks[0].sequences[0].key = "s"

    assert faults(plan) == [
        "p / b / s / use: request: host: nothing in the plan has the key 'vms'; did you "
        "mean 'vm'? [VF-1]",
        "p / b / s / use: request: words[1]: refers to a response of 'acme.look', but "
        "'p / b / s / create vm' calls 'acme.create' [VF-5]",
        "p / b / s / use: request: loud: nothing in the plan that is an action has the "
        "key 's' [VF-1]",
    ]


# -- Types (VF-5) --------------------------------------------------------------------------

ANY: Any = VM

WRONG: dict[str, tuple[Callable[[], Use], str]] = {
    "no such field": (
        lambda: late(Use)(host=ANY.adress),
        "the response is Vm, which has no field 'adress'; did you mean 'address'? (it "
        "has address, port, kind",
    ),
    "a property": (lambda: late(Use)(host=ANY.url), "has no field 'url'"),
    "another type": (
        lambda: late(Use)(host=ANY.port),
        'acme.create "vm".port is Port, but str is wanted',
    ),
    "another type in a list": (lambda: late(Use)(names=["a", ANY.port]), "names[1]: "),
    "another type, nested": (
        lambda: late(Use)(login=late(Login)("a", ANY.disks)),
        "login.host: ",
    ),
    "what may be None": (
        lambda: late(Use)(host=ANY.zone),
        "zone may be None, but str is wanted: write sure(...) around it",
    ),
    "behind what may be None": (
        lambda: late(Use)(host=ANY.root.path),
        "root may be None: write sure(...) around it, and go on from it",
    ),
    "no list": (lambda: late(Use)(host=ANY.address[0]), "which has no item 0"),
    "no mapping": (lambda: late(Use)(host=ANY.disks["a"]), "which has no item 'a'"),
    "a field of a text": (lambda: late(Use)(host=ANY.address.x), "has no fields"),
    "a secret in a text": (
        lambda: late(Use)(host=text("{}", ANY.password)),
        "is SECURE, so it may not stand in a text()",
    ),
    "no text in a text": (lambda: late(Use)(host=text("{}", ANY.disks)), "wanted"),
    "a text for a number": (
        lambda: late(Use)(ratio=text("{}", ANY.port)),  # type: ignore[arg-type]  # pyright: ignore
        "ratio: must be float, not a text()",
    ),
    "what the converter does not take": (
        lambda: late(Use)(loud=ANY.port),
        "is Port, but str is wanted",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_types_are_compared_at_submit(name: str) -> None:
    """The fault names place, reference and both types, or the fields (VF-5)."""
    make, message = WRONG[name]
    (fault,) = faults(plan_of(create(), use(make())))

    assert message in fault
    assert fault.startswith("p / b / s / use: request: ")
    assert fault.endswith(" [VF-5]")


def test_a_wrong_request_class_is_named() -> None:
    """V-23 holds for a request that waits (VF-5)."""
    action = Action(name="u", plugin="acme.use", request=late(Login)("a", VM.address))

    assert (
        "must be a Use, as 'acme.use' wants, not a late Login [V-23]"
        in (faults(plan_of(create(), action))[0])
    )


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (("disks", Item(0), "gigabytes"), int),
        (("labels", Item("a")), str),
        (("zone", SURE), str),
        (("root", SURE, "path"), str),
        (("anything", "what", Item(3)), Any),
    ],
    ids=str,
)
def test_the_type_of_a_part(path: Any, wanted: Any) -> None:
    """It is read off the response type (VF-5)."""
    assert type_at(Vm, Source("vm", "acme.create", path)) == (wanted, False)


def test_a_path_through_a_secure_field_is_secret() -> None:
    """Whatever is below (VF-6)."""
    assert type_at(Vm, Source("vm", "acme.create", ("password",))) == (str, True)


def test_what_was_any_is_asked_at_the_attempt() -> None:
    """A value of another type than declared is refused then (VF-5)."""
    assert value_misfits(3, str)
    assert not value_misfits("a", str | None)

    ended, got = run(plan_of(create(), use(late(Use)(host=VM.anything[1]))))
    assert ended.state.status is Status.FAILED
    assert got == []


# -- Failures (VF-6) -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_of", "message"),
    [
        (
            lambda: late(Use)(host=VM.disks[5].path),
            'host needs acme.create "vm".disks[5].path, but disks has no item 5',
        ),
        (
            lambda: late(Use)(host=VM.labels["x"]),
            "labels has no item 'x'",
        ),
        (lambda: late(Use)(host=sure(VM.root).path), "but root is None"),
        (
            lambda: late(Use)(host=VM.address, count=VM.port),
            "Use refuses its arguments (count is at most 10); it waits for late(Use)(",
        ),
        (
            lambda: late(Use)(host=VM.labels["bad"]),
            "Use was refused (ValueError); it waits for late(Use)(host=",
        ),
    ],
    ids=["no item", "no key", "none", "validator", "validate"],
)
def test_what_cannot_be_made_fails_without_a_call(
    request_of: Callable[[], Use], message: str
) -> None:
    """Permanently; the error names place and reference, never a value (VF-6)."""
    action = UseIt.action(request_of(), name="u", retries=3)
    response = Vm("10.0.0.7", labels={"bad": "forbidden"})
    ended, got = run(plan_of(create(), action), response)
    error = ended.blocks[0].sequences[0].actions[1].error

    assert got == []
    assert error is not None
    assert error.permanent
    assert message in str(error)
    assert "forbidden" not in str(error)
    assert len(ended.blocks[0].sequences[0].actions[1].attempts) == 1


def test_the_response_of_a_failed_action_is_not_used() -> None:
    """A failure that was tolerated is told by its name (VF-6)."""

    class Broken(Create):
        async def execute(self, context: Context, request: Size) -> Vm:
            message = "no room"
            raise PluginError(message, response=Vm("10.0.0.7"))

    plugin = UseIt()
    plan = plan_of(create())
    plan.blocks[0].tolerated_failures = 1
    second = Sequence(name="s2", actions=[use(late(Use)(host=VM.address))])
    plan.blocks.append(Block(name="b2", sequences=[second]))

    async def main() -> Plan:
        plugins = Registry([Broken(), plugin])
        async with open_workstream(MemoryVault(), registry=plugins) as ws:
            return await ws.run(plan)

    ended = trio.run(main)
    error = ended.blocks[1].sequences[0].actions[0].error
    assert "the action 'create vm' is failed, not completed" in str(error)
    assert plugin.got == []


def test_a_secure_value_is_a_secret_of_the_attempt() -> None:
    """It is hidden in what the plugin reports, and in no stored request (VF-6, A-17)."""
    plugins, plugin = registry()
    plan = plan_of(create(), use(late(Use)(words=["log in with", VM.password])))
    lines: list[str] = []

    async def main() -> None:
        async with open_workstream(MemoryVault(), registry=plugins) as ws:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            await ws.wait(plan_id)
            async for event in ws.watch(plan_id):
                lines.append(repr(event))

    trio.run(main)
    assert plugin.got[0].words == ("log in with", "hunter2-hunter2")
    assert "hunter2" not in "".join(lines)


# -- Stored and shown (VF-7) ---------------------------------------------------------------


def test_a_request_that_waits_survives_json_and_clone() -> None:
    """References stand beside the request, and come back the same (VF-7)."""
    plugins, _ = registry()
    plan = plan_of(create(), use(EVERYTHING))
    written = to_json(plan, with_secrets=True)
    back = from_json(written, plugins)

    assert back == plan == clone(plan)
    data = json.loads(written)["blocks"][0]["sequences"][0]["actions"][1]
    assert data["request"]["words"] == ["a", None, None]
    assert data["references"]['env["B"]'] == {
        "plugin": "acme.create",
        "key": "vm",
        "path": "zone!",
    }
    assert from_json(to_json(from_json(written, None)), plugins) is not None


def test_json_without_the_plugin_keeps_references() -> None:
    """What is not at hand is plain data; nothing is lost (VF-7)."""
    plugins, _ = registry()
    plan = plan_of(create(), use(EVERYTHING))
    once = from_json(to_json(plan, with_secrets=True), None)
    request = once.blocks[0].sequences[0].actions[1].request

    assert isinstance(request, StoredValue)
    assert from_json(to_json(once, with_secrets=True), None) == once
    assert "login.host" in request.references
    assert plugins is not None


def test_the_stored_definition_keeps_references() -> None:
    """With the plugin and without (VF-7)."""
    plugins, _ = registry()
    plan = plan_of(create(), use(EVERYTHING))
    values = Codec(plugins)._values  # pyright: ignore[reportPrivateUsage]
    from workstream._codec.typed.value_codec import Side, ValueCodec

    stored = values.checked("acme.use", Side.REQUEST, EVERYTHING)
    bare = ValueCodec(None)

    assert values.decode("acme.use", Side.REQUEST, stored) == EVERYTHING
    away = bare.decode("acme.use", Side.REQUEST, stored)
    assert list(bare.encode("acme.use", Side.REQUEST, away)) == [
        stored[0],
        tuple(tuple(path) for path in stored[1]),
        stored[2],
    ]
    assert plan is not None


BAD_REFERENCES: dict[str, tuple[Any, str]] = {
    "no object": (["argv"], "must be an object of places"),
    "no place": ({"hots": {"plugin": "a", "key": "k"}}, "has no place hots"),
    "no path": ({"a b": {"plugin": "a", "key": "k"}}, "'a b' is no path"),
    "no source": ({"host": {"plugin": "a"}}, 'an object with "plugin", "key"'),
    "two values": ({"loud": {"plugin": "a", "key": "k"}}, "loud must be null"),
    "no such item": ({"names[3]": {"plugin": "a", "key": "k"}}, "has no place [3]"),
    "no list": ({"host[0]": {"plugin": "a", "key": "k"}}, "host must be a list or"),
    "a text": ({"host": {"text": "{}", "parts": []}}, "does not fit its parts"),
}


@pytest.mark.parametrize("name", BAD_REFERENCES)
def test_json_with_bad_references_is_refused(name: str) -> None:
    """The fault names the place (VF-7)."""
    references, message = BAD_REFERENCES[name]
    plugins, _ = registry()
    data = json.loads(
        to_json(plan_of(create(), use(Use(names=["b"]))), with_secrets=True)
    )
    action = data["blocks"][0]["sequences"][0]["actions"][1]
    host = None if "host" in references else "a"
    action["request"] = {"host": host, "loud": "x", "names": ["b"]}
    action["references"] = references

    with pytest.raises(ValidationError) as caught:
        from_json(json.dumps(data), plugins)

    assert message in str(caught.value)


def test_json_with_references_beside_no_request_is_refused() -> None:
    """They would be lost (VF-7)."""
    data = json.loads(to_json(plan_of(create()), with_secrets=True))
    action = data["blocks"][0]["sequences"][0]["actions"][0]
    del action["request"]
    action["references"] = {"size": {"plugin": "a", "key": "k"}}

    with pytest.raises(ValidationError, match="references: stand beside no request"):
        from_json(json.dumps(data), None)


def test_a_secret_beside_a_reference_is_resolved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First the responses are filled in, then the secrets (VF-6, A-17)."""
    monkeypatch.setenv("FLOW_PIN", "hunter3")
    plan = plan_of(
        create(), use(late(Use)(host=VM.address, anything=SecretRef("env:FLOW_PIN")))
    )
    _, got = run(plan)

    assert got[0].host == "10.0.0.7"
    assert got[0].anything.reveal() == "hunter3"


def test_texts_and_differences_show_references() -> None:
    """A person reads where the value comes from (VF-7)."""
    plan = plan_of(create(), use(late(Use)(host=VM.address, pin="1234")))
    other = plan_of(create(), use(late(Use)(host=Create.response("x").address)))

    assert 'acme.use Use(host=<acme.create "vm".address>' in plan_text(plan)
    assert "1234" not in plan_text(plan)
    assert difference(plan, other)
    assert difference(plan, clone(plan)) is None or not difference(plan, clone(plan))


def test_scrubbing_keeps_references_and_hides_the_rest() -> None:
    """A reference to a secret is none (VF-7)."""
    shown = clone(
        plan_of(create(), use(late(Use)(host="a", words=["b"], pin=VM.password))),
        scrub=True,
    )
    request = shown.blocks[0].sequences[0].actions[1].request

    assert dict(places(request)).keys() == {"pin"}


def test_a_dry_run_tells_what_it_would_need() -> None:
    """It asks nothing of an action whose request is not there (VF-7)."""
    plugins, plugin = registry()
    plan = plan_of(create(), use(late(Use)(host=VM.address)))

    async def main() -> str:
        return str(await preview_plan(plan, registry=plugins))

    assert "use: cannot predict: needs the response of 'p / b / s / create vm'" in (
        trio.run(main)
    )
    assert plugin.got == []


# -- Retries (RT-4) ------------------------------------------------------------------------


def failed_plan(request: Use) -> Plan:
    """A plan whose machine was made, and whose next action failed."""
    ended, _ = run(plan_of(create(), use(request)), Vm("forbidden", password="hunter2"))
    assert ended.state.status is Status.FAILED
    return ended


def test_a_retry_has_the_values_of_what_it_leaves_out() -> None:
    """The machine is not made again, and its address is known (RT-4)."""
    address = VM.address
    request = late(Use)(host=address, words=["a", text("{}:{}", address, VM.port)])
    rest = remaining(failed_plan(request), from_="action")

    assert rest is not None
    (action,) = rest.blocks[0].sequences[0].actions
    assert action.request == Use(host="forbidden", words=("a", "forbidden:22"))
    assert faults(rest) == [
        "p / b / s / use: request: the host 'forbidden' is forbidden [V-19]"
    ]


def test_a_retry_stores_no_secret_value() -> None:
    """The sequence that responds is kept whole (RT-4)."""
    request = late(Use)(host=VM.address, pin=VM.password)
    rest = remaining(failed_plan(request), from_="action")

    assert rest is not None
    assert [each.name for each in rest.blocks[0].sequences[0].actions] == [
        "create vm",
        "use",
    ]
    assert faults(rest) == []
