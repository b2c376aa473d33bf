"""One question of a dry run: a preview asked for, or a check run, once (PV-3, PV-5).

It is done as an attempt would be: with the action's timeout, its secrets resolved just
before and hidden in all that comes back, its plugin's exceptions made an answer. But
nothing is recorded, because there is nothing to record it in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, cast

import attrs
import trio

from .._attempts.context import AttemptContext
from .._attempts.outcomes import (
    TIMED_OUT,
    check_outcome,
    hide_secrets,
    is_any,
)
from .._codec.codec import Codec
from .._interpreter import judgement
from .._plan.plan import BaseAction, CheckAction, Node
from .._plan.walk import position_of
from .._protocols.plugin import ActionPlugin, AnyPlugin, CheckPlugin
from .._protocols.preview import Preview, PreviewContext
from .._protocols.runtime import Outcome
from .._runtime.calls import NoSecretsError, outcome_of_call, with_secrets
from .._runtime.lookups import Lookups
from .._values.annotations import type_text
from .._values.clock import utc_now
from .._values.state import Attempt, PluginError
from .forecast import Forecast, PreviewItem

MOST_DETAILS = 200
LONGEST_DETAIL = 1_000
"""Lines of a preview that are kept, and characters of each."""

AnyAction = ActionPlugin[Any, Any]
AnyCheck = CheckPlugin[Any, Any]


class Asker:
    """Asks plugins about the actions of one plan."""

    def __init__(
        self,
        paths: Mapping[int, str],
        lookups: Lookups,
        codec: Codec,
        at_once: int,
    ) -> None:
        """Make an asker.

        Args:
            paths: The paths of the plan's objects, by position.
            lookups: Looks up secrets.
            codec: Says whether what a check returns could be stored.
            at_once: How many plugins are asked at the same time.
        """
        self._paths = paths
        self._lookups = lookups
        self._codec = codec
        self._room = trio.CapacityLimiter(at_once)

    async def preview(
        self, action: BaseAction, plugin: AnyAction, *, untouched: bool
    ) -> PreviewItem:
        """What an action would change, as its plugin says.

        Args:
            action: The action.
            plugin: Its plugin, which has a preview.
            untouched: Whether no step before it would change anything, so that things
                are now as it will find them.
        """
        refused = False

        async def ask(context: object, request: object) -> object:
            nonlocal refused
            try:
                answer = await plugin.preview(cast("PreviewContext", context), request)
            except Exception as error:
                refused = is_any(error, PluginError)
                raise
            refused = isinstance(answer, PluginError)
            return answer

        def context_of(scope: trio.CancelScope, _: frozenset[str]) -> object:
            return _PreviewContext(self.path_of(action), scope)

        outcome = await self._call(ask, action, context_of)
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
        forecast = {
            True: Forecast.CHANGE,
            False: Forecast.NO_CHANGE,
            None: Forecast.UNKNOWN,
        }[preview.changes]
        return self.item(action, forecast, preview.summary, preview.details)

    async def check(
        self, action: BaseAction, attempt: Attempt, plugin: AnyCheck, *, bypass: bool
    ) -> PreviewItem:
        """Whether a check passes now; it is tried once, whatever its retries.

        Args:
            action: The check.
            attempt: Its attempt.
            plugin: Its plugin.
            bypass: Whether it is a bypass check, which fails nothing.
        """

        def context_of(scope: trio.CancelScope, secrets: frozenset[str]) -> object:
            return AttemptContext(
                action=action,
                current=attempt,
                deadline=scope.deadline,
                secrets=secrets,
                host=self,
            )

        outcome = await self._call(plugin.execute, action, context_of)
        outcome = check_outcome(outcome, action, cast("AnyPlugin", plugin), self._codec)
        if outcome.error is None:
            return self.item(action, Forecast.PASSED)
        if bypass:
            return self.item(action, Forecast.NOT_PASSED, str(outcome.error))
        text = f"{outcome.error}{_more_tries(action, outcome.error)}"
        return self.item(action, Forecast.FAILED, text)

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

    async def _call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        action: BaseAction,
        context_of: Callable[[trio.CancelScope, frozenset[str]], object],
    ) -> Outcome:
        async with self._room:
            seconds = action.timeout
            if action.deadline is not None:
                seconds = min(seconds, action.deadline)
            ends = trio.current_time() + seconds
            try:
                request, secrets = await with_secrets(
                    self._lookups, action.request, seconds
                )
            except NoSecretsError as error:
                return error.outcome
            scope = trio.CancelScope(deadline=ends)
            context = context_of(scope, secrets)
            outcome = await outcome_of_call(function, context, request, scope)
            return hide_secrets(outcome, secrets)

    # --- what a check's context asks: nothing is recorded, nobody looks on ---------

    def record(self, *nodes: Node) -> None:
        """Forget it."""

    async def durable(self) -> None:
        """Return: a note lasts as long as the call."""
        await trio.lowlevel.checkpoint()

    def path_of(self, action: BaseAction) -> str:
        """The action's address, for messages (OM-15)."""
        return self._paths[position_of(action)]

    def date_of(self, time: float) -> datetime | None:
        """When trio's clock will tell this time; None: never."""
        return _date_of(time)

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
    _scope: trio.CancelScope

    @property
    def deadline(self) -> datetime | None:
        """When the preview will be cancelled; None: never."""
        return _date_of(self._scope.deadline)


def _date_of(time: float) -> datetime | None:
    return judgement.after(utc_now(), time - trio.current_time())


def _more_tries(action: BaseAction, error: PluginError) -> str:
    """That a run would not give up yet, where it would not."""
    if error.permanent or action.retries == 0:
        return ""
    if action.retries is None:
        return " (a run would try again until its deadline)"
    times = "once" if action.retries == 1 else f"up to {action.retries:,} times"
    return f" (a run would try again {times})"
