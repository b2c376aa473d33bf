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

One thing a signature does not say: which of the calls that begin at this very instant has
begun already. Where sequences come to a step at one instant, a fault in the first of them
counts as one in the last, although with ``HaltAfter.ACTION`` the first keeps the others
from their calls and the last does not. So what is merged may differ in the order of what
happens at one instant, and the worst of these orders may be one that was not tried.
What is reported was run, and is real. ``merge=False`` tries each by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime

import attrs

from workstream._flow.late import Late
from workstream._plan.plan import BaseAction, Block, Node, Percent, Plan
from workstream._plan.plan import Sequence as PlanSequence
from workstream._plan.walk import actions, position_of, walk
from workstream._values.state import OnFailure, Status

from ..crashes.light_store import Kept
from .faults import Budget
from .world import World


def unmerged(plan: Plan) -> Iterator[str]:
    """What of a plan a signature does not say, in words; nothing: it says all.

    The interpreter looks at it, so moments of such a plan are all told apart.
    """
    for block in plan.blocks:
        rules = {
            "its batches": block.batches,
            "no concurrency of its own": block.concurrency is None,
            "a limit of failures in a row": block.max_consecutive_failures is not None,
            "failures tolerated in percent": isinstance(
                block.tolerated_failures, Percent
            ),
            "sequences that may be taken back": any(
                sequence.undo_batches for sequence in block.sequences
            ),
        }
        yield from (
            f"block {block.name!r} has {what}" for what, has in rules.items() if has
        )
    looping = [(plan.name, plan.cont_checks)]
    looping += [(block.name, block.cont_checks) for block in plan.blocks]
    for name, group in looping:
        if group is not None and (
            group.failures_before_halt != 1 or group.on_failure is not OnFailure.HALT
        ):
            yield f"a failure of the continuous checks of {name!r} does not halt it"
    if any(isinstance(action.request, Late) for action in actions(plan)):
        yield "requests wait for the responses of other actions"


@attrs.frozen
class Member:
    """A sequence of a block, its place and its class; its deferred work with places."""

    place: int
    sequence: PlanSequence
    kind: int
    deferred: tuple[tuple[int, Node], ...] = ()


class Line:
    """The sequences of one block, in the order in which they begin.

    Attributes:
        members: The sequences.
        rests: What is left from each of them on: equal for equal classes.
        wave: How many begin at once.
        bound: Of how many waves that wait no more is counted, by how much may still go
            wrong; None: each is counted. See ``waves``.
    """

    def __init__(self, block: Node) -> None:
        """Begin a line."""
        assert isinstance(block, Block), "sequences are in blocks"
        self.members: list[Member] = []
        self.wave = block.slots(len(block.sequences))
        self.bound: Callable[[Budget], int] | None = None
        self._rests: list[int] | None = None

    def add(self, member: Member) -> None:
        """One more sequence."""
        self.members.append(member)

    def rest(self, first: int, budget: Budget) -> int:
        """What is left from a member on, as a number: equal for equal classes."""
        if self.bound is not None:
            left = len(self.members) - first
            most = self.bound(budget) * self.wave
            # What is over the bound counts in whole waves: the last one stays as full.
            return left if left <= most else most + (left - most) % self.wave
        if self._rests is None:
            known: dict[tuple[int, int], int] = {}
            after, rests = 0, [0]
            for member in reversed(self.members):
                after = known.setdefault((member.kind, after), len(known) + 1)
                rests.append(after)
            self._rests = rests[::-1]
        return self._rests[first]


class Shape:
    """The classes of a plan's sequences.

    Attributes:
        sequences: All sequences of blocks, in order.
        classes: The class of each, by the sequence's place in walk order.
        others: The objects that are in no sequence, with their places.
        member_of: The sequence that an action is in, by the action's place.
        blocks: The sequences of each block, by the block's place.
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
        self.others: list[tuple[int, Node]] = []
        self.member_of: dict[int, Member] = {}
        self.blocks: dict[int, Line] = {}
        known: dict[object, int] = {}
        members: dict[int, Member] = {}
        for item in walk(plan):
            inside = next(
                (n for n in item.ancestors if isinstance(n, PlanSequence)), None
            )
            if isinstance(item.node, PlanSequence):
                sequence = item.node
                self.sequences.append(sequence)
                block = item.ancestors[-1]
                where = position_of(block)
                place = position_of(sequence)
                later = tuple(_deferred_of(sequence))
                forms = [_form(action, world, own) for action in sequence.actions]
                forms += [_later_form(node, world, own) for _, node in later]
                kind = known.setdefault((where, *forms), len(known))
                self.classes[place] = kind
                line = self.blocks.setdefault(where, Line(block))
                members[place] = Member(place, sequence, kind, later)
                line.add(members[place])
            elif inside is not None:
                self.member_of[position_of(item.node)] = members[position_of(inside)]
            else:
                self.others.append((position_of(item.node), item.node))

    def touched(self) -> list[str]:
        """The sequences that began, did not complete, and were not cleaned up."""
        return [each.name for each in touched_in(self.sequences)]

    def running(self) -> Iterable[Node]:
        """The actions that may be on their way."""
        for sequence in self.sequences:
            if sequence.state.status is Status.RUNNING:
                yield from sequence.actions
                yield from (node for _, node in _deferred_of(sequence))
        yield from (node for _, node in self.others)


def touched_in(sequences: Iterable[PlanSequence]) -> Iterator[PlanSequence]:
    """Those that began, did not complete, and were not cleaned up."""
    for sequence in sequences:
        if (
            sequence.state.status is not Status.COMPLETED
            and any(action.attempts for action in sequence.actions)
            and not is_cleaned_up(sequence)
        ):
            yield sequence


def is_cleaned_up(sequence: PlanSequence) -> bool:
    """Whether its own deferred work was done (SD-1)."""
    deferred = sequence.deferred_actions
    return (
        deferred is not None
        and deferred.state.status is Status.COMPLETED
        and any(b.state.status is Status.COMPLETED for b in deferred.batches)
    )


def _deferred_of(sequence: PlanSequence) -> Iterator[tuple[int, Node]]:
    deferred = sequence.deferred_actions
    if deferred is not None:
        yield position_of(deferred), deferred
        for batch in deferred.batches:
            yield position_of(batch), batch
            for action in batch.actions:
                yield position_of(action), action


def _later_form(node: Node, world: World, own: Container[str]) -> object:
    if isinstance(node, BaseAction):
        return _form(node, world, own)
    return (
        type(node),
        getattr(node, "when", None),
        getattr(node, "fail_element", None),
    )


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

    def __init__(self, shape: Shape, budget: Budget) -> None:
        """Begin with a plan of which nothing has begun.

        Args:
            shape: The plan's.
            budget: How much may still go wrong.
        """
        self.doomed: dict[int, object] = {}
        self._shape = shape
        self._budget = budget
        self._active: dict[int, Member] = {}
        self._harm: Counter[object] = Counter()
        self._next = dict.fromkeys(shape.blocks, 0)

    def called(self, position: int) -> None:
        """A plugin is called: its sequence is the last to go on."""
        member = self._shape.member_of.get(position)
        if member is not None:
            self._begun()
            self._active.pop(member.place, None)
            self._active[member.place] = member

    def forget(self) -> None:
        """The engine died: the order of what goes on is that of the plan."""
        self._active = {}
        self._harm = Counter()
        self._next = dict.fromkeys(self._shape.blocks, 0)
        self._begun()

    def _begun(self) -> None:
        """Find the sequences that have begun since: they do so in order."""
        for where, line in self._shape.blocks.items():
            number, members = self._next[where], line.members
            while number < len(members):
                member = members[number]
                if member.sequence.state.status is Status.NOT_STARTED:
                    break
                self._active[member.place] = member
                number += 1
            self._next[where] = number

    def of(self, now: datetime) -> object:
        """The signature of this moment."""
        self._begun()
        on_the_way: list[object] = []
        ended: list[int] = []
        for place, member in self._active.items():
            status = member.sequence.state.status
            if status is Status.RUNNING:
                standing = self._standing(member, now)
                if member.deferred:
                    standing = (standing, *self._others(member.deferred, now))
                on_the_way.append(standing)
            else:
                ended.append(place)
                if status is not Status.COMPLETED:
                    self._harm[_end_of(member)] += 1
        for place in ended:
            del self._active[place]
        waiting = tuple(
            line.rest(self._next[where], self._budget)
            for where, line in self._shape.blocks.items()
        )
        return (
            tuple(on_the_way),
            frozenset(self._harm.items()),
            waiting,
            tuple(self._others(self._shape.others, now)),
        )

    def _standing(self, member: Member, now: datetime) -> object:
        """Where a sequence stands: all actions before the one that runs completed."""
        for number, action in enumerate(member.sequence.actions):
            state = action.state
            if state.status is not Status.COMPLETED:
                place = member.place + 1 + number
                if state.status is not Status.RUNNING or state.started is None:
                    return (member.kind, number, self.doomed.get(place))
                attempts = [
                    (
                        now - each.started,
                        None if each.ended is None else now - each.ended,
                        each.error is None,
                        each.interrupted,
                    )
                    for each in action.attempts
                ]
                return (
                    member.kind,
                    number,
                    self.doomed.get(place),
                    now - state.started,
                    *attempts,
                )
        return (member.kind, len(member.sequence.actions))

    def _others(
        self, nodes: Iterable[tuple[int, Node]], now: datetime
    ) -> Iterator[object]:
        for number, (place, node) in enumerate(nodes):
            status = node.state.status
            if status is Status.NOT_STARTED:
                continue
            yield (number, status, self.doomed.get(place))
            if isinstance(node, Plan):
                yield node.stopping
            elif isinstance(node, Block):
                if node.state.ended is not None:
                    yield now - node.state.ended  # for its exit delay
            elif isinstance(node, BaseAction) and node.attempts:
                # Those of continuous checks are begun anew: when, counts.
                last = node.attempts[-1]
                yield now - last.started
                yield None if last.ended is None else now - last.ended
                yield len(node.attempts)

    def stored(self, kept: Mapping[int, Kept]) -> Iterator[object]:
        """What is stored of the actions that run."""
        for member in self._active.values():
            for number, action in enumerate(member.sequence.actions):
                if action.state.status is Status.RUNNING:
                    yield _last_stored(kept.get(member.place + 1 + number))
            yield from _stored_of(member.deferred, kept)
        yield from _stored_of(self._shape.others, kept)


def _stored_of(
    nodes: Iterable[tuple[int, Node]], kept: Mapping[int, Kept]
) -> Iterator[object]:
    for number, (place, node) in enumerate(nodes):
        if isinstance(node, BaseAction) and node.state.status is Status.RUNNING:
            yield (number, _last_stored(kept.get(place)))


def _last_stored(found: Kept | None) -> object:
    if found is None:
        return None
    last = found.last
    return (len(found.attempts), last is None or last.ended is None)


def _end_of(member: Member) -> object:
    actions = member.sequence.actions
    ends = tuple((a.state.status, bool(a.attempts)) for a in actions)
    later = tuple(node.state.status for _, node in member.deferred)
    return (member.kind, member.sequence.state.status, ends, later)
