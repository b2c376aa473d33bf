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
from collections.abc import Iterator, Sized
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
        for line in self._fields("", before, after):
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

    def _fields(self, name: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of what two records hold; ``name`` leads to them."""
        owner: object = before[0]
        # What an object holds is compared by its path.
        held = SHAPES[type(owner)].held if isinstance(owner, Node) else ()
        names = {field.name for field in held}
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(owner))):
            is_compared = field.eq and field.name not in names
            if not is_compared or self._is_ignored(owner, field.name):
                continue
            yield from self._values(
                f"{name}.{field.name}" if name else field.name,
                (getattr(before[0], field.name), getattr(before[1], field.name)),
                (getattr(after[0], field.name), getattr(after[1], field.name)),
            )

    def _is_ignored(self, owner: object, field: str) -> bool:
        """Whether the field was not asked for."""
        if field == "id" and isinstance(owner, Node):
            return not self.ids
        engines_own = isinstance(owner, Node | State | Attempt)
        return field in _TIMES and engines_own and not self.times

    def _values(self, name: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of two values of one name."""
        if _is_same(before[0], after[0]):
            return
        if _is_record(before) and _is_record(after) and _same_type(before, after):
            inside = list(self._fields(name, before, after))
            # State and Attempt may differ in their times alone, which do not count; and
            # ``==`` of a class may deny what is the same, but its instances' identity.
            is_same = isinstance(before[0], State | Attempt) or _has_equality(before[0])
            if inside or is_same:
                yield from inside
                return
        elif _is_list(before) and _is_list(after) and _same_type(before, after):
            yield from self._lists(name, before, after)
            return
        elif _is_dict(before) and _is_dict(after):
            yield from self._dicts(name, before, after)
            return
        yield _leaf(name, before[1], after[1])

    def _lists(self, name: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of two lists, place by place."""
        old = list(zip(*before, strict=True))
        new = list(zip(*after, strict=True))
        for index, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from self._values(f"{name}[{index}]", one, other)
        for index in range(len(new), len(old)):
            yield f"{name}[{index}]: removed {value_text(old[index][1])}"
        for index in range(len(old), len(new)):
            yield f"{name}[{index}]: added {value_text(new[index][1])}"

    def _dicts(self, name: str, before: Pair, after: Pair) -> Iterator[str]:
        """The differences of two dicts, key by key."""
        for key, value in before[0].items():
            inner = f"{name}[{value_text(key)}]"
            if key not in after[0]:
                yield f"{inner}: removed {value_text(before[1][key])}"
            else:
                yield from self._values(
                    inner, (value, before[1][key]), (after[0][key], after[1][key])
                )
        for key in after[0]:
            if key not in before[0]:
                added = value_text(after[1][key])
                yield f"{name}[{value_text(key)}]: added {added}"


def _children(pair: Pair) -> dict[str, Pair]:
    """The objects that both forms of an object hold, by their labels."""
    return {
        label: (child, shown)
        for (label, child), (_, shown) in zip(
            labelled(pair[0]), labelled(pair[1]), strict=True
        )
    }


def _is_record(pair: Pair) -> bool:
    """Whether it can be compared field by field."""
    value: object = pair[0]
    return attrs.has(type(value)) and _keeps_shape(pair)


def _is_list(pair: Pair) -> bool:
    """Whether it can be compared place by place."""
    return isinstance(pair[0], list | tuple) and _keeps_shape(pair)


def _is_dict(pair: Pair) -> bool:
    """Whether it can be compared key by key."""
    return isinstance(pair[0], dict) and _keeps_shape(pair)


def _keeps_shape(pair: Pair) -> bool:
    """Whether a value can be gone through beside its shown form.

    Something secret cannot: its shown form is another text, or an empty value.
    """
    value, shown = pair
    if type(value) is not type(shown):
        return False
    if isinstance(value, dict):
        return bool(value.keys() == shown.keys())
    if isinstance(value, list | tuple):
        return len(cast(Sized, value)) == len(shown)
    return True


def _same_type(before: Pair, after: Pair) -> bool:
    """Whether two values are of one class."""
    return type(before[0]) is type(after[0])


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
