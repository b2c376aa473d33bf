"""The verbs of a runtime that concern plugins, alike for every runtime that calls them.

A runtime that calls plugins says how one call is made (``_call``): with its own clock,
its own way to cancel, and secrets from where it has them. All that a call *means* is
here: a plugin that is gone, the time that a deadline leaves, a response of the wrong
type (section 10).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from .._flow.late import Late
from .._interpreter import judgement, signals, verdicts
from .._plan.plan import Action, BaseAction, Plan
from .._plan.walk import actions
from .._protocols.plugin import ActionPlugin, AnyPlugin, NotDone, Plugins, Signal
from .._protocols.runtime import AttemptOutcome
from .._secrets.responses import NoRequestError
from .._values.state import Attempt, OnInterrupt, PluginError
from ..retries import FAST, RetryPolicy
from .context import AttemptContext
from .late_requests import Made, made_request
from .outcomes import StorableCheck, check_outcome, not_installed, time_left

_NOTHING: frozenset[str] = frozenset()


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

    now: Callable[[], datetime]
    """The time to record."""

    def __init__(self, plan: Plan, plugins: Plugins, storable: StorableCheck) -> None:
        """Take what is asked of plugins, and of what they return.

        Args:
            plan: The plan whose actions are called.
            plugins: The registry.
            storable: Says whether a response can be stored.
        """
        self._plan = plan
        self._by_key: dict[str, BaseAction] = {}
        self._plugin = plugins.get
        self._storable = storable
        self.on_interrupt = on_interrupt_by(plugins)

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        """How long to wait before another attempt (A-11)."""
        plugin = self._plugin(action.plugin)
        return FAST if plugin is None else plugin.retry

    async def execute(
        self, action: BaseAction, attempt: Attempt, main: bool = True
    ) -> AttemptOutcome:
        """One attempt: secrets resolved, timeout kept, outcome returned (A-3)."""
        plugin = self._plugin(action.plugin)
        if plugin is None:
            return not_installed(action)
        seconds = action.timeout
        if action.deadline is not None:
            own_time = verdicts.own_time(self._plan, action, self.now())
            seconds = time_left(action, own_time)
        made = self._made(action, plugin)
        if isinstance(made, AttemptOutcome):
            return made
        outcome = await self._call(plugin.execute, action, made, attempt, seconds, main)
        return check_outcome(outcome, action, plugin, self._storable)

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        """Ask what became of the interrupted attempt: within the timeout (R-7)."""
        plugin = self._plugin(action.plugin)
        if not isinstance(plugin, ActionPlugin):
            return not_installed(action)
        interrupted = action.attempts[-1]
        made = self._made(action, plugin)
        if isinstance(made, AttemptOutcome):
            return made
        outcome = await self._call(
            plugin.reconcile, action, made, interrupted, action.timeout
        )
        if isinstance(outcome.response, NotDone):
            return outcome.response
        return check_outcome(outcome, action, plugin, self._storable)

    def _made(self, action: BaseAction, plugin: AnyPlugin) -> Made | AttemptOutcome:
        """The action's request; where it cannot be made, the outcome of the attempt."""
        request = action.request
        if not isinstance(request, Late):
            return Made(request, _NOTHING)
        try:
            return made_request(request, action, plugin, self._action_of)
        except NoRequestError as error:
            return AttemptOutcome(error=PluginError(str(error), permanent=True))

    def _action_of(self, key: str) -> BaseAction | None:
        """The action of this key."""
        if not self._by_key:  # few plans ever ask
            self._by_key = {
                each.key: each for each in actions(self._plan) if each.key is not None
            }
        return self._by_key.get(key)

    # --- signals (section 28) ---------------------------------------------------------

    def sent(self, action: BaseAction, name: str) -> list[Signal]:
        """What was sent to an action by a name so far (SG-1)."""
        return signals.sent(self._plan, action, self.path_of(action), name)

    async def until_sent(self, until: Callable[[], bool]) -> None:
        """Wait for a signal; under a stop the wake cuts the attempt that waits (SG-2)."""
        if self._plan.stopping:
            self.wake()
        await self.wait(math.inf, until)

    def _is_cut(self, context: AttemptContext, main: bool) -> bool:
        """Whether a stop cuts the attempt; once it does, for good (SN-1, SG-2)."""
        waits = context.waiting > 0
        if main and judgement.cuts(self._plan, waits=waits):
            context.is_cut = True
        return context.is_cut

    @abstractmethod
    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """See ``Runtime``."""

    @abstractmethod
    def wake(self) -> None:
        """See ``Runtime``; it also cuts the attempts that a stop cuts."""

    @abstractmethod
    def path_of(self, action: BaseAction, /) -> str:
        """The action's address (OM-15)."""

    @abstractmethod
    async def _call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        action: BaseAction,
        made: Made,
        attempt: Attempt,
        seconds: float,
        main: bool = False,
    ) -> AttemptOutcome:
        """Call the plugin; what it did becomes an outcome, whatever it did.

        Args:
            function: The plugin's method.
            action: The action.
            made: Its request, and texts to hide beside those of its secrets.
            attempt: Its attempt.
            seconds: How long it may take.
            main: Whether a stop may cut it (SN-1).
        """
