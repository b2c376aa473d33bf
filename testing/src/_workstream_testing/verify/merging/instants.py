"""The signature of an instant, and of the moments in it; ``orders`` says why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from ...crashes.light_store import Kept
from ...virtual.loop import Loop
from ...virtual.tasks import Task
from .orders import Form, Item, Orders, form_of
from .shapes import Member, Shape
from .signatures import Signatures

if TYPE_CHECKING:
    from ...simulation.simulated_runtime import SimulatedRuntime

CALLS = "calls"
"""What a slot does whose attempt is stored: it makes the call in this instant."""
CALLED = "called"
"""What a slot does whose plugin is at work. Of both it is only the action that counts,
and not how the slot came to it: an attempt that is made leaves no trace but the tree."""


class Instants:
    """The signatures of the moments of one run, by their instants."""

    def __init__(
        self, signatures: Signatures, shape: Shape, choices: int, *, dies: bool
    ) -> None:
        """Begin with a run.

        Args:
            signatures: Says what each task does.
            shape: The plan's.
            choices: How many more calls may be made to fail.
            dies: Whether the engine may die in the trials that are compared.
        """
        self._signatures = signatures
        self._shape = shape
        self._choices = choices
        self._dies = dies
        self._loop = Loop()
        self._runtime: SimulatedRuntime
        self._time = math.nan
        self._called: set[Task] = set()
        self._made: dict[Form, tuple[Orders, int, int, int]] = {}
        self._number = 0
        self._rows: dict[Task, int] | None = None

    def live(self, loop: Loop, runtime: SimulatedRuntime) -> None:
        """A life of the engine begins."""
        self._loop, self._runtime = loop, runtime
        self._time = math.nan

    def called(self, time: float) -> None:
        """The task that runs calls a plugin."""
        if time != self._time:
            self._time = time
            self._called = set()
            self.forget()
        self._called.add(self._loop.task)
        self._number += 1

    def forget(self) -> None:
        """A fault has struck: what was said of this instant is no longer so."""
        self._made = {}
        self._rows = None

    # --- signatures -------------------------------------------------------------------

    def of_state(self, member: Member, now: datetime) -> object:
        """The signature of the instant, at its first call: of all that follows."""
        form = self._form(member, 0)
        _, said, first = self._orders(form, now, fails=False)
        return (form, said, self._number - first)

    def of_failure(self, member: Member, now: datetime) -> object:
        """The signature of the moment at which the running task's call will fail."""
        form = self._form(member, 1)
        orders, said, first = self._orders(form, now, fails=True)
        if form is Form.EXACT:
            return (form, said, self._number - first)
        task = self._loop.task
        item = orders.item(task)
        if item is None:  # it began in this instant, after the signature was made
            return (form, None, self._signatures.of_call(now))
        if form is Form.FREE:
            return (form, said, item.form)
        return (form, said, item.form, orders.before(item, self._called))

    def is_amid(self, now: datetime) -> bool:
        """Whether the running task calls in the midst of a row of calls that are alike.

        Those at its ends stand for it: as many of them as may still be made to fail.
        """
        if self._rows is None:
            self._rows = self._row_ends(now)
        return self._rows.get(self._loop.task, 0) > self._choices

    def _row_ends(self, now: datetime) -> dict[Task, int]:
        """How far each task that is to call is from the end of its row, from 1 on."""
        signatures = self._signatures
        signatures.look_for_ends()
        order = {each.place: n for n, each in enumerate(signatures.running())}
        ends: dict[Task, int] = {}
        row: list[Task] = []
        last: object = None
        for task in [self._loop.task, *self._loop.ready, None]:
            owner = None if task is None else signatures.owner(task)
            says: object = None
            if task is not None and isinstance(owner, Member):
                calls = task is self._loop.task or signatures.is_to_call(task, owner)
                if calls and owner.place in order:
                    number = order[owner.place]
                    says = (signatures.standing(owner, now), number)
                    if row and last == (says[0], number - 1):
                        row.append(task)
                        last = says
                        continue
            for number, each in enumerate(row):
                ends[each] = 1 + min(number, len(row) - 1 - number)
            row = [task] if task is not None and says is not None else []
            last = says
        return ends

    def of_crash(self, now: datetime, kept: Mapping[int, Kept]) -> object:
        """The signature of what is left if the engine dies now."""
        signatures = self._signatures
        signatures.look_for_ends()
        running = signatures.running()
        if not running:
            return signatures.of_crash(now, kept)
        form = self._form(running[0], 0)
        if form is Form.EXACT:
            return (form, signatures.of_crash(now, kept))
        orders = Orders()
        for each in running:
            stored = tuple(signatures.stored([each], kept))
            said = (signatures.standing(each, now), stored)
            pinned = form is Form.PINNED and signatures.is_doomed(each)
            orders.add(each, Item(said, pinned))
        orders.queue("plan", running)
        return (form, orders.said(), signatures.rest(now, kept))

    def _form(self, member: Member, more: int) -> Form:
        """Which form says all, if so many more failures are certain."""
        signatures = self._signatures
        signatures.look_for_ends()
        failed, doomed = signatures.ends_of(member)
        block = self._shape.blocks[member.block].block
        choices = self._choices - more
        return form_of(block, self._shape.plan, failed, doomed + more, choices)

    def _orders(
        self, form: Form, now: datetime, *, fails: bool
    ) -> tuple[Orders, int, int]:
        """The queues of one moment of this instant, what they say, and at which call."""
        made = self._made.get(form)
        if made is None:
            orders = self._queues(form, now)
            rest = (len(list(self._loop.tasks)), self._runtime.stores_soon)
            said = (orders.said(), rest)
            trees = [self._signatures.tree(now, fails=each) for each in (False, True)]
            one, two = (hash((said, tree)) for tree in trees)
            made = self._made[form] = (orders, one, two, self._number)
        return made[0], made[2] if fails else made[1], made[3]

    def _queues(self, form: Form, now: datetime) -> Orders:
        """The queues of this moment, in a normal form."""
        signatures, loop = self._signatures, self._loop
        orders = Orders()
        tasks: dict[int, object] = {}

        def queue(name: object, several: Iterable[object]) -> None:
            keys = list(several)
            for key in keys:
                self._tell(key, form, now, orders, tasks)
            orders.queue(name, keys)

        queue("ready", [loop.task, *loop.ready])
        queue("waiting", self._runtime.waiting())
        due: dict[tuple[float, int], list[object]] = {}
        for time, kind, whose in loop.due():
            due.setdefault((time, kind), []).append(whose)
        for when, several in due.items():
            queue(when, several)
        for task in loop.tasks:
            self._tell(task, form, now, orders, tasks)
        plan: list[object] = []
        for member in signatures.running():
            key = tasks.get(member.place)
            if key is None:  # after a crash: it has not got its slot yet
                key = member
                pinned = self._is_pinned(member, form)
                orders.add(key, Item((None, signatures.standing(member, now)), pinned))
                plan.append(key)
            elif self._dies:
                plan.append(key)
        orders.queue("plan", plan)
        orders.number(plan)
        return orders

    def _tell(
        self,
        task: object,
        form: Form,
        now: datetime,
        orders: Orders,
        tasks: dict[int, object],
    ) -> None:
        """Say what a task does, and whose it is."""
        if orders.item(task) is not None:
            return
        signatures = self._signatures
        if not isinstance(task, Task):
            orders.add(task, Item(None, pinned=True))  # something that is due
            return
        owner = signatures.owner(task)
        if not isinstance(owner, Member):
            orders.add(task, Item(signatures.waits(task, now), pinned=True))
            return
        tasks[owner.place] = task
        pinned = self._is_pinned(owner, form)
        if task is self._loop.task or signatures.is_to_call(task, owner):
            said: object = (CALLS, signatures.standing(owner, now))
        elif task.parked and signatures.is_in_call(task, owner):
            said = (CALLED, signatures.standing(owner, now))
        else:
            said = signatures.waits(task, now)
        orders.add(task, Item(said, pinned))

    def _is_pinned(self, member: Member, form: Form) -> bool:
        if form is Form.PINNED:
            return self._signatures.is_doomed(member)
        return form is Form.EXACT
