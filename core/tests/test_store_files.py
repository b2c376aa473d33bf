"""Files of a store that are removed or replaced while it is open: nothing goes astray.

What happens to them is real, and so is the other process that opens what is there then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import attrs
import pytest
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Status,
    open_workstream,
)
from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import PlanRow
from workstream.errors import StorageError
from workstream.vaults import LmdbVault

OTHER = """
import sys, trio
from workstream.vaults import LmdbVault
from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import PlanRow

async def main():
    vault = LmdbVault(sys.argv[1])
    await vault.open()
    await vault.create(PlanRow(id=new_plan_id(), name="of another"), b"")
    await vault.close()

trio.run(main)
"""


def remove(path: Path, name: str) -> None:
    """Remove a file, or all of them."""
    shutil.rmtree(path) if name == "all" else (path / name).unlink()


def replace(path: Path, name: str) -> None:
    """Put a copy in its place; or another store in place of this one, kept aside."""
    if name == "all":
        path.rename(path.with_name("aside"))
        subprocess.run([sys.executable, "-c", OTHER, str(path)], check=True)
    else:
        shutil.copy(path / name, path / "copy")
        (path / "copy").replace(path / name)


EACH_FILE = pytest.mark.parametrize("name", ["data.mdb", "lock.mdb", "owners", "all"])
EITHER_WAY = pytest.mark.parametrize("change", [remove, replace])


@pytest.mark.slow
@EACH_FILE
@EITHER_WAY
def test_nothing_is_written_or_claimed_any_more(
    path: Path, name: str, change: Callable[[Path, str], None]
) -> None:
    """Each call is refused by name, though another process finds what it can use.

    It would keep that process from nothing, and what it writes would be lost (ST-2).
    """

    async def main() -> None:
        vault = LmdbVault(path)
        await vault.open()
        row = PlanRow(id=new_plan_id(), name="kept")
        await vault.create(row, b"")
        change(path, name)
        await trio.run_process([sys.executable, "-c", OTHER, str(path)])
        another = attrs.evolve(row, id=new_plan_id())
        calls: list[Callable[[], Awaitable[object]]] = [
            partial(vault.claim, row.id),
            partial(vault.owner, row.id),
            partial(vault.create, another, b""),
            partial(vault.delete, row.id),
            partial(vault.row, row.id),
            partial(vault.log, row.id, 0),
            vault.search,
            vault.requests,
        ]
        for call in calls:
            with pytest.raises(StorageError, match="not used any more by this") as told:
                await call()
            assert str(path) in str(told.value)
            assert "and start again" in str(told.value)
        await vault.close()
        with pytest.raises(StorageError, match="is not open"):
            await vault.search()

    trio.run(main)


@attrs.frozen
class Work:
    """What to do: nothing."""


class Meddle(ActionPlugin[Work, None]):
    """Does something to the store in its second call."""

    name = "files.meddle"

    def __init__(self, what: Callable[[], object]) -> None:
        self.calls = 0
        self._what = what

    async def execute(self, context: Context, request: Work) -> None:
        """Count."""
        self.calls += 1
        if self.calls == 2:
            self._what()


@EACH_FILE
def test_a_run_breaks_off(path: Path, name: str) -> None:
    """At once: no further action is begun. Where the files come back, it can be resumed."""
    aside = path.with_name("aside")

    def take_away() -> None:
        shutil.copytree(path, aside)
        remove(path, name)

    async def main() -> None:
        plugin = Meddle(take_away)
        actions = [Meddle.action(Work(), name=str(n)) for n in range(4)]
        sequences = [Sequence(name="s", actions=actions)]
        plan = Plan(name="Meddled", blocks=[Block(name="b", sequences=sequences)])
        plan_id = UUID(int=0)
        async with open_workstream(path, registry=Registry([plugin])) as ws:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            with pytest.raises(
                StorageError, match="removed or moved while it was open"
            ):
                await ws.wait(plan_id)
            assert plugin.calls == 2
        shutil.rmtree(path, ignore_errors=True)
        aside.rename(path)
        async with open_workstream(path, registry=Registry([plugin])) as ws:
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED
        assert plugin.calls == 5  # the one whose outcome was not stored, again

    trio.run(main)


def test_a_process_may_go_to_another_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that was named from where the process was is not taken for removed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    async def main() -> None:
        vault = LmdbVault("store")
        await vault.open()
        os.chdir("elsewhere")
        row = PlanRow(id=new_plan_id(), name="kept")
        await vault.create(row, b"")
        assert await vault.claim(row.id)
        assert await vault.search() == [row]
        await vault.close()

    trio.run(main)


@EITHER_WAY
def test_a_store_that_was_quiet_for_long(
    path: Path, change: Callable[[Path, str], None]
) -> None:
    """Of which one look at its directory is enough: a change is seen all the same."""

    async def main() -> None:
        vault = LmdbVault(path)
        await vault.open()
        row = PlanRow(id=new_plan_id(), name="kept")
        os.utime(path, (0, 0))
        await vault.create(row, b"")
        assert await vault.search() == [row]
        change(path, "lock.mdb")
        with pytest.raises(
            StorageError, match=r"its lock\.mdb was .* while it was open"
        ):
            await vault.delete(row.id)
        await vault.close()

    trio.run(main)
