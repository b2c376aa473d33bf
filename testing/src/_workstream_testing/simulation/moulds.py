"""What the runs of one plan have in common: it is validated once, and copied often.

A test runs the same plan again and again: with other seeds, in other orders, with a
crash at each write. To validate a plan takes as long as half a run of it, and the
general copy, which may leave things out and hides secrets, takes as long as a quarter.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from operator import attrgetter, eq, is_
from typing import Any, TypeAlias

import attrs

from workstream._plan.copying import deep_copy
from workstream._plan.plan import BaseAction, Node, Plan
from workstream._plan.shape import SHAPES, Held
from workstream._plan.walk import actions, walk
from workstream._protocols.plugin import AnyPlugin, BasePlugin
from workstream._registry.registry import Registry
from workstream._values.state import State, Status

from ..fakes.fakes import FakePlugin
from .simulator import fresh

_Values: TypeAlias = Callable[[Any], tuple[object, ...]]
_Make: TypeAlias = Callable[[tuple[object, ...]], Any]
_Seen: TypeAlias = tuple[type[Node], tuple[object, ...], list[Any], bool]
"""An object: its class, the values of its fields, and of each field of parts what was
seen there; and whether it is an action whose request somebody could change."""


class Mould:
    """A validated plan, of which any number of copies is made.

    Attributes:
        paths: The path of each object, for the histories of all runs.
    """

    def __init__(self, plan: Plan, registry: Registry) -> None:
        """Validate a plan, as by submit.

        Args:
            plan: The plan; it is not changed.
            registry: Its plugins.

        Raises:
            SimulationError: It uses plugins that were not given.
            ValidationError: It lists all that is wrong with the plan.
        """
        self.paths: list[str] = []
        self._seen = _seen(fresh(plan, registry))

    def plan(self) -> Plan:
        """One more copy, never run yet; all copies have the same ids."""
        plan: Plan = _cast(self._seen)
        return plan


def _parts_of(cls: type[Node]) -> tuple[_Make, _Values, tuple[Held, ...]]:
    """What makes an object of the fields that a copy shares, what reads them, and the
    fields of parts."""
    held = SHAPES[cls].held
    own = {"state", "attempts", *(field.name for field in held)}
    names = [field.name for field in attrs.fields(cls) if field.name not in own]
    # Written for the class, as attrs writes its __init__: that takes a third of setattr.
    targets = ", ".join(f"new.{name}" for name in names)
    lines = f"def make(values):\n new = create(cls)\n {targets}, = values\n return new"
    made: dict[str, Any] = {"create": object.__new__, "cls": cls}
    exec(lines, made)
    return made["make"], attrgetter(*names), held


# Of which only a method is looked at, whatever its types are.
_BASE: Any = BasePlugin
_PARTS = {cls: _parts_of(cls) for cls in SHAPES}


# --- the plan that was run last -----------------------------------------------------------


class Latest:
    """Remembers the mould of the plan that was run last."""

    def __init__(self) -> None:
        """Remember none."""
        self._known: _Known | None = None

    def copy(
        self, plan: Plan, plugins: Sequence[AnyPlugin], registry: Registry
    ) -> tuple[Plan, list[str]]:
        """A copy of the plan, validated as by submit, and the paths for its history.

        It is validated once for all runs in a row between which nothing has changed.
        Most tests run a plan once, so a mould is made only for the second run.

        Raises:
            SimulationError: It uses plugins that were not given.
            ValidationError: It lists all that is wrong with the plan.
        """
        known = self._known
        if known is None or not known.is_of(plan, plugins):
            ready = fresh(plan, registry)
            self._note(plan, plugins)
            return ready, []
        mould = known.mould
        if mould is None or not known.holds(plan, registry):
            mould = Mould(plan, registry)
            known.learn(plan, mould, registry)
        return mould.plan(), mould.paths

    def _note(self, plan: Plan, plugins: Sequence[AnyPlugin]) -> None:
        try:
            of = weakref.ref(plan, self._forget)
            self._known = _Known(of, [weakref.ref(plugin) for plugin in plugins])
        except TypeError:  # a plugin of a class that lets nobody know of its end
            self._known = None

    def _forget(self, plan: weakref.ref[Plan]) -> None:
        if self._known is not None and self._known.plan is plan:
            self._known = None


LATEST = Latest()


@attrs.define(eq=False)
class _Known:
    """A plan that was run, and all that its validation went by.

    Attributes:
        plan: The plan.
        plugins: Its plugins.
        mould: Its mould, once it is worth keeping.
        seen: What the plan was like.
        asked: What plugins themselves had to say about: their names, and the requests.
    """

    plan: weakref.ref[Plan]
    plugins: list[weakref.ref[AnyPlugin]]
    mould: Mould | None = None
    seen: _Look | None = None
    asked: list[tuple[str, Any]] = attrs.Factory(list[tuple[str, Any]])

    def is_of(self, plan: Plan, plugins: Sequence[AnyPlugin]) -> bool:
        """Whether it is this very plan, with these very plugins."""
        known = [plugin() for plugin in self.plugins]
        return (
            self.plan() is plan
            and len(known) == len(plugins)
            and all(map(is_, known, plugins))
        )

    def learn(self, plan: Plan, mould: Mould, registry: Registry) -> None:
        """Note what the plan is like, if all that it holds stays as it is."""
        self.mould, self.seen, self.asked = None, _Look(plan), []
        for action in actions(plan):
            request: Any = action.request
            if deep_copy(request) is not request or hasattr(request, "defaults"):
                return  # validation may see, or make, another one each time
            plugin = registry.get(action.plugin)
            if plugin is not None and _may_refuse(plugin):
                self.asked.append((action.plugin, request))
        self.mould = mould

    def holds(self, plan: Plan, registry: Registry) -> bool:
        """Whether validation would find what it found."""
        if self.seen is None or not self.seen.is_same(plan):
            return False
        try:
            for name, request in self.asked:
                plugin = registry.get(name)
                assert plugin is not None
                plugin.validate(request)
        except Exception:
            return False  # validation tells it better
        return True


class _Look:
    """What a valid plan was like: its objects, and what all their fields held."""

    def __init__(self, plan: Plan) -> None:
        self._held: list[tuple[Node | None, str, Any]] = []
        self._nodes: dict[type[Node], list[Node]] = {}
        for item in walk(plan):
            node = None if item.node is plan else item.node  # it is not kept alive
            cls = type(item.node)
            if node is not None:
                self._nodes.setdefault(cls, []).append(node)
            for field in _PARTS[cls][2]:
                value: Any = getattr(item.node, field.name)
                held = list(value) if field.many else value
                self._held.append((node, field.name, held))
        self._values = {cls: list(_row(cls, each)) for cls, each in self._of(plan)}

    def _of(self, plan: Plan) -> list[tuple[type[Node], list[Node]]]:
        return [(type(plan), [plan]), *self._nodes.items()]

    def is_same(self, plan: Plan) -> bool:
        """Whether the same objects hold the very same, and none has been run."""
        for node, name, before in self._held:
            now: Any = getattr(plan if node is None else node, name)
            if now is not before and not _are_alike(now, before):
                return False
        # Asked before every run, so the objects of a class are looked at together.
        for cls, nodes in self._of(plan):
            if not all(map(is_, _row(cls, nodes), self._values[cls])):
                return False
            if not all(map(eq, map(_STATE, nodes), repeat(_FRESH))):
                return False
            if issubclass(cls, BaseAction) and any(map(_ATTEMPTS, nodes)):
                return False
        return True


def _row(cls: type[Node], nodes: list[Node]) -> Iterable[object]:
    """The values of objects of a class, one after the other."""
    return chain.from_iterable(map(_PARTS[cls][1], nodes))


_STATE = attrgetter("state.status", "state.started", "state.ended")
_FRESH = (Status.NOT_STARTED, None, None)
_ATTEMPTS = attrgetter("attempts")


def _are_alike(now: Any, before: Any) -> bool:
    """Whether both are lists of the same objects."""
    if not (_is_list(now) and _is_list(before)):
        return False
    return len(now) == len(before) and all(map(is_, now, before))


def _is_list(value: object) -> bool:
    return type(value) is list


def _seen(node: Node) -> _Seen:
    _, values_of, held = _PARTS[type(node)]
    parts: list[Any] = []
    for field in held:
        value: Any = getattr(node, field.name)
        if field.many:
            parts.append(list(map(_seen, value)))
        else:
            parts.append(None if value is None else _seen(value))
    moves = isinstance(node, BaseAction) and deep_copy(node.request) is not node.request
    return type(node), values_of(node), parts, moves


def _cast(seen: _Seen) -> Any:
    """An object like the one that was seen, and all below it."""
    cls, values, parts, moves = seen
    make, _, held = _PARTS[cls]
    new = make(values)
    new.state = State()
    if not held:
        new.attempts = []
        if moves:
            new.request = deep_copy(new.request)
        return new
    for field, part in zip(held, parts, strict=True):
        if field.many:
            setattr(new, field.name, list(map(_cast, part)))
        else:
            setattr(new, field.name, None if part is None else _cast(part))
    return new


def _may_refuse(plugin: AnyPlugin) -> bool:
    """Whether the plugin itself says which requests are good."""
    if isinstance(plugin, FakePlugin):
        return plugin.may_refuse
    return type(plugin).validate is not _BASE.validate
