"""Signals: small values that people send to an action, approvals among them (section 28).

Nothing is stored for a signal but the intervention: what was sent to an action is read off
the record, by whoever asks, as often as they ask. So a later attempt finds it, and a run
after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import attrs

from .._plan.paths import find, paths
from .._plan.plan import BaseAction, Block, Checks, DeferBatch, Node, Plan
from .._protocols.approval import APPROVAL, Approval, approval_of, person
from .._protocols.plugin import Signal
from .._values.interventions import Effect, Verb
from .._values.state import NoteValue, Status, WhenDeferred
from . import skipping
from .answers import Answer, refused, taken, too_late

LARGEST = 4_096
"""Bytes that a value may have: the record of a plan is read with the plan, whole."""


def sent(plan: Plan, action: BaseAction, path: str, name: str) -> list[Signal]:
    """What was sent to an action by a name, in order (SG-1).

    Args:
        plan: The plan.
        action: The action.
        path: Its address (OM-15).
        name: What the signals are called.
    """
    told = [
        each
        for each in plan.interventions
        if each.verb is Verb.SIGNAL
        and each.effect is Effect.TAKEN
        and each.path == path
        and each.data.get("name") == name
    ]
    gate = _gate_of(plan, action) if told else None
    since = None if gate is None else _latest_opened(gate)
    return [
        Signal(value=each.data.get("value"), by=each.by, at=each.at, reason=each.reason)
        for each in told
        if since is None or each.at > since
    ]


def _gate_of(plan: Plan, action: BaseAction) -> Block | None:
    """The block that asks the action before each of its batches; None: none does."""
    for block in plan.blocks:
        gate = block.batch_checks
        if gate is not None and any(each is action for each in gate.actions):
            return block
    return None


def _latest_opened(block: Block) -> datetime | None:
    """When the batch behind the latest open gate began; None: no gate has been opened.

    A signal opens one gate only (SG-1). No gate stands before the batch that is begun
    first, so what was sent before that batch is kept for the gate behind it.
    """
    begun: list[datetime] = []
    at = 0
    for size in block.batch_sizes:
        batch = block.sequences[at : at + size]
        started = [s.state.started for s in batch if s.state.started is not None]
        begun += [min(started)] if started else []
        at += size
    return begun[-1] if len(begun) > 1 else None


def signal(
    plan: Plan, path: str, data: Mapping[str, NoteValue], by: str
) -> Answer | None:
    """Take a signal to an action; None: the same was sent by the same person.

    Args:
        plan: The plan.
        path: The action's address.
        data: The signal's ``name`` and ``value``.
        by: Who sends it.

    Raises:
        PathError: The plan has no such object.
    """
    node = find(plan, path)
    if not isinstance(node, BaseAction):
        return refused("it is no action and no check, and only those hear signals")
    name, value = data.get("name"), data.get("value")
    if not isinstance(name, str) or not name.strip():
        return refused("the signal has no name")
    if isinstance(value, str | bytes) and len(value) > LARGEST:
        return refused(f"its value is longer than {LARGEST:,}: say where it is instead")
    approval = approval_of(node) if name == APPROVAL else None
    wrong = "" if approval is None else approval.refusal(by, plan.submitter)
    if wrong:
        return refused(wrong)
    over = _over(plan, node)
    if over:
        return too_late(over)
    before = sent(plan, node, path, name)
    if approval is not None:
        for each in before:
            if each.value is not True and value is True:
                return too_late(f"{each.by} has rejected it")
    same = {(each.value, _who(each.by, approval)) for each in before}
    return None if (value, _who(by, approval)) in same else taken()


def _who(by: str, approval: Approval | None) -> str:
    return by if approval is None else person(by)


def _over(plan: Plan, action: BaseAction) -> str:
    """Why the action hears no signal any more; "": it does, or will."""
    chain = skipping.chain_of(plan, action)
    status = action.state.status
    if status is Status.RUNNING:
        return ""
    group, owner = chain[-2], chain[-3]
    if status is Status.NOT_STARTED:
        if any(
            isinstance(each, DeferBatch) and each.when is WhenDeferred.ON_UNDO
            for each in chain
        ):
            return ""
        words = next(skipping.never_begun(plan, chain), "")
        return f"{words}: it is not begun any more" if words else ""
    again = status is Status.COMPLETED and _is_run_anew(group, owner)
    word = status.name.lower()
    return "" if again else f"it is {word}, and hears no signal any more"


def _is_run_anew(group: Node, owner: Node) -> bool:
    """Whether a check group that has passed will be run again."""
    if not isinstance(group, Checks) or not isinstance(owner, Plan | Block):
        return False
    if owner.state.status.is_terminal:
        return False
    if isinstance(owner, Block) and group is owner.batch_checks:
        return any(s.state.status is Status.NOT_STARTED for s in owner.sequences)
    return group is owner.cont_checks


# --- who is waited for ------------------------------------------------------------


@attrs.frozen
class Asked:
    """An approval that a plan asks for.

    Attributes:
        path: The action's address (OM-15).
        action: The action.
        approval: What is asked.
        approved: Who approved so far.
    """

    path: str
    action: BaseAction
    approval: Approval
    approved: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For whom it waits, in words."""
        return self.approval.words(self.approved)


def approvals(plan: Plan) -> Iterator[Asked]:
    """The approvals that have not ended, in walk order."""
    for path, item in paths(plan):
        action = item.node
        if isinstance(action, BaseAction) and not action.state.status.is_terminal:
            approval = approval_of(action)
            if approval is not None:
                found = sent(plan, action, path, APPROVAL)
                people = {person(e.by): e.by for e in found if e.value is True}
                yield Asked(path, action, approval, tuple(people.values()))
