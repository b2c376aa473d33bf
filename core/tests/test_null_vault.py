"""The vault that keeps nothing (STO-9)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trio

from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import STOP, NodeRecord, PlanRow, Vault, Write
from workstream._store.asking import asked
from workstream._values.errors import StorageError
from workstream._vaults.null_vault import NullVault

ROW = PlanRow(id=new_plan_id(), name="plan")
WRITE = Write(plan_id=ROW.id, first=1, changes=(NodeRecord(1, 0, b""),))


def test_it_accepts_every_write() -> None:
    """Writes are accepted and dropped (STO-9)."""

    async def main() -> None:
        vault: Vault = NullVault()
        await vault.open()
        await vault.create(ROW, b"")
        await vault.create(ROW, b"")
        assert list(await vault.write([WRITE, WRITE])) == [None, None]
        await vault.delete(ROW.id)
        await vault.close()
        assert not vault.shared

    trio.run(main)


READS: dict[str, tuple[object, ...]] = {
    "read": (ROW.id,),
    "row": (ROW.id,),
    "exists": (ROW.id,),
    "search": (),
    "log": (ROW.id, 0),
    "lines": (ROW.id, 1),
    "ask": asked(ROW, STOP, at=datetime(2031, 5, 1, tzinfo=UTC)),
    "requests": (),
}


@pytest.mark.parametrize("name", READS)
def test_every_read_raises(name: str) -> None:
    """There is nothing to read, and it says so (STO-9)."""

    async def main() -> None:
        with pytest.raises(StorageError, match="keeps nothing"):
            await getattr(NullVault(), name)(*READS[name])

    trio.run(main)


def test_it_keeps_claims() -> None:
    """Within the object a plan has one owner at a time (ST-2)."""

    async def main() -> None:
        vault = NullVault()
        assert await vault.owner(ROW.id) is None
        assert await vault.claim(ROW.id)
        assert not await vault.claim(ROW.id)
        assert await vault.owner(ROW.id) is not None
        await vault.release(ROW.id)
        assert await vault.claim(ROW.id)
        await vault.close()
        assert await vault.owner(ROW.id) is None

    trio.run(main)
