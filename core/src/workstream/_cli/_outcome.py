"""The end of a run or a resume: what is said, what is printed, and the exit status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from .._codec.codec import Codec
from .._plan.clone import clone
from .._plan.plan import Plan
from .._protocols.vault import PlanRow, Vault
from .._show.failures import Failure, failures
from .._values.display import shorten
from .._values.errors import WorkstreamError
from ._data import result_data
from ._follow import Ending
from ._summary import headline, last_lines, show_failures
from .draw.screen import Screen, joined, plain
from .exit_codes import ExitCode, code_of
from .options import Hints

_MOST = 10
"""How many failures are shown at the end of a run; ``show`` shows them all."""


@attrs.frozen(kw_only=True)
class Result:
    """What became of one plan.

    Attributes:
        row: The plan's own state.
        plan: The plan as it is stored, scrubbed.
        code: The exit status for it alone.
        error: Why its run broke off, where it did and that is known.
        failures: Where it failed.
        lines: What the failed actions last said, by position.
    """

    row: PlanRow
    plan: Plan
    code: ExitCode
    error: WorkstreamError | None
    failures: list[Failure]
    lines: dict[int, list[str]]

    def data(self) -> dict[str, Any]:
        """The result for ``--json``."""
        error = None
        if self.code is ExitCode.BROKEN_OFF:
            error = "left by a signal" if self.error is None else str(self.error)
        return result_data(self.row, self.plan, self.code, owner=None, error=error)


async def result_of(vault: Vault, row: PlanRow, ending: Ending) -> Result:
    """What became of a plan that was followed.

    Args:
        vault: The store, open.
        row: The plan's own state, as it was before.
        ending: How its run ended.
    """
    stored = await vault.read(row.id)
    plan = ending.plan
    if plan is None:
        # Not by the engine's codec: a type that fails to load may be what broke it.
        plan = Codec(None).load(stored)
    plan = clone(plan, keep_state=True, scrub=True)
    found = failures(plan)
    return Result(
        row=stored.row,
        plan=plan,
        code=ExitCode.BROKEN_OFF if ending.plan is None else code_of(plan.outcome),
        error=ending.error,
        failures=found,
        lines=await last_lines(vault, plan, found),
    )


def tell(screen: Screen, results: Sequence[Result], hints: Hints) -> None:
    """Say what became of the plans, and what to type next."""
    for result in results:
        plan = result.plan
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
        show_failures(screen, result.failures, result.lines, most=_MOST, more=show)
        if not hints.lasts:
            continue
        if broken_off:
            following = hints.command("resume", plan.id)
            screen.line(joined(("  go on with it:  ", "dim"), plain(following)))
        else:
            screen.line(joined(("  look closer:  ", "dim"), plain(show)))
    screen.flush()
