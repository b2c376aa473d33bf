"""Finding the objects that are really in a plan, whatever was put into it (V-3).

``walk`` takes a plan for what its types say. A plan that somebody has just put
together may hold anything: None, a Sequence where a Block belongs, a generator in
place of a list, one object at two places. This walk reports those and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import attrs

from .._values.errors import Fault
from .._values.values import kind_of, kind_of_class
from .paths import SEPARATOR, label_of_plan, labels
from .plan import Action, BaseAction, CheckAction, Node, Plan
from .shape import SHAPES, Held


@attrs.define  # not frozen, which costs more: one is made for each object
class Found:
    """One object that is where it belongs.

    Attributes:
        path: Its address (OM-15).
        node: The object.
        holder: What was found to hold it; None for the plan.
        field: The holder's field that it is in.
        index: Its place there.
    """

    path: str
    node: Node
    holder: Found | None = None
    field: str = ""
    index: int = 0

    @property
    def parent(self) -> Node | None:
        """What holds it; None for the plan."""
        return None if self.holder is None else self.holder.node


_ACTIONS = (Action, CheckAction)


def structure(plan: object) -> Iterator[Found | Fault]:
    """Every object of the plan, and a fault for whatever is not one, in walk order.

    Args:
        plan: What somebody gave for a plan.
    """
    if type(plan) is not Plan:
        yield _not_wanted("(the plan)", plan, Plan)
        return
    path = label_of_plan(plan)
    yield from _below(Found(path, plan), {id(plan): path})


def _below(found: Found, seen: dict[int, str]) -> Iterator[Found | Fault]:
    """The object, then what it holds. ``seen`` has the path of each object met so far."""
    yield found
    for each in _held(found):
        if isinstance(each, Fault):
            yield each
        elif (first := seen.setdefault(id(each.node), each.path)) is not each.path:
            message = (
                f"is the very object that stands at '{first}' too: make one object "
                "for each place, as each has a state of its own"
            )
            yield Fault(path=each.path, field="", rule="V-3", message=message)
        elif isinstance(each.node, BaseAction):
            yield each
        else:
            yield from _below(each, seen)


def _held(found: Found) -> Iterator[Found | Fault]:
    """What the object holds, in walk order."""
    path = found.path
    entries: list[Fault | tuple[Held, Node, int]] = []
    for field in SHAPES[type(found.node)].held:
        value: Any = getattr(found.node, field.name)
        if not field.many:
            members = [] if value is None else [value]
        elif type(value) is list:
            members = cast("list[object]", value)
        else:
            message = f"must be a list, not {kind_of(value)}"
            entries.append(
                Fault(path=path, field=field.name, rule="V-3", message=message)
            )
            continue
        for index, member in enumerate(members):
            if type(member) is field.type or _is_other_action(member, field):
                entries.append((field, cast("Node", member), index))
            else:
                place = f"{path}{SEPARATOR}{field.name}"
                place += f"[{index}]" if field.many else ""
                entries.append(_not_wanted(place, member, field.type))
    # Labels are those that the object's children have once the faults are mended.
    good = [entry[:2] for entry in entries if not isinstance(entry, Fault)]
    good_labels = iter(labels(good))
    for entry in entries:
        if isinstance(entry, Fault):
            yield entry
        else:
            field, node, index = entry
            label = next(good_labels)
            yield Found(f"{path}{SEPARATOR}{label}", node, found, field.name, index)


def _is_other_action(member: object, field: Held) -> bool:
    """Whether it is an action where the other kind of actions belongs.

    That it does not belong there is better said with its plugin in view (V-20).
    """
    return issubclass(field.type, BaseAction) and type(member) in _ACTIONS


def _not_wanted(path: str, value: object, wanted: type[Node]) -> Fault:
    """The fault for what is no object of the wanted class."""
    message = f"must be {kind_of_class(wanted)}, not {kind_of(value)}"
    return Fault(path=path, field="", rule="V-3", message=message)
