"""Tests of the registry: what may be registered, and how plugins are found in it."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Generic, TypeVar

import attrs
import pytest

from workstream._protocols.plugin import (
    NOT_DONE,
    ActionPlugin,
    AnyPlugin,
    BasePlugin,
    CheckPlugin,
    Context,
    NotDone,
)
from workstream._registry.registry import Registry
from workstream._secrets.references import IGNORE, SECURE, SecretRef
from workstream._values.errors import RegistrationError
from workstream._values.state import OnInterrupt
from workstream.retries import RetryPolicy

T = TypeVar("T")
R = TypeVar("R")


@attrs.frozen
class Ask:
    text: str = ""


@attrs.frozen
class Tell:
    number: int = 0


@dataclasses.dataclass(frozen=True)
class Answer:
    text: str = ""


class Silent(ActionPlugin[T, R], Generic[T, R]):
    """A plugin whose execute is there; subclasses say its types."""

    name = "acme.silent"

    async def execute(self, context: Context, request: T, /) -> R:
        raise NotImplementedError


class Good(Silent[Ask, Answer]):
    name = "acme.good"


class Other(Silent[Ask | Tell, Answer | str | None]):
    name = "acme.other"


class Look(CheckPlugin[Ask, None]):
    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        raise NotImplementedError


def refusal(plugin: object) -> str:
    """What is said of a plugin that cannot be registered, by an unchanged registry."""
    registry = Registry([Good()])
    with pytest.raises(RegistrationError) as refused:
        registry.register(plugin)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert registry.names == ("acme.good",)
    return str(refused.value)


def test_registered_plugins_are_found_by_name() -> None:
    """A registry finds its plugins by name, and answers None for others (REG-3)."""
    good, look = Good(), Look()
    registry = Registry([good])
    registry.register(look)

    assert registry.get("acme.good") is good
    assert registry.get("acme.look") is look
    assert registry.get("acme.unknown") is None
    assert registry.names == ("acme.good", "acme.look")
    assert list(registry) == [good, look]
    assert len(registry) == 2
    assert "acme.look" in registry
    assert "acme.unknown" not in registry
    assert repr(registry) == "<Registry of acme.good, acme.look>"


def test_registries_stand_side_by_side() -> None:
    """Several registries hold plugins of one name, each its own (REG-3)."""
    first, second = Good(), Good()

    assert Registry([first]).get("acme.good") is first
    assert Registry([second]).get("acme.good") is second
    assert Registry().get("acme.good") is None


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        pytest.param(None, "None is not a plugin: give an instance", id="None"),
        pytest.param(Good, "Good is a class, not a plugin: give an instance, Good", id="a class"),
        pytest.param(Ask, "the class Ask is not a plugin", id="a class of something else"),
        pytest.param("acme.good", "an object of type str is not a plugin", id="a text"),
    ],
)  # fmt: skip
def test_what_is_no_plugin_is_refused(plugin: object, said: str) -> None:
    """Only instances of action and check plugins are registered (REG-2, X-66)."""
    assert said in refusal(plugin)


def test_a_plugin_of_neither_kind_is_refused() -> None:
    """A plugin must be an action or a check: the common base is not enough (REG-1)."""

    class Neither(BasePlugin[Ask, Answer]):
        name = "acme.neither"

    assert "derived from ActionPlugin or CheckPlugin" in refusal(Neither())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "it has no name"),
        (" \t", "it has no name"),
        (7, "it has no name"),
        ("good", "its name 'good' is not dotted"),
        ("acme.", "is not dotted"),
        (".good", "is not dotted"),
        ("acme..good", "is not dotted"),
        ("acme.go od", "is not dotted"),
        ("acme.good\n", "is not dotted"),
        ("acme.gööd", "is not dotted"),
    ],
)
def test_a_name_must_be_dotted(name: Any, said: str) -> None:
    """A blank name, or one that is not dotted, is refused (REG-2, REG-10, X-66)."""

    class Named(Silent[Ask, Answer]):
        pass

    plugin = Named()
    plugin.name = name

    assert said in refusal(plugin)


def test_a_plugin_without_a_name_is_refused() -> None:
    """A class that was given no name at all is told how to give one (REG-2)."""

    class Nameless(ActionPlugin[Ask, Answer]):
        async def execute(self, context: Context, request: Ask, /) -> Answer:
            raise NotImplementedError

    said = refusal(Nameless())

    assert "plugin None (Nameless) cannot be registered:" in said
    assert "`name = 'acme.copy'`" in said


def test_a_registered_name_is_taken() -> None:
    """A name that a plugin of the registry has is refused to others (REG-2, X-66)."""

    class Imitation(Good):
        pass

    said = refusal(Imitation())

    assert "plugin 'acme.good' (Imitation) cannot be registered" in said
    assert "plugin 'acme.good' (Good) is already registered by this name" in said


def test_a_plugin_is_registered_once() -> None:
    """The same plugin again is refused too (REG-2)."""
    good = Good()
    registry = Registry([good])

    with pytest.raises(RegistrationError, match="it is already registered"):
        registry.register(good)


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        (RetryPolicy(initial_interval=1, multiplier=1), "multiplier must be greater"),
        (RetryPolicy(initial_interval=0), "initial_interval must be greater than 0"),
        (3, "its retry is 3: give a RetryPolicy"),
    ],
)
def test_an_invalid_retry_policy_is_refused(retry: Any, said: str) -> None:
    """A plugin's retry policy must be valid by RP-2 (REG-2, X-66)."""
    plugin = Other()
    plugin.retry = retry

    assert said in refusal(plugin)


def test_execute_is_needed() -> None:
    """A plugin that cannot be called is refused (REG-1)."""

    class Idle(ActionPlugin[Ask, Answer]):
        name = "acme.idle"

    assert "does not define `async def execute(self, context, request)`" in refusal(
        Idle()
    )


def test_what_is_awaited_must_be_a_coroutine() -> None:
    """An ordinary execute, reconcile or init is told before it is awaited (REG-1)."""

    class Plain(ActionPlugin[Ask, Answer]):
        name = "acme.plain"

        def execute(self, context: Context, request: Ask, /) -> Answer:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            raise NotImplementedError

        def reconcile(self, context: Context, request: Ask, /) -> Answer:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            raise NotImplementedError

        def init(self) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            raise NotImplementedError

    said = refusal(Plain())

    assert "its execute is not a coroutine: write `async def execute`" in said
    assert "its reconcile is not a coroutine" in said
    assert "its init is not a coroutine" in said


def test_reconcile_is_needed_where_it_is_promised() -> None:
    """RECONCILE without a reconcile of the plugin's own is refused (REG-9)."""

    class Promises(Silent[Ask, Answer]):
        name = "acme.promises"
        on_interrupt = OnInterrupt.RECONCILE

    class Keeps(Promises):
        name = "acme.keeps"

        async def reconcile(
            self, context: Context, request: Ask, /
        ) -> Answer | NotDone:
            return NOT_DONE

    assert "does not define `async def reconcile(self, " in refusal(Promises())
    assert Registry([Keeps()]).names == ("acme.keeps",)


def test_on_interrupt_must_be_one_of_three() -> None:
    """Anything but RERUN, FAIL and RECONCILE is refused (REG-9)."""
    plugin = Other()
    plugin.on_interrupt = "fail"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]

    assert "its on_interrupt is 'fail': give OnInterrupt.RERUN" in refusal(plugin)


@pytest.mark.parametrize("programs", ["git", ["git"], ("git", ""), ("git", 7), None])
def test_required_programs_are_a_tuple_of_names(programs: Any) -> None:
    """A text alone would be taken for a program a letter."""
    plugin = Other()
    plugin.requires_programs = programs

    assert "give a tuple of the names of programs" in refusal(plugin)

    plugin.requires_programs = ("git", "ssh")
    assert "acme.other" in Registry([plugin])


def test_the_types_are_needed() -> None:
    """A plugin that leaves its types open is refused, with what to write (REG-1)."""

    class Open(Silent[T, R]):
        name = "acme.open"

    said = refusal(Open[Any, Any]())

    assert "Open does not say its request type: write it in square brackets" in said
    assert "Open does not say its response type" in said


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (int, "int"),
        (Any, "Any"),
        (object, "object"),
        (list[Ask], r"list[Ask]"),
        (dict[str, int], "dict[str, int]"),
        (Colour, "Colour"),
        (Ask | list[Ask], "list[Ask], a member of its request type Ask | list[Ask]"),
    ],
)
def test_requests_have_fields(wanted: Any, text: str) -> None:
    """A request is of a class with fields: an attrs class or a dataclass (REG-2)."""
    plugin = Other()
    plugin.request_type = wanted

    said = refusal(plugin)

    assert text in said
    assert "cannot be stored: give an attrs class or a dataclass or None" in said


@pytest.mark.parametrize("wanted", [Ask, Answer, Ask | Answer, type(None)])
def test_requests_of_classes_with_fields_and_none_are_taken(wanted: Any) -> None:
    """attrs classes, dataclasses, unions of them, and None are request types."""
    plugin = Other()
    plugin.request_type = wanted

    assert Registry([plugin]).names == ("acme.other",)


@pytest.mark.parametrize(
    "wanted", [Ask, Answer, str, bytes, int, float, bool, type(None), Ask | int | None]
)
def test_responses_may_be_plain(wanted: Any) -> None:
    """Plain values and None are response types too, and unions with them."""
    plugin = Other()
    plugin.response_type = wanted

    assert Registry([plugin]).names == ("acme.other",)


@pytest.mark.parametrize("wanted", [list[str], Colour, Any])
def test_other_responses_are_refused(wanted: Any) -> None:
    """What could not be told exactly, or not be stored, is no response type (A-7)."""
    plugin = Other()
    plugin.response_type = wanted

    assert "or a dataclass, str, bytes, int, float, bool or None" in refusal(plugin)


def test_members_of_a_union_have_names_of_their_own() -> None:
    """Two members of one name could not be told apart in a stored plan (STO-7)."""
    double = attrs.make_class("Ask", ["text"])
    plugin = Other()
    plugin.request_type = Ask | double

    assert "two members of its request type are called Ask: rename" in refusal(plugin)


class Nest:
    """Holds a class of a name that another has too."""

    @attrs.frozen
    class Ask:
        text: str = ""


def test_nested_classes_of_one_name_are_no_union() -> None:
    """What counts is the class's own name, not what it is nested in (STO-7)."""
    plugin = Other()
    plugin.request_type = Ask | Nest.Ask

    assert "two members of its request type are called Ask" in refusal(plugin)


def test_the_types_of_fields_must_be_readable() -> None:
    """A field whose type names nothing is found here, not when a plan is read."""

    @attrs.frozen
    class Lost:
        place: Nowhere  # type: ignore[name-defined]  # pyright: ignore  # noqa: F821

    plugin = Other()
    plugin.request_type = Lost

    said = refusal(plugin)

    assert "the types of the fields of its request type Lost cannot be read" in said
    assert "NameError: name 'Nowhere' is not defined" in said
    assert __name__ in said


@attrs.frozen
class Inner:
    api_key: str = ""


@attrs.frozen
class Direct:
    api_key: str = ""


@attrs.frozen
class InList:
    inners: list[Inner] = attrs.Factory(list[Inner])


@attrs.frozen
class MaybeInner:
    inner: Inner | None = None


@attrs.frozen
class Marked:
    api_key: str = attrs.field(default="", metadata=SECURE)
    sort_key: str = attrs.field(default="", metadata=IGNORE)
    token: SecretRef | None = None
    inner: Inner | None = attrs.field(default=None, metadata=SECURE)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (Direct, "Direct.api_key"),
        (InList, "InList.inners.api_key"),
        (MaybeInner, "MaybeInner.inner.api_key"),
        (Ask | Direct, "Direct.api_key"),
    ],
)
@pytest.mark.parametrize("role", ["request", "response"])
def test_unmarked_secrets_are_refused(wanted: Any, path: str, role: str) -> None:
    """A field that sounds like a secret needs a mark, however deep (X-66).

    The error names its path: REG-2, REG-4, REG-5.
    """
    plugin = Other()
    setattr(plugin, f"{role}_type", wanted)

    said = refusal(plugin)

    assert f"the field {path} of its {role} type sounds like a secret" in said
    assert "metadata=SECURE" in said


def test_marked_secrets_are_accepted() -> None:
    """Marked fields, and references, are fine (REG-4, X-66)."""
    plugin = Other()
    plugin.request_type = Marked
    plugin.response_type = Marked

    assert Registry([plugin]).names == ("acme.other",)


class Hopeless(ActionPlugin[Direct, "list[str]"]):
    name = "hopeless"
    retry = RetryPolicy(initial_interval=-1, multiplier=0.5)
    on_interrupt = OnInterrupt.RECONCILE


def test_all_faults_are_told_at_once() -> None:
    """One refusal lists everything that is wrong with the plugin (REG-2)."""
    heading, *faults = refusal(Hopeless()).splitlines()

    assert heading == "plugin 'hopeless' (Hopeless) cannot be registered:"
    assert [fault[fault.rindex("[") :] for fault in faults] == [
        "[REG-10]",
        "[REG-1]",
        "[RP-2]",
        "[RP-2]",
        "[REG-9]",
        "[REG-4]",
        "[REG-2]",
    ]


def test_the_faults_of_all_plugins_are_told_at_once() -> None:
    """A registry that is made of several plugins tells the faults of each (REG-2)."""
    with pytest.raises(RegistrationError) as refused:
        Registry([Hopeless(), Good(), Good()])

    assert "'hopeless'" in str(refused.value)
    assert "'acme.good' (Good) is already registered" in str(refused.value)


def test_a_frozen_registry_takes_no_more() -> None:
    """Once an engine uses a registry, register raises (REG-7)."""
    registry = Registry([Good()])
    assert not registry.frozen
    registry.freeze()
    registry.freeze()

    with pytest.raises(RegistrationError, match=r"'acme.look' .* comes too late"):
        registry.register(Look())

    assert registry.frozen
    assert registry.names == ("acme.good",)


def test_a_plugin_can_be_marked_unusable() -> None:
    """An unusable plugin keeps its reason, and is found for reading (REG-6, X-82)."""
    good = Good()
    registry = Registry([good, Look()])
    registry.freeze()

    registry.mark_unusable("acme.good", "its init failed: no network")

    assert dict(registry.unusable) == {"acme.good": "its init failed: no network"}
    assert registry.unusable.get("acme.look") is None
    assert registry.get("acme.good") is good


def test_a_plugin_given_by_hand_stands_in_for_one_left_out() -> None:
    """Registering a name that is unusable for want of a plugin makes it usable."""
    registry = Registry()
    registry.mark_unusable("acme.good", "two packages bring it")

    registry.register(Good())

    assert dict(registry.unusable) == {}


def named(*names: str) -> list[AnyPlugin]:
    """Plugins of these names."""
    plugins: list[AnyPlugin] = []
    for name in names:
        plugin = Good()
        plugin.name = name
        plugins.append(plugin)
    return plugins


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("acme.cpoy", ["acme.copy"]),
        ("ACME.COPY", ["acme.copy"]),
        ("ssh.coppy", ["ssh.copy"]),
        ("ssh.x", ["ssh.copy"]),
        ("acme.zzzzzzzzzzzz", ["acme.copy", "acme.restart"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_nearest_names_are_found(name: str, nearest: list[str]) -> None:
    """A mistyped name finds names spelt alike, or else those of its package."""
    registry = Registry(named("acme.copy", "acme.restart", "ssh.copy"))

    assert registry.nearest(name) == nearest


def test_resolvers_are_those_of_the_core_unless_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A registry resolves ``env:``, ``file:``, ``keyring:``; one with its own, only those."""
    monkeypatch.setenv("A_TOKEN", "s3cret")

    def shout(location: str) -> str:
        return location.upper()

    assert Registry().resolvers["env"]("A_TOKEN") == "s3cret"
    assert sorted(Registry().resolvers) == ["env", "file", "keyring"]
    assert dict(Registry(resolvers={"shout": shout}).resolvers) == {"shout": shout}
    assert dict(Registry(resolvers={}).resolvers) == {}
