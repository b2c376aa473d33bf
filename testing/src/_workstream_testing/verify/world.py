"""A small model of the world: what actions do to it, and what may be true of it.

A fact is about a subject: a host, or the whole plan. An action that succeeded has set its
facts. Of one that failed, timed out or was cut short nobody knows whether it did: so
every fact has a *set of possible values*, and an invariant must hold whichever of them
is true. An action that is tried again and succeeds leaves one possible value.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import attrs

from workstream._plan.paths import SEPARATOR
from workstream._plan.plan import Action, BaseAction, Node, Plan
from workstream._plan.plan import Sequence as PlanSequence
from workstream._plan.walk import position_of, walk
from workstream._protocols.plugin import BasePlugin
from workstream._values.display import shorten

from ..arguments import check_values, named
from ..problems import SimulationError

Facts: TypeAlias = dict[tuple[str, str], frozenset[object]]
"""The possible values of each fact, by subject and fact."""

Subject: TypeAlias = str | Callable[[Any], str] | None


@attrs.frozen
class Effect:
    """What the actions of one plugin do to the world; made by ``effect``."""

    plugin: str
    sets: Mapping[str, object]
    of: Subject
    path: str | None


def effect(
    plugin: Any,
    *,
    sets: Mapping[str, object],
    of: Subject = "host",
    path: str | None = None,
) -> Effect:
    """Say what the actions of a plugin do to the world.

    ::

        effect(Drain, sets={"serving": False})
        effect(RunCommand, path="Start", sets={"serving": True})

    Before the plan, a fact is the opposite of what the first action sets it to: what a
    plan takes away was there.

    A plugin may declare the same in its class, ``effects = {"serving": False}``; that
    counts where no effect names the plugin.

    Args:
        plugin: The plugin, its class, or its name.
        sets: The facts that an action which succeeded has set.
        of: Whose facts: a field of the request; where it has no such field, the
            sequence is the subject. A function of the request; or None: the whole plan.
        path: Only of actions whose path ends so.
    """
    name = plugin if isinstance(plugin, str) else getattr(plugin, "name", None)
    if not isinstance(name, str):
        message = f"effect({plugin!r}): give a plugin, its class or its name"
        raise SimulationError(message)
    facts = named(f"effect({name}): sets", sets, '{"serving": False}')
    if not facts:
        message = f"effect({name}): sets is empty: say which facts it sets"
        raise SimulationError(message)
    check_values(f"effect({name}): sets", facts)
    return Effect(name, facts, of, path)


@attrs.frozen
class Setting:
    """What one action sets: of which subject, and which facts."""

    subject: str
    sets: Mapping[str, object]


class World:
    """What the actions of one plan do to the world.

    Attributes:
        settings: What each action sets, by its place in walk order.
        first: The facts before the plan.
        shared: The facts that several sequences set, or objects outside of them.
    """

    def __init__(
        self,
        plan: Plan,
        paths: Sequence[str],
        effects: Iterable[Effect],
        starts: Mapping[str, object],
        plugins: Mapping[str, BasePlugin[Any, Any]],
    ) -> None:
        """Find out which action sets what.

        Raises:
            SimulationError: An effect fits no action; all of them are named.
        """
        self.settings: dict[int, Setting] = {}
        self.first: Facts = {}
        known = list(effects)
        used: set[int] = set()
        named = {each.plugin for each in known}
        for name, plugin in plugins.items():
            declared: Any = getattr(plugin, "effects", None)
            if name not in named and isinstance(declared, Mapping) and declared:
                used.add(len(known))  # a plugin's own word need not fit every plan
                known.append(
                    Effect(name, {**cast("dict[str, object]", declared)}, "host", None)
                )
        for item in walk(plan):
            node = item.node
            if isinstance(node, Action):
                place = position_of(node)
                for number, each in enumerate(known):
                    if _is_for(each, node, paths[place]):
                        used.add(number)
                        self._set(place, _subject(each, node, item.ancestors), each)
        self._begin(starts)
        self.shared = _shared(plan, self.settings)
        unused = [e for number, e in enumerate(known) if number not in used]
        if unused:
            lines = "\n".join(
                f"  {_call(e)} fits no action{_meant(e, plan, paths)}" for e in unused
            )
            message = f"plan {plan.name!r} has no action for these effects:\n{lines}"
            raise SimulationError(message)

    def _set(self, place: int, subject: str, each: Effect) -> None:
        before = self.settings.get(place)
        sets = dict(each.sets) if before is None else {**before.sets, **each.sets}
        self.settings[place] = Setting(subject, sets)

    def _begin(self, starts: Mapping[str, object]) -> None:
        for _, setting in sorted(self.settings.items()):
            for fact, value in setting.sets.items():
                opposite = (not value) if isinstance(value, bool) else None
                first = starts.get(fact, opposite)
                self.first.setdefault((setting.subject, fact), frozenset([first]))
        facts = {fact for _, fact in self.first}
        unknown = [fact for fact in starts if fact not in facts]
        if unknown:
            message = f"starts names facts that no effect sets: {', '.join(unknown)}"
            raise SimulationError(message)

    @property
    def facts(self) -> set[str]:
        """The names of all facts."""
        return {fact for _, fact in self.first}

    def begun(self, facts: Facts, position: int) -> bool:
        """An action begins: its facts may be set from now on. Whether any changed."""
        setting = self.settings.get(position)
        if setting is None:
            return False
        changed = False
        for fact, value in setting.sets.items():
            key = (setting.subject, fact)
            if value not in facts[key]:
                facts[key] |= {value}
                changed = True
        return changed

    def done(self, facts: Facts, position: int) -> bool:
        """An action has succeeded: its facts are set. Whether any changed."""
        setting = self.settings.get(position)
        if setting is None:
            return False
        for fact, value in setting.sets.items():
            facts[setting.subject, fact] = frozenset([value])
        return True


def _call(each: Effect) -> str:
    path = "" if each.path is None else f", path={each.path!r}"
    return f"effect({each.plugin}{path})"


def _meant(each: Effect, plan: Plan, paths: Sequence[str]) -> str:
    """What an effect that fits no action may have meant."""
    found = [item.node for item in walk(plan) if isinstance(item.node, Action)]
    own = [node for node in found if node.plugin == each.plugin]
    if not own:
        names = {node.plugin for node in found}
        near = difflib.get_close_matches(each.plugin, sorted(names), n=1)
        return f": did you mean {near[0]}?" if near else ""
    path = each.path or ""
    parts = path.count(SEPARATOR) + 1
    ends = {
        SEPARATOR.join(paths[position_of(node)].split(SEPARATOR)[-parts:])
        for node in own
    }
    near = difflib.get_close_matches(path, sorted(ends), n=2, cutoff=0.5)
    return f": did you mean {' or '.join(map(repr, near))}?" if near else ""


def _is_for(each: Effect, action: BaseAction, path: str) -> bool:
    if each.plugin != action.plugin:
        return False
    return each.path is None or path == each.path or path.endswith(f" / {each.path}")


def _subject(each: Effect, action: BaseAction, ancestors: tuple[Node, ...]) -> str:
    if each.of is None:
        return ""
    if callable(each.of):
        try:
            return str(each.of(action.request))
        except Exception as error:
            message = (
                f"{_call(each)}: its function of= raised {type(error).__name__}: {error}, "
                f"given {shorten(repr(action.request))}"
            )
            raise SimulationError(message) from error
    found = getattr(action.request, each.of, None)
    if isinstance(found, str):
        return found
    for node in reversed(ancestors):
        if isinstance(node, PlanSequence):
            return node.name
    return ""


def _shared(plan: Plan, settings: Mapping[int, Setting]) -> set[tuple[str, str]]:
    owners: dict[tuple[str, str], set[int]] = {}
    for item in walk(plan):
        setting = settings.get(position_of(item.node))
        if setting is None:
            continue
        inside = [n for n in item.ancestors if isinstance(n, PlanSequence)]
        owner = position_of(inside[-1]) if inside else -1
        for fact in setting.sets:
            owners.setdefault((setting.subject, fact), set()).add(owner)
    return {
        key
        for key, several in owners.items()
        if several != {max(several)} or -1 in several
    }
