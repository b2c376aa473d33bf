"""What is pruned, and what never is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Unpack
from uuid import UUID

import attrs
import pytest
import trio

from workstream import (
    Action,
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Status,
    Workstream,
    open_workstream,
)
from workstream._protocols.searching import Wanted
from workstream._store.pruning import ENDED, pruned
from workstream.vaults import MemoryVault, PlanRow, Vault

BEGIN = datetime(2031, 5, 1, 18, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Act(ActionPlugin[None, None]):
    """Do nothing, or wait for ever."""

    name = "toy.act"

    async def execute(self, context: Context, request: None) -> None:
        """Wait where the action's name says so."""
        if context.path.endswith("wait"):
            await trio.sleep_forever()
        if context.path.endswith("fail"):
            message = "no"
            raise ValueError(message)


class Clock:
    """Tells the time that it is set to."""

    def __init__(self) -> None:
        """Begin."""
        self.now = BEGIN

    def __call__(self) -> datetime:
        """The time."""
        return self.now


def plan(name: str, action: str = "do") -> Plan:
    """A plan of one action."""
    actions: list[Action] = [Act.action(None, name=action)]
    return Plan(
        name=name,
        blocks=[Block(name="b", sequences=[Sequence(name="s", actions=actions)])],
    )


async def filled(workstream: Workstream, clock: Clock) -> None:
    """A plan of each status, a day apart: completed first, running last."""
    await workstream.run(plan("completed"))
    clock.now += DAY
    await workstream.run(plan("failed", "fail"))
    clock.now += DAY
    await workstream.stop(await workstream.submit(plan("stopped")))
    clock.now += DAY
    await workstream.submit(plan("waiting"))
    clock.now += DAY
    await workstream.start(await workstream.submit(plan("running", "wait")))
    clock.now += DAY


def names(rows: list[PlanRow]) -> list[str]:
    """What they are called."""
    return [row.name for row in rows]


def within(body: Callable[[Workstream, Clock], Awaitable[None]]) -> None:
    """Run the body with an engine that holds those plans."""

    async def main() -> None:
        clock = Clock()
        engine = open_workstream(
            MemoryVault(), registry=Registry([Act()]), now=clock, recover=False
        )
        async with engine as workstream:
            await filled(workstream, clock)
            await body(workstream, clock)

    trio.run(main)


@pytest.mark.parametrize(
    ("days", "statuses", "gone"),
    [
        (6, ENDED, []),
        (5, ENDED, []),  # just so old is not older
        (4.5, ENDED, ["completed"]),
        (3.5, ENDED, ["completed", "failed"]),
        (0, ENDED, ["completed", "failed", "stopped"]),
        (0, [Status.FAILED], ["failed"]),
        (0, [Status.NOT_STARTED], ["waiting"]),
        (0, [Status.STOPPED, Status.NOT_STARTED], ["stopped", "waiting"]),
        (0, [], []),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_ended_long_ago_is_removed(
    days: float, statuses: list[Status], gone: list[str], dry_run: bool
) -> None:
    """Those older, of these statuses, the oldest first; nothing by a dry run."""

    async def body(workstream: Workstream, clock: Clock) -> None:
        before = set(names(await workstream.list()))

        rows = await workstream.prune(
            timedelta(days=days), statuses=statuses, dry_run=dry_run
        )

        assert names(rows) == gone
        left = before if dry_run else before - set(gone)
        assert set(names(await workstream.list())) == left

    within(body)


def test_what_runs_is_never_removed() -> None:
    """Not even when it is asked for (STO-5)."""

    async def body(workstream: Workstream, clock: Clock) -> None:
        with pytest.raises(ValueError, match="never pruned"):
            await workstream.prune(timedelta(0), statuses=[Status.RUNNING])
        clock.now += timedelta(days=365)
        await workstream.prune(timedelta(0), statuses=[*ENDED, Status.NOT_STARTED])
        assert names(await workstream.list()) == ["running"]

    within(body)


class Meddling(MemoryVault):
    """A store in which somebody does something right after the first search."""

    meddle: Callable[[Vault, UUID], Awaitable[None]] | None = None

    async def search(self, **wanted: Unpack[Wanted]) -> list[PlanRow]:
        """Search, then let it happen."""
        rows = await super().search(**wanted)
        if self.meddle is not None:
            meddle, self.meddle = self.meddle, None
            for row in rows:
                await meddle(self, row.id)
        return rows


async def claim(vault: Vault, plan_id: UUID) -> None:
    """Another process is about to start it."""
    assert await vault.claim(plan_id)


async def delete(vault: Vault, plan_id: UUID) -> None:
    """Another process deletes it."""
    await vault.delete(plan_id)


async def end_late(vault: Vault, plan_id: UUID) -> None:
    """Another process has run it meanwhile, and it has just ended."""
    assert isinstance(vault, MemoryVault)
    row = await vault.row(plan_id)
    await vault.delete(plan_id)
    ended = attrs.evolve(row, status=Status.COMPLETED, ended=BEGIN + DAY)
    await vault.create(ended, b"")


@pytest.mark.parametrize("meddle", [claim, delete, end_late])
def test_what_others_do_meanwhile_is_respected(
    meddle: Callable[[Vault, UUID], Awaitable[None]],
) -> None:
    """A plan that is started, deleted or finished after the look is left alone."""

    async def main() -> None:
        vault = Meddling()
        row = PlanRow(
            id=UUID("01a20999-1842-728a-bfc3-10ad00000000"),
            name="waiting",
            submitted=BEGIN,
        )
        await vault.create(row, b"")
        vault.meddle = meddle
        statuses = [Status.NOT_STARTED, Status.COMPLETED]

        gone = [row async for row in pruned(vault, BEGIN + DAY / 2, statuses)]

        assert gone == []
        assert await vault.exists(row.id) is (meddle is not delete)
        # Its claim is whoever's it was.
        assert await vault.claim(row.id) is (meddle is not claim)

    trio.run(main)
