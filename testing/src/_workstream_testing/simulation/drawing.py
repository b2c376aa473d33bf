"""Timelines drawn as text, so that a failure can be seen at a glance.

::

    Deploy: completed with failures after 4m
                       0s                             2m                              4m
    pre_checks         |                                                    completed
    Web tier
      web-1            ===============                                      completed
      web-2            ===============x                                     failed: Copy: disk full
      … 17 more                                                             completed

It shows nothing that differs between two runs of one simulation: no ids, no dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Steps
from itertools import groupby

import attrs

from workstream._plan.paths import SEPARATOR
from workstream._plan.plan import BaseAction, Block, DeferredActions, Plan, Sequence
from workstream._plan.walk import position_of, walk
from workstream._values.display import display
from workstream._values.durations import duration_text
from workstream._values.state import Status

from .history import History

LABEL = 28
"""Columns of the names, at most."""
TAIL = 36
"""Columns of the words behind a lane, at most."""

_RANK = " -|=x>!"
"""What is drawn over what, where one cell holds several things."""


@attrs.define
class _Lane:
    """One line of the drawing.

    Attributes:
        label: What stands before it.
        depth: How far it is indented.
        status: How it ended.
        spans: From when to when it ran, with the mark of that.
        tail: What stands behind it.
        is_dull: Whether it may be left out.
        is_header: Whether it is only the heading of those that follow.
        below: The lanes of its own deferred work, as far as that began.
    """

    label: str
    depth: int
    status: Status
    spans: list[tuple[float, float, str]] = attrs.Factory(
        list[tuple[float, float, str]]
    )
    tail: str = ""
    is_dull: bool = True
    is_header: bool = False
    below: list[_Lane] = attrs.Factory(list["_Lane"])

    @property
    def lines(self) -> list[_Lane]:
        """All that is drawn of it."""
        return [self, *self.below]


def draw(history: History, width: int, height: int) -> str:
    """The timeline as text."""
    lanes = list(_lanes(history))
    kept = _kept(lanes, height - 3)
    end = _end(history)
    drawn = [line for lane in lanes if id(lane) in kept for line in lane.lines]
    label = max((len(_label(line)) for line in drawn), default=0)
    if len(kept) < len(lanes):
        depth = max(lane.depth for lane in lanes)
        label = max(label, len(_more(depth, len(lanes) - len(kept))))
    label = min(max(label, 10), LABEL, width // 4)
    tail = max((len(_tail(line)) for line in drawn), default=0)
    tail = min(max(tail, 11), TAIL, width // 3)
    cells = max(width - label - tail - 4, 10)
    lines = [_fit(_title(history, end), width), _scale(label + 2, cells, end)]
    for is_kept, group in groupby(lanes, key=lambda lane: id(lane) in kept):
        if is_kept:
            several = [line for lane in group for line in lane.lines]
            lines += [_line(lane, label, cells, end, tail) for lane in several]
        else:
            lines += _left_out(list(group), label, cells)
    return "\n".join(line.rstrip() for line in lines)


# --- what is drawn ------------------------------------------------------------------


def _lanes(history: History) -> Iterator[_Lane]:
    spans = _spans(history)
    errors = _errors(history)
    statuses = {position_of(e[1]): e[2] for e in history.entries}
    sequence: _Lane | None = None
    for item in walk(history.plan):
        node = item.node
        if isinstance(node, Plan | BaseAction):
            continue
        position = position_of(node)
        is_inside = any(isinstance(each, Sequence) for each in item.ancestors)
        if is_inside and (
            isinstance(node, DeferredActions) or position not in statuses
        ):
            continue  # a heading for each host, and what was not needed
        path = history.path_of(node)
        label = path.rpartition(SEPARATOR)[2]
        status = statuses.get(position, Status.NOT_STARTED)
        lane = _Lane(label, len(item.ancestors) - 1 - is_inside, status)
        if isinstance(node, Block | DeferredActions):
            lane.is_header = True
        else:
            lane.spans = spans.get(position, [])
            lane.tail = errors.get(position, "")
            marks = {mark for _, _, mark in lane.spans}
            lane.is_dull = not (marks & set("x>!") or status.value > 200)
        if is_inside and sequence is not None:
            sequence.below.append(lane)
            sequence.is_dull = sequence.is_dull and lane.is_dull
            continue
        if sequence is not None:
            yield sequence
        sequence = lane if isinstance(node, Sequence) else None
        if sequence is None:
            yield lane
    if sequence is not None:
        yield sequence


def _spans(history: History) -> dict[int, list[tuple[float, float, str]]]:
    """What the lane of each container shows, by the container's position."""
    parent_of = {
        position_of(item.node): position_of(item.ancestors[-1])
        for item in walk(history.plan)
        if isinstance(item.node, BaseAction)
    }
    found: dict[int, list[tuple[float, float, str]]] = {}
    ends = [*history.crashes, _end(history)]
    for life in history.lives():
        began: dict[int, float] = {}
        for time, node, status, *_ in life.entries:
            if isinstance(node, BaseAction):
                continue
            position = position_of(node)
            if status is Status.RUNNING:
                began[position] = time
            elif position in began:
                span = (began.pop(position), time, "-")
                found.setdefault(position, []).append(span)
        for position, start in began.items():
            found.setdefault(position, []).append((start, ends[life.number], "-"))
        cut = "!" if life.number < len(history.crashes) else ">"
        for call in life.calls:
            end = ends[life.number] if call.ended is None else call.ended
            spans = found.setdefault(parent_of[call.position], [])
            spans.append((call.started, end, "=" if end > call.started else "|"))
            if call.ended is None or call.error is not None:
                spans.append((end, end, cut if call.ended is None else "x"))
    return found


def _errors(history: History) -> dict[int, str]:
    """Why each container failed, by its position: the first action that did."""
    found: dict[int, str] = {}
    latest = {position_of(e[1]): e for e in history.entries}
    for item in walk(history.plan):
        entry = latest.get(position_of(item.node))
        if entry is None or not isinstance(item.node, BaseAction):
            continue
        attempt = entry[3]
        if entry[2] is Status.FAILED and attempt is not None:
            text = f"{item.node.name}: {attempt.error}"
            found.setdefault(position_of(item.ancestors[-1]), text)
    return found


def _end(history: History) -> float:
    last = history.entries[-1][0] if history.entries else 0.0
    return max(last, history.end)


def _kept(lanes: Steps[_Lane], most: int) -> set[int]:
    """The lanes to draw, by their id(): all, or those that tell most."""
    begun = [x for x in lanes if x.status is not Status.NOT_STARTED or x.is_header]
    if sum(len(lane.lines) for lane in begun) + 5 <= most:
        return {id(lane) for lane in begun}
    headers = [lane for lane in begun if lane.is_header]
    telling = [lane for lane in begun if not (lane.is_dull or lane.is_header)]
    dull = [lane for lane in begun if lane.is_dull and not lane.is_header]
    kept: set[int] = set()
    left = most // 2  # a line may be needed beside each to tell how many were left out
    for lane in [*headers, *telling, *dull]:
        left -= len(lane.lines)
        if left < 0:
            break
        kept.add(id(lane))
    return kept


# --- how it is drawn ----------------------------------------------------------------


def _title(history: History, end: float) -> str:
    last = history.entries[-1] if history.entries else None
    plan = history.plan if last is None else last[1]
    is_over = isinstance(plan, Plan) and plan.state.status.is_terminal
    outcome = plan.outcome.value if isinstance(plan, Plan) and is_over else "running"
    return f"{display(history.plan.name)}: {outcome} after {duration_text(end)}"


def _scale(indent: int, cells: int, end: float) -> str:
    row = [" "] * (cells + 12)
    parts = (0, 0.5, 1) if cells >= 40 else (0, 1)
    for part in parts if end else (0,):
        mark = duration_text(end * part)
        at = min(int(part * (cells - 1)), cells + 12 - len(mark))
        row[at : at + len(mark)] = mark
    return " " * indent + "".join(row)


def _line(lane: _Lane, label: int, cells: int, end: float, tail: int) -> str:
    text = _fit(_label(lane), label).ljust(label)
    if lane.is_header:
        return text
    return f"{text}  {_bar(lane, cells, end)}  {_fit(_tail(lane), tail)}"


def _bar(lane: _Lane, cells: int, end: float) -> str:
    row = [" "] * cells
    for began, ended, mark in lane.spans:
        first = int(began / end * (cells - 1)) if end else 0
        last = int(ended / end * (cells - 1)) if end else 0
        for at in range(first, max(last, first + 1)) if mark in "=-" else (last,):
            if _RANK.index(mark) > _RANK.index(row[at]):
                row[at] = mark
    return "".join(row)


def _left_out(lanes: list[_Lane], label: int, cells: int) -> Iterator[str]:
    """A line for all of one status: they may alternate."""
    alike: dict[tuple[int, Status], list[_Lane]] = {}
    for lane in lanes:
        alike.setdefault((lane.depth, lane.status), []).append(lane)
    for (depth, status), same in alike.items():
        text = _more(depth, len(same))
        if len(same) == 1:
            text = _fit(_label(same[0]), label)
        yield f"{text.ljust(label)}  {' ' * cells}  {_words(status)}"


def _more(depth: int, count: int) -> str:
    return f"{'  ' * depth}… {count:,} more"


def _label(lane: _Lane) -> str:
    return "  " * lane.depth + display(lane.label)


def _tail(lane: _Lane) -> str:
    because = f": {display(lane.tail)}" if lane.tail else ""
    return _words(lane.status) + because


def _words(status: Status) -> str:
    return status.name.lower().replace("_", " ")


def _fit(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
