"""The end of a run or a resume: what is said, what is printed, and the exit status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from .._protocols.vault import PlanRow
from .._show.data import overview_data
from .._show.overview import Overview, overview
from .._store.store import Store
from .._values.display import shorten
from .._values.errors import WorkstreamError
from ._follow import Ending
from ._summary import headline, show_failures
from .draw.screen import Screen, joined, plain
from .exit_codes import ExitCode, code_of
from .options import Hints

_MOST = 10
"""How many failures are shown at the end of a run; ``show`` shows them all."""


@attrs.frozen(kw_only=True)
class Result:
    """What became of one plan.

    Attributes:
        shown: The plan as it is stored.
        code: The exit status for it alone.
        error: Why its run broke off, where it did and that is known.
    """

    shown: Overview
    code: ExitCode
    error: WorkstreamError | None

    def data(self) -> dict[str, Any]:
        """The result for ``--json``."""
        error = None
        if self.code is ExitCode.BROKEN_OFF:
            error = "left by a signal" if self.error is None else str(self.error)
        return {
            **overview_data(self.shown),
            "owner": None,
            "exit_status": int(self.code),
            "broken_off": error,
        }


async def result_of(store: Store, row: PlanRow, ending: Ending) -> Result:
    """What became of a plan that was followed.

    Args:
        store: The store, open.
        row: The plan's own state, as it was before.
        ending: How its run ended.
    """
    shown = await overview(store, row.id)
    broken_off = ending.plan is None
    code = ExitCode.BROKEN_OFF if broken_off else code_of(shown.plan.outcome)
    return Result(shown=shown, code=code, error=ending.error)


def tell(screen: Screen, results: Sequence[Result], hints: Hints) -> None:
    """Say what became of the plans, and what to type next."""
    for result in results:
        plan = result.shown.plan
        assert plan.id is not None
        show = hints.command("show", plan.id) if hints.lasts else ""
        broken_off = result.code is ExitCode.BROKEN_OFF
        if broken_off:
            why = "left by a signal" if result.error is None else str(result.error)
            screen.line(
                joined(
                    (f"{screen.signs.stopped} ", "yellow"),
                    (shorten(plan.name), "bold"),
                    ": ",
                    (f"broken off: {shorten(why, 1_000)}", "yellow"),
                )
            )
        else:
            headline(screen, plan)
        show_failures(screen, result.shown, most=_MOST, more=show)
        if not hints.lasts:
            continue
        if broken_off:
            following = hints.command("resume", plan.id)
            screen.line(joined(("  go on with it:  ", "dim"), plain(following)))
        else:
            screen.line(joined(("  look closer:  ", "dim"), plain(show)))
    screen.flush()
