"""What the page shows of a plan that runs, as plain data: small, however large the plan.

It says in words and numbers what the terminal's live screen draws, from the same
``Progress``. All texts are as strangers wrote them: the page sets them as text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from workstream.results import BaseAction, Freeze, Intervention, PlanEntry
from workstream.show import (
    FailedAction,
    Progress,
    RunningAction,
    Section,
    approval_of,
    counts_words,
    entry_data,
    intervention_words,
    outcome_words,
    waits,
    why,
)
from workstream.vaults import PlanRequest

_RUNNING = 12
"""So many running actions are shown; the timeline has them all."""
_CAUSES = 20
_NAMED = 200
"""So many objects that failed for one cause are named."""


def listed(entry: PlanEntry) -> dict[str, Any]:
    """A plan of a list."""
    return {
        **entry_data(entry),
        "words": outcome_words(entry.row, crashed=entry.crashed),
    }


def summary(
    entry: PlanEntry,
    progress: Progress,
    failed: list[dict[str, Any]],
    requests: Iterable[PlanRequest],
    freeze: Freeze | None,
    now: datetime,
) -> dict[str, Any]:
    """How the plan stands."""
    running = [
        each
        for each in progress.running.values()
        if each.place.checks != "cont_checks"  # they pass time and again
    ]
    return {
        "plan": listed(entry),
        "now": milliseconds(now),
        "frozen": freeze_data(freeze),
        "sections": [_section(each) for each in progress.sections],
        "running": [_running(each) for each in running[:_RUNNING]],
        "running_count": len(running),
        "failed": failed,
        "failed_count": len(progress.failed),
        "waits": [
            {"label": label, "why": why}
            for label, why in islice(_waits(progress, now), _RUNNING)
        ],
        "requests": [
            {"verb": each.verb, "by": each.by, "path": each.path} for each in requests
        ],
    }


def failures_by_cause(progress: Progress) -> list[dict[str, Any]]:
    """What failed, put together by its cause; what is not tolerated comes first."""
    alike: dict[tuple[bool, Hashable], list[FailedAction]] = {}
    for cause, same in progress.causes.items():
        for each in same.values():
            alike.setdefault((each.is_tolerated, cause), []).append(each)
    causes = sorted(alike.values(), key=lambda same: (same[0].is_tolerated, -len(same)))
    return [
        {
            "error": "\n".join(why(found[0].error)),
            "tolerated": found[0].is_tolerated,
            "count": len(found),
            "attempts": max(each.attempts for each in found),
            "labels": [each.place.label for each in found[:_NAMED]],
        }
        for found in causes[:_CAUSES]
    ]


def told(interventions: Iterable[Intervention]) -> Iterator[dict[str, Any]]:
    """Who told the plan what, and what became of it."""
    for each in interventions:
        words, verb = intervention_words(each), each.verb.name
        yield {"at": milliseconds(each.at), "verb": verb, "words": words}


def freeze_data(freeze: Freeze | None) -> dict[str, Any] | None:
    """Who froze the store; None: nobody."""
    if freeze is None:
        return None
    begun = freeze.begun
    return {"by": begun.by, "at": milliseconds(begun.at), "reason": begun.reason}


def milliseconds(time: datetime | None) -> float | None:
    """A time as the timeline counts it."""
    return None if time is None else time.timestamp() * 1000


def _waits(progress: Progress, now: datetime) -> Iterator[tuple[str, str]]:
    for running in progress.running.values():
        node = running.place.node
        approval = approval_of(node) if isinstance(node, BaseAction) else None
        if approval is not None:
            yield running.place.label, approval.words()
    for each in waits(progress, now):
        yield each.label, each.why


def _section(section: Section) -> dict[str, Any]:
    return {
        "label": section.label,
        "status": section.status.name,
        "total": section.total,
        "counts": {
            status.name: count for status, count in section.counts.items() if count
        },
        "words": counts_words(section.node, section.counts, section.total),
    }


def _running(running: RunningAction) -> dict[str, Any]:
    return {
        "label": running.place.label,
        "attempt": running.attempt,
        "since": milliseconds(running.since),
        "line": running.line,
        "done": running.done,
        "total": running.total,
        "unresponsive": running.unresponsive,
    }
