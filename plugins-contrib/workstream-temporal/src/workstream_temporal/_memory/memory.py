"""What a workflow knows of its plan, and the verbs of its runtime that remember."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow

from workstream._codec.codec import Codec
from workstream._codec.records import plan_changes
from workstream._interpreter.recovery import putting_in_order
from workstream._plan.paths import paths
from workstream._plan.plan import Action, BaseAction, Checks, Node, Plan
from workstream._plan.walk import position_of
from workstream._plan.zones import zone_of
from workstream._protocols.vault import (
    Change,
    LineRecord,
    LogSlice,
    NodeRecord,
    StoredPlan,
    Write,
)
from workstream._secrets.references import needed_keys
from workstream._values.interventions import Freeze
from workstream._values.state import Attempt, OnInterrupt, Status
from workstream._vaults.memory_vault import MemoryVault
from workstream.retries import FAST, RetryPolicy

from .._limits.shelves import Shelves
from .._limits.steps import STEP
from .._parts import part_form, signals_to


class Memory:
    """What is to be known of a plan, and records of what it becomes."""

    def __init__(
        self,
        plan: Plan,
        stored: StoredPlan,
        vault: MemoryVault,
        conduct: Mapping[str, Any],
        shelves: Shelves,
        show: Callable[[], None],
    ) -> None:
        """Begin with a plan.

        Args:
            plan: The plan.
            stored: All that is stored of it.
            vault: Keeps its changes.
            conduct: What its plugins say of retries and interruptions, by their names.
            shelves: Where what is large of it is kept.
            show: Lets a list show what the row is now.
        """
        self._codec = Codec(None)
        self._plan = plan
        self._id = stored.row.id
        self._vault = vault
        self._position = stored.position
        self._shelves = shelves
        self._shelved: dict[tuple[int, int], list[str]] = {}
        self._show = show
        self._told = len(self._plan.interventions)
        self._taken = self._removed = 0
        self._conduct = {
            name: (RetryPolicy(**retry), OnInterrupt[meaning])
            for name, (retry, meaning) in conduct.items()
        }
        self._frozen: Freeze | None = None
        self._lines: dict[int, int] = dict(stored.lines)
        self._paths: dict[int, str] = {}
        self._left: list[Checks] = []
        self._by_key: dict[str, BaseAction] = {}
        self._zones: dict[int, str] = {}
        self._to_begin = 0
        self._random = workflow.random()

    def _look_round(self, stored: StoredPlan, *, calm: bool) -> Generator[None]:
        """Find out where all actions are, and put them in order; in steps.

        Args:
            stored: All that is stored of the plan.
            calm: Whether an earlier history left it in order: nothing was under way.
        """
        for number, (path, item) in enumerate(paths(self._plan), 1):
            self._to_begin += item.node.state.status is Status.NOT_STARTED
            if (
                isinstance(item.node, Checks)
                and item.node.state.status is Status.RUNNING
            ):
                self._left.append(item.node)
            elif isinstance(item.node, BaseAction):
                position = position_of(item.node)
                self._paths[position] = path
                zone = zone_of(item.ancestors)
                if zone is not None:
                    self._zones[position] = zone
                if item.node.key is not None:
                    self._by_key[item.node.key] = item.node
            if number % STEP == 0:
                yield
        if stored.records and not calm:
            now = self.now()
            order = putting_in_order(self._plan, self.on_interrupt, now)
            for number, changed in enumerate(order, 1):
                if changed:
                    self.record(*changed)
                if number % STEP == 0:
                    yield

    @staticmethod
    def time() -> datetime:
        """The time of the workflow, which a replay tells again."""
        return workflow.now()

    def now(self) -> datetime:
        """The time to record."""
        return self.time()

    def random(self) -> float:
        """A number that a replay draws again."""
        return self._random.random()

    def retry_policy(self, action: BaseAction) -> RetryPolicy:
        """What the action's plugin said when the plan was started."""
        known = self._conduct.get(action.plugin)
        return FAST if known is None else known[0]

    def on_interrupt(self, action: BaseAction, /) -> OnInterrupt:
        """What an interrupted attempt means: the action's word, or its plugin's (R-7)."""
        if isinstance(action, Action) and action.on_interrupt is not None:
            return action.on_interrupt
        known = self._conduct.get(action.plugin)
        return OnInterrupt.RERUN if known is None else known[1]

    def record(self, *nodes: Node) -> None:
        """Keep what these objects are now."""
        changes: list[Change] = []
        for node in nodes:
            if node is self._plan:
                changes += plan_changes(self._plan, self._told)
                self._told = len(self._plan.interventions)
                continue
            changes.append(self._codec.record_of(node))
        self._write(changes)

    def _write(self, changes: list[Change]) -> None:
        write = Write(
            plan_id=self._id,
            first=self._position + 1,
            changes=tuple(changes),
            taken=self._taken if self._taken > self._removed else 0,
        )
        self._removed = self._taken
        self._vault.write_now(write)
        self._position += len(changes)
        self._show()

    async def durable(self) -> None:
        """Return at once: see above."""

    async def hear(self) -> None:
        """Do nothing: what is asked is taken as it comes."""

    def freeze(self) -> Freeze | None:
        """What the store says of a freeze."""
        return self._frozen

    def _report(self, position: int, reported: list[Any]) -> None:
        lines = [LineRecord(position, number, data) for number, data in reported]
        last = self._lines.get(position, 0)
        new = [each for each in lines if each.number > last]
        if new:
            self._lines[position] = new[-1].number
            self._write(list(new))

    def _put_on(self, names: list[str], action: BaseAction, last: int) -> None:
        """Note that what came of an attempt is on shelves."""
        position = position_of(action)
        self._shelves.add(names)
        self._shelved[position, len(action.attempts)] = names
        if action.key is not None:
            self._shelves.keyed[position] = names
        if last > self._lines.get(position, 0):
            self._shelves.put_lines(names, position, last)
            self._lines[position] = last

    def shelved_in(self, found: LogSlice) -> list[str]:
        """Where what is large is of the records in a piece of the log."""
        names = [
            name
            for _, each in found.changes
            if isinstance(each, NodeRecord)
            for name in self._shelved.get((each.position, each.attempt), ())
        ]
        return list(dict.fromkeys(names))

    @property
    def keyed(self) -> set[int]:
        """The places of the actions to whose responses requests may refer."""
        return {position_of(each) for each in self._by_key.values()}

    def _part(self, action: BaseAction, attempts: Sequence[Attempt]) -> list[Any]:
        """What an attempt of the action needs of the plan, and of these attempts."""
        keys = needed_keys(action.request)
        return part_form(
            self._codec,
            self._plan,
            action,
            attempts=attempts,
            sources=[self._by_key[key] for key in keys if key in self._by_key],
            told=signals_to(self._plan, action, self._paths[position_of(action)]),
            shelves=self._shelves,
        )
