"""How a plan that this process began is followed."""

from __future__ import annotations

import io
from datetime import UTC, datetime

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
from workstream._cli.draw.views import LineView
from workstream._cli.follow import follow
from workstream._cli.interrupts import Interrupts
from workstream._plan.walk import give_ids, new_plan_id
from workstream._protocols.watching import Intervened, PlanSnapshot, StateChange
from workstream._values.interventions import Effect, Intervention, Verb
from workstream._values.state import Attempt, ObjectType, PluginError, State, Status
from workstream.vaults import MemoryVault


@attrs.frozen
class Go:
    """Asks for nothing."""


class Do(ActionPlugin[Go, None]):
    """Does nothing."""

    name = "toy.do"

    async def execute(self, context: Context, request: Go, /) -> None:
        """Return."""


def a_plan() -> Plan:
    """A plan of one action."""
    sequence = Sequence(name="web-1", actions=[Do.action(Go(), name="go")])
    return Plan(name="Deploy", blocks=[Block(name="Tier", sequences=[sequence])])


def test_what_happened_before_anybody_looked_is_told() -> None:
    """A run may come as far as its end before its watcher has read the plan."""
    output = io.StringIO()

    async def main() -> None:
        async with open_workstream(MemoryVault(), registry=Registry([Do()])) as ws:
            plan_id = await ws.submit(a_plan())
            await ws.start(plan_id)
            await ws.wait(plan_id)
            call = Call(screen=Screen(output))
            await follow(ws, [plan_id], call, Interrupts(), begun=[plan_id])

    trio.run(main)

    assert "Tier: begins" in output.getvalue()


def test_a_line_has_the_time_at_which_it_happened() -> None:
    """Not that at which the plan, or the action, began."""

    def at(minute: int) -> datetime:
        return datetime(2031, 5, 1, 12, minute, tzinfo=UTC)

    plan, output = a_plan(), io.StringIO()
    give_ids(plan, new_plan_id())
    [action] = plan.blocks[0].sequences[0].actions
    assert plan.id is not None
    assert action.id is not None
    plan.state = State(Status.RUNNING, at(0))
    told = Intervention(verb=Verb.STOP, by="ann", at=at(2), effect=Effect.TAKEN)
    error = PluginError("interrupted: a stop cut the attempt short")
    attempt = Attempt(started=at(1), ended=at(3), error=error, interrupted=True)
    view = LineView(Screen(output))

    view.see(plan.id, PlanSnapshot(position=0, plan=plan))
    view.see(plan.id, Intervened(position=1, path="Deploy", intervention=told))
    view.see(
        plan.id,
        StateChange(
            position=2,
            path="Deploy",
            object_id=plan.id,
            object_type=ObjectType.PLAN,
            state=plan.state,
            stopping=True,
        ),
    )
    view.see(
        plan.id,
        StateChange(
            position=3,
            path="Deploy / Tier / web-1 / go",
            object_id=action.id,
            object_type=ObjectType.ACTION,
            state=State(Status.RUNNING, at(1)),
            attempts=1,
            attempt=attempt,
        ),
    )

    stopping, cut = output.getvalue().splitlines()
    assert stopping.startswith(f"{at(2).astimezone():%H:%M:%S}  stopping")
    assert cut.startswith(f"{at(3).astimezone():%H:%M:%S}  ")
    assert cut.endswith(
        "Tier / web-1 / go: attempt 1 was interrupted: a stop cut the attempt short"
    )
