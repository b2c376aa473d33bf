"""What followed in a plan, in words: what ran because of it, what did not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .._plan.outcome import Outcome
from .._plan.paths import SEPARATOR, below_plan, labelled
from .._plan.plan import Block, Checks, DeferBatch, DeferredActions, Node, Plan
from .._plan.plan import Sequence as PlanSequence
from .._protocols.approval import said
from .._values.display import one_line
from .._values.folding import named
from .._values.interventions import Effect, Verb
from .._values.state import FailureReason, Status, WhenDeferred
from .outcomes import status_words
from .words import parts_word, utc

_NAMED = 3


def consequences(plan: Plan) -> list[str]:
    """Sentences: why the plan stopped where it did, what ran then, what did not.

    Nothing for a plan of which all was done. Names of strangers come as they are.

    Args:
        plan: A plan in any state; one in brief will do.
    """
    return [
        *_spoken(plan),
        *_given_up(plan),
        *(line for label, node in labelled(plan) for line in _part(plan, label, node)),
        *_never_begun(plan),
    ]


def _spoken(plan: Plan) -> Iterator[str]:
    """Who stopped it, and who left something out."""
    for told in plan.interventions:
        word = said(told.verb.value, told.data)
        if told.effect is not Effect.TAKEN or word not in _SPOKEN:
            continue
        what = below_plan(told.path) if told.path.count(SEPARATOR) else "it"
        reason = f": {one_line(told.reason, 300)}" if told.reason else ""
        yield f"{one_line(told.by, 80)} {_SPOKEN[word]} {what} at {utc(told.at)}{reason}"


_SPOKEN = {
    Verb.STOP.value: "stopped",
    Verb.SKIP.value: "skipped",
    Verb.ABANDON.value: "abandoned",
    "approve": "approved",
    "reject": "rejected",
}
"""By the word of a command, what somebody has done by it."""


def _given_up(plan: Plan) -> Iterator[str]:
    if FailureReason.EXCEED_RECOVERY in plan.reasons:
        yield "recovery gave it up, as it had crashed too long ago"


def _part(plan: Plan, label: str, node: Node | None) -> Iterator[str]:
    """What followed in a child of the plan, or from it."""
    if isinstance(node, Block):
        yield from _block(label, node)
    elif isinstance(node, Checks) and node.state.status is Status.FAILED:
        if label != "bypass_checks":
            yield f"{label} failed, so the plan failed"
    elif isinstance(node, DeferredActions):
        why = _WHENS.get(plan.state.status, "")
        for batch in node.batches:
            yield from _ran(f"{label}{SEPARATOR}{batch.name}", [batch], why)


_WHENS = {
    Status.FAILED: "because the plan failed",
    Status.STOPPED: "because the plan was stopped",
}


def _block(label: str, block: Block) -> Iterator[str]:
    statuses = Counter(each.state.status for each in block.sequences)
    failed, halts = statuses[Status.FAILED], block.state.status is Status.FAILED
    if halts and 0 <= block.tolerance < failed:
        noun = parts_word(block, failed)
        yield f"{label} halted: {failed:,} {noun} failed where {block.tolerance:,} may"
    elif halts:
        groups = [name for name, each in labelled(block) if _failed_checks(each)]
        because = f", because {named(groups, _NAMED)} failed" if groups else ""
        yield f"{label} failed{because}"
    cut, never = statuses[Status.STOPPED], statuses[Status.NOT_STARTED]
    if cut:
        names = _names(block, Status.STOPPED)
        yield f"{cut:,} {parts_word(block, cut)} of {label} cut short: {names}"
    if never and block.state.status.is_terminal:
        names = _names(block, Status.NOT_STARTED)
        yield f"{never:,} {parts_word(block, never)} of {label} not begun: {names}"
    yield from _deferred(label, block)


def _failed_checks(node: Node | None) -> bool:
    return isinstance(node, Checks) and node.state.status is Status.FAILED


def _names(block: Block, status: Status) -> str:
    return named([each.name for each in _with(block.sequences, status)], _NAMED)


def _with(sequences: Iterable[PlanSequence], status: Status) -> list[PlanSequence]:
    return [each for each in sequences if each.state.status is status]


def _deferred(label: str, block: Block) -> Iterator[str]:
    """What the sequences' own deferred work did, each batch told once for all."""
    ran: dict[tuple[str, WhenDeferred], list[tuple[str, DeferBatch]]] = {}
    for sequence in block.sequences:
        deferred = sequence.deferred_actions
        for batch in () if deferred is None else deferred.batches:
            ran.setdefault((batch.name, batch.when), []).append((sequence.name, batch))
    for (name, when), batches in ran.items():
        if when not in _ON:
            continue
        begun = [(host, batch) for host, batch in batches if _was_begun(batch)]
        where = named([host for host, _ in begun], _NAMED) if begun else ""
        yield from _ran(
            f"{label}: {name}",
            [batch for _, batch in begun],
            f"on {where}, {_ON[when]}",
        )


_ON = {
    WhenDeferred.ON_FAILURE: "because it failed there",
    WhenDeferred.ON_UNDO: "to take it back",
}


def _was_begun(batch: DeferBatch) -> bool:
    return batch.state.status not in (Status.NOT_STARTED, Status.SKIPPED)


def _ran(what: str, batches: list[DeferBatch], why: str) -> Iterator[str]:
    """That deferred work ran, why, and what came of it."""
    begun = [batch for batch in batches if _was_begun(batch)]
    if not begun or not why:
        return
    counts = Counter(each.state.status for each in begun)
    came = ", ".join(
        status_words(status) if len(begun) == 1 else f"{count:,} {status_words(status)}"
        for status, count in counts.items()
    )
    yield f"{what} ran {why}: {came}"


def _never_begun(plan: Plan) -> Iterator[str]:
    """The parts that were not begun, and what kept them from it."""
    if not plan.state.status.is_terminal or plan.outcome is Outcome.COMPLETED:
        return
    bypass = plan.bypass_checks
    if bypass is not None and bypass.state.status is Status.COMPLETED:
        return
    names = [
        label
        for label, node in labelled(plan)
        if node is not None
        and node.state.status is Status.NOT_STARTED
        and not isinstance(node, DeferredActions)
    ]
    if names:
        were = "was" if len(names) == 1 else "were"
        yield f"{named(names, _NAMED)} {were} not begun{_because(plan)}"


def _because(plan: Plan) -> str:
    failed = [
        label
        for label, node in labelled(plan)
        if node is not None
        and node.state.status is Status.FAILED
        and label not in ("bypass_checks", "deferred_actions", "deferred_checks")
    ]
    if failed:
        return f", because {named(failed, _NAMED)} failed"
    stopped = plan.state.status is Status.STOPPED
    return ", because the plan was stopped" if stopped else ""
