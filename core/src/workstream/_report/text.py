"""The report as text, for a ticket or a mail: Markdown that reads well as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from .._plan.paths import below_plan
from .._show.narration import intervention_words
from .._show.outcomes import outcome_words
from .._show.outline import outline
from .._show.words import counts_words, hold_words, utc, why
from .._store.ids import short_id
from .._values.display import display, one_line
from .._values.durations import took
from .document import Report

_NAMED = 20
_PECULIAR = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def markdown(report: Report) -> str:
    """The outcome, the failures by cause, the counts, and the plan in brief."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    shown, plan = report.shown, report.plan
    assert plan.id is not None
    outcome = outcome_words(shown.plan, crashed=shown.entry.crashed)
    yield f"# {_safe(plan.name)}: {_safe(outcome)}"
    yield ""
    duration = plan.state.duration
    yield f"- plan `{short_id(plan.id)}`"
    yield from _time("started", plan.state.started)
    yield from _time("ended", plan.state.ended)
    if duration is not None:
        yield f"- took {took(duration)}"
    for words in (*map(hold_words, plan.held), *shown.lineage):
        yield f"- {_safe(words)}"
    if shown.failures:
        yield ""
        yield "## Failures"
    for cause in shown.causes:
        first = cause[0]
        yield ""
        tolerated = " (tolerated)" if first.tolerated else ""
        names = [below_plan(each.path) for each in cause]
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        yield f"**{', '.join(map(_safe, names[:_NAMED]))}**{more}{tolerated}"
        yield ""
        # Indented, so that nothing in a stranger's text is markup.
        yield from (f"    {line}" for line in why(first.error))
        for line in shown.output_of(first):
            yield f"    | {display(line)}"
    yield ""
    yield "## How far it came"
    yield ""
    for block in plan.blocks:
        counts = Counter(each.state.status for each in block.sequences)
        words = counts_words(block, counts, len(block.sequences))
        yield f"- {_safe(block.name)}: {words}"
    if plan.interventions:
        yield ""
        yield "## Who did what"
        yield ""
    for told in plan.interventions:
        yield f"- {utc(told.at)} {_safe(intervention_words(told))}"
    yield ""
    yield "## The plan in brief"
    yield ""
    for branch in outline(shown.plan):
        alike = ", ".join(map(_safe, branch.alike[:8]))
        more = ", …" if len(branch.alike) > 8 else ""
        label = _safe(branch.label) or f"{alike}{more}"
        yield f"{'  ' * (branch.depth - 1)}- {label}: {branch.words}"


def _time(name: str, time: datetime | None) -> Iterator[str]:
    if time is not None:
        yield f"- {name} {utc(time)}"


def _safe(text: str) -> str:
    return _PECULIAR.sub(r"\\\1", one_line(text))
