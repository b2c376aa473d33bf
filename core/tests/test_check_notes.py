"""What a check remembered before a crash reaches its next run."""

from __future__ import annotations

import attrs
import trio
import trio.testing

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    Outcome,
    Plan,
    Registry,
    Sequence,
    open_workstream,
)
from workstream.plugins import NoteValue
from workstream.vaults import MemoryVault


@attrs.frozen
class Ask:
    """Nothing to say."""


class Probe(CheckPlugin[Ask, None]):
    """Remembers something, and hangs the first time."""

    name = "notes.probe"

    def __init__(self) -> None:
        self.seen: list[dict[str, NoteValue]] = []
        self.hanging = trio.Event()

    async def execute(self, context: Context, request: Ask) -> None:
        """Look what an earlier call left."""
        self.seen.append(dict(context.notes))
        if len(self.seen) == 1:
            await context.remember(pid=7)
            self.hanging.set()
            await trio.sleep_forever()


class Step(ActionPlugin[Ask, None]):
    """Does nothing."""

    name = "notes.step"

    async def execute(self, context: Context, request: Ask) -> None:
        """Succeed."""


def test_notes_of_an_interrupted_check_reach_its_next_run() -> None:
    """A group that is run again after a crash knows what its checks began (REG-11, R-8)."""

    async def crash_and_go_on() -> tuple[Probe, Plan]:
        vault, probe = MemoryVault(), Probe()
        plan = Plan(
            name="Notes",
            pre_checks=Checks(actions=[Probe.action(Ask(), name="Probe")]),
            blocks=[
                Block(
                    name="B",
                    sequences=[
                        Sequence(name="s", actions=[Step.action(Ask(), name="a")])
                    ],
                )
            ],
        )
        async with open_workstream(vault, registry=Registry([probe, Step()])) as ws:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            await probe.hanging.wait()
        async with open_workstream(vault, registry=Registry([probe, Step()])) as ws:
            return probe, await ws.wait(plan_id)

    probe, ended = trio.run(
        crash_and_go_on, clock=trio.testing.MockClock(autojump_threshold=0)
    )

    assert ended.outcome is Outcome.COMPLETED
    assert probe.seen == [{}, {"pid": 7}]
    assert ended.pre_checks is not None
    assert [len(action.attempts) for action in ended.pre_checks.actions] == [1]
