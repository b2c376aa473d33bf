"""Plans of conformance cases on a real Temporal server, in virtual time."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

import trio
from temporal_time import Letters, VirtualRunner, VirtualTime
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from _workstream_testing.conformance.case_runs import store_plan
from _workstream_testing.notation.fixtures import (
    ScriptedRequest,
    Sleeper,
    Stage,
    scripted_plugins,
)
from _workstream_testing.notation.tellings import before_start, say
from _workstream_testing.simulation.told import AUTHOR, Told
from workstream import Context, Plan, Registry, open_workstream
from workstream._codec.codec import Codec
from workstream._codec.records import encode_row
from workstream._protocols.conduct import conduct_of
from workstream._protocols.runtime import AttemptOutcome
from workstream._vaults.memory_vault import MemoryVault
from workstream.plugins import AnyPlugin, NotDone
from workstream.results import Attempt, BaseAction
from workstream_temporal._activities import Activities, Call, Look, Say
from workstream_temporal._forms import conduct_form, packed, stored_form
from workstream_temporal._names import PLAN, QUEUE, ROW, STORE, workflow_id
from workstream_temporal._parts import Part
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._runtime import LOST
from workstream_temporal._trio_thread import TrioThread
from workstream_temporal._vault import TemporalVault
from workstream_temporal._watching.passes import Passes, Watched
from workstream_temporal._worker import worker_of

__all__ = ["Lanes", "TemporalPlans"]

T = TypeVar("T")
A_LONG_TIME = 120
"""Seconds after which a case counts as one that never ends, on the busiest machine."""


class _Waits:
    """How a fixture plugin waits: by trio's clock, from when the run began."""

    def __init__(self, began: float) -> None:
        self._began = began

    def time(self) -> float:
        return trio.current_time() - self._began

    async def sleep(self, seconds: float, /) -> None:
        await trio.sleep(seconds)

    async def linger(self, seconds: float, /) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


class _Stage:
    """The stage of whatever run there is: one worker plays all cases."""

    plugin: Any

    async def execute(self, context: Context, request: ScriptedRequest) -> Any:
        return await self.plugin.execute(context, request)

    async def reconcile(self, context: Context, request: ScriptedRequest) -> Any:
        return await self.plugin.reconcile(context, request)


class _Call(Call):
    """A call that tells the time where it is."""

    time: VirtualTime
    key: tuple[str, str]

    def now(self) -> datetime:
        return self.time.now()

    async def execute(
        self, action: BaseAction, attempt: Attempt, main: bool = False
    ) -> AttemptOutcome:
        with self.time.in_plugin(*self.key):
            return await super().execute(action, attempt, main)

    async def reconcile(self, action: BaseAction) -> AttemptOutcome | NotDone:
        with self.time.in_plugin(*self.key):
            return await super().reconcile(action)

    def stop(self) -> None:
        super().stop()
        self.time.came("cut", *self.key)


class _Activities(Activities):
    """Attempts whose calls tell a time where they are."""

    time: VirtualTime

    def made(self, part: Part, path: str, lines: int, say: Say, look: Look) -> Call:
        return self.made_for(self.key(), part, path, lines, say, look)

    @staticmethod
    def key() -> tuple[str, str]:
        """What tells the activity under way from all others."""
        info = activity.info()
        assert info.workflow_run_id is not None
        return info.workflow_run_id, info.activity_id

    def made_for(
        self,
        key: tuple[str, str],
        part: Part,
        path: str,
        lines: int,
        say: Say,
        look: Look,
    ) -> Call:
        """The call of an attempt, which says by this key that it waits."""
        time = self.time

        async def said(kind: str, what: Any) -> None:
            with time.working():
                await say(kind, what)

        async def looked() -> tuple[list[list[Any]], bool]:
            await time.settled()  # so that it sees what is sent at this instant
            with time.working():
                return await look()

        call = _Call(
            part,
            self._registry,
            self._codec,
            self._lookups,
            path=path,
            lines=lines,
            say=said,
            look=looked,
        )
        call.time, call.key = time, key
        return call

    def now(self) -> datetime:
        return self.time.now()

    def passes(self, checks: list[Watched], delay: float, *, once: bool) -> Passes:
        watcher = _Watcher(self)
        made = _Passes(watcher, checks, delay=delay, once=once, lost=LOST)
        made.time, made.key = self.time, watcher.key
        return made


class _Watcher:
    """What the loop of continuous checks needs of ``_Activities``."""

    def __init__(self, activities: _Activities) -> None:
        run, activity = self.key = activities.key()
        # The loop waits in its own name, and a run of it in another.
        self.made = partial(activities.made_for, (run, f"{activity} run"))
        self.codec, self.thread = activities.codec, activities.thread
        self.workflow, self.now = activities.workflow, activities.now


class _Passes(Passes):
    """The loop of continuous checks, by a time that stands still while it is at work."""

    time: VirtualTime
    key: tuple[str, str]

    def __init__(self, watcher: _Watcher, *args: Any, **more: Any) -> None:
        super().__init__(watcher, *args, **more)
        self._thread = watcher.thread
        self._at_work: dict[asyncio.Task[Any] | None, ExitStack] = {}

    async def run(self) -> bytes:
        try:
            return await super().run()
        finally:
            for each in self._at_work.values():
                each.close()

    async def _loop(self) -> None:
        with self.time.in_plugin(*self.key):
            await super()._loop()

    async def _sleep(self, seconds: float) -> None:
        """Sleep by that time; from then on it stands still until the next sleep."""
        work = self._at_work.setdefault(asyncio.current_task(), ExitStack())

        async def slept() -> None:
            await trio.sleep(seconds)
            await self.time.settled()  # so that it sees what is sent at this instant
            work.enter_context(self.time.working())

        work.close()
        await self._thread.call(slept)

    async def _hears_of_cut(self) -> bool:
        found = await super()._hears_of_cut()
        if not found:
            self.time.came("cut", *self.key)
        return found

    def _cut(self) -> None:
        super()._cut()
        self.time.came("cut", *self.key)


class Lane:
    """A worker of a cluster, in a thread of this process, and a time of its own.

    It plays one plan at a time.
    """

    def __init__(
        self,
        location: str,
        new_history_after: float = math.inf,
        plan_workflow: type[PlanWorkflow] = PlanWorkflow,
    ) -> None:
        """Begin it on a cluster, ``HOST:PORT/NAMESPACE``."""
        self._plan_workflow = plan_workflow
        self.time = VirtualTime(new_history_after)
        self._location = location
        self._stage = _Stage()
        self._played = ""
        self._begun: Future[None] = Future()
        self._work = threading.Thread(target=self._main, name="lane")
        self._work.start()
        self._begun.result()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if not self._begun.done():
                self._begun.set_exception(error)
            raise

    async def _serve(self) -> None:
        config = (await TemporalVault(self._location).client()).config()
        config["interceptors"] = [*config["interceptors"], Letters(self.time)]
        self._client = Client(**config)
        worker = await worker_of(
            self._client,
            Registry(scripted_plugins(cast("Stage", self._stage))),
            plan_workflow=self._plan_workflow,
            activities=self._activities,
            clock=self.time.clock,
            runner=VirtualRunner(self.time),
        )
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with worker:
            self._begun.set_result(None)
            await self._over.wait()

    def _activities(
        self, client: Client, registry: Registry, thread: TrioThread
    ) -> Activities:
        self._thread = thread
        made = _Activities(client, registry, thread)
        made.time = self.time
        return made

    def close(self) -> None:
        """End it, and what it plays."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        self._work.join()

    async def _close(self) -> None:
        # What was said to the store by this lane's time, the next one cannot play again.
        for workflow in (self._played, STORE):
            with suppress(RPCError):  # it has ended
                await self._client.get_workflow_handle(workflow).terminate()
        self._over.set()

    def begin(self) -> float:
        """Let time be a whole number of seconds; which it is, by trio's clock."""

        async def whole() -> float:
            now = self.time.clock.current_time()
            self.time.clock.jump(math.floor(now) + 1 - now)
            return self.time.clock.current_time()

        return self._on_trio(whole)

    def play(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        told: Sequence[Told],
    ) -> Plan:
        """Run a plan to its end: see ``RunsPlans``."""
        [self._stage.plugin, *_] = plugins

        async def played() -> Plan:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.time.passes, self._client, self._thread.ask)
                with self.time.working():
                    ended = await self._play(
                        nursery, plan, plugins, recover, stop_at, told
                    )
                nursery.cancel_scope.cancel()
            return ended

        return self._on_trio(played)

    def _on_trio(self, function: Callable[[], Awaitable[T]]) -> T:
        made = asyncio.run_coroutine_threadsafe(self._thread.call(function), self._loop)
        try:
            return made.result(A_LONG_TIME)
        except TimeoutError as error:
            if made.done():
                raise
            message = f"it never ends, {self.time}"
            raise TimeoutError(message) from error

    async def _play(
        self,
        nursery: trio.Nursery,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        recover: bool,
        stop_at: float | None,
        told: Sequence[Told],
    ) -> Plan:
        began = trio.current_time()
        vault, registry = TemporalVault(self._location), Registry(plugins)
        async with open_workstream(vault, registry=registry, now=self.time.now) as ws:
            if recover:
                plan_id = await self._go_on(plan, registry)
            else:
                plan_id = await ws.submit(plan, by=AUTHOR)
                for each in before_start(told):
                    await say(ws, plan_id, each)
                await ws.start(plan_id)
            ended = trio.Event()
            nursery.start_soon(self._until_end, workflow_id(plan_id), ended)
            if stop_at is not None:
                await self._sleep_until(began + stop_at)
                await ws.stop(plan_id)
            for each in told:
                if each.at:
                    await self._sleep_until(began + each.at)
                    await say(ws, plan_id, each)
            with self.time.resting():
                await ended.wait()
            return await ws.wait(plan_id)

    async def _until_end(self, workflow: str, ended: trio.Event) -> None:
        """Set the event when the plan's workflow has ended, by the word of the server."""
        self._played = workflow
        handle = self._client.get_workflow_handle(workflow)
        await self._thread.ask(handle.result())
        ended.set()
        self.time.came("end", workflow)

    async def _sleep_until(self, time: float) -> None:
        with self.time.resting():
            await trio.sleep_until(time)

    async def _go_on(self, plan: Plan, registry: Registry) -> UUID:
        """Let a plan go on as it stands: as if this were a new run of its workflow."""
        codec, store = Codec(registry), MemoryVault()
        plan_id = await store_plan(store, plan, codec)
        stored = await store.read(plan_id)
        name = workflow_id(plan_id)
        conduct = conduct_form(conduct_of(plan, registry))
        self.time.sent("workflow", name)
        start = self._client.start_workflow(
            PLAN,
            packed(stored_form(stored), [], [], conduct),
            id=name,
            task_queue=QUEUE,
            memo={ROW: encode_row(stored.row)},
        )
        await self._thread.ask(start)
        return plan_id


class Lanes:
    """One lane at a time on a cluster, and a new one after a case that fails."""

    def __init__(
        self,
        location: str,
        *,
        new_history_after: float = math.inf,
        plan_workflow: type[PlanWorkflow] = PlanWorkflow,
    ) -> None:
        """Take the cluster.

        Args:
            location: Where it is, ``HOST:PORT/NAMESPACE``.
            new_history_after: After how many events a history shall end.
            plan_workflow: What plans are, perhaps with a planted fault.
        """
        self._new = partial(Lane, location, new_history_after, plan_workflow)
        self._lane: Lane | None = None

    def lane(self) -> Lane:
        """The lane."""
        if self._lane is None:
            self._lane = self._new()
        return self._lane

    @property
    def new_histories(self) -> int:
        """How many plans the lane has let go on in a new history."""
        return self.lane().time.new_histories

    def close(self) -> None:
        """End it; the next case begins another one."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None


class TemporalPlans:
    """A cluster under test; see ``RunsPlans``.

    Attributes:
        sleeper: How a plugin waits.
    """

    def __init__(self, lanes: Lanes) -> None:
        """Make a runtime for one run."""
        self._lanes = lanes
        self._lane = lanes.lane()
        self.sleeper: Sleeper = _Waits(self._lane.begin())

    def now(self) -> datetime:
        """See ``RunsPlans``."""
        return self._lane.time.now()

    def run(
        self,
        plan: Plan,
        plugins: Sequence[AnyPlugin],
        *,
        recover: bool,
        stop_at: float | None,
        seed: int,
        told: Sequence[Told] = (),
    ) -> Plan:
        """See ``RunsPlans``; the order of simultaneous events is the server's."""
        try:
            return self._lane.play(
                plan, plugins, recover=recover, stop_at=stop_at, told=told
            )
        except BaseException:
            self._lanes.close()
            raise
