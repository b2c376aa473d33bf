"""Durable plans for people who change running systems.

A ``Plan`` is Blocks of Sequences of Actions, with checks around them; plugins do the
work; a store remembers every step before the next one is taken::

    from workstream import Block, Plan, Sequence, open_workstream

    async with open_workstream("/var/lib/workstream") as ws:
        result = await ws.run(plan)

Every name is loaded when it is first used: ``import workstream`` is cheap, and whoever
only reads plans never imports the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

    from . import retries as retries
    from ._builder import (
        PlanBuilder as PlanBuilder,
    )
    from ._clone import (
        clone as clone,
    )
    from ._difference import (
        difference as difference,
    )
    from ._engine import (
        Workstream as Workstream,
    )
    from ._engine import (
        open_workstream as open_workstream,
    )
    from ._errors import (
        BuilderError as BuilderError,
    )
    from ._errors import (
        Fault as Fault,
    )
    from ._errors import (
        InternalError as InternalError,
    )
    from ._errors import (
        NotFoundError as NotFoundError,
    )
    from ._errors import (
        NotRunningHereError as NotRunningHereError,
    )
    from ._errors import (
        NotStartedError as NotStartedError,
    )
    from ._errors import (
        PathError as PathError,
    )
    from ._errors import (
        PlanCorruptError as PlanCorruptError,
    )
    from ._errors import (
        PlanError as PlanError,
    )
    from ._errors import (
        PlanExistsError as PlanExistsError,
    )
    from ._errors import (
        PlanRefusedError as PlanRefusedError,
    )
    from ._errors import (
        PlanStaleError as PlanStaleError,
    )
    from ._errors import (
        RegistrationError as RegistrationError,
    )
    from ._errors import (
        SecretError as SecretError,
    )
    from ._errors import (
        StorageError as StorageError,
    )
    from ._errors import (
        StoreFormatError as StoreFormatError,
    )
    from ._errors import (
        ValidationError as ValidationError,
    )
    from ._errors import (
        WorkstreamError as WorkstreamError,
    )
    from ._failures import (
        Failure as Failure,
    )
    from ._failures import (
        failures as failures,
    )
    from ._json import (
        from_json as from_json,
    )
    from ._json import (
        to_json as to_json,
    )
    from ._lmdb_copy import (
        StoreCopy as StoreCopy,
    )
    from ._lmdb_health import (
        StoreHealth as StoreHealth,
    )
    from ._lmdb_restore import (
        restore_store as restore_store,
    )
    from ._lmdb_vault import (
        LmdbVault as LmdbVault,
    )
    from ._memory_vault import (
        MemoryVault as MemoryVault,
    )
    from ._null_vault import (
        NullVault as NullVault,
    )
    from ._paths import (
        find as find,
    )
    from ._paths import (
        path_of as path_of,
    )
    from ._paths import (
        paths as paths,
    )
    from ._plan import (
        Action as Action,
    )
    from ._plan import (
        BaseAction as BaseAction,
    )
    from ._plan import (
        Block as Block,
    )
    from ._plan import (
        CheckAction as CheckAction,
    )
    from ._plan import (
        CheckKind as CheckKind,
    )
    from ._plan import (
        Checks as Checks,
    )
    from ._plan import (
        DeferBatch as DeferBatch,
    )
    from ._plan import (
        DeferredActions as DeferredActions,
    )
    from ._plan import (
        Node as Node,
    )
    from ._plan import (
        Outcome as Outcome,
    )
    from ._plan import (
        Plan as Plan,
    )
    from ._plan import (
        Sequence as Sequence,
    )
    from ._plugin import (
        NOT_DONE as NOT_DONE,
    )
    from ._plugin import (
        PLUGIN_API as PLUGIN_API,
    )
    from ._plugin import (
        ActionPlugin as ActionPlugin,
    )
    from ._plugin import (
        AnyPlugin as AnyPlugin,
    )
    from ._plugin import (
        BasePlugin as BasePlugin,
    )
    from ._plugin import (
        CheckPlugin as CheckPlugin,
    )
    from ._plugin import (
        Context as Context,
    )
    from ._plugin import (
        NotDone as NotDone,
    )
    from ._registry import (
        Registry as Registry,
    )
    from ._secrets import (
        IGNORE as IGNORE,
    )
    from ._secrets import (
        SECURE as SECURE,
    )
    from ._secrets import (
        SecretRef as SecretRef,
    )
    from ._secrets import (
        StoredValue as StoredValue,
    )
    from ._state import (
        Attempt as Attempt,
    )
    from ._state import (
        FailureReason as FailureReason,
    )
    from ._state import (
        HaltAfter as HaltAfter,
    )
    from ._state import (
        NoteValue as NoteValue,
    )
    from ._state import (
        ObjectType as ObjectType,
    )
    from ._state import (
        OnInterrupt as OnInterrupt,
    )
    from ._state import (
        PluginError as PluginError,
    )
    from ._state import (
        State as State,
    )
    from ._state import (
        Status as Status,
    )
    from ._state import (
        WhenDeferred as WhenDeferred,
    )
    from ._text import (
        plan_text as plan_text,
    )
    from ._vault import (
        Change as Change,
    )
    from ._vault import (
        ConflictError as ConflictError,
    )
    from ._vault import (
        LineRecord as LineRecord,
    )
    from ._vault import (
        LogSlice as LogSlice,
    )
    from ._vault import (
        NodeRecord as NodeRecord,
    )
    from ._vault import (
        PlanRow as PlanRow,
    )
    from ._vault import (
        StoredPlan as StoredPlan,
    )
    from ._vault import (
        Vault as Vault,
    )
    from ._vault import (
        Write as Write,
    )
    from ._walk import (
        Item as Item,
    )
    from ._walk import (
        walk as walk,
    )
    from ._watch import (
        OutputLine as OutputLine,
    )
    from ._watch import (
        PlanSnapshot as PlanSnapshot,
    )
    from ._watch import (
        StateChange as StateChange,
    )
    from ._watch import (
        WatchEvent as WatchEvent,
    )
    from .hookspecs import (
        hookimpl as hookimpl,
    )
    from .retries import (
        RetryPolicy as RetryPolicy,
    )

__all__ = [
    "IGNORE",
    "NOT_DONE",
    "PLUGIN_API",
    "SECURE",
    "Action",
    "ActionPlugin",
    "AnyPlugin",
    "Attempt",
    "BaseAction",
    "BasePlugin",
    "Block",
    "BuilderError",
    "Change",
    "CheckAction",
    "CheckKind",
    "CheckPlugin",
    "Checks",
    "ConflictError",
    "Context",
    "DeferBatch",
    "DeferredActions",
    "Failure",
    "FailureReason",
    "Fault",
    "HaltAfter",
    "InternalError",
    "Item",
    "LineRecord",
    "LmdbVault",
    "LogSlice",
    "MemoryVault",
    "Node",
    "NodeRecord",
    "NotDone",
    "NotFoundError",
    "NotRunningHereError",
    "NotStartedError",
    "NoteValue",
    "NullVault",
    "ObjectType",
    "OnInterrupt",
    "Outcome",
    "OutputLine",
    "PathError",
    "Plan",
    "PlanBuilder",
    "PlanCorruptError",
    "PlanError",
    "PlanExistsError",
    "PlanRefusedError",
    "PlanRow",
    "PlanSnapshot",
    "PlanStaleError",
    "PluginError",
    "RegistrationError",
    "Registry",
    "RetryPolicy",
    "SecretError",
    "SecretRef",
    "Sequence",
    "State",
    "StateChange",
    "Status",
    "StorageError",
    "StoreCopy",
    "StoreFormatError",
    "StoreHealth",
    "StoredPlan",
    "StoredValue",
    "ValidationError",
    "Vault",
    "WatchEvent",
    "WhenDeferred",
    "Workstream",
    "WorkstreamError",
    "Write",
    "__version__",
    "clone",
    "difference",
    "failures",
    "find",
    "from_json",
    "hookimpl",
    "open_workstream",
    "path_of",
    "paths",
    "plan_text",
    "restore_store",
    "retries",
    "to_json",
    "walk",
]

_HOMES: dict[str, str] = {
    "PlanBuilder": "_builder",
    "clone": "_clone",
    "difference": "_difference",
    "Workstream": "_engine",
    "open_workstream": "_engine",
    "BuilderError": "_errors",
    "Fault": "_errors",
    "InternalError": "_errors",
    "NotFoundError": "_errors",
    "NotRunningHereError": "_errors",
    "NotStartedError": "_errors",
    "PathError": "_errors",
    "PlanCorruptError": "_errors",
    "PlanError": "_errors",
    "PlanExistsError": "_errors",
    "PlanRefusedError": "_errors",
    "PlanStaleError": "_errors",
    "RegistrationError": "_errors",
    "SecretError": "_errors",
    "StorageError": "_errors",
    "StoreFormatError": "_errors",
    "ValidationError": "_errors",
    "WorkstreamError": "_errors",
    "Failure": "_failures",
    "failures": "_failures",
    "from_json": "_json",
    "to_json": "_json",
    "StoreCopy": "_lmdb_copy",
    "StoreHealth": "_lmdb_health",
    "restore_store": "_lmdb_restore",
    "LmdbVault": "_lmdb_vault",
    "MemoryVault": "_memory_vault",
    "NullVault": "_null_vault",
    "find": "_paths",
    "path_of": "_paths",
    "paths": "_paths",
    "Action": "_plan",
    "BaseAction": "_plan",
    "Block": "_plan",
    "CheckAction": "_plan",
    "CheckKind": "_plan",
    "Checks": "_plan",
    "DeferBatch": "_plan",
    "DeferredActions": "_plan",
    "Node": "_plan",
    "Outcome": "_plan",
    "Plan": "_plan",
    "Sequence": "_plan",
    "NOT_DONE": "_plugin",
    "PLUGIN_API": "_plugin",
    "ActionPlugin": "_plugin",
    "AnyPlugin": "_plugin",
    "BasePlugin": "_plugin",
    "CheckPlugin": "_plugin",
    "Context": "_plugin",
    "NotDone": "_plugin",
    "Registry": "_registry",
    "IGNORE": "_secrets",
    "SECURE": "_secrets",
    "SecretRef": "_secrets",
    "StoredValue": "_secrets",
    "Attempt": "_state",
    "FailureReason": "_state",
    "HaltAfter": "_state",
    "NoteValue": "_state",
    "ObjectType": "_state",
    "OnInterrupt": "_state",
    "PluginError": "_state",
    "State": "_state",
    "Status": "_state",
    "WhenDeferred": "_state",
    "plan_text": "_text",
    "Change": "_vault",
    "ConflictError": "_vault",
    "LineRecord": "_vault",
    "LogSlice": "_vault",
    "NodeRecord": "_vault",
    "PlanRow": "_vault",
    "StoredPlan": "_vault",
    "Vault": "_vault",
    "Write": "_vault",
    "Item": "_walk",
    "walk": "_walk",
    "OutputLine": "_watch",
    "PlanSnapshot": "_watch",
    "StateChange": "_watch",
    "WatchEvent": "_watch",
    "hookimpl": "hookspecs",
    "RetryPolicy": "retries",
}


def __getattr__(name: str) -> object:
    """Load an exported name when it is first used."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("workstream-engine")
    if name == "retries":
        return importlib.import_module(".retries", __name__)
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What there is to be had, loaded or not."""
    return sorted(__all__)
