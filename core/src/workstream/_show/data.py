"""What is shown, as plain data for JSON. Its shapes are stable: names are added, none go.

Times are ISO 8601, lengths of time are seconds, statuses are their names. No secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from .._protocols.vault import PlanRequest
from .._store.entries import PlanEntry
from .._store.ids import short_id
from .._values.interventions import Intervention
from .._values.state import ObjectType, PluginError, links_of

# A list of plans needs none of what events and whole plans are made of.
if TYPE_CHECKING:
    from .._plan.outcome import TakenBack
    from .._plan.plan import Origin
    from .._protocols.watching import StateChange, WatchEvent
    from .failures import Failure
    from .overview import Overview


def entry_data(entry: PlanEntry) -> dict[str, Any]:
    """A plan without what is in it."""
    row = entry.row
    return {
        "id": str(row.id),
        "short_id": short_id(row.id),
        "name": row.name,
        "description": row.description,
        "group_id": None if row.group_id is None else str(row.group_id),
        "status": row.status.name,
        "outcome": row.outcome.value,
        "reasons": [reason.name for reason in row.reasons],
        "stopping": row.stopping,
        "taken_back": taken_back_data(row.taken_back),
        "held": [intervention_data(each) for each in row.held],
        "skipped": row.skipped,
        "owner": entry.owner,
        "crashed": entry.crashed,
        "submitted": _time(row.submitted),
        "started": _time(row.started),
        "ended": _time(row.ended),
    }


def taken_back_data(taken: TakenBack | None) -> dict[str, Any] | None:
    """What came of an undo (UN-3)."""
    return None if taken is None else attrs.asdict(taken)


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
        "totals": attrs.asdict(totals(shown.plan)),
        "consequences": consequences(shown.plan),
        "not_reached": not_reached(shown.plan),
        "requests": [request_data(each) for each in shown.requests],
        "waits": {
            path: words
            for path, item in paths(shown.plan)
            if isinstance(item.node, BaseAction) and (words := shown.wait_of(item.node))
        },
        "approvals": [
            {
                "path": each.path,
                **attrs.asdict(each.approval),
                "approved": list(each.approved),
            }
            for each in shown.asked
        ],
        "submitter": shown.plan.submitter,
        "retry_of": _id(shown.plan.retry_of),
        "undo_of": _id(shown.plan.undo_of),
        "origin": _origin(shown.plan.origin),
        "kin": [
            {
                "id": str(each.row.id),
                "outcome": each.row.outcome.value,
                "retry_of": _id(each.retry_of),
                "undo_of": _id(each.undo_of),
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
            "attempts": failure.attempts,
            "tolerated": failure.tolerated,
        }
        for failure in found
    ]


def event_data(event: WatchEvent) -> dict[str, Any]:
    """What a watcher saw."""
    from .._codec.json_text import to_json
    from .._protocols.watching import Intervened, OutputLine, PlanSnapshot

    if isinstance(event, PlanSnapshot):
        return {
            "event": "plan",
            "position": event.position,
            "missed": event.missed,
            "plan": json.loads(to_json(event.plan)),
        }
    if isinstance(event, OutputLine):
        return {
            "event": "line",
            "position": event.position,
            "path": event.path,
            "id": str(event.action_id),
            "attempt": event.attempt,
            "number": event.number,
            "time": event.time.isoformat(),
            "text": event.text,
            "done": event.done,
            "total": event.total,
        }
    if isinstance(event, Intervened):
        return {
            "event": "intervention",
            "position": event.position,
            **intervention_data(event.intervention),
        }
    return _state_data(event)


def intervention_data(told: Intervention) -> dict[str, Any]:
    """What a plan was told, and what became of it, as plain data."""
    return {
        "verb": told.verb.name,
        "path": told.path,
        "by": told.by,
        "at": told.at.isoformat(),
        "reason": told.reason,
        "data": dict(told.data),
        "effect": told.effect.name,
        "words": told.words,
    }


def _state_data(event: StateChange) -> dict[str, Any]:
    from .._codec.objects import attempt_data

    data: dict[str, Any] = {
        "event": "state",
        "position": event.position,
        "path": event.path,
        "id": str(event.object_id),
        "type": event.object_type.name,
        "status": event.state.status.name,
        "started": _time(event.state.started),
        "ended": _time(event.state.ended),
    }
    if event.object_type is ObjectType.PLAN:
        data["reasons"] = [reason.name for reason in event.reasons]
        data["stopping"] = event.stopping
        data["held"] = [intervention_data(each) for each in event.held]
    if event.object_type is ObjectType.ACTION:
        data["attempts"] = event.attempts
        attempt = event.attempt
        data["attempt"] = None if attempt is None else attempt_data(attempt)
    return data


def request_data(request: PlanRequest) -> dict[str, Any]:
    """What was asked of a plan and not taken yet, as plain data."""
    return {
        "verb": request.verb,
        "path": request.path,
        "by": request.by,
        "at": _time(request.at),
        "reason": request.reason,
    }


def _id(plan_id: UUID | None) -> str | None:
    return None if plan_id is None else str(plan_id)


def _origin(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    data = attrs.asdict(origin)
    data["parameters"] = [list(pair) for pair in origin.parameters]
    return data


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


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
