"""How a plan that this process began is followed."""

from __future__ import annotations

import io

import attrs
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    open_workstream,
)
from workstream._cli.call import Call
from workstream._cli.draw.screen import Screen
from workstream._cli.follow import follow
from workstream._cli.interrupts import Interrupts
from workstream.vaults import MemoryVault


@attrs.frozen
class Go:
    """Asks for nothing."""


class Do(ActionPlugin[Go, None]):
    """Does nothing."""

    name = "toy.do"

    async def execute(self, context: Context, request: Go, /) -> None:
        """Return."""


def test_what_happened_before_anybody_looked_is_told() -> None:
    """A run may come as far as its end before its watcher has read the plan."""
    output = io.StringIO()

    async def main() -> None:
        sequence = Sequence(name="web-1", actions=[Do.action(Go(), name="go")])
        block = Block(name="Tier", sequences=[sequence])
        async with open_workstream(MemoryVault(), registry=Registry([Do()])) as ws:
            plan_id = await ws.submit(Plan(name="Deploy", blocks=[block]))
            await ws.start(plan_id)
            await ws.wait(plan_id)
            call = Call(screen=Screen(output))
            await follow(ws, [plan_id], call, Interrupts(), begun=[plan_id])

    trio.run(main)

    assert "Tier: begins" in output.getvalue()
