"""Tests of the plugin base classes: what is read off a plugin's class."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import attrs
import pytest

from workstream._plan.plan import Action, CheckAction
from workstream._protocols.plugin import (
    NOT_DONE,
    ActionPlugin,
    BasePlugin,
    CheckPlugin,
    Context,
    NotDone,
    can_reconcile,
    describe,
    has_execute,
    request_types,
    response_types,
)
from workstream._values.annotations import type_text
from workstream._values.errors import RegistrationError
from workstream._values.state import OnInterrupt
from workstream.retries import FAST, SECONDS

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P")


@attrs.frozen
class Ask:
    text: str = ""


@attrs.frozen
class Tell:
    number: int = 0


@attrs.frozen
class Answer:
    text: str = ""


class Simple(ActionPlugin[Ask, Answer]):
    """An action plugin with a single type of request."""

    name = "acme.simple"


class Look(CheckPlugin[Ask, Answer]):
    """A check plugin."""

    name = "acme.look"


class Several(ActionPlugin[Ask | Tell, None]):
    """An action plugin with two types of request and no response."""

    name = "acme.several"


class Ahead(ActionPlugin["DefinedBelow", "Answer | None"]):
    """An action plugin whose types are given as strings."""

    name = "acme.ahead"


class Half(ActionPlugin[T, "Answer"], Generic[T]):
    """A base class that leaves the request open."""


class Swapped(ActionPlugin[R, T], Generic[T, R]):
    """A base class that names the open types in the other order."""


class Optional(Swapped["T | None", P], Generic[P, T]):
    """A base class of a base class, which wraps an open type."""


@attrs.frozen
class DefinedBelow:
    text: str = ""


@pytest.mark.parametrize(
    ("plugin", "request_type", "response_type"),
    [
        pytest.param(Simple, Ask, Answer, id="classes"),
        pytest.param(Look, Ask, Answer, id="a check plugin"),
        pytest.param(Several, Ask | Tell, types.NoneType, id="a union, and None"),
        pytest.param(Ahead, DefinedBelow, Answer | None, id="strings"),
    ],
)
def test_types_are_read_off_the_class(
    plugin: type[BasePlugin[object, object]],
    request_type: object,
    response_type: object,
) -> None:
    """A plugin's types are the type arguments of its base class (REG-1)."""
    assert request_type == plugin.request_type
    assert response_type == plugin.response_type
    # The second look goes another way than the first, which found them.
    assert request_type == plugin().request_type


def test_types_come_through_intermediate_base_classes() -> None:
    """A base class may leave types open, in any order; whoever closes them decides."""

    class Closed(Half[Ask]):
        pass

    class Other(Half[Tell]):
        pass

    class Turned(Swapped[Ask, Tell]):
        pass

    class Deep(Optional[Ask, Tell]):
        pass

    assert (Ask, Answer) == (Closed.request_type, Closed.response_type)
    assert (Tell, Answer) == (Other.request_type, Other.response_type)
    assert (Tell, Ask) == (Turned.request_type, Turned.response_type)
    assert (Ask, Tell | None) == (Deep.request_type, Deep.response_type)


def test_a_mixin_does_not_hide_the_types() -> None:
    """Base classes that have nothing to do with plugins are passed over."""

    class Mixin:
        pass

    class Mixed(Mixin, ActionPlugin[Ask, Answer]):
        pass

    assert (Ask, Answer) == (Mixed.request_type, Mixed.response_type)


def test_a_subclass_inherits_the_types() -> None:
    """A subclass of a finished plugin has its types, whichever is asked first."""

    class Child(Simple):
        name = "acme.child"

    class Generation(ActionPlugin[Tell, Answer]):
        pass

    class Later(Generation):
        pass

    assert Ask is Child.request_type
    assert Tell is Generation.request_type
    assert (Tell, Answer) == (Later.request_type, Later.response_type)


def test_a_class_may_say_its_types_itself() -> None:
    """A stand-in for other plugins may set the two attributes on class or instance."""

    class Fake(ActionPlugin[object, object]):
        request_type = Ask

    fake = Fake()
    fake.response_type = Answer

    assert Ask is fake.request_type
    assert Answer is fake.response_type
    assert object is Fake.response_type


def test_open_types_are_told_with_what_to_write() -> None:
    """Asking a class for a type it leaves open names the class, the type and the way."""
    with pytest.raises(AttributeError, match="Half does not say its request type"):
        _ = Half.request_type
    with pytest.raises(
        AttributeError, match=r"BasePlugin does not say its response type: write it in"
    ):
        _ = BasePlugin.response_type

    assert Answer is Half.response_type
    assert not hasattr(Half, "request_type")


def test_a_string_that_names_nothing_is_told_with_its_module() -> None:
    """A type that cannot be found is an error that says where it was looked for."""

    class Lost(ActionPlugin["Nowhere", Answer]):  # type: ignore[name-defined]  # pyright: ignore[reportUndefinedVariable]
        pass

    with pytest.raises(
        AttributeError, match=rf"Lost cannot be read .*'Nowhere'.* {__name__}"
    ):
        _ = Lost.request_type


def test_members_of_a_union_are_the_types_served() -> None:
    """A union of classes is a request type: each member is served (V-23)."""
    assert (Ask, Tell) == request_types(Several)
    assert (Ask,) == request_types(Simple())
    assert (types.NoneType,) == response_types(Several)
    assert (Answer, types.NoneType) == response_types(Ahead())


def test_action_makes_an_action_with_all_its_fields() -> None:
    """``action`` of an action plugin makes an Action that names the plugin (OM-9)."""
    expected = Action(
        name="Say it",
        description="loudly",
        key="say",
        plugin="acme.simple",
        request=Ask("hello"),
        timeout=5,
        retries=None,
        deadline=60,
        on_interrupt=OnInterrupt.FAIL,
    )

    made = Simple.action(
        Ask("hello"),
        name="Say it",
        description="loudly",
        key="say",
        timeout=5,
        retries=None,
        deadline=60,
        on_interrupt=OnInterrupt.FAIL,
    )

    assert expected == made
    assert Action is type(made)


def test_action_leaves_the_defaults_to_action() -> None:
    """Arguments that are not given have the defaults of Action and CheckAction."""
    assert Action(name="a", plugin="acme.simple", request=Ask()) == Simple.action(
        Ask(), name="a"
    )
    assert CheckAction(name="c", plugin="acme.look", request=Ask()) == Look.action(
        Ask(), name="c"
    )


def test_action_of_a_check_plugin_makes_a_check() -> None:
    """``action`` of a check plugin makes a CheckAction, with its fields (REG-8)."""
    expected = CheckAction(
        name="Up?",
        description="is it",
        key="up",
        plugin="acme.look",
        request=Ask("up"),
        timeout=1,
        retries=2,
        deadline=9,
    )

    made = Look.action(
        Ask("up"),
        name="Up?",
        description="is it",
        key="up",
        timeout=1,
        retries=2,
        deadline=9,
    )

    assert expected == made
    assert CheckAction is type(made)


def test_defaults_of_a_plugin() -> None:
    """A plugin waits by the fast policy and is run again after a crash (REG-9)."""
    plugin = Simple()

    assert FAST is plugin.retry
    assert OnInterrupt.RERUN is plugin.on_interrupt
    assert plugin.is_check is False
    assert Look().is_check is True
    assert plugin.validate(Ask()) is None  # type: ignore[func-returns-value]


def test_what_a_plugin_defines_can_be_asked() -> None:
    """Whether execute and reconcile are the plugin's own is seen, also when inherited."""

    class Whole(ActionPlugin[Ask, Answer]):
        name = "acme.whole"
        retry = SECONDS

        async def execute(self, context: Context, request: Ask, /) -> Answer:
            return Answer(request.text)

        async def reconcile(
            self, context: Context, request: Ask, /
        ) -> Answer | NotDone:
            return NOT_DONE

    class Heir(Whole):
        pass

    assert has_execute(Whole())
    assert has_execute(Heir())
    assert can_reconcile(Heir())
    assert not has_execute(Simple())
    assert not can_reconcile(Simple())
    assert not can_reconcile(Look())


def test_what_a_plugin_does_not_define_says_so() -> None:
    """The methods of the base classes answer without a loop: they await nothing."""
    with pytest.raises(RegistrationError, match=r"plugin 'acme.simple' \(Simple\)"):
        Simple().execute(None, Ask()).send(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(StopIteration) as stopped:
        Simple().reconcile(None, Ask()).send(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert NOT_DONE is stopped.value.value
    assert repr(NOT_DONE) == "NOT_DONE"


def test_a_plugin_is_described_by_name_and_class() -> None:
    """Messages name a plugin by both, and one without a name too."""

    class Nameless(ActionPlugin[Ask, Answer]):
        pass

    assert describe(Simple()) == "plugin 'acme.simple' (Simple)"
    assert describe(Nameless()) == "plugin None (Nameless)"


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (str, "str"),
        (None, "None"),
        (types.NoneType, "None"),
        (Ask | None, "Ask | None"),
        (dict[str, list[Ask]], "dict[str, list[Ask]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Callable[..., None], "Callable[..., None]"),
        ("Somewhere", "Somewhere"),
        (T, "T"),
    ],
)
def test_a_type_reads_as_it_is_written(wanted: object, text: str) -> None:
    """Types are shown as their authors write them, without modules."""
    assert text == type_text(wanted)


if sys.version_info >= (3, 12):  # before, `type` is no statement

    def test_a_named_alias_of_a_union_is_one() -> None:
        """A union that a ``type`` statement names is the union, inside of others too."""
        namespace: dict[str, Any] = {**globals()}
        exec(
            "type Either = Ask | Tell\n"
            "class Aliased(ActionPlugin[Either, Either | None]): pass\n",
            namespace,
        )

        assert request_types(namespace["Aliased"]) == (Ask, Tell)
        assert response_types(namespace["Aliased"]) == (Ask, Tell, types.NoneType)


def test_plugins_need_no_event_loop() -> None:
    """A plugin's module can be imported where trio cannot."""
    code = (
        "import sys; sys.modules['trio'] = None; import workstream._protocols.plugin;"
        "import workstream._registry.registry"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
