"""A table of stored plans for people, a line for each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from ..._plan.outcome import Outcome
from ..._protocols.vault import PlanRow
from ..._show.outcomes import outcome_words
from ..._store.entries import PlanEntry
from ..._store.ids import short_id
from ..._values.clock import utc_now
from ..._values.display import shorten
from ..._values.durations import took
from ..._values.state import Status
from .screen import STYLES, Screen, joined

if TYPE_CHECKING:
    from ..._plan.plan import Plan


def moment(time: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """The time here: ``2031-05-01 18:03:11``."""
    return time.astimezone().strftime(form)


def style_of(shown: Plan | PlanRow, status: Status, *, crashed: bool = False) -> str:
    """The colour of an outcome; green is for what needs no second look."""
    if crashed:
        return "bold red"
    taken = shown.taken_back
    if taken is not None and taken.done < taken.of:
        return "bold red"  # a host is left as nobody wants it
    tolerated = shown.outcome is Outcome.COMPLETED_WITH_FAILURES
    return "yellow" if tolerated else STYLES[status]


def show_rows(
    screen: Screen, found: Sequence[PlanEntry], asking: Collection[UUID] = ()
) -> None:
    """Write a table of plans, a line for each.

    Args:
        screen: The screen.
        found: The plans.
        asking: Those that wait for somebody's approval.
    """
    # Not rich's: it takes half a millisecond a row, and a store can hold 100,000 plans.
    words = [
        "crashed: resume it"
        if each.crashed
        else outcome_words(each.row) + (", asks" if each.row.id in asking else "")
        for each in found
    ]
    width = max([len("STATUS"), *map(len, words)])
    longest = max((len(shorten(each.row.name)) for each in found), default=0)
    # A table that fits is worth more than the year; a pipe has room for everything.
    has_room = not screen.is_live or width + longest + 43 < screen.console.width
    form = "%Y-%m-%d %H:%M:%S" if has_room else "%m-%d %H:%M"
    column = len(moment(utc_now(), form))
    heads = f"{'ID':9}  {'STATUS':{width}}  {'SUBMITTED':{column}}  {'TOOK':>7}  NAME"
    screen.line(heads, "dim")
    for entry, status in zip(found, words, strict=True):
        row = entry.row
        submitted = moment(row.submitted, form) if row.submitted is not None else ""
        time = ""
        if row.started is not None and row.ended is not None:
            time = took(row.ended - row.started)
        screen.line(
            joined(
                short_id(row.id),
                (
                    f"  {status:{width}}",
                    style_of(row, row.status, crashed=entry.crashed),
                ),
                (f"  {submitted:{column}}  {time:>7}  ", "dim"),
                shorten(row.name),
            )
        )
