"""The vault in memory: the contract, and what it adds for tests (section 16)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import trio

from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import LineRecord, NodeRecord, PlanRow, Write
from workstream._values.state import Status
from workstream._vaults.memory_vault import MemoryVault
from workstream.testing import check_vault

T = TypeVar("T")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def run(call: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine without any event loop: it must never suspend."""
    with pytest.raises(StopIteration) as done:
        call.send(None)
    value: T = done.value.value
    return value


@pytest.fixture
def row() -> PlanRow:
    return PlanRow(id=new_plan_id(), name="plan", submitted=NOON)


def test_it_keeps_the_contract() -> None:
    """STO-1 to STO-5, STO-10, X-75, X-76."""
    trio.run(check_vault, MemoryVault)


def test_it_needs_no_event_loop() -> None:
    """Its coroutines never suspend: a driver of one's own can run them all."""
    check = check_vault(MemoryVault)
    with pytest.raises(StopIteration):
        check.send(None)


def test_it_imports_no_event_loop_and_no_store() -> None:
    """A simulation pays for neither."""
    code = (
        "import sys, workstream._vaults.memory_vault, workstream._vaults.null_vault\n"
        "bad = {'trio', 'lmdb', 'cattrs', 'asyncio'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_snapshot_stays_as_it_was(row: PlanRow) -> None:
    """What happens afterwards, in the vault or in a restored one, leaves it alone."""
    vault = MemoryVault()
    run(vault.create(row, b"definition"))
    first = (NodeRecord(1, 1, b"1"), LineRecord(1, 1, b"line"))
    run(vault.write([Write(plan_id=row.id, first=1, changes=first)]))
    snapshot = vault.snapshot()
    before = run(vault.read(row.id))
    later = (NodeRecord(1, 0, b"0"), LineRecord(1, 2, b"line"))
    for changed in (vault, MemoryVault.restored(snapshot)):
        run(changed.write([Write(plan_id=row.id, first=3, changes=later)]))
        assert run(changed.read(row.id)) != before
    restored = MemoryVault.restored(snapshot)
    assert run(restored.read(row.id)) == before
    assert run(restored.lines(row.id, 1)) == [LineRecord(1, 1, b"line")]


def test_a_snapshot_holds_no_claims(row: PlanRow) -> None:
    """Claims die with their owner, and a snapshot is what a crash leaves (ST-2)."""
    vault = MemoryVault()
    assert run(vault.claim(row.id))
    assert run(MemoryVault.restored(vault.snapshot()).owner(row.id)) is None
    vault.forget_claims()
    assert run(vault.owner(row.id)) is None


def test_claims_last_until_the_last_engine_has_closed(row: PlanRow) -> None:
    """Two engines may share one vault: neither takes the other's claims away."""
    vault = MemoryVault()
    run(vault.open())
    run(vault.open())
    assert run(vault.claim(row.id))
    run(vault.close())
    assert not run(vault.claim(row.id))
    run(vault.close())
    assert run(vault.claim(row.id))


def test_a_refused_write_leaves_no_trace(row: PlanRow) -> None:
    """A vault in memory is as atomic as one on disk (STO-1)."""
    vault = MemoryVault()
    run(vault.create(row, b""))
    before = run(vault.read(row.id))
    write = Write(
        plan_id=row.id,
        first=1,
        changes=(NodeRecord(1, 0, b""),),
        expect=Status.RUNNING,
    )
    assert run(vault.write([write])) != [None]
    assert run(vault.read(row.id)) == before
