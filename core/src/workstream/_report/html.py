"""The report as one page: it opens from a mail, without a network or a server.

What matters stands in the page as plain HTML and needs no script: the outcome, why it
failed, and the plan in brief. The script draws the timeline from the data block.

Names and output are strangers' texts. Here they go through ``_safe`` and nowhere else;
the script only ever sets the *text* of an element. The page says so to the browser: its
policy lets nothing be loaded, lets no script run but this one, by its digest, and lets
no text become markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from html import escape
from importlib import resources

from .._plan.outcome import Outcome
from .._plan.paths import below_plan
from .._plan.plan import Plan
from .._show.failures import Failure
from .._show.narration import intervention_words
from .._show.outcomes import outcome_words
from .._show.outline import Branch, outline
from .._show.words import counts_words, hold_words, why
from .._store.ids import short_id
from .._values.display import display, shorten
from .._values.durations import took
from .._values.state import Status
from .document import DATA, Report, crashes, deflated

_NAMED = 3
"""So many objects that failed for one cause are named at once; a click names more."""
_LISTED = 500
"""And so many when one has clicked; the timeline has them all."""
_CAUSES = 50

_TIMELINE = """<section aria-labelledby="timeline" id="timeline-section">
<h2 id="timeline">Timeline</h2>
<noscript><p>The timeline needs JavaScript; all else is on this page.</p></noscript>
<div id="view" hidden></div>
</section>"""
_ORDER = (
    *(Status.COMPLETED, Status.SKIPPED, Status.FAILED, Status.STOPPED),
    *(Status.RUNNING, Status.NOT_STARTED),
)
"""From left to right, of a bar."""
_SIGNS = {
    Status.NOT_STARTED: "·",
    Status.RUNNING: "▶",
    Status.COMPLETED: "✓",
    Status.FAILED: "✗",
    Status.STOPPED: "■",
    Status.SKIPPED: "»",
}


def page(report: Report) -> str:
    """The whole page."""
    style = client_file("report.css")
    script = client_file("timeline.js") + client_file("report.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src 'sha256-{_digest(style)}'",
            f"script-src 'sha256-{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    plan = report.plan
    body = "\n".join(_body(report))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_safe(plan.name)}: {_safe(plan.outcome.value)}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="text/plain" id="{DATA}">{deflated(report)}</script>
<script>{script}</script>
</body>
</html>
"""


def client_file(name: str) -> str:
    """A file that a browser runs or is styled by: ``timeline.js``, ``report.css``.

    The timeline is a script of its own. It defines ``workstreamTimeline``: ``unpack``
    reads what ``packed`` made, ``show`` draws a plan into an element and gives back
    what takes in its changes. ``report.js`` shows how a page uses it.
    """
    file = resources.files(__name__.rpartition(".")[0]) / "page" / name
    return "\n" + file.read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _safe(text: str) -> str:
    """A stranger's text in HTML; what would not be seen is written as an escape."""
    return escape(display(text))


def _body(report: Report) -> Iterator[str]:
    plan = report.plan
    yield '<header class="top">'
    yield f'<p class="kind">{_outcome(report)}</p>'
    yield f"<h1>{_safe(plan.name)}</h1>"
    if plan.description:
        yield f'<p class="about">{_safe(plan.description)}</p>'
    yield f'<dl class="facts">{"".join(_facts(report))}</dl>'
    yield "</header>"
    yield "<main>"
    yield from _failures(report)
    yield from _totals(plan)
    yield _TIMELINE
    yield from _interventions(plan)
    yield '<section aria-labelledby="in-brief"><h2 id="in-brief">The plan in brief</h2>'
    yield '<ul class="tree">'
    yield from map(_branch, outline(report.shown.plan))
    yield "</ul></section>"
    yield "</main>"
    made = _time(report.made)
    yield f"<footer>Made by workstream, {made}. Secrets are removed.</footer>"


def _outcome(report: Report) -> str:
    """The outcome as a badge. Its colour never says more than its words."""
    plan, crashed = report.shown.plan, report.shown.entry.crashed
    tolerated = plan.outcome is Outcome.COMPLETED_WITH_FAILURES
    kind = (
        "crashed" if crashed else "tolerated" if tolerated else plan.state.status.name
    )
    words = outcome_words(plan, crashed=crashed)
    return f'<strong class="badge {kind.lower()}">{_safe(words)}</strong>'


def _facts(report: Report) -> Iterator[str]:
    plan, state = report.plan, report.plan.state
    assert plan.id is not None
    facts = [
        ("Plan", f"<code>{short_id(plan.id)}</code>"),
        ("Submitted", _time(plan.submitted)),
        ("Started", _time(state.started)),
        ("Ended", _time(state.ended)),
        ("Took", took(state.duration) if state.duration is not None else ""),
        ("Submitted by", _safe(plan.submitter)),
        ("Held", "; ".join(_safe(hold_words(each)) for each in plan.held)),
        ("Lineage", "; ".join(map(_safe, report.shown.lineage))),
        ("Full id", f"<code>{plan.id}</code>"),
    ]
    for name, value in facts:
        if value:
            yield f"<div><dt>{name}</dt><dd>{value}</dd></div>"


def _time(time: datetime | None) -> str:
    if time is None:
        return ""
    shown = time.strftime("%Y-%m-%d %H:%M:%S")
    return f'<time datetime="{time.isoformat()}">{shown} UTC</time>'


def _failures(report: Report) -> Iterator[str]:
    causes = report.shown.causes
    if not causes:
        return
    count = len(report.shown.failures)
    title = "1 failure" if count == 1 else f"{count:,} failures"
    yield f'<section aria-labelledby="failed"><h2 id="failed">{title}</h2>'
    for cause in causes[:_CAUSES]:
        yield from _cause(report, cause)
    if len(causes) > _CAUSES:
        more = len(causes) - _CAUSES
        yield f"<p>{more:,} more causes: the timeline has them all.</p>"
    yield "</section>"


def _cause(report: Report, cause: list[Failure]) -> Iterator[str]:
    first = cause[0]
    kind = "tolerated" if first.tolerated else "failed"
    yield f'<article class="cause {kind}">'
    yield f"<h3>{', '.join(f'<span>{_path(each)}</span>' for each in cause[:_NAMED])}"
    if len(cause) > _NAMED:
        yield f" and {len(cause) - _NAMED:,} more"
    yield "</h3>"
    facts = ["tolerated"] if first.tolerated else []
    if first.attempts > 1:
        facts.append(f"{first.attempts:,} attempts")
    if facts:
        yield f'<p class="facts">{", ".join(facts)}</p>'
    lines = "\n".join(why(first.error))
    yield f'<pre class="error">{escape(lines)}</pre>'
    output = "\n".join(map(_safe, report.shown.output_of(first)))
    if output:
        yield f'<pre class="output" aria-label="last lines">{output}</pre>'
    if len(cause) > _NAMED:
        # One element, however many there are: a page of few elements scrolls smoothly.
        names = "\n".join(_path(each) for each in cause[_NAMED:_LISTED])
        yield f'<details><summary>The others</summary><p class="names">{names}</p></details>'
    yield "</article>"


def _path(failure: Failure) -> str:
    return _safe(below_plan(failure.path))


def _totals(plan: Plan) -> Iterator[str]:
    """What came of the sequences of each block, as a bar and in words."""
    yield '<section aria-labelledby="counts"><h2 id="counts">How far it came</h2>'
    for block in plan.blocks:
        counts = Counter(each.state.status for each in block.sequences)
        words = counts_words(block, counts, len(block.sequences))
        yield f'<div class="count"><h3>{_safe(block.name)}</h3>{_bar(counts)}'
        yield f"<p>{words}</p></div>"
    yield "</section>"


def _bar(counts: Counter[Status]) -> str:
    """A bar of whole segments: the policy lets no element have a style of its own."""
    x, parts = 0.0, list[str]()
    for status in filter(counts.get, _ORDER):
        width = 1000 * counts[status] / counts.total()
        name = status.name.lower()
        parts.append(
            f'<rect class="{name}" x="{x:.2f}" width="{width:.2f}" height="10"/>'
        )
        x += width
    return (
        '<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def _interventions(plan: Plan) -> Iterator[str]:
    """Who told the plan what, when, and what became of it."""
    told = [(each.at, intervention_words(each)) for each in plan.interventions]
    told += [(at, _crash(count)) for at, count in crashes(plan)]
    if not told:
        return
    yield '<section aria-labelledby="did"><h2 id="did">Who did what</h2><ol class="told">'
    for at, words in sorted(told):
        yield f"<li>{_time(at)} {_safe(words)}</li>"
    yield "</ol></section>"


def _crash(count: int) -> str:
    attempts = "1 attempt" if count == 1 else f"{count:,} attempts"
    return f"after a crash, which cut {attempts} short, a process goes on with the plan"


def _branch(branch: Branch) -> str:
    status = branch.status
    words = branch.words
    sign = f'<b class="{status.name.lower()}">{_SIGNS[status]}</b>'
    if branch.alike:
        names = ", ".join(_safe(shorten(label, 40)) for label in branch.alike[:8])
        rest = ", …" if len(branch.alike) > 8 else ""
        more = "more " if branch.more else ""
        text = f"{len(branch.alike):,} {more}{words}: <i>{names}{rest}</i>"
    else:
        text = f"{_safe(branch.label)} <i>{words}"
        if branch.duration is not None:
            text += f", {took(branch.duration)}"
        if branch.attempts > 1:
            text += f", {branch.attempts:,} attempts"
        text += f", {branch.done}</i>" if branch.done else "</i>"
    return f'<li class="depth-{branch.depth}">{sign} {text}</li>'
