"""What differs between two plans, for people.

::

    Deploy server: state.status: RUNNING -> COMPLETED
    Deploy server / Web tier: concurrency: 1 -> 5
    Deploy server / Web tier / web-3: removed
    Deploy server / Web tier / web-9: added

Objects are matched by their labels, which is what their paths are made of (OM-15): one
with another name is another object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias, cast

import attrs

from .._values.display import shorten
from .._values.sameness import changed_at
from .._values.state import Attempt, State
from .clone import clone
from .paths import SEPARATOR, display_path, label_of_plan, labelled
from .plan import Node, Plan
from .shape import SHAPES
from .text import value_text

Pair: TypeAlias = tuple[Any, Any]
"""A value as it is, and as it may be shown: its secrets removed."""

_TIMES = {"started", "ended", "submitted"}


def difference(
    before: Plan, after: Plan, *, ids: bool = True, times: bool = True
) -> str:
    """How the second plan differs from the first, one line for each difference.

    It is empty just when the plans are equal (OM-14). Secrets are not shown (CL-3): of
    one that changed, it says so. Where two plans were submitted apart, all of their ids
    differ; that is one line.

    Args:
        before: A plan.
        after: Another, or the same one later. Neither is changed.
        ids: Whether ids count; without them, two submissions of one plan can be equal.
        times: Whether times count; without them, two runs of one plan can be equal.
    """
    same_submission = before.id == after.id
    comparison = _Comparison(ids=ids and same_submission, times=times)
    root = label_of_plan(before)
    lines: list[str] = []
    if ids and not same_submission:
        lines.append(f"{display_path(root)}: id: {before.id} -> {after.id}")
    lines += comparison.nodes(
        root,
        (before, clone(before, keep_state=True, scrub=True)),
        (after, clone(after, keep_state=True, scrub=True)),
    )
    return "".join(f"{line}\n" for line in lines)


@attrs.frozen
class _Comparison:
    """What counts, and the comparing of objects and of values."""

    ids: bool
    times: bool

    def nodes(self, path: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of two objects of one path and type, and of all they hold."""
        place = display_path(path)
        for line in self._inside("", before, after):
            yield f"{place}: {line}"
        old, new = _children(before), _children(after)
        for label, child in old.items():
            inner = f"{path}{SEPARATOR}{label}"
            if label not in new:
                yield f"{display_path(inner)}: removed"
            elif type(child[0]) is not type(new[label][0]):
                yield f"{display_path(inner)}: removed, and another kind added"
            else:
                yield from self.nodes(inner, child, new[label])
        for label in new:
            if label not in old:
                yield f"{display_path(path + SEPARATOR + label)}: added"
        order = [label for label in old if label in new]
        new_order = [label for label in new if label in old]
        if order != new_order:
            yield f"{place}: order: {_listed(order)} -> {_listed(new_order)}"

    def _inside(self, name: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of the parts of two values; ``name`` leads to them."""
        old, new = self._parts(before), self._parts(after)
        for key, part in old.items():
            place = f"{name}{_step(before[0], key)}".removeprefix(".")
            if key in new:
                yield from self._values(place, part, new[key])
            else:
                yield f"{place}: removed {value_text(part[1])}"
        for key, part in new.items():
            if key not in old:
                yield f"{name}{_step(after[0], key)}: added {value_text(part[1])}"

    def _parts(self, pair: Pair) -> dict[Any, Pair]:
        """What a value is made of, by name, key or index; empty: it is not gone into.

        Something secret is not: its shown form is another text, or an empty value.
        """
        value, shown = pair
        kind = cast("Any", type(value))
        if kind is not type(shown):
            return {}
        if attrs.has(kind):
            names = self._compared(value)
            return {
                name: (getattr(value, name), getattr(shown, name)) for name in names
            }
        keys: Iterable[Any] = ()
        if issubclass(kind, dict) and value.keys() == shown.keys():
            keys = value
        elif issubclass(kind, list | tuple) and len(value) == len(shown):
            keys = range(len(value))
        return {key: (value[key], shown[key]) for key in keys}

    def _compared(self, owner: attrs.AttrsInstance) -> Iterator[str]:
        """The fields of a record that count."""
        # What an object holds is compared by its path.
        held = SHAPES[type(owner)].held if isinstance(owner, Node) else ()
        left_out = {field.name for field in held}
        if isinstance(owner, Node) and not self.ids:
            left_out.add("id")
        if isinstance(owner, Node | State | Attempt) and not self.times:
            left_out |= _TIMES
        for field in attrs.fields(type(owner)):
            if field.eq and field.name not in left_out:
                yield field.name

    def _values(self, name: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of two values of one name."""
        if _is_same(before[0], after[0]):
            return
        parts = self._parts(before), self._parts(after)
        if type(before[0]) is type(after[0]) and any(parts):
            inside = list(self._inside(name, before, after))
            # State and Attempt may differ in their times alone, which do not count; and
            # ``==`` of a class may deny what is the same, but its instances' identity.
            is_same = isinstance(before[0], State | Attempt) or _has_equality(before[0])
            if inside or is_same:
                yield from inside
                return
        yield _leaf(name, before[1], after[1])


def _step(owner: object, key: object) -> str:
    """What leads from a value to a part of it."""
    return f".{key}" if attrs.has(type(owner)) else f"[{value_text(key)}]"


def _children(pair: Pair) -> dict[str, Pair]:
    """The objects that both forms of an object hold, by their labels."""
    return {
        label: (child, shown)
        for (label, child), (_, shown) in zip(
            labelled(pair[0]), labelled(pair[1]), strict=True
        )
    }


def _is_same(before: object, after: object) -> bool:
    """Whether two values are equal, also where ``==`` denies it of the same.

    It does of not-a-number, and of times in named zones; a stranger's may even raise.
    """
    with contextlib.suppress(Exception):
        if before == after:
            return True
    is_leaf = isinstance(before, float | Decimal | datetime)
    same_class = type(before) is type(after)
    return is_leaf and same_class and changed_at(before, after, "it") is None


def _has_equality(value: object) -> bool:
    """Whether instances of its class are compared by what they hold."""
    return type(value).__eq__ is not object.__eq__


def _leaf(name: str, before: object, after: object) -> str:
    """The line for two values that are not gone into."""
    old, new = value_text(before), value_text(after)
    unseen = " (they differ, but not in what is shown)" if old == new else ""
    return f"{name}: {old} -> {new}{unseen}"


def _listed(labels: list[str]) -> str:
    """Labels for a message."""
    return shorten(", ".join(labels))
