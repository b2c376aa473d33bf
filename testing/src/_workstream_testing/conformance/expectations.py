"""What must hold at the end of a case, in a few words, and what must hold of every one.

::

    F/CONT_CHECK reasons(CONT_CHECK BLOCK) trace(p {k,l} a) s1,s2=C rest=N
    k@0,1,2.5 a*2 a{err ok} B1[5,6] most=3

===================  ===============================================================
``F/BLOCK``          the plan's status and reason
``reasons(X Y)``     all reasons, in order
``effects(X Y)``     what became of what it was told, in order
``trace(a {b,c})``   the order in which ``execute`` was entered; b and c either way
``s1,s2=C``          statuses; ``s1..s4=C``; ``rest=N`` is all that is not named in
                     such a clause, nor is the action of what is named
``k@0,1,2.5``        when ``execute`` of k was entered, in seconds
``a*2``              how many attempts a has
``a{err ok}``        how they ended (see ``kind_of``)
``B1[5,6]``          from when to when, in seconds; ``B1[5,]``: since when
``most=3``           how many actions ran at once, at most
===================  ===============================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workstream._plan.plan import BaseAction, Checks, DeferBatch, Plan, Sequence
from workstream._plan.walk import walk
from workstream._values.state import Attempt, FailureReason, OnFailure, Status

from .case_runs import CaseRun

_LABEL = r"[\w.]+"
_CLAUSE = re.compile(
    rf"""
    (?P<outcome>[CFS]/[A-Z_]+)
    | effects\((?P<effects>[^)]*)\)
    | reasons\((?P<reasons>[^)]*)\)
    | trace\((?P<trace>[^)]*)\)
    | most=(?P<most>\d+)
    | (?P<labels>{_LABEL}(?:,{_LABEL})*)=(?P<status>[NRCKFS])
    | (?P<called>{_LABEL})@(?P<times>[\d.,]+|never)
    | (?P<tried>{_LABEL})\*(?P<attempts>\d+)
    | (?P<ended>{_LABEL})\{{(?P<kinds>[^}}]*)\}}
    | (?P<lasted>{_LABEL})\[(?P<began>-?[\d.]*),(?P<until>-?[\d.]*)\]
    """,
    re.VERBOSE,
)
LETTERS = dict(zip(Status, "NRCKFS", strict=True))


def wrong(run: CaseRun, expected: str) -> list[str]:
    """Where the end of a case is not as expected; empty when all is well.

    Raises:
        ValueError: The expectation cannot be read.
    """
    problems: list[str] = []
    named: set[str] = {"plan"}
    rest = ""
    at = 0
    while at < len(expected):
        if expected[at].isspace():
            at += 1
            continue
        match = _CLAUSE.match(expected, at)
        if match is None:
            message = f"cannot read the expectation from {expected[at:]!r} on"
            raise ValueError(message)
        if match["labels"] == "rest":
            rest = match["status"]
        else:
            problems += _clause_problems(run, match, named)
        at = match.end()
    if rest:
        problems += _rest_problems(run, rest, named)
    return problems


def _rest_problems(run: CaseRun, expected: str, named: set[str]) -> Iterator[str]:
    labels = {place: label for label, place in run.notation.containers.items()}
    actions = {place: label for label, place in run.notation.actions.items()}
    places = {id(item.node): place for place, item in enumerate(walk(run.plan))}
    for place, item in enumerate(walk(run.plan)):
        label = labels.get(place) or actions[place]
        # An action whose container is named follows from it (see ``always_wrong``).
        if place in actions and labels[places[id(item.ancestors[-1])]] in named:
            continue
        if label not in named:
            status = item.node.state.status
            yield from _differs(label, LETTERS[status], expected)


def _clause_problems(
    run: CaseRun, match: re.Match[str], named: set[str]
) -> Iterator[str]:
    if match["outcome"]:
        plan = run.plan
        found = f"{LETTERS[plan.state.status]}/{plan.reason.name}"
        yield from _differs("the plan", found, match["outcome"])
    elif match["effects"] is not None:
        effects = " ".join(each.effect.name for each in run.plan.interventions)
        yield from _differs("effects", effects, match["effects"])
    elif match["reasons"] is not None:
        reasons = " ".join(reason.name for reason in run.plan.reasons)
        yield from _differs("reasons", reasons, match["reasons"])
    elif match["trace"] is not None:
        if not _follows(run.stage.trace, match["trace"]):
            yield f"the trace is {' '.join(run.stage.trace)}, not {match['trace']}"
    elif match["most"]:
        yield from _differs("at once", str(_most_at_once(run)), match["most"])
    elif match["labels"]:
        for label in _labels(match["labels"]):
            named.add(label)
            yield from _status_problems(run, label, match["status"])
    elif match["called"]:
        times = [f"{c.started:g}" for c in run.stage.executed(match["called"])]
        expected = [] if match["times"] == "never" else match["times"].split(",")
        yield from _differs(f"calls of {match['called']}", times, expected)
    elif match["tried"]:
        count = str(len(run.action(match["tried"]).attempts))
        yield from _differs(f"attempts of {match['tried']}", count, match["attempts"])
    elif match["ended"]:
        kinds = [kind_of(a) for a in run.action(match["ended"]).attempts]
        expected = match["kinds"].replace(",", " ").split()
        yield from _differs(f"attempts of {match['ended']}", kinds, expected)
    else:
        yield from _times_problems(run, match["lasted"], match["began"], match["until"])


def _differs(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found}, not {expected}"


def _status_problems(run: CaseRun, label: str, expected: str) -> list[str]:
    found = LETTERS[run.node(label).state.status]
    return list(_differs(label, found, expected))


def _times_problems(run: CaseRun, label: str, began: str, until: str) -> Iterator[str]:
    state = run.node(label).state
    for what, time, expected in (
        ("start", state.started, began),
        ("end", state.ended, until),
    ):
        if expected and run.seconds(time) != float(expected):
            yield f"{what} of {label}: {run.seconds(time)}, not {expected}"


def _labels(text: str) -> Iterator[str]:
    for part in text.split(","):
        first, _, last = part.partition("..")
        if not last:
            yield first
            continue
        stem = first.rstrip("0123456789")
        numbers = range(int(first[len(stem) :]), int(last[len(stem) :]) + 1)
        yield from (f"{stem}{number}" for number in numbers)


def _follows(trace: list[str], expected: str) -> bool:
    at = 0
    for word in expected.replace(", ", ",").split():
        labels = word.strip("{}").split(",")
        if sorted(trace[at : at + len(labels)]) != sorted(labels):
            return False
        at += len(labels)
    return at == len(trace)


def _most_at_once(run: CaseRun) -> int:
    # What ends at an instant makes room for what begins then.
    changes = sorted(
        (time, step)
        for call in run.stage.calls
        for time, step in ((call.started, 1), (call.ended or call.started, -1))
    )
    most = running = 0
    for _, step in changes:
        running += step
        most = max(most, running)
    return most


def kind_of(attempt: Attempt) -> str:
    """How an attempt ended, in the words of the notation.

    ``open``, ``int`` (interrupted), ``ok``, ``both`` (a response beside the error),
    ``time`` (timeout), ``perm``, ``boom`` (an exception), ``err``.
    """
    error = attempt.error
    if attempt.interrupted:
        return "int"
    if attempt.ended is None:
        return "open"
    if error is None:
        return "ok"
    if attempt.response is not None:
        return "both"
    if error.message == "plugin execution timed out":
        return "time"
    if error.permanent:
        return "perm"
    return "err" if error.code else "boom"


# --- what must hold of every case ---------------------------------------------------


def always_wrong(run: CaseRun) -> list[str]:
    """Where a run broke what holds for every run, whatever its plan.

    No object is RUNNING at the end; status and reason agree (F-6); calls and attempts
    of one action never overlap (A-5); nothing ends before it started; what a container
    is agrees with what its actions are (Q-8, C-2, SP-4); what was not begun stays
    NOT_STARTED (SP-3); a call of ``execute`` stands
    for each attempt that was made.
    """
    plan = run.plan
    problems = list(_reason_problems(plan))
    for place, item in enumerate(walk(plan)):
        node, label = item.node, run.label(place)
        state = node.state
        if state.status is Status.RUNNING:
            problems.append(f"{label} is RUNNING at the end")
        if state.started and state.ended and state.ended < state.started:
            problems.append(f"{label} ends before it starts")
        if state.status is Status.SKIPPED and (
            state.started or (isinstance(node, BaseAction) and node.attempts)
        ):
            problems.append(f"{label} is SKIPPED, but was begun")
        if state.status.is_terminal and state.ended is None:
            problems.append(f"{label} is {state.status.name} without an end")
        if state.status is Status.NOT_STARTED and (state.started or state.ended):
            problems.append(f"{label} is NOT_STARTED, but has times")
        if isinstance(node, BaseAction):
            problems += _attempt_problems(label, node)
            if state.status is Status.STOPPED and not node.attempts:
                problems.append(f"{label} is STOPPED, but was never begun")
        elif isinstance(node, (Checks, Sequence, DeferBatch)):
            problems += _container_problems(label, node, plan)
    problems += _overlaps(run)
    return problems


def _reason_problems(plan: Plan) -> Iterator[str]:
    status, reason = plan.state.status, plan.reason
    expected = {
        Status.COMPLETED: reason is FailureReason.UNKNOWN,
        Status.FAILED: reason not in (FailureReason.UNKNOWN, FailureReason.STOPPED),
        Status.STOPPED: reason is FailureReason.STOPPED,
    }
    if not expected.get(status, False):
        yield f"the plan is {status.name} for the reason {reason.name}"
    failed = [
        block.name for block in plan.blocks if block.state.status is Status.FAILED
    ]
    if failed and not plan.reasons:
        yield f"{', '.join(failed)} failed, and the plan has no reason"


def _attempt_problems(label: str, action: BaseAction) -> Iterator[str]:
    before: Attempt | None = None
    for number, attempt in enumerate(action.attempts, 1):
        if attempt.ended is None:
            yield f"attempt {number} of {label} is open at the end"
        elif attempt.ended < attempt.started:
            yield f"attempt {number} of {label} ends before it starts"
        if before is not None and before.ended and attempt.started < before.ended:
            yield f"attempts {number - 1} and {number} of {label} overlap"
        before = attempt


def _container_problems(
    label: str, container: Checks | Sequence | DeferBatch, plan: Plan
) -> Iterator[str]:
    if FailureReason.EXCEED_RECOVERY in plan.reasons:
        return  # given up as it was
    found = [action.state.status for action in container.actions]
    status = container.state.status
    deferred = container.deferred_actions if isinstance(container, Sequence) else None
    if Status.FAILED in found or (
        deferred is not None and deferred.state.status is Status.FAILED
    ):
        expected = Status.FAILED
    elif all(one in (Status.COMPLETED, Status.SKIPPED) for one in found):
        expected = Status.COMPLETED
    else:
        expected = Status.STOPPED
    if status is Status.SKIPPED:
        if any(one is not Status.SKIPPED for one in found):
            yield f"{label} is SKIPPED, its actions are not"
        return
    if isinstance(container, Checks) and _bears(container):
        expected = status if expected is Status.FAILED else expected
    begun = status is not Status.NOT_STARTED
    if begun and status is not expected:
        yield f"{label} is {status.name}, its actions make it {expected.name}"
    if not begun and any(
        one not in (Status.NOT_STARTED, Status.SKIPPED) for one in found
    ):
        yield f"{label} is NOT_STARTED, its actions are not"


def _bears(group: Checks) -> bool:
    """Whether a failed run of the group may leave it COMPLETED (BG-4)."""
    return group.failures_before_halt > 1 or group.on_failure is not OnFailure.HALT


def _overlaps(run: CaseRun) -> Iterator[str]:
    until: dict[str, float] = {}
    for call in run.stage.calls:
        if call.started < until.get(call.label, call.started):
            yield f"two calls of {call.label} overlap"
        until[call.label] = call.ended if call.ended is not None else call.started


# --- whether two runs are the same --------------------------------------------------


def facts(run: CaseRun) -> object:
    """All that there is to know of a run but its ids: every status, time and attempt."""
    return [
        *(
            (
                item.node.state.status,
                run.seconds(item.node.state.started),
                run.seconds(item.node.state.ended),
                [
                    (
                        run.seconds(attempt.started),
                        run.seconds(attempt.ended),
                        kind_of(attempt),
                        attempt.response,
                        attempt.error,
                        attempt.unresponsive,
                        attempt.notes,
                    )
                    for attempt in item.node.attempts
                ]
                if isinstance(item.node, BaseAction)
                else [],
            )
            for item in walk(run.plan)
        ),
        run.plan.reasons,
        sorted(
            (call.label, round(call.started, 6), round(call.ended or -1, 6), call.of)
            for call in run.stage.calls
        ),
    ]
