"""One attempt as one activity: an asyncio shell around the plugin's call on trio.

The shell gives signs of life for every plugin, also for one that blocks its loop; and it
carries what the plugin says while it works to the plan's workflow: notes at once, lines
of output now and then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

import trio
from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from workstream._attempts.context import AttemptContext
from workstream._attempts.outcomes import DEAF_AFTER
from workstream._codec.codec import Codec
from workstream._codec.lines import encode_line
from workstream._codec.records import decode_intervention
from workstream._codec.thin import thin
from workstream._plan.plan import BaseAction, Node
from workstream._protocols.plugin import NotDone
from workstream._protocols.runtime import AttemptOutcome
from workstream._protocols.vault import LineRecord, NodeRecord
from workstream._registry.registry import Registry
from workstream._runtime.lookups import Lookups
from workstream._runtime.output import OutputBuffer
from workstream._runtime.trio_calls import TrioCalls
from workstream._values.clock import utc_now
from workstream._values.state import (
    FIRST_LINES,
    LAST_LINES,
    PluginError,
    State,
    Status,
)

from ._forms import packed, unpacked
from ._limits.shelves import TooLargeError, put
from ._names import CALL, HEARTBEAT, WATCH
from ._parts import Part, part_of
from ._runtime import LOST
from ._trio_thread import TrioThread
from ._watching.passes import Passes, Watched

BEAT = HEARTBEAT.total_seconds() / 5
"""Seconds between two signs of life."""
FIRST_LINES_AFTER, LINES_EVERY = 1.0, 30.0
"""Seconds after which reported lines are sent: at first, and at last. Each time is an
event of a history, so they grow."""
LINES_AT_ONCE = 8_000
"""Bytes of lines that are sent while the attempt goes on. More of them wait for its end,
as do lines that a history of ``LINES_UNTIL`` events has no room for."""
LINES_UNTIL = 6_000
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
        self._first_end = math.inf

    def reported(self) -> list[LineRecord]:
        """The lines that were not taken yet."""
        return [
            LineRecord(position, line.number, encode_line(line))
            for position, line in self._output.take()
        ]

    def stop(self) -> None:
        """Let a stop cut the call (SN-1)."""
        self._stopped = True
        self._cut()

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
        await trio.sleep_until(self._first_end + DEAF_AFTER)
        await self._say("deaf", None)

    def _ends_first(self, ends: float) -> None:
        self._first_end = ends
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
        *settings, form, room = unpacked(given)
        part = await part_of(self._codec, self._client, form)
        return await _Shell(self, settings, part, room).run()

    @activity.defn(name=WATCH)
    async def watch(self, given: bytes) -> bytes:
        """Run a group of checks again and again; its last run."""
        delay, once, forms = unpacked(given)
        checks = [
            Watched(
                await part_of(self._codec, self._client, form), path, lines, seconds
            )
            for path, lines, seconds, form in forms
        ]
        return await self.passes(checks, delay, once=once).run()

    def passes(self, checks: list[Watched], delay: float, *, once: bool) -> Passes:
        """What runs a group of checks again and again."""
        return Passes(self, checks, delay=delay, once=once, lost=LOST)

    def now(self) -> datetime:
        """The time."""
        return utc_now()

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
    def client(self) -> Client:
        """The cluster."""
        return self._client

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

    def __init__(
        self, activities: Activities, settings: list[Any], part: Part, room: int
    ) -> None:
        self._verb, seconds, self._main, path, lines = settings
        self._room = room
        self._client = activities.client
        self._codec = activities.codec
        self._thread = activities.thread
        self._workflow = activities.workflow()
        self._part = part
        assert part.plan.id is not None
        self._plan_id = part.plan.id
        self._kept: list[LineRecord] = []
        self._action = self._part.action
        # Its deadline was made a part of these seconds, by the plan's own clock (HO-4).
        self._action.timeout, self._action.deadline = seconds, None
        self._attempt = self._action.attempts[-1]
        self._number = len(self._action.attempts)
        self._signalled: list[list[Any]] = []
        self._call = activities.made(self._part, path, lines, self._say, self._look)

    async def run(self) -> bytes:
        """Make the attempt."""
        # The watch stands before the call begins: a minute may pass at once.
        beside = [
            asyncio.create_task(each())
            for each in (self._tell_of_deaf, self._beat, self._send_lines)
        ]
        task = asyncio.create_task(self._thread.call(self._made))
        try:
            return await self._answer(await self._outcome(task))
        finally:
            for each in beside:
                each.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _answer(self, outcome: AttemptOutcome | NotDone) -> bytes:
        """What the workflow is told; what is large is put on shelves."""
        lines = self._lines()
        if isinstance(outcome, NotDone):
            return self._told(None, lines)
        record = self._record(outcome)
        answer = self._told(record, lines)
        # What a reconciliation found becomes an attempt of its own: there are few.
        if len(answer) <= self._room or self._verb != "execute":
            return answer
        try:
            names = await put(self._client, self._plan_id, record, lines)
        except TooLargeError as error:
            failed = PluginError(str(error), permanent=True)
            return self._told(self._record(AttemptOutcome(error=failed)), ())
        last = lines[-1].number if lines else 0
        return self._told(thin(record), (), names, last)

    def _record(self, outcome: AttemptOutcome) -> NodeRecord:
        """The record of the attempt that ended so."""
        self._attempt.response, self._attempt.error = outcome.response, outcome.error
        self._attempt.interrupted = outcome.interrupted
        self._attempt.ended = utc_now()
        self._action.state = State(Status.RUNNING, self._attempt.started)
        return self._codec.record_of(self._action)

    def _told(
        self,
        record: NodeRecord | None,
        lines: Iterable[LineRecord],
        names: Iterable[str] = (),
        last: int = 0,
    ) -> bytes:
        """An answer; without a record it says that nothing was done."""
        return packed(
            record is not None,
            b"" if record is None else record.data,
            self._attempt.notes,
            [[each.number, each.data] for each in lines],
            list(names),
            last,
        )

    def _lines(self) -> list[LineRecord]:
        """The lines that were not sent yet: the first and the last of them."""
        self._kept += self._call.reported()
        del self._kept[FIRST_LINES:-LAST_LINES]
        lines, self._kept = self._kept, []
        return lines

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
            self._kept = self._lines()
            if not self._kept or sum(len(e.data) for e in self._kept) > LINES_AT_ONCE:
                continue
            seconds = min(2 * seconds, LINES_EVERY)
            found = await self._workflow.describe()
            if found.history_length < LINES_UNTIL:
                await self._signal("lines", None, self._lines())

    async def _tell_of_deaf(self) -> None:
        await self._thread.call(self._call.tell_of_deaf)

    async def _signal(
        self, kind: str, what: Any, lines: Iterable[LineRecord] = ()
    ) -> None:
        position = self._part.position
        forms = [[each.number, each.data] for each in lines]
        given = packed(position, self._number, kind, what, forms)
        await self._workflow.signal("note", given)

    # --- for the call, on trio --------------------------------------------------------

    async def _say(self, kind: str, what: Any) -> None:
        await self._thread.ask(self._signal(kind, what))

    async def _look(self) -> tuple[list[list[Any]], bool]:
        try:
            answer = await self._thread.ask(
                self._workflow.query("told", self._part.position, result_type=bytes)
            )
        except (RPCError, WorkflowQueryFailedError):
            return self._signalled, False  # no worker answers for the plan just now
        self._signalled, cut = unpacked(cast("bytes", answer))
        return self._signalled, cut
