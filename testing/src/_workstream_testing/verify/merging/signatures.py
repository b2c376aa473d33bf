"""What two moments of two runs have in common: the same future.

Why merging is sound
====================

A run is a deterministic program. What it does from a moment on is a function of what the
program has in memory at that moment, and of nothing else; and that is:

1. **The tree**: the statuses, attempts and times of the plan's objects.
2. **The loop**: which tasks are ready to run, *in which order*, and what is due later,
   *in which order*. Within one instant that is the whole difference between the first
   of ten calls and the last: nine tasks stand in the queue behind the first, none
   behind the last.
3. **Where each task stands**: its chain of suspended coroutines, each at one
   instruction, and the object that it works on. The interpreter keeps nothing else
   between two steps that the tree does not say: that is its first rule.
4. **What was stored**, if the engine may die: then the tree that was stored is all
   that is left, and tasks and queues begin anew from it.
5. **What the trial does**: which calls are going to fail, the facts, the broken rules.

A signature says all five of one moment, with four things left out, and for each of
them there is an argument why nobody in the program looks at it:

- **Names.** The interpreter never looks at a name or a request; both only reach plugins,
  and in a trial the plugins of two **alike** sequences (same plugins, timeouts, retries,
  deadlines, durations, settings, facts) do the same. So a sequence is told by its class,
  and by where it stands. Tasks are numbered in the order in which the queue shows them.
  So two moments have equal signatures exactly if a renaming of alike sequences, and of
  tasks, turns the one into the other; and then it turns every step that follows the one
  into a step that follows the other.
- **The past.** The program looks at dates only by their difference from now: a run that
  is moved in time is moved in all that follows. Of an attempt that runs, the queue says
  when it will end; what else a date could decide (a deadline, an exit delay) is said.
- **Sequences that completed.** Nobody asks them any more, and they do no harm. Of those
  that ended otherwise, how many of each class ended how is said, as tolerances count
  them. Of those that were not begun, their classes in order. Where somebody does ask, it
  is said: how sequences ended that may be taken back, or whose responses others need, one
  by one; the failures since the last success, where a block counts them in a row; and how
  long ago the latest one ended, where a batch waits after it.
- **Sequences that will never begin.** A block that has halted, or a plan that stops,
  begins no more sequences, not even after a crash. Of those that wait it only matters
  whether there are any; unless a rule counts such hosts.

Where a plan has parts of which this is not so, ``unmerged`` names them, and nothing of
the plan is merged. Every rule counts hosts and does not name them, so it judges the ends
of two such moments alike. A function of the end may look at names: with one, nothing is
merged.

A crash forgets the loop: what goes on is the stored tree, and the sequences that were
running take the slots in the plan's order. So the signature of a crash says no queue, and
of what runs it says the order in the plan. As long as a crash may still come, every
signature says that order as well.

A test holds this up against brute force: the end of every set of faults that was left
out is compared with the end of the set that stands for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workstream._interpreter import judgement, verdicts
from workstream._plan.plan import BaseAction, Block, Checks, Node, Plan
from workstream._plan.walk import position_of
from workstream._values.state import Status

from ...crashes.light_store import Kept
from ...virtual.loop import Loop
from ...virtual.tasks import Task
from ..faults import Budget
from ..world import Facts
from .numbering import Tasks, place_of
from .shapes import Line, Member, Shape

if TYPE_CHECKING:
    from ...simulation.simulated_runtime import SimulatedRuntime

_ANY = Budget(1_000_000, 1_000_000, 1_000_000)
"""A budget that no bound takes for small."""


class Signatures:
    """The signatures of the moments of one run."""

    def __init__(
        self,
        shape: Shape,
        budget: Budget,
        doomed: Mapping[int, object],
        facts: Facts,
        *,
        dies: bool,
    ) -> None:
        """Begin with a plan of which nothing has begun.

        Args:
            shape: The plan's.
            budget: How much may still go wrong.
            doomed: What goes wrong with actions, by their places.
            facts: The facts, as they are at each moment.
            dies: Whether the engine may die in the trials that are compared.
        """
        self._shape = shape
        self._budget = budget
        self._if_fails = budget.less(failures=1)
        self._if_dies = budget.less(crashes=1)
        self._doomed = doomed
        self._facts = facts
        self._dies = dies
        self._loop = Loop()  # nothing runs before the first life
        self._runtime: SimulatedRuntime
        self._owners: dict[Task, Member | int] = {}
        self._called: dict[Task, tuple[int, int]] = {}
        self._known: dict[Task, tuple[int, bool, int]] = {}
        self._active: dict[int, Member] = {}
        self._harm: Counter[object] = Counter()
        self._failed: Counter[int] = Counter()
        self._next = dict.fromkeys(shape.blocks, 0)

    def exact(self, doomed: Mapping[int, object]) -> Signatures:
        """The same, now, for a run in which only these things go wrong.

        It counts all sequences that wait, as it does not know what else may go wrong.
        """
        other = copy(self)
        other._doomed, other._known = doomed, {}
        other._budget = other._if_fails = other._if_dies = _ANY
        return other

    # --- what the run tells -----------------------------------------------------------

    def live(self, loop: Loop, runtime: SimulatedRuntime) -> None:
        """A life of the engine begins: tasks are new, and the tree is what was stored."""
        self._loop = loop
        self._runtime = runtime
        self._owners = {}
        self._called = {}
        self._known = {}
        self._active = {}
        self._harm = Counter()
        self._failed = Counter()
        self._next = dict.fromkeys(self._shape.blocks, 0)

    def note(self, entry: Any) -> None:
        """An object changes: the task that runs now works on it."""
        owner = self._shape.owners.get(id(entry[1]))
        if owner is not None:
            self._owners[self._loop.task] = owner

    def called(self, position: int) -> None:
        """A plugin is called by the task that runs now."""
        member = self._shape.member_of.get(position)
        self._owners[self._loop.task] = position if member is None else member
        if member is not None:
            number = len(member.action_at(position).attempts)
            self._called[self._loop.task] = (position, number)

    @property
    def first_owner(self) -> Member | int | None:
        """What the task that began first works on: the walk through the plan."""
        return self._owners.get(next(iter(self._loop.tasks)))

    @first_owner.setter
    def first_owner(self, owner: Member | int | None) -> None:
        if owner is not None:
            self._owners[next(iter(self._loop.tasks))] = owner

    def places(self) -> tuple[int, ...]:
        """The sequences on which the tasks work that run or are ready, in their order."""
        owners = map(self._owners.get, [self._loop.task, *self._loop.ready])
        return tuple(each.place for each in owners if isinstance(each, Member))

    # --- signatures -------------------------------------------------------------------

    def of_call(self, now: datetime) -> object:
        """The signature of the moment at which the running task calls a plugin."""
        self.look_for_ends()
        tasks = Tasks(self, now)
        tasks.running(self._loop.task)
        ready = [tasks.number(task) for task in self._loop.ready]
        due = [
            (time, kind, tasks.number(whose) if isinstance(whose, Task) else -1)
            for time, kind, whose in self._loop.due()
        ]
        waiting = [tasks.number(task) for task in self._runtime.waiting()]
        rest = [tasks.number(task) for task in self._loop.tasks]
        # After a crash: sequences that were running, and have not got their slots yet.
        left = tasks.left(self._active.values())
        order: list[int] = []
        if self._dies:
            # After a crash, those that run go on in the order of the plan.
            order = tasks.in_plan_order()
        return (
            tuple(tasks.said),
            tuple(ready),
            tuple(due),
            tuple(waiting),
            len(rest),
            tuple(self.standing(member, now) for member in left),
            self._runtime.stores_soon,
            tuple(order),
            self.tree(now),
        )

    def of_crash(self, now: datetime, kept: Mapping[int, Kept]) -> object:
        """The signature of what is left if the engine dies at this moment."""
        self.look_for_ends()
        members = self.running()
        return (
            tuple(self.standing(member, now) for member in members),
            tuple(self.stored(members, kept)),
            self.rest(now, kept),
        )

    def rest(self, now: datetime, kept: Mapping[int, Kept] | None = None) -> object:
        """All but what is on its way in sequences."""
        stored = (
            () if kept is None else tuple(self._stored_of(self._shape.others, kept))
        )
        budget = self._budget if kept is None else self._if_dies
        return (self._tree(now, budget), stored)

    def tree(self, now: datetime, *, fails: bool = False) -> object:
        """What both have: all but what is on its way.

        Args:
            now: When it is.
            fails: Whether the running task's call fails: then that is spent, and so
                fewer sequences that wait can make a difference.
        """
        return self._tree(now, self._if_fails if fails else self._budget)

    def _tree(self, now: datetime, budget: Budget) -> object:
        waiting = tuple(
            self._waiting(where, line, budget)
            for where, line in self._shape.blocks.items()
        )
        others = tuple(self._others(self._shape.others, now))
        lines = tuple(self._line(line, now) for line in self._shape.blocks.values())
        return (frozenset(self._harm.items()), waiting, others, lines)

    def _waiting(self, where: int, line: Line, budget: Budget) -> object:
        """Which sequences of a block were not begun, as far as that is looked at."""
        first = self._next[where]
        if line.forgets and self._is_over(where, line):
            return (first < len(line.members),)
        return line.rest(first, budget)

    def _is_over(self, where: int, line: Line) -> bool:
        """Whether no more of the block's sequences may begin, for good (Q-4)."""
        plan = self._shape.plan
        return (
            plan.stopping
            or judgement.exceeds_tolerance(line.block, plan, self._failed[where])
            or any(group.state.status is Status.FAILED for group in line.halting)
        )

    def _line(self, line: Line, now: datetime) -> object:
        """What a block still asks of sequences that ended."""
        block, plan = line.block, self._shape.plan
        rests: object = None
        if block.batch_delay:
            latest = judgement.latest_end(block)
            rests = None if latest is None else now - latest
        row: list[object] = []
        if block.max_consecutive_failures is not None:
            row.append(judgement.too_many_in_a_row(block, plan))
            found = map(judgement.verdict_of, block.sequences)
            for moment, ok in sorted((v for v in found if v is not None), reverse=True):
                row.append((moment == now, ok))
                if ok and moment < now:
                    break  # what was before this does not count any more
        last: list[object] = []
        if line.lasts:
            begun = line.members[: self._next[position_of(block)]]
            last += [
                (self._end_of(each), *self._others(each.deferred, now))
                for each in begun
                if each.lasts
            ]
        return (rests, tuple(row), tuple(last))

    def look_for_ends(self) -> None:
        """Find the sequences that have begun since, which they do in order; or ended."""
        for where, line in self._shape.blocks.items():
            number, members = self._next[where], line.members
            while number < len(members):
                member = members[number]
                if member.sequence.state.status is Status.NOT_STARTED:
                    break
                self._active[member.place] = member
                number += 1
            self._next[where] = number
        ended = [
            member
            for member in self._active.values()
            if member.sequence.state.status is not Status.RUNNING
        ]
        for member in ended:
            del self._active[member.place]
            if member.sequence.state.status is not Status.COMPLETED:
                self._harm[self._end_of(member)] += 1
            if member.sequence.state.status is Status.FAILED:
                self._failed[member.block] += 1

    def running(self) -> list[Member]:
        """The sequences that run, in the order of the plan."""
        return sorted(self._active.values(), key=place_of)

    def ends_of(self, member: Member) -> tuple[int, int]:
        """How many sequences of its block have failed, and how many are going to."""
        doomed = {
            own.place
            for place in self._doomed
            if (own := self._shape.member_of.get(place)) is not None
            and own.place in self._active
            and not own.action_at(place).state.status.is_terminal
        }
        return self._failed[member.block], len(doomed)

    def is_doomed(self, member: Member) -> bool:
        """Whether an action of a sequence is going to fail."""
        return any(
            member.place < place <= member.place + len(member.sequence.actions)
            and not member.action_at(place).state.status.is_terminal
            for place in self._doomed
        )

    def waits(self, task: Task, now: datetime) -> int:
        """What a task does that waits or is ready, and where it stands: a hash of it.

        That changes only when the task runs. It is told anew each time it parks, and
        each time it becomes ready: both are in what is compared here.
        """
        known = self._known.get(task)
        if known is not None and known[0] == task.ticket and known[1] is task.parked:
            return known[2]
        said = hash(self.task(task, now))
        if not self._shape.has_deadlines:
            self._known[task] = (task.ticket, task.parked, said)
        return said

    def task(self, task: Task, now: datetime) -> object:
        """What a task does, and where it stands."""
        owner = self._owners.get(task)
        doing: object = None
        if isinstance(owner, Member):
            if owner.sequence.state.status is Status.RUNNING:
                doing = self.standing(owner, now)
            elif owner.lasts:
                doing = owner.place  # it is taken back
        else:
            doing = owner
        chain: list[int] = [0 if task.error is None else 1]
        coroutine: Any = task.coroutine
        while coroutine is not None:
            frame = getattr(coroutine, "cr_frame", None)
            if frame is None:
                break
            chain.append(id(frame.f_code))
            chain.append(frame.f_lasti)
            coroutine = coroutine.cr_await
        return (doing, *chain)

    def is_to_call(self, task: Task, member: Member) -> bool:
        """Whether an attempt was recorded whose call is not made yet."""
        call = _open_call(member)
        return call is not None and self._called.get(task) != call

    def is_in_call(self, task: Task, member: Member) -> bool:
        """Whether a plugin is at work for the task."""
        call = _open_call(member)
        return call is not None and self._called.get(task) == call

    def owner(self, task: Task) -> Member | int | None:
        """The sequence, or the place of the object, that a task works on."""
        return self._owners.get(task)

    def standing(self, member: Member, now: datetime) -> object:
        """Where a sequence stands: all actions before the one that is next completed."""
        actions = member.sequence.actions
        number = len(actions)
        said: tuple[object, ...] = ()
        for number, action in enumerate(actions):
            if action.state.status is not Status.COMPLETED:
                place = member.place + 1 + number
                said = (action.state.status, *self._tried(action, place, now))
                break
        later = tuple(self._others(member.deferred, now)) if member.deferred else ()
        facts = tuple(self._facts[key] for key in member.facts)
        return (member.kind, number, said, later, facts)

    def _tried(
        self, action: BaseAction, place: int, now: datetime
    ) -> tuple[object, ...]:
        """The attempts of an action, and what is going to go wrong with it."""
        started = action.state.started
        age = None
        if action.deadline is not None and started is not None:
            age = now - started
        doomed, attempts = self._doomed.get(place), action.attempts
        if not attempts:
            return (doomed, age)
        last = attempts[-1]
        how = None if last.error is None else last.error.permanent
        # Of those before it, it is asked how many count; and which of them the
        # fault names is asked by the trial.
        number = verdicts.tries(action), 0 if doomed is None else len(attempts)
        return (doomed, age, last.ended is None, last.interrupted, how, *number)

    def _others(
        self, nodes: Iterable[tuple[int, Node]], now: datetime
    ) -> Iterator[object]:
        for number, (place, node) in enumerate(nodes):
            status = node.state.status
            if isinstance(node, BaseAction):
                if status is not Status.NOT_STARTED or place in self._doomed:
                    yield (number, status, *self._tried(node, place, now))
            elif status is Status.NOT_STARTED:
                continue
            elif isinstance(node, Plan):
                yield (number, status, node.stopping, bool(node.interventions))
            elif isinstance(node, Checks):
                yield (number, status, node.missed)
            elif isinstance(node, Block) and node.exit_delay and node.state.ended:
                yield (number, status, now - node.state.ended)
            else:
                yield (number, status)

    def stored(
        self, members: Iterable[Member], kept: Mapping[int, Kept]
    ) -> Iterator[object]:
        """What is stored of the actions that run."""
        for member in members:
            for number, action in enumerate(member.sequence.actions):
                if action.state.status is Status.RUNNING:
                    yield self._last_stored(kept, member.place + 1 + number)
            yield from self._stored_of(member.deferred, kept)

    def _stored_of(
        self, nodes: Iterable[tuple[int, Node]], kept: Mapping[int, Kept]
    ) -> Iterator[object]:
        for number, (place, node) in enumerate(nodes):
            if isinstance(node, BaseAction) and node.state.status is Status.RUNNING:
                yield (number, self._last_stored(kept, place))

    def _last_stored(self, kept: Mapping[int, Kept], place: int) -> object:
        found = kept.get(place)
        if found is None:
            return None
        last, attempts = found.last, found.attempts
        # As in what is said of attempts.
        number = (
            sum(not each.interrupted for each in attempts),
            len(attempts) if place in self._doomed else 0,
        )
        return (number, last is None or last.ended is None)

    def _end_of(self, member: Member) -> object:
        actions = member.sequence.actions
        ends = tuple((a.state.status, bool(a.attempts)) for a in actions)
        later = tuple(node.state.status for _, node in member.deferred)
        facts = tuple(self._facts[key] for key in member.facts)
        return (member.kind, member.sequence.state.status, ends, later, facts)


def _open_call(member: Member) -> tuple[int, int] | None:
    """The place and the number of the attempt that a sequence is at."""
    for number, action in enumerate(member.sequence.actions):
        if action.state.status is not Status.COMPLETED:
            last = action.final_attempt
            if last is None or last.ended is not None:
                return None
            return member.place + 1 + number, len(action.attempts)
    return None
