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
    from ._codec.json_text import (
        from_json as from_json,
    )
    from ._codec.json_text import (
        to_json as to_json,
    )
    from ._engine.engine import (
        Workstream as Workstream,
    )
    from ._engine.engine import (
        open_workstream as open_workstream,
    )
    from ._plan.builder import (
        PlanBuilder as PlanBuilder,
    )
    from ._plan.clone import (
        clone as clone,
    )
    from ._plan.difference import (
        difference as difference,
    )
    from ._plan.paths import (
        find as find,
    )
    from ._plan.paths import (
        path_of as path_of,
    )
    from ._plan.paths import (
        paths as paths,
    )
    from ._plan.plan import (
        Action as Action,
    )
    from ._plan.plan import (
        BaseAction as BaseAction,
    )
    from ._plan.plan import (
        Block as Block,
    )
    from ._plan.plan import (
        CheckAction as CheckAction,
    )
    from ._plan.plan import (
        CheckKind as CheckKind,
    )
    from ._plan.plan import (
        Checks as Checks,
    )
    from ._plan.plan import (
        DeferBatch as DeferBatch,
    )
    from ._plan.plan import (
        DeferredActions as DeferredActions,
    )
    from ._plan.plan import (
        Node as Node,
    )
    from ._plan.plan import (
        Outcome as Outcome,
    )
    from ._plan.plan import (
        Plan as Plan,
    )
    from ._plan.plan import (
        Sequence as Sequence,
    )
    from ._plan.text import (
        plan_text as plan_text,
    )
    from ._plan.walk import (
        Item as Item,
    )
    from ._plan.walk import (
        walk as walk,
    )
    from ._preview.dry_run import (
        preview_plan as preview_plan,
    )
    from ._preview.forecast import (
        Forecast as Forecast,
    )
    from ._preview.forecast import (
        PlanPreview as PlanPreview,
    )
    from ._preview.forecast import (
        PreviewItem as PreviewItem,
    )
    from ._protocols.plugin import (
        NOT_DONE as NOT_DONE,
    )
    from ._protocols.plugin import (
        PLUGIN_API as PLUGIN_API,
    )
    from ._protocols.plugin import (
        ActionPlugin as ActionPlugin,
    )
    from ._protocols.plugin import (
        AnyPlugin as AnyPlugin,
    )
    from ._protocols.plugin import (
        BasePlugin as BasePlugin,
    )
    from ._protocols.plugin import (
        CheckPlugin as CheckPlugin,
    )
    from ._protocols.plugin import (
        Context as Context,
    )
    from ._protocols.plugin import (
        NotDone as NotDone,
    )
    from ._protocols.preview import (
        Preview as Preview,
    )
    from ._protocols.preview import (
        PreviewContext as PreviewContext,
    )
    from ._protocols.vault import (
        Change as Change,
    )
    from ._protocols.vault import (
        ConflictError as ConflictError,
    )
    from ._protocols.vault import (
        LineRecord as LineRecord,
    )
    from ._protocols.vault import (
        LogSlice as LogSlice,
    )
    from ._protocols.vault import (
        NodeRecord as NodeRecord,
    )
    from ._protocols.vault import (
        PlanRequest as PlanRequest,
    )
    from ._protocols.vault import (
        PlanRow as PlanRow,
    )
    from ._protocols.vault import (
        StoredPlan as StoredPlan,
    )
    from ._protocols.vault import (
        Vault as Vault,
    )
    from ._protocols.vault import (
        Write as Write,
    )
    from ._registry.registry import (
        Registry as Registry,
    )
    from ._secrets.captured_output import (
        CapturedOutput as CapturedOutput,
    )
    from ._secrets.redactor import (
        Redactor as Redactor,
    )
    from ._secrets.references import (
        IGNORE as IGNORE,
    )
    from ._secrets.references import (
        SECURE as SECURE,
    )
    from ._secrets.references import (
        SecretRef as SecretRef,
    )
    from ._secrets.references import (
        StoredValue as StoredValue,
    )
    from ._show.failures import (
        Failure as Failure,
    )
    from ._show.failures import (
        failures as failures,
    )
    from ._store.entries import (
        PlanEntry as PlanEntry,
    )
    from ._store.events import (
        OutputLine as OutputLine,
    )
    from ._store.events import (
        PlanSnapshot as PlanSnapshot,
    )
    from ._store.events import (
        StateChange as StateChange,
    )
    from ._store.events import (
        WatchEvent as WatchEvent,
    )
    from ._store.store import (
        Store as Store,
    )
    from ._store.store import (
        open_store as open_store,
    )
    from ._values.errors import (
        BuilderError as BuilderError,
    )
    from ._values.errors import (
        Fault as Fault,
    )
    from ._values.errors import (
        InternalError as InternalError,
    )
    from ._values.errors import (
        NotFoundError as NotFoundError,
    )
    from ._values.errors import (
        NotRunningHereError as NotRunningHereError,
    )
    from ._values.errors import (
        NotStartedError as NotStartedError,
    )
    from ._values.errors import (
        PathError as PathError,
    )
    from ._values.errors import (
        PlanCorruptError as PlanCorruptError,
    )
    from ._values.errors import (
        PlanError as PlanError,
    )
    from ._values.errors import (
        PlanExistsError as PlanExistsError,
    )
    from ._values.errors import (
        PlanRefusedError as PlanRefusedError,
    )
    from ._values.errors import (
        PlanStaleError as PlanStaleError,
    )
    from ._values.errors import (
        RegistrationError as RegistrationError,
    )
    from ._values.errors import (
        SecretError as SecretError,
    )
    from ._values.errors import (
        StorageError as StorageError,
    )
    from ._values.errors import (
        StoreFormatError as StoreFormatError,
    )
    from ._values.errors import (
        ValidationError as ValidationError,
    )
    from ._values.errors import (
        WorkstreamError as WorkstreamError,
    )
    from ._values.state import (
        Attempt as Attempt,
    )
    from ._values.state import (
        FailureReason as FailureReason,
    )
    from ._values.state import (
        HaltAfter as HaltAfter,
    )
    from ._values.state import (
        NoteValue as NoteValue,
    )
    from ._values.state import (
        ObjectType as ObjectType,
    )
    from ._values.state import (
        OnInterrupt as OnInterrupt,
    )
    from ._values.state import (
        PluginError as PluginError,
    )
    from ._values.state import (
        State as State,
    )
    from ._values.state import (
        Status as Status,
    )
    from ._values.state import (
        WhenDeferred as WhenDeferred,
    )
    from ._vaults.lmdb.copy import (
        StoreCopy as StoreCopy,
    )
    from ._vaults.lmdb.health import (
        StoreHealth as StoreHealth,
    )
    from ._vaults.lmdb.restore import (
        restore_store as restore_store,
    )
    from ._vaults.lmdb.vault import (
        LmdbVault as LmdbVault,
    )
    from ._vaults.memory_vault import (
        MemoryVault as MemoryVault,
    )
    from ._vaults.null_vault import (
        NullVault as NullVault,
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
    "CapturedOutput",
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
    "Forecast",
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
    "PlanEntry",
    "PlanError",
    "PlanExistsError",
    "PlanPreview",
    "PlanRefusedError",
    "PlanRequest",
    "PlanRow",
    "PlanSnapshot",
    "PlanStaleError",
    "PluginError",
    "Preview",
    "PreviewContext",
    "PreviewItem",
    "Redactor",
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
    "Store",
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
    "open_store",
    "open_workstream",
    "path_of",
    "paths",
    "plan_text",
    "preview_plan",
    "restore_store",
    "retries",
    "to_json",
    "walk",
]

_HOMES: dict[str, str] = {
    "PlanBuilder": "_plan.builder",
    "clone": "_plan.clone",
    "difference": "_plan.difference",
    "Workstream": "_engine.engine",
    "open_workstream": "_engine.engine",
    "BuilderError": "_values.errors",
    "Fault": "_values.errors",
    "InternalError": "_values.errors",
    "NotFoundError": "_values.errors",
    "NotRunningHereError": "_values.errors",
    "NotStartedError": "_values.errors",
    "PathError": "_values.errors",
    "PlanCorruptError": "_values.errors",
    "PlanError": "_values.errors",
    "PlanExistsError": "_values.errors",
    "PlanRefusedError": "_values.errors",
    "PlanStaleError": "_values.errors",
    "RegistrationError": "_values.errors",
    "SecretError": "_values.errors",
    "StorageError": "_values.errors",
    "StoreFormatError": "_values.errors",
    "ValidationError": "_values.errors",
    "WorkstreamError": "_values.errors",
    "Failure": "_show.failures",
    "failures": "_show.failures",
    "from_json": "_codec.json_text",
    "to_json": "_codec.json_text",
    "StoreCopy": "_vaults.lmdb.copy",
    "StoreHealth": "_vaults.lmdb.health",
    "restore_store": "_vaults.lmdb.restore",
    "LmdbVault": "_vaults.lmdb.vault",
    "MemoryVault": "_vaults.memory_vault",
    "NullVault": "_vaults.null_vault",
    "find": "_plan.paths",
    "path_of": "_plan.paths",
    "paths": "_plan.paths",
    "Action": "_plan.plan",
    "BaseAction": "_plan.plan",
    "Block": "_plan.plan",
    "CheckAction": "_plan.plan",
    "CheckKind": "_plan.plan",
    "Checks": "_plan.plan",
    "DeferBatch": "_plan.plan",
    "DeferredActions": "_plan.plan",
    "Node": "_plan.plan",
    "Outcome": "_plan.plan",
    "Plan": "_plan.plan",
    "Sequence": "_plan.plan",
    "preview_plan": "_preview.dry_run",
    "Forecast": "_preview.forecast",
    "PlanPreview": "_preview.forecast",
    "PreviewItem": "_preview.forecast",
    "NOT_DONE": "_protocols.plugin",
    "PLUGIN_API": "_protocols.plugin",
    "ActionPlugin": "_protocols.plugin",
    "AnyPlugin": "_protocols.plugin",
    "BasePlugin": "_protocols.plugin",
    "CheckPlugin": "_protocols.plugin",
    "CapturedOutput": "_secrets.captured_output",
    "Redactor": "_secrets.redactor",
    "Context": "_protocols.plugin",
    "NotDone": "_protocols.plugin",
    "Preview": "_protocols.preview",
    "PreviewContext": "_protocols.preview",
    "Registry": "_registry.registry",
    "IGNORE": "_secrets.references",
    "SECURE": "_secrets.references",
    "SecretRef": "_secrets.references",
    "StoredValue": "_secrets.references",
    "Attempt": "_values.state",
    "FailureReason": "_values.state",
    "HaltAfter": "_values.state",
    "NoteValue": "_values.state",
    "ObjectType": "_values.state",
    "OnInterrupt": "_values.state",
    "PluginError": "_values.state",
    "State": "_values.state",
    "Status": "_values.state",
    "WhenDeferred": "_values.state",
    "plan_text": "_plan.text",
    "Change": "_protocols.vault",
    "ConflictError": "_protocols.vault",
    "LineRecord": "_protocols.vault",
    "LogSlice": "_protocols.vault",
    "NodeRecord": "_protocols.vault",
    "PlanRow": "_protocols.vault",
    "PlanRequest": "_protocols.vault",
    "StoredPlan": "_protocols.vault",
    "Vault": "_protocols.vault",
    "Write": "_protocols.vault",
    "Item": "_plan.walk",
    "walk": "_plan.walk",
    "OutputLine": "_store.events",
    "PlanEntry": "_store.entries",
    "Store": "_store.store",
    "open_store": "_store.store",
    "PlanSnapshot": "_store.events",
    "StateChange": "_store.events",
    "WatchEvent": "_store.events",
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
