"""A plan that ran, as a script: how long each attempt took, and how it ended."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping

import attrs

from workstream._attempts.outcomes import TIMED_OUT
from workstream._plan.paths import SEPARATOR, below_plan, display_path, paths
from workstream._plan.plan import BaseAction, Plan
from workstream._values.state import Attempt, PluginError, Status

FOREVER = float("inf")
"""How long an attempt takes that did not end before its timeout."""

Seconds = float


@attrs.frozen
class Recorded:
    """What one action did when its plan ran.

    Attributes:
        steps: How long each attempt took, and its error; None: it succeeded.
        since: When the last attempt began, in seconds of the plan.
    """

    steps: tuple[tuple[Seconds, PluginError | None], ...]
    since: Seconds

    @property
    def usual(self) -> Seconds | None:
        """How long the last attempt took that took an end of its own."""
        took = [seconds for seconds, _ in self.steps if seconds < FOREVER]
        return took[-1] if took else None

    def step(self, attempt: int) -> tuple[Seconds, PluginError | None]:
        """What an attempt does, counted from 1; after the last one, as the last one."""
        return self.steps[min(attempt, len(self.steps)) - 1]


@attrs.frozen
class Script:
    """What a plan that ran says of the actions of another plan.

    Attributes:
        recorded: What actions did, by their places in the other plan.
        takes: How long an action takes that goes well: as its own last attempt that did
            not hang, or else as its plugin's actions took, in the middle.
        unknown: Other actions: of these no attempt ended, or there were none such.
        gone: The actions that failed when it ran, and that the other plan lacks.
    """

    recorded: Mapping[int, Recorded]
    takes: Mapping[int, Seconds]
    unknown: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def times(self) -> Script:
        """The script without what failed: it only says how long actions take."""
        return attrs.evolve(self, recorded={})


def script_of(ran: Plan, plan: Plan) -> Script:
    """Find the actions of a plan in one that ran.

    An action is found by its path below the plan; where there is none such, by the end of
    its path, "web-3 / Start", if only one action of each plan has it.

    Args:
        ran: The plan that ran.
        plan: The other plan.
    """
    then = dict(_actions(ran))
    now = dict(_actions(plan))
    by_end = _by_end(then)
    ends = _by_end(now)
    recorded: dict[int, Recorded] = {}
    found: set[str] = set()
    places = {below_plan(path): place for place, (path, _) in enumerate(paths(plan))}
    for path in now:
        end = _end(path)
        old = path if path in then else by_end.get(end) if end in ends else None
        if old is not None:
            found.add(old)
            record = _recorded(ran, then[old])
            if record is not None:
                recorded[places[path]] = record
    by_plugin: dict[str, list[Seconds]] = {}
    for action in then.values():
        record = _recorded(ran, action)
        if record is not None and record.usual is not None:
            by_plugin.setdefault(action.plugin, []).append(record.usual)
    takes = {
        places[path]: statistics.median(by_plugin[action.plugin])
        for path, action in now.items()
        if action.plugin in by_plugin
    }
    for place, record in recorded.items():
        if record.usual is not None:
            takes[place] = record.usual
    unknown = [path for path in now if places[path] not in recorded]
    return Script(
        recorded,
        takes,
        tuple(map(display_path, unknown)),
        tuple(
            display_path(path)
            for path, action in then.items()
            if path not in found and action.state.status is Status.FAILED
        ),
    )


def _actions(plan: Plan) -> Iterator[tuple[str, BaseAction]]:
    for path, item in paths(plan):
        if isinstance(item.node, BaseAction):
            yield below_plan(path), item.node


def _end(path: str) -> str:
    return SEPARATOR.join(path.split(SEPARATOR)[-2:])


def _by_end(known: Mapping[str, BaseAction]) -> dict[str, str]:
    """Paths by their ends, where only one has it."""
    counts = Counter(map(_end, known))
    return {_end(path): path for path in known if counts[_end(path)] == 1}


def _recorded(ran: Plan, action: BaseAction) -> Recorded | None:
    """What it did; None: no attempt came to an end of its own."""
    began = ran.state.started
    steps = tuple(_step(a) for a in action.attempts if a.ended and not a.interrupted)
    if began is None or not steps:
        return None
    return Recorded(steps, (action.attempts[-1].started - began).total_seconds())


def _step(attempt: Attempt) -> tuple[Seconds, PluginError | None]:
    error = attempt.error
    if error is not None and error.message == TIMED_OUT:
        return FOREVER, error
    assert attempt.ended is not None, "it has ended"
    took = (attempt.ended - attempt.started).total_seconds()
    return max(took, 0.0), error
