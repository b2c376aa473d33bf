"""Which sequences of a plan are alike: the classes that signatures are made of."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping

import attrs

from workstream._interpreter import judgement
from workstream._plan.plan import BaseAction, Block, Node, Plan
from workstream._plan.plan import Sequence as PlanSequence
from workstream._plan.walk import actions, position_of, walk
from workstream._secrets.references import needed_keys
from workstream._values.state import OnFailure, Status

from ..faults import Budget
from ..world import World


def unmerged(plan: Plan) -> Iterator[str]:
    """What of a plan a signature does not say, in words; nothing: it says all.

    The interpreter looks at it, so moments of such a plan are all told apart.
    """
    groups = [(plan.name, plan.cont_checks)]
    groups += [(block.name, block.cont_checks) for block in plan.blocks]
    for name, group in groups:
        if group is not None and group.on_failure is not OnFailure.HALT:
            yield f"a failure of the continuous checks of {name!r} does not halt it"


@attrs.frozen(eq=False)
class Member:
    """A sequence of a block.

    Attributes:
        place: Its place in walk order; its actions follow it.
        sequence: The sequence.
        kind: Its class.
        block: The place of its block.
        deferred: Its deferred work, with places.
        facts: What its actions alone set.
        lasts: Whether its end makes a difference later, also if it completed: it may be
            taken back, or others wait for a response of one of its actions.
    """

    place: int
    sequence: PlanSequence
    kind: int
    block: int
    deferred: tuple[tuple[int, Node], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    lasts: bool = False

    def action_at(self, place: int) -> BaseAction:
        """The action, be it of its deferred work, at a place in walk order."""
        number = place - self.place - 1
        if number < len(self.sequence.actions):
            return self.sequence.actions[number]
        return next(
            node
            for where, node in self.deferred
            if where == place and isinstance(node, BaseAction)
        )


class Line:
    """The sequences of one block, in the order in which they begin.

    Attributes:
        block: The block.
        members: The sequences.
        rests: What is left from each of them on: equal for equal classes.
        lasts: Whether the end of any of them makes a difference later.
        wave: How many begin at once.
        halting: The checks whose failure halts the block.
        forgets: Whether no rule counts hosts that were never begun: how many they are
            makes no difference once no more may begin.
        bound: Of how many waves that wait no more is counted, by how much may still go
            wrong; None: each is counted. See ``waves``.
    """

    def __init__(self, block: Node, plan: Plan) -> None:
        """Begin a line."""
        assert isinstance(block, Block), "sequences are in blocks"
        self.block = block
        self.members: list[Member] = []
        self.lasts = False
        self.halting = judgement.halting_groups(block, plan)
        self.forgets = False
        self.wave = block.slots(len(block.sequences))
        self.bound: Callable[[Budget], int] | None = None
        self._rests: list[int] | None = None

    def add(self, member: Member) -> None:
        """One more sequence."""
        self.members.append(member)
        self.lasts = self.lasts or member.lasts

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
        plan: The plan.
        has_deadlines: Whether the age of an action makes a difference.
        sequences: All sequences of blocks, in order.
        classes: The class of each, by the sequence's place in walk order.
        others: The objects that are in no sequence, with their places.
        member_of: The sequence that an action is in, by the action's place.
        blocks: The sequences of each block, by the block's place.
        owners: Whose every object is: its sequence, or its own place; by its ``id()``.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        own: Container[str],
        takes: Mapping[int, float],
    ) -> None:
        """Compare the sequences of a plan.

        Args:
            plan: The plan; it has its ids.
            world: What its actions do to the world.
            own: The plugins to which every request is one of its own.
            takes: How long actions take, by their places.
        """
        self.plan = plan
        self.has_deadlines = any(a.deadline is not None for a in actions(plan))
        self.sequences: list[PlanSequence] = []
        self.classes: dict[int, int] = {}
        self.others: list[tuple[int, Node]] = []
        self.member_of: dict[int, Member] = {}
        self.blocks: dict[int, Line] = {}
        self.owners: dict[int, Member | int] = {}
        known: dict[object, int] = {}
        members: dict[int, Member] = {}
        needed = {key for each in actions(plan) for key in needed_keys(each.request)}
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
                nodes = [*sequence.actions, *(node for _, node in later)]
                forms = [_form(node, world, own, takes, needed) for node in nodes]
                kind = known.setdefault((where, *forms), len(known))
                self.classes[place] = kind
                line = self.blocks.setdefault(where, Line(block, plan))
                facts = tuple(_facts_of(nodes, world))
                lasts = bool(sequence.undo_batches) or any(
                    isinstance(node, BaseAction) and node.key in needed
                    for node in nodes
                )
                member = Member(place, sequence, kind, where, later, facts, lasts)
                members[place] = self.owners[id(sequence)] = member
                line.add(member)
            elif inside is not None:
                member = members[position_of(inside)]
                self.member_of[position_of(item.node)] = member
                self.owners[id(item.node)] = member
            else:
                self.others.append((position_of(item.node), item.node))
                self.owners[id(item.node)] = position_of(item.node)

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


def _facts_of(nodes: Iterable[Node], world: World) -> Iterator[tuple[str, str]]:
    for node in nodes:
        setting = world.settings.get(position_of(node))
        if setting is not None:
            keys = [(setting.subject, fact) for fact in setting.sets]
            yield from (key for key in keys if key not in world.shared)


def _form(
    node: Node,
    world: World,
    own: Container[str],
    takes: Mapping[int, float],
    needed: Container[str | None],
) -> object:
    if not isinstance(node, BaseAction):
        when = getattr(node, "when", None)
        return (type(node), when, getattr(node, "fail_element", None))
    place = position_of(node)
    # Whom others wait for, and who waits for others, is nobody's like.
    is_own = node.plugin in own or node.key in needed or any(needed_keys(node.request))
    setting = world.settings.get(place)
    sets: object = None
    if setting is not None:
        facts = [(setting.subject, fact) for fact in setting.sets]
        shared = any(key in world.shared for key in facts)
        first = tuple(repr(world.first[key]) for key in facts)
        sets = (repr(setting.sets), setting.subject if shared else "", first)
    return (
        node.plugin,
        node.timeout,
        node.retries,
        node.deadline,
        getattr(node, "on_interrupt", None),
        type(node.request),
        place if is_own else None,
        takes[place],
        sets,
    )
