"""What a crash did: compared, and told so that a person understands it."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from workstream._plan.paths import path_of, paths
from workstream._plan.plan import Action, BaseAction, Checks, Plan
from workstream._plan.walk import Item, position_of, walk
from workstream._values.durations import duration_text
from workstream._values.state import Status

from ..simulation.history import Call
from ..simulation.simulation import Simulation

MOST = 8
"""How many lines of one kind a story has, at most."""


@attrs.frozen(order=True)
class CalledTwice:
    """An action that a crash made the engine call again.

    Attributes:
        path: The action's path.
        plugin: Its plugin's name.
        was_done: Whether, at some crash, the first call had done its work by then.
    """

    path: str
    plugin: str
    was_done: bool

    def __str__(self) -> str:
        when = "after" if self.was_done else "before"
        return f"{self.path} ({self.plugin}), {when} its work was done"


def called_twice(result: Simulation) -> list[CalledTwice]:
    """The actions that were called again because a crash hid how a call had ended.

    Checks are left out: they may run any number of times (REG-8).
    """
    found: list[CalledTwice] = []
    hidden = {
        place: [n for n, a in enumerate(item.node.attempts, 1) if a.interrupted]
        for place, item in enumerate(walk(result.plan))
        if isinstance(item.node, Action) and item.node.attempts
    }
    calls: dict[int, list[Call]] = {}
    if any(hidden.values()):
        for call in result.calls:
            calls.setdefault(call.position, []).append(call)
    for place, attempts in hidden.items():
        made = calls.get(place, [])
        if attempts and any(call.attempt > attempts[0] for call in made):
            was_done = any(
                call.attempt in attempts and call.ended is not None and not call.error
                for call in made
            )
            found.append(CalledTwice(made[0].path, made[0].plugin, was_done))
    return found


def differences(without: Plan, end: Plan) -> list[str]:
    """How the end after a crash differs from the one without, object by object."""
    found: list[str] = []
    if without.reasons != end.reasons:
        found.append(
            f"the reasons: {_reasons(without)} without, {_reasons(end)} with it"
        )
    for before, after in zip(walk(without), walk(end), strict=True):
        if not _is_reset(after):
            for what in _differs(before, after):
                # Few objects differ, if any: only these need their paths.
                found.append(f"{path_of(before)}: {what}")
    return found


def _differs(before: Item, after: Item) -> Iterator[str]:
    old, new = before.node, after.node
    if old.state.status is not new.state.status:
        error = f" ({new.error})" if isinstance(new, BaseAction) and new.error else ""
        yield f"{_word(old.state.status)} without, {_word(new.state.status)} with it{error}"
    elif isinstance(old, BaseAction) and isinstance(new, BaseAction):
        if old.response != new.response:
            yield f"gave {old.response!r} without, {new.response!r} with it"
        if str(old.error) != str(new.error):
            yield f"failed with {old.error} without, with {new.error} with it"


def _is_reset(item: Item) -> bool:
    """Whether it is an action that recovery may leave N, as its group failed (R-8)."""
    if item.node.state.status is not Status.NOT_STARTED or not item.ancestors:
        return False
    parent = item.ancestors[-1]
    return isinstance(parent, Checks) and parent.state.status is Status.FAILED


def _reasons(plan: Plan) -> str:
    return ", ".join(reason.name for reason in plan.reasons) or "none"


def _word(status: Status) -> str:
    return status.name.lower().replace("_", " ")


# --- the story ----------------------------------------------------------------------


def story(
    *,
    title: str,
    where: str,
    result: Simulation,
    stored: Plan | None,
    differences: list[str],
    others: list[str],
    replay: str,
) -> str:
    """Tell what a crash did.

    Args:
        title: What it changed.
        where: At which write it happened.
        result: The run with the crash.
        stored: The plan as it was stored then; None: it could not be read.
        differences: What is not as it should be.
        others: The other crashes that end wrongly, too.
        replay: The line that repeats it.
    """
    crashes = result.crashes
    times = " and at ".join(duration_text(time) for time in crashes)
    lines = [title, "", f"the crash: {where}, at {times}"]
    if stored is not None:
        lines += _section("done by then, and stored", _done(stored))
    lines += _section("begun by then, how it ended not stored", _hidden(result))
    lines += _section("done twice", _twice(result))
    lines += _section("wrong at the end", differences)
    if others:
        shown = "; ".join(others[:MOST])
        more = f"; and {len(others) - MOST:,} more" if len(others) > MOST else ""
        lines += ["", f"these crashes end wrongly, too: {shown}{more}"]
    lines += ["", str(result.timeline.draw(height=25)), "", f"again: {replay}"]
    return "\n".join(lines)


def _section(title: str, entries: list[str]) -> Iterator[str]:
    if entries:
        yield f"{title}:"
        yield from (f"  {entry}" for entry in entries[-MOST:])
        if len(entries) > MOST:
            yield f"  and {len(entries) - MOST:,} more"


def _done(stored: Plan) -> list[str]:
    return [
        path
        for path, item in paths(stored)
        if isinstance(item.node, BaseAction)
        and item.node.state.status is Status.COMPLETED
    ]


def _hidden(result: Simulation) -> list[str]:
    """The calls that a crash made the engine forget the end of."""
    found: list[str] = []
    interrupted = {
        (position_of(item.node), number)
        for _, item in paths(result.plan)
        if isinstance(item.node, BaseAction)
        for number, attempt in enumerate(item.node.attempts, 1)
        if attempt.interrupted
    }
    for call in result.calls:
        if (call.position, call.attempt) in interrupted:
            found.append(f"{call.path}, attempt {call.attempt}: {_fate(call)}")
            interrupted.discard((call.position, call.attempt))
    return found


def _fate(call: Call) -> str:
    if call.ended is None:
        return f"it was running, since {duration_text(call.started)}"
    if call.error is not None:
        return f"it had failed: {call.error}"
    return "it had done its work"


def _twice(result: Simulation) -> list[str]:
    return [str(called) for called in called_twice(result) if called.was_done]
