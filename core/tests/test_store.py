"""An open store: what any process can do with its plans, with or without an engine."""

from __future__ import annotations

import subprocess
import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import attrs
import pytest
import trio
import trio.lowlevel

from workstream import (
    Action,
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Status,
    ValidationError,
    open_store,
    open_workstream,
)
from workstream._protocols.vault import STOP, PlanRow
from workstream._show.overview import overview
from workstream._store.asking import requester
from workstream._store.ids import short_id
from workstream._store.places import default_store, vault_at
from workstream._vaults.memory_vault import MemoryVault
from workstream.errors import (
    NotFoundError,
    NotRunningHereError,
    NotStartedError,
    StorageError,
)
from workstream.results import PlanSnapshot, StateChange


@attrs.frozen
class Work:
    """What to do."""

    text: str = ""


class Wait(ActionPlugin[Work, None]):
    """Goes on until it is let go."""

    name = "x.wait"

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.go_on = trio.Event()

    async def execute(self, context: Context, request: Work) -> None:
        self.begun.set()
        await self.go_on.wait()


class Nothing(ActionPlugin[Work, None]):
    """Does nothing."""

    name = "x.nothing"

    async def execute(self, context: Context, request: Work) -> None:
        """Do nothing."""


def plan_of(*actions: Action, name: str = "Plan") -> Plan:
    """One sequence of these."""
    sequence = Sequence(name="s", actions=list(actions))
    return Plan(name=name, blocks=[Block(name="b", sequences=[sequence])])


def nothing(name: str = "a") -> Action:
    """An action that ends at once."""
    return Nothing.action(Work(), name=name)


async def submitted(path: Path, *plans: Plan) -> list[UUID]:
    """Store these plans."""
    registry = Registry([Nothing(), Wait()])
    async with open_workstream(path, registry=registry) as ws:
        return [await ws.submit(plan) for plan in plans]


def of_another(path: Path, plan_id: UUID, do: str) -> subprocess.Popen[str]:
    """A second process with the store open, which has done something and waits."""
    code = f"""
import sys, trio
from uuid import UUID
from workstream._vaults.lmdb.vault import LmdbVault

async def main():
    vault = LmdbVault({str(path)!r})
    await vault.open()
    plan_id = UUID({str(plan_id)!r})
    {do}
    print("ready", flush=True)
    sys.stdin.readline()

trio.run(main)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


RUNNING = """
    row = await vault.row(plan_id)
    import attrs
    from workstream import Status
    from workstream.vaults import Write
    assert await vault.claim(plan_id)
    row = attrs.evolve(row, status=Status.RUNNING, started=row.submitted)
    [answer] = await vault.write([Write(plan_id=plan_id, first=1, changes=(row,))])
    assert answer is None
""".strip()
"""What begins a plan's run, and then does nothing of it."""


def ends(process: subprocess.Popen[str]) -> None:
    """Let that process go, and see that nothing went wrong in it."""
    process.communicate("\n")
    assert process.returncode == 0


# -- Looking ---------------------------------------------------------------------------


def test_a_store_is_opened_to_look_at_it(path: Path) -> None:
    """Lists, entries, one plan and its export, without its plugins (STO-8)."""

    async def main() -> None:
        first, second = await submitted(path, plan_of(nothing()), plan_of(nothing()))
        async with open_store(path) as store:
            assert [row.id for row in await store.list()] == [second, first]
            assert [row.id for row in await store.search(ids=[first])] == [first]
            entries = await store.entries(statuses=[Status.NOT_STARTED], limit=1)
            assert [entry.row.id for entry in entries] == [second]
            assert not entries[0].crashed
            plan = await store.plan(first)
            assert (plan.name, plan.id) == ("Plan", first)
            assert await store.export(first) == plan
            assert await store.requests(first) == []

    trio.run(main)


def test_no_store_is_begun_by_looking(path: Path) -> None:
    """Unless that is asked for."""

    async def look(create: bool) -> None:
        async with open_store(path, create=create) as store:
            assert await store.list() == []

    with pytest.raises(StorageError, match="there is no store at"):
        trio.run(look, False)
    assert not path.exists()
    trio.run(look, True)
    assert path.exists()


def test_a_plan_is_found_by_what_people_type(path: Path) -> None:
    """``last``, its id, or the digits that tell plans apart; else it says what to type."""

    async def main() -> None:
        first, second = await submitted(path, plan_of(nothing()), plan_of(nothing()))
        async with open_store(path) as store:
            assert (await store.find("last")).row.id == second
            for text in (str(first), short_id(first), short_id(first)[:4].upper()):
                if text.lower() not in short_id(second):
                    assert (await store.find(text)).row.id == first
            with pytest.raises(ValidationError, match="is no plan: give an id"):
                await store.find("x")
            with pytest.raises(ValidationError, match="may be any of 2 plans"):
                await store.find(str(first)[:4])

    trio.run(main)


def test_a_program_without_plugins_watches(path: Path) -> None:
    """What another engine does comes as it becomes durable, secrets removed (WA-1)."""
    wait = Wait()

    async def main() -> None:
        registry = Registry([Nothing(), wait])
        vault = MemoryVault()
        async with open_workstream(vault, registry=registry) as ws:
            plan_id = await ws.submit(plan_of(nothing()))
            await ws.start(plan_id)
            await ws.wait(plan_id)
            async with open_store(vault) as store:
                async with aclosing(store.watch(plan_id)) as events:
                    seen = [event async for event in events]
                assert isinstance(seen[0], PlanSnapshot)
                async with aclosing(store.watch(plan_id, interval=9)) as snapshots:
                    ended = [one.plan.state.status async for one in snapshots]
                assert ended == [Status.COMPLETED]

    trio.run(main)


def test_without_a_home_a_store_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user of whom the system knows nothing; no directory ``~`` is made."""

    def nobody(_: int) -> NoReturn:
        raise KeyError

    names = ("HOME", "XDG_STATE_HOME", "WORKSTREAM_STORE", "WORKSTREAM_BY")
    for variable in (*names, "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(StorageError, match="no home directory: name one by --store"):
        default_store()
    with pytest.raises(StorageError, match="no store at ~/plans"):
        vault_at("~/plans")
    assert requester().startswith("uid ")


# -- What has crashed ------------------------------------------------------------------


def test_a_plan_has_crashed_once_nobody_runs_it(path: Path) -> None:
    """While its process lives it has an owner; then it has crashed (R-1)."""

    async def main() -> None:
        [plan_id] = await submitted(path, plan_of(nothing()))
        process = of_another(path, plan_id, RUNNING)
        async with open_store(path) as store:
            entry = await store.entry(plan_id)
            assert (entry.owner, entry.crashed) == (process.pid, False)
            assert await store.entries(crashed=True) == []
            assert await store.entries(crashed=False) == [entry]
            process.kill()
            process.communicate()
            assert (await store.entry(plan_id)).crashed
            assert [each.row.id for each in await store.entries(crashed=True)] == [
                plan_id
            ]
            with trio.fail_after(30):
                await store.until_crashed(plan_id)

    trio.run(main)


def test_what_ends_while_it_is_looked_at_has_not_crashed() -> None:
    """The owner is asked after it has gone, and before that of the row (E-10)."""

    class Hasty(MemoryVault):
        """Ends the plan between the look at its row and that at its owner."""

        async def owner(self, plan_id: UUID) -> int | None:
            """Let the plan end first."""
            stored = self._plans[plan_id]
            stored.row = attrs.evolve(stored.row, status=Status.COMPLETED)
            return None

    async def main() -> None:
        vault = Hasty()
        async with open_workstream(vault, registry=Registry([Nothing()])) as ws:
            plan_id = await ws.submit(plan_of(nothing()))
            stored = vault._plans[plan_id]  # pyright: ignore[reportPrivateUsage]
            stored.row = attrs.evolve(stored.row, status=Status.RUNNING)
            assert not (await ws.entry(plan_id)).crashed

    trio.run(main)


# -- Asking ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_stop_is_asked_for_by_somebody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who, when and why is kept until a run takes it (CT-1, CT-2, CT-4)."""
    monkeypatch.setenv("WORKSTREAM_BY", "ana, on call")

    async def main() -> None:
        [plan_id] = await submitted(path, plan_of(nothing()))
        ends(of_another(path, plan_id, RUNNING))
        async with open_store(path) as store:
            assert await store.stop(plan_id, reason="pager 4711") is Status.RUNNING
            assert await store.stop(plan_id, by="bo") is Status.RUNNING
            first, second = await store.requests(plan_id)
            assert (first.verb, first.by, first.reason) == (
                STOP,
                "ana, on call",
                "pager 4711",
            )
            assert second.by == "bo"
            shown = await overview(store, plan_id)
            assert shown.requests == (first, second)
        registry = Registry([Nothing(), Wait()])
        async with open_workstream(path, registry=registry) as ws:
            assert (await ws.wait(plan_id)).state.status is Status.STOPPED
            assert await ws.requests(plan_id) == []

    trio.run(main)


def test_a_run_hears_what_another_process_asks(path: Path) -> None:
    """The request goes with the write that has its effect (CT-2, SP-1)."""
    wait = Wait()
    ask = """
    from datetime import UTC, datetime
    from workstream._store.asking import asked
    row = await vault.row(plan_id)
    await vault.ask(*asked(row, "stop", at=datetime.now(UTC)))
""".strip()

    async def main() -> None:
        registry = Registry([Nothing(), wait])
        async with open_workstream(path, registry=registry) as ws:
            plan_id = await ws.submit(plan_of(Wait.action(Work(), name="w"), nothing()))
            await ws.start(plan_id)
            await wait.begun.wait()
            ends(of_another(path, plan_id, ask))
            async with aclosing(ws.watch(plan_id, after=0)) as events:
                async for event in events:
                    if isinstance(event, StateChange) and event.stopping:
                        break
            assert await ws.requests(plan_id) == []
            wait.go_on.set()
            assert (await ws.wait(plan_id)).state.status is Status.STOPPED

    trio.run(main)


def test_a_plan_that_was_never_started_is_stopped_at_once(path: Path) -> None:
    """By a process without plugins; nothing is kept, and it is so found (SP-1)."""

    async def main() -> None:
        [plan_id] = await submitted(path, plan_of(nothing()))
        async with open_store(path) as store:
            found = await store.stop(plan_id, reason="not needed", by="bo")
            assert found is Status.NOT_STARTED
            row = (await store.entry(plan_id)).row
            assert (row.status, row.stopping) == (Status.STOPPED, True)
            assert await store.requests(plan_id) == []
            assert await store.stop(plan_id) is Status.STOPPED
            await store.delete(plan_id)
            with pytest.raises(NotFoundError):
                await store.stop(plan_id)

    trio.run(main)


def test_a_stop_that_finds_another_change_looks_again() -> None:
    """Its effect is made anew of what is there by then (CT-2)."""

    class Changing(MemoryVault):
        """Changes the plan behind the back of whoever reads it, once."""

        changed = False

        async def row(self, plan_id: UUID) -> PlanRow:
            """Tell, then change."""
            row = await super().row(plan_id)
            if not self.changed:
                self.changed = True
                stored = self._plans[plan_id]
                stored.row = attrs.evolve(stored.row, description="changed")
                stored.position += 1
            return row

    async def main() -> None:
        vault = Changing()
        async with open_workstream(vault, registry=Registry([Nothing()])) as ws:
            plan_id = await ws.submit(plan_of(nothing()))
            assert await ws.stop(plan_id) is Status.NOT_STARTED
            [row] = await ws.list()
            assert row.status is Status.STOPPED

    trio.run(main)


# -- Removing --------------------------------------------------------------------------


def test_plans_are_pruned_without_an_engine(path: Path) -> None:
    """What is meant is told, and goes (STO-5)."""

    async def main() -> None:
        first, second = await submitted(path, plan_of(nothing()), plan_of(nothing()))
        async with open_store(path) as store:
            await store.stop(first)
            age = timedelta(seconds=-60)  # whatever ended before a minute from now
            meant = await store.prune(age, dry_run=True)
            assert [row.id for row in meant] == [first]
            assert await store.prune(age) == meant
            assert [row.id for row in await store.list()] == [second]

    trio.run(main)


# -- Waiting for what another engine starts ----------------------------------------------


def test_a_plan_that_another_process_is_starting(path: Path) -> None:
    """It is not said never to have been started: it does not run *here* (ST-2, ST-7)."""

    async def main() -> None:
        registry = Registry([Nothing(), Wait()])
        async with open_workstream(path, registry=registry) as ws:
            plan_id = await ws.submit(plan_of(nothing()))
            process = of_another(path, plan_id, "assert await vault.claim(plan_id)")
            await ws.start(plan_id)  # somebody has it: that is no error
            with pytest.raises(
                NotRunningHereError, match=f"being started .* process {process.pid}"
            ):
                await ws.wait(plan_id)
            ends(process)
            with pytest.raises(NotStartedError):
                await ws.wait(plan_id)
            await ws.start(plan_id)
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    trio.run(main)


def test_one_engine_starts_while_another_looks() -> None:
    """In one process, too, where the claim is of this very process (ST-7)."""

    class Slow(MemoryVault):
        """Lets a start take its time."""

        def __init__(self) -> None:
            super().__init__()
            self.claimed, self.go_on = trio.Event(), trio.Event()

        async def claim(self, plan_id: UUID) -> bool:
            """Claim, then wait."""
            is_ours = await super().claim(plan_id)
            if is_ours:
                self.claimed.set()
                await self.go_on.wait()
            return is_ours

    async def main() -> None:
        vault, registry = Slow(), Registry([Nothing()])
        async with (
            open_workstream(vault, registry=registry) as one,
            open_workstream(vault, registry=registry) as other,
            trio.open_nursery() as nursery,
        ):
            plan_id = await one.submit(plan_of(nothing()))
            nursery.start_soon(one.start, plan_id)
            await vault.claimed.wait()
            await other.start(plan_id)
            with pytest.raises(NotRunningHereError, match="by another engine"):
                await other.wait(plan_id)
            vault.go_on.set()
            with trio.fail_after(30):
                while (await one.list())[0].status is Status.NOT_STARTED:
                    await trio.lowlevel.checkpoint()
            assert (await one.wait(plan_id)).state.status is Status.COMPLETED

    trio.run(main)
