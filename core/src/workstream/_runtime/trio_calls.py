"""The verbs of a runtime on trio that call plugins (section 10)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

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

_NO_SECRETS: frozenset[str] = frozenset()


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
        self._paths: dict[int, str] = {}
        self._slots: dict[object, Slot] = {}
        self._cuttable: dict[Slot, Callable[[], bool]] = {}

    # --- tasks, and the slots in which they call ------------------------------------

    @asynccontextmanager
    async def nursery(self) -> AsyncGenerator[Nursery]:
        """See ``TrioLoop``; each child calls plugins in a slot of its own."""
        task = trio.lowlevel.current_task()
        hidden = self._slots.pop(task, None)
        try:
            async with super().nursery() as nursery:
                yield _Children(nursery, self.in_slot)
        finally:
            if hidden is not None:
                self._slots[task] = hidden

    async def in_slot(
        self, function: Callable[..., Awaitable[object]], *args: object
    ) -> None:
        """Let the calls that the function makes in this task share a slot."""
        task = trio.lowlevel.current_task()
        with Slot() as self._slots[task]:
            try:
                await function(*args)
            finally:
                del self._slots[task]

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
        ends = trio.current_time() + seconds
        request, secrets = made.request, _NO_SECRETS
        facts = facts_of(request)  # of its type: most hold no secret, whatever they say
        if facts.references or facts.secrets:
            try:
                request, secrets = await with_secrets(self._lookups, request, seconds)
            except NoSecretsError as error:
                return error.outcome
        if made.secrets:
            secrets |= made.secrets
        if main and judgement.cuts(self._plan):
            return interrupted()
        context = AttemptContext(
            action=action,
            current=attempt,
            deadline=ends,
            secrets=secrets,
            host=cast("ContextHost", self),
        )

        def cut() -> bool:
            return self._is_cut(context, main)

        self._entered(context, ends)
        try:
            slot = self._slots.get(trio.lowlevel.current_task())
            if slot is not None:
                outcome = await self._call_in(
                    slot, function, context, request, ends, cut
                )
            else:
                with Slot() as slot:
                    outcome = await self._call_in(
                        slot, function, context, request, ends, cut
                    )
        finally:
            context.close()
            self._left(context)
        return hide_secrets(outcome, secrets) if secrets else outcome

    async def _call_in(
        self,
        slot: Slot,
        function: Callable[[Any, Any], Awaitable[object]],
        context: object,
        request: object,
        ends: float,
        cut: Callable[[], bool],
    ) -> AttemptOutcome:
        """Make the call in a slot, where a stop finds it (SN-1)."""
        self._cuttable[slot] = cut
        try:
            return await slot.call(function, context, request, ends, cut)
        finally:
            del self._cuttable[slot]

    def wake(self) -> None:
        """Let every wait look at its condition again, and every call be cut (SN-1)."""
        super().wake()
        if self._plan.stopping:
            for slot, cut in self._cuttable.items():
                if cut():
                    slot.cancel()

    def _entered(self, context: AttemptContext, ends: float) -> None:
        """A call begins, which must end at a time of trio's clock."""

    def _left(self, context: AttemptContext) -> None:
        """A call has ended."""

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
