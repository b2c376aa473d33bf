"""``verify``: the worst that can happen to a plan, found before it happens."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from verify_plans import (
    PLUGINS,
    SERVING,
    Copy,
    Drain,
    Look,
    Migrate,
    Start,
    look,
    rollout,
    steps,
    tier,
)

from _workstream_testing.crashes.light_store import Kept, LightVault
from _workstream_testing.verify.faults import Budget
from _workstream_testing.verify.trials import Trials
from workstream import Block, HaltAfter, Outcome, Plan, Registry, Sequence
from workstream._codec.codec import Codec
from workstream.testing import (
    End,
    FakePlugin,
    Fault,
    SimulationError,
    Simulations,
    Verification,
    VerifyError,
    always_ends,
    at_most,
    effect,
    fake_all,
    never,
    rehearse,
    verify,
)


@pytest.mark.slow
def test_the_fixture_verifies(simulation: Simulations) -> None:
    """``simulation.verify`` is ``verify``, and shows the worst end when a test fails."""
    found = simulation.verify(rollout(1), *PLUGINS, suggest=False)

    assert len(found.worst_end.touched) == 1
    [(_, text)] = simulation.told()
    assert "web-1" in text
    with pytest.raises(VerifyError):
        simulation.verify(rollout(1), *PLUGINS, invariants=[at_most(0, "touched")])
    assert simulation.told()


def test_a_crash_leaves_what_the_store_holds() -> None:
    """What the light store keeps is what a vault would give back, through the codec."""
    plan = rollout(2, concurrency=2, checks={"pre_checks": look()})
    trials = Trials(plan, PLUGINS, invariants=lambda world: [])
    codec = Codec(Registry(fake_all(plan, *PLUGINS)))
    moments = trials.run((), Budget(0, 1, 0)).moments
    assert len(moments) > 5
    compared: list[str] = []

    class Both(LightVault):
        """Keeps what the codec makes of all that is stored, and compares it."""

        def __init__(self, seen: Any) -> None:
            super().__init__(seen)
            self.records: dict[int, Any] = {}

        def restore(self, plan: Plan, nodes: Any) -> None:
            """Compare each object with its record."""
            super().restore(plan, nodes)
            for position, record in self.records.items():
                assert codec.record_of(nodes[position]) == record
                compared.append(trials.paths[position])

        def keep(self, changes: Any) -> None:
            """Encode the objects as they are when they are stored."""
            super().keep(changes)
            for change in changes:
                if isinstance(change, Kept):
                    node = trials.nodes[change.position]
                    self.records[change.position] = codec.record_of(node)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("_workstream_testing.verify.runs.LightVault", Both)
        for fault, _ in moments:
            assert trials.run((fault,), Budget(0, 0, 0)).reached
    assert len(compared) > 20


def broken(plan: Plan, *plugins: Any, **more: Any) -> Verification:
    """What was found of a plan that breaks an invariant."""
    with pytest.raises(VerifyError) as caught:
        verify(plan, *(plugins or PLUGINS), suggest=False, **more)
    found = caught.value.verification
    assert isinstance(found, Verification)
    assert not found.ok
    return found


class TestWorst:
    """The worst end, where nothing else is said of what is bad."""

    @pytest.mark.slow
    def test_the_trial_that_began_it(self) -> None:
        """Two failures leave five of eight hosts drained; or two, by one setting."""
        found = verify(rollout(), *PLUGINS, failures=2)

        assert [len(each.touched) for each in found.worst] == [0, 1, 5]
        assert "halt_after=SEQUENCE: 2 instead of 5" in map(str, found.suggestions)
        assert found.is_complete
        safer = rollout(halt_after=HaltAfter.SEQUENCE)
        again = verify(safer, *PLUGINS, failures=2, suggest=False)
        assert [len(each.touched) for each in again.worst] == [0, 1, 2]

    def test_the_answer_is_a_story(self) -> None:
        """It tells the faults, draws the run, and says how to see it again."""
        found = verify(rollout(4), *PLUGINS, failures=1, suggest=False)
        text = str(found)

        assert "1 fault: 1 of 4 sequences end touched and not completed" in text
        assert "Web tier / web-1 / Drain fails" in text
        assert "===x" in text
        again = verify(rollout(4), *PLUGINS, only=found.worst_end.only)
        assert again.worst_end.touched == found.worst_end.touched
        assert "found in 1 run\n" in str(again)
        json.dumps(found.data())
        asked = found.story(width=80, again=lambda only: f"--only {only}")
        assert f"again: --only {found.worst_end.only}" in asked
        assert max(map(len, asked.splitlines())) <= 80

    def test_only_takes_what_was_printed(self) -> None:
        """Another text is no set of faults, or one that does not come to pass."""
        for only in ("fail@x#1", "fail@999#1", "burn@1#1", "fail@3#7"):
            with pytest.raises(SimulationError, match="only="):
                verify(rollout(2), *PLUGINS, only=only)

    def test_bounds_that_make_no_sense(self) -> None:
        """They are told, all kinds with their names."""
        with pytest.raises(SimulationError, match="failures is -1"):
            verify(rollout(2), *PLUGINS, failures=-1)
        with pytest.raises(SimulationError, match=r"'burns'.*'hangs'"):
            verify(rollout(2), *PLUGINS, kinds=["burns"])
        with pytest.raises(SimulationError, match="max_runs"):
            verify(rollout(2), *PLUGINS, max_runs=0)

    def test_arguments_of_another_type(self) -> None:
        """Each is named, with what may be given."""
        plan = rollout(2)
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"failures": "two"}, "failures is 'two': it must be a whole number"),
            ({"crashes": 1.5}, "crashes is 1.5: it must be a whole number"),
            ({"workers": 0}, "workers is 0: it must be 1 or more"),
            ({"takes": "10s"}, "takes is '10s': it must be a number of seconds"),
            ({"max_time": -1}, "max_time is -1: it must be a number of seconds"),
            ({"kinds": "fails"}, "kinds is 'fails': give a list, such as"),
            ({"effects": SERVING[0]}, "effects is Effect"),
            ({"effects": [{"up": True}]}, "which is no effect: write"),
            ({"starts": ["serving"]}, "starts is ['serving']: give a dict"),
        ]
        for arguments, text in wrong:
            with pytest.raises(SimulationError, match=re.escape(text)):
                verify(plan, *PLUGINS, **arguments)
        function: Any = rollout
        with pytest.raises(SimulationError, match=r"call it: rollout\(\.\.\.\)"):
            verify(function, *PLUGINS)
        several: Any = PLUGINS
        with pytest.raises(SimulationError, match="plugins are given one by one"):
            verify(plan, several)
        no_dict: Any = ["serving"]
        with pytest.raises(SimulationError, match="give a dict, such as"):
            effect(Drain, sets=no_dict)
        with pytest.raises(SimulationError, match="which may change: give a number"):
            effect(Drain, sets={"serving": [1]})
        with pytest.raises(SimulationError, match="which may change: give a number"):
            verify(plan, *PLUGINS, effects=SERVING, starts={"serving": []})
        no_number: Any = "2"
        with pytest.raises(SimulationError, match="at_most is '2': it must be a whole"):
            at_most(no_number, "touched")

    def test_effects_that_do_not_fit(self) -> None:
        """They are told with what they may have meant."""
        plan = rollout(2)
        several = [
            effect("acme.darin", sets={"up": True}),
            effect(Copy, path="web-1 / Cpoy", sets={"up": True}),
            effect("mood", sets={"up": True}),
        ]
        with pytest.raises(SimulationError) as caught:
            verify(plan, *PLUGINS, effects=several)
        first, second, third = str(caught.value).splitlines()[1:]
        assert first == "  effect(acme.darin) fits no action: did you mean acme.drain?"
        assert second.startswith(
            "  effect(acme.copy, path='web-1 / Cpoy') fits no action"
        )
        assert "did you mean 'web-1 / Copy' or " in second
        assert third == "  effect(mood) fits no action"
        nobody = effect(Copy, sets={"up": True}, of=lambda request: request.mood)
        with pytest.raises(SimulationError, match="of= raised AttributeError: 'On'"):
            verify(plan, *PLUGINS, effects=[nobody])

    def test_what_was_not_tried_is_told(self) -> None:
        """The times, the kinds and the orders that no set of faults had."""

        def left_out(**bounds: Any) -> str:
            found = verify(rollout(1), *PLUGINS, suggest=False, **bounds)
            return "\n".join(each for each in found.covered if "not tried" in each)

        usual = left_out()
        assert "a quarter of their timeout, or a minute" in usual
        assert "kinds" not in usual
        assert "than the usual one: orders=5 tries five more" in usual
        told = left_out(takes=0, kinds=["fails"], orders=2)
        assert "than takes=0 seconds" in told
        assert "of the kinds 'fails once', 'hangs', 'turns red'" in told
        assert "than the usual one; 2 for the worst" in told

    def test_a_sample_is_told(self) -> None:
        """What was left out is counted, and the search is not complete."""
        found = verify(rollout(), *PLUGINS, failures=2, max_runs=60, suggest=False)

        assert not found.is_complete
        assert "2 faults (a sample): " in str(found)
        assert "1 fault: " in str(found)
        assert any("were NOT tried" in each for each in found.covered)
        assert found.runs <= 60

    @pytest.mark.slow
    def test_a_suggestion_says_that_a_sample_was_tried(self) -> None:
        """It holds of the sets that were tried with it, and of no others."""
        plan = rollout(12, concurrency=6)
        found = verify(plan, *PLUGINS, failures=2, max_runs=1_000)
        assert found.suggestions
        for each in found.suggestions:
            assert each.sampled
            assert str(each).endswith("(in a sample of the sets of faults)")


class TestOrders:
    """The order of simultaneous events."""

    def test_a_story_of_another_order_can_be_repeated(self) -> None:
        """What it prints has the seed of the order, and its faults are the fewest."""
        plan = rollout(3, concurrency=3, tolerated=0)

        def calm(end: End) -> bool:
            """No copy begins where web-1 cannot be drained."""
            copies = [s.actions[1] for s in end.plan.blocks[0].sequences]
            fails = any("web-1 / Drain fails" in str(each) for each in end.faults)
            return not (fails and any(copy.attempts for copy in copies))

        bounds: dict[str, Any] = {"kinds": ["fails"], "invariants": [calm]}
        found = broken(plan, orders=20, **bounds)
        worst = found.broken[0].worst
        assert ",order@" in worst.only
        assert "simultaneous events come in another order" in str(found)
        assert worst.only in worst.result.replay
        again = broken(plan, only=worst.only, **bounds)
        assert again.broken[0].worst.touched == worst.touched
        usual = worst.only.partition(",order@")[0]
        assert verify(plan, *PLUGINS, suggest=False, only=usual, **bounds).ok
        twice = broken(plan, failures=2, orders=20, **bounds)
        assert len(twice.broken[0].worst.faults) == 1


class TestKinds:
    """Everything that can go wrong does."""

    def kinds(self, plan: Plan, **bounds: Any) -> set[str]:
        """The kinds of faults of the worst trials of a function that notes them."""
        seen: set[str] = set()

        def note(end: End) -> None:
            seen.update(fault.kind.value for fault in end.faults)

        verify(plan, *PLUGINS, invariants=[note], suggest=False, **bounds)
        return seen

    @pytest.mark.slow
    def test_actions(self) -> None:
        """An action fails, fails once where it may be tried again, or hangs."""
        assert self.kinds(rollout(1)) == {"fails", "hangs"}
        assert self.kinds(rollout(1, retries=1)) == {"fails", "fails once", "hangs"}
        assert self.kinds(rollout(1), kinds=["fails"]) == {"fails"}

    @pytest.mark.slow
    def test_checks(self) -> None:
        """A continuous check turns red at a moment, others fail."""
        plan = rollout(2, checks={"cont_checks": look(delay=5)}, concurrency=1)
        assert "turns red" in self.kinds(plan)

        def red(end: End) -> None:
            for fault in end.faults:
                assert not (fault.kind.value == "turns red" and fault.at > 10)

        found = broken(plan, invariants=[red])
        [fault] = found.broken[0].worst.faults
        assert fault.at > 10
        assert found.broken[0].said

    @pytest.mark.slow
    def test_crashes_and_stops(self) -> None:
        """The engine dies at any write; a stop comes at any time."""
        assert self.kinds(rollout(2), failures=0, crashes=1) == {"crash"}
        assert self.kinds(rollout(2), failures=0, stops=1) == {"stop"}
        found = verify(rollout(2, concurrency=1), *PLUGINS, failures=0, stops=1)
        assert len(found.worst_end.touched) == 1
        assert found.worst_end.result.plan.outcome is Outcome.STOPPED

    def test_a_plugin_that_cannot_tell(self) -> None:
        """After a crash a reconciling plugin may know, or not; both are tried."""
        plan = Plan(
            name="Change",
            blocks=[
                Block(
                    name="B",
                    sequences=[Sequence(name="db", actions=steps("db", Migrate))],
                )
            ],
        )
        found = broken(plan, failures=0, crashes=1, invariants=[at_most(0, "touched")])
        [fault] = found.broken[0].worst.faults
        assert "its plugin cannot tell" in str(fault)

    def test_a_bypass_check_says_that_there_is_work(self) -> None:
        """Otherwise nothing would be verified."""
        plan = rollout(2, checks={"bypass_checks": look()})
        assert len(verify(plan, *PLUGINS, suggest=False).worst_end.touched) == 1

    def test_a_plan_that_does_not_end(self) -> None:
        """What goes on for ever is told as an end of its own."""
        stuck = rollout(1, timeout=10.0, retries=100_000)
        found = broken(stuck, failures=1, max_time=10_000.0)
        assert "virtual time" in found.endless
        # Its faults are told, also where an invariant is broken with others.
        rule = at_most(0, "touched")
        found = broken(stuck, failures=2, max_time=10_000.0, invariants=[rule])
        end = found.endless_end
        assert end is not None
        [fault] = end.faults
        assert fault.kind.value == "hangs"
        assert "broken: the plan always ends (it goes on" in str(found)
        assert f"again: verify(plan, ..., only={end.only!r})" in str(found)
        assert found.data()["endless_end"]["only"] == end.only
        assert not broken(stuck, max_time=10_000.0, only=end.only).ok


class TestInvariants:
    """What users say of the world."""

    @pytest.mark.slow
    def test_at_most(self) -> None:
        """At the end, and all the time; what nobody knows counts as the worst."""
        found = broken(
            rollout(tolerated=0),
            failures=1,
            effects=SERVING,
            invariants=[at_most(1, serving=False)],
        )
        [one] = found.broken
        assert one.invariant == "at most 1 may be serving=False at the end"
        assert len(one.worst.faults) == 1
        careful = rollout(tolerated=0, halt_after=HaltAfter.SEQUENCE)
        rules = [at_most(1, serving=False)]
        verify(careful, *PLUGINS, effects=SERVING, invariants=rules)
        always = [at_most(3, serving=False, always=True)]
        found = broken(careful, failures=0, effects=SERVING, invariants=always)
        assert found.broken[0].worst.faults == ()

    @pytest.mark.slow
    def test_never_without(self) -> None:
        """An order that only a crash or a failure breaks is found."""
        backup = effect(Copy, sets={"backup taken": True}, of=None)
        migrated = effect(Migrate, sets={"db migrated": True}, of=None)
        rule = never("db migrated", without="backup taken")

        def change(blocks: int, tolerated: int) -> Plan:
            one = Sequence(name="backup", actions=steps("db", Copy))
            two = Sequence(name="migrate", actions=steps("db", Migrate))
            parts = [[one, two]] if blocks == 1 else [[one], [two]]
            return Plan(
                name="Change",
                blocks=[
                    Block(
                        name=f"Block {number}",
                        sequences=part,
                        tolerated_failures=tolerated,
                    )
                    for number, part in enumerate(parts)
                ],
            )

        bad = change(blocks=2, tolerated=1)
        found = broken(bad, effects=[backup, migrated], invariants=[rule])
        assert [fault.path for fault in found.broken[0].worst.faults] == [
            "Change / Block 0 / backup / Copy"
        ]
        good = change(blocks=2, tolerated=0)
        verify(good, *PLUGINS, crashes=1, effects=[backup, migrated], invariants=[rule])

    @pytest.mark.slow
    def test_always_ends(self) -> None:
        """A batch that is only due on success is not enough."""
        from workstream import DeferBatch, DeferredActions, WhenDeferred

        def plan(when: WhenDeferred) -> Plan:
            off = Block(
                name="Off", sequences=[Sequence(name="lb", actions=steps("lb", Drain))]
            )
            back = DeferBatch(name="Back", actions=steps("lb", Start), when=when)
            work = tier(2)
            return Plan(
                name="P",
                blocks=[off, work],
                deferred_actions=DeferredActions(batches=[back]),
            )

        effects = [
            effect(Drain, path="lb / Drain", sets={"balancer on": False}, of=None),
            effect(Start, path="Back / Start", sets={"balancer on": True}, of=None),
        ]
        rules = [always_ends("balancer on")]
        only_work = {"kinds": ["fails"], "effects": effects, "invariants": rules}
        found = broken(plan(WhenDeferred.ON_SUCCESS), **only_work)
        assert len(found.broken[0].worst.faults) == 1
        # With ALWAYS there is one way left: the batch itself fails.
        found = broken(plan(WhenDeferred.ALWAYS), **only_work)
        [fault] = found.broken[0].worst.faults
        assert fault.path.endswith("Back / Start")

    @pytest.mark.slow
    def test_a_function_of_the_end(self) -> None:
        """It raises or returns False; its words and its docstring are told."""

        def nobody_is_left(end: End) -> bool:
            """Web-2 is never touched."""
            return "web-2" not in end.touched

        found = broken(rollout(3), failures=1, invariants=[nobody_is_left])
        assert found.broken[0].invariant == "Web-2 is never touched"
        assert [f.path for f in found.broken[0].worst.faults] == [
            "Rollout / Web tier / web-2 / Drain"
        ]

    def test_an_end_tells_what_is_possible_and_certain(self) -> None:
        """A failed action may or may not have done its work."""
        ends: list[tuple[list[str], list[str]]] = []

        def note(end: End) -> None:
            down = end.possible("serving", False), end.certain("serving", False)
            if [f.path[-5:] for f in end.faults] == ["Start"]:
                ends.append(down)

        more: dict[str, Any] = {"effects": SERVING, "kinds": ["fails"]}
        verify(rollout(1), *PLUGINS, invariants=[note], suggest=False, **more)
        assert ends == [(["web-1"], [])]

    def test_rules_that_cannot_be_judged(self) -> None:
        """Facts that no effect sets, effects that fit no action, and no rules at all."""
        with pytest.raises(SimulationError, match="no effect sets 'up'"):
            verify(rollout(1), *PLUGINS, invariants=[at_most(1, "up")])
        lost = effect(Copy, path="web-9 / Copy", sets={"up": True})
        with pytest.raises(SimulationError, match="fits no action"):
            verify(rollout(1), *PLUGINS, effects=[lost])
        nothing: Any = 3
        with pytest.raises(SimulationError, match="neither a rule"):
            verify(rollout(1), *PLUGINS, invariants=[nothing])
        with pytest.raises(SimulationError, match="sets is empty"):
            effect(Copy, sets={})
        with pytest.raises(SimulationError, match="name one fact"):
            at_most(2)
        with pytest.raises(SimulationError, match="no effect sets: mood"):
            verify(rollout(1), *PLUGINS, effects=SERVING, starts={"mood": 1})

    def test_a_function_that_cannot_judge(self) -> None:
        """Its own error is told with its place and the end; so is what is no list."""

        def asks_too_much(end: End) -> bool:
            return "web-9" in end.nothing_like_this  # type: ignore[attr-defined]

        with pytest.raises(SimulationError) as caught:
            verify(rollout(1), *PLUGINS, invariants=[asks_too_much])
        first, second = str(caught.value).splitlines()
        assert "'asks_too_much' cannot judge an end" in first
        assert "no attribute 'nothing_like_this'" in first
        assert "(test_verify.py, line " in first
        assert second == "  the end: nothing goes wrong"
        for wrong in ("at most 2", at_most(2, "touched")):
            alone: Any = wrong
            with pytest.raises(SimulationError, match="give a list of rules"):
                verify(rollout(1), *PLUGINS, invariants=alone)

    def test_plugins_say_what_they_do(self) -> None:
        """A plugin's own word counts where the test says nothing."""

        class Off(Drain):
            """A plugin that knows what it does to a host."""

            name = "acme.off"
            effects = {"serving": False}  # noqa: RUF012

        plan = rollout(1, plugins=(Off,))
        found = broken(plan, Off, failures=0, invariants=[always_ends(serving=True)])
        assert found.broken[0].worst.faults == ()


class TestFakes:
    """Fakes that are given say what happens by itself."""

    def test_their_times_and_failures_hold(self) -> None:
        """What goes wrong goes wrong on top of them."""
        copy = FakePlugin(Copy).when(host="web-2", fails="full", permanent=True)
        plan = rollout(3, tolerated=1, concurrency=1)
        found = verify(plan, copy, Drain, Start, Look, failures=1, suggest=False)
        assert [len(each.touched) for each in found.worst] == [1, 2]

    @pytest.mark.slow
    def test_what_they_tell_apart_is_not_merged(self) -> None:
        """To a script hosts are not alike."""
        copy = FakePlugin(Copy).when(host="web-2", takes=1).otherwise(takes=1)
        alike = FakePlugin(Copy).otherwise(takes=1)
        plan = rollout(3, concurrency=2)
        several = verify(plan, copy, Drain, Start, failures=2, suggest=False)
        one = verify(plan, alike, Drain, Start, failures=2, suggest=False)
        assert several.runs > one.runs
        assert [len(e.touched) for e in several.worst] == [
            len(e.touched) for e in one.worst
        ]


class TestRehearse:
    """One future."""

    def test_it_plays_what_it_is_told(self) -> None:
        """A failure, a crash and a stop, each where it was to be."""
        result = rehearse(
            rollout(4, concurrency=1, tolerated=4),
            *PLUGINS,
            fails=["web-1 / Copy"],
            kill_at=[20],
            stop_at=30,
        )
        assert result.crashes == [20]
        assert result.plan.outcome is Outcome.STOPPED
        assert next(c.path for c in result.calls if c.error is not None).endswith(
            "web-1 / Copy"
        )

    def test_durations(self) -> None:
        """By path, or the end of one; and for all."""
        plan = rollout(2, concurrency=1)
        assert rehearse(plan, *PLUGINS, takes=2).elapsed == 12
        slow = {"web-2 / Copy": 20.0}
        assert rehearse(plan, *PLUGINS, takes=2, durations=slow).elapsed == 30

    def test_paths_that_name_nothing(self) -> None:
        """All are told, with what they may have meant."""
        with pytest.raises(SimulationError) as caught:
            rehearse(rollout(2), *PLUGINS, fails=["Start"], hangs=["web-9 / Copy"])
        near = "no action's path ends in 'web-9 / Copy': did you mean 'web-"
        assert near in str(caught.value)
        assert "web-1 / Start, Rollout / Web tier / web-2 / Start" in str(caught.value)
        with pytest.raises(SimulationError, match="durations: no action's path ends"):
            rehearse(rollout(2), *PLUGINS, durations={"web-9 / Copy": 3})

    def test_arguments_of_another_type(self) -> None:
        """Each is named, with what may be given."""
        for arguments, text in (
            ({"fails": "web-1 / Start"}, "fails is 'web-1 / Start': give a list"),
            ({"kill_at": 12}, "kill_at is 12: give a list of seconds"),
            ({"kill_at": [-1]}, "kill_at is -1: it must be a number of seconds"),
            ({"takes": -1}, "takes is -1: it must be a number of seconds"),
            ({"durations": {"web-1 / Copy": "x"}}, "durations['web-1 / Copy'] is 'x'"),
        ):
            given: dict[str, Any] = dict(arguments)
            with pytest.raises(SimulationError, match=re.escape(text)):
                rehearse(rollout(2), *PLUGINS, **given)

    def test_it_says_how_to_see_it_again(self) -> None:
        """With the faults that it was given, which a simulation would not have."""
        found = rehearse(rollout(2), *PLUGINS, fails=["web-1 / Copy"], kill_at=[9])
        text = "rehearse(plan, ..., fails=['web-1 / Copy'], kill_at=[9])"
        assert f"to see it again: {text}>" in repr(found)

    def test_what_does_not_come_to_pass(self) -> None:
        """It is told: a stop after the end, and a failure of what is never called."""
        plan = rollout(2, concurrency=1)
        fails = ["web-1 / Drain", "web-1 / Start"]
        found = rehearse(plan, *PLUGINS, takes=2, fails=fails, stop_at=99)
        assert found.missed == [
            "Rollout / Web tier / web-1 / Start fails: it is never called",
            "a stop is asked for after 1m 39s: the plan has ended by then",
        ]
        assert rehearse(plan, *PLUGINS, takes=2, stop_at=3).missed == []


@pytest.mark.slow
def test_faults_are_told_in_words() -> None:
    """Each kind has a sentence of its own, and its data."""
    found = verify(rollout(2, retries=1), *PLUGINS, crashes=1, suggest=False)
    for each in found.worst:
        for fault in each.faults:
            assert isinstance(fault, Fault)
            assert fault.path in str(fault)
            assert fault.data()["kind"] == fault.kind.value
