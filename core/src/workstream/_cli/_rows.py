"""Plans in a table, a line for each."""

from __future__ import annotations

from collections.abc import Sequence

from .._protocols.vault import PlanRow
from .._store.ids import short_id
from .._values.display import shorten
from .._values.state import Status
from ._summary import reason_words
from ._times import brief_date_and_time, date_and_time, took
from .draw.screen import STYLES, Screen, joined


def is_crashed(row: PlanRow, owner: int | None) -> bool:
    """Whether the store says that the plan is running, and no process runs it."""
    return row.status is Status.RUNNING and owner is None


def show_rows(screen: Screen, found: Sequence[tuple[PlanRow, int | None]]) -> None:
    """Write the table.

    Args:
        screen: Where to write.
        found: The plans, and the process that runs each.
    """
    rows = [(row, *_status(row, owner)) for row, owner in found]
    width = max([len("STATUS"), *(len(words) for _, words, _ in rows)])
    longest = max((len(shorten(row.name)) for row, _, _ in rows), default=0)
    # A table that fits is worth more than the year; a pipe has room for everything.
    has_room = not screen.is_live or width + longest + 43 < screen.console.width
    moment, column = (date_and_time, 19) if has_room else (brief_date_and_time, 11)
    heads = f"{'ID':9}  {'STATUS':{width}}  {'SUBMITTED':{column}}  {'TOOK':>7}  NAME"
    screen.line(joined((heads, "dim")))
    for row, words, style in rows:
        submitted = moment(row.submitted) if row.submitted is not None else ""
        time = ""
        if row.started is not None and row.ended is not None:
            time = took(row.ended - row.started)
        screen.line(
            joined(
                short_id(row.id),
                (f"  {words:{width}}", style),
                (f"  {submitted:{column}}  {time:>7}  ", "dim"),
                shorten(row.name),
            )
        )


def _status(row: PlanRow, owner: int | None) -> tuple[str, str]:
    """What to say of its status, and in which style."""
    if is_crashed(row, owner):
        return "crashed: resume it", "bold red"
    words = row.outcome.value
    reasons = reason_words(row)
    if reasons:
        words += f" ({reasons})"
    if row.status is Status.RUNNING and row.stopping:
        words += ", stopping"
    return words, STYLES[row.status]
