"""What a plan holds when it has run, and what calls return: types, and ways into them.

::

    from workstream.results import OutputLine, StateChange

    async for event in ws.watch(plan_id):
        if isinstance(event, OutputLine):
            print(event.text)
"""

from ._plan.paths import path_of, paths
from ._plan.plan import BaseAction, CheckKind, Node, Origin
from ._plan.walk import Item, walk
from ._preview.forecast import Forecast, PlanPreview, PreviewItem
from ._protocols.watching import (
    Intervened,
    OutputLine,
    PlanSnapshot,
    StateChange,
    WatchEvent,
)
from ._secrets.references import StoredValue
from ._show.failures import Failure
from ._store.asking import Answer
from ._store.entries import PlanEntry
from ._values.interventions import Effect, Freeze, Intervention, Verb, Word
from ._values.state import Attempt, FailureReason, ObjectType, State

__all__ = [
    "Answer",
    "Attempt",
    "BaseAction",
    "CheckKind",
    "Effect",
    "Failure",
    "FailureReason",
    "Forecast",
    "Freeze",
    "Intervened",
    "Intervention",
    "Item",
    "Node",
    "ObjectType",
    "Origin",
    "OutputLine",
    "PlanEntry",
    "PlanPreview",
    "PlanSnapshot",
    "PreviewItem",
    "State",
    "StateChange",
    "StoredValue",
    "Verb",
    "WatchEvent",
    "Word",
    "path_of",
    "paths",
    "walk",
]
