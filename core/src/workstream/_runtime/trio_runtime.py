"""The trio runtime: carries out on trio what the interpreter asks.

One object of it serves one run of one plan. It owns what the run needs beside the
interpreter: the plan's journal, a heartbeat, the watch over deaf plugins, the output of
its plugins. ``run`` leaves nothing of these behind.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

import attrs
import trio

from .._attempts.context import AttemptContext
from .._attempts.outcomes import DEAF_AFTER
from .._codec.codec import Codec
from .._codec.lines import encode_line
from .._codec.records import plan_changes
from .._interpreter.interpreter import Interpreter
from .._plan.plan import BaseAction, Node, Plan
from .._plan.walk import position_of
from .._protocols.plugin import Plugins
from .._protocols.vault import LineRecord, PlanRequest
from .._values.interventions import Freeze
from .journal import Journal
from .lookups import Lookups
from .output import OutputBuffer
from .trio_loop import cancelled_by_a_plugin
from .usual_calls import UsualCalls

LINES_EVERY = 0.1
"""Seconds for which reported lines are gathered before they are stored (WA-3)."""

log = logging.getLogger("workstream")


@attrs.frozen(kw_only=True)
class RunSettings:
    """What all runs of one engine have in common.

    Attributes:
        plugins: The registry.
        lookups: Looks secrets up.
        codec: Encodes what is recorded.
        now: The time to record.
        random: Draws jitter.
        freeze: What the store says of a freeze.
        requests: What was asked of its plans, and not taken yet.
        heartbeat: Seconds without a record after which one is made (E-11).
    """

    plugins: Plugins
    lookups: Lookups
    codec: Codec
    now: Callable[[], datetime]
    random: Callable[[], float]
    freeze: Callable[[], Freeze | None]
    requests: Callable[[], Awaitable[Iterable[PlanRequest]]]
    heartbeat: float


class TrioRuntime(UsualCalls):
    """Runs one plan on trio; see ``Runtime`` for the verbs."""

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        output: OutputBuffer,
        settings: RunSettings,
    ) -> None:
        """Make a runtime.

        Args:
            plan: The plan, from wherever it stands; the run changes it.
            journal: Takes its changes to the vault.
            output: Buffers what its plugins report.
            settings: What it shares with the engine's other runs.
        """
        super().__init__(
            plan,
            settings.plugins,
            settings.codec,
            settings.lookups,
            journal,
        )
        self._output = output
        self._settings = settings
        self._interpreter = Interpreter(plan, self, self.usual)
        self._reported = trio.Event()
        self._sooner = trio.Event()
        self._first_end = math.inf
        self._add = journal.add
        self._record_of = settings.codec.record_of
        self.now = settings.now
        self.random = settings.random
        self.freeze = settings.freeze
        self.look = self._interpreter.look
        self._told = len(plan.interventions)

    async def run(self) -> None:
        """Run the plan to its end. What is raised broke the run off."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._beat)
            nursery.start_soon(self._watch_deaf)
            nursery.start_soon(self._store_lines)
            # Plugins run in tasks of this nursery, never in one of the engine's own: a
            # plugin that cancels the nursery of its task ends this run alone.
            nursery.start_soon(self._interpret, nursery.cancel_scope)
        if not self._plan.state.status.is_terminal:
            raise cancelled_by_a_plugin()

    async def _interpret(self, beside: trio.CancelScope) -> None:
        """Interpret the plan, then end what runs beside it."""
        await self.in_slot(self._interpreter.run)
        beside.cancel()

    def take(self, request: PlanRequest) -> None:
        """Take what was asked of the plan, once; what it changes is one write (CT-2)."""
        plan = self._plan
        if plan.state.status.is_terminal or request.number <= self._journal.taken:
            return  # what comes after the end goes with it
        because = f": {request.reason}" if request.reason else ""
        log.info(
            "%s asks plan %r (%s) to %s%s",
            request.by,
            plan.name,
            plan.id,
            request.verb,
            because,
        )
        self._journal.take_request(request.number)
        self._interpreter.take(request)

    async def hear(self) -> None:
        """Take what the store has for the plan; where it cannot tell, that is too late."""
        self._rest()
        try:
            found = await self._settings.requests()
        except Exception as error:
            log.warning("requests cannot be read: %s", error)
            return
        for request in found:
            if request.plan_id == self._plan.id:
                self.take(request)

    # --- the verbs that remember ------------------------------------------------

    def record(self, *nodes: Node) -> None:
        """Queue what these objects are now."""
        for node in nodes:
            if node is self._plan:
                if node.state.status.is_terminal:
                    self._queue_lines()  # nothing follows the plan's end (WA-1)
                for change in plan_changes(self._plan, self._told):
                    self._add(change)
                self._told = len(self._plan.interventions)
            else:
                self._add(self._record_of(node))
        self._recorded = True

    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """Buffer what a plugin reports (WA-3)."""
        self._output.add(
            position_of(action),
            text,
            time=self.now(),
            attempt=attempt,
            done=done,
            total=total,
        )
        self._reported.set()

    # --- beside the interpreter -----------------------------------------------------

    async def _beat(self) -> None:
        """Give a sign of life when nothing was recorded for a while (E-11)."""
        while True:
            # Looked at twice in a period: so no silence is longer than a period, however
            # soon after a look the latest record was made.
            await trio.sleep(self._settings.heartbeat / 2)
            if not self._recorded:
                self._plan.runtime_update = self.now()
                self.record(self._plan)  # counts until the next look
            else:
                self._recorded = False

    async def _store_lines(self) -> None:
        while True:
            await self._reported.wait()
            await trio.sleep(LINES_EVERY)
            self._reported = trio.Event()
            self._queue_lines()

    def _queue_lines(self) -> None:
        for position, line in self._output.take():
            self._journal.add(LineRecord(position, line.number, encode_line(line)))

    # --- plugins that do not hear (A-16) ------------------------------------------

    def _ends_first(self, ends: float) -> None:
        """Look sooner whether the call's plugin has heard."""
        self._first_end = ends
        self._sooner.set()

    async def _watch_deaf(self) -> None:
        """Mark the attempts whose plugin goes on long after it was cancelled."""
        while True:
            # A call that ends leaves its moment behind: to wake up once for nothing
            # is cheaper than to look for the next moment whenever a call ends.
            self._sooner = trio.Event()
            with trio.move_on_at(self._first_end + DEAF_AFTER):
                await self._sooner.wait()
                continue
            now = trio.current_time()
            calls = [call for call in self._calls if not call.current.unresponsive]
            later = math.inf
            for call in calls:
                # Reckoned as above: rounded otherwise, a moment could lie before itself.
                if call.ends + DEAF_AFTER <= now:
                    self._mark_deaf(call)
                else:
                    later = min(later, call.ends)
            self._first_end = later

    def _mark_deaf(self, call: AttemptContext) -> None:
        call.current.unresponsive = True
        self.record(call.action)
        log.warning(
            "%s: plugin %s goes on although it was cancelled %.0f seconds ago; wait for "
            "it, or end this process and resume the plan",
            self.path_of(call.action),
            call.action.plugin,
            DEAF_AFTER,
        )
