"""What ``--json`` prints; the shapes of plans are in ``_show.data``."""

from __future__ import annotations

from .._values.errors import Fault


def fault_data(fault: Fault) -> dict[str, str]:
    """One thing that is wrong with a plan."""
    return {
        "path": fault.path,
        "field": fault.field,
        "rule": fault.rule,
        "message": fault.message,
    }
