"""What is shown, as plain data for JSON. Its shapes are stable: names are added, none go.

Times are ISO 8601, lengths of time are seconds, statuses are their names. No secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import attrs

from .._protocols.vault import PlanRequest
from .._store.entries import PlanEntry
from .._store.ids import short_id
from .._values.interventions import Intervention
from .._values.state import ObjectType, PluginError, links_of

# A list of plans needs none of what events and whole plans are made of.
if TYPE_CHECKING:
    from .._protocols.watching import StateChange, WatchEvent
    from .failures import Failure
    from .overview import Overview


def plain(value: object) -> Any:
    """What the engine tells of a plan, as plain data: objects of attrs by their fields."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(part) for part in cast("Iterable[object]", value)]
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    cls: Any = type(value)
    if attrs.has(cls):
        return _fields(value, *(field.name for field in attrs.fields(cls)))
    return value


def _fields(value: object, *names: str) -> dict[str, Any]:
    """Some of its fields, as plain data."""
    return {name: plain(getattr(value, name)) for name in names}


def entry_data(entry: PlanEntry) -> dict[str, Any]:
    """A plan without what is in it."""
    row = entry.row
    return {
        "id": str(row.id),
        "short_id": short_id(row.id),
        **_fields(row, "name", "description", "group_id", "status"),
        "outcome": row.outcome.value,
        **_fields(row, "reasons", "stopping", "taken_back", "held", "skipped"),
        "owner": entry.owner,
        "crashed": entry.crashed,
        **_fields(row, "submitted", "started", "ended"),
    }


def overview_data(shown: Overview) -> dict[str, Any]:
    """A plan with its failures and what was asked of it; without its definition."""
    from .._plan.paths import paths
    from .._plan.plan import BaseAction
    from .consequences import consequences
    from .failures import not_reached
    from .words import totals

    return {
        **entry_data(shown.entry),
        "outcome": shown.plan.outcome.value,
        "failures": failures_data(shown.failures),
        "causes": [_cause(same) for same in shown.causes],
        "totals": plain(totals(shown.plan)),
        "consequences": consequences(shown.plan),
        "not_reached": not_reached(shown.plan),
        "requests": [request_data(each) for each in shown.requests],
        "waits": {
            path: words
            for path, item in paths(shown.plan)
            if isinstance(item.node, BaseAction) and (words := shown.wait_of(item.node))
        },
        "approvals": [
            {"path": each.path, **plain(each.approval), **_fields(each, "approved")}
            for each in shown.asked
        ],
        **_fields(shown.plan, "submitter", "retry_of", "undo_of", "origin"),
        "kin": [
            {
                "id": str(each.row.id),
                "outcome": each.row.outcome.value,
                **_fields(each, "retry_of", "undo_of"),
            }
            for each in shown.kin
        ],
    }


def _cause(same: list[Failure]) -> dict[str, Any]:
    """The failures that say the same but for the name."""
    from .words import gist

    first = same[0]
    return {
        "cause": "" if first.error is None else gist(first.error),
        "count": len(same),
        "tolerated": first.tolerated,
        "paths": [each.path for each in same],
    }


def failures_data(found: Iterable[Failure]) -> list[dict[str, Any]]:
    """Where a plan failed."""
    return [
        {
            "path": failure.path,
            "error": _error(failure.error),
            **_fields(failure, "attempts", "tolerated"),
        }
        for failure in found
    ]


def event_data(event: WatchEvent) -> dict[str, Any]:
    """What a watcher saw."""
    from .._codec.json_text import to_json
    from .._protocols.watching import Intervened, OutputLine, PlanSnapshot

    position = event.position
    if isinstance(event, PlanSnapshot):
        plan = json.loads(to_json(event.plan))
        missed = event.missed
        return {"event": "plan", "position": position, "missed": missed, "plan": plan}
    if isinstance(event, Intervened):
        told = intervention_data(event.intervention)
        return {"event": "intervention", "position": position, **told}
    if isinstance(event, OutputLine):
        return {
            "event": "line",
            "position": position,
            "path": event.path,
            "id": str(event.action_id),
            **_fields(event, "attempt", "number", "time", "text", "done", "total"),
        }
    return _state_data(event)


def intervention_data(told: Intervention) -> dict[str, Any]:
    """What a plan was told, and what became of it, as plain data."""
    data: dict[str, Any] = plain(told)
    return data


def _state_data(event: StateChange) -> dict[str, Any]:
    from .._codec.objects import attempt_data

    data: dict[str, Any] = {
        "event": "state",
        "position": event.position,
        "path": event.path,
        "id": str(event.object_id),
        "type": event.object_type.name,
        **_fields(event.state, "status", "started", "ended"),
    }
    if event.object_type is ObjectType.PLAN:
        data.update(_fields(event, "reasons", "stopping", "held"))
    if event.object_type is ObjectType.ACTION:
        data["attempts"] = event.attempts
        attempt = event.attempt
        data["attempt"] = None if attempt is None else attempt_data(attempt)
    return data


def request_data(request: PlanRequest) -> dict[str, Any]:
    """What was asked of a plan and not taken yet, as plain data."""
    return _fields(request, "verb", "path", "by", "at", "reason")


def _error(error: PluginError | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None
    for message, code, permanent in reversed(links_of(error) if error else ()):
        found = {
            "message": message,
            "code": code,
            "permanent": permanent,
            "wrapped": found,
        }
    return found
