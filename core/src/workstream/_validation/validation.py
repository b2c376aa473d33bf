"""What a plan must be like to be accepted (section 2), and to be started (ST-4).

All faults are found in one pass, in walk order, each with the path of its object; the
time it takes grows with the number of objects only. ``_plan.structure`` finds the objects
that are really there, so that the rules of each kind of object, here, need not doubt
what it is; what is inside an action is in ``_validation.requests``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias
from uuid import UUID

from .._plan.clone import copied
from .._plan.paths import paths
from .._plan.plan import (
    DEFAULT_DELAY,
    Action,
    BaseAction,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)
from .._plan.structure import Found, structure
from .._plan.walk import Item, walk
from .._protocols.plugin import AnyPlugin, can_reconcile
from .._values.display import shorten
from .._values.errors import Fault, ValidationError
from .._values.state import HaltAfter, OnInterrupt, State, WhenDeferred
from .._values.values import (
    number_problem,
    text_problem,
    type_problem,
    whole_number_problem,
)
from .requests import Plugins, kind_problem, plugin_problem, prepared_request

__all__ = ["Plugins", "check", "check_resumable", "check_startable", "prepared"]

_Problem: TypeAlias = tuple[str, str, str]
"""The field, the rule, and what is wrong."""

LONGEST_KEY = 200
"""Characters that a key may have (OM-13)."""

_FRESH = State()

_COPY = "clone(plan) makes a copy that can be submitted"


def check(plan: object, plugins: Plugins) -> tuple[list[Fault], list[Fault]]:
    """Everything that is wrong with a plan, and what is merely not recommended.

    Args:
        plan: What is to be submitted; it is not changed.
        plugins: The plugins at hand.

    Returns:
        Faults and warnings, both in walk order; without faults it can be submitted.
    """
    checker = _Checker(plugins)
    checker.run(plan)
    return checker.faults, checker.warnings


def prepared(plan: object, plugins: Plugins) -> tuple[Plan, list[Fault]]:
    """A copy of the plan made ready for submit: steps 1 to 3 of SUB-1.

    In the copy, each request that has ``defaults()`` has got them, and what was left
    at 0 where that means "the usual" has its value (V-21, V-22).

    Args:
        plan: What is to be submitted; it is not changed (V-2).
        plugins: The plugins at hand.

    Returns:
        The copy, and warnings.

    Raises:
        ValidationError: Every fault at once (V-1).
    """
    checker = _Checker(plugins)
    checker.run(plan)
    if checker.faults or not isinstance(plan, Plan):
        raise ValidationError(_summary(plan, len(checker.faults)), checker.faults)
    ready = copied(plan, lambda action: checker.requests[id(action)])
    for item in walk(ready):
        _normalise(item.node)
    return ready, checker.warnings


def _summary(plan: object, count: int) -> str:
    name = f" '{shorten(str(plan.name))}'" if isinstance(plan, Plan) else ""
    faults = "one fault" if count == 1 else f"{count:,} faults"
    return f"the plan{name} cannot be accepted: {faults}"


def _normalise(node: Node) -> None:
    """Give fields at 0 the value that this means, and seconds one type."""
    match node:
        case BaseAction():  # first, as there are most of them
            node.timeout = float(node.timeout)
            node.deadline = None if node.deadline is None else float(node.deadline)
        case Block():
            node.concurrency = node.concurrency or 1
            node.entrance_delay = float(node.entrance_delay)
            node.exit_delay = float(node.exit_delay)
        case Checks():
            node.delay = float(node.delay) or DEFAULT_DELAY
        case _:
            pass


class _Checker:
    """One pass over one plan."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.requests: dict[int, object] = {}
        """The copies of the requests with their defaults, by the id() of the action."""
        self._path = ""
        self._keys: dict[str, str] = {}
        self._scrubbed = False

    def run(self, plan: object) -> None:
        for found in structure(plan):
            if isinstance(found, Fault):
                self.faults.append(found)
            else:
                self._path = found.path
                self._object(found)

    def _require(self, field: str, rule: str, problem: str | None) -> bool:
        """Note the problem, if there is one, of a field of the present object."""
        if problem is not None:
            fault = Fault(path=self._path, field=field, rule=rule, message=problem)
            self.faults.append(fault)
        return problem is None

    def _object(self, found: Found) -> None:
        node = found.node
        if node.id is not None:
            self._require("id", "V-4", f"must be unset before submit; {_COPY}")
        if node.state != _FRESH:
            problem = f"must be that of an object never run; {_COPY}"
            self._require("state", "V-5", problem)
        match node:
            case BaseAction():  # first, as there are most of them
                self._named(node, "OM-9")
                self._action(node, found.parent)
            case Plan():
                self._plan(node)
            case Block():
                self._named(node, "OM-6")
                self._block(node)
            case Sequence():
                self._named(node, "OM-7")
                self._actions(node)
            case DeferBatch():
                self._named(node, "OM-8")
                self._batch(node)
            case Checks():
                self._checks(node)
            case DeferredActions():
                self._filled("batches", "V-11", node.batches, "DeferBatch")
            case _:
                pass

    def _named(
        self, node: Plan | Block | Sequence | DeferBatch | BaseAction, rule: str
    ) -> None:
        self._require("name", "V-6", text_problem(node.name))
        problem = text_problem(node.description, blank=True)
        self._require("description", rule, problem)
        if not isinstance(node, Plan):
            self._key(node.key)

    def _key(self, key: str | None) -> None:
        if key is None:
            return
        if not self._require("key", "V-13", text_problem(key, longest=LONGEST_KEY)):
            return
        first = self._keys.setdefault(key, self._path)
        if first is not self._path:
            problem = (
                f"{key!r} is the key of '{first}' too: no two objects may share one"
            )
            self._require("key", "V-14", problem)

    def _filled(self, field: str, rule: str, held: Any, kind: str) -> None:
        # What is no list, and what is no object in it, has been noted by its structure.
        if held == []:
            self._require(field, rule, f"must hold at least one {kind}")

    def _plan(self, plan: Plan) -> None:
        self._scrubbed = plan.scrubbed
        if self._scrubbed:
            message = (
                "its secrets were removed, for showing: submit the plan that it is a "
                "scrubbed copy of"
            )
            self._require("", "CL-3", message)
        self._named(plan, "OM-3")
        problem = type_problem(plan.group_id, UUID, optional=True)
        self._require("group_id", "OM-3", problem)
        self._require("meta", "OM-3", type_problem(plan.meta, bytes))
        is_unset = {
            "submitted": plan.submitted is None,
            "runtime_update": plan.runtime_update is None,
            "reasons": plan.reasons == (),
            "stopping": plan.stopping is False,
        }
        for field, unset in is_unset.items():
            if not unset:
                self._require(field, "V-8", f"must be unset before submit; {_COPY}")
        self._filled("blocks", "V-7", plan.blocks, "Block")

    def _block(self, block: Block) -> None:
        self._seconds("entrance_delay", "V-21", block.entrance_delay)
        self._seconds("exit_delay", "V-21", block.exit_delay)
        problem = whole_number_problem(block.concurrency, least=0)
        self._require("concurrency", "V-21", problem)
        problem = whole_number_problem(block.tolerated_failures, least=-1)
        self._require("tolerated_failures", "V-21", problem)
        problem = type_problem(block.halt_after, HaltAfter)
        self._require("halt_after", "OM-6", problem)
        self._filled("sequences", "V-10", block.sequences, "Sequence")

    def _batch(self, batch: DeferBatch) -> None:
        problem = type_problem(batch.when, WhenDeferred)
        if batch.when is WhenDeferred.UNKNOWN:
            problem = (
                "must say on which outcome the batch runs: WhenDeferred.ON_SUCCESS, "
                "ON_FAILURE or ALWAYS"
            )
        self._require("when", "V-12", problem)
        self._require("fail_element", "OM-8", type_problem(batch.fail_element, bool))
        self._actions(batch)

    def _checks(self, checks: Checks) -> None:
        self._key(checks.key)
        self._seconds("delay", "V-22", checks.delay)
        self._actions(checks)

    def _actions(self, container: Checks | Sequence | DeferBatch) -> None:
        kind = "CheckAction" if isinstance(container, Checks) else "Action"
        self._filled("actions", "V-9", container.actions, kind)

    def _seconds(self, field: str, rule: str, value: float) -> None:
        self._require(field, rule, number_problem(value, least=0))

    def _action(self, action: BaseAction, container: Node | None) -> None:
        problem = number_problem(action.timeout, least=0, above=True, infinite=True)
        if self._require("timeout", "V-16", problem) and action.timeout == math.inf:
            self._warn_of_infinity()
        if action.deadline is not None:
            problem = number_problem(action.deadline, least=0, above=True)
            self._require("deadline", "V-16", problem)
        self._retries(action)
        if isinstance(action, Action):
            problem = type_problem(action.on_interrupt, OnInterrupt, optional=True)
            self._require("on_interrupt", "OM-9", problem)
        if isinstance(action, CheckAction):
            problem = type_problem(action.safe_in_preview, bool, optional=True)
            self._require("safe_in_preview", "OM-9", problem)
        if action.attempts != []:
            problem = f"must be empty before submit; {_COPY}"
            self._require("attempts", "V-18", problem)
        self._plugin(action, container)

    def _warn_of_infinity(self) -> None:
        message = (
            "is infinite: neither a stop nor the end of a continuous check cuts an "
            "attempt short, so one that hangs holds up the plan for ever"
        )
        self.warnings.append(
            Fault(path=self._path, field="timeout", rule="V-24", message=message)
        )

    def _retries(self, action: BaseAction) -> None:
        if action.retries is not None:
            problem = whole_number_problem(action.retries, least=0)
        elif action.deadline is None:
            problem = (
                "may be None only with a deadline: give a deadline, in seconds for all "
                "attempts together, or a number of retries"
            )
        else:
            problem = None
        self._require("retries", "V-17", problem)

    def _plugin(self, action: BaseAction, container: Node | None) -> None:
        plugin, problem = plugin_problem(action, self.plugins)
        if problem is not None:
            self._require("plugin", *problem)
        elif plugin is not None:
            problem = kind_problem(action, plugin, isinstance(container, Checks))
            if problem is not None:
                self._require("plugin", *problem)
            self._reconcile(action, plugin)
        self.requests[id(action)], problem = prepared_request(action, plugin)
        if problem is not None and not (self._scrubbed and problem[0] == "CL-3"):
            self._require("request", *problem)

    def _reconcile(self, action: BaseAction, plugin: AnyPlugin) -> None:
        asks = isinstance(action, Action) and action.on_interrupt
        if asks is OnInterrupt.RECONCILE and not can_reconcile(plugin):
            problem = (
                f"must not be RECONCILE: the plugin '{shorten(action.plugin)}' cannot "
                "find out what became of an interrupted attempt; RERUN and FAIL are "
                "possible"
            )
            self._require("on_interrupt", "REG-9", problem)


def check_startable(plan: Plan, plugins: Plugins) -> list[Fault]:
    """What keeps a stored plan, which is not started, from being started (ST-4).

    Args:
        plan: As it was loaded from the store.
        plugins: The plugins at hand.

    Returns:
        Every fault, in walk order; empty when the plan can be started.
    """
    return _faults(plan, lambda item: _start_problems(item, plugins))


def check_resumable(plan: Plan, plugins: Plugins) -> list[Fault]:
    """What keeps a plan that a crash left behind from being resumed (R-4).

    Args:
        plan: As it was loaded from the store.
        plugins: The plugins at hand.

    Returns:
        Every fault, in walk order; empty when the plan can be resumed.
    """
    return _faults(plan, lambda item: _plugin_problems(item, plugins))


def _faults(plan: Plan, problems: Callable[[Item], Iterable[_Problem]]) -> list[Fault]:
    return [
        Fault(path=path, field=field, rule=rule, message=message)
        for path, item in paths(plan)
        for field, rule, message in problems(item)
    ]


def _start_problems(item: Item, plugins: Plugins) -> Iterator[_Problem]:
    """All that keeps one object from being started."""
    node = item.node
    if node.id is None or node.id.version != 7:
        yield "id", "ST-4", "must be a UUID version 7: the plan was never submitted"
    if node.state != _FRESH:
        yield "state", "ST-4", "must be that of an object never run"
    if isinstance(node, BaseAction) and node.attempts:
        yield "attempts", "ST-4", "must be empty: the action was called before"
    yield from _plugin_problems(item, plugins)


def _plugin_problems(item: Item, plugins: Plugins) -> Iterator[_Problem]:
    """What keeps an action's plugin from being called."""
    node = item.node
    if not isinstance(node, BaseAction):
        return
    plugin, problem = plugin_problem(node, plugins)
    if plugin is not None:
        in_checks = isinstance(item.ancestors[-1], Checks)
        problem = kind_problem(node, plugin, in_checks)
    if problem is not None:
        yield "plugin", *problem
