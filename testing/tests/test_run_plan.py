"""``run_plan``: real trio code by a fake clock."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import attrs
import pytest
import trio

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    Plan,
    PluginError,
    Sequence,
    Status,
    ValidationError,
)
from workstream.plugins import RetryPolicy
from workstream.testing import (
    FakeClock,
    FakePlugin,
    ScriptError,
    SimulationError,
    run_plan,
)


@attrs.frozen
class Ask:
    """A request."""

    seconds: float = 0.0
    fails: int = 0


class Wait(ActionPlugin[Ask, None]):
    """Waits, as trio code does."""

    name = "acme.wait"
    retry = RetryPolicy(
        initial_interval=600, max_interval=600, randomization_factor=0.5
    )

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Wait; fail as often as is asked for."""
        context.report("waiting", done=0, total=request.seconds)
        await trio.sleep(request.seconds)
        if context.attempt <= request.fails:
            message = "not yet"
            raise PluginError(message)


class Look(CheckPlugin[Ask, None]):
    """Passes."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Pass."""


class Thread(ActionPlugin[Ask, None]):
    """Works in a thread, until it is let go."""

    name = "acme.thread"

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Wait in a thread."""
        await trio.to_thread.run_sync(self.gate.wait)


class Process(ActionPlugin[Ask, None]):
    """Runs a process."""

    name = "acme.process"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Run it to its end."""
        await trio.run_process(["sleep", str(request.seconds)])


class Talk(ActionPlugin[Ask, None]):
    """Talks to a server."""

    name = "acme.talk"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Wait for its answer."""
        stream = await trio.open_tcp_stream("127.0.0.1", int(request.seconds))
        async with stream:
            assert await stream.receive_some() == b"done"


@contextmanager
def answering(gate: threading.Event) -> Generator[int]:
    """A server in a thread, which answers one caller when the gate is open; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                gate.wait()
                connection.sendall(b"done")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def plan_of(*actions: Any, **options: Any) -> Plan:
    """Actions side by side, each in a sequence of its own."""
    sequences = [
        Sequence(name=f"Sequence {number}", actions=[action])
        for number, action in enumerate(actions)
    ]
    block = Block(
        name="Block", sequences=sequences, concurrency=len(sequences), **options
    )
    return Plan(name="Plan", blocks=[block])


def wait(seconds: float, **options: Any) -> Any:
    """An action that waits."""
    request = Ask(seconds, options.pop("fails", 0))
    usual: dict[str, Any] = {"name": "Wait", "timeout": 10_000}
    return Wait.action(request, **{**usual, **options})


class TestTime:
    """What passes, and what does not."""

    def test_hours_take_no_time(self) -> None:
        """Sleeps, backoffs and delays jump; recorded times follow the clock (T-1)."""
        plan = plan_of(wait(3600, fails=1, retries=1), entrance_delay=60)
        result = run_plan(plan, [Wait()])

        assert result.plan.state.status is Status.COMPLETED
        assert result.elapsed == 60 + 3600 + 600 + 3600
        assert [(r.time, r.attempt, r.message) for r in result.reports] == [
            (60, 1, "waiting"),
            (60 + 3600 + 600, 2, "waiting"),
        ]
        assert result.reports[0].path == "Plan / Block / Sequence 0 / Wait"
        assert repr(result) == "<plan 'Plan': completed after 7860 s>"

    def test_a_thread_does_not_lose_against_a_sleep(self) -> None:
        """While a thread works the clock stands still, whatever limiter it has."""
        gate = threading.Event()
        threading.Timer(0.05, gate.set).start()
        thread = Thread.action(Ask(), name="Thread", timeout=30)
        result = run_plan(plan_of(thread, wait(60)), [Thread(gate), Wait()])

        action = result.plan.blocks[0].sequences[0].actions[0]
        assert action.state.status is Status.COMPLETED
        assert action.state.ended == action.state.started
        assert result.elapsed == 60

    def test_a_process_takes_the_time_that_it_takes(self) -> None:
        """It is not timed out by a clock that jumps; what follows it jumps again."""
        process = Process.action(Ask(0.05), name="Process", timeout=30)
        result = run_plan(plan_of(process, wait(3600)), [Process(), Wait()])

        action = result.plan.blocks[0].sequences[0].actions[0]
        assert action.state.status is Status.COMPLETED
        assert action.state.started is not None
        assert action.state.ended is not None
        took = (action.state.ended - action.state.started).total_seconds()
        assert 0 <= took < 30
        assert result.elapsed >= 3600

    def test_a_clock_may_jump_over_processes(self) -> None:
        """Without ``real_io`` a process loses against its timeout."""
        process = Process.action(Ask(60), name="Process", timeout=30)
        clock = FakeClock(real_io=False)
        result = run_plan(plan_of(process), [Process()], clock=clock)

        assert result.plan.state.status is Status.FAILED
        assert result.elapsed >= 30

    @pytest.mark.parametrize("real_io", [True, None])
    def test_a_socket_takes_the_time_that_it_takes(self, real_io: bool | None) -> None:
        """It is waited for; a clock that jumps over it says why it was timed out."""
        gate = threading.Event()
        with answering(gate) as port:
            request = Ask(port)
            talk = Talk.action(request, name="Talk", timeout=30)
            clock = FakeClock(real_io=real_io)
            if real_io:
                threading.Timer(0.05, gate.set).start()
                plan = plan_of(talk, wait(3600))
                result = run_plan(plan, [Talk(), Wait()], clock=clock)
                wanted = Status.COMPLETED
            else:
                with pytest.warns(
                    RuntimeWarning, match=r"jumped 30 seconds .* make it with"
                ):
                    result = run_plan(plan_of(talk), [Talk()], clock=clock)
                gate.set()
                wanted = Status.FAILED

        action = result.plan.blocks[0].sequences[0].actions[0]
        assert action.state.status is wanted
        assert result.elapsed >= (3600 if real_io else 30)

    def test_threads_that_cannot_start_do_not_stop_the_clock(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A machine out of threads is a failed attempt, not a clock that stands."""

        class Full(Thread):
            """Finds no thread to start."""

            async def execute(self, context: Context, request: Ask, /) -> None:
                """Try to start one."""
                with monkeypatch.context() as patch:
                    patch.setattr(threading.Thread, "start", _no_more)
                    await trio.to_thread.run_sync(int)

        plan = plan_of(Full.action(Ask(), name="Full"), wait(60), tolerated_failures=1)
        result = run_plan(plan, [Full(threading.Event()), Wait()])
        assert result.elapsed == 60


def _no_more(_: threading.Thread) -> None:
    message = "can't start new thread"
    raise RuntimeError(message)


class TestUse:
    """How it is called, and what it refuses."""

    def test_fakes_and_real_plugins_go_together(self) -> None:
        """A fake's script is asked for its unused lines as in a simulation."""
        plan = plan_of(wait(5))
        plan.pre_checks = Checks(actions=[Look.action(Ask(), name="Look")])
        fake = FakePlugin(Wait).when(seconds=5, takes=7)
        assert run_plan(plan, [fake, Look()]).elapsed == 7

        fake = FakePlugin(Wait).when(seconds=6, takes=7)
        with pytest.raises(ScriptError, match="was never used"):
            run_plan(plan, [fake, Look()])

    def test_nothing_real_runs_by_accident(self) -> None:
        """Each plugin must be given."""
        with pytest.raises(
            SimulationError, match=r"not given: acme.wait. Nothing real"
        ):
            run_plan(plan_of(wait(5)))

    def test_a_plan_is_validated(self) -> None:
        """As by submit (V-1)."""
        with pytest.raises(ValidationError, match="timeout"):
            run_plan(plan_of(wait(5, timeout=-1)), [Wait()])

    def test_a_stop_comes_when_it_is_asked_for(self) -> None:
        """Attempts in flight end, nothing more begins (SP-1); an ended plan has ended."""
        plan = plan_of(wait(60), wait(60))
        plan.blocks[0].concurrency = 1
        result = run_plan(plan, [Wait()], stop_at=30)
        assert repr(result) == "<plan 'Plan': stopped (STOPPED) after 60 s>"

        result = run_plan(plan, [Wait()], stop_at=500)
        assert result.plan.state.status is Status.COMPLETED

    def test_a_plan_that_never_ends_is_given_up(self) -> None:
        """The bound tells the story so far."""
        plan = plan_of(wait(3600, name="Sleep on"))
        with pytest.raises(SimulationError) as caught:
            run_plan(plan, [Wait()], max_time=600)

        assert "does not end within 10m, so far:" in str(caught.value)
        assert "Sleep on: running" in str(caught.value)

    def test_inside_of_trio_it_says_what_to_use(self) -> None:
        """It is a plain function."""

        async def scenario() -> None:
            run_plan(plan_of(wait(5)), [Wait()])

        with pytest.raises(SimulationError, match="MemoryWorkstream"):
            FakeClock().run(scenario)

    def test_a_seed_repeats_the_order(self) -> None:
        """The same seed starts simultaneous sequences in the same order."""

        def order(seed: int) -> list[str]:
            fake = FakePlugin(Wait).otherwise(takes=1)
            run_plan(plan_of(*[wait(5) for _ in range(6)]), [fake], seed=seed)
            return [call.path for call in fake.calls]

        assert order(3) == order(3)


def test_nothing_outside_is_left_changed() -> None:
    """What counts threads is gone with the run, also after an error."""
    import trio._threads as home

    before = vars(home)["start_thread_soon"]
    with pytest.raises(subprocess.CalledProcessError):
        FakeClock().run(trio.run_process, ["false"])
    assert vars(home)["start_thread_soon"] is before
