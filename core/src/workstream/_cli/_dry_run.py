"""``workstream run --dry-run``: what a plan would change; no store is opened."""

from __future__ import annotations

import sys

from .._plan.plan import Plan
from .._preview.dry_run import preview_plan
from .._preview.forecast import PlanPreview
from .._registry.registry import Registry
from ._data import print_json
from ._exit_codes import ExitCode
from ._forecast import forecast_data, show_forecast
from ._interrupts import interruptible
from ._reading import run_async
from ._screen import Screen
from ._streams import stdout_kept_clear

__all__ = ["dry_run"]


def dry_run(plan: Plan, registry: Registry, *, as_json: bool) -> ExitCode:
    """Say what the plan would change; the exit status (PV-7)."""
    screen = Screen(sys.stderr if as_json else sys.stdout)

    async def ask() -> PlanPreview:
        return await preview_plan(plan, registry=registry)

    with (
        stdout_kept_clear(as_json),
        screen.busy("asking what would change"),
    ):
        found = run_async(lambda: interruptible(ask))
    code = ExitCode.COMPLETED if found.ok else ExitCode.FAILED
    if as_json:
        print_json(forecast_data(found, code))
    else:
        show_forecast(screen, found)
    return code
