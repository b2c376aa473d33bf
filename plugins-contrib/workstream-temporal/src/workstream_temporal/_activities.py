"""One attempt as one activity: an asyncio shell around the plugin's call on trio.

The shell gives signs of life for every plugin, also for one that blocks its loop; and it
carries what the plugin says while it works to the plan's workflow: notes at once, lines
of output now and then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

import trio
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError

from workstream._attempts.context import AttemptContext
from workstream._attempts.outcomes import DEAF_AFTER
from workstream._codec.codec import Codec
from workstream._codec.records import decode_intervention, encode_line
from workstream._plan.plan import BaseAction, Node
from workstream._protocols.plugin import NotDone
from workstream._protocols.runtime import AttemptOutcome
from workstream._protocols.vault import NodeRecord
from workstream._registry.registry import Registry
from workstream._runtime.lookups import Lookups
from workstream._runtime.output import OutputBuffer
from workstream._runtime.trio_calls import TrioCalls
from workstream._values.clock import utc_now
from workstream._values.state import State, Status

from ._forms import packed, unpacked
from ._names import CALL, HEARTBEAT
from ._parts import Part, part_of
from ._runtime import LOST
from ._trio_thread import TrioThread

BEAT = HEARTBEAT.total_seconds() / 5
"""Seconds between two signs of life."""
FIRST_LINES_AFTER, LINES_EVERY = 1.0, 30.0
"""Seconds after which reported lines are sent: at first, and at last. Each time is an
event of a history, so they grow."""
LOOK_FOR_SIGNALS = 0.5
"""Seconds between two looks of a plugin that waits for a signal."""

Say = Callable[[str, Any], Awaitable[None]]
"""Says something of an attempt to its workflow; returns when it is durable."""
Look = Callable[[], Awaitable[tuple[list[list[Any]], bool]]]
"""Looks for the signals that were sent to the action, and for a stop."""


class Call(TrioCalls):
    """The call of one attempt, on trio."""

    def __init__(
        self,
        part: Part,
        registry: Registry,
        codec: Codec,
        lookups: Lookups,
        *,
        path: str,
        lines: int,
        say: Say,
        look: Look,
    ) -> None:
        """Make it.

        Args:
            part: What it needs of its plan.
            registry: The plugins.
            codec: The worker's.
            lookups: Looks secrets up, here and nowhere else.
            path: The action's address in the whole plan.
            lines: How many lines the action has reported before.
            say: Says something to the workflow.
            look: Looks for signals.
        """
        super().__init__(part.plan, registry, codec, lookups)
        self._part = part
        self._path = path
        self._say = say
        self._look = look
        self._stopped = False
        self._output = OutputBuffer({part.position: lines})
        self._begun = trio.Event()
        self._ends = math.inf

    def reported(self) -> list[list[Any]]:
        """The lines that were not sent yet, as plain data."""
        return [[line.number, encode_line(line)] for _, line in self._output.take()]

    def stop(self) -> None:
        """Let a stop cut the call (SN-1)."""
        self._stopped = True
        for slot, cut in list(self._cuttable.items()):
            if cut():
                slot.cancel()

    # --- what a context asks ----------------------------------------------------------

    def path_of(self, node: Node, /) -> str:
        """The action's address in the whole plan."""
        return self._path

    def now(self) -> datetime:
        """The time."""
        return utc_now()

    def record(self, *nodes: Node) -> None:
        """Do nothing yet: what a context records are notes, and it waits for them."""

    async def durable(self) -> None:
        """Return when the workflow has the notes (A-14)."""
        await self._say("notes", dict(self._part.action.attempts[-1].notes))

    def report(
        self,
        action: BaseAction,
        attempt: int,
        text: str,
        done: float | None,
        total: float | None,
    ) -> None:
        """Keep a line, to be sent soon (WA-3)."""
        self._output.add(
            self._part.position,
            text,
            time=self.now(),
            attempt=attempt,
            done=done,
            total=total,
        )

    async def until_sent(self, until: Callable[[], bool]) -> None:
        """Look for signals until enough were sent, or a stop cuts the wait (SG-2)."""
        plan = self._part.plan
        while not until():
            forms, cut = await self._look()
            records = [NodeRecord(0, number, data) for number, data in forms]
            plan.interventions = tuple(decode_intervention(r.data) for r in records)
            if cut:
                self.stop()
            if not until():
                await trio.sleep(LOOK_FOR_SIGNALS)

    def _is_cut(self, context: AttemptContext, main: bool) -> bool:
        context.is_cut = context.is_cut or (main and self._stopped)
        return context.is_cut

    async def tell_of_deaf(self) -> None:
        """Tell of a plugin that goes on long after it was cancelled (A-16)."""
        await self._begun.wait()
        await trio.sleep_until(self._ends + DEAF_AFTER)
        await self._say("deaf", None)

    def _entered(self, context: AttemptContext, ends: float) -> None:
        self._ends = ends
        self._begun.set()


class Activities:
    """What a worker does for workflows."""

    def __init__(self, client: Client, registry: Registry, thread: TrioThread) -> None:
        """Take what all attempts share."""
        self._client = client
        self._registry = registry
        self._codec = Codec(registry)
        self._lookups = Lookups(registry.resolvers)
        self._thread = thread

    @activity.defn(name=CALL)
    async def call(self, given: bytes) -> bytes:
        """Make one attempt; its end, as the workflow is to record it."""
        return await _Shell(self, given).run()

    def made(self, part: Part, path: str, lines: int, say: Say, look: Look) -> Call:
        """The call of an attempt."""
        return Call(
            part,
            self._registry,
            self._codec,
            self._lookups,
            path=path,
            lines=lines,
            say=say,
            look=look,
        )

    @property
    def codec(self) -> Codec:
        """The worker's codec."""
        return self._codec

    @property
    def thread(self) -> TrioThread:
        """Where plugins run."""
        return self._thread

    def workflow(self) -> WorkflowHandle[Any, Any]:
        """The workflow of the attempt under way."""
        info = activity.info()
        assert info.workflow_id is not None
        return self._client.get_workflow_handle(
            info.workflow_id, run_id=info.workflow_run_id
        )


class _Shell:
    """The asyncio side of one attempt."""

    def __init__(self, activities: Activities, given: bytes) -> None:
        self._verb, seconds, self._main, path, lines, form = unpacked(given)
        self._codec = activities.codec
        self._thread = activities.thread
        self._workflow = activities.workflow()
        self._part = part_of(self._codec, form)
        self._action = self._part.action
        # Its deadline was made a part of these seconds, by the plan's own clock (HO-4).
        self._action.timeout, self._action.deadline = seconds, None
        self._attempt = self._action.attempts[-1]
        self._number = len(self._action.attempts)
        self._call = activities.made(self._part, path, lines, self._say, self._look)

    async def run(self) -> bytes:
        """Make the attempt."""
        task = asyncio.create_task(self._thread.call(self._made))
        beside = [
            asyncio.create_task(each())
            for each in (self._beat, self._send_lines, self._tell_of_deaf)
        ]
        try:
            outcome = await self._outcome(task)
        finally:
            for each in beside:
                each.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        notes, lines = self._attempt.notes, self._call.reported()
        if isinstance(outcome, NotDone):
            return packed(False, b"", notes, lines)
        self._attempt.response, self._attempt.error = outcome.response, outcome.error
        self._attempt.interrupted = outcome.interrupted
        self._attempt.ended = utc_now()
        self._action.state = State(Status.RUNNING, self._attempt.started)
        return packed(True, self._codec.record_of(self._action).data, notes, lines)

    async def _made(self) -> AttemptOutcome | NotDone:
        """Call the plugin; on trio."""
        if self._verb == "reconcile":
            return await self._call.reconcile(self._action)
        return await self._call.execute(self._action, self._attempt, self._main)

    async def _outcome(
        self, task: asyncio.Task[AttemptOutcome | NotDone]
    ) -> AttemptOutcome | NotDone:
        """What came of it, whoever wants it to end."""
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                details = activity.cancellation_details()
                if details is not None and details.cancel_requested:
                    self._thread.soon(self._call.stop)  # a stop: its plugin ends it
                    continue
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                message = "the worker ends, and the attempt with it"
                raise ApplicationError(message, type=LOST) from None

    # --- beside the call --------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT)

    async def _send_lines(self) -> None:
        seconds = FIRST_LINES_AFTER
        while True:
            await asyncio.sleep(seconds)
            lines = self._call.reported()
            if lines:
                seconds = min(2 * seconds, LINES_EVERY)
                await self._signal("lines", None, lines)

    async def _tell_of_deaf(self) -> None:
        await self._thread.call(self._call.tell_of_deaf)

    async def _signal(self, kind: str, what: Any, lines: list[list[Any]]) -> None:
        position = self._part.position
        given = packed(position, self._number, kind, what, lines)
        await self._workflow.signal("note", given)

    # --- for the call, on trio --------------------------------------------------------

    async def _say(self, kind: str, what: Any) -> None:
        await self._thread.ask(self._signal(kind, what, []))

    async def _look(self) -> tuple[list[list[Any]], bool]:
        answer = await self._thread.ask(
            self._workflow.query("told", self._part.position, result_type=bytes)
        )
        forms, cut = unpacked(cast("bytes", answer))
        return forms, cut
