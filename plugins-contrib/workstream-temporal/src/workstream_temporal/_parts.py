"""The part of a plan that one attempt needs, so that a history holds little of each.

It is a plan of its own, as the codec writes one: the action, before it the actions whose
responses its request waits for, and the signals that were sent to it. The worker has the
plugins: it makes the values of their types again, and gives the action its own id.

Of an action's attempts only the latest travels, with what all earlier ones remembered and
how many they were: so the thousandth attempt costs no more of a history than the third.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence as SequenceOf
from typing import Any
from uuid import UUID

import attrs
from temporalio.client import Client

from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes, row_of
from workstream._interpreter import signals
from workstream._plan.plan import Action, BaseAction, Block, CheckAction, Checks, Plan
from workstream._plan.plan import Sequence as Steps
from workstream._plan.walk import actions, give_ids, position_of
from workstream._protocols.vault import NodeRecord, StoredPlan
from workstream._values.interventions import Effect, Intervention, Verb
from workstream._values.state import Attempt, NoteValue

from ._forms import stored_form, stored_of
from ._limits.shelves import Load, Shelves, refilled, taken


@attrs.frozen
class Part:
    """What an attempt needs of its plan.

    Attributes:
        plan: The small plan.
        action: The action in it, which has its id in the whole plan.
        position: Its place in walk order of the whole plan.
    """

    plan: Plan
    action: BaseAction
    position: int


def part_form(
    codec: Codec,
    plan: Plan,
    action: BaseAction,
    *,
    attempts: SequenceOf[Attempt],
    sources: SequenceOf[BaseAction],
    told: tuple[Intervention, ...],
    shelves: Shelves,
) -> list[Any]:
    """The part of the plan that an attempt of the action needs, as plain data.

    Args:
        codec: The workflow's.
        plan: The whole plan.
        action: The action.
        attempts: Its attempts, as far as the worker is to know of them.
        sources: The actions that have responded what its request waits for.
        told: The signals that were sent to it.
        shelves: Where those responses are that are large.
    """
    assert plan.id is not None
    small = Plan(name=plan.name, description=plan.description, blocks=[])
    copies = [copy.copy(each) for each in (*sources, action)]
    looks = [each for each in copies if isinstance(each, CheckAction)]
    steps = [each for each in copies if isinstance(each, Action)]
    if looks:
        small.pre_checks = Checks(actions=looks)
    if steps:
        sequence = Steps(name="-", actions=steps)
        small.blocks = [Block(name="-", description="-", sequences=[sequence])]
    give_ids(small, plan.id)
    small.state, small.submitted = plan.state, plan.submitted
    small.interventions = told
    kept = [each for each in plan_changes(small, 0) if isinstance(each, NodeRecord)]
    borrowed: list[list[Any]] = []
    for source, each in zip(sources, copies, strict=False):
        record = codec.record_of(source)  # perhaps of no attempt: it was never begun
        kept.append(NodeRecord(position_of(each), min(record.attempt, 1), record.data))
        names = shelves.keyed.get(position_of(source))
        if names is not None:
            # Its latest attempt is the only one here.
            number = len(source.attempts)
            borrowed.append([position_of(each), position_of(source), number, names])
    place = position_of(copies[-1])
    kept += _latest(codec, copies[-1], attempts)
    stored = StoredPlan(
        row=row_of(small),
        definition=codec.encode_definition(small),
        records=tuple(sorted(kept, key=lambda each: (each.position, each.attempt))),
        position=0,
        lines={},
    )
    return [position_of(action), place, stored_form(stored), borrowed, len(attempts)]


def _latest(
    codec: Codec, action: BaseAction, attempts: SequenceOf[Attempt]
) -> list[NodeRecord]:
    """Records of two attempts at most: of all earlier ones together, and of the latest."""
    if not attempts:
        return []
    *earlier, latest = attempts
    action.attempts = []
    records: list[NodeRecord] = []
    if earlier:
        notes: dict[str, NoteValue] = {}
        for each in earlier:
            notes.update(each.notes)
        action.attempts.append(
            attrs.evolve(earlier[-1], response=None, error=None, notes=notes)
        )
        records.append(codec.record_of(action))
    action.attempts.append(latest)
    return [*records, codec.record_of(action)]


async def part_of(codec: Codec, client: Client, form: list[Any]) -> Part:
    """The part of this form. Raises PlanCorruptError: a request fits its plugin no more."""
    position, place, data, borrowed, number = form
    stored = stored_of(data)
    for at, source, number, names in borrowed:
        whole = [
            attrs.evolve(each, position=at, attempt=1)
            for load in await taken(client, stored.row.id, names)
            for each in load.records
            if (each.position, each.attempt) == (source, number)
        ]
        records = refilled(stored.records, [Load(whole)])
        stored = attrs.evolve(stored, records=records)
    plan = codec.load(stored)
    assert plan.id is not None
    action = next(each for each in actions(plan) if position_of(each) == place)
    action.id = UUID(int=plan.id.int + position)
    action.attempts[:0] = action.attempts[:1] * (number - len(action.attempts))
    return Part(plan, action, position)


def signals_to(plan: Plan, action: BaseAction, path: str) -> tuple[Intervention, ...]:
    """What counts of what was sent to an action of the plan, at this path (SG-1)."""
    told = [
        each
        for each in plan.interventions
        if each.verb is Verb.SIGNAL
        and each.effect is Effect.TAKEN
        and each.path == path
    ]
    names = {str(each.data.get("name")) for each in told}
    heard = {
        (name, one.by, one.at)
        for name in sorted(names)
        for one in signals.sent(plan, action, path, name)
    }
    return tuple(e for e in told if (e.data.get("name"), e.by, e.at) in heard)
