"""All that a plugin author imports: the two base classes and the context they get.

::

    class Copy(ActionPlugin[CopyRequest, CopyResponse]):
        \"\"\"Copy files to a host.\"\"\"

        name = "acme.copy"
        retry = retries.FAST

        async def execute(self, context: Context, request: CopyRequest) -> CopyResponse:
            ...

This module imports no event loop: a plugin awaits whatever loop its runtime has.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast
from uuid import UUID

import attrs

from .._flow.writing import reference_to
from .._plan.plan import DEFAULT_TIMEOUT, Action, BaseAction, CheckAction
from .._values.annotations import arguments_of, is_open, members, type_text
from .._values.errors import RegistrationError
from .._values.state import NoteValue, OnInterrupt
from ..retries import FAST, RetryPolicy
from .preview import Preview, PreviewContext

Request = TypeVar("Request")
Response = TypeVar("Response")


PLUGIN_API: int = 1
"""The version of what plugin packages rely on: the hooks, and all of this module.

It is raised only when a package that was right before would no longer be; what is
added does not raise it. A package says which one it was made for in the module that
its entry point names, as a plain number: ``workstream_plugin_api = 1``.
"""


class NotDone(enum.Enum):
    """The type of ``NOT_DONE``."""

    NOT_DONE = "not done"

    def __repr__(self) -> str:
        return "NOT_DONE"


NOT_DONE = NotDone.NOT_DONE
"""What ``reconcile`` answers when the interrupted attempt did not do the work (R-7)."""


@attrs.frozen(kw_only=True)
class Signal:
    """A signal, as the action that it was sent to gets it (SG-1).

    Attributes:
        value: What was sent.
        by: Who sent it (CT-4).
        at: When the plan took it.
        reason: What they said with it.
    """

    value: NoteValue
    by: str
    at: datetime
    reason: str = ""


class Context(Protocol):
    """The attempt that a plugin carries out, and its calls (REG-1, REG-11)."""

    @property
    def plan_id(self) -> UUID:
        """The plan's id."""
        ...

    @property
    def action_id(self) -> UUID:
        """The action's id."""
        ...

    @property
    def path(self) -> str:
        """The action's address in the plan, for messages (OM-15)."""
        ...

    @property
    def attempt(self) -> int:
        """Which attempt this is, counted from 1; interrupted ones count."""
        ...

    @property
    def deadline(self) -> datetime | None:
        """When the attempt will be cancelled; None: never."""
        ...

    @property
    def idempotency_key(self) -> str:
        """Tells this action from every other, over all of its attempts and crashes.

        Hand it to a service that can drop a request it has seen before.
        """
        ...

    @property
    def notes(self) -> Mapping[str, NoteValue]:
        """What this and earlier attempts of the action remembered; the newest wins."""
        ...

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        """Tell watchers about progress, or pass on a line of output (WA-3).

        It returns at once. Lines are kept apart from the plan: the first 100 and
        the last 1,000 of an action, each of at most 4 KiB.

        Args:
            message: One line of text; line breaks make several of it.
            done: How much is done, in any unit.
            total: How much there is to do, in the same unit.

        Raises:
            TypeError: ``done`` or ``total`` is no number.
        """
        ...

    async def remember(self, **notes: NoteValue) -> None:
        """Store small notes with the attempt; they are durable when it returns.

        ``reconcile`` and later attempts find them in ``notes``, after a crash too:
        remember what you would need to find the work again (a process id and its
        start time, a job's name) right after you have it.

        Args:
            notes: Plain values, each of at most 4 KiB.
        """
        ...

    async def signal(self, name: str) -> NoteValue:
        """The first value that was sent to this action by this name (SG-1).

        It waits until somebody sends one, under a hold too. A signal is kept: later
        attempts get the same, after a crash too. While it waits in a main phase, a stop
        cuts the attempt.

        Args:
            name: What the signal is called.
        """
        ...

    def signals(self, name: str) -> AsyncIterator[Signal]:
        """All that is sent to this action by this name, in order, from the first.

        It has no end: leave the loop when you have what you wait for. In a block's
        ``batch_checks`` a signal counts for one run: from the second run on, only those
        count that were sent since the latest batch began.
        """
        ...


_ARGUMENTS = "_type_arguments_found"
_ROLES = ("request", "response")


class TypeArgument:
    """A class attribute that is the n-th type argument of the generic root class.

    The root is the class whose body holds the attribute. Asking a class for an argument
    that was left open, or that cannot be found, raises ``AttributeError`` with a
    sentence for the plugin's author.
    """

    def __init__(self, index: int) -> None:
        self._index = index
        self._root: type | None = None
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._root = owner
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        assert self._root is not None
        found = vars(owner).get(_ARGUMENTS)
        if found is None:
            found = arguments_of(owner, self._root)
            # A subclass looks in its own namespace alone, so this is never inherited.
            setattr(owner, _ARGUMENTS, found)
        argument = found[self._index]
        if is_open(argument):
            role = _ROLES[self._index]
            message = (
                f"{owner.__qualname__} does not say its {role} type: write it in square"
                " brackets after the base class, as in"
                " `class Copy(ActionPlugin[CopyRequest, CopyResponse])`"
            )
            raise AttributeError(message)
        # An engine asks its plugins at every step: an instance answers by itself then.
        own: dict[str, Any] | None = getattr(instance, "__dict__", None)
        if own is not None:
            own[self._name] = argument
        return argument


class BasePlugin(Generic[Request, Response]):
    """What action and check plugins have in common (REG-1). Inherit from one of those.

    The request and response types are read off the class:
    ``ActionPlugin[CopyRequest, CopyResponse]``. A union of classes is a request
    type: the plugin then serves several kinds of request. A type may be given as a
    string when its class is defined further down in the module.

    Attributes:
        name: The plugin's name: dotted, its first part the name of the package's
            entry point (REG-10).
        retry: How long to wait before each further attempt (section 11).
        requires_programs: The programs it starts, by the names that are looked up in
            ``PATH``: ``workstream doctor`` tells which are not there.
        is_check: Whether it is a check plugin.
        request_type: The type of its requests, a class or a union of classes.
        response_type: The type of its responses; ``NoneType`` when it has none.
    """

    name: str
    retry: RetryPolicy = FAST
    requires_programs: tuple[str, ...] = ()
    is_check: ClassVar[bool]
    # Read when first asked for, as a string may name a class that does not exist yet
    # when the plugin's own class is made.
    request_type: Any = TypeArgument(0)
    response_type: Any = TypeArgument(1)

    @classmethod
    def response(cls, of: str | BaseAction) -> Response:
        """Refer to the response of an action of this plugin, while it is not there yet.

        Type checkers see the response. It is a ``ResponseReference``: take the part that
        you want from it, and hand that to ``late(SomeRequest)(...)`` (VF-2).

        Args:
            of: The action's key, or an action that has one.

        Raises:
            ValueError: The action has no key.
        """
        return cast("Response", reference_to(cls.name, of))

    async def execute(self, context: Context, request: Request, /) -> Response:
        """Carry out one attempt and return what it gave.

        Raise ``PluginError`` to say how it failed; any other exception is stored as
        one that may be retried (A-8). Be ready to be cancelled: that is how a timeout
        ends an attempt, and the engine waits until it has (A-5).
        """
        raise RegistrationError(_missing(self, "execute"))

    def validate(self, request: Request, /) -> None:
        """Refuse a request that can never work, when the plan is submitted (V-19).

        Raise ``ValueError`` (or ``PluginError``) with a sentence that says what to do.
        """

    async def init(self) -> None:
        """Make ready for use, once, when an engine opens (REG-6).

        An exception makes the plugin unusable, with that reason; all else works.
        """


class ActionPlugin(BasePlugin[Request, Response]):
    """A plugin that changes something.

    Attributes:
        on_interrupt: What a crash in the middle of an attempt means, unless the
            plan's author says otherwise on the action (REG-9, R-7).
    """

    is_check: ClassVar[bool] = False
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    async def reconcile(
        self, context: Context, request: Request, /
    ) -> Response | NotDone:
        """Find out what became of an interrupted attempt (R-7).

        Called instead of ``execute`` after a crash, where ``on_interrupt`` is
        RECONCILE; it may be called again. It begins nothing of its own: it answers
        with the response of the work that was done, or ``NOT_DONE``, or raises.
        """
        return NOT_DONE

    async def preview(self, context: PreviewContext, request: Request, /) -> Preview:
        """Say what ``execute`` would change, and change nothing (PV-5).

        Optional: of a plugin that does not define it, a dry run says that it cannot be
        predicted. It may be asked any number of times, beside other calls, and has the
        action's timeout. Raise ``PluginError`` where the action would fail as things are
        now: whether a step before it may change that, the engine knows.
        """
        return Preview(f"{self.name} has no preview", changes=None)

    @classmethod
    def action(
        cls,
        request: Request,
        *,
        name: str,
        description: str = "",
        key: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int | None = 0,
        deadline: float | None = None,
        on_interrupt: OnInterrupt | None = None,
    ) -> Action:
        """An Action that calls this plugin; the arguments are fields of ``Action``."""
        return Action(
            name=name,
            description=description,
            key=key,
            plugin=cls.name,
            request=request,
            timeout=timeout,
            retries=retries,
            deadline=deadline,
            on_interrupt=on_interrupt,
        )


class CheckPlugin(BasePlugin[Request, Response]):
    """A plugin that looks and changes nothing: it may run any number of times (REG-8).

    It passes by returning and fails by raising ``PluginError``.

    Attributes:
        safe_in_preview: Whether a dry run may run it (PV-3): whatever its request says,
            it only looks, and costs next to nothing. The plan's author may say otherwise
            on the action.
    """

    is_check: ClassVar[bool] = True
    safe_in_preview: bool = False

    @classmethod
    def action(
        cls,
        request: Request,
        *,
        name: str,
        description: str = "",
        key: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int | None = 0,
        deadline: float | None = None,
        safe_in_preview: bool | None = None,
    ) -> CheckAction:
        """A CheckAction that calls this plugin; the arguments are its fields."""
        return CheckAction(
            name=name,
            description=description,
            key=key,
            plugin=cls.name,
            request=request,
            timeout=timeout,
            retries=retries,
            deadline=deadline,
            safe_in_preview=safe_in_preview,
        )


AnyPlugin = ActionPlugin[Any, Any] | CheckPlugin[Any, Any]


def request_types(
    plugin: BasePlugin[Any, Any] | type[BasePlugin[Any, Any]],
) -> tuple[type, ...]:
    """The classes of request the plugin serves: one, or the members of its union (V-23)."""
    return members(plugin.request_type)


def response_types(
    plugin: BasePlugin[Any, Any] | type[BasePlugin[Any, Any]],
) -> tuple[type, ...]:
    """The classes a response may be of, exactly; ``NoneType`` stands for None (A-7)."""
    return members(plugin.response_type)


def can_reconcile(plugin: BasePlugin[Any, Any]) -> bool:
    """Whether the plugin says itself what became of an interrupted attempt (REG-9)."""
    return isinstance(plugin, ActionPlugin) and _defines(plugin, "reconcile")


def can_preview(plugin: BasePlugin[Any, Any]) -> bool:
    """Whether the plugin can say what an action would change (PV-5)."""
    return isinstance(plugin, ActionPlugin) and _defines(plugin, "preview")


def has_execute(plugin: BasePlugin[Any, Any]) -> bool:
    """Whether the plugin can be called at all."""
    return _defines(plugin, "execute")


def describe(plugin: BasePlugin[Any, Any]) -> str:
    """The plugin for messages: its name and its class."""
    name = getattr(plugin, "name", None)
    return f"plugin {name!r} ({type_text(type(plugin))})"


def _defines(plugin: BasePlugin[Any, Any], method: str) -> bool:
    ours = (vars(cls).get(method) for cls in (BasePlugin, ActionPlugin))
    return getattr(type(plugin), method) not in ours


def _missing(plugin: BasePlugin[Any, Any], method: str) -> str:
    return f"{describe(plugin)} does not define {method}()"


class Plugins(Protocol):
    """Where plugins are looked up: a ``Registry``, or what a test puts in its place."""

    def get(self, name: str, /) -> AnyPlugin | None:
        """The plugin of this name, or None (REG-3)."""
        ...
