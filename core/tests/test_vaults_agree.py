"""The vault on disk and the one in memory do the same, call by call (STO-1)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from quickly import one_in

from workstream._protocols.vault import (
    STOP,
    Change,
    LineRecord,
    NodeRecord,
    PlanRow,
    Vault,
    Write,
)
from workstream._store.asking import asked
from workstream._values.errors import NotFoundError, StorageError
from workstream._values.state import Status
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._vaults.memory_vault import MemoryVault

Call = tuple[str, tuple[Any, ...]]

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROWS = [
    PlanRow(id=UUID(int=number << 32), name=str(number), submitted=NOON)
    for number in (1, 2, 255)
]
POSITIONS = (1, 2, 300)


def some_changes(random: Random, row: PlanRow) -> tuple[Change, ...]:
    """Changes as a run may make them, and others."""
    changes: list[Change] = []
    for _ in range(random.randint(1, 8)):
        position, kind = random.choice(POSITIONS), random.random()
        if kind < 0.1:
            changes.append(attrs.evolve(row, status=random.choice(list(Status))))
        elif kind < 0.7:
            attempt = random.choice((0, 0, 1, 2, 3, 300))
            changes.append(NodeRecord(position, attempt, random.randbytes(5)))
        else:
            number = random.choice((1, 99, 100, 101, 102, 1_100, 1_101, 1_102, 5_000))
            changes.append(LineRecord(position, number, random.randbytes(5)))
    return tuple(changes)


def some_call(random: Random, positions: dict[UUID, int]) -> Call:
    row = random.choice(ROWS)
    write = Write(
        plan_id=row.id,
        first=positions[row.id] + 1,
        changes=some_changes(random, row),
        expect=random.choice((None, None, Status.NOT_STARTED)),
        taken=random.choice((0, 0, random.randint(0, 10 << 16))),
    )
    after, limit = random.randint(0, 50), random.randint(1, 50)
    calls: list[Call] = [
        ("create", (row, row.id.bytes)),
        ("write", ([write],)),
        ("write", ([write, write],)),
        (
            "ask",
            asked(
                row,
                STOP,
                at=datetime(2031, 5, 1, tzinfo=UTC),
                position=random.randint(0, 3),
            ),
        ),
        ("delete", (row.id,)),
        ("log", (row.id, after, limit)),
    ]
    return random.choices(calls, (2, 10, 1, 1, 0.3, 2))[0]


async def answer(vault: Vault, call: Call) -> str:
    """What a vault answers to a call, an error included."""
    name, arguments = call
    try:
        return repr(await getattr(vault, name)(*arguments))
    except (StorageError, NotFoundError) as error:
        return repr(error)


async def everything(vault: Vault) -> list[str]:
    """All that can be read from a vault."""
    found = [
        repr(await vault.search()),
        repr(sorted(await vault.requests(), key=attrs.astuple)),
    ]
    for row in ROWS:
        found.append(await answer(vault, ("read", (row.id,))))
        for position in POSITIONS:
            found.append(await answer(vault, ("lines", (row.id, position))))
    return found


@pytest.mark.parametrize("seed", one_in(3, range(5)))
def test_they_agree(tmp_path: Path, seed: int) -> None:
    """The same calls get the same answers and leave the same plans."""
    random = Random(seed)

    async def main() -> None:
        memory = MemoryVault()
        lmdb = LmdbVault(tmp_path / "store", risk_power_cut=True)
        await lmdb.open()
        positions = dict.fromkeys((row.id for row in ROWS), 0)
        for _ in range(150):
            call = some_call(random, positions)
            assert await answer(lmdb, call) == await answer(memory, call)
            assert await everything(lmdb) == await everything(memory)
            for row in ROWS:
                known = await memory.exists(row.id)
                stored = await memory.read(row.id) if known else None
                positions[row.id] = stored.position if stored else 0
        await lmdb.close()

    trio.run(main)
