"""Running a plan of the notation through an engine, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import attrs
import trio

from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes, row_of
from workstream._engine.engine import open_workstream
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._plan.walk import new_plan_id, walk
from workstream._protocols.vault import Change, Vault, Write
from workstream._registry.registry import Registry
from workstream._values.state import State
from workstream._vaults.memory_vault import MemoryVault

from ..notation.fixtures import Stage, scripted_plugins
from ..notation.notation import parse
from ..notation.stored_states import Notation
from ..notation.tellings import before_start, parse_told, say, say_all
from ..simulation.told import AUTHOR
from ..virtual.virtual_time import FakeClock, TrioSleeper


@attrs.frozen(kw_only=True)
class CaseRun:
    """How a plan of the notation ended.

    Attributes:
        notation: What was run.
        plan: The plan as it is stored at the end.
        stage: What the plugins saw.
        began: When the run, or the recovering engine, began.
    """

    notation: Notation
    plan: Plan
    stage: Stage
    began: datetime

    def __attrs_post_init__(self) -> None:
        self._nodes.extend(item.node for item in walk(self.plan))

    _nodes: list[Node] = attrs.field(init=False, factory=list[Node])

    def node(self, label: str) -> Node:
        """The object of this label."""
        return self._nodes[self.notation.place(label)]

    def label(self, place: int) -> str:
        """What the object at a place in walk order is called."""
        for labels in (self.notation.containers, self.notation.actions):
            for label, at in labels.items():
                if at == place:
                    return label
        message = f"the plan has no object {place}"
        raise LookupError(message)

    def action(self, label: str) -> BaseAction:
        """The action of this label."""
        node = self._nodes[self.notation.actions[label]]
        assert isinstance(node, BaseAction)
        return node

    def seconds(self, time: datetime | None) -> float | None:
        """A recorded time, in seconds since the run began."""
        return None if time is None else (time - self.began).total_seconds()


def run_case(
    text: str,
    *,
    seed: int | None = None,
    stop_at: float | None = None,
    told: str = "",
    found_after: float | None = None,
    vault: Callable[[FakeClock], Vault] | None = None,
) -> CaseRun:
    """Run a plan to its end, or recover one that is written with states.

    Args:
        text: The plan.
        seed: Chooses the order of tasks that are ready at the same instant.
        stop_at: When ``stop`` is called, in seconds since the run began.
        told: What else it is told (``tellings``).
        found_after: Seconds by which the stored times are older than the notation says.
        vault: Makes the store; the memory vault by default.
    """
    notation = parse(text)
    says = parse_told(told, notation)
    clock = FakeClock()
    stage = Stage(TrioSleeper(clock))
    store = MemoryVault() if vault is None else vault(clock)

    async def scenario() -> tuple[Plan, datetime]:
        registry = Registry(scripted_plugins(stage))
        plan_id = new_plan_id()
        if notation.is_stored:
            found = clock.now() - timedelta(seconds=found_after or 0)
            stored = notation.stored(plan_id, found)
            await store.open()
            await store_plan(store, stored, Codec(registry))
            await store.close()
        async with open_workstream(
            store, registry=registry, now=clock.now, random=lambda: 0.5
        ) as ws:
            began = clock.now()
            if not notation.is_stored:
                plan_id = await ws.submit(notation.plan, by=AUTHOR)
                for each in before_start(says):
                    await say(ws, plan_id, each)
                await ws.start(plan_id)
            if stop_at is not None:
                await trio.sleep(stop_at)
                await ws.stop(plan_id)
            await say_all(ws, plan_id, says)
            assert not ws.recovery_errors
            with trio.fail_after(1_000_000):
                ended = await ws.wait(plan_id)
            assert ended == await ws.plan(plan_id)  # perhaps it was never read (ST-6)
            return ended, began

    plan, began = clock.run(scenario, seed=seed)
    for call in stage.calls:
        assert call.ended is not None, f"{call.label} still runs"
    return CaseRun(notation=notation, plan=plan, stage=stage, began=began)


async def store_plan(vault: Vault, plan: Plan, codec: Codec) -> UUID:
    """Store a plan with the states and attempts that it has.

    Args:
        vault: The store, open.
        plan: It has its ids.
        codec: Encodes it.
    """
    row = row_of(plan)
    await vault.create(row, codec.encode_definition(plan))
    changes: list[Change] = [*plan_changes(plan, 0), *records_of(plan, codec)]
    [error] = await vault.write(
        [Write(plan_id=row.id, first=1, changes=tuple(changes))]
    )
    if error is not None:
        raise error
    return row.id


def records_of(plan: Plan, codec: Codec) -> list[Change]:
    """What a vault holds of the plan's objects, an action's attempts one by one."""
    changes: list[Change] = []
    for item in walk(plan):
        node = item.node
        if node is plan or node.state == State():
            continue
        if not isinstance(node, BaseAction):
            changes.append(codec.record_of(node))
            continue
        attempts = node.attempts
        for count in range(min(len(attempts), 1), len(attempts) + 1):
            node.attempts = attempts[:count]
            changes.append(codec.record_of(node))
    return changes
