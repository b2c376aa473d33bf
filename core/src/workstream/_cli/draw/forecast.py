"""What a dry run has found, as a tree: a mark for each line, and the count below.

An operator looks for what would change, and for what stands against it. So what has
nothing to say takes little room: a host on which nothing would change is one line, and a
hundred such hosts in a row are one line together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import attrs

from ..._plan.paths import SEPARATOR, display_path
from ..._preview.forecast import Forecast, PlanPreview, PreviewItem
from ..._values.display import display_lines, shorten
from ..._values.folding import shown, without_name
from ..exit_codes import ExitCode
from .screen import Screen, joined, plain

STYLES: dict[Forecast, str] = {
    Forecast.CHANGE: "yellow",
    Forecast.NO_CHANGE: "dim",
    Forecast.UNKNOWN: "magenta",
    Forecast.FAILED: "red",
    Forecast.PASSED: "green",
    Forecast.NOT_PASSED: "cyan",
    Forecast.NOT_RUN: "dim",
    Forecast.SKIPPED: "dim",
}
MARKS: dict[Forecast, str] = {
    Forecast.CHANGE: "~",
    Forecast.NO_CHANGE: "=",
    Forecast.UNKNOWN: "?",
    Forecast.SKIPPED: "-",
}
"""The marks that every encoding has; the others are the screen's signs."""

_WORST_FIRST = (
    Forecast.FAILED,
    Forecast.CHANGE,
    Forecast.UNKNOWN,
    Forecast.NO_CHANGE,
    Forecast.NOT_PASSED,
    Forecast.NOT_RUN,
    Forecast.PASSED,
    Forecast.SKIPPED,
)
"""What a line that holds several others is marked with."""

SUMMARY = 1_000
"""Characters of a line that are shown."""
IN_A_ROW = 4
"""As many like lines, or more, become one."""


def forecast_data(found: PlanPreview, code: ExitCode) -> dict[str, Any]:
    """What was found, for ``--json``."""
    return {
        "name": found.name,
        "dry_run": True,
        "exit_status": int(code),
        "changes": found.changes,
        "counts": {each.name: found.count(each) for each in Forecast},
        "bypassed": list(found.bypassed),
        "stops": list(found.stops),
        "items": [
            {
                "path": item.path,
                "plugin": item.plugin,
                "is_check": item.is_check,
                "forecast": item.forecast.name,
                "summary": item.summary,
                "details": list(item.details),
            }
            for item in found.items
        ],
    }


def show_forecast(
    screen: Screen, found: PlanPreview, numbers: Sequence[str] = ()
) -> None:
    """Write what numbers come to, the tree, and how much of each kind there is."""
    screen.line(joined((shorten(found.name), "bold"), ": dry run, nothing is changed"))
    for line in numbers:
        screen.line(line, "dim", indent=2)
    root = _tree(found)
    _children(screen, root, found, 1)
    _count(screen, found)


@attrs.define(eq=False)
class _Branch:
    """An object of the plan that holds others, or one action.

    Attributes:
        path: Its path.
        label: What it is called among its siblings.
        item: What was found out of it; None: it holds others.
        branches: Those.
    """

    path: str
    label: str
    item: PreviewItem | None = None
    branches: dict[str, _Branch] = attrs.field(factory=dict[str, "_Branch"])

    def items(self) -> Iterator[PreviewItem]:
        """All that was found out below it."""
        if self.item is not None:
            yield self.item
        for branch in self.branches.values():
            yield from branch.items()

    @property
    def is_wide(self) -> bool:
        """Whether there is more than one action below it."""
        return sum(1 for _ in self.items()) > 1

    @property
    def forecast(self) -> Forecast:
        """The one of those below that matters most."""
        return min((item.forecast for item in self.items()), key=_WORST_FIRST.index)


def _tree(found: PlanPreview) -> _Branch:
    root = _Branch("", "")
    for item in found.items:
        at = root
        path = ""
        for label in item.path.split(SEPARATOR):
            path = f"{path}{SEPARATOR}{label}" if path else label
            at = at.branches.setdefault(label, _Branch(path, label))
        at.item = item
    [plan] = root.branches.values()
    return plan


# --- lines --------------------------------------------------------------------------


def _children(screen: Screen, branch: _Branch, found: PlanPreview, depth: int) -> None:
    inner = list(branch.branches.values())
    if branch.path in found.bypassed:  # the plan: blocks are told in one line
        del inner[1:]
    told: dict[object, str] = {}  # what was told whole, and of whom
    for said, alike in groupby(inner, lambda each: _but_for_the_name(each, found)):
        row = list(alike)
        if said is not None and len(row) >= IN_A_ROW:
            text = f"each: {shown(said)}"
            _row(screen, row, text, _forecast(row[0], found), depth)
            continue
        for shape, same in groupby(row, lambda each: _shape(each, each.label, found)):
            first, *others = same
            if first.is_wide and said is None and shape in told:
                text = f"as {told[shape]} but for the name"
                _row(screen, [first, *others], text, _forecast(first, found), depth)
                continue
            told[shape] = shorten(first.label)
            _branch(screen, first, found, depth, _in_one_line(first, found))
            if len(others) >= IN_A_ROW - 1:
                text = "the same but for the name"
                _row(screen, others, text, _forecast(first, found), depth)
                continue
            for each in others:
                _branch(screen, each, found, depth, _in_one_line(each, found))
    if branch.path in found.bypassed:
        text = "a run would do nothing more: its bypass checks pass"
        screen.line(joined((f"{MARKS[Forecast.SKIPPED]} {text}", "dim")), indent=2)


def _branch(
    screen: Screen, branch: _Branch, found: PlanPreview, depth: int, said: str | None
) -> None:
    if said is not None:
        _line(screen, branch.label, _forecast(branch, found), said, depth)
        return
    if branch.item is not None:
        _item(screen, branch.label, branch.item, depth)
        return
    inner = list(branch.branches.values())
    stops = _stops(branch, found)
    if len(inner) == 1 and inner[0].item is not None and not stops:
        label = f"{branch.label}{SEPARATOR}{inner[0].label}"
        _item(screen, label, inner[0].item, depth)
        return
    _line(screen, branch.label, branch.forecast, stops, depth)
    _children(screen, branch, found, depth + 1)


def _shape(branch: _Branch, name: str, found: PlanPreview) -> object:
    """All that is told of a branch but for the name of what it is about."""
    item = branch.item
    return (
        branch.path in found.bypassed,
        branch.path in found.stops,
        None
        if item is None
        else (
            item.forecast,
            without_name(item.summary, name),
            tuple(without_name(line, name) for line in item.details),
        ),
        tuple(
            (without_name(each.label, name), _shape(each, name, found))
            for each in branch.branches.values()
        ),
    )


def _forecast(branch: _Branch, found: PlanPreview) -> Forecast:
    """What the line of a branch is marked with."""
    is_bypassed = branch.path in found.bypassed
    return Forecast.SKIPPED if is_bypassed else branch.forecast


def _but_for_the_name(branch: _Branch, found: PlanPreview) -> str | None:
    """What a branch comes to in a few words, with a mark where its name stood."""
    said = _in_short(branch, found)
    return None if said is None else without_name(said, branch.label)


def _in_one_line(branch: _Branch, found: PlanPreview) -> str | None:
    """What is told of a branch instead of what it holds."""
    return _in_short(branch, found) if branch.is_wide else None


def _in_short(branch: _Branch, found: PlanPreview) -> str | None:
    """What a branch comes to in a few words, if no more need be said of it."""
    if branch.item is not None:
        return None
    if branch.path in found.bypassed:
        return "would be bypassed: its bypass checks pass"
    items = list(branch.items())
    first = items[0]
    if any(item.forecast is not first.forecast or item.details for item in items):
        return None
    many = f" ({_number(items)})" if len(items) > 1 else ""
    if first.forecast in (Forecast.NO_CHANGE, Forecast.PASSED):
        return f"{first.forecast.value}{many}"
    mute = sorted({item.plugin for item in items})
    if all(item.summary == f"{item.plugin} has no preview" for item in items):
        has = "has" if len(mute) == 1 else "have"
        return f"{first.forecast.value}: {', '.join(mute)} {has} no preview{many}"
    vague = (Forecast.UNKNOWN, Forecast.NOT_RUN, Forecast.SKIPPED)
    alike = len({item.summary for item in items}) == 1
    if first.forecast in vague and alike and "\n" not in first.summary:
        return f"{_said(first)}{many}"
    return None


def _number(items: Sequence[PreviewItem]) -> str:
    kind = "checks" if all(item.is_check for item in items) else "actions"
    return f"{len(items):,} {kind}"


def _stops(branch: _Branch, found: PlanPreview) -> str:
    if branch.path not in found.stops:
        return ""
    return "a run would fail here; what follows is told as if it had passed"


def _row(
    screen: Screen, row: Sequence[_Branch], said: str, forecast: Forecast, depth: int
) -> None:
    if len(row) == 1:
        _line(screen, row[0].label, forecast, said, depth)
        return
    label = f"{row[0].label} {screen.signs.more} {row[-1].label}"
    text = f"{len(row):,} in a row, {said}"
    _line(screen, label, forecast, text, depth)


def _item(screen: Screen, label: str, item: PreviewItem, depth: int) -> None:
    first, *rest = display_lines(_said(item), limit=SUMMARY) or [""]
    _line(screen, label, item.forecast, first, depth)
    style = STYLES[item.forecast]
    for line in rest:
        screen.line(plain(line, style), indent=2 * depth + 4)
    for line in item.details:
        screen.line(plain(shorten(line, SUMMARY), _style(line)), indent=2 * depth + 4)


def _said(item: PreviewItem) -> str:
    """What is said behind the name: the mark alone tells that something would change."""
    if item.forecast in (Forecast.CHANGE, Forecast.NO_CHANGE, Forecast.FAILED):
        return item.summary
    if item.forecast is Forecast.SKIPPED and item.summary == "bypassed":
        return item.summary
    after = f": {item.summary}" if item.summary else ""
    return f"{item.forecast.value}{after}"


def _style(line: str) -> str:
    """As of the lines of a difference; others are not made to look like one."""
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")


def _line(
    screen: Screen, label: str, forecast: Forecast, text: str, depth: int
) -> None:
    style = STYLES[forecast]
    screen.line(
        joined(
            (f"{_mark(screen, forecast)} ", style),
            display_path(label),
            (f": {text}" if text else "", style),
        ),
        indent=2 * depth,
    )


def _mark(screen: Screen, forecast: Forecast) -> str:
    return MARKS.get(forecast) or {
        Forecast.FAILED: screen.signs.failed,
        Forecast.PASSED: screen.signs.completed,
    }.get(forecast, screen.signs.waiting)


def _count(screen: Screen, found: PlanPreview) -> None:
    """How much of each kind there is; it explains the marks, too."""
    counts = [(each, found.count(each)) for each in Forecast if found.count(each) > 0]
    parts: list[tuple[str, str] | str] = []
    for each, number in counts:
        parts += ["  " if parts else ""]
        text = f"{_mark(screen, each)} {number:,} {each.value}"
        parts.append((text, STYLES[each]))
    screen.line(joined(*parts))
