"""The verbs of a runtime that concern plugins, alike for every runtime that calls them.

A runtime that calls plugins says how one call is made (``_call``): with its own clock,
its own way to cancel, and secrets from where it has them. All that a call *means* is
here: a plugin that is gone, the time that a deadline leaves, a response of the wrong
type (section 10).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from .._plan.plan import Action, BaseAction
from .._protocols.plugin import ActionPlugin, NotDone, Plugins
from .._protocols.runtime import AttemptOutcome
from .._values.state import Attempt, OnInterrupt
from ..retries import FAST, RetryPolicy
from .outcomes import StorableCheck, check_outcome, not_installed, time_left


def on_interrupt_by(plugins: Plugins) -> Callable[[BaseAction], OnInterrupt]:
    """What an interrupted attempt means: the action's word, or its plugin's (R-7)."""

    def on_interrupt(action: BaseAction) -> OnInterrupt:
        if isinstance(action, Action) and action.on_interrupt is not None:
            return action.on_interrupt
        plugin = plugins.get(action.plugin)
        if isinstance(plugin, ActionPlugin):
            return plugin.on_interrupt
        return OnInterrupt.RERUN

    return on_interrupt


class PluginVerbs(ABC):
    """A runtime's verbs that concern plugins; see ``Runtime`` for what they promise."""

    def __init__(self, plugins: Plugins, storable: StorableCheck) -> None:
        """Take what is asked of plugins, and of what they return.

        Args:
            plugins: The registry.
            storable: Says whether a response can be stored.
        """
        self._plugin = plugins.get
        self._storable = storable
        self.on_interrupt = on_interrupt_by(plugins)

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        """How long to wait before another attempt (A-11)."""
        plugin = self._plugin(action.plugin)
        return FAST if plugin is None else plugin.retry

    async def execute(self, action: BaseAction, attempt: Attempt) -> AttemptOutcome:
        """One attempt: secrets resolved, timeout kept, outcome returned (A-3)."""
        plugin = self._plugin(action.plugin)
        if plugin is None:
            return not_installed(action)
        seconds = action.timeout
        if action.deadline is not None:
            seconds = time_left(action, self.now())
        outcome = await self._call(plugin.execute, action, attempt, seconds)
        return check_outcome(outcome, action, plugin, self._storable)

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        """Ask what became of the interrupted attempt: within the timeout (R-7)."""
        plugin = self._plugin(action.plugin)
        if not isinstance(plugin, ActionPlugin):
            return not_installed(action)
        interrupted = action.attempts[-1]
        outcome = await self._call(
            plugin.reconcile, action, interrupted, action.timeout
        )
        if isinstance(outcome.response, NotDone):
            return outcome.response
        return check_outcome(outcome, action, plugin, self._storable)

    @abstractmethod
    def now(self) -> datetime:
        """The time to record."""

    @abstractmethod
    async def _call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        action: BaseAction,
        attempt: Attempt,
        seconds: float,
    ) -> AttemptOutcome:
        """Call the plugin; what it did becomes an outcome, whatever it did."""
