"""The report as text, for a ticket or a mail: Markdown that reads well as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from .._plan.paths import below_plan
from .._plan.plan import Block
from .._show.failures import Failure
from .._show.narration import intervention_words
from .._show.outcomes import outcome_words
from .._show.outline import Branch, outline
from .._show.overview import Overview
from .._show.words import counts_words, hold_words, utc, why
from .._store.ids import short_id
from .._values.display import display, one_line
from .._values.durations import took
from .._values.interventions import Intervention
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
    failures = [line for cause in shown.causes for line in ("", *_cause(shown, cause))]
    yield from _section("Failures", failures[1:])
    yield from _section("How far it came", map(_count, plan.blocks))
    yield from _section("Who did what", map(_told, plan.interventions))
    yield from _section("The plan in brief", map(_branch, outline(shown.plan)))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A part of the page; none where it would be empty."""
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _cause(shown: Overview, cause: Sequence[Failure]) -> Iterator[str]:
    first = cause[0]
    tolerated = " (tolerated)" if first.tolerated else ""
    names = [below_plan(each.path) for each in cause]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    yield f"**{', '.join(map(_safe, names[:_NAMED]))}**{more}{tolerated}"
    yield ""
    # Indented, so that nothing in a stranger's text is markup.
    yield from (f"    {line}" for line in why(first.error))
    yield from (f"    | {display(line)}" for line in shown.output_of(first))


def _count(block: Block) -> str:
    counts = Counter(each.state.status for each in block.sequences)
    words = counts_words(block, counts, len(block.sequences))
    return f"- {_safe(block.name)}: {words}"


def _told(told: Intervention) -> str:
    return f"- {utc(told.at)} {_safe(intervention_words(told))}"


def _branch(branch: Branch) -> str:
    alike = ", ".join(map(_safe, branch.alike[:8]))
    more = ", …" if len(branch.alike) > 8 else ""
    label = _safe(branch.label) or f"{alike}{more}"
    return f"{'  ' * (branch.depth - 1)}- {label}: {branch.words}"


def _time(name: str, time: datetime | None) -> Iterator[str]:
    if time is not None:
        yield f"- {name} {utc(time)}"


def _safe(text: str) -> str:
    return _PECULIAR.sub(r"\\\1", one_line(text))
