"""Plans in a table, a line for each."""

from __future__ import annotations

from collections.abc import Sequence

from .._show.words import outcome_words, took
from .._store.entries import PlanEntry
from .._store.ids import short_id
from .._values.display import shorten
from ._times import brief_date_and_time, date_and_time
from .draw.screen import STYLES, Screen, joined


def show_rows(screen: Screen, found: Sequence[PlanEntry]) -> None:
    """Write the table.

    Args:
        screen: Where to write.
        found: The plans.
    """
    rows = [(entry.row, *_status(entry)) for entry in found]
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


def _status(entry: PlanEntry) -> tuple[str, str]:
    """What to say of its status, and in which style."""
    if entry.crashed:
        return "crashed: resume it", "bold red"
    return outcome_words(entry.row), STYLES[entry.row.status]
