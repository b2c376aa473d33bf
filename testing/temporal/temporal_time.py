"""Virtual time for what a real Temporal server runs.

Server, client, worker and workflows are real, and unchanged; time is not. One clock is the
time of the workflows, of the plugins, and of the people who tell a plan something. It
stands still while anything is at work or on its way, and jumps to what is due next when
all wait. So a case has the very times that it has on one machine, and an hour costs
nothing.

**What is on its way** is counted where the worker hands a workflow its news and takes its
decisions (an *activation*): each decision that makes something happen elsewhere is a letter,
under way until the news of it comes. The start of an activity is one until the workflow has
its result; it waits only while its plugin does. A signal is one until a workflow has it.

**The time of a workflow** is that of the clock at the activation. Its timers are kept here,
and the server never hears of them: a signal brings a workflow what is due. A workflow that
is played again, to answer a question after its end for instance, is given the times that it
was given before.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
import trio
import trio.testing
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
)
from temporalio.service import RPCError
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
)
from temporalio.workflow import Info

from workstream_temporal._names import PLAN

__all__ = ["Letters", "VirtualRunner", "VirtualTime"]

START = datetime(2030, 1, 1, tzinfo=UTC)
"""When the time begins."""
_BEGAN = round(START.timestamp()) * 1_000_000_000
_HEADER = "letter"
_DUE = "due timers "
"""What the name of a signal begins with that brings a workflow its timers."""
_EPSILON = 1e-7

Letter = tuple[object, ...]
Ask = Callable[[Coroutine[Any, Any, Any]], Any]


@attrs.frozen
class _Timer:
    """A timer of a workflow: which, and when it is due by the clock."""

    workflow: str
    due: float


class VirtualTime:
    """A clock, and who is at work.

    Attributes:
        clock: The clock.
        new_histories: How many plans went on in a new history, by now.
    """

    def __init__(self, new_history_after: float = math.inf) -> None:
        """Begin at zero.

        Args:
            new_history_after: The events of a history after which the server is said to
                suggest a new one.
        """
        self.new_histories = 0
        self._new_history_after = new_history_after
        self.clock = trio.testing.MockClock()
        self._lock = threading.Lock()
        self._at_work = 0
        self._letters: set[Letter] = set()
        self._in_plugins: set[Letter] = set()
        self._numbers = itertools.count()
        self._timers: dict[tuple[str, int], _Timer] = {}
        self._activities: dict[tuple[str, int], str] = {}
        self._times: dict[tuple[str, int], int] = {}
        self._token: trio.lowlevel.TrioToken | None = None
        self._changed = trio.Event()
        self._settling: list[trio.Event] = []

    def now(self) -> datetime:
        """The date and time."""
        return START + timedelta(seconds=self.clock.current_time())

    # --- who is at work ---------------------------------------------------------------

    @contextmanager
    def working(self) -> Generator[None]:
        """Let no time pass while the body runs."""
        with self._lock:
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
            self._tell()

    @contextmanager
    def resting(self) -> Generator[None]:
        """Let time pass again while the body of somebody at work waits."""
        with self._lock:
            self._at_work -= 1
        self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._at_work += 1

    @contextmanager
    def in_plugin(self, run: str, activity: str) -> Generator[None]:
        """Let time pass while the plugin of an attempt waits, which the body calls."""
        letter = "activity", run, activity
        with self._lock:
            self._in_plugins.add(letter)
        self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._in_plugins.discard(letter)

    def sent(self, *letter: object) -> Letter:
        """Something is on its way."""
        with self._lock:
            self._letters.add(letter)
        return letter

    def came(self, *letter: object) -> None:
        """It is not on its way any more."""
        with self._lock:
            self._letters.discard(letter)
        self._tell()

    def signal(self) -> bytes:
        """A signal is on its way; what its header says."""
        _, number = self.sent("signal", next(self._numbers))
        return str(number).encode()

    def heard(self, header: bytes) -> None:
        """A signal came, or never will."""
        self.came("signal", int(header))

    def _tell(self) -> None:
        token = self._token
        if token is not None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(lambda: self._changed.set())

    def _is_quiet(self) -> bool:
        with self._lock:
            return not self._at_work and self._letters <= self._in_plugins

    def __str__(self) -> str:
        with self._lock:
            return (
                f"at {self.clock.current_time():g}: {self._at_work} at work; on their way "
                f"{sorted(map(str, self._letters - self._in_plugins))}; in plugins "
                f"{sorted(map(str, self._in_plugins))}; timers {self._timers}"
            )

    # --- how it passes ----------------------------------------------------------------

    async def settled(self) -> None:
        """Return when all else of this instant has happened."""
        event = trio.Event()
        self._settling.append(event)
        self._tell()
        await event.wait()

    async def passes(self, client: Client, ask: Ask) -> None:
        """Let time pass whenever all wait; on trio, beside what is to happen.

        Args:
            client: Brings workflows what is due.
            ask: Awaits on trio what a client does.

        Raises:
            TimeoutError: All wait, and nothing is due.
        """
        self._token = trio.lowlevel.current_trio_token()
        try:
            while True:
                self._changed = trio.Event()
                await trio.testing.wait_all_tasks_blocked()
                if not self._is_quiet():
                    await self._changed.wait()
                elif self._settling:
                    self._settling.pop(0).set()
                elif due := self._due():
                    for (run, workflow), numbers in due.items():
                        handle: Any = client.get_workflow_handle(workflow, run_id=run)
                        name = _DUE + ",".join(map(str, sorted(numbers)))
                        with self.working(), suppress(RPCError):  # it may have ended
                            await ask(handle.signal(name))
                else:
                    self._jump()
        finally:
            self._token = None

    def _due(self) -> dict[tuple[str, str], list[int]]:
        """The timers that are due, by workflow."""
        now = self.clock.current_time() + _EPSILON
        due: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        with self._lock:
            for (run, number), timer in self._timers.items():
                if timer.due <= now:
                    due[run, timer.workflow].append(number)
        return due

    def _jump(self) -> None:
        now = self.clock.current_time()
        with self._lock:
            timers = [timer.due - now for timer in self._timers.values()]
        soon = trio.lowlevel.current_statistics().seconds_to_next_deadline
        seconds = min([*timers, soon])
        if math.isinf(seconds):
            message = f"all wait, and nothing is due: {self}"
            raise TimeoutError(message)
        self.clock.jump(max(seconds, 0))

    # --- what a workflow hears and decides --------------------------------------------

    def activated(self, info: Info, activate: Callable[[Any], Any], act: Any) -> Any:
        """Give a workflow its news, at this time, and note what it decides."""
        with self.working():
            if act.HasField("timestamp"):
                key = act.run_id, act.timestamp.ToNanoseconds()
                act.timestamp.FromNanoseconds(
                    self._times.setdefault(key, self._nanoseconds())
                )
            at = act.timestamp.ToNanoseconds()
            # Not the store's: where news comes just as its history ends, the server has it
            # play that history again, and the times of its timers are known here alone.
            if (
                info.workflow_type == PLAN
                and act.history_length > self._new_history_after
            ):
                act.continue_as_new_suggested = True
            jobs = [
                heard
                for job in act.jobs
                for heard in self._hears(info, act.run_id, job)
            ]
            del act.jobs[:]
            act.jobs.extend(jobs)
            completion = activate(act)
            commands = completion.successful.commands
            kept = [
                each for each in commands if not self._keeps(info, act.run_id, at, each)
            ]
            for each in kept:
                self._decides(info, act.run_id, each, new=not act.is_replaying)
            if len(kept) < len(commands):
                kept = [
                    type(each).FromString(each.SerializeToString()) for each in kept
                ]
                del commands[:]
                commands.extend(kept)
            return completion

    def _nanoseconds(self) -> int:
        return _BEGAN + round(self.clock.current_time() * 1e6) * 1000

    def _hears(self, info: Info, run: str, job: Any) -> list[Any]:
        """Note that news has come to a workflow; the news that it is given."""
        match job.WhichOneof("variant"):
            case "initialize_workflow":
                self.came("workflow", info.workflow_id)
            case "signal_workflow":
                signal = job.signal_workflow
                if _HEADER in signal.headers:
                    self.heard(signal.headers[_HEADER].data)
                if signal.signal_name.startswith(_DUE):
                    return self._fires(run, job)
            case "resolve_signal_external_workflow":
                number = job.resolve_signal_external_workflow.seq
                self.came("resolution", run, number)
            case "resolve_activity":
                activity = self._activities[run, job.resolve_activity.seq]
                self.came("activity", run, activity)
                self.came("cut", run, activity)
            case _:
                pass
        return [_copy(job)]

    def _fires(self, run: str, job: Any) -> list[Any]:
        """The news that timers are due, in the place of the signal that brought it."""
        fired: list[Any] = []
        _, _, numbers = job.signal_workflow.signal_name.partition(_DUE)
        for number in map(int, numbers.split(",")):
            with self._lock:
                self._timers.pop((run, number), None)
            fired.append(_copy(job))
            fired[-1].fire_timer.seq = number
        return fired

    def _keeps(self, info: Info, run: str, at: int, command: Any) -> bool:
        """Keep a timer here, so that the server does not."""
        kind = command.WhichOneof("variant")
        if kind == "start_timer":
            timer = command.start_timer
            due = at - _BEGAN + timer.start_to_fire_timeout.ToNanoseconds()
            with self._lock:
                self._timers[run, timer.seq] = _Timer(
                    info.workflow_id, round(due / 1e9, 6)
                )
        elif kind == "cancel_timer":
            with self._lock:
                self._timers.pop((run, command.cancel_timer.seq), None)
        return kind in ("start_timer", "cancel_timer")

    def _decides(self, info: Info, run: str, command: Any, *, new: bool) -> None:
        """Note what a workflow makes happen elsewhere; not when it is played again."""
        match command.WhichOneof("variant"):
            case "schedule_activity":
                activity = command.schedule_activity
                self._activities[run, activity.seq] = activity.activity_id
                if new:
                    self.sent("activity", run, activity.activity_id)
            case "request_cancel_activity" if new:
                number = command.request_cancel_activity.seq
                self.sent("cut", run, self._activities[run, number])
            case "signal_external_workflow_execution" if new:
                signal = command.signal_external_workflow_execution
                self.sent("resolution", run, signal.seq)
                signal.headers[_HEADER].CopyFrom(Payload(data=self.signal()))
            case (
                "complete_workflow_execution"
                | "fail_workflow_execution"
                | "cancel_workflow_execution"
            ):
                if new:
                    self.sent("end", info.workflow_id)
                self._forget(run)
            case "continue_as_new_workflow_execution":
                if new:
                    self.sent("workflow", info.workflow_id)
                    self.new_histories += 1
                self._forget(run)
            case _:
                pass

    def _forget(self, run: str) -> None:
        """A run of a workflow has ended: its timers are due no more."""
        with self._lock:
            for key in [key for key in self._timers if key[0] == run]:
                del self._timers[key]


def _copy(message: Any) -> Any:
    """A copy of a message, to be put into another list."""
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


class VirtualRunner(UnsandboxedWorkflowRunner):
    """Runs workflows by a virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        """Take the time."""
        self._time = time

    def create_instance(self, det: Any) -> WorkflowInstance:
        """See ``WorkflowRunner``."""
        instance: Any = super().create_instance(det)
        instance.activate = partial(self._time.activated, det.info, instance.activate)
        made: WorkflowInstance = instance
        return made


class Letters(Interceptor):
    """Notes the signals that a client sends."""

    def __init__(self, time: VirtualTime) -> None:
        """Take the time that stands still until they have come."""
        self._time = time

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        """See ``Interceptor``."""
        return _Outbound(next, self._time)


class _Outbound(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, time: VirtualTime) -> None:
        super().__init__(following)
        self._time = time

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002
        header = self._time.signal()
        input.headers = {**input.headers, _HEADER: Payload(data=header)}
        try:
            await super().signal_workflow(input)
        except BaseException:
            self._time.heard(header)
            raise
