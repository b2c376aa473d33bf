"""Fakes: plugins that do what a test says.

::

    deploy = (
        FakePlugin(Copy)
        .when(host="web-3", fails="disk full", permanent=True)
        .when(host="web-4", attempt=1, hangs=True)
        .otherwise(takes=60, gives=CopyResponse(bytes_sent=1))
    )

A fake has the name of the plugin that it stands for, and takes and gives what that one
does. It works inside ``simulate``, and in a ``Registry`` of an engine on trio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self, TypeVar, cast, overload
from uuid import UUID

from workstream._protocols.plugin import (
    NOT_DONE,
    ActionPlugin,
    BasePlugin,
    CheckPlugin,
    Context,
    NotDone,
    can_reconcile,
)
from workstream._values.display import shorten
from workstream._values.state import OnInterrupt

from ..problems import says_all
from ..simulation.history import Call
from ..virtual.waiting import time
from .fake_calls import Noted
from .fake_scripts import (
    UNSET,
    Act,
    Attempts,
    Fields,
    Function,
    Line,
    Unset,
    field_faults,
    made_by_default,
)
from .originals import made_original, original_of
from .plain_calls import PlainCall, PlainWay, call_of, plain_way
from .scripts import Script

__tracebackhide__ = says_all

_ACTION: Any = ActionPlugin  # whose methods are looked at, whatever their types are

Request = TypeVar("Request")
Response = TypeVar("Response")


class FakePlugin(BasePlugin[Request, Response]):
    """Stands in for a plugin: it does what a script says, and notes its calls.

    What is made is a ``FakeAction`` or a ``FakeCheck``, after the plugin's kind. Without
    a script every call succeeds at once, if a response can be made without arguments.

    A script is made of lines. A call that fits one does what it says; a call that fits
    two is an error, and so is a line that no call fits; what fits none does what
    ``otherwise`` says.

    Attributes:
        told_truth: Whether the engine called ``reconcile`` without a script for it. The
            fake then answered as a plugin that can always tell.
    """

    is_check: ClassVar[bool] = False

    @overload
    def __new__(
        cls,
        plugin: type[ActionPlugin[Request, Response]] | ActionPlugin[Request, Response],
        *,
        strict: bool = True,
    ) -> FakeAction[Request, Response]: ...

    @overload
    def __new__(
        cls,
        plugin: type[CheckPlugin[Request, Response]] | CheckPlugin[Request, Response],
        *,
        strict: bool = True,
    ) -> FakeCheck[Request, Response]: ...

    @overload
    def __new__(cls, plugin: str, *, strict: bool = True) -> FakeAction[Any, Any]: ...

    # Not __init__: type checkers would take what that makes for what is made here.
    def __new__(cls, plugin: Any, *, strict: bool = True) -> Any:
        """Make a fake, of the plugin's kind.

        Args:
            plugin: What it stands for: a plugin's class, a plugin, or the name of one
                that is installed. Another fake: its script says what this one leaves
                open.
            strict: Whether a line that no call fits is an error.

        Raises:
            TypeError: It is no plugin.
            ScriptError: No plugin of that name is installed.
        """
        original = original_of(plugin)
        real: Any = original if isinstance(original, type) else type(original)
        kind: Any = FakeAction
        if issubclass(real, CheckPlugin):
            kind = FakeCheck
        elif real.reconcile is not _ACTION.reconcile:
            kind = _ReconcilingFakeAction
        fake = object.__new__(kind)
        fake._stand_for(original, strict)
        return fake

    def _stand_for(self, original: Any, strict: bool) -> None:
        self.name = original.name
        self.retry = original.retry
        self.request_type = original.request_type
        self.response_type = original.response_type
        self._original: Any = original
        self._default = made_by_default(self)
        base: Script | None = getattr(original, "_script", None)
        self._script = Script(self.name, self._default, strict, base)
        # Whether it will ever be asked what it has done.
        again = self._script.after_crash("again")
        self._remembers = can_reconcile(self) or again is not None
        self.reset()

    # --- the script ---------------------------------------------------------------

    def when(
        self,
        *,
        request: Fields | None = None,
        path: str | None = None,
        attempt: Attempts | None = None,
        gives: Response | Unset = UNSET,
        returns: object = UNSET,
        fails: str | None = None,
        permanent: bool = False,
        code: int = 0,
        takes: float = 0.0,
        hangs: bool = False,
        ignores_cancellation: float = 0.0,
        raises: BaseException | type[BaseException] | None = None,
        does: Function | None = None,
        **fields: object,
    ) -> Self:
        """Say what some calls do. The first three arguments and ``fields`` say which.

        Args:
            request: Fields of the request, as ``fields``, where their names are taken;
                or a function that is given the request and tells whether it is meant.
            path: The action's path in the plan, or the end of it.
            attempt: The number of the attempt, counted from 1, or several.
            gives: The response; by default one made without arguments. Beside
                ``fails``, what the plugin got all the same (A-3).
            returns: Anything: to test what a wrong answer leads to (A-6, A-7).
            fails: The text of the error that it fails with.
            permanent: Whether trying again is of no use (A-9).
            code: The error's code.
            takes: For how many seconds it runs.
            hangs: Whether it runs until it is cancelled.
            ignores_cancellation: For how many seconds it goes on after it was
                cancelled (A-5); what would have ended by then, ends.
            raises: An exception that it raises (A-8).
            does: A function, async or not, that is called with the context and the
                request and does as a plugin would.
            fields: Fields of the request: what they equal, or a function of the
                field's value that tells whether it is meant.

        Returns:
            The fake.

        Raises:
            ScriptError: The arguments make no sense together, or the request has no
                such field.
        """
        act = Act(
            gives=gives,
            returns=returns,
            fails=fails,
            permanent=permanent,
            code=code,
            takes=takes,
            hangs=hangs,
            ignores_cancellation=ignores_cancellation,
            raises=raises,
            does=does,
        )
        asked = {"request": request, "path": path, "attempt": attempt}
        told = {name: value for name, value in asked.items() if value is not None}
        shown = {**fields, **told}
        text = f"when({', '.join(f'{n}={_shown(v)}' for n, v in shown.items())})"
        named = dict(fields)
        if request is not None and not callable(request):
            named.update(request)
            request = None
        faults = field_faults(self, named)
        if not shown:
            faults.append("it says of no call what it does: write otherwise(...)")
        self._accept(text, act, faults)
        line = Line(
            text=text,
            fields=tuple(named.items()),
            request=request,
            path=path,
            attempt=attempt,
            act=act,
        )
        self._script.lines.append(line)
        return self

    def otherwise(
        self,
        *,
        gives: Response | Unset = UNSET,
        returns: object = UNSET,
        fails: str | None = None,
        permanent: bool = False,
        code: int = 0,
        takes: float = 0.0,
        hangs: bool = False,
        ignores_cancellation: float = 0.0,
        raises: BaseException | type[BaseException] | None = None,
        does: Function | None = None,
    ) -> Self:
        """Say what all other calls do; the arguments are those of ``when``.

        Raises:
            ScriptError: The arguments make no sense together, or it was said before.
        """
        act = Act(
            gives=gives,
            returns=returns,
            fails=fails,
            permanent=permanent,
            code=code,
            takes=takes,
            hangs=hangs,
            ignores_cancellation=ignores_cancellation,
            raises=raises,
            does=does,
        )
        twice = [] if self._script.otherwise is None else ["it was said before"]
        self._accept("otherwise(...)", act, twice)
        self._script.otherwise = act
        return self

    def does(self, function: Function) -> Self:
        """Let a function do all other calls: short for ``otherwise(does=function)``."""
        return self.otherwise(does=function)

    def check_script(self) -> None:
        """See that every line was used, and that no call fitted two.

        ``simulate`` does this by itself; call it in a test of your own on trio.

        Raises:
            ScriptError: It lists what is wrong with the script.
        """
        self._script.check()

    # --- what was seen ------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in the order in which they began.

        Of the last simulation, if there were several. Times are in seconds: since a
        simulation began, or by trio's clock, which begins at 0 for a ``FakeClock``.
        """
        return [call_of(each, self.name) for each in self._noted]

    @property
    def unused(self) -> list[str]:
        """The lines that no call has fitted so far, if that is an error."""
        return self._script.unused

    @property
    def is_mute(self) -> bool:
        """Whether there may be calls of which nothing says what they give."""
        return self._script.is_mute

    @property
    def answers_alike(self) -> bool:
        """Whether all calls do the same, whatever they ask."""
        return self._script.is_alike

    @property
    def usual_response(self) -> object:
        """What calls give of which no line says anything."""
        return self._script.usual

    def reset(self) -> None:
        """Forget all calls; the script stays. Each simulation begins with this."""
        self._noted: list[Noted | PlainCall] = []
        self._done: dict[UUID, Any] = {}
        self.told_truth = False
        self._script.reset()

    @property
    def has_function(self) -> bool:
        """Whether a function of the test does some of its calls."""
        return self._script.has_function

    def mark(self) -> Callable[[], None]:
        """What was called so far; what is returned makes it forget what came after."""
        calls, done, script = len(self._noted), dict(self._done), self._script.mark()

        def back() -> None:
            del self._noted[calls:]
            self._done, self.told_truth = dict(done), False
            script()

        return back

    # --- being a plugin -------------------------------------------------------------

    def plain_way(self) -> tuple[PlainWay | None, list[Noted | PlainCall]]:
        """What all calls do, where each does the same; and where its calls are noted."""
        kind: type = type(self)
        is_own = kind in (FakeAction, FakeCheck) and "execute" not in vars(self)
        is_plain = is_own and not self._remembers
        return plain_way(self._script) if is_plain else None, self._noted

    async def execute(self, context: Context, request: Request, /) -> Response:
        """Do what the script says of this call."""
        noted = Noted(context, request, time())
        self._noted.append(noted)
        response = await noted.run(self._act_for(context, request), self._default)
        if self._remembers:
            self._done[context.action_id] = response
        return cast("Response", response)  # or not: that may be what is tested

    @property
    def may_refuse(self) -> bool:
        """Whether the plugin itself says which requests are good."""
        original: Any = self._original
        if isinstance(original, FakePlugin):
            return original.may_refuse
        real: Any = original if isinstance(original, type) else type(original)
        return real.validate is not _ACTION.validate

    def validate(self, request: Request, /) -> None:
        """Refuse what the plugin refuses."""
        plugin = self._original
        if not isinstance(plugin, type):
            plugin.validate(request)
            return
        if not self.may_refuse:
            return
        made_original(plugin).validate(request)

    def __repr__(self) -> str:
        return f"<fake of {self.name}, {len(self._noted)} calls>"

    # --- inside -------------------------------------------------------------------

    def _act_for(self, context: Context, request: Request) -> Act:
        if self._done and context.action_id in self._done:
            again = self._script.after_crash("again")
            if again is not None:
                return again
        return self._script.act_for(context, request)

    def _accept(self, text: str, act: Act, faults: Iterable[str]) -> None:
        problems = [*faults, *act.faults(self)]
        if self._script.needs_response(act):
            problems.append(
                "it does not say what it gives, and no response can be made without "
                "arguments: write gives=..."
            )
        if problems:
            raise self._script.error(f"{text}: {problem}" for problem in problems)


class FakeAction(FakePlugin[Request, Response], ActionPlugin[Request, Response]):
    """A fake of an action plugin; made by ``FakePlugin(SomePlugin)``."""

    is_check: ClassVar[bool] = False

    def _stand_for(self, original: Any, strict: bool) -> None:
        super()._stand_for(original, strict)
        self.on_interrupt: OnInterrupt = original.on_interrupt

    def again(
        self,
        *,
        gives: Response | Unset = UNSET,
        fails: str | None = None,
        permanent: bool = False,
        code: int = 0,
        takes: float = 0.0,
        raises: BaseException | type[BaseException] | None = None,
        does: Function | None = None,
    ) -> Self:
        """Say what a call does when the action's work was done by an earlier one.

        That happens only after a crash that came before the outcome was stored. By
        default the work is simply done again. ``again(fails="exists already")`` is a
        plugin that is not idempotent; the arguments are those of ``when``.

        Raises:
            ScriptError: The arguments make no sense together.
        """
        act = Act(
            gives=gives,
            fails=fails,
            permanent=permanent,
            code=code,
            takes=takes,
            raises=raises,
            does=does,
        )
        self._accept("again(...)", act, ())
        self._script.again = act
        self._remembers = True
        return self

    def reconciles(
        self,
        *,
        not_done: bool = False,
        gives: Response | Unset = UNSET,
        fails: str | None = None,
        takes: float = 0.0,
        hangs: bool = False,
        raises: BaseException | type[BaseException] | None = None,
        does: Function | None = None,
    ) -> Self:
        """Say what ``reconcile`` finds (R-7).

        By default it finds the truth: the response of the work, if it was done.

        Args:
            not_done: Whether it finds that the work was not done.
            gives: The response; for the other arguments see ``when``.
            fails: See ``when``.
            takes: See ``when``.
            hangs: See ``when``.
            raises: See ``when``.
            does: See ``when``.

        Raises:
            ScriptError: The arguments make no sense together, or the plugin has no
                ``reconcile``.
        """
        act = Act(
            gives=gives,
            returns=NOT_DONE if not_done else UNSET,
            fails=fails,
            takes=takes,
            hangs=hangs,
            raises=raises,
            does=does,
        )
        unable = [] if can_reconcile(self) else [f"{self.name} does not define it"]
        self._accept("reconciles(...)", act, unable)
        self._script.reconciles = act
        return self


class _ReconcilingFakeAction(FakeAction[Request, Response]):
    """A fake of an action plugin that can find out what became of its work."""

    async def reconcile(
        self, context: Context, request: Request, /
    ) -> Response | NotDone:
        """Do what the script says, or tell the truth."""
        noted = Noted(context, request, time(), reconciles=True)
        self._noted.append(noted)
        act = self._script.after_crash("reconciles")
        if act is None:
            self.told_truth = True
            act = Act(returns=self._done.get(context.action_id, NOT_DONE))
        return cast("Response | NotDone", await noted.run(act, self._default))


class FakeCheck(FakePlugin[Request, Response], CheckPlugin[Request, Response]):
    """A fake of a check plugin; made by ``FakePlugin(SomePlugin)``."""

    is_check: ClassVar[bool] = True

    def _stand_for(self, original: Any, strict: bool) -> None:
        super()._stand_for(original, strict)
        self.safe_in_preview: bool = original.safe_in_preview


def _shown(value: object) -> str:
    return getattr(value, "__name__", None) or shorten(repr(value))
