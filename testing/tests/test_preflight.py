"""What is found out before a plan begins (PV-8)."""

from __future__ import annotations

from collections import Counter
from threading import Event

import attrs
import pytest
import trio
from trio.testing import MockClock

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    SecretRef,
    Sequence,
    ValidationError,
    Workstream,
)
from workstream._preview.preflight import LONGEST_LOOKUP, missing_secrets
from workstream.errors import SecretError
from workstream.testing import FakePlugin, MemoryWorkstream


@attrs.frozen
class Ask:
    """A request with a secret or two."""

    login: SecretRef | None = None
    others: tuple[SecretRef, ...] = ()


class Act(ActionPlugin[Ask, None]):
    """Never called."""

    name = "t.act"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Fail the test."""
        raise NotImplementedError


def plan(*requests: Ask) -> Plan:
    """A plan of these requests."""
    actions = [Act.action(each, name=f"a{n}") for n, each in enumerate(requests)]
    block = Block(name="b", sequences=[Sequence(name="s", actions=actions)])
    return Plan(name="p", blocks=[block])


def test_all_that_is_missing_is_told_at_once_and_each_is_looked_up_once() -> None:
    """By the path of the first action that needs it; nothing is stored."""
    looked_up: Counter[str] = Counter()

    def resolver(rest: str) -> str:
        looked_up[rest] += 1
        if rest.startswith("no"):
            message = f"there is no {rest}"
            raise SecretError(message)
        return "value"

    good, bad, worse = (SecretRef(f"safe:{name}") for name in ("yes", "no-1", "no-2"))
    made = plan(
        Ask(good),
        Ask(bad),
        Ask(good, (bad, worse)),
        Ask(bad),
        Ask(SecretRef("what:is")),
    )

    async def scenario(ws: Workstream) -> None:
        with pytest.raises(ValidationError) as caught:
            await ws.preflight(made)
        faults = caught.value.faults
        assert [(fault.path, fault.rule) for fault in faults] == [
            ("p / b / s / a1", "PV-8"),
            ("p / b / s / a2", "PV-8"),
            ("p / b / s / a4", "PV-8"),
        ]
        assert faults[0].message.endswith("there is no no-1; 2 more actions need it")
        assert "no installed package knows the scheme 'what'" in faults[2].message
        assert await ws.list() == []
        await ws.preflight(made, secrets=False)
        await ws.preflight(plan(Ask(good)))

    MemoryWorkstream().run(scenario, [FakePlugin(Act)], resolvers={"safe": resolver})

    assert looked_up == {"yes": 2, "no-1": 1, "no-2": 1}


def test_a_lookup_that_hangs_is_given_up() -> None:
    """The others are told all the same."""
    over = Event()
    clock = MockClock()  # it stands still until it is told

    def hang(rest: str) -> str:
        if rest == "slow":
            over.wait(60)
        return ""

    class LongAfterTheFirst(trio.abc.Instrument):
        """Lets thirty seconds pass as soon as one of the lookups is over."""

        def task_exited(self, task: trio.lowlevel.Task) -> None:
            if task.name.endswith(".look"):
                clock.jump(LONGEST_LOOKUP)

    made = plan(Ask(SecretRef("safe:slow")), Ask(SecretRef("safe:empty")))

    try:
        slow, empty = trio.run(
            missing_secrets,
            made,
            {"safe": hang},
            clock=clock,
            instruments=[LongAfterTheFirst()],
        )
    finally:
        over.set()

    assert "'safe:slow' was not found within 30 s" in slow.message
    assert "gave an empty text" in empty.message
