"""Two plugins whose requests say what they do: ``case.act`` and ``case.check``.

They do what the script in their request says (see ``scripts``), call by call, and note
every call on a ``Stage``. They sleep through a ``Sleeper``, so that they run on trio or
on anything else that can drive a coroutine.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, Protocol, cast

import attrs

from workstream._flow.writing import late
from workstream._plan.plan import BaseAction
from workstream._protocols.approval import Approve
from workstream._protocols.plugin import (
    NOT_DONE,
    ActionPlugin,
    AnyPlugin,
    CheckPlugin,
    Context,
    NotDone,
)
from workstream._values.state import NoteValue, PluginError
from workstream.retries import RetryPolicy

from .scripts import Entry, parse_script

ACT = "case.act"
CHECK = "case.check"

WAITS = RetryPolicy(initial_interval=1, multiplier=2, randomization_factor=0)
"""1, 2, 4 ... seconds, at most 60, without jitter."""


@attrs.frozen(kw_only=True)
class ScriptedRequest:
    """Asks a fixture plugin to follow a script.

    Attributes:
        label: What its calls are noted as.
        script: One entry a call, separated by commas.
        reconcile: What ``reconcile`` does: ``done``, ``not_done``, ``boom`` or ``hang``.
        given: Which call of an action before it is needed by this one (VF-2).
    """

    label: str
    script: str = "ok"
    reconcile: str = "done"
    given: int | None = None


@attrs.frozen
class ScriptedResponse:
    """What a call returned: which call it was, of all of its action, counted from 1."""

    call: int


@attrs.frozen
class SubclassedResponse(ScriptedResponse):
    """A response that is almost of the right type (A-7)."""


@attrs.frozen
class WrongResponse:
    """A response of a type that the plugin does not promise (A-6)."""


class Sleeper(Protocol):
    """What the fixture plugins need of whatever drives them."""

    def time(self) -> float:
        """Seconds since the run began."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds; infinity: never."""
        ...

    async def linger(self, seconds: float, /) -> None:
        """As ``sleep``, but not cut short by a cancellation."""
        ...


@attrs.define(kw_only=True)
class Call:
    """One call of a fixture plugin.

    Attributes:
        label: The action's.
        started: When it was entered.
        ended: When it was left; None while it runs.
        attempt: What the context said of the attempt's number.
        notes: What the context said that earlier attempts remembered.
        of: The method that was called.
        cancelled: Whether it was cut short.
    """

    label: str
    started: float
    ended: float | None = None
    attempt: int = 1
    notes: dict[str, NoteValue] = attrs.Factory(dict[str, NoteValue])
    of: Literal["execute", "reconcile"] = "execute"
    cancelled: bool = False


class Stage:
    """Where the fixture plugins act, and what was seen there.

    Attributes:
        calls: Every call, in the order in which they were entered.
    """

    def __init__(
        self, sleeper: Sleeper, before: Mapping[str, int] | None = None
    ) -> None:
        """Make a stage.

        Args:
            sleeper: Lets the plugins sleep.
            before: How many calls each action's script has behind it, by label: where
                the world outlives a crash of the engine, scripts go on where they were.
        """
        self.calls: list[Call] = []
        self._sleeper = sleeper
        self._counts: Counter[str] = Counter(before)

    @property
    def trace(self) -> list[str]:
        """The labels of the calls of ``execute``, in their order."""
        return [call.label for call in self.executed()]

    def executed(self, label: str | None = None) -> list[Call]:
        """The calls of ``execute``, those of one action or all."""
        return [
            call
            for call in self.calls
            if call.of == "execute" and label in (None, call.label)
        ]

    async def execute(self, context: Context, request: ScriptedRequest) -> Any:
        """Do what the script says for this call."""
        self._counts[request.label] += 1
        number = self._counts[request.label]
        entry = parse_script(request.script).entry(number)
        call = self._enter(context, request, "execute")
        try:
            await self._take_time(entry)
            if entry.doing == "sig":
                await context.signal("go")
            return _act(entry, request.label, number)
        except BaseException as error:
            call.cancelled = not isinstance(error, Exception)
            raise
        finally:
            call.ended = self._sleeper.time()

    async def reconcile(
        self, context: Context, request: ScriptedRequest
    ) -> ScriptedResponse | NotDone:
        """Do what the request says of ``reconcile``."""
        call = self._enter(context, request, "reconcile")
        try:
            match request.reconcile:
                case "not_done":
                    return NOT_DONE
                case "boom":
                    raise RuntimeError(f"{request.label}: boom")  # noqa: EM102
                case "hang":
                    await self._sleeper.sleep(math.inf)
                case _:
                    pass
            return ScriptedResponse(self._counts[request.label])
        finally:
            call.ended = self._sleeper.time()

    async def _take_time(self, entry: Entry) -> None:
        await self._sleeper.sleep(entry.after)
        if entry.doing == "hang":
            try:
                await self._sleeper.sleep(math.inf)
            finally:
                await self._sleeper.linger(entry.linger)
        elif entry.doing in ("angry", "angrys"):
            try:
                await self._sleeper.sleep(math.inf)
            except BaseException as error:
                if isinstance(error, GeneratorExit):
                    raise
                own = RuntimeError("was cut short")
                if entry.doing == "angry":
                    raise own from None
                message = "both at once"
                raise BaseExceptionGroup(message, [error, own]) from None

    def _enter(
        self,
        context: Context,
        request: ScriptedRequest,
        of: Literal["execute", "reconcile"],
    ) -> Call:
        call = Call(
            label=request.label,
            started=self._sleeper.time(),
            attempt=context.attempt,
            notes=dict(context.notes),
            of=of,
        )
        self.calls.append(call)
        return call


def _act(entry: Entry, label: str, number: int) -> object:
    response = ScriptedResponse(number)
    text = f"{label}: {entry.doing} at call {number}"
    match entry.doing:
        case "ok" | "sig":
            return response
        case "sub":
            return SubclassedResponse(number)
        case "bad":
            return WrongResponse()
        case "none":
            return None
        case "boom":
            raise RuntimeError(text)
        case "exit":
            raise SystemExit(3)
        case "foreign":
            raise asyncio.CancelledError(text)
        case "group" | "perms" | "exits":
            raise _group(entry.doing, text)
        case "both":
            raise PluginError(text, code=1, response=response)
        case "badboth":
            raise PluginError(text, code=1, response=WrongResponse())
        case _:
            raise PluginError(text, code=1, permanent=entry.doing == "perm")


def _group(doing: str, text: str) -> BaseExceptionGroup[BaseException]:
    other = PluginError(f"{text}, too", code=1, permanent=doing == "perms")
    if doing != "exits":
        return BaseExceptionGroup(text, [RuntimeError(text), other])
    inner = BaseExceptionGroup[BaseException](text, [SystemExit(3)])
    return BaseExceptionGroup(text, [inner, other])


class ScriptedAction(ActionPlugin[ScriptedRequest, ScriptedResponse]):
    """Follows the script of its request."""

    name = ACT
    retry = WAITS

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def execute(
        self, context: Context, request: ScriptedRequest, /
    ) -> ScriptedResponse:
        """Do what the script says for this call."""
        answer = await self._stage.execute(context, request)
        # Some entries return what they should not: that is what they are for.
        return cast("ScriptedResponse", answer)

    async def reconcile(
        self, context: Context, request: ScriptedRequest, /
    ) -> ScriptedResponse | NotDone:
        """Do what the request says of ``reconcile``."""
        return await self._stage.reconcile(context, request)

    def validate(self, request: ScriptedRequest, /) -> None:
        """Refuse a script that cannot be read."""
        parse_script(request.script)


class ScriptedCheck(CheckPlugin[ScriptedRequest, ScriptedResponse]):
    """Follows the script of its request, as a check."""

    name = CHECK
    retry = WAITS

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def execute(
        self, context: Context, request: ScriptedRequest, /
    ) -> ScriptedResponse:
        """Do what the script says for this call."""
        answer = await self._stage.execute(context, request)
        return cast("ScriptedResponse", answer)

    def validate(self, request: ScriptedRequest, /) -> None:
        """Refuse a script that cannot be read."""
        parse_script(request.script)


def scripted(label: str, script: str, reconcile: str, source: BaseAction | None) -> Any:
    """A request of a fixture plugin; with a source, it needs that action's response."""
    if source is None:
        return ScriptedRequest(label=label, script=script, reconcile=reconcile)
    source.key = source.name
    plugin = ScriptedCheck if source.plugin == CHECK else ScriptedAction
    return late(ScriptedRequest)(
        label=label,
        script=script,
        reconcile=reconcile,
        given=plugin.response(source.name).call,
    )


def scripted_plugins(stage: Stage) -> tuple[AnyPlugin, ...]:
    """Both plugins, acting on this stage, and approvals."""
    return ScriptedAction(stage), ScriptedCheck(stage), Approve()
