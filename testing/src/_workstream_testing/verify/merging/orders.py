"""When the order of one instant makes no difference, and what is left of it where it does.

Why that is sound
=================

At one instant ten hosts come to their next step, one after the other. Nothing but their
order tells them apart, and it costs a search dearly: ten places for the first fault, times
ten for the second. So we ask who *looks* at the order.

**Steps of two hosts commute.** In one instant a slot notes how its call ended, asks whether
it may go on, and begins the next action, or ends its sequence and draws another. It writes
to its own sequence, and it shares three things with the other slots of its block:

- *The sequences that wait.* Each slot takes the first. Which one it gets is a name.
- *The commit.* It is one task; slots before it are in this write, the others in the next.
- *Whether the block has halted.* Slots ask it, and a failure may change the answer.

So two neighbours in a queue may change places, and nothing that follows differs but in
names, unless one of them is *pinned*: a task that is no slot (such as the commit), or a slot
whose failure can halt the block. Slots between two pinned tasks are a set and no row. That
is what partial order reduction calls a trace, and ``Orders`` writes down its normal form: of
each queue the pinned tasks in their order, and of every other task what it does, and between
which pinned ones it stands, in each queue. The order of the plan is one more queue where the
engine may die: then it is in that order that slots are taken again.

Who is pinned depends on what may still fail:

========  ==============================================================================
form      when
========  ==============================================================================
FREE      the block has halted; or it tolerates all that failed, is going to fail, and
          may be made to fail. Nobody's failure changes the answer, so nobody is pinned.
PINNED    nothing more may be made to fail, and what is going to fail may halt the
          block: those slots are pinned.
EXACT     more may be made to fail, and that may halt the block. Each slot may be the
          one, so all are pinned: queues are what they are.
========  ==============================================================================

With fewer failures left a form never becomes finer, and a crash changes no form. So two
moments of one form have one future, step by step, whatever else goes wrong.

**A call is chosen, not timed.** A fault does nothing until its call has taken its time. So
it is the same to doom a call at its moment, or when the instant is over: an instant has one
signature, and a moment in it is this signature and *which* call. In a free form any of the
calls that are alike will do. In a pinned form the call that is doomed becomes pinned: then
it also counts who stands before it, in the queue and in the plan, which is who called
before it. In an exact form the number of the call says it all.

**The ends of a row stand for the row.** A row is calls of one instant that are alike, next
to each other in the queue and in the plan. Of a row it is enough to try the first calls and
the last ones, as many of each as faults are left (``Instants.is_amid``). The ends of the
others are not the same; but none is worse. For at most one failure halts the block. Call
its host H, and a call in the midst of a row that fails X.

- *X is not H's.* Then X changes places with its neighbour, as both commute, and again,
  away from H, until it is at an end of its row, or next to others that failed and went
  there before it. The run has the same end but for names.
- *X is H's.* What becomes of a neighbour depends on whether it stands before H or behind
  it, and of all neighbours alike in the same way: it goes one step further or not, and
  draws one more sequence or not, as long as there are any. So with each place that X moves
  on, each count of hosts grows, or shrinks, or stays, in the same direction, until no
  sequence is left to draw. Harm is a sum of such counts and of what they are over a bound,
  and no such sum is largest in the midst of a row only: the row's end that X moves towards
  is as bad, or the other one is. Hosts of the row that fail later are moved out of X's way
  first; they are why as many calls count at each end as faults are left.

That is only so as rules count hosts at the end. It is not so of rules that hold all the
time, and where there is one, nothing is left aside.

All this needs slots that share nothing else: ``sharing`` tells what they share in a plan in
which they do, and then every queue is said as it is.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import attrs

from workstream._interpreter import judgement
from workstream._plan.plan import Block, Plan
from workstream._plan.walk import actions

from ...virtual.tasks import Task

Said: TypeAlias = Any
Place: TypeAlias = tuple[int, int]
"""In which queue something stands, and behind how many pinned ones."""


class Form(enum.IntEnum):
    """How much of the order of an instant makes a difference."""

    FREE = 0
    PINNED = 1
    EXACT = 2


def sharing(plan: Plan) -> Iterator[str]:
    """What slots of a plan share beside sequences, commits and halts; nothing: nothing."""
    if plan.cont_checks is not None:
        yield f"continuous checks of {plan.name!r}"
    for block in plan.blocks:
        if block.cont_checks is not None:
            yield f"continuous checks of {block.name!r}"
        if block.batches or block.batch_checks is not None:
            yield f"batches of {block.name!r}"
        if block.max_consecutive_failures is not None:
            yield f"failures in a row of {block.name!r}"
        if any(each.deferred_actions is not None for each in block.sequences):
            yield f"deferred work in {block.name!r}"
    if any(each.deadline is not None for each in actions(plan)):
        yield "deadlines"


def form_of(block: Block, plan: Plan, failed: int, doomed: int, choices: int) -> Form:
    """How much of the order makes a difference in a block.

    Args:
        block: The block.
        plan: The plan.
        failed: How many of the block's sequences have failed.
        doomed: How many of those that run are going to fail.
        choices: How many more may be made to fail.
    """
    if judgement.exceeds_tolerance(block, plan, failed):
        return Form.FREE
    if not judgement.exceeds_tolerance(block, plan, failed + doomed + choices):
        return Form.FREE
    return Form.EXACT if choices else Form.PINNED


@attrs.define(eq=False)
class Item:
    """Something that stands in queues.

    Attributes:
        said: What it does.
        pinned: Whether nobody may pass it.
        places: Where it stands.
        number: Its number in the plan's order; -1: that makes no difference.
    """

    said: Said
    pinned: bool
    places: list[Place] = attrs.Factory(list[Place])
    number: int = -1

    @property
    def form(self) -> Said:
        """What it does, and where it stands."""
        return (self.said, *self.places)


class Orders:
    """The normal form of the queues of one moment."""

    def __init__(self) -> None:
        self._items: dict[object, Item] = {}
        self._numbers: dict[int, int] = {}
        self._queues: list[Said] = []

    def item(self, key: object) -> Item | None:
        """What is known by this key."""
        return self._items.get(key)

    def add(self, key: object, item: Item) -> None:
        """Know something by a key."""
        self._items[key] = item

    def queue(self, name: Said, keys: Iterable[object]) -> None:
        """Say a queue: those that are pinned, in their order, and who is between them."""
        number = len(self._queues)
        row: list[int] = []
        for key in keys:
            item = self._items[key]
            if item.pinned:
                row.append(self._numbers.setdefault(id(item), len(self._numbers)))
            else:
                item.places.append((number, len(row)))
        self._queues.append((name, *row))

    def said(self) -> Said:
        """All of it."""
        pinned = [item for item in self._items.values() if item.pinned]
        pinned.sort(key=lambda item: self._numbers.get(id(item), len(self._numbers)))
        others = [hash(item.form) for item in self._items.values() if not item.pinned]
        return (
            tuple(self._queues),
            tuple(item.said for item in pinned),
            tuple(sorted(others)),
        )

    def number(self, keys: Iterable[object]) -> None:
        """Number those that stand in the plan's order."""
        for number, key in enumerate(keys):
            self._items[key].number = number

    def before(self, mine: Item, called: set[Task]) -> Said:
        """Who stands before one that becomes pinned, in the queue and in the plan.

        Args:
            mine: The one.
            called: Who called before it in this instant.
        """
        return tuple(
            sorted(
                hash(
                    (
                        item.form,
                        self._numbers.get(id(item)),
                        key in called,
                        item.number < mine.number,
                    )
                )
                for key, item in self._items.items()
                if item is not mine
            )
        )
