"""What workstream brings itself, through the same hooks that packages use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ._protocols.approval import Approve
from ._protocols.plugin import AnyPlugin
from ._protocols.vault import Vault
from ._secrets.lookups import CORE_RESOLVERS, SecretResolver
from .hookspecs import VaultFactory, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def workstream_plugins() -> Iterable[AnyPlugin]:
    """Approvals."""
    return [Approve()]


@hookimpl
def workstream_vaults() -> Mapping[str, VaultFactory]:
    """The store of one machine, and one that forgets."""
    return {"lmdb": _lmdb, "memory": _memory}


@hookimpl
def workstream_secret_resolvers() -> Mapping[str, SecretResolver]:
    """Environment variables, files and the user's keyring."""
    return CORE_RESOLVERS


@hookimpl
def workstream_commands() -> Iterable[click.Command]:
    """The core's subcommands; each is imported when it is called."""
    from ._cli.main import core_commands

    return core_commands()


# Imported when used: a store costs start-up time that `workstream --help` does not owe.


def _lmdb(location: str) -> Vault:
    from ._vaults.lmdb.vault import LmdbVault

    return LmdbVault(location)


def _memory(location: str) -> Vault:
    from ._vaults.memory_vault import MemoryVault

    return MemoryVault()
