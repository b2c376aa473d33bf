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
from ..._show import data
from ..._values.display import display_lines, shorten
from ..._values.folding import shown, without_name
from ..streams import ExitCode
from .screen import Line, Screen, joined

_LOOKS: dict[Forecast, tuple[str, str]] = {
    Forecast.FAILED: ("failed", "red"),
    Forecast.CHANGE: ("~", "yellow"),
    Forecast.UNKNOWN: ("?", "magenta"),
    Forecast.NO_CHANGE: ("=", "dim"),
    Forecast.NOT_PASSED: ("waiting", "cyan"),
    Forecast.NOT_RUN: ("waiting", "dim"),
    Forecast.PASSED: ("completed", "green"),
    Forecast.SKIPPED: ("-", "dim"),
}
"""The mark of each, or the name of the screen's sign for it, and its style. The first is
what a line is marked with that holds several."""
_WORST_FIRST = list(_LOOKS)

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
        "items": [data.plain(item) for item in found.items],
    }


def show_forecast(
    screen: Screen, found: PlanPreview, numbers: Sequence[str] = ()
) -> None:
    """Write what numbers come to, the tree, and how much of each kind there is."""
    screen.line(joined((shorten(found.name), "bold"), ": dry run, nothing is changed"))
    for line in numbers:
        screen.line(line, "dim", indent=2)
    _children(screen, _tree(found), 1)
    _count(screen, found)


# --- the tree -----------------------------------------------------------------------


@attrs.define(eq=False)
class _Branch:
    """An object of the plan that holds others, or one action.

    Attributes:
        label: What it is called among its siblings.
        is_bypassed: Whether its bypass checks pass.
        stops: Whether a run would fail here.
        item: What was found out of it; None: it holds others.
        branches: Those.
    """

    label: str
    is_bypassed: bool = False
    stops: bool = False
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
        """What its line is marked with: the one of those below that matters most."""
        if self.is_bypassed:
            return Forecast.SKIPPED
        return min((item.forecast for item in self.items()), key=_WORST_FIRST.index)

    @property
    def in_short(self) -> str | None:
        """What it comes to in a few words, if no more need be said of it."""
        if self.item is not None:
            return None
        if self.is_bypassed:
            return "would be bypassed: its bypass checks pass"
        items = list(self.items())
        first = items[0]
        if any(each.forecast is not first.forecast or each.details for each in items):
            return None
        kind = "checks" if all(item.is_check for item in items) else "actions"
        many = f" ({len(items):,} {kind})" if len(items) > 1 else ""
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

    @property
    def but_for_the_name(self) -> str | None:
        """The same, with a mark where its name stood."""
        said = self.in_short
        return None if said is None else without_name(said, self.label)

    def shape(self, name: str) -> object:
        """All that is told of it but for the name of what it is about."""
        item = self.item
        summary = () if item is None else (item.summary, *item.details)
        return (
            self.is_bypassed,
            self.stops,
            None if item is None else item.forecast,
            tuple(without_name(line, name) for line in summary),
            tuple(
                (without_name(each.label, name), each.shape(name))
                for each in self.branches.values()
            ),
        )


def _tree(found: PlanPreview) -> _Branch:
    root = _Branch("")
    for item in found.items:
        at, path = root, ""
        for label in item.path.split(SEPARATOR):
            path = f"{path}{SEPARATOR}{label}" if path else label
            if label not in at.branches:
                marks = path in found.bypassed, path in found.stops
                at.branches[label] = _Branch(label, *marks)
            at = at.branches[label]
        at.item = item
    [plan] = root.branches.values()
    return plan


def _said(item: PreviewItem) -> str:
    """What is said behind the name: the mark alone tells that something would change."""
    if item.forecast in (Forecast.CHANGE, Forecast.NO_CHANGE, Forecast.FAILED):
        return item.summary
    if item.forecast is Forecast.SKIPPED and item.summary == "bypassed":
        return item.summary
    after = f": {item.summary}" if item.summary else ""
    return f"{item.forecast.value}{after}"


# --- lines --------------------------------------------------------------------------


def _children(screen: Screen, branch: _Branch, depth: int) -> None:
    inner = list(branch.branches.values())
    if branch.is_bypassed:  # the plan: blocks are told in one line
        del inner[1:]
    told: dict[object, str] = {}  # what was told whole, and of whom
    for said, alike in groupby(inner, lambda each: each.but_for_the_name):
        row = list(alike)
        if said is not None and len(row) >= IN_A_ROW:
            _row(screen, row, f"each: {shown(said)}", depth)
            continue
        for shape, same in groupby(row, lambda each: each.shape(each.label)):
            first, *others = same
            if first.is_wide and said is None and shape in told:
                text = f"as {told[shape]} but for the name"
                _row(screen, [first, *others], text, depth)
                continue
            told[shape] = shorten(first.label)
            _branch(screen, first, depth)
            if len(others) >= IN_A_ROW - 1:
                _row(screen, others, "the same but for the name", depth)
                continue
            for each in others:
                _branch(screen, each, depth)
    if branch.is_bypassed:
        mark, style = _LOOKS[Forecast.SKIPPED]
        text = "a run would do nothing more: its bypass checks pass"
        screen.line(f"{mark} {text}", style, indent=2)


def _branch(screen: Screen, branch: _Branch, depth: int) -> None:
    if branch.item is not None:
        _item(screen, branch.label, branch.item, depth)
        return
    said = branch.in_short if branch.is_wide else None
    if said is not None:
        _line(screen, branch.label, branch.forecast, said, depth)
        return
    inner = list(branch.branches.values())
    if len(inner) == 1 and inner[0].item is not None and not branch.stops:
        label = f"{branch.label}{SEPARATOR}{inner[0].label}"
        _item(screen, label, inner[0].item, depth)
        return
    stops = "a run would fail here; what follows is told as if it had passed"
    _line(screen, branch.label, branch.forecast, stops if branch.stops else "", depth)
    _children(screen, branch, depth + 1)


def _row(screen: Screen, row: Sequence[_Branch], said: str, depth: int) -> None:
    label = row[0].label
    if len(row) > 1:
        label = f"{label} {screen.signs.more} {row[-1].label}"
        said = f"{len(row):,} in a row, {said}"
    _line(screen, label, row[0].forecast, said, depth)


def _item(screen: Screen, label: str, item: PreviewItem, depth: int) -> None:
    first, *rest = display_lines(_said(item), limit=SUMMARY) or [""]
    _line(screen, label, item.forecast, first, depth)
    for line in rest:
        screen.line(line, _LOOKS[item.forecast][1], indent=2 * depth + 4)
    for line in item.details:
        # As of the lines of a difference; others are not made to look like one.
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        screen.line(shorten(line, SUMMARY), style, indent=2 * depth + 4)


def _line(
    screen: Screen, label: str, forecast: Forecast, text: str, depth: int
) -> None:
    mark, style = _mark(screen, forecast), _LOOKS[forecast][1]
    said = (f": {text}" if text else "", style)
    line = joined((f"{mark} ", style), display_path(label), said)
    screen.line(line, indent=2 * depth)


def _mark(screen: Screen, forecast: Forecast) -> str:
    mark = _LOOKS[forecast][0]
    return str(getattr(screen.signs, mark, mark))


def _count(screen: Screen, found: PlanPreview) -> None:
    """How much of each kind there is; it explains the marks, too."""
    line = Line()
    for each in Forecast:
        number = found.count(each)
        if number:
            gap = "  " if str(line) else ""
            text = f"{_mark(screen, each)} {number:,} {each.value}"
            line.append(gap).append(text, _LOOKS[each][1])
    screen.line(line)
