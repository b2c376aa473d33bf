"""Which store is meant: a path, a ``scheme:location``, or the usual place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .._protocols.vault import Vault
from .._values.errors import StorageError

STORE_VARIABLE = "WORKSTREAM_STORE"
"""The environment variable that names the store."""
_SCHEME = re.compile(r"([a-z][a-z0-9_]+):(.*)", re.DOTALL)


def default_store() -> str:
    """``WORKSTREAM_STORE``, or else a directory in the platform's state directory.

    Raises:
        StorageError: The user has no home directory.
    """
    named = os.environ.get(STORE_VARIABLE)
    return named or str(state_directory(f"--store or {STORE_VARIABLE}"))


def state_directory(otherwise: str, name: str = "workstream") -> Path:
    """The platform's place for what a program keeps.

    Args:
        otherwise: What names another place.
        name: The directory's; that of the program is the store.

    Raises:
        StorageError: The user has no home directory.
    """
    import platformdirs

    place = Path()
    with suppress(RuntimeError):  # who has no home; older versions leave a "~" in it
        place = platformdirs.user_state_path(name, appauthor=False)
    if not place.is_absolute():
        message = (
            "there is no place to keep anything, as this user has no home directory: name "
            f"one by {otherwise}"
        )
        raise StorageError(message)
    return place


def vault_at(store: str | Path | Vault | None, *, create: bool = True) -> Vault:
    """The vault that is meant; it is not open yet.

    Args:
        store: A vault is itself; a path is the directory of an LMDB store;
            ``scheme:location`` asks the installed packages; None is ``default_store``.
        create: Whether an LMDB store that is not there is made when it is opened.

    Raises:
        StorageError: It is an empty text, there is no home directory for a ``~``, or no
            installed package knows the scheme.
    """
    if store is None:
        store = default_store()
    if store == "":  # as a path it would be the working directory
        message = "the store's name is empty: give a directory, or leave it out"
        raise StorageError(message)
    if isinstance(store, str):
        scheme = _SCHEME.fullmatch(store)
        if scheme is not None:
            return _by_scheme(*scheme.groups())
    if isinstance(store, (str, Path)):
        from .._vaults.lmdb.vault import LmdbVault

        try:
            path = Path(store).expanduser()
        except RuntimeError as error:
            message = f"no store at {store}: {error}"
            raise StorageError(message) from error
        return LmdbVault(path, create=create)
    return store


def _by_scheme(scheme: str, location: str) -> Vault:
    from .._registry.host import discover

    # The core's own first: what only reads the store imports no plugin package.
    vaults: Mapping[str, Callable[[str], Vault]]
    vaults = discover(packages=False).vaults()
    if scheme not in vaults:
        host = discover()
        vaults = {**host.vaults(), **host.engines()}
    if scheme not in vaults:
        known = ", ".join(sorted(vaults))
        message = (
            f"no installed package has a store for {scheme}: (known: {known}); a path "
            f"with a colon is written ./{scheme}:{location}"
        )
        raise StorageError(message)
    return vaults[scheme](location)
