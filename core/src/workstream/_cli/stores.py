"""Opening a store to look at it, without making one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .._protocols.hosting import hosting
from .._protocols.vault import Vault
from .._store.places import vault_at
from .._values.clock import utc_now
from .._values.errors import ValidationError
from .streams import Refusal

if TYPE_CHECKING:
    from .._protocols.plugin import Plugins
    from .._report.document import Report
    from .._store.store import Store
    from .._vaults.lmdb.vault import LmdbVault
    from .options import Hints

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
    """Whether nothing is there; of what cannot be told, opening it will tell."""
    try:
        if path.is_symlink() and not path.exists():
            return False
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError:
        return False


@asynccontextmanager
async def opened(store: str | None) -> AsyncGenerator[Store]:
    """The store, open, while the body runs.

    Raises:
        Refusal: There is none.
        StorageError: It cannot be opened.
    """
    from .._store.store import open_store

    async with open_store(existing_store(store)) as plans:
        yield plans


def read_alone(store: str | None, read: Callable[[Vault], Coroutine[Any, Any, T]]) -> T:
    """Read a store; one of this machine without importing the event loop.

    Args:
        store: What was given as ``--store``.
        read: Only reads, and waits for nothing else.

    Raises:
        Refusal: There is none.
        StorageError: It cannot be opened.
    """
    from .._vaults.lmdb.vault import LmdbVault

    vault = existing_store(store)
    if isinstance(vault, LmdbVault):
        with vault.opened_alone():
            return _at_once(read(vault))

    async def go() -> T:
        await vault.open()
        try:
            return await read(vault)
        finally:
            await vault.close()

    return run_async(go)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns, having waited for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        coroutine.close()
    message = "reading without an event loop waited for something"
    raise RuntimeError(message)


def directory_of(vault: Vault) -> LmdbVault:
    """The vault, which must be a directory of this machine.

    Raises:
        Refusal: It is of another kind.
    """
    from .._vaults.lmdb.vault import LmdbVault

    elsewhere = hosting(vault)
    if elsewhere is not None:
        message = (
            f"{elsewhere.host} keeps these plans: back up and restore what it keeps them "
            "in; `workstream report` and `workstream export` write down one plan"
        )
        raise Refusal(message)
    if not isinstance(vault, LmdbVault):
        message = (
            "backup and restore are for stores that are directories; another kind of "
            "store has tools of its own"
        )
        raise Refusal(message)
    return vault


def refuse_elsewhere(vault: Vault, hints: Hints) -> None:
    """Refuse to go on with plans that another goes on with by itself.

    Raises:
        Refusal: The store runs its plans itself.
    """
    elsewhere = hosting(vault)
    if elsewhere is None:
        return
    message = (
        f"nothing is run here: {elsewhere.host} runs the plans of this store, and goes on "
        f"with them by itself after a crash; follow one:  {hints.command('watch')}"
    )
    raise Refusal(message)


def report_in(plan: str, plugins: Plugins | None = None) -> Report | None:
    """The report, where a command that takes a plan was given the file of one.

    Args:
        plan: What was given.
        plugins: The registry, where the plan is to be run again.

    Raises:
        Refusal: The file cannot be read, or is no report.
    """
    path = Path(plan)
    if path.suffix not in (".html", ".json"):
        return None
    from .._report.document import read_report

    try:
        return read_report(path.read_text(encoding="utf-8"), plugins)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{plan}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise Refusal(message) from error
    except ValidationError as error:
        message = f"{plan}: {error}"
        raise Refusal(message) from error


async def report_from(plan: str, store: str | None) -> Report:
    """The report of a plan of the store.

    Raises:
        Refusal: There is no store.
        NotFoundError: It has no such plan.
    """
    from .._report.document import report_of

    async with opened(store) as plans:
        return await report_of(plans, (await plans.find(plan)).row.id, utc_now())


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """Run it on trio; an error that nurseries wrapped up comes out alone."""
    import trio  # here, as it takes longer than many a command

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
