"""The verbs of a runtime on trio that call plugins (section 10)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs
import trio

from .._attempts.context import AttemptContext, ContextHost
from .._attempts.late_requests import Made
from .._attempts.outcomes import StorableCheck, hide_secrets, interrupted
from .._attempts.verbs import PluginVerbs
from .._interpreter import judgement, verdicts
from .._plan.paths import paths
from .._plan.plan import BaseAction, Node, Plan
from .._plan.walk import position_of
from .._protocols.plugin import Plugins
from .._protocols.runtime import AttemptOutcome, Nursery
from .._secrets.scan import facts_of
from .._values.state import Attempt
from .lookups import Lookups
from .secret_requests import NoSecretsError, with_secrets
from .slots import Slot
from .trio_loop import TrioLoop

T = TypeVar("T")


@attrs.frozen
class _Children:
    """A nursery whose children call plugins each in a slot of its own."""

    _nursery: Nursery
    _in_slot: Callable[..., Awaitable[None]]

    def start_soon(
        self, function: Callable[..., Awaitable[Any]], /, *args: Any
    ) -> None:
        """See ``Nursery``."""
        self._nursery.start_soon(self._in_slot, function, *args)


class TrioCalls(TrioLoop, PluginVerbs):
    """Calls the plugins of one plan on trio.

    A runtime says beside it what becomes of records and reports: with ``durable`` it has
    all that a context asks of its host.
    """

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        storable: StorableCheck,
        lookups: Lookups,
    ) -> None:
        """Begin with no call under way.

        Args:
            plan: The plan.
            plugins: The registry.
            storable: Says whether a response can be stored.
            lookups: Looks secrets up.
        """
        TrioLoop.__init__(self)
        PluginVerbs.__init__(self, plan, plugins, storable)
        self._lookups = lookups
        self._host = cast("ContextHost", self)
        self._paths: dict[int, str] = {}
        self._slots: dict[object, Slot] = {}
        self._calls: dict[AttemptContext, Slot | None] = {}
        """The calls under way; with its slot, each that a stop may cut (SN-1)."""

    # --- tasks, and the slots in which they call ------------------------------------

    @asynccontextmanager
    async def nursery(self) -> AsyncGenerator[Nursery]:
        """See ``TrioLoop``; each child calls plugins in a slot of its own."""
        task = trio.lowlevel.current_task()
        self._rest()
        hidden = self._slots.pop(task, None)
        try:
            async with super().nursery() as nursery:
                yield _Children(nursery, self.in_slot)
        finally:
            if hidden is not None:
                self._slots[task] = hidden

    async def in_slot(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Let the calls that the function makes in this task share a slot."""
        task = trio.lowlevel.current_task()
        with Slot() as self._slots[task]:
            try:
                return await function(*args)
            finally:
                del self._slots[task]

    def _rest(self) -> None:
        """Before a wait that may be long: the slot of the task must not cut it."""
        slot = self._slots.get(trio.lowlevel.current_task())
        if slot is not None:
            slot.rest()

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """See ``TrioLoop``."""
        self._rest()
        await super().wait(seconds, until)

    # --- a call -----------------------------------------------------------------------

    async def _call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        action: BaseAction,
        made: Made,
        attempt: Attempt,
        seconds: float,
        main: bool = False,
    ) -> AttemptOutcome:
        """Call the plugin; what it did becomes an outcome, whatever it did."""
        slot = self._slots.get(trio.lowlevel.current_task())
        if slot is None:
            return await self.in_slot(
                self._call, function, action, made, attempt, seconds, main
            )
        now = slot.time()
        request, secrets = made.request, made.secrets
        facts = facts_of(request)  # of its type: most hold no secret, whatever they say
        if facts.references or facts.secrets:
            slot.rest()
            try:
                request, found = await with_secrets(self._lookups, request, seconds)
            except NoSecretsError as error:
                return error.outcome
            secrets |= found
        if main and judgement.cuts(self._plan):
            return interrupted()
        context = AttemptContext(
            action=action,
            current=attempt,
            ends=now + seconds,
            secrets=secrets,
            host=self._host,
        )
        self._calls[context] = slot if main else None
        if context.ends < self._first_end:
            self._ends_first(context.ends)
        try:
            outcome = await slot.call(function, context, request, now)
        finally:
            context.close()
            del self._calls[context]
        return hide_secrets(outcome, secrets) if secrets else outcome

    def wake(self) -> None:
        """Let every wait look at its condition again, and every call be cut (SN-1)."""
        super().wake()
        if self._plan.stopping:
            self._cut()

    def _cut(self) -> None:
        """Cut the calls that a stop cuts."""
        for context, slot in self._calls.items():
            if slot is not None and self._is_cut(context, main=True):
                slot.cancel()

    _first_end = -math.inf
    """When, by trio's clock, the first of the calls must end, for who wants to know."""

    def _ends_first(self, ends: float) -> None:
        """A call begins that must end before ``_first_end``."""

    # --- what a context asks ------------------------------------------------------

    def path_of(self, node: Node, /) -> str:
        """The object's address, for messages (OM-15)."""
        if not self._paths:  # many runs never ask for one
            self._paths = {
                position_of(item.node): path for path, item in paths(self._plan)
            }
        return self._paths[position_of(node)]

    def date_of(self, time: float) -> datetime | None:
        """When trio's clock will tell this time; None: never."""
        return verdicts.after(self.now(), time - trio.current_time())

    @abstractmethod
    def record(self, *nodes: Node) -> None:
        """Queue what these objects are now."""

    @abstractmethod
    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """Take in a line for watchers (WA-3)."""
