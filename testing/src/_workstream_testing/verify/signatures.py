"""What two moments of two runs have in common: the same future.

Why merging is sound
====================

The interpreter is a function of the stored tree, of the time, and of what the plugins do.
It never looks at a name or at a request: those only reach plugins, and in a trial the
plugins of two **alike** sequences (same plugins, timeouts, retries, deadlines, settings
and facts, whatever the host) do the same. So exchanging two alike sequences exchanges
them in all that follows, and changes nothing else. And the interpreter only looks at
differences of times, so a run that is moved in time is moved in all that follows.

A signature says everything else about a moment, with hosts left out:

- of each sequence that is on its way, in the order in which their latest calls began
  (that is the order in which they go on): its class, where it stands, how long ago its
  attempts began and ended, and what is going to go wrong with it;
- of those that ended without completing: how many of each class ended how;
- of those that were not begun: their classes, in order;
- every check, batch and container: its status, and when it began, counted from now.

Sequences that completed say nothing: nobody asks them any more, and they do no harm. So
two moments with the same signature have futures that differ in names alone, and every
rule, which counts hosts and does not name them, judges their ends alike. A function of
the end may look at names: with one, nothing is merged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime

from workstream._plan.plan import BaseAction, Block, Node, Plan
from workstream._plan.plan import Sequence as PlanSequence
from workstream._plan.walk import position_of, walk
from workstream._values.state import Status

from ..virtual.virtual_time import START
from .light_store import Kept
from .world import World

__all__ = ["Shape", "Signatures"]


class Shape:
    """The classes of a plan's sequences.

    Attributes:
        sequences: All sequences of blocks, in order.
        classes: The class of each, by the sequence's place in walk order.
        others: The objects that are in no sequence.
    """

    def __init__(self, plan: Plan, world: World, own: Container[str]) -> None:
        """Compare the sequences of a plan.

        Args:
            plan: The plan; it has its ids.
            world: What its actions do to the world.
            own: The plugins to which every request is one of its own.
        """
        self.sequences: list[PlanSequence] = []
        self.classes: dict[int, int] = {}
        self.others: list[Node] = []
        self.sequence_of: dict[int, PlanSequence] = {}
        self.block_of: dict[int, int] = {}
        known: dict[object, int] = {}
        for item in walk(plan):
            inside = next(
                (n for n in item.ancestors if isinstance(n, PlanSequence)), None
            )
            if isinstance(item.node, PlanSequence):
                sequence = item.node
                self.sequences.append(sequence)
                block = item.ancestors[-1]
                place = position_of(sequence)
                self.block_of[place] = position_of(block)
                forms = (_form(action, world, own) for action in sequence.actions)
                form = (position_of(block), *forms)
                self.classes[place] = known.setdefault(form, len(known))
            elif inside is not None:
                self.sequence_of[position_of(item.node)] = inside
            else:
                self.others.append(item.node)

    def touched(self) -> list[str]:
        """The sequences that began and did not complete."""
        return [
            sequence.name
            for sequence in self.sequences
            if sequence.state.status is not Status.COMPLETED
            and any(action.attempts for action in sequence.actions)
        ]

    def running(self) -> Iterable[Node]:
        """The actions that may be on their way."""
        for sequence in self.sequences:
            if sequence.state.status is Status.RUNNING:
                yield from sequence.actions
        yield from self.others


def _form(action: BaseAction, world: World, own: Container[str]) -> object:
    place = position_of(action)
    setting = world.settings.get(place)
    sets: object = None
    if setting is not None:
        facts = [(setting.subject, fact) for fact in setting.sets]
        shared = any(key in world.shared for key in facts)
        first = tuple(repr(world.first[key]) for key in facts)
        sets = (repr(setting.sets), setting.subject if shared else "", first)
    return (
        action.plugin,
        action.timeout,
        action.retries,
        action.deadline,
        getattr(action, "on_interrupt", None),
        type(action.request),
        place if action.plugin in own else None,
        sets,
    )


class Signatures:
    """The signatures of the moments of one run.

    Attributes:
        doomed: What is going to go wrong with actions, by their places.
    """

    def __init__(self, shape: Shape) -> None:
        """Begin with a plan of which nothing has begun."""
        self.doomed: dict[int, object] = {}
        self._shape = shape
        self._active: dict[int, PlanSequence] = {}
        self._harm: Counter[object] = Counter()

    def called(self, position: int) -> None:
        """A plugin is called."""
        sequence = self._shape.sequence_of.get(position)
        if sequence is not None:
            place = position_of(sequence)
            self._active.pop(place, None)
            self._active[place] = sequence

    def forget(self) -> None:
        """The engine died: the order of what goes on is that of the plan."""
        self._active = {
            position_of(s): s
            for s in self._shape.sequences
            if s.state.status is not Status.NOT_STARTED
        }
        self._harm = Counter()

    def of(self, time: float) -> object:
        """The signature of this moment."""
        classes = self._shape.classes
        on_the_way: list[object] = []
        for place, sequence in list(self._active.items()):
            status = sequence.state.status
            if status.is_terminal:
                del self._active[place]
                if status is not Status.COMPLETED:
                    self._harm[self._end_of(place, sequence)] += 1
            else:
                on_the_way.append((classes[place], *self._actions(sequence, time)))
        return (
            tuple(on_the_way),
            frozenset(self._harm.items()),
            self._waiting(),
            tuple(self._others(time)),
        )

    def _end_of(self, place: int, sequence: PlanSequence) -> object:
        ends = tuple((a.state.status, bool(a.attempts)) for a in sequence.actions)
        return (self._shape.classes[place], sequence.state.status, ends)

    def _actions(self, sequence: PlanSequence, time: float) -> Iterator[object]:
        for action in sequence.actions:
            if action.state.status is Status.RUNNING or action.attempts:
                place = position_of(action)
                yield (action.state.status, self.doomed.get(place))
                if action.state.status is Status.RUNNING:
                    yield self._ago(action.state.started, time)
                    for attempt in action.attempts:
                        yield (
                            self._ago(attempt.started, time),
                            self._ago(attempt.ended, time),
                            attempt.error is None,
                            attempt.interrupted,
                        )

    def _waiting(self) -> object:
        classes = self._shape.classes
        return tuple(
            classes[position_of(s)]
            for s in self._shape.sequences
            if s.state.status is Status.NOT_STARTED
        )

    def _others(self, time: float) -> Iterator[object]:
        for node in self._shape.others:
            status = node.state.status
            if status is Status.NOT_STARTED:
                continue
            place = position_of(node)
            yield (place, status, self.doomed.get(place))
            if isinstance(node, Plan):
                yield node.stopping
            elif isinstance(node, Block) and status.is_terminal:
                yield self._ago(node.state.ended, time)  # for its exit delay
            elif isinstance(node, BaseAction) and node.attempts:
                # Those of continuous checks are begun anew: when, counts.
                yield self._ago(node.attempts[-1].started, time)
                yield len(node.attempts)

    def stored(self, kept: Mapping[int, Kept]) -> Iterator[object]:
        """What is stored of what is on its way."""
        for sequence in self._active.values():
            for action in sequence.actions:
                found = kept.get(position_of(action))
                if found is not None:
                    last = found.last
                    yield (
                        found.state.status,
                        len(found.attempts),
                        last is None or last.ended is None,
                    )

    def _ago(self, moment: datetime | None, time: float) -> float | None:
        if moment is None:
            return None
        return round(time - (moment - START).total_seconds(), 6)
