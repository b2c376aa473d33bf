"""What ``--json`` prints. Its shapes are stable: names are added, none go.

Times are ISO 8601, lengths of time are seconds, statuses are their names. No secrets.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .._plan.plan import Plan
from .._protocols.vault import PlanRow
from .._show.failures import failures
from .._store.ids import short_id
from .._values.errors import Fault
from .._values.state import PluginError, Status
from .exit_codes import ExitCode


def row_data(row: PlanRow, owner: int | None) -> dict[str, Any]:
    """A plan without what is in it.

    Args:
        row: The plan's own state.
        owner: The process that runs it.
    """
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
        "owner": owner,
        "crashed": row.status is Status.RUNNING and owner is None,
        "submitted": _time(row.submitted),
        "started": _time(row.started),
        "ended": _time(row.ended),
    }


def plan_data(plan: Plan, row: PlanRow, owner: int | None) -> dict[str, Any]:
    """A plan with its failures. It must be scrubbed already."""
    return {
        **row_data(row, owner),
        "outcome": plan.outcome.value,
        "failures": [
            {
                "path": failure.path,
                "error": _error(failure.error),
                "attempts": failure.attempts,
                "tolerated": failure.tolerated,
            }
            for failure in failures(plan)
        ],
    }


def result_data(
    row: PlanRow, plan: Plan, code: ExitCode, *, owner: int | None, error: str | None
) -> dict[str, Any]:
    """What became of a run.

    Args:
        row: The plan's own state.
        plan: The plan, scrubbed.
        code: The exit status for it alone.
        owner: The process that runs it still.
        error: Why the run broke off, if it did.
    """
    return {
        **plan_data(plan, row, owner),
        "exit_status": int(code),
        "broken_off": error,
    }


def fault_data(fault: Fault) -> dict[str, str]:
    """One thing that is wrong with a plan."""
    return {
        "path": fault.path,
        "field": fault.field,
        "rule": fault.rule,
        "message": fault.message,
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _error(error: PluginError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "message": error.message,
        "code": error.code,
        "permanent": error.permanent,
        "wrapped": _error(error.wrapped),
    }
