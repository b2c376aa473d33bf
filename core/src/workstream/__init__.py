"""Durable plans for people who change running systems.

A ``Plan`` is Blocks of Sequences of Actions, with checks around them; plugins do the
work; a store remembers every step before the next one is taken::

    from workstream import Block, Plan, Sequence, open_workstream

    async with open_workstream("/var/lib/workstream") as ws:
        result = await ws.run(plan)

Beside it stand ``workstream.plugins`` for authors of plugins, ``workstream.vaults`` for
authors of stores, ``workstream.results`` with the types of what calls return,
``workstream.errors`` and ``workstream.testing``.

Every name is loaded when it is first used: ``import workstream`` is cheap, and whoever
only reads plans never imports the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

    from . import retries
    from ._authoring.builder import PlanBuilder
    from ._codec.json_text import from_json, to_json
    from ._engine.engine import Workstream, open_workstream
    from ._flow.late import Late
    from ._flow.writing import ResponseReference, late, sure, text
    from ._plan.clone import clone
    from ._plan.difference import difference
    from ._plan.outcome import Outcome
    from ._plan.paths import find
    from ._plan.plan import (
        Action,
        Block,
        CheckAction,
        Checks,
        DeferBatch,
        DeferredActions,
        Percent,
        Plan,
        Sequence,
    )
    from ._plan.sequels.retry import remaining
    from ._plan.sequels.undo import UndoPlan, undo_plan
    from ._plan.text import plan_text
    from ._preview.dry_run import preview_plan
    from ._protocols.approval import Approval, Approve
    from ._protocols.plugin import ActionPlugin, CheckPlugin, Context
    from ._registry.registry import Registry
    from ._secrets.references import IGNORE, SECURE, SecretRef
    from ._show.failures import failures
    from ._store.store import Store, open_store
    from ._values.errors import ValidationError, WorkstreamError
    from ._values.state import (
        HaltAfter,
        OnFailure,
        OnInterrupt,
        PluginError,
        Status,
        Undo,
        WhenDeferred,
    )
    from .hookspecs import hookimpl

__all__ = [
    "IGNORE",
    "SECURE",
    "Action",
    "ActionPlugin",
    "Approval",
    "Approve",
    "Block",
    "CheckAction",
    "CheckPlugin",
    "Checks",
    "Context",
    "DeferBatch",
    "DeferredActions",
    "HaltAfter",
    "Late",
    "OnFailure",
    "OnInterrupt",
    "Outcome",
    "Percent",
    "Plan",
    "PlanBuilder",
    "PluginError",
    "Registry",
    "ResponseReference",
    "SecretRef",
    "Sequence",
    "Status",
    "Store",
    "Undo",
    "UndoPlan",
    "ValidationError",
    "WhenDeferred",
    "Workstream",
    "WorkstreamError",
    "__version__",
    "clone",
    "difference",
    "failures",
    "find",
    "from_json",
    "hookimpl",
    "late",
    "open_store",
    "open_workstream",
    "plan_text",
    "preview_plan",
    "remaining",
    "retries",
    "sure",
    "text",
    "to_json",
    "undo_plan",
]

_MODULES: dict[str, str] = {
    "_codec.json_text": "from_json to_json",
    "_engine.engine": "Workstream open_workstream",
    "_flow.late": "Late",
    "_flow.writing": "ResponseReference late sure text",
    "_authoring.builder": "PlanBuilder",
    "_plan.clone": "clone",
    "_plan.difference": "difference",
    "_plan.outcome": "Outcome",
    "_plan.paths": "find",
    "_plan.plan": (
        "Action Block CheckAction Checks DeferBatch DeferredActions"
        " Percent Plan Sequence"
    ),
    "_plan.sequels.retry": "remaining",
    "_plan.sequels.undo": "UndoPlan undo_plan",
    "_plan.text": "plan_text",
    "_preview.dry_run": "preview_plan",
    "_protocols.approval": "Approval Approve",
    "_protocols.plugin": "ActionPlugin CheckPlugin Context",
    "_registry.registry": "Registry",
    "_secrets.references": "IGNORE SECURE SecretRef",
    "_show.failures": "failures",
    "_store.store": "Store open_store",
    "_values.errors": "ValidationError WorkstreamError",
    "_values.state": "HaltAfter OnFailure OnInterrupt PluginError Status Undo WhenDeferred",
    "hookspecs": "hookimpl",
}
"""The names, by the module that each is loaded from."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}
_FACES = ("errors", "plugins", "results", "vaults")


def __getattr__(name: str) -> object:
    """Load an exported name when it is first used."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("workstream-engine")
    if name in ("retries", *_FACES):
        return importlib.import_module(f".{name}", __name__)
    home = _HOMES.get(name)
    if home is None:
        # The other faces' names are found here too; a type checker knows each in one place.
        for face in () if name.startswith("_") else _FACES:
            if name in importlib.import_module(f".{face}", __name__).__all__:
                home = face
                break
        else:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What there is to be had, loaded or not."""
    return sorted(__all__)
