"""Opening a store to look at it: without a plugin package, and without making one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import trio

from .._protocols.vault import Vault
from .._store.places import vault_at
from .._vaults.lmdb_vault import LmdbVault
from ._refusal import Refusal

__all__ = ["existing_store", "opened", "opened_directory", "run_async"]

T = TypeVar("T")


def existing_store(store: str | None) -> Vault:
    """The vault of a store that is there already; it is not open yet.

    Args:
        store: What was given as ``--store``.

    Raises:
        Refusal: There is none.
    """
    vault = vault_at(store, create=False)
    path = getattr(vault, "path", None)
    if isinstance(path, Path) and _is_nothing(path):
        message = f"no store at {path}: `workstream run` makes one"
        if store is None:
            message += ", and --store names another"
        raise Refusal(message)
    return vault


def _is_nothing(path: Path) -> bool:
    try:
        if path.is_symlink() and not path.exists():
            return False  # a link to nothing: opening it will tell
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError:
        return False  # opening it will tell


@asynccontextmanager
async def opened(store: str | None) -> AsyncGenerator[Vault, None]:
    """The store, open, while the body runs.

    Raises:
        Refusal: There is none.
        StorageError: It cannot be opened.
    """
    vault = existing_store(store)
    await vault.open()
    try:
        yield vault
    finally:
        with trio.CancelScope(shield=True):
            await vault.close()


@asynccontextmanager
async def opened_directory(store: str | None) -> AsyncGenerator[LmdbVault, None]:
    """The same, of a store that is a directory of this machine.

    Raises:
        Refusal: There is none, or it is of another kind.
        StorageError: It cannot be opened.
    """
    async with opened(store) as vault:
        if not isinstance(vault, LmdbVault):
            message = (
                "this is for stores that are directories; of another kind of store, "
                "its own tools take care"
            )
            raise Refusal(message)
        yield vault


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """Run it on trio; an error that nurseries wrapped up comes out alone."""
    try:
        return trio.run(function)
    except BaseExceptionGroup as group:
        error: Any = group
        while isinstance(error, BaseExceptionGroup):
            inner: list[Any] = list(cast("Any", error).exceptions)
            if len(inner) > 1:
                break
            error = inner[0]
        raise cast("BaseException", error) from None
