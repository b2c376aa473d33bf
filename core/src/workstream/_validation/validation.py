"""What a plan must be like to be accepted (section 2), and to be started (ST-4).

All faults are found in one pass, in walk order, each with the path of its object; the
time it takes grows with the number of objects only. ``_plan.structure`` finds the objects
that are really there; ``_validation.rules`` says what each of their fields must be like,
one by one; what is between fields, or between an action and its plugin, follows below and
in ``_validation.requests``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import attrs

from .._flow.late import Late
from .._plan.clone import copied
from .._plan.paths import paths
from .._plan.plan import (
    DEFAULT_DELAY,
    Action,
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    Node,
    Plan,
)
from .._plan.shape import SHAPES
from .._plan.structure import Found, structure
from .._plan.walk import Item, make_lean
from .._protocols.approval import Approve
from .._protocols.plugin import AnyPlugin, can_reconcile
from .._values.display import shorten
from .._values.errors import Fault, ValidationError
from .._values.state import (
    OnInterrupt,
    State,
    Status,
    WhenDeferred,
)
from .requests import (
    KnownPlugins,
    Problem,
    kind_problem,
    plugin_problem,
    ready_request,
)
from .rules import LOOKS
from .sources import Sources

_Problem: TypeAlias = tuple[str, str, str]
"""The field, the rule, and what is wrong."""
_FRESH = State()


def check(plan: object, plugins: KnownPlugins) -> tuple[list[Fault], list[Fault]]:
    """Find all faults of a plan, and all warnings about it.

    Args:
        plan: What is to be submitted; it is not changed.
        plugins: The plugins at hand.

    Returns:
        Faults and warnings, both in walk order; without faults it can be submitted.
    """
    checker = _Checker(plugins)
    checker.run(plan)
    return checker.faults, checker.warnings


def prepared(
    plan: object, plugins: KnownPlugins, *, lean: bool = False
) -> tuple[Plan, list[Fault]]:
    """A copy of the plan made ready for submit: steps 1 to 3 of SUB-1.

    In the copy, each request that has ``defaults()`` has got them, and what was left
    at 0 where that means "the usual" has its value (V-21, V-22).

    Args:
        plan: What is to be submitted; it is not changed (V-2).
        plugins: The plugins at hand.
        lean: Leave out of the copy what ``begin_new`` gives it.

    Returns:
        The copy, and warnings.

    Raises:
        ValidationError: Every fault at once (V-1).
    """
    checker = _Checker(plugins)
    checker.run(plan)
    if checker.faults or not isinstance(plan, Plan):
        raise ValidationError(_summary(plan, len(checker.faults)), checker.faults)
    requests = iter(checker.requests)
    ready = copied(
        plan,
        lambda action: next(requests),
        finish=_normalise_lean if lean else _normalise,
    )
    return ready, checker.warnings


def _summary(plan: object, count: int) -> str:
    """The first line of the error for a plan with faults."""
    name = f" '{shorten(str(plan.name))}'" if isinstance(plan, Plan) else ""
    faults = "one fault" if count == 1 else f"{count:,} faults"
    return f"the plan{name} cannot be accepted: {faults}"


_SECONDS_OF = {
    cls: [field.name for field in shape.settings if field.type in (float, float | None)]
    for cls, shape in SHAPES.items()
}


def _normalise(node: Node) -> None:
    """Give fields at 0 the value that this means, and seconds one type."""
    for name in _SECONDS_OF[type(node)]:
        value = getattr(node, name)
        if value.__class__ is int:
            setattr(node, name, float(value))
    if isinstance(node, Block):
        node.concurrency = 1 if node.concurrency == 0 else node.concurrency
    elif isinstance(node, Checks):
        node.delay = node.delay or DEFAULT_DELAY


def _normalise_lean(node: Node) -> None:
    """The same, of a copy without what ``begin_new`` gives it."""
    _normalise(node)
    make_lean(node)


class _Checker:
    """One pass over one plan."""

    def __init__(self, plugins: KnownPlugins) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.requests: list[object] = []
        """The copies of the requests with their defaults, in walk order."""
        self._plugins = plugins
        self._known: dict[str, tuple[AnyPlugin | None, Problem | None]] = {}
        self._path = ""
        self._keys: dict[str, str] = {}
        self._plan: Plan

    def run(self, plan: object) -> None:
        """Look at every object of the plan."""
        for found in structure(plan):
            if isinstance(found, Fault):
                self.faults.append(found)
                continue
            if isinstance(found.node, Plan):
                self._plan = found.node
            self._path = found.path
            self._object(found.node, found.parent)

    @functools.cached_property
    def _sources(self) -> Sources:
        """What requests can refer to; few plans have such a request."""
        return _sources_of(self._plan, lambda name: self._plugin_of(name)[0])

    def _note(self, field: str, rule: str, problem: str) -> None:
        """Note what is wrong with a field of the present object."""
        fault = Fault(path=self._path, field=field, rule=rule, message=problem)
        self.faults.append(fault)

    def _object(self, node: Node, parent: Node | None) -> None:
        """Look at one object."""
        if isinstance(node, Plan) and node.scrubbed:
            message = (
                "its secrets were removed, for showing: submit the plan that it is a "
                "scrubbed copy of"
            )
            self._note("", "CL-3", message)
        values_of, rules = LOOKS[type(node)]
        for value, rule in zip(values_of(node), rules, strict=True):
            if value is not rule.sound:
                problem = rule.look(value)
                if problem is not None and not self._may_be_empty(rule.rule, value):
                    self._note(rule.field, rule.rule, problem)
                elif rule.field == "key" and value is not None:
                    self._key(value)
        if isinstance(node, BaseAction):  # most are
            self._action(node, parent)
        elif isinstance(node, DeferBatch) and node.when is WhenDeferred.ON_UNDO:
            self._undo(node, parent)
        elif isinstance(node, Block) and node.batches == ():
            self._without_batches(node)
        elif isinstance(node, Checks):
            self._checks(node, parent)

    def _without_batches(self, block: Block) -> None:
        """Note what has a meaning only in a block that has batches (BG-2)."""
        settings = (
            ("concurrency", block.concurrency is None, "be None"),
            ("batch_delay", block.batch_delay != 0, "be set"),
            ("batch_checks", block.batch_checks is not None, "be set"),
        )
        for field, is_set, what in settings:
            if is_set:
                problem = f"may {what} only with batches: give their sizes in batches"
                self._note(field, "BG-2", problem)

    def _checks(self, group: Checks, parent: Node | None) -> None:
        """Note what has a meaning only for continuous checks (BG-4)."""
        if isinstance(parent, Plan | Block) and group is parent.cont_checks:
            return
        fields = attrs.fields_dict(Checks)
        for name in ("failures_before_halt", "on_failure"):
            if getattr(group, name) != fields[name].default:
                problem = "may be set for cont_checks only: no other group runs again"
                self._note(name, "BG-4", problem)

    def _undo(self, batch: DeferBatch, parent: Node | None) -> None:
        """Note an undo that has no place, or asks for what it does anyway."""
        if parent is self._plan.deferred_actions:
            problem = (
                "must not be ON_UNDO in the plan's deferred actions: what it would take "
                "back is a sequence, so put the batch into the sequence's own "
                "deferred_actions"
            )
            self._note("when", "V-12", problem)
        if batch.fail_element is True:
            problem = (
                "must not be set with ON_UNDO: an undo that fails always shows in the "
                "plan's reasons, and changes nothing else"
            )
            self._note("fail_element", "UN-3", problem)

    def _may_be_empty(self, rule: str, value: object) -> bool:
        """Whether it is a plan without blocks, or a block without sequences, that may be.

        What failed in its checks alone has nothing else to do again (RT-2).
        """
        return (
            self._plan.retry_of is not None and rule in ("V-7", "V-10") and value == []
        )

    def _plugin_of(self, name: Any) -> tuple[AnyPlugin | None, Problem | None]:
        """The plugin of this name, looked up once; see ``plugin_problem``."""
        if not isinstance(name, str):
            return plugin_problem(name, self._plugins)
        if name not in self._known:
            self._known[name] = plugin_problem(name, self._plugins)
        return self._known[name]

    def _key(self, key: str) -> None:
        """Note a key that another object has."""
        first = self._keys.setdefault(key, self._path)
        if first is not self._path:
            problem = (
                f"{key!r} is the key of '{first}' too: no two objects may share one"
            )
            self._note("key", "V-14", problem)

    def _action(self, action: BaseAction, parent: Node | None) -> None:
        """Look at what is between an action's fields, and at its plugin."""
        approves = action.plugin == Approve.name
        if approves and isinstance(action.request, Late):
            problem = "waits for responses: who may approve must be known at submit"
            self._note("request", "AP-1", problem)
        if action.timeout == math.inf and not approves:
            message = (
                "is infinite: neither a stop nor the end of a continuous check cuts an "
                "attempt short, so one that hangs holds up the plan for ever"
            )
            fault = Fault(
                path=self._path, field="timeout", rule="V-24", message=message
            )
            self.warnings.append(fault)
        if action.retries is None and action.deadline is None:
            problem = (
                "may be None only with a deadline: give a deadline, in seconds for all "
                "attempts together, or a number of retries"
            )
            self._note("retries", "V-17", problem)
        plugin, wrong = self._plugin_of(action.plugin)
        if plugin is not None:
            wrong = kind_problem(action, plugin, isinstance(parent, Checks))
        if wrong is not None:
            self._note("plugin", *wrong)
        if plugin is not None and isinstance(action, Action):
            self._reconcile(action, plugin)
        request, wrong = ready_request(action.request, action, plugin)
        self.requests.append(request)
        if wrong is not None and not (self._plan.scrubbed and wrong[0] == "CL-3"):
            self._note("request", *wrong)
        if isinstance(action.request, Late):
            self._late(action, action.request)

    def _late(self, action: BaseAction, late: Late) -> None:
        """Note what a request may not refer to (VF-1, VF-5)."""
        for rule, problem in self._sources.problems(action, late):
            self._note("request", rule, problem)

    def _reconcile(self, action: Action, plugin: AnyPlugin) -> None:
        """Note an action that wants its plugin to do what it cannot."""
        if action.on_interrupt is OnInterrupt.RECONCILE and not can_reconcile(plugin):
            problem = (
                f"must not be RECONCILE: the plugin '{shorten(action.plugin)}' cannot "
                "find out what became of an interrupted attempt; RERUN and FAIL are "
                "possible"
            )
            self._note("on_interrupt", "REG-9", problem)


def _sources_of(plan: object, plugin_of: Callable[[str], AnyPlugin | None]) -> Sources:
    """What requests of the plan can refer to."""
    objects = (each for each in structure(plan) if isinstance(each, Found))
    return Sources(objects, plugin_of)


def check_startable(plan: Plan, plugins: KnownPlugins) -> list[Fault]:
    """What keeps a stored plan, which is not started, from being started (ST-4).

    Args:
        plan: As it was loaded from the store.
        plugins: The plugins at hand.

    Returns:
        Every fault, in walk order; empty when the plan can be started.
    """
    return _faults(plan, plugins, _start_problems)


def check_resumable(plan: Plan, plugins: KnownPlugins) -> list[Fault]:
    """What keeps a plan that a crash left behind from being resumed (R-4).

    Args:
        plan: As it was loaded from the store.
        plugins: The plugins at hand.

    Returns:
        Every fault, in walk order; empty when the plan can be resumed.
    """
    return _faults(plan, plugins)


def _faults(
    plan: Plan,
    plugins: KnownPlugins,
    more: Callable[[Node], Iterable[_Problem]] = lambda node: (),
) -> list[Fault]:
    """What is wrong with each object, as faults; ``more`` is asked of each as well."""

    @functools.cache
    def sources() -> Sources:  # few plans have a request that needs them
        return _sources_of(plan, lambda name: plugin_problem(name, plugins)[0])

    return [
        Fault(path=path, field=field, rule=rule, message=message)
        for path, item in paths(plan)
        for field, rule, message in (
            *more(item.node),
            *_plugin_problems(item, plugins),
            *_outgrown(item.node, sources),
        )
    ]


def _outgrown(node: Node, sources: Callable[[], Sources]) -> Iterator[_Problem]:
    """What the request of an action waits for that plugins no longer respond."""
    if not isinstance(node, BaseAction) or not isinstance(node.request, Late):
        return
    if node.state.status not in (Status.NOT_STARTED, Status.RUNNING):
        return  # what has ended needs no response any more
    for problem in sources().outgrown(node, node.request):
        message = (
            f"{problem}: a plugin's types have changed since the plan was stored; "
            "install the version of the package that it was stored with to go on "
            "with it"
        )
        yield "request", "STO-14", message


def _start_problems(node: Node) -> Iterator[_Problem]:
    """What keeps one object from being started, whatever its plugin says."""
    if node.id is None or node.id.version != 7:
        yield "id", "ST-4", "must be a UUID version 7: the plan was never submitted"
    if node.state.status is Status.SKIPPED and node.state.started is None:
        pass  # before the start is the best time for it (SK-1)
    elif node.state != _FRESH:
        yield "state", "ST-4", "must be that of an object never run"
    if isinstance(node, BaseAction) and node.attempts:
        yield "attempts", "ST-4", "must be empty: the action was called before"


def _plugin_problems(item: Item, plugins: KnownPlugins) -> Iterator[_Problem]:
    """What keeps an action's plugin from being called."""
    node = item.node
    if not isinstance(node, BaseAction):
        return
    plugin, problem = plugin_problem(node.plugin, plugins)
    if plugin is not None:
        in_checks = isinstance(item.ancestors[-1], Checks)
        problem = kind_problem(node, plugin, in_checks)
    if problem is not None:
        yield "plugin", *problem
