"""``simulate``: a plan run in virtual time, by a plain function."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from _workstream_testing.simulation.told import Told
from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Outcome,
    Plan,
    PluginError,
    SecretRef,
    Sequence,
    Status,
    ValidationError,
    WhenDeferred,
    failures,
)
from workstream.plugins import AnyPlugin, RetryPolicy
from workstream.results import FailureReason, State, Verb
from workstream.testing import FakePlugin, SimulationError, fake_all, simulate, sleep
from workstream.vaults import MemoryVault


@attrs.frozen
class Ask:
    """A request."""

    host: str
    login: SecretRef | None = None


@attrs.frozen
class Answer:
    """A response."""

    text: str = ""


class Restart(ActionPlugin[Ask, Answer]):
    """A plugin that no test ever calls."""

    name = "acme.restart"
    retry = RetryPolicy(initial_interval=10, randomization_factor=0.5)

    async def execute(self, context: Context, request: Ask, /) -> Answer:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[Ask, None]):
    """A check that no test ever calls."""

    name = "acme.look"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


class Patient(ActionPlugin[Ask, Answer]):
    """A plugin of the user's own that awaits no event loop."""

    name = "acme.patient"

    async def execute(self, context: Context, request: Ask, /) -> Answer:
        """Wait by whatever clock there is."""
        await sleep(12)
        return Answer(f"{request.host} at attempt {context.attempt}")


def rollout(hosts: int, **options: Any) -> Plan:
    """Restart so many hosts, five at a time, with a check alongside."""
    return Plan(
        name="Rollout",
        blocks=[
            Block(
                name="Web",
                concurrency=5,
                tolerated_failures=2,
                cont_checks=Checks(
                    delay=30, actions=[Look.action(Ask("balancer"), name="Balancer")]
                ),
                sequences=[
                    Sequence(name=f"web-{number}", actions=[restart(number, **options)])
                    for number in range(1, hosts + 1)
                ],
            )
        ],
    )


def restart(number: int, **options: Any) -> Action:
    """Restart one host."""
    usual: dict[str, Any] = {"name": "Restart", "timeout": 120}
    return Restart.action(Ask(f"web-{number}"), **{**usual, **options})


class TestResults:
    """What a simulation tells."""

    def test_a_rollout_goes_on_past_one_bad_host(self) -> None:
        """Status, failures, times and calls are those of a real run."""
        fake = (
            FakePlugin(Restart)
            .when(host="web-3", fails="disk full", permanent=True)
            .otherwise(takes=60)
        )
        result = simulate(rollout(20), [fake, FakePlugin(Look)])

        assert result.plan.state.status is Status.COMPLETED
        assert result.plan.outcome is Outcome.COMPLETED_WITH_FAILURES
        assert [failure.path for failure in failures(result.plan)] == [
            "Rollout / Web / web-3 / Restart"
        ]
        assert result.elapsed == 240
        assert sum(call.plugin == "acme.restart" for call in result.calls) == 20
        looks = [c.started for c in result.calls if c.plugin == "acme.look"]
        assert looks[:4] == [0, 30, 60, 90]

    def test_the_plan_is_not_changed(self) -> None:
        """It can be simulated again, and submitted (SUB-2)."""
        plan = rollout(3)
        simulate(plan, fake_all(plan, Restart, Look))

        assert plan == rollout(3)

    def test_it_names_the_seed_wherever_it_is_shown(self) -> None:
        """A failing assertion shows the result, and with it how to see it again."""
        plan = rollout(2)
        result = simulate(plan, fake_all(plan, Restart, Look), seed=41)

        assert "Rollout" in repr(result)
        assert "completed" in repr(result)
        assert "simulate(plan, plugins, seed=41)" in repr(result)

    def test_plugins_may_be_made_for_each_run(self) -> None:
        """A function makes them, where they have a memory of their own."""
        made: list[object] = []

        def plugins() -> list[AnyPlugin]:
            made.append(object())
            return [FakePlugin(Restart), FakePlugin(Look)]

        simulate(rollout(1), plugins)
        simulate(rollout(1), plugins)

        assert len(made) == 2

    def test_a_plugin_that_awaits_no_event_loop(self) -> None:
        """What was given is run, fake or not."""
        action = Patient.action(Ask("a"), name="Wait")
        plan = Plan(
            name="Own",
            blocks=[Block(name="B", sequences=[Sequence(name="s", actions=[action])])],
        )
        result = simulate(plan, [Patient()])

        assert result.elapsed == 12
        response = result.plan.blocks[0].sequences[0].actions[0].response
        assert response == Answer("a at attempt 1")

    def test_secrets_are_made_up(self) -> None:
        """No real secret is looked up, and none is shown (CL-8)."""
        seen: list[str] = []

        def does(_context: Context, request: Ask) -> Answer:
            assert request.login is not None
            seen.append(request.login.reveal())
            message = f"refused: {request.login.reveal()}"
            raise PluginError(message)

        action = Restart.action(Ask("a", SecretRef("env:NOT_SET")), name="Log in")
        plan = Plan(
            name="Secret",
            blocks=[Block(name="B", sequences=[Sequence(name="s", actions=[action])])],
        )
        result = simulate(plan, [FakePlugin(Restart).does(does)])

        assert seen == ["made-up secret env:NOT_SET"]
        [failure] = failures(result.plan)
        assert str(failure.error) == "refused: [secret hidden]"

    def test_a_response_that_cannot_be_stored_is_told(self) -> None:
        """What a real engine would refuse, a simulation refuses too (STO-7)."""
        odd: Any = object()
        fake = FakePlugin(Restart).otherwise(gives=Answer(odd))
        result = simulate(rollout(1), [fake, FakePlugin(Look)])

        [failure] = failures(result.plan)
        assert "cannot be stored" in str(failure.error)


class TestTime:
    """Virtual time, its jitter and its bounds."""

    def test_waits_have_no_jitter_unless_asked_for(self) -> None:
        """By default a retry waits for the policy's base (RP-3)."""
        fakes: list[AnyPlugin] = [
            FakePlugin(Restart).when(attempt=range(1, 4), fails="busy"),
            FakePlugin(Look),
        ]
        plain = simulate(rollout(1, retries=3), fakes, seed=3)
        drawn = simulate(rollout(1, retries=3), fakes, seed=3, jitter=True)
        again = simulate(rollout(1, retries=3), fakes, seed=3, jitter=True)
        other = simulate(rollout(1, retries=3), fakes, seed=4, jitter=True)

        assert plain.elapsed == 10 + 20 + 40
        assert drawn.elapsed == again.elapsed
        assert len({plain.elapsed, drawn.elapsed, other.elapsed}) == 3

    def test_a_plan_that_never_ends(self) -> None:
        """It is given up, with the story so far, and with who is to blame."""
        fake = FakePlugin(Restart).otherwise(hangs=True)
        plan = rollout(1, timeout=float("inf"))

        with pytest.raises(SimulationError) as caught:
            simulate(plan, [fake, FakePlugin(Look)], max_time=3600)
        story = str(caught.value)
        assert "beyond 3,600 seconds" in story
        assert "web-1 / Restart: attempt 1 of acme.restart runs since 0s" in story
        assert "Rollout: running after 1h" in story
        assert ">  running" in story
        assert "cont_checks" in story
        assert "simulate(plan, plugins, seed=0)" in str(caught.value.__notes__)

    def test_a_plan_in_which_nothing_can_happen_any_more(self) -> None:
        """Without a clock running, there is nothing to wait for."""
        plan = rollout(1, timeout=float("inf"))
        plan.blocks[0].cont_checks = None

        with pytest.raises(SimulationError, match="no timeout or delay"):
            simulate(plan, [FakePlugin(Restart).otherwise(hangs=True)])

    def test_a_plugin_that_swallows_every_cancellation(self) -> None:
        """It cannot hang the test; the message names it (A-5)."""

        async def does(_context: Context, _request: Ask) -> Answer:
            while True:
                try:
                    await sleep(1000)
                except BaseException:
                    continue

        plan = rollout(1)
        plan.blocks[0].cont_checks = None

        with pytest.raises(SimulationError) as caught:
            simulate(plan, [FakePlugin(Restart).does(does)])
        assert "swallows its cancellation" in str(caught.value)
        assert "web-1 / Restart" in str(caught.value)


class TestStop:
    """A plan can be stopped in the middle."""

    @pytest.mark.parametrize("vault", [None, MemoryVault])
    def test_what_is_in_flight_ends(self, vault: Callable[[], Any] | None) -> None:
        """Nothing new begins, with a store or without (SP-2, SP-7)."""
        fake = FakePlugin(Restart).otherwise(takes=60)
        result = simulate(
            rollout(20),
            [fake, FakePlugin(Look)],
            stop_at=90,
            vault=None if vault is None else vault(),
        )

        assert result.plan.state.status is Status.STOPPED
        assert result.plan.reason is FailureReason.STOPPED
        assert result.elapsed == 120
        assert len(fake.calls) == 10

    def test_a_call_that_was_cut_is_late_but_once(self) -> None:
        """Its timeout comes while it ends; when it has ended, nobody waits for it (A-16)."""
        clean_up = DeferBatch(
            name="Clean up",
            when=WhenDeferred.ALWAYS,
            actions=[Patient.action(Ask("web"), name="Wait")],
        )
        plan = rollout(hosts=1)
        plan.blocks[0].sequences[0].actions[0].timeout = 10
        plan.deferred_actions = DeferredActions(batches=[clean_up])
        slow = FakePlugin(Restart).otherwise(hangs=True, ignores_cancellation=20)
        later = FakePlugin(Patient).otherwise(takes=20)
        stop = Told(8, Verb.STOP, data={"now": True})
        result = simulate(plan, [slow, later, FakePlugin(Look)], told=[stop])

        [attempt] = result.plan.blocks[0].sequences[0].actions[0].attempts
        assert result.elapsed == 8 + 20 + 20
        assert not attempt.unresponsive


class TestRecovery:
    """A plan that is as a crash left it."""

    def test_it_is_brought_to_its_end(self) -> None:
        """What was R goes on, what was C is not run again (R-10)."""
        plan = rollout(2)
        began = simulate(plan, fake_all(plan, Restart, Look)).plan.state.started
        assert began is not None
        block = plan.blocks[0]
        block.cont_checks = None
        for node in (plan, block, *block.sequences, block.sequences[0].actions[0]):
            node.state = State(Status.RUNNING, began)
        done = block.sequences[1].actions[0]
        done.state = State(Status.COMPLETED, began, began)
        fake = FakePlugin(Restart).otherwise(takes=3)
        result = simulate(plan, [fake], recover=True)

        assert result.plan.state.status is Status.COMPLETED
        assert [call.path for call in fake.calls] == ["Rollout / Web / web-1 / Restart"]

    def test_only_what_runs_is_recovered(self) -> None:
        """A plan that was never started is refused."""
        plan = rollout(1)

        with pytest.raises(SimulationError, match="only a RUNNING plan"):
            simulate(plan, fake_all(plan, Restart, Look), recover=True)


class TestBadInput:
    """What cannot be simulated is told, and what to do about it."""

    @pytest.mark.parametrize("name", ["stop_at", "max_time"])
    @pytest.mark.parametrize("seconds", [-1, float("nan")])
    def test_what_is_no_time(self, name: str, seconds: float) -> None:
        """Seconds are counted from the start; nothing is silently ignored."""
        options: Any = {name: seconds}
        with pytest.raises(SimulationError, match=f"{name} is .* 0 or more seconds"):
            simulate(rollout(1), fake_all(rollout(1), Restart, Look), **options)

    def test_a_fake_in_place_of_a_list(self) -> None:
        """What is given is named, and what is wanted."""
        fake: Any = FakePlugin(Restart)
        with pytest.raises(SimulationError, match=r"fake of acme.restart.* a list"):
            simulate(rollout(1), fake)

    def test_errors_are_called_by_their_public_names(self) -> None:
        """A traceback says where they can be imported from."""
        with pytest.raises(SimulationError) as caught:
            simulate(rollout(1))
        assert f"{caught.type.__module__}.{caught.type.__name__}" == (
            "workstream.testing.SimulationError"
        )

    def test_plugins_without_a_fake(self) -> None:
        """All of them are listed: nothing real runs by accident."""
        with pytest.raises(SimulationError) as caught:
            simulate(rollout(1))
        assert "acme.look, acme.restart" in str(caught.value)
        assert "fake_all(plan)" in str(caught.value)

    def test_a_plan_that_could_not_be_submitted(self) -> None:
        """It is validated as by submit: every fault at once (V-1)."""
        plan = rollout(1)
        plan.name = " "
        plan.blocks[0].concurrency = -1

        with pytest.raises(ValidationError) as caught:
            simulate(plan, [FakePlugin(Restart), FakePlugin(Look)])
        assert len(caught.value.faults) == 2

    def test_a_plan_with_holes(self) -> None:
        """A None in a list is a fault like others (V-3)."""
        plan = rollout(1)
        hole: Any = None
        plan.blocks.append(hole)

        with pytest.raises(ValidationError, match="V-3"):
            simulate(plan, [FakePlugin(Restart), FakePlugin(Look)])

    @pytest.mark.parametrize("seed", [-1, True, 1.5, None, "x", "order:1", "order:a=1"])
    def test_a_seed_that_is_none(self, seed: Any) -> None:
        """The message shows what one looks like."""
        plan = rollout(1)

        with pytest.raises(SimulationError, match="is no seed: give a whole number"):
            simulate(plan, fake_all(plan, Restart, Look), seed=seed)

    @pytest.mark.parametrize(
        ("wait", "library"),
        [
            (partial(trio.sleep, 1), "trio"),
            (partial(asyncio.sleep, 1), "asyncio"),
            (partial(asyncio.sleep, 0), "an event loop"),
            (trio.lowlevel.checkpoint, "trio"),
        ],
    )
    def test_a_plugin_that_awaits_an_event_loop(
        self, wait: Callable[[], Awaitable[object]], library: str
    ) -> None:
        """The error names plugin and object, and says what to use instead."""

        async def does(_context: Context, _request: Ask) -> Answer:
            await wait()
            return Answer()

        with pytest.raises(SimulationError) as caught:
            simulate(rollout(3), [FakePlugin(Restart).does(does), FakePlugin(Look)])
        for text in (
            "acme.restart",
            "web-1 / Restart",
            library,
            "run_plan(plan, plugins)",
        ):
            assert text in str(caught.value)

    def test_a_plugin_that_awaits_the_loop_that_simulate_is_called_from(self) -> None:
        """Called inside trio, a simulation is none of trio's business all the same."""

        async def does(_context: Context, _request: Ask) -> Answer:
            await trio.sleep(1)
            return Answer()

        plan = rollout(1)

        async def main() -> None:
            assert simulate(plan, fake_all(plan, Restart, Look)).elapsed == 0
            with pytest.raises(SimulationError, match="awaits trio"):
                simulate(plan, [FakePlugin(Restart).does(does), FakePlugin(Look)])
            await trio.lowlevel.checkpoint()

        trio.run(main)

    def test_a_vault_that_waits(self) -> None:
        """A store that needs an event loop is refused."""

        class Waiting(MemoryVault):
            async def write(self, writes: Any) -> Any:
                await asyncio.sleep(0)
                return await super().write(writes)

        plan = rollout(1)

        with pytest.raises(SimulationError, match="give a MemoryVault"):
            simulate(plan, fake_all(plan, Restart, Look), vault=Waiting())


class TestStore:
    """With a store, everything goes through the codec."""

    def test_it_ends_the_same(self) -> None:
        """What is stored at the end is what the simulation returns."""
        plan = rollout(7)
        fakes: list[AnyPlugin] = [
            FakePlugin(Restart)
            .when(host="web-3", fails="no")
            .otherwise(takes=7, gives=Answer("x")),
            FakePlugin(Look),
        ]
        plain = simulate(plan, fakes)
        stored = simulate(plan, fakes, vault=MemoryVault())

        assert stored.plan == plain.plan
        assert stored.timeline.events == plain.timeline.events


def test_it_leaves_no_work_for_the_garbage_collector() -> None:
    """A run that nobody holds any more goes at once: thousands of them stay small."""
    fake = FakePlugin(Restart).otherwise(takes=5)
    looks = FakePlugin(Look)
    plan = rollout(hosts=2)
    gc.collect()
    gc.disable()
    try:
        ran = weakref.ref(simulate(plan, [fake, looks]).plan)
        fake.reset()
        looks.reset()
        assert ran() is None
    finally:
        gc.enable()


def test_it_needs_no_event_loop() -> None:
    """A simulation imports neither trio nor a store's library."""
    program = """
import sys
for name in ("trio", "asyncio", "anyio", "lmdb"):
    sys.modules[name] = None
from workstream.testing import FakePlugin, crash_everywhere, explore, simulate
from workstream import ActionPlugin, Block, Plan, Sequence

class Note(ActionPlugin[None, None]):
    name = "acme.note"
    async def execute(self, context, request): ...

plan = Plan(name="P", blocks=[Block(name="B", sequences=[
    Sequence(name="s", actions=[Note.action(None, name="a")])])])
fake = FakePlugin(Note).otherwise(takes=3)
print(simulate(plan, [fake]).elapsed)
print(crash_everywhere(plan, [fake]).crashes, explore(plan, [fake], check=id).runs)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.split()[0] == "3.0"
