"""Lists of a cluster: the newest plans, those that go on, none that was deleted."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import attrs
import pytest
import trio
from temporalio.client import WorkflowExecution

from workstream import Plan, Registry, Status, open_store
from workstream._codec.codec import Codec
from workstream._protocols.searching import Where
from workstream._protocols.vault import PlanRow
from workstream.errors import NotFoundError
from workstream_temporal._cluster import listing
from workstream_temporal._vault import TemporalVault

if TYPE_CHECKING:
    from temporal_server import Server

pytestmark = pytest.mark.slow  # it starts a cluster

Working = Callable[..., AbstractContextManager[None]]

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def opened(server: Server) -> AsyncGenerator[TemporalVault]:
    """The cluster, as one person has it."""
    vault = TemporalVault(server.location)
    await vault.open()
    try:
        with trio.fail_after(120):
            yield vault
    finally:
        await vault.close()


async def stored(vault: TemporalVault, number: int, *, ended: bool = False) -> UUID:
    """Store a plan, which perhaps has ended; its id."""
    row = PlanRow(
        id=uuid4(), name=f"plan {number}", submitted=BEGIN + timedelta(days=number)
    )
    if ended:
        row = attrs.evolve(row, status=Status.COMPLETED)
    plan = Plan(name=row.name, blocks=[])
    plan.id = row.id
    await vault.create(row, Codec(None).encode_definition(plan))
    return row.id


async def listed(vault: TemporalVault, name: str, **wanted: object) -> list[PlanRow]:
    """What a search gives when the server lists a plan of this name first."""
    while True:  # a server lists what it was told a moment later
        found = await vault.search(**wanted)  # type: ignore[arg-type]
        if found and found[0].name == name:
            return found


def test_a_list_reads_the_newest_plans(
    server: Server, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many that have ended, those that cannot be among them are not read."""
    read = itertools.count()
    row_in = listing.row_in

    async def counted(found: WorkflowExecution) -> PlanRow:
        next(read)
        return await row_in(found)

    async def main() -> None:
        async with opened(server) as vault:
            for number in range(40):
                await stored(vault, number, ended=True)
            going_on = await stored(vault, 7_000)
            await stored(vault, 7_001, ended=True)
            both = await listed(vault, "plan 7001", limit=2)
            assert [each.name for each in both] == ["plan 7001", "plan 7000"]

            monkeypatch.setattr(listing, "row_in", counted)
            await vault.search(limit=2)
            assert next(read) < 40
            begun = await listed(vault, "plan 7000", statuses=[Status.NOT_STARTED])
            assert next(read) < 40
            assert begun[0].id == going_on
            late = Where(since=BEGIN + timedelta(days=7_001))
            assert [e.name for e in await vault.search(where=late)] == ["plan 7001"]
            given = [going_on, uuid4(), going_on]
            assert [e.id for e in await vault.search(ids=given)] == [going_on]

    with working(server, Registry([])):
        trio.run(main)


def test_a_deleted_plan_is_seen_by_nobody(server: Server, working: Working) -> None:
    """Though the server takes half a minute to delete it; and it can be stored again."""

    async def main() -> None:
        async with opened(server) as vault, opened(server) as page:
            plan_id = await stored(vault, 8_000)
            await listed(vault, "plan 8000")
            assert await page.exists(plan_id)

            await vault.delete(plan_id)

            assert plan_id not in {each.id for each in await vault.search()}
            with pytest.raises(NotFoundError):
                await vault.row(plan_id)
            while await page.exists(plan_id):
                pass  # one that was open already looks each second
            async with opened(server) as later:
                assert not await later.exists(plan_id)
                assert not await later.search(ids=[plan_id])

    with working(server, Registry([])):
        trio.run(main)


def test_an_open_page_hears_of_a_freeze(server: Server, working: Working) -> None:
    """One that another person has set, and taken back (HO-6)."""

    async def main() -> None:
        async with open_store(server.store) as page, open_store(server.store) as other:
            await other.freeze(reason="pager")
            while (said := page.frozen()) is None:
                await page.list(limit=1)
            assert said.begun.reason == "pager"
            await other.unfreeze()
            while page.frozen() is not None:
                await page.list(limit=1)

    with working(server, Registry([])):
        trio.run(main)
