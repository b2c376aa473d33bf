"""Stores: those that there are, and what the author of another needs.

::

    from workstream.vaults import MemoryVault, Vault

``workstream.testing.check_vault`` tests a vault.
"""

from ._codec.labels import labels_for
from ._protocols.conduct import Conduct
from ._protocols.hosting import HostingVault
from ._protocols.searching import ANY_PLAN, Search, Wanted, Where
from ._protocols.vault import (
    Change,
    LineRecord,
    LogSlice,
    NodeRecord,
    Owner,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Vault,
    Write,
)
from ._vaults.lmdb.copy import StoreCopy
from ._vaults.lmdb.health import StoreHealth
from ._vaults.lmdb.restore import restore_store
from ._vaults.lmdb.vault import LmdbVault
from ._vaults.memory_vault import MemoryVault
from ._vaults.null_vault import NullVault

__all__ = [
    "ANY_PLAN",
    "Change",
    "Conduct",
    "HostingVault",
    "LineRecord",
    "LmdbVault",
    "LogSlice",
    "MemoryVault",
    "NodeRecord",
    "NullVault",
    "Owner",
    "PlanRequest",
    "PlanRow",
    "Search",
    "StoreCopy",
    "StoreHealth",
    "StoredPlan",
    "Vault",
    "Wanted",
    "Where",
    "Write",
    "labels_for",
    "restore_store",
]
