"""Twenty plans with a flaw that is found, and what each is without it: not accused.

Each names the number of faults that it takes. The search must find so many, and no
fewer may break the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from verify_plans import (
    PLUGINS,
    SERVING,
    Copy,
    Drain,
    Migrate,
    Start,
    look,
    rollout,
    steps,
    tier,
)

from workstream import (
    Block,
    DeferBatch,
    DeferredActions,
    HaltAfter,
    OnInterrupt,
    Plan,
    WhenDeferred,
)
from workstream import Sequence as Steps
from workstream.testing import (
    Effect,
    End,
    VerifyError,
    always_ends,
    at_most,
    effect,
    never,
    verify,
)

BACKUP = effect(Copy, sets={"backup taken": True}, of=None)
MIGRATED = effect(Migrate, sets={"db migrated": True}, of=None)
OFF = effect(Drain, path="Off / Drain", sets={"lb on": False}, of=None)
ON = effect(Start, path="Back / Start", sets={"lb on": True}, of=None)
SEQUENCE = HaltAfter.SEQUENCE


def seq(name: str, *plugins: Any, **more: Any) -> Steps:
    """A sequence of these steps."""
    return Steps(name=name, actions=steps(name, *plugins, **more))


def blocks(*several: list[Steps], **more: Any) -> Plan:
    """A block for each list of sequences."""
    made = [
        Block(name=f"Block {number}", sequences=sequences, **more)
        for number, sequences in enumerate(several, 1)
    ]
    return Plan(name="Planted", blocks=made)


def with_batch(when: WhenDeferred, *several: list[Steps], **more: Any) -> Plan:
    """A plan that switches something back in the end."""
    back = DeferBatch(name="Back", actions=steps("lb", Start, **more), when=when)
    plan = blocks(*several)
    return attrs.evolve(plan, deferred_actions=DeferredActions(batches=[back]))


def no_web_2(end: End) -> bool:
    """Web-2 stays as it is when web-1 fails."""
    return end.touched != ("web-1", "web-2")


def quick(end: End) -> bool:
    """It ends within three minutes."""
    return end.elapsed <= 180


def stopped_clean(end: End) -> bool:
    """A stop leaves nothing half done."""
    return not end.touched


@attrs.frozen
class Planted:
    """A flaw, and the plan without it."""

    name: str
    flawed: Callable[[], Plan]
    safe: Callable[[], Plan]
    rule: Any
    faults: int
    bounds: dict[str, Any] = attrs.Factory(dict[str, Any])
    effects: Sequence[Effect] = ()
    plugins: tuple[Any, ...] = PLUGINS


def ignoring(plan: Plan) -> Plan:
    """The plan, with actions that may be run again after a crash."""
    for block in plan.blocks:
        for sequence in block.sequences:
            for action in sequence.actions:
                action.on_interrupt = OnInterrupt.RERUN
    return plan


FLAWS = [
    Planted(
        "halting after an action leaves hosts drained",
        lambda: rollout(3, concurrency=3, tolerated=0),
        lambda: rollout(3, concurrency=3, tolerated=0, halt_after=SEQUENCE),
        at_most(1, serving=False),
        1,
        {"kinds": ["fails"]},
        SERVING,
    ),
    Planted(
        "two failures, one of them tolerated",
        lambda: rollout(4, concurrency=2, tolerated=1),
        lambda: rollout(4, concurrency=2, tolerated=1, halt_after=SEQUENCE),
        at_most(2, serving=False),
        2,
        {"failures": 2, "kinds": ["fails"]},
        SERVING,
    ),
    Planted(
        "any number of failures is tolerated",
        lambda: rollout(3, concurrency=1, tolerated=-1),
        lambda: rollout(3, concurrency=1, tolerated=0),
        at_most(1, "touched"),
        2,
        {"failures": 2, "kinds": ["fails"]},
    ),
    Planted(
        "one failure too many is tolerated",
        lambda: rollout(4, concurrency=1, tolerated=1, plugins=(Drain, Start)),
        lambda: rollout(4, concurrency=1, tolerated=0, plugins=(Drain, Start)),
        at_most(1, serving=False),
        2,
        {"failures": 2, "kinds": ["fails"]},
        SERVING,
    ),
    Planted(
        "too many hosts at once, although all goes well",
        lambda: rollout(4, concurrency=3),
        lambda: rollout(4, concurrency=2),
        at_most(2, serving=False, always=True),
        0,
        {"failures": 0},
        SERVING,
    ),
    Planted(
        "too many hosts at once, when one fails",
        lambda: rollout(4, concurrency=2, tolerated=1),
        lambda: rollout(4, concurrency=1, tolerated=1),
        at_most(2, serving=False, always=True),
        1,
        {"kinds": ["fails"]},
        SERVING,
    ),
    Planted(
        "the migration does not need the backup",
        lambda: blocks([seq("a", Copy)], [seq("b", Migrate)], tolerated_failures=1),
        lambda: blocks([seq("a", Copy)], [seq("b", Migrate)]),
        never("db migrated", without="backup taken"),
        1,
        {"crashes": 1},
        [BACKUP, MIGRATED],
    ),
    Planted(
        "the migration runs beside the backup",
        lambda: blocks([seq("a", Copy), seq("b", Migrate)], concurrency=2),
        lambda: blocks([seq("a", Copy, Migrate)]),
        never("db migrated", without="backup taken"),
        0,
        {"failures": 1},
        [BACKUP, MIGRATED],
    ),
    Planted(
        "the order of two sequences is no guard",
        lambda: blocks([seq("a", Copy), seq("b", Migrate)], tolerated_failures=1),
        lambda: blocks([seq("a", Copy), seq("b", Migrate)], tolerated_failures=0),
        never("db migrated", without="backup taken"),
        1,
        {"failures": 1},
        [BACKUP, MIGRATED],
    ),
    Planted(
        "the balancer is switched on again on success alone",
        lambda: with_batch(
            WhenDeferred.ON_SUCCESS, [seq("Off", Drain)], [seq("w", Copy)]
        ),
        lambda: with_batch(
            WhenDeferred.ALWAYS, [seq("Off", Drain)], [seq("w", Copy)], retries=1
        ),
        always_ends("lb on"),
        1,
        {"kinds": ["fails once"], "stops": 1},
        [OFF, ON],
    ),
    Planted(
        "the balancer is switched on again after failures alone",
        lambda: with_batch(WhenDeferred.ON_FAILURE, [seq("Off", Drain)]),
        lambda: with_batch(WhenDeferred.ALWAYS, [seq("Off", Drain)]),
        always_ends("lb on"),
        0,
        {"failures": 0, "crashes": 1},
        [OFF, ON],
    ),
    Planted(
        "switching it on again is tried once",
        lambda: with_batch(WhenDeferred.ALWAYS, [seq("Off", Drain)]),
        lambda: with_batch(WhenDeferred.ALWAYS, [seq("Off", Drain)], retries=1),
        always_ends("lb on"),
        1,
        {"kinds": ["fails once"]},
        [OFF, ON],
    ),
    Planted(
        "a stop leaves a host half done",
        lambda: rollout(2, concurrency=1),
        lambda: rollout(2, concurrency=1, plugins=(Copy,)),
        stopped_clean,
        1,
        {"failures": 0, "stops": 1},
    ),
    Planted(
        "a crash leaves work of which nobody knows",
        lambda: blocks([seq("db", Migrate)]),
        lambda: ignoring(blocks([seq("db", Migrate)])),
        at_most(0, "touched"),
        1,
        {"failures": 0, "crashes": 1},
    ),
    Planted(
        "a crash after which no plugin is asked",
        lambda: blocks([seq("a", Copy, Migrate)]),
        lambda: blocks([seq("a", Copy, Copy)]),
        at_most(0, "touched"),
        1,
        {"failures": 0, "crashes": 1},
    ),
    Planted(
        "a red check stops hosts in the middle",
        lambda: rollout(2, concurrency=2, checks={"cont_checks": look(delay=5)}),
        lambda: rollout(
            2,
            concurrency=2,
            checks={"cont_checks": look(delay=5)},
            halt_after=SEQUENCE,
        ),
        at_most(0, "touched"),
        1,
        {"kinds": ["turns red"]},
    ),
    Planted(
        "the steps are in the wrong order",
        lambda: rollout(2, plugins=(Start, Drain)),
        lambda: rollout(2, plugins=(Drain, Start)),
        always_ends(serving=True),
        0,
        {"failures": 0, "crashes": 1},
        SERVING,
    ),
    Planted(
        "one host's failure reaches the next host",
        lambda: rollout(2, concurrency=2, tolerated=0, plugins=(Drain, Copy)),
        lambda: rollout(2, concurrency=1, tolerated=0, plugins=(Drain, Copy)),
        no_web_2,
        1,
        {"kinds": ["fails"]},
    ),
    Planted(
        "a call that hangs takes too long",
        lambda: rollout(1, timeout=120.0, retries=1),
        lambda: rollout(1, timeout=60.0),
        quick,
        1,
        {"kinds": ["hangs"], "takes": 5},
    ),
    Planted(
        "the second block does not know of the first",
        lambda: Plan(
            name="Planted",
            blocks=[tier(2, tolerated=2), tier(2, tolerated=2, concurrency=1)],
        ),
        lambda: Plan(
            name="Planted",
            blocks=[tier(2, tolerated=0, concurrency=1)],
        ),
        at_most(1, "touched"),
        2,
        {"failures": 2, "kinds": ["fails"]},
    ),
]


def test_there_are_twenty() -> None:
    """Each of its own."""
    assert len({flaw.name for flaw in FLAWS}) == len(FLAWS) == 20


QUICK = 7
"""The first of each so many is looked for in the quick tests."""


@pytest.mark.parametrize(
    "flaw",
    [
        pytest.param(
            flaw,
            id=flaw.name.replace(" ", "-"),
            marks=[pytest.mark.slow] if number % QUICK else [],
        )
        for number, flaw in enumerate(FLAWS)
    ],
)
def test_a_planted_flaw_is_found(flaw: Planted) -> None:
    """With the smallest set of faults; the plan without the flaw is not accused."""

    def found(plan: Plan, **changed: Any) -> Any:
        return verify(
            plan,
            *flaw.plugins,
            invariants=[flaw.rule],
            effects=flaw.effects,
            suggest=False,
            **{**flaw.bounds, **changed},
        )

    with pytest.raises(VerifyError) as caught:
        found(flaw.flawed())
    [broken] = caught.value.verification.broken
    assert len(broken.worst.faults) == flaw.faults

    assert found(flaw.safe()).ok
