"""The usual action in one frame: begun, made durable, called, ended (A-3, A-4, A-13).

Most actions of most plans are like that: their one attempt ends well, within its time, of
a plan that nobody stops. The general path asks a dozen questions on the way, each in a
frame of its own, and each answer is no. Together they cost more than the work that is
left. So here they are asked at a glance: what follows from the type of a request, or from
a plugin, once for a run; all else by looking at it.

It decides nothing by itself. Where an answer is not the usual one, it hands over to the
general path from just there: before the attempt began (``None``), before the call
(``execute``), or after it (``Slot.outcome_of``, ``check_outcome``). Each rule is told there
and not here, and a runtime that has no such way comes to the same records, byte for byte:
the tests play every case of the conformance suite both ways.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import attrs
import trio

from .._attempts.context import AttemptContext
from .._attempts.outcomes import check_outcome, outcome_of_response
from .._codec.codec import Codec
from .._codec.records import begun, completed
from .._plan.plan import BaseAction, Plan
from .._plan.walk import position_of
from .._protocols.plugin import AnyPlugin, Plugins
from .._protocols.runtime import AttemptOutcome
from .._protocols.vault import NodeRecord
from .._secrets.scan import facts_of
from .._values.state import Attempt, Status
from .._values.wire import micros_of, new_micros_of
from .journal import Journal
from .lookups import Lookups
from .trio_calls import TrioCalls

R, C = Status.RUNNING, Status.COMPLETED
_NOTHING: frozenset[str] = frozenset()
_current_task = trio.lowlevel.current_task


@attrs.define
class _Known:
    """What is known of a plugin's usual calls.

    Attributes:
        plugin: The plugin.
        execute: Its method.
        response_type: The type of its responses.
        packed: Packs such a response; None: it has to be looked at.
        requests: Types of its requests that hold no secret, whatever they say.
    """

    plugin: AnyPlugin
    execute: Callable[[Any, Any], Awaitable[object]]
    response_type: Any
    packed: Callable[[object], bytes | None]
    requests: set[type]


class UsualCalls(TrioCalls):
    """Calls plugins, and does the usual action whole."""

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        codec: Codec,
        lookups: Lookups,
        journal: Journal,
    ) -> None:
        """Begin with nothing known of any plugin.

        Args:
            plan: The plan.
            plugins: The registry.
            codec: Encodes what is recorded.
            lookups: Looks secrets up.
            journal: Takes what is recorded to the vault.
        """
        super().__init__(plan, plugins, codec, lookups)
        self._codec = codec
        self._journal = journal
        self._recorded = False
        self._moment: datetime | None = None
        """When the latest usual action ended, and the same in microseconds."""
        self._micros = 0
        self._known: dict[str, _Known] = {}

    async def durable(self) -> None:
        """See ``Journal.durable``: however long it takes."""
        while True:
            try:
                return await self._journal.durable()
            except trio.Cancelled as error:
                slot = self._slots.get(trio.lowlevel.current_task())
                if slot is None or not slot.was_cut(error):
                    raise

    def _usual_call(self, action: BaseAction) -> _Known | None:
        """What is known of the action's plugin; None: its call is not a usual one."""
        facts = facts_of(action.request)
        plugin = self._plugin(action.plugin)
        if plugin is None or facts.references or facts.secrets:
            return None
        known = self._known.get(action.plugin)
        if known is None:
            packed = self._codec.plain_response(action.plugin)
            known = self._known[action.plugin] = _Known(
                plugin, plugin.execute, plugin.response_type, packed, set()
            )
        known.requests.add(type(action.request))
        return known

    async def usual(
        self, action: BaseAction, now: datetime
    ) -> datetime | AttemptOutcome | None:
        """See ``UsualWay``."""
        known = self._known.get(action.plugin)
        if known is None or type(action.request) not in known.requests:
            known = self._usual_call(action)
        task = _current_task()
        slot = self._slots.get(task)
        if known is None or slot is None or action.deadline is not None:
            return None
        # As ``ActionRunner._attempt``: it begins, and that is durable.
        state, position, journal = action.state, position_of(action), self._journal
        # Most begin when another one of their task has ended, just now.
        started = self._micros if now is self._moment else micros_of(now)
        state.status = R
        state.started = now
        attempt = Attempt(started=now)
        action.attempts.append(attempt)
        journal.add(NodeRecord(position, 1, begun(started)))
        self._recorded = True
        batch = journal.batch
        if batch is not None:
            try:
                await batch.wait(task)
            except trio.Cancelled as error:
                if not slot.was_cut(error):
                    raise
                await self.durable()
        if journal.error is not None:
            raise journal.error
        # As ``_call``: the plugin is called, and what it did is looked at.
        if self._plan.stopping or self._plugin(action.plugin) is not known.plugin:
            return await self.execute(action, attempt)
        time = slot.time()
        context = AttemptContext(
            action, attempt, time + action.timeout, _NOTHING, self._host
        )
        self._calls[context] = slot
        if context.ends < self._first_end:
            self._ends_first(context.ends)
        outcome: AttemptOutcome | None = None
        response: object = None
        try:
            scope = slot.begin(context.ends, time)
            try:
                response = await known.execute(context, action.request)
            except BaseException as error:
                outcome = await slot.outcome_of(error, scope, context)
            else:
                if not slot.ends_well(context):
                    outcome = await slot.outcome_of(None, scope, context, response)
        finally:
            context.close()
            del self._calls[context]
        if outcome is None and type(response) is known.response_type:
            packed = known.packed(response)
            if packed is not None and not (attempt.notes or attempt.unresponsive):
                # As ``ActionRunner._action`` where ``judge`` says COMPLETED.
                ended = self._moment = self.now()
                self._micros = new_micros_of(ended)
                state.status = C
                state.ended = attempt.ended = ended
                attempt.response = response
                data = completed(started, self._micros, packed)
                journal.add(NodeRecord(position, 1, data))
                self._recorded = True
                return ended
        if outcome is None:
            outcome = outcome_of_response(response)
        return check_outcome(outcome, action, known.plugin, self._storable)
