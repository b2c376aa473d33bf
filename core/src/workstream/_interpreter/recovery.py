"""Putting a stored tree in order after a crash (section 15).

This is all that recovery does by itself; the ordinary interpreter does the rest. Two
pure functions: ``put_in_order`` closes what the crash left open and draws the
conclusions that need no plugin, ``age_out`` gives up on a plan that was left alone for
too long. Both change the tree in memory and return what they changed, to be stored in
one write before anything runs, so that a crash during recovery repeats it (R-19).

What they leave R is what must be brought to its end: a check group that is R is run
anew, a sequence that is R resumes at its first action that is not C, or does its
deferred work (SD-3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from .._plan.plan import BaseAction, Block, Checks, DeferBatch, Node, Plan, Sequence
from .._plan.walk import walk
from .._protocols.vault import PlanRequest
from .._values.state import (
    Attempt,
    FailureReason,
    OnInterrupt,
    PluginError,
    State,
    Status,
)
from . import interventions, judgement, verdicts
from .verdicts import Verdict

Meaning = Callable[[BaseAction], OnInterrupt]
"""What an interrupted attempt of an action means (R-7)."""

N, R, C, F, S = (
    Status.NOT_STARTED,
    Status.RUNNING,
    Status.COMPLETED,
    Status.FAILED,
    Status.STOPPED,
)

_BEFORE_ANY_DEADLINE = datetime.min.replace(tzinfo=UTC)

INTERRUPTED = "interrupted: the engine ended while the attempt was running"


def put_in_order(
    plan: Plan,
    on_interrupt: Meaning,
    now: datetime,
    *,
    requests: Iterable[PlanRequest] = (),
) -> list[Node]:
    """Settle all that the stored tree decides, and close what was open.

    Args:
        plan: A plan that is R and that nobody runs; it is changed.
        on_interrupt: Says what an interrupted attempt of an action means (R-7).
        now: The time of recovery.
        requests: What was asked that the run has not taken, in order (CT-2). All that
            was begun is put in order by what holds without them; then they are taken.

    Returns:
        The objects that were changed; a container after its actions (STO-10).
    """
    changed: list[Node] = []
    for some in putting_in_order(plan, on_interrupt, now):
        changed += some
    for request in requests:
        changed += interventions.take(plan, request, now)
    return changed


def putting_in_order(
    plan: Plan, on_interrupt: Meaning, now: datetime
) -> Iterator[list[Node]]:
    """The same, one object at a time: what was changed for its sake, often nothing."""
    for item in walk(plan):
        node = item.node
        if isinstance(node, (Checks, Sequence, DeferBatch)):
            cut = plan.stopping and not _is_deferred(node, item.ancestors[-1])
            yield settle(
                plan, node, item.ancestors[-1], on_interrupt, now, stopping=cut
            )
        else:
            yield []


def _is_deferred(container: Checks | Sequence | DeferBatch, owner: Node) -> bool:
    """Whether it is deferred work, which a stop does not cut (SP-2, SD-2)."""
    return isinstance(container, DeferBatch) or (
        isinstance(owner, Plan | Block) and container is owner.deferred_checks
    )


def settle(
    plan: Plan,
    container: Checks | Sequence | DeferBatch,
    owner: Node,
    on_interrupt: Meaning,
    now: datetime,
    *,
    stopping: bool,
) -> list[Node]:
    """Settle a container that a crash left R, and its actions (R-5, R-7, R-8, R-10).

    Args:
        plan: The plan that it belongs to.
        container: One that is R and of which nothing runs; any other is left alone.
        owner: What holds it.
        on_interrupt: Says what an interrupted attempt of an action means (R-7).
        now: The time.
        stopping: Whether a stop keeps its actions from being run again (R-17).

    Returns:
        The objects that were changed.
    """
    if container.state.status is not R:
        return []
    changed: list[Node] = []
    for action in container.actions:
        if action.state.status is R and _settle_action(
            plan, action, on_interrupt, now, stopping
        ):
            changed.append(action)
    outcome = judgement.settled(container)
    decided = outcome is not S
    if isinstance(container, Checks):
        decided = decided or stopping
        if isinstance(owner, Plan | Block) and container is owner.cont_checks:
            look = judgement.after_look(container, owner, plan, outcome)
            if outcome is F and look.status is C:
                # The run was broken off and means nothing yet: it is made again (BG-4).
                outcome, decided = C, stopping
            elif decided:
                container.missed = look.missed
        if outcome is F and not stopping:
            _reset_undecided(container)
    elif isinstance(container, Sequence) and container.deferred_actions is not None:
        decided = False  # what it still has to do is the interpreter's (SD-3)
    if decided:
        container.state.status = outcome
        container.state.ended = _end_of(container, owner, now)
        changed.append(container)  # after what it follows from (STO-10)
    return changed


def _settle_action(
    plan: Plan,
    action: BaseAction,
    on_interrupt: Meaning,
    now: datetime,
    stopping: bool,
) -> bool:
    """Give an action that is R the status that its attempts decide; whether it changed.

    One that waits for its next attempt has not: whoever watches was told of it before.
    """
    last = action.final_attempt
    if last is None:  # it was not begun
        action.state = State()
        return True
    is_open = last.ended is None
    if is_open:
        _close(last, now)
    verdict = verdicts.judge(plan, action, on_interrupt, now)
    if verdict is Verdict.COMPLETED:
        action.state.status, action.state.ended = C, last.ended
    elif verdict is Verdict.FAILED:
        # An attempt that decides ended when it ended; a deadline, when it is found.
        due = verdicts.judge(plan, action, on_interrupt, _BEFORE_ANY_DEADLINE)
        action.state.status = F
        action.state.ended = now if due is Verdict.AGAIN else last.ended
    elif verdict is Verdict.AGAIN and stopping:
        action.state.status, action.state.ended = S, now
    return is_open or action.state.status is not R


def _close(attempt: Attempt, now: datetime) -> None:
    attempt.ended = now
    attempt.interrupted = True
    attempt.error = PluginError(INTERRUPTED)


def _reset_undecided(group: Checks) -> None:
    """Put the actions without a verdict back to N: their group has failed (R-8)."""
    for action in group.actions:
        if action.state.status is R:
            action.state = State()
            action.attempts = []


def _end_of(
    container: Checks | Sequence | DeferBatch, owner: Node, now: datetime
) -> datetime:
    """When it ended: when its last action did; a sequence now, by SD-3."""
    if isinstance(container, Sequence) and isinstance(owner, Block):
        return max(now, judgement.latest_end(owner) or now)
    ends = [a.state.ended for a in container.actions if a.state.ended is not None]
    return max(ends, default=now)


# --- age (R-3) ------------------------------------------------------------------


def last_update(plan: Plan) -> datetime | None:
    """When the plan last gave a sign of life: the latest time stored in it."""
    times = [plan.runtime_update]
    for item in walk(plan):
        times += (item.node.state.started, item.node.state.ended)
        if isinstance(item.node, BaseAction):
            for attempt in item.node.attempts:
                times += (attempt.started, attempt.ended)
    return max((time for time in times if time is not None), default=None)


def is_too_old(plan: Plan, now: datetime, max_last_update: float | None) -> bool:
    """Whether the plan was left alone for more than ``max_last_update`` seconds.

    One that is held does not age (HO-5).
    """
    if max_last_update is None or plan.held:
        return False
    latest = last_update(plan)
    return latest is not None and (now - latest).total_seconds() > max_last_update


def age_out(
    plan: Plan,
    now: datetime,
    reason: FailureReason = FailureReason.EXCEED_RECOVERY,
    *,
    requests: Iterable[PlanRequest] = (),
) -> list[Node]:
    """Give the plan up: F with this reason alone, and so is all that was R (SN-2).

    Nothing is run, deferred work included; what is N stays N. What was asked of it and
    not taken is TOO_LATE.

    Returns:
        The objects that were changed, the plan last: its end is the last thing written.
    """
    interventions.come_too_late(plan, requests, now, "the plan is given up")
    changed: list[Node] = []
    for item in walk(plan):
        node = item.node
        if node.state.status is not R:
            continue
        if isinstance(node, BaseAction):
            last = node.final_attempt
            if last is not None and last.ended is None:
                _close(last, now)
        node.state.status = F
        node.state.ended = now
        changed.append(node)
    plan.reasons = (reason,)
    return [*(node for node in changed if node is not plan), plan]
