"""What is shown of plans, for whoever draws them: a page, a report, a bot.

::

    from workstream import open_store
    from workstream.show import overview

    async with open_store() as store:
        shown = await overview(store, plan_id)

Secrets are removed. Texts of strangers come as they are: make them safe for where you
draw them.
"""

from ._protocols.approval import approval_of
from ._report.columns import packed, unpacked
from ._report.html import client_file
from ._show.data import entry_data, event_data, intervention_data, overview_data
from ._show.narration import Narrator, Told, intervention_words
from ._show.outcomes import outcome_words, status_words
from ._show.outline import Branch, outline
from ._show.overview import Overview, overview
from ._show.progress import FailedAction, Place, Progress, RunningAction, Section
from ._show.time_left import Pace, TimeLeft, earlier_paces, time_left
from ._show.waiting import Wait, waits
from ._show.words import (
    counts_words,
    gist,
    why,
)
from ._store.ids import short_id
from ._values.durations import took

__all__ = [
    "Branch",
    "FailedAction",
    "Narrator",
    "Overview",
    "Pace",
    "Place",
    "Progress",
    "RunningAction",
    "Section",
    "TimeLeft",
    "Told",
    "Wait",
    "approval_of",
    "client_file",
    "counts_words",
    "earlier_paces",
    "entry_data",
    "event_data",
    "gist",
    "intervention_data",
    "intervention_words",
    "outcome_words",
    "outline",
    "overview",
    "overview_data",
    "packed",
    "short_id",
    "status_words",
    "time_left",
    "took",
    "unpacked",
    "waits",
    "why",
]
