"""Merging and cutting change how much is tried, and nothing that is found."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any, TypeAlias, cast

import attrs
import pytest

pytest.importorskip("hypothesis", reason="an optional extra")

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from quickly import one_in
from verify_plans import (
    PLUGINS,
    SERVING,
    Copy,
    Look,
    Migrate,
    On,
    Start,
    look,
    rollout,
    steps,
)

from _workstream_testing.verify.faults import Budget, Fault, Kind
from _workstream_testing.verify.invariants import Rule
from _workstream_testing.verify.merging.shapes import unmerged
from _workstream_testing.verify.merging.waves import bound, cut, lifted
from _workstream_testing.verify.search import Search, searched
from _workstream_testing.verify.trials import Trials
from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    Context,
    DeferBatch,
    DeferredActions,
    HaltAfter,
    OnFailure,
    Percent,
    Plan,
    Undo,
    WhenDeferred,
    late,
    plan_text,
)
from workstream import Sequence as Steps
from workstream._plan.plan import Node
from workstream._values.state import Status
from workstream.testing import (
    Effect,
    FakePlugin,
    Verification,
    at_most,
    effect,
    verify,
)
from workstream.testing.strategies import plans

Faults: TypeAlias = tuple[Fault, ...]

NO_END = 1_000_000
MORE = int(os.environ.get("WORKSTREAM_VERIFY_MORE", "1"))
"""How many times as many plans, and sets of faults of each, are tried."""
SETS = 300 * MORE


def trials(
    plan: Plan,
    rules: Sequence[Rule] = (),
    effects: Sequence[Effect] = (),
    *,
    stores: bool = False,
) -> Trials:
    """Trials of a plan."""
    return Trials(
        plan,
        PLUGINS,
        invariants=lambda world: list(rules),
        effects=list(effects),
        stores=stores,
    )


def searches(found: Trials, budget: Budget) -> tuple[Search, Search]:
    """The search without merging, and the one with it."""
    one = searched(found, budget, merge=False, max_runs=NO_END)
    found.run((), Budget(0, 0, 0))
    bound(found)
    return one, searched(found, budget, merge=True, max_runs=NO_END)


def ends(search: Search) -> list[tuple[int, int, int]]:
    """The worst end of up to each number of faults."""
    found = [level.worst[0].harm for level in search.levels if level.worst]
    return [max(found[: number + 1]) for number in range(len(found))]


def small(plan: Plan, most: int = 9) -> bool:
    """Whether all pairs of faults of a plan can be tried in a test."""
    return sum(len(s.actions) for b in plan.blocks for s in b.sequences) <= most


def _copy(retries: int, host: str) -> Action:
    return Copy.action(On(host), name="Copy", retries=retries)


def _look(host: str) -> CheckAction:
    return Look.action(On(host), name="Look")


# Few kinds of actions, so that many sequences are alike.
any_plan = plans(
    st.builds(_copy, st.sampled_from([0, 0, 1]), st.sampled_from(["a", "b"])),
    st.builds(_look, st.just("lb")),
    max_blocks=2,
    max_sequences=4,
    max_actions=2,
)


def alike(hosts: int, size: int, **more: Any) -> Plan:
    """A plan of hosts that are alike."""
    steps = PLUGINS[:size]
    return rollout(hosts, plugins=steps, **more)


@st.composite
def tiers(draw: st.DrawFn) -> Plan:
    """Plans of one block of up to eight hosts."""
    hosts = draw(st.integers(1, 8))
    return alike(
        hosts,
        draw(st.integers(1, 3 if hosts < 5 else 2)),
        concurrency=draw(st.integers(1, hosts)),
        tolerated=draw(st.integers(-1, 2)),
        halt_after=draw(st.sampled_from(HaltAfter)),
        retries=draw(st.sampled_from([0, 0, 1])),
    )


def form_of(found: Trials) -> object:
    """How the latest run ended, with the names left out."""
    shape = found.shape
    inside: Counter[object] = Counter()
    for line in shape.blocks.values():
        for member in line.members:
            nodes: list[Node] = [member.sequence]
            status = member.sequence.state.status
            if line.forgets and status in (Status.NOT_STARTED, Status.COMPLETED):
                # How many there are is what is not counted.
                inside[Status.NOT_STARTED] |= status is Status.NOT_STARTED
                continue
            if status is not Status.COMPLETED:
                nodes += member.sequence.actions
                nodes += [node for _, node in member.deferred]
            inside[(member.kind, *map(_state_of, nodes))] += 1
    others = [_state_of(node) for _, node in shape.others]
    return inside, others, found.plan.reasons, found.plan.stopping


def _state_of(node: Any) -> object:
    return node.state.status, bool(getattr(node, "attempts", ()))


def check_each(found: Trials, budget: Budget, most: int = NO_END) -> int:
    """Compare each set of faults that merging leaves out with the one that stands for it.

    Both must end alike but for names, and must go through moments with the same
    signatures after their last faults: so whatever could follow one follows the other.

    Returns:
        How many were compared.
    """
    stands: dict[object, tuple[Faults, object]] = {}
    todo: list[tuple[Faults, Budget]] = [((), budget)]
    is_bounded = any(line.bound for line in found.shape.blocks.values())
    compared = tried = 0
    for faults, left in todo:
        for fault, key in found.run(faults, left, merge=True).moments:
            tried += 1
            if tried > most:
                return compared
            both, rest = (*faults, fault), left.after(fault)
            own = found.run(both, rest, merge=bool(rest.total))
            future = (own.excess, own.reached, own.endless, form_of(found))
            # Where waves are not counted, a longer plan goes through more moments.
            keys = [] if is_bounded else [each for _, each in own.moments]
            quick = found.run(both, rest, merge=True, ends=True)
            assert quick.harm == own.harm, f"known ends differ: {texts(both)}"
            assert key is not None
            known = stands.setdefault((key, rest), (both, (future, keys)))
            if known[0] is both:
                todo.append((both, rest))
                continue
            compared += 1
            other, (expected, other_keys) = known[0], cast("Any", known[1])
            assert future == expected, f"{texts(both)} is not {texts(other)}"
            alike = keys == other_keys
            if not found.sharing:  # then the order of an instant differs
                alike = set(keys) == set(other_keys)
            assert alike, f"what follows {texts(both)}, {texts(other)}"
    return compared


def texts(faults: Faults) -> str:
    """The faults, for a message."""
    return " + ".join(map(str, faults))


def check_merging(plan: Plan, budget: Budget) -> None:
    """The worst ends are the same, and each set that is left out has its like."""
    note(plan_text(plan))
    found = trials(plan, stores=budget.crashes > 0)
    one, two = searches(found, budget)
    assert ends(two) == ends(one)
    assert two.runs <= one.runs
    assert bool(two.endless) == bool(one.endless)
    check_each(found, budget, SETS)


QUICK = settings(
    max_examples=5 * MORE,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
THOROUGH = settings(QUICK, max_examples=14 * MORE)


@pytest.mark.slow
@QUICK
@given(any_plan)
def test_merging_finds_what_brute_force_finds(plan: Plan) -> None:
    """Plans of all shapes: one failure and one crash, or a stop."""
    if small(plan) and not any(unmerged(plan)):
        check_merging(plan, Budget(1, 0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("bounds", [(2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)])
@THOROUGH
@given(any_plan)
def test_merging_finds_what_brute_force_finds_thoroughly(
    bounds: tuple[int, int, int], plan: Plan
) -> None:
    """More plans, more bounds; two faults at each pair of moments take long."""
    if small(plan, 7) and not any(unmerged(plan)):
        check_merging(plan, Budget(*bounds))


@pytest.mark.slow
@pytest.mark.parametrize("bounds", [(2, 0, 0), (1, 1, 0), (1, 0, 1)])
@THOROUGH
@given(tiers())
def test_hosts_that_are_alike(bounds: tuple[int, int, int], plan: Plan) -> None:
    """Up to eight hosts in one block, where there is most to merge."""
    check_merging(plan, Budget(*bounds))


@pytest.mark.parametrize(
    ("halt_after", "bounds"),
    one_in(6, product(HaltAfter, [(1, 0, 1), (0, 1, 1), (1, 1, 0)])),
)
def test_the_order_of_one_instant(
    halt_after: HaltAfter, bounds: tuple[int, int, int]
) -> None:
    """Four hosts come to a step at once: a failure of the first halts the other three.

    The last one's halts none. With a stop, hosts that hang are told from others.
    """
    budget = Budget(*bounds)
    plan = alike(4, 2, concurrency=4, tolerated=0, halt_after=halt_after)
    found = trials(plan, stores=budget.crashes > 0)
    assert check_each(found, budget) > 1
    one, two = searches(found, budget)
    assert ends(one) == ends(two)


def test_the_ends_of_a_row_stand_for_it() -> None:
    """The first of four that fail leaves four hosts undone, the last one; no other more."""
    plan = alike(4, 2, concurrency=4, tolerated=0)
    found = trials(plan)

    def harms(*, merge: bool) -> dict[str, int]:
        """How many hosts each failure of the first step leaves undone."""
        moments = found.run((), Budget(1, 0, 0), merge=merge).moments
        faults = [f for f, _ in moments if f.kind is Kind.FAILS and "Drain" in f.path]
        return {
            fault.path[-13:-8]: found.run((fault,), Budget(0, 0, 0)).touched
            for fault in faults
        }

    assert harms(merge=False) == {"web-1": 4, "web-2": 3, "web-3": 2, "web-4": 1}
    assert harms(merge=True) == {"web-1": 4, "web-4": 1}


@pytest.mark.parametrize(
    ("halt_after", "bounds"),
    one_in(6, product(HaltAfter, [(2, 0, 0), (1, 1, 0), (1, 0, 1)])),
)
def test_hosts_that_never_begin_are_not_counted(
    halt_after: HaltAfter, bounds: tuple[int, int, int]
) -> None:
    """A block that halted, or waves that more faults cannot reach: how many is nothing."""
    budget = Budget(*bounds)
    tolerated = budget.failures - 1
    plan = alike(9, 1, concurrency=1, tolerated=tolerated, halt_after=halt_after)
    found = trials(plan, stores=budget.crashes > 0)
    one, two = searches(found, budget)
    assert ends(one) == ends(two)
    assert two.runs < one.runs
    assert check_each(found, budget) > 10


@pytest.mark.slow
@pytest.mark.parametrize("halt_after", [HaltAfter.ACTION, HaltAfter.SEQUENCE])
def test_merging_leaves_out_most(halt_after: HaltAfter) -> None:
    """Three hosts at a time: most pairs of faults differ in names alone."""
    plan = alike(12, 2, concurrency=3, halt_after=halt_after)
    one, two = searches(trials(plan), Budget(2, 0, 0))
    assert ends(one) == ends(two)
    assert two.runs * 2 < one.runs


ROWS = [
    ((hosts, size), tolerated, halt_after)
    for hosts, size in ((8, 1), (6, 2))
    for tolerated in (0, 1)
    for halt_after in HaltAfter
]


def check_rows(
    shape: tuple[int, int], tolerated: int, halt_after: HaltAfter, budget: Budget
) -> None:
    """Brute force over a block in which rows are long finds nothing that is worse."""
    hosts, size = shape
    plan = alike(hosts, size, concurrency=5, tolerated=tolerated, halt_after=halt_after)
    rules = [at_most(2, "touched")]
    effects = [SERVING[0], effect(Copy, sets={"serving": True})]
    if size > 1:
        rules.append(at_most(1, serving=False))
    made = trials(plan, rules, effects if size > 1 else (), stores=budget.crashes > 0)
    assert not made.sharing
    one, two = searches(made, budget)
    assert ends(one) == ends(two)
    assert {n: len(t.faults) for n, t in one.broken.items()} == {
        n: len(t.faults) for n, t in two.broken.items()
    }
    assert two.runs < one.runs


@pytest.mark.parametrize(("shape", "tolerated", "halt_after"), one_in(5, ROWS))
def test_rows(shape: tuple[int, int], tolerated: int, halt_after: HaltAfter) -> None:
    """Two failures, where the ends of rows stand for them."""
    check_rows(shape, tolerated, halt_after, Budget(2, 0, 0))


@pytest.mark.slow
@pytest.mark.parametrize("bounds", [(3, 0, 0), (2, 1, 0)])
@pytest.mark.parametrize(("shape", "tolerated", "halt_after"), ROWS)
def test_rows_thoroughly(
    shape: tuple[int, int],
    tolerated: int,
    halt_after: HaltAfter,
    bounds: tuple[int, int, int],
) -> None:
    """Three faults."""
    check_rows(shape, tolerated, halt_after, Budget(*bounds))


def test_plugins_that_nobody_asks() -> None:
    """What reconciles is asked after a crash only: without one, order is merged."""
    plan = rollout(5, concurrency=5, tolerated=1, plugins=(Migrate,))
    assert "plugins that reconcile" in trials(plan, stores=True).sharing
    made = trials(plan)
    assert not made.sharing
    one, two = searches(made, Budget(2, 0, 0))
    assert ends(one) == ends(two)
    assert two.runs < one.runs


def check_covered(hosts: int, halt_after: HaltAfter, **bounds: int) -> None:
    """None is left out, however many run at once; two processes find the same twice."""

    def found(concurrency: int, workers: int) -> Verification:
        plan = alike(hosts, 1, concurrency=concurrency, halt_after=halt_after)
        more: Any = {"kinds": ["fails"], **bounds}
        return verify(plan, *PLUGINS, suggest=False, workers=workers, **more)

    few, many = found(4, 2), found(6, 1)
    assert few.is_complete
    assert many.is_complete
    assert many.runs < few.runs * 1.5
    assert found(4, 2).data() == few.data()


@pytest.mark.slow
def test_plans_are_covered() -> None:
    """One failure and a crash in 24 hosts."""
    check_covered(24, HaltAfter.ACTION, failures=1, crashes=1)


@pytest.mark.slow
@pytest.mark.parametrize("halt_after", HaltAfter)
def test_large_plans_are_covered(halt_after: HaltAfter) -> None:
    """Two failures and a crash in 60 hosts."""
    check_covered(60, halt_after, failures=2, crashes=1)


@pytest.mark.slow
def test_rules_are_judged_alike() -> None:
    """What breaks a rule is found with merging, and with as few faults."""
    rules = [at_most(1, serving=False), at_most(2, serving=False, always=True)]
    made = trials(alike(4, 3, concurrency=2), rules, SERVING)
    one, two = searches(made, Budget(2, 0, 0))
    assert ends(one) == ends(two)
    assert {n: len(t.faults) for n, t in one.broken.items()} == {
        n: len(t.faults) for n, t in two.broken.items()
    }
    assert check_each(made, Budget(2, 0, 0), 400 * MORE)


def block_of(plan: Plan) -> Block:
    """The only block."""
    [block] = plan.blocks
    return block


@pytest.mark.parametrize(
    ("concurrency", "bounds"),
    one_in(4, product([1, 2], [(1, 0, 0), (0, 1, 0), (0, 0, 1)])),
)
def test_a_plan_that_is_cut_has_the_same_ends(
    concurrency: int, bounds: tuple[int, int, int]
) -> None:
    """Few waves stand for many; what they find happens in the whole plan, too."""
    budget = Budget(*bounds)
    plan = alike(16 * concurrency, 2, concurrency=concurrency, tolerated=0)
    whole = trials(plan)
    whole.run((), Budget(0, 0, 0))
    made = cut(plan, whole, budget)
    assert made is not None
    assert len(block_of(made.plan).sequences) * 2 <= len(block_of(plan).sequences)
    short = trials(made.plan)
    short.run((), Budget(0, 0, 0))
    bound(short)

    many = searched(whole, budget, merge=False, max_runs=NO_END)
    few = searched(short, budget, merge=True, max_runs=NO_END)
    assert ends(few) == ends(many)
    for level in few.levels:
        for trial in level.worst:
            faults = lifted(trial.faults, short, whole, made)
            again = whole.run(faults, Budget(0, 0, 0))
            assert again.reached
            assert again.harm == trial.harm


FEATURES: dict[str, dict[str, Any]] = {
    "batches": {"batches": (1, 2), "batch_delay": 20.0},
    "batches with a gate": {"batches": (2,), "batch_checks": look()},
    "no concurrency of its own": {"concurrency": None, "batches": (2,)},
    "failures in a row": {"max_consecutive_failures": 1, "tolerated_failures": -1},
    "percent": {"tolerated_failures": Percent(50)},
    "undo of the block": {"undo": Undo.BLOCK_FAILURE, "tolerated_failures": 0},
    "undo of the plan": {"undo": Undo.PLAN_FAILURE, "tolerated_failures": 0},
    "checks that may fail twice": {"cont_checks": look(failures_before_halt=3)},
}


@pytest.mark.parametrize(
    ("feature", "bounds"),
    one_in(20, product(FEATURES, [(1, 0, 1), (2, 0, 0), (1, 1, 0)])),
)
def test_settings_of_a_block(feature: str, bounds: tuple[int, int, int]) -> None:
    """Whatever a block counts or waits for: what is merged has the same ends."""
    budget = Budget(*bounds)
    plan = alike(5, 1, concurrency=2)
    block = attrs.evolve(block_of(plan), **FEATURES[feature])
    if block.undo is not Undo.NEVER:
        for each in block.sequences:
            back = steps(each.name, Start)
            batch = DeferBatch(name="Back", actions=back, when=WhenDeferred.ON_UNDO)
            each.deferred_actions = DeferredActions(batches=[batch])
    plan = attrs.evolve(plan, blocks=[block])
    assert not list(unmerged(plan))
    found = trials(plan, stores=budget.crashes > 0)
    one, two = searches(found, budget)
    assert ends(one) == ends(two)
    check_each(found, budget, 400 * MORE)


def test_what_a_signature_does_not_know_is_not_merged() -> None:
    """Checks whose failure does not halt; the answer says so, and why."""
    plan = alike(3, 1, concurrency=2)
    assert not list(unmerged(plan))
    checks = look(on_failure=OnFailure.PAUSE)
    block = attrs.evolve(block_of(plan), cont_checks=checks)
    other = attrs.evolve(plan, blocks=[block])
    found = verify(other, *PLUGINS, suggest=False, kinds=["fails"])
    told = " ".join(found.covered)
    assert "tried stand for them" not in told
    assert "no sets were merged, however alike: a failure of the continuous" in told
    found = verify(plan, *PLUGINS, suggest=False, merge=False)
    assert "however alike: merge=False" in found.covered[0]


def test_hosts_that_others_wait_for_are_not_merged() -> None:
    """The failure of the one host whose response is needed is not that of another."""

    class Ask(ActionPlugin[On, On]):
        """Asks a host for its address."""

        name = "acme.ask"

        async def execute(self, context: Context, request: On, /) -> On:
            """Fail the test."""
            raise NotImplementedError

    asking = [
        Steps(name=host, actions=[Ask.action(On(host), name="Ask", key=host)])
        for host in ("web-1", "web-2", "web-3")
    ]
    needed = late(On)(host=Ask.response("web-2").host)
    using = Steps(name="lb", actions=[Copy.action(needed, name="Copy")])
    plan = Plan(
        name="Wired",
        blocks=[
            Block(name="Ask", sequences=asking, tolerated_failures=1),
            Block(name="Use", sequences=[using]),
        ],
    )
    fake = FakePlugin(Ask).otherwise(gives=On("10.0.0.1"))
    found = verify(plan, fake, Copy, suggest=False)
    assert found.worst_end.touched == ("web-2", "lb")

    made = Trials(plan, (fake, Copy), invariants=lambda world: [])
    assert check_each(made, Budget(2, 0, 0))
    one, two = searches(made, Budget(2, 0, 0))
    assert ends(one) == ends(two)


def test_what_must_not_be_cut() -> None:
    """Rules that count idle hosts, long waits, hosts that differ."""
    budget = Budget(1, 0, 0)

    def is_cut(plan: Plan, rules: Sequence[Rule] = ()) -> bool:
        made = trials(plan, rules, SERVING if rules else ())
        made.run((), Budget(0, 0, 0))
        return cut(plan, made, budget) is not None

    plan = alike(40, 3, concurrency=2)
    assert is_cut(plan)
    assert is_cut(plan, [at_most(3, serving=False)])
    assert not is_cut(plan, [at_most(39, serving=True)])
    block = block_of(plan)
    other = attrs.evolve(block.sequences[7].actions[0], timeout=7.0)
    block.sequences[7].actions[0] = other
    assert not is_cut(plan)
    assert not is_cut(alike(6, 3, concurrency=2))
    quick = partial(alike, 100, 3, concurrency=2, timeout=1.0)
    assert is_cut(quick(retries=3))
    assert not is_cut(quick(retries=6))  # it waits 9 seconds, and hangs for 7
    assert is_cut(quick(retries=None, deadline=3.0))
    assert not is_cut(quick(retries=None, deadline=100.0))
