"""A store on disk that a test opens, uses and closes again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from workstream.vaults import LmdbVault


def with_store(
    path: Path,
    use: Callable[[LmdbVault], Awaitable[object]],
    *,
    risk_power_cut: bool = True,
    **options: Any,
) -> None:
    """Open the store, use it, and close it; no disk is waited for unless that is asked."""

    async def main() -> None:
        vault = LmdbVault(path, risk_power_cut=risk_power_cut, **options)
        await vault.open()
        try:
            await use(vault)
        finally:
            await vault.close()

    trio.run(main)
