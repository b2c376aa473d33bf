"""The questions of a dry run: a preview asked for, or a check run, once (PV-3, PV-5).

A question is put as an attempt is made: with the action's timeout, its secrets resolved
just before and hidden in the answer, its plugin's exceptions made an answer. But nothing is
recorded, and lines that a plugin reports are dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, cast

import attrs
import trio

from .._attempts.context import AttemptContext
from .._attempts.late_requests import Made
from .._attempts.outcomes import TIMED_OUT, check_outcome, is_any
from .._authoring.contexts import NO_SIGNALS
from .._codec.codec import Codec
from .._plan.plan import BaseAction, CheckAction, Node, Plan
from .._protocols.plugin import ActionPlugin, AnyPlugin
from .._protocols.preview import Preview
from .._protocols.runtime import AttemptOutcome
from .._registry.registry import Registry
from .._runtime.lookups import Lookups
from .._runtime.trio_calls import TrioCalls
from .._values.annotations import type_text
from .._values.clock import utc_now
from .._values.state import Attempt, PluginError
from .forecast import Forecast, PreviewItem

MOST_DETAILS = 200
LONGEST_DETAIL = 1_000
"""Lines of a preview that are kept, and characters of each."""

FORECASTS = {
    True: Forecast.CHANGE,
    False: Forecast.NO_CHANGE,
    None: Forecast.UNKNOWN,
}


class Asking(TrioCalls):
    """Asks plugins about the actions of one plan, without recording anything."""

    def __init__(
        self, plan: Plan, registry: Registry, codec: Codec, at_once: int
    ) -> None:
        """Make one.

        Args:
            plan: The plan, with its ids.
            registry: The plugins.
            codec: Says whether what a check returns could be stored.
            at_once: How many plugins are asked at the same time.
        """
        lookups = Lookups(registry.resolvers)
        super().__init__(plan, registry, codec, lookups)
        self.durable = trio.lowlevel.checkpoint
        self._room = trio.CapacityLimiter(at_once)

    async def ask_preview(
        self,
        action: BaseAction,
        attempt: Attempt,
        plugin: ActionPlugin[Any, Any],
        *,
        untouched: bool,
    ) -> PreviewItem:
        """What an action would change, as its plugin says.

        Args:
            action: The action.
            attempt: Its attempt, which is thrown away.
            plugin: Its plugin, which has a preview.
            untouched: Whether no step before it would change anything, so that things
                are now as it will find them.
        """
        refused = False

        async def ask(context: AttemptContext, request: object) -> object:
            nonlocal refused
            told = _PreviewContext(context.path, context.deadline)
            try:
                answer = await plugin.preview(told, request)
            except Exception as error:
                refused = is_any(error, PluginError)
                raise
            refused = isinstance(answer, PluginError)
            return answer

        outcome = await self._ask(ask, action, attempt)
        error = outcome.error
        if error is None and type(outcome.response) is not Preview:
            got = type_text(type(outcome.response))
            error = PluginError(f"plugin {action.plugin!r} returned {got}, no Preview")
        if error is not None:
            if not refused or error.message == TIMED_OUT:
                return self.item(action, Forecast.FAILED, f"preview failed: {error}")
            if untouched:
                return self.item(action, Forecast.FAILED, f"would fail: {error}")
            text = (
                f"the steps before it decide; as things are now it would fail: {error}"
            )
            return self.item(action, Forecast.UNKNOWN, text)
        preview = cast("Preview", outcome.response)
        forecast = FORECASTS[preview.changes]
        return self.item(action, forecast, preview.summary, preview.details)

    async def ask_check(
        self, action: BaseAction, attempt: Attempt, plugin: AnyPlugin, *, bypass: bool
    ) -> PreviewItem:
        """Whether a check passes now; it is tried once, whatever its retries.

        Args:
            action: The check.
            attempt: Its attempt.
            plugin: Its plugin.
            bypass: Whether it is a bypass check, which fails nothing.
        """
        outcome = await self._ask(plugin.execute, action, attempt)
        error = check_outcome(outcome, action, plugin, self._storable).error
        if error is None:
            return self.item(action, Forecast.PASSED)
        if bypass:
            return self.item(action, Forecast.NOT_PASSED, str(error))
        return self.item(
            action, Forecast.FAILED, f"{error}{_more_tries(action, error)}"
        )

    async def _ask(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        action: BaseAction,
        attempt: Attempt,
    ) -> AttemptOutcome:
        """Call a plugin when there is room; its time begins then."""
        async with self._room:
            seconds = action.timeout
            if action.deadline is not None:
                seconds = min(seconds, action.deadline)
            made = Made(action.request, frozenset())
            return await self._call(function, action, made, attempt, seconds)

    def item(
        self,
        action: BaseAction,
        forecast: Forecast,
        summary: str = "",
        details: tuple[str, ...] = (),
    ) -> PreviewItem:
        """What was found out of an action."""
        kept = [line[:LONGEST_DETAIL] for line in details[:MOST_DETAILS]]
        if len(details) > MOST_DETAILS:
            kept.append(f"[... {len(details) - MOST_DETAILS:,} lines left out ...]")
        return PreviewItem(
            path=self.path_of(action),
            plugin=action.plugin,
            is_check=isinstance(action, CheckAction),
            forecast=forecast,
            summary=summary,
            details=tuple(kept),
        )

    # --- nothing is recorded, nobody looks on ---------------------------------------

    async def until_sent(self, until: Callable[[], bool]) -> None:
        """Fail: a preview that waits would wait for ever."""
        raise PluginError(NO_SIGNALS)

    def now(self) -> datetime:
        """The time."""
        return utc_now()

    def record(self, *nodes: Node) -> None:
        """Forget it."""

    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """Drop it."""


@attrs.frozen
class _PreviewContext:
    """What a preview is told; see ``workstream.PreviewContext``."""

    path: str
    deadline: datetime | None


def _more_tries(action: BaseAction, error: PluginError) -> str:
    """That a run would not give up yet, where it would not."""
    if error.permanent or action.retries == 0:
        return ""
    if action.retries is None:
        return " (a run would try again until its deadline)"
    times = "once" if action.retries == 1 else f"up to {action.retries:,} times"
    return f" (a run would try again {times})"
